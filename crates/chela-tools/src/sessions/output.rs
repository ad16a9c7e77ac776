//! What a command has printed, as text and within bounds.

use std::time::Instant;

/// Text that is kept, in bytes: the newest part.
const KEPT: usize = 200_000;
/// Text that waits for the next poll, in bytes.
const PENDING: usize = 30_000;
/// The end that lists show, in bytes.
const TAIL: usize = 2000;

/// Bytes to text, across borders of reads.
#[derive(Default)]
pub(crate) struct Decoder(Vec<u8>);

impl Decoder {
    /// The text of these bytes; what may be the beginning of a character waits for the rest.
    pub(crate) fn decode(&mut self, bytes: &[u8], last: bool) -> String {
        self.0.extend_from_slice(bytes);
        let whole = match std::str::from_utf8(&self.0) {
            Ok(_) => self.0.len(),
            // Only at the end something may be missing; what is wrong elsewhere stays wrong.
            Err(error) if error.error_len().is_none() && !last => error.valid_up_to(),
            Err(_) if last => self.0.len(),
            Err(_) => self.0.len() - unfinished(&self.0),
        };
        let rest = self.0.split_off(whole);
        let text = String::from_utf8_lossy(&self.0).into_owned();
        self.0 = rest;
        text
    }
}

/// Bytes at the end that may begin a character.
fn unfinished(bytes: &[u8]) -> usize {
    let starts = bytes.iter().rev().take(3).position(|b| *b >= 0xc0);
    match starts {
        Some(back) if std::str::from_utf8(&bytes[bytes.len() - back - 1..]).is_err_and(|e| e.error_len().is_none()) => back + 1,
        _ => 0,
    }
}

/// The output of one command.
#[derive(Debug)]
pub(crate) struct Output {
    kept: String,
    pending: String,
    terminal: bool,
    /// Characters that were printed in all.
    pub(crate) total: u64,
    /// Something was cut off at the beginning.
    pub(crate) truncated: bool,
    /// The program has switched the cursor keys to their other sequences.
    pub(crate) application_keys: bool,
    /// When something was last printed.
    pub(crate) last_at: Option<Instant>,
}

impl Output {
    pub(crate) fn new(terminal: bool) -> Self {
        Self { kept: String::new(), pending: String::new(), terminal, total: 0, truncated: false, application_keys: false, last_at: None }
    }

    /// Takes new text. True when the program asks where the cursor is.
    pub(crate) fn push(&mut self, text: &str) -> bool {
        if text.is_empty() {
            return false;
        }
        self.last_at = Some(Instant::now());
        let mut asks = false;
        let mut owned;
        let mut text = text;
        if self.terminal {
            for question in ["\u{1b}[6n", "\u{1b}[?6n"] {
                asks |= text.contains(question);
            }
            match (text.rfind("\u{1b}[?1h"), text.rfind("\u{1b}[?1l")) {
                (Some(on), off) if off.is_none_or(|off| off < on) => self.application_keys = true,
                (_, Some(_)) => self.application_keys = false,
                _ => {}
            }
            if asks {
                owned = text.replace("\u{1b}[6n", "");
                owned = owned.replace("\u{1b}[?6n", "");
                text = &owned;
            }
        }
        self.total += text.chars().count() as u64;
        self.kept.push_str(text);
        // Cut seldom, so that long outputs cost no copying for each piece.
        if self.kept.len() > KEPT * 2 {
            self.truncated = true;
            cut_front(&mut self.kept, KEPT);
        }
        self.pending.push_str(text);
        if self.pending.len() > PENDING * 2 {
            cut_front(&mut self.pending, PENDING);
        }
        asks
    }

    /// All that is kept.
    pub(crate) fn text(&self) -> &str {
        end_of(&self.kept, KEPT)
    }

    /// The end of it.
    pub(crate) fn tail(&self) -> &str {
        end_of(&self.kept, TAIL)
    }

    /// What came since the last poll.
    pub(crate) fn take_new(&mut self) -> String {
        let new = std::mem::take(&mut self.pending);
        end_of(&new, PENDING).to_owned()
    }

    /// True when something at the beginning is gone.
    pub(crate) fn is_truncated(&self) -> bool {
        self.truncated || self.kept.len() > KEPT
    }
}

fn cut_front(text: &mut String, keep: usize) {
    let at = text.len() - end_of(text, keep).len();
    text.drain(..at);
}

/// The last bytes of a text, from the beginning of a character on.
pub(crate) fn end_of(text: &str, most: usize) -> &str {
    let mut at = text.len().saturating_sub(most);
    while !text.is_char_boundary(at) {
        at += 1;
    }
    &text[at..]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn output_keeps_its_end() {
        let mut output = Output::new(false);
        for n in 0..60_000 {
            output.push(&format!("line {n}\n"));
        }
        assert!(output.text().len() <= KEPT && output.text().ends_with("line 59999\n") && output.is_truncated());
        assert!(output.take_new().ends_with("line 59999\n"));
        assert_eq!(output.take_new(), "");
        assert!(output.tail().len() <= TAIL);
    }

    #[test]
    fn a_terminal_is_answered_and_its_mode_known() {
        let mut output = Output::new(true);
        assert!(output.push("a\u{1b}[6nb\u{1b}[?1h"));
        assert_eq!((output.text(), output.application_keys), ("ab\u{1b}[?1h", true));
        assert!(!output.push("\u{1b}[?1l"));
        assert!(!output.application_keys);
    }

    proptest! {
        #[test]
        fn text_comes_through_in_pieces(text in "\\PC{0,40}", cuts in prop::collection::vec(1..5_usize, 0..60)) {
            let (mut decoder, mut out, mut rest) = (Decoder::default(), String::new(), text.as_bytes());
            for cut in cuts {
                let (head, tail) = rest.split_at(cut.min(rest.len()));
                out.push_str(&decoder.decode(head, false));
                rest = tail;
            }
            out.push_str(&decoder.decode(rest, true));
            prop_assert_eq!(out, text);
        }

        #[test]
        fn no_bytes_are_lost_or_break_it(bytes in prop::collection::vec(any::<u8>(), 0..40), at in 0..40_usize) {
            let (head, tail) = bytes.split_at(at.min(bytes.len()));
            let mut decoder = Decoder::default();
            let pieces = decoder.decode(head, false) + &decoder.decode(tail, true);
            prop_assert_eq!(pieces, String::from_utf8_lossy(&bytes));
        }
    }
}
