//! Bundled exporters of diagnostics: `diagnostics-prometheus` answers scrapes, `diagnostics-otel` pushes OTLP over HTTP.
//!
//! Names of metrics and spans that begin with `openclaw` mean what the reference documents; those that begin with `chela` are ours.
//! Labels are from closed sets or names that the operator chose: no session, chat, call or message ids, no contents (PROM-02, OTEL-03).

mod labels;
pub mod otel;
mod prometheus;
mod series;

pub use otel::DiagnosticsOtel;
pub use prometheus::DiagnosticsPrometheus;

/// The plugins and their manifests.
pub const MANIFESTS: [&str; 2] = [prometheus::MANIFEST, otel::MANIFEST];
