//! Rows of the model catalogues of generators: those that registration makes, and those that plugins bring (API-042, API-050..052).

use std::time::Duration;

use chela_plugin::register::entries::CatalogSource;
use chela_plugin::{Adapter, Call};
use serde_json::{Value, json};

use super::Medium;
use crate::host::Scope;

/// Longest wait for the rows of one plugin.
const BUDGET: Duration = Duration::from_secs(15);
/// Most rows of one plugin.
const MOST_ROWS: usize = 2_000;

/// The rows of a kind: a live row takes the place of the static one of the same model (PRV-34, PRV-35).
pub async fn rows(scope: &Scope<'_>, medium: Medium) -> Vec<Value> {
    let kind = medium.catalog_kind();
    let mut out: Vec<Value> = Vec::new();
    for catalog in scope.registry.model_catalogs.iter().filter(|c| c.kinds.iter().any(|k| k == kind)) {
        for (source, word) in [(&catalog.static_rows, "static"), (&catalog.live_rows, "live")] {
            let Some(source) = source else { continue };
            for mut row in rows_of(scope, source, &catalog.provider).await.into_iter().take(MOST_ROWS) {
                if row.get("kind").and_then(Value::as_str).is_some_and(|k| k != kind) || chela_plugin::value::text(&row, "model").is_none()
                {
                    continue;
                }
                for (key, value) in [("kind", kind), ("provider", catalog.provider.as_str()), ("source", word)] {
                    if row.get(key).is_none() {
                        row[key] = value.into();
                    }
                }
                out.retain(|known| known["provider"] != row["provider"] || known["model"] != row["model"]);
                out.push(row);
            }
        }
    }
    out
}

async fn rows_of(scope: &Scope<'_>, source: &CatalogSource, provider: &str) -> Vec<Value> {
    let callback = match source {
        CatalogSource::Fixed(rows) => return rows.clone(),
        // The catalogue of a text provider says nothing about media.
        CatalogSource::Provider(_) => return Vec::new(),
        CatalogSource::Rows(callback) => callback,
    };
    let ctx = json!({
        "config": scope.shown(), "provider": provider, "agentDir": scope.agent_dir(),
        "workspaceDir": scope.host.workspace(scope.agent.as_deref()),
    });
    let call = Call::new(vec![ctx]).adapter(Adapter::Provider).budget(Some(BUDGET)).cancelled_by(scope.cancel.clone());
    match callback.call(call).await {
        Ok(rows) => rows.as_array().cloned().unwrap_or_default().into_iter().filter(Value::is_object).collect(),
        Err(error) => {
            tracing::warn!(target: "capabilities", plugin = %callback.plugin_id, provider, "model catalogue failed: {error}");
            Vec::new()
        }
    }
}
