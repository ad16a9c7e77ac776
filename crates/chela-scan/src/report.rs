//! What a scan found, in the shapes that hooks and `--json` know.

use std::path::PathBuf;

use serde::Serialize;

use crate::error::ScanError;

/// How bad a finding is. Critical ones refuse an install.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing: a match in a comment or a string.
    Info,
    /// Suspicious.
    Warn,
    /// Dangerous.
    Critical,
}

/// One finding (INS-221).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The rule, such as `dangerous-exec`.
    pub rule_id: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// The file, absolute when the scanned root is.
    pub file: PathBuf,
    /// Line from 1.
    pub line: usize,
    /// What was found.
    pub message: &'static str,
    /// The line, cut at 120 characters.
    pub evidence: String,
}

/// Something that the scan did not look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NotScanned {
    /// The file or directory, from the root.
    pub path: PathBuf,
    /// Why.
    pub reason: String,
}

/// What a scan found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ScanReport {
    /// Files that were read.
    pub scanned_files: usize,
    /// Critical findings.
    pub critical: usize,
    /// Warnings.
    pub warn: usize,
    /// Information.
    pub info: usize,
    /// All findings, by file.
    pub findings: Vec<Finding>,
    /// What was not looked at (INS-364).
    pub not_scanned: Vec<NotScanned>,
    /// What a log should say: entries in hidden places or outside of the plugin (INS-211).
    pub notes: Vec<String>,
}

impl ScanReport {
    pub(crate) fn add(&mut self, finding: Finding) {
        match finding.severity {
            Severity::Critical => self.critical += 1,
            Severity::Warn => self.warn += 1,
            Severity::Info => self.info += 1,
        }
        self.findings.push(finding);
    }

    pub(crate) fn skip(&mut self, path: impl Into<PathBuf>, reason: impl Into<String>) {
        self.not_scanned.push(NotScanned { path: path.into(), reason: reason.into() });
    }

    /// `<message> (<file>:<line>); ...` of the critical findings, as refusals show them (INS-222).
    pub fn critical_details(&self) -> String {
        let critical = self.findings.iter().filter(|f| f.severity == Severity::Critical);
        let all: Vec<_> = critical.map(|f| format!("{} ({}:{})", f.message, f.file.display(), f.line)).collect();
        all.join("; ")
    }
}

/// The scan as `before_install` hooks see it (INS-239).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BuiltinScan {
    /// `ok` or `error`.
    pub status: &'static str,
    /// Files that were read.
    pub scanned_files: usize,
    /// Critical findings.
    pub critical: usize,
    /// Warnings.
    pub warn: usize,
    /// Information.
    pub info: usize,
    /// All findings.
    pub findings: Vec<Finding>,
    /// Why there was no scan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl From<&Result<ScanReport, ScanError>> for BuiltinScan {
    fn from(scan: &Result<ScanReport, ScanError>) -> Self {
        match scan {
            Ok(report) => Self {
                status: "ok",
                scanned_files: report.scanned_files,
                critical: report.critical,
                warn: report.warn,
                info: report.info,
                findings: report.findings.clone(),
                error: None,
            },
            Err(error) => {
                let error = Some(error.to_string());
                Self { status: "error", scanned_files: 0, critical: 0, warn: 0, info: 0, findings: Vec::new(), error }
            }
        }
    }
}
