//! Methods that only bundled plugins may call, and security audit collectors (API-064, API-072..074, API-105).

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

    pub(super) fn trusted_policy(&mut self, policy: &Value) {
        if !self.bundled_only("trusted tool policies") {
            return;
        }
        let (id, description) = (Self::trimmed_id(policy), member(policy, "description").to_string());
        let evaluate = self.callback(policy.get("evaluate"));
        let (Some(evaluate), false, false) = (evaluate, id.is_empty(), description.is_empty()) else {
            return self.error("trusted tool policy registration requires id, description, and evaluate()");
        };
        if let Some(known) = self.registry.trusted_policies.iter().find(|p| p.id == id) {
            let message = format!("trusted tool policy already registered: {id} ({})", known.owner.id);
            return self.error(message);
        }
        self.registry.trusted_policies.push(TrustedPolicy { owner: self.owner.clone(), id, description, evaluate });
    }

    pub(super) fn middleware(&mut self, handler: &Value, options: &Value) {
        if !self.bundled_only("agent tool result middleware") {
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
            "pi" => "pi",
            "codex" | "codex-app-server" => "codex",
            _ => continue,
        };
        if !known.iter().any(|k| k == runtime) {
            known.push(runtime.into());
        }
    }
    known
}
