//! `chela plugins permissions`: what a plugin asks for, what it has, what it was seen to use, and the set that follows from that.

use std::path::PathBuf;
use std::time::Duration;

use chela_catalog::{PluginRecord, Snapshot};
use chela_config::{Config, Edit, SetMode, WriteOptions};
use chela_manifest::permissions::{Effective, Grant, Permissions};
use chela_node::permissions::{Around, propose, recorded};
use chela_plugin::Touch;
use serde_json::{Value, json};

use super::plugins_install::takes_effect;
use crate::cli::TargetArgs;
use crate::cli::plugins::PermissionsArgs;
use crate::client::{self, Purpose};
use crate::context::{Context, block_on};
use crate::lockfile;
use crate::output;
use crate::report::{Failure, note, warn};

/// Longest wait for the running gateway.
const PATIENCE: Duration = Duration::from_secs(10);

/// Most rows of a list in the text output.
const SHOWN: usize = 40;

/// Shows, watches, and writes what was seen.
///
/// # Errors
/// An unknown plugin or one that runs no JavaScript; with `--apply`, nothing seen yet or a config that cannot be written.
pub fn run(ctx: &Context, args: &PermissionsArgs) -> Result<(), Failure> {
    let config = ctx.config()?;
    let snapshot = ctx.scan(&config);
    let plugin = snapshot.find(&args.id).ok_or_else(|| super::plugins_inspect::not_found(&args.id))?;
    if plugin.lane != chela_catalog::Lane::Node {
        let failure = Failure::new(format!("plugin `{}` runs in no process of its own", plugin.id));
        return Err(failure.hint("permissions hold for plugins in JavaScript and TypeScript"));
    }
    let live = ask_gateway(ctx, &config, &plugin.id);
    let mut seen = recorded(&ctx.paths.state_dir, &plugin.id);
    if args.observe {
        add(&mut seen, super::plugin_runtime::touched(ctx, watched(&config, &plugin.id), &plugin.id)?);
    }
    add(&mut seen, rows(live.as_ref(), "touched"));
    let denials = rows(live.as_ref(), "denials");
    let report = Report::new(ctx, &config, &snapshot, plugin, seen, denials, live);
    let applied = args.apply.then(|| apply(ctx, &report)).transpose()?;
    if args.json {
        return output::json(&report.json(applied));
    }
    output::text(&report.text())?;
    match applied {
        Some(true) => {
            note(&format!("Wrote the proposed set to `{}`", report.key));
            if lockfile::look(&ctx.paths).pid().is_some() {
                note(&takes_effect(ctx, "apply"));
            }
        }
        Some(false) => note(&format!("`{}` has this set already", report.key)),
        None if report.proposal.is_some() => note("`--apply` writes the proposed set; what the plugin does later can need more"),
        None => {}
    }
    Ok(())
}

/// How the running gateway confines the plugin and what it denied; nothing without a gateway.
fn ask_gateway(ctx: &Context, config: &Config, id: &str) -> Option<Value> {
    lockfile::look(&ctx.paths).pid()?;
    let asked = client::target(ctx, config, &TargetArgs::default()).and_then(|target| {
        block_on(async { Ok(client::call(ctx, &target, Purpose::Call, "plugins.inspect", json!({"id": id}), PATIENCE).await?) })
    });
    match asked {
        Ok(mut seen) => Some(seen["runtime"]["sandbox"].take()).filter(Value::is_object),
        Err(failure) => {
            warn(&format!("what the running gateway denied is not shown: {}", failure.message));
            None
        }
    }
}

/// The config under which a plugin is watched.
fn watched(config: &Config, id: &str) -> Config {
    let mut config = config.clone();
    config.effective["plugins"]["entries"][id]["permissions"] = json!("observe");
    config
}

fn rows(live: Option<&Value>, key: &str) -> Vec<Touch> {
    live.and_then(|sandbox| serde_json::from_value(sandbox[key].clone()).ok()).unwrap_or_default()
}

/// Adds what is not there yet; a plugin that is watched twice counts once.
fn add(seen: &mut Vec<Touch>, more: Vec<Touch>) {
    for row in more {
        match seen.iter_mut().find(|known| known.permission == row.permission && known.what == row.what) {
            Some(known) => known.count = known.count.max(row.count),
            None => seen.push(row),
        }
    }
    seen.sort();
}

fn apply(ctx: &Context, report: &Report) -> Result<bool, Failure> {
    let Some(set) = &report.proposal else {
        let failure = Failure::new(format!("nothing is known yet of what plugin `{}` touches", report.id));
        return Err(failure.hint(format!("pass `--observe`, or set `{}` to `observe` and use the plugin for a while", report.key)));
    };
    let path = ["plugins", "entries", &report.id, "permissions"].map(str::to_owned).to_vec();
    let edit = Edit::Set { path, value: json!(set), mode: SetMode::Replace };
    let outcome = chela_config::write(&ctx.paths, &ctx.env, &[edit], &WriteOptions::default()).map_err(Failure::not_written)?;
    outcome.warnings.iter().for_each(|warning| warn(warning));
    Ok(outcome.changed)
}

struct Report {
    id: String,
    key: String,
    grant: Grant,
    declared: Option<Permissions>,
    effective: Effective,
    seen: Vec<Touch>,
    denials: Vec<Touch>,
    proposal: Option<Permissions>,
    live: Option<Value>,
    kernel: chela_process::Kernel,
}

impl Report {
    fn new(
        ctx: &Context,
        config: &Config,
        snapshot: &Snapshot,
        plugin: &PluginRecord,
        seen: Vec<Touch>,
        denials: Vec<Touch>,
        live: Option<Value>,
    ) -> Self {
        let effective = plugin.permissions();
        let around = around(ctx, config, snapshot, plugin);
        let base = effective.enforced().cloned().unwrap_or_default();
        // Under a set, what was denied is what is missing; without one, what was seen is all there is.
        let evidence = if effective.enforced().is_some() { &denials } else { &seen };
        let proposal = (!evidence.is_empty()).then(|| propose(&base, evidence, &around));
        Self {
            id: plugin.id.clone(),
            key: format!("plugins.entries.{}.permissions", plugin.id),
            grant: plugin.policy.permissions.clone(),
            declared: plugin.manifest.permissions.clone(),
            proposal: proposal.filter(|set| effective.enforced() != Some(set)),
            effective,
            seen,
            denials,
            live,
            kernel: chela_process::Kernel::probe(),
        }
    }

    fn json(&self, applied: Option<bool>) -> Value {
        let granted = match &self.grant {
            Grant::Open => Value::Null,
            Grant::Observe => json!("observe"),
            Grant::Declared => json!("declared"),
            Grant::Set(set) => json!(set),
        };
        json!({
            "id": self.id, "key": self.key, "state": self.grant.word(), "declared": self.declared, "granted": granted,
            "effective": self.effective.enforced(), "touched": self.seen, "denials": self.denials, "proposal": self.proposal,
            "applied": applied, "kernel": self.kernel, "worker": self.live,
        })
    }

    fn text(&self) -> String {
        let mut out = format!("{}: {}\n", self.id, self.sentence());
        let mut block = |title: &str, set: Option<&Permissions>| {
            if let Some(set) = set {
                out.push_str(&format!("{title}\n"));
                lines(set).iter().for_each(|line| out.push_str(&format!("  {line}\n")));
            }
        };
        block("asks for", self.declared.as_ref());
        block("may", self.effective.enforced());
        for (title, rows) in [("denied", &self.denials), ("seen", &self.seen)] {
            if rows.is_empty() {
                continue;
            }
            out.push_str(&format!("{title}\n"));
            rows.iter().take(SHOWN).for_each(|row| out.push_str(&format!("  {:<15} {} ({})\n", row.permission, row.what, row.count)));
            if rows.len() > SHOWN {
                out.push_str(&format!("  and {} more; `--json` shows all\n", rows.len() - SHOWN));
            }
        }
        if let Some(set) = &self.proposal {
            out.push_str(&format!("proposed for `{}`\n", self.key));
            lines(set).iter().for_each(|line| out.push_str(&format!("  {line}\n")));
        }
        for notice in self.live.iter().flat_map(|live| live["notices"].as_array().into_iter().flatten()) {
            out.push_str(&format!("note: {}\n", notice.as_str().unwrap_or_default()));
        }
        out
    }

    fn sentence(&self) -> &'static str {
        match self.grant {
            Grant::Open => "not confined; it has the rights of the gateway",
            Grant::Observe => "not confined, watched",
            Grant::Declared => "confined to what its manifest asks for",
            Grant::Set(_) => "confined to what is granted",
        }
    }
}

fn lines(set: &Permissions) -> Vec<String> {
    let value = json!(set);
    let list = |value: &Value| match value {
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
        Value::String(word) => word.clone(),
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        _ => String::new(),
    };
    let rows = [
        ("files.read", &value["files"]["read"]),
        ("files.write", &value["files"]["write"]),
        ("network", &value["network"]),
        ("env", &value["env"]),
        ("childProcesses", &value["childProcesses"]),
        ("nativeAddons", &value["nativeAddons"]),
    ];
    rows.iter().map(|(name, value)| format!("{name:<15} {}", list(value))).collect()
}

fn around(ctx: &Context, config: &Config, snapshot: &Snapshot, plugin: &PluginRecord) -> Around {
    let temp = config.env.get("TMPDIR").filter(|dir| !dir.is_empty()).unwrap_or("/tmp");
    Around {
        plugin: plugin.root_dir.clone(),
        workspace: snapshot.workspace_dir.clone().unwrap_or_else(|| ctx.paths.state_dir.join("workspace")),
        state: ctx.paths.state_dir.clone(),
        home: ctx.paths.home.clone(),
        temp: PathBuf::from(temp),
        id: plugin.id.clone(),
    }
}
