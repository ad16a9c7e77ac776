//! `api.runtime.system` (RT-109..116).

use std::process::Stdio;
use std::time::Duration;

use chela_agent::system_events::SystemEvent;
use chela_plugin::CallError;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

use super::{Reply, Request, failed};

/// Most output of one command that is kept, in bytes for each stream.
const MAX_OUTPUT: u64 = 8 * 1024 * 1024;
/// Longest run of a command.
const MAX_TIMEOUT_MS: u64 = 60 * 60 * 1000;

pub(super) async fn serve(request: &Request<'_>) -> Reply {
    match request.method {
        "host.system.runCommandWithTimeout" => run_command(request).await,
        "host.system.enqueueSystemEvent" => enqueue(request),
        "host.system.systemEvents" => waiting(request),
        "host.system.requestHeartbeat" => {
            gateway_only(request)?;
            let done = crate::heartbeat::request(request.host, &request.params);
            done.map(|()| Value::Null).map_err(|text| CallError::refused("INVALID_PARAMS", text))
        }
        "host.system.runHeartbeatOnce" => {
            gateway_only(request)?;
            let target = request.params["heartbeat"]["target"].as_str();
            let beat = request.host.beat(request.optional("agentId"), request.optional("sessionKey"), "manual", target).await;
            Ok(beat.to_json())
        }
        other => Err(CallError::NotBuilt(other.into())),
    }
}

/// Heartbeats are the gateway's.
fn gateway_only(request: &Request<'_>) -> Result<(), CallError> {
    if request.host.is_gateway() {
        return Ok(());
    }
    Err(CallError::refused("NO_GATEWAY", format!("`{}` works inside a running gateway; use `chela gateway call wake`", request.method)))
}

/// RT-109, RT-110.
fn enqueue(request: &Request<'_>) -> Reply {
    let default = request.host.runtime.settings().agents.default_id.clone();
    let key = chela_store::session_key::canonicalize(request.text("sessionKey")?, &default);
    let event = SystemEvent {
        text: request.optional("text").unwrap_or_default().to_owned(),
        at_ms: jiff::Timestamp::now().as_millisecond(),
        context_key: request.optional("contextKey").map(str::to_owned),
        delivery_context: request.params.get("deliveryContext").filter(|context| context.is_object()).cloned(),
        trusted: request.params.get("trusted") != Some(&Value::Bool(false)),
    };
    Ok(json!(request.host.runtime.system_events.enqueue(&key, event)))
}

/// `({sessionKey})` -> what waits for the session's next turn, in the reference's shape; it stays.
fn waiting(request: &Request<'_>) -> Reply {
    let default = request.host.runtime.settings().agents.default_id.clone();
    let key = chela_store::session_key::canonicalize(request.text("sessionKey")?, &default);
    let row = |event: SystemEvent| {
        let mut row = json!({"text": event.text, "ts": event.at_ms, "contextKey": event.context_key, "trusted": event.trusted});
        if let Some(place) = event.delivery_context {
            row["deliveryContext"] = place;
        }
        row
    };
    Ok(request.host.runtime.system_events.peek(&key).into_iter().map(row).collect())
}

/// RT-115. The command is the plugin's: it gets no more of the environment than the plugin passes.
async fn run_command(request: &Request<'_>) -> Reply {
    let argv: Vec<&str> = request.params.get("argv").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let [program, args @ ..] = argv.as_slice() else { return Err(CallError::refused("INVALID_PARAMS", "`argv` needs a program")) };
    let Some(limit) = request.params.get("timeoutMs").and_then(Value::as_u64) else {
        return Err(CallError::refused("INVALID_PARAMS", "`timeoutMs` is required"));
    };
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).env_clear();
    for name in ["PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "OPENCLAW_STATE_DIR", "OPENCLAW_CONFIG_PATH", "OPENCLAW_PROFILE"] {
        if let Some(value) = request.host.env.get(name) {
            command.env(name, value);
        }
    }
    for (name, value) in request.params.get("env").and_then(Value::as_object).into_iter().flatten() {
        if let Some(value) = value.as_str() {
            command.env(name, value);
        }
    }
    if let Some(dir) = request.optional("cwd") {
        command.current_dir(dir);
    }
    let mut child = command.spawn().map_err(|e| failed(format!("could not run `{program}`: {e}")))?;
    let pid = child.id();
    if let (Some(mut stdin), Some(input)) = (child.stdin.take(), request.optional("input").map(str::to_string)) {
        tokio::spawn(async move { stdin.write_all(input.as_bytes()).await });
    }
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let reads = futures::future::join(read(stdout), read(stderr));
    let work = async { futures::future::join(child.wait(), reads).await };
    let done = tokio::time::timeout(Duration::from_millis(limit.min(MAX_TIMEOUT_MS)), work).await;
    Ok(match done {
        Ok((status, (out, err))) => {
            let code = status.map_err(failed)?.code();
            json!({"pid": pid, "stdout": out, "stderr": err, "code": code, "signal": null, "killed": false, "termination": "exit"})
        }
        // Dropping the work kills the child (`kill_on_drop`).
        Err(_) => {
            json!({"pid": pid, "stdout": "", "stderr": "", "code": null, "signal": "SIGKILL", "killed": true, "termination": "timeout"})
        }
    })
}

async fn read(stream: Option<impl tokio::io::AsyncRead + Unpin>) -> String {
    let mut bytes = Vec::new();
    if let Some(stream) = stream {
        let _ = stream.take(MAX_OUTPUT).read_to_end(&mut bytes).await;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
