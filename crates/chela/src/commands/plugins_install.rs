//! `chela plugins install` and `rollback`.

use chela_install::{InstallFlags, InstallRequest, Installed};
use serde_json::json;

use crate::cli::plugins::{InstallArgs, RollbackArgs};
use crate::context::Context;
use crate::report::{Failure, warn};
use crate::{installer, output};

/// The reference's last line; a running gateway takes new code with its next start (INS-150).
pub const RESTART: &str = "Restart the gateway to load plugins.";

/// Installs a plugin; a refusal leaves everything as it was.
///
/// # Errors
/// Those of the installer.
pub fn run(ctx: &Context, args: &InstallArgs) -> Result<(), Failure> {
    let flags = InstallFlags {
        link: args.link,
        force: args.force,
        pin: args.pin,
        marketplace: args.marketplace.clone(),
        unsafe_code: args.dangerously_force_unsafe_install,
    };
    let done = installer::make(ctx, Some(args.json)).install(&InstallRequest { spec: args.spec.clone(), flags })?;
    if args.json {
        return output::json(&json!({
            "pluginId": done.plugin_id, "version": done.version, "linked": done.linked, "enabled": done.enabled,
            "install": done.record, "hooks": done.hooks, "warnings": done.warnings,
        }));
    }
    done.warnings.iter().for_each(|warning| warn(warning));
    output::text(&text(ctx, &done))
}

fn text(ctx: &Context, done: &Installed) -> String {
    let what = if done.hooks.is_some() { "hook pack" } else { "plugin" };
    let first = match &done.linked {
        Some(path) => format!("Linked {what} path: {}", ctx.show(path)),
        None => format!("Installed {what}: {}", done.plugin_id),
    };
    format!("{first}\n{RESTART}\n")
}

/// Switches a plugin back to the version before.
///
/// # Errors
/// Those of the installer.
pub fn rollback(ctx: &Context, args: &RollbackArgs) -> Result<(), Failure> {
    let done = installer::make(ctx, Some(args.json)).rollback(&args.id)?;
    if args.json {
        return output::json(&json!({"pluginId": done.plugin_id, "from": done.from, "to": done.to, "warnings": done.warnings}));
    }
    done.warnings.iter().for_each(|warning| warn(warning));
    let shown = |version: &Option<String>| version.clone().unwrap_or_else(|| "unknown".to_owned());
    output::text(&format!("Rolled back {}: {} -> {}.\n{RESTART}\n", done.plugin_id, shown(&done.from), shown(&done.to)))
}
