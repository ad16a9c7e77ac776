//! The gateway's state: what methods, HTTP endpoints and the lifecycle share.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use chela_agent::{Accepted, RunEvent, RunRef, RunSink, TurnRequest};
use chela_gateway_protocol::error::ErrorShape;
use chela_host::Host;
use chela_store::{StoreError, session_key};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::sync::{Mutex, Semaphore};

use crate::devices::DeviceStore;
use crate::events::EventBus;
use crate::methods::{ControlPlaneBudget, internal};
use crate::node_pairing::NodeStore;
use crate::run_events::ClientEvents;

/// How long a health snapshot is served before it is made anew (GW-F14: a connect must not probe everything).
const HEALTH_TTL: Duration = Duration::from_secs(1);

/// Why the gateway stops.
#[derive(Clone, Debug, Default)]
pub struct StopRequest {
    /// Text for logs and the `shutdown` event.
    pub reason: String,
    /// Set when it comes back: the expected time in ms.
    pub restart_expected_ms: Option<u64>,
}

/// Everything that the gateway's parts share.
pub struct Gateway {
    /// Plugins, turns, store.
    pub host: Arc<Host>,
    /// Clients.
    pub bus: EventBus,
    /// Run events for clients.
    pub events: Arc<ClientEvents>,
    /// Paired devices.
    pub devices: Arc<DeviceStore>,
    /// Approved nodes.
    pub nodes: Arc<NodeStore>,
    /// When the process began to serve.
    pub started: Instant,
    /// Version text for clients.
    pub version: &'static str,
    /// The port in use.
    pub port: u16,
    /// Auth mode, for admins (GW-27).
    pub auth_mode: &'static str,
    /// Asks for the end of the process.
    pub stop: tokio::sync::mpsc::Sender<StopRequest>,
    pub(crate) device: Option<(String, String)>,
    pub(crate) control_plane: ControlPlaneBudget,
    /// Commands that nodes run just now.
    pub(crate) node_calls: crate::node_calls::NodeCalls,
    /// Spoken sessions of clients.
    pub(crate) talks: crate::talks::Talks,
    pub(crate) sends: crate::sends::Sends,
    /// Sessions of answers that a request can go on from.
    pub(crate) responses: crate::api::responses::Remembered,
    /// Clients that watch hooks.
    pub(crate) traces: crate::methods::Traces,
    /// Places for connections that routes of plugins hold.
    pub(crate) upgraded: Arc<Semaphore>,
    ready: AtomicBool,
    became_ready: tokio::sync::Notify,
    health: Mutex<Option<(Instant, Arc<RawValue>)>>,
}

/// Parts of a [`Gateway`].
pub struct GatewayParts {
    /// See [`Gateway::host`].
    pub host: Arc<Host>,
    /// See [`Gateway::bus`].
    pub bus: EventBus,
    /// See [`Gateway::events`].
    pub events: Arc<ClientEvents>,
    /// See [`Gateway::devices`].
    pub devices: Arc<DeviceStore>,
    /// See [`Gateway::port`].
    pub port: u16,
    /// See [`Gateway::auth_mode`].
    pub auth_mode: &'static str,
    /// See [`Gateway::stop`].
    pub stop: tokio::sync::mpsc::Sender<StopRequest>,
    /// Device id and public key of the gateway itself.
    pub device: Option<(String, String)>,
}

impl Gateway {
    /// Puts the parts together.
    pub fn new(parts: GatewayParts) -> Arc<Self> {
        let nodes = Arc::new(NodeStore::new(&parts.host.paths.state_dir.join("nodes")));
        Arc::new(Self {
            host: parts.host,
            bus: parts.bus,
            events: parts.events,
            nodes,
            devices: parts.devices,
            started: Instant::now(),
            version: env!("CARGO_PKG_VERSION"),
            port: parts.port,
            auth_mode: parts.auth_mode,
            stop: parts.stop,
            device: parts.device,
            control_plane: ControlPlaneBudget::default(),
            node_calls: Default::default(),
            talks: Default::default(),
            sends: Default::default(),
            responses: Default::default(),
            traces: Default::default(),
            upgraded: Arc::new(Semaphore::new(crate::api::plugin_upgrade::MAX_OPEN)),
            ready: AtomicBool::new(false),
            became_ready: tokio::sync::Notify::new(),
            health: Mutex::new(None),
        })
    }

    /// Lets people in channels change their sessions, and plugins reach nodes.
    pub fn serve_channels(self: &Arc<Self>) {
        self.host.serve_nodes(crate::methods::plugin_nodes(self));
        self.host.channels.serve_sessions(crate::methods::channel_sessions(self));
    }

    /// True once the journal is recovered and turns may run.
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    /// Opens the gateway for turns.
    pub fn set_ready(&self) {
        self.ready.store(true, Ordering::Release);
        self.host.open_channels();
        self.became_ready.notify_waiters();
    }

    /// Waits until turns may run: a message that comes during the start is answered after it, not refused.
    pub(crate) async fn wait_ready(&self) {
        loop {
            let woken = self.became_ready.notified();
            if self.is_ready() {
                return;
            }
            woken.await;
        }
    }

    /// The agent that is named, or the default one. Unknown agents are refused everywhere alike (GW-F3, GW-F4).
    pub(crate) fn agent_or_default(&self, agent: Option<&str>) -> Result<String, ErrorShape> {
        let settings = self.host.runtime.settings();
        let Some(agent) = agent else { return Ok(settings.agents.default_id.clone()) };
        match settings.agents.get(agent) {
            Some(known) => Ok(known.id.clone()),
            None => Err(ErrorShape::invalid_params("agent", format!("unknown agent id \"{agent}\""))),
        }
    }

    /// The canonical session key and its agent.
    pub(crate) fn route(&self, key: &str, agent: Option<&str>) -> Result<(String, String), ErrorShape> {
        let wanted = self.agent_or_default(agent)?;
        let canonical = session_key::canonicalize(key, &wanted);
        let owner = session_key::agent_of(&canonical);
        let settings = self.host.runtime.settings();
        if settings.agents.get(&owner).is_none() {
            let text = format!("Agent \"{owner}\" no longer exists in configuration");
            return Err(ErrorShape::not_found(text));
        }
        if agent.is_some() && owner != wanted {
            let text = format!("agent \"{wanted}\" does not match session key agent \"{owner}\"");
            return Err(ErrorShape::invalid_params("agent", text));
        }
        Ok((canonical, owner))
    }

    /// The main session of an agent (CH-139).
    pub(crate) fn main_session_key(&self, agent: Option<&str>) -> String {
        let default = || self.host.runtime.settings().agents.default_id.clone();
        session_key::main_key(&agent.map_or_else(default, session_key::normalize_agent_id))
    }

    /// The key of a session id.
    pub(crate) async fn key_of_session_id(&self, id: &str) -> Result<String, ErrorShape> {
        let row = self.host.runtime.store.session_by_id(id).await.map_err(internal)?;
        row.map(|r| r.key).ok_or_else(|| ErrorShape::not_found(format!("No session found: {id}")))
    }

    /// `sessions.json` of an agent.
    pub(crate) fn sessions_file(&self, agent: &str) -> PathBuf {
        self.host.paths.sessions_dir(agent).join("sessions.json")
    }

    /// Longest turn when the caller does not say.
    pub(crate) fn turn_timeout(&self) -> Duration {
        Duration::from_secs(self.host.runtime.settings().agents.timeout_seconds.max(1))
    }

    /// Accepts a message: when this returns a new ticket, it is not lost by any kill; acknowledge it once the pledge is kept (GW-F12).
    pub(crate) async fn accept(&self, request: &TurnRequest, method: &str) -> Result<Accepted, StoreError> {
        self.wait_ready().await;
        self.host.runtime.accept(request, method).await
    }

    /// Tells clients about a message that no run wrote.
    pub(crate) fn announce_injected(&self, session_key: &str, id: &str, message: Value) {
        let run = RunRef { run_id: format!("inject-{id}"), session_key: session_key.into() };
        let payload = json!({"runId": run.run_id, "sessionKey": session_key, "seq": 0, "state": "final", "message": message});
        self.bus.broadcast("chat", &payload, crate::events::EventTarget::All);
        self.events.emit(&run, RunEvent::MessageWritten { id: id.into(), seq: 0, message });
    }

    /// The health answer, made at most once a second.
    pub(crate) async fn health(&self) -> Arc<RawValue> {
        let mut cached = self.health.lock().await;
        if let Some((at, text)) = cached.as_ref()
            && at.elapsed() < HEALTH_TTL
        {
            return text.clone();
        }
        let value = crate::status::health(self).await;
        let text: Arc<RawValue> = match serde_json::value::to_raw_value(&value) {
            Ok(raw) => raw.into(),
            Err(_) => RawValue::NULL.to_owned().into(),
        };
        *cached = Some((Instant::now(), text.clone()));
        text
    }

    /// Allow and deny lists of tools over HTTP.
    pub(crate) fn tools_http_policy(&self) -> chela_agent::tool_policy::PolicyStep {
        let settings = self.host.runtime.config().gateway();
        let label = "gateway.tools".to_string();
        chela_agent::tool_policy::PolicyStep { label, allow: settings.tools_allow, deny: settings.tools_deny, also: Vec::new() }
    }
}
