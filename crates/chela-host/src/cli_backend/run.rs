//! One run of a backend's program: environment, prompt, watchdog, and an end for all that it started (HAR-78, HAR-89, HAR-109..115).

use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use chela_config::Env;
use chela_models::CancellationToken;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

use super::config::{Backend, Plan};

/// Most output that is read; what is over it is thrown away (HAR-96).
const MOST_OUTPUT: usize = 1024 * 1024;
/// Longest run, however much it says.
const RUN_BUDGET: Duration = Duration::from_secs(60 * 60);

/// A run that ended by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Done {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    /// Standard output was longer than is read.
    pub cut: bool,
}

/// A run that did not.
#[derive(Debug)]
pub(super) enum RunError {
    Cancelled,
    Stalled(String),
    Failed(String),
}

/// Kills the program and all that it started in its group, however the run ends.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(pid) = self.0.id().and_then(|id| rustix::process::Pid::from_raw(id as i32)) {
            let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
        }
    }
}

pub(super) async fn run(
    plan: &Plan,
    backend: &Backend,
    bridge: &Value,
    env: &Env,
    workspace: &Path,
    cancel: &CancellationToken,
) -> Result<Done, RunError> {
    let failed = |text: String| RunError::Failed(text);
    let system_file = match &plan.system_file {
        Some((_, text)) => Some(private_file(text).map_err(|e| failed(format!("the system prompt could not be written: {e}")))?),
        None => None,
    };
    let mut command = Command::new(&backend.command);
    command.args(plan.arguments(system_file.as_ref().map(tempfile::NamedTempFile::path)));
    environment(&mut command, backend, bridge, env);
    if workspace.is_dir() {
        command.current_dir(workspace);
    }
    command.stdin(if plan.stdin.is_some() { Stdio::piped() } else { Stdio::null() });
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).kill_on_drop(true);
    let child = command.spawn().map_err(|e| failed(format!("`{}` could not be run: {e}; is it installed?", backend.command)))?;
    let mut group = Group(child);
    if let (Some(mut stdin), Some(text)) = (group.0.stdin.take(), plan.stdin.clone()) {
        tokio::spawn(async move { stdin.write_all(text.as_bytes()).await });
    }
    let silence = if plan.resumed { backend.silence.1 } else { backend.silence.0 };
    let (alive, mut seen) = mpsc::channel::<()>(1);
    let (out, err) = (group.0.stdout.take(), group.0.stderr.take());
    let reads = futures::future::join(read(out, alive.clone()), read(err, alive));
    let watch = async {
        while let Ok(Some(())) = tokio::time::timeout(silence, seen.recv()).await {}
        // Closed output is the end, not a stall.
        if seen.is_closed() && seen.is_empty() {
            std::future::pending::<()>().await
        }
    };
    let work = async { futures::future::join(reads, group.0.wait()).await };
    let ended = tokio::select! {
        done = work => done,
        () = watch => return Err(RunError::Stalled(format!("it said nothing for {} s and was stopped", silence.as_secs()))),
        () = tokio::time::sleep(RUN_BUDGET) => return Err(RunError::Stalled(format!("it ran longer than {} s and was stopped", RUN_BUDGET.as_secs()))),
        () = cancel.cancelled() => return Err(RunError::Cancelled),
    };
    let (((stdout, cut), (stderr, _)), status) = ended;
    let status = status.map_err(|e| failed(format!("its end could not be learned: {e}")))?;
    Ok(Done { code: status.code(), stdout, stderr, cut })
}

fn private_file(text: &str) -> std::io::Result<tempfile::NamedTempFile> {
    let mut file = tempfile::NamedTempFile::new()?;
    file.write_all(text.as_bytes())?;
    file.flush()?;
    Ok(file)
}

/// The gateway's environment without its own secrets and what the backend clears, with what backend and bridge set (HAR-78).
fn environment(command: &mut Command, backend: &Backend, bridge: &Value, env: &Env) {
    let bridge_clear = bridge.get("clearEnv").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let cleared: Vec<&str> = backend.clear_env.iter().map(String::as_str).chain(bridge_clear).collect();
    command.env_clear();
    let own = |name: &str| name.starts_with("OPENCLAW_") || name.starts_with("CHELA_");
    command.envs(env.iter().filter(|(name, _)| !cleared.contains(name) && !own(name)));
    command.envs(&backend.env);
    let extra = bridge.get("env").and_then(Value::as_object).into_iter().flatten();
    command.envs(extra.filter_map(|(name, value)| Some((name, value.as_str()?))));
}

/// The text, and whether some of it was thrown away.
async fn read(stream: Option<impl AsyncRead + Unpin>, alive: mpsc::Sender<()>) -> (String, bool) {
    let Some(mut stream) = stream else { return (String::new(), false) };
    let (mut bytes, mut cut) = (Vec::new(), false);
    let mut piece = vec![0; 16 * 1024];
    while let Ok(size) = stream.read(&mut piece).await {
        if size == 0 {
            break;
        }
        let _ = alive.try_send(());
        let room = MOST_OUTPUT.saturating_sub(bytes.len());
        cut |= size > room;
        bytes.extend_from_slice(&piece[..size.min(room)]);
    }
    (String::from_utf8_lossy(&bytes).into_owned(), cut)
}
