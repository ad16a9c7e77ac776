//! The demo provider as a plugin, on the API that every plugin has.

use std::sync::Arc;

use chela_plugin::builtin::{BuiltinPlugin, PluginApi};
use serde_json::json;

use crate::{DemoProvider, ID, MANIFEST, MODEL};

/// The bundled plugin `demo`.
pub struct DemoPlugin;

impl BuiltinPlugin for DemoPlugin {
    fn manifest(&self) -> &'static str {
        MANIFEST
    }

    fn register(&self, api: &mut PluginApi) -> Result<(), String> {
        let provider = json!({"id": ID, "label": "Demo", "auth": [], "models": [{"id": MODEL, "name": "Demonstration (no AI)"}]});
        api.register_provider(provider, Arc::new(DemoProvider));
        Ok(())
    }
}
