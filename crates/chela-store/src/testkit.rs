//! Helpers of the crate's own tests.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::{NewEntry, OpenReason, SessionRow, Store, StoreOptions};

pub(crate) struct Home {
    pub(crate) dir: tempfile::TempDir,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn root(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn sessions(&self, agent: &str) -> PathBuf {
        self.root().join("agents").join(agent).join("sessions")
    }

    pub(crate) fn options(&self) -> StoreOptions {
        let root = self.root().to_owned();
        StoreOptions::new(self.root().join("chela/chela.sqlite"), move |agent| root.join("agents").join(agent).join("sessions"))
    }

    pub(crate) fn open(&self) -> Store {
        Store::open(self.options()).unwrap()
    }

    pub(crate) fn write(&self, agent: &str, name: &str, text: &str) -> PathBuf {
        let path = self.sessions(agent).join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }
}

pub(crate) fn text(n: usize) -> NewEntry {
    NewEntry::message(json!({"role": if n.is_multiple_of(2) { "user" } else { "assistant" }, "content": format!("message {n}")}))
}

pub(crate) async fn open_main(store: &Store) -> SessionRow {
    store.open_session("main", "main", OpenReason::Interaction).await.unwrap().row
}

/// The lines of a JSONL file, each parsed.
pub(crate) fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.ends_with('\n'));
    text.lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

/// The texts of a transcript's window.
pub(crate) async fn texts(store: &Store, session_id: &str) -> Vec<String> {
    let window = store.window(session_id, usize::MAX).await.unwrap();
    window.iter().map(|e| e.body["content"].as_str().unwrap_or_default().to_owned()).collect()
}
