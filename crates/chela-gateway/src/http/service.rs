//! The stages of an HTTP request, in the reference's order (GW-100).
#![allow(clippy::result_large_err)] // a refusal ends its request; nobody carries it further

use super::api::{AuthOutcome, HttpCall, PluginRouteAuth};
use super::auth::check;
use super::body::read_body;
use super::paths::{PathReadings, percent_decode};
use super::reply::{HttpReply, WireBody, method_not_allowed, not_built, not_found};
use super::{upgrade, web};
use crate::auth::Peer;
use crate::server::Gateway;
use futures::FutureExt;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CACHE_CONTROL, HeaderName, HeaderValue, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS};
use hyper::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use serde_json::json;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

/// Serves one request; never fails.
pub(crate) async fn handle(gateway: Arc<Gateway>, request: Request<Incoming>, remote: SocketAddr) -> Response<WireBody> {
    let config = &gateway.config;
    let peer = Peer::new(remote, request.headers(), &config.trusted_proxies, config.allow_real_ip_fallback);
    let (method, begun) = (request.method().clone(), std::time::Instant::now());
    let head = method == Method::HEAD;
    let wants_upgrade = upgrade::wanted(request.headers());
    let mut response = if wants_upgrade {
        upgrade::serve(&gateway, request, peer).await
    } else {
        let call = Stage { gateway: &gateway, peer: &peer };
        // A panic in an endpoint ends that request alone.
        match AssertUnwindSafe(call.run(request)).catch_unwind().await {
            Ok(reply) => reply.into_response(),
            Err(_) => {
                tracing::error!("HTTP handler panicked");
                HttpReply::text(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error").into_response()
            }
        }
    };
    if head {
        *response.body_mut() = HttpReply::text(StatusCode::OK, "").into_response().into_body();
    }
    gateway.http.served(known_method(&method), response.status().as_u16(), begun.elapsed());
    common_headers(response.headers_mut(), config.http.strict_transport_security.as_deref());
    response
}

/// A method by name; what nobody knows is not repeated.
fn known_method(method: &Method) -> &str {
    let known = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];
    if known.contains(method) { method.as_str() } else { "other" }
}

// GW-101. What a handler set itself stays.
fn common_headers(headers: &mut HeaderMap, hsts: Option<&str>) {
    let mut add = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    add(X_CONTENT_TYPE_OPTIONS, "nosniff");
    add(REFERRER_POLICY, "no-referrer");
    add(HeaderName::from_static("permissions-policy"), "camera=(), microphone=(self), geolocation=()");
    if let Some(value) = hsts.and_then(|text| HeaderValue::from_str(text).ok()) {
        headers.entry(STRICT_TRANSPORT_SECURITY).or_insert(value);
    }
}

struct Stage<'a> {
    gateway: &'a Arc<Gateway>,
    peer: &'a Peer,
}

/// What the later stages need of a request.
struct Head {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
}

impl Head {
    fn of(request: &Request<Incoming>) -> Self {
        Self { method: request.method().clone(), uri: request.uri().clone(), headers: request.headers().clone() }
    }
}

type Checked = Result<HttpCall, HttpReply>;

impl Stage<'_> {
    async fn run(&self, request: Request<Incoming>) -> HttpReply {
        let path = request.uri().path().to_owned();
        let limits = &self.gateway.config.limits;
        let http = &self.gateway.http;
        match path.as_str() {
            "/health" | "/healthz" | "/ready" | "/readyz" => self.probe(&path, &request),
            "/v1/models" => self.models(request, None).await,
            "/v1/embeddings" if self.compat() => match self.call(request, "POST", limits.chat_body_bytes).await {
                Ok(call) => http.embeddings(call).await,
                Err(reply) => reply,
            },
            "/tools/invoke" => match self.call(request, "POST", limits.tools_body_bytes).await {
                Ok(call) => http.tools_invoke(call).await,
                Err(reply) => reply,
            },
            "/v1/responses" if self.gateway.config.http.responses => match self.call(request, "POST", limits.chat_body_bytes).await {
                Ok(call) => http.responses(call).await,
                Err(reply) => reply,
            },
            "/v1/chat/completions" if self.gateway.config.http.chat_completions => {
                match self.call(request, "POST", limits.chat_body_bytes).await {
                    Ok(call) => http.chat_completions(call).await,
                    Err(reply) => reply,
                }
            }
            _ => self.run_patterns(request, &path).await,
        }
    }

    async fn run_patterns(&self, request: Request<Incoming>, path: &str) -> HttpReply {
        if let Some(id) = path.strip_prefix("/v1/models/") {
            return match percent_decode(id) {
                Some(id) if !id.is_empty() => self.models(request, Some(id)).await,
                _ => HttpReply::error(StatusCode::BAD_REQUEST, "invalid_request_error", "Invalid model id."),
            };
        }
        if let Some((key, action)) = session_path(path) {
            return self.session(request, key, action).await;
        }
        if path.starts_with("/v1/") {
            return self.switched_off(path);
        }
        let readings = PathReadings::new(path);
        if let Some(route) = self.gateway.http.plugin_route_auth(readings.canonical()) {
            return self.plugin(request, route, &readings).await;
        }
        if readings.is_protected() {
            // What may be a disguised protected path tells nothing to strangers, not even that it is missing.
            return check(self.gateway, self.peer, request.headers()).map_or_else(|refused| refused, |_| not_found());
        }
        self.rest(&Head::of(&request))
    }

    // The stages after the routes of plugins.
    fn rest(&self, head: &Head) -> HttpReply {
        self.unbuilt(head).unwrap_or_else(|| self.page(head))
    }

    fn compat(&self) -> bool {
        let http = &self.gateway.config.http;
        http.chat_completions || http.responses
    }

    // GW-102, GW-103
    fn probe(&self, path: &str, request: &Request<Incoming>) -> HttpReply {
        if request.method() != Method::GET && request.method() != Method::HEAD {
            return method_not_allowed("GET, HEAD");
        }
        let reply = if path.starts_with("/health") {
            HttpReply::json(StatusCode::OK, &json!({ "ok": true, "status": "live" }))
        } else {
            let mut readiness = self.gateway.http.readiness();
            if self.gateway.is_startup_pending() {
                readiness.ready = false;
                readiness.failing.push("startup".to_owned());
            }
            if self.gateway.closing.is_cancelled() {
                readiness.ready = false;
                readiness.failing.push("stopping".to_owned());
            }
            let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
            let trusted = self.peer.is_local || check(self.gateway, self.peer, request.headers()).is_ok();
            if trusted { HttpReply::json(status, &readiness) } else { HttpReply::json(status, &json!({ "ready": readiness.ready })) }
        };
        reply.with_header(CACHE_CONTROL, "no-store")
    }

    async fn models(&self, request: Request<Incoming>, id: Option<String>) -> HttpReply {
        if !self.compat() {
            return self.switched_off("/v1/models");
        }
        match self.call(request, "GET", 0).await {
            Ok(call) => self.gateway.http.models(call, id).await,
            Err(reply) => reply,
        }
    }

    async fn session(&self, request: Request<Incoming>, key: String, action: SessionAction) -> HttpReply {
        let http = &self.gateway.http;
        match action {
            SessionAction::History => match self.call(request, "GET", 0).await {
                Ok(call) => http.session_history(call, key).await,
                Err(reply) => reply,
            },
            SessionAction::Kill => match self.call(request, "POST", self.gateway.config.limits.tools_body_bytes).await {
                Ok(call) => http.session_kill(call, key).await,
                Err(reply) => reply,
            },
        }
    }

    async fn plugin(&self, request: Request<Incoming>, route: PluginRouteAuth, readings: &PathReadings) -> HttpReply {
        let auth = if route == PluginRouteAuth::Gateway || readings.is_protected() {
            match check(self.gateway, self.peer, request.headers()) {
                Ok(auth) => auth,
                Err(reply) => return reply,
            }
        } else {
            AuthOutcome::anonymous()
        };
        let limit = self.gateway.config.limits.plugin_body_bytes;
        let head = Head::of(&request);
        match self.read(request, auth, limit).await {
            Ok(call) => match self.gateway.http.plugin_route(call).await {
                Some(reply) => reply,
                // API-156
                None => self.rest(&head),
            },
            Err(reply) => reply,
        }
    }

    fn switched_off(&self, path: &str) -> HttpReply {
        let setting = match path {
            "/v1/responses" => "gateway.http.endpoints.responses.enabled",
            _ => "gateway.http.endpoints.chatCompletions.enabled",
        };
        let known = ["/v1/responses", "/v1/chat/completions", "/v1/models", "/v1/embeddings"].contains(&path);
        let message =
            if known { format!("endpoint `{path}` is switched off; set `{setting}` to `true`") } else { format!("no endpoint `{path}`") };
        HttpReply::error(StatusCode::NOT_FOUND, "not_found", message)
    }

    // Endpoints of the reference that this build does not serve; behind authentication, as there.
    fn unbuilt(&self, head: &Head) -> Option<HttpReply> {
        let known = [
            "/__openclaw__/canvas",
            "/__openclaw__/a2ui",
            "/__openclaw__/cap",
            "/__openclaw__/assistant-media",
            "/avatar",
            "/api/chat/media",
        ];
        let endpoint = known
            .into_iter()
            .find(|prefix| head.uri.path().strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))?;
        Some(match check(self.gateway, self.peer, &head.headers) {
            Ok(_) => not_built(endpoint),
            Err(refused) => refused,
        })
    }

    fn page(&self, head: &Head) -> HttpReply {
        let path = head.uri.path();
        let config = &self.gateway.config.control_ui;
        if !config.enabled {
            return not_found();
        }
        let base = config.base_path.trim_end_matches('/');
        if path.strip_prefix(base) == Some("/__openclaw/control-ui-config.json") {
            return self.page_config(head, base);
        }
        web::serve(config, &head.method, path, &head.headers).unwrap_or_else(not_found)
    }

    // GW-121
    fn page_config(&self, head: &Head, base: &str) -> HttpReply {
        if head.method != Method::GET && head.method != Method::HEAD {
            return method_not_allowed("GET, HEAD");
        }
        if let Err(refused) = check(self.gateway, self.peer, &head.headers) {
            return refused;
        }
        let mut fields = self.gateway.http.control_ui_config();
        if let Some(map) = fields.as_object_mut() {
            map.insert("basePath".to_owned(), json!(base));
            map.insert("serverVersion".to_owned(), json!(self.gateway.config.version));
        }
        HttpReply::json(StatusCode::OK, &fields).with_header(CACHE_CONTROL, "no-store")
    }

    // The method is checked before authentication (GW-105), and that before the body.
    async fn call(&self, request: Request<Incoming>, allow: &'static str, limit: usize) -> Checked {
        if request.method().as_str() != allow {
            return Err(method_not_allowed(allow));
        }
        let auth = check(self.gateway, self.peer, request.headers())?;
        self.read(request, auth, limit).await
    }

    async fn read(&self, request: Request<Incoming>, auth: AuthOutcome, limit: usize) -> Checked {
        let (parts, body) = request.into_parts();
        let revoked = self.gateway.auth.load().revoked.clone();
        let timeout = self.gateway.config.limits.body_timeout;
        // `GET` bodies mean nothing; hyper reads them away.
        let body = if limit == 0 { Bytes::new() } else { read_body(&parts.headers, body, limit, timeout).await? };
        Ok(HttpCall {
            method: parts.method,
            uri: parts.uri,
            headers: parts.headers,
            body,
            remote: self.peer.remote,
            client_ip: self.peer.client_ip,
            is_local: self.peer.is_local,
            auth,
            revoked,
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SessionAction {
    History,
    Kill,
}

fn session_path(path: &str) -> Option<(String, SessionAction)> {
    let (key, action) = path.strip_prefix("/sessions/")?.rsplit_once('/')?;
    let action = match action {
        "history" => SessionAction::History,
        "kill" => SessionAction::Kill,
        _ => return None,
    };
    let key = percent_decode(key).filter(|key| !key.is_empty())?;
    Some((key, action))
}
