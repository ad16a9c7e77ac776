//! `boot-md`: when the gateway has started, each agent follows the `BOOT.md` of its workspace, in a session that goes afterwards.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chela_plugin::builtin::PluginApi;
use chela_plugin::{CallError, HostCaller, HostServices};
use serde_json::{Value, json};

pub(crate) const NAME: &str = "boot-md";
/// The file in a workspace.
const FILE: &str = "BOOT.md";
/// Largest file that is followed, in bytes; a longer one is no check list.
const MAX_FILE: u64 = 256 * 1024;
/// Longest run, in ms.
const RUN_MS: u64 = 60 * 60 * 1000;

type Host = Arc<dyn HostServices>;

pub(crate) fn handler(api: &mut PluginApi) -> Value {
    let (host, caller) = (api.host(), crate::caller());
    let agents = agents(&api.spec().config);
    api.function(move |_| {
        let (host, caller, agents) = (host.clone(), caller.clone(), agents.clone());
        async move {
            let mut seen = BTreeSet::new();
            for agent in agents {
                let workspace = workspace(&host, &caller, &agent).await?;
                if !seen.insert(workspace.clone()) {
                    continue;
                }
                let (host, caller) = (host.clone(), caller.clone());
                // A run may take minutes; nobody waits for it.
                tokio::spawn(async move {
                    match boot(&host, &caller, &agent, &workspace).await {
                        Ok(true) => tracing::info!(target: "hooks", agent, "{FILE} was followed"),
                        Ok(false) => tracing::debug!(target: "hooks", agent, workspace = %workspace.display(), "no {FILE}"),
                        Err(error) => tracing::error!(target: "hooks", agent, "{FILE} could not be followed: {error}"),
                    }
                });
            }
            Ok(Value::Null)
        }
    })
}

/// Ids of the configured agents.
fn agents(config: &Value) -> Vec<String> {
    let listed = config.pointer("/agents/list").and_then(Value::as_array).into_iter().flatten();
    let ids: Vec<String> = listed.filter_map(|agent| agent["id"].as_str()).map(|id| id.trim().to_lowercase()).collect();
    if ids.is_empty() { vec!["main".to_owned()] } else { ids }
}

async fn workspace(host: &Host, caller: &HostCaller, agent: &str) -> Result<PathBuf, CallError> {
    let answer = host.request(caller, "host.agent.resolveAgentWorkspaceDir", json!({"args": [null, agent]})).await?;
    Ok(PathBuf::from(answer.as_str().unwrap_or_default()))
}

/// Runs the agent with the file; false when there is none, or nothing in it.
async fn boot(host: &Host, caller: &HostCaller, agent: &str, workspace: &Path) -> Result<bool, CallError> {
    let path = workspace.join(FILE);
    let Some(text) = crate::blocking(move || read(&path)).await? else { return Ok(false) };
    let run = uuid::Uuid::new_v4().to_string();
    let key = format!("agent:{agent}:boot:{run}");
    let params = json!({"sessionKey": key, "message": prompt(&text), "idempotencyKey": format!("boot-{run}")});
    let started = host.request(caller, "host.subagent.run", params).await?;
    let done = host.request(caller, "host.subagent.waitForRun", json!({"runId": started["runId"], "timeoutMs": RUN_MS})).await;
    host.request(caller, "host.subagent.deleteSession", json!({ "sessionKey": key })).await?;
    match done?.get("status").and_then(Value::as_str) {
        Some("ok") => Ok(true),
        other => Err(CallError::refused("RUN_FAILED", format!("the run of agent `{agent}` ended with `{}`", other.unwrap_or("nothing")))),
    }
}

fn read(path: &Path) -> std::io::Result<Option<String>> {
    match path.metadata() {
        Ok(stat) if stat.len() > MAX_FILE => {
            Err(std::io::Error::other(format!("`{}` is longer than {MAX_FILE} bytes; make it shorter", path.display())))
        }
        Ok(_) => Ok(Some(fs_err::read_to_string(path)?.trim().to_owned()).filter(|text| !text.is_empty())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn prompt(text: &str) -> String {
    format!(
        "The gateway has just started. Do what {FILE} of your workspace says, and nothing else:\n\n{text}\n\n\
         To send something to somebody, use the message tool (action `send`, with `channel` and `target`). \
         Nobody reads what you answer here: answer NO_REPLY when you are done, or when nothing needs doing."
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn agents_and_files() {
        assert_eq!(agents(&json!({})), ["main"]);
        assert_eq!(agents(&json!({"agents": {"list": [{"id": " Ops "}, {"name": "x"}, {"id": "main"}]}})), ["ops", "main"]);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        assert_eq!(read(&path).unwrap(), None);
        fs_err::write(&path, " \n").unwrap();
        assert_eq!(read(&path).unwrap(), None);
        fs_err::write(&path, "\nlook around\n").unwrap();
        assert_eq!(read(&path).unwrap().as_deref(), Some("look around"));
        assert!(prompt("look around").contains("look around"));
        fs_err::write(&path, "x".repeat(MAX_FILE as usize + 1)).unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("make it shorter"));
    }
}
