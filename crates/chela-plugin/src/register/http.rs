//! `registerHttpRoute`: canonical paths, overlaps and lookup (API-038, API-100, API-149..165).

mod late;

use std::fmt;
use std::sync::Arc;

pub use late::{Added, LateRoutes};
use serde::Serialize;
use serde_json::Value;

use super::read::{member, trimmed};
use super::registrar::{Registrar, Thrown};
use crate::call::Callback;
use crate::register::entries::Owner;

/// Paths below it always need gateway authentication (API-160).
const PROTECTED_PREFIX: &str = "/api/channels";
/// Encodings nested deeper than this are refused a plugin's own authentication (API-160).
const MAX_DECODE_PASSES: usize = 32;

/// Who authenticates the requests of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RouteAuth {
    /// The gateway, before the handler runs (API-158).
    Gateway,
    /// The handler itself (API-159).
    Plugin,
}

/// How a route's path is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RouteMatch {
    /// The whole path.
    Exact,
    /// The path and everything below it.
    Prefix,
    /// Every path; only for `registerHttpHandler`, after all other routes.
    CatchAll,
}

impl fmt::Display for RouteAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::Gateway { "gateway" } else { "plugin" })
    }
}

impl fmt::Display for RouteMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Exact => "exact",
            Self::Prefix => "prefix",
            Self::CatchAll => "catch-all",
        })
    }
}

/// An HTTP route of a plugin (API-038).
#[derive(Clone, Debug)]
pub struct HttpRoute {
    /// The plugin.
    pub owner: Arc<Owner>,
    /// The path as given, with a leading slash (API-149).
    pub path: String,
    /// The path in canonical form, for comparison (API-151).
    pub canonical: String,
    /// How the path is compared (API-150).
    pub matching: RouteMatch,
    /// Who authenticates.
    pub auth: RouteAuth,
    /// The handler, called with the `httpRoute` adapter. Exactly `false` passes the request on (API-155).
    pub handler: Callback,
    /// `handleUpgrade(req, socket, head)` (API-164).
    pub upgrade: Option<Callback>,
    /// `trusted-operator` or nothing (API-163).
    pub scope_surface: Option<String>,
    /// `nodeCapability` as given.
    pub node_capability: Option<Value>,
}

impl RouteMatch {
    /// Whether a route of this kind at `canonical` serves a path.
    fn takes(self, canonical: &str, path: &RoutePath) -> bool {
        match self {
            Self::Exact => path.candidates.iter().any(|c| c == canonical),
            Self::Prefix => path.candidates.iter().any(|c| is_below(c, canonical)),
            Self::CatchAll => true,
        }
    }

    /// Whether two routes could serve the same path (API-151).
    fn overlaps(self, canonical: &str, other: Self, other_canonical: &str) -> bool {
        match (self, other) {
            (Self::CatchAll, _) | (_, Self::CatchAll) => false,
            (Self::Exact, Self::Exact) => canonical == other_canonical,
            (Self::Prefix, Self::Prefix) => is_below(canonical, other_canonical) || is_below(other_canonical, canonical),
            (Self::Exact, Self::Prefix) => is_below(canonical, other_canonical),
            (Self::Prefix, Self::Exact) => is_below(other_canonical, canonical),
        }
    }
}

impl HttpRoute {
    fn matches(&self, path: &RoutePath) -> bool {
        self.matching.takes(&self.canonical, path)
    }

    fn overlaps(&self, other: &Self) -> bool {
        self.matching.overlaps(&self.canonical, other.matching, &other.canonical)
    }

    fn owner_text(&self) -> String {
        format!("{} ({})", self.owner.id, self.owner.source)
    }
}

fn is_below(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '%']) || prefix == "/")
}

/// A request path in all the forms that could mean the same file or route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoutePath {
    /// The path as it came and after each round of decoding: lower case, dot segments resolved, single slashes.
    pub candidates: Vec<String>,
    /// Broken percent encoding.
    pub malformed: bool,
    /// Encoded more often than anyone does honestly.
    pub too_deep: bool,
}

impl RoutePath {
    /// Reads the path of a request; query and fragment are cut off.
    pub fn new(path: &str) -> Self {
        let path = path.split(['?', '#']).next().unwrap_or_default();
        let mut result = Self { candidates: vec![normalised(path)], malformed: false, too_deep: false };
        let mut current = path.to_string();
        for pass in 0..=MAX_DECODE_PASSES {
            let Some(decoded) = percent_decoded(&current) else {
                result.malformed = true;
                break;
            };
            if decoded == current {
                break;
            }
            if pass == MAX_DECODE_PASSES {
                result.too_deep = true;
                break;
            }
            current = decoded;
            let candidate = normalised(&current);
            if !result.candidates.contains(&candidate) {
                result.candidates.push(candidate);
            }
        }
        result
    }

    /// The most decoded form.
    pub fn canonical(&self) -> &str {
        self.candidates.last().map_or("/", String::as_str)
    }

    /// True when the gateway must authenticate the request whatever its route says (API-160).
    pub fn needs_gateway_auth(&self) -> bool {
        self.malformed || self.too_deep || self.candidates.iter().any(|c| is_below(c, PROTECTED_PREFIX))
    }
}

/// `None` for broken encoding or bytes that are not UTF-8.
fn percent_decoded(text: &str) -> Option<String> {
    if !text.contains('%') {
        return Some(text.into());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        if *first != b'%' {
            bytes.push(*first);
            rest = tail;
            continue;
        }
        let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
        if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = &tail[2..];
    }
    String::from_utf8(bytes).ok()
}

fn normalised(path: &str) -> String {
    let path = path.split(['?', '#']).next().unwrap_or_default().replace('\\', "/").to_lowercase();
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/').filter(|s| !s.is_empty()) {
        match segment.replace("%2e", ".").as_str() {
            "." => {}
            ".." => {
                segments.pop();
            }
            _ => segments.push(segment),
        }
    }
    format!("/{}", segments.join("/"))
}

/// The order in which routes are tried (API-154).
fn rank(route: &HttpRoute) -> (u8, std::cmp::Reverse<usize>) {
    let kind = match route.matching {
        RouteMatch::Exact => 0,
        RouteMatch::Prefix => 1,
        RouteMatch::CatchAll => 2,
    };
    (kind, std::cmp::Reverse(route.path.len()))
}

/// The routes of all plugins.
#[derive(Clone, Debug, Default)]
pub struct HttpRoutes {
    routes: Vec<HttpRoute>,
}

impl HttpRoutes {
    /// The routes that match, in the order in which they are tried: exact ones, then prefixes, longest path first, then handlers of
    /// every path (API-154). Only for upgrades: skip routes without [`HttpRoute::upgrade`] (API-165).
    pub fn matching(&self, path: &str) -> Vec<&HttpRoute> {
        if self.routes.is_empty() {
            return Vec::new();
        }
        let path = RoutePath::new(path);
        let mut found: Vec<&HttpRoute> = self.routes.iter().filter(|r| r.matches(&path)).collect();
        found.sort_by_key(|r| rank(r));
        found
    }

    /// All routes in registration order.
    pub fn all(&self) -> &[HttpRoute] {
        &self.routes
    }

    pub(crate) fn remove(&mut self, plugin_id: &str) {
        self.routes.retain(|r| r.owner.id.as_ref() != plugin_id);
    }
}

impl Registrar<'_> {
    pub(super) fn http_route(&mut self, params: &Value) {
        let path = match trimmed(params.get("path")) {
            "" => return self.warn("http route registration missing path"),
            path if path.starts_with('/') => path.to_string(),
            path => format!("/{path}"),
        };
        let auth = match params.get("auth").and_then(Value::as_str) {
            Some("gateway") => RouteAuth::Gateway,
            Some("plugin") => RouteAuth::Plugin,
            None if !self.inputs.strict && params.get("auth").is_none_or(Value::is_null) => {
                // Older releases had routes without it. The gateway's own credentials are the safe reading.
                self.notice("http-route-auth", format!("its route `{path}` says no `auth`; it asks for the gateway's credentials"));
                RouteAuth::Gateway
            }
            _ => {
                return self.error(format!("http route registration missing or invalid auth: {path}"));
            }
        };
        let Some(handler) = self.callback(params.get("handler")) else {
            return self.error(format!("http route handler must be a function: {path}"));
        };
        let matching = match params.get("match").and_then(Value::as_str) {
            None | Some("exact") => RouteMatch::Exact,
            Some(_) => RouteMatch::Prefix,
        };
        let route = HttpRoute {
            owner: self.owner.clone(),
            canonical: RoutePath::new(&path).canonical().to_string(),
            path,
            matching,
            auth,
            handler,
            upgrade: self.callback(params.get("handleUpgrade")),
            scope_surface: Some(member(params, "gatewayRuntimeScopeSurface").to_string()).filter(|s| !s.is_empty()),
            node_capability: params.get("nodeCapability").cloned(),
        };
        self.place_route(route, params.get("replaceExisting") == Some(&Value::Bool(true)));
    }

    /// API-152, API-153: the same plugin may replace its route, no other may.
    fn place_route(&mut self, route: HttpRoute, replace: bool) {
        let routes = &self.registry.routes.routes;
        let (path, matching, auth) = (&route.path, route.matching, route.auth);
        if let Some(other) = routes.iter().find(|r| r.overlaps(&route) && r.auth != auth) {
            let message = format!(
                "http route overlap rejected: {path} ({matching}, {auth}) overlaps {} ({}, {}) owned by {}",
                other.path,
                other.matching,
                other.auth,
                other.owner_text()
            );
            return self.error(message);
        }
        let Some(index) = routes.iter().position(|r| r.path == *path && r.matching == matching) else {
            return self.registry.routes.routes.push(route);
        };
        let known = &routes[index];
        if self.owns(&known.owner) {
            self.registry.routes.routes[index] = route;
            return;
        }
        let message = if replace {
            format!("http route replacement rejected: {path} ({matching}) owned by {}", known.owner_text())
        } else {
            format!("http route already registered: {path} ({matching}) by {}", known.owner_text())
        };
        self.error(message);
    }

    /// API-167: gone from the reference, which fails the plugin; kept here for plugins of older references unless strict.
    pub(super) fn http_handler(&mut self, handler: &Value) -> Result<(), Thrown> {
        if self.inputs.strict {
            return Err("api.registerHttpHandler is not a function".into());
        }
        let found = self.callback(Some(handler)).or_else(|| self.callback(handler.get("handler")));
        let Some(handler) = found else {
            self.error("http handler must be a function");
            return Ok(());
        };
        self.notice("http-handler", "uses registerHttpHandler, which is gone; use registerHttpRoute with a path and auth");
        self.registry.routes.routes.push(HttpRoute {
            owner: self.owner.clone(),
            path: "/".into(),
            canonical: "/".into(),
            matching: RouteMatch::CatchAll,
            auth: RouteAuth::Plugin,
            handler,
            upgrade: None,
            scope_surface: None,
            node_capability: None,
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // API-151, API-160
    #[test]
    fn paths_in_canonical_form() {
        let cases = [
            ("/Hooks//A/", "/hooks/a"),
            ("/a/./b/../c", "/a/c"),
            ("/../../etc", "/etc"),
            ("/a%2Fb", "/a/b"),
            ("/a/%252e%252e/b", "/b"),
            ("/a%3Fq=1", "/a"),
            ("/x?y=%", "/x"),
            ("", "/"),
        ];
        for (given, expected) in cases {
            let path = RoutePath::new(given);
            assert_eq!(path.canonical(), expected, "{given}");
            assert!(!path.malformed && !path.too_deep);
        }
        assert!(RoutePath::new("/a%zz").malformed);
        assert!(RoutePath::new("/a%").malformed);
        assert!(RoutePath::new("/%ff").malformed);
        let deep = (0..40).fold("/a b".to_string(), |p, i| if i == 0 { p.replace(' ', "%20") } else { p.replace('%', "%25") });
        assert!(RoutePath::new(&deep).too_deep);
    }

    // API-160
    #[test]
    fn channel_paths_and_broken_encodings_need_the_gateway() {
        for (path, expected) in [
            ("/api/channels", true),
            ("/API/Channels/x", true),
            ("/api%2fchannels/x", true),
            ("/x/../api/channels", true),
            ("/api/channelsx", false),
            ("/plugin/x", false),
            ("/plugin/%", true),
        ] {
            assert_eq!(RoutePath::new(path).needs_gateway_auth(), expected, "{path}");
        }
    }
}
