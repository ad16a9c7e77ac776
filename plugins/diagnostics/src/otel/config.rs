//! `diagnostics.otel` and the variables of the environment that go with it (OTEL-01, OTEL-02).

use std::time::Duration;

use chela_telemetry::Settings;
use serde_json::Value;

/// Where a collector listens when nobody says.
const DEFAULT_ENDPOINT: &str = "http://localhost:4318";
/// Time between two exports of metrics when nobody says, in ms.
const DEFAULT_INTERVAL_MS: u64 = 60_000;
/// Shortest time between two exports of metrics, in ms.
const LEAST_INTERVAL_MS: u64 = 1000;
/// Longest time that finished spans wait.
const SPAN_DELAY: Duration = Duration::from_secs(5);

/// What to export, and where to.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Config {
    /// Where traces go; `None` when they are off.
    pub(super) traces: Option<String>,
    /// Where metrics go; `None` when they are off.
    pub(super) metrics: Option<String>,
    /// Where the lines of the log go; `None` unless they are asked for.
    pub(super) logs: Option<String>,
    /// Headers of every request. Values may be secrets: they appear in no log.
    pub(super) headers: Vec<(String, String)>,
    /// The name under which the gateway appears.
    pub(super) service_name: String,
    /// Share of traces that are kept, 0 to 1.
    pub(super) sample_rate: f64,
    /// Time between two exports of metrics.
    pub(super) interval: Duration,
    /// Time that spans wait at most.
    pub(super) span_delay: Duration,
    /// `gen_ai.provider.name` in place of `gen_ai.system`.
    pub(super) latest_gen_ai: bool,
    /// What was asked for and is not built.
    pub(super) notices: Vec<String>,
}

impl Config {
    /// Reads the settings; `None` when exporting is off.
    ///
    /// # Errors
    /// A protocol other than `http/protobuf`.
    pub(super) fn read(settings: &Settings) -> Result<Option<Self>, String> {
        let otel = settings.diagnostics.get("otel").unwrap_or(&Value::Null);
        let text = |key: &str| otel.get(key).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
        let on = |key: &str| otel.get(key).and_then(Value::as_bool).unwrap_or(true);
        if otel.get("enabled").and_then(Value::as_bool) != Some(true) {
            return Ok(None);
        }
        let protocol = settings.var("OTEL_EXPORTER_OTLP_PROTOCOL").or(text("protocol")).unwrap_or("http/protobuf");
        if protocol != "http/protobuf" {
            return Err(format!("`diagnostics.otel.protocol` is `{protocol}`; only `http/protobuf` is supported, so nothing is exported"));
        }
        let shared = settings.var("OTEL_EXPORTER_OTLP_ENDPOINT").or(text("endpoint")).unwrap_or(DEFAULT_ENDPOINT);
        let endpoint = |key: &str, var: &str, signal: &str| {
            let own = text(key).or_else(|| settings.var(var));
            own.map_or_else(|| of_signal(shared, signal), str::to_owned)
        };
        let interval = otel.get("flushIntervalMs").and_then(Value::as_u64).unwrap_or(DEFAULT_INTERVAL_MS).max(LEAST_INTERVAL_MS);
        let interval = Duration::from_millis(interval);
        let rate = otel.get("sampleRate").and_then(Value::as_f64).filter(|rate| (0.0..=1.0).contains(rate));
        Ok(Some(Self {
            traces: on("traces").then(|| endpoint("tracesEndpoint", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "traces")),
            metrics: on("metrics").then(|| endpoint("metricsEndpoint", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "metrics")),
            // As in the reference's code: its documents say that this too is on by itself, which would send the log to whoever gets metrics.
            logs: (otel.get("logs") == Some(&Value::Bool(true)))
                .then(|| endpoint("logsEndpoint", "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "logs")),
            headers: headers(otel, settings),
            service_name: settings.var("OTEL_SERVICE_NAME").or(text("serviceName")).unwrap_or("openclaw").to_owned(),
            sample_rate: rate.unwrap_or(1.0),
            interval,
            span_delay: interval.min(SPAN_DELAY),
            latest_gen_ai: settings
                .var("OTEL_SEMCONV_STABILITY_OPT_IN")
                .is_some_and(|list| list.split(',').any(|word| word.trim() == "gen_ai_latest_experimental")),
            notices: notices(settings),
        }))
    }
}

/// The shared endpoint with the path of a signal, unless it names one already.
fn of_signal(shared: &str, signal: &str) -> String {
    if ["/v1/traces", "/v1/metrics", "/v1/logs"].iter().any(|path| shared.contains(path)) {
        return shared.to_owned();
    }
    format!("{}/v1/{signal}", shared.trim_end_matches('/'))
}

fn headers(otel: &Value, settings: &Settings) -> Vec<(String, String)> {
    let configured = otel.get("headers").and_then(Value::as_object);
    if let Some(map) = configured {
        return map.iter().filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect();
    }
    let list = settings.var("OTEL_EXPORTER_OTLP_HEADERS").unwrap_or_default();
    let pairs = list.split(',').filter_map(|pair| pair.split_once('='));
    pairs.map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned())).collect()
}

fn notices(settings: &Settings) -> Vec<String> {
    let mut out = Vec::new();
    if settings.var("OPENCLAW_OTEL_PRELOADED") == Some("1") {
        out.push("`OPENCLAW_OTEL_PRELOADED` has no effect: no other SDK can be in this process, so this one exports".to_owned());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(otel: Value, env: &[(&str, &str)]) -> Option<Config> {
        let env = env.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Config::read(&Settings { diagnostics: json!({"otel": otel}), env }).unwrap()
    }

    // OTEL-02
    #[test]
    fn a_signal_s_own_endpoint_wins_config_before_environment() {
        let all = [("OTEL_EXPORTER_OTLP_ENDPOINT", "http://env:1/"), ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://env:2/t")];
        type Case<'a> = (Value, &'a [(&'a str, &'a str)], &'a str, &'a str);
        let cases: &[Case<'_>] = &[
            (json!({"enabled": true}), &[], "http://localhost:4318/v1/traces", "http://localhost:4318/v1/metrics"),
            (json!({"enabled": true, "endpoint": "http://a:1/"}), &[], "http://a:1/v1/traces", "http://a:1/v1/metrics"),
            (json!({"enabled": true, "endpoint": "http://a:1"}), &all, "http://env:2/t", "http://env:1/v1/metrics"),
            (json!({"enabled": true, "tracesEndpoint": "http://own:3/x"}), &all, "http://own:3/x", "http://env:1/v1/metrics"),
            (json!({"enabled": true, "endpoint": "http://a/v1/traces"}), &[], "http://a/v1/traces", "http://a/v1/traces"),
        ];
        for (otel, env, traces, metrics) in cases {
            let config = read(otel.clone(), env).unwrap();
            assert_eq!((config.traces.as_deref(), config.metrics.as_deref()), (Some(*traces), Some(*metrics)), "{otel}");
        }
    }

    // OTEL-01, OTEL-04
    #[test]
    fn what_is_off_wrong_or_not_built() {
        assert_eq!(read(json!({"endpoint": "http://a"}), &[]), None);
        assert_eq!(read(json!({"enabled": true}), &[]).unwrap().logs, None, "the log goes nowhere by itself");
        let own =
            read(json!({"enabled": true, "logs": true, "logsEndpoint": "http://l"}), &[("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://e")]);
        assert_eq!(own.unwrap().logs.as_deref(), Some("http://l"));
        let wrong = Settings { diagnostics: json!({"otel": {"enabled": true, "protocol": "grpc"}}), env: Vec::new() };
        assert!(Config::read(&wrong).unwrap_err().contains("`grpc`"));
        let config = read(
            json!({"enabled": true, "traces": false, "logs": true, "flushIntervalMs": 5, "sampleRate": 7, "captureContent": {"toolInputs": true},
                   "headers": {"x-a": "b"}, "serviceName": "s"}),
            &[("OPENCLAW_OTEL_PRELOADED", "1"), ("OTEL_SERVICE_NAME", "by-env"), ("OTEL_SEMCONV_STABILITY_OPT_IN", "http, gen_ai_latest_experimental")],
        )
        .unwrap();
        assert_eq!((config.logs.as_deref(), &config.metrics.is_some()), (Some("http://localhost:4318/v1/logs"), &true));
        assert_eq!((config.traces, config.interval, config.sample_rate), (None, Duration::from_secs(1), 1.0));
        assert_eq!((config.service_name.as_str(), config.latest_gen_ai, config.notices.len()), ("by-env", true, 1));
        assert_eq!(config.headers, [("x-a".to_owned(), "b".to_owned())]);
        let by_env = read(json!({"enabled": true}), &[("OTEL_EXPORTER_OTLP_HEADERS", "a=1, b=2=3")]).unwrap();
        assert_eq!(by_env.headers, [("a".to_owned(), "1".to_owned()), ("b".to_owned(), "2=3".to_owned())]);
    }
}
