//! `talk.catalog` and `talk.session.*`: speech in real time through the gateway (PRV-298..305).

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use chela_capabilities::realtime::{self, Talk};
use chela_capabilities::{Scope, bytes, speech};
use chela_gateway_protocol::error::{ErrorCode, ErrorShape, Reason};
use serde_json::{Value, json};

use super::Answer;
use super::params::Params;
use crate::gateway::Gateway;
use crate::talks::LONGEST;
use crate::ws::ClientInfo;

/// Largest piece of audio, as base64.
const MOST_AUDIO: usize = 512 * 1024;
/// What the conversation is told when the config says nothing.
const INSTRUCTIONS: &str = "You are the voice of a personal assistant. Answer briefly, in the language of the user.";

/// Which providers there are for speech, transcription and conversation.
pub(super) async fn catalog(gateway: &Arc<Gateway>) -> Value {
    let scope = Scope::new(gateway.host.as_ref());
    let with = |rows: Vec<Value>, mode: &str, brain: &str, relayed: bool| -> Value {
        let row = |mut row: Value| {
            row["modes"] = json!([mode]);
            row["brains"] = json!([brain]);
            if relayed {
                row["transports"] = json!(["gateway-relay"]);
            }
            row
        };
        json!({"providers": rows.into_iter().map(row).collect::<Vec<_>>()})
    };
    json!({
        "modes": ["realtime", "stt-tts", "transcription"], "transports": ["gateway-relay"], "brains": ["agent-consult", "none"],
        "speech": with(speech::providers(&scope).await, "stt-tts", "agent-consult", false),
        "transcription": with(realtime::providers(&scope, Talk::Transcription).await, "transcription", "none", true),
        "realtime": with(realtime::providers(&scope, Talk::Voice).await, "realtime", "agent-consult", true),
    })
}

fn invalid(text: impl Into<String>) -> ErrorShape {
    ErrorShape::invalid(Reason::InvalidParams, text)
}

/// Opens a session that the gateway relays.
pub(super) async fn create(gateway: &Arc<Gateway>, client: &ClientInfo, params: Value) -> Answer {
    let known = ["mode", "transport", "brain", "provider", "model", "voice", "sessionKey", "instructions"];
    let mut p = Params::new("talk.session.create", params, &known)?;
    let mode = p.optional_text("mode").unwrap_or_else(|| "realtime".into());
    let (provider, model, voice) = (p.optional_text("provider"), p.optional_text("model"), p.optional_text("voice"));
    let transport = p.optional_text("transport").unwrap_or_else(|| "gateway-relay".into());
    let brain = p.optional_text("brain");
    let talk = match mode.as_str() {
        "realtime" => Talk::Voice,
        "transcription" => Talk::Transcription,
        other => return Err(invalid(format!("talk.session.create with mode `{other}` is not built"))),
    };
    let expected = if talk == Talk::Voice { "agent-consult" } else { "none" };
    if transport != "gateway-relay" || brain.as_deref().is_some_and(|b| b != expected) {
        return Err(invalid(format!("{mode} talk.session.create requires transport=\"gateway-relay\" and brain=\"{expected}\"")));
    }
    if !gateway.talks.has_room(&client.conn_id) {
        return Err(ErrorShape::new(ErrorCode::Unavailable, "too many spoken sessions are open; close one of them"));
    }
    let scope = Scope::new(gateway.host.as_ref());
    let setting = |key: &str| scope.setting(&format!("/talk/realtime/{key}")).and_then(Value::as_str).map(str::to_string);
    let mut request = json!({});
    if talk == Talk::Voice {
        request["audioFormat"] = json!({"encoding": "pcm16", "sampleRateHz": 24_000, "channels": 1});
        request["instructions"] =
            p.optional_text("instructions").or_else(|| setting("instructions")).unwrap_or_else(|| INSTRUCTIONS.into()).into();
        for (key, value) in [("model", model.or_else(|| setting("model"))), ("voice", voice.or_else(|| setting("voice")))] {
            if let Some(value) = value {
                request[key] = value.into();
            }
        }
    }
    let opened = realtime::open(&scope, talk, provider.as_deref(), &request).await;
    let (session, events) = opened.map_err(|e| ErrorShape::new(ErrorCode::Unavailable, e.to_string()))?;
    let provider = session.provider.clone();
    let id = gateway.talks.begin(gateway.bus.clone(), &client.conn_id, talk, session, events);
    let ends = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| (now + LONGEST).as_secs());
    let mut audio = json!({"inputEncoding": "pcm16", "inputSampleRateHz": 24_000});
    if talk == Talk::Voice {
        audio["outputEncoding"] = "pcm16".into();
        audio["outputSampleRateHz"] = 24_000.into();
    }
    let key = if talk == Talk::Voice { "relaySessionId" } else { "transcriptionSessionId" };
    Ok(json!({
        "sessionId": id, key: id, "provider": provider, "mode": mode, "transport": "gateway-relay", "brain": expected, "audio": audio,
        "expiresAt": ends,
    }))
}

/// Everything that is done with an open session; only the client that opened it may.
pub(super) async fn use_session(gateway: &Arc<Gateway>, client: &ClientInfo, method: &str, params: Value) -> Answer {
    let id = chela_plugin::value::text(&params, "sessionId").unwrap_or_default();
    let Some(talk) = gateway.talks.get(id, &client.conn_id) else { return Err(ErrorShape::not_found("unknown talk session")) };
    if talk.talk == Talk::Transcription && !matches!(method, "talk.session.appendAudio" | "talk.session.close") {
        return Err(invalid(format!("{method} requires a realtime session")));
    }
    let done = match method {
        "talk.session.appendAudio" => {
            let text = params.get("audioBase64").and_then(Value::as_str).unwrap_or_default();
            let audio = (text.len() <= MOST_AUDIO).then(|| bytes::decode(text)).flatten().filter(|a| !a.is_empty());
            let Some(audio) = audio else { return Err(invalid("`audioBase64` must be audio of at most 512 KB")) };
            if let Some(at) = params.get("timestamp").and_then(Value::as_f64) {
                let _ = talk.session.call("setMediaTimestamp", vec![json!(at)]).await;
            }
            talk.session.send_audio(&audio).await
        }
        "talk.session.cancelOutput" => talk.session.call("handleBargeIn", vec![json!({"audioPlaybackActive": true})]).await.map(drop),
        "talk.session.submitToolResult" => {
            let Some(call) = chela_plugin::value::text(&params, "callId") else { return Err(invalid("`callId` is needed")) };
            let mut options = params.get("options").cloned().unwrap_or_else(|| json!({}));
            // Parts of a result mean nothing to a provider that does not take them (PRV-303).
            if options.get("willContinue") == Some(&Value::Bool(true)) && !talk.session.takes_parts {
                return Ok(json!({"ok": true, "dropped": true}));
            }
            options = if options.is_object() { options } else { json!({}) };
            let result = params.get("result").cloned().unwrap_or_default();
            talk.session.call("submitToolResult", vec![call.into(), result, options]).await.map(drop)
        }
        _ => {
            gateway.talks.close(id).await;
            Ok(())
        }
    };
    done.map_err(|e| ErrorShape::new(ErrorCode::Unavailable, e.to_string()))?;
    Ok(json!({"ok": true}))
}
