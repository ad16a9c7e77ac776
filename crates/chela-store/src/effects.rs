//! What a committed transaction changes outside the database.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use crate::shared::Shared;
use crate::windows::Appended;
use crate::{SessionRow, projector};

/// A change of a file beside the database, done after the commit that made it true.
#[derive(Debug)]
pub(crate) enum FileOp {
    /// Lines for the end of a transcript whose file has `before` bytes.
    Append { session_id: String, path: PathBuf, before: u64, bytes: Vec<u8> },
    /// The whole transcript again, from the database.
    Rewrite { session_id: String, path: PathBuf },
    /// A journalled rename; done when the source is gone.
    Rename { op: i64, from: PathBuf, to: PathBuf },
    /// A journalled removal.
    Remove { op: i64, path: PathBuf },
}

/// Changes of one transaction, or of one call in it, that wait for the commit.
#[derive(Default)]
pub(crate) struct Effects {
    pub(crate) rows: HashMap<String, Option<Arc<SessionRow>>>,
    /// Session id to its key and number of messages.
    pub(crate) messages: HashMap<String, (String, u64)>,
    /// Entries for the end of transcripts.
    pub(crate) appended: Vec<Appended>,
    /// Session ids of transcripts that changed in any other way.
    pub(crate) rewritten: HashSet<String>,
    pub(crate) ops: Vec<FileOp>,
    pub(crate) dirty_agents: HashSet<String>,
    pub(crate) loaded: Vec<String>,
    pub(crate) unloaded: Vec<String>,
    /// The earliest expiry that was written.
    pub(crate) expires_at: Option<i64>,
}

impl Effects {
    pub(crate) fn absorb(&mut self, later: Self) {
        self.rows.extend(later.rows);
        self.messages.extend(later.messages);
        self.appended.extend(later.appended);
        self.rewritten.extend(later.rewritten);
        for op in later.ops {
            self.push_op(op);
        }
        self.dirty_agents.extend(later.dirty_agents);
        self.loaded.extend(later.loaded);
        self.unloaded.extend(later.unloaded);
        self.expires_at = [self.expires_at, later.expires_at].into_iter().flatten().min();
    }

    /// Adds an operation; lines that follow directly on lines for the same file become one write.
    pub(crate) fn push_op(&mut self, op: FileOp) {
        if let FileOp::Append { path, before, bytes, .. } = &op {
            // Only the nearest operation on the file may be extended, or a rename in between would be skipped.
            let nearest = self.ops.iter_mut().rev().find(|o| o.touches(path));
            if let Some(FileOp::Append { before: b0, bytes: earlier, .. }) = nearest
                && *b0 + earlier.len() as u64 == *before
            {
                earlier.extend_from_slice(bytes);
                return;
            }
        }
        self.ops.push(op);
    }

    /// Updates the memory of the process and wakes the projector; hands back the file operations.
    pub(crate) fn apply_to(self, shared: &Shared, projector: &Sender<projector::Msg>) -> Vec<FileOp> {
        if !self.rows.is_empty() || !self.messages.is_empty() {
            let mut cache = shared.cache();
            cache.next_epoch();
            for (key, row) in self.rows {
                match row {
                    Some(row) => cache.insert(row),
                    None => cache.remove(&key),
                }
            }
            for (session_id, (key, messages)) in &self.messages {
                cache.set_messages(key, session_id, *messages);
            }
        }
        if !self.appended.is_empty() || !self.rewritten.is_empty() {
            let mut windows = shared.windows();
            let appended = self.appended.into_iter().filter(|a| !self.rewritten.contains(&a.session_id));
            appended.for_each(|a| windows.append(a));
            self.rewritten.iter().for_each(|id| windows.forget(id));
        }
        if let Some(at) = self.expires_at {
            shared.expiry.committed(at);
        }
        for id in self.unloaded {
            shared.mark_unloaded(&id);
        }
        for id in self.loaded {
            shared.mark_loaded(id);
        }
        for agent in self.dirty_agents {
            // Gone only while the store closes, and then the next start sees that the file is behind.
            let _ = projector.send(projector::Msg::Dirty(agent));
        }
        self.ops
    }
}

impl FileOp {
    /// Whether it takes a file away from its place.
    pub(crate) fn moves_files(&self) -> bool {
        matches!(self, Self::Rename { .. } | Self::Remove { .. })
    }

    fn touches(&self, file: &std::path::Path) -> bool {
        match self {
            Self::Append { path, .. } | Self::Rewrite { path, .. } | Self::Remove { path, .. } => path == file,
            Self::Rename { from, to, .. } => from == file || to == file,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn append(path: &str, before: u64, text: &str) -> FileOp {
        FileOp::Append { session_id: "s".into(), path: path.into(), before, bytes: text.into() }
    }

    #[test]
    fn lines_for_one_file_become_one_write() {
        let mut effects = Effects::default();
        effects.push_op(append("a", 0, "one"));
        effects.push_op(append("b", 0, "x"));
        effects.push_op(append("a", 3, "two"));
        assert_eq!(effects.ops.len(), 2);
        effects.push_op(FileOp::Rename { op: 1, from: "a".into(), to: "a.reset".into() });
        effects.push_op(append("a", 0, "new"));
        assert_eq!(effects.ops.len(), 4, "lines never move past a rename");
    }
}
