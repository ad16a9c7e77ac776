//! The hooks that a plugin hears, in this program and in the reference implementation: the same plugin, the same turns, the same
//! model. `CHELA_REFERENCE_DIR` names an installed npm package `openclaw`; without it nothing is compared.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "helpers of a test fail the test")]

mod support;

#[path = "reference_hooks/day.rs"]
mod day;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use chela_models::testing::MockServer;
use serde_json::{Value, json};
use support::gateway::{Gateway, TOKEN};
use support::hooks::{Heard, Log, config, play};
use support::ws::Client;
use support::{PATIENCE, node};

type Story = Vec<(&'static str, Vec<Heard>)>;

/// The reference as a gateway.
struct Reference {
    port: u16,
    home: tempfile::TempDir,
    process: Child,
}

impl Reference {
    async fn start(node: &Path, program: &Path, config: Value, home: tempfile::TempDir) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let state = home.path().join("state");
        std::fs::create_dir_all(&state).unwrap();
        let mut whole = config;
        whole["gateway"] = json!({"mode": "local", "port": port, "bind": "loopback", "auth": {"mode": "token", "token": TOKEN}});
        std::fs::write(state.join("openclaw.json"), whole.to_string()).unwrap();
        let log = std::fs::File::create(home.path().join("log")).unwrap();
        let process = Command::new(node)
            .arg(program)
            .args(["gateway", "run"])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", home.path())
            .env("TMPDIR", home.path())
            .env("OPENCLAW_STATE_DIR", &state)
            .env("OPENCLAW_DISABLE_BONJOUR", "1")
            .current_dir(home.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut reference = Self { port, home, process };
        reference.until_it_answers().await;
        reference
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.home.path().join("log")).unwrap_or_default()
    }

    async fn until_it_answers(&mut self) {
        let begun = Instant::now();
        while tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
            let ended = self.process.try_wait().unwrap();
            assert!(ended.is_none() && begun.elapsed() < PATIENCE, "no reference ({ended:?}):\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

fn terminate(process: &Child) {
    let _ = rustix::process::kill_process(rustix::process::Pid::from_child(process), rustix::process::Signal::TERM);
}

impl Drop for Reference {
    fn drop(&mut self) {
        terminate(&self.process);
        let begun = Instant::now();
        while matches!(self.process.try_wait(), Ok(None)) && begun.elapsed() < Duration::from_secs(30) {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn theirs(node: &Path, program: &Path) -> Story {
    let home = tempfile::tempdir().unwrap();
    let (model, file) = (MockServer::start().await, home.path().join("heard.jsonl"));
    let reference = Reference::start(node, program, config(&model.openai_url(), &home.path().join("workspace"), &file), home).await;
    let mut client = Client::connect(reference.port, TOKEN).await;
    let mut log = Log::new(file);
    let mut story = play(&mut client, &mut log).await;
    terminate(&reference.process);
    story.push(("stop", log.take("stop", &["gateway_stop", "gateway:shutdown"]).await));
    story
}

async fn ours(node: &Path) -> Story {
    let place = tempfile::tempdir().unwrap();
    let (model, file) = (MockServer::start().await, place.path().join("heard.jsonl"));
    let gateway = Gateway::start(node, config(&model.openai_url(), &place.path().join("workspace"), &file)).await;
    let mut client = gateway.client().await;
    let mut log = Log::new(file);
    let mut story = play(&mut client, &mut log).await;
    drop(gateway);
    story.push(("stop", log.take("stop", &["gateway_stop", "gateway:shutdown"]).await));
    story
}

/// Events that this program sends and the reference does not.
const MORE_EVENTS: &[(&str, &str, &str)] = &[
    ("*", "before_agent_finalize", "documented; the reference's own loop never asks (HOOK-298)"),
    ("agent", "session_start", "sessions of every entry point are tracked (HOOK-133, HOOK-237, HOOK-310)"),
    ("stop", "session_end", "and therefore end (HOOK-237)"),
];

/// Members that may differ: hook, beginning of the path, why. Everything else has to be the same.
const ALLOWED: &[(&str, &str, &str)] = &[
    // More than the reference gives.
    ("session_start", "event.eventId", "a stable id (HOOK-235)"),
    ("session_end", "event.eventId", "a stable id (HOOK-235)"),
    ("session_end", "event.durationMs", "declared, documented, and never set by the reference (HOOK-226, HOOK-302)"),
    ("message_received", "event.runId", "declared and left out by the reference for webchat"),
    ("message_received", "event.timestamp", "declared and left out by the reference for webchat"),
    ("message_received", "ctx.runId", "declared and left out by the reference for webchat"),
    ("message_received", "ctx.conversationId", "declared and left out by the reference for webchat"),
    ("message:received", "event.context.timestamp", "documented and left out by the reference for webchat (HOOK-273)"),
    ("message:received", "event.context.conversationId", "documented and left out by the reference for webchat (HOOK-273)"),
    ("message:preprocessed", "event.context.timestamp", "part of the event by the contract, left out by the reference for webchat"),
    ("message:preprocessed", "event.context.conversationId", "part of the event by the contract, left out by the reference for webchat"),
    ("before_dispatch", "event.timestamp", "declared and left out by the reference for webchat"),
    ("before_dispatch", "ctx.conversationId", "declared and left out by the reference for webchat"),
    ("before_agent_reply", "ctx.runId", "declared; the run exists already"),
    ("before_agent_run", "event.senderId", "declared; the caller of `agent` is known"),
    ("llm_output", "event.prompt", "declared and left out by the reference (HOOK-059)"),
    // Declared since 2026.6.
    ("*", "ctx.channel", "part of the newer release"),
    ("*", "ctx.chatId", "part of the newer release"),
    ("*", "ctx.senderId", "part of the newer release"),
    ("*", "ctx.channelContext", "part of the newer release"),
    ("*", "ctx.contextTokenBudget", "part of the newer release"),
    ("*", "ctx.contextWindowSource", "part of the newer release"),
    ("*", "event.contextTokenBudget", "part of the newer release"),
    ("*", "event.contextWindowSource", "part of the newer release"),
    ("llm_input", "event.tools", "part of the newer release"),
    ("llm_output", "event.reasoningEffort", "part of the newer release"),
    ("llm_output", "event.fastMode", "part of the newer release"),
    // The reference reports a refused model call as a success; HOOK-057 and HOOK-159 say otherwise.
    ("agent_end", "event.error", "a failed call is a failed run (HOOK-159)"),
    ("model_call_ended", "event.errorCategory", "a failed call is an error (HOOK-057)"),
    ("model_call_ended", "event.timeToFirstByteMs", "a refused call has no first byte"),
    // Left over from the reference's streaming parser; no documentation names it.
    ("*", "event.messages[].content[].partialArgs", "no part of a message"),
    ("*", "event.historyMessages[].content[].partialArgs", "no part of a message"),
    ("*", "event.message.content[].partialArgs", "no part of a message"),
    // Open: the transports do not tell these.
    ("*", "event.messages[].responseId", "the transports do not report the id of an answer"),
    ("*", "event.historyMessages[].responseId", "the transports do not report the id of an answer"),
    ("*", "event.message.responseId", "the transports do not report the id of an answer"),
    ("llm_output", "event.lastAssistant.responseId", "the transports do not report the id of an answer"),
    ("model_call_ended", "event.requestPayloadBytes", "the transports do not count bytes"),
    ("model_call_ended", "event.responseStreamBytes", "the transports do not count bytes"),
    // Open: parts that are not built.
    ("gateway:startup", "event.context.deps", "cron is not built"),
    ("command:reset", "event.context.sessionEntry.skillsSnapshot", "skills are not built"),
    ("command:reset", "event.context.previousSessionEntry.skillsSnapshot", "skills are not built"),
    ("command:reset", "event.context.sessionEntry.systemPromptReport", "the prompt report is not built"),
    ("command:reset", "event.context.previousSessionEntry.systemPromptReport", "the prompt report is not built"),
    ("command:reset", "event.context.sessionEntry.estimatedCostUsd", "costs are not reckoned"),
    ("command:reset", "event.context.previousSessionEntry.estimatedCostUsd", "costs are not reckoned"),
    ("command:reset", "event.context.sessionEntry.compactionCount", "compaction is not built"),
    ("command:reset", "event.context.previousSessionEntry.compactionCount", "compaction is not built"),
];

fn is_allowed(hook: &str, path: &str) -> bool {
    ALLOWED.iter().any(|(name, start, _)| {
        (*name == "*" || *name == hook) && path.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    })
}

/// Names in their order; those whose place is free stand at the end (HOOK-132, HOOK-293).
fn order(step: &str, heard: &[Heard]) -> Vec<String> {
    let name = |h: &Heard| h.role().map_or_else(|| h.hook.clone(), |role| format!("{} ({role})", h.hook));
    let free = |h: &&Heard| h.hook == "after_tool_call" || ["start", "restart"].contains(&step);
    let mut last: Vec<String> = heard.iter().filter(free).map(name).collect();
    last.sort();
    heard.iter().filter(|h| !free(h)).map(name).chain(last).collect()
}

/// The same, without what only this program sends.
fn without_more(step: &str, heard: &[Heard]) -> Vec<Heard> {
    heard.iter().filter(|h| !MORE_EVENTS.iter().any(|(at, hook, _)| (*at == "*" || *at == step) && *hook == h.hook)).cloned().collect()
}

fn compare(theirs: &Story, ours: &Story) -> Vec<String> {
    let mut found = std::collections::BTreeSet::new();
    assert_eq!(theirs.len(), ours.len());
    for ((step, theirs), (_, ours)) in theirs.iter().zip(ours) {
        let ours = without_more(step, ours);
        let (expected, got) = (order(step, theirs), order(step, &ours));
        if expected != got {
            found.insert(format!("{step}: the order is\n  {expected:?}\nthere and\n  {got:?}\nhere"));
        }
        for hook in theirs.iter().map(|h| h.hook.as_str()).collect::<std::collections::BTreeSet<_>>() {
            let each = |heard: &[Heard]| heard.iter().filter(|h| h.hook == hook).cloned().collect::<Vec<_>>();
            for (theirs, ours) in each(theirs).iter().zip(each(&ours)) {
                unlike(theirs, &ours, &mut found);
            }
        }
    }
    found.into_iter().collect()
}

/// Members that one event has and the other has not, or with another type; and what is frozen.
fn unlike(theirs: &Heard, ours: &Heard, found: &mut std::collections::BTreeSet<String>) {
    let (expected, got) = (theirs.types(), ours.types());
    for path in expected.keys().chain(got.keys()).filter(|path| !is_allowed(&theirs.hook, path)) {
        let (there, here) = (expected.get(path), got.get(path));
        if there != here {
            found.insert(format!("{}: {path} is {there:?} there and {here:?} here", theirs.hook));
        }
    }
    if theirs.line["frozen"] != ours.line["frozen"] {
        found.insert(format!("{}: frozen is {} there and {} here", theirs.hook, theirs.line["frozen"], ours.line["frozen"]));
    }
}

// HOOK-001..004, HOOK-006, HOOK-007, HOOK-010, HOOK-112, HOOK-130..135, HOOK-272, HOOK-273, HOOK-279, HOOK-296, HOOK-309
#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_hears_what_it_hears_in_the_reference() {
    let Some(program) = std::env::var_os("CHELA_REFERENCE_DIR").map(|dir| PathBuf::from(dir).join("openclaw.mjs")) else {
        eprintln!("skipped: `CHELA_REFERENCE_DIR` does not name an installed reference");
        return;
    };
    assert!(program.is_file(), "`CHELA_REFERENCE_DIR`: there is no {}", program.display());
    let node = node().await.unwrap();
    let ours = ours(&node).await;
    let theirs = theirs(&node, &program).await;
    let differences = compare(&theirs, &ours);
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
    for (step, hook, why) in MORE_EVENTS {
        let sent = ours.iter().any(|(name, heard)| (*step == "*" || name == step) && heard.iter().any(|h| h.hook == *hook));
        assert!(sent, "{hook} did not come in `{step}`, although {why}");
    }
}
