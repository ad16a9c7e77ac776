//! Sessions that end exactly once for every listener, also when the process is killed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/live.rs"]
mod live;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use live::{Client, Home, text};
use serde_json::{Value, json};

const LISTENER: &str = r#"
import fs from 'node:fs';
const log = (line) => fs.appendFileSync(process.env.TEST_LOG, JSON.stringify(line) + '\n');
export default function register(api) {
  for (const hook of ['session_start', 'session_end', 'before_agent_run', 'message_received', 'gateway_start', 'before_reset']) {
    api.on(hook, (event) => { log({ hook, event }); });
  }
}"#;

const SLOW: &str = r#"
import fs from 'node:fs';
const log = (line) => fs.appendFileSync(process.env.TEST_LOG, JSON.stringify(line) + '\n');
export default function register(api) {
  api.on('session_end', async (event) => {
    const quick = fs.existsSync(process.env.TEST_LOG + '.quick');
    log({ slow: quick ? 'quick' : 'began', event });
    if (!quick) await new Promise((r) => setTimeout(r, 60000));
  });
}"#;

fn of<'a>(lines: &'a [Value], hook: &str) -> Vec<&'a Value> {
    lines.iter().filter(|l| l["hook"] == hook).map(|l| &l["event"]).collect()
}

fn ends_of(lines: &[Value], session: &str) -> Vec<Value> {
    of(lines, "session_end").into_iter().filter(|e| e["sessionKey"] == session).cloned().collect()
}

// HOOK-068, HOOK-069, HOOK-220, HOOK-221, HOOK-224, HOOK-225, HOOK-226, HOOK-228, HOOK-239, HOOK-241, HOOK-302
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_session_ends_once_with_its_reason_and_true_numbers() {
    let mut home = Home::new().await;
    home.plugin("listener", LISTENER);
    let live = home.start().await;
    let mut client = live.client().await;
    for (key, reason) in [("agent:main:new", "new"), ("agent:main:reset", "reset")] {
        client.say(key, "hello").await;
        client.ok("sessions.reset", json!({"key": key, "reason": reason})).await;
        let lines = home
            .until("end and start", |l| {
                !ends_of(l, key).is_empty() && of(l, "session_start").iter().filter(|e| e["sessionKey"] == key).count() == 2
            })
            .await;
        let end = ends_of(&lines, key).remove(0);
        assert_eq!(end["reason"], reason);
        assert_eq!(end["messageCount"], 2, "{end}");
        assert!(end["durationMs"].is_u64() && end["eventId"].is_string(), "{end}");
        assert!(Path::new(end["sessionFile"].as_str().unwrap()).exists(), "{end}");
        assert_eq!(end["transcriptArchived"], true);
        let mine: Vec<&Value> =
            lines.iter().filter(|l| l["event"]["sessionKey"] == key && l["hook"].as_str().unwrap().starts_with("session_")).collect();
        let order: Vec<&str> = mine.iter().map(|l| l["hook"].as_str().unwrap()).collect();
        assert_eq!(order, ["session_start", "session_end", "session_start"]);
        assert_eq!(mine[2]["event"]["sessionId"], end["nextSessionId"]);
        assert_eq!(mine[2]["event"]["resumedFrom"], end["sessionId"]);
    }
    let resets = of(&home.recorded(), "before_reset").len();
    assert_eq!(resets, 2);
    client.say("agent:main:gone", "hello").await;
    assert_eq!(client.ok("sessions.delete", json!({"key": "agent:main:gone"})).await["deleted"], true);
    let lines = home.until("deleted", |l| !ends_of(l, "agent:main:gone").is_empty()).await;
    assert_eq!(ends_of(&lines, "agent:main:gone")[0]["reason"], "deleted");
    let refused = client.error("sessions.delete", json!({"key": "agent:main:main"})).await;
    assert!(refused["message"].as_str().unwrap().contains("Cannot delete the main session"), "{refused}");

    client.say("agent:main:left", "hello").await;
    live.restart().await;
    let lines = home.recorded();
    let left = ends_of(&lines, "agent:main:left");
    assert_eq!(left.len(), 1);
    assert_eq!(left[0]["reason"], "restart");
    assert!(ends_of(&lines, "agent:main:gone").len() == 1, "a deleted session does not end again");

    // The same session goes on in the next process and ends once more, as another instance.
    let live = home.start().await;
    let mut client = live.client().await;
    client.say("agent:main:left", "again").await;
    live.stop().await;
    let left = ends_of(&home.recorded(), "agent:main:left");
    assert_eq!(left.len(), 2, "{left:#?}");
    assert_eq!(left[1]["reason"], "shutdown");
    assert_eq!(left[1]["messageCount"], 4);
    assert_ne!(left[0]["eventId"], left[1]["eventId"]);
    let starts: Vec<Value> =
        of(&home.recorded(), "session_start").into_iter().filter(|e| e["sessionKey"] == "agent:main:left").cloned().collect();
    assert_eq!(starts[1]["resumedFrom"], starts[0]["sessionId"]);

    let live = home.start().await;
    live.stop().await;
    assert_eq!(ends_of(&home.recorded(), "agent:main:left").len(), 2, "what was delivered does not come again");
}

// HOOK-240, HOOK-242
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_listener_does_not_hold_up_the_stop_and_gets_the_rest_at_its_next_start() {
    let mut home = Home::new().await;
    home.plugin("listener", LISTENER).plugin("slow", SLOW);
    let live = home.start().await;
    let mut client = live.client().await;
    client.say("agent:main:a", "hello").await;
    let begun = Instant::now();
    live.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    let lines = home.recorded();
    assert_eq!(ends_of(&lines, "agent:main:a").len(), 1, "the quick listener has it");
    let first: Vec<Value> = lines.iter().filter(|l| l["slow"] == "began").cloned().collect();
    assert_eq!(first.len(), 1);
    std::fs::write(format!("{}.quick", home.log().display()), "").unwrap();
    let live = home.start().await;
    let lines = home.until("the rest", |l| l.iter().any(|l| l["slow"] == "quick")).await;
    let again = lines.iter().find(|l| l["slow"] == "quick").unwrap();
    assert_eq!(again["event"]["eventId"], first[0]["event"]["eventId"]);
    assert_eq!(again["event"]["redelivered"], true);
    assert_eq!(again["event"]["reason"], "shutdown");
    assert_eq!(ends_of(&lines, "agent:main:a").len(), 1, "the quick listener does not get it twice");
    live.stop().await;
    let live = home.start().await;
    live.stop().await;
    assert_eq!(home.recorded().iter().filter(|l| l["slow"] == "quick").count(), 1);
}

/// A plugin whose worker dies once the test says so, while it is told of a session.
const MORTAL: &str = r#"
import fs from 'node:fs';
const log = (line) => fs.appendFileSync(process.env.TEST_LOG, JSON.stringify(line) + '\n');
const file = (name) => `${process.env.TEST_LOG}.${name}`;
export default function register(api) {
  for (const hook of ['session_start', 'session_end']) {
    api.on(hook, async (event) => {
      if (fs.existsSync(file('mortal'))) {
        fs.writeFileSync(file(hook), '');
        while (!fs.existsSync(file('die'))) await new Promise((r) => setTimeout(r, 5));
        fs.rmSync(file('mortal'), { force: true });
        process.kill(process.pid, 'SIGKILL');
        await new Promise(() => {});
      }
      log({ hook, event });
    });
  }
}"#;

// HOOK-225, HOOK-241
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_dies_while_it_is_told_leaves_the_order_to_the_next_one() {
    let mut home = Home::new().await;
    home.plugin("mortal", MORTAL);
    let live = home.start().await;
    let mut client = live.client().await;
    let file = |name: &str| std::path::PathBuf::from(format!("{}.{name}", home.log().display()));
    let put = |name: &str| std::fs::write(file(name), "").unwrap();
    let there = async |name: &str| {
        let begun = Instant::now();
        while !file(name).exists() {
            assert!(begun.elapsed() < Duration::from_secs(60), "no `{name}`");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    // The session ends before its worker dies, and after that.
    for (key, ends_first) in [("agent:main:before", true), ("agent:main:after", false)] {
        for name in ["session_start", "session_end", "die"] {
            let _ = std::fs::remove_file(file(name));
        }
        put("mortal");
        client.say(key, "hello").await;
        there("session_start").await;
        if ends_first {
            client.ok("sessions.reset", json!({"key": key})).await;
            there("session_end").await;
            put("die");
        } else {
            put("die");
            while file("mortal").exists() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            client.ok("sessions.reset", json!({"key": key})).await;
        }
        let of_key = |lines: &[Value]| -> Vec<Value> { lines.iter().filter(|l| l["event"]["sessionKey"] == key).cloned().collect() };
        client.say(key, "again").await;
        let lines = home.until("both sessions", |lines| of_key(lines).len() >= 3).await;
        let told = of_key(&lines);
        let hooks: Vec<&str> = told.iter().map(|l| l["hook"].as_str().unwrap()).collect();
        assert_eq!(hooks, ["session_start", "session_end", "session_start"], "{key}: {told:#?}");
        assert_eq!(told[0]["event"]["sessionId"], told[1]["event"]["sessionId"]);
        assert_eq!(told[0]["event"]["redelivered"], true);
        assert_ne!(told[1]["event"]["sessionId"], told[2]["event"]["sessionId"]);
    }
    live.stop().await;
    let lines = home.recorded();
    let events: Vec<&Value> = lines.iter().map(|l| &l["event"]["eventId"]).collect();
    let once: std::collections::HashSet<String> = events.iter().map(|id| id.to_string()).collect();
    assert_eq!(once.len(), events.len(), "nothing is told twice: {lines:#?}");
    assert_eq!(of(&lines, "session_end").len(), 4, "{lines:#?}");
}

/// Who is owed something in the database of a gateway that has ended.
async fn owed(home: &Home) -> Vec<String> {
    let state = home.dir.path().join("state");
    let options = chela_store::StoreOptions::new(state.join("chela/chela.sqlite"), move |agent| state.join("agents").join(agent));
    chela_store::Store::open(options).unwrap().owed_listeners().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_uninstalled_plugin_is_owed_nothing_and_one_that_is_off_keeps_its_part() {
    let mut home = Home::new().await;
    home.plugin("slow", SLOW).plugin("other", LISTENER);
    let live = home.start().await;
    live.client().await.say("agent:main:a", "hello").await;
    live.stop().await;
    assert_eq!(owed(&home).await, ["slow"]);

    home.config["plugins"]["entries"]["slow"]["enabled"] = json!(false);
    let live = home.start().await;
    let mut client = live.client().await;
    client.say("agent:main:b", "hello").await;
    live.stop().await;
    assert_eq!(owed(&home).await, ["slow"], "it may come back");

    // Both go while the gateway runs and a session of one is open.
    let live = home.start().await;
    let mut client = live.client().await;
    client.say("agent:main:c", "hello").await;
    home.until("the start", |lines| of(lines, "session_start").iter().any(|e| e["sessionKey"] == "agent:main:c")).await;
    let plugins = home.config["plugins"].as_object_mut().unwrap();
    plugins.remove("entries");
    plugins.remove("load");
    home.write_config();
    let begun = Instant::now();
    loop {
        let list = client.ok("plugins.list", json!({})).await.to_string();
        if !list.contains("\"other\"") && !list.contains("\"slow\"") {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{list}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    live.stop().await;
    let live = home.start_cold().await;
    live.client().await.ok("health", json!({})).await;
    live.stop().await;
    assert_eq!(owed(&home).await, Vec::<String>::new());
}

/// Runs a gateway in a process of its own: this binary again, at the test below.
struct Victim(Child);

impl Victim {
    async fn start(home: &Home) -> (Self, u16) {
        home.write_config();
        let port_file = home.dir.path().join("port");
        let _ = std::fs::remove_file(&port_file);
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_gateway_to_kill", "--ignored", "--nocapture"])
            .env("VICTIM_DIR", home.dir.path())
            .env("CHELA_NODE", live::node().await)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let victim = Self(child);
        let begun = Instant::now();
        loop {
            if let Some(port) = std::fs::read_to_string(&port_file).ok().and_then(|t| t.parse().ok()) {
                return (victim, port);
            }
            assert!(begun.elapsed() < Duration::from_secs(30), "the victim did not start");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Not a test of its own: the process that the next test kills.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the process that another test starts and kills"]
async fn a_gateway_to_kill() {
    let Ok(dir) = std::env::var("VICTIM_DIR") else { return };
    let dir = Path::new(&dir);
    let port_file = dir.join("port");
    let port = std::sync::Arc::new(std::sync::atomic::AtomicU16::new(0));
    let known = port.clone();
    let options = live::options(dir, &std::env::var("CHELA_NODE").unwrap(), move || {
        std::fs::write(&port_file, known.load(std::sync::atomic::Ordering::SeqCst).to_string()).unwrap();
    });
    port.store(options.port.unwrap(), std::sync::atomic::Ordering::SeqCst);
    chela_gateway::run::run(options).await.unwrap();
}

// GW-F12, GW-79, HOOK-220 (`unknown`), HOOK-235, HOOK-237
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_loses_no_message_and_no_session_end() {
    let mut home = Home::new().await;
    home.plugin("listener", LISTENER);
    let (victim, port) = Victim::start(&home).await;
    let mut client = Client::connect(port).await;
    client.say("agent:main:a", "first").await;
    let id = client.request("agent", json!({"sessionKey": "agent:main:rpc", "message": "rpc", "idempotencyKey": "rpc"})).await;
    client.response(&id).await;
    client.response(&id).await;
    home.until("both started", |l| of(l, "session_start").len() == 2).await;
    let send = json!({"sessionKey": "agent:main:a", "message": "[[sleep:20000]] acknowledged", "idempotencyKey": "killed"});
    assert_eq!(client.ok("chat.send", send.clone()).await["status"], "started");
    // Nothing of the victim is on its way to the file any more: the model is asked and sleeps.
    home.until("the third run", |l| of(l, "before_agent_run").len() == 3).await;
    victim.kill();
    assert!(of(&home.recorded(), "session_end").is_empty());
    let before = home.recorded().len();

    let live = home.start().await;
    let mut client = live.client().await;
    let lines = home.until("the missing ends", |l| of(l, "session_end").len() >= 2 && l.iter().any(|l| l["hook"] == "gateway_start")).await;
    let fresh: Vec<&str> = lines[before..].iter().map(|l| l["hook"].as_str().unwrap()).collect();
    let first_other = fresh.iter().position(|h| *h != "session_end").unwrap_or(fresh.len());
    assert_eq!(first_other, 2, "the missing ends come before everything else: {fresh:?}");
    for key in ["agent:main:a", "agent:main:rpc"] {
        let ends = ends_of(&lines, key);
        assert_eq!(ends.len(), 1, "{ends:#?}");
        assert_eq!(ends[0]["reason"], "unknown");
        assert_eq!(ends[0]["recovered"], true);
        assert!(ends[0]["messageCount"].as_u64().unwrap() >= 2, "{ends:#?}");
    }
    let history = client.ok("chat.history", json!({"sessionKey": "agent:main:a"})).await;
    let said: Vec<String> = history["messages"].as_array().unwrap().iter().filter(|m| m["role"] == "user").map(text).collect();
    assert_eq!(said, ["first", "[[sleep:20000]] acknowledged"]);
    // The row does not say for ever that the run goes on; it says that the last message has no answer.
    let row_of = |list: Value| list["sessions"].as_array().unwrap().iter().find(|r| r["key"] == "agent:main:a").unwrap().clone();
    let begun = Instant::now();
    let row = loop {
        let row = row_of(client.ok("sessions.list", json!({})).await);
        if row["status"] != "running" {
            break row;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{row}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert!(row["status"] == "killed" && row["interruptedAt"].is_i64() && row["abortedLastRun"] == true, "{row}");
    client.say("agent:main:a", "third").await;
    let row = row_of(client.ok("sessions.list", json!({})).await);
    assert!(row["status"] == "done" && row.get("interruptedAt").is_none(), "{row}");
    // The same request after the kill is the same run: it is not run twice.
    let again = client.ok("chat.send", send.clone()).await;
    assert_eq!(again["status"], "error", "{again}");
    live.stop().await;

    let live = home.start().await;
    let mut client = live.client().await;
    let history = client.ok("chat.history", json!({"sessionKey": "agent:main:a"})).await;
    assert_eq!(history["messages"].as_array().unwrap().iter().filter(|m| m["role"] == "user").count(), 3);
    assert_eq!(ends_of(&home.recorded(), "agent:main:rpc").len(), 1);
    live.stop().await;
}

/// Not run by default: it takes a while to make the sessions.
// HOOK-240
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "makes 2,000 sessions"]
async fn two_thousand_sessions_end_within_the_budget() {
    const SESSIONS: usize = 2000;
    let mut home = Home::new().await;
    home.plugin("listener", LISTENER);
    let live = home.start().await;
    let workers = (0..8).map(|worker| {
        let port = live.port;
        tokio::spawn(async move {
            let mut client = Client::connect(port).await;
            for n in (worker..SESSIONS).step_by(8) {
                client.say(&format!("agent:main:many-{n}"), "hello").await;
                client.events.clear();
            }
        })
    });
    for worker in futures::future::join_all(workers).await {
        worker.unwrap();
    }
    let begun = Instant::now();
    live.stop().await;
    let took = begun.elapsed();
    let lines = home.recorded();
    let ends = of(&lines, "session_end");
    let redelivered = ends.iter().filter(|e| e["reason"] != "shutdown").count();
    println!("{} ends in {took:?}, {redelivered} of them not by the shutdown", ends.len());
    assert_eq!(ends.len(), SESSIONS);
    assert_eq!(redelivered, 0);
}
