//! Many plugins that listen and do nothing: what a hundred of them, with a handler on each of five hooks that a turn waits for, add to a
//! turn. As builtin plugins, as JavaScript in one worker, and as JavaScript in a worker each.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use async_trait::async_trait;
use chela_hooks::{DispatchOptions, HookEngine};
use chela_plugin::builtin::{BuiltinLane, BuiltinPlugin, PluginApi};
use chela_plugin::{
    CallError, HookName, HostCaller, HostServices, Lane, PluginFacts, PluginSpec, RegistrationMode, RegistryBuilder, RegistryInputs,
    WorkerEvent,
};
use serde_json::{Value, json};

use super::turns::{WAITED_FOR, added};
use super::{Bench, ms};
use crate::gateway::State;
use crate::plugins;

/// Longest start of all workers.
const PATIENCE: Duration = Duration::from_secs(300);

/// The three ways.
pub async fn handlers(bench: &mut Bench) -> Result<()> {
    let count = bench.pick(10, 100);
    let builtin = builtin(count, bench.pick(20, 200)).await?;
    bench.report.samples(&format!("{count} builtin plugins, a no-op handler on each of 5 hooks"), "added to a turn", "ms", builtin);
    for (group, how) in [(Some("all"), "in one worker"), (None, "in a worker each")] {
        let made = bench.made.path().join(format!("handlers-{}", group.is_some()));
        let plugins = plugins::many_with_hooks(&made, count, &WAITED_FOR)?;
        let mut setup = bench.setup(plugins);
        setup.group = group.map(str::to_owned);
        let (without, with) = (State::in_memory(bench.setup(Vec::new()))?, State::in_memory(setup)?);
        let (gateway_without, gateway_with) = (without.start().await?, with.start().await?);
        all_run(&gateway_with, count).await?;
        let times = added([&gateway_without, &gateway_with], bench.pick(3, 5)).await?;
        let case = format!("{count} JavaScript plugins {how}, a no-op handler on each of 5 hooks, no disk");
        bench.report.samples(&case, "added to the median turn", "ms", times);
        gateway_without.stop().await?;
        gateway_with.stop().await?;
    }
    Ok(())
}

/// Waits until each of them runs: one that does not would make the rest look quick.
async fn all_run(gateway: &crate::gateway::Gateway, count: usize) -> Result<()> {
    let (begun, mut client) = (Instant::now(), gateway.client().await?);
    loop {
        let list = client.call("plugins.list", json!({})).await?;
        let rows = list["plugins"].as_array().into_iter().flatten();
        let (mut running, mut failed) = (0, Vec::new());
        for row in rows.filter(|row| row["origin"] != "bundled") {
            match row["state"].as_str() {
                Some("running") => running += 1,
                Some("error" | "quarantined") => failed.push(row["error"].to_string()),
                _ => {}
            }
        }
        if running == count {
            return Ok(());
        }
        if begun.elapsed() > PATIENCE || !failed.is_empty() {
            bail!("{running} of {count} plugins run; {failed:?}");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A plugin that listens and does nothing.
struct Silent;

impl BuiltinPlugin for Silent {
    fn manifest(&self) -> &'static str {
        r#"{"id": "silent", "configSchema": {"type": "object"}}"#
    }

    fn register(&self, api: &mut PluginApi) -> Result<(), String> {
        for hook in WAITED_FOR.iter().filter_map(|name| name.parse::<HookName>().ok()) {
            api.on(hook, 0, |_| async { Ok(Value::Null) });
        }
        Ok(())
    }
}

/// A host that nobody asks.
struct Nobody;

#[async_trait]
impl HostServices for Nobody {
    async fn request(&self, _: &HostCaller, method: &str, _: Value) -> Result<Value, CallError> {
        Err(CallError::NotBuilt(method.into()))
    }

    fn note(&self, _: &HostCaller, _: &str, _: Value) {}

    fn worker_event(&self, _: &str, _: WorkerEvent) {}
}

/// The five dispatches of a turn to builtin handlers, in ms. The binary brings no such plugins, so the engine is driven as a turn does.
async fn builtin(count: usize, rounds: usize) -> Result<Vec<f64>> {
    let ids: Vec<String> = (0..count).map(|n| format!("silent-{n:03}")).collect();
    let lane = BuiltinLane::new(ids.iter().map(|id| (id.clone(), Arc::new(Silent) as Arc<dyn BuiltinPlugin>)).collect());
    let policies =
        ids.iter().map(|id| (id.clone(), chela_plugin::HookPolicy { allow_conversation_access: Some(true), ..Default::default() }));
    let mut builder = RegistryBuilder::new(RegistryInputs { policies: policies.collect(), ..RegistryInputs::default() });
    for id in &ids {
        let text = json!({"id": id, "configSchema": {"type": "object"}}).to_string();
        let manifest = chela_manifest::parse_manifest(text.as_bytes()).context("the manifest")?.manifest;
        let started = lane.start(spec(id), Arc::new(Nobody)).await?;
        builder.add(PluginFacts::new(id, id, Arc::new(manifest)), started);
    }
    let engine = HookEngine::new(builder.build());
    let event = json!({"prompt": "hi", "messages": [{"role": "user", "content": "x".repeat(2000)}]});
    let mut times = Vec::new();
    for _ in 0..rounds {
        let begun = Instant::now();
        for hook in WAITED_FOR.iter().filter_map(|name| name.parse::<HookName>().ok()) {
            let done = engine.dispatch(hook, event.clone(), json!({"runId": "r"}), DispatchOptions::default()).await;
            if done.called != count || !done.failures.is_empty() {
                bail!("{hook} reached {} of {count} handlers", done.called);
            }
        }
        times.push(ms(begun.elapsed()));
    }
    Ok(times)
}

fn spec(id: &str) -> PluginSpec {
    PluginSpec {
        id: id.into(),
        name: None,
        version: None,
        description: None,
        kinds: Vec::new(),
        root_dir: "/".into(),
        entry: "/".into(),
        mode: RegistrationMode::Full,
        config: Arc::new(json!({})),
        plugin_config: json!({}),
        workspace_dir: "/".into(),
        state_dir: "/".into(),
        group: None,
        memory_mib: 0,
        env_grants: Vec::new(),
        env: Vec::new(),
        permissions: Default::default(),
        bundled: true,
    }
}
