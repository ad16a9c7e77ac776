//! What needs plugin code in this process: `plugins inspect --runtime` without a gateway, and commands of plugins.

use std::sync::Arc;
use std::time::Duration;

use chela_agent::{RunEvent, RunRef, RunSink};
use chela_catalog::{Lane, RuntimeFacts, Snapshot};
use chela_config::Config;
use chela_host::{Host, HostOptions, Purpose};
use chela_plugin::{Adapter, Call, Touch};
use serde_json::json;

use crate::context::Context;
use crate::report::Failure;

/// Longest start of a plugin for a look at it.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long workers may take to end.
const GRACE: Duration = Duration::from_millis(500);

/// A command shows no run.
pub(super) struct Silent;

impl RunSink for Silent {
    fn emit(&self, _run: &RunRef, _event: RunEvent) {}
}

/// Opens a host for one command.
pub(super) fn open(
    ctx: &Context,
    config: Config,
    sink: Arc<dyn RunSink>,
    purpose: Purpose,
    inherit_output: bool,
) -> Result<Arc<Host>, Failure> {
    let opened = Host::open(HostOptions {
        paths: ctx.paths.clone(),
        env: ctx.env.clone(),
        config: Arc::new(config),
        sink,
        purpose,
        core_methods: chela_gateway_protocol::methods::METHODS.iter().map(|m| m.name.to_string()).collect(),
        cli_commands: crate::cli::command_names().into_iter().collect(),
        guard: None,
        inherit_output,
        observer: None,
        preload: None,
    });
    opened.map_err(|error| {
        Failure::new(error.to_string())
            .hint("a running gateway holds the state: ask it (leave `--local` out), or stop it with `chela gateway stop`")
    })
}

/// Loads one plugin, or all, and gathers what they register; nothing of it is kept running (INS-321).
///
/// # Errors
/// When no plugin host can be had. A plugin that fails is a fact, not an error.
pub fn facts(ctx: &Context, config: &Config, ids: &[String]) -> Result<Vec<(String, RuntimeFacts)>, Failure> {
    crate::context::block_on(async {
        let host = open(ctx, config.clone(), Arc::new(Silent), Purpose::Inspect, false)?;
        host.manager.begin_plugins(ids);
        host.manager.settle(PATIENCE).await;
        let facts = ids.iter().map(|id| (id.clone(), host.runtime_facts(id))).collect();
        host.close(GRACE).await;
        Ok(facts)
    })
}

/// Runs a command of a plugin that its manifest declares; `words` begins with its name (API-182).
///
/// # Errors
/// When the plugin cannot be loaded; the command's own failure.
pub fn cli_command(ctx: &Context, config: Config, owner: &str, words: &[String]) -> Result<(), Failure> {
    crate::context::block_on(async {
        let host = open(ctx, config, Arc::new(Silent), Purpose::PluginCommand, true)?;
        host.serve_nodes(Box::new(super::plugin_nodes::RemoteNodes::new(ctx)));
        host.manager.begin_plugins(&[owner.to_string()]);
        host.manager.settle(PATIENCE).await;
        let result = match call(&host, words).await {
            Some(result) => result,
            None => Err(not_registered(&host, owner, &words[0])),
        };
        host.close(GRACE).await;
        result
    })
}

/// Looks for a command that no manifest declares among what the enabled plugins register, below parent commands too (API-059, API-175).
/// `None` when no plugin has it.
///
/// # Errors
/// When no plugin host can be had. The command's own failure is inside.
pub fn search_cli_command(
    ctx: &Context,
    config: Config,
    snapshot: &Snapshot,
    words: &[String],
) -> Result<Option<Result<(), Failure>>, Failure> {
    let native = snapshot.plugins.iter().filter(|p| p.enabled && p.lane == Lane::Node);
    let ids: Vec<String> = native.map(|p| p.id.clone()).collect();
    if ids.is_empty() {
        return Ok(None);
    }
    crate::context::block_on(async {
        let host = open(ctx, config, Arc::new(Silent), Purpose::PluginCommand, true)?;
        host.serve_nodes(Box::new(super::plugin_nodes::RemoteNodes::new(ctx)));
        host.manager.begin_plugins(&ids);
        host.manager.settle(PATIENCE).await;
        let result = call(&host, words).await;
        host.close(GRACE).await;
        Ok(result)
    })
}

/// Loads one plugin and tells what it touched meanwhile, when its config says that it is watched.
///
/// # Errors
/// When no plugin host can be had, or the plugin does not load.
pub fn touched(ctx: &Context, config: Config, id: &str) -> Result<Vec<Touch>, Failure> {
    crate::context::block_on(async {
        let host = open(ctx, config, Arc::new(Silent), Purpose::Inspect, false)?;
        host.manager.begin_plugins(&[id.to_owned()]);
        host.manager.settle(PATIENCE).await;
        let status = host.plugin_statuses().into_iter().find(|status| status.id == id);
        let error = host.runtime_facts(id).error;
        host.close(GRACE).await;
        if let Some(error) = error {
            return Err(Failure::new(format!("plugin `{id}` was not loaded")).cause(error));
        }
        Ok(status.and_then(|status| status.worker.sandbox).map(|sandbox| sandbox.touched).unwrap_or_default())
    })
}

fn not_registered(host: &Host, owner: &str, name: &str) -> Failure {
    let failure = Failure::new(format!("plugin `{owner}` registered no command `{name}`"))
        .hint(format!("see `chela plugins inspect {owner} --runtime`"));
    match host.runtime_facts(owner).error {
        Some(error) => failure.cause(error),
        None => failure,
    }
}

/// Runs the command with the longest path that the words begin with.
async fn call(host: &Arc<Host>, words: &[String]) -> Option<Result<(), Failure>> {
    let registry = host.manager.registry();
    let names: Vec<&str> = words.iter().map(String::as_str).take_while(|word| !word.starts_with('-')).collect();
    let (length, command) = (1..=names.len()).rev().find_map(|n| Some((n, registry.cli_command(&names[..n])?)))?;
    let (name, owner) = (words[..length].join(" "), &command.owner.id);
    let args = vec![json!({
        "argv": words[length - 1..], "parentPath": command.parent_path,
        "workspaceDir": host.runtime.workspace_of(&host.runtime.settings().agents.default_id),
    })];
    let done = command.registrar.call(Call::new(args).adapter(Adapter::Cli)).await;
    let failed =
        |error: chela_plugin::CallError| Failure::new(format!("command `{name}` of plugin `{owner}` failed")).cause(error.to_string());
    Some(done.map_err(failed).and_then(|result| match result.get("exitCode").and_then(serde_json::Value::as_i64) {
        Some(0) | None => Ok(()),
        Some(code) => Err(Failure::silent(u8::try_from(code).unwrap_or(1))),
    }))
}
