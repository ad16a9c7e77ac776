//! `plugins uninstall` of a hook pack.

use chela_catalog::InstallRecord;
use chela_catalog::installs::IndexRecords;
use chela_config::Config;

use super::{check_name, hooks_of, recorded, transaction};
use crate::error::InstallError;
use crate::install::Installer;
use crate::intent::{ConfigChange, Intent, Leftover, Operation};
use crate::legacy::is_linked;
use crate::uninstall::{UninstallPlan, Uninstalled};

impl Installer {
    /// What an uninstall of the hook pack would remove; `None` when there is no such pack.
    pub(crate) fn plan_pack_uninstall(&self, text: &str, config: &Config, keep_files: bool) -> Option<UninstallPlan> {
        let packs = recorded(config);
        let (id, record) = select(text, &packs)?;
        let hooks = hooks_of(&record.fields);
        let internal = &config.source["hooks"]["internal"];
        let linked = is_linked(record);
        let extra_dir = record.text("installPath").filter(|_| linked).map(str::to_owned);
        let loads = extra_dir.as_deref().is_some_and(|dir| {
            let mut dirs = internal["load"]["extraDirs"].as_array().into_iter().flatten();
            dirs.any(|known| known == dir)
        });
        let mut labels = vec!["install record".to_owned()];
        labels.extend(
            hooks.iter().filter(|hook| internal["entries"].get(hook.as_str()).is_some()).map(|hook| format!("hook entry ({hook})")),
        );
        if loads {
            labels.push("hook directory entry".to_owned());
        }
        // Only the managed directory goes, wherever a record points.
        let directory = Some(self.pack_dir(id)).filter(|dir| !linked && !keep_files && check_name(id).is_ok() && dir.is_dir());
        let mut intent = Intent::new(Operation::Uninstall, id);
        intent.before = Some(record.fields.clone());
        intent.config = ConfigChange::HookPackRemoval { hooks, extra_dir };
        intent.leftovers = directory.iter().map(|path| Leftover::Directory { path: path.clone() }).collect();
        Some(UninstallPlan { plugin_id: id.to_owned(), name: id.to_owned(), labels, directory, intent, records: IndexRecords::new() })
    }

    /// Carries the plan out. The lock must be held.
    pub(crate) fn uninstall_pack(&self, plan: &UninstallPlan) -> Result<Uninstalled, InstallError> {
        let now = recorded(&self.world.config()?).remove(&plan.plugin_id).map(|record| record.fields);
        if now != plan.intent.before {
            return Err(InstallError::refused("installed hook packs changed since the preview").hint("run the command again"));
        }
        let target = self.pack_dir(&plan.plugin_id);
        let warnings = transaction::commit(&self.world, &*self.moments, plan.intent.clone(), &target, None)?;
        let mut removed: Vec<String> = plan.labels.iter().map(|label| label.split(" (").next().unwrap_or(label).to_owned()).collect();
        removed.dedup();
        if plan.directory.as_ref().is_some_and(|dir| !dir.exists()) {
            removed.push("directory".to_owned());
        }
        Ok(Uninstalled { plugin_id: plan.plugin_id.clone(), removed, warnings })
    }
}

/// The pack that a text means: id, spec or package name.
fn select<'a>(text: &str, packs: &'a IndexRecords) -> Option<(&'a str, &'a InstallRecord)> {
    let names = ["spec", "resolvedSpec", "resolvedName"];
    let by_name = || packs.iter().find(|(_, record)| names.iter().any(|key| record.text(key) == Some(text)));
    packs.get_key_value(text).or_else(by_name).map(|(id, record)| (id.as_str(), record))
}
