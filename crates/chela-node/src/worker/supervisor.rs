//! The task that owns a worker's process: starts, restarts, quarantines and ends it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use chela_plugin::{StartError, StartPhase, WorkerEvent, WorkerState};
use chela_plugin_protocol::encode_raw_request;
use serde_json::json;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::launch::{KILL_GRACE, LaunchError, Run, launch};
use super::slot::{Loaded, Slot, start_error};
use super::{Command, Phase, Worker};

/// Time after the end of the connection within which the process is expected to end too.
const EXIT_PATIENCE: Duration = Duration::from_secs(2);

type LoadReply = oneshot::Sender<Result<Loaded, StartError>>;

/// How a run ended.
enum End {
    /// No plugin is left; whoever asked for that is waiting.
    Empty { reason: String, waiting: Option<oneshot::Sender<()>> },
    /// It failed.
    Failed { reason: String, permanent: bool },
}

struct Supervisor {
    worker: Arc<Worker>,
    commands: mpsc::UnboundedReceiver<Command>,
    runs: u64,
    failures: VecDeque<Instant>,
}

/// Runs until the last plugin is dropped.
pub(crate) async fn run(worker: Arc<Worker>, commands: mpsc::UnboundedReceiver<Command>) {
    let mut supervisor = Supervisor { worker, commands, runs: 0, failures: VecDeque::new() };
    let mut first = None;
    // A worker is made for a load; anything else before it has nothing to act on.
    while let Some(command) = supervisor.commands.recv().await {
        if let Command::Load { slot, reply } = command {
            first = Some((slot, reply));
            break;
        }
    }
    while let Some(end) = supervisor.one_run(first.take()).await {
        match end {
            End::Empty { reason, waiting } => {
                supervisor.stopped(&reason);
                // Nobody can reach the worker any more when the caller of `stop` goes on.
                supervisor.commands.close();
                if let Some(waiting) = waiting {
                    let _ = waiting.send(());
                }
                return;
            }
            End::Failed { reason, permanent } => {
                if let Some(waiting) = supervisor.after_failure(&reason, permanent).await {
                    supervisor.stopped("stopped");
                    supervisor.commands.close();
                    if let Some(waiting) = waiting {
                        let _ = waiting.send(());
                    }
                    return;
                }
            }
        }
    }
}

impl Supervisor {
    fn phase(&self, phase: Phase) {
        self.worker.phase.send_replace(phase);
    }

    fn stopped(&self, reason: &str) {
        self.worker.facts().ended(WorkerState::Stopped, reason);
        self.phase(Phase::Stopped { reason: reason.into() });
    }

    /// One process from start to end. `None` only when there is nothing to run.
    async fn one_run(&mut self, first: Option<(Arc<Slot>, LoadReply)>) -> Option<End> {
        self.runs += 1;
        self.phase(Phase::Starting);
        if let Some((slot, _)) = &first {
            self.worker.slots().push(slot.clone());
        }
        if self.worker.slots().is_empty() {
            return None;
        }
        let run = match launch(&self.worker, self.runs).await {
            Ok(run) => run,
            Err(LaunchError { message, permanent }) => {
                return Some(self.launch_failed(first, message, permanent));
            }
        };
        Some(self.serve(run, first).await)
    }

    fn launch_failed(&self, first: Option<(Arc<Slot>, LoadReply)>, message: String, permanent: bool) -> End {
        let Some((slot, reply)) = first else {
            return End::Failed { reason: message, permanent };
        };
        if permanent {
            slot.host.worker_event(&slot.spec.id, WorkerEvent::Quarantined { reason: message.clone() });
        }
        self.forget(&slot);
        let _ = reply.send(Err(start_error(
            StartPhase::Load,
            format!("plugin `{}` could not be started: {message}", slot.spec.id),
            !permanent,
        )));
        End::Empty { reason: message, waiting: None }
    }

    /// Drops a plugin; false when it was dropped before.
    fn forget(&self, slot: &Arc<Slot>) -> bool {
        let mut slots = self.worker.slots();
        let before = slots.len();
        slots.retain(|s| !Arc::ptr_eq(s, slot));
        slots.len() < before
    }

    /// Loads what has to be loaded, then serves commands until the run ends.
    async fn serve(&mut self, mut run: Run, first: Option<(Arc<Slot>, LoadReply)>) -> End {
        let again: Vec<_> = if first.is_some() { Vec::new() } else { self.worker.slots().clone() };
        for slot in again {
            match self.load(&mut run, &slot).await {
                Ok((_, false)) => {}
                Ok((_, true)) => slot.host.worker_event(&slot.spec.id, WorkerEvent::Reregistered),
                Err(error) => {
                    let reason = format!("plugin `{}` could not be loaded again: {error}", slot.spec.id);
                    return self.fail(run, &reason).await;
                }
            }
        }
        if let Some((slot, reply)) = first
            && let Err(end) = self.first_load(&mut run, slot, reply).await
        {
            return end;
        }
        self.worker.facts().state = WorkerState::Running;
        self.phase(Phase::Ready(run.connection.clone()));
        self.worker.announce(&WorkerEvent::Ready);
        let liveness = tokio::spawn(liveness(self.worker.clone(), run.connection.clone()));
        let end = self.until_end(run).await;
        liveness.abort();
        end
    }

    /// The load that a new worker was made for: when it fails, nothing is left.
    async fn first_load(&mut self, run: &mut Run, slot: Arc<Slot>, mut reply: LoadReply) -> Result<(), End> {
        // A plugin that spins while it loads is ended as soon as nobody waits for it any more.
        let loaded = tokio::select! {
            biased;
            loaded = self.load(run, &slot) => Some(loaded),
            () = reply.closed() => None,
        };
        let given_up = match loaded {
            Some(Ok((loaded, _))) => reply.send(Ok(loaded)).is_err(),
            Some(Err(error)) => return Err(self.first_load_failed(run, &slot, error, reply).await),
            None => true,
        };
        if !given_up {
            return Ok(());
        }
        let reason = "the start was given up".to_string();
        self.end_process(run, &reason, KILL_GRACE).await;
        self.forget(&slot);
        Err(End::Empty { reason, waiting: None })
    }

    async fn first_load_failed(&mut self, run: &mut Run, slot: &Arc<Slot>, error: StartError, reply: LoadReply) -> End {
        let reason = error.to_string();
        self.end_process(run, &reason, Duration::ZERO).await;
        self.forget(slot);
        let _ = reply.send(Err(error));
        End::Empty { reason, waiting: None }
    }

    /// Loads one plugin; a process that dies meanwhile is told with its last words.
    async fn load(&mut self, run: &mut Run, slot: &Arc<Slot>) -> Result<(Loaded, bool), StartError> {
        let lane = self.worker.lane.clone();
        let sdk_dir = run.sdk_dir.to_string_lossy().into_owned();
        let connection = run.connection.clone();
        let confined = self.worker.confined();
        let work = slot.load(&connection, &sdk_dir, lane.options.timing.load, &lane, &confined);
        tokio::select! {
            biased;
            result = work => result,
            () = connection.closed().cancelled() => {
                let reason = self.exit_reason(run).await;
                Err(start_error(StartPhase::Load, format!("plugin `{}` was not loaded: {reason}", slot.spec.id), true))
            }
        }
    }

    /// Serves commands until the process ends or is ended.
    async fn until_end(&mut self, mut run: Run) -> End {
        loop {
            let command = tokio::select! {
                command = self.commands.recv() => command,
                () = run.connection.closed().cancelled() => None,
                _ = run.control.wait() => None,
            };
            match command {
                None => {
                    let reason = self.exit_reason(&mut run).await;
                    return self.fail(run, &reason).await;
                }
                Some(Command::Recycle { run: number, reason }) if number == run.connection.run => return self.fail(run, &reason).await,
                Some(Command::Recycle { .. }) => {}
                Some(Command::Load { slot, reply }) => self.load_another(&mut run, slot, reply).await,
                Some(Command::Unload { slot, reason, grace, reply }) => {
                    let was_here = self.forget(&slot);
                    if self.worker.slots().is_empty() {
                        self.end_process(&mut run, &reason, grace).await;
                        return End::Empty { reason, waiting: Some(reply) };
                    }
                    if was_here {
                        unload(&run, &slot.spec.id, &reason, grace).await;
                    }
                    let _ = reply.send(());
                }
            }
        }
    }

    async fn load_another(&mut self, run: &mut Run, slot: Arc<Slot>, mut reply: LoadReply) {
        self.worker.slots().push(slot.clone());
        let result = tokio::select! {
            biased;
            result = self.load(run, &slot) => Some(result.map(|(loaded, _)| loaded)),
            () = reply.closed() => None,
        };
        let failed = !matches!(result, Some(Ok(_)));
        if result.is_none_or(|result| reply.send(result).is_err()) || failed {
            self.forget(&slot);
            // Whatever it began before it failed must not go on inside the worker of the others.
            unload(run, &slot.spec.id, "its start failed or was given up", KILL_GRACE).await;
            // It may have left the worker standing still; then the others get a new one.
            self.worker.probe(&run.connection);
        } else {
            slot.host.worker_event(&slot.spec.id, WorkerEvent::Ready);
        }
    }

    /// How the process ended, for people. The connection is closed or the process has ended.
    async fn exit_reason(&self, run: &mut Run) -> String {
        if let Some(reason) = run.connection.close_reason() {
            return format!("its worker was ended: {reason}");
        }
        let exit = match tokio::time::timeout(EXIT_PATIENCE, run.control.wait()).await {
            Ok(Ok(exit)) => format!("its worker {exit}"),
            _ => "its worker closed the connection and was ended".into(),
        };
        match run.tail.text() {
            Some(tail) => format!("{exit}; its last output:\n{tail}"),
            None => exit,
        }
    }

    /// Ends a run because of a failure.
    async fn fail(&mut self, mut run: Run, reason: &str) -> End {
        self.phase(Phase::Starting);
        run.connection.fail_all(reason);
        // A worker that spins or leaks gets no time to tidy up.
        let _ = run.control.kill_tree(KILL_GRACE).await;
        End::Failed { reason: reason.into(), permanent: false }
    }

    /// Ends a run on purpose: asks, waits, kills.
    async fn end_process(&mut self, run: &mut Run, reason: &str, grace: Duration) {
        self.phase(Phase::Stopped { reason: reason.into() });
        if !grace.is_zero() {
            let params = json!({ "graceMs": u64::try_from(grace.as_millis()).unwrap_or(u64::MAX) }).to_string();
            // Kept until the process has ended: dropping it would cancel the request.
            let asked = run.connection.request(|id| encode_raw_request(id, "shutdown", &[&params]));
            let _ = tokio::time::timeout(grace, run.control.wait()).await;
            drop(asked);
        }
        run.connection.fail_all(reason);
        let _ = run.control.kill_tree(KILL_GRACE).await;
    }

    /// Counts a failure and waits for the next start. `Some` when the worker was emptied meanwhile.
    async fn after_failure(&mut self, reason: &str, permanent: bool) -> Option<Option<oneshot::Sender<()>>> {
        let timing = self.worker.lane.options.timing.clone();
        let now = Instant::now();
        self.failures.push_back(now);
        self.failures.retain(|at| now.duration_since(*at) < timing.quarantine_window);
        let quarantined = permanent || self.failures.len() >= timing.quarantine_after;
        {
            let mut facts = self.worker.facts();
            facts.restarts += 1;
            facts.ended(if quarantined { WorkerState::Quarantined } else { WorkerState::Backoff }, reason);
        }
        if quarantined {
            return self.quarantine(reason).await;
        }
        let doublings = u32::try_from(self.failures.len() - 1).unwrap_or(u32::MAX).min(16);
        let delay = (timing.backoff.0 * 2_u32.pow(doublings)).min(timing.backoff.1);
        let until = now + delay;
        self.phase(Phase::Backoff { reason: reason.into(), until });
        let restarting_in_ms = u64::try_from(delay.as_millis()).ok();
        self.worker.announce(&WorkerEvent::Exited { reason: reason.into(), restarting_in_ms });
        self.idle(Some(until), reason).await
    }

    async fn quarantine(&mut self, reason: &str) -> Option<Option<oneshot::Sender<()>>> {
        let reason = format!("it is in quarantine after repeated failures; the last: {reason}");
        self.phase(Phase::Quarantined { reason: reason.clone() });
        self.worker.announce(&WorkerEvent::Exited { reason: reason.clone(), restarting_in_ms: None });
        self.worker.announce(&WorkerEvent::Quarantined { reason: reason.clone() });
        self.idle(None, &reason).await
    }

    /// Without a process: answers commands until `until`. `Some` when the last plugin was dropped.
    async fn idle(&mut self, until: Option<Instant>, reason: &str) -> Option<Option<oneshot::Sender<()>>> {
        loop {
            let command = tokio::select! {
                command = self.commands.recv() => command,
                () = async { match until { Some(at) => tokio::time::sleep_until(at).await, None => std::future::pending().await } } => return None,
            };
            match command {
                None => return Some(None),
                Some(Command::Recycle { .. }) => {}
                Some(Command::Load { slot, reply }) => {
                    let message = format!("plugin `{}` cannot join the worker `{}`: {reason}", slot.spec.id, self.worker.label);
                    let _ = reply.send(Err(start_error(StartPhase::Load, message, until.is_some())));
                }
                Some(Command::Unload { slot, reply, .. }) => {
                    self.forget(&slot);
                    if self.worker.slots().is_empty() {
                        return Some(Some(reply));
                    }
                    let _ = reply.send(());
                }
            }
        }
    }
}

/// Tells a worker that goes on that a plugin is dropped.
async fn unload(run: &Run, plugin: &str, reason: &str, grace: Duration) {
    let params = json!({ "pluginId": plugin, "reason": reason }).to_string();
    if let Ok(mut request) = run.connection.request(|id| encode_raw_request(id, "unload", &[&params])) {
        // A worker that does not answer is found by the liveness check; the plugin is dropped either way.
        let _ = tokio::time::timeout(grace.max(KILL_GRACE), request.answer()).await;
    }
}

/// Restarts a worker that owes answers and stands still.
async fn liveness(worker: Arc<Worker>, connection: Arc<crate::connection::Connection>) {
    let timing = &worker.lane.options.timing;
    loop {
        tokio::time::sleep(timing.liveness_interval).await;
        if connection.is_busy() && !connection.answers_ping(timing.liveness_timeout).await {
            connection.mark_stalled();
            worker.recycle(connection.run, format!("its worker did not answer for {} s", timing.liveness_timeout.as_secs_f32()));
            return;
        }
    }
}
