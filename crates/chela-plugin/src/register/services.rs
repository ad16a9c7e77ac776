//! `registerService` (API-065, API-185..190).

use serde_json::Value;

use super::registrar::Registrar;
use crate::register::entries::ServiceEntry;

impl Registrar<'_> {
    pub(super) fn service(&mut self, service: &Value) {
        let id = Self::trimmed_id(service);
        if id.is_empty() {
            // The reference drops it silently, which hides the author's mistake (API-249).
            return self.warn("service registration missing id");
        }
        if let Some(known) = self.registry.services.iter().find(|s| s.id == id) {
            if !self.owns(&known.owner) {
                let message = format!("service already registered: {id} ({})", known.owner.id);
                self.error(message);
            }
            return;
        }
        let start = self.callback(service.get("start"));
        let stop = self.callback(service.get("stop"));
        self.registry.services.push(ServiceEntry { owner: self.owner.clone(), id, start, stop });
    }
}
