//! What setup entries of plugins do for the config: migrations of older forms (API-056), and reasons to switch a plugin on (API-057).
//! Only `doctor --fix` runs them, and only of plugins that the config names or whose manifest names what they migrate.

use std::sync::Arc;
use std::time::Duration;

use chela_catalog::{Lane, PluginRecord, Snapshot, Status};
use chela_config::{Config, Edit, SetMode, WriteOptions};
use chela_host::{Host, Purpose};
use serde_json::Value;

use super::{Check, Grade, check, config_is_invalid};
use crate::commands::plugin_runtime::{Silent, open};
use crate::commands::security::places;
use crate::context::{Context, block_on};
use crate::report::Failure;

/// How long workers may take to end.
const GRACE: Duration = Duration::from_millis(500);

/// Migrates the config and switches plugins on; what was done, and what went wrong.
///
/// # Errors
/// When no plugin host can be had.
pub(super) fn fix(ctx: &Context, config: &Config, snapshot: &Snapshot) -> Result<(Vec<String>, Vec<Check>), Failure> {
    let with_setup = |plugin: &&PluginRecord| plugin.lane == Lane::Node && plugin.setup_source.is_some();
    let migrating: Vec<String> =
        snapshot.plugins.iter().filter(with_setup).filter(|p| may_migrate(config, snapshot, p)).map(|p| p.id.clone()).collect();
    let waiting: Vec<String> = snapshot.plugins.iter().filter(with_setup).filter(|p| may_ask(config, p)).map(|p| p.id.clone()).collect();
    if migrating.is_empty() && waiting.is_empty() {
        return Ok(Default::default());
    }
    block_on(async {
        let host = open(ctx, config.clone(), Arc::new(Silent), Purpose::Inspect, false)?;
        let mut out = Found::default();
        let config = out.migrate(ctx, &host, config, &migrating).await;
        out.switch_on(ctx, &host, &config, &waiting).await;
        host.close(GRACE).await;
        Ok((out.done, out.checks))
    })
}

fn has_entry(config: &Config, id: &str) -> bool {
    config.source.pointer("/plugins/entries").is_some_and(|entries| entries.get(id).is_some())
}

/// Plugins that run, or would if their config were not of an older form.
fn may_migrate(config: &Config, snapshot: &Snapshot, plugin: &PluginRecord) -> bool {
    let contracts = plugin.manifest.config_contracts.iter();
    let touched = contracts.flat_map(|c| &c.compatibility_migration_paths).any(|path| !places(&config.source, path).is_empty());
    (touched || has_entry(config, &plugin.id)) && (plugin.is_startable() || config_is_invalid(snapshot, &plugin.id))
}

/// Plugins that nobody has switched on or off, and that the config names.
fn may_ask(config: &Config, plugin: &PluginRecord) -> bool {
    let list = |key: &str| config.source.pointer(&format!("/plugins/{key}")).and_then(Value::as_array).cloned().unwrap_or_default();
    let names = |list: &[Value]| list.iter().any(|id| id.as_str() == Some(&plugin.id));
    let (allow, deny) = (list("allow"), list("deny"));
    let entry = config.source.pointer("/plugins/entries").and_then(|entries| entries.get(&plugin.id));
    plugin.status == Status::Disabled
        && config.source.pointer("/plugins/enabled") != Some(&Value::Bool(false))
        && entry.is_some_and(|entry| entry.get("enabled").is_none())
        && !names(&deny)
        && (allow.is_empty() || names(&allow))
}

#[derive(Default)]
struct Found {
    done: Vec<String>,
    checks: Vec<Check>,
}

impl Found {
    fn problems(&mut self, what: &str, problems: Vec<(String, String)>) {
        let rows = problems.into_iter().map(|(plugin, why)| check("plugins", Grade::Warn, format!("{plugin}: {what}: {why}")));
        self.checks.extend(rows);
    }

    fn written(&mut self, ctx: &Context, edit: Edit) -> bool {
        match chela_config::write(&ctx.paths, &ctx.env, &[edit], &WriteOptions::default()) {
            Ok(_) => true,
            Err(error) => {
                self.checks.push(check("config", Grade::Error, format!("what a plugin made of the config was not written: {error}")));
                false
            }
        }
    }

    /// The config as it is afterwards.
    async fn migrate(&mut self, ctx: &Context, host: &Arc<Host>, config: &Config, plugins: &[String]) -> Value {
        let migrated = host.migrate_config(plugins, config.source.clone()).await;
        self.problems("its migration of the config failed", migrated.problems);
        if migrated.changes.is_empty() || !self.written(ctx, Edit::Replace(migrated.config.clone())) {
            return config.source.clone();
        }
        self.done.extend(migrated.changes.into_iter().map(|(plugin, change)| format!("config, by plugin {plugin}: {change}")));
        migrated.config
    }

    async fn switch_on(&mut self, ctx: &Context, host: &Arc<Host>, config: &Value, plugins: &[String]) {
        let found = host.enable_reasons(plugins, config).await;
        self.problems("its setup entry could not be asked", found.problems);
        let mut on: Vec<String> = Vec::new();
        for (plugin, reason) in found.reasons {
            if on.contains(&plugin) {
                continue;
            }
            let path = ["plugins", "entries", &plugin, "enabled"].map(str::to_owned).to_vec();
            if self.written(ctx, Edit::Set { path, value: true.into(), mode: SetMode::Replace }) {
                self.done.push(format!("switched on `{plugin}`: {reason}"));
                on.push(plugin);
            }
        }
    }
}
