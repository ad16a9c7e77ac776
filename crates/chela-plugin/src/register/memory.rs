//! The memory slot's methods (API-083..089, API-236, MAN-104).

use serde_json::Value;

use super::registrar::{Registrar, Thrown};
use crate::object::PluginObject;
use crate::register::entries::{MemoryCapability, MemoryPromptSupplement};

impl Registrar<'_> {
    fn is_memory(&self) -> bool {
        self.kinds.iter().any(|k| k == "memory")
    }

    /// API-236: a plugin of several kinds whose memory part is not selected.
    fn skipped(&mut self, what: &str) -> bool {
        let selected = self.inputs.memory_slot.as_deref() == Some(self.owner.id.as_ref());
        let skipped = self.kinds.len() > 1 && !selected;
        if skipped {
            self.warn(format!("dual-kind plugin not selected for memory slot; skipping memory {what} registration"));
        }
        skipped
    }

    pub(super) fn memory(&mut self, method: &str, value: &Value) -> Result<(), Thrown> {
        let what = match method {
            "registerMemoryPromptSection" => "prompt section",
            "registerMemoryFlushPlan" => "flush plan",
            "registerMemoryRuntime" => "runtime",
            _ => "capability",
        };
        if !self.is_memory() {
            return Err(format!("only memory plugins can register a memory {what}"));
        }
        if self.skipped(what) {
            return Ok(());
        }
        let own = self.registry.memory_capabilities.iter().position(|c| self.owns(&c.owner));
        let empty = || MemoryCapability {
            owner: self.owner.clone(),
            prompt_builder: None,
            flush_plan_resolver: None,
            runtime: None,
            public_artifacts: None,
        };
        let object = |value: Option<&Value>| {
            let value = value.filter(|v| v.is_object())?.clone();
            Some(PluginObject::new(self.owner.clone(), self.target.clone(), value))
        };
        let mut capability = own.map_or_else(empty, |i| self.registry.memory_capabilities[i].clone());
        match what {
            "prompt section" => capability.prompt_builder = self.callback(Some(value)),
            "flush plan" => capability.flush_plan_resolver = self.callback(Some(value)),
            "runtime" => capability.runtime = object(Some(value)),
            _ => {
                capability.prompt_builder = self.callback(value.get("promptBuilder"));
                capability.flush_plan_resolver = self.callback(value.get("flushPlanResolver"));
                capability.runtime = object(value.get("runtime"));
                capability.public_artifacts = object(value.get("publicArtifacts"));
            }
        }
        match own {
            Some(index) => self.registry.memory_capabilities[index] = capability,
            None => self.registry.memory_capabilities.push(capability),
        }
        Ok(())
    }

    pub(super) fn memory_prompt_supplement(&mut self, builder: &Value) {
        let Some(builder) = self.callback(Some(builder)) else {
            return self.error("memory prompt supplement registration missing builder");
        };
        let supplement = MemoryPromptSupplement { owner: self.owner.clone(), builder };
        let supplements = &mut self.registry.memory_prompt_supplements;
        match supplements.iter_mut().find(|s| s.owner.id == supplement.owner.id) {
            Some(known) => *known = supplement,
            None => supplements.push(supplement),
        }
    }

    /// Per plugin: the last one counts (API-088).
    pub(super) fn memory_corpus_supplement(&mut self, args: &[Value]) {
        let method = "registerMemoryCorpusSupplement";
        let id = self.owner.id.clone();
        self.registry.recorded.retain(|r| r.method != method || r.owner.id != id);
        self.keep(method, "", args);
    }

    /// 2026.6.11: embeddings for whatever needs them, declared by name.
    pub(super) fn embedding(&mut self, args: &[Value]) {
        let method = "registerEmbeddingProvider";
        let id = Self::trimmed_id(args.first().unwrap_or(&Value::Null));
        if id.is_empty() {
            return self.error("embedding provider registration missing id");
        }
        if !self.facts.contract("embeddingProviders").contains(&id) {
            return self.error(format!("plugin must declare contracts.embeddingProviders for adapter: {id}"));
        }
        if let Some(known) = self.find_recorded(method, &id) {
            let message = format!("embedding provider already registered: {id} (owner: {})", known.owner.id);
            return self.error(message);
        }
        self.keep(method, &id, args);
    }

    pub(super) fn memory_embedding(&mut self, args: &[Value]) {
        let method = "registerMemoryEmbeddingProvider";
        let id = Self::trimmed_id(args.first().unwrap_or(&Value::Null));
        if id.is_empty() {
            return self.error("memory embedding provider registration missing id");
        }
        if self.is_memory() {
            if self.skipped("embedding provider") {
                return;
            }
        } else if !self.facts.contract("memoryEmbeddingProviders").contains(&id) {
            return self.error(format!("plugin must own memory slot or declare contracts.memoryEmbeddingProviders for adapter: {id}"));
        }
        if let Some(known) = self.find_recorded(method, &id) {
            let message = format!("memory embedding provider already registered: {id} (owner: {})", known.owner.id);
            return self.error(message);
        }
        self.keep(method, &id, args);
    }
}
