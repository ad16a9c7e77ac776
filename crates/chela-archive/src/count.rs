//! Readers that stop at a limit and remember why, since decoders wrap the errors of what they read from.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

/// What a [`Counted`] reader saw so far.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    bytes: Cell<u64>,
    exceeded: Cell<bool>,
    ended: Cell<bool>,
    /// Where the last byte that was not zero ended.
    data_end: Cell<u64>,
}

impl Seen {
    /// Whether the limit was passed.
    pub(crate) fn exceeded(&self) -> bool {
        self.exceeded.get()
    }

    /// Whether the data came to its end.
    pub(crate) fn ended(&self) -> bool {
        self.ended.get()
    }

    /// How many zero bytes the data ended with.
    pub(crate) fn trailing_zeros(&self) -> u64 {
        self.bytes.get().saturating_sub(self.data_end.get())
    }
}

/// Gives at most `limit` bytes; the byte after them is an error.
pub(crate) struct Counted<R> {
    inner: R,
    limit: u64,
    seen: Rc<Seen>,
}

impl<R: Read> Counted<R> {
    pub(crate) fn new(inner: R, limit: u64) -> (Self, Rc<Seen>) {
        let seen = Rc::new(Seen::default());
        (Self { inner, limit, seen: seen.clone() }, seen)
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        if count == 0 && !buffer.is_empty() {
            self.seen.ended.set(true);
        }
        let total = self.seen.bytes.get() + count as u64;
        if let Some(last) = buffer[..count].iter().rposition(|byte| *byte != 0) {
            self.seen.data_end.set(self.seen.bytes.get() + last as u64 + 1);
        }
        self.seen.bytes.set(total);
        if total > self.limit {
            self.seen.exceeded.set(true);
            return Err(io::Error::other("limit exceeded"));
        }
        Ok(count)
    }
}
