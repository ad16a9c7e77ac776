//! `models.list`.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Answer;
use super::params::Params;
use crate::gateway::Gateway;

/// The models that can be asked for by name.
pub(super) fn list(gateway: &Arc<Gateway>, params: Value) -> Answer {
    let mut p = Params::new("models.list", params, &["view"])?;
    p.optional_text("view");
    p.done()?;
    let models = gateway.host.runtime.models();
    let rows = models
        .providers()
        .into_iter()
        .flat_map(|provider| provider.models.iter().map(|model| row(&provider.id, model)).collect::<Vec<_>>());
    Ok(json!({"models": rows.collect::<Vec<Value>>()}))
}

fn row(provider: &str, model: &chela_models::ModelEntry) -> Value {
    json!({"provider": provider, "id": model.id, "name": model.name, "reasoning": model.reasoning, "input": model.input, "contextWindow": model.context_window})
}
