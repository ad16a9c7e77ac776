//! Messages that came already: platforms deliver one more than once (CH-118..CH-121).

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

/// How long a message is remembered (CH-120).
const REMEMBER: Duration = Duration::from_secs(20 * 60);
/// How many are remembered (CH-120).
const MOST: usize = 5000;

/// What a claim found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// The message is new: whoever claimed it ends with [`Seen::commit`] or [`Seen::release`].
    Claimed,
    /// It was answered.
    Duplicate,
    /// It is being answered.
    InFlight,
}

/// The messages of the last minutes.
#[derive(Default)]
pub(super) struct Seen {
    /// `None` while the message is being answered.
    rows: HashMap<String, Option<Instant>>,
    order: VecDeque<(Instant, String)>,
}

impl Seen {
    pub(super) fn claim(&mut self, key: &str, now: Instant) -> Claim {
        while self.order.front().is_some_and(|(at, _)| now.duration_since(*at) > REMEMBER || self.order.len() > MOST) {
            if let Some((at, old)) = self.order.pop_front()
                && self.rows.get(&old) == Some(&Some(at))
            {
                self.rows.remove(&old);
            }
        }
        match self.rows.get(key) {
            Some(Some(_)) => Claim::Duplicate,
            Some(None) => Claim::InFlight,
            None => {
                self.rows.insert(key.into(), None);
                Claim::Claimed
            }
        }
    }

    /// The message was answered: it does not run again.
    pub(super) fn commit(&mut self, key: &str, now: Instant) {
        self.rows.insert(key.into(), Some(now));
        self.order.push_back((now, key.into()));
    }

    /// It failed before anybody saw anything: a repetition may try again.
    pub(super) fn release(&mut self, key: &str) {
        if self.rows.get(key) == Some(&None) {
            self.rows.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // CH-120, CH-121
    #[test]
    fn a_message_runs_once_unless_it_failed_and_is_forgotten_in_time() {
        let (mut seen, start) = (Seen::default(), Instant::now());
        assert_eq!(seen.claim("m", start), Claim::Claimed);
        assert_eq!(seen.claim("m", start), Claim::InFlight);
        seen.release("m");
        assert_eq!(seen.claim("m", start), Claim::Claimed);
        seen.commit("m", start);
        seen.release("m");
        assert_eq!(seen.claim("m", start + REMEMBER), Claim::Duplicate);
        assert_eq!(seen.claim("m", start + REMEMBER + Duration::from_secs(1)), Claim::Claimed);
        for n in 0..=MOST + 1 {
            seen.commit(&format!("x{n}"), start);
        }
        assert_eq!(seen.claim("x0", start), Claim::Claimed);
        assert_eq!(seen.claim(&format!("x{MOST}"), start), Claim::Duplicate);
    }
}
