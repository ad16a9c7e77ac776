//! Plugins under a sandbox, in real workers: what is granted works, what is not is refused, also past JavaScript.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, clippy::print_stdout, reason = "the helpers of a test fail the test")]

mod support;

use std::path::Path;

use chela_manifest::permissions::{Effective, Permissions};
use chela_node::{NodeLaneOptions, Timing};
use chela_plugin::{Call, CallTarget, PluginControl, PluginSpec};
use chela_process::Kernel;
use serde_json::{Value, json};
use support::{Bench, Running};
use tokio::io::AsyncWriteExt as _;

const SECRET: &str = "not-for-plugins-4711";

/// True when this machine can hold a sandbox; a test says so and ends otherwise.
fn can_confine() -> bool {
    let kernel = Kernel::probe();
    let able = kernel.landlock >= 3 && kernel.ask;
    if !able {
        eprintln!("skipped: this kernel holds no whole sandbox ({kernel:?})");
    }
    able
}

async fn bench(change: impl FnOnce(&mut NodeLaneOptions)) -> Bench {
    Bench::with(|options| {
        options.sdk_dir = None;
        options.timing = Timing { liveness_interval: std::time::Duration::from_millis(500), ..Timing::default() };
        options.cache_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sandbox-cache");
        options.env.insert("SOME_API_KEY".into(), SECRET.into());
        options.env.insert("DATABASE_URL".into(), SECRET.into());
        options.env.insert("REACHES_GRANTED".into(), "granted".into());
        change(options);
    })
    .await
}

fn spec(bench: &Bench, id: &str, permissions: Effective) -> PluginSpec {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/plugins").join(id).canonicalize().unwrap();
    let entry = if root.join("index.ts").exists() {
        "index.ts"
    } else if root.join("index.cjs").exists() {
        "index.cjs"
    } else {
        "index.js"
    };
    let workspace = bench.dir.path().join("workspace");
    std::fs::create_dir_all(&workspace).unwrap();
    PluginSpec { entry: root.join(entry), root_dir: root, env: Vec::new(), workspace_dir: workspace, permissions, ..bench.spec(id, "") }
}

/// The fixture with this set, and nothing else.
async fn reaches(bench: &Bench, set: Value) -> Running {
    let (set, problems) = Permissions::read(&set);
    assert_eq!(problems, []);
    bench.try_start(spec(bench, "reaches", Effective::Enforce(Box::new(set)))).await.unwrap()
}

/// What the fixture answers: `value`, or `error`, `code` and `permission`.
async fn told(running: &Running, how: &str, what: impl Into<Value>) -> Value {
    let registration = running.started.registrations.iter().find(|r| r.args[0] == "reaches.do").unwrap();
    let handle = registration.args[1]["$fn"].as_u64().unwrap();
    let request = json!({"params": {"how": how, "what": what.into()}});
    running.plugin.call(handle, Call::new(vec![request]).adapter(chela_plugin::Adapter::GatewayMethod)).await.unwrap()["value"].clone()
}

async fn works(running: &Running, how: &str, what: &str) {
    let answer = told(running, how, what).await;
    assert!(answer["value"] != Value::Null, "{how} {what}: {answer}");
}

async fn refused(running: &Running, permission: &str, how: &str, what: &str) {
    let answer = told(running, how, what).await;
    let named = answer["permission"] == permission && answer["code"] == "EACCES";
    let text = answer["error"].as_str().unwrap_or_default();
    assert!(named && text.contains("`reaches`") && text.contains("plugins.entries.reaches.permissions"), "{how} {what}: {answer}");
}

/// A local service that answers every request with a greeting.
async fn service() -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                let _ = tokio::io::AsyncReadExt::read(&mut socket, &mut buffer).await;
                let _ = socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello").await;
            });
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_grant_nothing_outside_is_reached() {
    if !can_confine() {
        return;
    }
    let bench = bench(|_| {}).await;
    let (port, private) = (service().await, bench.dir.path().join("private"));
    std::fs::write(&private, SECRET).unwrap();
    let private = private.to_str().unwrap();
    let running = reaches(&bench, json!({})).await;
    let own = spec(&bench, "reaches", Effective::Open).root_dir.join("package.json");
    works(&running, "read", own.to_str().unwrap()).await;
    assert_eq!(told(&running, "temp", Value::Null).await, json!({"value": "a"}));
    for how in ["read", "readLater", "readCallback"] {
        refused(&running, "files.read", how, private).await;
    }
    refused(&running, "files.read", "list", bench.dir.path().to_str().unwrap()).await;
    for path in [private, bench.dir.path().join("new").to_str().unwrap()] {
        refused(&running, "files.write", "write", path).await;
    }
    let url = format!("http://127.0.0.1:{port}/");
    for (how, what) in [("fetch", url.clone()), ("http", url.clone()), ("https", url.replace("http", "https"))] {
        refused(&running, "network", how, &what).await;
    }
    // A WebSocket tells no reasons.
    let answer = told(&running, "ws", url.replace("http", "ws")).await;
    assert!(answer["error"].is_string(), "{answer}");
    for (how, what) in [("net", format!("127.0.0.1:{port}")), ("tls", format!("localhost:{port}")), ("unix", "/run/x.sock".into())] {
        refused(&running, "network", how, &what).await;
    }
    for (how, what) in [("dns", "example.com"), ("resolve", "example.com"), ("listen", ""), ("udp", "")] {
        refused(&running, "network", how, what).await;
    }
    for (how, what) in [("spawn", "sh"), ("exec", "id"), ("execFile", "/usr/bin/id")] {
        refused(&running, "childProcesses", how, what).await;
    }
    let addon = own.with_file_name("fake.node");
    refused(&running, "nativeAddons", "addon", addon.to_str().unwrap()).await;
    // A thread has modules of Node's own: only the kernel, and Node itself, stand in its way.
    for (how, what, code) in [
        ("read", private, "EACCES"),
        ("net", &*format!("127.0.0.1:{port}"), "EACCES"),
        ("udp", "", "EACCES"),
        ("spawn", "id", "EACCES"),
        ("addon", addon.to_str().unwrap(), "ERR_DLOPEN_DISABLED"),
    ] {
        assert_eq!(told(&running, "thread", json!([how, what])).await, json!({"value": code}), "{how}");
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_granted_works() {
    if !can_confine() {
        return;
    }
    let bench = bench(|_| {}).await;
    let port = service().await;
    let set = json!({
        "files": {"read": ["{workspace}"], "write": ["{state}", "{workspace}/made/"]},
        "network": [format!("localhost:{port}"), "listen"],
        "env": ["REACHES_*"], "childProcesses": ["sh"],
    });
    let running = reaches(&bench, set).await;
    std::fs::write(bench.dir.path().join("workspace/note"), "note").unwrap();
    works(&running, "read", bench.dir.path().join("workspace/note").to_str().unwrap()).await;
    refused(&running, "files.write", "write", bench.dir.path().join("workspace/new").to_str().unwrap()).await;
    works(&running, "write", bench.dir.path().join("plugin-state/reaches/new").to_str().unwrap()).await;
    works(&running, "write", bench.dir.path().join("workspace/made/new").to_str().unwrap()).await;
    assert_eq!(told(&running, "env", "REACHES_GRANTED").await, json!({"value": "granted"}));

    let url = format!("http://localhost:{port}/");
    assert_eq!(told(&running, "fetch", url.clone()).await, json!({"value": "hello"}));
    for (how, what) in [("http", url), ("net", format!("localhost:{port}")), ("dns", "localhost".into()), ("listen", String::new())] {
        works(&running, how, &what).await;
    }
    let other = service().await;
    for what in [format!("localhost:{other}"), format!("example.com:{port}"), format!("127.0.0.2:{port}")] {
        refused(&running, "network", "net", &what).await;
    }
    refused(&running, "network", "udp", "").await;
    // The address of the granted name is open to threads too, at its port; others are the kernel's to refuse.
    assert_eq!(told(&running, "thread", json!(["net", format!("127.0.0.1:{port}")])).await, json!({"value": "connect"}));
    assert_eq!(told(&running, "thread", json!(["net", format!("127.0.0.1:{other}")])).await, json!({"value": "EACCES"}));

    assert_eq!(told(&running, "spawn", "sh").await, json!({"value": 0}));
    assert_eq!(told(&running, "exec", "echo hi").await, json!({"value": "hi\n"}));
    refused(&running, "childProcesses", "execFile", "/usr/bin/id").await;
    let by_kernel = told(&running, "exec", "/usr/bin/id").await;
    assert!(by_kernel["error"].as_str().unwrap().contains("Permission denied"), "{by_kernel}");

    let status = running.plugin.status().sandbox.unwrap();
    assert_eq!((status.mode, status.held_by["files"], status.held_by["network"]), ("enforce", "kernel", "kernel"));
    let denied = |permission: &str, what: &str| {
        let status = running.plugin.status().sandbox.unwrap();
        status.denials.iter().any(|row| row.permission == permission && row.what == what)
    };
    support::until("denials are told", || denied("network", &format!("127.0.0.1:{other}")) && denied("childProcesses", "/usr/bin/id"))
        .await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_that_were_not_granted_do_not_arrive() {
    if !can_confine() {
        return;
    }
    let bench = bench(|_| {}).await;
    let running = reaches(&bench, json!({"env": ["REACHES_GRANTED"]})).await;
    let names = told(&running, "names", Value::Null).await["value"].clone();
    let names: Vec<&str> = names.as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(names.contains(&"REACHES_GRANTED") && names.contains(&"PATH"), "{names:?}");
    assert!(!names.contains(&"SOME_API_KEY") && !names.contains(&"DATABASE_URL") && !names.contains(&"NODE_OPTIONS"), "{names:?}");
    let pid = running.plugin.status().pid.unwrap();
    let whole = std::fs::read(format!("/proc/{pid}/environ")).unwrap();
    assert!(!String::from_utf8_lossy(&whole).contains(SECRET), "not even in memory that the process was given");
    // Nor can it look into the gateway, of which this test plays the part.
    refused(&running, "files.read", "read", &format!("/proc/{}/environ", std::process::id())).await;
    assert_eq!(
        told(&running, "thread", json!(["read", format!("/proc/{}/environ", std::process::id())])).await,
        json!({"value": "EACCES"})
    );
    assert_eq!(told(&running, "env", "SOME_API_KEY").await, json!({"value": null}));
    support::until("the variable is told", || {
        let status = running.plugin.status().sandbox.unwrap();
        status.denials.iter().any(|row| row.permission == "env" && row.what == "SOME_API_KEY")
    })
    .await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watched_plugin_tells_what_it_touches() {
    let bench = bench(|_| {}).await;
    let running = bench.try_start(spec(&bench, "reaches", Effective::Observe)).await.unwrap();
    let port = service().await;
    let note = bench.dir.path().join("note");
    std::fs::write(&note, "note").unwrap();
    works(&running, "read", note.to_str().unwrap()).await;
    works(&running, "fetch", &format!("http://127.0.0.1:{port}/")).await;
    works(&running, "spawn", "true").await;
    works(&running, "env", "REACHES_GRANTED").await;
    let wanted = [
        ("files.read", note.display().to_string()),
        ("network", format!("127.0.0.1:{port}")),
        ("childProcesses", "true".into()),
        ("env", "REACHES_GRANTED".into()),
    ];
    support::until("everything is told", || {
        let status = running.plugin.status().sandbox.unwrap();
        let has = |(permission, what): &(&str, String)| status.touched.iter().any(|row| row.permission == *permission && row.what == *what);
        assert_eq!(status.mode, "observe");
        wanted.iter().all(has)
    })
    .await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fixture_that_needs_nothing_starts_with_nothing() {
    if !can_confine() {
        return;
    }
    let bench = bench(|_| {}).await;
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/plugins");
    let mut started = 0;
    for entry in std::fs::read_dir(fixtures).unwrap() {
        let id = entry.unwrap().file_name().into_string().unwrap();
        // Those that fail on purpose have nothing to show here.
        if id.starts_with("fault-") {
            continue;
        }
        let open = bench.try_start(spec(&bench, &id, Effective::Open)).await.unwrap_or_else(|e| panic!("{id}: {e}"));
        let confined = bench.try_start(spec(&bench, &id, Effective::Enforce(Box::default()))).await.unwrap_or_else(|e| panic!("{id}: {e}"));
        let methods = |running: &Running| running.started.registrations.iter().map(|r| r.method.clone()).collect::<Vec<_>>();
        assert_eq!(methods(&open), methods(&confined), "{id}");
        assert_eq!(confined.plugin.status().sandbox.unwrap().denials, [], "{id}");
        open.stop().await;
        confined.stop().await;
        started += 1;
    }
    assert!(started > 10, "{started}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_confined_plugin_leaves_its_group() {
    if !can_confine() {
        return;
    }
    let bench = bench(|_| {}).await;
    let grouped = |permissions| PluginSpec { group: Some("g".into()), ..spec(&bench, "reaches", permissions) };
    let confined = bench.try_start(grouped(Effective::Enforce(Box::default()))).await.unwrap();
    let open = bench
        .try_start(PluginSpec { id: "echo-tool".into(), group: Some("g".into()), ..spec(&bench, "echo-tool", Effective::Open) })
        .await
        .unwrap();
    assert_ne!(confined.plugin.status().pid, open.plugin.status().pid);
    confined.stop().await;
    open.stop().await;
}

/// Figures for `bench/RESULTS.md`; run it alone on a quiet machine, with `--release` and `--ignored --nocapture`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures"]
async fn what_a_sandbox_costs() {
    let bench = bench(|_| {}).await;
    let listed = Permissions::read(&json!({"network": ["localhost"]})).0;
    let modes = [
        ("open", Effective::Open),
        ("observed", Effective::Observe),
        ("confined", Effective::Enforce(Box::default())),
        ("with hosts", Effective::Enforce(Box::new(listed))),
    ];
    let mut times = vec![Vec::new(); modes.len()];
    for round in 0..21 {
        for (at, (_, mode)) in modes.iter().enumerate() {
            let running = bench.try_start(spec(&bench, "hello-tool", mode.clone())).await.unwrap();
            // The first ones fill the compile caches.
            if round > 0 {
                times[at].push(running.started.duration);
            }
            running.stop().await;
        }
    }
    for (at, (name, _)) in modes.iter().enumerate() {
        times[at].sort();
        println!("{name}: median {:?}, least {:?}", times[at][10], times[at][0]);
    }
    assert!(times[2][0] < times[0][0] * 3, "a confined worker starts in about the time of an open one");
}
