//! What `plugins inspect --json` adds from a manifest: things that this host reads without running the plugin. Each key is absent
//! when the plugin has nothing of it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::entries::is_typescript;
use crate::fsio::real_path;
use crate::record::PluginRecord;
use crate::skills::Skills;
use crate::snapshot::Snapshot;

/// Keys and values beside those that the reference prints.
pub(crate) fn additions(snapshot: &Snapshot, plugin: &PluginRecord, skills: &Skills) -> Vec<(&'static str, Value)> {
    let mut out = Vec::new();
    let own = skills.published.iter().filter(|skill| skill.plugin_id == plugin.id);
    let rows: Vec<Value> = own.map(|skill| json!({"name": skill.name, "path": skill.dir})).collect();
    if !rows.is_empty() {
        out.push(("skills", rows.into()));
    }
    if let Some(source) = provider_catalog_source(plugin) {
        out.push(("providerCatalogSource", json!(source)));
    }
    if let Some(catalog) = plugin.manifest.model_catalog().filter(|catalog| !catalog.providers.is_empty()) {
        out.push(("modelCatalog", json!(catalog.rows())));
    }
    if let Some(setup) = &plugin.manifest.setup {
        // An id that two plugins declare belongs to nobody (MAN-166).
        let mine = |owner: Option<&PluginRecord>| owner.is_some_and(|owner| owner.id == plugin.id);
        let provider = |entry: &chela_manifest::SetupProvider| json!({"id": entry.id, "owned": mine(snapshot.setup_provider_owner(&entry.id)), "envVars": entry.env_vars});
        let backend = |id: &String| json!({"id": id, "owned": mine(snapshot.setup_cli_backend_owner(id))});
        let providers: Vec<Value> = setup.providers.iter().map(provider).collect();
        let backends: Vec<Value> = setup.cli_backends.iter().map(backend).collect();
        out.push(("setup", json!({"providers": providers, "cliBackends": backends})));
    }
    let tools = tools_by_config(snapshot, plugin);
    if !tools.is_empty() {
        out.push(("toolConfigSignals", json!(tools)));
    }
    out
}

/// The module with a static provider catalogue, inside the root (MAN-090, MAN-091).
fn provider_catalog_source(plugin: &PluginRecord) -> Option<PathBuf> {
    let entry = plugin.manifest.provider_catalog_entry.as_deref()?;
    let inside = |path: PathBuf| real_path(&path).filter(|real| real.starts_with(&plugin.root_dir) && real.is_file());
    let path = plugin.root_dir.join(entry);
    // Packages are published without their sources.
    let built = || is_typescript(entry).then(|| inside(path.with_extension("js"))).flatten();
    inside(path.clone()).or_else(built)
}

/// For each tool with config signals: whether one of them holds now (MAN-111..MAN-113, MAN-116).
fn tools_by_config<'a>(snapshot: &Snapshot, plugin: &'a PluginRecord) -> BTreeMap<&'a str, bool> {
    let env = |name: &str| snapshot.env_names.contains(name);
    let tools = plugin.manifest.tool_metadata.iter().filter(|(_, tool)| !tool.signals.config_signals.is_empty());
    tools
        .map(|(name, tool)| (name.as_str(), tool.signals.config_signals.iter().any(|signal| signal.holds(&snapshot.config, &env))))
        .collect()
}
