//! Heartbeats that plugins ask for, and what they do.

use super::*;

// RT-111, RT-112, RT-113
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heartbeats_run_when_a_plugin_asks_for_one() {
    let (home, live, mut client) = probe(|home| home.config["agents"]["defaults"]["heartbeat"] = json!({"prompt": "Anything new?"})).await;
    assert_eq!(client.ok("last-heartbeat", json!({})).await, Value::Null);
    let done = value(&mut client, "system.runHeartbeatOnce", json!([{"reason": "test", "heartbeat": {"target": "none"}}])).await;
    assert!(done["status"] == "ran" && done["durationMs"].is_u64(), "{done}");
    assert!(home.model.last_request().body["messages"].to_string().contains("Anything new?"));
    let last = client.ok("last-heartbeat", json!({})).await;
    assert_eq!((&last["status"], &last["preview"]), (&json!("ran"), &json!("Mock reply: all good.")));
    client.ok("set-heartbeats", json!({"enabled": false})).await;
    let off = value(&mut client, "system.runHeartbeatOnce", json!([{}])).await;
    assert_eq!(off, json!({"status": "skipped", "reason": "disabled"}));
    client.ok("set-heartbeats", json!({"enabled": true})).await;
    let count = home.model.requests().len();
    assert_eq!(value(&mut client, "system.requestHeartbeatNow", json!([{"coalesceMs": 0}])).await, Value::Null);
    let refused = thrown(&mut client, "system.requestHeartbeat", json!([{"source": "other", "intent": "sometime"}])).await;
    assert!(refused["message"].as_str().unwrap().contains("`intent`"), "{refused}");
    let begun = std::time::Instant::now();
    while home.model.requests().len() == count {
        assert!(begun.elapsed().as_secs() < 30, "no heartbeat came");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    // What somebody puts in with `wake` is told in the turn that it asks for.
    client.ok("wake", json!({"text": "The parcel is here", "mode": "now"})).await;
    let told = |home: &Home| home.model.requests().iter().any(|r| r.body["messages"].to_string().contains("The parcel is here"));
    while !told(&home) {
        assert!(begun.elapsed().as_secs() < 60, "nobody was woken");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    live.stop().await;
}

/// The last message of the last request, and its system prompt.
fn asked(home: &Home) -> (String, String) {
    let body = home.model.last_request().body;
    let messages = body["messages"].as_array().unwrap();
    (messages.last().unwrap()["content"].to_string(), messages[0]["content"].to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heartbeats_do_the_tasks_that_are_due_with_a_light_context() {
    let (home, live, mut client) = probe(|home| {
        home.config["agents"]["defaults"]["heartbeat"] = json!({"lightContext": true});
        let workspace = home.dir.path().join("workspace");
        std::fs::create_dir_all(&workspace).unwrap();
        let file = "tasks:\n- name: mail\n  interval: 1h\n  prompt: Look for mail\n- name: news\n  interval: 0s\n  prompt: Read the news\n\nBe brief.\n";
        std::fs::write(workspace.join("HEARTBEAT.md"), file).unwrap();
        std::fs::write(workspace.join("AGENTS.md"), "The house rules.").unwrap();
    })
    .await;
    client.say("agent:main:main", "hello").await;
    assert!(asked(&home).1.contains("The house rules."));
    let once = json!([{"reason": "test"}]);
    assert_eq!(value(&mut client, "system.runHeartbeatOnce", once.clone()).await["status"], "ran");
    let (prompt, system) = asked(&home);
    assert!(
        prompt.contains("- mail: Look for mail") && prompt.contains("- news: Read the news") && prompt.contains("Be brief."),
        "{prompt}"
    );
    assert!(!system.contains("The house rules."), "only the file of the heartbeat is there: {system}");
    // What was done waits for its interval, also in the next process.
    assert_eq!(value(&mut client, "system.runHeartbeatOnce", once.clone()).await["status"], "ran");
    let (prompt, _) = asked(&home);
    assert!(!prompt.contains("Look for mail") && prompt.contains("Read the news"), "{prompt}");
    drop(client);
    live.stop().await;
    let file = "tasks:\n- name: mail\n  interval: 1h\n  prompt: Look for mail\n";
    std::fs::write(home.dir.path().join("workspace/HEARTBEAT.md"), file).unwrap();
    let live = home.start_cold().await;
    live.plugins_up().await;
    let mut client = live.client().await;
    let count = home.model.requests().len();
    let skipped = value(&mut client, "system.runHeartbeatOnce", once).await;
    assert_eq!(skipped, json!({"status": "skipped", "reason": "no-tasks-due"}));
    assert_eq!(home.model.requests().len(), count);
    client.say("agent:main:main", "hello again").await;
    assert!(asked(&home).1.contains("The house rules."), "other turns have all files");
    live.stop().await;
}
