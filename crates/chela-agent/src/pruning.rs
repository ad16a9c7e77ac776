//! Old tool results made smaller before a model call (`agents.defaults.contextPruning`): only what the model sees, never the transcript.
//!
//! A provider's cache forgets a prompt after a while, and then all of it is paid for again. Whoever comes back later need not pay for
//! results that nobody looks at any more.

use chela_config::Config;
use chela_config::units::parse_duration_ms;
use serde_json::{Value, json};

use crate::tool_policy::ToolPolicy;

/// Characters of one token, as the reference counts here.
const CHARS_PER_TOKEN: u64 = 4;
/// What an image in a result counts, in characters.
const IMAGE_CHARS: usize = 8000;

/// How results are made smaller.
#[derive(Clone, Debug)]
pub(crate) struct Pruning {
    /// How long the provider keeps a prompt, in milliseconds.
    ttl_ms: i64,
    keep_assistants: usize,
    soft_ratio: f64,
    hard_ratio: f64,
    min_chars: usize,
    soft_max: usize,
    head: usize,
    tail: usize,
    hard: bool,
    placeholder: String,
    tools: ToolPolicy,
}

impl Pruning {
    /// Reads it; `None` unless its mode is `cache-ttl`.
    pub(crate) fn from_config(config: &Config) -> Option<Self> {
        Self::of(config.get("agents.defaults.contextPruning")?)
    }

    fn of(section: &Value) -> Option<Self> {
        if section["mode"] != "cache-ttl" {
            return None;
        }
        let number =
            |at: &str, or: usize| section.pointer(at).and_then(Value::as_f64).filter(|n| n.is_finite()).map_or(or, |n| n.max(0.0) as usize);
        let ratio = |at: &str, or: f64| section.pointer(at).and_then(Value::as_f64).filter(|n| n.is_finite()).unwrap_or(or).clamp(0.0, 1.0);
        let texts = |at: &str| {
            section.pointer(at).and_then(Value::as_array).map(|l| l.iter().filter_map(|v| v.as_str().map(str::to_string)).collect())
        };
        let ttl = section["ttl"].as_str().and_then(|text| parse_duration_ms(text, "m")).unwrap_or(5 * 60_000);
        Some(Self {
            ttl_ms: i64::try_from(ttl).unwrap_or(i64::MAX),
            keep_assistants: number("/keepLastAssistants", 3),
            soft_ratio: ratio("/softTrimRatio", 0.3),
            hard_ratio: ratio("/hardClearRatio", 0.5),
            min_chars: number("/minPrunableToolChars", 50_000),
            soft_max: number("/softTrim/maxChars", 4000),
            head: number("/softTrim/headChars", 1500),
            tail: number("/softTrim/tailChars", 1500),
            hard: section.pointer("/hardClear/enabled") != Some(&Value::Bool(false)),
            placeholder: section
                .pointer("/hardClear/placeholder")
                .and_then(Value::as_str)
                .filter(|t| !t.trim().is_empty())
                .unwrap_or("[an old tool result was left out]")
                .to_string(),
            tools: ToolPolicy::of(texts("/tools/allow").unwrap_or_default(), texts("/tools/deny").unwrap_or_default()),
        })
    }

    /// True when the provider has forgotten the prompt whose last call ended at `last_call_ms`.
    pub(crate) fn is_due(&self, last_call_ms: Option<i64>, now_ms: i64) -> bool {
        last_call_ms.is_some_and(|at| now_ms - at >= self.ttl_ms)
    }

    /// Makes old results smaller; `window` is the model's, in tokens. Hands back how many changed.
    pub(crate) fn apply(&self, messages: &mut [Value], window: u64) -> usize {
        let room = (window * CHARS_PER_TOKEN) as f64;
        let mut all: usize = messages.iter().map(size).sum();
        let assistants: Vec<usize> = (0..messages.len()).filter(|at| messages[*at]["role"] == "assistant").collect();
        // Without that many answers nothing is old yet.
        let Some(end) =
            assistants.len().checked_sub(self.keep_assistants).and_then(|at| assistants.get(at).copied().or(Some(messages.len())))
        else {
            return 0;
        };
        let Some(start) = messages.iter().position(|m| m["role"] == "user") else { return 0 };
        let prunable: Vec<usize> = (start..end).filter(|at| self.may(&messages[*at])).collect();
        if (all as f64) < room * self.soft_ratio {
            return 0;
        }
        let mut changed = 0;
        for at in &prunable {
            let before = size(&messages[*at]);
            if let Some(trimmed) = self.trimmed(&messages[*at]) {
                messages[*at] = trimmed;
                all = all + size(&messages[*at]) - before;
                changed += 1;
            }
        }
        let left: usize = prunable.iter().map(|at| size(&messages[*at])).sum();
        if !self.hard || (all as f64) < room * self.hard_ratio || left < self.min_chars {
            return changed;
        }
        for at in prunable {
            if (all as f64) < room * self.hard_ratio {
                break;
            }
            let before = size(&messages[at]);
            messages[at]["content"] = json!([{"type": "text", "text": self.placeholder}]);
            all = (all + size(&messages[at])).saturating_sub(before);
            changed += 1;
        }
        changed
    }

    /// Results with images are left alone: what they show cannot be cut.
    fn may(&self, message: &Value) -> bool {
        let images = message["content"].as_array().is_some_and(|blocks| blocks.iter().any(|b| b["type"] == "image"));
        message["role"] == "toolResult" && !images && self.tools.permits_core_tool(message["toolName"].as_str().unwrap_or_default())
    }

    fn trimmed(&self, message: &Value) -> Option<Value> {
        let text = crate::message::text_of(message);
        let chars = text.chars().count();
        if chars <= self.soft_max || self.head + self.tail >= chars {
            return None;
        }
        let head: String = text.chars().take(self.head).collect();
        let tail: String = text.chars().skip(chars - self.tail).collect();
        let note = format!("[of {chars} characters only the first {} and the last {} are kept]", self.head, self.tail);
        let mut out = message.clone();
        out["content"] = json!([{"type": "text", "text": format!("{head}\n...\n{tail}\n\n{note}")}]);
        Some(out)
    }
}

fn size(message: &Value) -> usize {
    let blocks = message["content"].as_array().map_or(0, |blocks| {
        let one = |b: &Value| match b["type"].as_str() {
            Some("image") => IMAGE_CHARS,
            Some("toolCall") => b["arguments"].to_string().len(),
            Some("thinking") => b["thinking"].as_str().map_or(0, str::len),
            _ => b["text"].as_str().map_or(0, str::len),
        };
        blocks.iter().map(one).sum()
    });
    blocks + message["content"].as_str().map_or(0, str::len)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(role: &str, length: usize) -> Value {
        json!({"role": role, "toolName": "fetch", "content": [{"type": "text", "text": "x".repeat(length)}]})
    }

    fn turns(results: &[usize]) -> Vec<Value> {
        results.iter().flat_map(|n| [said("user", 10), said("assistant", 10), said("toolResult", *n), said("assistant", 10)]).collect()
    }

    #[test]
    fn old_results_are_trimmed_and_then_cleared() {
        let plain = Pruning::of(&json!({"mode": "cache-ttl"})).unwrap();
        assert!(Pruning::of(&json!({"mode": "off"})).is_none() && Pruning::of(&json!({})).is_none());
        assert!(plain.is_due(Some(0), 300_000) && !plain.is_due(Some(1), 300_000) && !plain.is_due(None, 1));
        let mut all = turns(&[5000, 100, 5000]);
        assert_eq!(plain.apply(&mut all, 1_000_000), 0, "there is room");
        assert_eq!(plain.apply(&mut all, 5000), 1, "only the first is old");
        let text = crate::message::text_of(&all[2]);
        assert!(text.len() < 3200 && text.contains("of 5000 characters"), "{text}");
        assert_eq!(crate::message::text_of(&all[10]).len(), 5000);
        let hard = Pruning::of(
            &json!({"mode": "cache-ttl", "minPrunableToolChars": 10, "hardClear": {"placeholder": "gone"}, "keepLastAssistants": 1}),
        );
        let mut all = turns(&[3000, 3000, 3000]);
        assert_eq!(hard.unwrap().apply(&mut all, 1200), 3);
        assert_eq!(crate::message::text_of(&all[2]), "gone");
        let deny = Pruning::of(&json!({"mode": "cache-ttl", "tools": {"deny": ["fetch"]}, "keepLastAssistants": 0})).unwrap();
        assert_eq!(deny.apply(&mut turns(&[9000]), 100), 0);
    }
}
