//! The length prefix: bytes in, frames out.

use bytes::{Buf, BytesMut};

use crate::frame::Frame;

/// Largest frame in bytes, without its prefix. A longer one ends the worker.
pub const MAX_FRAME: usize = 64 * 1024 * 1024;

/// Bytes of the length prefix.
const PREFIX: usize = 4;

/// Why bytes are no frame.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// The announced length is over [`MAX_FRAME`].
    #[error("frame of {length} bytes is over the limit of {MAX_FRAME} bytes")]
    TooLong {
        /// The announced length in bytes.
        length: usize,
    },
    /// The body is not the JSON of a frame.
    #[error("frame is not valid: {0}")]
    Invalid(#[from] serde_json::Error),
}

/// Cuts a byte stream into frames. It keeps at most one unfinished frame plus what was read behind it.
#[derive(Debug, Default)]
pub struct FrameDecoder {
    buffer: BytesMut,
}

impl FrameDecoder {
    /// A decoder without bytes.
    pub fn new() -> Self {
        Self::default()
    }

    /// The buffer to read into; new bytes go behind what is there.
    pub fn buffer_mut(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// Adds bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// True when no part of a frame is waiting.
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// The body of the next complete frame, or `None` when more bytes are needed.
    ///
    /// # Errors
    /// [`CodecError::TooLong`] as soon as the prefix says so, before the body is buffered.
    pub fn next_body(&mut self) -> Result<Option<BytesMut>, CodecError> {
        let Some(prefix) = self.buffer.first_chunk::<PREFIX>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes(*prefix) as usize;
        if length > MAX_FRAME {
            return Err(CodecError::TooLong { length });
        }
        if self.buffer.len() < PREFIX + length {
            self.buffer.reserve(PREFIX + length - self.buffer.len());
            return Ok(None);
        }
        self.buffer.advance(PREFIX);
        Ok(Some(self.buffer.split_to(length)))
    }

    /// The next complete frame, decoded.
    ///
    /// # Errors
    /// See [`CodecError`]; after an error the stream cannot be trusted any more.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, CodecError> {
        match self.next_body()? {
            Some(body) => Ok(Some(Frame::decode(&body)?)),
            None => Ok(None),
        }
    }
}

/// Puts the length prefix before a body.
///
/// # Errors
/// [`CodecError::TooLong`] when the body is over [`MAX_FRAME`].
pub fn with_length(write: impl FnOnce(&mut Vec<u8>) -> Result<(), serde_json::Error>) -> Result<Vec<u8>, CodecError> {
    let mut bytes = vec![0; PREFIX];
    write(&mut bytes)?;
    let length = bytes.len() - PREFIX;
    match u32::try_from(length) {
        Ok(prefix) if length <= MAX_FRAME => {
            bytes[..PREFIX].copy_from_slice(&prefix.to_be_bytes());
            Ok(bytes)
        }
        _ => Err(CodecError::TooLong { length }),
    }
}

/// Id of a request that the worker serves and does not answer.
pub const UNANSWERED: u64 = 0;

/// Encodes a request whose params are JSON text already, so that text shared by many workers is serialised once.
///
/// # Errors
/// [`CodecError::TooLong`].
pub fn encode_raw_request(id: u64, method: &str, params: &[&str]) -> Result<Vec<u8>, CodecError> {
    with_length(|out| {
        out.reserve(48 + method.len() + params.iter().map(|p| p.len()).sum::<usize>());
        out.extend_from_slice(b"{\"t\":\"req\",\"id\":");
        out.extend_from_slice(id.to_string().as_bytes());
        out.extend_from_slice(b",\"m\":");
        serde_json::to_writer(&mut *out, method)?;
        out.extend_from_slice(b",\"p\":");
        for part in params {
            out.extend_from_slice(part.as_bytes());
        }
        out.push(b'}');
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::WireError;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".*".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::vec((".{0,8}", inner), 0..6).prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
            ]
        })
    }

    fn any_frame() -> impl Strategy<Value = Frame> {
        let id = 1..u64::MAX;
        prop_oneof![
            (id.clone(), ".{0,20}", any_value(), prop::option::of(".{1,8}")).prop_map(|(id, m, p, plugin)| Frame::Req { id, m, p, plugin }),
            (id.clone(), prop::option::of(any_value())).prop_map(|(id, v)| Frame::Res { id, result: Ok(v) }),
            (id.clone(), ".{0,20}", ".{0,40}")
                .prop_map(|(id, name, message)| Frame::Res { id, result: Err(WireError::new(&name, message)) }),
            (id.clone(), prop::option::of(".{0,20}")).prop_map(|(id, reason)| Frame::Cancel { id, reason }),
            (".{0,20}", any_value()).prop_map(|(m, p)| Frame::Note { m, p, plugin: None }),
            (id.clone(), any_value()).prop_map(|(s, v)| Frame::Chunk { s, v }),
            (id.clone(), 1..100_u64).prop_map(|(s, n)| Frame::Pull { s, n }),
            prop::collection::vec(id.clone(), 0..9).prop_map(|fns| Frame::Release { fns }),
            id.prop_map(|n| Frame::Ping { n }),
        ]
    }

    proptest! {
        #[test]
        fn frames_survive_any_split_of_the_stream(frames in prop::collection::vec(any_frame(), 1..8), cuts in prop::collection::vec(1..50_usize, 1..40)) {
            let stream: Vec<u8> = frames.iter().flat_map(|f| f.encode().unwrap()).collect();
            let mut decoder = FrameDecoder::new();
            let (mut got, mut rest, mut turn) = (Vec::new(), stream.as_slice(), 0);
            while !rest.is_empty() {
                let (head, tail) = rest.split_at(cuts[turn % cuts.len()].min(rest.len()));
                decoder.push(head);
                (rest, turn) = (tail, turn + 1);
                while let Some(frame) = decoder.next_frame().unwrap() {
                    got.push(frame);
                }
            }
            prop_assert_eq!(got, frames);
            prop_assert!(decoder.is_empty());
        }

        #[test]
        fn foreign_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut decoder = FrameDecoder::new();
            decoder.push(&bytes);
            while let Ok(Some(_)) = decoder.next_frame() {}
            let _ = Frame::decode(&bytes);
        }
    }

    #[test]
    fn a_frame_over_the_limit_is_refused_at_its_prefix() {
        let mut decoder = FrameDecoder::new();
        decoder.push(&u32::MAX.to_be_bytes());
        assert!(matches!(decoder.next_frame(), Err(CodecError::TooLong { length }) if length == u32::MAX as usize));
    }

    #[test]
    fn a_raw_request_reads_like_an_encoded_one() {
        let raw = encode_raw_request(7, "hooks", &["{\"event\":", "{\"a\":1}", "}"]).unwrap();
        let plain = Frame::Req { id: 7, m: "hooks".into(), p: json!({"event": {"a": 1}}), plugin: None }.encode().unwrap();
        assert_eq!(raw, plain);
    }
}
