//! `chela plugins uninstall`: a preview, a question, then the removal (INS-297..INS-302).

use std::io::BufRead;

use chela_install::UninstallPlan;
use serde_json::json;

use crate::cli::plugins::UninstallArgs;
use crate::context::Context;
use crate::report::{Failure, note, warn};
use crate::{installer, output};

/// Shows what would go, asks, removes.
///
/// # Errors
/// Those of the installer; no answer to the question (INS-301).
pub fn run(ctx: &Context, args: &UninstallArgs) -> Result<(), Failure> {
    if args.keep_config {
        warn("`--keep-config` is deprecated, use `--keep-files`");
    }
    let installer = installer::make(ctx, Some(args.json));
    let plan = installer.plan_uninstall(&args.id, args.keep_files || args.keep_config)?;
    let removes = preview(ctx, &plan);
    if args.dry_run {
        return if args.json { output::json(&plan_json(&plan)) } else { output::text(&format!("{removes}Dry run, no changes made.\n")) };
    }
    if !args.force {
        if !args.json {
            note(removes.trim_end());
        }
        if args.json || !confirmed(&plan)? {
            return if args.json {
                Err(Failure::usage("`--json` needs `--force` or `--dry-run`: nobody can be asked"))
            } else {
                output::text("Cancelled.\n")
            };
        }
    }
    let done = installer.uninstall(&plan)?;
    done.warnings.iter().for_each(|warning| warn(warning));
    if args.json {
        return output::json(&json!({"pluginId": done.plugin_id, "removed": done.removed, "warnings": done.warnings}));
    }
    if args.force {
        output::text(&removes)?;
    }
    output::text(&format!(
        "Uninstalled {} \"{}\". Removed: {}.\n{}\n",
        what(&plan).to_lowercase(),
        done.plugin_id,
        if done.removed.is_empty() { "nothing".to_owned() } else { done.removed.join(", ") },
        super::plugins_install::takes_effect(ctx, "apply changes")
    ))
}

fn preview(ctx: &Context, plan: &UninstallPlan) -> String {
    let mut labels = plan.labels.clone();
    labels.extend(plan.directory.iter().map(|dir| format!("directory: {}", ctx.show(dir))));
    let id = if plan.name == plan.plugin_id { String::new() } else { format!(" ({})", plan.plugin_id) };
    let removes = if labels.is_empty() { "(nothing)".to_owned() } else { labels.join(", ") };
    format!("{}: {}{id}\nWill remove: {removes}\n", what(plan), plan.name)
}

fn what(plan: &UninstallPlan) -> &'static str {
    if plan.is_hook_pack() { "Hook pack" } else { "Plugin" }
}

fn plan_json(plan: &UninstallPlan) -> serde_json::Value {
    json!({"pluginId": plan.plugin_id, "name": plan.name, "dryRun": true, "willRemove": plan.labels, "directory": plan.directory})
}

/// Asks on stderr and reads a line. Without an answer nothing is removed (INS-301).
fn confirmed(plan: &UninstallPlan) -> Result<bool, Failure> {
    anstream::eprint!("Uninstall {} \"{}\"? [y/N] ", what(plan).to_lowercase(), plan.plugin_id);
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    if !matches!(read, Ok(n) if n > 0) {
        note("");
        return Err(Failure::new("plugins uninstall requires confirmation input").hint("answer on a terminal, or pass `--force`"));
    }
    Ok(line.trim().to_ascii_lowercase().starts_with('y'))
}
