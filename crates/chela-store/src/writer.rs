//! The one thread that writes: it takes every waiting call into one transaction, commits once, then answers all.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::effects::{Effects, FileOp};
use crate::shared::Shared;
use crate::sync::{Committed, Wal};
use crate::tx::Tx;
use crate::{Result, StoreError, mirror, projector};

/// Calls in one transaction; bounds the time until the first of them is answered.
const MAX_BATCH: usize = 512;
/// Calls after which the log is copied into the database, while nobody waits.
const CHECKPOINT_EVERY: usize = 1000;

/// One call waiting for the writer.
pub(crate) trait Job: Send {
    /// True when the caller may only be answered once the work would survive a power failure.
    fn is_durable(&self) -> bool;
    /// Does the work inside a savepoint; an error rolls back to it.
    fn run(&mut self, tx: &mut Tx<'_>) -> Result<()>;
    /// Tells a caller who asked for it that the work is committed, though not yet safe from a power failure.
    fn committed(&mut self) {}
    /// Answers the caller once the fate of the work is known.
    fn finish(self: Box<Self>, committed: Result<()>);
}

pub(crate) enum WriterMsg {
    Job(Box<dyn Job>),
    Stop,
}

struct TypedJob<F, T> {
    durable: bool,
    work: Option<F>,
    result: Option<Result<T>>,
    answer: oneshot::Sender<Result<T>>,
}

impl<F, T> Job for TypedJob<F, T>
where
    F: FnOnce(&mut Tx<'_>) -> Result<T> + Send,
    T: Send,
{
    fn is_durable(&self) -> bool {
        self.durable
    }

    fn run(&mut self, tx: &mut Tx<'_>) -> Result<()> {
        let Some(work) = self.work.take() else { return Ok(()) };
        let (outcome, result) = guarded(work, tx);
        self.result = Some(result);
        outcome
    }

    fn finish(self: Box<Self>, committed: Result<()>) {
        let answer = match (self.result, committed) {
            (Some(Err(own)), _) => Err(own),
            (_, Err(batch)) => Err(batch),
            (Some(Ok(value)), Ok(())) => Ok(value),
            (None, Ok(())) => Err(StoreError::Closed),
        };
        // The caller may have been cancelled; what it asked for is stored all the same.
        let _ = self.answer.send(answer);
    }
}

/// A call whose caller wants to know of the commit and of the sync, each when it is done.
struct EarlyJob<F, T> {
    work: Option<F>,
    result: Option<Result<T>>,
    early: Option<oneshot::Sender<Result<T>>>,
    safe: oneshot::Sender<Result<()>>,
}

impl<F, T> Job for EarlyJob<F, T>
where
    F: FnOnce(&mut Tx<'_>) -> Result<T> + Send,
    T: Send,
{
    fn is_durable(&self) -> bool {
        true
    }

    fn run(&mut self, tx: &mut Tx<'_>) -> Result<()> {
        let Some(work) = self.work.take() else { return Ok(()) };
        let (outcome, result) = guarded(work, tx);
        self.result = Some(result);
        outcome
    }

    fn committed(&mut self) {
        if let (Some(early), Some(result)) = (self.early.take(), self.result.take()) {
            let _ = early.send(result);
        }
    }

    fn finish(mut self: Box<Self>, done: Result<()>) {
        if let Some(early) = self.early.take() {
            let own = self.result.take().and_then(Result::err);
            let error = own.or(done.clone().err()).unwrap_or(StoreError::Closed);
            let _ = early.send(Err(error));
        }
        // The caller may have been cancelled.
        let _ = self.safe.send(done);
    }
}

/// Runs work; a panic in it is an error of this call alone. Also hands back whether to keep what it did.
fn guarded<T>(work: impl FnOnce(&mut Tx<'_>) -> Result<T>, tx: &mut Tx<'_>) -> (Result<()>, Result<T>) {
    let result = catch_unwind(AssertUnwindSafe(|| work(tx))).unwrap_or_else(|cause| {
        tracing::error!(cause = panic_text(&*cause), "an update function panicked in the store");
        Err(StoreError::UpdatePanicked)
    });
    (result.as_ref().map(|_| ()).map_err(Clone::clone), result)
}

fn panic_text(cause: &(dyn Any + Send)) -> &str {
    cause.downcast_ref::<&str>().copied().or_else(|| cause.downcast_ref::<String>().map(String::as_str)).unwrap_or("unknown")
}

/// Hands work to the writer thread; the receiver resolves once the work is committed (and, with `durable`, synced) or has failed.
pub(crate) fn submit<T, F>(queue: &Sender<WriterMsg>, durable: bool, work: F) -> oneshot::Receiver<Result<T>>
where
    T: Send + 'static,
    F: FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static,
{
    let (answer, waiting) = oneshot::channel();
    let job = TypedJob { durable, work: Some(work), result: None, answer };
    // A closed queue drops the job, and with it the sender: the receiver then reports `Closed`.
    let _ = queue.send(WriterMsg::Job(Box::new(job)));
    waiting
}

/// As [`submit`], in two steps: the first receiver resolves with the commit, which any end of the process leaves standing, the second
/// once it is synced.
pub(crate) fn submit_early<T, F>(queue: &Sender<WriterMsg>, work: F) -> (oneshot::Receiver<Result<T>>, oneshot::Receiver<Result<()>>)
where
    T: Send + 'static,
    F: FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static,
{
    let (early, committed) = oneshot::channel();
    let (safe, synced) = oneshot::channel();
    let job = EarlyJob { work: Some(work), result: None, early: Some(early), safe };
    let _ = queue.send(WriterMsg::Job(Box::new(job)));
    (committed, synced)
}

pub(crate) struct Writer {
    pub(crate) conn: Connection,
    pub(crate) shared: Arc<Shared>,
    pub(crate) projector: Sender<projector::Msg>,
    /// File operations done whose journal rows the next transaction removes.
    pub(crate) done_ops: Vec<i64>,
    pub(crate) since_checkpoint: usize,
    /// Where durable calls wait for the disk; `None` when a commit is all that they are owed, or syncs by itself.
    pub(crate) syncer: Option<(Arc<Wal>, Sender<Committed>)>,
}

impl Writer {
    pub(crate) fn run(mut self, queue: Receiver<WriterMsg>) {
        let mut stopping = false;
        while !stopping {
            let Ok(first) = queue.recv() else { break };
            let mut jobs = Vec::new();
            let mut next = Some(first);
            while let Some(msg) = next.take() {
                match msg {
                    WriterMsg::Job(job) => jobs.push(job),
                    WriterMsg::Stop => stopping = true,
                }
                if jobs.len() < MAX_BATCH {
                    next = queue.try_recv().ok();
                }
            }
            self.batch(jobs);
            self.checkpoint_when_due(stopping);
        }
        if let Err(e) = self.forget_done_ops() {
            tracing::debug!(error = %e, "file operations stay in the journal until the next start");
        }
    }

    fn batch(&mut self, jobs: Vec<Box<dyn Job>>) {
        if jobs.is_empty() {
            return;
        }
        self.since_checkpoint += jobs.len();
        let mut effects = Effects::default();
        let mut waiting: Vec<Box<dyn Job>> = Vec::with_capacity(jobs.len());
        let mut open = Err(StoreError::Closed);
        for mut job in jobs {
            if self.conn.is_autocommit() {
                open = self.begin();
            }
            if let Err(e) = &open {
                job.finish(Err(e.clone()));
                continue;
            }
            let outcome = self.run_job(job.as_mut(), &mut effects);
            if self.conn.is_autocommit() {
                // SQLite gave up the whole transaction (disk full, I/O error): nothing of this batch so far is stored.
                let cause = outcome.err().unwrap_or(StoreError::Closed);
                effects = Effects::default();
                waiting.drain(..).chain([job]).for_each(|j| j.finish(Err(cause.clone())));
                continue;
            }
            waiting.push(job);
        }
        if waiting.is_empty() {
            return;
        }
        if let Err(e) = self.commit() {
            waiting.into_iter().for_each(|job| job.finish(Err(e.clone())));
            return;
        }
        self.publish(effects);
        self.answer(waiting);
    }

    /// Answers the callers of a committed batch; those who are owed a synced commit get their answer from the syncer.
    fn answer(&self, mut jobs: Vec<Box<dyn Job>>) {
        jobs.iter_mut().for_each(|job| job.committed());
        let (safe, ready) = match &self.syncer {
            Some(_) => jobs.into_iter().partition(|job| job.is_durable()),
            None => (Vec::new(), jobs),
        };
        ready.into_iter().for_each(|job| job.finish(Ok(())));
        if let (Some((_, queue)), false) = (&self.syncer, safe.is_empty()) {
            // The syncer lives as long as this sender; jobs that are dropped tell their callers that the store is closed.
            let _ = queue.send(safe);
        }
    }

    fn run_job(&mut self, job: &mut dyn Job, batch: &mut Effects) -> Result<()> {
        self.sql("SAVEPOINT job")?;
        let mut tx = Tx::new(&self.conn, &self.shared, batch);
        let outcome = job.run(&mut tx);
        let own = tx.into_effects();
        if self.conn.is_autocommit() {
            return outcome;
        }
        match &outcome {
            Ok(()) => batch.absorb(own),
            Err(_) => {
                if self.sql("ROLLBACK TO job").is_err() {
                    // Half a call must not be committed with the others: the whole transaction goes.
                    let _ = self.sql("ROLLBACK");
                    return outcome;
                }
            }
        }
        self.sql("RELEASE job")?;
        outcome
    }

    fn begin(&mut self) -> Result<()> {
        self.sql("BEGIN IMMEDIATE")?;
        if let Err(e) = self.delete_done_ops() {
            let _ = self.sql("ROLLBACK");
            return Err(e);
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<()> {
        let outcome = self.sql("COMMIT");
        match &outcome {
            Ok(()) => self.done_ops.clear(),
            Err(e) => {
                tracing::error!(error = %e, "a commit failed; its callers were told and nothing of it is stored");
                if !self.conn.is_autocommit() {
                    let _ = self.sql("ROLLBACK");
                }
            }
        }
        outcome
    }

    fn delete_done_ops(&self) -> Result<()> {
        for id in &self.done_ops {
            self.conn
                .prepare_cached("DELETE FROM file_ops WHERE id = ?1")
                .and_then(|mut s| s.execute([id]))
                .map_err(|e| StoreError::sqlite(&self.shared.db_path, "forget a file operation", &e))?;
        }
        Ok(())
    }

    fn forget_done_ops(&mut self) -> Result<()> {
        if self.done_ops.is_empty() {
            return Ok(());
        }
        self.begin()?;
        self.commit()
    }

    /// Makes a committed batch visible: rows in memory first, then the files beside the database, then the
    /// debounced projection. All before the callers are answered, so that who reads next sees it.
    fn publish(&mut self, effects: Effects) {
        let ops = effects.apply_to(&self.shared, &self.projector);
        if let (Some((wal, _)), true) = (&self.syncer, ops.iter().any(FileOp::moves_files)) {
            // A power failure must not leave a renamed file and a database that knows nothing of it. A failure is told to the callers.
            let _ = wal.sync();
        }
        let heal = mirror::execute(ops, &self.conn, &self.shared, &mut self.done_ops);
        for session_id in heal {
            if let Err(e) = self.heal(&session_id) {
                tracing::warn!(session_id, error = %e, "transcript file could not be brought up to date; it will be at its next use");
            }
        }
    }

    /// A transcript file was not as the database left it: another program changed it. Its entries are taken over.
    fn heal(&mut self, session_id: &str) -> Result<()> {
        self.shared.mark_unloaded(session_id);
        let mut effects = Effects::default();
        self.begin()?;
        let mut tx = Tx::new(&self.conn, &self.shared, &effects);
        let outcome = tx.reconcile_now(session_id);
        let own = tx.into_effects();
        match outcome {
            Ok(()) => {
                effects.absorb(own);
                self.commit()?;
                let ops = effects.apply_to(&self.shared, &self.projector);
                for id in mirror::execute(ops, &self.conn, &self.shared, &mut self.done_ops) {
                    self.shared.mark_unloaded(&id);
                }
                Ok(())
            }
            Err(e) => {
                if !self.conn.is_autocommit() {
                    let _ = self.sql("ROLLBACK");
                }
                Err(e)
            }
        }
    }

    fn checkpoint_when_due(&mut self, stopping: bool) {
        if !stopping && self.since_checkpoint < CHECKPOINT_EVERY {
            return;
        }
        self.since_checkpoint = 0;
        let outcome = self.conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        if let Err(e) = outcome {
            tracing::warn!(error = %e, "the write-ahead log could not be copied into the database; it is tried again later");
        }
    }

    fn sql(&self, text: &'static str) -> Result<()> {
        self.conn
            .prepare_cached(text)
            .and_then(|mut s| s.execute([]))
            .map(|_| ())
            .map_err(|e| StoreError::sqlite(&self.shared.db_path, "commit", &e))
    }
}
