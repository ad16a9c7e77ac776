//! Buttons and menus: callback data of a channel goes to the handler that registered its namespace (API-214..API-216).

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use chela_plugin::register::entries::Recorded;
use chela_plugin::{Call, CallError};
use serde_json::{Value, json};

use super::{Reply, Request};
use crate::relay;

/// How long a callback id is remembered (API-215).
const REMEMBER: Duration = Duration::from_secs(5 * 60);
/// How many are (API-215).
const MOST: usize = 4096;
/// Longest handling of one callback.
const BUDGET: Duration = Duration::from_secs(60);

/// Callback ids of the last minutes.
#[derive(Default)]
pub(crate) struct Callbacks(Mutex<HashMap<String, Instant>>);

impl Callbacks {
    /// False when the id was claimed before.
    fn claim(&self, id: &str, now: Instant) -> bool {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= MOST {
            seen.retain(|_, at| now.duration_since(*at) < REMEMBER);
        }
        if seen.len() >= MOST
            && let Some(oldest) = seen.iter().min_by_key(|(_, at)| **at).map(|(id, _)| id.clone())
        {
            seen.remove(&oldest);
        }
        let known = seen.get(id).is_some_and(|at| now.duration_since(*at) < REMEMBER);
        if !known {
            seen.insert(id.into(), now);
        }
        !known
    }

    fn release(&self, id: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }
}

pub(super) async fn serve(request: &Request<'_>) -> Reply {
    match request.method {
        "host.interactive.begin" => Ok(begin(request)),
        "host.interactive.invoke" => invoke(request).await,
        "host.interactive.release" => {
            request.host.callbacks.release(request.text("dedupeId")?);
            Ok(Value::Null)
        }
        other => Err(CallError::NotBuilt(other.into())),
    }
}

/// Namespace and payload of callback data; the payload may be empty.
fn split(data: &str) -> (&str, &str) {
    data.trim().split_once(':').unwrap_or((data.trim(), ""))
}

fn with_handler<T>(request: &Request<'_>, channel: &str, namespace: &str, read: impl FnOnce(&Recorded) -> T) -> Option<T> {
    let id = format!("{}:{namespace}", channel.trim().to_lowercase());
    let registry = request.host.manager.registry();
    registry.recorded_of("registerInteractiveHandler").find(|r| r.id == id).map(read)
}

/// `{channel, data, dedupeId?}` -> `{matched, duplicate, namespace?, payload?, registration?}`.
fn begin(request: &Request<'_>) -> Value {
    let (channel, data) = (request.optional("channel").unwrap_or_default(), request.optional("data").unwrap_or_default());
    let (namespace, payload) = split(data);
    let described = with_handler(request, channel, namespace, |found| {
        let owner = &found.owner;
        json!({"channel": channel, "namespace": namespace, "pluginId": owner.id.as_ref(), "pluginName": owner.name, "pluginRoot": owner.root_dir})
    });
    let Some(registration) = described else { return json!({"matched": false, "duplicate": false}) };
    let dedupe = request.optional("dedupeId").map(str::trim).filter(|id| !id.is_empty());
    let duplicate = dedupe.is_some_and(|id| !request.host.callbacks.claim(id, Instant::now()));
    json!({"matched": true, "duplicate": duplicate, "namespace": namespace, "payload": payload, "registration": registration})
}

/// `{channel, namespace, ctx}`: runs the handler, in whichever plugin it is; functions of `ctx` stay the channel's.
async fn invoke(request: &Request<'_>) -> Reply {
    let (channel, namespace) = (request.text("channel")?, request.text("namespace")?);
    let handler = with_handler(request, channel, namespace, |found| found.object(0));
    let handler = handler.ok_or_else(|| CallError::refused("NOT_FOUND", format!("nobody handles `{namespace}` on channel `{channel}`")))?;
    let registry = request.host.manager.registry();
    let source = registry.plugin(request.plugin).and_then(|p| p.target.clone());
    let source = source.ok_or_else(|| CallError::refused("NOT_FOUND", format!("plugin `{}` is not running", request.plugin)))?;
    let mut ctx = request.params["ctx"].clone();
    let mut call = Call::default().budget(Some(BUDGET));
    let _held = relay::relay(&mut ctx, &source, &mut call)?;
    call.args = vec![ctx];
    handler.call("handler", call).await
}

#[cfg(test)]
mod tests {
    use super::*;

    // API-214, API-215
    #[test]
    fn data_is_split_once_and_an_id_claims_for_five_minutes() {
        assert_eq!((split("ns:a:b"), split("ns:"), split(" ns ")), (("ns", "a:b"), ("ns", ""), ("ns", "")));
        let (callbacks, now) = (Callbacks::default(), Instant::now());
        assert!(callbacks.claim("a", now) && !callbacks.claim("a", now + REMEMBER / 2));
        assert!(callbacks.claim("a", now + REMEMBER));
        callbacks.release("a");
        assert!(callbacks.claim("a", now));
        for n in 0..MOST {
            assert!(callbacks.claim(&format!("x{n}"), now + Duration::from_millis(1)));
        }
        assert!(callbacks.claim("a", now + Duration::from_millis(2)), "the oldest goes first");
    }
}
