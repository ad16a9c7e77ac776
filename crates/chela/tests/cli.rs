//! The command line from outside: the binary with a state directory of its own.

#[path = "support/home.rs"]
mod home;

use home::{Home, PLUGIN};
use serde_json::{Value, json};

#[test]
fn help_is_short_and_complete() {
    let home = Home::new();
    insta::assert_snapshot!("help", home.ok(&["--help"]));
    insta::assert_snapshot!("help_gateway_call", home.ok(&["gateway", "call", "--help"]));
    insta::assert_snapshot!("help_plugins", home.ok(&["plugins", "--help"]));
    assert_eq!(home.ok(&[]), home.ok(&["--help"]));
    assert_eq!(home.ok(&["--version"]), format!("chela {}\n", env!("CARGO_PKG_VERSION")));
}

// INS-337
#[test]
fn misuse_is_told_from_failure() {
    let home = Home::new();
    for (args, code, stderr) in [
        (&["gatway"][..], 2, "did you mean `chela gateway`"),
        (&["plugins", "lst"], 2, "did you mean `chela plugins list`"),
        (&["cron", "list"], 2, "`chela cron` is not built yet"),
        (&["plugins", "marketplaces"], 2, "did you mean `chela plugins marketplace`"),
        (&["gateway", "install"], 2, "`chela gateway install` is not built yet"),
        (&["config", "patch", "--stdin"], 2, "`chela config patch` is not built yet"),
        (&["sessions", "restore", "x"], 1, "no gateway runs on this state"),
        (&["sessions", "cleanup", "--store", "/nowhere/sessions.json"], 1, "/nowhere/sessions.json"),
        (&["sessions", "cleanup", "--agent", "nobody"], 1, "unknown agent `nobody`"),
        (&["sessions", "export-trajectory"], 2, "`chela sessions export-trajectory` is not built yet"),
        (&["plugins", "list", "--nope"], 2, "--nope"),
        (&["agent"], 2, "--message"),
        (&["agent", "-m", " "], 2, "`--message` is empty"),
        (&["sessions", "--limit", "none"], 2, "`--limit none` is not a number"),
        (&["gateway", "call", "health", "--params", "{"], 2, "`--params` is not JSON"),
        (&["gateway", "call", "health", "--params", "[]"], 2, "`--params` is not a JSON object"),
        (&["--profile", "a/b", "status"], 1, "a profile name consists of letters"),
        (&["plugins", "inspect"], 1, "no plugin named"),
    ] {
        let out = home.run(args);
        assert_eq!(out.code, code, "{args:?}: {}", out.stderr);
        assert!(out.stderr.contains(stderr) && out.stdout.is_empty(), "{args:?}: {}", out.stderr);
    }
}

// GW-161
#[test]
fn restart_variants_exclude_each_other() {
    let home = Home::new();
    for args in [&["--safe", "--force"][..], &["--safe", "--wait", "5s"], &["--skip-deferral"], &["--wait", "soon"]] {
        let all: Vec<&str> = ["gateway", "restart"].iter().chain(args).copied().collect();
        assert_eq!(home.run(&all).code, 2, "{args:?}");
    }
}

#[test]
fn every_shell_gets_its_completion() {
    let home = Home::new();
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let script = home.ok(&["completion", shell]);
        assert!(script.contains("chela") && script.contains("plugins"), "{shell}");
        assert_eq!(script, home.ok(&["completion", "--shell", shell]));
    }
    home.ok(&["completion", "fish", "--write-state"]);
    assert!(home.state().join("completions/chela.fish").is_file());
}

// INS-312, INS-314, INS-315
#[test]
fn plugins_are_listed() {
    let home = Home::new();
    home.plugin("alpha", PLUGIN);
    home.config(
        &json!({"plugins": {"load": {"paths": [home.path("alpha")]}, "entries": {"alpha": {"enabled": true}, "demo": {"enabled": false}}}})
            .to_string(),
    );
    insta::assert_snapshot!("plugins_list", home.text(&["plugins", "list"]));
    insta::assert_snapshot!("plugins_list_verbose", home.text(&["plugins", "list", "--verbose", "--enabled"]));
    let list = home.json(&["plugins", "list", "--json"]);
    let keys: Vec<&str> = list.as_object().unwrap().keys().map(String::as_str).filter(|key| *key != "workspaceDir").collect();
    assert_eq!(keys, ["registry", "plugins", "diagnostics"]);
    let status = |list: &Value| -> Vec<String> {
        list["plugins"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| format!("{} {}", row["id"].as_str().unwrap(), row["status"].as_str().unwrap()))
            .collect()
    };
    let bundled = ["demo disabled", "diagnostics-prometheus disabled", "diagnostics-otel disabled"];
    assert_eq!(status(&list), [&["alpha loaded"][..], &bundled].concat());
    assert_eq!(status(&home.json(&["plugins", "list", "--json", "--enabled"])), ["alpha loaded"]);
}

// INS-317, INS-319, INS-320, INS-321, INS-322
#[test]
fn plugins_are_inspected() {
    let home = Home::new();
    home.plugin("alpha", PLUGIN);
    home.config(&json!({"plugins": {"load": {"paths": [home.path("alpha")]}}}).to_string());
    insta::assert_snapshot!("plugins_inspect", home.text(&["plugins", "inspect", "alpha"]));
    let object = home.json(&["plugins", "inspect", "alpha", "--json"]);
    assert_eq!((object["plugin"]["id"].as_str(), object["plugin"]["imported"].as_bool()), (Some("alpha"), Some(false)));
    assert_eq!(home.json(&["plugins", "info", "Alpha plugin", "--json"]), object);
    let all = home.json(&["plugins", "inspect", "--all", "--json"]);
    assert_eq!(all.as_array().unwrap().iter().find(|row| row["plugin"]["id"] == "alpha"), Some(&object));
    for args in [&["plugins", "inspect"][..], &["plugins", "inspect", "alpha", "--all"], &["plugins", "inspect", "nope"]] {
        let out = home.run(args);
        assert_eq!((out.code, out.stdout.as_str()), (1, ""), "{args:?}");
    }
}

// INS-308, INS-309, INS-310, INS-311
#[test]
fn switching_writes_one_key_and_keeps_comments() {
    let home = Home::new();
    home.plugin("alpha", PLUGIN);
    home.plugin("mem", r#"{"id": "mem", "kind": "memory", "configSchema": {"type": "object"}}"#);
    let paths = json!([home.path("alpha"), home.path("mem")]);
    home.config(&format!("{{\n  // mine\n  plugins: {{load: {{paths: {paths}}}}}\n}}"));
    assert_eq!(home.ok(&["plugins", "disable", "alpha"]), "Disabled plugin \"alpha\".\n");
    assert!(home.read_config().contains("// mine"), "{}", home.read_config());
    assert_eq!(home.json(&["config", "get", "plugins.entries", "--json"]), json!({"alpha": {"enabled": false}}));
    assert_eq!(home.ok(&["plugins", "enable", "alpha"]), "Enabled plugin \"alpha\".\n");
    assert_eq!(home.json(&["plugins", "enable", "mem", "--json"]), json!({"id": "mem", "enabled": true, "changed": true}));
    assert_eq!(home.ok(&["config", "get", "plugins.slots.memory"]), "mem\n");

    let unknown = home.run(&["plugins", "enable", "nope"]);
    assert_eq!(unknown.code, 1);
    assert!(unknown.stderr.contains("Plugin not found: nope"), "{}", unknown.stderr);

    for (key, value, reason) in [
        ("plugins.allow", r#"["mem"]"#, "blocked by allowlist"),
        ("plugins.deny", r#"["alpha"]"#, "blocked by denylist"),
        ("plugins.enabled", "false", "plugins disabled"),
    ] {
        home.ok(&["config", "set", key, value]);
        let before = home.read_config();
        let out = home.run(&["plugins", "enable", "alpha"]);
        assert_eq!(out.code, 0);
        assert!(out.stderr.contains(&format!("could not be enabled ({reason})")), "{}", out.stderr);
        assert_eq!(home.read_config(), before);
    }
}

// INS-333, INS-334, INS-346
#[test]
fn the_plugin_doctor_works_on_what_is_broken() {
    let home = Home::new();
    assert_eq!(home.ok(&["plugins", "doctor"]), "No plugin issues detected.\n");
    home.plugin("broken", "{");
    home.config(&json!({"plugins": {"load": {"paths": [home.path("broken"), home.path("absent")]}}, "nonsense": 1}).to_string());
    insta::assert_snapshot!("plugins_doctor", home.text(&["plugins", "doctor"]));
    let report = home.json(&["plugins", "doctor", "--json"]);
    assert_eq!(report["ok"], false);
}

// GW-156
#[test]
fn a_gateway_that_is_not_there_is_named_with_the_next_step() {
    let home = Home::new();
    home.config(r#"{gateway: {mode: "local", port: 9}}"#);
    for args in [&["gateway", "call", "health"][..], &["health"], &["gateway", "status", "--require-rpc"]] {
        let out = home.run(args);
        assert_eq!(out.code, 1, "{args:?}");
        assert!(out.stderr.contains("no gateway answers at `ws://127.0.0.1:9`: connection refused"), "{}", out.stderr);
        assert!(out.stderr.contains("hint: start it with `chela gateway run`"), "{}", out.stderr);
    }
    assert!(!home.state().join("identity").exists());
    let status = home.json(&["gateway", "status", "--json"]);
    assert_eq!((status["rpc"]["ok"].as_bool(), status["rpc"]["capability"].as_str()), (Some(false), Some("unknown")));
    assert_eq!(status["gateway"]["port"], 9);
    assert_eq!(home.json(&["status", "--json"])["gateway"]["reachable"], false);
    assert_eq!(home.json(&["gateway", "stop", "--json"])["result"], "not-running");
    let restart = home.run(&["gateway", "restart"]);
    assert_eq!(restart.code, 1, "{}", restart.stderr);
    let out = home.run(&["health", "--url", "ws://127.0.0.1:9"]);
    assert_eq!(out.code, 2);
    assert!(out.stderr.contains("`--url` needs `--token` or `--password`"), "{}", out.stderr);
}

// GW-165
#[test]
fn sessions_without_a_gateway_come_from_the_file() {
    let home = Home::new();
    let empty = home.json(&["sessions", "--json"]);
    assert_eq!((empty["count"].as_u64(), empty["limitApplied"].as_u64(), empty["hasMore"].as_bool()), (Some(0), Some(100), Some(false)));
    assert!(!home.state().join("chela").exists(), "listing makes no database");
    let dir = home.state().join("agents/main/sessions");
    std::fs::create_dir_all(&dir).unwrap();
    let rows = json!({"agent:main:main": {"sessionId": "a", "updatedAt": 1000}, "agent:main:x": {"sessionId": "b", "updatedAt": 2000}});
    std::fs::write(dir.join("sessions.json"), rows.to_string()).unwrap();
    let one = home.json(&["sessions", "--json", "--limit", "1"]);
    assert_eq!(
        (one["totalCount"].as_u64(), one["hasMore"].as_bool(), one["sessions"][0]["key"].as_str()),
        (Some(2), Some(true), Some("agent:main:x"))
    );
    assert_eq!(home.json(&["sessions", "--json", "--limit", "all"])["limitApplied"], Value::Null);
    assert_eq!(home.json(&["sessions", "--json", "--active", "5"])["totalCount"], 0);
    let all = home.json(&["sessions", "--json", "--all-agents"]);
    assert_eq!((all["allAgents"].as_bool(), all["path"].is_null(), all["stores"][0]["agentId"].as_str()), (Some(true), true, Some("main")));
    assert_eq!(home.run(&["sessions", "--agent", "nobody"]).code, 1);
}

#[test]
fn logs_are_read_without_a_gateway() {
    let home = Home::new();
    let out = home.run(&["logs"]);
    assert_eq!((out.code, out.stdout.as_str()), (0, ""));
    std::fs::create_dir_all(home.state().join("logs")).unwrap();
    let line = r#"{"timestamp":"2026-01-02T03:04:05.000000Z","level":"INFO","message":"ready","port":7,"target":"gateway"}"#;
    std::fs::write(home.state().join("logs/gateway.jsonl"), format!("{line}\n{line}\n")).unwrap();
    assert_eq!(home.ok(&["logs", "--limit", "1"]), "2026-01-02T03:04:05.000Z info  gateway ready port=7\n");
    let lines: Vec<Value> = home.ok(&["logs", "--json"]).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.iter().map(|line| line["type"].as_str().unwrap()).collect::<Vec<_>>(), ["meta", "log", "log"]);
    assert_eq!(
        (lines[1]["subsystem"].as_str(), lines[1]["level"].as_str(), lines[1]["raw"].as_str()),
        (Some("gateway"), Some("info"), Some(line))
    );
}

// GW-162
#[test]
fn an_agent_whose_gateway_is_gone_answers_by_itself_and_says_so() {
    let home = Home::new();
    home.private();
    home.config(r#"{"gateway": {"mode": "local"}, "agents": {"defaults": {"skipBootstrap": true}}}"#);
    let out = home.run(&["agent", "--message", "hello", "--json"]);
    assert_eq!(out.code, 0, "{}", out.stderr);
    let answer: Value = serde_json::from_str(&out.stdout).unwrap();
    let meta = answer.pointer("/result/meta").or_else(|| answer.get("meta")).unwrap();
    assert_eq!((&meta["transport"], &meta["fallbackFrom"]), (&json!("embedded"), &json!("gateway")), "{answer}");
}

// CH-41, CH-43, CH-46
#[test]
fn senders_are_listed_and_admitted_without_a_gateway() {
    let home = Home::new();
    home.config("{\n  // mine\n  gateway: {mode: 'local'}\n}");
    let credentials = home.state().join("credentials");
    std::fs::create_dir(&credentials).unwrap();
    let now = jiff::Timestamp::now().to_string();
    let row = |id: &str, code: &str, account: &str| json!({"id": id, "code": code, "createdAt": now, "lastSeenAt": now, "meta": {"name": "Ada", "accountId": account}});
    let requests = json!({"version": 1, "requests": [row("u1", "ABCDEFGH", "default"), row("u2", "JKLMNPQR", "work")]});
    std::fs::write(credentials.join("talk-pairing.json"), requests.to_string()).unwrap();
    let listed: Value = serde_json::from_str(&home.ok(&["pairing", "list", "--json"])).unwrap();
    assert_eq!((&listed["channel"], listed["requests"].as_array().unwrap().len()), (&json!("talk"), 2));
    let table = home.ok(&["pairing", "list", "talk", "--account", "work"]);
    assert!(table.contains("JKLMNPQR") && table.contains("name Ada") && !table.contains("ABCDEFGH"), "{table}");
    let unknown = home.run(&["pairing", "approve", "talk", "AAAAAAAA"]);
    assert!(unknown.code == 1 && unknown.stderr.contains("chela pairing list talk"), "{}", unknown.stderr);
    let first = home.ok(&["pairing", "approve", "abcdefgh"]);
    assert!(first.contains("Approved talk sender u1") && first.contains("talk:u1"), "{first}");
    let config = std::fs::read_to_string(home.state().join("openclaw.json")).unwrap();
    assert!(config.contains("// mine") && config.contains("talk:u1"), "{config}");
    let second: Value = serde_json::from_str(&home.ok(&["pairing", "approve", "--channel", "talk", "JKLMNPQR", "--json"])).unwrap();
    assert_eq!((&second["id"], &second["accountId"], second.get("owner")), (&json!("u2"), &json!("work"), None));
    let file = |name: &str| -> Value { serde_json::from_str(&std::fs::read_to_string(credentials.join(name)).unwrap()).unwrap() };
    assert_eq!(file("talk-default-allowFrom.json"), json!({"version": 1, "allowFrom": ["u1"]}));
    assert_eq!(file("talk-work-allowFrom.json")["allowFrom"], json!(["u2"]));
    assert_eq!(home.ok(&["pairing", "list"]).trim(), "No sender waits on talk");
    for (args, code, said) in [
        (&["pairing", "list", "../x"][..], 1, "is no channel id"),
        (&["pairing", "approve", "--channel", "a", "b", "c"], 2, "cannot be used"),
    ] {
        let out = home.run(args);
        assert!(out.code == code && out.stderr.contains(said), "{args:?}: {}", out.stderr);
    }
}
