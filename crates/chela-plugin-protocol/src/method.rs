//! Params and results of the host's own methods.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::frame::WireError;

/// Params of `load`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadParams<'a> {
    /// Manifest id.
    pub plugin_id: &'a str,
    /// From the manifest.
    pub name: Option<&'a str>,
    /// From the manifest.
    pub version: Option<&'a str>,
    /// From the manifest.
    pub description: Option<&'a str>,
    /// Kinds of the manifest; left out when there are none.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub kind: &'a [String],
    /// The plugin's directory.
    pub root_dir: &'a str,
    /// The entry file.
    pub entry: &'a str,
    /// The reference's registration mode, such as `full`.
    pub registration_mode: &'a Value,
    /// The effective config.
    pub config: &'a Value,
    /// The word that makes `{"$config": word}` mean the effective config.
    pub config_mark: &'a str,
    /// The plugin's validated config.
    pub plugin_config: &'a Value,
    /// Workspace of the default agent.
    pub workspace_dir: &'a str,
    /// The state directory.
    pub state_dir: &'a str,
    /// The advertised OpenClaw version.
    pub host_version: &'a str,
    /// Where the SDK's files are.
    pub sdk_dir: &'a str,
    /// What the plugin may do beyond the ordinary.
    pub permissions: &'a Value,
    /// Variables for this plugin beyond those of the process.
    pub env: &'a Value,
    /// True when only CLI registrars are wanted.
    pub cli_metadata: bool,
}

/// Result of `load`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LoadResult {
    /// What the module says about itself.
    pub definition: Value,
    /// `{method, args, site?}` in call order.
    pub registrations: Vec<Value>,
    /// `{missingExports, missingSubpaths}`.
    pub link_report: Value,
    /// Time in the worker, in ms.
    pub ms: f64,
}

/// One handler in the params of `hooks`.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct HookHandler {
    /// Its handle.
    #[serde(rename = "fn")]
    pub handle: u64,
    /// Its budget in ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

/// One entry of the result of `hooks`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
pub struct HookOutcome {
    /// The handler's value; absent for `undefined`.
    #[serde(deserialize_with = "present")]
    pub ok: Option<Value>,
    /// Its error.
    pub err: Option<WireError>,
    /// Time it took, in ms.
    pub ms: f64,
}

fn present<'de, D: serde::Deserializer<'de>>(d: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(d).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn null_and_undefined_differ_in_an_outcome() {
        let read = |v: Value| serde_json::from_value::<HookOutcome>(v).unwrap();
        assert_eq!(read(json!({"ms": 1.5})).ok, None);
        assert_eq!(read(json!({"ok": null, "ms": 0})).ok, Some(Value::Null));
        assert_eq!(read(json!({"err": {"name": "E", "message": "m"}})).err, Some(WireError::new("E", "m")));
    }
}
