//! Thinking levels and what they become on the wire.

use crate::compat::Compat;

/// How much the model should reason (PRV-273).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ThinkingLevel {
    /// Not at all.
    Off,
    /// As little as possible.
    Minimal,
    /// A little.
    Low,
    /// Some.
    Medium,
    /// As the model sees fit.
    Adaptive,
    /// Much.
    High,
    /// Very much.
    Xhigh,
    /// As much as possible.
    Max,
}

impl ThinkingLevel {
    /// The canonical word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Minimal => "minimal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::Adaptive => "adaptive",
            Self::High => "high",
            Self::Xhigh => "xhigh",
            Self::Max => "max",
        }
    }

    /// Order of the levels; `medium` and `adaptive` are equal.
    pub fn rank(self) -> u8 {
        match self {
            Self::Off => 0,
            Self::Minimal => 10,
            Self::Low => 20,
            Self::Medium | Self::Adaptive => 30,
            Self::High => 40,
            Self::Xhigh => 60,
            Self::Max => 70,
        }
    }

    /// Reads a level in any of the accepted spellings (PRV-276).
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text.trim().to_ascii_lowercase().as_str() {
            "off" | "none" => Self::Off,
            "minimal" | "min" | "think" => Self::Minimal,
            "low" | "on" | "enable" | "think-hard" => Self::Low,
            "medium" | "mid" | "think-harder" => Self::Medium,
            "adaptive" | "auto" => Self::Adaptive,
            "high" | "ultra" | "ultrathink" | "highest" => Self::High,
            "xhigh" | "x-high" | "extra high" => Self::Xhigh,
            "max" => Self::Max,
            _ => return None,
        })
    }
}

/// The `reasoning_effort` word for a model, or `None` when nothing must be sent (PRV-279).
pub(crate) fn openai_effort(model: &str, level: ThinkingLevel, compat: &Compat) -> Option<String> {
    let wanted = match level {
        ThinkingLevel::Off => "none",
        ThinkingLevel::Adaptive => "medium",
        ThinkingLevel::Max => "xhigh",
        other => other.as_str(),
    };
    let map = &compat.reasoning_effort_map;
    if let Some(mapped) = map.get(level.as_str()).or_else(|| map.get(wanted)) {
        return Some(mapped.clone());
    }
    let supported: Vec<&str> = match &compat.supported_reasoning_efforts {
        Some(list) => list.iter().map(String::as_str).collect(),
        None => family_efforts(model).to_vec(),
    };
    nearest_effort(wanted, &supported).map(str::to_owned)
}

fn family_efforts(model: &str) -> &'static [&'static str] {
    let id = model.rsplit('/').next().unwrap_or(model).to_ascii_lowercase();
    if id.starts_with("gpt-5-pro") {
        &["high"]
    } else if id.starts_with("gpt-5") && id.contains("pro") {
        &["medium", "high", "xhigh"]
    } else if id.starts_with("gpt-5") && id.contains("codex") {
        &["low", "medium", "high", "xhigh"]
    } else if id.starts_with("gpt-5.1") {
        &["none", "low", "medium", "high"]
    } else if id.starts_with("gpt-5.") {
        &["none", "low", "medium", "high", "xhigh"]
    } else if id.starts_with("gpt-5") {
        &["minimal", "low", "medium", "high"]
    } else {
        &["low", "medium", "high"]
    }
}

fn nearest_effort<'a>(wanted: &str, supported: &[&'a str]) -> Option<&'a str> {
    let pick = |names: &[&str]| names.iter().find_map(|n| supported.iter().find(|s| *s == n)).copied();
    match wanted {
        "none" => pick(&["none"]),
        "minimal" => pick(&["minimal", "low", "medium", "high"]),
        "low" => pick(&["low", "medium", "high"]),
        "medium" => pick(&["medium", "high", "low"]),
        "high" => pick(&["high", "medium", "low"]),
        _ => pick(&["xhigh", "high", "medium", "low"]),
    }
}

/// What an Anthropic request says about thinking (PRV-280).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AnthropicThinking {
    /// Nothing is sent.
    Default,
    /// Thinking is off.
    Disabled,
    /// The model budgets itself, guided by an effort word.
    Adaptive(&'static str),
    /// So many tokens, added to the output limit.
    Budget(u32),
}

/// Chooses the Anthropic form of a level for a model.
pub(crate) fn anthropic_thinking(model: &str, level: Option<ThinkingLevel>) -> AnthropicThinking {
    let Some(level) = level else {
        return AnthropicThinking::Default;
    };
    let id = model.to_ascii_lowercase();
    let is = |version: &str| id.contains(&format!("4-{version}")) || id.contains(&format!("4.{version}"));
    if level == ThinkingLevel::Off {
        return AnthropicThinking::Disabled;
    }
    if is("6") || is("7") {
        return AnthropicThinking::Adaptive(match level {
            ThinkingLevel::Minimal | ThinkingLevel::Low => "low",
            ThinkingLevel::Medium => "medium",
            ThinkingLevel::Xhigh if is("7") => "xhigh",
            ThinkingLevel::Xhigh | ThinkingLevel::Max if is("6") && id.contains("opus") => "max",
            _ => "high",
        });
    }
    AnthropicThinking::Budget(match level {
        ThinkingLevel::Minimal => 1024,
        ThinkingLevel::Low => 2048,
        ThinkingLevel::Medium | ThinkingLevel::Adaptive => 8192,
        _ => 16384,
    })
}

/// Whether a model that no catalogue row describes is likely to reason, judged by its id.
pub(crate) fn looks_like_reasoning(model: &str) -> bool {
    let id = model.rsplit('/').next().unwrap_or(model).to_ascii_lowercase();
    let family = ["gpt-5", "o1", "o3", "o4"].iter().any(|p| id.starts_with(p));
    family || ["r1", "reasoning", "think", "reason"].iter().any(|p| id.contains(p))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_and_spellings() {
        // PRV-273, PRV-276
        let ranks = [("off", 0), ("minimal", 10), ("low", 20), ("medium", 30), ("adaptive", 30), ("high", 40), ("xhigh", 60), ("max", 70)];
        for (word, rank) in ranks {
            let level = ThinkingLevel::parse(word).unwrap();
            assert_eq!((level.rank(), level.as_str()), (rank, word));
        }
        let spellings = [
            ("auto", "adaptive"),
            ("x-high", "xhigh"),
            ("extra high", "xhigh"),
            ("on", "low"),
            ("enable", "low"),
            ("min", "minimal"),
            ("think", "minimal"),
            ("think-hard", "low"),
            ("think-harder", "medium"),
            ("mid", "medium"),
            ("ultra", "high"),
            ("ultrathink", "high"),
            ("HIGHEST", "high"),
        ];
        for (text, want) in spellings {
            assert_eq!(ThinkingLevel::parse(text).map(ThinkingLevel::as_str), Some(want), "{text}");
        }
        assert_eq!(ThinkingLevel::parse("lots"), None);
    }

    #[test]
    fn openai_efforts_per_family() {
        // PRV-279
        use ThinkingLevel as L;
        let cases = [
            ("gpt-5", L::Minimal, Some("minimal")),
            ("gpt-5", L::Off, None),
            ("gpt-5.1", L::Off, Some("none")),
            ("gpt-5.1", L::Minimal, Some("low")),
            ("gpt-5.1", L::Xhigh, Some("high")),
            ("gpt-5.5", L::Xhigh, Some("xhigh")),
            ("gpt-5.2-codex", L::Off, None),
            ("gpt-5.2-codex", L::Minimal, Some("low")),
            ("gpt-5.2-pro", L::Minimal, Some("medium")),
            ("gpt-5-pro", L::Low, Some("high")),
            ("o3", L::Medium, Some("medium")),
        ];
        for (model, level, want) in cases {
            assert_eq!(openai_effort(model, level, &Compat::default()).as_deref(), want, "{model} {level:?}");
        }
    }

    #[test]
    fn anthropic_forms() {
        // PRV-280
        use AnthropicThinking as A;
        use ThinkingLevel as L;
        let cases = [
            ("claude-opus-4-6", Some(L::Minimal), A::Adaptive("low")),
            ("claude-opus-4-6", Some(L::Max), A::Adaptive("max")),
            ("claude-sonnet-4.6", Some(L::Xhigh), A::Adaptive("high")),
            ("claude-opus-4-7", Some(L::Xhigh), A::Adaptive("xhigh")),
            ("claude-opus-4-7", Some(L::Medium), A::Adaptive("medium")),
            ("claude-sonnet-4-5", Some(L::Minimal), A::Budget(1024)),
            ("claude-sonnet-4-5", Some(L::Low), A::Budget(2048)),
            ("claude-sonnet-4-5", Some(L::Medium), A::Budget(8192)),
            ("claude-sonnet-4-5", Some(L::High), A::Budget(16384)),
            ("claude-sonnet-4-5", Some(L::Off), A::Disabled),
            ("claude-sonnet-4-5", None, A::Default),
        ];
        for (model, level, want) in cases {
            assert_eq!(anthropic_thinking(model, level), want, "{model} {level:?}");
        }
    }
}
