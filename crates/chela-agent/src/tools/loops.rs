//! Models that call the same tools again and again without getting anywhere (TOOL-29): `tools.loopDetection`.
//!
//! Two watches over one run: the calls of the run, where the config asks for it, and the few calls after a compaction, unless the config
//! says no. Nothing is kept and nothing is hashed while neither watches.

mod outcome;

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use super::ToolOutcome;

/// A warning is told again after this many further calls.
const WARN_EVERY: usize = 10;
/// Warnings of one run that are remembered.
const MOST_WARNINGS: usize = 256;
/// Largest history that a config may ask for: each call looks through it.
const MOST_HISTORY: usize = 1_000;

/// What the config says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LoopSettings {
    /// The history of the run is watched.
    enabled: bool,
    /// The calls after a compaction are watched.
    after_compaction: bool,
    history: usize,
    warn: usize,
    critical: usize,
    unknown: usize,
    breaker: usize,
    generic: bool,
    poll: bool,
    ping_pong: bool,
    window: usize,
}

impl LoopSettings {
    /// Reads `tools.loopDetection`; what the agent's own section says holds.
    pub(crate) fn from_config(general: &Value, own: &Value) -> Self {
        let get = |path: &str| own.pointer(path).or_else(|| general.pointer(path));
        let number = |path: &str, default: usize| {
            let found = get(path).and_then(Value::as_u64).filter(|n| *n > 0);
            found.map_or(default, |n| usize::try_from(n).unwrap_or(usize::MAX))
        };
        let flag = |path: &str| get(path).and_then(Value::as_bool);
        // Each level must be above the one before it.
        let warn = number("/warningThreshold", 10);
        let critical = number("/criticalThreshold", 20).max(warn.saturating_add(1));
        Self {
            enabled: flag("/enabled") == Some(true),
            after_compaction: flag("/enabled") != Some(false),
            history: number("/historySize", 30).min(MOST_HISTORY),
            warn,
            critical,
            unknown: number("/unknownToolThreshold", 10),
            breaker: number("/globalCircuitBreakerThreshold", 30).max(critical.saturating_add(1)),
            generic: flag("/detectors/genericRepeat") != Some(false),
            poll: flag("/detectors/knownPollNoProgress") != Some(false),
            ping_pong: flag("/detectors/pingPong") != Some(false),
            window: number("/postCompactionGuard/windowSize", 3).min(MOST_HISTORY),
        }
    }
}

/// The watch over the tool calls of one run, for calls that run beside each other.
#[derive(Debug)]
pub struct LoopGuard(Mutex<LoopWatch>);

impl LoopGuard {
    pub(crate) fn new(settings: LoopSettings) -> Self {
        Self(Mutex::new(LoopWatch::new(settings)))
    }

    fn watch(&self) -> MutexGuard<'_, LoopWatch> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why a call must not run.
    pub(crate) fn refuse(&self, call: &chela_models::ToolCall) -> Option<String> {
        self.watch().begin(&call.name, &call.arguments, &call.id).filter(|stuck| stuck.block).map(|stuck| stuck.message)
    }

    /// A call has ended; `missing` when there is no such tool.
    pub(crate) fn ended(&self, call: &chela_models::ToolCall, outcome: &ToolOutcome, missing: bool) {
        self.watch().end(&call.name, &call.arguments, &call.id, (&outcome.result, outcome.is_error), missing);
    }

    /// A compaction has made room, and the model is asked again.
    pub(crate) fn compacted(&self) {
        self.watch().compacted();
    }

    /// Why the run must end.
    pub(crate) fn persisted(&self) -> Option<String> {
        self.watch().persisted.clone()
    }
}

/// A call of the history.
#[derive(Clone, Debug)]
struct Seen {
    tool: String,
    call_id: String,
    /// Of tool and arguments.
    args: u64,
    /// Of what came back; none while it runs.
    result: Option<u64>,
    /// There is no such tool.
    missing: bool,
}

/// A loop that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stuck {
    /// `generic_repeat`, `known_poll_no_progress`, `ping_pong`, `unknown_tool_repeat`, `global_circuit_breaker`.
    detector: &'static str,
    /// Calls so far.
    count: usize,
    /// The call must not run.
    block: bool,
    /// For the model and the log.
    message: String,
    key: String,
}

#[derive(Debug)]
struct LoopWatch {
    settings: LoopSettings,
    calls: VecDeque<Seen>,
    warned: HashMap<String, usize>,
    /// Calls that are still watched after a compaction, and what came of those before.
    left: usize,
    after: Vec<(u64, u64)>,
    /// Why the run must end: the compaction did not break a loop.
    persisted: Option<String>,
}

impl LoopWatch {
    fn new(settings: LoopSettings) -> Self {
        Self { settings, calls: VecDeque::new(), warned: HashMap::new(), left: 0, after: Vec::new(), persisted: None }
    }

    /// A call is about to run. What is found is also told in the log, a warning only now and then.
    fn begin(&mut self, tool: &str, args: &Value, call_id: &str) -> Option<Stuck> {
        if !self.settings.enabled {
            return None;
        }
        let args_hash = outcome::of_call(tool, args);
        let found = self.find(tool, args, args_hash);
        if let Some(stuck) = &found {
            if stuck.block {
                tracing::error!(target: "tools", tool, detector = stuck.detector, count = stuck.count, "a call was refused: {}", stuck.message);
                return found;
            }
            self.warn(tool, stuck);
        }
        self.push(Seen { tool: tool.to_owned(), call_id: call_id.to_owned(), args: args_hash, result: None, missing: false });
        found
    }

    /// A call has ended.
    fn end(&mut self, tool: &str, args: &Value, call_id: &str, (result, is_error): (&Value, bool), missing: bool) {
        if !self.settings.enabled && self.left == 0 {
            return;
        }
        let (args_hash, result_hash) = (outcome::of_call(tool, args), outcome::of_result(tool, args, result, is_error));
        if self.settings.enabled
            && let Some(seen) = self.calls.iter_mut().rev().find(|seen| seen.call_id == call_id && seen.result.is_none())
        {
            (seen.result, seen.missing) = (Some(result_hash), missing);
        }
        self.after_compaction(tool, (args_hash, result_hash));
    }

    /// A compaction has made room, and the model is asked again: the next calls are watched.
    fn compacted(&mut self) {
        if self.settings.after_compaction {
            self.left = self.settings.window;
            self.after.clear();
            tracing::info!(target: "tools", "the next {} tool calls are watched, since the conversation was compacted", self.left);
        }
    }

    fn after_compaction(&mut self, tool: &str, what: (u64, u64)) {
        if self.left == 0 {
            return;
        }
        self.left -= 1;
        self.after.push(what);
        let same = self.after.iter().filter(|seen| **seen == what).count();
        if same >= self.settings.window {
            self.persisted = Some(format!(
                "compaction_loop_persisted: `{tool}` was called {same} times with the same arguments and the same result after the \
                 conversation was compacted"
            ));
        }
    }

    fn push(&mut self, seen: Seen) {
        self.calls.push_back(seen);
        while self.calls.len() > self.settings.history {
            self.calls.pop_front();
        }
    }

    fn warn(&mut self, tool: &str, stuck: &Stuck) {
        let told = stuck.count / WARN_EVERY;
        let known = self.warned.get(&stuck.key).copied();
        if known.is_none_or(|known| told > known) && (known.is_some() || self.warned.len() < MOST_WARNINGS) {
            self.warned.insert(stuck.key.clone(), told);
            tracing::warn!(target: "tools", tool, detector = stuck.detector, count = stuck.count, "{}", stuck.message);
        }
    }

    /// The first detector that fires, the strictest first.
    fn find(&self, tool: &str, args: &Value, hash: u64) -> Option<Stuck> {
        let set = &self.settings;
        let stuck = |detector, count: usize, block, message: String, key: String| Some(Stuck { detector, count, block, message, key });
        let missing = self.calls.iter().rev().take_while(|seen| seen.missing && seen.tool == tool).count();
        if missing >= set.unknown {
            let text = format!("`{tool}` is not available and was called {missing} times. Stop calling it and answer without it.");
            return stuck("unknown_tool_repeat", missing, true, text, format!("unknown:{tool}"));
        }
        let same = self.without_progress(hash);
        if same >= set.breaker {
            let text = format!("`{tool}` gave the same result for the same arguments {same} times. This run may not call it so again.");
            return stuck("global_circuit_breaker", same, true, text, format!("breaker:{hash}"));
        }
        let polls = is_poll(tool, args);
        if polls && set.poll && same >= set.warn {
            let block = same >= set.critical;
            let text =
                format!("`{tool}` was asked {same} times and nothing changed. Wait longer between looks, or report that it is stuck.");
            return stuck("known_poll_no_progress", same, block, text, format!("poll:{hash}"));
        }
        let (turns, idle, other) = self.alternating(hash);
        if set.ping_pong && turns >= set.warn {
            let block = turns >= set.critical && idle;
            let text = format!("The same two calls took turns {turns} times. Stop repeating them and say what does not work.");
            return stuck("ping_pong", turns, block, text, format!("pingpong:{}:{}", hash.min(other), hash.max(other)));
        }
        if polls || !set.generic {
            return None;
        }
        if same >= set.critical {
            let text = format!("`{tool}` gave the same result for the same arguments {same} times. Go on without it.");
            return stuck("generic_repeat", same, true, text, format!("generic:{hash}"));
        }
        let recent = self.calls.iter().filter(|seen| seen.args == hash).count();
        if recent >= set.warn {
            let text = format!("`{tool}` was called {recent} times with the same arguments. If that brings nothing new, stop and say so.");
            return stuck("generic_repeat", recent, false, text, format!("generic:{hash}"));
        }
        None
    }

    /// How often this call last gave one and the same result.
    fn without_progress(&self, hash: u64) -> usize {
        let mut results = self.calls.iter().rev().filter(|seen| seen.args == hash).filter_map(|seen| seen.result);
        let Some(last) = results.next() else { return 0 };
        1 + results.take_while(|result| *result == last).count()
    }

    /// How long two calls have taken turns, this one counted, whether each gave one and the same result, and the other call.
    fn alternating(&self, hash: u64) -> (usize, bool, u64) {
        let none = (0, false, 0);
        let Some(last) = self.calls.back().map(|seen| seen.args) else { return none };
        let other = self.calls.iter().rev().map(|seen| seen.args).find(|args| *args != last);
        if other != Some(hash) {
            return none;
        }
        let expected = |at: usize| if at.is_multiple_of(2) { last } else { hash };
        let tail: Vec<&Seen> =
            self.calls.iter().rev().enumerate().take_while(|(at, seen)| seen.args == expected(*at)).map(|(_, s)| s).collect();
        if tail.len() < 2 {
            return none;
        }
        let constant = |of: u64| {
            let mut results = tail.iter().filter(|seen| seen.args == of).map(|seen| seen.result);
            let first = results.next().flatten();
            first.is_some() && results.all(|result| result == first)
        };
        (tail.len() + 1, constant(last) && constant(hash), last)
    }
}

/// Calls that are made again by their nature.
fn is_poll(tool: &str, args: &Value) -> bool {
    tool == "process" && matches!(args["action"].as_str(), Some("poll" | "log"))
}

#[cfg(test)]
#[path = "loops_tests.rs"]
mod tests;
