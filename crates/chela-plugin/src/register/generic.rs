//! Methods whose registrations are validated and carried, with nothing typed that consumes them (API-039..089).

use serde_json::Value;

use super::media::UNIQUE_PROVIDERS;
use super::read::{member, trimmed, unique_texts};
use super::registrar::Registrar;
use crate::lane::RegistrationMode;

/// Node commands of the host (API-062).
const CORE_NODE_COMMANDS: &[&str] =
    &["system.run.prepare", "system.run", "system.which", "system.notify", "system.execApprovals.get", "system.execApprovals.set"];

impl Registrar<'_> {
    pub(super) fn recorded(&mut self, method: &str, args: &[Value]) {
        if let Some((_, label, rows)) = UNIQUE_PROVIDERS.iter().find(|(name, ..)| *name == method) {
            return self.unique_provider(method, label, *rows, args);
        }
        let first = args.first().unwrap_or(&Value::Null);
        match method {
            "registerChannel" => self.channel(first),
            "registerAgentHarness" => self.harness(method, first, args),
            "registerContextEngine" => self.context_engine(method, args),
            "registerCompactionProvider" => self.compaction_provider(method, first, args),
            "registerReload" => self.reload(method, first, args),
            "registerNodeHostCommand" => self.node_host_command(method, first, args),
            "registerNodeInvokePolicy" => self.node_invoke_policy(method, first, args),
            "registerGatewayDiscoveryService" => self.discovery_service(method, first, args),
            "registerInteractiveHandler" => self.interactive_handler(method, first, args),
            "registerDetachedTaskRuntime" => self.detached_task_runtime(method, args),
            "registerHostedMediaResolver" => match self.callback(Some(first)) {
                Some(_) => self.keep(method, "", args),
                None => self.error("hosted media resolver registration missing resolver"),
            },
            "onConversationBindingResolved" | "registerConfigMigration" | "registerAutoEnableProbe" => self.keep(method, "", args),
            _ => {
                self.warn(format!("unknown registration method `{method}` recorded and not used"));
                self.keep(method, "", args);
            }
        }
    }

    /// API-040, API-192, API-193.
    fn channel(&mut self, registration: &Value) {
        let method = "registerChannel";
        let channel = registration.get("plugin").filter(|p| p.is_object()).unwrap_or(registration);
        let id = match channel.get("id") {
            Some(Value::Number(number)) => number.to_string(),
            id => trimmed(id).to_string(),
        };
        if id.is_empty() {
            return self.error("channel registration missing id");
        }
        let helper = |name: &str| self.callback(channel.pointer(&format!("/config/{name}"))).is_some();
        if !helper("listAccountIds") || !helper("resolveAccount") {
            return self.error(format!("channel \"{id}\" registration missing required config helpers"));
        }
        self.check_channel_meta(&id, channel.get("meta").unwrap_or(&Value::Null));
        let mut recorded = self.record(method, &id, std::slice::from_ref(channel));
        recorded.setup_only = matches!(self.facts.mode, RegistrationMode::SetupOnly | RegistrationMode::ToolDiscovery);
        let known = self.registry.recorded.iter().position(|r| r.method == method && r.id == id);
        let Some(index) = known else {
            return self.registry.recorded.push(recorded);
        };
        let other = &self.registry.recorded[index];
        if self.owns(&other.owner) {
            self.registry.recorded[index] = recorded;
            return;
        }
        let what = if other.setup_only { "channel setup" } else { "channel" };
        let message = format!("{what} already registered: {id} ({})", other.owner.id);
        self.error(message);
        self.channel_conflict = true;
    }

    fn check_channel_meta(&mut self, id: &str, meta: &Value) {
        let meta_id = member(meta, "id");
        if !meta_id.is_empty() && meta_id != id {
            self.warn(format!("channel \"{id}\" meta.id mismatch (\"{meta_id}\"); using registered channel id"));
        }
        let mut missing: Vec<&str> = ["label", "selectionLabel", "docsPath"].into_iter().filter(|k| member(meta, k).is_empty()).collect();
        if !meta.get("blurb").is_some_and(Value::is_string) {
            missing.push("blurb");
        }
        if !missing.is_empty() {
            self.warn(format!("channel \"{id}\" registered incomplete metadata; filled missing {}", missing.join(", ")));
        }
    }

    fn harness(&mut self, method: &str, harness: &Value, args: &[Value]) {
        let id = Self::trimmed_id(harness);
        if id.is_empty() {
            return self.error("agent harness registration missing id");
        }
        if self.callback(harness.get("supports")).is_none() || self.callback(harness.get("runAttempt")).is_none() {
            return self.error(format!("agent harness \"{id}\" registration missing required runtime methods"));
        }
        self.keep_unique(method, &id, args, "agent harness");
    }

    fn compaction_provider(&mut self, method: &str, provider: &Value, args: &[Value]) {
        let id = Self::trimmed_id(provider);
        if id.is_empty() {
            return self.error("compaction provider registration missing id");
        }
        if self.callback(provider.get("summarize")).is_none() {
            return self.error(format!("compaction provider \"{id}\" registration missing summarize"));
        }
        self.keep_unique(method, &id, args, "compaction provider");
    }

    /// Keeps it unless the id is taken, even by the same plugin; the message names the owner.
    fn keep_unique(&mut self, method: &str, id: &str, args: &[Value], label: &str) {
        if let Some(known) = self.find_recorded(method, id) {
            let message = format!("{label} already registered: {id} (owner: {})", known.owner.id);
            return self.error(message);
        }
        self.keep(method, id, args);
    }

    /// API-070, API-104.
    fn context_engine(&mut self, method: &str, args: &[Value]) {
        let id = trimmed(args.first()).to_string();
        if id.is_empty() {
            return self.error("context engine registration missing id");
        }
        if self.callback(args.get(1)).is_none() {
            return self.error(format!("context engine \"{id}\" registration missing factory"));
        }
        if id == "legacy" {
            return self.error("context engine id reserved by core: legacy");
        }
        let known = self.registry.recorded.iter().position(|r| r.method == method && r.id == id);
        let Some(index) = known else {
            return self.keep(method, &id, args);
        };
        if self.owns(&self.registry.recorded[index].owner) {
            self.registry.recorded[index] = self.record(method, &id, args);
            return;
        }
        let message = format!("context engine already registered: {id} (plugin:{})", self.registry.recorded[index].owner.id);
        self.error(message);
    }

    fn reload(&mut self, method: &str, reload: &Value, args: &[Value]) {
        if ["restartPrefixes", "hotPrefixes", "noopPrefixes"].iter().all(|key| unique_texts(reload.get(*key)).is_empty()) {
            return self.warn("reload registration missing prefixes");
        }
        self.keep(method, "", args);
    }

    fn node_host_command(&mut self, method: &str, command: &Value, args: &[Value]) {
        let name = member(command, "command").to_string();
        if name.is_empty() {
            return self.error("node host command registration missing command");
        }
        if CORE_NODE_COMMANDS.contains(&name.as_str()) {
            return self.error(format!("node host command reserved by core: {name}"));
        }
        if let Some(known) = self.find_recorded(method, &name) {
            let message = format!("node host command already registered: {name} ({})", known.owner.id);
            return self.error(message);
        }
        self.keep(method, &name, args);
    }

    fn node_invoke_policy(&mut self, method: &str, policy: &Value, args: &[Value]) {
        let commands = unique_texts(policy.get("commands"));
        if commands.is_empty() {
            return self.error("node invoke policy registration missing commands");
        }
        if self.callback(policy.get("handle")).is_none() {
            return self.error(format!("node invoke policy registration missing handler: {}", commands.join(", ")));
        }
        for command in &commands {
            let holds = |r: &&crate::register::entries::Recorded| r.method == method && r.id.split(' ').any(|c| c == command);
            if let Some(known) = self.registry.recorded.iter().find(holds) {
                let message = format!("node invoke policy already registered for {command} ({})", known.owner.id);
                return self.error(message);
            }
        }
        self.keep(method, &commands.join(" "), args);
    }

    fn discovery_service(&mut self, method: &str, service: &Value, args: &[Value]) {
        let id = Self::trimmed_id(service);
        if id.is_empty() {
            return self.warn("gateway discovery service registration missing id");
        }
        match self.find_recorded(method, &id) {
            Some(known) if self.owns(&known.owner) => {}
            Some(known) => {
                let message = format!("gateway discovery service already registered: {id} ({})", known.owner.id);
                self.error(message);
            }
            None => self.keep(method, &id, args),
        }
    }

    /// API-067.
    fn interactive_handler(&mut self, method: &str, registration: &Value, args: &[Value]) {
        let namespace = member(registration, "namespace");
        if namespace.is_empty() {
            return self.warn("Interactive handler namespace cannot be empty");
        }
        if !namespace.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')) {
            return self.warn("Interactive handler namespace must contain only letters, numbers, dots, underscores, and hyphens");
        }
        let id = format!("{}:{namespace}", member(registration, "channel").to_lowercase());
        if let Some(known) = self.find_recorded(method, &id) {
            let message = format!("Interactive handler namespace \"{namespace}\" already registered by plugin \"{}\"", known.owner.id);
            return self.warn(message);
        }
        self.keep(method, &id, args);
    }

    /// API-082.
    fn detached_task_runtime(&mut self, method: &str, args: &[Value]) {
        let known = self.registry.recorded.iter().position(|r| r.method == method);
        let Some(index) = known else {
            return self.keep(method, "", args);
        };
        if self.owns(&self.registry.recorded[index].owner) {
            self.registry.recorded[index] = self.record(method, "", args);
            return;
        }
        let message = format!("detached task runtime already registered by {}", self.registry.recorded[index].owner.id);
        self.error(message);
    }
}
