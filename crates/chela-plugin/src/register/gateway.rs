//! `registerGatewayMethod` and operator scopes (API-058, API-101, API-168..174).

use std::sync::Arc;

use serde_json::Value;

use super::read::{member, trimmed};
use super::registrar::Registrar;
use crate::call::Callback;
use crate::register::entries::Owner;

/// The scope that satisfies every other one (API-173).
pub const ADMIN_SCOPE: &str = "operator.admin";

/// Every operator scope (API-170).
pub const OPERATOR_SCOPES: &[&str] =
    &[ADMIN_SCOPE, "operator.read", "operator.write", "operator.approvals", "operator.pairing", "operator.talk.secrets"];

/// Namespaces whose methods always need [`ADMIN_SCOPE`] (API-171).
const ADMIN_PREFIXES: &[&str] = &["exec.approvals.", "config.", "wizard.", "update."];

/// True for a known operator scope (API-170).
pub fn is_operator_scope(scope: &str) -> bool {
    OPERATOR_SCOPES.contains(&scope)
}

/// True when `held` scopes satisfy `required`: admin satisfies all, write satisfies read (API-173).
pub fn scopes_satisfy(held: &[String], required: &str) -> bool {
    held.iter().any(|scope| scope == required || scope == ADMIN_SCOPE || (required == "operator.read" && scope == "operator.write"))
}

/// A gateway method of a plugin (API-058).
#[derive(Clone, Debug)]
pub struct GatewayMethod {
    /// The plugin.
    pub owner: Arc<Owner>,
    /// Trimmed name.
    pub name: String,
    /// The scope a client needs; a method without one needs admin (API-172).
    pub scope: String,
    /// The handler, called with the `gatewayMethod` adapter.
    pub handler: Callback,
}

impl Registrar<'_> {
    pub(super) fn gateway_method(&mut self, name: &Value, handler: &Value, options: &Value) {
        let name = trimmed(Some(name)).to_string();
        if name.is_empty() {
            return self.warn("gateway method registration missing name");
        }
        if self.inputs.core_method_names.contains(&name) || self.registry.gateway_methods.iter().any(|m| m.name == name) {
            return self.error(format!("gateway method already registered: {name}"));
        }
        let Some(handler) = self.callback(Some(handler)) else {
            return self.error(format!("gateway method handler must be a function: {name}"));
        };
        let requested = member(options, "scope");
        if !requested.is_empty() && !is_operator_scope(requested) {
            self.warn(format!("gateway method scope is unknown, operator.admin is required: {name} ({requested})"));
        }
        let reserved = ADMIN_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
        if reserved && !requested.is_empty() && requested != ADMIN_SCOPE {
            self.warn(format!("gateway method scope coerced to operator.admin for reserved core namespace: {name}"));
        }
        let scope = if reserved || !is_operator_scope(requested) { ADMIN_SCOPE } else { requested };
        self.registry.gateway_methods.push(GatewayMethod { owner: self.owner.clone(), name, scope: scope.into(), handler });
    }
}
