//! One run of a worker: from spawn to the answered hello.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use chela_plugin_protocol::{Frame, FrameDecoder, Hello, PROTOCOL_NAME, VERSION, negotiate};
use chela_process::cgroup::{Cgroups, Limits};
use chela_process::sandbox::notify::{self, Target};
use chela_process::{Marks, WorkerCommand, WorkerControl, WorkerProcess, spawn_worker};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::{Worker, WorkerRequests};
use crate::connection::{Connection, greet, inbound};
use crate::output::{LineSink, Tail, capture};
use crate::sandbox::{Places, permissions, plan};
use crate::sdk;

/// Features of the host.
const FEATURES: &[&str] = &["hooks", "adapters", "streams", "blocking", "transpile"];

/// Memory of a worker outside of V8's heap in MiB: the heap's limit is lower than the cap by this, so that V8 collects in time.
const OUTSIDE_HEAP_MIB: u64 = 96;

/// Most open files of a confined worker; Node itself holds about 25.
const CONFINED_FILES: u64 = 4096;

/// Most processes and threads of a worker in a cgroup: Node itself has about a dozen.
const MOST_TASKS: u64 = 512;

/// Time that a killed worker gets before it is killed for good.
pub(crate) const KILL_GRACE: Duration = Duration::from_millis(200);

/// A run that greeted.
pub(crate) struct Run {
    pub(crate) connection: Arc<Connection>,
    pub(crate) control: WorkerControl,
    pub(crate) tail: Tail,
    pub(crate) sdk_dir: PathBuf,
}

/// Why there is no run.
#[derive(Debug)]
pub(crate) struct LaunchError {
    pub(crate) message: String,
    /// True when another attempt would end the same way.
    pub(crate) permanent: bool,
}

fn permanent(message: impl ToString) -> LaunchError {
    LaunchError { message: message.to_string(), permanent: true }
}

/// Starts the process and answers its hello.
pub(crate) async fn launch(worker: &Arc<Worker>, number: u64) -> Result<Run, LaunchError> {
    let node = worker.lane.node().await.map_err(permanent)?;
    let sdk_dir = worker.lane.sdk_dir().await.map_err(permanent)?;
    let (mut command, withheld) = command(worker, &node.path, &sdk_dir)?;
    limit(worker, &mut command);
    let process = spawn_worker(command).map_err(|e| LaunchError { message: e.to_string(), permanent: false })?;
    let WorkerProcess { main, blocking, marks, stdout, stderr, asking, mut control } = process;
    worker.facts().started(control.stopper(), withheld);
    if let Some(channel) = asking {
        answer_connections(worker, channel).map_err(|e| LaunchError { message: e.to_string(), permanent: false })?;
    }
    let tail = Tail::default();
    let sink = sink(worker);
    let mode = worker.lane.options.output;
    tokio::spawn(capture(stdout, "stdout", mode, sink.clone(), Tail::default()));
    tokio::spawn(capture(stderr, "stderr", mode, sink, tail.clone()));
    match handshake(worker, number, main, marks).await {
        Ok(connection) => {
            tokio::spawn(serve_blocking(worker.clone(), connection.clone(), blocking));
            Ok(Run { connection, control, tail, sdk_dir })
        }
        Err(mut error) => {
            let exit = control.kill_tree(KILL_GRACE).await;
            if !error.permanent
                && let Ok(exit) = exit
            {
                let told = tail.text().map(|t| format!("; its last output:\n{t}")).unwrap_or_default();
                error.message = format!("{} (it {exit}){told}", error.message);
            }
            Err(error)
        }
    }
}

async fn handshake(worker: &Arc<Worker>, number: u64, socket: UnixStream, marks: Marks) -> Result<Arc<Connection>, LaunchError> {
    let limit = worker.lane.options.timing.hello;
    let transient = |message| LaunchError { message, permanent: false };
    let greeting = tokio::time::timeout(limit, greet(socket))
        .await
        .unwrap_or_else(|_| Err(format!("the worker sent no `hello` within {} s", limit.as_secs_f32())))
        .map_err(transient)?;
    let features = match negotiate(&greeting.hello, VERSION, FEATURES) {
        Ok((_, features)) => features,
        Err(refusal) => {
            let message = refusal.to_string();
            greeting.refuse(&message).await;
            return Err(permanent(message));
        }
    };
    {
        let mut facts = worker.facts();
        facts.pid = greeting.hello.pid;
        facts.runtime = greeting.hello.runtime.as_ref().map(|r| format!("{} v{}", r.name, r.version.trim_start_matches('v')));
    }
    let hello = Frame::Hello(Hello { protocol: PROTOCOL_NAME.into(), version: VERSION.to_string(), features, pid: None, runtime: None });
    let requests = Arc::new(WorkerRequests { worker: Arc::downgrade(worker), label: worker.label.clone() });
    Ok(greeting.accept(number, &hello, requests, marks))
}

/// What to start, and the names of the variables that it does not get.
fn command(worker: &Arc<Worker>, node: &Path, sdk_dir: &Path) -> Result<(WorkerCommand, Vec<String>), LaunchError> {
    let options = &worker.lane.options;
    let slots = worker.slots().clone();
    let first = slots.first().ok_or_else(|| permanent("no plugin is left to start"))?;
    let cap = slots.iter().map(|s| s.spec.memory_mib).max().unwrap_or_default();
    let node = fs_err::canonicalize(node).unwrap_or_else(|_| node.to_path_buf());
    let plan = plan(&first.spec, options, &Places { node: &node, sdk: sdk_dir }).map_err(permanent)?;
    let mut vars: BTreeMap<String, String> = plan.env.vars.clone();
    vars.insert("CHELA_WORKER".into(), "1".into());
    vars.insert("CHELA_PLUGIN_ID".into(), first.spec.id.clone());
    vars.insert("CHELA_COMPILE_CACHE".into(), plan.compile_cache.display().to_string());
    let mut command = WorkerCommand::new(node);
    let heap = (cap.saturating_sub(OUTSIDE_HEAP_MIB)).max(cap * 3 / 5).max(16);
    command.args = vec![format!("--max-old-space-size={heap}").into(), "--disable-warning=ExperimentalWarning".into()];
    command.args.extend(plan.node_args.iter().map(Into::into));
    if let Some(preload) = &options.preload {
        command.args.extend(["--import".into(), preload.into()]);
    }
    command.args.push(sdk_dir.join(sdk::ENTRY).into());
    command.env = vars;
    command.cwd.clone_from(&options.cwd);
    command.guard.clone_from(&options.guard);
    command.nofile = plan.kernel.as_ref().map(|_| CONFINED_FILES);
    command.sandbox.clone_from(&plan.kernel);
    let withheld = plan.env.withheld.clone();
    let record = (plan.facts.mode == Some("observe")).then(|| permissions::record_file(&first.spec.state_dir, &first.spec.id));
    first.ledger.begin(plan.facts.clone(), record);
    worker.set_confined(plan.into_confined(&first.spec));
    Ok((command, withheld))
}

/// Gives the worker a part of the gateway's cgroup with limits, where it has one to divide, and notes what came of it.
fn limit(worker: &Arc<Worker>, command: &mut WorkerCommand) {
    let slots = worker.slots().clone();
    let Some(first) = slots.first() else { return };
    let mib = slots.iter().map(|slot| slot.spec.memory_mib).max().unwrap_or_default();
    let limits = Limits { memory_bytes: (mib + mib / 4) << 20, tasks: MOST_TASKS };
    let made = Cgroups::of_process().map_err(str::to_owned).and_then(|groups| {
        groups.part(&first.spec.id, limits).map_err(|error| format!("no part of the gateway's cgroup can be made: {error}"))
    });
    let mut facts = worker.facts();
    match made {
        Ok(part) => {
            command.cgroup = Some(part.dir().to_path_buf());
            facts.limits = Some(format!("cgroup: {} MiB of memory, {MOST_TASKS} processes and threads", mib + mib / 4));
            facts.part = Some(part);
        }
        Err(why) => facts.limits = Some(format!("no cgroup: {why}")),
    }
}

/// Makes the connections that a confined worker asks for, and counts those that it may not have.
fn answer_connections(worker: &Arc<Worker>, channel: std::os::unix::net::UnixStream) -> std::io::Result<()> {
    let (Some(gate), Some(slot)) = (worker.confined().gate.clone(), worker.slots().first().cloned()) else { return Ok(()) };
    let ledger = slot.ledger.clone();
    let decide = move |target: &Target| {
        let allowed = gate.allows(target);
        if !allowed {
            let what = match target {
                Target::Internet(address) => address.to_string(),
                Target::Path(path) => format!("unix:{}", path.display()),
                Target::Other => "an address of another kind".into(),
            };
            ledger.deny("network", &what, 1);
        }
        allowed
    };
    notify::serve(channel, Arc::new(decide))
}

fn sink(worker: &Arc<Worker>) -> LineSink {
    let worker = Arc::downgrade(worker);
    Arc::new(move |line| {
        if let Some(worker) = worker.upgrade() {
            worker.printed(line);
        }
    })
}

/// Serves the blocking lane: one request after another, each while the worker's thread waits.
async fn serve_blocking(worker: Arc<Worker>, connection: Arc<Connection>, mut socket: UnixStream) {
    let transpiler = worker.lane.transpiler.clone();
    let confined = worker.confined();
    // Only the connection decides how long this task lives.
    drop(worker);
    let mut decoder = FrameDecoder::new();
    loop {
        let frame = match decoder.next_frame() {
            Ok(frame) => frame,
            Err(error) => {
                return connection.close(&format!("it sent what is no frame on the blocking lane: {error}"));
            }
        };
        let Some(frame) = frame else {
            let read = tokio::select! {
                read = socket.read_buf(decoder.buffer_mut()) => read,
                () = connection.closed().cancelled() => return,
            };
            match read {
                Ok(1..) => continue,
                _ => return,
            }
        };
        let Frame::Req { id, m, mut p, plugin } = frame else {
            continue;
        };
        connection.blocking.fetch_add(1, Ordering::Relaxed);
        crate::handles::tag_value(connection.run, &mut p);
        let result = tokio::select! {
            result = async {
                if m == "transpile" {
                    confined.may_read(&p)?;
                    transpiler.serve(&p).await
                } else { inbound::answer(&connection, plugin.as_deref(), &m, p).await }
            } => result,
            () = connection.closed().cancelled() => return,
        };
        connection.blocking.fetch_sub(1, Ordering::Relaxed);
        let bytes = inbound::response(id, result).encode().or_else(|error| {
            let error = chela_plugin::CallError::refused("TOO_LARGE", error.to_string());
            inbound::response(id, Err(error)).encode()
        });
        let Ok(bytes) = bytes else { return };
        let written = tokio::select! {
            written = socket.write_all(&bytes) => written,
            () = connection.closed().cancelled() => return,
        };
        if written.is_err() {
            return;
        }
    }
}
