//! Errors across the wire.

use chela_plugin::CallError;
use chela_plugin_protocol::WireError;

/// An error of plugin code, as the host sees it.
pub(crate) fn from_wire(error: WireError) -> CallError {
    let name = if error.name.is_empty() { "Error".into() } else { error.name };
    CallError::Thrown { name, message: error.message, code: error.code, stack: error.stack, data: error.data }
}

/// An error of the host, as the plugin sees it.
pub(crate) fn to_wire(error: &CallError) -> WireError {
    let wire = WireError::new("Error", error.to_string()).code(error.code());
    match error {
        CallError::Thrown { name, data, .. } => WireError { name: name.clone(), data: data.clone(), ..wire },
        _ => wire,
    }
}

/// The error of calls whose worker is gone.
pub(crate) fn gone(plugin: &str, reason: impl Into<String>) -> CallError {
    CallError::Gone { plugin: plugin.into(), reason: reason.into() }
}
