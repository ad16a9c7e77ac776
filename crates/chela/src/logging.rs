//! The program's log: readable or JSON on stderr, and JSON lines in a file that rotates; secrets masked in both.

mod file;
mod lines;
mod redact;

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use chela_config::{AuthOverride, Config, LogLevel};
use tracing_subscriber::filter::Directive;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::context::Context;
use crate::report::Failure;
use file::RotatingFile;
use redact::Redactor;

/// Size at which the log file is rotated when the config does not say, in bytes.
const DEFAULT_MAX_BYTES: u64 = 20 * 1024 * 1024;
/// Libraries whose own news nobody asked for.
const QUIET: [&str; 7] =
    ["hyper=warn", "hyper_util=warn", "h2=warn", "tungstenite=warn", "rustls=warn", "reqwest=warn", "oxc_resolver=warn"];

/// How to log.
#[derive(Debug, Clone)]
pub struct LogOptions {
    /// Threshold of the terminal.
    pub console_level: LogLevel,
    /// JSON lines on the terminal.
    pub json: bool,
    /// The log file; none without it.
    pub file: Option<PathBuf>,
    /// Threshold of the file.
    pub file_level: LogLevel,
    /// Size at which the file is rotated, in bytes.
    pub max_file_bytes: u64,
    /// Texts that must never appear.
    pub secrets: Vec<String>,
    /// What to mask in place of the known shapes of credentials, regular expressions.
    pub redact_patterns: Vec<String>,
    /// False when nothing but known texts is masked.
    pub redact_sensitive: bool,
}

impl LogOptions {
    /// As config and environment say, with the log file of the gateway.
    pub fn for_gateway(ctx: &Context, config: &Config) -> Self {
        let settings = config.logging();
        let auth = config.gateway_auth(&AuthOverride::default()).ok();
        let secrets = auth.into_iter().flat_map(|auth| [auth.token, auth.password]).flatten();
        Self {
            console_level: settings.console_level,
            json: settings.console_style == "json",
            file: Some(ctx.log_file(Some(config))),
            file_level: settings.level,
            max_file_bytes: settings.max_file_bytes.unwrap_or(DEFAULT_MAX_BYTES),
            secrets: secrets.map(|secret| secret.expose().to_owned()).collect(),
            redact_patterns: settings.redact_patterns,
            redact_sensitive: settings.redact_sensitive,
        }
    }

    /// With `--verbose` the terminal shows level `debug` at least.
    pub fn raise_to_debug(&mut self, verbose: bool) {
        if verbose && !matches!(self.console_level, LogLevel::Debug | LogLevel::Trace) {
            self.console_level = LogLevel::Debug;
        }
    }
}

/// Starts the log of this process. Every line is written at once, so nothing is lost at the end. Later calls in one process change nothing.
///
/// # Errors
/// A log file that cannot be opened, with its path; a pattern that is no regular expression.
pub fn init(options: &LogOptions) -> Result<(), Failure> {
    let redactor = Arc::new(
        Redactor::new(&options.secrets, &options.redact_patterns, options.redact_sensitive)
            .map_err(|why| Failure::new("`logging.redactPatterns` cannot be used").cause(why))?,
    );
    let mask = redactor.clone();
    chela_telemetry::logs::set_mask(move |text| mask.mask(text).to_string());
    let lines = lines::Lines(redactor.clone()).with_filter(filter(options.file_level));
    let console = Output { target: Target::Stderr, redactor: redactor.clone() };
    let filter = filter(options.console_level);
    let console = match options.json {
        true => tracing_subscriber::fmt::layer().json().flatten_event(true).with_writer(console).with_filter(filter).boxed(),
        false => tracing_subscriber::fmt::layer().with_ansi(colour()).with_writer(console).with_filter(filter).boxed(),
    };
    let file = match &options.file {
        None => None,
        Some(path) => {
            let file = RotatingFile::open(path, options.max_file_bytes).map_err(|error| {
                Failure::new(format!("cannot write the log `{}`", path.display()))
                    .cause(error.to_string())
                    .hint("set `logging.file` to a place that can be written")
            })?;
            let output = Output { target: Target::File(Arc::new(Mutex::new(file))), redactor };
            Some(
                tracing_subscriber::fmt::layer()
                    .json()
                    .flatten_event(true)
                    .with_writer(output)
                    .with_filter(self::filter(options.file_level)),
            )
        }
    };
    // A second start in the same process finds the log running, which is as good.
    let _ = tracing_subscriber::registry().with(console).with(file).with(lines).try_init();
    Ok(())
}

fn colour() -> bool {
    !matches!(anstream::AutoStream::choice(&io::stderr()), anstream::ColorChoice::Never)
}

fn filter(level: LogLevel) -> EnvFilter {
    let name = match level {
        LogLevel::Silent => "off",
        LogLevel::Fatal | LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
        LogLevel::Trace => "trace",
    };
    let quiet = if level == LogLevel::Silent { &[][..] } else { &QUIET[..] };
    let directives = quiet.iter().filter_map(|text| text.parse::<Directive>().ok());
    directives.fold(EnvFilter::new(name), EnvFilter::add_directive)
}

#[derive(Clone)]
enum Target {
    Stderr,
    File(Arc<Mutex<RotatingFile>>),
}

/// Takes whole lines, masks them, passes them on.
#[derive(Clone)]
struct Output {
    target: Target,
    redactor: Arc<Redactor>,
}

impl<'a> MakeWriter<'a> for Output {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Write for Output {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        let shown = self.redactor.mask(&text);
        match &self.target {
            Target::Stderr => io::stderr().write_all(shown.as_bytes())?,
            Target::File(file) => file.lock().unwrap_or_else(PoisonError::into_inner).write_line(shown.as_bytes())?,
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_reach_the_file_masked_and_as_json() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("logs").join("gateway.jsonl");
        let file = RotatingFile::open(&path, 1_000_000).unwrap();
        let redactor = Arc::new(Redactor::new(&["hush-hush".to_owned()], &[], true).unwrap());
        let output = Output { target: Target::File(Arc::new(Mutex::new(file))), redactor };
        let layer = tracing_subscriber::fmt::layer().json().flatten_event(true).with_writer(output).with_filter(filter(LogLevel::Info));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            tracing::info!(target: "gateway", port = 7, "token is hush-hush");
            tracing::debug!("not shown");
            tracing::info!(target: "hyper", "not shown either");
        });
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 1);
        assert_eq!(
            (lines[0]["message"].as_str(), lines[0]["port"].as_u64(), lines[0]["target"].as_str()),
            (Some("token is ***"), Some(7), Some("gateway"))
        );
    }
}
