//! The sandbox of a worker: from permissions to what the kernel, Node and the worker's script hold.

mod elf;
pub(crate) mod gate;
pub(crate) mod ledger;
mod paths;
pub mod permissions;
mod programs;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chela_manifest::permissions::{Effective, HostRule, Network, Permissions, Programs};
use chela_plugin::{CallError, PluginSpec};
use chela_process::{FileRules, Kernel, NetworkRule, Sandbox};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::env::{WorkerEnv, confined_env, worker_env};
use crate::options::NodeLaneOptions;
use gate::Gate;
use ledger::Facts;

/// How one run of a worker is confined.
pub(crate) struct Plan {
    /// What the kernel holds; `None` leaves the worker the gateway's rights.
    pub(crate) kernel: Option<Sandbox>,
    /// Answers connections, when the kernel asks.
    pub(crate) gate: Option<Arc<Gate>>,
    /// Extra arguments of Node.
    pub(crate) node_args: Vec<&'static str>,
    /// Its variables.
    pub(crate) env: WorkerEnv,
    /// Where it keeps compiled code.
    pub(crate) compile_cache: PathBuf,
    /// Its temporary directory, removed with the run.
    pub(crate) temp: Option<tempfile::TempDir>,
    /// What the worker's script is told.
    pub(crate) policy: Value,
    /// For the status.
    pub(crate) facts: Facts,
    /// What it may read; the gateway reads nothing else for it.
    pub(crate) readable: Option<Vec<PathBuf>>,
}

/// What is kept of a plan while the worker runs.
#[derive(Debug, Default)]
pub(crate) struct Confined {
    /// See [`Plan::gate`].
    pub(crate) gate: Option<Arc<Gate>>,
    /// See [`Plan::policy`].
    pub(crate) policy: Value,
    /// Where the operator grants.
    pub(crate) key: String,
    /// Variables of a confined worker that were granted.
    pub(crate) granted_env: Option<BTreeMap<String, String>>,
    readable: Option<Vec<PathBuf>>,
    _temp: Option<tempfile::TempDir>,
}

impl Plan {
    /// Keeps what is needed later.
    pub(crate) fn into_confined(self, spec: &PluginSpec) -> Confined {
        let confined = self.readable.is_some();
        Confined {
            gate: self.gate,
            policy: self.policy,
            key: key_of(spec),
            granted_env: confined.then_some(self.env.granted),
            readable: self.readable,
            _temp: self.temp,
        }
    }
}

impl Confined {
    /// Refuses a request that names a file which the gateway, or another plugin for it, would read in the place of a worker that cannot.
    pub(crate) fn may_name(&self, method: &str, params: &Value) -> Result<(), CallError> {
        if self.readable.is_none() {
            return Ok(());
        }
        files_of(method, params).into_iter().try_for_each(|path| self.may_read(&json!({ "path": path })))
    }

    /// Refuses a file that the gateway would read in the place of a worker that cannot.
    pub(crate) fn may_read(&self, params: &Value) -> Result<(), CallError> {
        let Some(readable) = &self.readable else { return Ok(()) };
        let path = params.get("path").and_then(Value::as_str).unwrap_or_default();
        let real = fs_err::canonicalize(path).unwrap_or_default();
        if readable.iter().any(|allowed| real.starts_with(allowed)) {
            return Ok(());
        }
        Err(CallError::refused("EACCES", format!("`{path}` is not granted: add it to `{}.files.read`", self.key)))
    }
}

/// Files that a request of a plugin names.
fn files_of<'a>(method: &str, params: &'a Value) -> Vec<&'a str> {
    let first = &params["args"][0];
    if method.starts_with("host.mediaUnderstanding.") || method.starts_with("host.tts.") {
        return ["filePath", "prefsPath"].iter().filter_map(|name| first[*name].as_str()).collect();
    }
    if method != "host.channel.send" {
        return Vec::new();
    }
    let payload = &params["payload"];
    let many = payload["mediaUrls"].as_array().into_iter().flatten();
    let named = many.chain([&payload["mediaUrl"], &payload["filePath"]]).filter_map(Value::as_str);
    named
        .filter_map(|place| {
            place.strip_prefix("file://").or(Some(place)).filter(|place| !place.contains("://") && !place.starts_with("data:"))
        })
        .collect()
}

/// Where things are that a plan is about.
pub(crate) struct Places<'a> {
    pub(crate) node: &'a Path,
    pub(crate) sdk: &'a Path,
}

/// Plans the run of a worker for its first plugin. A confined plugin is alone in its worker.
///
/// # Errors
/// With a text for people when the sandbox cannot be made; the plugin must not start then.
pub(crate) fn plan(spec: &PluginSpec, options: &NodeLaneOptions, places: &Places<'_>) -> Result<Plan, String> {
    let shared_cache = options.cache_dir.join("compile-cache");
    let open = |mode: Option<&'static str>| Plan {
        kernel: None,
        gate: None,
        node_args: Vec::new(),
        env: worker_env(&options.env, &spec.env_grants, &spec.env),
        compile_cache: shared_cache.clone(),
        temp: None,
        policy: mode.map_or(Value::Null, |mode| json!({ "mode": mode, "key": key_of(spec) })),
        facts: Facts { mode, ..Facts::default() },
        readable: None,
    };
    match &spec.permissions {
        Effective::Open => Ok(open(None)),
        Effective::Observe => {
            let mut plan = open(Some("observe"));
            plan.policy["own"] = json!(paths::own(spec, places, &plan.compile_cache));
            Ok(plan)
        }
        Effective::Enforce(set) => enforced(spec, set, options, places, Kernel::probe()),
    }
}

/// Where the operator grants.
pub(crate) fn key_of(spec: &PluginSpec) -> String {
    format!("plugins.entries.{}.permissions", spec.id)
}

fn enforced(spec: &PluginSpec, set: &Permissions, options: &NodeLaneOptions, places: &Places<'_>, kernel: Kernel) -> Result<Plan, String> {
    let mut facts = Facts { mode: Some("enforce"), ..Facts::default() };
    let temp_base = options.env.get("TMPDIR").map_or_else(|| PathBuf::from("/tmp"), PathBuf::from);
    let temp = tempfile::Builder::new().prefix("chela-plugin-").tempdir_in(&temp_base);
    let temp = temp.map_err(|e| format!("no temporary directory for the plugin in `{}`: {e}", temp_base.display()))?;
    // Compiled code of others would be run by others: a confined worker writes only its own.
    let compile_cache = options.cache_dir.join("compile-cache-of").join(short_hash(&spec.id));
    fs_err::create_dir_all(&compile_cache).map_err(|e| e.to_string())?;
    let granted = paths::granted(spec, set, options, temp.path())?;
    facts.notices.extend(granted.notices.iter().cloned());
    let programs = programs::resolve(&set.child_processes, options.env.get("PATH").map_or("", String::as_str));

    let mut rules = FileRules { read: paths::system(places.node), ..FileRules::default() };
    rules.read.extend(paths::own(spec, places, &compile_cache));
    rules.read.extend(granted.read.iter().cloned());
    rules.write = [temp.path().into(), compile_cache.clone(), "/dev/null".into()].into();
    rules.write.extend(granted.write.iter().cloned());
    rules.execute = programs::loaders(places.node)?;
    rules.execute.extend(programs.execute.iter().cloned());
    rules.read.extend(programs.read.iter().cloned());
    let readable = rules.read.iter().chain(&rules.write).map(|path| fs_err::canonicalize(path).unwrap_or_else(|_| path.clone())).collect();
    let policy = json!({
        "mode": "enforce",
        "key": key_of(spec),
        "files": { "read": rules.read.clone(), "write": rules.write.clone(), "held": kernel.landlock > 0 && kernel.seccomp },
        "network": set.network,
        "childProcesses": match &set.child_processes {
            Programs::List(names) => json!(names.iter().chain(&programs.names).collect::<Vec<_>>()),
            other => json!(other),
        },
        "nativeAddons": set.native_addons,
        "asked": kernel.ask,
    });
    let network = network(set, kernel, &mut facts);
    let files = files(kernel, rules, &mut facts);
    held(&mut facts, set, kernel);
    let gate = matches!(network, NetworkRule::Asked { .. }).then(|| Arc::new(Gate::new(set.network.rules().to_vec())));
    let sandbox = kernel.seccomp.then(|| Sandbox { files, network, processes: set.child_processes != Programs::None });
    Ok(Plan {
        kernel: sandbox,
        gate,
        node_args: if set.native_addons { Vec::new() } else { vec!["--no-addons"] },
        env: confined_env(&options.env, set, &spec.env, temp.path()),
        compile_cache,
        temp: Some(temp),
        policy,
        facts,
        readable: Some(readable),
    })
}

fn network(set: &Permissions, kernel: Kernel, facts: &mut Facts) -> NetworkRule {
    let (rule, holder) = match &set.network {
        Network::Any => (NetworkRule::Any, None),
        Network::None if kernel.seccomp => (NetworkRule::None, Some("kernel")),
        Network::Hosts(rules) if kernel.ask => {
            let has = |wanted: fn(&HostRule) -> bool| rules.iter().any(wanted);
            let listen = has(|rule| matches!(rule, HostRule::Listen));
            (NetworkRule::Asked { listen, unix: has(|rule| matches!(rule, HostRule::Path(_))) }, Some("kernel"))
        }
        Network::None | Network::Hosts(_) => {
            facts.notices.push("this kernel cannot hand over connections (Linux 5.6 with seccomp can): hosts are checked in JavaScript only, which native code and new threads pass".into());
            (NetworkRule::Any, Some("javascript"))
        }
    };
    facts.held_by.extend(holder.map(|holder| ("network", holder)));
    rule
}

fn files(kernel: Kernel, rules: FileRules, facts: &mut Facts) -> Option<FileRules> {
    let held = kernel.landlock > 0 && kernel.seccomp;
    if !held {
        facts.notices.push("this kernel has no Landlock (Linux 5.13 has): files are checked in JavaScript only, which native code, programs and links pass".into());
    } else if kernel.landlock < 3 {
        facts
            .notices
            .push("this kernel's Landlock does not hold `truncate` (Linux 6.2 does): a file that can only be read can be emptied".into());
    }
    facts.held_by.insert("files", if held { "kernel" } else { "javascript" });
    held.then_some(rules)
}

fn held(facts: &mut Facts, set: &Permissions, kernel: Kernel) {
    facts.held_by.insert("env", "gateway");
    let processes = match (&set.child_processes, kernel.seccomp, kernel.landlock > 0) {
        (Programs::Any, ..) => None,
        (Programs::None, true, _) | (Programs::List(_), true, true) => Some("kernel"),
        _ => Some("javascript"),
    };
    facts.held_by.extend(processes.map(|holder| ("childProcesses", holder)));
    if !set.native_addons {
        facts.held_by.insert("nativeAddons", "node");
    }
}

fn short_hash(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().take(8).map(|b| format!("{b:02x}")).collect()
}

/// Who holds what, by permission.
pub(crate) type HeldBy = BTreeMap<&'static str, &'static str>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gateway_reads_no_file_for_a_worker_that_may_not() {
        let dir = tempfile::tempdir().unwrap();
        let (mine, other) = (dir.path().join("mine"), dir.path().join("other.png"));
        std::fs::create_dir(&mine).unwrap();
        std::fs::write(mine.join("a.png"), "a").unwrap();
        std::fs::write(&other, "b").unwrap();
        let confined = Confined { readable: Some(vec![mine.canonicalize().unwrap()]), key: "k".into(), ..Confined::default() };
        let allowed = mine.join("a.png");
        for (method, params) in [
            ("host.mediaUnderstanding.describeImageFile", json!({"args": [{"filePath": null}]})),
            ("host.tts.textToSpeech", json!({"args": [{"prefsPath": null}]})),
            ("host.channel.send", json!({"payload": {"mediaUrl": null}})),
            ("host.channel.send", json!({"payload": {"mediaUrls": ["https://example.com/a.png", null]}})),
        ] {
            let with = |path: &Path| serde_json::from_str::<Value>(&params.to_string().replace("null", &json!(path).to_string())).unwrap();
            confined.may_name(method, &with(&allowed)).unwrap();
            let refused = confined.may_name(method, &with(&other)).unwrap_err();
            assert!(refused.to_string().contains("`k.files.read`"), "{method}: {refused}");
            Confined::default().may_name(method, &with(&other)).unwrap();
        }
        let from_a_file = json!({"payload": {"mediaUrl": format!("file://{}", other.display())}});
        assert!(confined.may_name("host.channel.send", &from_a_file).is_err());
    }
}
