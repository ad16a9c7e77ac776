//! What workers print: captured line by line, limited in length and rate, attributed to the plugin.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};

use crate::limit::RateLimit;
use crate::options::OutputMode;

/// Longest line in bytes; the rest of a longer one is dropped.
pub(crate) const MAX_LINE: usize = 8 * 1024;

/// Lines per second and at once.
const RATE: (u32, u32) = (200, 2000);

/// Lines that are handled before all other tasks had their turn.
const LINES_AT_ONCE: usize = 64;

/// Lines kept for the message about a worker that died.
const TAIL: usize = 12;

/// Receives finished lines: level, text, stream name.
pub(crate) type LineSink = Arc<dyn Fn(serde_json::Value) + Send + Sync>;

/// The last lines of a worker.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tail(Arc<Mutex<VecDeque<String>>>);

impl Tail {
    fn push(&self, line: &str) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == TAIL {
            lines.pop_front();
        }
        lines.push_back(line.chars().take(400).collect());
    }

    /// The lines as one text, if there are any.
    pub(crate) fn text(&self) -> Option<String> {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (!lines.is_empty()).then(|| lines.iter().map(String::as_str).collect::<Vec<_>>().join("\n"))
    }
}

/// Reads one of a worker's streams until it ends. `name` is `stdout` or `stderr`.
pub(crate) async fn capture(reader: impl AsyncRead + Unpin, name: &'static str, mode: OutputMode, sink: LineSink, tail: Tail) {
    match mode {
        OutputMode::Log => lines(reader, name, sink, tail).await,
        OutputMode::PassThrough => pass(reader, name, tail).await,
    }
}

async fn lines(reader: impl AsyncRead + Unpin, name: &'static str, sink: LineSink, tail: Tail) {
    let level = if name == "stderr" { "warn" } else { "info" };
    let mut reader = BufReader::new(reader);
    let mut limit = RateLimit::new(RATE.0, RATE.1);
    let dropped_note = |count: u64| json!({"level": "warn", "message": format!("{count} lines were dropped: the plugin prints too fast"), "meta": {"stream": name, "dropped": count}});
    let mut line = Vec::new();
    let mut read = 0_usize;
    while let Some(cut) = read_line(&mut reader, &mut line).await {
        let mut text = String::from_utf8_lossy(&line).trim_end().to_string();
        line.clear();
        read += 1;
        if read.is_multiple_of(LINES_AT_ONCE) {
            // A plugin that floods its output must not keep others off this thread.
            tokio::task::yield_now().await;
        }
        if cut {
            text.push_str(" [line cut]");
        }
        tail.push(&text);
        let Some(dropped) = limit.allow(Instant::now()) else {
            continue;
        };
        if dropped > 0 {
            sink(dropped_note(dropped));
        }
        sink(json!({"level": level, "message": text, "meta": {"stream": name}}));
    }
    let dropped = limit.take_dropped();
    if dropped > 0 {
        sink(dropped_note(dropped));
    }
}

/// Reads one line of at most [`MAX_LINE`] bytes; `Some(true)` when it was longer, `None` at the end.
async fn read_line(reader: &mut (impl AsyncBufReadExt + Unpin), line: &mut Vec<u8>) -> Option<bool> {
    let mut cut = false;
    loop {
        let available = reader.fill_buf().await.unwrap_or_default();
        if available.is_empty() {
            return (!line.is_empty() || cut).then_some(cut);
        }
        let end = available.iter().position(|b| *b == b'\n');
        let part = &available[..end.unwrap_or(available.len())];
        let room = MAX_LINE - line.len();
        line.extend_from_slice(&part[..part.len().min(room)]);
        cut |= part.len() > room;
        let used = part.len() + usize::from(end.is_some());
        reader.consume(used);
        if end.is_some() {
            return Some(cut);
        }
    }
}

async fn pass(mut reader: impl AsyncRead + Unpin, name: &'static str, tail: Tail) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = reader.read(&mut buffer).await {
        let bytes = buffer[..count].to_vec();
        String::from_utf8_lossy(&bytes).lines().for_each(|line| tail.push(line));
        // A closed pipe behind this process must not stop the plugin's command.
        let _ = tokio::task::spawn_blocking(move || print(name, &bytes)).await;
    }
}

fn print(name: &str, bytes: &[u8]) -> std::io::Result<()> {
    let (mut out, mut err) = (std::io::stdout(), std::io::stderr());
    let stream: &mut dyn Write = if name == "stderr" { &mut err } else { &mut out };
    stream.write_all(bytes)?;
    stream.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn captured(input: &str) -> Vec<serde_json::Value> {
        let got = Arc::new(Mutex::new(Vec::new()));
        let sink: LineSink = {
            let got = got.clone();
            Arc::new(move |v| got.lock().unwrap().push(v))
        };
        capture(input.as_bytes(), "stderr", OutputMode::Log, sink, Tail::default()).await;
        let lines = got.lock().unwrap();
        lines.clone()
    }

    #[tokio::test]
    async fn lines_are_split_cut_and_attributed() {
        let got = captured(&format!("a\r\n\n{}\nlast", "x".repeat(MAX_LINE + 5))).await;
        let texts: Vec<&str> = got.iter().map(|v| v["message"].as_str().unwrap()).collect();
        assert_eq!((texts[0], texts[1], texts[3]), ("a", "", "last"));
        assert_eq!(texts[2].len(), MAX_LINE + " [line cut]".len());
        assert_eq!(got[0]["level"], "warn");
    }

    #[tokio::test]
    async fn a_flood_is_dropped_and_counted() {
        let got = captured(&"line\n".repeat(50_000)).await;
        assert!(got.len() < 20_000, "{}", got.len());
        let dropped: u64 = got.iter().filter_map(|v| v["meta"]["dropped"].as_u64()).sum();
        let passed = got.iter().filter(|v| v["message"] == "line").count() as u64;
        assert_eq!(dropped + passed, 50_000);
    }
}
