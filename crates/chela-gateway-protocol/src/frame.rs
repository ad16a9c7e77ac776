//! Frames: one JSON object per text message (GW-02, GW-03).

use crate::error::ErrorShape;
use crate::schema::{Schema, check, optional, required};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

/// A request of a client (GW-03).
#[derive(Debug, Clone, PartialEq)]
pub struct RequestFrame {
    /// Chosen by the client; the response repeats it.
    pub id: String,
    /// Name of the method.
    pub method: String,
    /// Parameters; `null` when absent.
    pub params: Value,
}

/// What is wrong with the text of a frame.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FrameError {
    /// Not JSON at all, or nested too deeply.
    #[error("frame is not JSON: {0}")]
    NotJson(String),
    /// JSON, but no request (GW-07).
    #[error("invalid request frame: {problem}")]
    NotRequest {
        /// The id to answer with: the frame's own if it has a usable one, else the word `invalid`.
        id: String,
        /// What is wrong, in the words of [`crate::schema`].
        problem: String,
    },
}

const REQUEST_SCHEMA: Schema = Schema::Object(&[
    required("type", Schema::OneOf(&["req"])),
    required("id", Schema::NonEmptyStr),
    required("method", Schema::NonEmptyStr),
    optional("params", Schema::Any),
]);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StrictRequest<'a> {
    #[serde(rename = "type", borrow)]
    kind: std::borrow::Cow<'a, str>,
    id: String,
    method: String,
    #[serde(default)]
    params: Value,
}

/// Reads a request; unknown top-level keys and empty names are invalid (GW-03).
pub fn parse_request(text: &str) -> Result<RequestFrame, FrameError> {
    if let Ok(frame) = serde_json::from_str::<StrictRequest<'_>>(text)
        && frame.kind == "req"
        && !frame.id.is_empty()
        && !frame.method.is_empty()
    {
        return Ok(RequestFrame { id: frame.id, method: frame.method, params: frame.params });
    }
    let value: Value = serde_json::from_str(text).map_err(|error| FrameError::NotJson(error.to_string()))?;
    request_from_value(value)
}

// The slow way round: it finds the words for the error, and accepts what the fast way is too strict about
// (a key given twice, where the last one counts).
fn request_from_value(mut value: Value) -> Result<RequestFrame, FrameError> {
    if let Err(problem) = check(&REQUEST_SCHEMA, &value) {
        let id = match value.get("id") {
            Some(Value::String(id)) if !id.is_empty() => id.clone(),
            Some(Value::Number(id)) => id.to_string(),
            _ => "invalid".to_owned(),
        };
        return Err(FrameError::NotRequest { id, problem });
    }
    let mut take = |key: &str| match value.get_mut(key).map(Value::take) {
        Some(Value::String(text)) => text,
        _ => String::new(),
    };
    let (id, method) = (take("id"), take("method"));
    let params = value.get_mut("params").map(Value::take).unwrap_or(Value::Null);
    Ok(RequestFrame { id, method, params })
}

/// The text of a request, for clients.
pub fn encode_request(id: &str, method: &str, params: Option<&Value>) -> String {
    #[derive(Serialize)]
    struct Out<'a> {
        #[serde(rename = "type")]
        kind: &'static str,
        id: &'a str,
        method: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        params: Option<&'a Value>,
    }
    encode(&Out { kind: "req", id, method, params })
}

/// The text of a successful response. `payload` is JSON already, so that large ones are written once.
pub fn encode_ok(id: &str, payload: &RawValue) -> String {
    let mut out = String::with_capacity(payload.get().len() + id.len() + 48);
    out.push_str("{\"type\":\"res\",\"id\":");
    push_json_string(&mut out, id);
    out.push_str(",\"ok\":true,\"payload\":");
    out.push_str(payload.get());
    out.push('}');
    out
}

/// The text of a failed response.
pub fn encode_err(id: &str, error: &ErrorShape) -> String {
    #[derive(Serialize)]
    struct Out<'a> {
        #[serde(rename = "type")]
        kind: &'static str,
        id: &'a str,
        ok: bool,
        error: &'a ErrorShape,
    }
    encode(&Out { kind: "res", id, ok: false, error })
}

/// The part of an event that is the same for every client: everything but `seq`, `stateVersion` and the
/// closing brace (GW-03, GW-95).
pub fn event_head(event: &str, payload: &str) -> String {
    let mut out = String::with_capacity(payload.len() + event.len() + 64);
    out.push_str("{\"type\":\"event\",\"event\":");
    push_json_string(&mut out, event);
    out.push_str(",\"payload\":");
    out.push_str(payload);
    out
}

/// Completes an event for one client: what follows its head.
pub fn event_tail(seq: Option<u64>, state_version: Option<&str>) -> String {
    let mut out = String::with_capacity(32 + state_version.map_or(0, |version| 16 + version.len()));
    if let Some(seq) = seq {
        out.push_str(",\"seq\":");
        out.push_str(&seq.to_string());
    }
    if let Some(version) = state_version {
        out.push_str(",\"stateVersion\":");
        out.push_str(version);
    }
    out.push('}');
    out
}

fn push_json_string(out: &mut String, text: &str) {
    out.push_str(&encode(&text));
}

// Strings and derived structs of strings and JSON values always serialise.
fn encode<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;
    use proptest::prelude::*;
    use serde_json::json;

    // GW-02, GW-03
    #[test]
    fn requests_are_read_strictly() {
        let good = parse_request(r#"{"type":"req","id":"1","method":"health"}"#).unwrap();
        assert_eq!((good.id.as_str(), good.method.as_str()), ("1", "health"));
        assert_eq!(good.params, Value::Null);
        let twice = parse_request(r#"{"type":"req","id":"0","id":"2","method":"m","params":[1]}"#).unwrap();
        assert_eq!((twice.id.as_str(), &twice.params), ("2", &json!([1])));

        let cases = [
            (r#"{"type":"req","id":"1","method":"m","x":1}"#, "1", "at root: unexpected property 'x'"),
            (r#"{"type":"req","id":"1"}"#, "1", "must have required property 'method'"),
            (r#"{"type":"req","id":"1","method":""}"#, "1", "at /method: must NOT have fewer than 1 characters"),
            (r#"{"type":"req","id":"","method":"m"}"#, "invalid", "at /id: must NOT have fewer than 1 characters"),
            (r#"{"type":"req","id":7,"method":"m"}"#, "7", "at /id: must be string"),
            (r#"{"type":"res","id":"1","method":"m"}"#, "1", "at /type: must be equal to constant; at /type: must match a schema in anyOf"),
            ("[]", "invalid", "must be object"),
            ("null", "invalid", "must be object"),
        ];
        for (text, id, problem) in cases {
            assert_eq!(parse_request(text).unwrap_err(), FrameError::NotRequest { id: id.into(), problem: problem.into() }, "{text}");
        }
        for text in ["", "{", "hello", "{\"type\":\"req\"} x"] {
            assert!(matches!(parse_request(text), Err(FrameError::NotJson(_))));
        }
    }

    // GW-03, GW-04, GW-95
    #[test]
    fn responses_and_events_have_the_documented_keys() {
        let payload = RawValue::from_string("{\"a\":1}".into()).unwrap();
        let parsed: Value = serde_json::from_str(&encode_ok("i\"d", &payload)).unwrap();
        assert_eq!(parsed, json!({"type":"res","id":"i\"d","ok":true,"payload":{"a":1}}));
        let error = ErrorShape::new(ErrorCode::Unavailable, "no");
        let parsed: Value = serde_json::from_str(&encode_err("1", &error)).unwrap();
        assert_eq!(parsed, json!({"type":"res","id":"1","ok":false,"error":{"code":"UNAVAILABLE","message":"no"}}));
        let head = event_head("tick", "{\"ts\":1}");
        let cases = [
            (None, None, json!({"type":"event","event":"tick","payload":{"ts":1}})),
            (
                Some(3),
                Some("{\"presence\":1,\"health\":2}"),
                json!({"type":"event","event":"tick","payload":{"ts":1},"seq":3,"stateVersion":{"presence":1,"health":2}}),
            ),
        ];
        for (seq, version, expected) in cases {
            let parsed: Value = serde_json::from_str(&format!("{head}{}", event_tail(seq, version))).unwrap();
            assert_eq!(parsed, expected);
        }
    }

    proptest! {
        // GW-07: whatever arrives, reading it ends in a request or in one of the two errors.
        #[test]
        fn any_text_is_read_without_panic(text in ".{0,200}") {
            let _ = parse_request(&text);
        }

        #[test]
        fn json_like_text_never_yields_an_empty_name(
            kind in "(req|res|)", id in "[a-z\"\\\\]{0,3}", method in "[a-z.]{0,4}", extra in any::<bool>()
        ) {
            let mut value = json!({"type": kind, "id": id, "method": method});
            if extra { value["zzz"] = json!(1); }
            match parse_request(&value.to_string()) {
                Ok(frame) => {
                    prop_assert!(!extra && kind == "req");
                    prop_assert_eq!(frame.id, id);
                    prop_assert_eq!(frame.method, method.clone());
                    prop_assert!(!method.is_empty());
                }
                Err(FrameError::NotRequest { id, .. }) => prop_assert!(!id.is_empty()),
                Err(FrameError::NotJson(problem)) => prop_assert!(false, "{}", problem),
            }
        }

        #[test]
        fn requests_survive_the_way_through_text(id in "\\PC{1,20}", method in "[a-z.]{1,20}", number in any::<i64>()) {
            let params = json!({"n": number, "t": id});
            let frame = parse_request(&encode_request(&id, &method, Some(&params))).unwrap();
            prop_assert_eq!(frame, RequestFrame { id, method, params });
        }
    }
}
