//! The plugins that are part of the program.

use std::sync::Arc;

use chela_catalog::BundledPlugin;
use chela_plugin::builtin::BuiltinPlugin;
use chela_plugin_diagnostics::{DiagnosticsOtel, DiagnosticsPrometheus};
use chela_telemetry::Telemetry;

/// Manifests of the plugins that are part of the program.
pub fn bundled_manifests() -> Vec<BundledPlugin> {
    let all = std::iter::once(chela_plugin_demo::MANIFEST).chain(chela_plugin_diagnostics::MANIFESTS);
    all.filter_map(|m| BundledPlugin::from_manifest_bytes(m.as_bytes()).ok()).collect()
}

/// Their code.
pub(crate) fn bundled_code(telemetry: &Arc<Telemetry>) -> Vec<(String, Arc<dyn BuiltinPlugin>)> {
    vec![
        (chela_plugin_demo::ID.to_string(), Arc::new(chela_plugin_demo::DemoPlugin) as Arc<dyn BuiltinPlugin>),
        (chela_plugin_hooks::ID.to_string(), Arc::new(chela_plugin_hooks::BundledHooks)),
        (DiagnosticsPrometheus::ID.to_string(), Arc::new(DiagnosticsPrometheus::new(telemetry.clone()))),
        (DiagnosticsOtel::ID.to_string(), Arc::new(DiagnosticsOtel::new(telemetry.clone()))),
    ]
}
