//! `sessions.compact` and `/compact`.

use std::sync::Arc;
use std::time::Duration;

use chela_agent::TurnPlugins;
use chela_agent::compaction::{CompactRequest, Compacted, CompactionSettings, compact};
use chela_gateway_protocol::error::ErrorShape;
use chela_models::ModelRef;
use serde_json::{Value, json};

use super::params::Params;
use super::{Answer, internal, ok_with};
use crate::gateway::Gateway;

/// How long a run that is stopped for a compaction may take to end.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

pub(super) async fn serve(gateway: &Arc<Gateway>, params: Value) -> Answer {
    let mut p = Params::new("sessions.compact", params, &["key", "maxLines"])?;
    let (key, lines) = (p.text("key"), p.optional_count("maxLines"));
    if lines.is_some() {
        p.reject("at /maxLines: cutting a transcript to its last lines is not built yet; leave it out to summarise");
    }
    p.done()?;
    let (session_key, agent_id) = gateway.route(&key, None)?;
    let done = gateway.compact_session(&session_key, &agent_id, None).await?;
    let mut reply = done.to_value();
    reply["key"] = session_key.clone().into();
    if done.ok {
        gateway.events.changed(&session_key, json!({"reason": "compact", "compacted": done.compacted}));
    }
    Ok(if done.ok { ok_with(reply) } else { reply })
}

impl Gateway {
    /// Compacts a session by hand: what runs there is stopped first.
    pub(crate) async fn compact_session(
        &self,
        session_key: &str,
        agent_id: &str,
        instructions: Option<String>,
    ) -> Result<Compacted, ErrorShape> {
        let runtime = &self.host.runtime;
        self.host.manager.ensure_for_turn().await;
        for id in runtime.runs.abort_session(session_key) {
            runtime.runs.wait(&id, STOP_PATIENCE).await;
        }
        let _lane = runtime.runs.lane(session_key).await;
        let Some(row) = runtime.store.session(session_key).await.map_err(internal)? else {
            return Ok(Compacted { ok: true, reason: Some("no sessionId".into()), ..Compacted::default() });
        };
        let text = |name: &str| row.extra.get(name).and_then(Value::as_str);
        let model = match (text("providerOverride"), text("modelOverride")) {
            (Some(provider), Some(model)) => ModelRef::new(provider, model),
            _ => runtime.default_model(agent_id),
        };
        let window = runtime.models().resolve(&model).ok().and_then(|m| m.entry).map(|e| e.context_window);
        let request = CompactRequest {
            session: &row,
            agent_id,
            model,
            window,
            fallbacks: runtime.fallback_models(agent_id),
            keep: CompactionSettings::from_config(&runtime.config()).keep_by_hand(),
            trigger: "manual",
            instructions,
            builtin_only: false,
            cancel: runtime.shutdown.child_token(),
            say: None,
        };
        Ok(compact(runtime, &self.host.manager.current(), request).await)
    }
}

/// What a person is told after `/compact`.
pub(crate) fn words(done: &Compacted) -> String {
    let number = |key: &str| done.result.as_ref().and_then(|r| r.get(key)).and_then(Value::as_u64);
    match (done.ok, done.compacted) {
        (true, true) => match (number("tokensBefore"), number("tokensAfter")) {
            (Some(before), Some(after)) => format!("Compacted: about {before} tokens became {after}"),
            _ => "Compacted".into(),
        },
        (true, false) => format!("Nothing was compacted: {}", done.reason.as_deref().unwrap_or("there is nothing to compact")),
        (false, _) => format!("Compaction failed: {}", done.reason.as_deref().unwrap_or("no reason was given")),
    }
}
