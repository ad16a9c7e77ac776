//! The same scripted turns through any gateway that speaks the protocol, and what a plugin heard of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::PATIENCE;
use super::ws::Client;

/// Nothing more is expected of a step when the log has been still for this long: notices are not awaited by either host, so there is
/// no condition to wait for.
const QUIET: Duration = Duration::from_millis(1200);

/// Longest wait for the end of a step that may have another one.
const LONGEST_STEP: Duration = Duration::from_secs(25);

/// One thing that a plugin heard.
#[derive(Clone, Debug)]
pub struct Heard {
    pub hook: String,
    pub line: Value,
}

impl Heard {
    /// Path of each member, and its JavaScript types.
    pub fn types(&self) -> BTreeMap<String, String> {
        let types = self.line["types"].as_object().into_iter().flatten();
        let join = |names: &Value| {
            let mut names: Vec<&str> = names.as_array().unwrap().iter().filter_map(Value::as_str).collect();
            names.sort_unstable();
            names.join("|")
        };
        types.map(|(path, names)| (path.clone(), join(names))).collect()
    }

    /// The role of the message that is written, which tells events of this hook apart.
    pub fn role(&self) -> Option<&str> {
        self.line["event"]["message"]["role"].as_str()
    }
}

/// The file that the recorder writes.
pub struct Log {
    path: PathBuf,
    read: usize,
}

impl Log {
    pub fn new(path: PathBuf) -> Self {
        Self { path, read: 0 }
    }

    fn lines(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.path).unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
    }

    /// As [`Log::take`], for a story whose end is not known beforehand: what does not come within a while does not come.
    pub async fn settle(&mut self, last: &[&str]) -> Vec<Heard> {
        let (begun, mut count, mut changed) = (Instant::now(), 0, Instant::now());
        loop {
            let lines = self.lines();
            if lines.len() != count {
                (count, changed) = (lines.len(), Instant::now());
            }
            let heard = &lines[self.read..];
            let all = last.iter().all(|hook| heard.iter().any(|line| line["hook"] == **hook));
            if (all || begun.elapsed() > LONGEST_STEP) && changed.elapsed() > QUIET {
                let heard = heard.iter().map(|line| Heard { hook: line["hook"].as_str().unwrap().into(), line: line.clone() }).collect();
                self.read = count;
                return heard;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// What was heard since the last call: waits until `last` was, and then until nothing more comes.
    pub async fn take(&mut self, step: &str, last: &[&str]) -> Vec<Heard> {
        let begun = Instant::now();
        let (mut count, mut changed) = (0, Instant::now());
        loop {
            let lines = self.lines();
            if lines.len() != count {
                (count, changed) = (lines.len(), Instant::now());
            }
            let heard = &lines[self.read..];
            let all = last.iter().all(|hook| heard.iter().any(|line| line["hook"] == **hook));
            if all && changed.elapsed() > QUIET {
                let heard = heard.iter().map(|line| Heard { hook: line["hook"].as_str().unwrap().into(), line: line.clone() }).collect();
                self.read = count;
                return heard;
            }
            let names: Vec<&Value> = heard.iter().map(|line| &line["hook"]).collect();
            assert!(begun.elapsed() < PATIENCE, "{step}: {last:?} did not come, only {names:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// The config of either host: a mock model, the recorder and a tool.
pub fn config(model_url: &str, workspace: &Path, log: &Path) -> Value {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/plugins").canonicalize().unwrap();
    let plugins = ["hook-recorder", "echo-tool"];
    let entry = json!({"enabled": true, "hooks": {"allowConversationAccess": true}, "config": {"log": log}});
    let model = json!({
        "id": "mock-1", "name": "Mock", "reasoning": false, "input": ["text"], "contextWindow": 200_000, "maxTokens": 4096,
        "cost": {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0},
    });
    json!({
        "update": {"checkOnStart": false},
        "agents": {"defaults": {"model": {"primary": "mock/mock-1"}, "workspace": workspace, "skipBootstrap": true}},
        "models": {"mode": "replace", "providers": {"mock": {
            "baseUrl": model_url, "apiKey": "mock-key", "api": "openai-completions", "models": [model],
        }}},
        "plugins": {
            "allow": plugins, "load": {"paths": plugins.map(|id| fixtures.join(id))},
            "entries": plugins.iter().map(|id| (id.to_string(), entry.clone())).collect::<serde_json::Map<_, _>>(),
        },
    })
}

/// A step of the script.
pub struct Step {
    pub name: &'static str,
    method: &'static str,
    params: Value,
    /// Hooks that say that the step has come to its end.
    last: &'static [&'static str],
}

fn step(name: &'static str, method: &'static str, params: Value, last: &'static [&'static str]) -> Step {
    Step { name, method, params, last }
}

const TURN: &[&str] = &["agent_end", "llm_output"];
const TOOL_TURN: &[&str] = &["agent_end", "llm_output", "after_tool_call"];

/// The scripted turns. Each starts when the one before is over.
pub fn script() -> Vec<Step> {
    let chat = |message: &str, run: &str| json!({"sessionKey": "agent:main:diff", "message": message, "idempotencyKey": run});
    let rpc =
        |message: &str, run: &str| json!({"sessionKey": "agent:main:rpc", "message": message, "idempotencyKey": run, "deliver": false});
    vec![
        step("a new session", "chat.send", chat("a plain question", "diff-1"), TURN),
        step("one tool call", "chat.send", chat(r#"[[tool:fixture_echo {"text":"one"}]]"#, "diff-2"), TOOL_TURN),
        step(
            "parallel tool calls",
            "chat.send",
            chat(r#"[[tool:fixture_echo {"text":"a"}]] [[tool:fixture_echo {"text":"b"}]]"#, "diff-3"),
            TOOL_TURN,
        ),
        step("a blocked tool", "chat.send", chat(r#"[[tool:fixture_echo {"text":"blockme"}]]"#, "diff-4"), TURN),
        step("a tool that throws", "chat.send", chat(r#"[[tool:fixture_echo {"text":"throwme"}]]"#, "diff-5"), TOOL_TURN),
        step("reset", "sessions.reset", json!({"key": "agent:main:diff", "reason": "reset"}), &["session_end", "session_start"]),
        step("after the reset", "chat.send", chat("another plain question", "diff-6"), TURN),
        step("agent", "agent", rpc("a plain question", "diff-7"), TURN),
        step("agent with a tool", "agent", rpc(r#"[[tool:fixture_echo {"text":"one"}]]"#, "diff-8"), TOOL_TURN),
        step("a model that fails", "chat.send", chat("[[fail:400]]", "diff-9"), &["agent_end"]),
        step("delete", "sessions.delete", json!({"key": "agent:main:diff"}), &["session_end"]),
    ]
}

/// Runs the script and says what was heard in each step.
pub async fn play(client: &mut Client, log: &mut Log) -> Vec<(&'static str, Vec<Heard>)> {
    let mut all = vec![("start", log.take("start", &["gateway_start"]).await)];
    for step in script() {
        client.call(step.method, step.params).await;
        all.push((step.name, log.take(step.name, step.last).await));
    }
    all
}
