//! What every lane implements: hook names and payloads, callbacks, registrations, the registry, host services.
