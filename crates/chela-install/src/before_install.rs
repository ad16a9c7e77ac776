//! The gate of plugins that listen to `before_install` (INS-235..INS-247). Whoever owns running plugins implements [`BeforeInstall`].

use std::path::PathBuf;

use serde::Serialize;
use serde_json::Value;

use crate::error::InstallError;
use chela_npm::{NoteLevel, Progress};

/// What is about to be installed (INS-236).
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BeforeInstallEvent {
    /// `plugin`.
    pub target_type: &'static str,
    /// Plugin id.
    pub target_name: String,
    /// The files as they will be installed.
    pub source_path: PathBuf,
    /// `directory` or `file`.
    pub source_path_kind: &'static str,
    /// `plugin-package`, `plugin-bundle` or `plugin-file` (INS-238).
    pub origin: &'static str,
    /// INS-237.
    pub request: RequestFacts,
    /// INS-239.
    pub builtin_scan: Value,
    /// INS-240.
    pub plugin: PluginFacts,
}

/// How the installation was asked for (INS-237).
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestFacts {
    /// `plugin-dir plugin-archive plugin-file plugin-npm plugin-git`.
    pub kind: &'static str,
    /// `install` or `update`.
    pub mode: &'static str,
    /// As typed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requested_specifier: Option<String>,
}

/// What is known of the plugin (INS-240).
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PluginFacts {
    /// `package`, `bundle` or `file`.
    pub content_type: &'static str,
    /// Plugin id.
    pub plugin_id: String,
    /// Package name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package_name: Option<String>,
    /// Id of the manifest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manifest_id: Option<String>,
    /// Version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Declared entries.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub extensions: Vec<String>,
}

/// What the listeners say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Refuses, with a reason when one was given (INS-241, INS-242).
    pub block: Option<Option<String>>,
    /// Findings to show (INS-243).
    pub findings: Vec<String>,
}

/// Asks the listeners. It is called with the lock held, from a thread that may block.
pub trait BeforeInstall: Send + Sync {
    /// Gives the verdict.
    ///
    /// # Errors
    /// When a listener failed or could not be asked: the installation is refused then, unlike in the reference (INS-244, INS-366).
    fn ask(&self, event: &BeforeInstallEvent) -> Result<Verdict, String>;
}

/// For callers without plugins: nobody listens.
#[derive(Debug, Default, Clone, Copy)]
pub struct NobodyListens;

impl BeforeInstall for NobodyListens {
    fn ask(&self, _event: &BeforeInstallEvent) -> Result<Verdict, String> {
        Ok(Verdict::default())
    }
}

/// Asks, shows findings and turns a block into an error.
pub(crate) fn gate(hooks: &dyn BeforeInstall, progress: &dyn Progress, event: &BeforeInstallEvent) -> Result<(), InstallError> {
    let verdict = hooks.ask(event).map_err(|why| {
        InstallError::coded("security_scan_failed", format!("plugin hook `before_install` failed, so nothing is installed: {why}"))
            .hint("disable the plugin that registers the hook, or mend it")
    })?;
    for finding in &verdict.findings {
        progress.note(NoteLevel::Warn, &format!("Plugin scanner: {finding}"));
    }
    match verdict.block {
        None => Ok(()),
        Some(reason) => {
            let reason = reason.filter(|reason| !reason.trim().is_empty());
            Err(InstallError::coded("security_scan_blocked", reason.unwrap_or_else(|| "Installation blocked by plugin hook".to_owned())))
        }
    }
}
