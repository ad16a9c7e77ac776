//! Methods that only trusted plugins may call, and security audit collectors (API-064, API-072..074, API-105): bundled ones, and since
//! 2026.6.11 installed ones that declare it and that the operator chose by name.

use serde_json::Value;

use super::read::{has_items, member, trimmed};
use super::registrar::Registrar;
use crate::register::entries::{AuditCollector, ToolResultMiddleware, TrustedPolicy};

impl Registrar<'_> {
    fn bundled_only(&mut self, thing: &str) -> bool {
        if !self.owner.bundled {
            self.error(format!("only bundled plugins can register {thing}"));
        }
        self.owner.bundled
    }

    /// What an installed plugin declares of such methods. Nothing when strict: 2026.5.12 refuses it all the same.
    fn declared(&self, contract: &str) -> Vec<String> {
        if self.inputs.strict && !self.owner.bundled { Vec::new() } else { self.facts.contract(contract) }
    }

    /// True for plugins whose decisions the operator wants before all others.
    fn trusted(&self) -> bool {
        self.owner.bundled || self.facts.chosen
    }

    pub(super) fn trusted_policy(&mut self, policy: &Value) {
        let declared = self.declared("trustedToolPolicies");
        if declared.is_empty() && !self.bundled_only("trusted tool policies") {
            return;
        }
        let (id, description) = (Self::trimmed_id(policy), member(policy, "description").to_string());
        let evaluate = self.callback(policy.get("evaluate"));
        let (Some(evaluate), false, false) = (evaluate, id.is_empty(), description.is_empty()) else {
            return self.error("trusted tool policy registration requires id, description, and evaluate()");
        };
        if !self.owner.bundled && !declared.contains(&id) {
            return self.error(format!("plugin must declare contracts.trustedToolPolicies for: {id}"));
        }
        if !self.trusted() {
            return self.error(format!("plugin must be explicitly enabled to register trusted tool policy: {id}"));
        }
        let same = |p: &&TrustedPolicy| p.id == id && (p.owner.bundled == self.owner.bundled || self.owns(&p.owner));
        if let Some(known) = self.registry.trusted_policies.iter().find(same) {
            let message = format!("trusted tool policy already registered: {id} ({})", known.owner.id);
            return self.error(message);
        }
        // Bundled policies are asked before installed ones.
        let policies = &mut self.registry.trusted_policies;
        let first_installed = policies.iter().position(|p| !p.owner.bundled).filter(|_| self.owner.bundled);
        let at = first_installed.unwrap_or(policies.len());
        policies.insert(at, TrustedPolicy { owner: self.owner.clone(), id, description, evaluate });
    }

    pub(super) fn middleware(&mut self, handler: &Value, options: &Value) {
        if self.declared("agentToolResultMiddleware").is_empty() && !self.bundled_only("agent tool result middleware") {
            return;
        }
        let Some(handler) = self.callback(Some(handler)) else {
            return self.error("agent tool result middleware must be a function");
        };
        let requested = options.get("runtimes").or_else(|| options.get("harnesses"));
        let runtimes = if has_items(requested) { runtimes(requested) } else { vec!["pi".into(), "codex".into()] };
        if runtimes.is_empty() {
            return self.error("agent tool result middleware must target at least one supported runtime");
        }
        let declared = runtimes_of(&self.facts.contract("agentToolResultMiddleware"));
        let missing: Vec<&str> = runtimes.iter().filter(|r| !declared.contains(r)).map(String::as_str).collect();
        if !missing.is_empty() {
            return self.error(format!("plugin must declare contracts.agentToolResultMiddleware for: {}", missing.join(", ")));
        }
        if !self.trusted() {
            return self.error("plugin must be explicitly enabled to register agent tool result middleware");
        }
        let owner = self.owner.clone();
        let same = |m: &&mut ToolResultMiddleware| m.owner == owner && m.handler.handle == handler.handle;
        match self.registry.middleware.iter_mut().find(same) {
            Some(known) => {
                let new: Vec<String> = runtimes.into_iter().filter(|r| !known.runtimes.contains(r)).collect();
                known.runtimes.extend(new);
            }
            None => self.registry.middleware.push(ToolResultMiddleware { owner, runtimes, handler }),
        }
    }

    pub(super) fn codex_factory(&mut self, factory: &Value) {
        if !self.bundled_only("Codex app-server extension factories") {
            return;
        }
        if !self.facts.contract("embeddedExtensionFactories").iter().any(|f| f == "codex-app-server") {
            return self.error(
                "plugin must declare contracts.embeddedExtensionFactories: [\"codex-app-server\"] to register Codex app-server extension factories",
            );
        }
        let Some(callback) = self.callback(Some(factory)) else {
            return self.error("codex app-server extension factory must be a function");
        };
        let method = "registerCodexAppServerExtensionFactory";
        let known = |r: &crate::register::entries::Recorded| {
            r.method == method && self.owns(&r.owner) && r.callbacks.iter().any(|c| c.handle == callback.handle)
        };
        if !self.registry.recorded.iter().any(known) {
            self.keep(method, "", std::slice::from_ref(factory));
        }
    }

    pub(super) fn audit_collector(&mut self, collector: &Value) {
        let Some(collector) = self.callback(Some(collector)) else {
            return self.error("security audit collector must be a function");
        };
        self.registry.audit_collectors.push(AuditCollector { owner: self.owner.clone(), collector });
    }
}

fn runtimes(listed: Option<&Value>) -> Vec<String> {
    let names: Vec<String> = listed.and_then(Value::as_array).into_iter().flatten().map(|v| trimmed(Some(v)).to_string()).collect();
    runtimes_of(&names)
}

/// The supported runtimes in a list; `codex-app-server` is an alias (API-129).
fn runtimes_of(names: &[String]) -> Vec<String> {
    let mut known: Vec<String> = Vec::new();
    for name in names {
        let runtime = match name.trim().to_lowercase().as_str() {
            // The name of newer releases for the runtime of the host.
            "pi" | "openclaw" => "pi",
            "codex" | "codex-app-server" => "codex",
            _ => continue,
        };
        if !known.iter().any(|k| k == runtime) {
            known.push(runtime.into());
        }
    }
    known
}
