//! Sessions that are open at the shutdown: all must be ended, within the budget.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Result, ensure};
use futures::future::try_join_all;
use serde_json::{Value, json};

use super::{Bench, ms};
use crate::gateway::State;
use crate::plugins;

/// Opens sessions, stops the gateway, and counts what a fast listener was told.
pub async fn drain(bench: &mut Bench) -> Result<()> {
    for count in [100, 2000] {
        for _ in 0..bench.pick(1, 3) {
            once(bench, count).await?;
        }
    }
    Ok(())
}

async fn once(bench: &mut Bench, count: usize) -> Result<()> {
    let mut setup = bench.setup(vec![plugins::fixture(&bench.fixtures, "session-recorder")]);
    let log = bench.made.path().join(format!("sessions-{}", uuid::Uuid::new_v4()));
    setup.env.push(("SESSION_RECORDER_LOG".into(), log.to_string_lossy().into_owned()));
    let state = State::new(setup)?;
    let gateway = state.start().await?;
    gateway.wait_plugins(1).await?;
    let client = Arc::new(gateway.shared().await?);
    let (next, begun) = (Arc::new(AtomicUsize::new(0)), Instant::now());
    let makers = (0..16).map(|_| {
        let (client, next) = (client.clone(), next.clone());
        tokio::spawn(async move {
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= count {
                    return anyhow::Ok(());
                }
                client.call("sessions.reset", json!({"key": format!("agent:main:drain-{n}"), "reason": "new"}), false).await?;
            }
        })
    });
    for made in try_join_all(makers).await? {
        made?;
    }
    let case = format!("{count} open sessions");
    bench.report.samples(&case, "time to open each, 16 at once", "ms", vec![ms(begun.elapsed()) / count as f64]);
    let stopped = gateway.stop().await?;
    let (started, ended) = told(&log)?;
    bench.report.samples(&case, "SIGTERM to exit", "ms", vec![ms(stopped)]);
    bench.report.text(&case, "started, and told of the end at shutdown", format!("{started}, {ended}"));
    ensure!(started == count, "{started} of {count} sessions were announced");
    Ok(())
}

/// Distinct sessions of the starts, and of the ends by shutdown.
fn told(log: &std::path::Path) -> Result<(usize, usize)> {
    let text = fs_err::read_to_string(log)?;
    let events: Vec<Value> = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let of = |name: &str| events.iter().filter(|e| e["event"] == name).collect::<Vec<_>>();
    let ids = |events: Vec<&Value>| events.iter().map(|e| e["sessionId"].to_string()).collect::<HashSet<_>>().len();
    let ended = of("session_end").into_iter().filter(|e| e["reason"] == "shutdown").collect();
    Ok((ids(of("session_start")), ids(ended)))
}
