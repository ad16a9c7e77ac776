//! What callers say about channels: it changes where answers would go, never which session answers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/live.rs"]
mod live;

use live::{Home, TOKEN, text};
use serde_json::{Value, json};

const LOOKER: &str = "export default { id: 'looker', register(api) {
  api.registerTool((ctx) => ({
    name: 'look', description: 'tells its context', parameters: { type: 'object' },
    execute: () => ({ content: [{ type: 'text', text: JSON.stringify({
      channel: ctx.messageChannel, account: ctx.agentAccountId, delivery: ctx.deliveryContext, agent: ctx.agentId, owner: ctx.senderIsOwner,
    }) }] }),
  }), { names: ['look'] });
} };";

// GW-112
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_headers_of_a_call_reach_the_tool_and_the_turn() {
    let mut home = Home::with_reply("an answer").await;
    home.plugin_with("looker", LOOKER, json!({"contracts": {"tools": ["look"]}}));
    let provider = home.config["models"]["providers"]["mock"].clone();
    home.config["models"]["providers"]["other"] = provider;
    home.config["agents"]["list"] = json!([{"id": "main", "default": true}, {"id": "second"}]);
    let live = home.start().await;
    let auth = format!("Bearer {TOKEN}");
    let look = async |headers: &[(&str, &str)]| {
        let mut all = vec![("authorization", auth.as_str())];
        all.extend(headers);
        let (status, _, body) = live.http_with("POST", "/tools/invoke", Some(json!({"tool": "look"})), &all).await;
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(status, 200, "{body}");
        serde_json::from_str::<Value>(&text(&body["result"])).unwrap()
    };
    assert_eq!(look(&[]).await, json!({"channel": "webchat", "agent": "main", "owner": true}));
    let headers = [
        ("x-openclaw-message-channel", "Telegram"),
        ("x-openclaw-account-id", "work"),
        ("x-openclaw-message-to", "chat:7"),
        ("x-openclaw-thread-id", "42"),
        ("x-openclaw-scopes", "operator.read"),
    ];
    let delivery = json!({"channel": "telegram", "to": "chat:7", "accountId": "work", "threadId": "42"});
    let expected = json!({"channel": "telegram", "account": "work", "delivery": delivery, "agent": "main", "owner": true});
    assert_eq!(look(&headers).await, expected, "a shared secret is the owner whatever it declares");

    let mut client = live.client().await;
    for (header, value) in [("x-openclaw-agent-id", "second"), ("x-openclaw-agent", "second")] {
        let headers = [
            ("authorization", auth.as_str()),
            (header, value),
            ("x-openclaw-model", "other/mock-1"),
            ("x-openclaw-message-channel", "slack"),
        ];
        let body = json!({"model": "openclaw", "user": header, "messages": [{"role": "user", "content": "hello"}]});
        let (status, _, body) = live.http_with("POST", "/v1/chat/completions", Some(body), &headers).await;
        assert_eq!(status, 200, "{body}");
        let rows = client.ok("sessions.list", json!({})).await;
        let row = rows["sessions"].as_array().unwrap().iter().find(|row| row["key"].as_str().unwrap().ends_with(header)).unwrap().clone();
        assert!(row["key"].as_str().unwrap().starts_with("agent:second:"), "{row}");
        assert_eq!((&row["modelProvider"], &row["deliveryContext"]["channel"]), (&json!("other"), &json!("slack")), "{row}");
    }
    live.restart().await;
}

// GW-89, GW-164
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn delivery_never_chooses_the_session() {
    let home = Home::with_reply("an answer").await;
    let live = home.start_cold().await;
    let mut client = live.client().await;
    let ask = |run: &str, extra: Value| {
        let mut params = json!({"message": format!("message {run}"), "idempotencyKey": run});
        params.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        params
    };
    let refused = client.error("agent", ask("strict", json!({"deliver": true, "bestEffortDeliver": false, "channel": "telegram"}))).await;
    assert!(refused["message"].as_str().unwrap().contains("channel"), "{refused}");
    let runs = [
        ("plain", json!({})),
        ("channel", json!({"channel": "telegram", "to": "chat:7"})),
        ("reply", json!({"replyChannel": "slack", "replyTo": "room", "replyAccountId": "work", "accountId": "home"})),
        ("effort", json!({"deliver": true, "bestEffortDeliver": true, "channel": "telegram"})),
    ];
    for (run, extra) in runs {
        client.ok("agent", ask(run, extra)).await;
        let ended = client.ok("agent.wait", json!({"runId": run})).await;
        assert_eq!(ended["status"], "ok", "{run}: {ended}");
    }
    let rows = client.ok("sessions.list", json!({})).await;
    let keys: Vec<&Value> = rows["sessions"].as_array().unwrap().iter().map(|row| &row["key"]).collect();
    assert_eq!(keys, [&json!("agent:main:main")]);
    let history = client.ok("chat.history", json!({"sessionKey": "agent:main:main"})).await;
    let said: Vec<String> = history["messages"].as_array().unwrap().iter().filter(|m| m["role"] == "user").map(text).collect();
    assert_eq!(said, ["message plain", "message channel", "message reply", "message effort"]);
    live.restart().await;
}

// GW-F14
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connects_do_not_make_the_health_anew() {
    let home = Home::new().await;
    let live = home.start_cold().await;
    let begun = std::time::Instant::now();
    let mut made = std::collections::BTreeSet::new();
    for _ in 0..30 {
        let mut client = live.client().await;
        made.insert(client.ok("health", json!({})).await["ts"].as_i64().unwrap());
    }
    let most = 2 + begun.elapsed().as_secs() as usize;
    assert!(made.len() <= most, "{} snapshots for 30 connects in {:?}", made.len(), begun.elapsed());
    live.restart().await;
}

/// Endpoints and methods of later work say so, by name.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_built_is_named() {
    let home = Home::new().await;
    let live = home.start_cold().await;
    for (method, path, named) in [
        ("GET", "/__openclaw__/canvas/", "/__openclaw__/canvas"),
        ("GET", "/__openclaw__/a2ui/", "/__openclaw__/a2ui"),
        ("GET", "/__openclaw__/assistant-media/x", "/__openclaw__/assistant-media"),
        ("GET", "/avatar/main?meta=1", "/avatar"),
    ] {
        let body = (method == "POST").then(|| json!({}));
        let (status, _, answer) = live.http(method, path, body.clone()).await;
        assert!(status == 501 && answer.contains(&format!("`{named}` is not built yet")), "{path}: {status} {answer}");
        assert_eq!(live.http_with(method, path, body, &[]).await.0, 401, "{path}");
    }
    let mut client = live.client().await;
    for method in ["talk.config", "models.authStatus", "talk.mode", "cron.list", "usage.status", "skills.status"] {
        let error = client.error(method, json!({})).await;
        assert!(error["message"].as_str().unwrap().contains(method) && error["message"].as_str().unwrap().contains("not"), "{error}");
    }
    live.restart().await;
}
