//! What the host knows for telemetry: figures of plugins and hooks, settings, deliveries of channels.

use std::sync::Weak;
use std::time::Instant;

use chela_agent::clock::now_ms;
use chela_config::{Config, Env};
use chela_telemetry::{Event, Figures, HandlerFigures, Message, Settings, Source, WorkerFigures};

use crate::assemble::Host;

/// What the operator set.
pub(crate) fn settings(config: &Config, env: &Env) -> Settings {
    let mine = env.iter().filter(|(key, _)| key.starts_with("OTEL_") || key.starts_with("OPENCLAW_OTEL_"));
    Settings {
        diagnostics: config.effective.get("diagnostics").cloned().unwrap_or_default(),
        env: mine.map(|(key, value)| (key.to_string(), value.to_string())).collect(),
    }
}

/// Figures of a host.
pub(crate) struct HostFigures(pub(crate) Weak<Host>);

impl Source for HostFigures {
    fn fill(&self, figures: &mut Figures) {
        let Some(host) = self.0.upgrade() else { return };
        figures.open_sessions += host.runtime.lifecycle.open_count() as u64;
        figures.active_runs += host.runtime.runs.active().len() as u64;
        figures.workers.extend(host.manager.workers().into_iter().map(|(plugin, worker)| WorkerFigures {
            plugin,
            rss_bytes: worker.rss_bytes,
            pid: worker.pid,
            restarts: u64::from(worker.restarts),
            calls: worker.calls,
            errors: worker.errors,
        }));
        let called = host.manager.hook_counters().into_iter().filter(|row| row.calls > 0);
        figures.handlers.extend(called.map(|row| HandlerFigures {
            plugin: row.plugin_id,
            hook: row.hook.to_string(),
            calls: row.calls,
            failures: row.failures,
            timeouts: row.timeouts,
            seconds: row.total_ms / 1e3,
            steps: row.steps.into_iter().map(|(ms, count)| (ms / 1e3, count)).collect(),
        }));
    }
}

/// A channel has sent a message, or failed to.
pub(crate) fn delivered(host: &Host, channel: &str, kind: &'static str, ok: bool, begun: Instant) {
    host.runtime.telemetry.emit(|| {
        let took = begun.elapsed();
        Event::Delivered(Message {
            span: None,
            channel,
            kind,
            outcome: if ok { "completed" } else { "error" },
            reason: (!ok).then_some("channel"),
            began_ms: now_ms() - i64::try_from(took.as_millis()).unwrap_or(0),
            took,
        })
    });
}
