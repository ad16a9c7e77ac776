//! The exposition format, version 0.0.4.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use chela_telemetry::{Figures, HandlerFigures};

use super::metrics::SECONDS;
use crate::labels::name;
use crate::series::{Family, Kind, Point};

/// Handlers that a scrape shows; more are counted as dropped.
const MOST_HANDLERS: usize = 512;

/// All series as text, sorted by name.
pub(super) fn render(families: &[Family], dropped: u64, figures: &Figures) -> String {
    let mut out = String::new();
    for family in families {
        let kind = match family.metric.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram(_) => "histogram",
        };
        head(&mut out, family.metric.name, kind, family.metric.help);
        for (labels, point) in &family.points {
            let labels: Vec<(&str, &str)> = labels.iter().map(|(key, value)| (*key, value.as_str())).collect();
            match family.metric.kind {
                Kind::Histogram(bounds) => histogram(&mut out, family.metric.name, &labels, bounds, point),
                _ => line(&mut out, family.metric.name, &labels, point.value),
            }
        }
    }
    let left_out = figures.handlers.len().saturating_sub(MOST_HANDLERS) as u64;
    head(&mut out, "openclaw_prometheus_series_dropped_total", "counter", "Series that are not kept, because there are too many");
    line(&mut out, "openclaw_prometheus_series_dropped_total", &[], (dropped + left_out) as f64);
    now(&mut out, figures);
    handlers(&mut out, figures.handlers.get(..MOST_HANDLERS).unwrap_or(&figures.handlers));
    out
}

/// What the gateway and its plugins are like at the moment.
fn now(out: &mut String, figures: &Figures) {
    if let Some(rss) = figures.rss_bytes {
        head(out, "openclaw_memory_bytes", "gauge", "Memory of the gateway's own process");
        line(out, "openclaw_memory_bytes", &[("kind", "rss")], rss as f64);
    }
    for (metric, help, value) in [
        ("chela_sessions_open", "Sessions that have started and not ended", figures.open_sessions),
        ("chela_runs_active", "Runs under way or waiting", figures.active_runs),
        ("chela_clients", "Connected clients", figures.clients),
    ] {
        head(out, metric, "gauge", help);
        line(out, metric, &[], value as f64);
    }
    if figures.workers.is_empty() {
        return;
    }
    // Plugins that share a process share its memory: the first of them carries it, so that the sum is true.
    let mut seen = BTreeSet::new();
    let carriers = figures.workers.iter().filter(|worker| worker.rss_bytes.is_some());
    let carriers: Vec<_> = carriers.filter(|worker| worker.pid.is_none_or(|pid| seen.insert(pid))).collect();
    head(out, "chela_worker_memory_bytes", "gauge", "Memory of the processes of plugins, children included");
    for worker in carriers {
        line(out, "chela_worker_memory_bytes", &[("plugin", &name(&worker.plugin))], worker.rss_bytes.unwrap_or(0) as f64);
    }
    head(out, "chela_worker_restarts_total", "counter", "Unexpected ends of workers");
    for worker in &figures.workers {
        line(out, "chela_worker_restarts_total", &[("plugin", &name(&worker.plugin))], worker.restarts as f64);
    }
    head(out, "chela_worker_calls_total", "counter", "Calls of functions of plugins");
    for worker in &figures.workers {
        let plugin = name(&worker.plugin);
        for (outcome, count) in [("completed", worker.calls.saturating_sub(worker.errors)), ("error", worker.errors)] {
            line(out, "chela_worker_calls_total", &[("outcome", outcome), ("plugin", &plugin)], count as f64);
        }
    }
}

fn handlers(out: &mut String, all: &[HandlerFigures]) {
    if all.is_empty() {
        return;
    }
    head(out, "chela_hook_calls_total", "counter", "Calls of handlers of hooks");
    for row in all {
        let (plugin, hook) = (name(&row.plugin), name(&row.hook));
        let other = row.failures.saturating_sub(row.timeouts);
        for (outcome, count) in [("completed", row.calls.saturating_sub(row.failures)), ("error", other), ("timeout", row.timeouts)] {
            if count > 0 || outcome == "completed" {
                line(out, "chela_hook_calls_total", &[("hook", &hook), ("outcome", outcome), ("plugin", &plugin)], count as f64);
            }
        }
    }
    head(out, "chela_hook_duration_seconds", "histogram", "Time of handlers of hooks");
    for row in all {
        let (plugin, hook) = (name(&row.plugin), name(&row.hook));
        // The steps of the counters are finer than these bounds; a call counts below a bound when its whole step lies below.
        let below = |bound: f64| row.steps.iter().take_while(|(end, _)| *end <= bound).last().map_or(0, |(_, count)| *count);
        let mut before = 0;
        let mut classes: Vec<u64> = SECONDS
            .iter()
            .map(|bound| {
                let class = below(*bound) - before;
                before += class;
                class
            })
            .collect();
        classes.push(row.calls.saturating_sub(before));
        let point = Point { value: row.seconds, count: row.calls, classes };
        histogram(out, "chela_hook_duration_seconds", &[("hook", &hook), ("plugin", &plugin)], SECONDS, &point);
    }
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    // Writing into a `String` cannot fail.
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

fn histogram(out: &mut String, name: &str, labels: &[(&str, &str)], bounds: &[f64], point: &Point) {
    let (bucket, mut sum) = (format!("{name}_bucket"), 0);
    for (at, count) in point.classes.iter().enumerate() {
        sum += count;
        let bound = bounds.get(at).map_or_else(|| "+Inf".to_owned(), ToString::to_string);
        let mut with: Vec<(&str, &str)> = labels.to_vec();
        with.push(("le", &bound));
        line(out, &bucket, &with, sum as f64);
    }
    line(out, &format!("{name}_sum"), labels, point.value);
    line(out, &format!("{name}_count"), labels, point.count as f64);
}

fn line(out: &mut String, name: &str, labels: &[(&str, &str)], value: f64) {
    let escaped = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let labels: Vec<String> = labels.iter().map(|(key, value)| format!("{key}=\"{}\"", escaped(value))).collect();
    let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
    let _ = writeln!(out, "{name}{labels} {value}");
}

#[cfg(test)]
mod tests {
    use super::super::metrics;
    use super::*;
    use crate::series::SeriesSet;
    use chela_telemetry::{Event, Request, Run, WorkerFigures};
    use std::time::Duration;

    #[test]
    fn the_format_is_the_documented_one() {
        let series = SeriesSet::default();
        let run = Run {
            span: None,
            channel: "webchat",
            provider: "mock",
            model: "mock-1",
            trigger: "user",
            outcome: "completed",
            error_category: None,
            began_ms: 0,
            took: Duration::from_millis(40),
        };
        metrics::take(&series, &Event::Run(run));
        metrics::take(&series, &Event::Request(Request { surface: "ws", name: "chat.send", outcome: "ok", took: Duration::ZERO }));
        let handlers = vec![HandlerFigures {
            plugin: "p".into(),
            hook: "agent_end".into(),
            calls: 3,
            failures: 2,
            timeouts: 1,
            seconds: 5.0,
            steps: vec![(0.004, 2), (4.0, 3)],
        }];
        let workers = vec![
            WorkerFigures { plugin: "a".into(), rss_bytes: Some(7), pid: Some(1), ..WorkerFigures::default() },
            WorkerFigures { plugin: "b".into(), rss_bytes: Some(7), pid: Some(1), restarts: 2, ..WorkerFigures::default() },
        ];
        let figures = Figures { open_sessions: 4, rss_bytes: Some(9), handlers, workers, ..Figures::default() };
        let (families, dropped) = series.snapshot();
        let text = render(&families, dropped, &figures);
        let run = r#"{channel="webchat",model="mock-1",outcome="completed",provider="mock",trigger="user""#;
        for line in [
            "# TYPE openclaw_run_completed_total counter",
            &format!("openclaw_run_completed_total{run}}} 1"),
            &format!("openclaw_run_duration_seconds_bucket{run},le=\"0.025\"}} 0"),
            &format!("openclaw_run_duration_seconds_bucket{run},le=\"0.05\"}} 1"),
            &format!("openclaw_run_duration_seconds_bucket{run},le=\"+Inf\"}} 1"),
            &format!("openclaw_run_duration_seconds_sum{run}}} 0.04"),
            r#"chela_requests_total{name="chat.send",outcome="ok",surface="ws"} 1"#,
            "openclaw_prometheus_series_dropped_total 0",
            r#"openclaw_memory_bytes{kind="rss"} 9"#,
            "chela_sessions_open 4",
            r#"chela_worker_memory_bytes{plugin="a"} 7"#,
            r#"chela_worker_restarts_total{plugin="b"} 2"#,
            r#"chela_hook_calls_total{hook="agent_end",outcome="timeout",plugin="p"} 1"#,
            r#"chela_hook_duration_seconds_bucket{hook="agent_end",plugin="p",le="0.005"} 2"#,
            r#"chela_hook_duration_seconds_bucket{hook="agent_end",plugin="p",le="5"} 3"#,
            r#"chela_hook_duration_seconds_count{hook="agent_end",plugin="p"} 3"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
        }
        assert!(!text.contains(r#"chela_worker_memory_bytes{plugin="b"}"#), "shared memory counts once:\n{text}");
        // Each family is declared once, before its samples.
        let declared: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
        assert_eq!(declared.len(), declared.iter().collect::<BTreeSet<_>>().len(), "{declared:?}");
    }
}
