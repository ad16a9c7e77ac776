//! The lines of the log for exporters: the same lines as in the file, masked in the same way.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use chela_telemetry::logs::{self, LogRecord, LogValue};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::redact::Redactor;

/// Tells exporters each line. While none listens it does nothing.
pub(super) struct Lines(pub(super) Arc<Redactor>);

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if !logs::listened() {
            return;
        }
        let mut read = Read { redactor: &self.0, message: String::new(), fields: Vec::new() };
        event.record(&mut read);
        let meta = event.metadata();
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        logs::tell(&LogRecord {
            at_ns: u64::try_from(since.as_nanos()).unwrap_or(u64::MAX),
            level: meta.level().as_str(),
            target: meta.target().to_owned(),
            message: read.message,
            fields: read.fields,
        });
    }
}

struct Read<'a> {
    redactor: &'a Redactor,
    message: String,
    fields: Vec<(String, LogValue)>,
}

impl Read<'_> {
    fn put(&mut self, field: &Field, value: LogValue) {
        self.fields.push((field.name().to_owned(), value));
    }
}

impl Visit for Read<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let text = self.redactor.mask(&format!("{value:?}")).into_owned();
        if field.name() == "message" { self.message = text } else { self.put(field, LogValue::Text(text)) }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let text = self.redactor.mask(value).into_owned();
        if field.name() == "message" { self.message = text } else { self.put(field, LogValue::Text(text)) }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, LogValue::Int(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, LogValue::Int(i64::try_from(value).unwrap_or(i64::MAX)));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, LogValue::Float(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, LogValue::Flag(value));
    }
}
