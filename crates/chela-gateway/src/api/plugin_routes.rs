//! HTTP routes of plugins (API-149..161).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
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
    let registry = gateway.host.manager.registry();
    let routes = registry.routes.matching(path);
    let first = routes.first()?;
    Some(if first.auth == RouteAuth::Gateway { PluginRouteAuth::Gateway } else { PluginRouteAuth::Plugin })
}

/// Asks the matching routes in order; a handler that returns exactly `false` passes the request on (API-155).
pub(super) async fn serve(gateway: &Arc<Gateway>, call: HttpCall) -> Option<HttpReply> {
    let registry = gateway.host.manager.registry();
    let routes: Vec<HttpRoute> = registry.routes.matching(call.uri.path()).into_iter().cloned().collect();
    for route in routes {
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
    let headers: Vec<(String, String)> =
        call.headers.iter().map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())).collect();
    let url = call.uri.path_and_query().map_or("/", |p| p.as_str());
    let scopes: Vec<&str> = call.auth.scopes.iter().map(|s| s.as_str()).collect();
    let request = json!({
        "method": call.method.as_str(), "url": url, "headers": headers, "body": {"$bytes": STANDARD.encode(&call.body)},
        "remoteAddress": call.client_ip.map_or_else(|| call.remote.ip().to_string(), |ip| ip.to_string()), "scopes": scopes,
    });
    let result =
        route.handler.call(Call::new(vec![request]).adapter(Adapter::HttpRoute).budget(Some(BUDGET))).await.map_err(|e| e.to_string())?;
    if result.get("handled") == Some(&Value::Bool(false)) {
        return Ok(None);
    }
    Ok(Some(reply(route, &result)))
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

fn bytes_of(value: &Value) -> Bytes {
    if let Some(encoded) = value.get("$bytes").and_then(Value::as_str) {
        return STANDARD.decode(encoded).unwrap_or_default().into();
    }
    value.as_str().map(|text| Bytes::from(text.to_string())).unwrap_or_default()
}
