//! `chela plugins test`: a plugin tried out in a real worker.

use std::time::Duration;

use chela_kit::to_json;
use chela_kit::trial::{self, CallRow, Script, TrialOptions, TrialReport};
use serde_json::{Value, json};

use crate::cli::plugins::TestArgs;
use crate::context::Context;
use crate::output;
use crate::report::Failure;
use crate::table::Table;

/// Longest value in a table, in characters.
const CELL: usize = 60;

/// Tries the plugin and tells what it did.
///
/// # Errors
/// A directory without a plugin, a script that cannot be used; exit code 1 without words when something of the plugin failed.
pub fn run(ctx: &Context, args: &TestArgs) -> Result<(), Failure> {
    let script = match &args.script {
        Some(path) => Script::read(path).map_err(super::sdk::failed)?,
        None => Script::default(),
    };
    let options = TrialOptions {
        env: ctx.env.clone(),
        script,
        limit: Duration::from_secs(args.timeout.clamp(1, 3600)),
        cli_commands: crate::cli::command_names(),
    };
    let reports = crate::context::block_on(async { trial::run(&args.dir, &options).await.map_err(super::sdk::failed) })?;
    let ok = reports.iter().all(|report| report.ok);
    match (args.json, &reports[..]) {
        (true, [one]) => output::json(&to_json(one))?,
        (true, many) => output::json(&json!({"ok": ok, "plugins": to_json(&many)}))?,
        (false, many) => output::text(&many.iter().map(text).collect::<Vec<_>>().join("\n"))?,
    }
    if ok { Ok(()) } else { Err(Failure::silent(1)) }
}

fn text(report: &TrialReport) -> String {
    let version = report.version.as_deref().map(|version| format!(" {version}")).unwrap_or_default();
    let mut out = format!("{}{version}\n", report.plugin_id);
    let load = &report.load;
    if load.ok {
        let runtime = load.runtime.as_deref().map(|runtime| format!(" on {runtime}")).unwrap_or_default();
        out.push_str(&format!("started in {} ms{runtime}\n", load.ms.unwrap_or_default()));
    }
    for (name, list) in registered(report) {
        out.push_str(&format!("  {name:<16} {list}\n"));
    }
    if !report.calls.is_empty() {
        let mut table = Table::new(&["CALLED", "NAME", "HOW", "WITH", "GAVE", "MS"]);
        for call in &report.calls {
            table.row(vec![call.kind.into(), call.name.clone(), how(call), short(&call.input), gave(call), format!("{:.1}", call.ms)]);
        }
        out.push_str(&format!("\n{}", table.render()));
    }
    let mut list = |title: &str, lines: &[String]| {
        if !lines.is_empty() {
            out.push_str(&format!("\n{title}\n"));
            lines.iter().for_each(|line| out.push_str(&format!("  {line}\n")));
        }
    };
    list("Not called", &report.not_called);
    list("Warnings", &report.warnings);
    list("Failures", &report.failures);
    let (calls, failures) = (report.calls.len(), report.failures.len());
    match report.ok {
        true => out.push_str(&format!("\nok: {calls} functions called, {} turns played\n", report.turns.len())),
        false => out.push_str(&format!("\nfailed: {failures} of what was tried, see above\n")),
    }
    out
}

fn registered(report: &TrialReport) -> Vec<(&'static str, String)> {
    let all = &report.registered;
    let mut rows = vec![
        ("tools", all.tools.join(", ")),
        ("hooks", all.hooks.join(", ")),
        ("internal hooks", all.internal_hooks.join(", ")),
        ("commands", all.commands.join(", ")),
        ("cli", all.cli_commands.join(", ")),
        ("services", all.services.join(", ")),
        ("methods", all.gateway_methods.join(", ")),
        ("providers", all.providers.join(", ")),
        ("channels", all.channels.join(", ")),
        ("context engines", all.context_engines.join(", ")),
        ("recorded only", all.recorded_only.join(", ")),
    ];
    if all.http_routes > 0 {
        rows.push(("http routes", all.http_routes.to_string()));
    }
    rows.retain(|(_, list)| !list.is_empty());
    rows
}

fn how(call: &CallRow) -> String {
    match call.valid_arguments {
        Some(false) => format!("{}, invalid", call.how),
        _ => call.how.to_owned(),
    }
}

fn gave(call: &CallRow) -> String {
    match (&call.returned, &call.error) {
        (Some(Value::Null), _) => "nothing".to_owned(),
        (Some(value), _) => short(value),
        (None, error) => cut(&format!("{}: {}", call.outcome, error.as_deref().unwrap_or_default())),
    }
}

fn short(value: &Value) -> String {
    cut(&value.to_string())
}

fn cut(text: &str) -> String {
    let line = text.replace('\n', " ");
    match line.char_indices().nth(CELL) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
