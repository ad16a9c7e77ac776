//! The one thread that writes: it takes every waiting call into one transaction, commits once, then answers all.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::effects::Effects;
use crate::shared::Shared;
use crate::tx::Tx;
use crate::{Durability, Result, StoreError, mirror, projector};

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
    /// Answers the caller once the fate of the transaction is known.
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
        let Some(work) = self.work.take() else {
            return Ok(());
        };
        let result = catch_unwind(AssertUnwindSafe(|| work(tx))).unwrap_or_else(|cause| {
            tracing::error!(cause = panic_text(&*cause), "an update function panicked in the store");
            Err(StoreError::UpdatePanicked)
        });
        let outcome = result.as_ref().map(|_| ()).map_err(Clone::clone);
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

pub(crate) struct Writer {
    pub(crate) conn: Connection,
    pub(crate) shared: Arc<Shared>,
    pub(crate) projector: Sender<projector::Msg>,
    /// File operations done whose journal rows the next transaction removes.
    pub(crate) done_ops: Vec<i64>,
    pub(crate) since_checkpoint: usize,
    /// What durable calls are owed.
    pub(crate) durability: Durability,
    /// What commits do now.
    pub(crate) level: Durability,
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
        let durable = jobs.iter().any(|job| job.is_durable());
        self.set_level(if durable { self.durability } else { Durability::Normal });
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
        let committed = self.commit();
        if committed.is_ok() {
            self.publish(effects);
        }
        for job in waiting {
            job.finish(committed.clone());
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

    /// A synced commit covers all commits before it, because the log is one file: so only batches that somebody waits for are synced.
    fn set_level(&mut self, level: Durability) {
        if self.level == level {
            return;
        }
        match self.conn.pragma_update(None, "synchronous", level.pragma()) {
            Ok(()) => self.level = level,
            Err(e) => tracing::error!(error = %e, "the database's sync level could not be changed"),
        }
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
