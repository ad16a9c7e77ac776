//! `api.runtime` of media and the web (RT-117..128): what plugins ask of the providers of others.

use chela_capabilities::Scope;
use chela_capabilities::generation::{self, Medium};
use chela_capabilities::speech;
use chela_capabilities::understanding::{self, Sense};
use chela_capabilities::web::search;
use chela_plugin::CallError;
use serde_json::Value;

use super::{Reply, Request};

pub(super) async fn serve(request: &Request<'_>) -> Reply {
    let params = request.params.pointer("/args/0").cloned().unwrap_or_default();
    let config = params.get("cfg").or_else(|| params.get("config"));
    let mut scope = Scope::new(request.host.as_ref()).with_config(config);
    scope.agent = chela_plugin::value::text(&params, "agentId").map(str::to_string);
    match request.method {
        "host.imageGeneration.generate" => generation::generate(&scope, Medium::Image, &params).await,
        "host.videoGeneration.generate" => generation::generate(&scope, Medium::Video, &params).await,
        "host.musicGeneration.generate" => generation::generate(&scope, Medium::Music, &params).await,
        "host.imageGeneration.listProviders" => list(&scope, Medium::Image),
        "host.videoGeneration.listProviders" => list(&scope, Medium::Video),
        "host.musicGeneration.listProviders" => list(&scope, Medium::Music),
        "host.tts.textToSpeech" => Ok(speech::to_file(&scope, &params).await),
        "host.tts.textToSpeechTelephony" => Ok(speech::to_telephony(&scope, &params).await),
        "host.tts.textToSpeechStream" => Ok(stream(request, &scope, &params).await),
        "host.tts.listVoices" => speech::voices(&scope, &params).await,
        "host.mediaUnderstanding.runFile" => run_file(&scope, &params).await,
        "host.mediaUnderstanding.describeImageFile" => understanding::run_file(&scope, Sense::Image, &params).await,
        "host.mediaUnderstanding.describeVideoFile" => understanding::run_file(&scope, Sense::Video, &params).await,
        "host.mediaUnderstanding.transcribeAudioFile" => understanding::run_file(&scope, Sense::Audio, &params).await,
        "host.mediaUnderstanding.describeImageFileWithModel" => understanding::describe_with_model(&scope, &params).await,
        "host.mediaUnderstanding.extractStructuredWithModel" => understanding::extract(&scope, &params).await,
        "host.webSearch.search" => search::search(&scope, &params).await,
        "host.webSearch.listProviders" => Ok(search::list(&scope).into()),
        other => Err(CallError::NotBuilt(other.into())),
    }
}

fn list(scope: &Scope<'_>, medium: Medium) -> Reply {
    Ok(Value::Array(generation::list(scope, medium)))
}

async fn run_file(scope: &Scope<'_>, params: &Value) -> Reply {
    let word = chela_plugin::value::text(params, "capability").unwrap_or_default();
    let sense = Sense::parse(word).ok_or_else(|| {
        CallError::refused("INVALID_PARAMS", "`mediaUnderstanding.runFile` needs `capability`: `image`, `audio` or `video`")
    })?;
    understanding::run_file(scope, sense, params).await
}

/// The stream stays here; the plugin reads it piece by piece (RT-120).
async fn stream(request: &Request<'_>, scope: &Scope<'_>, params: &Value) -> Value {
    let (mut out, stream) = speech::to_stream(scope, params).await;
    if let Some(stream) = stream {
        match request.host.relays.keep(request.plugin, stream) {
            Ok(id) => out["stream"] = id.into(),
            Err(error) => return serde_json::json!({"success": false, "error": error.to_string(), "attempts": out["attempts"]}),
        }
    }
    out
}
