//! `chela doctor`: one look at everything that commonly goes wrong; each finding says what to do.

mod manifests;
mod older;
mod setup;

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use chela_catalog::Snapshot;
use chela_config::{Config, ConfigError, Edit, SetMode, WriteOptions};
use serde_json::{Value, json};

use super::gateway_status::probe;
use crate::cli::{DoctorArgs, TargetArgs};
use crate::client::{self, ClientError};
use crate::context::{Context, block_on};
use crate::lockfile::{self, LockState};
use crate::output;
use crate::report::Failure;

/// Longest wait for the gateway.
const PROBE_LIMIT: Duration = Duration::from_secs(2);
/// Oldest Node that plugins run on.
const OLDEST_NODE: (u32, u32) = (22, 16);

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Grade {
    Ok,
    Warn,
    Error,
}

impl Grade {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// One finding.
#[derive(Debug, Clone)]
struct Check {
    id: &'static str,
    grade: Grade,
    message: String,
    hint: Option<String>,
}

fn check(id: &'static str, grade: Grade, message: impl Into<String>) -> Check {
    Check { id, grade, message: message.into(), hint: None }
}

impl Check {
    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Looks, mends with `--fix`, and says what is left.
///
/// # Errors
/// Exit code 1 when a finding is an error.
pub fn run(ctx: &Context, args: &DoctorArgs) -> Result<(), Failure> {
    let (fixed, unfixed) = if args.fix { fix(ctx, args.json)? } else { Default::default() };
    let mut checks = vec![state_dir(ctx)];
    let mut plugins = Value::Null;
    match chela_config::load_lenient(&ctx.paths, &ctx.env) {
        Err(error) => checks.push(broken_config(ctx, &error)),
        Ok((config, issues)) => {
            checks.extend(
                issues.iter().map(|issue| check("config", Grade::Error, issue.render()).hint(format!("edit `{}`", ctx.show(&config.path)))),
            );
            checks.extend(older::checks(&config, &|name| ctx.env.get(name).is_some_and(|value| !value.is_empty())));
            checks.extend(config.warnings.iter().map(|issue| check("config", Grade::Warn, issue.render())));
            if issues.is_empty() {
                checks.push(config_is_fine(ctx, &config));
            }
            // Before the look: a change that an ended process left open decides what is installed.
            let interrupted = interrupted(ctx);
            let snapshot = ctx.scan(&config);
            checks.extend(plugin_checks(ctx, &config, &snapshot, &mut plugins));
            checks.extend(manifests::checks(&snapshot));
            checks.extend(interrupted);
            checks.extend(installed_files(ctx, &snapshot));
            if snapshot.plugins.iter().any(|plugin| plugin.enabled && plugin.lane == chela_catalog::Lane::Node) {
                checks.push(node(ctx));
            }
            checks.push(gateway(ctx, &config));
        }
    }
    checks.push(lock(ctx));
    checks.extend(unfixed);
    let failed = checks.iter().any(|check| check.grade == Grade::Error);
    if args.json {
        let rows = checks.iter().map(|c| {
            let mut row = json!({"id": c.id, "status": c.grade.as_str(), "message": c.message});
            if let Some(hint) = &c.hint {
                row["hint"] = hint.as_str().into();
            }
            row
        });
        output::json(&json!({"ok": !failed, "checks": rows.collect::<Vec<_>>(), "fixed": fixed, "plugins": plugins}))?;
    } else {
        output::text(&render(&checks, &fixed))?;
    }
    if failed { Err(Failure::silent(1)) } else { Ok(()) }
}

fn state_dir(ctx: &Context) -> Check {
    let dir = &ctx.paths.state_dir;
    let shown = ctx.show(dir);
    let meta = match std::fs::metadata(dir) {
        Ok(meta) if meta.is_dir() => meta,
        Ok(_) => {
            return check("state", Grade::Error, format!("`{shown}` is not a directory")).hint("move it away, or set `OPENCLAW_STATE_DIR`");
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return check("state", Grade::Ok, format!("`{shown}` does not exist yet; the first start makes it"));
        }
        Err(error) => {
            return check("state", Grade::Error, format!("`{shown}` cannot be read: {error}"))
                .hint("check the owner and permissions of the directories above it");
        }
    };
    let me = rustix::process::geteuid().as_raw();
    if let Err(error) = rustix::fs::access(dir, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK) {
        let owner = meta.uid();
        return check("state", Grade::Error, format!("`{shown}` cannot be written: {error} (owner {owner}, you are {me})"))
            .hint(format!("run `chown -R {me} {}`, or set `OPENCLAW_STATE_DIR`", dir.display()));
    }
    let mode = meta.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return check("state", Grade::Warn, format!("`{shown}` is open to others (mode {mode:o})"))
            .hint(format!("run `chmod 700 {}`, or `chela doctor --fix`", dir.display()));
    }
    check("state", Grade::Ok, format!("`{shown}` is private and can be written"))
}

fn broken_config(ctx: &Context, error: &ConfigError) -> Check {
    let hint = match ctx.paths.config_path.with_extension("json.last-good") {
        path if path.exists() => format!("mend it, or take back `{}`", ctx.show(&path)),
        _ => "mend it, then check it with `chela config validate`".to_owned(),
    };
    check("config", Grade::Error, error.to_string()).hint(hint)
}

fn config_is_fine(ctx: &Context, config: &Config) -> Check {
    let shown = ctx.show(&config.path);
    if !config.exists {
        return check("config", Grade::Ok, format!("`{shown}` does not exist; defaults apply"));
    }
    match config.check_gateway_mode(false) {
        Ok(()) => check("config", Grade::Ok, format!("`{shown}` is valid")),
        Err(error) => check("config", Grade::Warn, error.to_string()),
    }
}

fn plugin_checks(ctx: &Context, config: &Config, snapshot: &Snapshot, report_json: &mut Value) -> Vec<Check> {
    let mut report = chela_catalog::doctor(snapshot, |_| None);
    super::plugins_compat::extend_report(snapshot, &mut report);
    let running = super::plugins::failing(super::plugins::live(ctx, config, "plugins.list", json!({})).as_ref());
    *report_json = super::plugins::doctor_json(&report, &running);
    let inspect = |id: &str| format!("see `chela plugins inspect {id}`");
    let mut checks: Vec<Check> = Vec::new();
    for problem in &report.plugin_errors {
        let message = format!("{}: {}", problem.plugin_id, problem.message);
        checks.push(check("plugins", Grade::Error, message).hint(inspect(&problem.plugin_id)));
    }
    for row in &running {
        let text = |key: &str| row[key].as_str().unwrap_or("failed").to_owned();
        checks.push(
            check("plugins", Grade::Error, format!("{}: {} ({})", text("id"), text("error"), text("state"))).hint(inspect(&text("id"))),
        );
    }
    checks.extend(report.diagnostics.iter().map(|diagnostic| check("plugins", Grade::Error, super::plugins::diagnostic_line(diagnostic))));
    checks.extend(report.shadowed.iter().map(|diagnostic| check("plugins", Grade::Warn, super::plugins::diagnostic_line(diagnostic))));
    let known: Vec<String> = checks.iter().map(|check| check.message.clone()).collect();
    let issues = snapshot.config_issues.iter();
    // An invalid plugin config is told once, with the plugin.
    checks.extend(issues.filter(|issue| !known.iter().any(|told| told.contains(&issue.message))).map(|issue| {
        let grade = if issue.level == chela_catalog::Level::Error { Grade::Error } else { Grade::Warn };
        check("plugins", grade, format!("{}: {}", issue.path, issue.message))
    }));
    if checks.is_empty() {
        let enabled = snapshot.plugins.iter().filter(|plugin| plugin.enabled).count();
        checks.push(check("plugins", Grade::Ok, format!("{enabled} of {} enabled, none broken", snapshot.plugins.len())));
    }
    checks.extend(super::plugins_compat::warnings(&report).map(|text| check("plugins-compat", Grade::Warn, text)));
    checks
}

/// Settles what an ended install, update or uninstall left open; silent when there is nothing.
fn interrupted(ctx: &Context) -> Vec<Check> {
    match crate::installer::make(ctx, None).recover() {
        Ok(done) => done.into_iter().map(|line| check("packages", Grade::Ok, line)).collect(),
        Err(error) => {
            let hint = error.hints().first().cloned().unwrap_or_else(|| "run `chela doctor` again".to_owned());
            vec![check("packages", Grade::Error, format!("an interrupted change of plugins cannot be settled: {error}")).hint(hint)]
        }
    }
}

/// Files of installed plugins that are not what was installed, with both hashes of the first one.
fn installed_files(ctx: &Context, snapshot: &Snapshot) -> Vec<Check> {
    let installer = crate::installer::make(ctx, None);
    let mut checks = Vec::new();
    for id in snapshot.index.records.keys() {
        match installer.drift(id) {
            Ok(drift) => {
                if let Some(first) = drift.first() {
                    let hash = |hash: &Option<String>| hash.clone().unwrap_or_else(|| "no such file".to_owned());
                    let message = format!(
                        "{id}: {} of its files changed since they were installed, first `{}` (expected {}, got {})",
                        drift.len(),
                        first.file,
                        hash(&first.expected),
                        hash(&first.actual)
                    );
                    checks.push(check("packages", Grade::Error, message).hint("reinstall it with `chela plugins install SPEC --force`"));
                }
            }
            Err(error) => checks.push(check("packages", Grade::Error, format!("{id}: {error}")).hint("reinstall it with `--force`")),
        }
    }
    checks
}

/// Looks for a Node that is new enough, without fetching one.
fn node(ctx: &Context) -> Check {
    let named = ["CHELA_NODE", "OPENCLAW_NODE"].iter().find_map(|name| ctx.env.non_empty(name)).map(PathBuf::from);
    let on_path = || ctx.env.get("PATH").unwrap_or_default().split(':').map(|dir| Path::new(dir).join("node")).find(|file| file.is_file());
    let Some(file) = named.or_else(on_path) else {
        return check("node", Grade::Warn, "no Node on `PATH`; the first plugin that needs one fetches it")
            .hint("install Node 22.16 or newer, or set `CHELA_NODE`");
    };
    let shown = file.display();
    let output = match Command::new(&file).arg("--version").output() {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        Ok(output) => {
            return check("node", Grade::Error, format!("`{shown} --version` fails ({})", output.status))
                .hint("set `CHELA_NODE` to one that runs");
        }
        Err(error) => {
            return check("node", Grade::Error, format!("`{shown}` cannot be run: {error}")).hint("set `CHELA_NODE` to one that runs");
        }
    };
    match version(&output) {
        Some(found) if found >= OLDEST_NODE => check("node", Grade::Ok, format!("`{shown}` is {output}")),
        _ => check("node", Grade::Warn, format!("`{shown}` is {output}, too old; the first plugin that needs one fetches another"))
            .hint("install Node 22.16 or newer, or set `CHELA_NODE`"),
    }
}

fn version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.strip_prefix('v')?.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

fn gateway(ctx: &Context, config: &Config) -> Check {
    let target = match client::target(ctx, config, &TargetArgs::default()) {
        Ok(target) => target,
        Err(failure) => return check("gateway", Grade::Error, failure.message),
    };
    let found = block_on(async { Ok(probe(ctx, &target, PROBE_LIMIT).await) });
    let running = lockfile::look(&ctx.paths).pid().is_some();
    match found.map(|found| found.error) {
        Ok(None) => check("gateway", Grade::Ok, format!("answers at `{}`", target.url)),
        Ok(Some(ClientError::Unreachable { .. })) if !running => {
            check("gateway", Grade::Ok, "does not run").hint("start it with `chela gateway run`")
        }
        Ok(Some(error)) => check("gateway", Grade::Error, error.to_string()).hint("look at `chela logs`"),
        Err(failure) => check("gateway", Grade::Error, failure.message),
    }
}

fn lock(ctx: &Context) -> Check {
    let file = lockfile::path(&ctx.paths);
    match lockfile::look(&ctx.paths) {
        LockState::Absent => check("lock", Grade::Ok, "free"),
        LockState::Running { pid, .. } => check("lock", Grade::Ok, format!("held by the gateway with pid {pid}")),
        LockState::Stale { pid } => {
            check("lock", Grade::Warn, format!("left over from pid {pid}, which is gone; the next start takes it over"))
                .hint("`chela doctor --fix` removes it")
        }
        LockState::Unreadable => {
            check("lock", Grade::Warn, format!("`{}` does not say who holds it", file.display())).hint("remove the file if no gateway runs")
        }
    }
}

/// Mends what can be mended without asking; says what it did and what it could not. An invalid plugin config is taken out and the plugin
/// switched off (INS-339); the rest about plugins is the installer's (INS-340).
fn fix(ctx: &Context, json: bool) -> Result<(Vec<String>, Vec<Check>), Failure> {
    let mut done = Vec::new();
    let dir = &ctx.paths.state_dir;
    if let Ok(meta) = std::fs::metadata(dir)
        && meta.is_dir()
        && meta.permissions().mode() & 0o077 != 0
        && std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700)).is_ok()
    {
        done.push(format!("made `{}` private", ctx.show(dir)));
    }
    let file = lockfile::path(&ctx.paths);
    if matches!(lockfile::look(&ctx.paths), LockState::Stale { .. }) && std::fs::remove_file(&file).is_ok() {
        done.push("removed the lock of a gateway that is gone".to_owned());
    }
    let Ok((config, _)) = chela_config::load_lenient(&ctx.paths, &ctx.env) else { return Ok((done, Vec::new())) };
    // First: what is of an older form is not thrown away as invalid.
    let (migrated, mut unfixed) = setup::fix(ctx, &config, &ctx.scan(&config))?;
    done.extend(migrated);
    let Ok((config, issues)) = chela_config::load_lenient(&ctx.paths, &ctx.env) else { return Ok((done, unfixed)) };
    if !issues.is_empty() {
        return Ok((done, unfixed));
    }
    let snapshot = ctx.scan(&config);
    done.extend(manifests::fix(ctx, &snapshot));
    for plugin in snapshot.plugins.iter().filter(|plugin| config_is_invalid(&snapshot, &plugin.id)) {
        let path = |key: &str| ["plugins", "entries", &plugin.id, key].map(str::to_owned).to_vec();
        let off = Edit::Set { path: path("enabled"), value: false.into(), mode: SetMode::Replace };
        chela_config::write(&ctx.paths, &ctx.env, &[off, Edit::Unset { path: path("config") }], &WriteOptions::default())?;
        done.push(format!("switched off `{}` and took out its invalid config; the file before is kept as `.bak`", plugin.id));
    }
    match crate::installer::make(ctx, Some(json)).repair() {
        Ok(repaired) => {
            done.extend(repaired.changes);
            unfixed.extend(repaired.warnings.into_iter().map(|warning| check("plugins", Grade::Warn, warning)));
        }
        Err(error) => {
            let failed = check("plugins", Grade::Error, format!("plugins cannot be mended: {error}"));
            unfixed.push(error.hints().into_iter().fold(failed, Check::hint));
        }
    }
    Ok((done, unfixed))
}

fn config_is_invalid(snapshot: &Snapshot, id: &str) -> bool {
    let prefix = format!("plugins.entries.{id}.config");
    let inside = |path: &str| path == prefix || path.strip_prefix(&prefix).is_some_and(|rest| rest.starts_with(['.', '[']));
    snapshot.config_issues.iter().any(|issue| issue.level == chela_catalog::Level::Error && inside(&issue.path))
}

fn render(checks: &[Check], fixed: &[String]) -> String {
    let mut out = String::new();
    for line in fixed {
        out.push_str(&format!("fixed  {line}\n"));
    }
    for check in checks {
        out.push_str(&format!("{:<6} {:<8} {}\n", check.grade.as_str(), check.id, check.message));
        if let Some(hint) = &check.hint {
            out.push_str(&format!("{}\n", output::dim(&format!("                {hint}"))));
        }
    }
    let count = |grade: Grade| checks.iter().filter(|check| check.grade == grade).count();
    let (errors, warnings) = (count(Grade::Error), count(Grade::Warn));
    out.push_str(&match (errors, warnings) {
        (0, 0) => "\nNo problems found\n".to_owned(),
        (errors, warnings) => format!("\n{}, {}\n", counted(errors, "error"), counted(warnings, "warning")),
    });
    out
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_node_are_compared_as_numbers() {
        for (text, fine) in [("v22.16.0", true), ("v24.1.0", true), ("v22.9.0", false), ("v9.99.0", false), ("nonsense", false)] {
            assert_eq!(version(text).is_some_and(|found| found >= OLDEST_NODE), fine, "{text}");
        }
    }
}
