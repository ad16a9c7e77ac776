//! `POST /v1/embeddings`: vectors from the embedding providers of plugins (API-089, GW-F15).

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chela_host::EmbedRequest;
use hyper::StatusCode;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::openai::agent_of_model;
use crate::gateway::Gateway;
use crate::http::{HttpCall, HttpReply};

/// Most inputs of one request, and characters of one and of all: the reference's limits.
const MOST_INPUTS: usize = 128;
const MOST_CHARS: usize = 8192;
const MOST_CHARS_IN_ALL: usize = 65_536;

pub(super) async fn serve(gateway: &Arc<Gateway>, call: HttpCall) -> HttpReply {
    let refuse = |message: String| HttpReply::error(StatusCode::BAD_REQUEST, "invalid_request_error", message);
    let body: Value = match serde_json::from_slice(&call.body) {
        Ok(body) => body,
        Err(error) => return refuse(format!("Invalid JSON body: {error}")),
    };
    let Some(model) = body.get("model").and_then(Value::as_str).map(str::trim).filter(|m| !m.is_empty()) else {
        return refuse("Missing `model`.".into());
    };
    let Some(agent) = agent_of_model(gateway, model) else {
        return refuse("Invalid `model`. Use `openclaw` or `openclaw/<agentId>`.".into());
    };
    let texts = match texts(body.get("input")) {
        Ok(texts) => texts,
        Err(message) => return refuse(message),
    };
    let (provider, wanted) = match call.header("x-openclaw-model").map(str::trim).filter(|m| !m.is_empty()) {
        None => (None, None),
        Some(name) => match name.split_once('/') {
            Some((_, "")) => return refuse("Unsupported embedding model reference.".into()),
            Some((provider, model)) => (Some(provider.trim().to_lowercase()), Some(model.trim().to_string())),
            None => (None, Some(name.to_string())),
        },
    };
    let dimensions = body.get("dimensions").and_then(Value::as_f64).filter(|n| *n >= 1.0).map(|n| n as u64);
    let request = EmbedRequest { agent, exact: false, provider, model: wanted, dimensions, texts };
    let done = match gateway.host.embed(&request, &CancellationToken::new()).await {
        Ok(done) => done,
        Err(error @ chela_host::EmbedError::NotAllowed(_)) => return refuse(error.to_string()),
        // The reference says only `internal error`; which provider or setting is missing is what helps.
        Err(error) => return HttpReply::error(StatusCode::INTERNAL_SERVER_ERROR, "api_error", error.to_string()),
    };
    let packed = body.get("encoding_format").and_then(Value::as_str) == Some("base64");
    let row = |(index, vector): (usize, &Vec<f64>)| {
        let embedding = if packed { pack(vector).into() } else { json!(vector) };
        json!({"object": "embedding", "index": index, "embedding": embedding})
    };
    let data: Vec<Value> = done.vectors.iter().enumerate().map(row).collect();
    let usage = json!({"prompt_tokens": 0, "total_tokens": 0});
    HttpReply::json(StatusCode::OK, &json!({"object": "list", "data": data, "model": model, "usage": usage}))
}

fn texts(input: Option<&Value>) -> Result<Vec<String>, String> {
    let texts: Option<Vec<String>> = match input {
        Some(Value::String(one)) => Some(vec![one.clone()]),
        Some(Value::Array(all)) => all.iter().map(|t| t.as_str().map(str::to_string)).collect(),
        _ => None,
    };
    let texts = texts.ok_or("`input` must be a string or an array of strings.")?;
    let lengths: Vec<usize> = texts.iter().map(|t| t.encode_utf16().count()).collect();
    if texts.len() > MOST_INPUTS {
        return Err(format!("Too many inputs (max {MOST_INPUTS})."));
    }
    if lengths.iter().any(|n| *n > MOST_CHARS) {
        return Err(format!("Input too long (max {MOST_CHARS} chars)."));
    }
    if lengths.iter().sum::<usize>() > MOST_CHARS_IN_ALL {
        return Err(format!("Total input too large (max {MOST_CHARS_IN_ALL} chars)."));
    }
    Ok(texts)
}

/// Little-endian 32-bit floats.
fn pack(vector: &[f64]) -> String {
    let bytes: Vec<u8> = vector.iter().flat_map(|n| (*n as f32).to_le_bytes()).collect();
    STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_bounded_and_vectors_packed() {
        assert_eq!(texts(Some(&json!("a"))), Ok(vec!["a".to_string()]));
        assert_eq!(texts(Some(&json!(["a", 1]))).unwrap_err(), "`input` must be a string or an array of strings.");
        assert!(texts(Some(&json!(vec!["a"; MOST_INPUTS + 1]))).unwrap_err().starts_with("Too many inputs"));
        assert!(texts(Some(&json!("ä".repeat(MOST_CHARS + 1)))).unwrap_err().starts_with("Input too long"));
        assert!(texts(Some(&json!(vec!["a".repeat(8000); 9]))).unwrap_err().starts_with("Total input"));
        assert_eq!(pack(&[1.0, -2.0]), "AACAPwAAAMA=");
    }
}
