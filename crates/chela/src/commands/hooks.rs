//! `chela hooks`: the hooks of `HOOK.md` directories. It reads files and config only, and runs no hook.

use chela_config::{Edit, SetMode, WriteOptions};
use chela_hook_files::{HookInputs, HookStatus, Report};
use serde_json::{Value, json};

use super::plugins_install::takes_effect;
use crate::cli::hooks::{CheckArgs, HooksArgs, HooksCommand, InfoArgs, InstallArgs, ListArgs, SwitchArgs, UpdateArgs};
use crate::cli::plugins;
use crate::context::Context;
use crate::report::{Failure, note, warn};
use crate::table::Table;
use crate::{lockfile, output};

const BUILT: [&str; 6] = ["list", "info", "check", "enable", "disable", "trace"];
const NOT_BUILT: [(&str, &str); 1] = [("relay", "native hook relays belong to harnesses that are not built")];
/// Shown before a hook that has no emoji of its own.
const DEFAULT_EMOJI: &str = "🔗";

/// Runs the subcommand.
///
/// # Errors
/// Those of the subcommand.
pub fn run(ctx: &Context, args: HooksArgs) -> Result<(), Failure> {
    match args.command {
        None => list(ctx, &args.list),
        Some(HooksCommand::List(args)) => list(ctx, &args),
        Some(HooksCommand::Info(args)) => info(ctx, &args),
        Some(HooksCommand::Check(args)) => check(ctx, &args),
        Some(HooksCommand::Enable(args)) => switch(ctx, &args, true),
        Some(HooksCommand::Disable(args)) => switch(ctx, &args, false),
        Some(HooksCommand::Trace(args)) => super::hooks_trace::run(ctx, &args),
        Some(HooksCommand::Install(args)) => install(ctx, args),
        Some(HooksCommand::Update(args)) => update(ctx, args),
        Some(HooksCommand::Other(words)) => {
            let name = words.first().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
            Err(super::other::subcommand("chela hooks", &name, &NOT_BUILT, &BUILT))
        }
    }
}

/// All hooks, and whether the config asks for any.
fn report(ctx: &Context) -> Result<(Report, bool), Failure> {
    let config = ctx.config()?;
    let inputs = HookInputs::new(&config, &ctx.env, &ctx.scan(&config));
    let internal = config.effective.pointer("/hooks/internal").unwrap_or(&Value::Null);
    Ok((Report::make(&inputs), chela_hook_files::is_configured(internal)))
}

fn list(ctx: &Context, args: &ListArgs) -> Result<(), Failure> {
    let (report, configured) = report(ctx)?;
    let shown: Vec<&HookStatus> = report.hooks.iter().filter(|hook| hook.loadable || !args.eligible).collect();
    if args.json {
        let rows: Vec<Value> = shown.iter().map(|hook| hook.row()).collect();
        return output::json(&json!({"workspaceDir": report.workspace_dir, "managedHooksDir": report.managed_dir, "hooks": rows}));
    }
    if shown.is_empty() {
        output::text("No eligible hooks found. Run `chela hooks list` to see all hooks.\n")?;
    } else {
        output::text(&table(&shown, args.verbose))?;
    }
    report.warnings.iter().for_each(|warning| warn(&plain(warning)));
    if !configured {
        note("The gateway loads no hooks until one is enabled with `chela hooks enable NAME`, or `hooks.internal.enabled` is true.");
    }
    Ok(())
}

fn table(shown: &[&HookStatus], verbose: bool) -> String {
    let mut table = Table::new(&["STATUS", "HOOK", "DESCRIPTION", "SOURCE", "MISSING"]);
    for hook in shown {
        let status = match (hook.loadable, hook.enabled_by_config, hook.built) {
            (true, ..) => "✓ ready",
            (false, false, _) => "⏸ disabled",
            (false, true, true) => "✗ missing",
            (false, true, false) => "✗ not built",
        };
        let missing = if verbose { hook.missing.summary() } else { String::new() };
        table.row(vec![status.to_owned(), title(hook), plain(&hook.description), source(hook), plain(&missing)]);
    }
    let ready = shown.iter().filter(|hook| hook.loadable).count();
    format!("Hooks ({ready}/{} ready)\n{}", shown.len(), table.render())
}

fn info(ctx: &Context, args: &InfoArgs) -> Result<(), Failure> {
    let (report, _) = report(ctx)?;
    let Some(hook) = report.find(&args.name) else {
        if args.json {
            output::json(&json!({"error": "not found", "hook": args.name}))?;
            return Err(Failure::silent(1));
        }
        return Err(not_found(&args.name));
    };
    if args.json {
        let mut row = serde_json::to_value(hook).unwrap_or_default();
        row["eligible"] = hook.loadable.into();
        row["disabled"] = (!hook.enabled_by_config).into();
        return output::json(&row);
    }
    output::text(&details(ctx, hook))
}

fn details(ctx: &Context, hook: &HookStatus) -> String {
    let status = match (hook.loadable, hook.enabled_by_config, hook.built) {
        (true, ..) => "✓ Ready",
        (false, false, _) => "⏸ Disabled",
        (false, true, true) => "✗ Missing requirements",
        (false, true, false) => "✗ Not built yet",
    };
    let mut out = format!("{} {status}\n\n{}\n\nDetails:\n", title(hook), plain(&hook.description));
    let mut line = |name: &str, value: String| {
        if !value.is_empty() {
            out.push_str(&format!("  {name}: {}\n", plain(&value)));
        }
    };
    line("Source", source(hook));
    line("Path", ctx.show(&hook.file_path));
    line("Handler", ctx.show(&hook.handler_path));
    line("Homepage", hook.homepage.clone().unwrap_or_default());
    line("Events", hook.events.join(", "));
    if hook.hook_key != hook.name {
        line("Config key", hook.hook_key.clone());
    }
    if let Some(plugin) = &hook.plugin_id {
        line("Switched with", format!("its plugin: `chela plugins enable {plugin}`, `chela plugins disable {plugin}`"));
    }
    line("Blocked reason", hook.blocked_reason.unwrap_or_default().to_owned());
    let (needs, missing) = (&hook.requirements, &hook.missing);
    let marked = |all: &[String], missing: &[String]| {
        let mark = |one: &String| format!("{} {one}", if missing.contains(one) { "✗" } else { "✓" });
        all.iter().map(mark).collect::<Vec<_>>().join(", ")
    };
    let any = |all: &[String], missing: &[String], text: String| match (all.is_empty(), missing.is_empty()) {
        (true, _) => String::new(),
        (false, satisfied) => format!("{} {text}", if satisfied { "✓" } else { "✗" }),
    };
    let rows = [
        ("Binaries", marked(&needs.bins, &missing.bins)),
        ("Any binary", any(&needs.any_bins, &missing.any_bins, format!("(any of: {})", needs.any_bins.join(", ")))),
        ("Environment", marked(&needs.env, &missing.env)),
        ("Config", marked(&needs.config, &missing.config)),
        ("OS", any(&needs.os, &missing.os, format!("({})", needs.os.join(", ")))),
    ];
    if rows.iter().any(|(_, value)| !value.is_empty()) {
        out.push_str("\nRequirements:\n");
        for (name, value) in rows.iter().filter(|(_, value)| !value.is_empty()) {
            out.push_str(&format!("  {name}: {}\n", plain(value)));
        }
    }
    for option in &hook.install {
        out.push_str(&format!("\nInstall: {}\n", plain(&option.label)));
    }
    out
}

fn check(ctx: &Context, args: &CheckArgs) -> Result<(), Failure> {
    let (report, _) = report(ctx)?;
    let (ready, not): (Vec<&HookStatus>, Vec<&HookStatus>) = report.hooks.iter().partition(|hook| hook.loadable);
    if args.json {
        let names: Vec<&str> = ready.iter().map(|hook| hook.name.as_str()).collect();
        let row = |hook: &&HookStatus| json!({"name": hook.name, "blockedReason": hook.blocked_reason, "missing": hook.missing});
        return output::json(&json!({
            "total": report.hooks.len(), "eligible": ready.len(), "notEligible": not.len(),
            "hooks": {"eligible": names, "notEligible": not.iter().map(row).collect::<Vec<_>>()},
        }));
    }
    let mut out = format!("Hooks Status\n\nTotal hooks: {}\nReady: {}\nNot ready: {}\n", report.hooks.len(), ready.len(), not.len());
    if !not.is_empty() {
        out.push_str("\nHooks not ready:\n");
    }
    for hook in not {
        let reason = hook.blocked_reason.filter(|_| !hook.enabled_by_config || !hook.built).unwrap_or_default();
        let parts = [reason.to_owned(), hook.missing.summary()];
        let parts: Vec<&str> = parts.iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
        out.push_str(&format!("  {} - {}\n", title(hook), plain(&parts.join("; "))));
    }
    output::text(&out)
}

/// One key of the config, and the switch of all hooks when it is needed; comments stay.
fn switch(ctx: &Context, args: &SwitchArgs, on: bool) -> Result<(), Failure> {
    let (report, _) = report(ctx)?;
    let hook = report.find(&args.name).ok_or_else(|| not_found(&args.name))?;
    if hook.managed_by_plugin {
        let plugin = hook.plugin_id.as_deref().unwrap_or("unknown");
        let failure = Failure::new(format!("Hook \"{}\" is managed by plugin \"{plugin}\" and cannot be enabled/disabled.", hook.name));
        return Err(failure.hint(format!("switch the plugin: `chela plugins {} {plugin}`", if on { "enable" } else { "disable" })));
    }
    if on && !hook.built {
        return Err(Failure::not_built(&format!("hook {}", hook.name), "write one of your own below `hooks` of the state directory"));
    }
    if on && !hook.requirements_satisfied {
        let failure = Failure::new(format!("Hook \"{}\" is not eligible (missing requirements)", hook.name));
        return Err(failure.cause(hook.missing.summary()).hint(format!("see `chela hooks info {}`", hook.name)));
    }
    let mut edits = vec![set(&["hooks", "internal", "entries", &hook.hook_key, "enabled"], on)];
    if on {
        edits.push(set(&["hooks", "internal", "enabled"], true));
    }
    let outcome = chela_config::write(&ctx.paths, &ctx.env, &edits, &WriteOptions::default()).map_err(Failure::not_written)?;
    outcome.warnings.iter().for_each(|warning| warn(warning));
    if args.json {
        return output::json(&json!({"name": hook.name, "hookKey": hook.hook_key, "enabled": on, "changed": outcome.changed}));
    }
    let verb = if on { "✓ Enabled" } else { "⏸ Disabled" };
    output::text(&format!("{verb} hook: {}\n", title(hook)))?;
    if lockfile::look(&ctx.paths).pid().is_some() {
        note(&takes_effect(ctx, "reload hooks"));
    }
    Ok(())
}

fn set(path: &[&str], value: bool) -> Edit {
    Edit::Set { path: path.iter().map(|key| (*key).to_owned()).collect(), value: value.into(), mode: SetMode::Replace }
}

fn install(ctx: &Context, args: InstallArgs) -> Result<(), Failure> {
    warn("`chela hooks install` is deprecated; use `chela plugins install`");
    let InstallArgs { spec, link, pin } = args;
    let args =
        plugins::InstallArgs { spec, link, pin, force: false, marketplace: None, dangerously_force_unsafe_install: false, json: false };
    super::plugins_install::run(ctx, &args)
}

fn update(ctx: &Context, args: UpdateArgs) -> Result<(), Failure> {
    warn("`chela hooks update` is deprecated; use `chela plugins update`");
    let UpdateArgs { id, all, dry_run } = args;
    super::plugins_update::run(ctx, &plugins::UpdateArgs { id, all, dry_run, dangerously_force_unsafe_install: false, json: false })
}

fn not_found(name: &str) -> Failure {
    Failure::new(format!("Hook \"{name}\" not found")).hint("run `chela hooks list` to see the hooks there are")
}

fn title(hook: &HookStatus) -> String {
    plain(&format!("{} {}", hook.emoji.as_deref().unwrap_or(DEFAULT_EMOJI), hook.name))
}

fn source(hook: &HookStatus) -> String {
    hook.plugin_id.as_ref().map_or_else(|| hook.source.as_str().to_owned(), |plugin| format!("plugin:{plugin}"))
}

/// Texts of strangers, without what a terminal would act on.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
