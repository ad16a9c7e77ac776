//! Hashes of the plugin index (INS-075, INS-076, INS-088), computed as the reference computes them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::policy::{PluginPolicy, SlotChoice};

/// SHA-256 in lower-case hex.
pub fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// SHA-256 of the compact JSON text, members in their order.
pub fn hash_json(value: &Value) -> String {
    sha256_hex(value.to_string().as_bytes())
}

/// The hash of what decides enablement: plugin policy and the `enabled` switches of channels. Load paths and the plugins' own
/// configs are not in it (INS-076), so the same text as the reference's gives the same hash.
pub fn policy_hash(config: &Value) -> String {
    let policy = PluginPolicy::from_config_value(config);
    let entries: BTreeMap<&String, bool> = policy.entries.iter().filter_map(|(id, entry)| Some((id, entry.enabled?))).collect();
    let channels = config.get("channels").and_then(Value::as_object).into_iter().flatten();
    let channels: BTreeMap<&String, bool> = channels.filter_map(|(id, channel)| Some((id, channel.get("enabled")?.as_bool()?))).collect();
    let mut slots = Map::new();
    slots.insert("memory".into(), slot(&policy.slots.memory).unwrap_or_default());
    if let Some(engine) = slot(&policy.slots.context_engine) {
        slots.insert("contextEngine".into(), engine);
    }
    hash_json(&json!({
        "plugins": {"enabled": policy.enabled, "allow": policy.allow, "deny": policy.deny, "slots": slots, "entries": entries},
        "channels": channels,
    }))
}

fn slot(choice: &SlotChoice) -> Option<Value> {
    match choice {
        SlotChoice::Unset => None,
        SlotChoice::Off => Some(Value::Null),
        SlotChoice::Plugin(id) => Some(id.as_str().into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // INS-075, INS-076, INS-374
    #[test]
    fn the_policy_hash_covers_policy_and_nothing_else() {
        let base = json!({"plugins": {"allow": ["a"], "entries": {"a": {"enabled": true}}}, "channels": {"x": {"enabled": true}}});
        let hash = policy_hash(&base);
        assert_eq!(hash.len(), 64);
        for same in [
            json!({"plugins": {"allow": ["a"], "entries": {"a": {"enabled": true, "config": {"k": 1}}}, "load": {"paths": ["/p"]}},
                "channels": {"x": {"enabled": true, "token": "t"}}}),
            json!({"plugins": {"allow": ["a"], "entries": {"a": {"enabled": true}, "b": {"config": {}}}}, "channels": {"x": {"enabled": true}}}),
        ] {
            assert_eq!(policy_hash(&same), hash, "{same}");
        }
        for other in [
            json!({"plugins": {"allow": ["a", "b"], "entries": {"a": {"enabled": true}}}, "channels": {"x": {"enabled": true}}}),
            json!({"plugins": {"allow": ["a"], "entries": {"a": {"enabled": false}}}, "channels": {"x": {"enabled": true}}}),
            json!({"plugins": {"allow": ["a"], "entries": {"a": {"enabled": true}}}, "channels": {"x": {"enabled": false}}}),
            json!({"plugins": {"allow": ["a"], "entries": {"a": {"enabled": true}}, "slots": {"memory": "none"}}, "channels": {"x": {"enabled": true}}}),
        ] {
            assert_ne!(policy_hash(&other), hash, "{other}");
        }
    }

    // Written by the reference for the first of these configs.
    // INS-075
    #[test]
    fn the_policy_hash_is_the_references() {
        let config = json!({"plugins": {"entries": {"alpha": {"enabled": true}}, "slots": {"memory": "alpha"}}, "meta": {"x": 1}});
        assert_eq!(policy_hash(&config), "70cf71178e1deffe3b96bcf76889fdb119669bc10bd052c402f55240796f96a6");
        assert_ne!(policy_hash(&json!({})), policy_hash(&config));
    }
}
