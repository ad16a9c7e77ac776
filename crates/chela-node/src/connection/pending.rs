//! A request that waits for its answer.

use std::sync::Arc;

use chela_plugin::CallError;
use chela_plugin_protocol::Frame;
use tokio::sync::oneshot;

use super::{Answer, Connection};
use crate::convert;

/// A request in flight. Dropping it before the answer tells the worker that nobody wants it any more.
pub(crate) struct Pending {
    connection: Arc<Connection>,
    id: u64,
    waiting: oneshot::Receiver<Answer>,
    done: bool,
}

impl Pending {
    pub(crate) fn new(connection: Arc<Connection>, id: u64, waiting: oneshot::Receiver<Answer>) -> Self {
        Self { connection, id, waiting, done: false }
    }

    /// Waits for the answer; can be called again after it was dropped half-way.
    pub(crate) async fn answer(&mut self) -> Answer {
        let answer = (&mut self.waiting).await;
        self.done = true;
        answer.unwrap_or_else(|_| Err(convert::gone("", "its answer was lost")))
    }

    /// Tells the worker why the answer is not wanted any more: the abort signal of the call fires.
    pub(crate) fn cancel(mut self, reason: &str) {
        self.give_up(Some(reason));
    }

    fn give_up(&mut self, reason: Option<&str>) {
        if std::mem::replace(&mut self.done, true) {
            return;
        }
        self.connection.tables().pending.remove(&self.id);
        if !self.connection.closed.is_cancelled() {
            self.connection.send(&Frame::Cancel { id: self.id, reason: reason.map(Into::into) });
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.give_up(None);
    }
}

/// The text that a plugin's abort signal carries when a call ran out of its budget.
pub(crate) fn timed_out(budget: std::time::Duration) -> CallError {
    CallError::TimedOut(u64::try_from(budget.as_millis()).unwrap_or(u64::MAX))
}
