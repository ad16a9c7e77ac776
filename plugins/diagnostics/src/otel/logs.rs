//! From lines of the log to records of OTLP.

use chela_telemetry::logs::{LogRecord, LogValue};

use super::proto::{self, AnyValue, AnyValueKind, KeyValue};

/// Members of one line that are told.
const MOST_FIELDS: usize = 32;
/// Bytes of one text.
const MOST_BYTES: usize = 8 * 1024;

/// The record of a line.
pub(super) fn of(line: &LogRecord) -> proto::LogRecord {
    let severity = match line.level {
        "TRACE" => 1,
        "DEBUG" => 5,
        "INFO" => 9,
        "WARN" => 13,
        _ => 17,
    };
    let mut attributes = vec![KeyValue::text("openclaw.log.level", line.level), KeyValue::text("openclaw.logger", cut(&line.target))];
    for (name, value) in line.fields.iter().take(MOST_FIELDS) {
        let key = format!("openclaw.{name}");
        attributes.push(match value {
            LogValue::Text(text) => KeyValue::text(&key, cut(text)),
            LogValue::Int(number) => KeyValue { key, value: Some(AnyValue { value: Some(AnyValueKind::Int(*number)) }) },
            LogValue::Float(number) => KeyValue::double(&key, *number),
            LogValue::Flag(flag) => KeyValue::flag(&key, *flag),
        });
    }
    proto::LogRecord {
        time_unix_nano: line.at_ns,
        severity_number: severity,
        severity_text: line.level.to_owned(),
        body: Some(AnyValue { value: Some(AnyValueKind::Text(cut(&line.message))) }),
        attributes,
        observed_time_unix_nano: line.at_ns,
    }
}

fn cut(text: &str) -> String {
    let mut end = text.len().min(MOST_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}
