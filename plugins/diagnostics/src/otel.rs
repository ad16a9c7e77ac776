//! `diagnostics-otel`: metrics, traces and logs over OTLP, HTTP with protobuf (OTEL-01..OTEL-03).

mod config;
mod export;
mod logs;
mod metrics;
pub mod proto;
mod spans;

use std::sync::{Arc, Mutex, PoisonError};

use chela_plugin::builtin::{BuiltinPlugin, PluginApi};
use chela_plugin::{Call, CallError};
use chela_telemetry::logs::{self as log_lines, LogListener, LogListening, LogRecord};
use chela_telemetry::{Event, Listener, Listening, Telemetry};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use config::Config;
use export::Exporter;

/// The plugin's manifest.
pub(crate) const MANIFEST: &str = r#"{
  "id": "diagnostics-otel",
  "name": "Diagnostics OpenTelemetry",
  "description": "Sends metrics, traces and logs to an OpenTelemetry collector",
  "activation": { "onStartup": true },
  "configSchema": { "type": "object", "additionalProperties": false, "properties": {} }
}"#;

/// Sends OTLP.
#[derive(Debug)]
pub struct DiagnosticsOtel(Arc<Telemetry>);

impl DiagnosticsOtel {
    /// The plugin id.
    pub const ID: &str = "diagnostics-otel";

    /// An exporter of this telemetry.
    pub fn new(telemetry: Arc<Telemetry>) -> Self {
        Self(telemetry)
    }
}

/// What runs between start and stop.
struct Running {
    _listening: Listening,
    _lines: Option<LogListening>,
    end: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

struct Collector(Arc<Exporter>);

impl LogListener for Collector {
    fn take(&self, record: &LogRecord) {
        self.0.take_line(record);
    }
}

impl Listener for Collector {
    fn take(&self, event: &Event<'_>) {
        self.0.take(event);
    }
}

impl BuiltinPlugin for DiagnosticsOtel {
    fn manifest(&self) -> &'static str {
        MANIFEST
    }

    fn register(&self, api: &mut PluginApi) -> Result<(), String> {
        let running: Arc<Mutex<Option<Running>>> = Arc::default();
        let (telemetry, of_start) = (self.0.clone(), running.clone());
        let start = api.function(move |_: Call| {
            let begun = begin(&telemetry);
            *of_start.lock().unwrap_or_else(PoisonError::into_inner) = begun;
            async { Ok::<_, CallError>(Value::Null) }
        });
        let stop = api.function(move |_: Call| {
            let ended = running.lock().unwrap_or_else(PoisonError::into_inner).take();
            async move {
                if let Some(running) = ended {
                    running.end.cancel();
                    // The last export is bounded by its own limit.
                    let _ = running.task.await;
                }
                Ok::<_, CallError>(Value::Null)
            }
        });
        api.register("registerService", vec![json!({"id": Self::ID, "start": start, "stop": stop})]);
        Ok(())
    }
}

/// Starts exporting where the config asks for it; what it asks for and is not built is told.
fn begin(telemetry: &Arc<Telemetry>) -> Option<Running> {
    let settings = telemetry.settings();
    if !settings.enabled() {
        return None;
    }
    let config = match Config::read(settings) {
        Ok(config) => config?,
        Err(problem) => {
            tracing::warn!(target: "plugins", plugin = DiagnosticsOtel::ID, "{problem}");
            telemetry.emit(|| Event::Exporter {
                exporter: DiagnosticsOtel::ID,
                signal: "traces",
                status: "failure",
                reason: "unsupported_protocol",
            });
            return None;
        }
    };
    for notice in &config.notices {
        tracing::warn!(target: "plugins", plugin = DiagnosticsOtel::ID, "{notice}");
    }
    let (traces, metrics, logs) = (config.traces.is_some(), config.metrics.is_some(), config.logs.is_some());
    let exporter = Arc::new(Exporter::new(config, telemetry.clone()));
    let listening = telemetry.listen(Arc::new(Collector(exporter.clone())));
    let lines = logs.then(|| log_lines::listen(Arc::new(Collector(exporter.clone()))));
    for (signal, on) in [("traces", traces), ("metrics", metrics), ("logs", logs)] {
        if on {
            telemetry.emit(|| Event::Exporter { exporter: DiagnosticsOtel::ID, signal, status: "started", reason: "configured" });
        }
    }
    let end = CancellationToken::new();
    let task = tokio::spawn(export::run(exporter, end.clone()));
    Some(Running { _listening: listening, _lines: lines, end, task })
}
