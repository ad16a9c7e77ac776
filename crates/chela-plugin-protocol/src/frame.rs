//! The frames of `PROTOCOL.md` and their JSON.

use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::codec::{CodecError, with_length};

/// First frame of each side.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Hello {
    /// Always [`crate::PROTOCOL_NAME`].
    pub protocol: String,
    /// `major.minor`.
    pub version: String,
    /// Optional parts of the protocol that the sender speaks.
    pub features: Vec<String>,
    /// Process id of the worker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// What runs the plugin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime: Option<Runtime>,
}

/// What runs the plugin.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Runtime {
    /// Such as `node`.
    pub name: String,
    /// Such as `v22.16.0`.
    pub version: String,
}

/// An error on the wire.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WireError {
    /// Class name, such as `TypeError`.
    pub name: String,
    /// Text for people.
    pub message: String,
    /// Stable text such as `NOT_BUILT`.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "loose_text")]
    pub code: Option<String>,
    /// Stack trace, for logs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stack: Option<String>,
    /// Further members that the other side understands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
    /// The error behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<Value>,
}

impl WireError {
    /// An error with a class name and a message.
    pub fn new(name: &str, message: impl Into<String>) -> Self {
        Self { name: name.into(), message: message.into(), ..Self::default() }
    }

    /// Adds a stable code.
    #[must_use]
    pub fn code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }
}

/// Node's own error codes are sometimes numbers.
fn loose_text<'de, D: Deserializer<'de>>(d: D) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(d)? {
        Value::Null => None,
        Value::String(text) => Some(text),
        other => Some(other.to_string()),
    })
}

/// The value of a response; `None` is `undefined`, which differs from `null`.
pub type ResOk = Option<Value>;

/// One frame.
#[derive(Clone, Debug, PartialEq)]
pub enum Frame {
    /// First frame of each side.
    Hello(Hello),
    /// The sender closes after this frame.
    Bye {
        /// Why.
        reason: String,
    },
    /// A request.
    Req {
        /// Counted by the sender, positive.
        id: u64,
        /// Method.
        m: String,
        /// Params.
        p: Value,
        /// The plugin on whose behalf a worker asks; needed in workers that run several.
        plugin: Option<String>,
    },
    /// The response to a request of the other side.
    Res {
        /// The request.
        id: u64,
        /// Its outcome.
        result: Result<ResOk, WireError>,
    },
    /// The requester no longer wants a request.
    Cancel {
        /// The request.
        id: u64,
        /// Why.
        reason: Option<String>,
    },
    /// A notification.
    Note {
        /// Method.
        m: String,
        /// Params.
        p: Value,
        /// The plugin it is about.
        plugin: Option<String>,
    },
    /// An abort signal has fired.
    Abort {
        /// The signal, as its owner counts.
        sig: u64,
        /// Why.
        reason: Option<String>,
    },
    /// One item of a stream.
    Chunk {
        /// The stream, as its owner counts.
        s: u64,
        /// The item.
        v: Value,
    },
    /// A stream has ended.
    End {
        /// The stream.
        s: u64,
        /// Set when it failed.
        err: Option<WireError>,
    },
    /// The receiver of a stream is ready for more.
    Pull {
        /// The stream.
        s: u64,
        /// Number of items.
        n: u64,
    },
    /// The receiver of a stream no longer wants it.
    Close {
        /// The stream.
        s: u64,
    },
    /// Handles that the receiver of them dropped.
    Release {
        /// The handles.
        fns: Vec<u64>,
    },
    /// Asks for a sign of life.
    Ping {
        /// Comes back in the `pong`.
        n: u64,
    },
    /// A sign of life.
    Pong {
        /// From the `ping`.
        n: u64,
    },
    /// A tag of a later minor version; ignored.
    Unknown {
        /// The tag.
        tag: String,
    },
}

/// Every member of every frame: unknown ones are skipped, and no value is buffered twice.
#[derive(Deserialize)]
struct Flat {
    t: String,
    id: Option<u64>,
    m: Option<String>,
    #[serde(default)]
    p: Value,
    plugin: Option<String>,
    #[serde(default, deserialize_with = "present")]
    ok: Option<Value>,
    err: Option<WireError>,
    reason: Option<String>,
    sig: Option<u64>,
    s: Option<u64>,
    #[serde(default)]
    v: Value,
    n: Option<u64>,
    #[serde(default)]
    fns: Vec<u64>,
    #[serde(default)]
    protocol: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    features: Vec<String>,
    pid: Option<u32>,
    runtime: Option<Runtime>,
}

/// `null` counts as present.
fn present<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(d).map(Some)
}

impl Frame {
    /// Reads the body of one frame.
    ///
    /// # Errors
    /// [`CodecError::Invalid`] when it is not JSON, or when a member that its tag needs is missing.
    pub fn decode(body: &[u8]) -> Result<Self, CodecError> {
        let flat: Flat = serde_json::from_slice(body)?;
        Ok(flat.into_frame()?)
    }

    /// The frame with its length prefix.
    ///
    /// # Errors
    /// [`CodecError::TooLong`] when it is over the limit.
    pub fn encode(&self) -> Result<Vec<u8>, CodecError> {
        with_length(|out| serde_json::to_writer(out, self))
    }
}

impl Flat {
    fn into_frame(self) -> Result<Frame, serde_json::Error> {
        fn need<T>(member: Option<T>, tag: &str, name: &str) -> Result<T, serde_json::Error> {
            member.ok_or_else(|| serde::de::Error::custom(format!("`{tag}` frame without `{name}`")))
        }
        let tag = self.t;
        Ok(match tag.as_str() {
            "hello" => Frame::Hello(Hello {
                protocol: self.protocol,
                version: self.version,
                features: self.features,
                pid: self.pid,
                runtime: self.runtime,
            }),
            "bye" => Frame::Bye { reason: self.reason.unwrap_or_default() },
            "req" => Frame::Req { id: need(self.id, &tag, "id")?, m: need(self.m, &tag, "m")?, p: self.p, plugin: self.plugin },
            "res" => Frame::Res { id: need(self.id, &tag, "id")?, result: self.err.map_or(Ok(self.ok), Err) },
            "cancel" => Frame::Cancel { id: need(self.id, &tag, "id")?, reason: self.reason },
            "note" => Frame::Note { m: need(self.m, &tag, "m")?, p: self.p, plugin: self.plugin },
            "abort" => Frame::Abort { sig: need(self.sig, &tag, "sig")?, reason: self.reason },
            "chunk" => Frame::Chunk { s: need(self.s, &tag, "s")?, v: self.v },
            "end" => Frame::End { s: need(self.s, &tag, "s")?, err: self.err },
            "pull" => Frame::Pull { s: need(self.s, &tag, "s")?, n: self.n.unwrap_or(1) },
            "close" => Frame::Close { s: need(self.s, &tag, "s")? },
            "release" => Frame::Release { fns: self.fns },
            "ping" => Frame::Ping { n: self.n.unwrap_or(0) },
            "pong" => Frame::Pong { n: self.n.unwrap_or(0) },
            _ => Frame::Unknown { tag },
        })
    }
}

impl Serialize for Frame {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut map = s.serialize_map(None)?;
        match self {
            Self::Hello(hello) => {
                map.serialize_entry("t", "hello")?;
                map.serialize_entry("protocol", &hello.protocol)?;
                map.serialize_entry("version", &hello.version)?;
                map.serialize_entry("features", &hello.features)?;
                optional(&mut map, "pid", hello.pid.as_ref())?;
                optional(&mut map, "runtime", hello.runtime.as_ref())?;
            }
            Self::Bye { reason } => tagged(&mut map, "bye", &[("reason", reason)])?,
            Self::Req { id, m, p, plugin } => {
                tagged(&mut map, "req", &[("id", id), ("m", m), ("p", p)])?;
                optional(&mut map, "plugin", plugin.as_ref())?;
            }
            Self::Res { id, result } => {
                tagged(&mut map, "res", &[("id", id)])?;
                match result {
                    Ok(value) => optional(&mut map, "ok", value.as_ref())?,
                    Err(error) => map.serialize_entry("err", error)?,
                }
            }
            Self::Cancel { id, reason } => {
                tagged(&mut map, "cancel", &[("id", id)])?;
                optional(&mut map, "reason", reason.as_ref())?;
            }
            Self::Note { m, p, plugin } => {
                tagged(&mut map, "note", &[("m", m), ("p", p)])?;
                optional(&mut map, "plugin", plugin.as_ref())?;
            }
            Self::Abort { sig, reason } => {
                tagged(&mut map, "abort", &[("sig", sig)])?;
                optional(&mut map, "reason", reason.as_ref())?;
            }
            Self::Chunk { s, v } => tagged(&mut map, "chunk", &[("s", s), ("v", v)])?,
            Self::End { s, err } => {
                tagged(&mut map, "end", &[("s", s)])?;
                optional(&mut map, "err", err.as_ref())?;
            }
            Self::Pull { s, n } => tagged(&mut map, "pull", &[("s", s), ("n", n)])?,
            Self::Close { s } => tagged(&mut map, "close", &[("s", s)])?,
            Self::Release { fns } => tagged(&mut map, "release", &[("fns", fns)])?,
            Self::Ping { n } => tagged(&mut map, "ping", &[("n", n)])?,
            Self::Pong { n } => tagged(&mut map, "pong", &[("n", n)])?,
            Self::Unknown { tag } => map.serialize_entry("t", tag)?,
        }
        map.end()
    }
}

fn optional<M: SerializeMap, T: Serialize>(map: &mut M, key: &str, value: Option<&T>) -> Result<(), M::Error> {
    value.map_or(Ok(()), |v| map.serialize_entry(key, v))
}

/// Lets one slice hold members of different types without a `Value` in between.
#[derive(Serialize)]
#[serde(untagged)]
enum MemberRef<'a> {
    Number(u64),
    Text(&'a str),
    Json(&'a Value),
    Numbers(&'a [u64]),
}

trait AsMember {
    fn as_member(&self) -> MemberRef<'_>;
}

impl AsMember for u64 {
    fn as_member(&self) -> MemberRef<'_> {
        MemberRef::Number(*self)
    }
}
impl AsMember for String {
    fn as_member(&self) -> MemberRef<'_> {
        MemberRef::Text(self)
    }
}
impl AsMember for Value {
    fn as_member(&self) -> MemberRef<'_> {
        MemberRef::Json(self)
    }
}
impl AsMember for Vec<u64> {
    fn as_member(&self) -> MemberRef<'_> {
        MemberRef::Numbers(self)
    }
}

fn tagged<M: SerializeMap>(map: &mut M, tag: &str, members: &[(&str, &dyn AsMember)]) -> Result<(), M::Error> {
    map.serialize_entry("t", tag)?;
    members.iter().try_for_each(|(key, member)| map.serialize_entry(key, &member.as_member()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn decode(value: &Value) -> Result<Frame, CodecError> {
        Frame::decode(value.to_string().as_bytes())
    }

    #[test]
    fn frames_read_as_the_document_says() {
        let cases = [
            (json!({"t": "bye", "reason": "x"}), Frame::Bye { reason: "x".into() }),
            (json!({"t": "res", "id": 1}), Frame::Res { id: 1, result: Ok(None) }),
            (json!({"t": "res", "id": 1, "ok": null}), Frame::Res { id: 1, result: Ok(Some(Value::Null)) }),
            (
                json!({"t": "res", "id": 2, "err": {"name": "E", "message": "m", "code": 5, "extra": 1}}),
                Frame::Res { id: 2, result: Err(WireError::new("E", "m").code("5")) },
            ),
            (json!({"t": "pull", "s": 3, "n": 4}), Frame::Pull { s: 3, n: 4 }),
            (json!({"t": "end", "s": 3}), Frame::End { s: 3, err: None }),
            (json!({"t": "abort", "sig": 9, "reason": "r"}), Frame::Abort { sig: 9, reason: Some("r".into()) }),
            (json!({"t": "release", "fns": [1, 2]}), Frame::Release { fns: vec![1, 2] }),
            (json!({"t": "later", "anything": true}), Frame::Unknown { tag: "later".into() }),
            (
                json!({"t": "note", "m": "log", "p": {"level": "info"}, "unknown": [1]}),
                Frame::Note { m: "log".into(), p: json!({"level": "info"}), plugin: None },
            ),
        ];
        for (wire, frame) in cases {
            assert_eq!(decode(&wire).unwrap(), frame, "{wire}");
        }
    }

    #[test]
    fn a_missing_member_is_named() {
        for (wire, text) in
            [(json!({"t": "req", "m": "x"}), "`req` frame without `id`"), (json!({"t": "chunk", "v": 1}), "`chunk` frame without `s`")]
        {
            let error = decode(&wire).unwrap_err().to_string();
            assert!(error.contains(text), "{error}");
        }
        assert!(decode(&json!([])).is_err());
    }

    #[test]
    fn a_hello_survives_the_wire() {
        let hello = Frame::Hello(Hello {
            protocol: crate::PROTOCOL_NAME.into(),
            version: "1.0".into(),
            features: vec!["a".into()],
            pid: Some(7),
            runtime: Some(Runtime { name: "node".into(), version: "v22.16.0".into() }),
        });
        assert_eq!(Frame::decode(&hello.encode().unwrap()[4..]).unwrap(), hello);
    }
}
