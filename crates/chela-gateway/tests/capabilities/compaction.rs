//! Compaction: by hand, before a turn, after an overflow; by a provider or by the model; and the notes that are kept before it.

use serde_json::{Value, json};

use crate::live::{Home, text};
use crate::texts::last_body;

const KEY: &str = "agent:main:long";

fn said(home: &Home) -> String {
    last_body(home)["messages"].to_string()
}

// API-071, HOOK-065, HOOK-066, HOOK-233
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_summarises_and_the_model_steps_in_for_it() {
    let mut home = Home::with_reply("Noted.").await;
    home.fixture("compaction-provider");
    home.plugin(
        "listener",
        r"export default function register(api) {
            const fs = process.getBuiltinModule('node:fs');
            for (const hook of ['before_compaction', 'after_compaction'])
              api.on(hook, (event, ctx) => fs.appendFileSync(process.env.TEST_LOG, JSON.stringify({ hook, event, key: ctx.sessionKey }) + '\n'));
        }",
    );
    home.config["agents"]["defaults"]["compaction"] = json!({"provider": "counting", "customInstructions": "mind the roof"});
    let live = home.start().await;
    let mut client = live.client().await;
    assert_eq!(client.ok("sessions.compact", json!({"key": KEY})).await["compacted"], false);
    client.say(KEY, "the first secret").await;
    client.say(KEY, "the second secret").await;
    let done = client.ok("sessions.compact", json!({"key": KEY})).await;
    assert_eq!((&done["compacted"], &done["key"]), (&json!(true), &json!(KEY)), "{done}");
    assert_eq!(done["result"]["summary"], "counted 4, before: nothing, asked: mind the roof, strict, true");
    assert_eq!(done["result"]["details"]["summarizedBy"], "counting");
    let lines = home.until("both hooks", |lines| lines.len() == 2).await;
    assert_eq!(lines[0]["event"]["messageCount"], 4);
    assert_eq!((&lines[1]["event"]["compactedCount"], &lines[1]["key"]), (&json!(4), &json!(KEY)));

    client.say(KEY, "the third").await;
    let messages = said(&home);
    assert!(messages.contains("counted 4") && messages.contains("the third") && !messages.contains("secret"), "{messages}");
    // The transcript still has everything, and the next summary knows the one before.
    assert!(client.ok("chat.history", json!({"sessionKey": KEY})).await.to_string().contains("the first secret"));
    let again = client.ok("sessions.compact", json!({"key": KEY})).await;
    assert!(again["result"]["summary"].as_str().unwrap().starts_with("counted 2, before: counted 4"), "{again}");
    let row = client.ok("sessions.describe", json!({"key": KEY})).await;
    assert!(row.to_string().contains("\"compactionCount\":2"), "{row}");

    // What the provider cannot do, the model does, and the answer tells why.
    for (text, why) in [("break the summary", "cannot count this"), ("empty the summary", "its summary is empty")] {
        client.say(KEY, text).await;
        let done = client.ok("sessions.compact", json!({"key": KEY})).await;
        assert_eq!((&done["result"]["summary"], &done["result"]["details"]["summarizedBy"]), (&json!("Noted."), &json!("mock/mock-1")));
        assert!(done["result"]["details"]["attempts"][0].as_str().unwrap().contains(why), "{done}");
    }
    let reply = client.ok("chat.send", json!({"sessionKey": KEY, "message": "/compact look at it", "idempotencyKey": "c1"})).await;
    assert_eq!(reply["status"], "ok");
    assert!(text(&client.chat_end("c1").await["message"]).starts_with("Nothing was compacted"));
    live.stop().await;
}

/// A conversation that is too long for the window of the model.
fn small_window(home: &mut Home, tokens: u64) {
    home.config["models"]["providers"]["mock"]["models"][0]["contextWindow"] = json!(tokens);
}

// API-238
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_window_is_compacted_before_the_turn_after_notes_were_kept() {
    let mut home = Home::with_reply("Kept.").await;
    home.fixture("memory-slot").fixture("compaction-provider");
    home.config["plugins"]["slots"] = json!({"memory": "memory-slot"});
    home.config["agents"]["defaults"]["compaction"] = json!({"provider": "counting"});
    small_window(&mut home, 4000);
    home.config["plugins"]["entries"]["memory-slot"]["config"] = json!({"softThresholdTokens": 100});
    let live = home.start().await;
    let mut client = live.client().await;
    let long = "word ".repeat(560);
    client.say(KEY, &long).await;
    client.say(KEY, &long).await;
    let before = home.model.requests().len();
    client.say(KEY, &format!("and now? {}", "word ".repeat(680))).await;
    let requests = home.model.requests();
    let bodies: Vec<String> = requests[before..].iter().map(|r| r.body.to_string()).collect();
    assert_eq!(bodies.len(), 2, "{bodies:#?}");
    assert!(bodies[0].contains("Write down what must be kept.") && bodies[0].contains("memory/2026.md"), "{}", bodies[0]);
    assert!(bodies[1].contains("counted") && bodies[1].contains("and now?") && !bodies[1].contains("Write down"), "{}", bodies[1]);
    let history = client.ok("chat.history", json!({"sessionKey": KEY})).await.to_string();
    assert!(!history.contains("Write down"), "the silent round is not in the transcript");
    // It has room again: no second round.
    let before = home.model.requests().len();
    client.say(KEY, "still there?").await;
    assert_eq!(home.model.requests().len(), before + 1);
    live.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_that_says_the_conversation_is_too_long_is_asked_again() {
    use chela_models::testing::Script;
    let mut home = Home::with_reply("Better.").await;
    home.fixture("compaction-provider");
    home.config["agents"]["defaults"]["compaction"] = json!({"provider": "counting"});
    let live = home.start().await;
    let mut client = live.client().await;
    client.say(KEY, "an old story").await;
    let error = json!({"error": {"message": "This model's maximum context length is 10 tokens", "code": "context_length_exceeded"}});
    home.model.script(Script::new(400, "application/json", error.to_string()));
    let end = client.say(KEY, "and now?").await;
    assert_eq!(text(&end["message"]), "Better.", "{end}");
    let messages = said(&home);
    assert!(
        messages.contains("counted 2") && messages.matches("and now?").count() == 1 && !messages.contains("an old story"),
        "{messages}"
    );
    // The first message of a session has nothing before it that could be left out.
    home.model.script(Script::new(400, "application/json", error.to_string()));
    let end: Value = client.say("agent:main:fresh", "hello").await;
    assert_eq!(end["state"], "error", "{end}");
    live.stop().await;
}
