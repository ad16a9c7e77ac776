//! The handle: opening, closing, and how calls reach the writer and the readers.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use fs_err as fs;
use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::effects::Effects;
use crate::injections::DrainCache;
use crate::keyed::KeyedOptions;
use crate::shared::Shared;
use crate::sync::{self, Wal};
use crate::tx::Tx;
use crate::writer::{Writer, WriterMsg, submit, submit_early};
use crate::{Result, StoreError, import, mirror, projector, schema, session_key};

/// Time between two looks at a database that is in use.
const LOCK_POLL: Duration = Duration::from_millis(20);

/// How much of a commit is on disk when a call resolves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// Everything: also a power cut loses nothing acknowledged. About one disk flush per batch.
    #[default]
    Full,
    /// A crash of the process loses nothing, a power cut may lose the last moments.
    Normal,
}

impl Durability {
    /// The value of `PRAGMA synchronous`.
    pub(crate) fn pragma(self) -> &'static str {
        match self {
            Self::Full => "FULL",
            Self::Normal => "NORMAL",
        }
    }
}

/// How to open a [`Store`].
pub struct StoreOptions {
    /// The database; its directory is created with mode 0700.
    pub db_path: PathBuf,
    /// Directory of an agent's transcripts and `sessions.json`: `agents/<id>/sessions`.
    pub sessions_dir_for: Box<dyn Fn(&str) -> PathBuf + Send + Sync>,
    /// What an acknowledged call survives.
    pub durability: Durability,
    /// Written into the header of new transcripts as the working directory.
    pub cwd: PathBuf,
    /// How long to wait for a process that still has the database open: one that is just ending needs a moment.
    pub patience: Duration,
}

impl StoreOptions {
    /// Options with full durability; the working directory in transcript headers is `/` unless set.
    pub fn new(db_path: impl Into<PathBuf>, sessions_dir_for: impl Fn(&str) -> PathBuf + Send + Sync + 'static) -> Self {
        Self {
            db_path: db_path.into(),
            sessions_dir_for: Box::new(sessions_dir_for),
            durability: Durability::Full,
            cwd: PathBuf::from("/"),
            patience: Duration::ZERO,
        }
    }
}

/// Sessions, transcripts, lifecycle journal, run records and plugin state. Cheap to clone; the threads end with
/// the last clone. `sessions.json` is then written only by an earlier [`Store::flush_projections`] or at the next open.
#[derive(Clone)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) shared: Arc<Shared>,
    pub(crate) drained: DrainCache,
    pub(crate) keyed_options: KeyedOptions,
    writer: Sender<WriterMsg>,
    projector: Sender<projector::Msg>,
    projector_thread: Option<JoinHandle<()>>,
    writer_thread: Option<JoinHandle<()>>,
    sync_thread: Option<JoinHandle<()>>,
    /// Held for the life of the store; the operating system lets go of it however the process ends.
    _lock: std::fs::File,
    /// Last, so that it goes when everything else has gone.
    closing: tokio::sync::watch::Sender<()>,
}

impl Store {
    /// Opens or creates the database, finishes what a crash left, and takes over what other programs changed in
    /// `sessions.json`. Blocks; call it before the runtime is busy.
    ///
    /// # Errors
    /// [`StoreError::InUse`] when another process has it open, [`StoreError::SchemaTooNew`], and the file errors.
    pub fn open(options: StoreOptions) -> Result<Self> {
        let path = options.db_path;
        let dir = path.parent().unwrap_or(Path::new("."));
        mirror::make_dir(dir).map_err(|e| StoreError::io(dir, "create", e))?;
        let lock = take_lock(&path, options.patience)?;
        make_private(&path)?;
        let conn = schema::open_writer(&path, options.durability)?;
        let shared = Arc::new(Shared::new(path, options.sessions_dir_for, options.cwd.to_string_lossy().into_owned()));
        let (writer, writer_queue) = channel();
        let (projector, projector_queue) = channel();
        let stale = prepare(&conn, &shared)?;
        for agent in stale {
            let _ = projector.send(projector::Msg::Dirty(agent));
        }
        let wal = match options.durability {
            Durability::Full => Wal::open(&conn, &shared.db_path)?,
            Durability::Normal => None,
        };
        let (syncer, sync_thread) = match wal {
            Some(wal) => {
                // The syncer does what SQLite would do at each commit.
                conn.pragma_update(None, "synchronous", Durability::Normal.pragma()).map_err(|e| shared.sqlite("open", &e))?;
                let (sender, queue) = channel();
                let log = Arc::clone(&wal);
                let thread = spawn("chela-sync", &shared.db_path, move || sync::run(&log, &queue))?;
                (Some((wal, sender)), Some(thread))
            }
            None => (None, None),
        };
        let work =
            Writer { conn, shared: Arc::clone(&shared), projector: projector.clone(), done_ops: Vec::new(), since_checkpoint: 0, syncer };
        let project = projector::Projector::new(Arc::clone(&shared), writer.clone());
        let projector_thread = spawn("chela-projector", &shared.db_path, move || {
            project.run(&projector_queue);
        })?;
        let writer_thread = spawn("chela-store", &shared.db_path, move || work.run(writer_queue))?;
        let inner = Inner {
            shared,
            drained: DrainCache::default(),
            keyed_options: KeyedOptions::default(),
            writer,
            projector,
            projector_thread: Some(projector_thread),
            writer_thread: Some(writer_thread),
            sync_thread,
            _lock: lock,
            closing: tokio::sync::watch::channel(()).0,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Resolves when the last handle is gone, the threads have ended and the database is free for another process. It does not keep the
    /// store open.
    pub fn closed(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut closing = self.inner.closing.subscribe();
        async move { while closing.changed().await.is_ok() {} }
    }

    /// The database file.
    pub fn db_path(&self) -> &Path {
        &self.inner.shared.db_path
    }

    /// Writes every `sessions.json` that is behind, now; for shutdown and for commands that read the file after.
    ///
    /// # Errors
    /// The first file error; the other agents' files are written all the same.
    pub async fn flush_projections(&self) -> Result<()> {
        let (done, waiting) = oneshot::channel();
        self.inner.projector.send(projector::Msg::Flush(done)).map_err(|_| StoreError::Closed)?;
        waiting.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Runs work in the writer's next transaction; resolves when it is durable.
    pub(crate) async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static,
    {
        submit(&self.inner.writer, true, work).await.unwrap_or(Err(StoreError::Closed))
    }

    /// As [`Store::write`], for steps that a later durable call completes: it survives any end of the process at once, and a power
    /// failure from the next durable call of anybody on.
    pub(crate) async fn write_relaxed<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static,
    {
        submit(&self.inner.writer, false, work).await.unwrap_or(Err(StoreError::Closed))
    }

    /// As [`Store::write`], but resolves with the commit already, and hands back what resolves when it is durable.
    pub(crate) async fn write_early<T, F>(&self, work: F) -> Result<(T, Safe)>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static,
    {
        let (committed, synced) = submit_early(&self.inner.writer, work);
        let value = committed.await.unwrap_or(Err(StoreError::Closed))?;
        Ok((value, Safe(synced)))
    }

    /// Runs a query on a reading connection, off the async threads.
    pub(crate) async fn read<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection, &Shared) -> rusqlite::Result<T> + Send + 'static,
    {
        self.blocking(move |shared| shared.read(|conn| work(conn, shared))).await
    }

    pub(crate) async fn blocking<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Shared) -> Result<T> + Send + 'static,
    {
        let shared = Arc::clone(&self.inner.shared);
        tokio::task::spawn_blocking(move || work(&shared)).await.unwrap_or(Err(StoreError::Closed))
    }
}

/// A committed call on its way to the disk.
#[derive(Debug)]
pub struct Safe(oneshot::Receiver<Result<()>>);

impl Safe {
    /// Resolves when the call survives a power failure; only then it may be acknowledged.
    ///
    /// # Errors
    /// When the disk refused.
    pub async fn wait(&mut self) -> Result<()> {
        (&mut self.0).await.unwrap_or(Err(StoreError::Closed))
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // The projector first: what it wrote last is recorded through the writer.
        let _ = self.projector.send(projector::Msg::Stop);
        join(self.projector_thread.take());
        let _ = self.writer.send(WriterMsg::Stop);
        join(self.writer_thread.take());
        // Ends once it has answered what the writer left.
        join(self.sync_thread.take());
        self.shared.close_readers();
    }
}

fn join(thread: Option<JoinHandle<()>>) {
    if thread.is_some_and(|t| t.join().is_err()) {
        tracing::error!("a thread of the store panicked");
    }
}

fn spawn(name: &str, path: &Path, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work).map_err(|e| StoreError::io(path, "start a thread for", e))
}

fn take_lock(db_path: &Path, patience: Duration) -> Result<std::fs::File> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut name = db_path.as_os_str().to_owned();
    name.push(".lock");
    let path = PathBuf::from(name);
    let file = std::fs::OpenOptions::new().write(true).create(true).truncate(false).mode(mirror::FILE_MODE).open(&path);
    let file = file.map_err(|e| StoreError::io(&path, "open", e))?;
    let until = Instant::now() + patience;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(std::fs::TryLockError::WouldBlock) if Instant::now() < until => std::thread::sleep(LOCK_POLL),
            Err(std::fs::TryLockError::WouldBlock) => return Err(StoreError::InUse { path: db_path.to_owned() }),
            Err(std::fs::TryLockError::Error(e)) => return Err(StoreError::io(&path, "lock", e)),
        }
    }
}

/// Creates the database file with mode 0600 before SQLite does it with the process's mask; its sidecars inherit.
fn make_private(db_path: &Path) -> Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let made = std::fs::OpenOptions::new().write(true).create(true).truncate(false).mode(mirror::FILE_MODE).open(db_path);
    made.map(|_| ()).map_err(|e| StoreError::io(db_path, "create", e))
}

/// Everything that must be right before the first call: interrupted renames, runs of a process that is gone,
/// rows that other programs changed. Returns the agents whose `sessions.json` is behind.
fn prepare(conn: &Connection, shared: &Shared) -> Result<Vec<String>> {
    let batch = Effects::default();
    let fail = |e: rusqlite::Error| shared.sqlite("prepare", &e);
    conn.execute_batch("BEGIN IMMEDIATE").map_err(fail)?;
    let mut tx = Tx::new(conn, shared, &batch);
    let outcome = prepare_in(&mut tx);
    match outcome {
        Ok(()) => conn.execute_batch("COMMIT").map_err(fail)?,
        Err(e) => {
            let _ = conn.execute_batch("ROLLBACK");
            return Err(e);
        }
    }
    Tx::new(conn, shared, &batch).all("SELECT agent_id FROM agents WHERE rev > file_rev", [], |r| r.get(0))
}

fn prepare_in(tx: &mut Tx<'_>) -> Result<()> {
    let ops = tx.all("SELECT id, source, target FROM file_ops ORDER BY id", [], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))?;
    for id in mirror::replay(ops) {
        tx.exec("DELETE FROM file_ops WHERE id = ?1", [id])?;
    }
    tx.interrupt_runs()?;
    for agent in agents_on_disk(tx)? {
        let dir = tx.sessions_dir(&agent);
        match import::read_changed(tx.conn, &agent, &dir) {
            Ok(Some(file)) => tx.import_rows(&agent, &dir, &file)?,
            Ok(None) => {}
            // One agent's unreadable file must not keep the gateway from starting.
            Err(e) => {
                tracing::warn!(agent, error = %e, "`sessions.json` could not be read; it is written again from the database")
            }
        }
    }
    Ok(())
}

/// Agents known to the database, and those with a directory of their own; symbolic links are ignored (GW-155).
fn agents_on_disk(tx: &Tx<'_>) -> Result<BTreeSet<String>> {
    let mut agents: BTreeSet<String> = tx.all("SELECT agent_id FROM agents", [], |r| r.get(0))?.into_iter().collect();
    let main = tx.sessions_dir(session_key::DEFAULT_AGENT_ID);
    let Some(root) = main.parent().and_then(Path::parent) else {
        return Ok(agents);
    };
    let Ok(entries) = fs::read_dir(root) else {
        return Ok(agents);
    };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_dir = entry.file_type().is_ok_and(|t| t.is_dir());
        let sessions = tx.sessions_dir(&name);
        let linked = fs::symlink_metadata(&sessions).is_ok_and(|found| !found.is_dir());
        if is_dir && !linked && session_key::normalize_agent_id(&name) == name && sessions.starts_with(entry.path()) {
            agents.insert(name);
        }
    }
    Ok(agents)
}
