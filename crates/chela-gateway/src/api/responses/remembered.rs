//! Which session an earlier answer was given in, for `previous_response_id` (GW-115).

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::http::{HttpCall, Principal};

/// Most answers that are remembered.
const MOST: usize = 500;
/// Longest time that one is.
const LONGEST: Duration = Duration::from_secs(30 * 60);

/// Within what an answer can be gone on from: another caller, agent or session that was asked for does not reach it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scope {
    caller: Principal,
    agent: String,
    session: Option<String>,
}

impl Scope {
    pub(super) fn of(call: &HttpCall, agent: &str) -> Self {
        let session = call.header("x-openclaw-session-key").map(str::trim).filter(|key| !key.is_empty());
        Self { caller: call.auth.principal.clone(), agent: agent.into(), session: session.map(str::to_owned) }
    }
}

struct Row {
    scope: Scope,
    session_key: String,
    at: Instant,
}

#[derive(Default)]
struct Rows {
    by_id: HashMap<String, Row>,
    /// Ids, the oldest first.
    order: VecDeque<String>,
}

/// The answers of the last half hour, at most 500 of them.
#[derive(Default)]
pub(crate) struct Remembered(Mutex<Rows>);

impl Remembered {
    pub(super) fn keep(&self, id: &str, scope: Scope, session_key: &str) {
        self.keep_at(id, scope, session_key, Instant::now());
    }

    fn keep_at(&self, id: &str, scope: Scope, session_key: &str, now: Instant) {
        let mut rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rows.order.push_back(id.to_owned());
        rows.by_id.insert(id.to_owned(), Row { scope, session_key: session_key.to_owned(), at: now });
        while let Some(oldest) = rows.order.front() {
            let is_old = rows.by_id.get(oldest).is_none_or(|row| now.duration_since(row.at) > LONGEST);
            if !is_old && rows.order.len() <= MOST {
                break;
            }
            if let Some(id) = rows.order.pop_front() {
                rows.by_id.remove(&id);
            }
        }
    }

    /// The session of an answer; `None` when it is forgotten or not within this scope.
    pub(super) fn session_of(&self, id: &str, scope: &Scope) -> Option<String> {
        let rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let row = rows.by_id.get(id).filter(|row| row.scope == *scope && row.at.elapsed() <= LONGEST)?;
        Some(row.session_key.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(agent: &str) -> Scope {
        Scope { caller: Principal::SharedSecret, agent: agent.into(), session: None }
    }

    #[test]
    fn an_answer_is_found_within_its_scope_until_it_is_old_or_one_of_too_many() {
        let all = Remembered::default();
        all.keep("a", scope("main"), "agent:main:a");
        assert_eq!(all.session_of("a", &scope("main")).as_deref(), Some("agent:main:a"));
        for stranger in [
            scope("other"),
            Scope { caller: Principal::ProxyUser("ann".into()), ..scope("main") },
            Scope { session: Some("agent:main:b".into()), ..scope("main") },
        ] {
            assert_eq!(all.session_of("a", &stranger), None);
        }
        for number in 0..MOST {
            all.keep(&number.to_string(), scope("main"), "k");
        }
        assert_eq!(all.session_of("a", &scope("main")), None);
        assert!(all.session_of("0", &scope("main")).is_some());
        all.keep_at("late", scope("main"), "k", Instant::now() + LONGEST + Duration::from_secs(9));
        assert_eq!(all.0.lock().unwrap().by_id.len(), 1, "what is old goes with the next one");
    }
}
