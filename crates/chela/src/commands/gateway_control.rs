//! `chela gateway stop` and `restart` (GW-144, GW-161).

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::cli::gateway::{RestartArgs, StopArgs};
use crate::client::{self, ClientError, Purpose, Target};
use crate::context::{Context, block_on};
use crate::lockfile::{self, LockState};
use crate::output;
use crate::report::Failure;

/// Time between two looks for the gateway's return.
const POLL: Duration = Duration::from_millis(50);

/// Ends the gateway that holds this config's lock, and waits for it. None running is no failure.
///
/// # Errors
/// When it cannot be signalled or does not end in time.
pub fn stop(ctx: &Context, args: &StopArgs) -> Result<(), Failure> {
    let state = lockfile::look(&ctx.paths);
    let Some(pid) = state.pid() else {
        return say(args.json, "stop", "not-running", not_running(&state), None);
    };
    let started = Instant::now();
    lockfile::signal(pid, Signal::TERM)
        .map_err(|error| Failure::new(format!("cannot stop the gateway with pid {pid}")).cause(error.to_string()))?;
    if !lockfile::wait_gone(&ctx.paths, pid, Duration::from_millis(args.timeout)) {
        return Err(Failure::new(format!("the gateway with pid {pid} still runs after {} ms", args.timeout))
            .hint(format!("look at `chela logs`, or end it with `kill -9 {pid}`; the next start repairs what is open")));
    }
    let message = format!("Stopped the gateway with pid {pid} in {} ms", started.elapsed().as_millis());
    say(args.json, "stop", "stopped", &message, Some(pid))
}

/// Asks the gateway to restart in its process and waits until it answers again. When it cannot be asked, it gets `SIGUSR1`.
///
/// # Errors
/// When none runs, when it refuses, when it does not come back in time.
pub fn restart(ctx: &Context, args: &RestartArgs) -> Result<(), Failure> {
    let (config, _) = ctx.config_lenient()?;
    let target = client::target(ctx, &config, &args.target)?;
    let state = lockfile::look(&ctx.paths);
    let pid = state.pid().filter(|_| args.target.url.is_none());
    let asked_at = Instant::now();
    let asked = block_on(async { Ok(ask(ctx, &target, args).await) })?;
    match (asked, pid) {
        (Ok(()), _) => {}
        (Err(error), Some(pid)) if error.is_connection() => {
            lockfile::signal(pid, Signal::USR1)
                .map_err(|error| Failure::new(format!("cannot signal the gateway with pid {pid}")).cause(error.to_string()))?;
        }
        (Err(ClientError::Unreachable { .. }), None) if args.target.url.is_none() => {
            return Err(Failure::new(not_running(&state)).hint("start it with `chela gateway run`"));
        }
        (Err(error), _) => return Err(error.into()),
    }
    let limit = Duration::from_millis(args.timeout) + Duration::from_millis(args.wait.unwrap_or(0));
    block_on(async { wait_back(ctx, &target, pid, asked_at, limit).await })?;
    let message = format!("Restarted the gateway in {} ms", asked_at.elapsed().as_millis());
    say(args.json, "restart", "restarted", &message, lockfile::look(&ctx.paths).pid())
}

async fn ask(ctx: &Context, target: &Target, args: &RestartArgs) -> Result<(), ClientError> {
    let mut params = json!({"reason": "command line"});
    if args.skip_deferral {
        params["skipDeferral"] = true.into();
    }
    if args.force {
        params["force"] = true.into();
    }
    if let Some(wait) = args.wait {
        params["wait"] = wait.into();
    }
    client::call(ctx, target, Purpose::Call, "gateway.restart.request", params, Duration::from_secs(5)).await.map(|_| ())
}

/// A gateway that has been up for less time than has passed since the request is the new one.
async fn wait_back(ctx: &Context, target: &Target, pid: Option<u32>, asked_at: Instant, limit: Duration) -> Result<(), Failure> {
    loop {
        if let Ok(connection) = client::connect(ctx, target, Purpose::Probe, Duration::from_secs(1)).await {
            let uptime = connection.hello["snapshot"]["uptimeMs"].as_u64().map(Duration::from_millis);
            connection.close().await;
            if uptime.is_some_and(|uptime| uptime < asked_at.elapsed()) {
                return Ok(());
            }
        }
        if pid.is_some_and(|pid| !lockfile::is_alive(pid)) && lockfile::look(&ctx.paths).pid().is_none() {
            return Err(Failure::new("the gateway ended and did not start again")
                .hint("look at `chela logs`, and start it with `chela gateway run`"));
        }
        if asked_at.elapsed() >= limit {
            return Err(Failure::new(format!("the gateway at `{}` did not come back within {} s", target.url, limit.as_secs_f64()))
                .hint("look at `chela logs`; it may wait for active work"));
        }
        tokio::time::sleep(POLL).await;
    }
}

fn not_running(state: &LockState) -> &'static str {
    match state {
        LockState::Stale { .. } => "no gateway runs with this config; the last one did not end by itself",
        _ => "no gateway runs with this config",
    }
}

fn say(as_json: bool, action: &str, result: &str, message: &str, pid: Option<u32>) -> Result<(), Failure> {
    if !as_json {
        return output::text(message);
    }
    let mut out = json!({"action": action, "ok": true, "result": result, "message": message});
    if let Some(pid) = pid {
        out["pid"] = Value::from(pid);
    }
    output::json(&out)
}
