//! Turns the body of an answer into model events: events or a plain document, time limits, cancellation, draining.

use crate::classify;
use crate::error::{ErrorKind, ModelError};
use crate::http::error_chain;
use crate::secret::Secret;
use crate::sse::{SseDecoder, SseEvent};
use crate::types::{EventStream, ModelEvent, ModelRef};
use bytes::Bytes;
use futures::stream;
use serde_json::Value;
use std::collections::VecDeque;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// One wire format, fed event by event.
pub(crate) trait WireParser: Send {
    /// Takes one server-sent event.
    fn event(&mut self, event: &SseEvent, out: &mut VecDeque<ModelEvent>) -> Result<Progress, ModelError>;
    /// Takes a whole answer that came as one JSON document (PRV-248).
    fn document(&mut self, value: &Value, out: &mut VecDeque<ModelEvent>) -> Result<(), ModelError>;
    /// The body ended. Emits the final events, or says that the answer was cut off.
    fn end(&mut self, out: &mut VecDeque<ModelEvent>) -> Result<(), ModelError>;
}

/// How far an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// More is expected.
    More,
    /// The model has finished; only token counts may follow, and not all servers close the stream then.
    Closing,
    /// Everything was said.
    Finished,
}

/// Largest answer that is accepted as one JSON document.
const MAX_DOCUMENT_BYTES: usize = 64 * 1024 * 1024;

/// How long the end of a stream is awaited after the model has finished.
const CLOSING_LIMIT: Duration = Duration::from_secs(3);

enum Mode {
    Unknown,
    Events,
    Document(Vec<u8>),
}

/// Reads one answer.
pub(crate) struct Reader {
    response: Option<reqwest::Response>,
    mode: Mode,
    decoder: SseDecoder,
    parser: Box<dyn WireParser>,
    out: VecDeque<ModelEvent>,
    failed: Option<ModelError>,
    finished: bool,
    closing: bool,
    idle: Duration,
    cancel: CancellationToken,
    model: ModelRef,
    secret: Option<Secret>,
    request_id: Option<Box<str>>,
}

impl Reader {
    pub(crate) fn new(
        response: reqwest::Response,
        parser: Box<dyn WireParser>,
        idle: Duration,
        cancel: CancellationToken,
        model: ModelRef,
        secret: Option<Secret>,
    ) -> Self {
        let request_id = classify::request_id(response.headers()).map(Into::into);
        Self {
            response: Some(response),
            mode: Mode::Unknown,
            decoder: SseDecoder::new(),
            parser,
            out: VecDeque::new(),
            failed: None,
            finished: false,
            closing: false,
            idle,
            cancel,
            model,
            secret,
            request_id,
        }
    }

    /// Reads until the first event is there, so that an answer that fails at once can still be retried.
    pub(crate) async fn prime(&mut self, limit: Duration) -> Result<(), ModelError> {
        let deadline = tokio::time::Instant::now() + limit;
        while self.out.is_empty() && self.failed.is_none() && !self.finished {
            let left = deadline.saturating_duration_since(tokio::time::Instant::now());
            self.fill(left, "the answer did not begin").await;
        }
        match self.failed.take() {
            // Something was said before the failure: that part belongs to the caller, with the error after it.
            Some(error) if !self.out.is_empty() => self.failed = Some(error),
            Some(error) => return Err(error),
            None => {}
        }
        self.out.push_front(ModelEvent::Started);
        Ok(())
    }

    /// The events as a stream.
    pub(crate) fn into_stream(self) -> EventStream {
        Box::pin(stream::unfold(self, |mut reader| async move {
            let event = reader.next().await?;
            Some((event, reader))
        }))
    }

    async fn next(&mut self) -> Option<Result<ModelEvent, ModelError>> {
        loop {
            if self.cancel.is_cancelled() && !self.finished {
                self.stop(ModelError::aborted(&self.model));
                self.out.clear();
            }
            if let Some(event) = self.out.pop_front() {
                return Some(Ok(event));
            }
            if let Some(error) = self.failed.take() {
                return Some(Err(error));
            }
            if self.finished {
                return None;
            }
            self.fill(self.idle, "the answer stalled").await;
        }
    }

    fn stop(&mut self, mut error: ModelError) {
        if error.request_id.is_none() {
            error.request_id.clone_from(&self.request_id);
        }
        if let Some(secret) = &self.secret {
            error.message = secret.redact(&error.message);
        }
        self.failed = Some(error);
        self.finished = true;
        // Dropping the body closes the connection, which tells the server to stop.
        self.response = None;
    }

    async fn fill(&mut self, limit: Duration, what: &str) {
        let Some(response) = self.response.as_mut() else {
            self.finished = true;
            return;
        };
        let limit = if self.closing { limit.min(CLOSING_LIMIT) } else { limit };
        let chunk = tokio::select! {
            biased;
            () = self.cancel.cancelled() => return self.stop(ModelError::aborted(&self.model)),
            chunk = tokio::time::timeout(limit, response.chunk()) => chunk,
        };
        match chunk {
            Ok(Ok(Some(bytes))) => self.take(&bytes),
            Ok(Ok(None)) => self.end(),
            // The model had finished: a server that hangs or breaks afterwards spoils nothing.
            Ok(Err(_)) | Err(_) if self.closing => self.end(),
            Ok(Err(e)) => {
                let text = format!("the connection broke during the answer: {}", error_chain(&e.without_url()));
                self.stop(ModelError::new(ErrorKind::Connection, &self.model, text));
            }
            Err(_) => {
                let text = format!("{what} within {} s", limit.as_secs_f64());
                self.stop(ModelError::new(ErrorKind::Timeout, &self.model, text));
            }
        }
    }

    fn take(&mut self, bytes: &Bytes) {
        if matches!(self.mode, Mode::Unknown) {
            // Servers mislabel both forms, so the first character decides: no event begins with one of these.
            match bytes.iter().find(|b| !b.is_ascii_whitespace()) {
                None => return,
                Some(b'{' | b'[' | b'<') => self.mode = Mode::Document(Vec::new()),
                Some(_) => self.mode = Mode::Events,
            }
        }
        if let Mode::Document(buffer) = &mut self.mode {
            if buffer.len() + bytes.len() > MAX_DOCUMENT_BYTES {
                let text = format!("the answer is larger than {MAX_DOCUMENT_BYTES} bytes");
                return self.stop(ModelError::new(ErrorKind::Invalid, &self.model, text));
            }
            buffer.extend_from_slice(bytes);
            return;
        }
        let mut events = Vec::new();
        let limit = self.decoder.push(bytes, |e| events.push(e));
        self.consume(&events);
        if let Err(e) = limit {
            self.stop(ModelError::new(ErrorKind::Invalid, &self.model, e.to_string()));
        }
    }

    fn consume(&mut self, events: &[SseEvent]) {
        for event in events {
            if self.finished {
                return;
            }
            match self.parser.event(event, &mut self.out) {
                Ok(Progress::More) => {}
                Ok(Progress::Closing) => self.closing = true,
                Ok(Progress::Finished) => {
                    self.drain();
                    self.finish();
                }
                Err(error) => self.stop(error),
            }
        }
    }

    fn end(&mut self) {
        self.response = None;
        match std::mem::replace(&mut self.mode, Mode::Events) {
            Mode::Document(buffer) => return self.end_document(&buffer),
            Mode::Unknown => {
                let text = "the provider sent an empty answer";
                let mut error = ModelError::new(ErrorKind::Invalid, &self.model, text);
                error.reason = Some(crate::error::FailoverReason::EmptyResponse);
                return self.stop(error);
            }
            Mode::Events => {}
        }
        let mut events = Vec::new();
        self.decoder.finish(|e| events.push(e));
        self.consume(&events);
        if !self.finished {
            self.finish();
        }
    }

    fn end_document(&mut self, buffer: &[u8]) {
        let result = match serde_json::from_slice::<Value>(buffer) {
            Ok(value) => self.parser.document(&value, &mut self.out),
            Err(_) => {
                let start = String::from_utf8_lossy(&buffer[..buffer.len().min(120)]).into_owned();
                let text = format!("the answer is neither events nor JSON; it begins with `{start}`");
                Err(ModelError::new(ErrorKind::Invalid, &self.model, text))
            }
        };
        match result {
            Ok(()) => self.finish(),
            Err(error) => self.stop(error),
        }
    }

    fn finish(&mut self) {
        self.finished = true;
        if let Err(error) = self.parser.end(&mut self.out) {
            self.stop(error);
        }
    }

    /// Reads the body to its end in the background, because only then is the connection used again.
    fn drain(&mut self) {
        if let Some(mut response) = self.response.take() {
            tokio::spawn(async move {
                let rest = async { while let Ok(Some(_)) = response.chunk().await {} };
                let _ = tokio::time::timeout(CLOSING_LIMIT, rest).await;
            });
        }
    }
}
