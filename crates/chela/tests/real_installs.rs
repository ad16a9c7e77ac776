//! Twenty plugins as their authors published them, installed one after another into one state directory, looked at, updated, rolled
//! back and removed: nothing of them stays. Needs the npm registry; a small one with local packages always runs.
//!
//! The expected registrations were taken from the reference, version 2026.5.12. A channel plugin without config registers there only
//! its channel; here it runs whole, so of channels only what the reference knows is compared.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "helpers of a test fail the test")]

#[path = "support/home.rs"]
mod home;
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use home::Home;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use support::{npm, without_network};

/// A published plugin.
struct Published {
    id: &'static str,
    package: &'static str,
    /// The version that is looked at, and an earlier one where the registry has one.
    version: &'static str,
    earlier: Option<&'static str>,
    /// A plugin that is published inside another package: its directory there.
    inside: Option<&'static str>,
    /// Only TypeScript is published: the reference refuses to load that from an install (INS-141), this host compiles it.
    typescript: bool,
    facts: Facts,
}

/// What it registers.
struct Facts {
    shape: &'static str,
    channel: Option<&'static str>,
    hooks: &'static [&'static str],
    services: &'static [&'static str],
    methods: &'static [&'static str],
    commands: &'static [&'static str],
    cli: &'static [&'static str],
    routes: u64,
    /// The reference fails to load it, so there is nothing to compare with.
    only_loads: bool,
}

const fn plugin(id: &'static str, package: &'static str, version: &'static str, facts: Facts) -> Published {
    Published { id, package, version, earlier: None, inside: None, typescript: false, facts }
}

const fn typescript(plugin: Published) -> Published {
    Published { typescript: true, ..plugin }
}

const NOTHING: Facts = Facts {
    shape: "non-capability",
    channel: None,
    hooks: &[],
    services: &[],
    methods: &[],
    commands: &[],
    cli: &[],
    routes: 0,
    only_loads: false,
};

const fn channel(id: &'static str) -> Facts {
    Facts { shape: "plain-capability", channel: Some(id), ..NOTHING }
}

/// Two of them bring an id that another one had before: they replace it.
const PLUGINS: [Published; 20] = [
    typescript(plugin("openclaw-web-search", "@ollama/openclaw-web-search", "0.2.2", NOTHING)),
    plugin("orchestra", "@gekkocompany/orchestra", "0.3.22", NOTHING),
    Published { earlier: Some("0.2.1"), ..typescript(plugin("parakeet-stt", "@nicfox77/parakeet-stt", "0.2.9", NOTHING)) },
    typescript(plugin(
        "oh-my-openclaw",
        "@mindfoldhq/oh-my-openclaw",
        "0.1.11",
        Facts {
            hooks: &["before_prompt_build", "before_prompt_build"],
            services: &["watchers"],
            commands: &["fb", "watchers"],
            cli: &["omo-init"],
            ..NOTHING
        },
    )),
    // The reference refuses its tools, without which only hooks are left.
    typescript(plugin(
        "openclaw-avatar",
        "@projectavatar/openclaw-avatar",
        "2.2.0",
        Facts {
            hooks: &["after_tool_call", "agent_end", "before_prompt_build", "before_tool_call", "message_received", "session_end"],
            ..NOTHING
        },
    )),
    plugin(
        "openclaw-linear",
        "@calltelemetry/openclaw-linear",
        "0.9.29",
        Facts {
            shape: "plain-capability",
            hooks: &[
                "after_compaction",
                "agent_end",
                "before_prompt_build",
                "before_reset",
                "before_tool_call",
                "message_sending",
                "session_end",
                "session_start",
                "subagent_ended",
            ],
            services: &["linear-dispatch-monitor"],
            methods: &["dispatch.list", "dispatch.get", "dispatch.retry", "dispatch.escalate", "dispatch.cancel", "dispatch.stats"],
            commands: &["dispatch"],
            cli: &["openclaw-linear"],
            routes: 3,
            ..NOTHING
        },
    ),
    typescript(plugin(
        "graphiti",
        "@robertogongora/graphiti",
        "0.6.2",
        Facts {
            shape: "plain-capability",
            hooks: &["after_tool_call", "session_start"],
            services: &["graphiti"],
            commands: &["graphiti"],
            cli: &["graphiti", "memory"],
            ..NOTHING
        },
    )),
    plugin(
        "devclaw",
        "@laurentenhoor/devclaw",
        "1.6.10",
        Facts { hooks: &["message_received"], services: &["devclaw-heartbeat"], cli: &["devclaw"], ..NOTHING },
    ),
    plugin("openclaw-mem0", "@mem0/openclaw-mem0", "1.0.16", Facts { services: &["openclaw-mem0"], cli: &["mem0"], ..NOTHING }),
    Published {
        inside: Some("openclaw"),
        ..plugin(
            "claude-mem",
            "claude-mem",
            "13.25.3",
            Facts {
                hooks: &[
                    "after_compaction",
                    "agent_end",
                    "before_agent_start",
                    "before_prompt_build",
                    "gateway_start",
                    "message_received",
                    "session_end",
                    "session_start",
                    "tool_result_persist",
                ],
                services: &["claude-mem-observation-feed"],
                commands: &["claude_mem_feed", "claude-mem-search", "claude-mem-recent", "claude-mem-timeline", "claude_mem_status"],
                ..NOTHING
            },
        )
    },
    Published {
        inside: Some("extensions/diffs"),
        ..typescript(plugin("diffs", "openclaw", "2026.3.13", Facts { only_loads: true, ..NOTHING }))
    },
    Published {
        inside: Some("extensions/lobster"),
        ..typescript(plugin("lobster", "openclaw", "2026.3.13", Facts { only_loads: true, ..NOTHING }))
    },
    Published {
        earlier: Some("0.6.2"),
        ..plugin("kitchen", "@jiggai/kitchen", "0.6.3", Facts { hooks: &["gateway_start", "gateway_stop"], cli: &["kitchen"], ..NOTHING })
    },
    typescript(plugin(
        "camofox-browser",
        "@askjo/camofox-browser",
        "1.5.2",
        Facts { commands: &["camofox"], cli: &["camofox"], ..NOTHING },
    )),
    plugin("feishu", "@openclaw-china/feishu", "0.1.10", channel("feishu")),
    plugin("wecom", "@tobotorui/wecom", "1.6.5", channel("wecom")),
    plugin("wecom", "@openclaw-china/wecom", "0.1.8", channel("wecom")),
    plugin("dingtalk", "@openclaw-china/dingtalk", "0.1.19", channel("dingtalk")),
    Published { earlier: Some("3.6.6"), ..plugin("dingtalk", "@soimy/dingtalk", "3.6.7", channel("dingtalk")) },
    Published { earlier: Some("2026.5.12"), ..plugin("matrix", "@openclaw/matrix", "2026.5.18", channel("matrix")) },
];

/// The config that everything starts from, and must come back to.
const CONFIG: &str = "// mine\n{\n  gateway: {mode: \"local\"}, /* here */\n  plugins: {entries: {demo: {enabled: true}}},\n}\n";

/// A home with a private state directory, a config, and npm's own settings of this machine.
fn home() -> Home {
    let home = Home::new();
    home.private();
    home.config(CONFIG);
    // As the program writes it (GW-138).
    std::fs::set_permissions(home.state().join("openclaw.json"), std::fs::Permissions::from_mode(0o600)).unwrap();
    if let Some(user) = std::env::var_os("HOME") {
        let _ = std::fs::copy(Path::new(&user).join(".npmrc"), home.path(".npmrc"));
    }
    home
}

/// Every file, link and directory with its content and mode, but for what a document wants kept: the ring of config backups and the
/// audit log of config writes (GW-138).
fn picture(state: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut open = vec![state.to_path_buf()];
    while let Some(dir) = open.pop() {
        for entry in std::fs::read_dir(&dir).unwrap().flatten() {
            let (path, kind) = (entry.path(), entry.file_type().unwrap());
            let shown = path.strip_prefix(state).unwrap().to_path_buf();
            let text = shown.display().to_string();
            if text.starts_with("openclaw.json.bak") || text == "logs" || text == "logs/config-audit.jsonl" {
                assert!(text != "logs" || std::fs::read_dir(&path).unwrap().count() == 1, "only the audit log is wanted");
                continue;
            }
            let mode = entry.metadata().unwrap().permissions().mode() & 0o7777;
            let content = if kind.is_symlink() {
                format!("-> {}", std::fs::read_link(&path).unwrap().display())
            } else if kind.is_dir() {
                open.push(path);
                format!("directory {mode:o}")
            } else {
                let hash = Sha256::digest(std::fs::read(&path).unwrap());
                format!("{mode:o} {}", hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
            };
            found.insert(shown, content);
        }
    }
    found
}

/// Runs with this machine's way to the registry and its Node.
fn chela(home: &Home, args: &[&str]) -> home::Out {
    let passed = |(name, _): &(String, String)| {
        let lower = name.to_ascii_lowercase();
        lower.starts_with("npm_config_") || lower.ends_with("_proxy") || ["CHELA_NODE", "PATH", "SSL_CERT_FILE"].contains(&name.as_str())
    };
    let vars: Vec<(String, String)> = std::env::vars().filter(passed).collect();
    let mut vars: Vec<(&str, &str)> = vars.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    // Kept from one run to the next: removing a hundred thousand files takes longer than everything else.
    vars.push(("CHELA_CACHE_DIR", concat!(env!("CARGO_TARGET_TMPDIR"), "/real-installs")));
    home.run_with(&vars, args)
}

fn done(home: &Home, args: &[&str]) -> String {
    let out = chela(home, args);
    assert_eq!(out.code, 0, "{args:?}: {}", out.stderr);
    out.stdout
}

fn json_of(home: &Home, args: &[&str]) -> Value {
    serde_json::from_str(&done(home, args)).unwrap()
}

/// What to install, and what to update to; a plugin inside of another package is packed first.
fn specs(home: &Home, plugin: &Published) -> (String, Option<String>) {
    let of = |version: &str| format!("{}@{version}", plugin.package);
    match (plugin.inside, plugin.earlier) {
        (Some(inside), _) => {
            let dir = npm::package(plugin.package, plugin.version, false).unwrap().join(inside);
            let target = home.path(&format!("{}.tgz", plugin.id));
            let packed = Command::new("tar").args(["-czf", &target, "--transform", "s,^\\.,package,", "-C"]).arg(dir).arg(".").status();
            assert!(packed.unwrap().success());
            (format!("npm-pack:{target}"), None)
        }
        (None, Some(earlier)) => (of(earlier), Some(of(plugin.version))),
        (None, None) => (of(plugin.version), None),
    }
}

fn installed(home: &Home) -> BTreeMap<String, String> {
    let list = json_of(home, &["plugins", "list", "--json"]);
    let rows = list["plugins"].as_array().unwrap().iter().filter(|row| row["origin"] == "global");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    rows.map(|row| (text(&row["id"]), text(&row["version"]))).collect()
}

fn inspected(home: &Home, plugin: &Published) {
    let (id, facts) = (plugin.id, &plugin.facts);
    let seen = json_of(home, &["plugins", "inspect", id, "--runtime", "--json"]);
    assert_eq!(seen["plugin"]["status"], "loaded", "{id}: {}", seen["diagnostics"]);
    assert!(seen["plugin"]["rootDir"].as_str().unwrap().starts_with(home.state().to_str().unwrap()), "{id}");
    if facts.only_loads {
        return;
    }
    assert_eq!(seen["shape"], facts.shape, "{id}");
    if let Some(channel) = facts.channel {
        assert!(seen["capabilities"].as_array().unwrap().contains(&json!({"kind": "channel", "ids": [channel]})), "{id}: {seen}");
        return;
    }
    let hooks: Vec<Value> = facts.hooks.iter().map(|name| json!({"name": name})).collect();
    assert_eq!(seen["typedHooks"], json!(hooks), "{id}: {}", seen["diagnostics"]);
    for (key, expected) in
        [("services", facts.services), ("gatewayMethods", facts.methods), ("commands", facts.commands), ("cliCommands", facts.cli)]
    {
        assert_eq!(seen[key], json!(expected), "{id}: {key}");
    }
    assert_eq!(seen["httpRouteCount"], facts.routes, "{id}");
}

fn install(home: &Home, plugin: &Published) -> Option<String> {
    let (spec, newer) = specs(home, plugin);
    // Many of them do what the scan refuses: they start programs.
    let mut args = vec!["plugins", "install", &spec, "--dangerously-force-unsafe-install"];
    if installed(home).contains_key(plugin.id) {
        args.push("--force");
    }
    done(home, &args);
    if plugin.facts.hooks.contains(&"agent_end") {
        done(home, &["config", "set", &format!("plugins.entries.{}.hooks.allowConversationAccess", plugin.id), "true"]);
    }
    newer
}

// INS-143, INS-296, INS-312, INS-317
#[test]
fn twenty_published_plugins_come_and_go_and_leave_every_byte_as_it_was() {
    if let Err(why) = npm::package("@ollama/openclaw-web-search", "0.2.2", false) {
        return without_network(&why);
    }
    let home = home();
    let before = picture(&home.state());
    let mut updates = Vec::new();
    for plugin in &PLUGINS {
        let newer = install(&home, plugin);
        assert!(installed(&home).contains_key(plugin.id), "{}", plugin.id);
        match newer {
            Some(newer) => updates.push((plugin, newer)),
            None => inspected(&home, plugin),
        }
    }
    let ids: BTreeSet<&str> = PLUGINS.iter().map(|plugin| plugin.id).collect();
    assert_eq!(installed(&home).keys().map(String::as_str).collect::<BTreeSet<_>>(), ids);
    the_reference_lists_the_same(&home, &ids);

    for (plugin, newer) in &updates {
        done(&home, &["plugins", "update", newer, "--dangerously-force-unsafe-install"]);
        assert_eq!(installed(&home)[plugin.id], plugin.version);
        inspected(&home, plugin);
    }
    for (plugin, _) in &updates {
        done(&home, &["plugins", "rollback", plugin.id]);
        assert_eq!(Some(installed(&home)[plugin.id].as_str()), plugin.earlier);
    }
    for id in &ids {
        done(&home, &["plugins", "uninstall", id, "--force"]);
        assert!(!installed(&home).contains_key(*id));
    }
    assert_eq!(home.read_config(), CONFIG);
    assert_eq!(picture(&home.state()), before);
}

/// The reference works on a copy at the same place, since it writes into what it is pointed at.
fn the_reference_lists_the_same(home: &Home, ids: &BTreeSet<&str>) {
    let Some(program) = std::env::var_os("CHELA_REFERENCE_DIR").map(|dir| PathBuf::from(dir).join("openclaw.mjs")) else {
        eprintln!("not asked: `CHELA_REFERENCE_DIR` does not name an installed reference");
        return;
    };
    let (state, kept) = (home.state(), PathBuf::from(home.path("kept")));
    std::fs::rename(&state, &kept).unwrap();
    assert!(Command::new("cp").arg("-a").arg(&kept).arg(&state).status().unwrap().success());
    let node = std::env::var_os("CHELA_NODE").unwrap_or_else(|| "node".into());
    let mut command = Command::new(node);
    command.arg(program).args(["plugins", "list", "--json"]).env_clear().env("NO_COLOR", "1").env("HOME", home.path("theirs"));
    let out = command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("OPENCLAW_STATE_DIR", &state).output().unwrap();
    std::fs::remove_dir_all(&state).unwrap();
    std::fs::rename(&kept, &state).unwrap();
    let text = String::from_utf8_lossy(&out.stdout);
    let start = text.find('{').unwrap_or_else(|| panic!("{text}{}", String::from_utf8_lossy(&out.stderr)));
    let list: Value = serde_json::from_str(&text[start..]).unwrap();
    let theirs: BTreeSet<&str> = list["plugins"].as_array().unwrap().iter().filter_map(|row| row["id"].as_str()).collect();
    let missing: BTreeSet<&str> = ids.iter().filter(|id| !theirs.contains(**id)).copied().collect();
    let refused: BTreeSet<&str> = PLUGINS.iter().filter(|plugin| plugin.typescript).map(|plugin| plugin.id).collect();
    assert_eq!(missing, refused, "the reference lists all that it can load");
}

/// A package of this version, in TypeScript, so that a compiled copy is kept somewhere.
fn local(home: &Home, id: &str, kind: &str, version: &str) -> String {
    let name = format!("{id}-{version}");
    home.plugin(&name, &json!({"id": id, "kind": kind, "configSchema": {"type": "object"}}).to_string());
    let package = json!({"name": format!("@me/{id}"), "version": version, "openclaw": {"extensions": ["./main.ts"]}});
    let dir = PathBuf::from(home.path(&name));
    std::fs::write(dir.join("package.json"), package.to_string()).unwrap();
    let code = "export default (api: any) => api.registerCommand({ name: 'hello', description: 'x', handler: () => ({ text: 'x' }) });";
    std::fs::write(dir.join("main.ts"), code).unwrap();
    home.path(&name)
}

// INS-143, INS-296
#[tokio::test]
async fn local_plugins_come_and_go_and_leave_every_byte_as_it_was() {
    let node = match support::node().await {
        Ok(node) => node.display().to_string(),
        Err(why) => return without_network(&why),
    };
    let home = home();
    let before = picture(&home.state());
    let plugins = [("one", "memory"), ("two", "context-engine"), ("three", "tool")];
    for (id, kind) in plugins {
        done(&home, &["plugins", "install", &local(&home, id, kind, "1.0.0")]);
        done(&home, &["plugins", "install", &local(&home, id, kind, "2.0.0"), "--force"]);
        let out = home.run_with(&[("CHELA_NODE", &node)], &["plugins", "inspect", id, "--runtime", "--json"]);
        let seen: Value = serde_json::from_str(&out.stdout).unwrap();
        assert_eq!((&seen["commands"], &seen["plugin"]["status"]), (&json!(["hello"]), &json!("loaded")), "{seen}");
        done(&home, &["plugins", "rollback", id]);
    }
    for (id, _) in plugins {
        done(&home, &["plugins", "uninstall", id, "--force"]);
    }
    assert_eq!(home.read_config(), CONFIG);
    assert_eq!(picture(&home.state()), before);
}
