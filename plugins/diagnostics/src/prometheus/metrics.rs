//! From events to the documented metrics.

use chela_telemetry::Event;

use crate::labels::{name, optional};
use crate::series::{Kind, Labels, Metric, SeriesSet};

/// Bounds of times, in seconds: from a cached answer to a long run.
pub(super) const SECONDS: &[f64] =
    &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0];
/// Bounds of token counts, as the conventions for generative AI recommend them.
const TOKENS: &[f64] =
    &[1.0, 4.0, 16.0, 64.0, 256.0, 1024.0, 4096.0, 16_384.0, 65_536.0, 262_144.0, 1_048_576.0, 4_194_304.0, 16_777_216.0, 67_108_864.0];
/// Bounds of memory, in bytes.
const BYTES: &[f64] = &[
    16_777_216.0,
    33_554_432.0,
    67_108_864.0,
    134_217_728.0,
    268_435_456.0,
    536_870_912.0,
    1_073_741_824.0,
    2_147_483_648.0,
    4_294_967_296.0,
];

const fn counter(name: &'static str, help: &'static str) -> Metric {
    Metric { name, help, unit: "1", kind: Kind::Counter }
}

const fn seconds(name: &'static str, help: &'static str) -> Metric {
    Metric { name, help, unit: "s", kind: Kind::Histogram(SECONDS) }
}

const RUNS: Metric = counter("openclaw_run_completed_total", "Runs that ended");
const RUN_TIME: Metric = seconds("openclaw_run_duration_seconds", "Time of runs");
const CALLS: Metric = counter("openclaw_model_call_total", "Calls to models");
const CALL_TIME: Metric = seconds("openclaw_model_call_duration_seconds", "Time of calls to models");
const MODEL_TOKENS: Metric = counter("openclaw_model_tokens_total", "Tokens of models");
const TOKEN_USAGE: Metric =
    Metric { name: "openclaw_gen_ai_client_token_usage", help: "Tokens of a run", unit: "{token}", kind: Kind::Histogram(TOKENS) };
const COST: Metric = counter("openclaw_model_cost_usd_total", "What models cost by the configured prices, in US dollars");
const TOOLS: Metric = counter("openclaw_tool_execution_total", "Calls of tools");
const TOOL_TIME: Metric = seconds("openclaw_tool_execution_duration_seconds", "Time of calls of tools");
const HARNESSES: Metric = counter("openclaw_harness_run_total", "Turns that a harness ran");
const HARNESS_TIME: Metric = seconds("openclaw_harness_run_duration_seconds", "Time of turns that a harness ran");
const MESSAGES: Metric = counter("openclaw_message_processed_total", "Messages that were dealt with");
const MESSAGE_TIME: Metric = seconds("openclaw_message_processed_duration_seconds", "Time from taking a message to the end of its turn");
const SENDING: Metric = counter("openclaw_message_delivery_started_total", "Messages that a channel was asked to send");
const SENT: Metric = counter("openclaw_message_delivery_total", "Messages that a channel sent, or failed to send");
const SEND_TIME: Metric = seconds("openclaw_message_delivery_duration_seconds", "Time of sending");
const LANE_SIZE: Metric = Metric { name: "openclaw_queue_lane_size", help: "Turns that wait in a lane", unit: "1", kind: Kind::Gauge };
const LANE_WAIT: Metric = seconds("openclaw_queue_lane_wait_seconds", "Time that turns waited in a lane");
const STATES: Metric = counter("openclaw_session_state_total", "Changes of the state of sessions");
const EXPORTERS: Metric = counter("openclaw_telemetry_exporter_total", "Notable moments of exporters");
const RSS: Metric = Metric {
    name: "openclaw_memory_rss_bytes",
    help: "Resident memory of the gateway at each scrape",
    unit: "By",
    kind: Kind::Histogram(BYTES),
};
const REQUESTS: Metric = counter("chela_requests_total", "Requests that the gateway answered");
const REQUEST_TIME: Metric = seconds("chela_request_duration_seconds", "Time of requests");

/// Takes an event into the series.
pub(super) fn take(series: &SeriesSet, event: &Event<'_>) {
    let timed = |count: &Metric, time: &Metric, labels: Labels, took: std::time::Duration| {
        series.count(count, labels.clone());
        series.put(time, labels, took.as_secs_f64());
    };
    match event {
        Event::Run(run) => {
            let labels = vec![
                ("channel", name(run.channel)),
                ("model", name(run.model)),
                ("outcome", run.outcome.into()),
                ("provider", name(run.provider)),
                ("trigger", name(run.trigger)),
            ];
            timed(&RUNS, &RUN_TIME, labels, run.took);
        }
        Event::Usage(usage) => {
            let model = |more: Labels| {
                let mut labels = vec![
                    ("agent", name(usage.agent)),
                    ("channel", name(usage.channel)),
                    ("model", name(usage.model)),
                    ("provider", name(usage.provider)),
                ];
                labels.extend(more);
                labels
            };
            for (kind, tokens) in [
                ("input", usage.input),
                ("output", usage.output),
                ("cache_read", usage.cache_read),
                ("cache_write", usage.cache_write),
                ("prompt", usage.input + usage.cache_read + usage.cache_write),
                ("total", usage.total),
            ] {
                if tokens > 0 {
                    series.put(&MODEL_TOKENS, model(vec![("token_type", kind.into())]), tokens as f64);
                }
            }
            for (kind, tokens) in [("input", usage.input + usage.cache_read + usage.cache_write), ("output", usage.output)] {
                if tokens > 0 {
                    let labels = vec![("model", name(usage.model)), ("provider", name(usage.provider)), ("token_type", kind.into())];
                    series.put(&TOKEN_USAGE, labels, tokens as f64);
                }
            }
            if let Some(cost) = usage.cost_usd.filter(|cost| *cost > 0.0) {
                series.put(&COST, model(Vec::new()), cost);
            }
        }
        Event::ModelCall(call) => {
            let labels = vec![
                ("api", optional(call.api)),
                ("error_category", optional(call.error_category)),
                ("model", name(call.model)),
                ("outcome", if call.error_category.is_some() { "error" } else { "completed" }.into()),
                ("provider", name(call.provider)),
                ("transport", call.transport.into()),
            ];
            timed(&CALLS, &CALL_TIME, labels, call.took);
        }
        Event::Tool(tool) => {
            let labels = vec![
                ("error_category", optional(tool.error_category)),
                ("outcome", tool.outcome.into()),
                ("params_kind", tool.params_kind.into()),
                ("tool", name(tool.tool)),
            ];
            timed(&TOOLS, &TOOL_TIME, labels, tool.took);
        }
        Event::Harness(run) => {
            let failed = run.outcome == "error";
            let labels = vec![
                ("channel", name(run.channel)),
                ("error_category", if failed { "unknown" } else { "none" }.into()),
                ("harness", name(run.harness)),
                ("model", name(run.model)),
                ("outcome", run.outcome.into()),
                ("phase", if failed { "send" } else { "none" }.into()),
                ("plugin", name(run.plugin)),
                ("provider", name(run.provider)),
            ];
            timed(&HARNESSES, &HARNESS_TIME, labels, run.took);
        }
        Event::Processed(message) => {
            let labels =
                vec![("channel", name(message.channel)), ("outcome", message.outcome.into()), ("reason", optional(message.reason))];
            timed(&MESSAGES, &MESSAGE_TIME, labels, message.took);
        }
        Event::Delivered(message) => {
            let (channel, kind) = (("channel", name(message.channel)), ("delivery_kind", message.kind.into()));
            series.count(&SENDING, vec![channel.clone(), kind.clone()]);
            let labels = vec![channel, kind, ("error_category", optional(message.reason)), ("outcome", message.outcome.into())];
            timed(&SENT, &SEND_TIME, labels, message.took);
        }
        Event::Dequeued(lane) => {
            let labels = vec![("lane", name(lane.lane))];
            series.put(&LANE_SIZE, labels.clone(), lane.size as f64);
            series.put(&LANE_WAIT, labels, lane.waited.as_secs_f64());
        }
        Event::SessionState { state, reason } => {
            series.count(&STATES, vec![("reason", (*reason).into()), ("state", (*state).into())]);
        }
        Event::Request(request) => {
            let (name, surface) = (("name", name(request.name)), ("surface", request.surface.into()));
            series.count(&REQUESTS, vec![name, ("outcome", request.outcome.into()), surface.clone()]);
            series.put(&REQUEST_TIME, vec![surface], request.took.as_secs_f64());
        }
        Event::Exporter { exporter, signal, status, reason } => {
            let labels = [("exporter", *exporter), ("reason", *reason), ("signal", *signal), ("status", *status)];
            series.count(&EXPORTERS, labels.map(|(key, value)| (key, value.to_owned())).to_vec());
        }
        Event::Queued { .. } => {}
    }
}

/// A sample of the gateway's memory.
pub(super) fn sample_memory(series: &SeriesSet, rss: u64) {
    series.put(&RSS, Vec::new(), rss as f64);
}
