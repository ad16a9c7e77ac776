//! Handles over restarts of a worker.
//!
//! A worker counts its functions and streams from 1 in every run. The host adds the number of the run, so that a handle of an earlier
//! run can never reach another function. Handles of registrations are carried over when the new run registered the same.

use std::collections::HashMap;

use chela_plugin::Registration;
use chela_plugin_protocol::value::renumber;
use serde_json::Value;

/// Bits of a handle that the worker chose; the run is above.
const BITS: u32 = 40;

/// Adds the run to a worker's number.
pub(crate) fn tag(run: u64, number: u64) -> u64 {
    run << BITS | number & ((1 << BITS) - 1)
}

/// The run of a handle.
pub(crate) fn run_of(handle: u64) -> u64 {
    handle >> BITS
}

/// The worker's own number of a handle.
pub(crate) fn number_of(handle: u64) -> u64 {
    handle & ((1 << BITS) - 1)
}

/// Tags every function and stream in a value that came from the worker.
pub(crate) fn tag_value(run: u64, value: &mut Value) {
    renumber(value, &["$fn", "$stream"], &mut |n| tag(run, n));
}

/// Gives functions that go back to their worker the worker's own numbers.
pub(crate) fn untag_refs(value: &mut Value) {
    renumber(value, &["$ref"], &mut number_of);
}

/// Compares two lists of registrations but for the numbers of their functions. When they are equal, maps the old handles to the new.
pub(crate) fn pair(old: &[Registration], new: &[Registration]) -> Option<HashMap<u64, u64>> {
    let mut pairs = HashMap::new();
    let equal = old.len() == new.len()
        && old.iter().zip(new).all(|(a, b)| {
            a.method == b.method && a.args.len() == b.args.len() && a.args.iter().zip(&b.args).all(|(a, b)| pair_values(a, b, &mut pairs))
        });
    equal.then_some(pairs)
}

fn pair_values(old: &Value, new: &Value, pairs: &mut HashMap<u64, u64>) -> bool {
    match (old, new) {
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter().all(|(key, old)| match (key.as_str(), old.as_u64(), b.get(key).and_then(Value::as_u64)) {
                    ("$fn", Some(from), Some(to)) => *pairs.entry(from).or_insert(to) == to,
                    ("$stream", Some(_), Some(_)) => true,
                    _ => b.get(key).is_some_and(|new| pair_values(old, new, pairs)),
                })
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| pair_values(a, b, pairs)),
        _ => old == new,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn registrations(value: &Value) -> Vec<Registration> {
        serde_json::from_value(value.clone()).unwrap()
    }

    #[test]
    fn a_tagged_handle_gives_back_its_run_and_number() {
        let handle = tag(3, 77);
        assert_eq!((run_of(handle), number_of(handle)), (3, 77));
        let mut value = json!([{"$fn": 1}, {"$stream": 2}, {"$ref": 3}]);
        tag_value(1, &mut value);
        assert_eq!(value, json!([{"$fn": tag(1, 1)}, {"$stream": tag(1, 2)}, {"$ref": 3}]));
    }

    #[test]
    fn equal_registrations_are_paired_whatever_their_numbers() {
        let old = registrations(
            &json!([{"method": "on", "args": ["x", {"$fn": 1}, {"priority": 1}]}, {"method": "registerTool", "args": [{"name": "t", "execute": {"$fn": 2}}]}]),
        );
        let new = registrations(
            &json!([{"method": "on", "args": ["x", {"$fn": 8}, {"priority": 1}]}, {"method": "registerTool", "args": [{"name": "t", "execute": {"$fn": 9}}]}]),
        );
        assert_eq!(pair(&old, &new), Some([(1, 8), (2, 9)].into()));
        let others = [
            json!([]),
            json!([{"method": "on", "args": ["x", {"$fn": 8}, {"priority": 2}]}, {"method": "registerTool", "args": [{"name": "t", "execute": {"$fn": 9}}]}]),
            json!([{"method": "on", "args": ["x", null, {"priority": 1}]}, {"method": "registerTool", "args": [{"name": "t", "execute": {"$fn": 9}}]}]),
        ];
        for other in others {
            assert_eq!(pair(&old, &registrations(&other)), None, "{other}");
        }
    }
}
