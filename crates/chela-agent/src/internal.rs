//! Internal events that nobody waits for.

use std::sync::Arc;

use chela_hooks::InternalBus;
use serde_json::Value;

/// Emits an event in the background. The context is built only when somebody listens.
pub fn spawn(bus: &Arc<InternalBus>, kind: &'static str, action: &'static str, session_key: &str, context: impl FnOnce() -> Value) {
    if !bus.has(kind, action) {
        return;
    }
    let (bus, key, context) = (bus.clone(), session_key.to_string(), context());
    crate::background::spawn_in_order(async move {
        bus.emit(kind, action, &key, context).await;
    });
}
