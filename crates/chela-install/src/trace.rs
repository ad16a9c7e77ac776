//! Phase lines for those who look for lost time (INS-128).

use std::fmt::Display;
use std::sync::Arc;
use std::time::Instant;

use chela_config::Env;

/// Switches the lines on: `1`, `true` or `yes`.
pub const TRACE_ENV: &str = "OPENCLAW_PLUGIN_LIFECYCLE_TRACE";

/// Takes one line; the command line prints it on stderr.
pub type TraceSink = Arc<dyn Fn(&str) + Send + Sync>;

/// Times phases when it is switched on.
#[derive(Clone, Default)]
pub struct Trace {
    sink: Option<TraceSink>,
}

impl Trace {
    /// On when the environment says so.
    pub fn from_env(env: &Env, sink: TraceSink) -> Self {
        let on = env.non_empty(TRACE_ENV).is_some_and(|value| matches!(value.to_ascii_lowercase().as_str(), "1" | "true" | "yes"));
        Self { sink: on.then_some(sink) }
    }

    /// Runs a phase; the details follow as `key=value`, texts in JSON quotes.
    pub(crate) fn phase<T, E>(&self, name: &str, details: &[(&str, &str)], run: impl FnOnce() -> Result<T, E>) -> Result<T, E>
    where
        E: Display,
    {
        let Some(sink) = &self.sink else {
            return run();
        };
        let began = Instant::now();
        let result = run();
        let status = if result.is_ok() { "ok" } else { "error" };
        let quote = |text: &str| serde_json::Value::from(text).to_string();
        let tail: String = details.iter().map(|(key, value)| format!(" {key}={}", quote(value))).collect();
        sink(&format!("[plugins:lifecycle] phase={} ms={:.2} status={status}{tail}", quote(name), began.elapsed().as_secs_f64() * 1e3));
        result
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    // INS-128
    #[test]
    fn phases_are_traced_when_asked_for() {
        for (value, lines) in [("1", 2), ("TRUE", 2), ("yes", 2), ("0", 0), ("", 0)] {
            let seen = Arc::new(Mutex::new(Vec::new()));
            let sink: TraceSink = {
                let seen = seen.clone();
                Arc::new(move |line| seen.lock().unwrap().push(line.to_owned()))
            };
            let mut env = Env::default();
            env.set(TRACE_ENV, value);
            let trace = Trace::from_env(&env, sink);
            trace.phase("config read", &[("command", "install")], || Ok::<_, String>(())).unwrap();
            trace.phase("x", &[], || Err::<(), _>("no")).unwrap_err();
            let seen = seen.lock().unwrap();
            assert_eq!(seen.len(), lines, "{value}");
            if lines == 2 {
                assert!(seen[0].starts_with("[plugins:lifecycle] phase=\"config read\" ms="), "{}", seen[0]);
                assert!(seen[0].ends_with(" status=ok command=\"install\"") && seen[1].ends_with(" status=error"), "{seen:?}");
            }
        }
    }
}
