//! `chela plugins new` and `chela plugins dev`, and what other tools say of what `new` makes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "a test fails by panicking")]

#[path = "support/home.rs"]
mod home;
mod support;

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use home::Home;
use serde_json::{Value, json};
use support::npm;

const KINDS: [&str; 4] = ["tool", "hook", "channel", "provider"];

/// Every template in both languages, made by the program; their directories.
fn templates(home: &Home) -> Vec<PathBuf> {
    let mut dirs = Vec::new();
    for kind in KINDS {
        for language in ["--typescript", "--javascript"] {
            let name = format!("my-{kind}-{}", &language[2..4]);
            let made = home.json(&["plugins", "new", &name, "--kind", kind, language, "--json"]);
            assert_eq!((&made["id"], &made["kind"]), (&json!(name), &json!(kind)));
            dirs.push(PathBuf::from(made["dir"].as_str().unwrap()));
        }
    }
    dirs
}

#[tokio::test]
async fn what_new_makes_passes_the_trial_and_the_inspection() {
    let home = Home::new();
    let node = support::node().await.unwrap();
    let vars = [("CHELA_NODE", node.to_str().unwrap())];
    for dir in templates(&home) {
        let dir = dir.to_str().unwrap();
        let out = home.run_with(&vars, &["plugins", "test", dir, "--json"]);
        let report: Value = serde_json::from_str(&out.stdout).unwrap_or_else(|error| panic!("{dir}: {error}\n{}", out.stderr));
        assert_eq!((out.code, &report["failures"], &report["warnings"]), (0, &json!([]), &json!([])), "{dir}: {report}");
        assert_eq!(report["compatibility"].as_array().unwrap().iter().filter(|notice| notice["severity"] == "warn").count(), 0);
    }
    let text = home.run(&["plugins", "new", "again"]);
    assert!(text.code == 0 && text.stdout.contains("chela plugins test again"), "{}", text.stdout);
    let twice = home.run(&["plugins", "new", "again"]);
    assert!(twice.code == 1 && twice.stderr.contains("is not empty"), "{}", twice.stderr);
    let bad = home.run(&["plugins", "new", "No Good"]);
    assert!(bad.code == 1 && bad.stderr.contains("lower-case letters"), "{}", bad.stderr);
}

/// Installs an npm package for a test; `None` with a notice where there is no npm or no registry.
fn npm(home: &Home, packages: &[&str]) -> Option<PathBuf> {
    let dir = PathBuf::from(home.path("npm"));
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("package.json"), "{}").unwrap();
    let npm =
        Command::new("npm").args(["install", "--no-audit", "--no-fund", "--ignore-scripts"]).args(packages).current_dir(&dir).output();
    match npm {
        Ok(out) if out.status.success() => Some(dir.join("node_modules")),
        Ok(out) => {
            support::without_network(&String::from_utf8_lossy(&out.stderr));
            None
        }
        Err(error) => {
            support::without_network(&format!("npm cannot be run: {error}"));
            None
        }
    }
}

#[tokio::test]
async fn editors_find_types_for_what_new_makes() {
    let home = Home::new();
    let Some(modules) = npm(&home, &["typescript"]) else { return };
    let node = support::node().await.unwrap();
    let tsc = modules.join("typescript/bin/tsc");
    for dir in templates(&home) {
        let project = if dir.join("tsconfig.json").exists() { "tsconfig.json" } else { "jsconfig.json" };
        let check = |what: &str| {
            let out = Command::new(&node).arg(&tsc).args(["--noEmit", "-p", project]).current_dir(&dir).output().unwrap();
            (out.status.success(), format!("{what} {}: {}", dir.display(), String::from_utf8_lossy(&out.stdout)))
        };
        let (ok, said) = check("as made");
        assert!(ok, "{said}");
        // Types that say yes to everything would pass as well.
        let entry = if project == "tsconfig.json" { "index.ts" } else { "index.js" };
        let text = std::fs::read_to_string(dir.join(entry)).unwrap();
        let wrong = format!("{text}\nimport {{ noSuchExport }} from \"openclaw/plugin-sdk/plugin-entry\";\nnoSuchExport();\n");
        std::fs::write(dir.join(entry), wrong).unwrap();
        let (ok, said) = check("with a wrong import");
        assert!(!ok && said.contains("noSuchExport"), "{said}");
    }
}

#[tokio::test]
async fn the_references_own_inspector_finds_no_breakage() {
    let home = Home::new();
    let Some(modules) = npm(&home, &["@openclaw/plugin-inspector"]) else { return };
    let node = support::node().await.unwrap();
    let package = modules.join("@openclaw/plugin-inspector");
    let manifest: Value = serde_json::from_str(&std::fs::read_to_string(package.join("package.json")).unwrap()).unwrap();
    let program = manifest["bin"].as_str().or_else(|| manifest["bin"].as_object()?.values().next()?.as_str()).unwrap();
    let mut dirs = templates(&home);
    dirs.extend(fixtures(&home));
    for dir in dirs {
        let out = Command::new(&node).arg(package.join(program)).args(["inspect", "--no-openclaw"]).current_dir(&dir).output().unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        assert!(out.status.success() && said.contains("Breakages: 0"), "{}: {said}", dir.display());
    }
}

/// Copies of the sound fixtures, since the inspector writes its reports into the plugin's directory.
fn fixtures(home: &Home) -> Vec<PathBuf> {
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/plugins");
    let names = std::fs::read_dir(&all).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let sound = names.filter(|name| !name.starts_with("fault-"));
    sound.map(|name| copy(&all.join(&name), &PathBuf::from(home.path("fixtures")).join(name))).collect()
}

fn copy(from: &Path, to: &Path) -> PathBuf {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => _ = copy(&entry.path(), &target),
            false => _ = std::fs::copy(entry.path(), target).unwrap(),
        }
    }
    to.to_owned()
}

/// The fixture of the reference's authors that touches the whole plugin API. Its release is for a later host: a copy asks for this one.
#[tokio::test]
async fn the_references_own_fixture_passes_as_a_sound_and_as_a_hostile_plugin() {
    const LATER: &str = "2026.7.1-2";
    let home = Home::new();
    let published = tokio::task::spawn_blocking(|| npm::package("@openclaw/kitchen-sink", "0.2.14", false)).await.unwrap();
    let published = match published {
        Ok(published) => published,
        Err(why) => return support::without_network(&why),
    };
    let node = support::node().await.unwrap();
    let dir = copy(&published, &PathBuf::from(home.path("kitchen-sink")));
    let package = dir.join("package.json");
    let lowered = std::fs::read_to_string(&package).unwrap().replace(LATER, "2026.6.11");
    std::fs::write(&package, lowered).unwrap();
    let tried = |personality: &str| -> Value {
        let script = home.path("script.json5");
        let text = format!("{{config: {{personality: '{personality}'}}, gatewayConfig: {{plugins: {{compat: {{strict: true}}}}}}}}");
        std::fs::write(&script, text).unwrap();
        let vars = [("CHELA_NODE", node.to_str().unwrap())];
        let out = home.run_with(&vars, &["plugins", "test", dir.to_str().unwrap(), "--script", &script, "--json"]);
        serde_json::from_str(&out.stdout).unwrap_or_else(|error| panic!("{personality}: {error}\n{}", out.stderr))
    };
    let sound = tried("conformance");
    assert_eq!((&sound["ok"], &sound["failures"]), (&json!(true), &json!([])), "{sound}");
    let calls = sound["calls"].as_array().unwrap();
    assert!(calls.len() > 40 && calls.iter().all(|call| call["outcome"] == "returned"), "{sound}");
    let own = &sound["registered"];
    for (kind, name) in [
        ("tools", "kitchen_sink_search"),
        ("channels", "kitchen-sink-channel"),
        ("providers", "kitchen-sink-llm"),
        ("services", "kitchen-sink-service"),
        ("gatewayMethods", "kitchen.status"),
    ] {
        assert!(own[kind].as_array().unwrap().iter().any(|one| one == name), "{kind} {name}: {own}");
    }

    let hostile = tried("adversarial");
    assert_eq!(hostile["load"]["ok"], true, "{hostile}");
    let personality = dir.join("src/personality.js");
    let ask =
        format!("import({:?}).then((m) => console.log(JSON.stringify(m.KITCHEN_SINK_EXPECTED_DIAGNOSTICS.adversarial)))", personality);
    let out = Command::new(&node).args(["-e", &ask]).output().unwrap();
    let expected: Vec<String> = serde_json::from_slice(&out.stdout).unwrap();
    assert!(expected.len() > 10);
    let told: Vec<&str> = hostile["diagnostics"].as_array().unwrap().iter().filter_map(|row| row["message"].as_str()).collect();
    for text in &expected {
        assert!(told.iter().any(|one| one.contains(text.as_str())), "`{text}` is not among {told:#?}");
    }
    let bad = hostile["calls"].as_array().unwrap().iter().filter(|call| call["outcome"] != "returned").count();
    assert_eq!(bad, 0, "{hostile}");
}

/// The program as a developer runs it.
struct Dev {
    process: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Dev {
    fn start(home: &Home, node: &Path, dir: &Path) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_chela"))
            .args(["plugins", "dev"])
            .arg(dir)
            .env_clear()
            .env("HOME", home.path("."))
            .env("TMPDIR", home.path("tmp"))
            .env("OPENCLAW_STATE_DIR", home.state())
            .env("CHELA_NODE", node)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let (input, output) = (process.stdin.take(), process.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || BufReader::new(output).lines().map_while(Result::ok).all(|line| sender.send(line).is_ok()));
        Self { process, input, lines, seen: Vec::new() }
    }

    /// Waits for a line that holds a text, and gives it.
    fn until(&mut self, text: &str) -> String {
        let begun = Instant::now();
        loop {
            match self.lines.recv_timeout(support::PATIENCE.saturating_sub(begun.elapsed())) {
                Ok(line) => {
                    self.seen.push(line.clone());
                    if line.contains(text) {
                        return line;
                    }
                }
                Err(_) => panic!("no line with `{text}`:\n{}", self.seen.join("\n")),
            }
        }
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn dev_swaps_the_plugin_after_each_change_and_ends_cleanly() {
    let home = Home::new();
    let node = support::node().await.unwrap();
    home.ok(&["plugins", "new", "live", "--typescript"]);
    let dir = PathBuf::from(home.path("live"));
    let mut dev = Dev::start(&home, &node, &dir);
    let started = dev.until("started  `live`");
    assert!(started.contains("tools: live_greet"), "{started}");
    dev.until("ready    http://127.0.0.1:");

    writeln!(dev.input.as_mut().unwrap(), "/tool live_greet {{\"name\": \"Ann\"}}").unwrap();
    dev.until("tool     {\"name\":\"Ann\"} -> ");

    let entry = dir.join("index.ts");
    let text = std::fs::read_to_string(&entry).unwrap();
    std::fs::write(&entry, text.replace("live_greet", "live_hail")).unwrap();
    dev.until("changed  index.ts");
    let swapped = dev.until("swapped  `live` in ");
    assert!(swapped.contains("tools: live_hail"), "{swapped}");

    std::fs::write(&entry, "export default {").unwrap();
    let failed = dev.until("failed   ");
    assert!(failed.contains("index.ts:1:"), "{failed}");
    std::fs::write(&entry, &text).unwrap();
    dev.until("tools: live_greet");

    rustix::process::kill_process(rustix::process::Pid::from_child(&dev.process), rustix::process::Signal::INT).unwrap();
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = dev.process.try_wait().unwrap() {
            break status;
        }
        assert!(begun.elapsed() < support::PATIENCE, "it does not end");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert!(status.success(), "{status}");
    let left: Vec<_> = std::fs::read_dir(home.path("tmp")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.is_empty(), "{left:?}");
}
