//! Streams of one plugin that another one reads: the host keeps them, and hands over a piece for each request.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chela_capabilities::speech::SpeechStream;
use chela_plugin::{Call, CallError, PluginObject};
use futures::StreamExt;
use futures::stream::BoxStream;
use serde_json::{Value, json};

use super::{Reply, Request};

/// Most streams that one plugin reads at once.
const MOST_OPEN: usize = 64;
/// A stream that nobody reads for this long is given back.
const IDLE: Duration = Duration::from_secs(10 * 60);
/// Longest wait for `release` of a provider.
const RELEASE_BUDGET: Duration = Duration::from_secs(10);

type Pieces = BoxStream<'static, Result<Value, CallError>>;

/// The streams that are kept.
#[derive(Default)]
pub(crate) struct Relays {
    next: AtomicU64,
    open: Mutex<HashMap<u64, Relay>>,
}

struct Relay {
    reader: String,
    pieces: Arc<tokio::sync::Mutex<Pieces>>,
    answer: PluginObject,
    used: Instant,
}

impl Relays {
    /// Keeps a stream for a plugin.
    pub(crate) fn keep(&self, reader: &str, stream: SpeechStream) -> Result<u64, CallError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let idle: Vec<u64> = open.iter().filter(|(_, r)| r.used.elapsed() > IDLE).map(|(id, _)| *id).collect();
        idle.into_iter().filter_map(|id| open.remove(&id)).for_each(give_back);
        if open.values().filter(|r| r.reader == reader).count() >= MOST_OPEN {
            return Err(CallError::refused(
                "TOO_MANY_STREAMS",
                format!("plugin `{reader}` reads {MOST_OPEN} streams; release some of them"),
            ));
        }
        let id = self.next.fetch_add(1, Ordering::Relaxed) + 1;
        let pieces = Arc::new(tokio::sync::Mutex::new(stream.audio));
        open.insert(id, Relay { reader: reader.into(), pieces, answer: stream.answer, used: Instant::now() });
        Ok(id)
    }

    fn pieces(&self, reader: &str, id: u64) -> Option<Arc<tokio::sync::Mutex<Pieces>>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let relay = open.get_mut(&id).filter(|r| r.reader == reader)?;
        relay.used = Instant::now();
        Some(relay.pieces.clone())
    }

    fn end(&self, reader: &str, id: u64) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.get(&id).is_some_and(|r| r.reader == reader)
            && let Some(relay) = open.remove(&id)
        {
            give_back(relay);
        }
    }
}

/// Tells the provider that its stream is no longer used; its `release` is not waited for.
fn give_back(relay: Relay) {
    tokio::spawn(async move {
        drop(relay.pieces);
        if relay.answer.has("release")
            && let Err(error) = relay.answer.call("release", Call::new(Vec::new()).budget(Some(RELEASE_BUDGET))).await
        {
            tracing::debug!(target: "plugins", plugin = %relay.answer.owner.id, "`release` of a stream failed: {error}");
        }
    });
}

pub(super) async fn serve(request: &Request<'_>) -> Reply {
    let id = request.params.get("id").and_then(Value::as_u64).unwrap_or_default();
    let relays = &request.host.relays;
    match request.method {
        "host.relay.next" => {
            let Some(pieces) = relays.pieces(request.plugin, id) else { return Ok(json!({"done": true})) };
            let next = pieces.lock().await.next().await;
            match next {
                Some(Ok(value)) => Ok(json!({"done": false, "value": value})),
                Some(Err(error)) => {
                    relays.end(request.plugin, id);
                    Err(error)
                }
                None => {
                    relays.end(request.plugin, id);
                    Ok(json!({"done": true}))
                }
            }
        }
        "host.relay.close" => {
            relays.end(request.plugin, id);
            Ok(Value::Null)
        }
        other => Err(CallError::NotBuilt(other.into())),
    }
}
