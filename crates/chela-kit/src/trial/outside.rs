//! The world outside of a trial: a server in the worker that answers by the script's rules in place of every other host.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::KitError;

/// What the worker imports before the plugin.
const PRELOAD: &str = include_str!("outside.mjs");
/// Requests that a report keeps.
const MOST: usize = 500;

/// An answer to requests of the plugin. The first rule that fits counts; what no rule fits is answered with 503.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct OutsideRule {
    /// The method; any without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// A part of `host/path?query`, or a regular expression between slashes.
    pub url: String,
    /// The same for the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The status; 200 without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Headers of the answer.
    pub headers: BTreeMap<String, String>,
    /// The body as JSON; `{}` without it and without `text`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub json: Option<Value>,
    /// The body as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// A request that the plugin made.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
pub struct Asked {
    /// The method.
    pub method: String,
    /// Host, path and query.
    pub url: String,
    /// What was answered.
    pub status: u16,
    /// Whether a rule of the script fitted.
    pub known: bool,
}

/// The files of the stand-in, in the trial's own directory.
pub(super) struct Outside {
    /// What the worker imports first.
    pub(super) preload: PathBuf,
    log: PathBuf,
}

impl Outside {
    /// Writes the files.
    pub(super) fn write(dir: &Path, rules: &[OutsideRule]) -> Result<Self, KitError> {
        let (preload, log) = (dir.join("outside.mjs"), dir.join("asked.jsonl"));
        fs_err::write(&preload, PRELOAD)?;
        fs_err::write(&log, "")?;
        fs_err::write(dir.join("outside.json"), json!({"rules": rules, "log": log}).to_string())?;
        Ok(Self { preload, log })
    }

    /// What was asked, each different request once, in order.
    pub(super) fn asked(&self) -> Vec<Asked> {
        let text = fs_err::read_to_string(&self.log).unwrap_or_default();
        let mut all: Vec<Asked> = Vec::new();
        for row in text.lines().filter_map(|line| serde_json::from_str(line).ok()) {
            if all.len() < MOST && !all.contains(&row) {
                all.push(row);
            }
        }
        all
    }
}
