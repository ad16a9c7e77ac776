//! From events to the documented instruments, and from those to OTLP.

use chela_telemetry::{Event, Figures};

use super::proto;
use crate::labels::name;
use crate::series::{Family, Kind, Labels, Metric, Point, SeriesSet};

/// Bounds of histograms that nobody gave others: those of the SDKs.
const DEFAULT: &[f64] = &[0.0, 5.0, 10.0, 25.0, 50.0, 75.0, 100.0, 250.0, 500.0, 750.0, 1000.0, 2500.0, 5000.0, 7500.0, 10_000.0];
/// Bounds that the conventions for generative AI recommend, in seconds.
const OPERATION: &[f64] = &[0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];
/// Likewise for tokens.
const TOKENS: &[f64] =
    &[1.0, 4.0, 16.0, 64.0, 256.0, 1024.0, 4096.0, 16_384.0, 65_536.0, 262_144.0, 1_048_576.0, 4_194_304.0, 16_777_216.0, 67_108_864.0];
/// Values add up from the start of the process.
const CUMULATIVE: i32 = 2;

const fn counter(name: &'static str, help: &'static str) -> Metric {
    Metric { name, help, unit: "1", kind: Kind::Counter }
}

const fn histogram(name: &'static str, help: &'static str, unit: &'static str, bounds: &'static [f64]) -> Metric {
    Metric { name, help, unit, kind: Kind::Histogram(bounds) }
}

const TOKEN_COUNT: Metric = counter("openclaw.tokens", "Tokens of models");
const COST: Metric = counter("openclaw.cost.usd", "What models cost by the configured prices");
const RUN_TIME: Metric = histogram("openclaw.run.duration_ms", "Time of runs", "ms", DEFAULT);
const CONTEXT: Metric = histogram("openclaw.context.tokens", "Context of models", "1", TOKENS);
const GEN_AI_TOKENS: Metric = histogram("gen_ai.client.token.usage", "Tokens of a run", "{token}", TOKENS);
const GEN_AI_TIME: Metric = histogram("gen_ai.client.operation.duration", "Time of calls to models", "s", OPERATION);
const CALL_TIME: Metric = histogram("openclaw.model_call.duration_ms", "Time of calls to models", "ms", DEFAULT);
const FIRST_BYTE: Metric = histogram("openclaw.model_call.time_to_first_byte_ms", "Time until an answer began", "ms", DEFAULT);
const QUEUED: Metric = counter("openclaw.message.queued", "Messages that waited for their turn");
const PROCESSED: Metric = counter("openclaw.message.processed", "Messages that were dealt with");
const MESSAGE_TIME: Metric = histogram("openclaw.message.duration_ms", "Time from taking a message to the end of its turn", "ms", DEFAULT);
const SENDING: Metric = counter("openclaw.message.delivery.started", "Messages that a channel was asked to send");
const SEND_TIME: Metric = histogram("openclaw.message.delivery.duration_ms", "Time of sending", "ms", DEFAULT);
const DEQUEUED: Metric = counter("openclaw.queue.lane.dequeue", "Turns that left a lane");
const ENQUEUED: Metric = counter("openclaw.queue.lane.enqueue", "Turns that came into a lane");
const DEPTH: Metric = histogram("openclaw.queue.depth", "Turns that wait in a lane", "1", DEFAULT);
const WAIT: Metric = histogram("openclaw.queue.wait_ms", "Time that turns waited in a lane", "ms", DEFAULT);
const STATES: Metric = counter("openclaw.session.state", "Changes of the state of sessions");
const HARNESS_TIME: Metric = histogram("openclaw.harness.duration_ms", "Time of turns that a harness ran", "ms", DEFAULT);
const TOOL_TIME: Metric = histogram("chela.tool.duration_ms", "Time of calls of tools", "ms", DEFAULT);
const REQUESTS: Metric = counter("chela.requests", "Requests that the gateway answered");

/// Takes an event into the series.
pub(super) fn take(series: &SeriesSet, event: &Event<'_>) {
    let ms = |time: std::time::Duration| time.as_secs_f64() * 1e3;
    match event {
        Event::Run(run) => {
            let labels = vec![
                ("openclaw.channel", name(run.channel)),
                ("openclaw.provider", name(run.provider)),
                ("openclaw.model", name(run.model)),
            ];
            series.put(&RUN_TIME, labels, ms(run.took));
        }
        Event::Usage(usage) => tokens(series, usage),
        Event::ModelCall(call) => {
            let mut labels = vec![("openclaw.provider", name(call.provider)), ("openclaw.model", name(call.model))];
            labels.extend(call.api.map(|api| ("openclaw.api", name(api))));
            labels.push(("openclaw.transport", call.transport.into()));
            labels.extend(call.error_category.map(|kind| ("openclaw.errorCategory", name(kind))));
            labels.extend(call.failure_kind.map(|kind| ("openclaw.failureKind", name(kind))));
            series.put(&CALL_TIME, labels.clone(), ms(call.took));
            if let Some(first) = call.first_byte {
                series.put(&FIRST_BYTE, labels, ms(first));
            }
            let mut general = gen_ai(call.provider, call.model);
            general.extend(call.error_category.map(|kind| ("error.type", name(kind))));
            series.put(&GEN_AI_TIME, general, call.took.as_secs_f64());
        }
        Event::Tool(tool) => {
            series.put(&TOOL_TIME, vec![("openclaw.toolName", name(tool.tool)), ("openclaw.outcome", tool.outcome.into())], ms(tool.took));
        }
        Event::Harness(run) => {
            let mut labels = vec![
                ("openclaw.harness.id", name(run.harness)),
                ("openclaw.harness.plugin", name(run.plugin)),
                ("openclaw.outcome", run.outcome.into()),
            ];
            labels.extend((run.outcome == "error").then(|| ("openclaw.harness.phase", "send".to_owned())));
            series.put(&HARNESS_TIME, labels, ms(run.took));
        }
        Event::Queued { channel, source } => {
            series.count(&QUEUED, vec![("openclaw.channel", name(channel)), ("openclaw.source", name(source))]);
        }
        Event::Processed(message) => {
            let labels = vec![("openclaw.channel", name(message.channel)), ("openclaw.outcome", message.outcome.into())];
            series.count(&PROCESSED, labels.clone());
            series.put(&MESSAGE_TIME, labels, ms(message.took));
        }
        Event::Delivered(message) => {
            let mut labels = vec![("openclaw.channel", name(message.channel)), ("openclaw.delivery.kind", message.kind.into())];
            series.count(&SENDING, labels.clone());
            labels.push(("openclaw.outcome", message.outcome.into()));
            labels.extend(message.reason.map(|kind| ("openclaw.errorCategory", name(kind))));
            series.put(&SEND_TIME, labels, ms(message.took));
        }
        Event::Dequeued(lane) => {
            let labels = vec![("openclaw.lane", name(lane.lane))];
            series.count(&ENQUEUED, labels.clone());
            series.count(&DEQUEUED, labels.clone());
            series.put(&DEPTH, labels.clone(), lane.size as f64);
            series.put(&WAIT, labels, ms(lane.waited));
        }
        Event::SessionState { state, reason } => {
            series.count(&STATES, vec![("openclaw.state", (*state).into()), ("openclaw.reason", (*reason).into())]);
        }
        Event::Request(request) => {
            let labels = [("surface", request.surface.to_owned()), ("name", name(request.name)), ("outcome", request.outcome.to_owned())];
            series.count(&REQUESTS, labels.to_vec());
        }
        Event::Exporter { .. } => {}
    }
}

fn gen_ai(provider: &str, model: &str) -> Labels {
    vec![("gen_ai.operation.name", "chat".into()), ("gen_ai.provider.name", name(provider)), ("gen_ai.request.model", name(model))]
}

fn tokens(series: &SeriesSet, usage: &chela_telemetry::Usage<'_>) {
    let labels = |more: Option<(&'static str, &str)>| {
        let mut labels = vec![
            ("openclaw.channel", name(usage.channel)),
            ("openclaw.provider", name(usage.provider)),
            ("openclaw.model", name(usage.model)),
        ];
        labels.extend(more.map(|(key, value)| (key, value.to_owned())));
        labels
    };
    let prompt = usage.input + usage.cache_read + usage.cache_write;
    for (kind, count) in [
        ("input", usage.input),
        ("output", usage.output),
        ("cache_read", usage.cache_read),
        ("cache_write", usage.cache_write),
        ("prompt", prompt),
        ("total", usage.total),
    ] {
        if count > 0 {
            let mut with = labels(Some(("openclaw.token", kind)));
            with.push(("openclaw.agent", name(usage.agent)));
            series.put(&TOKEN_COUNT, with, count as f64);
        }
    }
    for (kind, count) in [("input", prompt), ("output", usage.output)] {
        if count > 0 {
            let mut with = gen_ai(usage.provider, usage.model);
            with.push(("gen_ai.token.type", kind.into()));
            series.put(&GEN_AI_TOKENS, with, count as f64);
        }
    }
    if let Some(cost) = usage.cost_usd.filter(|cost| *cost > 0.0) {
        series.put(&COST, labels(None), cost);
    }
    for (kind, count) in [("limit", usage.context_limit.unwrap_or(0)), ("used", usage.context_used)] {
        if count > 0 {
            series.put(&CONTEXT, labels(Some(("openclaw.context", kind))), count as f64);
        }
    }
}

/// All series as messages. `start` and `now` are Unix ns.
pub(super) fn messages(families: &[Family], figures: &Figures, start: u64, now: u64) -> Vec<proto::Metric> {
    let mut out: Vec<proto::Metric> = families.iter().map(|family| of_family(family, start, now)).collect();
    let gauge = |name: &str, help: &str, unit: &str, values: Vec<(Vec<proto::KeyValue>, f64)>| proto::Metric {
        name: name.into(),
        description: help.into(),
        unit: unit.into(),
        data: Some(proto::MetricData::Gauge(proto::Gauge {
            data_points: values.into_iter().map(|(labels, value)| number(labels, value, 0, now)).collect(),
        })),
    };
    let one = |value: u64| vec![(Vec::new(), value as f64)];
    if let Some(rss) = figures.rss_bytes {
        out.push(gauge("chela.memory.rss_bytes", "Resident memory of the gateway", "By", one(rss)));
    }
    out.push(gauge("chela.sessions.open", "Sessions that have started and not ended", "1", one(figures.open_sessions)));
    let of_workers = |value: &dyn Fn(&chela_telemetry::WorkerFigures) -> Option<u64>| {
        let rows = figures.workers.iter().filter_map(|worker| Some((worker, value(worker)?)));
        rows.map(|(worker, value)| (vec![proto::KeyValue::text("plugin", name(&worker.plugin))], value as f64)).collect::<Vec<_>>()
    };
    if !figures.workers.is_empty() {
        let memory = of_workers(&|worker| worker.rss_bytes);
        if !memory.is_empty() {
            out.push(gauge("chela.worker.memory_bytes", "Memory of the processes of plugins", "By", memory));
        }
        out.push(gauge("chela.worker.restarts", "Unexpected ends of workers", "1", of_workers(&|worker| Some(worker.restarts))));
    }
    if !figures.handlers.is_empty() {
        let points = figures.handlers.iter().map(|row| {
            let labels = vec![proto::KeyValue::text("plugin", name(&row.plugin)), proto::KeyValue::text("hook", name(&row.hook))];
            (labels, row)
        });
        let sum = |value: &dyn Fn(&chela_telemetry::HandlerFigures) -> f64| {
            let points = points.clone().map(|(labels, row)| number(labels, value(row), start, now)).collect();
            Some(proto::MetricData::Sum(proto::Sum { data_points: points, aggregation_temporality: CUMULATIVE, is_monotonic: true }))
        };
        for (name, help, unit, data) in [
            ("chela.hook.calls", "Calls of handlers of hooks", "1", sum(&|row| row.calls as f64)),
            ("chela.hook.failures", "Calls of handlers that failed, time-outs included", "1", sum(&|row| row.failures as f64)),
            ("chela.hook.duration_seconds", "Time of all calls of handlers", "s", sum(&|row| row.seconds)),
        ] {
            out.push(proto::Metric { name: name.into(), description: help.into(), unit: unit.into(), data });
        }
    }
    out
}

fn number(attributes: Vec<proto::KeyValue>, value: f64, start: u64, now: u64) -> proto::NumberDataPoint {
    let value = Some(proto::Number::Double(value));
    proto::NumberDataPoint { attributes, start_time_unix_nano: start, time_unix_nano: now, value }
}

fn of_family(family: &Family, start: u64, now: u64) -> proto::Metric {
    let attributes = |labels: &Labels| labels.iter().map(|(key, value)| proto::KeyValue::text(key, value)).collect::<Vec<_>>();
    let numbers = || family.points.iter().map(|(labels, point)| number(attributes(labels), point.value, start, now)).collect();
    let of_classes = |labels: &Labels, point: &Point, bounds: &[f64]| proto::HistogramDataPoint {
        attributes: attributes(labels),
        start_time_unix_nano: start,
        time_unix_nano: now,
        count: point.count,
        sum: Some(point.value),
        bucket_counts: point.classes.clone(),
        explicit_bounds: bounds.to_vec(),
    };
    let data = match family.metric.kind {
        Kind::Counter => {
            proto::MetricData::Sum(proto::Sum { data_points: numbers(), aggregation_temporality: CUMULATIVE, is_monotonic: true })
        }
        Kind::Gauge => proto::MetricData::Gauge(proto::Gauge { data_points: numbers() }),
        Kind::Histogram(bounds) => proto::MetricData::Histogram(proto::Histogram {
            data_points: family.points.iter().map(|(labels, point)| of_classes(labels, point, bounds)).collect(),
            aggregation_temporality: CUMULATIVE,
        }),
    };
    let metric = &family.metric;
    proto::Metric { name: metric.name.into(), description: metric.help.into(), unit: metric.unit.into(), data: Some(data) }
}
