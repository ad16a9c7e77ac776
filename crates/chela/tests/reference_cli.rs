//! The command line of the reference implementation, run against this program's gateway: its handshake, its pairing and the answers
//! that it reads must suit it. `CHELA_REFERENCE_DIR` names an installed npm package `openclaw`; without it nothing is tested.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "helpers of a test fail the test")]

mod support;

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};
use support::gateway::{Gateway, TOKEN};
use support::{PATIENCE, node};

/// The reference's command line with a home of its own.
struct Reference {
    node: PathBuf,
    program: PathBuf,
    home: tempfile::TempDir,
}

impl Reference {
    fn new(node: PathBuf, program: PathBuf, port: u16) -> Self {
        let home = tempfile::tempdir().unwrap();
        let config = json!({"gateway": {"mode": "local", "port": port, "bind": "loopback", "auth": {"mode": "token", "token": TOKEN}}});
        std::fs::create_dir_all(home.path().join("state")).unwrap();
        std::fs::write(home.path().join("state/openclaw.json"), config.to_string()).unwrap();
        Self { node, program, home }
    }

    /// Exit code, standard output, standard error.
    async fn run(&self, state: &Path, args: &[&str]) -> (Option<i32>, String, String) {
        let mut command = tokio::process::Command::new(&self.node);
        command.arg(&self.program).args(args).env_clear().stdin(Stdio::null()).kill_on_drop(true);
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("NO_COLOR", "1");
        command.env("HOME", self.home.path()).env("OPENCLAW_STATE_DIR", state).env("OPENCLAW_DISABLE_BONJOUR", "1");
        let done = tokio::time::timeout(PATIENCE, command.output()).await;
        let output = done.unwrap_or_else(|_| panic!("`{args:?}` does not end")).unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    }

    /// What a command prints that must succeed through the gateway.
    async fn text(&self, args: &[&str]) -> String {
        let (code, out, errors) = self.run(&self.home.path().join("state"), args).await;
        assert_eq!(code, Some(0), "{args:?}: {out}\n{errors}");
        // The agent command answers by itself when the gateway does not suit it.
        assert!(!errors.contains("FALLBACK") && !errors.contains("gateway connect failed"), "{args:?}: {errors}");
        out
    }

    async fn json(&self, args: &[&str]) -> Value {
        let out = self.text(args).await;
        let start = out.find('{').unwrap_or_else(|| panic!("{args:?}: {out}"));
        serde_json::from_str(&out[start..]).unwrap_or_else(|error| panic!("{args:?}: {error}: {out}"))
    }
}

// GW-12, GW-28, GW-45, GW-49
#[tokio::test(flavor = "multi_thread")]
async fn the_reference_command_line_is_served() {
    let Some(program) = std::env::var_os("CHELA_REFERENCE_DIR").map(|dir| PathBuf::from(dir).join("openclaw.mjs")) else {
        eprintln!("skipped: `CHELA_REFERENCE_DIR` does not name an installed reference");
        return;
    };
    assert!(program.is_file(), "`CHELA_REFERENCE_DIR`: there is no {}", program.display());
    let node = node().await.unwrap();
    let gateway = Gateway::start(&node, json!({})).await;
    let cli = Reference::new(node, program, gateway.port);

    a_turn(&cli).await;
    readers(&cli, &gateway).await;
    texts(&cli, &gateway).await;
    more_scopes_need_approval(&cli).await;
}

/// The first command pairs the device, with the scope to write.
async fn a_turn(cli: &Reference) {
    let answer = cli.json(&["agent", "--agent", "main", "--message", "hello from the reference", "--json"]).await;
    assert_eq!((&answer["status"], &answer["summary"]), (&json!("ok"), &json!("completed")), "{answer}");
    let text = answer["result"]["payloads"][0]["text"].as_str().unwrap_or_default();
    assert!(text.contains("hello from the reference"), "{answer}");
    assert_eq!(answer["result"]["meta"]["agentMeta"]["provider"], "demo", "{answer}");
    // The token that came with the hello was understood and kept.
    let auth = std::fs::read_to_string(cli.home.path().join("state/identity/device-auth.json")).unwrap();
    let auth: Value = serde_json::from_str(&auth).unwrap();
    assert!(auth["tokens"]["operator"]["token"].as_str().is_some_and(|token| token.len() > 20), "{auth}");
}

async fn readers(cli: &Reference, gateway: &Gateway) {
    let call = ["gateway", "call", "--json"];
    let health = cli.json(&[&call[..], &["health"]].concat()).await;
    assert_eq!((&health["ok"], &health["defaultAgentId"]), (&json!(true), &json!("main")), "{health}");
    assert_eq!(health["agents"][0]["sessions"]["count"], 1, "{health}");

    let status = cli.json(&[&call[..], &["status"]].concat()).await;
    assert_eq!(status["sessions"]["count"], 1, "{status}");

    let history = cli.json(&[&call[..], &["chat.history", "--params", r#"{"sessionKey":"agent:main:main"}"#]].concat()).await;
    let roles: Vec<&str> = history["messages"].as_array().unwrap().iter().filter_map(|m| m["role"].as_str()).collect();
    assert_eq!(roles, ["user", "assistant"], "{history}");
    assert_eq!(history["messages"][0]["content"][0]["text"], "hello from the reference", "{history}");

    let sessions = cli.json(&[&call[..], &["sessions.list"]].concat()).await;
    assert_eq!(sessions["sessions"][0]["key"], "agent:main:main", "{sessions}");
    assert_eq!(sessions["sessions"][0]["sessionId"], history["sessionId"], "{sessions}");

    // This command reads the files of a state directory; those of this program's gateway have the form that it knows.
    let (code, out, errors) = cli.run(&gateway.state(), &["sessions", "--json"]).await;
    assert_eq!(code, Some(0), "{out}\n{errors}");
    let stored: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(stored["sessions"][0]["key"], "agent:main:main", "{stored}");
    assert_eq!(stored["sessions"][0]["sessionId"], history["sessionId"], "{stored}");
}

async fn texts(cli: &Reference, gateway: &Gateway) {
    let health = cli.text(&["health"]).await;
    assert!(health.contains("Agents: main (default)") && health.contains("- agent:main:main ("), "{health}");
    let status = cli.text(&["status"]).await;
    assert!(status.contains("OpenClaw status") && status.contains("reachable"), "{status}");
    let probe = cli.text(&["gateway", "probe"]).await;
    assert!(probe.contains("Reachable: yes") && probe.contains("Read probe: ok"), "{probe}");
    let logs = cli.text(&["logs", "--plain", "--limit", "200"]).await;
    assert!(logs.contains(&gateway.state().join("logs").display().to_string()) && logs.contains("ready"), "{logs}");
    let answer = cli.text(&["agent", "--agent", "main", "--message", "once more"]).await;
    assert!(answer.contains("once more"), "{answer}");
}

/// As with the reference's own gateway: a device that may write is not silently given more.
async fn more_scopes_need_approval(cli: &Reference) {
    let (code, _, errors) = cli.run(&cli.home.path().join("state"), &["gateway", "call", "config.get", "--json"]).await;
    // What may be read stays readable.
    assert_eq!(code, Some(0), "{errors}");
    let (code, out, errors) = cli.run(&cli.home.path().join("state"), &["devices", "list", "--json"]).await;
    assert_ne!(code, Some(0), "{out}");
    assert!(errors.contains("scope upgrade pending approval"), "{errors}");
}

/// Members of a row whose values are the same in both programs.
const SAME: [&str; 16] = [
    "id",
    "name",
    "version",
    "format",
    "kind",
    "source",
    "rootDir",
    "origin",
    "enabled",
    "compat",
    "status",
    "channelIds",
    "providerIds",
    "commands",
    "hookCount",
    "contracts",
];

// INS-312, INS-313, INS-317, INS-318
#[tokio::test(flavor = "multi_thread")]
async fn list_and_inspect_have_the_form_of_the_reference() {
    let Some(program) = std::env::var_os("CHELA_REFERENCE_DIR").map(|dir| PathBuf::from(dir).join("openclaw.mjs")) else {
        eprintln!("skipped: `CHELA_REFERENCE_DIR` does not name an installed reference");
        return;
    };
    let cli = Reference::new(node().await.unwrap(), program, 1);
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/plugins").canonicalize().unwrap();
    let mut paths: Vec<PathBuf> = std::fs::read_dir(fixtures).unwrap().flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.join("openclaw.plugin.json").is_file() && path.join("package.json").is_file());
    paths.sort();
    assert!(!paths.is_empty());
    let state = cli.home.path().join("state");
    // The reference lists a memory plugin as enabled, although it will not run, until the slot names it.
    let config = json!({"plugins": {"load": {"paths": paths}, "slots": {"memory": "memory-slot"}}});
    std::fs::write(state.join("openclaw.json"), config.to_string()).unwrap();

    let (theirs, ours) = (cli.json(&["plugins", "list", "--json"]).await, ours(&cli, &["plugins", "list", "--json"]));
    let rows = |list: &Value| -> Vec<Value> {
        let all = list["plugins"].as_array().unwrap().iter();
        all.filter(|row| row["origin"] == "config").cloned().collect()
    };
    let (expected, found) = (rows(&theirs), rows(&ours));
    assert_eq!((expected.len(), found.len()), (paths.len(), paths.len()), "{ours:#}");
    for (expected, found) in expected.iter().zip(&found) {
        alike(expected, found);
    }

    let id = expected[0]["id"].as_str().unwrap();
    let (theirs, ours) = (cli.json(&["plugins", "inspect", id, "--json"]).await, self::ours(&cli, &["plugins", "inspect", id, "--json"]));
    assert_eq!(keys(&theirs), keys(&ours));
    for member in ["shape", "capabilityMode", "capabilities", "typedHooks", "tools", "commands", "policy", "mcpServers", "compatibility"] {
        assert_eq!(theirs[member], ours[member], "{member}");
    }
    alike(&theirs["plugin"], &ours["plugin"]);
}

// BUN-027, BUN-033, BUN-037, BUN-043, BUN-134, BUN-135
#[tokio::test(flavor = "multi_thread")]
async fn bundles_are_read_as_the_reference_reads_them() {
    let Some(program) = std::env::var_os("CHELA_REFERENCE_DIR").map(|dir| PathBuf::from(dir).join("openclaw.mjs")) else {
        eprintln!("skipped: `CHELA_REFERENCE_DIR` does not name an installed reference");
        return;
    };
    let cli = Reference::new(node().await.unwrap(), program, 1);
    let state = cli.home.path().join("state");
    let servers = json!({"mcpServers": {"b": {"url": "http://x"}, "a": {"command": "node"}, "c": 5}}).to_string();
    for (file, text) in [
        (
            "claude/.claude-plugin/plugin.json",
            r#"{"name": "Claude Pack", "version": "1", "skills": ["skills", "more"], "lspServers": "l.json"}"#,
        ),
        ("claude/skills/one/SKILL.md", "# one"),
        ("claude/commands/go.md", "go"),
        ("claude/hooks/hooks.json", "{}"),
        ("claude/settings.json", "{}"),
        ("claude/.mcp.json", &servers),
        ("claude/l.json", r#"{"m": {}, "l": {"command": "x"}}"#),
        (
            "codex/.codex-plugin/plugin.json",
            r#"{"name": "codex", "description": "d", "apps": true, "hooks": "h", "mcpServers": "gone.json"}"#,
        ),
        (
            "cursor/.cursor-plugin/plugin.json",
            r#"{"interface": {"shortDescription": "s"}, "rules": true, "mcpServers": {"z": {"command": "./run"}}}"#,
        ),
        ("cursor/.cursor/commands/x.md", "x"),
        ("bare/agents/a.md", "a"),
    ] {
        let path = state.join("extensions").join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    std::fs::write(state.join("openclaw.json"), "{}").unwrap();
    for id in ["claude-pack", "codex", "cursor", "bare"] {
        let (theirs, ours) = (cli.json(&["plugins", "inspect", id, "--json"]).await, ours(&cli, &["plugins", "inspect", id, "--json"]));
        for member in ["shape", "capabilityMode", "bundleCapabilities", "mcpServers", "lspServers"] {
            assert_eq!(theirs[member], ours[member], "{member} of {id}");
        }
        for member in ["description", "bundleFormat", "bundleCapabilities", "imported", "configSchema", "activationSource"] {
            assert_eq!(theirs["plugin"][member], ours["plugin"][member], "{member} of {id}");
        }
        alike(&theirs["plugin"], &ours["plugin"]);
    }
}

fn alike(expected: &Value, found: &Value) {
    let (missing, added) = (keys(expected), keys(found));
    assert_eq!(missing, added, "{}", expected["id"]);
    for member in SAME {
        assert_eq!(expected[member], found[member], "{} of {}", member, expected["id"]);
    }
}

fn keys(object: &Value) -> std::collections::BTreeSet<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

/// What this program prints for the same state.
fn ours(cli: &Reference, args: &[&str]) -> Value {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_chela"));
    command.args(args).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("HOME", cli.home.path()).env("OPENCLAW_STATE_DIR", cli.home.path().join("state"));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}
