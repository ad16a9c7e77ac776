//! Pictures, videos and music: providers of plugins in real workers, asked by another plugin, by the agent's tools and by clients.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/live.rs"]
mod live;

use live::{Client, Home, Live};
use serde_json::{Value, json};

/// A provider that always works, in a worker of its own.
const SPARE: &str = r#"export default (api) => {
  const provider = { id: 'spare', defaultModel: 'plain', models: ['plain'], capabilities: { generate: {}, edit: { enabled: false } }, isConfigured: () => true };
  const asset = { buffer: Buffer.from([1, 2, 3]), mimeType: 'image/png' };
  api.registerImageGenerationProvider({ ...provider, generateImage: async () => ({ images: [asset], model: 'plain-2' }) });
  api.registerModelCatalogProvider({ provider: 'spare', kinds: ['image_generation'], liveCatalog: async ({ config }) =>
    config ? [{ kind: 'image_generation', model: 'fresh' }, { model: 'plain', label: 'Plain, live' }, { kind: 'text', model: 'chat' }] : [] });
  api.registerVideoGenerationProvider({ ...provider, generateVideo: async () => ({ videos: [asset] }) });
};"#;

async fn start(change: impl FnOnce(&mut Value)) -> (Home, Live, Client) {
    let mut home = Home::new().await;
    home.fixture("runtime-probe").fixture("media-maker").plugin("spare-maker", SPARE);
    change(&mut home.config);
    let live = home.start().await;
    let client = live.client().await;
    (home, live, client)
}

/// Waits until the model was told a text, and gives the whole request.
async fn told(home: &Home, text: &str) -> String {
    let begun = std::time::Instant::now();
    loop {
        if let Some(body) = home.model.requests().iter().map(|r| r.body.to_string()).find(|body| body.contains(text)) {
            return body[body.find(text).unwrap()..].to_string();
        }
        assert!(begun.elapsed() < std::time::Duration::from_secs(30), "{text}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// Calls a member of `api.runtime` from a plugin that brings no provider.
async fn call(client: &mut Client, path: &str, params: Value) -> Value {
    client.ok("probe.call", json!({"path": path, "args": [params]})).await
}

// RT-127, PRV-313, PRV-314, PRV-316, API-050, TOOL-85
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pictures_come_from_the_first_model_that_works_and_all_attempts_are_told() {
    let models = json!({"primary": "maker/throws", "fallbacks": ["maker/empty", "nobody/x", "maker/dies", "plain"]});
    let (_home, live, mut client) = start(|config| config["agents"]["defaults"]["imageGenerationModel"] = models).await;
    let made = call(&mut client, "imageGeneration.generate", json!({"prompt": "a crab"})).await["value"].clone();
    assert_eq!((&made["provider"], &made["model"]), (&json!("spare"), &json!("plain-2")), "{made}");
    let attempts = made["attempts"].as_array().unwrap();
    let tried: Vec<&str> = attempts.iter().map(|a| a["model"].as_str().unwrap()).collect();
    assert_eq!(tried, ["throws", "empty", "x", "dies"]);
    assert_eq!((&attempts[0]["error"], &attempts[0]["code"]), (&json!("the brush broke"), &json!("BRUSH")));
    assert!(attempts[1]["error"].as_str().unwrap().contains("returned no images"), "{made}");
    assert_eq!(attempts[2]["error"], "No image-generation provider registered for nobody");
    assert_eq!(attempts[3]["code"], "GONE", "a worker that dies is one attempt: {made}");

    // A choice of the caller stands alone.
    let failed = call(&mut client, "imageGeneration.generate", json!({"prompt": "a crab", "modelOverride": "maker/throws"})).await;
    assert_eq!((&failed["threw"]["message"], &failed["threw"]["code"]), (&json!("the brush broke"), &json!("BRUSH")), "{failed}");
    let none = call(&mut client, "imageGeneration.generate", json!({"modelOverride": "maker/draft"})).await;
    assert_eq!(none["threw"]["code"], "INVALID_PARAMS");
    live.stop().await;
}

// RT-127, PRV-317, PRV-318, PRV-33
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_fitted_to_what_the_provider_can_do() {
    let (_home, live, mut client) = start(|_| {}).await;
    let request = json!({"prompt": "a crab", "aspectRatio": "2:1", "resolution": "2K", "quality": "low", "outputFormat": "png", "count": 2,
        "modelOverride": "only-maker"});
    let made = call(&mut client, "imageGeneration.generate", request).await["value"].clone();
    let seen = &made["metadata"]["seen"];
    assert_eq!((&seen["size"], &seen["resolution"], &seen["outputFormat"]), (&json!("1024x512"), &json!("1K"), &json!("png")), "{made}");
    assert_eq!((&seen["provider"], &seen["model"], &seen["count"]), (&json!("maker"), &json!("only-maker"), &json!(2)));
    assert_eq!((&seen["hasConfig"], &seen["hasAgentDir"], &seen["aspectRatio"]), (&json!(true), &json!(true), &Value::Null));
    assert_eq!(made["metadata"]["own"], "Maker", "the provider's own `this` is kept");
    assert_eq!(made["ignoredOverrides"], json!([{"key": "quality", "value": "low"}]));
    assert_eq!(made["normalization"]["size"], json!({"applied": "1024x512", "derivedFrom": "aspectRatio"}));
    assert_eq!(made["normalization"]["resolution"], json!({"requested": "2K", "applied": "1K"}));
    assert_eq!((&made["metadata"]["normalizedSize"], &made["metadata"]["requestedResolution"]), (&json!("1024x512"), &json!("2K")));
    assert_eq!(made["images"].as_array().unwrap().len(), 2);

    // Nothing configured: the default model of a provider that says it is ready, by id; a config that the caller brings counts.
    let made = call(&mut client, "imageGeneration.generate", json!({"prompt": "x"})).await["value"].clone();
    assert_eq!((&made["provider"], &made["model"]), (&json!("maker"), &json!("draft")), "{made}");
    let without = json!({"tools": {"mediaMakerOff": true}});
    let made = call(&mut client, "imageGeneration.generate", json!({"prompt": "x", "cfg": without})).await["value"].clone();
    assert_eq!(made["provider"], "spare");

    let listed = call(&mut client, "imageGeneration.listProviders", json!({})).await["value"].clone();
    let ids: Vec<&Value> = listed.as_array().unwrap().iter().map(|p| &p["id"]).collect();
    assert_eq!((ids, &listed[0]["pluginId"]), (vec![&json!("maker"), &json!("spare")], &json!("media-maker")));
    live.stop().await;
}

// RT-127, PRV-317, PRV-319, PRV-320, PRV-322, API-051, API-052
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn videos_and_music_follow_the_same_rules() {
    let (_home, live, mut client) = start(|_| {}).await;
    let request = json!({"prompt": "waves", "size": "1920x1080", "durationSeconds": 6, "audio": true, "watermark": false,
        "providerOptions": {"seed": 7}});
    let made = call(&mut client, "videoGeneration.generate", request).await["value"].clone();
    let seen = &made["metadata"]["seen"];
    assert_eq!((&seen["aspectRatio"], &seen["durationSeconds"], &seen["audio"]), (&json!("16:9"), &json!(8), &json!(true)), "{made}");
    assert_eq!(made["ignoredOverrides"], json!([{"key": "watermark", "value": false}]));
    assert_eq!(made["normalization"]["durationSeconds"], json!({"requested": 6, "applied": 8, "supportedValues": [4, 8]}));
    assert_eq!(made["metadata"]["aspectRatioDerivedFromSize"], "16:9");
    let by_address = call(&mut client, "videoGeneration.generate", json!({"prompt": "by address"})).await["value"].clone();
    assert_eq!(by_address["videos"][0]["url"], "https://example.org/film.mp4");

    // What would drop an input or an option is not asked; an asset without content is a failure. The next one is tried.
    for request in [
        json!({"prompt": "x", "inputVideos": [{"url": "https://example.org/a.mp4"}], "modelOverride": "maker/draft"}),
        json!({"prompt": "x", "providerOptions": {"other": 1}, "modelOverride": "maker/draft"}),
        json!({"prompt": "x", "providerOptions": {"seed": "text"}, "modelOverride": "maker/draft"}),
        json!({"prompt": "nothing in it", "modelOverride": "maker/draft"}),
    ] {
        let failed = call(&mut client, "videoGeneration.generate", request.clone()).await;
        assert!(failed["threw"]["message"].is_string(), "{request}: {failed}");
    }
    let made = call(&mut client, "videoGeneration.generate", json!({"prompt": "nothing in it"})).await["value"].clone();
    assert_eq!((&made["provider"], made["attempts"].as_array().unwrap().len()), (&json!("spare"), 1));
    // What the provider says of one model is laid over what it says in general.
    let own = json!({"prompt": "x", "aspectRatio": "1:1", "modelOverride": "only-maker"});
    let made = call(&mut client, "videoGeneration.generate", own).await["value"].clone();
    assert_eq!(made["ignoredOverrides"], json!([{"key": "aspectRatio", "value": "1:1"}]));

    let request = json!({"prompt": "a song", "lyrics": "la", "instrumental": true, "durationSeconds": 90, "format": "wav"});
    let made = call(&mut client, "musicGeneration.generate", request).await["value"].clone();
    let seen = &made["metadata"]["seen"];
    assert_eq!((&seen["lyrics"], &seen["durationSeconds"], &seen["instrumental"]), (&json!("la"), &json!(30), &Value::Null), "{made}");
    assert_eq!(made["ignoredOverrides"], json!([{"key": "instrumental", "value": true}, {"key": "format", "value": "wav"}]));
    assert_eq!(made["lyrics"], json!(["la la"]));
    let nothing = json!({"prompt": "x", "modelOverride": "maker/throws"});
    assert_eq!(call(&mut client, "musicGeneration.generate", nothing).await["threw"]["message"], "the brush broke");
    live.stop().await;
}

// TOOL-25, TOOL-27, TOOL-81, TOOL-85, API-042, PRV-33, PRV-35
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_agent_makes_pictures_and_gets_files() {
    let (home, live, mut client) = start(|_| {}).await;
    let invoke = |args: Value| json!({"name": "image_generate", "args": args, "sessionKey": "main"});
    let made =
        client.ok("tools.invoke", invoke(json!({"prompt": "a crab", "aspect_ratio": "1:1", "filename": "crab", "quality": "low"}))).await;
    assert_eq!(made["ok"], true, "{made}");
    let details = &made["output"]["details"];
    let path = details["paths"][0].as_str().unwrap();
    assert!(path.starts_with(&home.dir.path().join("state/media/tool-image-generation/crab---").display().to_string()), "{path}");
    assert_eq!(&std::fs::read(path).unwrap()[..8], b"\x89PNG\r\n\x1a\n");
    let text = made["output"]["content"][0]["text"].as_str().unwrap();
    assert!(text.starts_with("Generated 1 image with maker/draft.\nWarning: "), "{text}");
    assert!(text.ends_with(&format!("MEDIA:{path}")) && text.contains("quality=low"), "{text}");

    // The picture that was just made is changed; one outside of workspace and media is refused.
    let again = client.ok("tools.invoke", invoke(json!({"prompt": "blue", "image": format!("MEDIA:{path}")}))).await;
    assert_eq!(again["output"]["details"]["metadata"]["seen"]["inputImages"][0]["mimeType"], "image/png", "{again}");
    let outside = client.ok("tools.invoke", invoke(json!({"prompt": "blue", "image": "/etc/hostname"}))).await;
    assert_eq!((&outside["ok"], &outside["error"]["code"]), (&json!(false), &json!("tool_error")), "{outside}");
    let bad = client.ok("tools.invoke", invoke(json!({"prompt": "x", "count": 9}))).await;
    assert_eq!(bad["error"]["message"], "count must be between 1 and 4");

    let listed = client.ok("tools.invoke", invoke(json!({"action": "list"}))).await;
    let rows = listed["output"]["details"]["providers"].as_array().unwrap();
    assert_eq!((rows[0]["id"].as_str(), &rows[0]["configured"], &rows[1]["id"]), (Some("maker"), &json!(true), &json!("spare")));
    // Rows of catalogues: those made at registration, and those that a plugin asks its vendor for.
    let models = listed["output"]["details"]["models"].as_array().unwrap();
    let of = |model: &str| models.iter().find(|row| row["model"] == model).cloned().unwrap_or_default();
    assert_eq!((&of("draft")["source"], &of("draft")["default"], &of("draft")["label"]), (&json!("static"), &json!(true), &json!("Maker")));
    assert_eq!(
        (&of("fresh")["source"], &of("fresh")["kind"], &of("fresh")["provider"]),
        (&json!("live"), &json!("image_generation"), &json!("spare"))
    );
    assert_eq!((&of("plain")["source"], &of("plain")["label"]), (&json!("live"), &json!("Plain, live")));
    live.stop().await;
}

// TOOL-84
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn music_and_videos_are_made_beside_the_turn_and_wake_the_session() {
    let (home, live, mut client) = start(|_| {}).await;
    let invoke = |name: &str, args: Value| json!({"name": name, "args": args, "sessionKey": "agent:main:main"});
    let begun =
        client.ok("tools.invoke", invoke("music_generate", json!({"prompt": "a song", "format": "mp3", "duration_seconds": "99"}))).await;
    let details = &begun["output"]["details"];
    assert_eq!((&begun["ok"], &details["status"], &details["active"]), (&json!(true), &json!("started"), &json!(true)), "{begun}");
    let task = details["taskId"].as_str().unwrap().to_string();
    let told = told(&home, &format!("Background task {task} of music_generate has ended")).await;
    let path = told.split("MEDIA:").nth(1).unwrap().split(['\n', '"', '\\']).next().unwrap().to_string();
    assert!(path.contains("/state/media/tool-music-generation/") && path.ends_with(".mp3"), "{path}");
    assert_eq!(std::fs::read(&path).unwrap(), b"ID3 song");

    // One that hangs is found by its session, and no second one is begun.
    let hangs = json!({"prompt": "waves", "model": "maker/hangs"});
    let begun = client.ok("tools.invoke", invoke("video_generate", hangs.clone())).await;
    let status = client.ok("tools.invoke", invoke("video_generate", json!({"action": "status"}))).await;
    assert_eq!(status["output"]["details"]["taskId"], begun["output"]["details"]["taskId"], "{status}");
    let again = client.ok("tools.invoke", invoke("video_generate", hangs)).await;
    assert_eq!(again["output"]["details"]["taskId"], begun["output"]["details"]["taskId"], "{again}");
    let other = client.ok("tools.invoke", invoke("music_generate", json!({"action": "status"}))).await;
    assert_eq!(other["output"]["details"]["active"], false);
    let listed = client.ok("tools.invoke", invoke("video_generate", json!({"action": "list"}))).await;
    assert_eq!(listed["output"]["details"]["providers"][0]["id"], "maker");
    live.stop().await;
}

// API-106
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_provider_there_is_no_tool() {
    let home = Home::new().await;
    let live = home.start().await;
    let mut client = live.client().await;
    let catalog = client.ok("tools.catalog", json!({})).await.to_string();
    assert!(!catalog.contains("image_generate"), "{catalog}");
    live.stop().await;
}
