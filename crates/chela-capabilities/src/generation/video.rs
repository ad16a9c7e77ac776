//! What providers of videos can do of a request (PRV-319..321).

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::Fitted;
use super::geometry::{self, Geometry, texts};
use crate::choice::Candidate;
use crate::host::Scope;
use crate::kind::Provider;

/// Resolutions of videos.
const LADDER: &[&str] = &["480P", "720P", "768P", "1080P"];
/// Longest look-up of what one model can do.
const LOOKUP: Duration = Duration::from_secs(5);

/// The capabilities of a provider, with what it says of this model laid over them.
pub(super) async fn capabilities(scope: &Scope<'_>, provider: &Provider, candidate: &Candidate) -> Value {
    let mut caps = provider.object.value().get("capabilities").filter(|c| c.is_object()).cloned().unwrap_or_else(|| json!({}));
    if !provider.object.has("resolveModelCapabilities") {
        return caps;
    }
    let ctx = json!({
        "provider": candidate.provider, "model": candidate.model, "cfg": scope.shown(), "agentDir": scope.agent_dir(),
        "timeoutMs": LOOKUP.as_millis() as u64,
    });
    match provider.object.ask("resolveModelCapabilities", ctx, LOOKUP, &scope.cancel).await {
        Ok(Value::Object(own)) => overlay(&mut caps, &own),
        Ok(_) => {}
        Err(error) => provider.warn("resolveModelCapabilities", &error),
    }
    caps
}

/// Members of modes are laid over one by one, and so are declared options.
fn overlay(caps: &mut Value, own: &Map<String, Value>) {
    let Some(base) = caps.as_object_mut() else { return };
    for (key, value) in own {
        let nested = matches!(key.as_str(), "generate" | "imageToVideo" | "videoToVideo" | "providerOptions");
        match (nested, base.get_mut(key), value) {
            (true, Some(known), Value::Object(members)) if known.is_object() => overlay(known, members),
            _ => drop(base.insert(key.clone(), value.clone())),
        }
    }
}

struct Inputs {
    images: usize,
    videos: usize,
    audios: usize,
}

impl Inputs {
    fn of(params: &Value) -> Self {
        let count = |key: &str| params.get(key).and_then(Value::as_array).map_or(0, Vec::len);
        Self { images: count("inputImages"), videos: count("inputVideos"), audios: count("inputAudios") }
    }

    /// The capabilities of what is asked for; `None` when the provider has no such mode.
    fn mode<'a>(&self, caps: &'a Value) -> Option<&'a Value> {
        let block = match (self.images > 0, self.videos > 0) {
            (false, false) => return Some(caps.get("generate").unwrap_or(caps)),
            (true, false) => caps.get("imageToVideo"),
            (false, true) => caps.get("videoToVideo"),
            (true, true) => caps.get("videoToVideo").filter(|m| m.get("maxInputImages").and_then(Value::as_u64).unwrap_or(0) > 0),
        };
        block.filter(|m| m.get("enabled") == Some(&Value::Bool(true)))
    }
}

/// Why the provider must not be asked: it would drop inputs, does not know an option, or makes no video that long.
pub(super) fn refusal(caps: &Value, params: &Value, name: &str, model: &str) -> Option<String> {
    let inputs = Inputs::of(params);
    let Some(mode) = inputs.mode(caps) else { return Some(format!("{name} does not take these reference inputs")) };
    let all = [
        ("image", inputs.images, "maxInputImages"),
        ("video", inputs.videos, "maxInputVideos"),
        ("audio", inputs.audios, "maxInputAudios"),
    ];
    for (word, given, key) in all.into_iter().filter(|(_, given, _)| *given > 0) {
        let by_model = mode.get(format!("{key}ByModel")).and_then(|m| m.get(model));
        let most = by_model.or_else(|| mode.get(key)).or_else(|| caps.get(key)).and_then(Value::as_u64).unwrap_or(0);
        if given as u64 > most {
            return Some(format!("{name} takes at most {most} reference {word} inputs, {given} were given"));
        }
    }
    let declared = mode.get("providerOptions").or_else(|| caps.get("providerOptions")).and_then(Value::as_object);
    if let (Some(given), Some(declared)) = (params.get("providerOptions").and_then(Value::as_object), declared)
        && let Some(why) = given.iter().find_map(|(key, value)| option_problem(declared, key, value))
    {
        return Some(format!("{name} {why}"));
    }
    let most = mode.get("maxDurationSeconds").or_else(|| caps.get("maxDurationSeconds")).and_then(Value::as_f64);
    let wanted = params.get("durationSeconds").and_then(Value::as_f64);
    match (most, wanted) {
        (Some(most), Some(wanted)) if durations(mode, model).is_empty() && wanted.round() > most => {
            Some(format!("{name} makes at most {most} s, {wanted} s were asked for"))
        }
        _ => None,
    }
}

/// PRV-320.
fn option_problem(declared: &Map<String, Value>, key: &str, value: &Value) -> Option<String> {
    let Some(kind) = declared.get(key).and_then(Value::as_str) else {
        let known: Vec<&str> = declared.keys().map(String::as_str).collect();
        return Some(format!("does not take `providerOptions.{key}` (it takes: {})", known.join(", ")));
    };
    let fits = match kind {
        "number" => value.as_f64().is_some_and(f64::is_finite),
        "boolean" => value.is_boolean(),
        _ => value.is_string(),
    };
    (!fits).then(|| format!("needs `providerOptions.{key}` to be a {kind}"))
}

fn durations(mode: &Value, model: &str) -> Vec<u64> {
    let by_model = mode.get("supportedDurationSecondsByModel").and_then(|m| m.get(model));
    let list = by_model.or_else(|| mode.get("supportedDurationSeconds")).and_then(Value::as_array);
    let mut all: Vec<u64> = list.into_iter().flatten().filter_map(Value::as_f64).filter(|n| *n >= 0.5).map(|n| n.round() as u64).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// Fits a request to what the mode has.
pub(super) fn fit(caps: &Value, params: &Value, model: &str) -> Fitted {
    let mode = Inputs::of(params).mode(caps).unwrap_or(caps);
    let yes = |key: &str| mode.get(key) == Some(&Value::Bool(true));
    let geometry = Geometry {
        sizes: texts(mode.get("sizes")),
        ratios: texts(mode.get("aspectRatios")),
        resolutions: texts(mode.get("resolutions")),
        takes_size: yes("supportsSize"),
        takes_ratio: yes("supportsAspectRatio"),
        takes_resolution: yes("supportsResolution"),
        ladder: LADDER,
    };
    let mut fitted = Fitted::default();
    geometry::fit(&geometry, params, &mut fitted);
    for (key, flag) in [("audio", "supportsAudio"), ("watermark", "supportsWatermark")] {
        match params.get(key).filter(|v| v.is_boolean()) {
            Some(value) if yes(flag) => fitted.keep(key, value.clone()),
            Some(value) => fitted.ignore(key, value.clone()),
            None => {}
        }
    }
    if let Some(wanted) = params.get("durationSeconds").and_then(Value::as_f64).filter(|n| n.is_finite()) {
        let wanted = wanted.round().max(1.0) as u64;
        let supported = durations(mode, model);
        // Of two that are equally near, the longer one.
        let applied = supported.iter().copied().rev().min_by_key(|have| have.abs_diff(wanted)).unwrap_or(wanted);
        if applied != wanted {
            let entry = json!({"requested": wanted, "applied": applied, "supportedValues": supported});
            fitted.normalization.insert("durationSeconds".into(), entry);
        }
        fitted.keep("durationSeconds", applied.into());
    }
    fitted
}
