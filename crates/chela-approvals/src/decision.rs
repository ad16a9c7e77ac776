//! The three answers.

use serde_json::Value;

/// An answer to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// This time.
    AllowOnce,
    /// This time, and the same again without a question.
    AllowAlways,
    /// No.
    Deny,
}

impl Decision {
    /// All of them, in the order in which they are offered.
    pub const ALL: [Self; 3] = [Self::AllowOnce, Self::AllowAlways, Self::Deny];

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AllowOnce => "allow-once",
            Self::AllowAlways => "allow-always",
            Self::Deny => "deny",
        }
    }

    /// Reads the word on the wire.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|d| d.as_str() == text)
    }

    /// Reads what people type after `/approve ID` (HOOK-185).
    pub fn from_words(text: &str) -> Option<Self> {
        match text.trim().to_ascii_lowercase().as_str() {
            "allow-once" | "allow" | "once" | "allowonce" | "yes" | "approve" => Some(Self::AllowOnce),
            "allow-always" | "always" | "allowalways" => Some(Self::AllowAlways),
            "deny" | "reject" | "block" | "no" => Some(Self::Deny),
            _ => None,
        }
    }

    /// True for both answers that let it happen.
    pub fn allows(self) -> bool {
        self != Self::Deny
    }

    /// The answers that a request permits: its own list, else all of them.
    pub fn allowed_by(request: &Value) -> Vec<Self> {
        let listed = request.get("allowedDecisions").and_then(Value::as_array).into_iter().flatten();
        let own: Vec<Self> = listed.filter_map(Value::as_str).filter_map(Self::parse).collect();
        if own.is_empty() { Self::ALL.to_vec() } else { own }
    }
}
