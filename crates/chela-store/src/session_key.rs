//! Session keys: parsing, building and canonical form (CH-133..142).
//!
//! A key names a conversation; the session id names one transcript of it. Keys are lower case and
//! `agent:<agent>:<rest>`, save for the bare keys of the global scope. Nothing here does I/O.

mod build;
mod parse;

pub use build::{DmScope, PeerKind, PeerRoute, peer_key, thread_key, with_thread};
pub use parse::{AgentKey, ConversationRef, KeyKind, ParsedKey, conversation_ref, parse, parse_agent_key, split_thread};

/// Agent id used when none is given or nothing valid is left of it.
pub const DEFAULT_AGENT_ID: &str = "main";
/// Rest of the key of an agent's main session.
pub const MAIN_KEY: &str = "main";
/// Bare key of the one session in global scope.
pub const GLOBAL_KEY: &str = "global";
/// Longest agent or account id, in characters.
pub const MAX_ID_CHARS: usize = 64;

/// True for 1-64 ASCII letters, digits, `_` and `-` that start with a letter or digit, in any case (CH-135).
pub fn is_valid_agent_id(raw: &str) -> bool {
    let id = raw.trim();
    id.len() <= MAX_ID_CHARS
        && id.starts_with(|c: char| c.is_ascii_alphanumeric())
        && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

/// The agent id in canonical form; invalid input is repaired, and nothing left becomes `main` (CH-135).
pub fn normalize_agent_id(raw: &str) -> String {
    let id = canonical_id(raw);
    if id.is_empty() { DEFAULT_AGENT_ID.to_owned() } else { id }
}

/// The account id in canonical form, by the same repair as agent ids; blank becomes `default`.
pub fn normalize_account_id(raw: &str) -> String {
    let id = canonical_id(raw);
    let blocked = matches!(id.as_str(), "" | "__proto__" | "prototype" | "constructor");
    if blocked { "default".to_owned() } else { id }
}

fn canonical_id(raw: &str) -> String {
    let trimmed = raw.trim();
    let lowered = trimmed.to_lowercase();
    if is_valid_agent_id(trimmed) {
        return lowered;
    }
    let mut repaired = String::with_capacity(lowered.len());
    let mut in_bad_run = false;
    for c in lowered.chars() {
        let good = c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
        if good {
            repaired.push(c);
        } else if !in_bad_run {
            repaired.push('-');
        }
        in_bad_run = !good;
    }
    repaired.trim_matches('-').chars().take(MAX_ID_CHARS).collect()
}

/// Key of an agent's main session; routing always uses `main`, whatever `session.mainKey` says (CH-139).
pub fn main_key(agent_id: &str) -> String {
    format!("agent:{}:{MAIN_KEY}", normalize_agent_id(agent_id))
}

/// The stored form of a key a caller gave: lower case, scoped to `agent_id` unless it already names an agent
/// or is the bare key of the global scope; blank and `main` mean the agent's main session (CH-133).
pub fn canonicalize(raw: &str, agent_id: &str) -> String {
    let lowered = raw.trim().to_lowercase();
    if lowered.is_empty() || lowered == MAIN_KEY {
        return main_key(agent_id);
    }
    if let Some(key) = parse_agent_key(&lowered) {
        return format!("agent:{}:{}", key.agent_id, key.rest);
    }
    if lowered == GLOBAL_KEY || lowered.starts_with("agent:") {
        return lowered;
    }
    format!("agent:{}:{lowered}", normalize_agent_id(agent_id))
}

/// Agent a key belongs to; keys without one belong to `main`.
pub fn agent_of(key: &str) -> String {
    parse_agent_key(key).map_or_else(|| DEFAULT_AGENT_ID.to_owned(), |k| normalize_agent_id(&k.agent_id))
}

#[cfg(test)]
mod tests;
