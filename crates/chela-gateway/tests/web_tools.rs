//! Search and fetch: providers of plugins in real workers, asked by another plugin and by the agent's tools.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/live.rs"]
mod live;

use live::{Client, Home, Live};
use serde_json::{Value, json};

async fn start(change: impl FnOnce(&mut Value), vars: &[(&str, &str)]) -> (Home, Live, Client) {
    let mut home = Home::new().await;
    home.fixture("runtime-probe").fixture("web-finder");
    change(&mut home.config);
    let live = home.start_cold_with(vars).await;
    live.plugins_up().await;
    let client = live.client().await;
    (home, live, client)
}

async fn search(client: &mut Client, params: Value) -> Value {
    client.ok("probe.call", json!({"path": "webSearch.search", "args": [params]})).await
}

async fn tool(client: &mut Client, name: &str, args: Value) -> Value {
    client.ok("tools.invoke", json!({"name": name, "args": args, "sessionKey": "main"})).await
}

// RT-128, PRV-323, PRV-325, PRV-327, TOOL-48, TOOL-49, API-054
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_provider_with_a_key_searches_and_the_next_one_when_it_fails() {
    let (_home, live, mut client) =
        start(|config| config["tools"]["web"]["search"] = json!({"maxResults": 3}), &[("FINDER_KEYED_KEY", "k")]).await;
    let found = search(&mut client, json!({"args": {"query": "crabs", "count": 2}})).await["value"].clone();
    assert_eq!(found["provider"], "finder-keyed");
    assert_eq!(found["result"], json!({"results": [{"title": "crabs", "count": 2}], "maxResults": 3, "abortable": true}));
    for query in ["no key", "break"] {
        let found = search(&mut client, json!({"args": {"query": query}})).await["value"].clone();
        assert_eq!((&found["provider"], &found["result"]["results"][0]), (&json!("finder-free"), &json!(format!("free {query}"))));
    }
    // Chosen by the caller or the config: its word is final.
    let failed = search(&mut client, json!({"providerId": "finder-keyed", "args": {"query": "break"}})).await;
    assert_eq!(failed["threw"]["message"], "the index burned");
    let told = search(&mut client, json!({"providerId": "finder-keyed", "args": {"query": "no key"}})).await;
    assert_eq!(told["value"]["result"]["error"], "missing_finder_keyed_api_key");
    let chosen = json!({"tools": {"web": {"search": {"provider": "Finder-Keyed"}}}});
    let failed = search(&mut client, json!({"config": chosen, "args": {"query": "break"}})).await;
    assert_eq!(failed["threw"]["message"], "the index burned");
    let unknown = search(&mut client, json!({"providerId": "nobody", "args": {"query": "x"}})).await;
    assert_eq!(unknown["threw"]["message"], "Unknown web_search provider \"nobody\"");
    let off = json!({"tools": {"web": {"search": {"enabled": false}}}});
    let refused = search(&mut client, json!({"config": off, "args": {"query": "x"}})).await;
    assert_eq!(refused["threw"]["message"], "web_search is disabled or no provider is available");

    let listed = client.ok("probe.call", json!({"path": "webSearch.listProviders", "args": []})).await["value"].clone();
    let ids: Vec<_> = listed.as_array().unwrap().iter().map(|p| (p["id"].clone(), p["pluginId"].clone())).collect();
    assert_eq!(ids, [(json!("finder-keyed"), json!("web-finder")), (json!("finder-free"), json!("web-finder"))]);
    live.stop().await;
}

// PRV-325
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_key_the_free_one_searches_and_the_agent_gets_the_payload() {
    let (_home, live, mut client) = start(|_| {}, &[]).await;
    let found = tool(&mut client, "web_search", json!({"query": "crabs"})).await;
    assert_eq!(found["output"]["details"], json!({"results": ["free crabs"], "provider": "finder-free"}), "{found}");
    let shown: Value = serde_json::from_str(found["output"]["content"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(shown, found["output"]["details"]);
    let missing = tool(&mut client, "web_search", json!({"query": " "})).await;
    assert_eq!(missing["error"]["message"], "query required");
    // A key in the plugin's own config counts, and a worker that dies is only a failed attempt.
    let config = json!({"plugins": {"entries": {"web-finder": {"config": {"finder-keyed": "k"}}}}});
    let found = search(&mut client, json!({"config": config, "args": {"query": "crabs"}})).await["value"].clone();
    assert_eq!(found["provider"], "finder-keyed");
    let off = json!({"plugins": {"entries": {"web-finder": {"config": {"finder-keyed": "k", "off": "finder-keyed"}}}}});
    let found = search(&mut client, json!({"config": off, "args": {"query": "crabs"}})).await["value"].clone();
    assert_eq!(found["provider"], "finder-free");
    live.stop().await;
}

// TOOL-51, PRV-329, API-053
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_that_cannot_be_read_here_come_from_a_provider_and_blocked_ones_from_nobody() {
    let (_home, live, mut client) = start(|config| config["tools"]["web"]["fetch"] = json!({"timeoutSeconds": 7}), &[]).await;
    let page = tool(&mut client, "web_fetch", json!({"url": "https://nowhere.invalid/a", "extractMode": "text", "maxChars": 2_000})).await;
    let details = &page["output"]["details"];
    assert_eq!(page["ok"], true, "{page}");
    assert_eq!((&details["extractor"], &details["externalContent"]["provider"]), (&json!("reader"), &json!("reader")));
    assert_eq!(
        (&details["finalUrl"], &details["extractMode"]),
        (&json!("https://nowhere.invalid/a"), &json!("text")),
        "no script as an address"
    );
    let text = details["text"].as_str().unwrap();
    assert!(text.contains("read https://nowhere.invalid/a as text, 2000, 7") && text.contains("<<<EXTERNAL_UNTRUSTED_CONTENT"), "{text}");
    assert!(details["title"].as_str().unwrap().contains("A page"));
    let again = tool(&mut client, "web_fetch", json!({"url": "https://nowhere.invalid/a", "extractMode": "text", "maxChars": 2_000})).await;
    assert_eq!(again["output"]["details"]["cached"], true);

    for url in ["http://127.0.0.1:1/x", "http://[::1]/x", "http://169.254.169.254/latest/meta-data", "http://0x7f.1/"] {
        let blocked = tool(&mut client, "web_fetch", json!({"url": url})).await;
        assert!(blocked["error"]["message"].as_str().unwrap().contains("is blocked"), "{url}: {blocked}");
    }
    let bad = tool(&mut client, "web_fetch", json!({"url": "file:///etc/passwd"})).await;
    assert_eq!(bad["error"]["message"], "Invalid URL: must be http or https");
    let broken = tool(&mut client, "web_fetch", json!({"url": "https://nowhere.invalid/broken"})).await;
    assert!(broken["error"]["message"].as_str().unwrap().starts_with("Web fetch failed: "), "{broken}");
    live.stop().await;
}
