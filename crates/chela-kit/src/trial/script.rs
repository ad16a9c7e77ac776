//! The file of `plugins test --script`: what to say, with what to call tools, with which config.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::outside::OutsideRule;
use crate::error::KitError;

/// Largest script, in bytes.
const MOST_BYTES: u64 = 1 << 20;

/// What the author wants to be tried.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Script {
    /// `plugins.entries.<id>.config`.
    pub config: Option<Value>,
    /// Further config, merged over the trial's own, such as `channels`.
    pub gateway_config: Map<String, Value>,
    /// Environment variables of the worker.
    pub env: BTreeMap<String, String>,
    /// Messages, one turn each; `hello` without any.
    pub turns: Vec<String>,
    /// Calls of tools, by name, instead of the generated arguments.
    pub tools: BTreeMap<String, Vec<ToolStep>>,
    /// Tools that are not to be called.
    pub skip_tools: Vec<String>,
    /// Arguments of chat commands, by name.
    pub commands: BTreeMap<String, String>,
    /// Parameters of gateway methods, by name.
    pub methods: BTreeMap<String, Value>,
    /// Requests to the plugin's HTTP routes, beside one `GET` and one `POST` each.
    pub routes: Vec<RouteStep>,
    /// Command lines of the plugin, each as words, beside the help of every command.
    pub cli: Vec<Vec<String>>,
    /// To whom a message goes through each channel with a configured account, by channel.
    pub send_to: BTreeMap<String, String>,
    /// How the world outside answers.
    pub outside: Vec<OutsideRule>,
    /// Lets the plugin reach the real world. So it is for a plugin with `permissions`, whose connections the sandbox decides on.
    pub online: bool,
    /// `plugins.entries.<id>.permissions`: a set, `observe` or `declared`.
    pub permissions: Option<Value>,
}

/// One request to a route of the plugin.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RouteStep {
    /// The method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Headers.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: String,
}

/// One call of a tool.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ToolStep {
    /// Its arguments.
    pub arguments: Value,
    /// What must come of it.
    #[serde(default)]
    pub expect: Expect,
    /// A text that the result or error must hold.
    pub contains: Option<String>,
}

/// How a call must end.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Expect {
    /// With a result.
    #[default]
    Ok,
    /// With an error.
    Error,
}

impl Script {
    /// Reads a script, JSON5.
    ///
    /// # Errors
    /// [`KitError::Script`] with what is wrong, [`KitError::Io`].
    pub fn read(path: &Path) -> Result<Self, KitError> {
        let bad = |why: String| KitError::Script { path: path.into(), why };
        if fs_err::metadata(path)?.len() > MOST_BYTES {
            return Err(bad(format!("larger than {MOST_BYTES} bytes")));
        }
        let text = fs_err::read_to_string(path)?;
        let value = chela_config::json5::parse_value(&text).map_err(|error| bad(error.message))?;
        serde_json::from_value(value).map_err(|error| bad(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_json5_and_unknown_members_are_errors() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("s.json5");
        fs_err::write(&file, "{turns: ['hi'], tools: {x: [{arguments: {a: 1}, expect: 'error', contains: 'no'}]}, // c\n}").unwrap();
        let script = Script::read(&file).unwrap();
        assert_eq!((script.turns.len(), script.tools["x"][0].expect), (1, Expect::Error));
        fs_err::write(&file, "{turn: ['hi']}").unwrap();
        let error = Script::read(&file).unwrap_err().to_string();
        assert!(error.contains("unknown field `turn`") && error.contains("s.json5"), "{error}");
    }
}
