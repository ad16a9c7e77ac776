//! What the wire formats share.

use serde::ser::{Serialize, Serializer};

/// A JSON list that is written row by row from borrowed items: no list of rows is ever built.
pub(crate) struct Rows<'a, T, F>(pub &'a [T], pub F);

impl<'a, T, R: Serialize, F: Fn(&'a T) -> R> Serialize for Rows<'a, T, F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(&self.1))
    }
}
