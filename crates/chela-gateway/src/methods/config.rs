//! `config.get` and `config.schema`; secrets never leave (GW-75).

use std::sync::Arc;

use serde_json::json;

use super::{Answer, internal};
use crate::gateway::Gateway;

/// The configuration with secrets replaced. Made off the I/O path (GW-F8).
pub(super) async fn get(gateway: &Arc<Gateway>) -> Answer {
    let config = gateway.host.runtime.config();
    let hints = gateway.host.sensitive_paths();
    let work = tokio::task::spawn_blocking(move || {
        let source = chela_config::redact(&config.source, &hints);
        let effective = chela_config::redact(&config.effective, &hints);
        json!({
            "path": config.path, "exists": config.exists, "parsed": source, "sourceConfig": source, "resolved": effective, "runtimeConfig": effective,
            "config": effective, "valid": true, "hash": config.hash, "issues": [], "warnings": config.warnings, "legacyIssues": [],
        })
    });
    work.await.map_err(internal)
}

/// The JSON Schema of the configuration.
pub(super) fn schema() -> Answer {
    Ok(json!({"schema": chela_config::published_schema(&Default::default(), &Default::default())}))
}
