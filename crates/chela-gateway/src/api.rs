//! The HTTP endpoints: chat completions, responses, models, tools, plugin routes, session history.

mod client_tools;
mod completions;
mod embeddings;
mod history;
mod kill;
mod openai;
mod plugin_routes;
pub(crate) mod plugin_upgrade;
pub(crate) mod responses;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chela_gateway_protocol::Scope;
use chela_telemetry::{Event, Request};
use hyper::StatusCode;
use serde_json::{Value, json};

use crate::gateway::Gateway;
use crate::http::{HttpApi, HttpCall, HttpReply, PluginRouteAuth, PluginUpgrade, Readiness};
use crate::methods::ToolRoute;

/// Serves the endpoints of a gateway.
pub struct Api(pub(crate) Arc<Gateway>);

impl Api {
    /// The endpoints of this gateway.
    pub fn new(gateway: Arc<Gateway>) -> Self {
        Self(gateway)
    }
}

#[async_trait]
impl HttpApi for Api {
    fn served(&self, method: &str, status: u16, took: Duration) {
        let outcome = match status / 100 {
            1 => "1xx",
            2 => "2xx",
            3 => "3xx",
            4 => "4xx",
            _ => "5xx",
        };
        self.0.host.runtime.telemetry.emit(|| Event::Request(Request { surface: "http", name: method, outcome, took }));
    }

    async fn chat_completions(&self, call: HttpCall) -> HttpReply {
        completions::serve(&self.0, call).await
    }

    async fn models(&self, _call: HttpCall, id: Option<String>) -> HttpReply {
        openai::models(&self.0, id)
    }

    async fn embeddings(&self, call: HttpCall) -> HttpReply {
        embeddings::serve(&self.0, call).await
    }

    async fn responses(&self, call: HttpCall) -> HttpReply {
        responses::serve(&self.0, call).await
    }

    async fn tools_invoke(&self, call: HttpCall) -> HttpReply {
        tools_invoke(&self.0, call).await
    }

    async fn session_history(&self, call: HttpCall, key: String) -> HttpReply {
        history::serve(&self.0, call, &key).await
    }

    async fn session_kill(&self, call: HttpCall, key: String) -> HttpReply {
        kill::serve(&self.0, &call, &key).await
    }

    fn plugin_route_auth(&self, canonical_path: &str) -> Option<PluginRouteAuth> {
        plugin_routes::auth(&self.0, canonical_path)
    }

    async fn plugin_route(&self, call: HttpCall) -> Option<HttpReply> {
        plugin_routes::serve(&self.0, call).await
    }

    async fn plugin_upgrade(&self, call: HttpCall) -> PluginUpgrade {
        plugin_upgrade::serve(&self.0, call).await
    }

    fn readiness(&self) -> Readiness {
        let ready = self.0.is_ready();
        let failing = if ready { Vec::new() } else { vec!["journal".to_string()] };
        Readiness { ready, failing, uptime_ms: self.0.started.elapsed().as_millis() as u64, event_loop: None }
    }

    fn control_ui_config(&self) -> Value {
        let runtime = &self.0.host.runtime;
        let ui = runtime.config().gateway().control_ui;
        let sandbox = ui.embed_sandbox.as_deref().filter(|mode| ["strict", "trusted"].contains(mode)).unwrap_or("scripts");
        let mut out = json!({
            "assistantName": "Assistant", "assistantAvatar": "A", "assistantAvatarSource": null, "assistantAvatarStatus": "none",
            "assistantAvatarReason": "missing", "assistantAgentId": runtime.settings().agents.default_id,
            // Media of the host are not served, so there is no place to preview them from.
            "localMediaPreviewRoots": [], "embedSandbox": sandbox, "allowExternalEmbedUrls": ui.allow_external_embed_urls,
        });
        if let Some(width) = ui.chat_message_max_width {
            out["chatMessageMaxWidth"] = width.into();
        }
        out
    }
}

/// `POST /tools/invoke` (GW-116, API-127, HOOK-177).
async fn tools_invoke(gateway: &Arc<Gateway>, call: HttpCall) -> HttpReply {
    let body: Value = match serde_json::from_slice(&call.body) {
        Ok(body) => body,
        Err(error) => return HttpReply::error(StatusCode::BAD_REQUEST, "invalid_request_error", format!("Invalid JSON body: {error}")),
    };
    let text = |key: &str| body.get(key).and_then(Value::as_str).map(str::trim).filter(|t| !t.is_empty());
    let refuse = |status: StatusCode, kind: &str, message: String| {
        HttpReply::json(status, &json!({"ok": false, "error": {"type": kind, "message": message}}))
    };
    let Some(name) = text("tool") else {
        return refuse(StatusCode::BAD_REQUEST, "invalid_request", "tools.invoke requires body.tool".into());
    };
    let mut args = body.get("args").filter(|a| a.is_object()).cloned().unwrap_or_else(|| json!({}));
    if let (Some(action), Some(object)) = (text("action"), args.as_object_mut()) {
        object.entry("action").or_insert_with(|| action.into());
    }
    let key = text("sessionKey").map(str::to_string).unwrap_or_else(|| gateway.main_session_key(None));
    let (session_key, agent_id) = match gateway.route(&key, None) {
        Ok(route) => route,
        Err(error) => return refuse(StatusCode::BAD_REQUEST, "invalid_request", error.message),
    };
    let owner = call.auth.has_scope(Scope::Admin);
    let header = |name: &str| call.header(name).map(str::trim).filter(|value| !value.is_empty()).map(str::to_owned);
    let route = ToolRoute {
        channel: header("x-openclaw-message-channel").map(|channel| channel.to_lowercase()),
        account: header("x-openclaw-account-id"),
        to: header("x-openclaw-message-to"),
        thread: header("x-openclaw-thread-id"),
        confirm: chela_agent::tools::Confirm::Wait,
    };
    let Some((_, outcome)) = crate::methods::call_tool(gateway, name, args, &session_key, &agent_id, owner, &route).await else {
        return refuse(StatusCode::NOT_FOUND, "not_found", format!("Tool not available: {name}"));
    };
    if let Some(refusal) = outcome.refused {
        let error = json!({"type": "tool_call_blocked", "message": refusal.reason, "requiresApproval": refusal.requires_approval});
        return HttpReply::json(StatusCode::FORBIDDEN, &json!({"ok": false, "error": error}));
    }
    if outcome.is_error {
        return refuse(StatusCode::BAD_REQUEST, "tool_error", chela_agent::message::text_of(&outcome.result));
    }
    HttpReply::json(StatusCode::OK, &json!({"ok": true, "result": outcome.result}))
}
