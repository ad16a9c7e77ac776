//! The table of results.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::stats::Samples;

/// One line of the table.
#[derive(Clone, Debug)]
struct Row {
    case: String,
    figure: String,
    value: String,
    samples: Option<Samples>,
    load: f64,
}

/// All lines so far.
#[derive(Debug, Default)]
pub struct Report {
    rows: Vec<Row>,
}

impl Report {
    /// Adds samples: the median, and from where to where they lie.
    pub fn samples(&mut self, case: &str, figure: &str, unit: &str, values: Vec<f64>) {
        let samples = Samples::new(values);
        let mut value = format!("{} {unit}", number(samples.median()));
        if samples.count() > 1 {
            let _ = write!(value, " [{}..{}], n={}", number(samples.min()), number(samples.max()), samples.count());
        }
        self.push(case, figure, value, Some(samples));
    }

    /// Adds median and 99th percentile of many samples.
    pub fn latency(&mut self, case: &str, figure: &str, values: Vec<f64>) {
        let samples = Samples::new(values);
        let value = format!("p50 {} ms, p99 {} ms, n={}", number(samples.median()), number(samples.at(0.99)), samples.count());
        self.push(case, figure, value, Some(samples));
    }

    /// Adds a figure or a fact as text.
    pub fn text(&mut self, case: &str, figure: &str, value: impl Into<String>) {
        self.push(case, figure, value.into(), None);
    }

    fn push(&mut self, case: &str, figure: &str, value: String, samples: Option<Samples>) {
        let row = Row { case: case.into(), figure: figure.into(), value, samples, load: crate::process::load() };
        self.rows.push(row);
    }

    /// The table, with the machine's load at each line: on a shared machine a figure says little without it.
    pub fn markdown(&self) -> String {
        let mut out = String::from("| case | figure | value | load |\n|---|---|---|---|\n");
        for row in &self.rows {
            let _ = writeln!(out, "| {} | {} | {} | {:.1} |", row.case, row.figure, row.value, row.load);
        }
        out
    }

    /// The same with the percentiles as numbers.
    pub fn json(&self) -> String {
        let row = |row: &Row| {
            let mut out = json!({"case": row.case, "figure": row.figure, "value": row.value, "load": row.load});
            if let Some(s) = &row.samples {
                out["n"] = s.count().into();
                out["p50"] = s.median().into();
                out["p99"] = s.at(0.99).into();
                out["min"] = s.min().into();
                out["max"] = s.max().into();
            }
            out
        };
        Value::from(self.rows.iter().map(row).collect::<Vec<_>>()).to_string()
    }
}

/// Three digits that count.
pub fn number(value: f64) -> String {
    match value.abs() {
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        v if v >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}
