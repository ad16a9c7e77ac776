//! `hooks.trace`: a client watches handlers of hooks at work. The records come as events of the same name, to that client only.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use chela_gateway_protocol::Scope;
use chela_gateway_protocol::error::ErrorShape;
use chela_hooks::{HandlerCall, HookObserver, TraceRecord};
use serde::Serialize;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::params::Params;
use super::{Answer, ok_with};
use crate::events::{EventBus, EventOptions, EventTarget};
use crate::gateway::Gateway;
use crate::ws::handler::MethodCall;

/// The event that carries a record.
pub(crate) const EVENT: &str = "hooks.trace";
/// Clients that watch at once. Each costs every call of a handler the building of a record.
const MOST: usize = 8;

/// The clients that watch, by connection.
#[derive(Default)]
pub(crate) struct Traces(Mutex<HashMap<String, CancellationToken>>);

impl Traces {
    /// Ends what the connection watched before; a new watch takes its place when `watch` says so. `None` when there are too many.
    fn replace(&self, conn_id: &str, watch: bool) -> Option<CancellationToken> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = all.remove(conn_id) {
            before.cancel();
        }
        all.retain(|_, token| !token.is_cancelled());
        let token = CancellationToken::new();
        if watch {
            if all.len() >= MOST {
                return None;
            }
            all.insert(conn_id.into(), token.clone());
        }
        Some(token)
    }
}

/// What a client asked to see.
struct Tracer {
    bus: EventBus,
    conn_id: String,
    plugins: Vec<String>,
    hooks: Vec<String>,
    values: bool,
    seq: AtomicU64,
}

/// A record with its number among those of this watch: a gap means that the client was too slow for some.
#[derive(Serialize)]
struct Numbered {
    seq: u64,
    #[serde(flatten)]
    record: TraceRecord,
}

impl HookObserver for Tracer {
    fn called(&self, call: &HandlerCall<'_>) {
        let wanted = |list: &[String], name: &str| list.is_empty() || list.iter().any(|one| one == name);
        // `command` is any event of the type, as for who registers.
        let kind = call.hook.split(':').next().unwrap_or_default();
        if !wanted(&self.plugins, call.plugin_id) || !(wanted(&self.hooks, call.hook) || wanted(&self.hooks, kind)) {
            return;
        }
        let seq = self.seq.fetch_add(1, Ordering::Relaxed) + 1;
        let record = Numbered { seq, record: TraceRecord::new(call, self.values) };
        let options = EventOptions { drop_if_slow: true, ..EventOptions::default() };
        self.bus.broadcast_with(EVENT, &record, EventTarget::Client(self.conn_id.clone()), options);
    }
}

/// Begins or ends (`{"stop": true}`) the watch of a connection. It ends with the connection.
pub(super) fn trace(gateway: &Arc<Gateway>, call: &MethodCall) -> Answer {
    let mut p = Params::new("hooks.trace", call.params.clone(), &["plugins", "hooks", "values", "stop"])?;
    let (plugins, hooks) = (p.texts("plugins"), p.texts("hooks"));
    let (values, stop) = (p.flag("values") == Some(true), p.flag("stop") == Some(true));
    p.done()?;
    if values && !call.client.is_admin() {
        return Err(ErrorShape::missing_scope(Scope::Admin));
    }
    let conn_id = &call.client.conn_id;
    let Some(token) = gateway.traces.replace(conn_id, !stop) else {
        return Err(ErrorShape::unavailable(
            chela_gateway_protocol::error::Reason::RateLimited,
            format!("{MOST} clients watch hooks already; end one of them"),
        ));
    };
    if stop {
        return Ok(ok_with(json!({"watching": false})));
    }
    let tracer = Tracer { bus: gateway.bus.clone(), conn_id: conn_id.clone(), plugins, hooks, values, seq: AtomicU64::new(0) };
    let watching = gateway.host.manager.hook_watch().observe(Arc::new(tracer));
    let gone = call.gone.clone();
    tokio::spawn(async move {
        tokio::select! {
            () = gone.cancelled() => token.cancel(),
            () = token.cancelled() => {}
        }
        drop(watching);
    });
    Ok(ok_with(json!({"watching": true, "values": values})))
}
