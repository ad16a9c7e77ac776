//! What a merged `before_agent_finalize` result means, with a limit on retries (HOOK-153..158).

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;
use sha2::{Digest, Sha256};

/// Most counters in the table (HOOK-158).
const MAX_ENTRIES: usize = 2048;

/// What to do with a natural final answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FinalizeDecision {
    /// Accept it; nobody objects.
    Continue,
    /// Ask the model once more, with this text.
    Revise {
        /// Reasons and retry instruction, joined with a blank line.
        reason: String,
    },
    /// Accept it; a plugin insists.
    Finalize {
        /// Why, if it said so.
        reason: Option<String>,
    },
}

/// Retries asked for so far, by run and by idempotency key or instruction.
#[derive(Debug, Default)]
pub struct RetryBudget {
    runs: Mutex<VecDeque<RunBudget>>,
}

#[derive(Debug)]
struct RunBudget {
    run: String,
    counts: VecDeque<(String, u64)>,
}

impl RetryBudget {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// Turns the merged result into a decision and counts the attempt. `run` is the run id, or the session id when there is none
    /// (HOOK-155).
    pub fn decide(&self, run: &str, merged: &Value) -> FinalizeDecision {
        let reason = text(merged.get("reason"));
        match merged.get("action").and_then(Value::as_str) {
            Some("finalize") => FinalizeDecision::Finalize { reason },
            Some("revise") => self.revise(run, merged, reason),
            _ => FinalizeDecision::Continue,
        }
    }

    fn revise(&self, run: &str, merged: &Value, reason: Option<String>) -> FinalizeDecision {
        let listed = merged.get("retryCandidates").and_then(Value::as_array).filter(|l| !l.is_empty());
        let candidates: Vec<&Value> = match listed {
            Some(list) => list.iter().collect(),
            None => merged.get("retry").filter(|r| r.is_object()).into_iter().collect(),
        };
        if candidates.is_empty() {
            return reason.map_or(FinalizeDecision::Continue, |reason| FinalizeDecision::Revise { reason });
        }
        for retry in candidates {
            let Some(instruction) = text(retry.get("instruction")) else {
                continue;
            };
            let attempts = retry.get("maxAttempts").and_then(Value::as_f64).filter(|n| n.is_finite()).map_or(1, |n| n.max(1.0) as u64);
            let key = text(retry.get("idempotencyKey")).unwrap_or_else(|| hashed(&instruction));
            if self.count(run, &key) > attempts {
                continue;
            }
            let reason = match reason {
                Some(reason) if reason.contains(&instruction) => reason,
                Some(reason) => format!("{reason}\n\n{instruction}"),
                None => instruction,
            };
            return FinalizeDecision::Revise { reason };
        }
        FinalizeDecision::Continue
    }

    /// Counts one attempt and returns the new count; the run becomes the youngest.
    fn count(&self, run: &str, key: &str) -> u64 {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        let position = runs.iter().position(|r| r.run == run);
        let mut budget = position.and_then(|i| runs.remove(i)).unwrap_or_else(|| RunBudget { run: run.into(), counts: VecDeque::new() });
        let known = budget.counts.iter().position(|(k, _)| k == key);
        let count = known.and_then(|i| budget.counts.remove(i)).map_or(1, |(_, n)| n + 1);
        budget.counts.push_back((key.into(), count));
        runs.push_back(budget);
        prune(&mut runs);
        count
    }
}

/// HOOK-158.
fn prune(runs: &mut VecDeque<RunBudget>) {
    let mut entries: usize = runs.iter().map(|r| r.counts.len()).sum();
    while entries > MAX_ENTRIES {
        let Some(oldest) = runs.front_mut() else {
            return;
        };
        oldest.counts.pop_front();
        entries -= 1;
        if oldest.counts.is_empty() {
            runs.pop_front();
        }
    }
}

fn hashed(instruction: &str) -> String {
    let digest = Sha256::digest(instruction.as_bytes());
    digest.iter().fold("instruction:".to_string(), |text, byte| format!("{text}{byte:02x}"))
}

fn text(value: Option<&Value>) -> Option<String> {
    value?.as_str().map(str::trim).filter(|s| !s.is_empty()).map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn revise(reason: &str) -> FinalizeDecision {
        FinalizeDecision::Revise { reason: reason.into() }
    }

    // HOOK-154, HOOK-155, HOOK-156, HOOK-157
    #[test]
    fn retries_are_limited_per_run_and_key() {
        let budget = RetryBudget::new();
        let one = json!({"action": "revise", "reason": "why", "retry": {"instruction": " do it "}});
        assert_eq!(budget.decide("r1", &one), revise("why\n\ndo it"));
        assert_eq!(budget.decide("r1", &one), FinalizeDecision::Continue);
        assert_eq!(budget.decide("r2", &one), revise("why\n\ndo it"));
        let named = json!({"action": "revise", "reason": "please do it", "retry": {"instruction": "do it", "idempotencyKey": "k", "maxAttempts": 2.9}});
        assert_eq!(budget.decide("r1", &named), revise("please do it"));
        assert_eq!(budget.decide("r1", &named), revise("please do it"));
        assert_eq!(budget.decide("r1", &named), FinalizeDecision::Continue);
        let several = json!({"action": "revise", "retryCandidates": [{"instruction": "do it"}, {"instruction": "else"}]});
        assert_eq!(budget.decide("r1", &several), revise("else"));
        let free = json!({"action": "revise", "reason": "again"});
        for _ in 0..5 {
            assert_eq!(budget.decide("r1", &free), revise("again"));
        }
        assert_eq!(budget.decide("r1", &json!({"action": "revise", "reason": " "})), FinalizeDecision::Continue);
        let zero = json!({"action": "revise", "retry": {"instruction": "zero", "maxAttempts": 0}});
        assert_eq!(budget.decide("r1", &zero), revise("zero"));
    }

    // HOOK-158
    #[test]
    fn the_table_forgets_the_oldest_run_first() {
        let budget = RetryBudget::new();
        let ask = |run: &str| budget.decide(run, &json!({"action": "revise", "retry": {"instruction": "x"}}));
        assert_eq!(ask("first"), revise("x"));
        assert_eq!(ask("second"), revise("x"));
        for i in 0..MAX_ENTRIES - 1 {
            ask(&format!("run{i}"));
        }
        assert_eq!(ask("second"), FinalizeDecision::Continue);
        assert_eq!(ask("first"), revise("x"));
    }
}
