//! `openclaw.channel` of a package (MAN-215..MAN-217).

use serde_json::{Map, Value};

use crate::manifest::channels::{ChannelCommands, read_commands};
use crate::normalise::{boolean, record, string, strings};

/// Channel metadata of a package. Fields that only a setup page shows stay in `raw`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PackageChannel {
    /// Channel id.
    pub id: Option<String>,
    /// Label.
    pub label: Option<String>,
    /// Label in selection lists.
    pub selection_label: Option<String>,
    /// Short text.
    pub blurb: Option<String>,
    /// Path of the documentation page.
    pub docs_path: Option<String>,
    /// Sort order.
    pub order: Option<f64>,
    /// Other ids.
    pub aliases: Vec<String>,
    /// Plugins that this one replaces when they were only implicitly selected.
    pub prefer_over: Vec<String>,
    /// Defaults for native commands.
    pub commands: Option<ChannelCommands>,
    /// Where the channel is shown (MAN-216).
    pub exposure: Exposure,
    /// Checker module for "is configured" (MAN-217).
    pub configured_state: Option<CheckerModule>,
    /// Checker module for "has stored credentials"; it never enables a plugin (MAN-217).
    pub persisted_auth_state: Option<CheckerModule>,
    /// The object as written.
    pub raw: Map<String, Value>,
}

/// Where a channel is shown; absent means the default of that surface (MAN-216).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Exposure {
    /// Among configured channels; `showConfigured` is the legacy name.
    pub configured: Option<bool>,
    /// In setup; `showInSetup` is the legacy name.
    pub setup: Option<bool>,
    /// In documentation.
    pub docs: Option<bool>,
}

/// A tiny module that answers one question (MAN-217).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckerModule {
    /// Module specifier.
    pub specifier: String,
    /// Name of the export.
    pub export_name: String,
}

pub(crate) fn read(value: Option<&Value>) -> Option<PackageChannel> {
    let block = record(value)?;
    let at = |key: &str| block.get(key);
    let exposure = record(at("exposure"));
    let shown = |key: &str, legacy: &str| boolean(exposure.and_then(|exposure| exposure.get(key))).or_else(|| boolean(at(legacy)));
    Some(PackageChannel {
        id: string(at("id")),
        label: string(at("label")),
        selection_label: string(at("selectionLabel")),
        blurb: string(at("blurb")),
        docs_path: string(at("docsPath")),
        order: at("order").and_then(Value::as_f64),
        aliases: strings(at("aliases")),
        prefer_over: strings(at("preferOver")),
        commands: read_commands(at("commands")),
        exposure: Exposure {
            configured: shown("configured", "showConfigured"),
            setup: shown("setup", "showInSetup"),
            docs: boolean(exposure.and_then(|exposure| exposure.get("docs"))),
        },
        configured_state: checker(at("configuredState")),
        persisted_auth_state: checker(at("persistedAuthState")),
        raw: block.clone(),
    })
}

fn checker(value: Option<&Value>) -> Option<CheckerModule> {
    let block = record(value)?;
    Some(CheckerModule { specifier: string(block.get("specifier"))?, export_name: string(block.get("exportName"))? })
}
