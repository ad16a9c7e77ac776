//! `chela security audit`, what setup entries of plugins do for the config, and compatibility codes of packages and variables.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "a test fails by panicking")]

#[path = "support/home.rs"]
mod home;
mod support;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use home::Home;
use serde_json::{Value, json};

/// A plugin of these files in a directory of its own.
fn plugin(dir: &Path, id: &str, manifest: Value, package: Value, files: &[(&str, &str)]) -> PathBuf {
    let dir = dir.join(id);
    std::fs::create_dir_all(&dir).unwrap();
    let mut own = json!({"id": id, "name": id, "version": "1.0.0", "description": id,
        "configSchema": {"type": "object", "additionalProperties": true, "properties": {}}});
    own.as_object_mut().unwrap().extend(manifest.as_object().unwrap().clone());
    let mut host = json!({"extensions": ["./index.js"]});
    host.as_object_mut().unwrap().extend(package.as_object().unwrap().clone());
    let package = json!({"name": id, "version": "1.0.0", "type": "module", "openclaw": host});
    std::fs::write(dir.join("openclaw.plugin.json"), own.to_string()).unwrap();
    std::fs::write(dir.join("package.json"), package.to_string()).unwrap();
    for (name, text) in files {
        std::fs::write(dir.join(name), text).unwrap();
    }
    dir
}

fn ids(report: &Value) -> Vec<(&str, &str)> {
    let rows = report["findings"].as_array().unwrap().iter();
    rows.map(|row| (row["checkId"].as_str().unwrap(), row["severity"].as_str().unwrap())).collect()
}

fn row<'a>(report: &'a Value, id: &str) -> &'a Value {
    report["findings"].as_array().unwrap().iter().find(|row| row["checkId"] == id).unwrap_or_else(|| panic!("no {id}: {report:#}"))
}

const COLLECTOR: &str = r#"
import fs from 'node:fs';
import { definePluginEntry } from 'openclaw/plugin-sdk/plugin-entry';
fs.writeFileSync(process.env.SEEN, 'loaded');
export default definePluginEntry({ id: 'collector', name: 'collector', description: 'collector',
  securityAuditCollectors: [async (ctx) => [{ checkId: 'collector.door', severity: 'critical', title: 'The door is open',
    detail: JSON.stringify({ door: ctx.config.plugins.entries.collector.config.door, written: ctx.sourceConfig.gateway.auth.token,
      env: typeof ctx.env.PATH, stateDir: ctx.stateDir, configPath: ctx.configPath }), remediation: 'close it' }]],
  register(api) {
    api.registerSecurityAuditCollector(() => { throw new Error('collector bug'); });
    api.registerSecurityAuditCollector(() => [{ checkId: 'collector.odd', severity: 'terrible', title: 't' }]);
  } });
"#;

// API-064, MAN-189
#[tokio::test]
async fn an_audit_names_what_is_unsafe_and_asks_plugins_only_when_told_to() {
    let home = Home::new();
    let seen = home.path("seen");
    let flags = json!({"configContracts": {"dangerousFlags": [{"path": "doors.*.open", "equals": true}]}});
    let dir = plugin(Path::new(&home.path("plugins")), "collector", flags, json!({}), &[("index.js", COLLECTOR)]);
    let risky = "import { exec } from 'node:child_process';\nexport default (api) => { exec('ls ' + process.argv[2]); };";
    let code = plugin(Path::new(&home.path("plugins")), "risky", json!({}), json!({}), &[("index.js", risky)]);
    let config = json!({
        "gateway": {"bind": "lan", "auth": {"mode": "token", "token": "${OPENCLAW_GATEWAY_TOKEN}"}, "controlUi": {"allowedOrigins": ["*"]}},
        "logging": {"redactSensitive": "off"},
        "tools": {"elevated": {"allowFrom": {"talk": ["*"]}}, "exec": {"security": "full"}},
        "channels": {"talk": {"dmPolicy": "open"}},
        "plugins": {"load": {"paths": [dir, code]}, "allow": ["collector", "risky", "nobody"],
            "entries": {"collector": {"enabled": true, "env": {"SEEN": seen}, "config": {"door": 7, "doors": {"front": {"open": true}}}}, "risky": {"enabled": false}}},
    });
    home.config(&config.to_string());
    std::fs::set_permissions(home.state().join("openclaw.json"), std::fs::Permissions::from_mode(0o644)).unwrap();
    std::fs::set_permissions(home.state(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let node = support::node().await.unwrap();
    let vars = [("CHELA_NODE", node.to_str().unwrap()), ("PATH", "/usr/bin:/bin"), ("OPENCLAW_GATEWAY_TOKEN", "short")];

    let out = home.run_with(&vars, &["security", "audit", "--json"]);
    assert_eq!(out.code, 0, "{}", out.stderr);
    let report: Value = serde_json::from_str(&out.stdout).unwrap();
    let found = ids(&report);
    for expected in [
        ("gateway.token_too_short", "warn"),
        ("gateway.auth_no_rate_limit", "warn"),
        ("gateway.control_ui.allowed_origins_wildcard", "critical"),
        ("logging.redact_off", "warn"),
        ("tools.elevated.allowFrom.talk.wildcard", "critical"),
        ("tools.exec.security_full_configured", "critical"),
        ("security.exposure.open_channels_with_exec", "critical"),
        ("fs.state_dir.perms_readable", "warn"),
        ("fs.config.perms_world_readable", "critical"),
        ("plugins.allow_phantom_entries", "warn"),
        ("plugins.not_confined", "info"),
        ("config.insecure_or_dangerous_flags", "warn"),
        ("summary.attack_surface", "info"),
    ] {
        assert!(found.contains(&expected), "{expected:?}: {found:?}");
    }
    assert!(!found.iter().any(|(id, _)| id.starts_with("gateway.bind_no_auth") || id.starts_with("collector.")), "{found:?}");
    assert_eq!(row(&report, "config.insecure_or_dangerous_flags")["detail"], "- plugins.entries.collector.config.doors.front.open=true");
    let counted = |severity: &str| found.iter().filter(|(_, s)| *s == severity).count();
    assert_eq!(report["summary"], json!({"critical": counted("critical"), "warn": counted("warn"), "info": counted("info")}));
    assert!(report.get("deep").is_none());
    assert!(!Path::new(&seen).exists(), "no plugin is loaded for a plain audit");

    let out = home.run_with(&vars, &["security", "audit", "--deep", "--json"]);
    assert_eq!(out.code, 0, "{}", out.stderr);
    let report: Value = serde_json::from_str(&out.stdout).unwrap();
    let door = row(&report, "collector.door");
    assert_eq!((&door["severity"], &door["remediation"]), (&json!("critical"), &json!("close it")));
    let told: Value = serde_json::from_str(door["detail"].as_str().unwrap()).unwrap();
    let file = home.state().join("openclaw.json");
    let expected =
        json!({"door": 7, "written": "${OPENCLAW_GATEWAY_TOKEN}", "env": "string", "stateDir": home.state(), "configPath": file});
    assert_eq!(told, expected);
    let failed: Vec<&str> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|f| f["checkId"] == "plugins.collector.security_audit_failed")
        .map(|f| f["detail"].as_str().unwrap())
        .collect();
    assert_eq!(failed.len(), 2, "{failed:?}");
    assert!(failed[0].contains("collector bug") && failed[1].contains("severity"), "{failed:?}");
    let code = row(&report, "plugins.code_safety");
    assert!(code["severity"] == "critical" && code["detail"].as_str().unwrap().contains("risky/index.js:"), "{code}");
    assert!(ids(&report).contains(&("gateway.probe_failed", "warn")) && report["deep"]["gateway"]["attempted"] == true, "{report}");
    let text = home.run_with(&vars, &["security", "audit"]).stdout;
    assert!(text.contains("CRITICAL") && text.contains("fix: chmod 600"), "{text}");
}

const MOVER: &str = r#"
import { definePluginEntry } from 'openclaw/plugin-sdk/plugin-entry';
export default definePluginEntry({ id: 'mover', name: 'mover', description: 'mover', register(api) {
  if (api.registrationMode !== 'setup-only') throw new Error(api.registrationMode);
  api.registerConfigMigration((config) => {
    if (!config.oldMover) return null;
    const { oldMover, ...rest } = config;
    rest.plugins.entries.mover.config = { place: oldMover.place };
    return { config: rest, changes: ['moved oldMover to plugins.entries.mover.config'] };
  });
  api.registerConfigMigration(() => ({ config: {}, changes: [] }));
  api.registerConfigMigration((config) => {
    const own = config.plugins.entries.mover.config;
    if (own?.place !== 'here') return undefined;
    own.place = 'there';
    return { config, changes: ['renamed the place'] };
  });
  api.registerConfigMigration(() => { throw new Error('migration bug'); });
} });"#;

const WAKER: &str = r#"
export default { id: 'ID', register(api) {
  api.registerAutoEnableProbe(({ config, env }) => (config.plugins.entries.ID.config.wanted && env.PATH ? ['it is wanted', ' '] : null));
} };"#;

// API-056, API-057, MAN-188, MAN-204
#[tokio::test]
async fn setup_entries_migrate_the_config_and_ask_to_be_on_when_the_doctor_mends() {
    let home = Home::new();
    home.private();
    let idle = "export default { register() {} };";
    let setup = json!({"setupEntry": "./setup.js"});
    let contracts = json!({"configContracts": {"compatibilityMigrationPaths": ["oldMover"]}});
    let mover = plugin(Path::new(&home.path("plugins")), "mover", contracts, setup.clone(), &[("index.js", idle), ("setup.js", MOVER)]);
    let workspace = PathBuf::from(home.path("workspace"));
    let extensions = workspace.join(".openclaw/extensions");
    for id in ["waker", "sleeper", "forbidden"] {
        plugin(&extensions, id, json!({}), setup.clone(), &[("index.js", idle), ("setup.js", &WAKER.replace("ID", id))]);
    }
    let entry = |wanted: bool| json!({"config": {"wanted": wanted}});
    let mut off = entry(true);
    off["enabled"] = false.into();
    home.config(
        &json!({
            "oldMover": {"place": "here"},
            "agents": {"defaults": {"workspace": workspace}},
            "plugins": {"load": {"paths": [mover]}, "entries": {"mover": {"enabled": true}, "waker": entry(true), "sleeper": entry(false), "forbidden": off}},
        })
        .to_string(),
    );
    let node = support::node().await.unwrap();
    let vars = [("CHELA_NODE", node.to_str().unwrap()), ("PATH", "/usr/bin:/bin")];

    // A look changes nothing.
    let before = home.read_config();
    home.run_with(&vars, &["doctor", "--json"]);
    assert_eq!(home.read_config(), before);

    let out = home.run_with(&vars, &["doctor", "--fix", "--json"]);
    let report: Value = serde_json::from_str(&out.stdout).unwrap_or_else(|_| panic!("{}{}", out.stdout, out.stderr));
    let config: Value = serde_json::from_str(&home.read_config()).unwrap();
    assert_eq!(
        (config.get("oldMover"), &config["plugins"]["entries"]["mover"]["config"]),
        (None, &json!({"place": "there"})),
        "{report:#}"
    );
    let fixed: Vec<&str> = report["fixed"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(fixed.contains(&"config, by plugin mover: moved oldMover to plugins.entries.mover.config"), "{fixed:?}");
    assert!(fixed.contains(&"switched on `waker`: it is wanted"), "{fixed:?}");
    let entries = &config["plugins"]["entries"];
    let on = |id: &str| entries[id].get("enabled").cloned();
    assert_eq!((on("waker"), on("sleeper"), on("forbidden")), (Some(json!(true)), None, Some(json!(false))));
    let told = report["checks"].as_array().unwrap().iter().any(|c| c["message"].as_str().is_some_and(|m| m.contains("migration bug")));
    assert!(told, "{report:#}");

    // Once more finds nothing to do.
    let after = home.read_config();
    home.run_with(&vars, &["doctor", "--fix", "--json"]);
    assert_eq!(home.read_config(), after);
}

#[tokio::test]
async fn older_forms_of_packages_and_variables_carry_the_codes_of_the_reference() {
    let home = Home::new();
    home.private();
    let package =
        json!({"setupEntry": "./setup.js", "channel": {"id": "old", "label": "Old", "showConfigured": true, "showInSetup": false}});
    let manifest = json!({"setup": {"providers": [{"id": "old"}]}, "channels": ["old"]});
    let idle = "export default { register() {} };";
    let dir = plugin(Path::new(&home.path("plugins")), "old", manifest, package, &[("index.js", idle), ("setup.js", idle)]);
    home.config(&json!({"plugins": {"load": {"paths": [dir]}, "entries": {"old": {"enabled": true}}}}).to_string());
    let shown = home.json(&["plugins", "inspect", "old", "--json"]);
    let codes: Vec<&str> = shown["compatibility"].as_array().unwrap().iter().filter_map(|n| n["code"].as_str()).collect();
    for code in ["channel-exposure-legacy-aliases", "setup-runtime-fallback"] {
        assert!(codes.contains(&code), "{code}: {codes:?}");
    }
    let doctor = home.run_with(&[("OPENCLAW_DISABLE_PERSISTED_PLUGIN_REGISTRY", "1")], &["doctor", "--json"]);
    let doctor: Value = serde_json::from_str(&doctor.stdout).unwrap();
    let checks = doctor["checks"].as_array().unwrap();
    let told = |code: &str| checks.iter().any(|check| check["message"].as_str().is_some_and(|message| message.contains(code)));
    assert!(told("disable-persisted-plugin-registry-env"), "{doctor:#}");
    assert!(told("channel-exposure-legacy-aliases") || checks.iter().any(|check| check["id"] == "plugins-compat"), "{doctor:#}");
}
