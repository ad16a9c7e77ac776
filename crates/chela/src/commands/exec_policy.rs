//! `chela exec-policy`: `tools.exec` of the config and the approvals file of this machine, set together.

use chela_approvals::exec_file::ExecFile;
use chela_approvals::policy::{AskWhen, Security};
use chela_config::{Config, Edit, SetMode, WriteOptions};
use chela_tools::exec_file as disk;
use serde_json::{Map, Value, json};

use crate::cli::exec_policy::{ExecPolicyArgs, ExecPolicyCommand, SetArgs};
use crate::context::Context;
use crate::output;
use crate::report::Failure;
use crate::table::Table;

/// What can be set at once.
const PRESETS: &[(&str, [&str; 4])] = &[
    ("yolo", ["gateway", "full", "off", "full"]),
    ("cautious", ["gateway", "allowlist", "on-miss", "deny"]),
    ("deny-all", ["gateway", "deny", "off", "deny"]),
];

/// The words of one change; what is absent stays as it is.
#[derive(Debug, Default)]
struct Policy {
    host: Option<String>,
    security: Option<String>,
    ask: Option<String>,
    fallback: Option<String>,
}

/// Runs the subcommand.
///
/// # Errors
/// A word that is none, a file that cannot be read or written.
pub fn run(ctx: &Context, args: ExecPolicyArgs) -> Result<(), Failure> {
    match args.command {
        ExecPolicyCommand::Show(args) => show(ctx, args.json, Map::new(), None),
        ExecPolicyCommand::Preset(args) => {
            let Some((name, [host, security, ask, fallback])) = PRESETS.iter().find(|(name, _)| *name == args.name) else {
                return Err(Failure::new(format!("there is no preset `{}`", args.name)).hint("choose one of yolo, cautious, deny-all"));
            };
            let own = |word: &&str| Some((*word).to_owned());
            apply(ctx, &Policy { host: own(host), security: own(security), ask: own(ask), fallback: own(fallback) })?;
            let extra = Map::from_iter([("preset".to_owned(), json!(name))]);
            show(ctx, args.json, extra, Some(format!("Applied the preset `{name}`")))
        }
        ExecPolicyCommand::Set(args) => {
            let policy = policy(&args)?;
            apply(ctx, &policy)?;
            let pairs = [("host", &policy.host), ("security", &policy.security), ("ask", &policy.ask), ("askFallback", &policy.fallback)];
            let applied: Map<String, Value> = pairs.into_iter().filter_map(|(k, v)| Some((k.to_owned(), json!(v.as_ref()?)))).collect();
            let extra = Map::from_iter([("applied".to_owned(), applied.into())]);
            show(ctx, args.json, extra, Some("Set the config and the approvals file of this machine".into()))
        }
    }
}

fn policy(args: &SetArgs) -> Result<Policy, Failure> {
    let known = |flag: &str, word: &Option<String>, all: &[&str]| -> Result<Option<String>, Failure> {
        let Some(word) = word.as_deref().map(|word| word.trim().to_ascii_lowercase()) else { return Ok(None) };
        match all.contains(&word.as_str()) {
            true => Ok(Some(word)),
            false => Err(Failure::new(format!("`{flag} {word}` is none of {}", all.join(", ")))),
        }
    };
    let securities = ["deny", "allowlist", "full"];
    let out = Policy {
        host: known("--host", &args.host, &["auto", "sandbox", "gateway", "node"])?,
        security: known("--security", &args.security, &securities)?,
        ask: known("--ask", &args.ask, &["off", "on-miss", "always"])?,
        fallback: known("--ask-fallback", &args.ask_fallback, &securities)?,
    };
    if [&out.host, &out.security, &out.ask, &out.fallback].iter().all(|word| word.is_none()) {
        return Err(Failure::usage("nothing to set").hint("give one of --host, --security, --ask, --ask-fallback"));
    }
    Ok(out)
}

/// The approvals file first: it only narrows what the config allows. It goes back when the config cannot be written.
fn apply(ctx: &Context, policy: &Policy) -> Result<(), Failure> {
    let (config, _) = ctx.config_lenient()?;
    let now = config.tools().raw["exec"]["host"].as_str().map(|host| host.trim().to_ascii_lowercase());
    let host = policy.host.clone().or(now).unwrap_or_default();
    if matches!(host.as_str(), "node" | "sandbox") {
        return Err(Failure::new(format!("host `{host}` cannot be set here: it is not built")).hint("use `--host gateway`, or `auto`"));
    }
    let before = disk::read_now(&ctx.paths.state_dir).map_err(|e| Failure::new(e.to_string()))?;
    let mut value = before.file.value().clone();
    if !value.is_object() {
        value = json!({"version": 1});
    }
    value["version"] = 1.into();
    for (name, word) in [("security", &policy.security), ("ask", &policy.ask), ("askFallback", &policy.fallback)] {
        if let Some(word) = word {
            value["defaults"][name] = word.as_str().into();
        }
    }
    let next = ExecFile::from_value(value).map_err(|e| Failure::new(e.to_string()))?;
    write_file(ctx, next, before.exists.then(|| before.hash.clone()))?;
    let edits: Vec<Edit> = [("host", &policy.host), ("security", &policy.security), ("ask", &policy.ask)]
        .into_iter()
        .filter_map(|(name, word)| {
            let path = ["tools", "exec", name].map(str::to_owned).to_vec();
            Some(Edit::Set { path, value: word.as_ref()?.as_str().into(), mode: SetMode::Replace })
        })
        .collect();
    if edits.is_empty() {
        return Ok(());
    }
    chela_config::write(&ctx.paths, &ctx.env, &edits, &WriteOptions::default()).map(drop).map_err(|error| {
        let failure = Failure::not_written(error);
        match put_back(ctx, &before) {
            Ok(()) => failure,
            Err(_) => failure.hint("the approvals file was changed already; `chela exec-policy show` tells what holds"),
        }
    })
}

fn write_file(ctx: &Context, file: ExecFile, base: Option<String>) -> Result<(), Failure> {
    let dir = ctx.paths.state_dir.clone();
    crate::context::block_on(async { disk::replace(dir, file, base).await.map_err(|e| Failure::new(e.to_string())) })
}

fn put_back(ctx: &Context, before: &disk::OnDisk) -> Result<(), Failure> {
    if !before.exists {
        return fs_err::remove_file(&before.path).map_err(|e| Failure::new(e.to_string()));
    }
    let now = disk::read_now(&ctx.paths.state_dir).map_err(|e| Failure::new(e.to_string()))?;
    write_file(ctx, before.file.clone(), Some(now.hash))
}

fn show(ctx: &Context, as_json: bool, extra: Map<String, Value>, said: Option<String>) -> Result<(), Failure> {
    let (config, _) = ctx.config_lenient()?;
    let found = disk::read_now(&ctx.paths.state_dir).map_err(|e| Failure::new(e.to_string()))?;
    let agents = config.agents();
    let own =
        agents.list.iter().filter(|agent| agent.raw["tools"]["exec"].is_object() || found.file.value()["agents"][&agent.id].is_object());
    let scopes: Vec<Value> =
        std::iter::once(None).chain(own.map(|agent| Some(agent.id.as_str()))).map(|a| scope(&config, &found, a)).collect();
    if as_json {
        let mut out = extra;
        out.insert("configPath".into(), json!(ctx.paths.config_path));
        out.insert("approvalsPath".into(), json!(found.path));
        out.insert("approvalsExists".into(), found.exists.into());
        out.insert("effectivePolicy".into(), json!({"note": NOTE, "scopes": scopes}));
        return output::json(&Value::Object(out));
    }
    let mut table = Table::new(&["SCOPE", "WANTED BY THE CONFIG", "APPROVALS FILE", "WHAT HOLDS"]);
    for row in &scopes {
        let words = |of: &str| format!("security={} ask={}", plain(&row["security"][of]), plain(&row["ask"][of]));
        let wanted = format!("host={} {}", plain(&row["host"]["requested"]), words("requested"));
        let holds = format!("{} askFallback={}", words("effective"), plain(&row["askFallback"]["effective"]));
        table.row(vec![plain(&row["scopeLabel"]), wanted, words("host"), holds]);
    }
    let there = if found.exists { "" } else { " (not there: the config alone holds)" };
    let said = said.map(|said| format!("{said}\n\n")).unwrap_or_default();
    output::text(&format!("{said}Approvals file: {}{there}\n\n{}\n\n{NOTE}", ctx.show(&found.path), table.render().trim_end()))
}

const NOTE: &str = "What holds is the stricter of the config and the approvals file.";

fn plain(value: &Value) -> String {
    value.as_str().unwrap_or("-").chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// What holds for everybody, or for one agent, and where each word comes from.
fn scope(config: &Config, found: &disk::OnDisk, agent: Option<&str>) -> Value {
    let settings = config.agents();
    let general = config.tools().raw["exec"].clone();
    let own = agent.and_then(|id| settings.get(id)).map(|agent| agent.raw["tools"]["exec"].clone()).unwrap_or_default();
    let own_path = agent.map(|id| format!("agents.list.{id}.tools.exec")).unwrap_or_default();
    let wanted = |name: &str, default: &str| {
        let of = |value: &Value| value[name].as_str().map(|w| w.trim().to_owned()).filter(|w| !w.is_empty());
        match (of(&own), of(&general)) {
            (Some(word), _) => (word, format!("{own_path}.{name}")),
            (None, Some(word)) => (word, format!("tools.exec.{name}")),
            (None, None) => (default.to_owned(), format!("default ({default})")),
        }
    };
    let file = found.file.value();
    let key = agent.unwrap_or("*");
    let places = [
        (&file["agents"][key], format!("agents.{key}")),
        (&file["agents"]["*"], "agents.*".into()),
        (&file["defaults"], "defaults".into()),
    ];
    let source = |name: &str| {
        let place = places.iter().find(|(row, _)| row[name].is_string());
        place.map(|(_, at)| format!("{} {at}.{name}", found.path.display()))
    };
    let host = wanted("host", "auto");
    let (security, ask) = (wanted("security", "full"), wanted("ask", "off"));
    let asked_security = Security::parse(&security.0).unwrap_or(Security::Deny);
    let asked_ask = AskWhen::parse(&ask.0).unwrap_or(AskWhen::Always);
    let said = found.file.policy(key);
    let holds = said.with_config(asked_security, asked_ask);
    let part = |wanted: &(String, String), name: &str, on_host: Option<&str>, effective: &str| {
        json!({
            "requested": wanted.0, "requestedSource": wanted.1, "host": on_host.unwrap_or(&wanted.0),
            "hostSource": source(name).unwrap_or_else(|| "the config".into()), "effective": effective,
        })
    };
    let mut out = json!({
        "scopeLabel": agent.map_or_else(|| "tools.exec".to_owned(), |id| format!("agent:{id}")),
        "configPath": if agent.is_some() { own_path.as_str() } else { "tools.exec" },
        "host": {"requested": host.0, "requestedSource": host.1},
        "security": part(&security, "security", said.security.map(Security::as_str), holds.security.as_str()),
        "ask": part(&ask, "ask", said.ask.map(AskWhen::as_str), holds.ask.as_str()),
        "askFallback": {"effective": holds.fallback.as_str(), "source": source("askFallback").unwrap_or_else(|| "default (deny)".into())},
        "runtimeApprovalsSource": "local-file",
    });
    if let Some(agent) = agent {
        out["agentId"] = agent.into();
    }
    out
}
