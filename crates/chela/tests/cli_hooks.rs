//! `chela hooks` through the built binary. The keys of the JSON are those that the reference prints.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

struct Home(tempfile::TempDir);

impl Home {
    fn new(config: &str) -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir_all(home.state()).unwrap();
        std::fs::write(home.state().join("openclaw.json"), config.replace("WORKSPACE", home.0.path().join("ws").to_str().unwrap()))
            .unwrap();
        home
    }

    fn state(&self) -> std::path::PathBuf {
        self.0.path().join("state")
    }

    fn hook(&self, place: &str, name: &str, metadata: &Value) {
        write(self.0.path(), place, name, metadata);
    }

    fn config(&self) -> String {
        std::fs::read_to_string(self.state().join("openclaw.json")).unwrap()
    }

    fn run(&self, args: &[&str]) -> (i32, String, String) {
        let out = Command::new(env!("CARGO_BIN_EXE_chela"))
            .args(args)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.0.path())
            .env("OPENCLAW_STATE_DIR", self.state())
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (out.status.code().unwrap(), text(out.stdout), text(out.stderr))
    }

    fn json(&self, args: &[&str]) -> Value {
        let (_, out, err) = self.run(args);
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}{err}"))
    }
}

fn write(base: &Path, place: &str, name: &str, metadata: &Value) {
    let dir = base.join(place).join(name);
    std::fs::create_dir_all(&dir).unwrap();
    let text = format!("---\nname: {name}\ndescription: \"about {name}\"\nmetadata: {}\n---\n", json!({"openclaw": metadata}));
    std::fs::write(dir.join("HOOK.md"), text).unwrap();
    std::fs::write(dir.join("handler.js"), "export default () => {};").unwrap();
}

const CONFIG: &str = "{\n  // mine\n  agents: {defaults: {workspace: \"WORKSPACE\"}},\n}\n";

fn home() -> Home {
    let home = Home::new(CONFIG);
    home.hook("state/hooks", "fine", &json!({"emoji": "🐢", "events": ["command:new"], "homepage": "https://example.org"}));
    let needs = json!({"bins": ["no-such-program"], "anyBins": ["x1", "x2"], "env": ["NO_SUCH_VAR"], "config": ["a.b", "workspace.dir"]});
    home.hook("state/hooks", "needy", &json!({"events": ["command"], "requires": needs, "os": ["plan9"], "hookKey": "needy-key"}));
    home.hook("ws/hooks", "own", &json!({"events": ["gateway:startup"]}));
    home
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

// HOOK-281, HOOK-285, HOOK-286, HOOK-289
fn bundled_names() -> [&'static str; 5] {
    ["boot-md", "bootstrap-extra-files", "command-logger", "compaction-notifier", "session-memory"]
}

#[test]
fn list_info_and_check_say_the_same() {
    let home = home();
    let list = home.json(&["hooks", "list", "--json"]);
    assert_eq!(keys(&list), ["workspaceDir", "managedHooksDir", "hooks"]);
    assert_eq!(list["managedHooksDir"], json!(home.state().join("hooks")));
    let rows = list["hooks"].as_array().unwrap();
    let names: Vec<&str> = rows.iter().map(|row| row["name"].as_str().unwrap()).collect();
    let bundled = bundled_names();
    assert_eq!(names, [&bundled[..], &["fine", "needy", "own"]].concat());
    let row = |name: &str| rows.iter().find(|row| row["name"] == name).unwrap();
    for key in ["name", "description", "emoji", "eligible", "disabled", "enabledByConfig", "requirementsSatisfied", "loadable", "source"] {
        assert!(row("fine").get(key).is_some(), "{key}");
    }
    for key in ["events", "homepage", "missing", "managedByPlugin"] {
        assert!(row("fine").get(key).is_some(), "{key}");
    }
    let missing = json!({"bins": ["no-such-program"], "anyBins": ["x1", "x2"], "env": ["NO_SUCH_VAR"], "config": ["a.b"], "os": ["plan9"]});
    assert_eq!((&row("needy")["missing"], &row("needy")["blockedReason"]), (&missing, &json!("missing requirements")));
    assert_eq!((&row("fine")["eligible"], &row("fine")["source"]), (&json!(true), &json!("openclaw-managed")));
    assert_eq!((&row("own")["disabled"], &row("own")["source"]), (&json!(true), &json!("openclaw-workspace")));
    assert_eq!((&row("boot-md")["eligible"], &row("boot-md")["source"]), (&json!(true), &json!("openclaw-bundled")));
    let eligible = home.json(&["hooks", "list", "--eligible", "--json"]);
    assert_eq!(eligible["hooks"].as_array().unwrap().len(), 6);

    let info = home.json(&["hooks", "info", "needy-key", "--json"]);
    for key in [
        "name",
        "description",
        "source",
        "filePath",
        "baseDir",
        "handlerPath",
        "hookKey",
        "events",
        "always",
        "enabledByConfig",
        "requirementsSatisfied",
        "loadable",
        "blockedReason",
        "managedByPlugin",
        "requirements",
        "missing",
        "configChecks",
        "install",
        "eligible",
        "disabled",
    ] {
        assert!(info.get(key).is_some(), "{key}");
    }
    assert_eq!(info["missing"], missing);
    assert_eq!(info["configChecks"], json!([{"path": "a.b", "satisfied": false}, {"path": "workspace.dir", "satisfied": true}]));
    let check = home.json(&["hooks", "check", "--json"]);
    assert_eq!(keys(&check), ["total", "eligible", "notEligible", "hooks"]);
    assert_eq!(
        (&check["total"], &check["eligible"], &check["hooks"]["eligible"]),
        (&json!(8), &json!(6), &json!([&bundled_names()[..], &["fine"]].concat()))
    );

    let (code, out, err) = home.run(&["hooks"]);
    assert!(code == 0 && out.starts_with("Hooks (6/8 ready)\n") && out.contains("🐢 fine") && !out.contains("MISSING"), "{out}");
    assert!(err.contains("The gateway loads no hooks until one is enabled"), "{err}");
    let (_, out, _) = home.run(&["hooks", "list", "--verbose"]);
    assert!(out.contains("bins: no-such-program; anyBins: x1, x2; env: NO_SUCH_VAR; config: a.b; os: plan9"), "{out}");
    let (_, out, _) = home.run(&["hooks", "info", "needy"]);
    for part in
        ["Missing requirements", "Binaries: ✗ no-such-program", "Config: ✗ a.b, ✓ workspace.dir", "OS: ✗ (plan9)", "Config key: needy-key"]
    {
        assert!(out.contains(part), "{part}: {out}");
    }
    let (_, out, _) = home.run(&["hooks", "check"]);
    assert!(
        out.contains("Total hooks: 8\nReady: 6\nNot ready: 2\n") && out.contains("own - workspace hook (disabled by default)"),
        "{out}"
    );
}

// HOOK-286
#[test]
fn switching_keeps_the_users_file_and_refuses_what_cannot_run() {
    let home = home();
    let (code, out, err) = home.run(&["hooks", "enable", "own"]);
    assert_eq!((code, out.as_str()), (0, "✓ Enabled hook: 🔗 own\n"), "{err}");
    assert!(home.config().contains("// mine"));
    let internal = || home.json(&["config", "get", "hooks.internal", "--json"]);
    assert_eq!(internal(), json!({"entries": {"own": {"enabled": true}}, "enabled": true}));
    let row = home.json(&["hooks", "info", "own", "--json"]);
    assert_eq!((&row["eligible"], &row["disabled"]), (&json!(true), &json!(false)));
    assert_eq!(home.json(&["hooks", "disable", "fine", "--json"])["changed"], true);
    let (code, out, _) = home.run(&["hooks", "disable", "own"]);
    assert_eq!((code, out.as_str()), (0, "⏸ Disabled hook: 🔗 own\n"));
    // Its key in the config is what counts.
    assert_eq!(home.json(&["hooks", "disable", "needy", "--json"])["hookKey"], "needy-key");
    let entries = json!({"own": {"enabled": false}, "fine": {"enabled": false}, "needy-key": {"enabled": false}});
    assert_eq!(internal()["entries"], entries);
    assert_eq!(home.json(&["hooks", "list", "--eligible", "--json"])["hooks"].as_array().unwrap().len(), 5, "the bundled ones");

    let before = home.config();
    for (args, code, said, hint) in [
        (&["hooks", "enable", "nobody"][..], 1, "Hook \"nobody\" not found", "chela hooks list"),
        (&["hooks", "disable", "nobody"], 1, "Hook \"nobody\" not found", "chela hooks list"),
        (&["hooks", "info", "nobody"], 1, "Hook \"nobody\" not found", "chela hooks list"),
        (&["hooks", "enable", "needy"], 1, "Hook \"needy\" is not eligible (missing requirements)", "chela hooks info needy"),
        (&["hooks", "relay"], 2, "`chela hooks relay` is not built yet", "harnesses"),
        (&["hooks", "lst"], 2, "unknown command `chela hooks lst`", "chela hooks list"),
    ] {
        let (got, out, err) = home.run(args);
        assert!(got == code && out.is_empty() && err.contains(said) && err.contains(hint), "{args:?}: {got} {out} {err}");
    }
    let (code, out, _) = home.run(&["hooks", "info", "nobody", "--json"]);
    assert_eq!((code, serde_json::from_str::<Value>(&out).unwrap()), (1, json!({"error": "not found", "hook": "nobody"})));
    assert_eq!(home.config(), before);
}

#[test]
fn the_former_verbs_lead_to_those_of_plugins() {
    let home = home();
    let pack = home.0.path().join("pack");
    write(&pack, "", "inner", &json!({"events": ["command"]}));
    std::fs::write(pack.join("package.json"), json!({"name": "p", "openclaw": {"hooks": ["inner"]}}).to_string()).unwrap();
    let (code, out, err) = home.run(&["hooks", "install", "--link", pack.to_str().unwrap()]);
    assert!(code == 0 && out.contains("hook pack") && err.contains("use `chela plugins install`"), "{out}{err}");
    assert_eq!(home.json(&["hooks", "info", "inner", "--json"])["eligible"], true, "a linked pack is found");
    let (code, _, err) = home.run(&["hooks", "update", "p"]);
    assert!(code == 0 && err.contains("use `chela plugins update`") && err.contains("Skipping \"p\" (source: path)."), "{err}");
    let (code, _, err) = home.run(&["hooks", "update", "nobody"]);
    assert!(code == 1 && err.contains("No install record for \"nobody\"."), "{err}");
}

// What strangers write in a HOOK.md reaches no terminal as a command to it.
#[test]
fn control_characters_of_a_hook_are_not_printed() {
    let home = Home::new(CONFIG);
    let dir = home.state().join("hooks/evil");
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("HOOK.md"), "---\nname: evil\ndescription: \"a\\e[2Jb\"\n---\n").unwrap();
    std::fs::write(dir.join("handler.js"), "").unwrap();
    for args in [&["hooks", "list"][..], &["hooks", "info", "evil"]] {
        let (code, out, _) = home.run(args);
        assert!(code == 0 && out.contains("a [2Jb") && !out.contains('\u{1b}'), "{out:?}");
    }
}
