//! `chela plugins inspect` (INS-317..INS-326).

use std::collections::BTreeMap;
use std::time::Duration;

use chela_catalog::{RuntimeFacts, Snapshot};
use chela_config::Config;
use serde_json::{Value, json};

use crate::cli::TargetArgs;
use crate::cli::plugins::InspectArgs;
use crate::client::{self, Purpose};
use crate::context::{Context, block_on};
use crate::lockfile;
use crate::output;
use crate::report::Failure;

/// State of a plugin that is switched on and does not run (`chela-host`).
const WAITS: &str = "stopped";
/// Longest wait for the running gateway.
const RUNTIME_LIMIT: Duration = Duration::from_secs(60);

/// Shows one plugin or all.
///
/// # Errors
/// No id or an unknown one, an id together with `--all` (INS-322); an invalid config; with `--runtime`, no way to run plugins.
pub fn run(ctx: &Context, args: &InspectArgs) -> Result<(), Failure> {
    let id = match (&args.id, args.all) {
        (Some(_), true) => return Err(Failure::new("`--all` and a plugin id exclude each other").hint("leave one of them out")),
        (None, false) => return Err(Failure::new("no plugin named").hint("name one, as in `chela plugins inspect ID`, or pass `--all`")),
        (id, _) => id.as_deref(),
    };
    let config = ctx.config()?;
    let snapshot = ctx.scan(&config);
    let ids: Vec<String> = match id {
        None => snapshot.plugins.iter().map(|plugin| plugin.id.clone()).collect(),
        Some(text) => match snapshot.find(text) {
            Some(plugin) => vec![plugin.id.clone()],
            None => return Err(not_found(text)),
        },
    };
    let mut objects = match args.runtime {
        false => cold_or_ran(&snapshot, &ids, &BTreeMap::new()),
        true => runtime(ctx, &config, &snapshot, &ids)?,
    };
    if let ([object], [id]) = (&mut objects[..], &ids[..]) {
        // The code of all plugins would take too long to read.
        super::plugins_compat::extend_object(&snapshot, id, object);
    }
    match (args.json, args.all) {
        (true, true) => output::json(&Value::Array(objects)),
        (true, false) => output::json(objects.first().unwrap_or(&Value::Null)),
        (false, _) => output::text(&objects.iter().map(render).collect::<Vec<_>>().join("\n")),
    }
}

/// The error for an id that no plugin has (INS-306, INS-308, INS-322).
pub fn not_found(id: &str) -> Failure {
    Failure::new(format!("Plugin not found: {id}")).hint("see `chela plugins list`")
}

/// A running gateway tells what it runs; what it has no reason to run yet is loaded here, for the look alone.
fn runtime(ctx: &Context, config: &Config, snapshot: &Snapshot, ids: &[String]) -> Result<Vec<Value>, Failure> {
    if lockfile::look(&ctx.paths).pid().is_none() {
        let facts: BTreeMap<String, RuntimeFacts> = super::plugin_runtime::facts(ctx, config, ids)?.into_iter().collect();
        return Ok(cold_or_ran(snapshot, ids, &facts));
    }
    let mut objects = ask_gateway(ctx, config, ids)?;
    let waits = |object: &&Value| object["runtime"]["state"] == WAITS;
    let waiting: Vec<String> = objects.iter().filter(waits).filter_map(|o| o["plugin"]["id"].as_str()).map(str::to_owned).collect();
    if waiting.is_empty() {
        return Ok(objects);
    }
    let facts: BTreeMap<String, RuntimeFacts> = super::plugin_runtime::facts(ctx, config, &waiting)?.into_iter().collect();
    for object in &mut objects {
        let looked = object["plugin"]["id"].as_str().and_then(|id| snapshot.inspect_json(id, Some(facts.get(id)?)));
        if let Some(mut looked) = looked {
            looked["runtime"] = object["runtime"].take();
            *object = looked;
        }
    }
    Ok(objects)
}

fn ask_gateway(ctx: &Context, config: &Config, ids: &[String]) -> Result<Vec<Value>, Failure> {
    let target = client::target(ctx, config, &TargetArgs::default())?;
    block_on(async {
        let mut connection = client::connect(ctx, &target, Purpose::Call, RUNTIME_LIMIT).await?;
        let mut objects = Vec::with_capacity(ids.len());
        for id in ids {
            objects.push(connection.request("plugins.inspect", json!({"id": id}), false, RUNTIME_LIMIT).await?);
        }
        connection.close().await;
        Ok(objects)
    })
}

/// What is shared by all plugins, such as the names of skills, is read once.
fn cold_or_ran(snapshot: &Snapshot, ids: &[String], facts: &BTreeMap<String, RuntimeFacts>) -> Vec<Value> {
    match ids {
        [id] => snapshot.inspect_json(id, facts.get(id)).into_iter().collect(),
        _ => snapshot.inspect_all_json(|id| facts.get(id)),
    }
}

fn render(object: &Value) -> String {
    let plugin = &object["plugin"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut out = format!("{}\n", text(&plugin["name"]));
    let mut line = |name: &str, value: String| {
        if !value.is_empty() {
            out.push_str(&format!("  {name:<16} {value}\n"));
        }
    };
    line("about", text(&plugin["description"]));
    line("id", text(&plugin["id"]));
    line("status", text(&plugin["status"]));
    line("reason", text(&plugin["activationReason"]));
    line("error", text(&plugin["error"]));
    line("origin", text(&plugin["origin"]));
    line("version", text(&plugin["version"]));
    line("format", text(&plugin["format"]));
    line("bundle format", text(&plugin["bundleFormat"]));
    line("bundle content", names(&object["bundleCapabilities"]));
    line("source", text(&plugin["source"]));
    line("shape", format!("{} ({})", text(&object["shape"]), text(&object["capabilityMode"])));
    for capability in object["capabilities"].as_array().into_iter().flatten() {
        line(&text(&capability["kind"]), names(&capability["ids"]));
    }
    for (title, key) in [
        ("tools", "tools"),
        ("hooks", "typedHooks"),
        ("internal hooks", "customHooks"),
        ("commands", "commands"),
        ("cli", "cliCommands"),
        ("services", "services"),
        ("methods", "gatewayMethods"),
        ("skills", "skills"),
    ] {
        line(title, names(&object[key]));
    }
    for (title, key) in [("mcp servers", "mcpServers"), ("lsp servers", "lspServers")] {
        line(title, servers(&object[key]));
    }
    if let Some(routes) = object["httpRouteCount"].as_u64().filter(|routes| *routes > 0) {
        line("http routes", routes.to_string());
    }
    if let Some(worker) = object.get("worker").filter(|worker| worker.is_object()) {
        for (key, value) in worker.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null()) {
            line(&format!("worker {key}"), value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        }
    }
    if let Some(state) = object["permissions"]["state"].as_str() {
        line("permissions", format!("{state} (`chela plugins permissions {}`)", text(&plugin["id"])));
    }
    for row in object["runtime"]["hookStats"].as_array().into_iter().flatten().filter(|row| row["calls"] != 0) {
        line("hook calls", super::status::hook_row(row));
    }
    let sandbox = &object["runtime"]["sandbox"];
    if let Some(mode) = sandbox["mode"].as_str() {
        line("sandbox", format!("{mode}; {} denied", sandbox["denied"]));
        for row in sandbox["denials"].as_array().into_iter().flatten() {
            line("denied", format!("{} {} ({})", text(&row["permission"]), text(&row["what"]), row["count"]));
        }
        for notice in sandbox["notices"].as_array().into_iter().flatten() {
            line("sandbox note", text(notice));
        }
    }
    for diagnostic in object["diagnostics"].as_array().into_iter().flatten() {
        line(&text(&diagnostic["level"]), text(&diagnostic["message"]));
    }
    for notice in object["compatibility"].as_array().into_iter().flatten() {
        line("compatibility", text(&notice["message"]));
    }
    out
}

/// Servers of a bundle; those without a command to start are marked (BUN-136).
fn servers(list: &Value) -> String {
    let rows = list.as_array().into_iter().flatten();
    let row = |entry: &Value| {
        let name = entry["name"].as_str().unwrap_or_default();
        if entry["hasStdioTransport"] == true { name.to_owned() } else { format!("{name} (unsupported transport)") }
    };
    rows.map(row).collect::<Vec<_>>().join(", ")
}

/// Names in a list of texts or of objects with `name`, `names` or `id`.
fn names(list: &Value) -> String {
    let name = |entry: &Value| -> Vec<String> {
        match entry {
            Value::String(text) => vec![text.clone()],
            Value::Object(_) => match entry["names"].as_array() {
                Some(names) => names.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect(),
                None => ["name", "id"].iter().filter_map(|key| entry[*key].as_str()).take(1).map(str::to_owned).collect(),
            },
            _ => vec![],
        }
    };
    list.as_array().into_iter().flatten().flat_map(name).collect::<Vec<_>>().join(", ")
}
