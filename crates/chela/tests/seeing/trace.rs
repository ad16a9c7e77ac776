//! `chela hooks trace`, and counters of hooks.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use chela_models::testing::MockServer;
use serde_json::{Value, json};

use crate::support::gateway::{Gateway, TOKEN};
use crate::support::hooks::config;
use crate::support::node;
use crate::support::ws::Client;

/// A trace that runs in a process of its own. It is killed when this is dropped.
struct Trace(Child);

impl Drop for Trace {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Trace {
    /// Starts it and waits until it watches.
    fn start(port: u16, home: &Path, args: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_chela"))
            .args(["hooks", "trace", "--url", &format!("ws://127.0.0.1:{port}"), "--token", TOKEN])
            .args(args)
            .env_clear()
            .env("HOME", home)
            .env("OPENCLAW_STATE_DIR", home)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut errors = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        errors.read_line(&mut line).unwrap();
        assert!(line.contains("Watching"), "{line}");
        // Read on, so that it never waits for a reader.
        std::thread::spawn(move || errors.lines().map_while(Result::ok).for_each(drop));
        Self(child)
    }

    /// Everything it prints until it ends by itself.
    async fn output(mut self) -> String {
        let out = self.0.stdout.take().unwrap();
        let read = tokio::task::spawn_blocking(move || std::io::read_to_string(out).unwrap());
        let text = tokio::time::timeout(crate::support::PATIENCE, read).await.expect("the trace goes on").unwrap();
        assert!(self.0.wait().unwrap().success());
        text
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_shows_who_was_called_and_what_it_decided() {
    let place = tempfile::tempdir().unwrap();
    let model = MockServer::start().await;
    let gateway =
        Gateway::start(&node().await.unwrap(), config(&model.openai_url(), &place.path().join("w"), &place.path().join("heard.jsonl")))
            .await;
    let mut client = gateway.client().await;
    client.turn("get everything started").await;

    let only = ["--plugin", "echo-tool", "--hook", "before_tool_call", "--count", "2", "--json"];
    let trace = Trace::start(gateway.port, place.path(), &only);
    client.turn(r#"[[tool:fixture_echo {"text":"plain words"}]]"#).await;
    client.turn(r#"[[tool:fixture_echo {"text":"blockme"}]]"#).await;
    let text = trace.output().await;
    let records: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let facts: Vec<_> =
        records.iter().map(|r| (r["pluginId"].as_str(), r["hook"].as_str(), r["outcome"].as_str(), r["decision"].as_str())).collect();
    let (plugin, hook) = (Some("echo-tool"), Some("before_tool_call"));
    assert_eq!(facts, [(plugin, hook, Some("nothing"), None), (plugin, hook, Some("returned"), Some("block"))]);
    assert_eq!((&records[1]["event"]["params"], &records[1]["seq"]), (&json!({"text": "string(7)"}), &json!(2)));
    assert!(records[0]["ms"].is_number() && records[0]["budgetMs"].is_number() && records[0]["eventBytes"].as_u64() > Some(20));
    assert!(!text.contains("blockme") && !text.contains("plain words") && !text.contains("agent:main"), "no values: {text}");

    // For people, with values.
    let trace = Trace::start(gateway.port, place.path(), &["--plugin", "echo-tool", "--count", "1", "--values"]);
    client.turn(r#"[[tool:fixture_echo {"text":"blockme"}]]"#).await;
    let text = trace.output().await;
    assert!(text.contains("echo-tool before_tool_call {") && text.contains("blockme") && text.contains("-> block"), "{text}");

    // Internal events of the recorder.
    let trace = Trace::start(gateway.port, place.path(), &["--hook", "command", "--count", "1", "--json"]);
    client.call("sessions.reset", json!({"key": "agent:main:main", "reason": "reset"})).await;
    let record: Value = serde_json::from_str(&trace.output().await).unwrap();
    assert_eq!(
        (&record["kind"], &record["hook"], &record["pluginId"]),
        (&json!("internal"), &json!("command:reset"), &json!("hook-recorder"))
    );

    // Values are for administrators.
    let mut reader = Client::connect_as(gateway.port, TOKEN, &["operator.read"]).await;
    let refused = reader.ask("hooks.trace", json!({"values": true})).await;
    assert!(refused["error"]["message"].as_str().unwrap().contains("operator.admin"), "{refused}");
    assert_eq!(reader.call("hooks.trace", json!({})).await["watching"], true);
    assert_eq!(reader.call("hooks.trace", json!({"stop": true})).await["watching"], false);

    // Counters, where people look.
    let status = client.call("status", json!({})).await;
    let find = |rows: &Value, plugin: Option<&str>| {
        let rows = rows.as_array().unwrap().clone();
        let mine = |row: &Value| row["hook"] == "before_tool_call" && plugin.is_none_or(|plugin| row["pluginId"] == plugin);
        rows.into_iter().find(mine).unwrap_or_else(|| panic!("{status}"))
    };
    let row = find(&status["hooks"], Some("echo-tool"));
    assert_eq!((&row["calls"], &row["failures"], &row["timeouts"]), (&json!(3), &json!(0), &json!(0)));
    assert!(row["p50Ms"].as_f64().unwrap() > 0.0 && row["p50Ms"].as_f64() <= row["maxMs"].as_f64(), "{row}");
    let inspected = client.call("plugins.inspect", json!({"id": "echo-tool"})).await;
    assert_eq!(find(&inspected["runtime"]["hookStats"], None)["calls"], 3);
}
