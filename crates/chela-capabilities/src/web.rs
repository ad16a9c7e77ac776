//! Search and fetch on the web: which provider, and its one tool (PRV-323..329).

pub mod fetch;
mod html;
mod order;
pub mod search;
mod untrusted;

use std::time::Duration;

use chela_plugin::{Call, CallError, PluginObject};
use serde_json::{Value, json};

use crate::choice::Miss;
use crate::host::{QUESTION_BUDGET, Scope, Surroundings};
use crate::kind::Provider;

pub use order::usable;

/// Largest answer of a provider, in bytes of JSON.
const MOST_ANSWER: usize = 2 * 1024 * 1024;
/// What a provider may take beyond the configured time.
const GRACE: Duration = Duration::from_secs(15);
/// Time for one provider when the config does not say, in seconds.
const SECONDS: u64 = 30;

/// What a stranger wrote, at most this many characters with the marks around it that tell a model so. No warning is added.
pub fn mark_untrusted(text: &str, source: &str, most: usize) -> String {
    untrusted::mark(text, source, most, false).text
}

/// A part of `tools.web`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// `tools.web.search`.
    Search,
    /// `tools.web.fetch`.
    Fetch,
}

impl Part {
    fn key(self) -> &'static str {
        match self {
            Self::Search => "search",
            Self::Fetch => "fetch",
        }
    }

    /// The tool's name.
    pub fn tool(self) -> &'static str {
        match self {
            Self::Search => "web_search",
            Self::Fetch => "web_fetch",
        }
    }

    /// The settings of this part.
    pub(crate) fn settings(self, config: &Value) -> Option<&Value> {
        config.pointer("/tools/web")?.get(self.key()).filter(|v| v.is_object())
    }

    /// As [`Part::enabled`], by the config of now.
    pub(crate) fn on(self, host: &dyn Surroundings) -> bool {
        host.setting(&format!("/tools/web/{}/enabled", self.key())) != Some(Value::Bool(false))
    }

    /// False when the operator switched it off.
    pub fn enabled(self, config: &Value) -> bool {
        self.settings(config).and_then(|s| s.get("enabled")) != Some(&Value::Bool(false))
    }
}

/// Asks a provider for its tool and runs it. `Ok(None)`: it has none for this config.
async fn ask(scope: &Scope<'_>, provider: &Provider, part: Part, args: &Value) -> Result<Option<Value>, CallError> {
    let settings = part.settings(&scope.config);
    let mut ctx = json!({"config": scope.shown()});
    if let Some(settings) = settings {
        ctx[if part == Part::Search { "searchConfig" } else { "fetchConfig" }] = settings.clone();
    }
    let tool: PluginObject = provider.object.open("createTool", ctx, QUESTION_BUDGET, &scope.cancel).await?;
    if !tool.has("execute") {
        return Ok(None);
    }
    let seconds = settings.and_then(|s| s.get("timeoutSeconds")).and_then(Value::as_u64).unwrap_or(SECONDS);
    let mut call = Call::new(vec![args.clone()]);
    let signal = call.signal(scope.cancel.clone());
    call.args.push(json!({"signal": signal}));
    let budget = Duration::from_secs(seconds) + GRACE;
    let answer = tool.call("execute", call.budget(Some(budget)).cancelled_by(scope.cancel.clone())).await?;
    if answer.to_string().len() > MOST_ANSWER {
        return Err(CallError::thrown(format!("the answer is larger than {} MB", MOST_ANSWER / (1024 * 1024))));
    }
    let answer = crate::kind::without_functions(&answer);
    Ok(Some(if answer.is_object() { answer } else { json!({"content": answer}) }))
}

/// The failure of a provider without a tool.
fn unavailable(part: Part, id: &str) -> Miss {
    Miss::Skip("not_available", format!("{} provider \"{id}\" is not available", part.tool()))
}
