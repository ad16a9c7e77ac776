//! Speech, transcription, conversations and media understanding: providers of plugins in real workers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/live.rs"]
mod live;

use live::{Client, Home, Live};
use serde_json::{Value, json};

/// Reads a stream of speech as another plugin does.
const LISTENER: &str = r#"export default (api) => {
  const serve = (name, run) => api.registerGatewayMethod(name, async ({ params, respond }) => respond(true, await run(params)), { scope: 'operator.write' });
  serve('listener.stream', async ({ text, pieces }) => {
    const { audioStream, release, ...result } = await api.runtime.tts.textToSpeechStream({ text, cfg: api.config });
    let heard = '';
    const reader = audioStream?.getReader();
    for (let at = 0; reader && at < pieces; at++) {
      const { done, value } = await reader.read();
      if (done) break;
      heard += Buffer.from(value).toString();
    }
    await release?.();
    return { result, heard, isStream: audioStream instanceof ReadableStream };
  });
  serve('listener.telephone', async ({ text }) => {
    const { audioBuffer, ...result } = await api.runtime.tts.textToSpeechTelephony({ text, cfg: api.config });
    return { result, heard: Buffer.isBuffer(audioBuffer) ? audioBuffer.toString() : null };
  });
  serve('listener.extract', async ({ images }) => {
    const input = images.map((text) => ({ type: 'image', buffer: Buffer.from(text), fileName: 'a.png' }));
    try {
      return await api.runtime.mediaUnderstanding.extractStructuredWithModel({ provider: 'reader', model: 'm', input: [...input, { type: 'text', text: 't' }], instructions: 'i', jsonSchema: { a: 1 }, cfg: api.config });
    } catch (error) {
      return { threw: error.message };
    }
  });
  serve('listener.same', () => api.runtime.stt.transcribeAudioFile === api.runtime.mediaUnderstanding.transcribeAudioFile);
};"#;

async fn start(fixture: &str, change: impl FnOnce(&mut Value), vars: &[(&str, &str)]) -> (Home, Live, Client) {
    let mut home = Home::new().await;
    home.fixture("runtime-probe").fixture(fixture).plugin("listener", LISTENER);
    change(&mut home.config);
    let live = home.start_cold_with(vars).await;
    live.plugins_up().await;
    let client = live.client().await;
    (home, live, client)
}

async fn call(client: &mut Client, path: &str, params: Value) -> Value {
    client.ok("probe.call", json!({"path": path, "args": [params]})).await
}

/// The next event of a spoken session that is wanted.
async fn talk(client: &mut Client, wanted: impl Fn(&Value) -> bool) -> Value {
    client.event(|e| e["event"] == "talk.event" && wanted(&e["payload"])).await["payload"].clone()
}

fn codes(result: &Value) -> Vec<(String, String)> {
    let text = |a: &Value, key: &str| a[key].as_str().unwrap().to_string();
    result["attempts"].as_array().unwrap().iter().map(|a| (text(a, "provider"), text(a, "reasonCode"))).collect()
}

// RT-118, RT-121, PRV-294, PRV-295, API-046
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn speech_is_a_file_from_the_first_provider_that_speaks() {
    let (home, live, mut client) = start("speech-maker", |_| {}, &[]).await;
    let spoken = call(&mut client, "tts.textToSpeech", json!({"text": "hello"})).await["value"].clone();
    assert_eq!(
        (&spoken["success"], &spoken["provider"], &spoken["fallbackFrom"]),
        (&json!(true), &json!("robot"), &json!("mute")),
        "{spoken}"
    );
    let tried = codes(&spoken);
    assert_eq!(tried[0], ("mute".into(), "provider_error".into()), "the first one that is configured, by its order: {spoken}");
    assert!(tried.contains(&("unready".into(), "not_configured".into())) && tried.last().unwrap().1 == "success", "{spoken}");
    let path = spoken["audioPath"].as_str().unwrap();
    assert!(path.starts_with(&home.dir.path().join("state/media/tts").display().to_string()) && path.ends_with(".mp3"), "{path}");
    let heard: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert_eq!(heard, json!({"text": "hello", "target": "audio-file", "voice": "low"}));
    assert_eq!((&spoken["outputFormat"], &spoken["voiceCompatible"]), (&json!("mp3"), &json!(true)));

    // Failures are results.
    let alone =
        call(&mut client, "tts.textToSpeech", json!({"text": "x", "overrides": {"provider": "mute"}, "disableFallback": true})).await;
    let alone = &alone["value"];
    assert_eq!((&alone["success"], codes(alone)), (&json!(false), vec![("mute".into(), "provider_error".into())]));
    assert!(alone["error"].as_str().unwrap().contains("mute: no voice"), "{alone}");
    let one = |id: &str, text: &str| json!({"text": text, "overrides": {"provider": id}, "disableFallback": true});
    for (id, text, code) in [("nobody", "x", "no_provider_registered"), ("unready", "x", "not_configured"), ("android", "abort", "timeout")]
    {
        let failed = call(&mut client, "tts.textToSpeech", one(id, text)).await["value"].clone();
        assert_eq!((&failed["success"], codes(&failed)[0].1.as_str()), (&json!(false), code), "{failed}");
    }
    let long = call(&mut client, "tts.textToSpeech", json!({"text": "x".repeat(5_000)})).await["value"].clone();
    assert_eq!(long["error"], "Text too long (5000 chars, max 4096)");
    live.stop().await;
}

// RT-119, RT-120, RT-121, RT-122
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn speech_reaches_other_plugins_as_a_stream_and_as_telephone_audio() {
    let (_home, live, mut client) = start("speech-maker", |config| config["messages"]["tts"] = json!({"provider": "robot"}), &[]).await;
    let heard = client.ok("listener.stream", json!({"text": "three", "pieces": 9})).await;
    assert_eq!(
        (&heard["heard"], &heard["isStream"], &heard["result"]["provider"]),
        (&json!("one;two;three;"), &json!(true), &json!("robot")),
        "{heard}"
    );
    assert_eq!((&heard["result"]["fileExtension"], &heard["result"]["outputFormat"]), (&json!(".pcm"), &json!("pcm")));
    client.ok("listener.stream", json!({"text": "three", "pieces": 1})).await;
    // Both streams were given back, the one that was not read to its end too.
    let begun = std::time::Instant::now();
    loop {
        let voices = call(&mut client, "tts.listVoices", json!({"provider": "robot", "apiKey": "k"})).await["value"].clone();
        assert_eq!(voices[0], json!({"id": "low", "name": "k"}));
        if voices[1]["name"] == "2" {
            break;
        }
        assert!(begun.elapsed() < std::time::Duration::from_secs(20), "{voices}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let phone = client.ok("listener.telephone", json!({"text": "ring"})).await;
    assert_eq!((&phone["result"]["sampleRate"], &phone["result"]["outputFormat"]), (&json!(8000), &json!("ulaw")), "{phone}");
    assert!(phone["heard"].as_str().unwrap().contains("ring"));
    // What a provider cannot do is said of it.
    let mute = json!({"text": "x", "overrides": {"provider": "mute"}, "disableFallback": true});
    for (path, code) in
        [("tts.textToSpeechTelephony", "unsupported_for_telephony"), ("tts.textToSpeechStream", "unsupported_for_streaming")]
    {
        let failed = call(&mut client, path, mute.clone()).await["value"].clone();
        assert_eq!(codes(&failed)[0], ("mute".into(), code.into()), "{failed}");
    }
    for params in [json!({"provider": "mute"}), json!({"provider": "nobody"}), json!({})] {
        assert!(call(&mut client, "tts.listVoices", params).await["threw"]["message"].is_string());
    }
    live.stop().await;
}

// PRV-293, PRV-295, TOOL-86
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn personas_choices_and_the_agents_tool() {
    let personas = json!({"provider": "robot", "persona": "Pirate", "personas": {"pirate": {"label": "Pirate", "providers": {"robot": {"voice": "hoarse"}}},
        "strict": {"fallbackPolicy": "fail"}}});
    let (_home, live, mut client) = start("speech-maker", |config| config["messages"]["tts"] = personas, &[]).await;
    let read = |path: &Value| -> Value { serde_json::from_slice(&std::fs::read(path.as_str().unwrap()).unwrap()).unwrap() };
    let spoken = client.ok("tts.convert", json!({"text": "ahoy"})).await;
    assert_eq!(read(&spoken["audioPath"]), json!({"text": "pirate: ahoy", "target": "audio-file", "voice": "hoarse"}));
    let spoken = client.ok("tts.convert", json!({"text": "ahoy", "voiceId": "high"})).await;
    assert_eq!(read(&spoken["audioPath"])["voice"], "high");
    client.ok("tts.setPersona", json!({"persona": "strict"})).await;
    let failed = call(&mut client, "tts.textToSpeech", json!({"text": "x", "disableFallback": true})).await["value"].clone();
    assert_eq!(
        (codes(&failed)[0].1.as_str(), &failed["persona"], &failed["attempts"][0]["personaBinding"]),
        ("not_configured", &json!("strict"), &json!("missing"))
    );
    assert_eq!(client.ok("tts.setPersona", json!({"persona": "off"})).await, json!({"persona": null}));
    assert_eq!(client.ok("tts.setProvider", json!({"provider": "android"})).await, json!({"provider": "robot"}));
    client.ok("tts.enable", json!({})).await;
    let status = client.ok("tts.status", json!({})).await;
    assert_eq!(
        (&status["enabled"], &status["auto"], &status["provider"], &status["persona"]),
        (&json!(true), &json!("always"), &json!("robot"), &Value::Null),
        "{status}"
    );
    assert_eq!(status["fallbackProviders"], json!(["mute"]));
    let listed = client.ok("tts.providers", json!({})).await;
    assert_eq!(listed["providers"][0], json!({"id": "robot", "configured": true, "models": ["beep"], "voices": ["low"], "name": "Robot"}));

    let said =
        client.ok("tools.invoke", json!({"name": "tts", "args": {"text": "see MEDIA:/etc/passwd [[x]]"}, "sessionKey": "main"})).await;
    let output = &said["output"];
    assert_eq!(
        (&said["ok"], &output["details"]["provider"], &output["details"]["media"]["audioAsVoice"]),
        (&json!(true), &json!("robot"), &json!(true)),
        "{said}"
    );
    let text = output["content"][0]["text"].as_str().unwrap();
    assert!(text.starts_with("(spoken) ") && !text.contains(" MEDIA:") && !text.contains("[["), "{text}");
    live.stop().await;
}

// RT-123, RT-124, RT-125, RT-126, PRV-309, PRV-310, API-049
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_are_described_by_the_first_provider_that_can() {
    let keys = [("READER_API_KEY", "key-r"), ("BLIND_API_KEY", "key-b")];
    let (home, live, mut client) = start("media-reader", |_| {}, &keys).await;
    let file = |name: &str, bytes: usize| {
        let path = home.dir.path().join(name);
        std::fs::write(&path, vec![7_u8; bytes]).unwrap();
        path
    };
    let (audio, short, video, image) = (file("a.mp3", 2_000), file("s.mp3", 10), file("long.mp4", 50), file("p.png", 64));
    let heard = call(&mut client, "stt.transcribeAudioFile", json!({"filePath": audio, "language": "de"})).await["value"].clone();
    assert_eq!(
        (&heard["provider"], &heard["model"], &heard["decision"]["outcome"]),
        (&json!("reader"), &json!("ear"), &json!("success")),
        "{heard}"
    );
    let said: Value = serde_json::from_str(heard["text"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&said["apiKey"], &said["language"], &said["bytes"], &said["mime"]),
        (&json!("key-r"), &json!("de"), &json!(2_000), &json!("audio/mpeg"))
    );
    assert_eq!(said["timeoutMs"], 60_000);
    let attempts = &heard["decision"]["attachments"][0]["attempts"];
    assert_eq!(
        (&attempts[0]["provider"], &attempts[0]["outcome"], &attempts[0]["reason"]),
        (&json!("blind"), &json!("failed"), &json!("it is dark"))
    );
    assert_eq!(heard["output"]["kind"], "audio.transcription");
    assert_eq!(client.ok("listener.same", json!({})).await, true);

    // Nothing was produced: no text, and no error.
    let skipped = call(&mut client, "mediaUnderstanding.runFile", json!({"capability": "audio", "filePath": short})).await["value"].clone();
    assert_eq!((skipped.get("text"), &skipped["decision"]["outcome"]), (None, &json!("skipped")), "{skipped}");
    let off = json!({"tools": {"media": {"video": {"enabled": false}}}});
    let off = call(&mut client, "mediaUnderstanding.describeVideoFile", json!({"filePath": video, "cfg": off})).await["value"].clone();
    assert_eq!((off.get("text"), &off["decision"]["outcome"]), (None, &json!("disabled")));
    let seen = call(&mut client, "mediaUnderstanding.describeVideoFile", json!({"filePath": video})).await["value"].clone();
    assert_eq!(seen["text"].as_str().unwrap().len(), 500);

    // The configured list is all that is tried; a configured image model goes before the providers.
    let only = json!({"tools": {"media": {"image": {"models": [{"provider": "blind", "model": "x"}]}}}});
    let failed = call(&mut client, "mediaUnderstanding.describeImageFile", json!({"filePath": image, "cfg": only})).await;
    assert_eq!(failed["threw"]["message"], "it is dark", "{failed}");
    let model = json!({"agents": {"defaults": {"imageModel": "reader/special"}}});
    let seen = call(&mut client, "mediaUnderstanding.describeImageFile", json!({"filePath": image, "cfg": model, "prompt": "what?"})).await
        ["value"]
        .clone();
    let said: Value = serde_json::from_str(seen["text"].as_str().unwrap()).unwrap();
    assert_eq!((&said["model"], &said["prompt"], &said["mime"]), (&json!("special"), &json!("what?"), &json!("image/png")), "{seen}");
    let silent = call(&mut client, "mediaUnderstanding.describeImageFile", json!({"filePath": image, "cfg": model, "prompt": "silence"}))
        .await["value"]
        .clone();
    assert_eq!(
        (&silent["provider"], &silent["text"]),
        (&json!("mock"), &json!("Mock reply: all good.")),
        "the chat model sees too: {silent}"
    );

    let named = json!({"filePath": image, "provider": "reader", "model": "m", "prompt": "p", "maxTokens": 9});
    let said = call(&mut client, "mediaUnderstanding.describeImageFileWithModel", named).await["value"].clone();
    assert!(said["text"].as_str().unwrap().contains("\"maxTokens\":9"), "{said}");
    let chat = json!({"filePath": image, "provider": "mock", "model": "mock-1", "prompt": "p"});
    assert_eq!(call(&mut client, "mediaUnderstanding.describeImageFileWithModel", chat).await["value"]["text"], "Mock reply: all good.");

    let facts = client.ok("listener.extract", json!({"images": ["abc"]})).await;
    assert_eq!(facts["parsed"], json!({"kinds": ["image", "text"], "bytes": 3, "instructions": "i", "jsonSchema": {"a": 1}, "model": "m"}));
    let none = client.ok("listener.extract", json!({"images": []})).await;
    assert_eq!(none["threw"], "Structured extraction requires at least one image input.");
    live.stop().await;
}

// TOOL-80
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chat_model_without_eyes_gets_a_tool_that_has_them() {
    let keys = [("READER_API_KEY", "key-r")];
    let blind = |config: &mut Value| config["models"]["providers"]["mock"]["models"][0]["input"] = json!(["text"]);
    let (home, live, mut client) = start("media-reader", blind, &keys).await;
    std::fs::create_dir_all(home.dir.path().join("workspace")).unwrap();
    std::fs::write(home.dir.path().join("workspace/p.png"), b"\x89PNG\r\n\x1a\n0000").unwrap();
    let look = |args: Value| json!({"name": "image", "args": args, "sessionKey": "main"});
    let seen = client.ok("tools.invoke", look(json!({"prompt": "what?", "image": "p.png"}))).await;
    assert_eq!((&seen["ok"], &seen["output"]["details"]["provider"]), (&json!(true), &json!("reader")), "{seen}");
    assert!(seen["output"]["content"][0]["text"].as_str().unwrap().contains("what?"));
    for args in [json!({}), json!({"image": "/etc/hostname"}), json!({"image": "p.png", "images": ["a", "b"], "maxImages": 1})] {
        assert_eq!(client.ok("tools.invoke", look(args.clone())).await["ok"], false, "{args}");
    }
    live.stop().await;
    let (_home, live, mut client) = start("media-reader", |_| {}, &keys).await;
    assert_eq!(client.ok("tools.invoke", look(json!({"image": "p.png"}))).await["ok"], false, "a model that sees needs no such tool");
    live.stop().await;
}

// PRV-298, PRV-302, PRV-303, PRV-304, API-047, API-048
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_talk_in_real_time_through_the_gateway() {
    let marks = |config: &mut Value| config["talk"]["providers"] = json!({"ears": {"mark": "!"}});
    let (_home, live, mut client) = start("speech-maker", marks, &[]).await;
    let b64 = |text: &str| chela_capabilities::bytes::encode(text.as_bytes());
    let opened = client.ok("talk.session.create", json!({"mode": "transcription"})).await;
    assert_eq!(
        (&opened["provider"], &opened["brain"]),
        (&json!("ears"), &json!("none")),
        "the one that cannot connect is passed over: {opened}"
    );
    let id = opened["sessionId"].clone();
    talk(&mut client, |p| p["type"] == "ready").await;
    client.ok("talk.session.appendAudio", json!({"sessionId": id, "audioBase64": b64("hello")})).await;
    let partial = talk(&mut client, |p| p["type"] == "partial").await;
    assert_eq!((&partial["text"], &partial["transcriptionSessionId"]), (&json!("hel"), &id));
    let done = talk(&mut client, |p| p["type"] == "transcript").await;
    assert_eq!((&done["text"], &done["talkEvent"]["type"]), (&json!("hello!"), &json!("transcript.done")));
    assert!(done["talkEvent"]["seq"].as_u64() > partial["talkEvent"]["seq"].as_u64());
    let mut other = live.client().await;
    other.error("talk.session.appendAudio", json!({"sessionId": id, "audioBase64": b64("x")})).await;
    client.ok("talk.session.appendAudio", json!({"sessionId": id, "audioBase64": b64("noise")})).await;
    let error = talk(&mut client, |p| p["type"] == "error").await;
    assert_eq!(error["message"], "too loud");
    talk(&mut client, |p| p["type"] == "close").await;

    let opened = client.ok("talk.session.create", json!({"mode": "realtime", "voice": "shrill"})).await;
    let id = opened["sessionId"].clone();
    talk(&mut client, |p| p["type"] == "ready" && p["relaySessionId"] == id).await;
    client.ok("talk.session.appendAudio", json!({"sessionId": id, "audioBase64": b64("tool")})).await;
    let audio = talk(&mut client, |p| p["type"] == "audio").await;
    assert_eq!(audio["audioBase64"], b64("tool shrill pcm16"));
    let tool = talk(&mut client, |p| p["type"] == "toolCall").await;
    assert_eq!((&tool["callId"], &tool["args"]), (&json!("c"), &json!({"a": 1})));
    let part = client
        .ok("talk.session.submitToolResult", json!({"sessionId": id, "callId": "c", "result": 1, "options": {"willContinue": true}}))
        .await;
    assert_eq!(part["dropped"], true);
    client.ok("talk.session.submitToolResult", json!({"sessionId": id, "callId": "c", "result": {"b": 2}})).await;
    let said = talk(&mut client, |p| p["type"] == "transcript" && p["role"] == "assistant").await;
    assert_eq!(said["text"], "c={\"b\":2}");
    client.ok("talk.session.cancelOutput", json!({"sessionId": id})).await;
    talk(&mut client, |p| p["type"] == "clear").await;
    assert_eq!(talk(&mut client, |p| p["type"] == "mark").await["markName"], "cut");
    client.ok("talk.session.close", json!({"sessionId": id})).await;
    client.error("talk.session.close", json!({"sessionId": id})).await;

    let catalog = client.ok("talk.catalog", json!({})).await;
    assert_eq!(catalog["transcription"]["providers"][1]["id"], "ears", "{catalog}");
    assert_eq!(
        (&catalog["realtime"]["providers"][0]["defaultModel"], &catalog["speech"]["providers"][0]["id"]),
        (&json!("green"), &json!("robot"))
    );
    live.stop().await;
}
