//! Text providers of JavaScript plugins: catalogue, credential, hooks, a turn through a loopback model server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/live.rs"]
mod live;

use chela_models::testing::Script;
use live::{Client, Home, text};
use serde_json::{Value, json};

/// A home whose default model is the plugin's.
async fn home(hooks: bool, model: &str) -> Home {
    let mut home = Home::new().await;
    home.fixture("text-provider");
    let entry = &mut home.config["plugins"]["entries"]["text-provider"];
    entry["config"] = json!({"baseUrl": home.model.openai_url(), "hooks": hooks});
    home.config["agents"]["defaults"]["model"]["primary"] = json!(model);
    home
}

async fn names(client: &mut Client) -> Vec<String> {
    let list = client.ok("models.list", json!({})).await;
    let own = list["models"].as_array().unwrap().iter().filter(|m| m["provider"] == "acme-ai");
    own.map(|m| m["id"].as_str().unwrap().to_string()).collect()
}

// PRV-23, PRV-58, PRV-59, PRV-60, PRV-06, PRV-34, PRV-89, API-041, API-042
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_turn_is_answered_through_the_provider_of_a_plugin() {
    let home = home(false, "acme-ai/acme-large").await;
    let live = home.start_cold_with(&[("ACME_AI_API_KEY", "acme-secret")]).await;
    let mut client = live.client().await;
    // The turn comes while the plugin is still starting, and waits for its catalogue.
    let end = client.say("agent:main:acme", "hello").await;
    assert_eq!((end["state"].as_str(), text(&end["message"]).as_str()), (Some("final"), "Mock reply: all good."), "{end}");
    let asked = home.model.last_request();
    assert_eq!((&asked.body["model"], asked.headers["authorization"].as_str()), (&json!("acme-large"), "Bearer acme-secret"));
    assert_eq!(names(&mut client).await, ["acme-large", "acme-small", "acme-live"]);
    let list = client.ok("models.list", json!({})).await;
    let large = list["models"].as_array().unwrap().iter().find(|m| m["id"] == "acme-large").unwrap();
    // The key by the name of its variable, the real one for discovery, mode and source of the alias.
    assert_eq!(large["name"], "Acme Large ACME_AI_API_KEY:acme-secret:api_key:env:acme-secret");
    assert_eq!((&large["reasoning"], &large["input"]), (&json!(true), &json!(["text", "image"])));
    // An alias of the provider, and a model that no list names.
    let model = json!({"sessionKey": "agent:main:alias", "message": "x", "idempotencyKey": "a1", "model": "acme/unlisted"});
    let id = client.request("agent", model).await;
    assert_eq!(client.response(&id).await["payload"]["status"], "accepted");
    assert_eq!(client.response(&id).await["payload"]["status"], "ok");
    assert_eq!(home.model.last_request().body["model"], "unlisted");
    live.stop().await;
}

// PRV-66, PRV-67
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_operator_configures_wins_over_the_catalogue() {
    let mut home = home(false, "acme-ai/acme-large").await;
    home.config["models"]["providers"]["acme-ai"] = json!({
        "baseUrl": home.model.openai_url(), "headers": {"x-own": "yes"}, "models": [{"id": "acme-large", "name": "Mine"}],
    });
    home.config["plugins"]["entries"]["text-provider"]["config"]["baseUrl"] = json!("http://127.0.0.1:1/v1");
    let live = home.start_cold_with(&[("ACME_AI_API_KEY", "acme-secret")]).await;
    let mut client = live.client().await;
    let end = client.say("agent:main:own", "hello").await;
    assert_eq!(end["state"], "final", "{end}");
    assert_eq!(home.model.last_request().headers["x-own"], "yes");
    let list = client.ok("models.list", json!({})).await;
    let own: Vec<(&Value, &Value)> =
        list["models"].as_array().unwrap().iter().filter(|m| m["provider"] == "acme-ai").map(|m| (&m["name"], &m["reasoning"])).collect();
    // The row's other fields come from the catalogue, its other models do not; live rows are only added.
    assert_eq!(own, [(&json!("Mine"), &json!(true)), (&json!("Acme Live"), &json!(false))]);
    live.stop().await;
}

// PRV-58: without a credential the catalogue says nothing, and the error says what is missing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_credential_there_are_no_models() {
    let home = home(false, "acme-ai/acme-large").await;
    let live = home.start_cold().await;
    let mut client = live.client().await;
    let end = client.say("agent:main:none", "hello").await;
    assert_eq!(end["state"], "error", "{end}");
    assert!(end["errorMessage"].as_str().unwrap().contains("there is no provider `acme-ai`"), "{end}");
    assert_eq!(names(&mut client).await, [] as [&str; 0]);
    live.stop().await;
}

// PRV-85, PRV-88, PRV-99, PRV-100, PRV-101, PRV-106, PRV-110, PRV-123
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_hooks_of_a_provider_take_part_in_its_calls() {
    let home = home(true, "acme-ai/old-large").await;
    let live = home.start_cold_with(&[("ACME_AI_API_KEY", "acme-secret")]).await;
    let mut client = live.client().await;
    let end = client.say("agent:main:hooks", "hello").await;
    assert_eq!(end["state"], "final", "{end}");
    let asked = home.model.last_request();
    assert_eq!(asked.headers["authorization"], "Bearer exchanged-acme-secret");
    assert!(!asked.headers["x-acme-turn"].is_empty());
    // `normalizeModelId`, `normalizeResolvedModel`, the compat flag, the parameters, the metadata of the turn.
    let body = &asked.body;
    assert_eq!((&body["model"], &body["max_tokens"], &body["acme"]), (&json!("acme-large"), &json!(99), &json!("acme-large")), "{body}");
    assert_eq!(body["metadata"], json!({"transport": "stream"}));

    let mut ask = async |model: &str, run: &str| {
        let params = json!({"sessionKey": format!("agent:main:{run}"), "message": "x", "idempotencyKey": run, "model": model});
        let id = client.request("agent", params).await;
        client.response(&id).await;
        client.response(&id).await["payload"].clone()
    };
    assert_eq!(ask("acme-ai/fresh", "dynamic").await["status"], "ok");
    let body = home.model.last_request().body;
    assert_eq!((&body["model"], &body["max_tokens"]), (&json!("dyn-fresh"), &json!(77)), "{body}");
    let failed = ask("acme-ai/unreachable", "lost").await;
    assert!(failed.to_string().contains("the index of models is down"), "{failed}");

    live.stop().await;
}

// PRV-115: the plugin knows its server's wording, so the failure is one of length and no other model is tried with the same text.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_plugin_recognises_an_overflow() {
    let mut home = home(true, "acme-ai/acme-large").await;
    home.config["agents"]["defaults"]["model"]["fallbacks"] = json!(["mock/mock-1"]);
    let live = home.start_cold_with(&[("ACME_AI_API_KEY", "acme-secret")]).await;
    let mut client = live.client().await;
    let refused = |text: &str| Script::new(400, "application/json", json!({"error": {"message": text}}).to_string());
    home.model.script(refused("acme: too much text"));
    let end = client.say("agent:main:long", "hello").await;
    assert_eq!(end["state"], "error", "{end}");
    assert!(end["errorMessage"].as_str().unwrap().contains("too much text"), "{end}");
    assert_eq!(home.model.requests().len(), 1);
    home.model.script(refused("acme: never heard of it"));
    assert_eq!(client.say("agent:main:other", "hello").await["state"], "final");
    assert_eq!(home.model.last_request().body["model"], "mock-1");
    live.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recorded_only_hooks_are_reported() {
    let home = home(true, "acme-ai/acme-large").await;
    let live = home.start_cold_with(&[("ACME_AI_API_KEY", "acme-secret")]).await;
    live.plugins_up().await;
    let mut client = live.client().await;
    let detail = client.ok("plugins.inspect", json!({"id": "text-provider"})).await;
    let rows = detail["runtime"]["recordedOnly"].as_array().unwrap_or_else(|| panic!("{detail}"));
    assert!(rows.contains(&json!({"method": "registerProvider.wrapStreamFn", "id": "acme-ai"})), "{rows:?}");
    live.stop().await;
}
