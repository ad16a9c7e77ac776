//! Requests that need no turn, and connections that do nothing.

use std::time::{Duration, Instant};

use anyhow::Result;
use futures::future::try_join_all;
use serde_json::json;

use super::{Bench, ms};
use crate::client::{Client, Shared};
use crate::gateway::{Gateway, State};
use crate::{http, process};

/// Idle connections.
const CONNECTIONS: usize = 1000;

/// `health` over WebSocket and `/healthz`.
pub async fn requests(bench: &mut Bench) -> Result<()> {
    let state = State::new(bench.setup(Vec::new()))?;
    let gateway = state.start().await?;
    let time = Duration::from_millis(bench.pick(1000, 3000) as u64);
    for at_once in [1, 8, 64] {
        let mut clients = Vec::new();
        for _ in 0..at_once {
            // One after another: a gateway limits how many may be in the handshake.
            clients.push(gateway.client().await?);
        }
        let begun = Instant::now();
        let times = try_join_all(clients.into_iter().map(|client| tokio::spawn(health(client, time)))).await?;
        let times = times.into_iter().collect::<Result<Vec<_>>>()?.concat();
        let case = format!("`health` over WebSocket, {at_once} connections");
        bench.report.samples(&case, "requests/s", "", vec![times.len() as f64 / begun.elapsed().as_secs_f64()]);
        bench.report.latency(&case, "answer", times);
    }
    for at_once in [1, 8, 64] {
        let begun = Instant::now();
        let times = try_join_all((0..at_once).map(|_| tokio::spawn(healthz(gateway.port, time)))).await?;
        let times = times.into_iter().collect::<Result<Vec<_>>>()?.concat();
        let case = format!("`GET /healthz`, {at_once} connections");
        bench.report.samples(&case, "requests/s", "", vec![times.len() as f64 / begun.elapsed().as_secs_f64()]);
        bench.report.latency(&case, "answer", times);
    }
    gateway.stop().await?;
    Ok(())
}

async fn health(mut client: Client, time: Duration) -> Result<Vec<f64>> {
    let (mut times, end) = (Vec::new(), Instant::now() + time);
    while Instant::now() < end {
        let begun = Instant::now();
        client.call("health", json!({})).await?;
        times.push(ms(begun.elapsed()));
    }
    Ok(times)
}

async fn healthz(port: u16, time: Duration) -> Result<Vec<f64>> {
    let mut connection = http::Connection::open(port).await?;
    let (mut times, end) = (Vec::new(), Instant::now() + time);
    while Instant::now() < end {
        let begun = Instant::now();
        let status = connection.send("GET", "/healthz", "").await?;
        anyhow::ensure!(status == 200, "/healthz answered {status}");
        times.push(ms(begun.elapsed()));
    }
    Ok(times)
}

/// Many connections that do nothing.
pub async fn connections(bench: &mut Bench) -> Result<()> {
    let state = State::new(bench.setup(Vec::new()))?;
    let gateway = state.start().await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = process::memory(gateway.pid()).own;
    let begun = Instant::now();
    let clients = open(&gateway).await?;
    let case = format!("{CONNECTIONS} idle connections");
    bench.report.samples(&case, "time to open all, 20 at once", "s", vec![begun.elapsed().as_secs_f64()]);
    tokio::time::sleep(Duration::from_secs(4)).await;
    let after = process::memory(gateway.pid()).own;
    bench.report.samples(&case, "memory for each", "KiB", vec![(after - before) * 1024.0 / CONNECTIONS as f64]);
    bench.report.latency(&case, "`health` beside them", health(gateway.client().await?, Duration::from_secs(1)).await?);
    drop(clients);
    gateway.stop().await?;
    Ok(())
}

async fn open(gateway: &Gateway) -> Result<Vec<Shared>> {
    let mut all = Vec::with_capacity(CONNECTIONS);
    while all.len() < CONNECTIONS {
        // Read in the background, as a client does; else the presence events fill the gateway's queues.
        all.extend(try_join_all((0..20).map(|_| gateway.shared())).await?);
    }
    Ok(all)
}
