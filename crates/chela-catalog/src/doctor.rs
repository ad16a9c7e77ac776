//! The data of `plugins doctor` (INS-333, INS-336). Printing and the exit code are the caller's.

use std::path::PathBuf;

use serde::Serialize;
use serde_json::Value;

use crate::diagnostic::{Diagnostic, Level};
use crate::record::{Lane, Status};
use crate::runtime::RuntimeFacts;
use crate::schema;
use crate::snapshot::Snapshot;

/// What `doctor` has to say about plugins.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DoctorReport {
    /// Plugins that cannot be used.
    pub plugin_errors: Vec<PluginProblem>,
    /// Error diagnostics that name no plugin of the list above.
    pub diagnostics: Vec<Diagnostic>,
    /// Copies that lost to another copy of the same id.
    pub shadowed: Vec<Diagnostic>,
    /// Compatibility notices (INS-326).
    pub compatibility: Vec<Value>,
}

/// One unusable plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PluginProblem {
    /// Plugin id.
    pub plugin_id: String,
    /// Phase of the failure (INS-327).
    pub phase: String,
    /// One line.
    pub message: String,
    /// File that it is about.
    pub source: PathBuf,
}

impl DoctorReport {
    /// True when there is nothing to mend; notices and shadowed copies are not faults.
    pub fn is_clean(&self) -> bool {
        self.plugin_errors.is_empty() && self.diagnostics.is_empty()
    }
}

/// Gathers the report; `facts` is asked for each plugin that has run. Unlike a scan, this compiles
/// every schema, so that a bad one is found before config is written for it (MAN-234).
pub fn doctor<'a>(snapshot: &Snapshot, facts: impl Fn(&str) -> Option<&'a RuntimeFacts>) -> DoctorReport {
    let mut report = DoctorReport::default();
    for plugin in &snapshot.plugins {
        let facts = facts(&plugin.id);
        let mut problem = |phase: &str, message: String| {
            report.plugin_errors.push(PluginProblem {
                plugin_id: plugin.id.clone(),
                phase: phase.to_owned(),
                message,
                source: plugin.source.clone(),
            });
        };
        let ran_into = facts.filter(|facts| facts.status == Some(Status::Error));
        if let Some(facts) = ran_into {
            let phase = facts.failure_phase.as_deref().unwrap_or("load");
            problem(phase, facts.error.clone().unwrap_or_else(|| "failed".to_owned()));
        } else if let Some(failure) = &plugin.failure {
            problem(failure.phase, failure.message.clone());
        } else if plugin.lane != Lane::Bundle
            && let Err(why) = schema::compile_check(plugin.manifest.config_schema())
        {
            problem("validation", format!("plugin configSchema cannot be used: {why}"));
        }
        if let Value::Array(notices) = snapshot.compatibility_of(plugin, facts) {
            report.compatibility.extend(notices);
        }
        if let Some(facts) = facts {
            let errors = facts.diagnostics.iter();
            // What keeps the plugin from working is told above.
            let known = facts.error.as_deref().filter(|_| ran_into.is_some());
            let is_known = |entry: &&Diagnostic| known.is_some_and(|error| entry.message.ends_with(error));
            let errors = errors.filter(|entry| entry.level == Level::Error && !is_known(entry));
            report.diagnostics.extend(errors.cloned());
        }
    }
    for diagnostic in &snapshot.diagnostics {
        if diagnostic.code == Some("plugin-duplicate") {
            report.shadowed.push(diagnostic.clone());
        } else if diagnostic.level == Level::Error && diagnostic.code != Some("plugin-config-invalid") {
            report.diagnostics.push(diagnostic.clone());
        }
    }
    report
}
