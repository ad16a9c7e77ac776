//! Messages that clients sent a moment ago, by idempotency key: a repeated request is answered and not sent again (GW-76).

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chela_gateway_protocol::error::ErrorShape;
use serde_json::Value;

/// How long an answer is remembered (GW-77).
const REMEMBER: Duration = Duration::from_secs(5 * 60);
/// How many are.
const MOST: usize = 1000;

/// The answer of one key: empty while the message is on its way; whoever holds the lock sends it.
pub(crate) type Slot = Arc<tokio::sync::Mutex<Option<Result<Value, ErrorShape>>>>;

/// The keys of the last minutes.
#[derive(Default)]
pub(crate) struct Sends(Mutex<Rows>);

#[derive(Default)]
struct Rows {
    slots: HashMap<String, Slot>,
    order: VecDeque<(Instant, String)>,
}

impl Sends {
    /// The slot of a key; a new one when it was not seen lately.
    pub(crate) fn begin(&self, key: &str) -> Slot {
        let mut rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while rows.order.front().is_some_and(|(at, _)| at.elapsed() > REMEMBER || rows.order.len() > MOST) {
            if let Some((_, old)) = rows.order.pop_front() {
                rows.slots.remove(&old);
            }
        }
        if let Some(slot) = rows.slots.get(key) {
            return slot.clone();
        }
        let slot = Slot::default();
        rows.slots.insert(key.into(), slot.clone());
        rows.order.push_back((Instant::now(), key.into()));
        slot
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_one_slot_and_the_oldest_go() {
        let sends = Sends::default();
        assert!(Arc::ptr_eq(&sends.begin("a"), &sends.begin("a")));
        let first = sends.begin("a");
        for n in 0..=MOST + 1 {
            sends.begin(&format!("k{n}"));
        }
        assert!(!Arc::ptr_eq(&first, &sends.begin("a")));
    }
}
