//! The JSONL files beside the database: appended, rewritten, renamed after each commit.
//!
//! A file is never the truth. What cannot be written now is logged, and written at the next use of the session.

use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use fs_err as fs;
use rusqlite::Connection;

use crate::effects::FileOp;
use crate::shared::Shared;

pub(crate) const FILE_MODE: u32 = 0o600;
pub(crate) const DIR_MODE: u32 = 0o700;

enum Outcome {
    Done,
    /// The file is not as the database left it.
    Changed,
}

/// Does the operations in order; hands back the sessions whose file was changed by another program.
pub(crate) fn execute(ops: Vec<FileOp>, conn: &Connection, shared: &Shared, done: &mut Vec<i64>) -> Vec<String> {
    let mut changed = Vec::new();
    for op in ops {
        match op {
            FileOp::Append { session_id, path, before, bytes } => match append(&path, before, &bytes) {
                Ok(Outcome::Done) => {}
                Ok(Outcome::Changed) => changed.push(session_id),
                Err(e) => warn_and_unload(shared, &session_id, &path, &e),
            },
            FileOp::Rewrite { session_id, path } => {
                if let Err(e) = rewrite(conn, &session_id, &path) {
                    warn_and_unload(shared, &session_id, &path, &e);
                }
            }
            FileOp::Rename { op, from, to } => settle(rename(&from, &to), op, &from, done),
            FileOp::Remove { op, path } => settle(remove(&path), op, &path, done),
        }
    }
    changed.dedup();
    changed
}

/// Does what a crash left in the journal of file operations; returns the ids that are done.
pub(crate) fn replay(ops: Vec<(i64, String, Option<String>)>) -> Vec<i64> {
    let mut done = Vec::new();
    for (op, source, target) in ops {
        let source = PathBuf::from(source);
        let outcome = match target {
            Some(target) => rename(&source, Path::new(&target)),
            None => remove(&source),
        };
        settle(outcome, op, &source, &mut done);
    }
    done
}

fn settle(outcome: std::io::Result<()>, op: i64, path: &Path, done: &mut Vec<i64>) {
    match outcome {
        Ok(()) => done.push(op),
        Err(e) => {
            tracing::warn!(path = %path.display(), error = %e, "file could not be moved; it is tried again at the next start")
        }
    }
}

fn warn_and_unload(shared: &Shared, session_id: &str, path: &Path, e: &std::io::Error) {
    shared.mark_unloaded(session_id);
    tracing::warn!(session_id, path = %path.display(), error = %e, "transcript file is behind the database; it is written at the session's next use");
}

fn append(path: &Path, before: u64, bytes: &[u8]) -> std::io::Result<Outcome> {
    let length = match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_file() => meta.len(),
        Ok(_) => return Err(std::io::Error::other("not a regular file")),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => 0,
        Err(e) => return Err(e),
    };
    if length != before {
        return Ok(Outcome::Changed);
    }
    let mut file = match open_append(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            make_dir(path.parent().unwrap_or(Path::new(".")))?;
            open_append(path)?
        }
        other => other?,
    };
    if let Err(e) = file.write_all(bytes) {
        // Half a line would be torn; a failure here only means that the repair at the next use has more to do.
        let _ = file.set_len(before);
        return Err(e);
    }
    Ok(Outcome::Done)
}

fn open_append(path: &Path) -> std::io::Result<std::fs::File> {
    std::fs::OpenOptions::new().append(true).create(true).mode(FILE_MODE).open(path)
}

/// Creates a directory only its owner can enter.
pub(crate) fn make_dir(dir: &Path) -> std::io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(DIR_MODE).create(dir)
}

/// Writes the whole transcript from the database, through a file beside it, so that a reader never sees half.
fn rewrite(conn: &Connection, session_id: &str, path: &Path) -> std::io::Result<()> {
    replace_file(path, |out| {
        let fail = |e: rusqlite::Error| std::io::Error::other(e);
        let head = conn
            .prepare_cached("SELECT tid, header FROM transcripts WHERE session_id = ?1")
            .and_then(|mut s| s.query_row([session_id], |r| Ok((r.get::<_, i64>(0)?, r.get::<_, String>(1)?))))
            .map_err(fail)?;
        writeln!(out, "{}", head.1)?;
        let mut stmt = conn.prepare_cached("SELECT line FROM entries WHERE tid = ?1 ORDER BY seq").map_err(fail)?;
        let mut rows = stmt.query([head.0]).map_err(fail)?;
        while let Some(row) = rows.next().map_err(fail)? {
            let line = row.get_ref(0).map_err(fail)?.as_bytes().map_err(std::io::Error::other)?;
            out.write_all(line)?;
            out.write_all(b"\n")?;
        }
        Ok(())
    })
}

/// Replaces a file in one step with what `write` produces; mode 0600.
pub(crate) fn replace_file(path: &Path, write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> std::io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    make_dir(dir)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = dir.join(format!(".{name}.{}.tmp", std::process::id()));
    let outcome = (|| {
        let file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(FILE_MODE).open(&temporary)?;
        let mut out = std::io::BufWriter::new(file);
        write(&mut out)?;
        out.flush()?;
        drop(out);
        fs::rename(&temporary, path)
    })();
    if outcome.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    outcome
}

fn rename(from: &Path, to: &Path) -> std::io::Result<()> {
    match fs::rename(from, to) {
        // Renamed before the crash, or never written because no entry came.
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn remove(path: &Path) -> std::io::Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
