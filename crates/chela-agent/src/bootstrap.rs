//! Workspace files of the prompt, read again only when they changed, and the `agent:bootstrap` event (HOOK-276).

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use chela_store::session_key;
use serde_json::{Value, json};

use crate::prompt::{self, BootstrapFile};
use crate::turn::TurnScope;

/// Identity of a workspace's files: name, size and time of each.
type Stamp = Vec<(u64, Option<SystemTime>)>;

/// Files of a workspace, and what they looked like when they were read.
type Known = (Stamp, Arc<Vec<BootstrapFile>>);

/// The files of all workspaces, by directory.
#[derive(Default)]
pub struct BootstrapCache {
    known: Mutex<HashMap<PathBuf, Known>>,
}

impl BootstrapCache {
    /// The files of a turn; plugins may change the list through `agent:bootstrap`.
    pub async fn files(&self, scope: &TurnScope<'_>, workspace: &Path) -> Vec<BootstrapFile> {
        let mut files = self.read(workspace).await;
        if is_light(scope) {
            files = Arc::new(files.iter().filter(|file| file.name == "HEARTBEAT.md").cloned().collect());
        }
        if !scope.internal().has("agent", "bootstrap") {
            return files.as_ref().clone();
        }
        let context = json!({
            "workspaceDir": workspace, "bootstrapFiles": files.iter().map(to_json).collect::<Vec<_>>(), "sessionKey": scope.session_key(),
            "sessionId": scope.session_id(), "agentId": scope.request.agent_id,
        });
        let result = scope.internal().emit("agent", "bootstrap", scope.session_key(), context).await;
        match result.context.get("bootstrapFiles").and_then(Value::as_array) {
            Some(changed) => changed.iter().filter_map(from_json).collect(),
            None => files.as_ref().clone(),
        }
    }

    async fn read(&self, workspace: &Path) -> Arc<Vec<BootstrapFile>> {
        let dir = workspace.to_path_buf();
        let stamp = prompt::stamp(&dir);
        let lock = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, files)) = lock().get(&dir)
            && *known == stamp
        {
            return files.clone();
        }
        let files = Arc::new(prompt::bootstrap_files(&dir).await);
        lock().insert(dir, (stamp, files.clone()));
        files
    }
}

/// True for a heartbeat that the config wants with its own file alone (`heartbeat.lightContext`).
fn is_light(scope: &TurnScope<'_>) -> bool {
    if scope.request.trigger != "heartbeat" {
        return false;
    }
    let config = scope.runtime.config();
    let agents = config.effective.pointer("/agents/list").and_then(Value::as_array);
    let id = |agent: &&Value| agent["id"].as_str().is_some_and(|id| session_key::normalize_agent_id(id) == scope.request.agent_id);
    let own = agents.into_iter().flatten().find(id).and_then(|agent| agent.pointer("/heartbeat/lightContext"));
    let light = own.or_else(|| config.effective.pointer("/agents/defaults/heartbeat/lightContext"));
    light == Some(&Value::Bool(true))
}

fn to_json(file: &BootstrapFile) -> Value {
    let mut out = json!({"name": file.name, "path": file.path, "missing": file.content.is_none()});
    if let Some(content) = &file.content {
        out["content"] = content.clone().into();
    }
    out
}

fn from_json(value: &Value) -> Option<BootstrapFile> {
    let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_string);
    Some(BootstrapFile { name: text("name")?, path: PathBuf::from(text("path").unwrap_or_default()), content: text("content") })
}
