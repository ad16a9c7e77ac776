//! `diagnostics-prometheus`: metrics in Prometheus text on a route of the gateway (PROM-01, PROM-02).

mod metrics;
mod text;

use std::sync::{Arc, Mutex, PoisonError};

use chela_plugin::builtin::{BuiltinPlugin, PluginApi};
use chela_plugin::{Call, CallError};
use chela_telemetry::{Event, Listener, Listening, Telemetry};
use serde_json::{Value, json};

use crate::series::SeriesSet;

/// The plugin's manifest.
pub(crate) const MANIFEST: &str = r#"{
  "id": "diagnostics-prometheus",
  "name": "Diagnostics Prometheus",
  "description": "Answers scrapes of Prometheus on /api/diagnostics/prometheus",
  "activation": { "onStartup": true },
  "configSchema": { "type": "object", "additionalProperties": false, "properties": {} }
}"#;

/// Where scrapes go.
const PATH: &str = "/api/diagnostics/prometheus";
/// The type of the answer.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Answers scrapes.
#[derive(Debug)]
pub struct DiagnosticsPrometheus(Arc<Telemetry>);

impl DiagnosticsPrometheus {
    /// The plugin id.
    pub const ID: &str = "diagnostics-prometheus";

    /// An exporter of this telemetry.
    pub fn new(telemetry: Arc<Telemetry>) -> Self {
        Self(telemetry)
    }
}

/// What the listener and the route share.
#[derive(Default)]
struct Shared {
    series: SeriesSet,
    listening: Mutex<Option<Listening>>,
}

struct Collector(Arc<Shared>);

impl Listener for Collector {
    fn take(&self, event: &Event<'_>) {
        metrics::take(&self.0.series, event);
    }
}

impl BuiltinPlugin for DiagnosticsPrometheus {
    fn manifest(&self) -> &'static str {
        MANIFEST
    }

    fn register(&self, api: &mut PluginApi) -> Result<(), String> {
        let shared = Arc::new(Shared::default());
        let (telemetry, of_route) = (self.0.clone(), shared.clone());
        let handler = api.function(move |call: Call| {
            let answer = scrape(&telemetry, &of_route, call.args.first().unwrap_or(&Value::Null));
            async move { Ok(answer) }
        });
        api.register(
            "registerHttpRoute",
            vec![json!({
                "path": PATH, "match": "exact", "auth": "gateway", "gatewayRuntimeScopeSurface": "trusted-operator", "handler": handler,
            })],
        );
        let telemetry = self.0.clone();
        let of_start = shared.clone();
        let start = api.function(move |_| {
            let guard = telemetry.listen(Arc::new(Collector(of_start.clone())));
            *of_start.listening.lock().unwrap_or_else(PoisonError::into_inner) = Some(guard);
            async { Ok::<_, CallError>(Value::Null) }
        });
        let stop = api.function(move |_| {
            shared.listening.lock().unwrap_or_else(PoisonError::into_inner).take();
            shared.series.clear();
            async { Ok::<_, CallError>(Value::Null) }
        });
        api.register("registerService", vec![json!({"id": Self::ID, "start": start, "stop": stop})]);
        Ok(())
    }
}

fn scrape(telemetry: &Telemetry, shared: &Shared, request: &Value) -> Value {
    let answer = |status: u16, content_type: &str, body: String| json!({"handled": true, "status": status, "headers": [["content-type", content_type], ["cache-control", "no-store"]], "body": body});
    if !matches!(request["method"].as_str(), Some("GET" | "HEAD")) {
        let mut refused = answer(405, "text/plain; charset=utf-8", "Method Not Allowed".into());
        refused["headers"] = json!([["allow", "GET, HEAD"], ["content-type", "text/plain; charset=utf-8"]]);
        return refused;
    }
    if request["scopes"].as_array().is_none_or(Vec::is_empty) {
        return answer(403, "text/plain; charset=utf-8", "Forbidden: this needs a scope of an operator".into());
    }
    if !telemetry.settings().enabled() {
        return answer(200, CONTENT_TYPE, String::new());
    }
    let figures = telemetry.figures();
    if let Some(rss) = figures.rss_bytes {
        metrics::sample_memory(&shared.series, rss);
    }
    let (families, dropped) = shared.series.snapshot();
    answer(200, CONTENT_TYPE, text::render(&families, dropped, &figures))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chela_telemetry::Settings;

    // PROM-01
    #[test]
    fn a_scrape_is_a_get_by_an_operator() {
        let (telemetry, shared) = (Telemetry::new(Settings::default()), Shared::default());
        let ask = |method: &str, scopes: Value| scrape(&telemetry, &shared, &json!({"method": method, "scopes": scopes}));
        assert_eq!(ask("POST", json!(["operator.read"]))["status"], 405);
        assert_eq!(ask("GET", json!([]))["status"], 403);
        let good = ask("GET", json!(["operator.read"]));
        assert_eq!((&good["status"], &good["headers"][0][1]), (&json!(200), &json!(CONTENT_TYPE)));
        let off = Telemetry::new(Settings { diagnostics: json!({"enabled": false}), env: Vec::new() });
        assert_eq!(scrape(&off, &shared, &json!({"method": "GET", "scopes": ["operator.read"]}))["body"], "");
    }
}
