//! `session.*` and `logging.*`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

use super::{text, texts, texts_opt, whole};
use crate::load::Config;
use crate::units::{parse_byte_size, parse_duration_ms};

/// `session.scope`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionScope {
    /// Every sender has a session.
    PerSender,
    /// All share one.
    Global,
}

/// `session.dmScope`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DmScope {
    /// All direct messages share the main session.
    Main,
    /// One session for each peer.
    PerPeer,
    /// One for each channel and peer.
    PerChannelPeer,
    /// One for each account, channel and peer.
    PerAccountChannelPeer,
}

/// When a session starts anew (GW-153).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResetMode {
    /// Once a day.
    Daily,
    /// After a pause.
    Idle,
}

/// A reset rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResetPolicy {
    /// Which of the two applies.
    pub mode: ResetMode,
    /// Local hour of the daily reset, 0 to 23.
    pub at_hour: u8,
    /// Minutes of silence after which the session starts anew; with `Daily`, whichever comes first.
    pub idle_minutes: Option<u64>,
}

impl Default for ResetPolicy {
    fn default() -> Self {
        Self { mode: ResetMode::Daily, at_hour: 4, idle_minutes: None }
    }
}

/// `session.*`.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionSettings {
    /// Grouping of senders.
    pub scope: SessionScope,
    /// Grouping of direct messages.
    pub dm_scope: DmScope,
    /// Key of the main session; always `main`.
    pub main_key: String,
    /// One person under several ids.
    pub identity_links: BTreeMap<String, Vec<String>>,
    /// Messages that start a session anew.
    pub reset_triggers: Vec<String>,
    /// The general rule.
    pub reset: ResetPolicy,
    /// Rules for `direct`, `group` and `thread`.
    pub reset_by_type: BTreeMap<String, ResetPolicy>,
    /// Rules by channel.
    pub reset_by_channel: BTreeMap<String, ResetPolicy>,
    /// Path of `sessions.json`, with `{agentId}` for the agent, when set.
    pub store: Option<String>,
    /// Wait for the transcript's write lock, in milliseconds.
    pub write_lock_timeout_ms: u64,
    /// Whether clean-up acts instead of only warning.
    pub maintenance_enforce: bool,
    /// Age after which rows may go, in milliseconds.
    pub prune_after_ms: u64,
    /// Rows that are kept.
    pub max_entries: usize,
    /// Age after which archived transcripts go, in milliseconds; `None` keeps them.
    pub archive_retention_ms: Option<u64>,
    /// Bytes of an agent's transcripts above which the oldest go, and how many may be left then.
    pub disk_budget: Option<(u64, u64)>,
}

/// A log threshold, from quiet to loud.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Nothing.
    Silent,
    /// Only what ends the program.
    Fatal,
    /// Failures.
    Error,
    /// What may become one.
    Warn,
    /// What happens (default).
    Info,
    /// How it happens.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// Reads a level by its name.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name.trim().to_ascii_lowercase().as_str() {
            "silent" => Self::Silent,
            "fatal" => Self::Fatal,
            "error" => Self::Error,
            "warn" => Self::Warn,
            "info" => Self::Info,
            "debug" => Self::Debug,
            "trace" => Self::Trace,
            _ => return None,
        })
    }
}

/// `logging.*`; `OPENCLAW_LOG_LEVEL` wins over both levels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggingSettings {
    /// Threshold of the log file.
    pub level: LogLevel,
    /// Threshold of the terminal.
    pub console_level: LogLevel,
    /// `pretty`, `compact` or `json`.
    pub console_style: String,
    /// The log file, when set.
    pub file: Option<PathBuf>,
    /// Size at which the log file is rotated, in bytes, when set.
    pub max_file_bytes: Option<u64>,
    /// Whether secrets in tool output are masked.
    pub redact_sensitive: bool,
    /// More patterns to mask.
    pub redact_patterns: Vec<String>,
}

impl Config {
    /// Reads `session.*`.
    pub fn session(&self) -> SessionSettings {
        let s = &self.effective["session"];
        // `session.idleMinutes` alone is the older way to ask for idle resets.
        let idle_minutes = whole(s, "idleMinutes");
        let older_form = idle_minutes.is_some() && s.get("reset").is_none() && s.get("resetByType").is_none();
        let mode = if older_form { ResetMode::Idle } else { ResetMode::Daily };
        let general = reset_policy(&s["reset"], ResetPolicy { mode, idle_minutes, ..ResetPolicy::default() });
        let policies = |key: &str, base: ResetPolicy| -> BTreeMap<String, ResetPolicy> {
            let rules = s[key].as_object().into_iter().flatten();
            // `dm` is an older name of `direct`, which wins.
            let mut out: BTreeMap<String, ResetPolicy> = BTreeMap::new();
            for (name, rule) in rules {
                let policy = reset_policy(rule, base);
                match name.as_str() {
                    "dm" if key == "resetByType" => {
                        out.entry("direct".to_owned()).or_insert(policy);
                    }
                    name => {
                        out.insert(name.to_owned(), policy);
                    }
                }
            }
            out
        };
        let links = s["identityLinks"].as_object();
        let maintenance = &s["maintenance"];
        let prune_days = whole(maintenance, "pruneDays").map(|days| days.saturating_mul(86_400_000));
        let prune_after_ms = duration(maintenance, "pruneAfter").or(prune_days).unwrap_or(30 * 86_400_000);
        SessionSettings {
            scope: if s["scope"] == "global" { SessionScope::Global } else { SessionScope::PerSender },
            dm_scope: match s["dmScope"].as_str() {
                Some("per-peer") => DmScope::PerPeer,
                Some("per-channel-peer") => DmScope::PerChannelPeer,
                Some("per-account-channel-peer") => DmScope::PerAccountChannelPeer,
                _ => DmScope::Main,
            },
            main_key: "main".to_owned(),
            identity_links: links.into_iter().flatten().map(|(name, _)| (name.clone(), texts(&s["identityLinks"], name))).collect(),
            reset_triggers: texts_opt(s, "resetTriggers").unwrap_or_else(|| vec!["/new".to_owned(), "/reset".to_owned()]),
            reset: general,
            reset_by_type: policies("resetByType", general),
            reset_by_channel: policies("resetByChannel", ResetPolicy::default()),
            store: text(s, "store"),
            write_lock_timeout_ms: whole(&s["writeLock"], "acquireTimeoutMs").unwrap_or(60_000),
            maintenance_enforce: maintenance["mode"] == "enforce",
            prune_after_ms,
            max_entries: whole(maintenance, "maxEntries").unwrap_or(500) as usize,
            archive_retention_ms: match &maintenance["resetArchiveRetention"] {
                Value::Bool(false) => None,
                _ => Some(duration(maintenance, "resetArchiveRetention").unwrap_or(prune_after_ms)),
            },
            disk_budget: bytes(maintenance, "maxDiskBytes").map(|most| {
                let share = most / 10 * 8;
                (most, bytes(maintenance, "highWaterBytes").map_or(share, |high| high.min(most)))
            }),
        }
    }

    /// Reads `logging.*`.
    pub fn logging(&self) -> LoggingSettings {
        let l = &self.effective["logging"];
        let forced = self.env.non_empty("OPENCLAW_LOG_LEVEL").and_then(LogLevel::parse);
        let level = |key: &str| forced.or_else(|| l[key].as_str().and_then(LogLevel::parse));
        let file_level = level("level").unwrap_or(LogLevel::Info);
        LoggingSettings {
            level: file_level,
            console_level: level("consoleLevel").unwrap_or(LogLevel::Info),
            console_style: text(l, "consoleStyle").unwrap_or_else(|| "pretty".to_owned()),
            file: text(l, "file").map(|path| self.paths.resolve_user_path(&path)),
            max_file_bytes: whole(l, "maxFileBytes"),
            redact_sensitive: l["redactSensitive"] != "off",
            redact_patterns: texts(l, "redactPatterns"),
        }
    }
}

fn reset_policy(value: &Value, base: ResetPolicy) -> ResetPolicy {
    let idle_minutes = whole(value, "idleMinutes").or(base.idle_minutes);
    let mode = match value["mode"].as_str() {
        Some("idle") => ResetMode::Idle,
        Some(_) => ResetMode::Daily,
        None => base.mode,
    };
    ResetPolicy { mode, at_hour: whole(value, "atHour").unwrap_or(u64::from(base.at_hour)).min(23) as u8, idle_minutes }
}

/// A size that is a text with a unit or a number of bytes.
fn bytes(value: &Value, key: &str) -> Option<u64> {
    match value.get(key)? {
        Value::String(text) => parse_byte_size(text),
        Value::Number(bytes) => bytes.as_u64(),
        _ => None,
    }
}

/// A duration that is a text with a unit or a number of days.
fn duration(value: &Value, key: &str) -> Option<u64> {
    match value.get(key)? {
        Value::String(text) => parse_duration_ms(text, "d"),
        Value::Number(days) => days.as_f64().filter(|d| *d >= 0.0).map(|d| (d * 86_400_000.0) as u64),
        _ => None,
    }
}
