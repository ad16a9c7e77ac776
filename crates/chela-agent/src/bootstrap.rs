//! Workspace files of the prompt, read again only when they changed, and the `agent:bootstrap` event (HOOK-276).

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

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
        let files = self.read(workspace).await;
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
