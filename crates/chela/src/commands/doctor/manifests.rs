//! Manifests with spellings that no longer count: told, and mended on request (MAN-242, MAN-243).

use chela_catalog::migrate::{Migration, apply, migration_of};
use chela_catalog::{Lane, PluginRecord, Snapshot};

use super::{Check, Grade, check};
use crate::context::Context;

/// Each manifest that `--fix` would change.
pub(super) fn checks(snapshot: &Snapshot) -> Vec<Check> {
    let found = outdated(snapshot);
    found
        .iter()
        .map(|(plugin, migration)| {
            let message = format!("{}: its manifest has capability lists outside `contracts`, which count for nothing", plugin.id);
            let hint = format!("`chela doctor --fix` rewrites `{}`: {}", plugin.manifest_path.display(), migration.changes.join(", "));
            check("plugins", Grade::Warn, message).hint(hint)
        })
        .collect()
}

/// Rewrites them; a file that cannot be written is found again by the checks.
pub(super) fn fix(ctx: &Context, snapshot: &Snapshot) -> Vec<String> {
    let mut done = Vec::new();
    for (plugin, migration) in outdated(snapshot) {
        let shown = ctx.show(&plugin.manifest_path);
        done.push(match apply(&plugin.root_dir, &migration) {
            Ok(()) => format!("`{shown}`: {}", migration.changes.join(", ")),
            Err(error) => format!("nothing in `{shown}`: {error}"),
        });
    }
    done
}

/// Installed packages are left as they were published: their files are held against what was installed.
fn outdated(snapshot: &Snapshot) -> Vec<(&PluginRecord, Migration)> {
    let own = snapshot.plugins.iter().filter(|plugin| plugin.lane == Lane::Node && plugin.install.is_none());
    own.filter_map(|plugin| Some((plugin, migration_of(&plugin.root_dir)?))).collect()
}
