//! What "always" covers: one agent, one plugin, one tool, one set of arguments.

use serde_json::Value;
use sha2::{Digest, Sha256};

/// The key under which an allowance is remembered. Arguments count with their values; only the order of their names does not, since it
/// means nothing. Anything else would let a call through that nobody has seen.
pub fn grant_key(agent_id: &str, plugin_id: &str, tool: &str, params: &Value) -> String {
    let mut hash = Sha256::new();
    for part in [agent_id, plugin_id, tool] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    canonical(params, &mut hash, 0);
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Deeper values are written as they are: their order counts then, which asks once too often and never too seldom.
const MAX_DEPTH: usize = 64;

fn canonical(value: &Value, hash: &mut Sha256, depth: usize) {
    match value {
        Value::Object(map) if depth < MAX_DEPTH => {
            let mut names: Vec<&String> = map.keys().collect();
            names.sort_unstable();
            hash.update(b"{");
            hash.update((names.len() as u64).to_le_bytes());
            for name in names {
                hash.update((name.len() as u64).to_le_bytes());
                hash.update(name.as_bytes());
                canonical(&map[name], hash, depth + 1);
            }
        }
        Value::Array(list) if depth < MAX_DEPTH => {
            hash.update(b"[");
            hash.update((list.len() as u64).to_le_bytes());
            list.iter().for_each(|item| canonical(item, hash, depth + 1));
        }
        other => {
            let text = other.to_string();
            hash.update(b"=");
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn key(params: Value) -> String {
        grant_key("main", "p", "t", &params)
    }

    #[test]
    fn everything_that_is_seen_counts() {
        let base = key(json!({"a": 1, "b": {"c": [1, 2], "d": null}}));
        assert_eq!(base, key(json!({"b": {"d": null, "c": [1, 2]}, "a": 1})));
        for other in [
            json!({"a": 2, "b": {"c": [1, 2], "d": null}}),
            json!({"a": 1, "b": {"c": [2, 1], "d": null}}),
            json!({"a": "1", "b": {"c": [1, 2], "d": null}}),
            json!({"a": 1, "b": {"c": [1, 2]}}),
            json!({"a": 1, "b": {"c": [1, 2], "d": null}, "e": null}),
            json!({}),
        ] {
            assert_ne!(base, key(other.clone()), "{other}");
        }
        let params = json!({"a": 1});
        assert_ne!(grant_key("main", "p", "t", &params), grant_key("other", "p", "t", &params));
        assert_ne!(grant_key("main", "p", "t", &params), grant_key("main", "q", "t", &params));
        assert_ne!(grant_key("main", "p", "t", &params), grant_key("main", "p", "u", &params));
        assert_ne!(grant_key("ab", "c", "t", &params), grant_key("a", "bc", "t", &params));
    }

    proptest! {
        #[test]
        fn equal_keys_mean_equal_arguments(a in "[a-c{}\\[\\]\":,]{0,6}", b in "[a-c{}\\[\\]\":,]{0,6}") {
            prop_assert_eq!(key(json!({"x": a})) == key(json!({"x": b})), a == b);
            prop_assert_eq!(key(json!([a, b])) == key(json!([b, a])), a == b);
        }
    }
}
