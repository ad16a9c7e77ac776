//! What the transport asks of the rest of the gateway.

use super::ClientInfo;
use crate::events::ClientHandle;
use chela_gateway_protocol::error::{ErrorShape, Reason};
use chela_gateway_protocol::frame::{encode_err, encode_ok};
use chela_gateway_protocol::{MethodRole, MethodScope, Scope, methods};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio_util::sync::CancellationToken;

/// What a method needs; of the core's table or declared by a plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MethodSpecRef {
    /// Scope it needs.
    pub scope: MethodScope,
    /// Role it is for.
    pub role: MethodRole,
}

/// Serves requests. Scope and role are checked before [`MethodHandler::handle`] is called.
#[async_trait::async_trait]
pub trait MethodHandler: Send + Sync + 'static {
    /// Serves one request. Calls of one connection run concurrently; a future that is ready at once costs no
    /// task. It goes on when the client leaves (`call.gone` tells).
    async fn handle(&self, call: MethodCall);

    /// A client has been greeted. Must not block.
    fn client_joined(&self, _client: &Arc<ClientInfo>) {}

    /// A greeted client has gone. Must not block.
    fn client_left(&self, _client: &ClientInfo) {}

    /// What a method needs: the core's table, or what a plugin declared
    /// ([`methods::plugin_method_scope`]). Unknown names need admin, and then get `unknown method` (GW-62).
    fn method_spec(&self, name: &str) -> Option<MethodSpecRef> {
        core_method_spec(name)
    }

    /// Scopes that a method with [`MethodScope::Dynamic`] needs for these parameters (GW-69).
    fn dynamic_scopes(&self, _method: &str, _params: &Value) -> Vec<Scope> {
        vec![Scope::Write]
    }

    /// The `snapshot` of the hello: an object with `health`, `sessionDefaults`, and for admins `configPath`,
    /// `stateDir`, `authMode` (GW-27). The transport adds `presence`, `stateVersion` and `uptimeMs`.
    fn hello_snapshot(&self, client: &ClientInfo) -> Value;

    /// Names for `features.methods` of the hello (GW-30).
    fn advertised_methods(&self) -> Vec<String> {
        methods::listed().map(str::to_owned).collect()
    }
}

/// What the core's table says about a method.
pub fn core_method_spec(name: &str) -> Option<MethodSpecRef> {
    methods::find(name).map(|spec| MethodSpecRef { scope: spec.scope, role: spec.role })
}

/// One request.
#[derive(Debug)]
pub struct MethodCall {
    /// Its id.
    pub id: String,
    /// Its method.
    pub method: String,
    /// Its parameters; `null` when absent.
    pub params: Value,
    /// Who asks.
    pub client: Arc<ClientInfo>,
    /// The way back.
    pub reply: Replier,
    /// Cancelled when the client has left.
    pub gone: CancellationToken,
}

/// Answers one request, once or several times (GW-11). When the last clone goes without any answer, the client
/// gets an error, so that no request hangs.
#[derive(Debug, Clone)]
pub struct Replier {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    id: String,
    client: Arc<ClientHandle>,
    replied: AtomicBool,
    failed: AtomicBool,
}

impl Replier {
    pub(crate) fn new(id: String, client: Arc<ClientHandle>) -> Self {
        Replier { inner: Arc::new(Inner { id, client, replied: AtomicBool::new(false), failed: AtomicBool::new(false) }) }
    }

    /// Answers with a payload.
    pub fn ok<T: Serialize + ?Sized>(&self, payload: &T) {
        match serde_json::value::to_raw_value(payload) {
            Ok(payload) => self.ok_raw(&payload),
            Err(error) => {
                self.err(&ErrorShape::internal(format!("response cannot be serialised: {error}")));
            }
        }
    }

    /// Answers with a payload that is JSON already.
    pub fn ok_raw(&self, payload: &RawValue) {
        self.send(encode_ok(&self.inner.id, payload));
    }

    /// Answers with an error.
    pub fn err(&self, error: &ErrorShape) {
        self.inner.failed.store(true, Ordering::Relaxed);
        self.send(encode_err(&self.inner.id, error));
    }

    /// True once an error was the answer.
    pub fn failed(&self) -> bool {
        self.inner.failed.load(Ordering::Relaxed)
    }

    fn send(&self, text: String) {
        self.inner.replied.store(true, Ordering::Relaxed);
        self.inner.client.send_response(text);
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if !*self.replied.get_mut() {
            let error = ErrorShape::unavailable(Reason::Internal, "the request ended without an answer");
            self.client.send_response(encode_err(&self.id, &error));
        }
    }
}
