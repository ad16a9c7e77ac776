//! Variables of commands that plugins add: `resolve_exec_env`.

use chela_agent::tools::HostToolCall;
use chela_hooks::DispatchOptions;
use chela_plugin::HookName;
use serde_json::{Map, Value, json};

use crate::settings::{is_plain, is_reserved};

/// Most variables that plugins may add to one command.
const MOST_VARIABLES: usize = 256;
/// Largest value of one, in bytes.
const LARGEST_VALUE: usize = 32 * 1024;

/// The call's own variables, with those of plugins over them. What plugins may not set is left out and logged.
pub(super) async fn with_plugins(call: &HostToolCall<'_>, agent: &str, own: Option<&Value>) -> Option<Value> {
    let options = DispatchOptions { cancel: call.cancel.clone(), budget_override: None };
    let said = call.hooks.dispatch_with(HookName::ResolveExecEnv, options, || (event(call), context(call, agent))).await.merged;
    let added = usable(&said);
    if added.is_empty() {
        return own.cloned();
    }
    match own {
        None | Some(Value::Null) => Some(added.into()),
        Some(Value::Object(own)) => Some(own.clone().into_iter().chain(added).collect::<Map<_, _>>().into()),
        // The caller hears what is wrong with it.
        Some(other) => Some(other.clone()),
    }
}

fn event(call: &HostToolCall<'_>) -> Value {
    json!({"sessionKey": call.session_key, "toolName": "exec", "host": "gateway"})
}

fn context(call: &HostToolCall<'_>, agent: &str) -> Value {
    let mut context = json!({"agentId": agent, "sessionKey": call.session_key});
    let source = &call.origin.source;
    let members = [
        ("runId", call.run_id.map(Value::from)),
        ("messageProvider", Some(call.origin.surface.as_str()).filter(|s| !s.is_empty()).map(Value::from)),
        ("channelId", source.get("turnSourceTo").filter(|to| to.is_string()).cloned()),
    ];
    for (name, value) in members {
        if let Some(value) = value {
            context[name] = value;
        }
    }
    context
}

/// The variables that may be set.
fn usable(said: &Value) -> Map<String, Value> {
    let mut out = Map::new();
    for (name, value) in said.as_object().into_iter().flatten() {
        let fits = value.as_str().is_some_and(|v| v.len() <= LARGEST_VALUE && !v.contains('\0'));
        if fits && is_plain(name) && !is_reserved(name) && out.len() < MOST_VARIABLES {
            out.insert(name.clone(), value.clone());
        } else {
            tracing::warn!(target: "tools", variable = %name.escape_debug(), "a variable of a plugin was left out of the command's environment");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_run_other_programs_is_left_out() {
        let said = json!({"TOKEN": "t", "PATH": "/x", "ld_preload": "x", "NODE_OPTIONS": "x", "1A": "x", "N": 4, "NUL": "a\0b", "OPENCLAW_CLI": "1"});
        assert_eq!(Value::from(usable(&said)), json!({"TOKEN": "t"}));
    }
}
