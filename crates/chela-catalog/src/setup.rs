//! Setup descriptors: who owns a setup provider or CLI backend, and where descriptor and code disagree (MAN-166, MAN-167).

use std::collections::BTreeMap;

use crate::diagnostic::{Diagnostic, Level};
use crate::record::PluginRecord;
use crate::runtime::RuntimeFacts;
use crate::snapshot::Snapshot;

/// Files that hold setup code without being named in `package.json`.
const SETUP_FILES: [&str; 6] = ["setup-api.js", "setup-api.mjs", "setup-api.cjs", "setup-api.ts", "setup-api.mts", "setup-api.cts"];

impl Snapshot {
    /// The plugin whose setup configures a provider: the only one that names it, in any case. Two plugins that name the same one
    /// cancel each other out, so that neither can take over the other's set-up (MAN-166).
    pub fn setup_provider_owner(&self, provider: &str) -> Option<&PluginRecord> {
        self.only_owner(provider, |plugin| match plugin.manifest.setup.as_ref().map(|setup| &setup.providers) {
            Some(list) if !list.is_empty() => list.iter().map(|entry| entry.id.as_str()).collect(),
            _ => plugin.manifest.providers.iter().map(String::as_str).collect(),
        })
    }

    /// As [`Snapshot::setup_provider_owner`], for a CLI backend.
    pub fn setup_cli_backend_owner(&self, backend: &str) -> Option<&PluginRecord> {
        self.only_owner(backend, |plugin| match plugin.manifest.setup.as_ref().map(|setup| &setup.cli_backends) {
            Some(list) if !list.is_empty() => list.iter().map(String::as_str).collect(),
            _ => plugin.manifest.cli_backends.iter().map(String::as_str).collect(),
        })
    }

    fn only_owner<'a>(&'a self, id: &str, ids: impl Fn(&'a PluginRecord) -> Vec<&'a str>) -> Option<&'a PluginRecord> {
        let wanted = normal(id);
        let mut owners = self.plugins.iter().filter(|plugin| ids(plugin).iter().any(|id| normal(id) == wanted));
        let first = owners.next()?;
        owners.next().is_none().then_some(first)
    }
}

fn normal(id: &str) -> String {
    id.trim().to_lowercase()
}

/// What the descriptors promise and the files or the code do not keep; none of it rejects the plugin (MAN-167). What the code
/// registers is known only from `facts` of a plugin that ran.
pub(crate) fn disagreements(plugin: &PluginRecord, facts: &RuntimeFacts) -> Vec<Diagnostic> {
    let Some(setup) = &plugin.manifest.setup else { return Vec::new() };
    let remark = |code: &'static str, message: String| {
        Diagnostic::new(Level::Warn, code, message).plugin(Some(&plugin.id)).at(&plugin.manifest_path)
    };
    if setup.requires_runtime == Some(false) {
        let has_code = plugin.setup_source.is_some() || SETUP_FILES.iter().any(|name| plugin.root_dir.join(name).exists());
        let message = "setup code is never run because `setup.requiresRuntime` is false; remove the code, or set it to true";
        return if has_code { vec![remark("setup-descriptor-runtime-disabled", message.to_owned())] } else { Vec::new() };
    }
    if !facts.imported {
        return Vec::new();
    }
    let mut out = Vec::new();
    let providers: Vec<String> = setup.providers.iter().map(|entry| entry.id.clone()).collect();
    let kinds = [
        (
            "setup.providers",
            "provider",
            &providers,
            &facts.provider_ids,
            ["setup-descriptor-provider-missing-runtime", "setup-descriptor-provider-runtime-undeclared"],
        ),
        (
            "setup.cliBackends",
            "CLI backend",
            &setup.cli_backends,
            &facts.cli_backend_ids,
            ["setup-descriptor-cli-backend-missing-runtime", "setup-descriptor-cli-backend-runtime-undeclared"],
        ),
    ];
    for (block, what, declared, registered, [missing, undeclared]) in kinds {
        if declared.is_empty() {
            continue;
        }
        let (declared, registered) = (by_normal(declared), by_normal(registered));
        for (_, id) in declared.iter().filter(|(key, _)| !registered.contains_key(*key)) {
            out.push(remark(missing, format!("`{block}` declares `{id}`, but the plugin registers no such {what}")));
        }
        for (_, id) in registered.iter().filter(|(key, _)| !declared.contains_key(*key)) {
            out.push(remark(undeclared, format!("the plugin registers the {what} `{id}`, which `{block}` does not declare")));
        }
    }
    out
}

/// Ids by their normal form; of several spellings the first stays.
fn by_normal(ids: &[String]) -> BTreeMap<String, &str> {
    let mut map = BTreeMap::new();
    for id in ids.iter().filter(|id| !id.trim().is_empty()) {
        map.entry(normal(id)).or_insert(id.as_str());
    }
    map
}
