//! Server-sent events, decoded from bytes that may be cut anywhere.

/// One event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SseEvent {
    /// Value of the `event` field; empty when absent.
    pub event: String,
    /// The `data` lines, joined by line feeds.
    pub data: String,
}

/// The stream breaks a limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("one event of the stream is larger than {limit} bytes")]
pub struct SseError {
    /// The limit in bytes.
    pub limit: usize,
}

/// Largest event, so that a broken server cannot fill the memory.
const MAX_EVENT_BYTES: usize = 16 * 1024 * 1024;

/// Decoder with the state between chunks. Lines end in LF, CRLF or CR; a byte order mark, comments and unknown
/// fields are skipped; invalid UTF-8 becomes replacement characters, and a character cut in two is put together.
#[derive(Debug, Default)]
pub struct SseDecoder {
    line: Vec<u8>,
    event: String,
    data: String,
    has_data: bool,
    skip_lf: bool,
    started: bool,
}

impl SseDecoder {
    /// A decoder at the start of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Decodes a chunk, handing each complete event to `sink`.
    ///
    /// # Errors
    /// When one event is larger than 16 MiB.
    pub fn push(&mut self, chunk: &[u8], mut sink: impl FnMut(SseEvent)) -> Result<(), SseError> {
        let mut rest = chunk;
        while !rest.is_empty() {
            if std::mem::take(&mut self.skip_lf) && rest[0] == b'\n' {
                rest = &rest[1..];
                continue;
            }
            let Some(end) = rest.iter().position(|&b| b == b'\n' || b == b'\r') else {
                self.line.extend_from_slice(rest);
                break;
            };
            self.skip_lf = rest[end] == b'\r';
            if self.line.is_empty() {
                self.end_line(&rest[..end], &mut sink);
            } else {
                let mut line = std::mem::take(&mut self.line);
                line.extend_from_slice(&rest[..end]);
                self.end_line(&line, &mut sink);
                line.clear();
                self.line = line;
            }
            rest = &rest[end + 1..];
        }
        if self.line.len() + self.data.len() > MAX_EVENT_BYTES {
            return Err(SseError { limit: MAX_EVENT_BYTES });
        }
        Ok(())
    }

    /// Ends the stream. An event whose closing blank line is missing still counts: servers forget it.
    pub fn finish(&mut self, mut sink: impl FnMut(SseEvent)) {
        if !self.line.is_empty() {
            let line = std::mem::take(&mut self.line);
            self.end_line(&line, &mut sink);
        }
        self.dispatch(&mut sink);
    }

    fn end_line(&mut self, line: &[u8], sink: &mut impl FnMut(SseEvent)) {
        let line = if self.started { line } else { line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line) };
        self.started = true;
        if line.is_empty() {
            return self.dispatch(sink);
        }
        let (name, value) = match line.iter().position(|&b| b == b':') {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (line, &line[line.len()..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match name {
            b"data" => {
                if self.has_data {
                    self.data.push('\n');
                }
                self.has_data = true;
                self.data.push_str(&String::from_utf8_lossy(value));
            }
            b"event" => self.event = String::from_utf8_lossy(value).into_owned(),
            _ => {}
        }
    }

    fn dispatch(&mut self, sink: &mut impl FnMut(SseEvent)) {
        let event = std::mem::take(&mut self.event);
        if std::mem::take(&mut self.has_data) {
            sink(SseEvent { event, data: std::mem::take(&mut self.data) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode(chunks: &[&[u8]]) -> Vec<SseEvent> {
        let (mut decoder, mut out) = (SseDecoder::new(), Vec::new());
        for chunk in chunks {
            decoder.push(chunk, |e| out.push(e)).unwrap();
        }
        decoder.finish(|e| out.push(e));
        out
    }

    fn data(events: &[SseEvent]) -> Vec<&str> {
        events.iter().map(|e| e.data.as_str()).collect()
    }

    #[test]
    fn forms_that_servers_send() {
        let cases: &[(&str, &[&str])] = &[
            ("data: a\n\ndata: b\n\n", &["a", "b"]),
            ("data: a\r\n\r\ndata: b\r\n\r\n", &["a", "b"]),
            ("data: a\r\rdata: b\r\r", &["a", "b"]),
            ("\u{feff}data: a\n\n", &["a"]),
            (": ping\n\ndata:a\n\n", &["a"]),
            ("data: a\ndata: b\n\n", &["a\nb"]),
            ("data\n\n", &[""]),
            ("id: 1\nretry: 5\ndata: a\n\n\n\n", &["a"]),
            ("data: a", &["a"]),
            ("data: a\n", &["a"]),
            ("event: x\n\ndata: a\n\n", &["a"]),
            ("", &[]),
        ];
        for (text, want) in cases {
            assert_eq!(data(&decode(&[text.as_bytes()])), *want, "{text:?}");
        }
        assert_eq!(decode(&[b"event: ping\ndata: {}\n\n"])[0].event, "ping");
    }

    #[test]
    fn a_cut_character_is_put_together() {
        let text = "data: é€😀\n\n".as_bytes();
        for at in 0..=text.len() {
            assert_eq!(data(&decode(&[&text[..at], &text[at..]])), ["é€😀"], "cut at {at}");
        }
        assert_eq!(data(&decode(&[b"data: \xff!\n\n"])), ["\u{fffd}!"]);
    }

    #[test]
    fn an_endless_event_is_an_error() {
        let mut decoder = SseDecoder::new();
        let chunk = vec![b'x'; 1 << 20];
        let failed = (0..20).any(|_| decoder.push(&chunk, |_| {}).is_err());
        assert!(failed);
    }

    proptest! {
        #[test]
        fn cutting_anywhere_changes_nothing(
            lines in prop::collection::vec("(data:( )?|event: |: |id: |)[a-zé€😀{}\": ]{0,12}", 0..12),
            ends in prop::collection::vec(0usize..3, 12),
            cuts in prop::collection::vec(0usize..400, 0..12),
        ) {
            let mut text = Vec::new();
            for (i, line) in lines.iter().enumerate() {
                text.extend_from_slice(line.as_bytes());
                text.extend_from_slice(["\n", "\r\n", "\r"][ends[i]].as_bytes());
                if i % 2 == 1 { text.extend_from_slice(b"\n"); }
            }
            let whole = decode(&[&text]);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(text.len())).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|w| &text[w[0]..w[1]]).collect();
            prop_assert_eq!(decode(&pieces), whole.clone());
            let bytes: Vec<&[u8]> = text.chunks(1).collect();
            prop_assert_eq!(decode(&bytes), whole);
        }
    }
}
