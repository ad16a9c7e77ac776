//! One scripted day: a chat, a tool, an approval, a blocked run, a reset, an idle and a daily expiry, a compaction, a plugin that is installed while the
//! gateway runs, a shutdown, a restart. A recorder that listens to everything runs through it on either program; what differs has to be
//! in `day.json`, with the reason why ours is right, or that it is open.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use chela_models::testing::MockServer;
use serde_json::{Value, json};

use super::support::gateway::TOKEN;
use super::support::hooks::{Heard, Log, config};
use super::support::ws::Client;
use super::support::{PATIENCE, node};
use super::{Story, is_allowed, order, terminate, unlike};

/// Long enough for the steps between two messages on a busy machine.
const IDLE: Duration = Duration::from_secs(120);

/// A program as a gateway, with a home that outlives its processes.
struct Machine {
    program: Vec<PathBuf>,
    node: PathBuf,
    home: tempfile::TempDir,
    port: u16,
    process: Option<Child>,
}

impl Machine {
    fn new(program: Vec<PathBuf>, node: &Path, config: impl FnOnce(&Path) -> Value) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(home.path().join("state")).unwrap();
        let mut whole = config(home.path());
        whole["gateway"] = json!({"mode": "local", "port": port, "bind": "loopback", "auth": {"mode": "token", "token": TOKEN}});
        // The daily hour is half a day away; a session is made older for it.
        let hour = (jiff::Zoned::now().hour() + 12) % 24;
        whole["session"] = json!({"reset": {"mode": "daily", "atHour": hour, "idleMinutes": IDLE.as_secs() / 60}});
        // A turn that nobody wrote for would come at any time of the day.
        whole["agents"]["defaults"]["heartbeat"] = json!({"every": "0m"});
        std::fs::write(home.path().join("state/openclaw.json"), whole.to_string()).unwrap();
        Self { program, node: node.to_owned(), home, port, process: None }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program[0]);
        command.args(&self.program[1..]).args(args).env_clear().current_dir(self.home.path()).stdin(Stdio::null());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", self.home.path()).env("TMPDIR", self.home.path());
        command.env("OPENCLAW_STATE_DIR", self.home.path().join("state")).env("OPENCLAW_DISABLE_BONJOUR", "1");
        command.env("CHELA_NODE", &self.node);
        command
    }

    async fn start(&mut self) {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.home.path().join("log")).unwrap();
        let mut child = self.command(&["gateway", "run"]).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        let begun = Instant::now();
        while tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
            let ended = child.try_wait().unwrap();
            assert!(ended.is_none() && begun.elapsed() < PATIENCE, "no gateway ({ended:?}): {}", self.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.process = Some(child);
    }

    async fn stop(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        terminate(&process);
        let begun = Instant::now();
        while process.try_wait().unwrap().is_none() {
            if begun.elapsed() > PATIENCE {
                let _ = process.kill();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.home.path().join("log")).unwrap_or_default()
    }

    /// A connection; a gateway that starts anew by itself is waited for.
    async fn client(&self) -> Client {
        let begun = Instant::now();
        while tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
            assert!(begun.elapsed() < PATIENCE, "no gateway: {}", self.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Client::connect(self.port, TOKEN).await
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

const KEY: &str = "agent:main:day";

/// The day on one of the programs.
async fn play(machine: &mut Machine, log: &mut Log) -> Story {
    let mut story: Story = Vec::new();
    let turn: &[&str] = &["agent_end", "llm_output"];
    let say = |text: &str, run: &str| json!({"sessionKey": KEY, "message": text, "idempotencyKey": run});
    machine.start().await;
    story.push(("start", log.settle(&["gateway_start", "gateway:startup"]).await));
    let mut client = machine.client().await;
    for (name, text, last) in [
        ("chat", "a plain question", turn),
        ("tool", r#"[[tool:fixture_echo {"text":"one"}]]"#, &["agent_end", "llm_output", "after_tool_call"]),
        ("blocked run", "please blockrun now", &["agent_end"]),
    ] {
        client.call("chat.send", say(text, name)).await;
        story.push((name, log.settle(last).await));
    }
    client.call("chat.send", say(r#"[[tool:fixture_echo {"text":"askme"}]]"#, "approval")).await;
    approve(&mut client).await;
    story.push(("approval", log.settle(&["agent_end", "llm_output", "after_tool_call"]).await));
    client.ask("sessions.compact", json!({"key": KEY})).await;
    story.push(("compaction", log.settle(&["after_compaction"]).await));
    client.call("sessions.reset", json!({"key": KEY, "reason": "reset"})).await;
    story.push(("reset", log.settle(&["session_end", "session_start"]).await));
    client.call("chat.send", say("after the reset", "after-reset")).await;
    story.push(("after the reset", log.settle(turn).await));
    tokio::time::sleep(IDLE + Duration::from_secs(2)).await;
    // A client that read nothing for so long was hung up on.
    let mut client = machine.client().await;
    client.call("chat.send", say("after a pause", "expiry")).await;
    story.push(("expiry", log.settle(&["agent_end", "llm_output", "session_end"]).await));
    client.call("day.age", json!({"key": KEY})).await;
    client.call("chat.send", say("the next day", "daily")).await;
    story.push(("daily expiry", log.settle(&["agent_end", "llm_output", "session_end"]).await));
    let plugin = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/plugins/hello-tool").canonicalize().unwrap();
    let out = machine.command(&["plugins", "install", &plugin.to_string_lossy()]).output().unwrap();
    assert!(out.status.success(), "{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    story.push(("install and reload", log.settle(&["gateway_start", "gateway:startup"]).await));
    let mut client = machine.client().await;
    client.call("chat.send", say("after the install", "after-install")).await;
    story.push(("after the install", log.settle(turn).await));
    machine.stop().await;
    story.push(("shutdown", log.settle(&["gateway_stop", "gateway:shutdown"]).await));
    machine.start().await;
    story.push(("restart", log.settle(&["gateway_start", "gateway:startup"]).await));
    let mut client = machine.client().await;
    client.call("chat.send", say("after the restart", "after-restart")).await;
    story.push(("after the restart", log.settle(turn).await));
    machine.stop().await;
    story.push(("end", log.settle(&["gateway_stop", "gateway:shutdown"]).await));
    story
}

/// Allows what is asked for, as soon as it is asked.
async fn approve(client: &mut Client) {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(15) {
        let list = client.ask("plugin.approval.list", json!({})).await;
        let rows = list["payload"].as_array().or_else(|| list["payload"]["approvals"].as_array()).cloned().unwrap_or_default();
        if let Some(id) = rows.first().and_then(|row| row["id"].as_str()) {
            client.ask("plugin.approval.resolve", json!({"id": id, "decision": "allow-once"})).await;
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// What may differ, by step and hook (`*` is any): `more`, `less`, `order`, and `member` with the beginning of a path.
struct Explained(Vec<Value>);

impl Explained {
    fn read() -> Self {
        let list: Vec<Value> = serde_json::from_str(
            &std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference_hooks/day.json")).unwrap(),
        )
        .unwrap();
        for row in &list {
            assert!(row["why"].as_str().is_some_and(|why| why.len() > 10), "a difference needs its reason: {row}");
        }
        Self(list)
    }

    fn has(&self, what: &str, step: &str, hook: &str) -> bool {
        let is = |row: &Value, key: &str, text: &str| row[key] == text || row[key] == "*";
        self.0.iter().any(|row| row["what"] == what && is(row, "step", step) && is(row, "hook", hook))
    }

    fn has_member(&self, step: &str, hook: &str, path: &str) -> bool {
        let starts = |row: &Value| {
            let start = row["path"].as_str().unwrap_or_default();
            path.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        let is = |row: &Value, key: &str, text: &str| row[key] == text || row[key] == "*";
        self.0.iter().any(|row| row["what"] == "member" && is(row, "step", step) && is(row, "hook", hook) && starts(row))
    }
}

/// Every difference that nobody has explained, one a line.
fn differences(theirs: &Story, ours: &Story, explained: &Explained) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    assert_eq!(theirs.len(), ours.len());
    for ((step, theirs), (_, ours)) in theirs.iter().zip(ours) {
        let count = |heard: &[Heard]| {
            let mut counts: BTreeMap<String, usize> = BTreeMap::new();
            heard.iter().for_each(|h| *counts.entry(h.hook.clone()).or_default() += 1);
            counts
        };
        let (there, here) = (count(theirs), count(ours));
        let names: BTreeSet<&String> = there.keys().chain(here.keys()).collect();
        let mut uneven = BTreeSet::new();
        for name in names {
            let (a, b) = (there.get(name).copied().unwrap_or(0), here.get(name).copied().unwrap_or(0));
            let what = if b > a { "more" } else { "less" };
            if a != b {
                uneven.insert(name.clone());
                if !explained.has(what, step, name) {
                    found.insert(format!("{what} | {step} | {name} | {a} there, {b} here"));
                }
            }
        }
        let even = |heard: &[Heard]| heard.iter().filter(|h| !uneven.contains(&h.hook)).cloned().collect::<Vec<_>>();
        let (theirs, ours) = (even(theirs), even(ours));
        let (expected, got) = (order(step, &theirs), order(step, &ours));
        if expected != got && !explained.has("order", step, "*") {
            found.insert(format!("order | {step} | * | {expected:?} there, {got:?} here"));
        }
        for (theirs, ours) in pairs(&theirs, &ours) {
            let mut members = BTreeSet::new();
            unlike(theirs, ours, &mut members);
            found.extend(
                members
                    .into_iter()
                    .filter(|text| !of_member(text).is_some_and(|(hook, path)| explained.has_member(step, hook, path)))
                    .map(|text| format!("member | {step} | {text}")),
            );
        }
    }
    found
}

/// Events of the same name, in their order.
fn pairs<'a>(theirs: &'a [Heard], ours: &'a [Heard]) -> Vec<(&'a Heard, &'a Heard)> {
    let names: BTreeSet<&str> = theirs.iter().map(|h| h.hook.as_str()).collect();
    let each = |heard: &'a [Heard], name: &str| heard.iter().filter(|h| h.hook == name).collect::<Vec<_>>();
    names.into_iter().flat_map(|name| each(theirs, name).into_iter().zip(each(ours, name)).collect::<Vec<_>>()).collect()
}

/// Hook and path of a line about a member: `HOOK: PATH is ...`; what is frozen has no path.
fn of_member(text: &str) -> Option<(&str, &str)> {
    let (hook, rest) = text.split_once(": ")?;
    let path = rest.split(' ').next()?;
    (!is_allowed(hook, path)).then_some((hook, path))
}

// HOOK-130, HOOK-136, HOOK-142, HOOK-220, HOOK-237, HOOK-295
#[tokio::test(flavor = "multi_thread")]
async fn a_day_is_what_it_is_in_the_reference() {
    let explained = Explained::read();
    let Some(program) = std::env::var_os("CHELA_REFERENCE_DIR").map(|dir| PathBuf::from(dir).join("openclaw.mjs")) else {
        eprintln!("skipped: `CHELA_REFERENCE_DIR` does not name an installed reference");
        return;
    };
    let node = node().await.unwrap();
    let model = MockServer::start().await;
    let mut both = Vec::new();
    for program in [vec![PathBuf::from(env!("CARGO_BIN_EXE_chela"))], vec![node.clone(), program]] {
        let outside = tempfile::tempdir().unwrap();
        let heard = outside.path().join("heard.jsonl");
        let mut machine = Machine::new(program, &node, |home| {
            let mut config = config(&model.openai_url(), &home.join("workspace"), &heard);
            let guard = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/plugins/day-guard").canonicalize().unwrap();
            config["plugins"]["load"]["paths"].as_array_mut().unwrap().push(guard.to_string_lossy().into_owned().into());
            config["plugins"]["allow"].as_array_mut().unwrap().push("day-guard".into());
            config["plugins"]["entries"]["day-guard"] = json!({"enabled": true, "hooks": {"allowConversationAccess": true}});
            config
        });
        both.push(play(&mut machine, &mut Log::new(heard)).await);
    }
    let found = differences(&both[1], &both[0], &explained);
    assert!(
        found.is_empty(),
        "{} differences that nobody has explained:\n{}",
        found.len(),
        found.into_iter().collect::<Vec<_>>().join("\n")
    );
}
