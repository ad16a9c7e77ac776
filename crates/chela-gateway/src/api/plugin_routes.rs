//! HTTP routes of plugins (API-149..161).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use chela_gateway_protocol::Scope;
use chela_plugin::register::{HttpRoute, RouteAuth};
use chela_plugin::{Adapter, Call};
use hyper::header::{HeaderName, HeaderValue};
use hyper::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use crate::gateway::Gateway;
use crate::http::{HttpBody, HttpCall, HttpReply, PluginRouteAuth, Principal};

/// Longest time until a plugin begins to answer.
const BUDGET: Duration = Duration::from_secs(60);

/// How the route that would serve a path is protected.
pub(super) fn auth(gateway: &Gateway, path: &str) -> Option<PluginRouteAuth> {
    let routes = gateway.host.http_routes(path);
    let first = routes.first()?;
    Some(if first.auth == RouteAuth::Gateway { PluginRouteAuth::Gateway } else { PluginRouteAuth::Plugin })
}

/// Asks the matching routes in order; a handler that returns exactly `false` passes the request on (API-155).
pub(super) async fn serve(gateway: &Arc<Gateway>, call: HttpCall) -> Option<HttpReply> {
    for route in gateway.host.http_routes(call.uri.path()) {
        let authenticated = call.auth.principal != Principal::Anonymous;
        if route.auth == RouteAuth::Gateway && !authenticated {
            continue;
        }
        match ask(&route, &call).await {
            Ok(Some(reply)) => return Some(reply),
            Ok(None) => {}
            Err(error) => {
                tracing::error!(target: "plugins", plugin = %route.owner.id, path = %route.path, "plugin http route failed: {error}");
                return Some(HttpReply::text(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error"));
            }
        }
    }
    None
}

async fn ask(route: &HttpRoute, call: &HttpCall) -> Result<Option<HttpReply>, String> {
    let mut request = request_of(route, call);
    request["body"] = json!({"$bytes": STANDARD.encode(&call.body)});
    let result =
        route.handler.call(Call::new(vec![request]).adapter(Adapter::HttpRoute).budget(Some(BUDGET))).await.map_err(|e| e.to_string())?;
    if result.get("handled") == Some(&Value::Bool(false)) {
        return Ok(None);
    }
    Ok(Some(reply(route, &result)))
}

/// What a handler learns of a request, its body left out.
pub(super) fn request_of(route: &HttpRoute, call: &HttpCall) -> Value {
    let headers: Vec<(String, String)> =
        call.headers.iter().map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())).collect();
    let url = call.uri.path_and_query().map_or("/", |p| p.as_str());
    let scopes: Vec<&str> = scopes_of(route, call).iter().map(|scope| scope.as_str()).collect();
    json!({
        "method": call.method.as_str(), "url": url, "headers": headers, "scopes": scopes,
        "remoteAddress": call.client_ip.map_or_else(|| call.remote.ip().to_string(), |ip| ip.to_string()),
    })
}

/// The scopes of a handler: what the caller may do where the route asks for that (API-163), else write, unless a trusted proxy's
/// user declared others (API-161, API-162); none where the handler authenticates (API-159).
fn scopes_of(route: &HttpRoute, call: &HttpCall) -> Vec<Scope> {
    let declared = matches!(call.auth.principal, Principal::ProxyUser(_)) && call.headers.contains_key("x-openclaw-scopes");
    let trusted = route.scope_surface.as_deref() == Some("trusted-operator");
    match route.auth {
        RouteAuth::Plugin => Vec::new(),
        RouteAuth::Gateway if trusted || declared => call.auth.scopes.clone(),
        RouteAuth::Gateway => vec![Scope::Write],
    }
}

fn reply(route: &HttpRoute, result: &Value) -> HttpReply {
    let status = result.get("status").and_then(Value::as_u64).and_then(|s| StatusCode::from_u16(s as u16).ok()).unwrap_or(StatusCode::OK);
    let mut headers = HeaderMap::new();
    for pair in result.get("headers").and_then(Value::as_array).into_iter().flatten() {
        let (Some(name), Some(value)) = (pair[0].as_str(), pair[1].as_str()) else { continue };
        // The transport frames the body itself.
        if matches!(name.to_ascii_lowercase().as_str(), "content-length" | "transfer-encoding" | "connection" | "keep-alive" | "date") {
            continue;
        }
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) {
            headers.append(name, value);
        }
    }
    HttpReply { status, headers, body: body(route, result.get("body").unwrap_or(&Value::Null)) }
}

fn body(route: &HttpRoute, value: &Value) -> HttpBody {
    if let Some(stream) = value.get("$stream").and_then(Value::as_u64) {
        let chunks = route.handler.target.stream(stream);
        return HttpBody::Stream(Box::pin(futures::StreamExt::map(chunks, |item| match item {
            Ok(value) => Ok(bytes_of(&value)),
            Err(error) => Err(io::Error::other(error.to_string())),
        })));
    }
    HttpBody::Full(bytes_of(value))
}

/// The bytes of a value that a plugin sent as part of a body.
pub(super) fn bytes_of(value: &Value) -> Bytes {
    if let Some(encoded) = value.get("$bytes").and_then(Value::as_str) {
        return STANDARD.decode(encoded).unwrap_or_default().into();
    }
    value.as_str().map(|text| Bytes::from(text.to_string())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::AuthOutcome;
    use chela_plugin::register::RouteMatch;
    use chela_plugin::register::entries::Owner;
    use chela_plugin::{CallError, CallTarget, Callback, HandlerOutcome, HookBatch};

    #[derive(Debug)]
    struct Nowhere;

    #[async_trait::async_trait]
    impl CallTarget for Nowhere {
        fn worker_key(&self) -> u64 {
            0
        }

        async fn call(&self, _handle: u64, _call: Call) -> Result<Value, CallError> {
            Err(CallError::Cancelled)
        }

        async fn hooks(&self, _batch: HookBatch) -> Result<Vec<HandlerOutcome>, CallError> {
            Ok(Vec::new())
        }

        fn release(&self, _handles: &[u64]) {}
    }

    fn route(auth: RouteAuth, surface: Option<&str>) -> HttpRoute {
        HttpRoute {
            owner: Arc::new(Owner { id: "p".into(), name: None, source: String::new(), root_dir: None, bundled: false }),
            path: "/p".into(),
            canonical: "/p".into(),
            matching: RouteMatch::Exact,
            auth,
            handler: Callback { plugin_id: "p".into(), target: Arc::new(Nowhere), handle: 1 },
            upgrade: None,
            scope_surface: surface.map(Into::into),
            node_capability: None,
        }
    }

    /// The route's rule and surface, the caller, its header; what the handler gets.
    type Case<'a> = (RouteAuth, Option<&'a str>, Principal, Option<&'a str>, &'a [Scope]);

    // API-159, API-161, API-162, API-163, GW-113
    #[test]
    fn scopes_of_a_route_s_handler() {
        let user = || Principal::ProxyUser("ada".into());
        let cases: &[Case<'_>] = &[
            (RouteAuth::Plugin, None, Principal::Anonymous, Some("operator.admin"), &[]),
            (RouteAuth::Gateway, None, Principal::SharedSecret, None, &[Scope::Write]),
            (RouteAuth::Gateway, None, Principal::SharedSecret, Some("operator.admin"), &[Scope::Write]),
            (RouteAuth::Gateway, None, Principal::Open, Some("operator.admin"), &[Scope::Write]),
            (RouteAuth::Gateway, None, user(), None, &[Scope::Write]),
            (RouteAuth::Gateway, None, user(), Some("operator.read"), &[Scope::Read]),
            (RouteAuth::Gateway, Some("trusted-operator"), Principal::SharedSecret, Some("operator.read"), &Scope::ALL),
            (RouteAuth::Gateway, Some("trusted-operator"), user(), Some("operator.read"), &[Scope::Read]),
        ];
        for (auth, surface, principal, header, expected) in cases {
            let mut headers = HeaderMap::new();
            if let Some(list) = header {
                headers.insert("x-openclaw-scopes", HeaderValue::from_str(list).unwrap());
            }
            // As the transport reads it: a shared secret's header is ignored.
            let is_shared_secret = *principal == Principal::SharedSecret;
            let declared = header.and_then(Scope::parse).filter(|_| !is_shared_secret);
            let scopes = declared.map_or_else(|| Scope::ALL.to_vec(), |scope| vec![scope]);
            let call = HttpCall {
                method: hyper::Method::GET,
                uri: hyper::Uri::from_static("/p"),
                headers,
                body: Bytes::new(),
                remote: ([127, 0, 0, 1], 1).into(),
                client_ip: None,
                is_local: true,
                auth: AuthOutcome { principal: principal.clone(), scopes, is_shared_secret },
                revoked: tokio_util::sync::CancellationToken::new(),
            };
            assert_eq!(scopes_of(&route(*auth, *surface), &call), *expected, "{auth} {surface:?} {principal:?} {header:?}");
        }
    }
}
