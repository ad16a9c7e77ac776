//! A started plugin: the gateway's handle on its functions and its worker.

pub(crate) mod hooks;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chela_plugin::{Call, CallError, CallTarget, HandlerOutcome, HookBatch, HostStream, PluginControl, Registration, WorkerStatus};
use chela_plugin_protocol::{Frame, encode_raw_request};
use futures::StreamExt;
use futures::stream::BoxStream;
use futures::stream::FuturesUnordered;
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::connection::Connection;
use crate::connection::pending::timed_out;
use crate::connection::stream::WorkerStream;
use crate::convert;
use crate::handles::{number_of, run_of, untag_refs};
use crate::observe::{Called, Observed, Observer};
use crate::worker::slot::Slot;
use crate::worker::{Phase, Worker};

/// Time that a dropped plugin gets to end.
const DROP_GRACE: Duration = Duration::from_secs(2);

/// One plugin in the node lane. It stays valid over restarts of its worker.
pub struct NodePlugin {
    worker: Arc<Worker>,
    slot: Arc<Slot>,
    observer: Option<Observer>,
}

impl std::fmt::Debug for NodePlugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NodePlugin({})", self.slot.spec.id)
    }
}

impl NodePlugin {
    pub(crate) fn new(worker: Arc<Worker>, slot: Arc<Slot>, observer: Option<Observer>) -> Self {
        Self { worker, slot, observer }
    }

    /// The registrations whose handles are valid now. After [`chela_plugin::WorkerEvent::Reregistered`] they differ from those that
    /// the start returned.
    pub fn registrations(&self) -> Arc<Vec<Registration>> {
        self.slot.registrations()
    }

    /// Reads a stream of the plugin, `{"$stream": n}` in a result of a call. A stream can be opened once.
    ///
    /// # Errors
    /// [`CallError::Gone`] when the worker has been restarted since, [`CallError::Refused`] for a value that is no stream.
    pub fn stream(&self, value: &Value) -> Result<WorkerStream, CallError> {
        let handle = value.get("$stream").and_then(Value::as_u64);
        let handle = handle.ok_or_else(|| CallError::refused("INVALID_PARAMS", "the value is no stream of a plugin"))?;
        match self.present() {
            Some(connection) if connection.run == run_of(handle) => connection.open_stream(handle),
            _ => Err(convert::gone(&self.slot.spec.id, "the stream ended with an earlier run of its worker")),
        }
    }

    /// The connection of the present run without waiting for one.
    fn present(&self) -> Option<Arc<Connection>> {
        match &*self.worker.phase().borrow() {
            Phase::Ready(connection) => Some(connection.clone()),
            _ => None,
        }
    }

    fn resolve(&self, handle: u64, connection: &Connection) -> Result<u64, CallError> {
        self.slot.resolve(handle, connection.run).ok_or_else(|| {
            convert::gone(&self.slot.spec.id, "the function belongs to an earlier run of its worker, which has been restarted")
        })
    }

    /// As [`NodePlugin::resolve`], for a handle of any plugin of the worker: those of a group travel together.
    fn resolve_shared(&self, handle: u64, connection: &Connection) -> Result<u64, CallError> {
        let others = || self.worker.slots().iter().find_map(|slot| slot.resolve(handle, connection.run));
        self.slot.resolve(handle, connection.run).or_else(others).map_or_else(|| self.resolve(handle, connection), Ok)
    }

    async fn call_once(&self, handle: u64, mut call: Call) -> Result<Value, CallError> {
        let deadline = call.budget.map(|b| (b, Instant::now() + b));
        let connection = self.connection(deadline, &call.cancel).await?;
        let params = call_params(self.resolve(handle, &connection)?, &call);
        let offered = Offered::new(&connection, &call);
        let streams = OfferedStreams::new(&connection, call.take_streams());
        let mut pending = connection.request(|id| encode_raw_request(id, "call", &[&params]))?;
        let result = {
            let signals = forward_signals(&connection, &call.signals);
            tokio::pin!(signals);
            let answer = pending.answer();
            tokio::pin!(answer);
            loop {
                tokio::select! {
                    biased;
                    answer = &mut answer => break Ok(answer),
                    () = call.cancel.cancelled() => break Err(CallError::Cancelled),
                    () = at(deadline) => break Err(deadline.map_or(CallError::Cancelled, |(budget, _)| timed_out(budget))),
                    () = &mut signals => {}
                }
            }
        };
        drop(offered);
        match result {
            Ok(answer) => {
                let value = answer?.unwrap_or_default();
                streams.keep();
                Ok(value)
            }
            Err(error) => {
                pending.cancel(&error.to_string());
                self.worker.probe(&connection);
                Err(error)
            }
        }
    }

    /// Tells about each handler of a batch.
    fn tell(&self, observer: &Observer, batch: &HookBatch, outcomes: &Result<Vec<HandlerOutcome>, CallError>, took: Duration) {
        let tell = |handle: u64, result: Result<Value, CallError>, took: Duration| {
            let what = Called::Hook(batch.hook, batch.event.clone());
            observer(Observed { plugin: self.slot.spec.id.clone(), handle, what, result, took });
        };
        match outcomes {
            Ok(done) => batch.handlers.iter().zip(done).for_each(|(h, one)| tell(h.handle, one.result.clone(), one.duration)),
            Err(error) => batch.handlers.iter().for_each(|h| tell(h.handle, Err(error.clone()), took)),
        }
    }

    /// Waits for a worker that starts, within the caller's budget.
    async fn connection(&self, deadline: Option<(Duration, Instant)>, cancel: &CancellationToken) -> Result<Arc<Connection>, CallError> {
        self.worker.ready(&self.slot.spec.id, deadline.map(|(_, at)| at), cancel).await
    }
}

/// Resolves at the deadline; never without one.
async fn at(deadline: Option<(Duration, Instant)>) {
    match deadline {
        Some((_, at)) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

fn call_params(number: u64, call: &Call) -> String {
    let mut args = Value::Array(call.args.clone());
    untag_refs(&mut args);
    let mut params = json!({ "fn": number, "args": args });
    if let Some(adapter) = call.adapter {
        params["adapter"] = adapter.as_str().into();
    }
    if !call.fns.is_empty() {
        params["scoped"] = true.into();
    }
    params.to_string()
}

/// Host functions that the worker may call while this lives.
struct Offered {
    connection: Arc<Connection>,
    ids: Vec<u64>,
}

impl Offered {
    fn new(connection: &Arc<Connection>, call: &Call) -> Self {
        if !call.fns.is_empty() {
            connection.offer(&call.fns);
        }
        Self { connection: connection.clone(), ids: call.fns.iter().map(|(id, _)| *id).collect() }
    }
}

impl Drop for Offered {
    fn drop(&mut self) {
        if !self.ids.is_empty() {
            self.connection.withdraw(self.ids.drain(..));
        }
    }
}

/// Streams that the worker may read: until they end when the call succeeded, else until it failed.
struct OfferedStreams {
    connection: Arc<Connection>,
    numbers: Vec<u64>,
}

impl OfferedStreams {
    fn new(connection: &Arc<Connection>, streams: Vec<(u64, HostStream)>) -> Self {
        let numbers = streams.iter().map(|(number, _)| *number).collect();
        if !streams.is_empty() {
            connection.offer_streams(streams);
        }
        Self { connection: connection.clone(), numbers }
    }

    fn keep(mut self) {
        self.numbers.clear();
    }
}

impl Drop for OfferedStreams {
    fn drop(&mut self) {
        self.numbers.drain(..).for_each(|number| self.connection.break_stream(number));
    }
}

/// Tells the worker when an abort signal among the arguments fires. Never resolves.
async fn forward_signals(connection: &Arc<Connection>, signals: &[(u64, CancellationToken)]) {
    let mut waiting: FuturesUnordered<_> = signals
        .iter()
        .map(|(sig, token)| async move {
            token.cancelled().await;
            *sig
        })
        .collect();
    while let Some(sig) = waiting.next().await {
        connection.send(&Frame::Abort { sig, reason: None });
    }
    std::future::pending::<()>().await;
}

#[async_trait]
impl CallTarget for NodePlugin {
    fn worker_key(&self) -> u64 {
        self.worker.key
    }

    async fn call(&self, handle: u64, call: Call) -> Result<Value, CallError> {
        let watched = self.observer.as_ref().map(|observer| (observer, Called::Function(call.adapter, call.args.clone()), Instant::now()));
        let result = self.call_once(handle, call).await;
        self.slot.count(&result);
        if let Some((observer, what, begun)) = watched {
            observer(Observed { plugin: self.slot.spec.id.clone(), handle, what, result: result.clone(), took: begun.elapsed() });
        }
        result
    }

    fn wake(&self) {
        self.wake_worker();
    }

    async fn hooks(&self, batch: HookBatch) -> Result<Vec<HandlerOutcome>, CallError> {
        let begun = Instant::now();
        let result = self.run_hooks(&batch).await;
        match &result {
            Ok(outcomes) => outcomes.iter().for_each(|outcome| self.slot.count(&outcome.result)),
            Err(_) => self.slot.count(&result),
        }
        if let Some(observer) = &self.observer {
            self.tell(observer, &batch, &result, begun.elapsed());
        }
        result
    }

    fn stream(&self, handle: u64) -> BoxStream<'static, Result<Value, CallError>> {
        match NodePlugin::stream(self, &serde_json::json!({ "$stream": handle })) {
            Ok(stream) => Box::pin(stream),
            Err(error) => Box::pin(futures::stream::once(std::future::ready(Err(error)))),
        }
    }

    fn release(&self, handles: &[u64]) {
        let Some(connection) = self.present() else {
            return;
        };
        // Handles of registrations stay: a restart needs them, and they end with the plugin.
        let fns: Vec<u64> = handles.iter().filter(|h| run_of(**h) == connection.run).map(|h| number_of(*h)).collect();
        if !fns.is_empty() {
            connection.send(&Frame::Release { fns });
        }
    }
}

#[async_trait]
impl PluginControl for NodePlugin {
    async fn stop(&self, reason: &str, grace: Duration) {
        self.worker.unload(&self.slot, reason, grace).await;
    }

    fn status(&self) -> WorkerStatus {
        let (calls, errors, last_error) = self.slot.counters();
        let facts = self.worker.facts();
        WorkerStatus {
            state: facts.state,
            lane: "node",
            pid: facts.pid,
            restarts: facts.restarts,
            last_exit: facts.last_exit.clone(),
            rss_bytes: facts.rss_bytes,
            calls,
            errors,
            last_error,
            withheld_env: facts.withheld_env.clone(),
            runtime: facts.runtime.clone(),
            started_at_ms: facts.started_at_ms,
            limits: facts.limits.clone(),
            sandbox: self.slot.ledger.status(),
        }
    }

    fn registrations(&self) -> Option<Vec<Registration>> {
        Some(NodePlugin::registrations(self).as_ref().clone())
    }

    fn notify(&self, name: &str, payload: &Value) {
        if name == "config" {
            self.slot.set_config(payload);
        }
        if let Some(connection) = self.present() {
            let p = json!({ "name": name, "payload": payload, "pluginId": self.slot.spec.id });
            connection.send(&Frame::Note { m: "runtimeEvent".into(), p, plugin: Some(self.slot.spec.id.clone()) });
        }
    }
}

impl Drop for NodePlugin {
    fn drop(&mut self) {
        // Without this handle nobody can call or stop the plugin any more.
        self.worker.unload_later(&self.slot, DROP_GRACE);
    }
}
