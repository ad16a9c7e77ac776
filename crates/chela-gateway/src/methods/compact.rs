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
    if lines == Some(0) {
        p.reject("at /maxLines: must be >= 1");
    }
    p.done()?;
    let (session_key, agent_id) = gateway.route(&key, None)?;
    if let Some(lines) = lines {
        return cut(gateway, &session_key, lines).await;
    }
    let done = gateway.compact_session(&session_key, &agent_id, None).await?;
    let mut reply = done.to_value();
    reply["key"] = session_key.clone().into();
    if done.ok {
        gateway.events.changed(&session_key, json!({"reason": "compact", "compacted": done.compacted}));
    }
    Ok(if done.ok { ok_with(reply) } else { reply })
}

/// Cuts a transcript to its last lines; the whole of it stays beside it as `<file>.bak.<stamp>`.
async fn cut(gateway: &Arc<Gateway>, session_key: &str, lines: u64) -> Answer {
    let runtime = &gateway.host.runtime;
    gateway.stop_runs(session_key).await;
    let _lane = runtime.runs.lane(session_key).await;
    let Some(row) = runtime.store.session(session_key).await.map_err(internal)? else {
        return Ok(ok_with(json!({"key": session_key, "compacted": false, "reason": "no sessionId"})));
    };
    let lines = usize::try_from(lines).unwrap_or(usize::MAX);
    let (kept, copy) = match runtime.store.cut_transcript(&row.session_id, lines).await {
        Ok(done) => done,
        Err(chela_store::StoreError::UnknownTranscript { .. }) => {
            return Ok(ok_with(json!({"key": session_key, "compacted": false, "reason": "no transcript"})));
        }
        Err(error) => return Err(internal(error)),
    };
    let Some(copy) = copy else { return Ok(ok_with(json!({"key": session_key, "compacted": false, "kept": kept}))) };
    let forget = |row: &mut chela_store::SessionRow| {
        (row.input_tokens, row.output_tokens, row.total_tokens) = (None, None, None);
        row.extra.shift_remove("totalTokensFresh");
        row.updated_at_ms = chela_agent::clock::now_ms();
    };
    runtime.store.update_session(session_key, forget).await.map_err(internal)?;
    gateway.events.changed(session_key, json!({"reason": "compact", "compacted": true}));
    Ok(ok_with(json!({"key": session_key, "compacted": true, "archived": copy, "kept": kept})))
}

impl Gateway {
    /// Stops what runs in a session and waits for its end, bounded.
    pub(crate) async fn stop_runs(&self, session_key: &str) {
        let runs = &self.host.runtime.runs;
        for id in runs.abort_session(session_key) {
            runs.wait(&id, STOP_PATIENCE).await;
        }
    }

    /// Compacts a session by hand: what runs there is stopped first.
    pub(crate) async fn compact_session(
        &self,
        session_key: &str,
        agent_id: &str,
        instructions: Option<String>,
    ) -> Result<Compacted, ErrorShape> {
        let runtime = &self.host.runtime;
        self.host.manager.ensure_for_turn().await;
        self.stop_runs(session_key).await;
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
