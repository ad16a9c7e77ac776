//! One after another: the choice between providers that every capability shares.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use chela_plugin::CallError;
use serde_json::{Value, json};

use crate::host::Scope;
use crate::kind::{Capability, Provider};

/// Longest error text of an attempt, in characters: attempts travel to models and clients.
const MOST_ERROR_CHARS: usize = 2_000;
/// Most providers that one request tries.
const MOST_ATTEMPTS: usize = 16;

/// A provider that may be asked, with the model where the kind has models.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Id of the provider.
    pub provider: String,
    /// Model, in the provider's words.
    pub model: Option<String>,
}

impl Candidate {
    /// A candidate without a model.
    pub fn new(provider: impl Into<String>) -> Self {
        Self { provider: provider.into(), model: None }
    }

    /// A candidate with a model.
    pub fn with_model(provider: impl Into<String>, model: impl Into<String>) -> Self {
        Self { provider: provider.into(), model: Some(model.into()) }
    }
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It gave what was asked for.
    Success,
    /// It was not asked.
    Skipped,
    /// It was asked and failed.
    Failed,
}

impl Outcome {
    /// The word in results.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
        }
    }
}

/// One attempt, for the caller.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Who.
    pub candidate: Candidate,
    /// How it ended.
    pub outcome: Outcome,
    /// A stable word: `success`, `no_provider_registered`, `not_configured`, `timeout`, `provider_error`, ... (RT-121).
    pub reason: &'static str,
    /// The text of the failure.
    pub error: Option<String>,
    /// A code that the provider's error carried.
    pub code: Option<String>,
    /// A status that the provider's error carried.
    pub status: Option<u64>,
    /// Time that the attempt took; absent for skipped ones.
    pub took: Option<Duration>,
}

impl Attempt {
    /// The attempt as generators report it: `{provider, model, error, code?, status?}`.
    pub fn as_failure(&self) -> Value {
        let mut out = json!({"provider": self.candidate.provider, "model": self.candidate.model, "error": self.error});
        let members = [("code", self.code.clone().map(Value::from)), ("status", self.status.map(Value::from))];
        for (key, value) in members {
            if let Some(value) = value {
                out[key] = value;
            }
        }
        if self.reason == "timeout" {
            out["reason"] = "timeout".into();
        }
        out
    }
}

/// Why a candidate gave nothing; the next one is tried.
#[derive(Clone, Debug)]
pub enum Miss {
    /// It was not asked, with a stable word and a text.
    Skip(&'static str, String),
    /// It was asked and failed.
    Fail(CallError),
    /// Nothing else is tried: the failure is the answer.
    Final(CallError),
}

impl From<CallError> for Miss {
    fn from(error: CallError) -> Self {
        Self::Fail(error)
    }
}

/// The first success.
#[derive(Clone, Debug)]
pub struct Chosen<T> {
    /// What the provider gave.
    pub value: T,
    /// Who gave it.
    pub candidate: Candidate,
    /// All attempts, the successful one last.
    pub attempts: Vec<Attempt>,
}

impl<T> Chosen<T> {
    /// The attempts before the successful one, as generators report them.
    pub fn failures(&self) -> Vec<Value> {
        self.attempts.iter().filter(|a| a.outcome != Outcome::Success).map(Attempt::as_failure).collect()
    }
}

/// No candidate gave anything.
#[derive(Clone, Debug)]
pub struct Exhausted {
    /// All attempts.
    pub attempts: Vec<Attempt>,
    /// The last failure.
    pub last: Option<CallError>,
}

impl Exhausted {
    /// One error of all attempts: the failure itself when there was only one.
    pub fn into_error(self, label: &str) -> CallError {
        if let (Some(last), 0..=1) = (&self.last, self.attempts.len()) {
            return last.clone();
        }
        let told: Vec<String> = self.attempts.iter().map(said).collect();
        let data = json!({"attempts": self.attempts.iter().map(Attempt::as_failure).collect::<Vec<_>>()});
        let message = format!("All {label} models failed ({}): {}", told.len(), told.join(" | "));
        CallError::Thrown { name: "Error".into(), message, code: None, stack: None, data: Some(data) }
    }
}

fn said(attempt: &Attempt) -> String {
    let model = attempt.candidate.model.as_deref().map(|m| format!("/{m}")).unwrap_or_default();
    format!("{}{model}: {}", attempt.candidate.provider, attempt.error.as_deref().unwrap_or("no reason given"))
}

/// A kind of request: what asks one provider.
#[async_trait]
pub trait Job: Sync {
    /// What a provider gives.
    type Done: Send;

    /// The kind.
    fn capability(&self) -> Capability;

    /// Asks one provider.
    async fn attempt(&self, scope: &Scope<'_>, provider: &Provider, candidate: &Candidate) -> Result<Self::Done, Miss>;

    /// What else can serve a candidate that no plugin registered: nothing, unless the kind has another way.
    async fn otherwise(&self, scope: &Scope<'_>, candidate: &Candidate) -> Result<Self::Done, Miss> {
        let _ = scope;
        Err(unregistered(self.capability(), &candidate.provider))
    }
}

/// Tries the candidates in order until one succeeds. A provider that is not there, fails, takes too long or crashes is one attempt; a
/// cancelled request tries no more.
///
/// # Errors
/// All attempts, when none succeeded.
pub async fn choose<J: Job>(scope: &Scope<'_>, job: &J, candidates: &[Candidate]) -> Result<Chosen<J::Done>, Exhausted> {
    let mut attempts = Vec::new();
    let mut last = None;
    for candidate in candidates.iter().take(MOST_ATTEMPTS) {
        if scope.cancel.is_cancelled() {
            last = Some(CallError::Cancelled);
            break;
        }
        let begun = Instant::now();
        let result = match Provider::find(&scope.registry, job.capability(), &candidate.provider) {
            Some(provider) => job.attempt(scope, &provider, candidate).await,
            None => job.otherwise(scope, candidate).await,
        };
        let took = begun.elapsed();
        let (outcome, reason, error, ends) = match result {
            Ok(value) => {
                attempts.push(attempt(candidate, Outcome::Success, "success", None, Some(took)));
                return Ok(Chosen { value, candidate: candidate.clone(), attempts });
            }
            Err(Miss::Skip(reason, message)) => (Outcome::Skipped, reason, CallError::thrown(message), false),
            Err(Miss::Fail(error)) => (Outcome::Failed, reason_of(&error), error, false),
            Err(Miss::Final(error)) => (Outcome::Failed, reason_of(&error), error, true),
        };
        tracing::debug!(target: "capabilities", kind = job.capability().label(), provider = %candidate.provider, "{}: {error}", outcome.as_str());
        let took = (outcome == Outcome::Failed).then_some(took);
        attempts.push(attempt(candidate, outcome, reason, Some(&error), took));
        last = Some(error);
        if ends {
            break;
        }
    }
    Err(Exhausted { attempts, last })
}

fn unregistered(capability: Capability, id: &str) -> Miss {
    Miss::Skip("no_provider_registered", format!("No {} provider registered for {id}", capability.label().replace(' ', "-")))
}

fn attempt(candidate: &Candidate, outcome: Outcome, reason: &'static str, error: Option<&CallError>, took: Option<Duration>) -> Attempt {
    let (code, status) = match error {
        Some(CallError::Thrown { code, data, .. }) => (code.clone(), data.as_ref().and_then(|d| d.get("status")).and_then(Value::as_u64)),
        Some(error @ (CallError::TimedOut(_) | CallError::Gone { .. })) => (Some(error.code().to_string()), None),
        _ => (None, None),
    };
    let error = error.map(|e| shortened(&e.to_string()));
    Attempt { candidate: candidate.clone(), outcome, reason, error, code, status, took }
}

/// A text of bounded length.
pub(crate) fn shortened(text: &str) -> String {
    text.chars().take(MOST_ERROR_CHARS).collect()
}

/// The stable word of a failure (RT-121).
pub(crate) fn reason_of(error: &CallError) -> &'static str {
    match error {
        CallError::TimedOut(_) => "timeout",
        CallError::Thrown { name, .. } if name == "AbortError" || name == "TimeoutError" => "timeout",
        _ => "provider_error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, FakeHost};

    struct Ask;

    #[async_trait]
    impl Job for Ask {
        type Done = Value;

        fn capability(&self) -> Capability {
            Capability::WebSearch
        }

        async fn attempt(&self, scope: &Scope<'_>, provider: &Provider, _: &Candidate) -> Result<Value, Miss> {
            if provider.id == "unready" {
                return Err(Miss::Skip("not_configured", "no key".into()));
            }
            let answer = provider.object.ask("run", json!({}), Duration::from_millis(50), &scope.cancel).await;
            answer.map_err(|error| if provider.id == "last-word" { Miss::Final(error) } else { Miss::Fail(error) })
        }
    }

    fn host() -> FakeHost {
        FakeHost::new(&[
            ("registerWebSearchProvider", json!({"id": "unready", "run": {"$fn": testing::FAILS}})),
            ("registerWebSearchProvider", json!({"id": "broken", "run": {"$fn": testing::FAILS}})),
            ("registerWebSearchProvider", json!({"id": "slow", "run": {"$fn": testing::HANGS}})),
            ("registerWebSearchProvider", json!({"id": "last-word", "run": {"$fn": testing::FAILS}})),
            ("registerWebSearchProvider", json!({"id": "Good", "aliases": ["fine"], "run": {"$fn": testing::ECHOES}})),
        ])
    }

    fn candidates(ids: &[&str]) -> Vec<Candidate> {
        ids.iter().map(|id| Candidate::new(*id)).collect()
    }

    // RT-121
    #[tokio::test]
    async fn the_first_success_ends_it_and_every_attempt_has_a_reason() {
        let host = host();
        let scope = Scope::new(&host);
        let all = candidates(&["absent", "unready", "broken", "slow", "fine", "good"]);
        let chosen = choose(&scope, &Ask, &all).await.unwrap();
        assert_eq!(chosen.candidate.provider, "fine");
        let told: Vec<_> = chosen.attempts.iter().map(|a| (a.candidate.provider.as_str(), a.outcome.as_str(), a.reason)).collect();
        assert_eq!(
            told,
            [
                ("absent", "skipped", "no_provider_registered"),
                ("unready", "skipped", "not_configured"),
                ("broken", "failed", "provider_error"),
                ("slow", "failed", "timeout"),
                ("fine", "success", "success"),
            ]
        );
        assert_eq!(chosen.failures().len(), 4);
    }

    #[tokio::test]
    async fn a_final_failure_and_a_cancelled_request_try_nobody_else() {
        let host = host();
        let scope = Scope::new(&host);
        let failed = choose(&scope, &Ask, &candidates(&["last-word", "good"])).await.unwrap_err();
        assert_eq!((failed.attempts.len(), failed.into_error("search").to_string().as_str()), (1, "it broke"));
        scope.cancel.cancel();
        let failed = choose(&scope, &Ask, &candidates(&["good"])).await.unwrap_err();
        assert!(failed.attempts.is_empty() && matches!(failed.last, Some(CallError::Cancelled)));
    }

    #[tokio::test]
    async fn several_failures_become_one_error_with_all_of_them() {
        let host = host();
        let scope = Scope::new(&host);
        let error = choose(&scope, &Ask, &candidates(&["unready", "broken"])).await.unwrap_err().into_error("search");
        assert_eq!(error.to_string(), "All search models failed (2): unready: no key | broken: it broke");
        let CallError::Thrown { data: Some(data), .. } = error else { panic!("{error}") };
        assert_eq!(data["attempts"][1]["provider"], "broken");
    }
}
