//! The chat-completions wire format.

mod messages;
mod parse;
mod request;

pub(crate) use parse::Parser;
pub(crate) use request::body;
