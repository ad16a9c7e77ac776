//! `chela migrate`: brings the state of another assistant here, by a provider of a plugin. A plan is shown first.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chela_catalog::Lane;
use chela_host::{Host, MigrationOptions, Purpose, without_secrets};
use serde_json::{Value, json};

use super::plugin_runtime::{Silent, open};
use crate::cli::migrate::MigrateArgs;
use crate::context::{Context, block_on};
use crate::output;
use crate::report::Failure;

/// Longest start of all plugins: any of them may bring a provider.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long workers may take to end.
const GRACE: Duration = Duration::from_millis(500);
/// Directory of backups and reports below the state directory.
const DIRECTORY: &str = "chela/migrations";

enum Action {
    List,
    Plan(String),
    Apply(String),
}

impl Action {
    fn of(args: &MigrateArgs) -> Result<Self, Failure> {
        let words: Vec<&str> = args.words.iter().map(String::as_str).collect();
        match words.as_slice() {
            [] | ["list"] => Ok(Self::List),
            ["plan", id] => Ok(Self::Plan((*id).into())),
            ["apply", id] if args.dry_run => Ok(Self::Plan((*id).into())),
            ["apply", id] => Ok(Self::Apply((*id).into())),
            ["plan" | "apply"] => Err(Failure::usage("which provider?").hint("see `chela migrate list`")),
            [id] if args.dry_run => Ok(Self::Plan((*id).into())),
            [id] => Ok(Self::Apply((*id).into())),
            _ => Err(Failure::usage("`chela migrate` takes `list`, a provider, or `plan` or `apply` and a provider")),
        }
    }
}

/// Runs it.
///
/// # Errors
/// When no plugin host can be had, the provider fails, the plan has conflicts, or nobody agreed.
pub fn run(ctx: &Context, args: MigrateArgs) -> Result<(), Failure> {
    let action = Action::of(&args)?;
    let config = ctx.config()?;
    let snapshot = ctx.scan(&config);
    let native = snapshot.plugins.iter().filter(|p| p.enabled && p.lane == Lane::Node);
    let ids: Vec<String> = native.map(|p| p.id.clone()).collect();
    block_on(async {
        let host = open(ctx, config, Arc::new(Silent), Purpose::PluginCommand, false)?;
        host.manager.begin_plugins(&ids);
        host.manager.settle(PATIENCE).await;
        let done = act(ctx, &host, &action, &args).await;
        host.close(GRACE).await;
        done
    })
}

async fn act(ctx: &Context, host: &Host, action: &Action, args: &MigrateArgs) -> Result<(), Failure> {
    let mut options = MigrationOptions {
        source: args.from.clone(),
        include_secrets: args.include_secrets,
        overwrite: args.overwrite,
        provider_options: if args.skill.is_empty() { Value::Null } else { json!({"skills": args.skill}) },
        ..MigrationOptions::default()
    };
    match action {
        Action::List => list(host, &options, args.json).await,
        Action::Plan(id) => {
            let plan = plan(host, id, &options, args).await?;
            if args.json { output::json(&without_secrets(&plan)) } else { show(&plan) }
        }
        Action::Apply(id) => {
            let plan = plan(host, id, &options, args).await?;
            if args.json && !args.yes {
                return output::json(&without_secrets(&plan));
            }
            if !args.json {
                show(&plan)?;
            }
            agree(&plan, args)?;
            let place = ctx.paths.state_dir.join(DIRECTORY).join(stamp());
            options.backup = backup(&ctx.paths.state_dir, &place, args)?;
            options.report_dir = Some(place.join("report"));
            private_dir(&place.join("report"))?;
            let result = host.migration_apply(id, &plan, &options).await.map_err(|e| Failure::new(e.to_string()))?;
            finish(&result, options.backup.as_deref(), args.json)
        }
    }
}

async fn list(host: &Host, options: &MigrationOptions, json: bool) -> Result<(), Failure> {
    let rows = host.migration_providers(options).await;
    if json {
        return output::json(&json!({"providers": rows}));
    }
    if rows.is_empty() {
        return output::text("No plugin brings a migration provider.");
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
    let line = |row: &Value| {
        let found = match &row["detected"] {
            Value::Object(found) if found.get("found") == Some(&Value::Bool(true)) => format!("found {}", text(&row["detected"]["source"])),
            Value::Object(_) => "nothing found".into(),
            _ => "not looked for".into(),
        };
        format!("{}  {}  ({}, plugin {})", text(&row["id"]), text(&row["label"]), found.trim(), text(&row["pluginId"]))
    };
    output::text(&rows.iter().map(line).collect::<Vec<_>>().join("\n"))
}

async fn plan(host: &Host, id: &str, options: &MigrationOptions, args: &MigrateArgs) -> Result<Value, Failure> {
    let mut plan = host.migration_plan(id, options).await.map_err(|e| Failure::new(e.to_string()).hint("see `chela migrate list`"))?;
    choose_skills(&mut plan, &args.skill)?;
    Ok(plan)
}

/// Skills that were not named stay where they are.
fn choose_skills(plan: &mut Value, wanted: &[String]) -> Result<(), Failure> {
    if wanted.is_empty() {
        return Ok(());
    }
    let named =
        |item: &Value, name: &String| item["id"] == **name || item.pointer("/details/skillName").is_some_and(|n| n == name.as_str());
    let Some(items) = plan["items"].as_array_mut() else { return Ok(()) };
    if let Some(unknown) = wanted.iter().find(|name| !items.iter().any(|item| item["kind"] == "skill" && named(item, name))) {
        return Err(Failure::new(format!("the plan has no skill `{unknown}`")).hint("see the plan with `--dry-run`"));
    }
    for item in items.iter_mut().filter(|item| item["kind"] == "skill" && !wanted.iter().any(|name| named(item, name))) {
        item["status"] = "skipped".into();
        item["reason"] = "not chosen".into();
    }
    Ok(())
}

fn show(plan: &Value) -> Result<(), Failure> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
    let mut lines = vec![format!("From {}", text(&plan["source"]))];
    for item in plan["items"].as_array().into_iter().flatten() {
        let why = [&item["message"], &item["reason"]].into_iter().find_map(Value::as_str).map(|w| format!(" ({w})")).unwrap_or_default();
        let secret = if item["sensitive"] == Value::Bool(true) { " [sensitive]" } else { "" };
        let target = item["target"].as_str().map(|t| format!(" -> {t}")).unwrap_or_default();
        lines.push(format!("  {:9} {} {}{target}{secret}{why}", text(&item["status"]), text(&item["action"]), text(&item["id"])));
    }
    let n = |key: &str| plan["summary"][key].as_u64().unwrap_or(0);
    lines.push(format!(
        "{} items: {} planned, {} conflicts, {} skipped, {} errors",
        n("total"),
        n("planned"),
        n("conflicts"),
        n("skipped"),
        n("errors")
    ));
    lines.extend(plan["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str).map(|w| format!("warning: {w}")));
    output::text(&lines.join("\n"))
}

/// Conflicts need `--overwrite`, and everything needs a yes.
fn agree(plan: &Value, args: &MigrateArgs) -> Result<(), Failure> {
    let conflicts = plan["summary"]["conflicts"].as_u64().unwrap_or(0);
    if conflicts > 0 && !args.overwrite {
        return Err(Failure::new(format!("the plan has {conflicts} conflicts; nothing was changed"))
            .hint("look at them, then run again with `--overwrite` to replace what is there"));
    }
    if args.yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage("nothing was changed: nobody can be asked here").hint("add `--yes`"));
    }
    eprint!("Go on? [y/N] ");
    let _ = std::io::stderr().flush();
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).map_err(|e| Failure::new(e.to_string()))?;
    if matches!(answer.trim(), "y" | "Y" | "yes") { Ok(()) } else { Err(Failure::new("nothing was changed")) }
}

/// A copy of the state before anything is changed; `None` when there is nothing to copy, or nobody wants it.
fn backup(state: &Path, place: &Path, args: &MigrateArgs) -> Result<Option<PathBuf>, Failure> {
    let kept = state.join(DIRECTORY);
    let empty = std::fs::read_dir(state).map_or(true, |mut all| all.next().is_none());
    if empty {
        return Ok(None);
    }
    if args.no_backup {
        return if args.force {
            Ok(None)
        } else {
            Err(Failure::usage("`--no-backup` needs `--force`, since there is state that could be lost"))
        };
    }
    let target = place.join("state");
    copy_tree(state, &target, &kept).map_err(|e| Failure::new(format!("the backup could not be made, nothing was changed: {e}")))?;
    Ok(Some(target))
}

fn private_dir(path: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::DirBuilderExt;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|e| Failure::new(format!("could not create `{}`: {e}", path.display())))
}

/// Copies files and directories; links stay links, sockets are left out.
fn copy_tree(from: &Path, to: &Path, except: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(to)?;
    for entry in fs_err::read_dir(from)? {
        let entry = entry?;
        let (source, target, kind) = (entry.path(), to.join(entry.file_name()), entry.file_type()?);
        if source == except {
            continue;
        }
        if kind.is_dir() {
            copy_tree(&source, &target, except)?;
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(fs_err::read_link(&source)?, &target)?;
        } else if kind.is_file() {
            let copied = fs_err::copy(&source, &target)?;
            if copied != fs_err::metadata(&target)?.len() {
                return Err(std::io::Error::other(format!("`{}` was not copied whole", source.display())));
            }
        }
    }
    Ok(())
}

fn stamp() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    format!("{}-{}", now.as_millis(), std::process::id())
}

fn finish(result: &Value, backup: Option<&Path>, as_json: bool) -> Result<(), Failure> {
    let mut shown = without_secrets(result);
    if let Some(backup) = backup {
        shown["backupPath"] = json!(backup);
    }
    if as_json {
        output::json(&shown)?;
    } else {
        show(&shown)?;
        let steps = shown["nextSteps"].as_array().into_iter().flatten().filter_map(Value::as_str).map(|s| format!("next: {s}"));
        let kept = backup.map(|b| format!("the state before: {}", b.display()));
        let lines: Vec<String> = kept.into_iter().chain(steps).collect();
        if !lines.is_empty() {
            output::text(&lines.join("\n"))?;
        }
    }
    match result["summary"]["errors"].as_u64() {
        Some(errors) if errors > 0 => Err(Failure::new(format!("{errors} items could not be migrated"))),
        _ => Ok(()),
    }
}
