//! `chela security audit`: settings, files and plugins that make this installation less safe. The checks bear the reference's names.
//!
//! Without `--deep` it reads files only. With it, the enabled plugins are loaded for the checks that they bring (API-064), their code is
//! scanned, and the gateway is tried.

mod config;
mod exposure;
mod files;
mod plugins;

pub(super) use self::plugins::places;

use std::sync::Arc;
use std::time::Duration;

use chela_catalog::{Lane, Snapshot};
use chela_config::Config;
use chela_host::{Purpose, SecurityFinding, Severity};
use serde_json::{Value, json};

use super::gateway_status::probe;
use super::plugin_runtime::{Silent, open};
use crate::cli::TargetArgs;
use crate::cli::security::{AuditArgs, SecurityArgs, SecurityCommand};
use crate::client;
use crate::context::{Context, block_on};
use crate::output;
use crate::report::Failure;

/// Longest try of the gateway.
const PROBE_LIMIT: Duration = Duration::from_secs(5);
/// Longest start of the plugins.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long workers may take to end.
const GRACE: Duration = Duration::from_millis(500);

/// Runs it.
///
/// # Errors
/// When the config cannot be read. Findings are no errors.
pub fn run(ctx: &Context, args: &SecurityArgs) -> Result<(), Failure> {
    let SecurityCommand::Audit(args) = &args.command;
    let (config, _) = ctx.config_lenient()?;
    let snapshot = ctx.scan(&config);
    let mut diagnostics = Vec::new();
    let mut findings = config::findings(&config, &mut diagnostics);
    findings.extend(exposure::findings(&config));
    findings.extend(files::findings(ctx, &config));
    findings.extend(plugins::findings(&config, &snapshot));
    let mut deep = Value::Null;
    if args.deep {
        findings.extend(plugins::code_findings(&snapshot));
        findings.extend(collected(ctx, &config, &snapshot)?);
        let (tried, failed) = tried(ctx, &config, args)?;
        deep = json!({"gateway": tried});
        findings.extend(failed);
    }
    let count = |severity| findings.iter().filter(|f| f.severity == severity).count();
    let summary = json!({"critical": count(Severity::Critical), "warn": count(Severity::Warn), "info": count(Severity::Info)});
    if args.json {
        let mut out =
            json!({"ts": chela_agent::clock::now_ms(), "summary": summary, "findings": findings, "secretDiagnostics": diagnostics});
        if args.deep {
            out["deep"] = deep;
        }
        return output::json(&out);
    }
    output::text(&render(&findings, &diagnostics, args.deep))
}

/// What the plugins find; each is loaded for it, and none goes on running.
fn collected(ctx: &Context, config: &Config, snapshot: &Snapshot) -> Result<Vec<SecurityFinding>, Failure> {
    let native = snapshot.plugins.iter().filter(|p| p.is_startable() && p.lane == Lane::Node);
    let ids: Vec<String> = native.map(|p| p.id.clone()).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    block_on(async {
        let host = open(ctx, config.clone(), Arc::new(Silent), Purpose::Inspect, false)?;
        host.manager.begin_plugins(&ids);
        host.manager.settle(PATIENCE).await;
        let mut findings = host.security_findings().await;
        for id in &ids {
            if let Some(error) = host.runtime_facts(id).error {
                let detail = format!("{id}: {error}");
                let id = format!("plugins.{id}.security_audit_failed");
                findings.push(SecurityFinding::new(id, Severity::Warn, "A plugin could not be loaded for its checks", detail));
            }
        }
        host.close(GRACE).await;
        Ok(findings)
    })
}

/// The gateway, as a client meets it.
fn tried(ctx: &Context, config: &Config, args: &AuditArgs) -> Result<(Value, Option<SecurityFinding>), Failure> {
    let target = TargetArgs { url: None, token: args.token.clone(), password: args.password.clone() };
    let target = match client::target(ctx, config, &target) {
        Ok(target) => target,
        Err(failure) => return Ok((json!({"attempted": false, "error": failure.message}), Some(not_reached(&failure.message)))),
    };
    let found = block_on(async { Ok(probe(ctx, &target, PROBE_LIMIT).await) })?;
    let error = found.error.map(|error| error.to_string());
    let row = json!({"attempted": true, "url": target.url, "ok": error.is_none(), "error": error});
    Ok((row, error.as_deref().map(not_reached)))
}

fn not_reached(why: &str) -> SecurityFinding {
    SecurityFinding::new("gateway.probe_failed", Severity::Warn, "The gateway could not be tried", why)
        .remedy("start it with `chela gateway run`, see `chela gateway status`, then look again")
}

fn render(findings: &[SecurityFinding], diagnostics: &[String], deep: bool) -> String {
    let count = |severity| findings.iter().filter(|f| f.severity == severity).count();
    let mut out = format!(
        "Security audit: {} critical, {} warnings, {} to know\n",
        count(Severity::Critical),
        count(Severity::Warn),
        count(Severity::Info)
    );
    if !deep {
        out.push_str(&format!("{}\n", output::dim("plugins were not loaded: their own checks come with `--deep`")));
    }
    for line in diagnostics {
        out.push_str(&format!("{}\n", output::dim(line)));
    }
    for (severity, title) in [(Severity::Critical, "CRITICAL"), (Severity::Warn, "WARNING"), (Severity::Info, "TO KNOW")] {
        let rows: Vec<&SecurityFinding> = findings.iter().filter(|f| f.severity == severity).collect();
        if !rows.is_empty() {
            out.push_str(&format!("\n{title}\n"));
        }
        for row in rows {
            out.push_str(&format!("{}  {}\n", row.check_id, row.title));
            for line in row.detail.lines() {
                out.push_str(&format!("  {line}\n"));
            }
            if let Some(remedy) = &row.remediation {
                out.push_str(&format!("{}\n", output::dim(&format!("  fix: {remedy}"))));
            }
        }
    }
    out
}
