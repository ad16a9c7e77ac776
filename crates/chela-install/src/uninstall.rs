//! `plugins uninstall`: what goes, shown before it goes (INS-295..INS-307).

use std::path::PathBuf;

use chela_catalog::installs::IndexRecords;
use chela_catalog::{InstallRecord, PluginRecord, Snapshot, Status};
use chela_config::Config;

use crate::config_change::{SLOTS, has_load_path};
use crate::error::InstallError;
use crate::fsops::link_target;
use crate::install::Installer;
use crate::intent::{ConfigChange, Intent, Leftover, Operation, Switch};
use crate::legacy::{is_linked, is_ours, leftover_of};
use crate::transaction::{CURRENT, commit};

/// Channel settings that belong to no plugin (INS-299).
const SHARED_CHANNEL_KEYS: [&str; 2] = ["defaults", "modelByChannel"];

/// What an uninstall would remove.
#[derive(Debug, Clone)]
pub struct UninstallPlan {
    /// Plugin id.
    pub plugin_id: String,
    /// Display name.
    pub name: String,
    /// What goes, in the words of the preview, the directory left out (INS-297).
    pub labels: Vec<String>,
    /// The directory that goes.
    pub directory: Option<PathBuf>,
    pub(crate) intent: Intent,
    pub(crate) records: IndexRecords,
}

impl UninstallPlan {
    /// True when it is about a hook pack and no plugin.
    pub fn is_hook_pack(&self) -> bool {
        self.intent.is_pack()
    }
}

/// What an uninstall did.
#[derive(Debug, Clone)]
pub struct Uninstalled {
    /// Plugin id.
    pub plugin_id: String,
    /// What went, in short words.
    pub removed: Vec<String>,
    /// Things that went wrong without harm.
    pub warnings: Vec<String>,
}

impl Installer {
    /// Looks at what an uninstall would remove; writes nothing (INS-300).
    ///
    /// # Errors
    /// Unknown plugins (INS-306) and plugins that are not managed (INS-307).
    pub fn plan_uninstall(&self, id: &str, keep_files: bool) -> Result<UninstallPlan, InstallError> {
        self.refuse_nix("uninstall")?;
        let config = self.world.config()?;
        let records = self.world.records(&config);
        let snapshot = self.world.snapshot(&config, &records);
        let (plugin_id, plugin) = select(id.trim(), &snapshot, &records);
        let record = records.get(&plugin_id);
        if record.is_none()
            && plugin.is_none()
            && let Some(plan) = self.plan_pack_uninstall(id.trim(), &config, keep_files)
        {
            return Ok(plan);
        }
        let channels = owned_channels(&plugin_id, plugin, record, &config);
        let linked_source = record.filter(|record| record.source == "path").and_then(|record| record.text("sourcePath"));
        let load_path = linked_source.filter(|path| has_load_path(&config, path)).map(str::to_owned);

        let mut labels = config_labels(&config, &plugin_id, record.is_some(), load_path.is_some());
        labels.extend(channels.iter().map(|key| format!("channel config (channels.{key})")));
        if labels.is_empty() && record.is_none() {
            return Err(match plugin {
                Some(_) => InstallError::refused(format!(
                    "Plugin \"{plugin_id}\" is not managed by plugins config/install records and cannot be uninstalled."
                ))
                .hint(format!("switch it off with `chela plugins disable {plugin_id}`")),
                None => InstallError::refused(format!("Plugin not found: {plugin_id}")).hint("see `chela plugins list`"),
            });
        }
        let mut intent = Intent::new(Operation::Uninstall, &plugin_id);
        intent.before = record.map(|record| record.fields.clone());
        intent.config = ConfigChange::Uninstall { channels, load_path };
        let directory = if keep_files { None } else { self.directory_of(&plugin_id, record, &mut intent) };
        let name = plugin.map_or_else(|| plugin_id.clone(), |plugin| plugin.name.clone());
        Ok(UninstallPlan { plugin_id, name, labels, directory, intent, records })
    }

    /// The directory that goes with the record, and how the intent removes it.
    fn directory_of(&self, id: &str, record: Option<&InstallRecord>, intent: &mut Intent) -> Option<PathBuf> {
        let record = record.filter(|record| !is_linked(record))?;
        let layout = &self.world.layout;
        let ours = record.text("installPath").is_some_and(|path| is_ours(layout, path.as_ref()));
        let dir = layout.plugin(&intent.key);
        if ours {
            let from = link_target(&dir.join(CURRENT));
            // Without a pointer there is nothing to switch, but the directory may still be there.
            match from {
                Some(_) => intent.switch = Some(Switch { from, to: None }),
                None => intent.leftovers.push(Leftover::Directory { path: dir.clone() }),
            }
            return dir.exists().then_some(dir);
        }
        let leftover = leftover_of(layout, id, record)?;
        let path = leftover.path();
        intent.leftovers.push(leftover);
        path.exists().then_some(path)
    }

    /// Carries a plan out.
    ///
    /// # Errors
    /// When the plan is out of date, another process installs, or something cannot be written; then everything is as it was.
    pub fn uninstall(&self, plan: &UninstallPlan) -> Result<Uninstalled, InstallError> {
        let session = self.begin()?;
        if plan.intent.is_pack() {
            return self.uninstall_pack(plan);
        }
        let config = self.world.config()?;
        if self.world.records(&config) != plan.records {
            return Err(InstallError::refused("installed plugins changed since the preview").hint("run the command again"));
        }
        let details = [("command", "uninstall"), ("pluginId", plan.plugin_id.as_str())];
        let done =
            self.trace.phase("config mutation", &details, || commit(&self.world, &*self.moments, &plan.intent, &plan.records, None))?;
        drop(session);
        let mut removed: Vec<String> = plan.labels.iter().map(|label| label.split(" (").next().unwrap_or(label).to_owned()).collect();
        removed.dedup();
        if plan.directory.as_ref().is_some_and(|dir| !dir.exists()) {
            removed.push("directory".to_owned());
        }
        Ok(Uninstalled { plugin_id: plan.plugin_id.clone(), removed, warnings: done.warnings })
    }
}

/// The plugin that a text means: id, display name, spec, package or marketplace name (INS-295).
fn select<'a>(text: &str, snapshot: &'a Snapshot, records: &IndexRecords) -> (String, Option<&'a PluginRecord>) {
    if let Some(plugin) = snapshot.plugins.iter().find(|plugin| plugin.id == text || plugin.name == text) {
        return (plugin.id.clone(), Some(plugin));
    }
    let names = ["spec", "resolvedSpec", "resolvedName", "marketplacePlugin"];
    let by_name = records.iter().find(|(_, record)| names.iter().any(|key| record.text(key) == Some(text)));
    let by_clawhub = || {
        let wanted = clawhub_name(text)?;
        records.iter().find(|(_, record)| {
            let spec = || ["spec", "resolvedSpec"].iter().find_map(|key| clawhub_name(record.text(key)?));
            record.text("clawhubPackage").or_else(spec) == Some(wanted)
        })
    };
    let id = by_name.or_else(by_clawhub).map_or_else(|| text.to_owned(), |(id, _)| id.clone());
    let plugin = snapshot.get(&id);
    (id, plugin)
}

fn clawhub_name(spec: &str) -> Option<&str> {
    let rest = spec.get(..8).filter(|prefix| prefix.eq_ignore_ascii_case("clawhub:")).and_then(|_| spec.get(8..))?.trim();
    let name = rest.rfind('@').filter(|at| *at > 0).map_or(rest, |at| &rest[..at]);
    (!name.is_empty()).then_some(name)
}

/// Channel settings that go with an installed plugin: those it declares while it is usable, else those under its own id (INS-296).
fn owned_channels(id: &str, plugin: Option<&PluginRecord>, record: Option<&InstallRecord>, config: &Config) -> Vec<String> {
    if record.is_none() {
        return Vec::new();
    }
    let keys = match plugin.filter(|plugin| plugin.status == Status::Loaded) {
        Some(plugin) => plugin.manifest.channels.clone(),
        None => vec![id.to_owned()],
    };
    let set = |key: &String| config.source["channels"].get(key).is_some();
    keys.into_iter().filter(|key| !SHARED_CHANNEL_KEYS.contains(&key.as_str()) && set(key)).collect()
}

/// INS-297.
fn config_labels(config: &Config, id: &str, recorded: bool, load_path: bool) -> Vec<String> {
    let plugins = &config.source["plugins"];
    let lists = |name: &str| plugins[name].as_array().is_some_and(|list| list.iter().any(|entry| entry == id));
    let mut labels = Vec::new();
    for (goes, label) in [
        (plugins["entries"].get(id).is_some(), "config entry"),
        (recorded, "install record"),
        (lists("allow"), "allowlist entry"),
        (lists("deny"), "denylist entry"),
        (load_path, "load path"),
    ] {
        if goes {
            labels.push(label.to_owned());
        }
    }
    for ((_, slot, default), label) in SLOTS.iter().zip(["memory slot", "context engine slot"]) {
        if plugins["slots"][*slot] == id {
            labels.push(format!("{label} (will reset to \"{default}\")"));
        }
    }
    labels
}
