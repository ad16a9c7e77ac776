//! Reading session keys.

use super::{GLOBAL_KEY, MAIN_KEY};

/// The two halves of an agent-scoped key, lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentKey {
    /// Agent id as written, lower case, not repaired.
    pub agent_id: String,
    /// Everything after it, empty segments removed.
    pub rest: String,
}

/// A key taken apart (CH-134).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParsedKey {
    /// The agent, unless the key is bare.
    pub agent_id: Option<String>,
    /// What the rest of the key means.
    pub kind: KeyKind,
    /// Thread id of a `:thread:` suffix.
    pub thread_id: Option<String>,
    /// True for the synthetic session of an isolated heartbeat.
    pub heartbeat: bool,
}

/// Meaning of the rest of a key (CH-134).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyKind {
    /// The agent's main session.
    Main,
    /// The one session of the global scope.
    Global,
    /// A person.
    Direct {
        /// Channel, unless the scope is per peer.
        channel: Option<String>,
        /// Account, when the scope names it.
        account: Option<String>,
        /// Peer id.
        peer: String,
    },
    /// A group or channel.
    Conversation {
        /// Channel id.
        channel: String,
        /// `group` or `channel`.
        kind: &'static str,
        /// Conversation id without the topic.
        id: String,
        /// Topic embedded in the id (CH-141).
        topic: Option<String>,
    },
    /// A scheduled job.
    Cron {
        /// Job id.
        job: String,
        /// Run id of an isolated run.
        run: Option<String>,
    },
    /// An incoming webhook.
    Hook(String),
    /// A sub-agent run.
    Subagent(String),
    /// An ACP session.
    Acp(String),
    /// A key the caller chose.
    Explicit(String),
    /// A request of the OpenAI-compatible interfaces, by uuid or by user.
    OpenAi {
        /// Prefix as written: `openai`, `openai-user`, `openresponses` or `openresponses-user`.
        prefix: &'static str,
        /// Uuid or user.
        id: String,
    },
    /// Anything else.
    Other(String),
}

/// The agent and the rest of an agent-scoped key; `None` when the key is not one (CH-133).
pub fn parse_agent_key(raw: &str) -> Option<AgentKey> {
    let lowered = raw.trim().to_lowercase();
    let mut parts = lowered.split(':').filter(|p| !p.is_empty());
    if parts.next()? != "agent" {
        return None;
    }
    let agent_id = parts.next()?.trim().to_owned();
    let rest = parts.collect::<Vec<_>>().join(":");
    (!agent_id.is_empty() && !rest.is_empty()).then_some(AgentKey { agent_id, rest })
}

/// Base key and thread id; the last `:thread:` marker counts (CH-140).
pub fn split_thread(key: &str) -> (&str, Option<&str>) {
    const MARKER: &str = ":thread:";
    let raw = key.trim();
    let lowered = raw.to_ascii_lowercase();
    match lowered.rfind(MARKER) {
        Some(at) => {
            let id = raw[at + MARKER.len()..].trim();
            (&raw[..at], (!id.is_empty()).then_some(id))
        }
        None => (raw, None),
    }
}

/// Takes a key apart; every non-blank key parses, unknown shapes as [`KeyKind::Other`].
pub fn parse(raw: &str) -> ParsedKey {
    let lowered = raw.trim().to_lowercase();
    let (agent_id, rest) = match parse_agent_key(&lowered) {
        Some(key) => (Some(key.agent_id), key.rest),
        None => (None, lowered),
    };
    let (rest, heartbeat) = match rest.strip_suffix(":heartbeat") {
        Some(base) => (base.to_owned(), true),
        None => (rest, false),
    };
    let (base, thread) = split_thread(&rest);
    ParsedKey { agent_id, kind: kind_of(base), thread_id: thread.map(str::to_owned), heartbeat }
}

fn kind_of(rest: &str) -> KeyKind {
    let parts: Vec<&str> = rest.split(':').filter(|p| !p.is_empty()).collect();
    let tail = |from: usize| parts[from..].join(":");
    match parts.as_slice() {
        [MAIN_KEY] => KeyKind::Main,
        [GLOBAL_KEY] => KeyKind::Global,
        ["cron", job] => KeyKind::Cron { job: (*job).to_owned(), run: None },
        ["cron", job, "run", run, ..] => KeyKind::Cron { job: (*job).to_owned(), run: Some((*run).to_owned()) },
        ["hook", _, ..] => KeyKind::Hook(tail(1)),
        ["subagent", _, ..] => KeyKind::Subagent(tail(1)),
        ["acp", _, ..] => KeyKind::Acp(tail(1)),
        ["explicit", _, ..] => KeyKind::Explicit(tail(1)),
        ["openai", _, ..] => KeyKind::OpenAi { prefix: "openai", id: tail(1) },
        ["openai-user", _, ..] => KeyKind::OpenAi { prefix: "openai-user", id: tail(1) },
        ["openresponses", _, ..] => KeyKind::OpenAi { prefix: "openresponses", id: tail(1) },
        ["openresponses-user", _, ..] => KeyKind::OpenAi { prefix: "openresponses-user", id: tail(1) },
        ["direct", _, ..] => KeyKind::Direct { channel: None, account: None, peer: tail(1) },
        [channel, "group", _, ..] => conversation(channel, "group", &tail(2)),
        [channel, "channel", _, ..] => conversation(channel, "channel", &tail(2)),
        [channel, "direct", _, ..] => KeyKind::Direct { channel: Some((*channel).to_owned()), account: None, peer: tail(2) },
        [channel, account, "direct", _, ..] => {
            KeyKind::Direct { channel: Some((*channel).to_owned()), account: Some((*account).to_owned()), peer: tail(3) }
        }
        _ => KeyKind::Other(rest.to_owned()),
    }
}

fn conversation(channel: &str, kind: &'static str, raw_id: &str) -> KeyKind {
    let (id, topic) = match raw_id.rsplit_once(":topic:") {
        Some((id, topic)) if !id.is_empty() && !topic.is_empty() => (id, Some(topic.to_owned())),
        _ => (raw_id, None),
    };
    KeyKind::Conversation { channel: channel.to_owned(), kind, id: id.to_owned(), topic }
}

/// A group or channel named by a key, for a channel's own conversation resolver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConversationRef {
    /// Channel id, lower case.
    pub channel: String,
    /// `group` or `channel`.
    pub kind: &'static str,
    /// Conversation id as written, topic and thread included.
    pub raw_id: String,
    /// Key up to and including the kind.
    pub prefix: String,
}

/// The conversation a key names: only `group` and `channel` with at least three segments after the agent (CH-142).
pub fn conversation_ref(key: &str) -> Option<ConversationRef> {
    let parts: Vec<&str> = key.trim().split(':').filter(|p| !p.is_empty()).collect();
    let body = if parts.len() >= 3 && parts[0].eq_ignore_ascii_case("agent") { 2 } else { 0 };
    let [channel, kind, rest @ ..] = &parts[body..] else {
        return None;
    };
    if rest.is_empty() {
        return None;
    }
    let kind = match kind.to_lowercase().as_str() {
        "group" => "group",
        "channel" => "channel",
        _ => return None,
    };
    Some(ConversationRef { channel: channel.to_lowercase(), kind, raw_id: rest.join(":"), prefix: parts[..body + 2].join(":") })
}
