//! The gateway is killed at random moments of a day: chats, tools, blocked calls, aborts, resets, a compaction, the start itself.
//! Afterwards no acknowledged message is missing or there twice, no message has two answers, each session has been heard to start and
//! to end, and every transcript is whole. `CHELA_KILLS` sets how often (200 for the whole trial), `CHELA_TEST_SEED` repeats a run.

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use chela_models::testing::MockServer;
use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::support::gateway::TOKEN;
use crate::support::hooks::config;
use crate::support::{PATIENCE, node};

/// Kills when nobody says how many.
const KILLS: usize = 8;
/// Longest time between readiness and the kill, in ms. Some kills come before that, in the midst of the start.
const LIFE_MS: f64 = 1500.0;
/// The conversations of the day.
const KEYS: [&str; 3] = ["agent:main:one", "agent:main:two", "agent:main:three"];

/// A generator of which only the seed need be known to do it all again.
struct Random(u64);

impl Random {
    /// Between 0 and 1.
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f64::from((self.0 >> 33) as u32) / f64::from(1u32 << 31)
    }

    fn below(&mut self, count: usize) -> usize {
        ((self.next() * count as f64) as usize).min(count - 1)
    }
}

/// The gateway's home, which outlives each of its processes.
struct Place {
    home: tempfile::TempDir,
    node: PathBuf,
    port: u16,
}

impl Place {
    fn new(node: PathBuf, mut config: Value) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(home.path().join("state")).unwrap();
        config["gateway"] = json!({"mode": "local", "port": port, "bind": "loopback", "auth": {"mode": "token", "token": TOKEN}});
        std::fs::write(home.path().join("state/openclaw.json"), config.to_string()).unwrap();
        Self { home, node, port }
    }

    fn start(&self) -> Child {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.home.path().join("log")).unwrap();
        Command::new(env!("CARGO_BIN_EXE_chela"))
            .args(["gateway", "run"])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home.path())
            .env("TMPDIR", self.home.path())
            .env("OPENCLAW_STATE_DIR", self.home.path().join("state"))
            .env("CHELA_NODE", &self.node)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap()
    }

    fn log(&self) -> String {
        let text = std::fs::read_to_string(self.home.path().join("log")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }

    /// A connection once it answers questions about sessions.
    async fn ready(&self, process: &mut Child) -> Client {
        let begun = Instant::now();
        loop {
            if let Some(mut client) = Client::open(self.port).await
                && client.call("sessions.list", json!({})).await.is_some_and(|answer| answer["ok"] == true)
            {
                return client;
            }
            let ended = process.try_wait().unwrap();
            assert!(ended.is_none() && begun.elapsed() < PATIENCE, "no gateway ({ended:?}):\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// A connection that may break at any time.
struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    next: u64,
}

impl Client {
    async fn open(port: u16) -> Option<Self> {
        let (socket, _) = tokio_tungstenite::connect_async(format!("ws://127.0.0.1:{port}/")).await.ok()?;
        let mut client = Self { socket, next: 0 };
        let hello = json!({
            "minProtocol": 4, "maxProtocol": 4, "auth": {"token": TOKEN}, "role": "operator", "scopes": ["operator.admin"],
            "client": {"id": "gateway-client", "version": "1", "platform": "linux", "mode": "backend"},
        });
        client.call("connect", hello).await.filter(|answer| answer["ok"] == true).map(|_| client)
    }

    /// The answer; `None` when the connection broke before it came.
    async fn call(&mut self, method: &str, params: Value) -> Option<Value> {
        self.next += 1;
        let id = self.next.to_string();
        let frame = json!({"type": "req", "id": id, "method": method, "params": params});
        self.socket.send(Message::text(frame.to_string())).await.ok()?;
        let answer = async {
            loop {
                let Message::Text(text) = self.socket.next().await?.ok()? else { continue };
                let frame: Value = serde_json::from_str(&text).unwrap();
                if frame["type"] == "res" && frame["id"] == id.as_str() {
                    return Some(frame);
                }
            }
        };
        tokio::time::timeout(PATIENCE, answer).await.unwrap_or_else(|_| panic!("no answer to `{method}`"))
    }
}

/// A message of the day.
#[derive(Clone, Debug)]
struct Said {
    key: &'static str,
    text: String,
    run: String,
}

/// What was said, and what was acknowledged.
#[derive(Default)]
struct Day {
    said: usize,
    acknowledged: Vec<Said>,
    /// Whether it arrived is not known: it is sent again with the same key, as clients do.
    open: Option<Said>,
}

impl Day {
    fn next(&mut self, random: &mut Random) -> Said {
        self.said += 1;
        let number = self.said;
        let how = match random.below(6) {
            0 => format!(r#"[[tool:fixture_echo {{"text":"t{number}"}}]]"#),
            1 => r#"[[tool:fixture_echo {"text":"blockme"}]]"#.to_owned(),
            2 => "[[slow:15]]".to_owned(),
            3 => "[[sleep:40]]".to_owned(),
            _ => String::new(),
        };
        Said { key: KEYS[random.below(KEYS.len())], text: format!("message-{number}-end {how}"), run: format!("run-{number}") }
    }

    /// Says one thing; false when the connection broke.
    async fn say(&mut self, client: &mut Client, said: Said) -> bool {
        self.open = Some(said.clone());
        let params = json!({"sessionKey": said.key, "message": said.text, "idempotencyKey": said.run});
        let Some(answer) = client.call("chat.send", params).await else { return false };
        assert_eq!(answer["ok"], true, "{said:?}: {answer}");
        self.open = None;
        self.acknowledged.push(said);
        true
    }

    /// Goes on with the day until the gateway is gone.
    async fn go_on(&mut self, client: &mut Client, random: &mut Random) {
        if let Some(open) = self.open.clone()
            && !self.say(client, open).await
        {
            return;
        }
        loop {
            let key = KEYS[random.below(KEYS.len())];
            // A refusal is an answer as well: a session that does not exist yet cannot be reset.
            let went_on = match random.below(12) {
                0 => client.call("sessions.reset", json!({"key": key, "reason": "reset"})).await.is_some(),
                1 => client.call("chat.abort", json!({"sessionKey": key})).await.is_some(),
                2 => client.call("sessions.compact", json!({"key": key})).await.is_some(),
                _ => {
                    let said = self.next(random);
                    self.say(client, said).await
                }
            };
            if !went_on {
                return;
            }
            tokio::time::sleep(Duration::from_millis(random.below(30) as u64)).await;
        }
    }
}

/// One transcript file: its session, and its messages in order.
struct Transcript {
    session: String,
    file: PathBuf,
    messages: Vec<Value>,
}

/// Reads a transcript and checks that it is whole: each line is JSON, and each entry follows one that is there.
fn transcript(file: &Path) -> Transcript {
    let text = std::fs::read_to_string(file).unwrap();
    assert!(text.ends_with('\n'), "{} ends in the midst of a line", file.display());
    let lines: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{}: {e}: {line}", file.display()))).collect();
    let mut known = BTreeSet::new();
    for line in &lines[1..] {
        let parent = line["parentId"].as_str();
        assert!(parent.is_none_or(|id| known.contains(id)), "{}: an entry follows none that is there: {line}", file.display());
        assert!(known.insert(line["id"].as_str().unwrap()), "{}: an entry is there twice: {line}", file.display());
    }
    let messages = lines[1..].iter().filter(|line| line["type"] == "message").map(|line| line["message"].clone()).collect();
    Transcript { session: lines[0]["id"].as_str().unwrap().to_owned(), file: file.to_owned(), messages }
}

fn transcripts(state: &Path) -> Vec<Transcript> {
    let files = std::fs::read_dir(state.join("agents/main/sessions")).unwrap().map(|entry| entry.unwrap().path());
    let named = files.filter(|path| path.file_name().unwrap().to_string_lossy().contains(".jsonl"));
    let mut by_session: BTreeMap<String, Transcript> = BTreeMap::new();
    for found in named.map(|path| transcript(&path)) {
        // A copy that a compaction made is the beginning of the one that goes on.
        match by_session.get(&found.session) {
            Some(known) if known.messages.len() >= found.messages.len() => {}
            _ => drop(by_session.insert(found.session.clone(), found)),
        }
    }
    by_session.into_values().collect()
}

fn text_of(message: &Value) -> String {
    match &message["content"] {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect(),
        _ => String::new(),
    }
}

/// Every acknowledged message once, and no message with two answers.
fn check_messages(day: &Day, transcripts: &[Transcript]) {
    let mut found: BTreeMap<String, Vec<&Path>> = BTreeMap::new();
    for transcript in transcripts {
        let mut answers = 0;
        for message in &transcript.messages {
            match message["role"].as_str() {
                Some("user") => {
                    answers = 0;
                    let text = text_of(message);
                    // Messages that waited for the same turn share a text.
                    for number in text.split("message-").skip(1).filter_map(|rest| rest.split("-end").next()) {
                        found.entry(number.to_owned()).or_default().push(&transcript.file);
                    }
                }
                Some("assistant") => {
                    let calls = message["content"].as_array().is_some_and(|parts| parts.iter().any(|part| part["type"] == "toolCall"));
                    answers += usize::from(!calls);
                    assert!(answers < 2, "a message was answered twice in {}: {:#?}", transcript.file.display(), transcript.messages);
                }
                _ => {}
            }
        }
    }
    for said in &day.acknowledged {
        let number = said.run.trim_start_matches("run-");
        let at = found.get(number).cloned().unwrap_or_default();
        assert_eq!(at.len(), 1, "{said:?} was acknowledged and is in {at:?}");
    }
}

/// Each session is heard to start and to end, in turn, each time with an id of its own; what is told again says so.
fn check_sessions(log: &Path, transcripts: &[Transcript]) {
    let text = std::fs::read_to_string(log).unwrap();
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let (mut open, mut known) = (BTreeMap::<String, bool>::new(), BTreeSet::new());
    for line in lines.filter(|line| line["hook"] == "session_start" || line["hook"] == "session_end") {
        let event = &line["event"];
        let (id, session) = (event["eventId"].as_str().expect("an id").to_owned(), event["sessionId"].as_str().unwrap().to_owned());
        if !known.insert(id) {
            // Who was told and could not say so in time is told again.
            assert_eq!(event["redelivered"], true, "heard twice: {line}");
            continue;
        }
        let starts = line["hook"] == "session_start";
        assert_ne!(open.insert(session, starts).unwrap_or(false), starts, "out of turn: {line}\n{text}");
    }
    let unended: Vec<_> = open.iter().filter(|(_, open)| **open).collect();
    assert!(unended.is_empty(), "no end was heard of {unended:?}");
    for transcript in transcripts.iter().filter(|transcript| !transcript.messages.is_empty()) {
        assert!(open.contains_key(&transcript.session), "no start of {} was heard", transcript.session);
    }
}

/// Ends it politely, so that everything that waits is written.
fn end(mut process: Child, place: &Place) {
    rustix::process::kill_process(rustix::process::Pid::from_child(&process), rustix::process::Signal::TERM).unwrap();
    let begun = Instant::now();
    while process.try_wait().unwrap().is_none() {
        if begun.elapsed() > PATIENCE {
            let _ = process.kill();
            panic!("the gateway does not end:\n{}", place.log());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

// GW-F12, GW-79, HOOK-220, HOOK-235, HOOK-237
#[tokio::test(flavor = "multi_thread")]
async fn a_kill_at_any_moment_of_a_day_loses_nothing_and_does_nothing_twice() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seed =
        number("CHELA_TEST_SEED").unwrap_or_else(|| u64::from(std::process::id()) ^ (jiff::Timestamp::now().as_millisecond() as u64));
    let kills = number("CHELA_KILLS").map_or(KILLS, |count| count as usize);
    eprintln!("CHELA_TEST_SEED={seed} CHELA_KILLS={kills}");
    let mut random = Random(seed);
    let (model, outside) = (MockServer::start().await, tempfile::tempdir().unwrap());
    let heard = outside.path().join("heard.jsonl");
    let place = Place::new(node().await.unwrap(), config(&model.openai_url(), &outside.path().join("workspace"), &heard));
    let (mut day, mut starts) = (Day::default(), Vec::new());
    for kill in 0..kills {
        let begun = Instant::now();
        let mut process = place.start();
        if kill % 10 == 9 {
            // In the midst of the start, or of the recovery.
            tokio::time::sleep(Duration::from_secs_f64(random.next() * starts.last().copied().unwrap_or(1.0))).await;
        } else {
            let mut client = place.ready(&mut process).await;
            starts.push(begun.elapsed().as_secs_f64());
            let life = Duration::from_secs_f64(random.next() * LIFE_MS / 1e3);
            // The rest of the day is cut off where the kill falls.
            let _ = tokio::time::timeout(life, day.go_on(&mut client, &mut random)).await;
        }
        process.kill().unwrap();
        process.wait().unwrap();
    }
    let begun = Instant::now();
    let mut process = place.start();
    let mut client = place.ready(&mut process).await;
    let last = begun.elapsed();
    if let Some(open) = day.open.clone() {
        assert!(day.say(&mut client, open).await);
    }
    for key in KEYS {
        day.said += 1;
        let said = Said { key, text: format!("message-{}-end", day.said), run: format!("run-{}", day.said) };
        let (run, params) = (said.run.clone(), json!({"runId": said.run, "timeoutMs": PATIENCE.as_millis() as u64}));
        assert!(day.say(&mut client, said).await);
        let ended = client.call("agent.wait", params).await.unwrap();
        assert_eq!(ended["payload"]["status"], "ok", "{run}: {ended}\n{}", place.log());
    }
    end(process, &place);

    let transcripts = transcripts(&place.home.path().join("state"));
    check_messages(&day, &transcripts);
    check_sessions(&heard, &transcripts);
    starts.sort_by(f64::total_cmp);
    let (median, worst) = (starts[starts.len() / 2], starts[starts.len() - 1]);
    eprintln!(
        "{} kills, {} messages acknowledged, {} transcripts; ready after {median:.2} s (median), {worst:.2} s (longest), {:.2} s at the end",
        kills,
        day.acknowledged.len(),
        transcripts.len(),
        last.as_secs_f64()
    );
    // A machine under load is slow at all times alike: what is compared is the same start on the same machine.
    assert!(last.as_secs_f64() < 10.0 * median.max(1.0), "the last start took {last:?}, the median is {median} s");
}
