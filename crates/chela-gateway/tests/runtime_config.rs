//! `api.runtime.config`: writes of plugins.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/live.rs"]
mod live;

use std::os::unix::fs::PermissionsExt;

use live::{Client, Home, Live};
use serde_json::{Value, json};

async fn probe(change: impl FnOnce(&mut Home), vars: &[(&str, &str)]) -> (Home, Live, Client) {
    let mut home = Home::new().await;
    home.fixture("runtime-probe");
    change(&mut home);
    let live = home.start_cold_with(vars).await;
    live.plugins_up().await;
    let client = live.client().await;
    (home, live, client)
}

async fn call(client: &mut Client, path: &str, args: Value) -> Value {
    client.ok("probe.call", json!({"path": path, "args": args})).await
}

fn on_disk(home: &Home) -> Value {
    serde_json::from_str(&std::fs::read_to_string(home.config_path()).unwrap()).unwrap()
}

// RT-011, RT-012, RT-019, RT-021
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_config_is_replaced() {
    let (home, live, mut client) = probe(|home| home.config["ui"] = json!({"seamColor": "#112233"}), &[]).await;
    let mut next = on_disk(&home);
    next["ui"]["assistant"] = json!({"name": "Crab"});
    let done = call(&mut client, "config.replaceConfigFile", json!([{"nextConfig": next}])).await["value"].clone();
    assert_eq!(
        (&done["afterWrite"], &done["followUp"]),
        (&json!({"mode": "auto"}), &json!({"mode": "auto", "requiresRestart": false})),
        "nothing said means auto: {done}"
    );
    assert_eq!((&on_disk(&home)["ui"]["assistant"]["name"], &done["path"]), (&json!("Crab"), &json!(home.config_path())));
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&home.config_path()), 0o600);
    let state = home.config_path().parent().unwrap().to_path_buf();
    let backups = std::fs::read_dir(&state).unwrap().flatten().filter(|entry| entry.file_name().to_string_lossy().contains(".bak")).count();
    assert!(backups > 0, "the file before is kept");

    let unset = json!({"unsetPaths": [["ui", "seamColor"]], "expectedConfigPath": home.config_path()});
    call(&mut client, "config.replaceConfigFile", json!([{"nextConfig": on_disk(&home), "writeOptions": unset}])).await;
    assert_eq!(on_disk(&home)["ui"], json!({"assistant": {"name": "Crab"}}));
    for (options, needle) in [(json!({"expectedConfigPath": "/other.json"}), "/other.json"), (json!({"unsetPaths": ["ui"]}), "unsetPaths")]
    {
        let refused = call(&mut client, "config.replaceConfigFile", json!([{"nextConfig": {}, "writeOptions": options}])).await;
        assert!(refused["threw"]["message"].as_str().unwrap().contains(needle), "{refused}");
    }
    assert_eq!(on_disk(&home)["ui"], json!({"assistant": {"name": "Crab"}}));
    live.stop().await;
}

// RT-017
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_config_that_must_not_be_edited_is_not() {
    let (home, live, mut client) = probe(|_| {}, &[("OPENCLAW_NIX_MODE", "1")]).await;
    let before = std::fs::read(home.config_path()).unwrap();
    let refused = call(&mut client, "config.replaceConfigFile", json!([{"nextConfig": {"gateway": {"mode": "local"}}}])).await;
    assert!(refused["threw"]["message"].as_str().unwrap().contains("OPENCLAW_NIX_MODE"), "{refused}");
    assert_eq!(std::fs::read(home.config_path()).unwrap(), before);
    live.stop().await;
}

// RT-020
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_an_included_section_goes_into_its_file() {
    let (home, live, mut client) = probe(
        |home| {
            std::fs::create_dir_all(home.dir.path().join("state")).unwrap();
            std::fs::write(home.dir.path().join("state/ui.json"), r##"{"seamColor": "#112233"}"##).unwrap();
            home.config["ui"] = json!({"$include": "./ui.json"});
        },
        &[],
    )
    .await;
    let main = std::fs::read(home.config_path()).unwrap();
    let base = client.ok("probe.source", json!({})).await["value"].clone();
    assert_eq!(base["ui"], json!({"seamColor": "#112233"}));
    let mut next = base;
    next["ui"]["seamColor"] = "#445566".into();
    let done = call(&mut client, "config.replaceConfigFile", json!([{"nextConfig": next}])).await;
    assert!(done.get("threw").is_none(), "{done}");
    let included: Value = serde_json::from_str(&std::fs::read_to_string(home.dir.path().join("state/ui.json")).unwrap()).unwrap();
    assert_eq!((included, std::fs::read(home.config_path()).unwrap()), (json!({"seamColor": "#445566"}), main));
    live.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_old_names_work() {
    let (home, live, mut client) = probe(|_| {}, &[]).await;
    for _ in 0..2 {
        let config = call(&mut client, "config.loadConfig", json!([])).await;
        assert_eq!(config["value"]["agents"]["defaults"]["model"]["primary"], "mock/mock-1");
        let mut next = on_disk(&home);
        next["ui"] = json!({"seamColor": "#aabbcc"});
        let done = call(&mut client, "config.writeConfigFile", json!([next])).await;
        assert_eq!(done["value"]["followUp"], json!({"mode": "auto", "requiresRestart": false}), "{done}");
    }
    assert_eq!(on_disk(&home)["ui"]["seamColor"], "#aabbcc");
    live.stop().await;
}

// A plugin that hands back what it was given must not write secrets into the file, nor take any away.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn references_and_secrets_stay_as_they_are_written() {
    let (home, live, mut client) = probe(
        |home| {
            home.config["env"] = json!({"vars": {"PROBE_PREFIX": "from-env"}});
            home.config["messages"] = json!({"responsePrefix": "${PROBE_PREFIX}"});
        },
        &[],
    )
    .await;
    let auth = on_disk(&home)["gateway"]["auth"].clone();
    let mut current = call(&mut client, "config.current", json!([])).await["value"].clone();
    assert_eq!(current["messages"]["responsePrefix"], "from-env");
    assert!(auth["token"].is_string() && current["gateway"]["auth"]["token"] != auth["token"], "{auth} {current}");
    current["ui"] = json!({"seamColor": "#010203"});
    let done = call(&mut client, "config.replaceConfigFile", json!([{"nextConfig": current}])).await;
    assert!(done.get("threw").is_none(), "{done}");
    let after = on_disk(&home);
    assert_eq!((&after["messages"]["responsePrefix"], &after["gateway"]["auth"]), (&json!("${PROBE_PREFIX}"), &auth));
    assert_eq!(after["ui"]["seamColor"], "#010203");
    live.stop().await;
}
