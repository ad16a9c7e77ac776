//! Context engines: selected by the slot, asked around every turn, replaced by the built-in way when they fail.

use serde_json::{Value, json};

use crate::live::{Home, text};
use crate::texts::last_body;

const KEY: &str = "agent:main:book";

fn home_with(home: &mut Home, slot: &str, settings: Value) {
    home.fixture("context-engine");
    home.config["plugins"]["slots"] = json!({"contextEngine": slot});
    home.config["plugins"]["entries"]["context-engine"]["config"] = settings;
}

fn steps(lines: &[Value]) -> Vec<&str> {
    lines.iter().filter_map(|l| l["step"].as_str()).collect()
}

fn find<'a>(lines: &'a [Value], step: &str) -> &'a Value {
    lines.iter().find(|l| l["step"] == step).unwrap_or_else(|| panic!("no `{step}` in {lines:#?}"))
}

// API-223, API-224, API-225, API-228, API-230, API-232
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_selected_engine_assembles_every_turn_and_is_told_its_end() {
    let mut home = Home::new().await;
    home_with(&mut home, "notebook", json!({}));
    let live = home.start().await;
    let mut client = live.client().await;
    client.say(KEY, "one").await;
    let lines = home.until("the first end", |l| steps(l).contains(&"maintain")).await;
    assert_eq!(steps(&lines), ["made", "assemble", "ingest", "ingest", "maintain"]);
    let made = find(&lines, "made");
    assert_eq!((&made["config"], &made["agentDir"]), (&json!("object"), &json!(true)), "{made}");
    let assembled = find(&lines, "assemble");
    assert_eq!(assembled, &json!({"step": "assemble", "count": 0, "tokenBudget": 200_000, "tools": true, "model": "mock-1"}));
    client.say(KEY, "two").await;
    let body = last_body(&home);
    let messages = body["messages"].as_array().unwrap();
    assert!(messages[0]["content"].as_str().unwrap().starts_with("ADDED BY THE NOTEBOOK\n\n"), "{body}");
    let texts: Vec<String> = messages[1..].iter().map(|m| m["content"].to_string()).collect();
    assert!(texts.len() == 3 && texts[0].contains("kept of 2") && texts[1].contains("all good") && texts[2].contains("two"), "{texts:?}");
    let lines = home.until("the second end", |l| steps(l).iter().filter(|s| **s == "maintain").count() == 3).await;
    // A session that goes on is taken up first, once for each turn; the engine itself was made once.
    assert_eq!(steps(&lines)[5..], ["bootstrap", "maintain", "assemble", "ingest", "ingest", "maintain"]);
    let row = client.ok("plugins.inspect", json!({"id": "context-engine"})).await;
    assert!(row["runtime"]["recordedOnly"].as_array().is_none_or(Vec::is_empty), "{row}");
    // A turn that the engine cannot assemble goes its plain way.
    client.say(KEY, "refuse to assemble").await;
    client.say(KEY, "three").await;
    let body = last_body(&home).to_string();
    assert!(body.contains("refuse to assemble") && body.contains("\"one\"") && !body.contains("ADDED BY"), "{body}");
    live.stop().await;
    assert_eq!(home.recorded().last().unwrap(), &json!({"step": "dispose", "number": 1}));
}

// API-229, API-230, API-231, API-233, API-234, RT-069
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_engine_compacts_and_ends_with_it() {
    let mut home = Home::new().await;
    home_with(&mut home, "notebook", json!({"batch": "after", "tokens": 190_000}));
    let live = home.start().await;
    let mut client = live.client().await;
    client.say(KEY, "one").await;
    let lines = home.until("the end", |l| steps(l).contains(&"maintain")).await;
    assert_eq!(find(&lines, "afterTurn"), &json!({"step": "afterTurn", "fresh": 2, "isHeartbeat": false, "model": "mock-1"}));
    client.ok("chat.send", json!({"sessionKey": KEY, "message": "/compact the roof", "idempotencyKey": "c"})).await;
    assert_eq!(text(&client.chat_end("c").await["message"]), "Compacted: about 50 tokens became 5");
    let lines = home.recorded();
    let compact = find(&lines, "compact");
    assert_eq!(
        (&compact["customInstructions"], &compact["force"], &compact["said"]),
        (&json!("the roof"), &json!(true), &json!("Mock reply: all good."))
    );
    assert_eq!(compact["caller"], json!({"kind": "context-engine", "id": "context-engine"}));
    assert!(compact["refused"].as_str().unwrap().contains("allowModelOverride"), "{compact}");
    // Bound to the session's agent.
    assert_eq!(compact["agents"]["own"], "main");
    assert!(compact["agents"]["other"].as_str().unwrap().contains("bound to the session's agent"), "{compact}");
    assert_eq!(lines.last().unwrap(), &json!({"step": "dispose", "number": 1}));
    // A view that is too large is compacted before the model is asked, by the engine, and made anew.
    client.say(KEY, "two").await;
    client.say(KEY, "three").await;
    client.say(KEY, "four").await;
    let wanted = ["bootstrap", "maintain", "assemble", "compact", "dispose", "made", "assemble", "afterTurn", "maintain"];
    home.until("a compaction before the turn", |lines| steps(lines).windows(wanted.len()).any(|w| w == wanted)).await;
    live.stop().await;
}

// API-226, API-227
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_that_cannot_be_had_is_replaced_by_the_built_in_one() {
    for slot in ["half", "thrower", "unheard-of", "legacy"] {
        let mut home = Home::new().await;
        home_with(&mut home, slot, json!({}));
        let live = home.start().await;
        let mut client = live.client().await;
        client.say(KEY, "one").await;
        client.say(KEY, "two").await;
        let body = last_body(&home).to_string();
        assert!(body.contains("\"one\"") && !body.contains("ADDED BY"), "{slot}: {body}");
        assert!(home.recorded().is_empty(), "{slot}");
        live.stop().await;
    }
}

// API-230
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_engine_has_a_say_in_child_runs() {
    let starter = r"export default function register(api) {
        const method = (name, run) => api.registerGatewayMethod(name, async ({ respond }) => respond(true, await run()), { scope: 'operator.write' });
        const sessionKey = 'agent:main:child';
        method('child.start', () => api.runtime.subagent.run({ sessionKey, message: 'go' }).catch((error) => ({ refused: error.message })));
        method('child.delete', async () => { await api.runtime.subagent.deleteSession({ sessionKey }); return {}; });
    }";
    for fails in [false, true] {
        let mut home = Home::new().await;
        home_with(&mut home, "notebook", json!({"spawnFails": fails}));
        home.plugin("starter", starter);
        let live = home.start().await;
        let mut client = live.client().await;
        let started = client.ok("child.start", json!({})).await;
        let lines = home.recorded();
        let spawn = find(&lines, "spawn");
        assert_eq!((&spawn["childSessionKey"], &spawn["contextMode"]), (&json!("agent:main:child"), &json!("isolated")));
        if fails {
            assert!(started["refused"].as_str().unwrap().contains("no children today"), "{started}");
            assert_eq!(home.model.requests().len(), 0);
        } else {
            let lines = home.until("the end of the child", |l| steps(l).contains(&"child")).await;
            assert_eq!(find(&lines, "child")["reason"], "completed");
            client.ok("child.delete", json!({})).await;
            home.until("the child is gone", |l| l.iter().any(|l| l["step"] == "child" && l["reason"] == "deleted")).await;
        }
        live.stop().await;
    }
}
