//! What providers of images and music can do of a request (PRV-317, PRV-318, PRV-322).

use serde_json::{Value, json};

use super::Fitted;
use super::geometry::{self, Geometry, texts};

/// Resolutions of pictures.
const LADDER: &[&str] = &["1K", "2K", "4K"];

fn yes(caps: &Value, key: &str) -> bool {
    caps.get(key) == Some(&Value::Bool(true))
}

fn count(params: &Value, key: &str) -> usize {
    params.get(key).and_then(Value::as_array).map_or(0, Vec::len)
}

/// A picture, or a change of pictures.
pub(super) fn image(provider: &Value, params: &Value) -> Fitted {
    let caps = provider.get("capabilities").cloned().unwrap_or_default();
    let mode = caps.get(if count(params, "inputImages") > 0 { "edit" } else { "generate" }).cloned().unwrap_or_default();
    let list = |key: &str| texts(caps.pointer(&format!("/geometry/{key}")));
    let geometry = Geometry {
        sizes: list("sizes"),
        ratios: list("aspectRatios"),
        resolutions: list("resolutions"),
        takes_size: yes(&mode, "supportsSize"),
        takes_ratio: yes(&mode, "supportsAspectRatio"),
        takes_resolution: yes(&mode, "supportsResolution"),
        ladder: LADDER,
    };
    let mut fitted = Fitted::default();
    geometry::fit(&geometry, params, &mut fitted);
    for (key, list) in [("quality", "qualities"), ("outputFormat", "formats"), ("background", "backgrounds")] {
        let Some(wanted) = params.get(key).and_then(Value::as_str) else { continue };
        if texts(caps.pointer(&format!("/output/{list}"))).contains(&wanted) {
            fitted.keep(key, wanted.into());
        } else {
            fitted.ignore(key, wanted.into());
        }
    }
    fitted
}

/// A piece of music.
pub(super) fn music(provider: &Value, params: &Value, model: &str) -> Fitted {
    let caps = provider.get("capabilities").cloned().unwrap_or_default();
    let mode = caps.get(if count(params, "inputImages") > 0 { "edit" } else { "generate" }).unwrap_or(&caps).clone();
    let mut fitted = Fitted::default();
    for (key, flag) in [("lyrics", "supportsLyrics"), ("instrumental", "supportsInstrumental")] {
        match params.get(key).filter(|v| v.is_boolean() || v.as_str().is_some_and(|t| !t.trim().is_empty())) {
            Some(value) if yes(&mode, flag) => fitted.keep(key, value.clone()),
            Some(value) => fitted.ignore(key, value.clone()),
            None => {}
        }
    }
    if let Some(wanted) = params.get("durationSeconds").and_then(Value::as_f64).filter(|n| n.is_finite()) {
        if yes(&mode, "supportsDuration") {
            let most = mode.get("maxDurationSeconds").and_then(Value::as_f64).filter(|n| *n > 0.0).unwrap_or(f64::INFINITY);
            let applied = wanted.round().max(1.0).min(most.round().max(1.0));
            if (applied - wanted).abs() > f64::EPSILON {
                fitted
                    .normalization
                    .insert("durationSeconds".into(), json!({"requested": params["durationSeconds"], "applied": applied as u64}));
            }
            fitted.keep("durationSeconds", json!(applied as u64));
        } else {
            fitted.ignore("durationSeconds", params["durationSeconds"].clone());
        }
    }
    if let Some(wanted) = params.get("format").and_then(Value::as_str) {
        let by_model = mode.get("supportedFormatsByModel").and_then(|m| m.get(model));
        let formats = texts(by_model.or_else(|| mode.get("supportedFormats")));
        if yes(&mode, "supportsFormat") && (formats.is_empty() || formats.contains(&wanted)) {
            fitted.keep("format", wanted.into());
        } else {
            fitted.ignore("format", wanted.into());
        }
    }
    fitted
}
