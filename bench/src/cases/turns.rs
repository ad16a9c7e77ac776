//! Turns against a model that answers at once: what the gateway itself adds, durable commits included.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::Result;
use futures::future::try_join_all;
use serde_json::json;

use super::{Bench, ms};
use crate::client::Shared;
use crate::gateway::{Gateway, State};
use crate::stats::Samples;
use crate::{http, mock, plugins, process};

/// Turns at the same time in the throughput case.
const AT_ONCE: usize = 32;

/// One at a time and many at once.
pub async fn turns(bench: &mut Bench) -> Result<()> {
    let model = model_alone(bench).await?;
    let state = State::new(bench.setup(Vec::new()))?;
    let gateway = state.start().await?;
    let client = Arc::new(gateway.shared().await?);
    warm(&client).await?;
    let count = bench.pick(100, 400);
    let same = one_by_one(&client, count, |_| "same".into()).await?;
    let added = Samples::new(same.clone()).median() - model;
    bench.report.latency("turn, one session", "request to final answer", same);
    bench.report.samples("turn, one session", "median beyond the model's own time", "ms", vec![added]);
    let fresh = one_by_one(&client, count, |n| format!("new-{n}")).await?;
    let added = Samples::new(fresh.clone()).median() - model;
    bench.report.latency("turn, each in a new session", "request to final answer", fresh);
    bench.report.samples("turn, each in a new session", "median beyond the model's own time", "ms", vec![added]);
    for (case, fresh) in [("32 turns at once, 32 sessions", false), ("32 turns at once, each in a new session", true)] {
        let (rate, times) = at_once(&client, bench.pick(500, 2000), fresh).await?;
        bench.report.samples(case, "turns/s", "", rate);
        bench.report.latency(case, "request to final answer", times);
    }
    bench.report.text("after these turns", "resident memory", format!("{:.1} MiB", process::memory(gateway.pid()).own));
    gateway.stop().await?;
    Ok(())
}

/// The model's own time: the same endpoint, called directly.
async fn model_alone(bench: &mut Bench) -> Result<f64> {
    let mut connection = http::Connection::open(bench.model_port).await?;
    let body = json!({"model": "mock-1", "stream": true, "messages": [{"role": "system", "content": "x".repeat(2000)}, {"role": "user", "content": "hi"}]});
    let body = body.to_string();
    let mut times = Vec::new();
    for _ in 0..500 {
        let begun = Instant::now();
        connection.send("POST", mock::PATH, &body).await?;
        times.push(ms(begun.elapsed()));
    }
    let median = Samples::new(times.clone()).median();
    bench.report.latency("the mock model alone", "request to last byte", times);
    Ok(median)
}

async fn warm(client: &Shared) -> Result<()> {
    for n in 0..20 {
        client.turn(&format!("warm-{n}"), "hi").await?;
    }
    Ok(())
}

async fn one_by_one(client: &Shared, count: usize, session: impl Fn(usize) -> String) -> Result<Vec<f64>> {
    let mut times = Vec::with_capacity(count);
    for n in 0..count {
        let key = session(n);
        let begun = Instant::now();
        client.turn(&key, "hi").await?;
        times.push(ms(begun.elapsed()));
    }
    Ok(times)
}

/// Rates of five rounds, and the times of all turns.
async fn at_once(client: &Arc<Shared>, per_round: usize, fresh: bool) -> Result<(Vec<f64>, Vec<f64>)> {
    let (mut rates, mut all) = (Vec::new(), Vec::new());
    for round in 0..5 {
        let next = Arc::new(AtomicUsize::new(0));
        let begun = Instant::now();
        let tasks = (0..AT_ONCE).map(|task| {
            let (client, next) = (client.clone(), next.clone());
            tokio::spawn(async move {
                let mut times = Vec::new();
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= per_round {
                        return anyhow::Ok(times);
                    }
                    let key = if fresh { format!("many-{round}-{n}") } else { format!("of-{task}") };
                    let begun = Instant::now();
                    client.turn(&key, "hi").await?;
                    times.push(ms(begun.elapsed()));
                }
            })
        });
        for times in try_join_all(tasks).await? {
            all.extend(times?);
        }
        rates.push(per_round as f64 / begun.elapsed().as_secs_f64());
    }
    Ok((rates, all))
}

/// Hooks that every turn waits for, one after another.
pub(super) const WAITED_FOR: [&str; 5] =
    ["before_model_resolve", "agent_turn_prepare", "before_prompt_build", "before_agent_start", "before_agent_run"];

/// What JavaScript handlers that do nothing add to a turn: turns in two gateways by turns, both with their state in memory, since the
/// time of a disk sync varies by more than a handler takes.
pub async fn hooks(bench: &mut Bench) -> Result<()> {
    let one = added_by(bench, &WAITED_FOR[2..3]).await?;
    bench.report.samples("one no-op JavaScript hook, no disk", "added to the median turn", "ms", one);
    let all = added_by(bench, &WAITED_FOR).await?;
    let each = all.into_iter().map(|added| added / WAITED_FOR.len() as f64).collect();
    let case = format!("{} no-op JavaScript hooks, no disk", WAITED_FOR.len());
    bench.report.samples(&case, "each adds to the median turn", "ms", each);
    Ok(())
}

/// The difference of the medians, some times over.
async fn added_by(bench: &mut Bench, hooks: &[&str]) -> Result<Vec<f64>> {
    let hook = plugins::no_op_hooks(&bench.made.path().join(format!("hooks-{}", hooks.len())), hooks)?;
    let (without, with) = (State::in_memory(bench.setup(Vec::new()))?, State::in_memory(bench.setup(vec![hook]))?);
    let (gateway_without, gateway_with) = (without.start().await?, with.start().await?);
    gateway_with.wait_plugins(1).await?;
    let differences = added([&gateway_without, &gateway_with], bench.pick(7, 15)).await?;
    gateway_without.stop().await?;
    gateway_with.stop().await?;
    Ok(differences)
}

/// What the second gateway's turns take beyond the first one's: the difference of the medians, once for each round.
pub(super) async fn added(gateways: [&Gateway; 2], rounds: usize) -> Result<Vec<f64>> {
    let clients = [gateways[0].shared().await?, gateways[1].shared().await?];
    for client in &clients {
        warm(client).await?;
    }
    let mut differences = Vec::new();
    for round in 0..rounds {
        let mut times = [Vec::new(), Vec::new()];
        for n in 0..100 {
            // By turns, so that whatever else the machine does falls on both alike.
            for (client, times) in clients.iter().zip(&mut times) {
                times.extend(one_by_one(client, 1, |_| format!("hook-{round}-{}", n / 10)).await?);
            }
        }
        let [plain, hooked] = times.map(|times| Samples::new(times).median());
        differences.push(hooked - plain);
    }
    Ok(differences)
}
