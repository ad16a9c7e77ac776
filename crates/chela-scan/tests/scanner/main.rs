//! The scan through its public functions.
#![allow(clippy::unwrap_used)] // helpers outside `#[test]` functions

mod denied;
mod packages;
mod snippets;
