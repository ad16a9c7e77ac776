//! Channels: their accounts run with the gateway, messages come in, answers and notices go out.
//!
//! The registry says which channels there are; this module keeps what they do. Everything that a channel returns is data of a stranger:
//! it is bounded here before anybody else reads it.
#![allow(clippy::result_large_err, reason = "the error is the answer that goes to the plugin, once for a request")]

mod accounts;
mod bound;
mod dedupe;
mod directives;
pub(crate) mod dispatch;
pub(crate) mod pairing;
mod prompt;
pub(crate) mod record;
pub(crate) mod reply_hook;
mod send;
mod status;
mod tool;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use chela_agent::RunEvent;
use serde_json::{Map, Value};
use tokio::sync::{Semaphore, mpsc, watch};

pub use crate::chat::SessionCommands;
pub use pairing::ApprovalOutcome;
pub(crate) use send::without_nulls;
pub use send::{SendError, SendRequest, Sent};
pub use status::StatusQuery;
pub(crate) use tool::MessageTool;

use accounts::Accounts;
use dedupe::Seen;

use crate::assemble::Host;

/// Accounts that start at the same time (CH-185).
const PARALLEL_STARTS: usize = 4;
/// Members of an account's status that are kept; a plugin may invent its own.
const MOST_STATUS_MEMBERS: usize = 100;
/// Longest text of one status member, in bytes.
const LONGEST_STATUS: usize = 8 * 1024;

/// Name of an account: channel and account id.
pub(crate) type AccountKey = (String, String);

/// What channels do at this moment.
pub struct Channels {
    accounts: Mutex<Accounts>,
    starts: Semaphore,
    seen: Mutex<Seen>,
    /// Answers that a channel is just sending, by delivery id.
    deliveries: Mutex<HashMap<String, dispatch::Delivery>>,
    /// Runs of channels whose steps the channel wants to hear of.
    taps: Mutex<HashMap<String, mpsc::Sender<RunEvent>>>,
    /// Changes sessions for people in channels.
    pub(crate) sessions: OnceLock<Box<dyn SessionCommands>>,
    /// True once turns may run.
    open: watch::Sender<bool>,
}

impl Default for Channels {
    fn default() -> Self {
        Self {
            accounts: Mutex::default(),
            starts: Semaphore::new(PARALLEL_STARTS),
            seen: Mutex::default(),
            deliveries: Mutex::default(),
            taps: Mutex::default(),
            sessions: OnceLock::new(),
            open: watch::channel(false).0,
        }
    }
}

impl Channels {
    fn accounts(&self) -> MutexGuard<'_, Accounts> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn deliveries(&self) -> MutexGuard<'_, HashMap<String, dispatch::Delivery>> {
        self.deliveries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn taps(&self) -> MutexGuard<'_, HashMap<String, mpsc::Sender<RunEvent>>> {
        self.taps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets who changes sessions for people in channels, once.
    pub fn serve_sessions(&self, commands: Box<dyn SessionCommands>) {
        let _ = self.sessions.set(commands);
    }

    /// Takes a change of an account's status that its plugin made (CH-182).
    pub(crate) fn note_status(&self, channel: &str, account: &str, patch: &Value) {
        self.accounts().merge(channel, account, patch.as_object());
    }

    /// Status of every account that was ever looked at.
    pub(crate) fn statuses(&self, channel: &str) -> BTreeMap<String, Map<String, Value>> {
        self.accounts().statuses(channel)
    }

    /// Passes a run event to the channel that follows the run. A channel that does not keep up loses steps, never the answer.
    pub(crate) fn tap(&self, run_id: &str, event: &RunEvent) {
        if let Some(tap) = self.taps().get(run_id) {
            let _ = tap.try_send(event.clone());
        }
    }
}

impl Host {
    /// Lets the messages of channels in: what the last process left open is settled.
    pub fn open_channels(&self) {
        self.channels.open.send_replace(true);
    }

    /// A message that comes during the start of a gateway waits; elsewhere nothing is recovered.
    pub(crate) async fn wait_open(&self) {
        if self.is_gateway() {
            let _ = self.channels.open.subscribe().wait_for(|open| *open).await;
        }
    }

    /// Where media of inbound messages are kept; the only place from which they are shown to a model.
    pub(crate) fn media_dir(&self) -> std::path::PathBuf {
        self.paths.state_dir.join("media")
    }
}

/// Cuts a status to what is worth keeping.
fn bounded(value: &Value) -> Option<Value> {
    match value {
        Value::String(text) if text.len() > LONGEST_STATUS => {
            let end = (0..=LONGEST_STATUS).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
            Some(text[..end].into())
        }
        Value::Object(_) | Value::Array(_) if value.to_string().len() > LONGEST_STATUS => None,
        value => Some(value.clone()),
    }
}
