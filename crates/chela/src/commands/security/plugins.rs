//! Which plugins are trusted, and how firmly it is said what they are.

use std::path::PathBuf;

use chela_catalog::{Origin, PluginRecord, Snapshot};
use chela_config::Config;
use chela_host::{SecurityFinding, Severity};
use chela_scan::{Mode, ScanLimits, ScanTarget};
use serde_json::Value;

/// Most lines of one finding.
const MOST: usize = 50;

fn listed(rows: &[String]) -> String {
    let mut lines: Vec<String> = rows.iter().take(MOST).map(|row| format!("- {row}")).collect();
    if rows.len() > MOST {
        lines.push(format!("- and {} more", rows.len() - MOST));
    }
    lines.join("\n")
}

fn told(id: &str, severity: Severity, title: &str, rows: &[String], remedy: &str, out: &mut Vec<SecurityFinding>) {
    if !rows.is_empty() {
        out.push(SecurityFinding::new(id, severity, title, listed(rows)).remedy(remedy));
    }
}

/// Plugins that are not part of the program.
fn foreign(snapshot: &Snapshot) -> impl Iterator<Item = &PluginRecord> {
    snapshot.plugins.iter().filter(|plugin| plugin.origin != Origin::Bundled)
}

/// Findings that need no code to be read.
pub(super) fn findings(config: &Config, snapshot: &Snapshot) -> Vec<SecurityFinding> {
    let mut out = Vec::new();
    let allow: Vec<&str> = config.get("plugins.allow").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let known = |id: &str| id == "group:plugins" || snapshot.plugins.iter().any(|plugin| plugin.id.eq_ignore_ascii_case(id));
    let phantoms: Vec<String> = allow.iter().filter(|id| !known(id)).map(|id| (*id).to_owned()).collect();
    let remedy = "take them out of `plugins.allow`: whoever publishes a plugin under such an id would be trusted";
    told("plugins.allow_phantom_entries", Severity::Warn, "Allowed plugins that are not installed", &phantoms, remedy, &mut out);
    let installed: Vec<String> = foreign(snapshot).map(|plugin| format!("{} ({})", plugin.id, plugin.origin.as_str())).collect();
    if allow.is_empty() {
        let remedy = "name the plugins that you trust in `plugins.allow`";
        told("plugins.extensions_no_allowlist", Severity::Warn, "Plugins without an allow-list", &installed, remedy, &mut out);
    }
    installs(snapshot, &mut out);
    flags(config, snapshot, &mut out);
    let free = foreign(snapshot).filter(|plugin| plugin.is_startable() && plugin.permissions().enforced().is_none());
    let free: Vec<String> = free.map(|plugin| plugin.id.clone()).collect();
    let remedy = "see what each needs with `chela plugins permissions ID --observe`, and grant it in `plugins.entries.ID.permissions`";
    // Ours: the reference confines nothing.
    told("plugins.not_confined", Severity::Info, "Plugins with the rights of your user", &free, remedy, &mut out);
    out
}

fn installs(snapshot: &Snapshot, out: &mut Vec<SecurityFinding>) {
    let npm = || snapshot.index.records.iter().filter(|(_, record)| record.source == "npm");
    let unpinned: Vec<String> = npm()
        .filter_map(|(id, record)| Some((id, record.text("spec")?)))
        .filter(|(_, spec)| !is_pinned(spec))
        .map(|(id, spec)| format!("{id} ({spec})"))
        .collect();
    let remedy = "install exact versions, such as `@scope/name@1.2.3`";
    told("plugins.installs_unpinned_npm_specs", Severity::Warn, "Plugins that follow a range of versions", &unpinned, remedy, out);
    let bare: Vec<String> = npm().filter(|(_, record)| record.text("integrity").is_none()).map(|(id, _)| id.to_string()).collect();
    told("plugins.installs_missing_integrity", Severity::Warn, "Plugins without a recorded hash", &bare, "update or reinstall them", out);
    let drifted: Vec<String> = npm()
        .filter_map(|(id, record)| {
            let recorded = record.text("resolvedVersion").or_else(|| record.text("version"))?;
            let there = snapshot.plugins.iter().find(|plugin| plugin.id == **id)?.version.as_deref()?;
            (there != recorded).then(|| format!("{id} (recorded {recorded}, there {there})"))
        })
        .collect();
    told(
        "plugins.installs_version_drift",
        Severity::Warn,
        "Plugins of another version than recorded",
        &drifted,
        "run `chela plugins update --all`",
        out,
    );
}

/// True for an exact version of a package.
fn is_pinned(spec: &str) -> bool {
    let version = spec.char_indices().skip(1).filter(|(_, c)| *c == '@').last().map(|(at, _)| &spec[at + 1..]);
    version.is_some_and(|version| semver::Version::parse(version.trim_start_matches('v')).is_ok())
}

/// Values that manifests call dangerous (MAN-189).
fn flags(config: &Config, snapshot: &Snapshot, out: &mut Vec<SecurityFinding>) {
    let mut rows = Vec::new();
    for plugin in &snapshot.plugins {
        let Some(own) = config.effective.pointer("/plugins/entries").and_then(|entries| entries.get(&plugin.id)?.get("config")) else {
            continue;
        };
        for flag in plugin.manifest.config_contracts.iter().flat_map(|contracts| &contracts.dangerous_flags) {
            let paths = places(own, &flag.path).into_iter().filter(|(_, value)| **value == flag.equals);
            rows.extend(paths.map(|(path, _)| format!("plugins.entries.{}.config.{path}={}", plugin.id, flag.equals)));
        }
    }
    let (id, title) = ("config.insecure_or_dangerous_flags", "Settings of plugins that switch protection off");
    told(id, Severity::Warn, title, &rows, "take them back unless each is meant", out);
}

/// The values at a dotted path; `*` stands for any member.
pub(in crate::commands) fn places<'a>(root: &'a Value, pattern: &str) -> Vec<(String, &'a Value)> {
    let mut found: Vec<(String, &Value)> = vec![(String::new(), root)];
    for name in pattern.split('.') {
        let step = |(path, value): (String, &'a Value)| -> Vec<(String, &'a Value)> {
            let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
            match (name, value) {
                ("*", Value::Object(members)) => members.iter().map(|(key, value)| (below(key), value)).collect(),
                ("*", Value::Array(items)) => items.iter().enumerate().map(|(at, value)| (below(&at.to_string()), value)).collect(),
                (name, value) => value.get(name).map(|value| (below(name), value)).into_iter().collect(),
            }
        };
        found = found.into_iter().flat_map(step).collect();
    }
    found
}

/// The code of plugins that are not part of the program, scanned as an installation would.
pub(super) fn code_findings(snapshot: &Snapshot) -> Vec<SecurityFinding> {
    let mut out = Vec::new();
    for plugin in foreign(snapshot) {
        let mode = if plugin.bundle_format.is_none() { Mode::Package } else { Mode::Bundle };
        let entries: Vec<PathBuf> = [Some(&plugin.source), plugin.setup_source.as_ref()].into_iter().flatten().cloned().collect();
        let target = ScanTarget { root: &plugin.root_dir, entries: &entries, mode };
        match chela_scan::scan(&target, &ScanLimits::default()) {
            Ok(report) if report.critical + report.warn > 0 => {
                let severity = if report.critical > 0 { Severity::Critical } else { Severity::Warn };
                let serious = report.findings.iter().filter(|f| f.severity != chela_scan::Severity::Info);
                let rows: Vec<String> = serious.map(|f| format!("{} ({}:{})", f.message, f.file.display(), f.line)).collect();
                let title = format!("Code of plugin `{}` to look at", plugin.id);
                let finding = SecurityFinding::new("plugins.code_safety", severity, title, listed(&rows));
                out.push(finding.remedy("read it; if you do not trust it, `chela plugins uninstall` it"));
            }
            Ok(_) => {}
            Err(error) => {
                let detail = format!("{}: {error}", plugin.id);
                out.push(SecurityFinding::new(
                    "plugins.code_safety.scan_failed",
                    Severity::Warn,
                    "Code of a plugin could not be scanned",
                    detail,
                ));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_exact_versions_are_pinned() {
        for (spec, pinned) in
            [("a@1.2.3", true), ("@s/a@1.2.3-beta.1", true), ("@s/a", false), ("a@^1.0.0", false), ("a@latest", false), ("a", false)]
        {
            assert_eq!(is_pinned(spec), pinned, "{spec}");
        }
    }

    // MAN-188, MAN-189
    #[test]
    fn paths_with_stars_match_members_and_items() {
        let root = json!({"a": {"x": {"on": true}, "y": {"on": false}}, "list": [{"on": 1}]});
        let found = |pattern: &str| places(&root, pattern).into_iter().map(|(path, value)| format!("{path}={value}")).collect::<Vec<_>>();
        assert_eq!(found("a.*.on"), ["a.x.on=true", "a.y.on=false"]);
        assert_eq!(found("list.*.on"), ["list.0.on=1"]);
        assert_eq!(found("none.on"), [] as [&str; 0]);
    }
}
