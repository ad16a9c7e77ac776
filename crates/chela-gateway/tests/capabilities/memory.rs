//! The memory slot: prompt lines, tools, corpora, artifacts, embeddings.

use serde_json::{Value, json};

use crate::live::{Client, Home, Live};
use crate::texts::last_body;

async fn tool(live: &Live, name: &str, args: Value) -> Value {
    let body = json!({"tool": name, "args": args, "sessionKey": "agent:main:notes"});
    let (status, _, answer) = live.http("POST", "/tools/invoke", Some(body)).await;
    assert_eq!(status, 200, "{answer}");
    let answer: Value = serde_json::from_str(&answer).unwrap();
    answer["result"]["details"].clone()
}

fn paths(answer: &Value) -> Vec<&str> {
    answer["results"].as_array().unwrap().iter().map(|row| row["path"].as_str().unwrap()).collect()
}

async fn both() -> (Home, Live, Client) {
    let mut home = Home::new().await;
    home.fixture("memory-slot").fixture("memory-extras");
    home.config["plugins"]["slots"] = json!({"memory": "memory-slot"});
    let live = home.start().await;
    let client = live.client().await;
    (home, live, client)
}

// API-083, API-087, API-088, API-237, API-239, MC-01, MC-03, MC-04, MC-07
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_memory_speaks_in_the_prompt_and_answers_its_tools() {
    let (home, live, mut client) = both().await;
    client.say("agent:main:notes", "hello").await;
    let body = last_body(&home);
    let system = body["messages"][0]["content"].to_string();
    let (own, added) =
        (system.find("## Notes of the fixture\\nsearch true, citations unset\\n").unwrap(), system.find("Supplement line").unwrap());
    assert!(own < added && !system.contains("42"), "{system}");
    let offered = body["tools"].to_string();
    assert!(offered.contains("memory_search") && offered.contains("memory_get"), "{offered}");

    let found = tool(&live, "memory_search", json!({"query": "roof"})).await;
    assert_eq!(paths(&found), ["memory/2026-01-01.md", "MEMORY.md"]);
    assert_eq!(found["results"][0]["snippet"], "The roof was mended.\n\nSource: memory/2026-01-01.md#L3-L4");
    assert_eq!((&found["provider"], &found["citations"], &found["debug"]["hits"]), (&json!("fixture"), &json!("auto"), &json!(2)));
    assert_eq!(paths(&tool(&live, "memory_search", json!({"query": "x", "minScore": 0.5})).await), ["memory/2026-01-01.md"]);
    assert_eq!(paths(&tool(&live, "memory_search", json!({"query": "x", "corpus": "wiki"})).await), ["wiki/roof"]);
    let all = tool(&live, "memory_search", json!({"query": "x", "corpus": "all", "maxResults": 2})).await;
    assert_eq!(paths(&all), ["memory/2026-01-01.md", "wiki/roof"]);
    let sessions = tool(&live, "memory_search", json!({"query": "x", "corpus": "sessions"})).await;
    assert_eq!(sessions["results"][0]["snippet"].as_str().unwrap().lines().next(), Some("session of main"));
    let read = tool(&live, "memory_get", json!({"path": "MEMORY.md", "from": 2})).await;
    assert_eq!(read, json!({"text": "Ann likes tea.", "path": "MEMORY.md", "from": 2, "lines": 120}));
    assert_eq!(tool(&live, "memory_get", json!({"path": "wiki/roof", "corpus": "all"})).await["text"], "Slate, 1912.");
    let none = tool(&live, "memory_get", json!({"path": "../secret"})).await;
    assert_eq!((&none["disabled"], none["error"].as_str().unwrap().contains("path required")), (&json!(true), true), "{none}");

    // What fails is an answer that the model can go on from; a worker that dies is one too, and comes back.
    let broken = tool(&live, "memory_search", json!({"query": "explode"})).await;
    assert_eq!((&broken["unavailable"], broken["error"].as_str().unwrap().contains("the index is broken")), (&json!(true), true));
    let broken = tool(&live, "memory_search", json!({"query": "explode", "corpus": "all"})).await;
    assert!(broken["warning"].as_str().unwrap().contains("no wiki today") && paths(&broken).is_empty(), "{broken}");
    assert_eq!(tool(&live, "memory_search", json!({"query": "die"})).await["unavailable"], true);
    let begun = std::time::Instant::now();
    while tool(&live, "memory_search", json!({"query": "roof"})).await["unavailable"] == true {
        assert!(begun.elapsed().as_secs() < 30, "the memory did not come back");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    live.stop().await;
}

// API-084..API-089
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_plugins_use_the_active_memory_through_the_sdk() {
    let (home, live, mut client) = both().await;
    let found = client.ok("extras.search", json!({"query": "roof"})).await;
    assert_eq!((&found["rows"][0]["path"], &found["status"]["model"]), (&json!("memory/2026-01-01.md"), &json!("array")));
    assert_eq!(client.ok("extras.artifacts", json!({})).await, json!(["a.md", "b.md"]));
    let text = "## Notes of the fixture\nsearch true, citations unset\nSupplement line of the wiki.";
    assert_eq!(client.ok("extras.addition", json!({})).await["text"], text);
    assert_eq!(client.ok("extras.corpora", json!({})).await, json!(["memory-extras"]));
    for _ in 0..2 {
        // The provider is made once and kept.
        let vector = client.ok("extras.embed", json!({"text": "four"})).await;
        assert_eq!(vector, json!({"model": "lengths", "vector": [4, 2], "made": 1}));
    }
    for id in ["memory-slot", "memory-extras"] {
        let row = client.ok("plugins.inspect", json!({"id": id})).await;
        assert!(row["runtime"]["recordedOnly"].as_array().is_none_or(Vec::is_empty), "{row}");
    }
    live.stop().await;
    drop(home);
}

// API-089, GW-F15
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embeddings_endpoint_asks_one_provider_after_the_other() {
    let mut home = Home::new().await;
    home.fixture("memory-extras");
    let live = home.start().await;
    let ask = async |live: &Live, body: Value, model: Option<&str>| {
        let token = format!("Bearer {}", crate::live::TOKEN);
        let mut headers = vec![("authorization", token.as_str())];
        headers.extend(model.map(|m| ("x-openclaw-model", m)));
        let (status, _, answer) = live.http_with("POST", "/v1/embeddings", Some(body), &headers).await;
        (status, serde_json::from_str::<Value>(&answer).unwrap_or_else(|_| Value::from(answer)))
    };
    // The first by priority has no key and hands over.
    let (status, answer) = ask(&live, json!({"model": "openclaw/default", "input": ["ab", "abcd"]}), None).await;
    assert_eq!((status, &answer["data"][1]["embedding"]), (200, &json!([4.0, 2.0])), "{answer}");
    assert_eq!((&answer["object"], &answer["model"], &answer["data"][0]["index"]), (&json!("list"), &json!("openclaw/default"), &json!(0)));
    let (_, packed) = ask(&live, json!({"model": "openclaw", "input": "a", "encoding_format": "base64", "dimensions": 1}), None).await;
    assert_eq!(packed["data"][0]["embedding"], "AACAPw==");
    for (body, model, says) in [
        (json!({"input": "a"}), None, "Missing `model`"),
        (json!({"model": "gpt", "input": "a"}), None, "Invalid `model`"),
        (json!({"model": "openclaw", "input": 3}), None, "`input` must be"),
        (json!({"model": "openclaw", "input": "a"}), Some("length-embed/lengths"), "does not allow the embedding provider `length-embed`"),
    ] {
        let (status, answer) = ask(&live, body, model).await;
        assert!(status == 400 && answer.to_string().contains(says), "{status} {answer}");
    }
    live.stop().await;
    // A provider that the config names is alone, unless the config names a fallback too.
    home.config["agents"]["defaults"]["memorySearch"] = json!({"provider": "broken-embed"});
    let live = home.start().await;
    let (status, answer) = ask(&live, json!({"model": "openclaw", "input": "a"}), None).await;
    assert!(status == 500 && answer.to_string().contains("broken-embed: set a key first (no key)"), "{status} {answer}");
    live.stop().await;
    home.config["agents"]["defaults"]["memorySearch"]["fallback"] = json!("length-embed");
    let live = home.start().await;
    assert_eq!(ask(&live, json!({"model": "openclaw", "input": "a"}), None).await.0, 200);
    live.stop().await;
}
