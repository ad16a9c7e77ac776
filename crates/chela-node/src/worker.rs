//! A worker: one Node process at a time, for one plugin or for a group, over all of its restarts.

pub(crate) mod facts;
pub(crate) mod launch;
pub(crate) mod slot;
pub(crate) mod supervisor;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use chela_plugin::{CallError, StartError, WorkerEvent};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::connection::Connection;
use crate::connection::inbound::Requests;
use crate::convert;
use crate::lane::LaneContext;
use crate::limit::RateLimit;
use crate::observe::{Called, Observed};
use crate::sandbox::Confined;
use facts::Facts;
use slot::{Loaded, Slot};

/// A restart that is further away than this is not waited for: the caller learns at once.
const SHORT_BACKOFF: Duration = Duration::from_secs(1);

/// Log notes per second and at once, per worker.
const NOTE_RATE: (u32, u32) = (500, 4000);

static NEXT_KEY: AtomicU64 = AtomicU64::new(1);

/// What a worker is doing.
#[derive(Clone, Debug)]
pub(crate) enum Phase {
    /// On its way up.
    Starting,
    /// Answers calls.
    Ready(Arc<Connection>),
    /// Ended unexpectedly; starts again at the instant.
    Backoff { reason: String, until: Instant },
    /// Failed too often.
    Quarantined { reason: String },
    /// Ended on purpose.
    Stopped { reason: String },
}

/// What others ask of the supervisor.
pub(crate) enum Command {
    /// Load a plugin, starting the process when there is none.
    Load { slot: Arc<Slot>, reply: oneshot::Sender<Result<Loaded, StartError>> },
    /// Drop a plugin; the last one ends the worker.
    Unload { slot: Arc<Slot>, reason: String, grace: Duration, reply: oneshot::Sender<()> },
    /// End this run and start again, because of a failure.
    Recycle { run: u64, reason: String },
}

/// A worker, as plugins and the lane hold it.
pub(crate) struct Worker {
    /// Distinguishes workers within the process.
    pub(crate) key: u64,
    /// Plugin id, or group name.
    label: String,
    pub(crate) lane: Arc<LaneContext>,
    pub(crate) facts: Mutex<Facts>,
    confined: Mutex<Arc<Confined>>,
    slots: Mutex<Vec<Arc<Slot>>>,
    phase: watch::Sender<Phase>,
    commands: mpsc::UnboundedSender<Command>,
    notes: Mutex<RateLimit>,
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Worker({})", self.label)
    }
}

impl Worker {
    /// Makes a worker without a process; the first load starts one.
    pub(crate) fn new(label: String, lane: Arc<LaneContext>) -> Arc<Self> {
        let (commands, queue) = mpsc::unbounded_channel();
        let worker = Arc::new(Self {
            key: NEXT_KEY.fetch_add(1, Ordering::Relaxed),
            label,
            lane: lane.clone(),
            facts: Mutex::default(),
            confined: Mutex::default(),
            slots: Mutex::default(),
            phase: watch::Sender::new(Phase::Starting),
            commands,
            notes: Mutex::new(RateLimit::new(NOTE_RATE.0, NOTE_RATE.1)),
        });
        lane.memory.watch(&worker);
        tokio::spawn(supervisor::run(worker.clone(), queue));
        worker
    }

    /// Loads a plugin and waits for its registrations; `None` when the worker ended before it got to it.
    pub(crate) async fn load(&self, slot: Arc<Slot>) -> Option<Result<Loaded, StartError>> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(Command::Load { slot, reply }).ok()?;
        answer.await.ok()
    }

    /// Drops a plugin, and the process with the last one. Returns when that is done.
    pub(crate) async fn unload(&self, slot: &Arc<Slot>, reason: &str, grace: Duration) {
        let (reply, answer) = oneshot::channel();
        let command = Command::Unload { slot: slot.clone(), reason: reason.into(), grace, reply };
        if self.commands.send(command).is_ok() {
            let _ = answer.await;
        }
    }

    /// [`Worker::unload`] without waiting.
    pub(crate) fn unload_later(&self, slot: &Arc<Slot>, grace: Duration) {
        let (reply, _) = oneshot::channel();
        let command = Command::Unload { slot: slot.clone(), reason: "nobody uses it any more".into(), grace, reply };
        let _ = self.commands.send(command);
    }

    /// What the worker is doing.
    pub(crate) fn phase(&self) -> &watch::Sender<Phase> {
        &self.phase
    }

    /// True when the supervisor has ended and the worker can take no plugin any more.
    pub(crate) fn is_over(&self) -> bool {
        self.commands.is_closed() || matches!(*self.phase.borrow(), Phase::Stopped { .. })
    }

    /// Restarts a run that misbehaves.
    pub(crate) fn recycle(&self, run: u64, reason: String) {
        let _ = self.commands.send(Command::Recycle { run, reason });
    }

    /// Restarts the present run, if there is one.
    pub(crate) fn recycle_now(&self, reason: String) {
        if let Phase::Ready(connection) = &*self.phase.borrow() {
            self.recycle(connection.run, reason);
        }
    }

    /// The connection of the present run; waits for one that starts until `deadline`.
    pub(crate) async fn ready(
        &self,
        plugin: &str,
        deadline: Option<Instant>,
        cancel: &CancellationToken,
    ) -> Result<Arc<Connection>, CallError> {
        let mut phase = self.phase.subscribe();
        let limit = deadline.unwrap_or_else(|| Instant::now() + self.lane.options.timing.restart_wait);
        loop {
            let wait_until = match &*phase.borrow_and_update() {
                Phase::Ready(connection) => return Ok(connection.clone()),
                Phase::Starting => limit,
                Phase::Backoff { reason, until } => {
                    let left = until.saturating_duration_since(Instant::now());
                    if left > SHORT_BACKOFF {
                        return Err(convert::gone(plugin, format!("{reason}; it starts again in {} ms", left.as_millis())));
                    }
                    limit
                }
                Phase::Quarantined { reason } | Phase::Stopped { reason } => {
                    return Err(convert::gone(plugin, reason.clone()));
                }
            };
            tokio::select! {
                changed = phase.changed() => changed.map_err(|_| convert::gone(plugin, "its worker was dropped"))?,
                () = cancel.cancelled() => return Err(CallError::Cancelled),
                () = tokio::time::sleep_until(wait_until) => return Err(convert::gone(plugin, "its worker is still starting")),
            }
        }
    }

    /// After a budget ran out: finds out whether the worker still lives, and restarts it when not.
    pub(crate) fn probe(self: &Arc<Self>, connection: &Arc<Connection>) {
        if !connection.begin_probe() {
            return;
        }
        let (worker, connection) = (self.clone(), connection.clone());
        tokio::spawn(async move {
            let grace = worker.lane.options.timing.probe_grace;
            if !connection.answers_ping(grace).await {
                connection.mark_stalled();
                worker.recycle(
                    connection.run,
                    format!("a call ran out of its budget and the worker did not answer within {} ms after that", grace.as_millis()),
                );
            }
            connection.end_probe();
        });
    }

    /// Plugins in loading order.
    pub(crate) fn slots(&self) -> MutexGuard<'_, Vec<Arc<Slot>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The worker's facts.
    pub(crate) fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How the present run is confined.
    pub(crate) fn confined(&self) -> Arc<Confined> {
        self.confined.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A new run is confined so. What belonged to the run before goes, its temporary directory too.
    pub(crate) fn set_confined(&self, confined: Confined) {
        *self.confined.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(confined);
    }

    /// Tells every plugin's host.
    pub(crate) fn announce(&self, event: &WorkerEvent) {
        let slots = self.slots().clone();
        slots.iter().for_each(|slot| slot.host.worker_event(&slot.spec.id, event.clone()));
    }

    /// The plugin that a request is about. Only plugins of this worker can be named.
    fn slot_for(&self, named: Option<&str>) -> Result<Arc<Slot>, CallError> {
        let slots = self.slots();
        match (slots.as_slice(), named) {
            // With one plugin there is nothing to choose, whatever the worker says.
            ([only], _) => Ok(only.clone()),
            (several, Some(id)) => several
                .iter()
                .find(|s| s.spec.id == id)
                .cloned()
                .ok_or_else(|| CallError::refused("DENIED", format!("plugin `{id}` does not run in this worker"))),
            ([], None) => Err(CallError::refused("DENIED", "no plugin is loaded in this worker")),
            (_, None) => {
                Err(CallError::refused("INVALID_PARAMS", "this worker runs several plugins; the request must name one as `plugin`"))
            }
        }
    }

    /// Hands printed lines to the host of the plugin, or of the first one of a group.
    pub(crate) fn printed(&self, line: Value) {
        let slot = self.slots().first().cloned();
        if let Some(slot) = slot {
            self.tell(&slot, "log", &line);
            slot.host.note(&slot.caller, "log", line);
        }
    }

    /// Tells the observer, if there is one, about a fault or a line of the log.
    fn tell(&self, slot: &Slot, method: &str, params: &Value) {
        let Some(observer) = &self.lane.options.observer else { return };
        let text = |key: &str| params.get(key).and_then(Value::as_str).unwrap_or_default().to_string();
        let (what, result) = match method {
            "fault" => (Called::Fault(text("kind")), Err(CallError::thrown(text("message")))),
            "log" => (Called::Log(text("level")), Ok(text("message").into())),
            _ => return,
        };
        observer(Observed { plugin: slot.spec.id.clone(), handle: 0, what, result, took: std::time::Duration::ZERO });
    }
}

/// A `pluginId` in the params names the plugin as well.
fn named_in<'a>(plugin: Option<&'a str>, params: &'a Value) -> Option<&'a str> {
    plugin.or_else(|| params.get("pluginId").and_then(Value::as_str))
}

/// Requests hold the worker weakly: a connection must not keep its own supervisor's state alive.
pub(crate) struct WorkerRequests {
    pub(crate) worker: Weak<Worker>,
    pub(crate) label: String,
}

#[async_trait]
impl Requests for WorkerRequests {
    fn label(&self) -> &str {
        &self.label
    }

    async fn request(&self, plugin: Option<&str>, method: &str, params: Value) -> Result<Value, CallError> {
        let (slot, confined) = {
            let worker = self.worker.upgrade().ok_or(CallError::Cancelled)?;
            (worker.slot_for(named_in(plugin, &params))?, worker.confined())
        };
        if method == "sandbox.resolve" {
            return self.resolve(&params).await;
        }
        if !method.starts_with("host.") {
            return Err(CallError::NotBuilt(method.into()));
        }
        if let Err(error) = confined.may_name(method, &params) {
            slot.ledger.deny("files.read", method, 1);
            return Err(error);
        }
        slot.host.request(&slot.caller, method, params).await
    }

    fn note(&self, plugin: Option<&str>, method: &str, params: Value) {
        let Some(worker) = self.worker.upgrade() else {
            return;
        };
        let slot = worker.slot_for(named_in(plugin, &params)).ok().or_else(|| worker.slots().first().cloned());
        let Some(slot) = slot else { return };
        if method == "sandbox" {
            let withheld = worker.facts().withheld_env.clone();
            return slot.ledger.take(&params, &withheld);
        }
        if method == "fault" {
            let text = |key: &str| params.get(key).and_then(Value::as_str).unwrap_or_default().to_string();
            slot.failed(&text("message"));
            slot.host.worker_event(&slot.spec.id, WorkerEvent::Fault { kind: text("kind"), message: text("message") });
        } else {
            let allowed = worker.notes.lock().unwrap_or_else(PoisonError::into_inner).allow(std::time::Instant::now());
            let Some(dropped) = allowed else { return };
            if dropped > 0 {
                let message = format!("{dropped} notes were dropped: the plugin sends too many");
                slot.host.note(&slot.caller, "log", json!({"level": "warn", "message": message, "meta": {"dropped": dropped}}));
            }
        }
        worker.tell(&slot, method, &params);
        slot.host.note(&slot.caller, method, params);
    }
}

impl WorkerRequests {
    /// A name that a confined plugin wants to connect to.
    async fn resolve(&self, params: &Value) -> Result<Value, CallError> {
        let confined = self.worker.upgrade().ok_or(CallError::Cancelled)?.confined();
        let host = params.get("host").and_then(Value::as_str).unwrap_or_default();
        match &confined.gate {
            Some(gate) => gate.resolve(host, &confined.key).await,
            None => Err(CallError::refused("DENIED", "this worker resolves names itself")),
        }
    }
}
