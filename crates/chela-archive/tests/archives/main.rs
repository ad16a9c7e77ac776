//! Archives of every kind, good and hostile, through the public functions.
#![allow(clippy::unwrap_used)] // helpers outside `#[test]` functions

mod common;
mod tarballs;
mod zips;
