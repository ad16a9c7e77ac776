//! Watching handlers at work: who was called, with what shape, how long it took, what came of it.
//!
//! Nothing is built while nobody watches: a dispatch looks at one pointer. An observer runs on the way of the dispatch, so it must be
//! quick and must not block.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use chela_plugin::{CallError, SharedJson};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::counters::Counters;
use crate::text::error_text;

/// Depth to which a shape is described; what lies deeper is named by its kind alone.
const DEPTH: usize = 4;
/// Members of one object in a shape. A plugin's result may have any number.
const MEMBERS: usize = 40;
/// A payload whose text is longer is described by its shape even where values were asked for, in bytes.
const MOST_VALUE: usize = 64 * 1024;

/// The bus that a handler listens to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HookKind {
    /// `api.on` with the name of a typed hook.
    Typed,
    /// `HOOK.md` files and `api.registerHook`.
    Internal,
}

/// One call of one handler that has ended.
#[derive(Debug)]
pub struct HandlerCall<'a> {
    /// The plugin.
    pub plugin_id: &'a str,
    /// The bus.
    pub kind: HookKind,
    /// The hook's name, or `type:action`.
    pub hook: &'a str,
    /// What the handler got first.
    pub event: &'a SharedJson,
    /// What it got second; internal handlers get nothing.
    pub ctx: Option<&'a SharedJson>,
    /// What it returned, or how it failed.
    pub result: &'a Result<Value, CallError>,
    /// Time it took.
    pub took: Duration,
    /// Time it might have taken.
    pub budget: Option<Duration>,
}

/// Takes calls of handlers.
pub trait HookObserver: Send + Sync {
    /// Takes one call. Must not block.
    fn called(&self, call: &HandlerCall<'_>);
}

type Observed = Vec<(u64, Arc<dyn HookObserver>)>;

/// Who watches the handlers of one gateway, and the counts of all calls. It outlives changes of the registry.
#[derive(Default)]
pub struct HookWatch {
    pub(crate) counters: Counters,
    observers: ArcSwap<Observed>,
    changing: Mutex<()>,
    next: AtomicU64,
}

impl std::fmt::Debug for HookWatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HookWatch").field("observers", &self.observers.load().len()).finish_non_exhaustive()
    }
}

impl HookWatch {
    /// Tells `observer` of every call until the guard goes.
    pub fn observe(self: &Arc<Self>, observer: Arc<dyn HookObserver>) -> Watching {
        let id = self.next.fetch_add(1, Relaxed);
        self.change(|list| list.push((id, observer)));
        Watching { watch: self.clone(), id }
    }

    /// True when somebody watches: otherwise nothing need be built.
    pub(crate) fn any(&self) -> bool {
        !self.observers.load().is_empty()
    }

    pub(crate) fn tell(&self, call: &HandlerCall<'_>) {
        for (_, observer) in self.observers.load().iter() {
            observer.called(call);
        }
    }

    fn change(&self, change: impl FnOnce(&mut Observed)) {
        let _turn = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut list = self.observers.load().as_ref().clone();
        change(&mut list);
        self.observers.store(Arc::new(list));
    }
}

/// Ends an observation when it goes.
#[derive(Debug)]
#[must_use = "the observation ends when this is dropped"]
pub struct Watching {
    watch: Arc<HookWatch>,
    id: u64,
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.watch.change(|list| list.retain(|(id, _)| *id != self.id));
    }
}

/// A call as it is shown to people and sent to clients.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TraceRecord {
    /// Unix ms of its end.
    pub ts: i64,
    /// The plugin.
    pub plugin_id: String,
    /// The bus.
    pub kind: HookKind,
    /// The hook's name, or `type:action`.
    pub hook: String,
    /// Keys and sizes of the event, or the event itself.
    pub event: Value,
    /// Bytes of the event as JSON.
    pub event_bytes: usize,
    /// Keys and sizes of the context, or the context itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ctx: Option<Value>,
    /// `returned`, `nothing`, `threw`, `timed-out`, `cancelled` or `unreachable`.
    pub outcome: Cow<'static, str>,
    /// What it decided, in one word where there is one: `block`, `cancel`, `handled`, `approval`, `pass`, or the keys it changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<String>,
    /// Keys and sizes of what it returned, or the result itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
    /// How it failed, cleaned and cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Time it took in ms.
    pub ms: f64,
    /// Its budget in ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_ms: Option<u64>,
}

impl TraceRecord {
    /// The record of a call, with values only where they are asked for. The text of an error may quote values, so it counts as one.
    pub fn new(call: &HandlerCall<'_>, values: bool) -> Self {
        let show = |json: &SharedJson| if values && json.text().len() <= MOST_VALUE { json.value().clone() } else { shape(json.value()) };
        let failure = call.result.as_ref().err();
        let answer = call.result.as_ref().ok().filter(|value| !value.is_null());
        let small = |value: &&Value| values && value.to_string().len() <= MOST_VALUE;
        Self {
            ts: jiff::Timestamp::now().as_millisecond(),
            plugin_id: call.plugin_id.into(),
            kind: call.kind,
            hook: call.hook.into(),
            event: show(call.event),
            event_bytes: call.event.text().len(),
            ctx: call.ctx.map(show),
            outcome: Cow::Borrowed(match (failure, answer) {
                (None, None) => "nothing",
                (None, Some(_)) => "returned",
                (Some(CallError::TimedOut(_)), _) => "timed-out",
                (Some(CallError::Cancelled), _) => "cancelled",
                (Some(CallError::Gone { .. }), _) => "unreachable",
                (Some(_), _) => "threw",
            }),
            decision: answer.and_then(decision),
            result: answer.map(|value| if small(&value) { value.clone() } else { shape(value) }),
            error: failure.map(|error| match (values, error) {
                (false, CallError::Thrown { name, message, .. }) => format!("{name} ({} characters)", message.chars().count()),
                _ => error_text(&error.to_string()),
            }),
            ms: (call.took.as_secs_f64() * 1e5).round() / 100.0,
            budget_ms: call.budget.map(|budget| u64::try_from(budget.as_millis()).unwrap_or(u64::MAX)),
        }
    }

    /// One line for a terminal.
    pub fn line(&self) -> String {
        format!("{} {}", self.plugin_id, self.what())
    }

    /// The line without the plugin. Texts of plugins lose what a terminal would act on.
    pub fn what(&self) -> String {
        let mut out = format!("{} {}", self.hook, compact(&self.event));
        match (&self.error, &self.decision, &self.result) {
            (Some(error), ..) => out.push_str(&format!(" -> {}: {error}", self.outcome)),
            (None, Some(decision), Some(result)) if decision.contains(' ') => out.push_str(&format!(" -> {decision} {}", compact(result))),
            (None, Some(decision), Some(result)) => out.push_str(&format!(" -> {decision}, {}", compact(result))),
            (None, _, Some(result)) => out.push_str(&format!(" -> {}", compact(result))),
            (None, _, None) => out.push_str(" -> nothing"),
        }
        out.push_str(&format!(" ({:.1} ms)", self.ms));
        out.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
    }
}

/// What a result says, without its texts.
fn decision(result: &Value) -> Option<String> {
    let map = result.as_object()?;
    let is = |key: &str| map.get(key) == Some(&Value::Bool(true));
    for (key, word) in [("block", "block"), ("cancel", "cancel"), ("handled", "handled")] {
        if is(key) {
            return Some(word.into());
        }
    }
    if map.get("requireApproval").is_some_and(Value::is_object) {
        return Some("approval".into());
    }
    // Words of the contract, not of a person.
    if let Some(word) = ["outcome", "action", "decision"].iter().find_map(|key| map.get(*key)?.as_str()).filter(|word| is_word(word)) {
        return Some(word.into());
    }
    let keys: Vec<&str> = map.iter().filter(|(_, value)| !value.is_null()).map(|(key, _)| key.as_str()).take(MEMBERS).collect();
    (!keys.is_empty()).then(|| format!("changed {}", keys.join(", ")))
}

fn is_word(text: &str) -> bool {
    text.len() <= 24 && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'-' || b == b'_')
}

/// Keys and sizes of a value, none of its contents: texts become `string(LENGTH)`, lists the shape of their first entry and a count.
pub fn shape(value: &Value) -> Value {
    shape_at(value, 0)
}

fn shape_at(value: &Value, depth: usize) -> Value {
    match value {
        Value::Null => "null".into(),
        Value::Bool(_) => "boolean".into(),
        Value::Number(_) => "number".into(),
        Value::String(text) => format!("string({})", text.chars().count()).into(),
        Value::Array(list) if depth >= DEPTH || list.is_empty() => format!("array({})", list.len()).into(),
        Value::Array(list) => {
            let mut out: Vec<Value> = list.first().map(|first| shape_at(first, depth + 1)).into_iter().collect();
            if list.len() > 1 {
                out.push(format!("{} more", list.len() - 1).into());
            }
            out.into()
        }
        Value::Object(map) if depth >= DEPTH => format!("object({})", map.len()).into(),
        Value::Object(map) => {
            let mut out: Map<String, Value> =
                map.iter().take(MEMBERS).map(|(key, value)| (key.clone(), shape_at(value, depth + 1))).collect();
            if map.len() > MEMBERS {
                out.insert("…".into(), format!("{} more", map.len() - MEMBERS).into());
            }
            out.into()
        }
    }
}

/// Longest value in a line, in characters.
const SHOWN: usize = 160;

/// JSON without the quotes around keys and shapes, cut.
fn compact(value: &Value) -> String {
    let text = value.to_string().replace('"', "");
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn record(result: Result<Value, CallError>, values: bool) -> TraceRecord {
        let event =
            SharedJson::new(json!({"content": "a secret", "list": [{"role": "user"}, 2, 3], "deep": {"a": {"b": {"c": {"d": 1}}}}}));
        let ctx = SharedJson::new(json!({"sessionKey": "agent:main:x"}));
        TraceRecord::new(
            &HandlerCall {
                plugin_id: "p",
                kind: HookKind::Typed,
                hook: "before_tool_call",
                event: &event,
                ctx: Some(&ctx),
                result: &result,
                took: Duration::from_micros(1234),
                budget: Some(Duration::from_secs(15)),
            },
            values,
        )
    }

    #[test]
    fn a_shape_holds_keys_and_sizes_and_no_value() {
        let record = record(Ok(json!({"block": true, "blockReason": "because of a secret"})), false);
        assert_eq!(
            record.event,
            json!({"content": "string(8)", "list": [{"role": "string(4)"}, "2 more"], "deep": {"a": {"b": {"c": "object(1)"}}}})
        );
        assert_eq!((record.outcome.as_ref(), record.decision.as_deref(), record.ms), ("returned", Some("block"), 1.23));
        let text = serde_json::to_string(&record).unwrap() + &record.line();
        assert!(!text.contains("secret") && !text.contains("agent:main:x"), "{text}");
        assert!(record.line().starts_with("p before_tool_call {content:string(8),"), "{}", record.line());
    }

    #[test]
    fn values_are_there_on_request_up_to_a_size() {
        let with = record(Ok(json!({"params": {"a": 1}})), true);
        assert_eq!((&with.event["content"], with.decision.as_deref()), (&json!("a secret"), Some("changed params")));
        let large = SharedJson::new(json!({"text": "x".repeat(MOST_VALUE)}));
        let call = HandlerCall {
            plugin_id: "p",
            kind: HookKind::Internal,
            hook: "command:new",
            event: &large,
            ctx: None,
            result: &Ok(Value::Null),
            took: Duration::ZERO,
            budget: None,
        };
        let cut = TraceRecord::new(&call, true);
        assert_eq!((&cut.event["text"], cut.outcome.as_ref()), (&json!(format!("string({MOST_VALUE})")), "nothing"));
    }

    #[test]
    fn failures_tell_their_kind_and_no_text_of_theirs() {
        let thrown = || CallError::thrown("the password is hunter2");
        for (error, outcome) in [(thrown(), "threw"), (CallError::TimedOut(50), "timed-out"), (CallError::Cancelled, "cancelled")] {
            let shown = record(Err(error), false);
            assert_eq!(shown.outcome, outcome);
            assert!(!shown.line().contains("hunter2"), "{}", shown.line());
        }
        assert!(record(Err(thrown()), true).error.unwrap().contains("hunter2"));
    }

    #[test]
    fn an_observer_hears_until_its_guard_goes() {
        struct Count(AtomicU64);
        impl HookObserver for Count {
            fn called(&self, _: &HandlerCall<'_>) {
                self.0.fetch_add(1, Relaxed);
            }
        }
        let (watch, count) = (Arc::new(HookWatch::default()), Arc::new(Count(AtomicU64::new(0))));
        let (event, result) = (SharedJson::new(Value::Null), Ok(Value::Null));
        let call = HandlerCall {
            plugin_id: "p",
            kind: HookKind::Typed,
            hook: "agent_end",
            event: &event,
            ctx: None,
            result: &result,
            took: Duration::ZERO,
            budget: None,
        };
        assert!(!watch.any());
        let guard = watch.observe(count.clone());
        watch.tell(&call);
        drop(guard);
        watch.tell(&call);
        assert!(!watch.any());
        assert_eq!(count.0.load(Relaxed), 1);
    }
}
