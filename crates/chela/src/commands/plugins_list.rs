//! `chela plugins list`: config and manifests only, no plugin code, no socket unless a gateway runs.

use std::collections::BTreeMap;

use chela_catalog::{Level, PluginRecord, Snapshot, Status};
use serde_json::{Value, json};

use crate::cli::plugins::ListArgs;
use crate::context::Context;
use crate::output;
use crate::report::{Failure, warn};
use crate::table::Table;

/// Prints the list.
///
/// # Errors
/// An invalid config (INS-338).
pub fn run(ctx: &Context, args: &ListArgs) -> Result<(), Failure> {
    let config = ctx.config()?;
    let snapshot = ctx.scan(&config);
    if args.json {
        return output::json(&snapshot.list_json(args.enabled));
    }
    let live = live_states(super::plugins::live(ctx, &config, "plugins.list", json!({})).as_ref());
    let shown: Vec<&PluginRecord> = snapshot.plugins.iter().filter(|plugin| plugin.enabled || !args.enabled).collect();
    output::text(&match args.verbose {
        true => verbose(ctx, &shown, &live),
        false => table(ctx, &snapshot, &shown, &live),
    })?;
    for diagnostic in snapshot.diagnostics.iter().filter(|entry| entry.level != Level::Info) {
        warn(&super::plugins::diagnostic_line(diagnostic));
    }
    Ok(())
}

fn live_states(live: Option<&Value>) -> BTreeMap<String, String> {
    let rows = live.and_then(|live| live["plugins"].as_array()).into_iter().flatten();
    rows.filter_map(|row| Some((row["id"].as_str()?.to_owned(), row["state"].as_str()?.to_owned()))).collect()
}

fn status(plugin: &PluginRecord, live: &BTreeMap<String, String>) -> String {
    match (plugin.status, live.get(&plugin.id)) {
        (Status::Error, _) => "error".to_owned(),
        (Status::Disabled, _) => "disabled".to_owned(),
        (Status::Loaded, Some(state)) => state.clone(),
        (Status::Loaded, None) => "enabled".to_owned(),
    }
}

fn table(ctx: &Context, snapshot: &Snapshot, shown: &[&PluginRecord], live: &BTreeMap<String, String>) -> String {
    if shown.is_empty() {
        return "No plugins found\n\nInstall one with `chela plugins install PATH-OR-SPEC`\n".to_owned();
    }
    let mut table = Table::new(&["ID", "STATUS", "ORIGIN", "VERSION", "PATH"]);
    for plugin in shown {
        table.row(vec![
            plugin.id.clone(),
            status(plugin, live),
            plugin.origin.as_str().to_owned(),
            plugin.version.clone().unwrap_or_default(),
            ctx.show(&plugin.root_dir),
        ]);
    }
    let enabled = snapshot.plugins.iter().filter(|plugin| plugin.enabled).count();
    format!("{}\n{}\n", table.render(), output::dim(&format!("{enabled} of {} enabled", snapshot.plugins.len())))
}

fn verbose(ctx: &Context, shown: &[&PluginRecord], live: &BTreeMap<String, String>) -> String {
    let mut out = String::new();
    for plugin in shown {
        out.push_str(&format!("{} ({})\n", plugin.id, plugin.name));
        let mut line = |name: &str, value: String| {
            if !value.is_empty() {
                out.push_str(&format!("  {name:<9}{value}\n"));
            }
        };
        line("about", plugin.description.clone().unwrap_or_default());
        line("status", status(plugin, live));
        line("reason", plugin.activation_reason.clone().unwrap_or_default());
        line("error", plugin.failure.as_ref().map(|failure| failure.message.clone()).unwrap_or_default());
        line("origin", plugin.origin.as_str().to_owned());
        line("version", plugin.version.clone().unwrap_or_default());
        line("format", plugin.format().to_owned());
        line("entry", ctx.show(&plugin.source));
        out.push('\n');
    }
    out
}
