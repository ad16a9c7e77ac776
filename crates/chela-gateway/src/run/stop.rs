//! The end of a gateway: one signal, one order, every step bounded (GW-145, HOOK-238..244).

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chela_agent::TurnPlugins;
use chela_agent::lifecycle::{DRAIN_BUDGET, EndReason};
use chela_hooks::DispatchOptions;
use chela_plugin::HookName;
use serde_json::{Value, json};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use super::FORCED_EXIT_AFTER;
use crate::gateway::{Gateway, StopRequest};
use crate::server::Server;

/// Longest `gateway_stop` of all listeners; the reference waits for ever (HOOK-308).
const STOP_HOOK_BUDGET: Duration = Duration::from_secs(2);
/// Longest `gateway:shutdown` and `gateway:pre-restart`, each.
const INTERNAL_BUDGET: Duration = Duration::from_secs(1);
/// How long aborted runs may take to write what they have.
const RUNS_BUDGET: Duration = Duration::from_secs(2);
/// How long workers may take to end by themselves.
const WORKER_GRACE: Duration = Duration::from_secs(1);
/// How long open requests may take.
const SERVER_GRACE: Duration = Duration::from_millis(250);

/// The signals that end a gateway. From the moment that this exists they do not end the process any more.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    restart: Signal,
}

impl Signals {
    /// Takes the signals over.
    ///
    /// # Errors
    /// When the system does not let it.
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            restart: signal(SignalKind::user_defined1())?,
        })
    }

    /// Waits for a signal or for a request from inside.
    pub(super) async fn wait(mut self, mut requests: mpsc::Receiver<StopRequest>, asked: impl Future<Output = StopRequest>) -> StopRequest {
        let named = |reason: &str, restart: Option<u64>| StopRequest { reason: reason.into(), restart_expected_ms: restart };
        tokio::select! {
            _ = self.terminate.recv() => named("gateway stopping", None),
            _ = self.interrupt.recv() => named("gateway stopping", None),
            _ = self.hangup.recv() => named("gateway stopping", None),
            _ = self.restart.recv() => named("gateway restarting", Some(2000)),
            Some(request) = requests.recv() => request,
            request = asked => request,
        }
    }
}

/// Stops everything. A step that fails or is slow never keeps the next from running.
///
/// The answer is to be kept until nothing is left to do: it ends the process when that takes too long.
pub(super) async fn stop(gateway: &Arc<Gateway>, server: Server, request: StopRequest) -> Watch {
    let begun = Instant::now();
    tracing::info!(reason = %request.reason, "stopping");
    let watch = force_exit_later(request.restart_expected_ms.is_some());
    let plugins = gateway.host.manager.current();
    let options = DispatchOptions { budget_override: Some(STOP_HOOK_BUDGET), ..DispatchOptions::default() };
    let (reason, port) = (request.reason.clone(), gateway.port);
    plugins.hooks.dispatch_with(HookName::GatewayStop, options, || (json!({"reason": reason}), json!({"port": port}))).await;
    let context = json!({"reason": request.reason, "restartExpectedMs": request.restart_expected_ms});
    internal(&plugins.internal, "shutdown", &context).await;
    if request.restart_expected_ms.is_some() {
        internal(&plugins.internal, "pre-restart", &context).await;
    }
    end_runs(gateway).await;
    drain_sessions(gateway, request.restart_expected_ms.is_some()).await;
    gateway.host.close(WORKER_GRACE).await;
    server.close_clients(&request.reason, request.restart_expected_ms);
    server.stop(SERVER_GRACE).await;
    tracing::info!(ms = begun.elapsed().as_millis() as u64, "stopped");
    watch
}

async fn internal(bus: &chela_hooks::InternalBus, action: &str, context: &Value) {
    let key = format!("gateway:{action}");
    let emit = bus.emit("gateway", action, &key, context.clone());
    if tokio::time::timeout(INTERNAL_BUDGET, emit).await.is_err() {
        tracing::warn!(event = action, "internal hooks took too long");
    }
}

/// Active runs are aborted; what they have said so far stays in the transcript.
async fn end_runs(gateway: &Gateway) {
    gateway.host.runtime.shutdown.cancel();
    let runs = gateway.host.runtime.runs.clone();
    let all = async {
        for run in runs.active() {
            runs.wait(&run.run_id, RUNS_BUDGET).await;
        }
    };
    if tokio::time::timeout(RUNS_BUDGET, all).await.is_err() {
        tracing::warn!("some runs did not end in time");
    }
}

async fn drain_sessions(gateway: &Gateway, restart: bool) {
    let reason = if restart { EndReason::Restart } else { EndReason::Shutdown };
    let report = gateway.host.runtime.lifecycle.drain(reason, DRAIN_BUDGET).await;
    if report.timed_out {
        tracing::warn!(
            sessions = report.emitted.len(),
            "session-end-drain: listeners did not finish in time; they are offered the rest at the next start"
        );
    }
}

/// Waits for the end of a stop. Dropped in time it does nothing: a process that goes on must not be ended later.
pub(super) struct Watch(Option<std::sync::mpsc::Sender<()>>);

impl Drop for Watch {
    fn drop(&mut self) {
        drop(self.0.take());
    }
}

/// Nothing may keep the process for ever.
fn force_exit_later(restart: bool) -> Watch {
    if restart {
        return Watch(None);
    }
    watch(FORCED_EXIT_AFTER, || {
        tracing::error!("the stop took longer than {} s; the process ends by force", FORCED_EXIT_AFTER.as_secs());
        std::process::exit(1);
    })
}

/// Calls `late` after `limit`, on a thread of its own: what hangs may be the runtime.
fn watch(limit: Duration, late: impl FnOnce() + Send + 'static) -> Watch {
    let (done, stopped) = std::sync::mpsc::channel::<()>();
    std::thread::spawn(move || {
        if stopped.recv_timeout(limit) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            late();
        }
    });
    Watch(Some(done))
}

#[cfg(test)]
mod tests {
    use super::*;

    // HOOK-244
    #[test]
    fn a_stop_that_hangs_is_ended_and_one_in_time_is_not() {
        assert_eq!(FORCED_EXIT_AFTER, Duration::from_millis(25_000));
        let (told, hears) = std::sync::mpsc::channel();
        let hanging = watch(Duration::from_millis(5), {
            let told = told.clone();
            move || told.send("hanging").unwrap()
        });
        assert_eq!(hears.recv(), Ok("hanging"));
        drop(hanging);
        drop(watch(Duration::from_secs(3600), move || told.send("in time").unwrap()));
        // The thread ends without a word, and with it the last sender.
        assert!(hears.recv().is_err());
    }
}
