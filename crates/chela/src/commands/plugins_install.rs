//! `chela plugins install` and `rollback`.

use chela_config::ReloadMode;
use chela_install::{InstallFlags, InstallRequest, Installed};
use serde_json::json;

use crate::cli::plugins::{InstallArgs, RollbackArgs};
use crate::context::Context;
use crate::report::{Failure, warn};
use crate::{installer, lockfile, output};

/// What a restart is for after new code came.
pub const LOAD: &str = "load plugins";

/// When a change counts: at once where a gateway runs that follows its files, else with the next start, in the reference's words (INS-150).
pub fn takes_effect(ctx: &Context, purpose: &str) -> String {
    let runs = lockfile::look(&ctx.paths).pid().is_some();
    let follows = ctx.config_lenient().is_ok_and(|(config, _)| config.gateway().reload.mode != ReloadMode::Off);
    if runs && follows { "The running gateway takes it up by itself.".to_owned() } else { format!("Restart the gateway to {purpose}.") }
}

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
    format!("{first}\n{}\n", takes_effect(ctx, LOAD))
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
    output::text(&format!("Rolled back {}: {} -> {}.\n{}\n", done.plugin_id, shown(&done.from), shown(&done.to), takes_effect(ctx, LOAD)))
}
