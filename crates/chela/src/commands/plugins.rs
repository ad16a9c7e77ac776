//! `chela plugins`.

use std::collections::BTreeMap;
use std::time::Duration;

use chela_catalog::{DoctorReport, Lane, RuntimeFacts, Snapshot};
use serde_json::{Value, json};

use crate::cli::plugins::{DoctorArgs, PluginsArgs, PluginsCommand};
use crate::client::{self, Purpose};
use crate::context::{Context, block_on};
use crate::lockfile;
use crate::output;
use crate::report::Failure;

/// Longest wait for a running gateway that is only asked for more detail.
const LIVE_LIMIT: Duration = Duration::from_millis(150);

const BUILT: [&str; 16] = [
    "list",
    "inspect",
    "enable",
    "disable",
    "doctor",
    "new",
    "dev",
    "test",
    "install",
    "update",
    "uninstall",
    "rollback",
    "registry",
    "search",
    "marketplace",
    "permissions",
];

/// Runs the subcommand.
///
/// # Errors
/// Those of the subcommand.
pub fn run(ctx: &Context, args: PluginsArgs) -> Result<(), Failure> {
    match args.command {
        PluginsCommand::List(args) => super::plugins_list::run(ctx, &args),
        PluginsCommand::Inspect(args) => super::plugins_inspect::run(ctx, &args),
        PluginsCommand::Enable(args) => super::plugins_switch::enable(ctx, &args),
        PluginsCommand::Disable(args) => super::plugins_switch::disable(ctx, &args),
        PluginsCommand::Doctor(args) => doctor(ctx, &args),
        PluginsCommand::New(args) => super::plugins_new::run(&args),
        PluginsCommand::Dev(args) => super::plugins_dev::run(ctx, &args),
        PluginsCommand::Test(args) => super::plugins_test::run(ctx, &args),
        PluginsCommand::Permissions(args) => super::plugins_permissions::run(ctx, &args),
        PluginsCommand::Install(args) => super::plugins_install::run(ctx, &args),
        PluginsCommand::Update(args) => super::plugins_update::run(ctx, &args),
        PluginsCommand::Uninstall(args) => super::plugins_uninstall::run(ctx, &args),
        PluginsCommand::Rollback(args) => super::plugins_install::rollback(ctx, &args),
        PluginsCommand::Registry(args) => super::plugins_registry::run(ctx, &args),
        PluginsCommand::Search(args) => super::plugins_search::run(ctx, &args),
        PluginsCommand::Marketplace(args) => super::plugins_search::marketplace(ctx, &args),
        PluginsCommand::Other(words) => {
            let name = words.first().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
            Err(super::other::subcommand("chela plugins", &name, &[], &BUILT))
        }
    }
}

/// What the running gateway says of its plugins, or nothing: none runs, or it takes too long.
pub fn live(ctx: &Context, config: &chela_config::Config, method: &str, params: Value) -> Option<Value> {
    lockfile::look(&ctx.paths).pid()?;
    let target = client::target(ctx, config, &crate::cli::TargetArgs::default()).ok()?;
    block_on(async { Ok(client::call(ctx, &target, Purpose::Probe, method, params, LIVE_LIMIT).await?) }).ok()
}

/// Findings about plugins; exit code 0 with and without (INS-334). It works while the config is invalid (INS-346). The running gateway is
/// asked how its plugins fare; without one they are loaded for a look (INS-335).
fn doctor(ctx: &Context, args: &DoctorArgs) -> Result<(), Failure> {
    let (config, issues) = ctx.config_lenient()?;
    let snapshot = ctx.scan(&config);
    let live = live(ctx, &config, "plugins.list", json!({}));
    let is_free = lockfile::look(&ctx.paths).pid().is_none();
    let facts = if is_free && issues.is_empty() { loaded(ctx, &config, &snapshot) } else { BTreeMap::new() };
    let mut report = chela_catalog::doctor(&snapshot, |id| facts.get(id));
    super::plugins_compat::extend_report(&snapshot, &mut report);
    let running = failing(live.as_ref());
    if args.json { output::json(&doctor_json(&report, &running)) } else { output::text(&doctor_text(&snapshot, &report, &running)) }
}

/// What the enabled plugins register when they are loaded; nothing when no plugin has code to load.
fn loaded(ctx: &Context, config: &chela_config::Config, snapshot: &Snapshot) -> BTreeMap<String, RuntimeFacts> {
    let startable = snapshot.plugins.iter().filter(|plugin| plugin.is_startable() && plugin.lane == Lane::Node);
    let ids: Vec<String> = startable.map(|plugin| plugin.id.clone()).collect();
    if ids.is_empty() {
        return BTreeMap::new();
    }
    match super::plugin_runtime::facts(ctx, config, &ids) {
        Ok(facts) => facts.into_iter().collect(),
        Err(failure) => {
            crate::report::warn(&format!("plugins were not loaded for the look at them: {}", failure.message));
            BTreeMap::new()
        }
    }
}

/// Plugins of the running gateway that fail, as `{id, state, error}`.
pub fn failing(live: Option<&Value>) -> Vec<Value> {
    let rows = live.and_then(|live| live["plugins"].as_array()).into_iter().flatten();
    rows.filter(|row| matches!(row["state"].as_str(), Some("error" | "backoff" | "quarantined")))
        .map(|row| {
            let why = if row["error"].is_null() { &row["lastExit"] } else { &row["error"] };
            json!({"id": row["id"], "state": row["state"], "error": why})
        })
        .collect()
}

/// The JSON of both doctors.
pub fn doctor_json(report: &DoctorReport, running: &[Value]) -> Value {
    let rows = |list: &[chela_catalog::Diagnostic]| list.iter().map(chela_catalog::Diagnostic::to_json).collect::<Vec<_>>();
    json!({
        "ok": report.is_clean() && running.is_empty(),
        "pluginErrors": report.plugin_errors, "runtimeErrors": running, "diagnostics": rows(&report.diagnostics),
        "shadowed": rows(&report.shadowed), "compatibility": report.compatibility,
    })
}

/// A diagnostic in one line that says whose it is: the plugin's, else the file's.
pub fn diagnostic_line(diagnostic: &chela_catalog::Diagnostic) -> String {
    let message = &diagnostic.message;
    match (&diagnostic.plugin_id, &diagnostic.source) {
        (Some(id), _) => format!("{id}: {message}"),
        (None, Some(file)) if !message.contains(&*file.to_string_lossy()) => format!("{}: {message}", file.display()),
        _ => message.clone(),
    }
}

fn doctor_text(snapshot: &Snapshot, report: &DoctorReport, running: &[Value]) -> String {
    if report.is_clean() && running.is_empty() && report.shadowed.is_empty() && report.compatibility.is_empty() {
        return "No plugin issues detected.\n".to_owned();
    }
    let mut out = String::new();
    let mut section = |title: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            out.push_str(&format!("{title}\n"));
            lines.iter().for_each(|line| out.push_str(&format!("  {line}\n")));
            out.push('\n');
        }
    };
    let errors = report.plugin_errors.iter();
    section("Plugin errors", errors.map(|p| format!("{}: {} ({})", p.plugin_id, p.message, p.phase)).collect());
    let text = |value: &Value| value.as_str().unwrap_or("failed").to_owned();
    section(
        "Running plugins that fail",
        running.iter().map(|r| format!("{}: {} ({})", text(&r["id"]), text(&r["error"]), text(&r["state"]))).collect(),
    );
    section("Diagnostics", report.diagnostics.iter().map(diagnostic_line).collect());
    section("Plugin source shadowing", report.shadowed.iter().map(diagnostic_line).collect());
    let notices = report.compatibility.iter();
    section("Compatibility", notices.map(|n| format!("{}: {}", text(&n["pluginId"]), text(&n["message"]))).collect());
    out.push_str(&format!("Checked {} plugins; see `chela plugins inspect ID`\n", snapshot.plugins.len()));
    out
}
