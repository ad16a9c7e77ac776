//! The node lane by itself: real workers under the real guard, driven by the real hook engine, without a gateway around them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use async_trait::async_trait;
use chela_hooks::{DispatchOptions, HookEngine};
use chela_node::{NodeLane, NodeLaneOptions, NodePlugin};
use chela_plugin::{
    CallError, HookName, HostCaller, HostServices, PluginControl, PluginFacts, PluginSpec, RegistrationMode, RegistryBuilder,
    RegistryInputs, StartedPlugin, WorkerEvent,
};
use futures::future::join_all;
use serde_json::{Value, json};

use super::{Bench, ms};
use crate::plugins::{self, Plugin};
use crate::process;

/// Workers whose memory is read.
const WORKERS: usize = 16;
/// Dispatches under way in the throughput case.
const AT_ONCE: usize = 64;

/// A host that plugins of this case ask for nothing.
#[derive(Debug)]
struct Nobody;

#[async_trait]
impl HostServices for Nobody {
    async fn request(&self, _: &HostCaller, method: &str, _: Value) -> Result<Value, CallError> {
        Err(CallError::NotBuilt(method.into()))
    }

    fn note(&self, _: &HostCaller, _: &str, _: Value) {}

    fn worker_event(&self, _: &str, _: WorkerEvent) {}
}

/// A plugin in its worker.
struct Running {
    id: String,
    plugin: Arc<NodePlugin>,
    started: StartedPlugin,
}

/// Start, memory, round trip, throughput, and a plugin that is too slow for its host.
pub async fn lane(bench: &mut Bench) -> Result<()> {
    let dir = bench.made.path().join("lane");
    let mut options = NodeLaneOptions::new(dir.join("state"), std::env::vars().collect(), "2026.6.11");
    options.guard = Some(bench.binary.clone());
    fs_err::create_dir_all(&options.state_dir)?;
    let lane = NodeLane::new(options);
    start_and_memory(bench, &lane, &dir).await?;
    hooks(bench, &lane, &dir).await?;
    slow(bench, &lane, &dir).await
}

async fn start_and_memory(bench: &mut Bench, lane: &NodeLane, dir: &std::path::Path) -> Result<()> {
    let made = plugins::idle(&dir.join("idle"), WORKERS + 1, false)?;
    // The first one finds no compile cache.
    let first = start(lane, dir, &made[WORKERS]).await?;
    bench.report.text("worker start, first ever", "spawn to registered", format!("{:.0} ms", ms(first.1)));
    first.0.plugin.stop("measured", Duration::from_secs(5)).await;
    let (mut running, mut times) = (Vec::new(), Vec::new());
    for plugin in &made[..WORKERS] {
        let (one, time) = start(lane, dir, plugin).await?;
        running.push(one);
        times.push(ms(time));
    }
    bench.report.samples("worker start", "spawn to registered", "ms", times);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let memory = process::memory(std::process::id());
    let case = format!("{WORKERS} trivial plugins running");
    bench.report.text(&case, "proportional memory each, guards included", format!("{:.1} MiB", memory.workers / WORKERS as f64));
    stop(running).await;
    Ok(())
}

async fn hooks(bench: &mut Bench, lane: &NodeLane, dir: &std::path::Path) -> Result<()> {
    let plugin = plugins::no_op_hooks(&dir.join("noop"), &["before_prompt_build"])?;
    let (running, _) = start(lane, dir, &plugin).await?;
    let engine = engine(&running)?;
    let (one, count) = (engine.clone(), bench.pick(2000, 20_000));
    // In a task, as turns are.
    let times = tokio::spawn(async move {
        for _ in 0..2000 {
            dispatch(&one).await;
        }
        let mut times = Vec::new();
        for _ in 0..count {
            let begun = Instant::now();
            dispatch(&one).await;
            times.push(ms(begun.elapsed()));
        }
        times
    });
    let times = times.await?;
    bench.report.latency("JavaScript hook, one after another", "dispatch to result", times);
    let mut rates = Vec::new();
    for _ in 0..5 {
        let left = AtomicUsize::new(bench.pick(10_000, 50_000));
        let total = left.load(Ordering::Relaxed);
        let begun = Instant::now();
        join_all((0..AT_ONCE).map(|_| async {
            while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_ok() {
                dispatch(&engine).await;
            }
        }))
        .await;
        rates.push(total as f64 / begun.elapsed().as_secs_f64());
    }
    bench.report.samples(&format!("JavaScript hooks, {AT_ONCE} at once, one worker"), "calls/s", "", rates);
    stop(vec![running]).await;
    Ok(())
}

/// A plugin that keeps its event loop busy while its host has much to tell it.
async fn slow(bench: &mut Bench, lane: &NodeLane, dir: &std::path::Path) -> Result<()> {
    let body = "api.on('before_prompt_build', () => { const end = Date.now() + 20; while (Date.now() < end); });";
    let plugin = plugins::with_body(&dir.join("slow"), "bench-slow", body)?;
    let (running, _) = start(lane, dir, &plugin).await?;
    let engine = engine(&running)?;
    let text = "x".repeat(256 * 1024);
    let before = process::memory(std::process::id()).own;
    let (calls, failed) = (bench.pick(500, 2000), AtomicUsize::new(0));
    let peak = AtomicUsize::new(0);
    join_all((0..calls).map(|_| async {
        let event = json!({ "prompt": text, "messages": [] });
        let options = DispatchOptions { budget_override: Some(Duration::from_secs(2)), ..DispatchOptions::default() };
        let done = engine.dispatch(HookName::BeforePromptBuild, event, context(), options).await;
        failed.fetch_add(usize::from(!done.failures.is_empty()), Ordering::Relaxed);
        peak.fetch_max(process::memory(std::process::id()).own as usize, Ordering::Relaxed);
    }))
    .await;
    let case = format!("a plugin that takes 20 ms, {calls} hooks of 256 KiB at once");
    let grown = peak.load(Ordering::Relaxed) as f64 - before;
    bench.report.text(&case, "refused or out of time", format!("{} of {calls}", failed.load(Ordering::Relaxed)));
    bench.report.text(&case, "growth of the host at its peak", format!("{grown:.0} MiB"));
    stop(vec![running]).await;
    Ok(())
}

fn engine(running: &Running) -> Result<Arc<HookEngine>> {
    let manifest = json!({ "id": running.id, "configSchema": {} }).to_string();
    let manifest = chela_manifest::parse_manifest(manifest.as_bytes()).context("the manifest")?.manifest;
    let mut builder = RegistryBuilder::new(RegistryInputs::default());
    builder.add(PluginFacts::new(&running.id, &running.id, Arc::new(manifest)), running.started.clone());
    Ok(HookEngine::new(builder.build()))
}

fn context() -> Value {
    json!({ "agentId": "main", "sessionKey": "agent:main:bench", "sessionId": "s", "runId": "r", "workspaceDir": "/tmp" })
}

async fn dispatch(engine: &HookEngine) {
    let event = json!({ "prompt": "hi", "messages": [{ "role": "user", "content": "hi" }] });
    engine.dispatch(HookName::BeforePromptBuild, event, context(), DispatchOptions::default()).await;
}

async fn start(lane: &NodeLane, dir: &std::path::Path, plugin: &Plugin) -> Result<(Running, Duration)> {
    let spec = PluginSpec {
        id: plugin.id.clone(),
        name: None,
        version: None,
        description: None,
        kinds: Vec::new(),
        root_dir: plugin.dir.clone(),
        entry: plugin.dir.join("index.js"),
        mode: RegistrationMode::Full,
        config: Arc::new(json!({})),
        plugin_config: json!({}),
        workspace_dir: dir.into(),
        state_dir: dir.join("state"),
        group: None,
        memory_mib: 512,
        env_grants: Vec::new(),
        env: Vec::new(),
        permissions: Default::default(),
        bundled: false,
    };
    let begun = Instant::now();
    let (node, started) = lane.start_plugin(spec, Arc::new(Nobody)).await?;
    Ok((Running { id: plugin.id.clone(), plugin: node, started }, begun.elapsed()))
}

async fn stop(running: Vec<Running>) {
    join_all(running.iter().map(|one| one.plugin.stop("measured", Duration::from_secs(5)))).await;
}
