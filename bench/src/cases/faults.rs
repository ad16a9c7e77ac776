//! Misbehaving plugins: how long `health` takes meanwhile, how the turn ends, and what is left afterwards.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::{Value, json};

use super::{Bench, ms};
use crate::client::{Client, Shared};
use crate::gateway::{Gateway, State, TOKEN};
use crate::stats::Samples;
use crate::{plugins, process};

/// A fixture and what makes it misbehave.
struct Fault {
    name: &'static str,
    fixture: &'static str,
    config: Value,
    env: &'static [(&'static str, &'static str)],
    message: &'static str,
}

fn all() -> Vec<Fault> {
    let fault = |name, fixture, config| Fault { name, fixture, config, env: &[], message: "hi" };
    vec![
        fault("throws in a hook", "fault-throw", json!({"where": "hook"})),
        fault("throws in a timer", "fault-throw", json!({"where": "timer"})),
        fault("rejects, nobody handles it", "fault-reject", json!({"everyMs": 50})),
        fault("exits in a hook", "fault-exit", json!({})),
        fault("kills itself", "fault-selfkill", json!({})),
        fault("spins in a hook", "fault-spin", json!({})),
        fault("floods its pipe", "fault-flood", json!({})),
        fault("leaks to its memory cap", "fault-leak", json!({"megabytes": 64})),
        fault("forks children", "fault-fork", json!({})),
        Fault { env: &[("CHELA_TEST_PROTOCOL_VERSION", "9.0")], ..fault("lies about its version", "fault-lie", json!({})) },
        Fault { message: "[[tool:die_midcall {}]]", ..fault("dies in a tool call", "fault-die-midcall", json!({})) },
        fault("never answers a hook", "fault-hang", json!({})),
    ]
}

/// Every fault in a gateway of its own.
pub async fn faults(bench: &mut Bench) -> Result<()> {
    for fault in all() {
        once(bench, fault).await?;
    }
    Ok(())
}

async fn once(bench: &mut Bench, fault: Fault) -> Result<()> {
    let mut setup = bench.setup(vec![plugins::fixture(&bench.fixtures, fault.fixture)]);
    setup.plugin_config.insert(fault.fixture.into(), fault.config);
    setup.env.extend(fault.env.iter().map(|(k, v)| ((*k).into(), (*v).into())));
    let pids = bench.made.path().join("fork-pids");
    setup.env.push(("FAULT_FORK_PIDS".into(), pids.to_string_lossy().into_owned()));
    let state = State::new(setup)?;
    let gateway = state.start().await?;
    let time = Duration::from_secs(bench.pick(4, 12) as u64);
    let watch = tokio::spawn(watch(gateway.port, time));
    gateway.wait_plugins(1).await?;
    let client = gateway.shared().await?;
    let begun = Instant::now();
    let turn = turn(&client, fault.message, time).await;
    let turn = format!("{turn} after {:.0} ms", ms(begun.elapsed()));
    let health = Samples::new(watch.await??);
    let state_of_plugin = plugin_state(&gateway, fault.fixture).await?;
    let stopped = gateway.stop().await?;
    let left = fs_err::read_to_string(&pids).unwrap_or_default().lines().filter(|p| p.parse().is_ok_and(process::alive)).count();
    let _ = fs_err::remove_file(&pids);
    let value = format!(
        "longest `health` {:.1} ms (p50 {:.2}); turn {turn}; plugin {state_of_plugin}; stop {:.0} ms; {left} processes left",
        health.max(),
        health.median(),
        ms(stopped),
    );
    bench.report.text(&format!("plugin {}", fault.name), "gateway", value);
    Ok(())
}

/// Asks for `health` again and again, on a connection of its own.
async fn watch(port: u16, time: Duration) -> Result<Vec<f64>> {
    let mut client = Client::connect(port, TOKEN).await?;
    let (mut times, end) = (Vec::new(), Instant::now() + time);
    while Instant::now() < end {
        let begun = Instant::now();
        client.call("health", json!({})).await?;
        times.push(ms(begun.elapsed()));
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Ok(times)
}

/// A turn through `chat.send`, which passes the message hooks; told in a word.
async fn turn(client: &Shared, message: &str, time: Duration) -> String {
    let key = uuid::Uuid::new_v4().to_string();
    let params = json!({"sessionKey": "agent:main:fault", "message": message, "idempotencyKey": key});
    if let Err(error) = client.call("chat.send", params, false).await {
        return format!("refused ({error})");
    }
    let wait = json!({"runId": key, "timeoutMs": time.as_millis() as u64});
    match client.call("agent.wait", wait, false).await {
        Ok(done) => done["status"].as_str().unwrap_or("without a status").to_string(),
        Err(error) => format!("lost ({error})"),
    }
}

async fn plugin_state(gateway: &Gateway, id: &str) -> Result<String> {
    let list = gateway.client().await?.call("plugins.list", json!({})).await?;
    let plugin = list["plugins"].as_array().into_iter().flatten().find(|p| p["id"] == id).cloned().unwrap_or_default();
    let state = plugin["state"].as_str().unwrap_or("unknown");
    Ok(format!("{state} after {} restarts", plugin["restarts"].as_u64().unwrap_or(0)))
}
