//! Things that happened, told to the agent with its next turn: lines `System: [time] text` before the message (RT-109, RT-110).
//!
//! They are kept in memory, as the reference keeps them: what matters across a restart is an injection or a message.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

/// Waiting events of one session; the oldest ones go (RT-110).
const MAX_EVENTS: usize = 20;
/// Sessions with waiting events; beyond, that of the oldest event loses its own.
const MAX_SESSIONS: usize = 10_000;
/// Longest text, in bytes; longer ones are cut.
const MAX_TEXT: usize = 16 * 1024;

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub struct SystemEvent {
    /// What happened.
    pub text: String,
    /// Unix milliseconds.
    pub at_ms: i64,
    /// Groups events of one cause: within it an event is told once, however many others lie between.
    pub context_key: Option<String>,
    /// Where an answer would go, as the reference's delivery context.
    pub delivery_context: Option<Value>,
    /// False for text of strangers; the agent is told so.
    pub trusted: bool,
}

impl SystemEvent {
    fn repeats(&self, other: &Self) -> bool {
        (&self.text, &self.context_key, &self.delivery_context, self.trusted)
            == (&other.text, &other.context_key, &other.delivery_context, other.trusted)
    }
}

/// Waiting events of all sessions.
#[derive(Debug, Default)]
pub struct SystemEvents(Mutex<HashMap<String, VecDeque<SystemEvent>>>);

impl SystemEvents {
    /// Queues an event. False for blank text and for an exact repeat: of the last event, or of any with the same context key.
    pub fn enqueue(&self, session_key: &str, mut event: SystemEvent) -> bool {
        event.text = cut(event.text.trim()).to_owned();
        event.context_key = event.context_key.map(|key| key.trim().to_lowercase()).filter(|key| !key.is_empty());
        if event.text.is_empty() {
            return false;
        }
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !all.contains_key(session_key) && all.len() >= MAX_SESSIONS {
            let oldest = all.iter().min_by_key(|(_, queue)| queue.back().map(|event| event.at_ms)).map(|(key, _)| key.clone());
            oldest.and_then(|key| all.remove(&key));
        }
        let queue = all.entry(session_key.to_owned()).or_default();
        let among = if event.context_key.is_some() { queue.len() } else { 1 };
        if queue.iter().rev().take(among).any(|other| other.repeats(&event)) {
            return false;
        }
        queue.push_back(event);
        if queue.len() > MAX_EVENTS {
            queue.pop_front();
        }
        true
    }

    /// Waiting events of a session, oldest first; they stay.
    pub fn peek(&self, session_key: &str) -> Vec<SystemEvent> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(session_key).map(|queue| queue.iter().cloned().collect()).unwrap_or_default()
    }

    /// Forgets what waits for a session: it was about the one before (a rollover).
    pub fn clear(&self, session_key: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(session_key);
    }

    /// Takes the events of a session out, as lines for a prompt; empty when there are none.
    pub(crate) fn take_text(&self, session_key: &str) -> String {
        let taken = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(session_key).unwrap_or_default();
        taken.iter().flat_map(lines).collect::<Vec<_>>().join("\n")
    }
}

fn lines(event: &SystemEvent) -> Vec<String> {
    let who = if event.trusted { "System" } else { "System (untrusted)" };
    let at = jiff::Timestamp::from_millisecond(event.at_ms).unwrap_or_default();
    let time = at.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string();
    let told = event.text.lines().enumerate();
    told.map(|(number, line)| if number == 0 { format!("{who}: [{time}] {line}") } else { format!("{who}: {line}") }).collect()
}

fn cut(text: &str) -> &str {
    let mut end = text.len().min(MAX_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(text: &str, context: Option<&str>) -> SystemEvent {
        SystemEvent {
            text: text.into(),
            at_ms: 0,
            context_key: context.map(str::to_owned),
            delivery_context: None,
            trusted: !text.starts_with("from outside"),
        }
    }

    // RT-109, RT-110
    #[test]
    fn repeats_are_refused_and_the_oldest_go() {
        let events = SystemEvents::default();
        let put = |text: &str, context| events.enqueue("k", event(text, context));
        assert!(!put("  ", None));
        assert!(put("a", None) && !put(" a ", None), "an exact repeat of the last one");
        assert!(put("b", None) && put("a", None), "another one lies between");
        assert!(put("c", Some("Mail")) && put("d", None) && !put("c", Some("mail ")), "within one context wherever it is");
        for n in 0..30 {
            assert!(put(&format!("n{n}"), None));
        }
        let texts: Vec<String> = events.peek("k").into_iter().map(|event| event.text).collect();
        assert_eq!((texts.len(), texts[0].as_str(), texts[19].as_str()), (MAX_EVENTS, "n10", "n29"));
        assert!(events.peek("other").is_empty());
    }

    #[test]
    fn they_are_told_once_line_by_line() {
        let events = SystemEvents::default();
        events.enqueue("k", event("one\ntwo", None));
        events.enqueue("k", event("from outside", None));
        let text = events.take_text("k");
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("System: [1970-") && lines[0].ends_with("] one"), "{text}");
        assert_eq!(lines[1], "System: two");
        assert!(lines[2].starts_with("System (untrusted): [") && lines[2].ends_with("] from outside"), "{text}");
        assert_eq!(events.take_text("k"), "");
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        let events = SystemEvents::default();
        events.enqueue("k", event(&"ä".repeat(MAX_TEXT), None));
        assert_eq!(events.peek("k")[0].text.len(), MAX_TEXT);
    }
}
