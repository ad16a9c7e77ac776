//! Routes that plugins add while they run (API-166): webhooks of an account that has just started.

use serde_json::Value;

use super::{HttpRoute, RouteAuth, RouteMatch, RoutePath, rank};
use crate::call::Callback;
use crate::registry::Registry;

/// Routes that one plugin may add; each is compared with every request.
const MOST: usize = 256;
/// Longest path.
const LONGEST: usize = 2048;

/// A route that was added while its plugin ran. Its function is looked up in the registry of the moment, since a plugin may add
/// routes before its registrations are published.
#[derive(Clone, Debug)]
struct LateRoute {
    id: u64,
    plugin: String,
    path: String,
    canonical: String,
    matching: RouteMatch,
    auth: RouteAuth,
    handle: u64,
    scope_surface: Option<String>,
}

/// The added routes of all plugins.
#[derive(Clone, Debug, Default)]
pub struct LateRoutes {
    routes: Vec<LateRoute>,
    next: u64,
}

/// What came of adding a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Added {
    /// It is there, under this number; the handle of the route that it replaced.
    Yes(u64, Option<u64>),
    /// It is not, for the reason given: other routes go on.
    No(String),
}

impl LateRoutes {
    /// Adds a route of `plugin`, as `{path, match?, auth, handler, gatewayRuntimeScopeSurface?, replaceExisting?}` describes it.
    /// `replaceExisting` is needed for a path that is taken, and helps only the plugin that has it (API-166).
    pub fn add(&mut self, registry: &Registry, plugin: &str, params: &Value) -> Added {
        let mut route = match read(plugin, params) {
            Ok(route) => route,
            Err(reason) => return Added::No(reason),
        };
        if self.routes.iter().filter(|r| r.plugin == plugin).count() >= MOST {
            return Added::No(format!("plugin `{plugin}` has {MOST} added routes; take some of them away"));
        }
        let what = format!("`{}` ({}, {})", route.path, route.matching, route.auth);
        let fixed = registry.routes.all().iter().map(|r| (r.owner.id.as_ref(), r.path.as_str(), r.canonical.as_str(), r.matching, r.auth));
        let added = self.routes.iter().map(|r| (r.plugin.as_str(), r.path.as_str(), r.canonical.as_str(), r.matching, r.auth));
        for (owner, path, canonical, matching, auth) in fixed.chain(added) {
            if auth != route.auth && matching.overlaps(canonical, route.matching, &route.canonical) {
                return Added::No(format!("the route {what} overlaps `{path}` ({matching}, {auth}) of plugin `{owner}`"));
            }
            if path != route.path || matching != route.matching {
                continue;
            }
            if owner != plugin {
                return Added::No(format!("the route {what} belongs to plugin `{owner}`"));
            }
            if params.get("replaceExisting") != Some(&Value::Bool(true)) {
                return Added::No(format!("the route {what} is registered already; `replaceExisting` replaces it"));
            }
        }
        let taken = self.routes.iter().position(|r| r.path == route.path && r.matching == route.matching);
        let replaced = taken.map(|at| self.routes.remove(at).handle);
        self.next += 1;
        route.id = self.next;
        self.routes.push(route);
        Added::Yes(self.next, replaced)
    }

    /// Takes one route away; its handle.
    pub fn remove(&mut self, plugin: &str, id: u64) -> Option<u64> {
        let at = self.routes.iter().position(|r| r.id == id && r.plugin == plugin)?;
        Some(self.routes.remove(at).handle)
    }

    /// Takes everything of a plugin away: its worker has ended.
    pub fn forget(&mut self, plugin: &str) {
        self.routes.retain(|r| r.plugin != plugin);
    }

    /// How many routes a plugin has added.
    pub fn count(&self, plugin: &str) -> usize {
        self.routes.iter().filter(|r| r.plugin == plugin).count()
    }

    /// The routes that match a path, registered and added ones in one order (API-154). An added one hides the registered one of the
    /// same plugin that it replaced.
    pub fn matching(&self, registry: &Registry, path: &str) -> Vec<HttpRoute> {
        let mut found: Vec<HttpRoute> = registry.routes.matching(path).into_iter().cloned().collect();
        if self.routes.is_empty() {
            return found;
        }
        let wanted = RoutePath::new(path);
        for route in self.routes.iter().filter(|r| r.matching.takes(&r.canonical, &wanted)) {
            let Some(plugin) = registry.plugin(&route.plugin) else { continue };
            let Some(target) = plugin.target.clone() else { continue };
            found.retain(|r| r.owner.id != plugin.owner.id || r.path != route.path || r.matching != route.matching);
            found.push(HttpRoute {
                owner: plugin.owner.clone(),
                path: route.path.clone(),
                canonical: route.canonical.clone(),
                matching: route.matching,
                auth: route.auth,
                handler: Callback { plugin_id: plugin.owner.id.clone(), target, handle: route.handle },
                upgrade: None,
                scope_surface: route.scope_surface.clone(),
                node_capability: None,
            });
        }
        found.sort_by_key(rank);
        found
    }
}

fn read(plugin: &str, params: &Value) -> Result<LateRoute, String> {
    let text = |key: &str| params.get(key).and_then(Value::as_str).map(str::trim).filter(|t| !t.is_empty());
    let path = text("path").ok_or("the path of the route is missing")?;
    if path.len() > LONGEST {
        return Err(format!("the path of the route is longer than {LONGEST} bytes"));
    }
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    let auth = match text("auth") {
        Some("gateway") => RouteAuth::Gateway,
        Some("plugin") => RouteAuth::Plugin,
        _ => return Err(format!("the route `{path}` needs `auth`: `gateway` or `plugin`")),
    };
    let handle = params.get("handler").and_then(crate::value::function_handle);
    let handle = handle.ok_or_else(|| format!("the handler of the route `{path}` must be a function"))?;
    Ok(LateRoute {
        id: 0,
        plugin: plugin.into(),
        canonical: RoutePath::new(&path).canonical().to_owned(),
        matching: if matches!(text("match"), None | Some("exact")) { RouteMatch::Exact } else { RouteMatch::Prefix },
        path,
        auth,
        handle,
        scope_surface: text("gatewayRuntimeScopeSurface").map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    // API-166, API-246
    #[test]
    fn a_taken_path_is_replaced_only_by_its_own_plugin_and_only_when_it_says_so() {
        let registry = Registry::default();
        let mut routes = LateRoutes::default();
        let mut add = |plugin: &str, more: Value| {
            let mut params = json!({"path": "/hook", "auth": "plugin", "handler": {"$fn": 7}});
            params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            routes.add(&registry, plugin, &params)
        };
        assert_eq!(add("a", json!({})), Added::Yes(1, None));
        for (plugin, more, said) in [
            ("a", json!({}), "registered already"),
            ("b", json!({"replaceExisting": true}), "belongs to plugin `a`"),
            ("b", json!({"path": "/", "match": "prefix", "auth": "gateway"}), "overlaps `/hook`"),
            ("b", json!({"path": " "}), "path of the route is missing"),
            ("b", json!({"path": "x", "auth": "none"}), "needs `auth`"),
            ("b", json!({"path": "x", "handler": 1}), "must be a function"),
        ] {
            let Added::No(reason) = add(plugin, more.clone()) else { panic!("{more}") };
            assert!(reason.contains(said), "{reason}");
        }
        assert_eq!(add("a", json!({"replaceExisting": true, "handler": {"$fn": 8}})), Added::Yes(2, Some(7)));
        assert_eq!((routes.remove("b", 2), routes.remove("a", 1), routes.remove("a", 2)), (None, None, Some(8)));
        assert_eq!(routes.count("a"), 0);
    }
}
