//! What the config says about these tools: the agent's own word for each member, else the general one.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use chela_agent::AgentRuntime;
use chela_agent::tools::Origin;
use chela_approvals::policy::{AskWhen, Security};
use chela_approvals::safe_bins::SafeBins;
use serde_json::Value;

use crate::place::Place;
use crate::world::World;

/// Longest run of a command when nobody says (TOOL-37).
const TIMEOUT: Duration = Duration::from_secs(1800);

/// `tools.exec` for one agent and session.
#[derive(Debug)]
pub(crate) struct ExecSettings {
    pub(crate) host: String,
    pub(crate) security: Security,
    pub(crate) ask: AskWhen,
    pub(crate) timeout: Duration,
    pub(crate) path_prepend: Vec<String>,
    pub(crate) strict_inline_eval: bool,
    pub(crate) safe_bins: SafeBins,
    pub(crate) notify_on_exit: bool,
    pub(crate) notify_empty: bool,
}

/// How elevated commands may be (TOOL-43).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Elevated {
    Off,
    /// Approvals stay.
    Ask,
    /// Approvals are left out.
    Full,
}

fn sections<'a>(runtime: &'a chela_agent::runtime::Settings, agent: &str) -> (&'a Value, &'a Value) {
    let own = runtime.agents.get(agent).map_or(&Value::Null, |agent| &agent.raw["tools"]);
    (own, &runtime.tools.raw)
}

/// A member of the agent's section, else of the general one.
fn first<'a>(own: &'a Value, general: &'a Value, path: &str) -> &'a Value {
    let of = |value: &'a Value| value.pointer(path).filter(|v| !v.is_null());
    of(own).or_else(|| of(general)).unwrap_or(&Value::Null)
}

/// Reads the settings; `row` is what the session overrides, `session` its further members.
pub(crate) fn exec(runtime: &AgentRuntime, agent: &str, session: &serde_json::Map<String, Value>) -> ExecSettings {
    let settings = runtime.settings();
    let (own, general) = sections(&settings, agent);
    let get = |path: &str| first(own, general, path);
    let word = |name: &str, path: &str| {
        let of_session = session.get(name).and_then(Value::as_str);
        of_session.or_else(|| get(path).as_str()).map(str::trim).filter(|w| !w.is_empty()).map(str::to_owned)
    };
    let (safe_bins, ignored) = SafeBins::new(&general["exec"], &own["exec"]);
    if !ignored.is_empty() {
        tracing::debug!(target: "tools", "tools.exec.safeBins: nothing is known about {}; give them a profile", ignored.join(", "));
    }
    let texts = |value: &Value| value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    ExecSettings {
        host: word("execHost", "/exec/host").unwrap_or_else(|| "auto".into()).to_lowercase(),
        // A word that is none must not open anything.
        security: word("execSecurity", "/exec/security").map_or(Security::Full, |w| Security::parse(&w).unwrap_or(Security::Deny)),
        ask: word("execAsk", "/exec/ask").map_or(AskWhen::Off, |w| AskWhen::parse(&w).unwrap_or(AskWhen::Always)),
        timeout: get("/exec/timeoutSec").as_f64().filter(|s| *s > 0.0).map_or(TIMEOUT, |s| Duration::from_secs_f64(s.min(1e8))),
        path_prepend: texts(get("/exec/pathPrepend")),
        strict_inline_eval: get("/exec/strictInlineEval") == &Value::Bool(true),
        safe_bins,
        notify_on_exit: get("/exec/notifyOnExit") != &Value::Bool(false),
        notify_empty: get("/exec/notifyOnExitEmptySuccess") == &Value::Bool(true),
    }
}

/// Whether a call may be elevated, and how. `wanted` is the call's own word.
///
/// # Errors
/// The gates that fail, for the model (TOOL-43).
pub(crate) fn elevated(
    runtime: &AgentRuntime,
    agent: &str,
    session: &serde_json::Map<String, Value>,
    origin: &Origin,
    wanted: Option<bool>,
) -> Result<Elevated, String> {
    let settings = runtime.settings();
    let level = session.get("elevatedLevel").and_then(Value::as_str).or_else(|| settings.agents.defaults["elevatedDefault"].as_str());
    let level = match level.map(str::trim) {
        Some("full") => Elevated::Full,
        Some("on" | "ask") => Elevated::Ask,
        _ => Elevated::Off,
    };
    let failing = failing_gates(runtime, agent, origin);
    if failing.is_empty() {
        return Ok(match wanted {
            Some(false) => Elevated::Off,
            Some(true) if level == Elevated::Full => Elevated::Full,
            Some(true) => Elevated::Ask,
            None => level,
        });
    }
    if wanted == Some(true) {
        let surface = &origin.surface;
        return Err(format!("elevated is not available here (runtime=direct, provider={surface}). Failing gates: {}", failing.join("; ")));
    }
    Ok(Elevated::Off)
}

/// The gates that fail for whoever is behind a call; none when commands may be elevated.
pub(crate) fn failing_gates(runtime: &AgentRuntime, agent: &str, origin: &Origin) -> Vec<String> {
    let settings = runtime.settings();
    let (own, general) = sections(&settings, agent);
    let mut failing = Vec::new();
    let off = |tools: &Value| tools["elevated"]["enabled"] == Value::Bool(false);
    if off(general) || off(own) {
        failing.push("enabled (`tools.elevated.enabled`, `agents.list[].tools.elevated.enabled`)".to_owned());
    }
    let surface = origin.surface.as_str();
    let from = |tools: &Value| tools["elevated"]["allowFrom"][surface].clone();
    let fallback = |row: Value| match row {
        Value::Null if surface == "discord" => runtime.config().get("channels.discord.allowFrom").cloned().unwrap_or_default(),
        row => row,
    };
    let own_list = from(own);
    if !listed(&fallback(from(general)), origin) || (own_list.is_array() && !listed(&own_list, origin)) {
        failing.push(format!("allowFrom (`tools.elevated.allowFrom.{surface}`, `agents.list[].tools.elevated.allowFrom.{surface}`)"));
    }
    failing
}

/// True when the sender is on a list of `allowFrom`.
fn listed(list: &Value, origin: &Origin) -> bool {
    let sender = &origin.sender;
    let id = [&sender.id, &sender.e164];
    list.as_array().into_iter().flatten().any(|entry| {
        let entry = match entry {
            Value::String(text) => text.trim().to_lowercase(),
            Value::Number(number) => number.to_string(),
            _ => return false,
        };
        let is = |fact: &Option<String>, text: &str| fact.as_deref().is_some_and(|fact| fact.trim().to_lowercase() == text);
        match entry.split_once(':') {
            _ if entry == "*" => true,
            Some(("name", name)) => is(&sender.name, name),
            Some(("username", name)) => is(&sender.username, name.trim_start_matches('@')),
            Some(("id" | "from", value)) => is(&sender.id, value),
            Some(("e164", value)) => is(&sender.e164, value),
            _ => id.iter().any(|fact| is(fact, &entry)),
        }
    })
}

/// Where the file tools of an agent work.
pub(crate) fn place(runtime: &AgentRuntime, agent: &str, world: &World) -> Place {
    let settings = runtime.settings();
    let (own, general) = sections(&settings, agent);
    let confined = first(own, general, "/fs/workspaceOnly") == &Value::Bool(true);
    at(runtime, agent, world, confined)
}

/// Where `apply_patch` of an agent works: in the workspace, unless the config says otherwise.
pub(crate) fn patch_place(runtime: &AgentRuntime, agent: &str, world: &World) -> Place {
    let settings = runtime.settings();
    let (own, general) = sections(&settings, agent);
    let anywhere = first(own, general, "/exec/applyPatch/workspaceOnly") == &Value::Bool(false);
    let files_confined = first(own, general, "/fs/workspaceOnly") == &Value::Bool(true);
    at(runtime, agent, world, !anywhere || files_confined)
}

fn at(runtime: &AgentRuntime, agent: &str, world: &World, confined: bool) -> Place {
    let workspace = runtime.workspace_of(agent);
    // An agent that has not written yet has none.
    if let Err(error) = fs_err::create_dir_all(&workspace) {
        tracing::warn!(target: "tools", %error, "the workspace cannot be made");
    }
    let home = world.host().map_or_else(|_| PathBuf::from("/"), |host| host.home());
    Place { workspace, home, confined }
}

/// True when `apply_patch` is offered: on for models of the OpenAI family unless the config narrows or ends it (TOOL-34).
pub(crate) fn patches(world: &World, agent: &str, model: &Value) -> bool {
    let Ok(host) = world.host() else { return false };
    let settings = host.runtime().settings();
    let (own, general) = sections(&settings, agent);
    let get = |path: &str| first(own, general, path);
    let (Some(provider), Some(id)) = (model["provider"].as_str(), model["modelId"].as_str()) else { return false };
    if get("/exec/applyPatch/enabled") == &Value::Bool(false) {
        return false;
    }
    let full = format!("{provider}/{id}").to_lowercase();
    if let Some(list) = get("/exec/applyPatch/allowModels").as_array().filter(|list| !list.is_empty()) {
        let named = |entry: &str| entry == full || entry == id.to_lowercase();
        return list.iter().filter_map(Value::as_str).any(|entry| named(&entry.trim().to_lowercase()));
    }
    matches!(provider.to_lowercase().as_str(), "openai" | "openai-codex" | "azure-openai" | "azure-openai-responses")
}

/// The variables of a command: the base, `PATH` with what the config puts before it, and the call's own.
///
/// # Errors
/// Names that must not be set, for the model (TOOL-40).
pub(crate) fn command_env(
    base: BTreeMap<String, String>,
    prepend: &[String],
    own: Option<&Value>,
    home: &std::path::Path,
) -> Result<BTreeMap<String, String>, String> {
    let mut env = base;
    env.retain(|name, _| !matches!(name.as_str(), "BASH_ENV" | "ENV") && !name.starts_with("BASH_FUNC_"));
    let mut dirs: Vec<String> = prepend
        .iter()
        .map(|dir| dir.trim())
        .filter(|dir| !dir.is_empty())
        .map(|dir| dir.strip_prefix("~/").map_or_else(|| dir.to_owned(), |rest| home.join(rest).display().to_string()))
        .collect();
    let path = env.get("PATH").cloned().unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
    dirs.push(path);
    env.insert("PATH".into(), dirs.join(":"));
    let own = match own {
        None => return Ok(with_mark(env)),
        Some(Value::Object(own)) => own,
        Some(_) => return Err("`env` must be an object of texts".into()),
    };
    for (name, value) in own {
        let value = match value {
            Value::String(text) => text.clone(),
            Value::Number(_) | Value::Bool(_) => value.to_string(),
            _ => return Err(format!("`env.{name}` must be a text")),
        };
        if !is_plain(name) || value.contains('\0') {
            return Err(format!("`env.{}` is no variable that can be set", name.escape_debug()));
        }
        if is_reserved(name) {
            return Err(format!("`env.{name}` may not be set for commands on this machine: it could make other programs run"));
        }
        env.insert(name.clone(), value);
    }
    Ok(with_mark(env))
}

/// True for a name that a variable may have.
pub(crate) fn is_plain(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// True for variables that could make other programs run, or that say where a command runs (TOOL-40).
pub(crate) fn is_reserved(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    let loads = ["LD_", "DYLD_", "BASH_FUNC_"].iter().any(|prefix| upper.starts_with(prefix));
    loads || matches!(upper.as_str(), "PATH" | "OPENCLAW_SHELL" | "OPENCLAW_CLI") || chela_config::is_dangerous_name(name)
}

fn with_mark(mut env: BTreeMap<String, String>) -> BTreeMap<String, String> {
    env.insert("OPENCLAW_SHELL".into(), "exec".into());
    env
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    // TOOL-40
    #[test]
    fn variables_that_load_code_are_refused() {
        let base = BTreeMap::from([("PATH".to_owned(), "/bin".to_owned()), ("BASH_ENV".to_owned(), "x".to_owned())]);
        let home = std::path::Path::new("/h");
        let make = |own: Value| command_env(base.clone(), &["~/bin".into(), "/opt".into()], Some(&own), home);
        let env = make(json!({"A_1": "x", "N": 5})).unwrap();
        assert_eq!((env["PATH"].as_str(), env["A_1"].as_str(), env["N"].as_str()), ("/h/bin:/opt:/bin", "x", "5"));
        assert_eq!(env["OPENCLAW_SHELL"], "exec");
        assert!(!env.contains_key("BASH_ENV"));
        for name in ["PATH", "path", "LD_PRELOAD", "DYLD_INSERT_LIBRARIES", "NODE_OPTIONS", "BASH_ENV", "OPENCLAW_SHELL", "a b", "", "1x"] {
            let error = make(json!({name: "x"})).unwrap_err();
            assert!(error.starts_with("`env."), "{name}: {error}");
        }
        assert!(make(json!([])).is_err());
    }
}
