//! What plugins ask of the host: `api.runtime` and the late-callable parts of `api` (`host.<area>.<name>`).
#![allow(clippy::result_large_err, reason = "the error is the answer that goes to the plugin, once for a request")]

mod agent;
mod auth;
mod binding;
mod capability;
mod channel;
mod compaction;
mod config;
mod hooks;
mod http;
pub(crate) mod interactive;
mod llm;
mod media;
mod memory;
mod nodes;
mod relay;
mod session;
mod spawn;
mod state;
mod system;
mod tasks;
mod thinking;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use async_trait::async_trait;
use chela_plugin::{CallError, HostCaller, HostServices, WorkerEvent};
use chela_store::KeyedStore;
use serde_json::{Value, json};

pub(crate) use self::agent::{identity_of, plain_turn};
pub(crate) use self::relay::Relays;
use crate::assemble::Host;

/// Answers requests of plugins. It holds the host weakly: workers must not keep a closed host alive.
pub(crate) struct Requests {
    host: Weak<Host>,
}

/// Keyed stores that plugins opened, by plugin and namespace.
#[derive(Default)]
pub(crate) struct OpenStores(Mutex<HashMap<(String, String), KeyedStore>>);

impl OpenStores {
    pub(crate) fn put(&self, plugin: &str, namespace: &str, store: KeyedStore) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert((plugin.into(), namespace.trim().into()), store);
    }

    pub(crate) fn get(&self, plugin: &str, namespace: &str) -> Option<KeyedStore> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&(plugin.to_string(), namespace.to_string())).cloned()
    }
}

/// One request.
pub(crate) struct Request<'a> {
    pub(crate) host: &'a Arc<Host>,
    pub(crate) plugin: &'a str,
    pub(crate) bundled: bool,
    pub(crate) method: &'a str,
    pub(crate) params: Value,
}

pub(crate) type Reply = Result<Value, CallError>;

impl Request<'_> {
    /// A text member; refused when it is missing or blank.
    pub(crate) fn text(&self, key: &str) -> Result<&str, CallError> {
        let text = self.params.get(key).and_then(Value::as_str).map(str::trim).filter(|t| !t.is_empty());
        text.ok_or_else(|| CallError::refused("INVALID_PARAMS", format!("`{}` needs `{key}` (text)", self.method)))
    }

    /// What the catalog knows of the plugin.
    pub(crate) fn record(&self) -> Option<chela_catalog::PluginRecord> {
        self.host.manager.snapshot().find(self.plugin).cloned()
    }

    /// An optional text member.
    pub(crate) fn optional(&self, key: &str) -> Option<&str> {
        self.params.get(key).and_then(Value::as_str)
    }
}

/// A failure inside the host.
pub(crate) fn failed(error: impl std::fmt::Display) -> CallError {
    CallError::refused("HOST_FAILED", error.to_string())
}

impl Requests {
    pub(crate) fn new(host: Weak<Host>) -> Self {
        Self { host }
    }
}

#[async_trait]
impl HostServices for Requests {
    async fn request(&self, caller: &HostCaller, method: &str, params: Value) -> Reply {
        let Some(host) = self.host.upgrade() else { return Err(CallError::refused("CLOSED", "the host is closing")) };
        let request = Request { host: &host, plugin: &caller.plugin_id, bundled: caller.bundled, method, params };
        let area = method.strip_prefix("host.").unwrap_or(method).split('.').next();
        if host.is_detached() && matches!(area, Some("state" | "session" | "subagent" | "tasks" | "channel" | "binding")) {
            let text = format!(
                "`{method}` needs the state, which the running gateway holds; stop it with `chela gateway stop`, or use a gateway method"
            );
            return Err(CallError::refused("STATE_IN_USE", text));
        }
        let snapshot = host.manager.snapshot();
        crate::visible::check(snapshot.find(request.plugin), method, &request.params)?;
        match area {
            Some("config") => config::serve(&request).await,
            Some("state") => state::serve(&request).await,
            Some("compaction") => compaction::serve(&request).await,
            Some("llm") => llm::serve(&request).await,
            Some("memory") => memory::serve(&request).await,
            Some("modelAuth") => auth::serve(&request).await,
            Some("session" | "runContext" | "agentEvent") => session::serve(&request).await,
            Some("subagent" | "agent") => agent::serve(&request).await,
            Some("hooks") => hooks::serve(&request).await,
            Some("http") => http::serve(&request),
            Some("media") => media::serve(&request).await,
            Some("nodes") => nodes::serve(&request).await,
            Some("imageGeneration" | "videoGeneration" | "musicGeneration" | "webSearch" | "tts" | "mediaUnderstanding") => {
                capability::serve(&request).await
            }
            Some("relay") => relay::serve(&request).await,
            Some("system") => system::serve(&request).await,
            Some("tasks") => tasks::serve(&request).await,
            Some("channel") => channel::serve(&request).await,
            Some("binding") => binding::serve(&request).await,
            Some("interactive") => interactive::serve(&request).await,
            _ => Err(CallError::NotBuilt(method.into())),
        }
    }

    fn note(&self, caller: &HostCaller, method: &str, params: Value) {
        let plugin = caller.plugin_id.as_str();
        let text = |key: &str| params.get(key).and_then(Value::as_str).unwrap_or_default();
        match method {
            "log" => log(plugin, text("level"), text("message")),
            "fault" => tracing::error!(target: "plugins", plugin, kind = text("kind"), "{}", text("message")),
            "subscribe" | "unsubscribe" => {
                if let Some(host) = self.host.upgrade() {
                    host.subscribers.set(plugin, text("name"), method == "subscribe");
                }
            }
            "channelStatus" => {
                let owns =
                    |host: &Host| host.manager.registry().channel(text("channelId")).is_some_and(|c| c.owner().id.as_ref() == plugin);
                if let Some(host) = self.host.upgrade().filter(|host| owns(host)) {
                    let account = Some(text("accountId")).filter(|a| !a.is_empty()).unwrap_or("default");
                    host.channels.note_status(text("channelId"), account, params.get("status").unwrap_or(&Value::Null));
                }
            }
            _ => tracing::debug!(target: "plugins", plugin, method, "note of a kind that the host does not know"),
        }
    }

    fn worker_event(&self, plugin_id: &str, event: WorkerEvent) {
        if matches!(event, WorkerEvent::Exited { .. } | WorkerEvent::Quarantined { .. })
            && let Some(host) = self.host.upgrade()
        {
            // Its functions went with the process; what starts again adds its routes again.
            host.late_routes().forget(plugin_id);
        }
        match event {
            WorkerEvent::Ready => {
                tracing::info!(target: "plugins", plugin = plugin_id, "ready");
                if let Some(host) = self.host.upgrade() {
                    host.worker_came_back(plugin_id);
                }
            }
            WorkerEvent::Fault { kind, message } => tracing::error!(target: "plugins", plugin = plugin_id, kind, "{message}"),
            WorkerEvent::Exited { reason, restarting_in_ms } => {
                tracing::warn!(target: "plugins", plugin = plugin_id, restarting_in_ms, "worker ended: {reason}");
            }
            WorkerEvent::Quarantined { reason } => tracing::error!(target: "plugins", plugin = plugin_id, "quarantined: {reason}"),
            WorkerEvent::Reregistered => {
                if let Some(host) = self.host.upgrade() {
                    host.manager.rebuild();
                }
            }
        }
        if let Some(host) = self.host.upgrade() {
            host.manager.announce_change();
        }
    }
}

impl Host {
    /// The next worker of a plugin that takes part already hears what the one before it was not told. Of a plugin that starts for the
    /// first time the manager takes care.
    fn worker_came_back(&self, plugin: &str) {
        let registry = self.manager.registry();
        if registry.plugin(plugin).is_some_and(|known| known.failure.is_none()) {
            let (lifecycle, plugin) = (self.runtime.lifecycle.clone(), plugin.to_string());
            tokio::spawn(async move { lifecycle.deliver_pending(&registry, &plugin).await });
        }
    }
}

/// Lines of plugins carry the plugin's id (API-251).
fn log(plugin: &str, level: &str, message: &str) {
    match level {
        "error" | "fatal" => tracing::error!(target: "plugins", plugin, "{message}"),
        "warn" => tracing::warn!(target: "plugins", plugin, "{message}"),
        "debug" | "trace" => tracing::debug!(target: "plugins", plugin, "{message}"),
        _ => tracing::info!(target: "plugins", plugin, "{message}"),
    }
}

/// A reply of one boolean.
pub(crate) fn yes_no(value: bool) -> Reply {
    Ok(json!(value))
}
