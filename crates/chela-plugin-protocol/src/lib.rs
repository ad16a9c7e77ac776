//! Wire types between the host and a plugin worker, versioned. No I/O.
//!
//! `PROTOCOL.md` beside this crate is the document; this crate is its Rust half: [`Frame`] with its encoding, [`FrameDecoder`] for
//! the length prefix, [`value`] for what JSON cannot say, [`negotiate`] for the first exchange. Bytes go in and frames come out.

pub mod codec;
pub mod frame;
pub mod method;
pub mod value;
pub mod version;

pub use codec::{CodecError, FrameDecoder, MAX_FRAME, UNANSWERED, encode_raw_request, with_length};
pub use frame::{Frame, Hello, ResOk, Runtime, WireError};
pub use method::{HookHandler, HookOutcome, LoadParams, LoadResult};
pub use version::{PROTOCOL_NAME, Refusal, VERSION, Version, negotiate};
