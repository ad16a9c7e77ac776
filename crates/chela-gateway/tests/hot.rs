//! Changes of one plugin while the gateway runs: the others' workers, streams and turns go on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/live.rs"]
mod live;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use live::{Client, Home, Live};
use serde_json::{Value, json};

/// A plugin with a method that tells its process, version and config, a tool that waits for a file, and a stream that ends with one.
const CODE: &str = r#"
import fs from 'node:fs';
const log = (line) => fs.appendFileSync(process.env.TEST_LOG, JSON.stringify(line) + '\n');
const there = (name) => fs.existsSync(process.env.TEST_LOG + '.' + name);
const pause = (ms) => new Promise((r) => setTimeout(r, ms));
export default function register(api) {
  /*BROKEN*/
  api.registerGatewayMethod('ID.who', ({ respond }) => respond(true, { pid: process.pid, version: 'VERSION', own: api.pluginConfig, max: api.config.agents.defaults.maxConcurrent }), { scope: 'operator.read' });
  api.registerTool({ name: 'ID_wait', description: 'w', parameters: { type: 'object', properties: {} }, async execute() {
    log({ waits: 'ID VERSION' });
    while (!there('go')) await pause(10);
    return { content: [{ type: 'text', text: 'waited in ID VERSION' }] };
  } });
  api.registerHttpRoute({ path: '/ID/stream', auth: 'plugin', handler: async (req, res) => {
    for (let n = 0; !there('end'); n++) { res.write(`${process.pid}:${n}\n`); await pause(20); }
    res.end('done');
    return true;
  } });
  api.registerService({ id: 'ID_svc', start: () => log({ start: 'ID VERSION' }), stop: () => log({ stop: 'ID VERSION' }) });
}"#;

fn code(id: &str, version: &str) -> String {
    CODE.replace("ID", &id.replace('-', "_")).replace("VERSION", version)
}

/// Writes a version of a plugin as an installation lays it out, and makes it the current one.
struct Installed<'a> {
    state: PathBuf,
    id: &'a str,
}

impl<'a> Installed<'a> {
    fn new(home: &Home, id: &'a str) -> Self {
        Self { state: home.dir.path().join("state"), id }
    }

    fn plugin(&self) -> PathBuf {
        self.state.join("chela/packages").join(self.id)
    }

    fn switch(&self, version: &str, code: &str) {
        let dir = format!("{version}-0a0b0c0d");
        let root = self.plugin().join(&dir).join("node_modules").join(self.id);
        std::fs::create_dir_all(&root).unwrap();
        let name = self.id.replace('-', "_");
        let manifest = json!({"id": self.id, "name": self.id, "version": version, "activation": {"onStartup": true},
            "contracts": {"tools": [format!("{name}_wait")]}, "configSchema": {"type": "object", "additionalProperties": true}});
        let package = json!({"name": self.id, "version": version, "type": "module", "openclaw": {"extensions": ["./index.js"]}});
        std::fs::write(root.join("index.js"), code).unwrap();
        std::fs::write(root.join("openclaw.plugin.json"), manifest.to_string()).unwrap();
        std::fs::write(root.join("package.json"), package.to_string()).unwrap();
        std::os::unix::fs::symlink(&dir, self.plugin().join("next")).unwrap();
        std::fs::rename(self.plugin().join("next"), self.plugin().join("current")).unwrap();
    }

    fn remove(&self) {
        std::fs::remove_file(self.plugin().join("current")).unwrap();
    }
}

/// The index of what is installed, as an installation leaves it.
fn write_index(state: &Path, ids: &[&str]) {
    let record = |id: &&str| {
        let path = state.join("chela/packages").join(id).join("current/node_modules").join(id);
        (id.to_string(), json!({"source": "npm", "spec": id, "installPath": path}))
    };
    let records: serde_json::Map<String, Value> = ids.iter().map(record).collect();
    std::fs::create_dir_all(state.join("plugins")).unwrap();
    std::fs::write(state.join("plugins/.next"), json!({"installRecords": records, "plugins": []}).to_string()).unwrap();
    std::fs::rename(state.join("plugins/.next"), state.join("plugins/installs.json")).unwrap();
}

fn entry(home: &mut Home, id: &str, config: Value) {
    let log = home.log();
    home.config["plugins"]["entries"][id] = json!({"enabled": true, "env": {"TEST_LOG": log}, "config": config});
}

async fn who(client: &mut Client, id: &str) -> Option<Value> {
    let answer = client.call(&format!("{}.who", id.replace('-', "_")), json!({})).await;
    (answer["ok"] == true).then(|| answer["payload"].clone())
}

async fn pid(client: &mut Client, id: &str) -> Value {
    who(client, id).await.unwrap_or_else(|| panic!("{id} does not answer"))["pid"].clone()
}

/// Asks until the answer is as wanted.
async fn until(client: &mut Client, id: &str, what: &str, wanted: impl Fn(&Option<Value>) -> bool) -> Option<Value> {
    let begun = Instant::now();
    loop {
        let seen = who(client, id).await;
        if wanted(&seen) {
            return seen;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{id}: never {what}: {seen:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn version(wanted: &'static str) -> impl Fn(&Option<Value>) -> bool {
    move |seen| seen.as_ref().is_some_and(|s| s["version"] == wanted)
}

async fn row(client: &mut Client, id: &str) -> Option<Value> {
    let list = client.ok("plugins.list", json!({})).await;
    list["plugins"].as_array().unwrap().iter().find(|p| p["id"] == id).cloned()
}

/// `one` is installed; `two` and `three` are paths of the config.
async fn three() -> (Home, Live, Client) {
    let mut home = Home::new().await;
    for id in ["two", "three"] {
        home.plugin_with(id, &code(id, "1.0.0"), json!({"contracts": {"tools": [format!("{id}_wait")]}}));
    }
    entry(&mut home, "one", json!({"n": 1}));
    Installed::new(&home, "one").switch("1.0.0", &code("one", "1.0.0"));
    write_index(&home.dir.path().join("state"), &["one"]);
    let live = home.start().await;
    let client = live.client().await;
    (home, live, client)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_plugin_is_swapped_changed_installed_and_removed_while_the_others_go_on() {
    let (mut home, live, mut client) = three().await;
    let (state, one) = (home.dir.path().join("state"), Installed::new(&home, "one"));
    let (two, three) = (pid(&mut client, "two").await, pid(&mut client, "three").await);
    let port = live.port;
    let stream = tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut socket = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        socket.write_all(b"GET /two/stream HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut all = String::new();
        socket.read_to_string(&mut all).await.unwrap();
        all
    });

    // Another version of one plugin.
    one.switch("1.1.0", &code("one", "1.1.0"));
    until(&mut client, "one", "1.1.0", version("1.1.0")).await;
    assert_eq!((pid(&mut client, "two").await, pid(&mut client, "three").await), (two.clone(), three.clone()));
    let lines = home.until("the new service", |l| l.contains(&json!({"start": "one 1.1.0"}))).await;
    let services: Vec<&Value> = lines.iter().filter(|l| l.to_string().contains("one")).collect();
    assert_eq!(services, [&json!({"start": "one 1.0.0"}), &json!({"stop": "one 1.0.0"}), &json!({"start": "one 1.1.0"})]);

    // A version that does not start is told, and the next one that does comes up.
    one.switch("1.2.0", &code("one", "1.2.0").replace("/*BROKEN*/", "throw new Error('no good');"));
    until(&mut client, "one", "gone", Option::is_none).await;
    let begun = Instant::now();
    let failed = loop {
        let row = row(&mut client, "one").await.unwrap();
        if row["state"] == "error" {
            break row;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{row}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert!(failed["error"].as_str().unwrap().contains("no good") && failed["version"] == "1.2.0", "{failed}");
    assert_eq!((pid(&mut client, "two").await, pid(&mut client, "three").await), (two.clone(), three.clone()));
    one.switch("1.3.0", &code("one", "1.3.0"));
    until(&mut client, "one", "1.3.0", version("1.3.0")).await;

    // A plugin that comes: another entry of the index.
    Installed::new(&home, "four").switch("1.0.0", &code("four", "1.0.0"));
    entry(&mut home, "four", json!({}));
    write_index(&state, &["one", "four"]);
    home.write_config();
    until(&mut client, "four", "there", Option::is_some).await;
    let (one_pid, four) = (pid(&mut client, "one").await, pid(&mut client, "four").await);

    // Config of one plugin.
    entry(&mut home, "four", json!({"n": 2}));
    home.write_config();
    let changed = until(&mut client, "four", "configured", |w| w.as_ref().is_some_and(|w| w["own"]["n"] == 2)).await.unwrap();
    assert_ne!(changed["pid"], four);
    // Settings of its worker, too.
    home.config["plugins"]["entries"]["four"]["runtime"] = json!({"memoryMb": 300});
    home.write_config();
    until(&mut client, "four", "another worker", |w| w.as_ref().is_some_and(|w| w["pid"] != changed["pid"])).await;
    let four = pid(&mut client, "four").await;

    // What concerns no plugin restarts none; all of them hear of it. Nor does what only the registry applies.
    home.config["agents"]["defaults"]["maxConcurrent"] = json!(7);
    home.config["plugins"]["entries"]["four"]["hooks"] = json!({"timeoutMs": 5000});
    home.write_config();
    for (id, same) in [("one", &one_pid), ("two", &two), ("three", &three), ("four", &four)] {
        let told = until(&mut client, id, "told", |w| w.as_ref().is_some_and(|w| w["max"] == 7)).await.unwrap();
        assert_eq!(&told["pid"], same, "{id}");
    }

    // A path that comes and goes: a linked plugin.
    home.plugin_with("five", &code("five", "1.0.0"), json!({"contracts": {"tools": ["five_wait"]}}));
    home.write_config();
    until(&mut client, "five", "there", Option::is_some).await;

    // A plugin that goes.
    one.remove();
    write_index(&state, &["four"]);
    until(&mut client, "one", "gone", Option::is_none).await;
    assert!(row(&mut client, "one").await.is_none());
    for (id, same) in [("two", &two), ("three", &three), ("four", &four)] {
        assert_eq!(&pid(&mut client, id).await, same, "{id}");
    }

    std::fs::write(format!("{}.end", home.log().display()), "").unwrap();
    let all = tokio::time::timeout(Duration::from_secs(30), stream).await.unwrap().unwrap();
    assert!(all.contains("done"), "the stream was cut: {all}");
    let numbers: Vec<u64> = all.lines().filter_map(|l| l.strip_prefix(&format!("{two}:"))).map(|n| n.parse().unwrap()).collect();
    assert!(numbers.len() > 50 && numbers.windows(2).all(|w| w[1] == w[0] + 1), "{numbers:?}");
    live.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_turn_under_way_keeps_the_plugins_that_it_began_with() {
    let (mut home, live, mut client) = three().await;
    let mut turn = live.client().await;
    let waiting = tokio::spawn(async move { turn.say("agent:main:flight", "go [[tool:one_wait {}]] [[tool:two_wait {}]]").await });
    home.until("the tools wait", |l| l.iter().filter(|l| l.get("waits").is_some()).count() == 2).await;
    Installed::new(&home, "one").switch("2.0.0", &code("one", "2.0.0"));
    home.config["plugins"]["entries"]["two"]["enabled"] = false.into();
    home.write_config();
    // What is off is off at once for everything new.
    until(&mut client, "two", "off", Option::is_none).await;
    std::fs::write(format!("{}.go", home.log().display()), "").unwrap();
    let end = waiting.await.unwrap();
    assert_eq!(end["state"], "final", "{end}");
    let asked = home.model.requests().last().unwrap().body.to_string();
    assert!(asked.contains("waited in one 1.0.0") && asked.contains("waited in two 1.0.0"), "{asked}");
    until(&mut client, "one", "2.0.0", version("2.0.0")).await;
    home.until("two stops", |l| l.contains(&json!({"stop": "two 1.0.0"}))).await;
    live.stop().await;
}
