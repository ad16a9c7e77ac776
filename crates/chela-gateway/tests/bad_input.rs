//! Bad input through a whole gateway: each gets a clear error, nothing is lost, nothing hangs.
#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of a test fail the test")]

#[path = "support/process.rs"]
mod process;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use process::{Client, Gateway, Home, PATIENCE, TOKEN, alone};
use serde_json::{Value, json};

#[test]
#[ignore = "started by the tests as a process of its own"]
fn plays_the_gateway() {
    process::play();
}

/// Writes bytes and reads all that comes until the server closes, at most five seconds.
fn raw(gateway: &Gateway, parts: &[&[u8]]) -> String {
    let mut socket = TcpStream::connect(("127.0.0.1", gateway.port)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    for part in parts {
        // A server that refuses may be gone before everything is written.
        if socket.write_all(part).is_err() {
            break;
        }
        // What follows an upgrade must not be taken for the request's body.
        std::thread::sleep(Duration::from_millis(50));
    }
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

const UPGRADE: &[u8] = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// A masked client frame with a zero mask.
fn frame(opcode: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![0x80 | opcode, 0x80 | 127];
    out.extend((body.len() as u64).to_be_bytes());
    out.extend([0; 4]);
    out.extend(body);
    out
}

async fn healthy(client: &Client) {
    let begun = Instant::now();
    assert_eq!(client.call("health", json!({})).await["payload"]["ok"], true);
    assert!(begun.elapsed() < Duration::from_secs(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_frames_requests_and_secrets_are_refused_and_the_gateway_goes_on() {
    let _alone = alone().await;
    let mut home = Home::new();
    home.config["gateway"]["http"] = json!({"endpoints": {"chatCompletions": {"enabled": true}}});
    let gateway = home.start().await;
    let client = gateway.client().await;
    let closes: [(&str, Vec<u8>, &[u8]); 3] = [
        ("a text that is not UTF-8", frame(1, b"\xff\xfe{"), &1007_u16.to_be_bytes()),
        ("a frame over the limit before the handshake", frame(1, &vec![b' '; 1024 * 1024]), &1009_u16.to_be_bytes()),
        ("a reserved opcode", frame(7, b"x"), &1002_u16.to_be_bytes()),
    ];
    for (what, bytes, code) in closes {
        let answer = raw_bytes(&gateway, &[UPGRADE, &bytes]);
        assert!(answer.windows(code.len()).any(|w| w == code), "{what}: {}", String::from_utf8_lossy(&answer));
        healthy(&client).await;
    }
    let long = "x".repeat(2 * 1024 * 1024);
    let requests: [(&str, Vec<u8>, &str); 4] = [
        ("a header that is not UTF-8", b"GET /v1/models HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer \xff\xfe\r\n\r\n".to_vec(), " 401 "),
        ("a request line that is none", b"\x00\x01\x02\r\n\r\n".to_vec(), " 400 "),
        ("a header over the limit", format!("GET / HTTP/1.1\r\nHost: a\r\nX: {long}\r\n\r\n").into_bytes(), " 431 "),
        (
            "a body over the limit",
            format!("POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 99000000\r\n\r\n").into_bytes(),
            " 413 ",
        ),
    ];
    for (what, bytes, status) in requests {
        let answer = raw(&gateway, &[&bytes]);
        assert!(answer.lines().next().unwrap_or_default().contains(status), "{what}: {answer}");
        healthy(&client).await;
    }
    let body = b"{\"model\": \"openclaw\", \"messages\": [{\"role\": \"user\", \"content\": \"\xff\"}]}";
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let answer = raw(&gateway, &[&[head.as_bytes(), body].concat()]);
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    // The error of a wrong token says nothing about the right one.
    let mut told = Vec::new();
    for wrong in ["", "x", &TOKEN[1..], &format!("{TOKEN}x"), &"y".repeat(10_000)] {
        if let Err(error) = Client::connect(gateway.port, wrong).await {
            assert!(!error.to_string().contains(TOKEN), "{error}");
            told.push((wrong.len(), error["error"]["message"].clone()));
        } else {
            panic!("connected with `{wrong}`");
        }
    }
    assert!(told[2..].iter().all(|(_, message)| *message == told[1].1), "{told:?}");
    healthy(&client).await;
}

fn raw_bytes(gateway: &Gateway, parts: &[&[u8]]) -> Vec<u8> {
    let mut socket = TcpStream::connect(("127.0.0.1", gateway.port)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    for part in parts {
        if socket.write_all(part).is_err() {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = socket.read(&mut buffer) {
        answer.extend_from_slice(&buffer[..count]);
    }
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_config_that_cannot_be_read_is_named_and_the_start_fails() {
    let _alone = alone().await;
    let cases: [(&[u8], &str); 3] = [
        (b"{\n  gateway: {mode: \"local\",,}\n}", "line 2, column 27"),
        (b"{gateway: {mode: \"lo\xffcal\"}}", "UTF-8"),
        (b"{gateway: {mode: \"local\"}, noSuchKey: 1}", "noSuchKey"),
    ];
    for (bytes, words) in cases {
        let home = Home::new();
        std::fs::create_dir_all(home.state()).unwrap();
        std::fs::write(home.state().join("openclaw.json"), bytes).unwrap();
        let mut child = home.command(0).await.spawn().unwrap();
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            assert!(begun.elapsed() < PATIENCE, "the start hangs: {}", home.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        let log = home.log();
        assert!(!status.success() && log.contains("openclaw.json") && log.contains(words), "{words}: {status} {log}");
        assert_eq!(std::fs::read(home.state().join("openclaw.json")).unwrap(), bytes, "the file was changed");
    }
}

/// A plugin directory whose entry would betray itself by a file.
fn bad_plugin(home: &Home, id: &str, manifest: &[u8], entry: &str, mark: &Path) -> std::path::PathBuf {
    let root = home.dir.path().join("plugins").join(id);
    std::fs::create_dir_all(&root).unwrap();
    std::fs::write(root.join("openclaw.plugin.json"), manifest).unwrap();
    let package = json!({"name": id, "version": "1.0.0", "type": "module", "openclaw": {"extensions": [entry]}});
    std::fs::write(root.join("package.json"), package.to_string()).unwrap();
    let code = format!("import fs from 'node:fs'; fs.writeFileSync({:?}, 'ran'); export default () => {{}};", mark.display().to_string());
    for name in ["index.js", "../outside.js"] {
        std::fs::write(root.join(name), &code).unwrap();
    }
    root
}

// DISC gates: an entry outside of its plugin is never run.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_manifests_and_escapes_stop_their_plugin_alone() {
    let _alone = alone().await;
    let mut home = Home::new();
    home.plugin("hello-tool", &json!({}));
    let mark = home.dir.path().join("mark");
    let manifest = |id: &str| json!({"id": id, "activation": {"onStartup": true}, "configSchema": {"type": "object"}}).to_string();
    let mut huge = manifest("huge").into_bytes();
    huge.extend(vec![b' '; 10 * 1024 * 1024]);
    let mut latin = manifest("latin").into_bytes();
    latin.splice(2..2, *b"\xff\xfe");
    let linked = bad_plugin(&home, "linked", manifest("linked").as_bytes(), "./link.js", &mark);
    std::os::unix::fs::symlink(linked.join("../outside.js"), linked.join("link.js")).unwrap();
    let roots = [
        ("huge", bad_plugin(&home, "huge", &huge, "./index.js", &mark)),
        ("latin", bad_plugin(&home, "latin", &latin, "./index.js", &mark)),
        ("torn", bad_plugin(&home, "torn", b"{\"id\": \"torn\", ", "./index.js", &mark)),
        ("dotted", bad_plugin(&home, "dotted", manifest("dotted").as_bytes(), "../outside.js", &mark)),
        ("rooted", bad_plugin(&home, "rooted", manifest("rooted").as_bytes(), "/outside.js", &mark)),
        ("linked", linked),
    ];
    for (_, root) in &roots {
        home.config["plugins"]["load"]["paths"].as_array_mut().unwrap().push(json!(root));
    }
    let begun = Instant::now();
    let gateway = home.start().await;
    println!("ready with broken plugins after {:?}", begun.elapsed());
    let client = gateway.client().await;
    let reply = client.turn("one", "/tool hello {\"name\": \"Ada\"}").await;
    assert!(reply.to_string().contains("Hello, Ada"), "{reply}");
    assert!(!mark.exists(), "code of a broken plugin ran");
    let list = client.call("plugins.list", json!({})).await;
    let rows = list["payload"]["plugins"].as_array().unwrap();
    for (id, _) in &roots {
        let row = rows.iter().find(|row| row["id"] == *id);
        assert!(row.is_none_or(|row| row["state"] != "running" && row["pid"].is_null()), "{row:?}");
    }
    let found = list["payload"]["diagnostics"].as_array().unwrap();
    let log = home.log();
    let expected = [
        ("huge", "bytes, the limit is"),
        ("latin", "failed to parse plugin manifest: not valid UTF-8"),
        ("torn", "failed to parse plugin manifest"),
        ("dotted", "extension entry escapes package directory: ../outside.js"),
        ("rooted", "extension entry escapes package directory: /outside.js"),
        ("linked", "extension entry escapes package directory: ./link.js"),
    ];
    for (id, words) in expected {
        let about = |row: &&Value| row["source"].as_str().is_some_and(|s| s.contains(&format!("plugins/{id}")));
        let row = found.iter().find(about).unwrap_or_else(|| panic!("nothing about `{id}`: {found:?}"));
        assert!(contains(row, words), "{row}");
        assert!(log.lines().any(|line| line.contains(words) && line.contains(&format!("plugins/{id}"))), "{words}: {log}");
    }
}

fn contains(row: &Value, words: &str) -> bool {
    row["message"].as_str().is_some_and(|m| m.contains(words))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_torn_last_line_of_a_transcript_loses_nothing() {
    let _alone = alone().await;
    let home = Home::new();
    let mut gateway = home.start().await;
    let client = gateway.client().await;
    let reply = client.turn("torn", "the first message").await;
    let file = reply["result"]["meta"]["agentMeta"]["sessionFile"].as_str().unwrap_or_else(|| panic!("{reply}")).to_string();
    gateway.signal("KILL").await;
    let mut transcript = std::fs::OpenOptions::new().append(true).open(&file).unwrap();
    transcript.write_all(b"{\"type\":\"message\",\"id\":\"torn\",\"mess").unwrap();
    drop(transcript);
    let gateway = home.start().await;
    let client = gateway.client().await;
    assert_eq!(client.turn("torn", "the second message").await["status"], "ok");
    let history = client.call("chat.history", json!({"sessionKey": "agent:main:torn"})).await.to_string();
    assert!(history.contains("the first message") && history.contains("the second message"), "{history}");
    let text = std::fs::read_to_string(&file).unwrap();
    for line in text.lines() {
        assert!(serde_json::from_str::<Value>(line).is_ok(), "a line of the transcript is torn: {line}");
    }
    assert!(text.contains("the first message") && text.contains("the second message"), "{text}");
    drop(gateway);
}

/// A small file system, unmounted at the end.
struct Mount(std::path::PathBuf);

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_a_clear_error_and_what_was_answered_is_kept() {
    let _alone = alone().await;
    let home = Home::new();
    std::fs::create_dir_all(home.state()).unwrap();
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"]).arg(home.state()).output();
    if !mounted.is_ok_and(|out| out.status.success()) {
        println!("skipped: this user cannot mount a small file system");
        return;
    }
    let mount = Mount(home.state());
    let mut gateway = home.start().await;
    let client = gateway.client().await;
    assert_eq!(client.turn("full", "kept before").await["status"], "ok");
    std::fs::write(home.state().join("ballast"), vec![0; 8 * 1024 * 1024]).unwrap_err();
    let mut refused = Value::Null;
    for round in 0..200 {
        let begun = Instant::now();
        let params = json!({"message": "x".repeat(20_000), "sessionKey": "agent:main:full", "idempotencyKey": format!("f{round}"), "deliver": false});
        let frame = client.call("agent", params).await;
        assert!(begun.elapsed() < Duration::from_secs(10), "a turn on a full disk hung");
        let run = frame["payload"]["runId"].clone();
        let ended = if run.is_string() { client.call("agent.wait", json!({"runId": run, "timeoutMs": 10_000})).await } else { Value::Null };
        if frame["ok"] != true || ended["payload"]["status"] != "ok" {
            refused = json!([frame, ended]);
            break;
        }
    }
    println!("full disk: {}", refused.to_string().chars().take(600).collect::<String>());
    assert!(!refused.is_null(), "no turn failed on a full disk");
    healthy(&client).await;
    std::fs::remove_file(home.state().join("ballast")).unwrap();
    assert_eq!(client.turn("full", "kept after").await["status"], "ok");
    gateway.signal("KILL").await;
    let gateway = home.start().await;
    let client = gateway.client().await;
    let history = client.call("chat.history", json!({"sessionKey": "agent:main:full", "limit": 1000})).await.to_string();
    assert!(history.contains("kept before") && history.contains("kept after"), "{}", history.chars().take(600).collect::<String>());
    drop(gateway);
    home.nobody_left().await;
    drop(mount);
}
