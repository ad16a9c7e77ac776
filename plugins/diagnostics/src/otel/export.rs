//! Sending: spans soon after they end, metrics once in an interval, both once more at the end.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chela_telemetry::logs::LogRecord;
use chela_telemetry::{Event, Telemetry};
use prost::Message;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::config::Config;
use super::proto::{self, KeyValue};
use super::{DiagnosticsOtel, logs, metrics, spans};
use crate::series::SeriesSet;

/// Spans that wait at most: a collector that is down must not fill the memory.
const MOST_SPANS: usize = 2048;
/// Lines of the log that wait at most.
const MOST_LINES: usize = 4096;
/// Spans, or lines, of one request.
const BATCH: usize = 512;
/// Longest request.
const LIMIT: Duration = Duration::from_secs(10);
/// Longest last export, when the gateway stops.
const LAST_LIMIT: Duration = Duration::from_secs(2);

/// What waits to be sent.
pub(super) struct Exporter {
    config: Config,
    telemetry: Arc<Telemetry>,
    series: SeriesSet,
    spans: Mutex<VecDeque<proto::Span>>,
    lines: Mutex<VecDeque<proto::LogRecord>>,
    started: u64,
    failing: Mutex<[bool; 3]>,
}

impl Exporter {
    pub(super) fn new(config: Config, telemetry: Arc<Telemetry>) -> Self {
        Self {
            config,
            telemetry,
            series: SeriesSet::default(),
            spans: Mutex::default(),
            lines: Mutex::default(),
            started: unix_nanos(),
            failing: Mutex::default(),
        }
    }

    /// Takes an event.
    pub(super) fn take(&self, event: &Event<'_>) {
        if self.config.metrics.is_some() {
            metrics::take(&self.series, event);
        }
        if self.config.traces.is_none() {
            return;
        }
        if let Some(span) =
            spans::of(event, self.config.latest_gen_ai).filter(|span| spans::sampled(&span.trace_id, self.config.sample_rate))
        {
            let mut waiting = self.spans.lock().unwrap_or_else(PoisonError::into_inner);
            if waiting.len() < MOST_SPANS {
                waiting.push_back(span);
                return;
            }
            drop(waiting);
            self.telemetry.emit(|| Event::Exporter {
                exporter: DiagnosticsOtel::ID,
                signal: "traces",
                status: "dropped",
                reason: "queue_full",
            });
        }
    }

    /// Takes a line of the log. One that finds no place is dropped and counted: telling it would make another line.
    pub(super) fn take_line(&self, line: &LogRecord) {
        let record = logs::of(line);
        let mut waiting = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < MOST_LINES {
            waiting.push_back(record);
            return;
        }
        drop(waiting);
        self.telemetry.emit(|| Event::Exporter { exporter: DiagnosticsOtel::ID, signal: "logs", status: "dropped", reason: "queue_full" });
    }

    fn logs(&self, log_records: Vec<proto::LogRecord>) -> Vec<u8> {
        let scope_logs = vec![proto::ScopeLogs { scope: Some(scope()), log_records }];
        proto::ExportLogs { resource_logs: vec![proto::ResourceLogs { resource: Some(self.resource()), scope_logs }] }.encode_to_vec()
    }

    async fn send_lines(&self, limit: Duration) {
        let Some(url) = &self.config.logs else { return };
        loop {
            let batch: Vec<proto::LogRecord> = {
                let mut waiting = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
                let most = waiting.len().min(BATCH);
                waiting.drain(..most).collect()
            };
            if batch.is_empty() || !self.post(url, "logs", self.logs(batch), limit).await {
                return;
            }
        }
    }

    fn resource(&self) -> proto::Resource {
        let attributes = vec![
            KeyValue::text("service.name", &self.config.service_name),
            KeyValue::text("service.version", env!("CARGO_PKG_VERSION")),
            KeyValue::text("telemetry.sdk.name", "chela"),
            KeyValue::text("telemetry.sdk.language", "rust"),
            KeyValue::text("telemetry.sdk.version", env!("CARGO_PKG_VERSION")),
        ];
        proto::Resource { attributes }
    }

    fn traces(&self, spans: Vec<proto::Span>) -> Vec<u8> {
        let scope_spans = vec![proto::ScopeSpans { scope: Some(scope()), spans }];
        let resource_spans = vec![proto::ResourceSpans { resource: Some(self.resource()), scope_spans }];
        proto::ExportTraces { resource_spans }.encode_to_vec()
    }

    fn metrics(&self) -> Vec<u8> {
        let (families, _) = self.series.snapshot();
        let metrics = metrics::messages(&families, &self.telemetry.figures(), self.started, unix_nanos());
        let scope_metrics = vec![proto::ScopeMetrics { scope: Some(scope()), metrics }];
        let resource_metrics = vec![proto::ResourceMetrics { resource: Some(self.resource()), scope_metrics }];
        proto::ExportMetrics { resource_metrics }.encode_to_vec()
    }

    async fn send_spans(&self, limit: Duration) {
        let Some(url) = &self.config.traces else { return };
        loop {
            let batch: Vec<proto::Span> = {
                let mut waiting = self.spans.lock().unwrap_or_else(PoisonError::into_inner);
                let most = waiting.len().min(BATCH);
                waiting.drain(..most).collect()
            };
            if batch.is_empty() || !self.post(url, "traces", self.traces(batch), limit).await {
                return;
            }
        }
    }

    async fn send_metrics(&self, limit: Duration) {
        if let Some(url) = &self.config.metrics {
            self.post(url, "metrics", self.metrics(), limit).await;
        }
    }

    /// Sends one request. A failure is logged when it is the first of a row, and counted each time.
    async fn post(&self, url: &str, signal: &'static str, body: Vec<u8>, limit: Duration) -> bool {
        let sent = chela_models::http_client().post(url, "application/x-protobuf", &self.config.headers, body, limit).await;
        let result = match sent {
            Ok(status) if (200..300).contains(&status) => Ok(()),
            Ok(status) => Err(format!("it answers HTTP {status}")),
            Err(error) => Err(error),
        };
        let was_failing = {
            let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
            let slot = match signal {
                "traces" => 0,
                "metrics" => 1,
                _ => 2,
            };
            std::mem::replace(&mut failing[slot], result.is_err())
        };
        let Err(why) = result else {
            if was_failing {
                tracing::info!(target: "plugins", plugin = DiagnosticsOtel::ID, signal, "the collector takes {signal} again");
            }
            return true;
        };
        if !was_failing {
            tracing::warn!(target: "plugins", plugin = DiagnosticsOtel::ID, signal, "{signal} could not be exported: {why}; see `diagnostics.otel`");
        }
        self.telemetry.emit(|| Event::Exporter { exporter: DiagnosticsOtel::ID, signal, status: "failure", reason: "emit_failed" });
        false
    }
}

fn scope() -> proto::InstrumentationScope {
    proto::InstrumentationScope { name: "openclaw".into(), version: env!("CARGO_PKG_VERSION").into() }
}

fn unix_nanos() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// Exports until `end`, and then once more.
pub(super) async fn run(exporter: Arc<Exporter>, end: CancellationToken) {
    let (mut spans, mut metrics) = (ticks(exporter.config.span_delay), ticks(exporter.config.interval));
    // The first tick of an interval comes at once.
    metrics.tick().await;
    loop {
        tokio::select! {
            () = end.cancelled() => break,
            _ = spans.tick() => drop(tokio::join!(exporter.send_spans(LIMIT), exporter.send_lines(LIMIT))),
            _ = metrics.tick() => exporter.send_metrics(LIMIT).await,
        }
    }
    let last = async { tokio::join!(exporter.send_spans(LAST_LIMIT), exporter.send_metrics(LAST_LIMIT), exporter.send_lines(LAST_LIMIT)) };
    if tokio::time::timeout(LAST_LIMIT, last).await.is_err() {
        tracing::warn!(target: "plugins", plugin = DiagnosticsOtel::ID, "what was left could not be exported in time");
    }
}

fn ticks(every: Duration) -> tokio::time::Interval {
    let mut interval = tokio::time::interval(every);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

#[cfg(test)]
mod tests {
    use super::*;
    use chela_telemetry::{Figures, HandlerFigures, Settings, Source, Span, Tool, WorkerFigures};
    use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::common::v1::any_value::Value as AnyValue;
    use opentelemetry_proto::tonic::metrics::v1::{metric, number_data_point};
    use serde_json::json;

    struct Known;

    impl Source for Known {
        fn fill(&self, figures: &mut Figures) {
            figures.workers = vec![WorkerFigures { plugin: "p".into(), rss_bytes: Some(5), restarts: 1, ..WorkerFigures::default() }];
            figures.handlers = vec![HandlerFigures { plugin: "p".into(), hook: "agent_end".into(), calls: 3, ..HandlerFigures::default() }];
        }
    }

    fn exporter() -> Exporter {
        let settings = Settings { diagnostics: json!({"otel": {"enabled": true, "serviceName": "mine"}}), env: Vec::new() };
        let telemetry = Telemetry::new(settings);
        telemetry.add_source(Arc::new(Known));
        Exporter::new(Config::read(telemetry.settings()).unwrap().unwrap(), telemetry)
    }

    fn tool(outcome: &'static str) -> Event<'static> {
        Event::Tool(Tool {
            span: Some(Span { trace_id: "ab".repeat(16), span_id: "cd".repeat(8), parent_id: None }),
            tool: "echo",
            params_kind: "object",
            outcome,
            error_category: (outcome == "error").then_some("thrown"),
            began_ms: 1000,
            took: Duration::from_millis(7),
            content: chela_telemetry::Content { input: (outcome == "error").then(|| "{}".to_owned()), ..Default::default() },
        })
    }

    // OTEL-01, OTEL-03: read with the protocol's own definitions.
    #[test]
    fn spans_are_what_the_protocol_says() {
        let exporter = exporter();
        exporter.take(&tool("completed"));
        exporter.take(&tool("error"));
        let waiting: Vec<proto::Span> = exporter.spans.lock().unwrap().drain(..).collect();
        let read = ExportTraceServiceRequest::decode(exporter.traces(waiting).as_slice()).unwrap();
        let resource = read.resource_spans[0].resource.as_ref().unwrap();
        let service = resource.attributes.iter().find(|pair| pair.key == "service.name").unwrap();
        assert_eq!(service.value.as_ref().unwrap().value, Some(AnyValue::StringValue("mine".into())));
        let spans = &read.resource_spans[0].scope_spans[0].spans;
        let (good, bad) = (&spans[0], &spans[1]);
        assert_eq!(
            (good.name.as_str(), &good.trace_id, &good.parent_span_id),
            ("openclaw.tool.execution", &vec![0xab; 16], &vec![0xcd; 8])
        );
        assert_eq!((good.span_id.len(), good.start_time_unix_nano, good.end_time_unix_nano), (8, 1_000_000_000, 1_007_000_000));
        assert!(good.status.is_none() && good.attributes.iter().all(|pair| !pair.key.starts_with("openclaw.content.")));
        assert!(bad.attributes.iter().any(|pair| pair.key == "openclaw.content.tool_input"));
        assert_eq!(bad.status.as_ref().map(|status| (status.code, status.message.as_str())), Some((2, "thrown")));
        assert!(bad.attributes.iter().any(|pair| pair.key == "openclaw.errorCategory"));
    }

    // OTEL-03
    #[test]
    fn metrics_are_what_the_protocol_says() {
        let exporter = exporter();
        exporter.take(&tool("completed"));
        exporter.take(&Event::Queued { channel: "webchat", source: "chat.send" });
        exporter.take(&Event::Queued { channel: "webchat", source: "chat.send" });
        let read = ExportMetricsServiceRequest::decode(exporter.metrics().as_slice()).unwrap();
        let all = &read.resource_metrics[0].scope_metrics[0].metrics;
        let find = |name: &str| all.iter().find(|metric| metric.name == name).unwrap_or_else(|| panic!("{name}")).data.clone().unwrap();
        let metric::Data::Sum(queued) = find("openclaw.message.queued") else { panic!("a sum") };
        assert!(queued.is_monotonic && queued.aggregation_temporality == 2);
        assert_eq!(queued.data_points[0].value, Some(number_data_point::Value::AsDouble(2.0)));
        assert!(queued.data_points[0].start_time_unix_nano <= queued.data_points[0].time_unix_nano);
        assert_eq!(queued.data_points[0].attributes.len(), 2);
        let metric::Data::Histogram(times) = find("chela.tool.duration_ms") else { panic!("a histogram") };
        let point = &times.data_points[0];
        assert_eq!((point.count, point.sum, point.bucket_counts.len()), (1, Some(7.0), point.explicit_bounds.len() + 1));
        assert_eq!(point.bucket_counts[2], 1, "7 ms lie between 5 and 10");
        let metric::Data::Gauge(memory) = find("chela.worker.memory_bytes") else { panic!("a gauge") };
        assert_eq!(memory.data_points[0].value, Some(number_data_point::Value::AsDouble(5.0)));
        assert!(matches!(find("chela.hook.calls"), metric::Data::Sum(_)));
    }

    // OTEL-01: read with the protocol's own definitions.
    #[test]
    fn lines_of_the_log_are_what_the_protocol_says() {
        use chela_telemetry::logs::LogValue;
        use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
        let exporter = exporter();
        let line = LogRecord {
            at_ns: 5_000,
            level: "WARN",
            target: "plugins".into(),
            message: "slow".into(),
            fields: vec![("plugin".into(), LogValue::Text("p".into())), ("ms".into(), LogValue::Int(7))],
        };
        for _ in 0..MOST_LINES + 10 {
            exporter.take_line(&line);
        }
        let waiting: Vec<proto::LogRecord> = exporter.lines.lock().unwrap().drain(..).collect();
        assert_eq!(waiting.len(), MOST_LINES);
        let read = ExportLogsServiceRequest::decode(exporter.logs(waiting).as_slice()).unwrap();
        let record = &read.resource_logs[0].scope_logs[0].log_records[0];
        assert_eq!((record.time_unix_nano, record.severity_number, record.severity_text.as_str()), (5_000, 13, "WARN"));
        assert_eq!(record.body.as_ref().unwrap().value, Some(AnyValue::StringValue("slow".into())));
        let of = |key: &str| record.attributes.iter().find(|pair| pair.key == key).and_then(|pair| pair.value.clone()?.value);
        assert_eq!(of("openclaw.plugin"), Some(AnyValue::StringValue("p".into())));
        assert_eq!(
            (of("openclaw.ms"), of("openclaw.logger")),
            (Some(AnyValue::IntValue(7)), Some(AnyValue::StringValue("plugins".into())))
        );
    }

    #[test]
    fn spans_that_nobody_takes_are_bounded() {
        let exporter = exporter();
        for _ in 0..MOST_SPANS + 10 {
            exporter.take(&tool("completed"));
        }
        assert_eq!(exporter.spans.lock().unwrap().len(), MOST_SPANS);
    }
}
