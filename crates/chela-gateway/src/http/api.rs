//! What the transport asks of the rest of the gateway over HTTP.

use super::reply::{HttpReply, not_built};
use bytes::Bytes;
use chela_gateway_protocol::Scope;
use futures::stream::BoxStream;
use hyper::{HeaderMap, Method, Uri};
use serde::Serialize;
use serde_json::{Value, json};
use std::io;
use std::net::{IpAddr, SocketAddr};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// Knows the token or the password.
    SharedSecret,
    /// Came through the trusted proxy as this user.
    ProxyUser(String),
    /// The gateway asks for nothing.
    Open,
    /// Nobody was asked; public routes of plugins only.
    Anonymous,
}

/// What the caller may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthOutcome {
    /// Who calls.
    pub principal: Principal,
    /// All scopes for a shared secret; else what the header `x-openclaw-scopes` declares, or all without it
    /// (GW-113). Plugin routes: write at most.
    pub scopes: Vec<Scope>,
    /// Whether the caller knows the token or the password.
    pub is_shared_secret: bool,
}

impl AuthOutcome {
    /// Nobody in particular, with no rights.
    pub fn anonymous() -> Self {
        AuthOutcome { principal: Principal::Anonymous, scopes: Vec::new(), is_shared_secret: false }
    }

    /// Whether the caller may do what needs this scope.
    pub fn has_scope(&self, scope: Scope) -> bool {
        let names: Vec<&str> = self.scopes.iter().map(|scope| scope.as_str()).collect();
        scope.satisfied_by(&names)
    }
}

/// One HTTP request, read to its end. The future that serves it is dropped when the caller leaves before the
/// reply begins; a streamed body is dropped when the caller leaves later.
#[derive(Debug, Clone)]
pub struct HttpCall {
    /// Method.
    pub method: Method,
    /// Target.
    pub uri: Uri,
    /// Headers.
    pub headers: HeaderMap,
    /// Body, within the route's limit.
    pub body: Bytes,
    /// Address of the socket.
    pub remote: SocketAddr,
    /// Address of the client, when known.
    pub client_ip: Option<IpAddr>,
    /// On this machine and not behind a proxy.
    pub is_local: bool,
    /// Who calls.
    pub auth: AuthOutcome,
    /// Fires when a reply that goes on must end: another secret is in force, or the gateway stops.
    pub revoked: CancellationToken,
}

impl HttpCall {
    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// How a plugin's route is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PluginRouteAuth {
    /// The gateway's own authentication.
    Gateway,
    /// The plugin's own.
    Plugin,
}

/// Bytes that arrive over time; an error ends the connection they are for.
pub type ByteStream = BoxStream<'static, io::Result<Bytes>>;

/// A connection that a plugin's route has taken over (API-164).
pub struct UpgradedRoute {
    /// Headers of the route's `101 Switching Protocols`.
    pub headers: HeaderMap,
    /// What it sent after them.
    pub first: Bytes,
    /// What the client sends. Closed once the route no longer reads.
    pub input: mpsc::Sender<io::Result<Bytes>>,
    /// What the route sends from now on.
    pub output: ByteStream,
}

/// What became of an upgrade.
pub enum PluginUpgrade {
    /// No route wanted it.
    NotTaken,
    /// A route, or the gateway for it, answered without taking the connection.
    Answered(HttpReply),
    /// A route has taken it.
    Taken(UpgradedRoute),
}

/// Whether the gateway is ready (GW-103).
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Readiness {
    /// Whether it is.
    pub ready: bool,
    /// What is not.
    pub failing: Vec<String>,
    /// Since the start, in milliseconds.
    pub uptime_ms: u64,
    /// Load of the runtime, if measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_loop: Option<Value>,
}

/// Serves the HTTP endpoints. Method, authentication and size have been checked. What is not overridden answers
/// 501 and names itself.
#[async_trait::async_trait]
pub trait HttpApi: Send + Sync + 'static {
    /// `POST /v1/chat/completions` (GW-107..GW-112).
    async fn chat_completions(&self, _call: HttpCall) -> HttpReply {
        not_built("/v1/chat/completions")
    }

    /// `GET /v1/models` (`None`) and `GET /v1/models/<id>`, the id decoded (GW-106).
    async fn models(&self, _call: HttpCall, _id: Option<String>) -> HttpReply {
        not_built("/v1/models")
    }

    /// `POST /v1/embeddings`.
    async fn embeddings(&self, _call: HttpCall) -> HttpReply {
        not_built("/v1/embeddings")
    }

    /// `POST /v1/responses` (GW-114).
    async fn responses(&self, _call: HttpCall) -> HttpReply {
        not_built("/v1/responses")
    }

    /// `POST /tools/invoke` (GW-116).
    async fn tools_invoke(&self, _call: HttpCall) -> HttpReply {
        not_built("/tools/invoke")
    }

    /// `GET /sessions/<key>/history`, the key decoded (GW-118).
    async fn session_history(&self, _call: HttpCall, _key: String) -> HttpReply {
        not_built("/sessions/<key>/history")
    }

    /// `POST /sessions/<key>/kill`, the key decoded (GW-118).
    async fn session_kill(&self, _call: HttpCall, _key: String) -> HttpReply {
        not_built("/sessions/<key>/kill")
    }

    /// How the plugin route that serves this path is protected; `None` when no plugin serves it. The path is
    /// canonical (see [`super::paths`]).
    fn plugin_route_auth(&self, _canonical_path: &str) -> Option<PluginRouteAuth> {
        None
    }

    /// Serves a plugin route; `None` when the plugin declines.
    async fn plugin_route(&self, _call: HttpCall) -> Option<HttpReply> {
        None
    }

    /// Offers an upgrade to the plugin routes that take upgrades; the call has no body (API-164, API-165).
    async fn plugin_upgrade(&self, _call: HttpCall) -> PluginUpgrade {
        PluginUpgrade::NotTaken
    }

    /// A request was answered with this status.
    fn served(&self, _method: &str, _status: u16, _took: std::time::Duration) {}

    /// Whether the gateway is ready.
    fn readiness(&self) -> Readiness {
        Readiness { ready: true, failing: Vec::new(), uptime_ms: 0, event_loop: None }
    }

    /// Fields of `/__openclaw/control-ui-config.json` beside `basePath` and `serverVersion` (GW-121).
    fn control_ui_config(&self) -> Value {
        json!({})
    }
}
