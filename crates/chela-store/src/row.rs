//! One session's row, and its form in the reference's `sessions.json` (GW-150).

use std::path::{Path, PathBuf};

use serde_json::{Map, Number, Value};

use crate::session_key;

/// One session: what `sessions.json` holds for a key. Times are milliseconds since 1970, UTC.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SessionRow {
    /// Canonical session key; fixed for the life of the row.
    pub key: String,
    /// Agent whose `sessions.json` holds the row; fixed for the life of the row.
    pub agent_id: String,
    /// Id of the current transcript; changed only by `Store::replace_session`.
    pub session_id: String,
    /// Transcript file; the archived file in rows that `replace_session` and `delete_session` hand back.
    pub session_file: PathBuf,
    /// When the key was first seen here; not part of `sessions.json`.
    pub created_at_ms: i64,
    /// Last change of the row; orders lists. Set by the store unless the caller sets it.
    pub updated_at_ms: i64,
    /// When the current session id began; the daily reset looks at it.
    pub session_started_at_ms: i64,
    /// Last message of a user or channel; the idle reset looks at it.
    pub last_interaction_at_ms: i64,
    /// `message` entries in the transcript. Kept by the store; changes by callers are ignored. 0 for a session
    /// of an existing installation whose transcript was not used yet (`Store::message_count` reads it).
    pub message_count: u64,
    /// `running`, `done`, `failed`, `killed` or `timeout`.
    pub status: Option<String>,
    /// Start of the current or last run.
    pub started_at_ms: Option<i64>,
    /// End of the last run.
    pub ended_at_ms: Option<i64>,
    /// Time spent in runs, milliseconds.
    pub runtime_ms: Option<i64>,
    /// Tokens sent to the model.
    pub input_tokens: Option<u64>,
    /// Tokens received from the model.
    pub output_tokens: Option<u64>,
    /// Tokens of the last context.
    pub total_tokens: Option<u64>,
    /// Size of the model's context window.
    pub context_tokens: Option<u64>,
    /// Provider of the last run.
    pub model_provider: Option<String>,
    /// Model of the last run.
    pub model: Option<String>,
    /// Label the user gave.
    pub label: Option<String>,
    /// Every other member of the `sessions.json` row, verbatim: overrides, delivery context, `pluginExtensions`,
    /// `pluginNextTurnInjections` and whatever a newer release wrote.
    pub extra: Map<String, Value>,
}

/// Members of `extra` that a reset keeps; everything else, plugin state included, goes (HOOK-230).
const KEPT_ON_RESET: &[&str] = &[
    "thinkingLevel",
    "fastMode",
    "verboseLevel",
    "traceLevel",
    "reasoningLevel",
    "elevatedLevel",
    "ttsAuto",
    "execHost",
    "execSecurity",
    "execAsk",
    "execNode",
    "responseUsage",
    "groupActivation",
    "groupActivationNeedsSystemIntro",
    "chatType",
    "compactionCount",
    "compactionCheckpoints",
    "sendPolicy",
    "queueMode",
    "queueDebounceMs",
    "queueCap",
    "queueDrop",
    "spawnedBy",
    "spawnedWorkspaceDir",
    "parentSessionKey",
    "forkedFromParent",
    "spawnDepth",
    "subagentRole",
    "subagentControlScope",
    "displayName",
    "channel",
    "groupId",
    "subject",
    "groupChannel",
    "space",
    "origin",
    "deliveryContext",
    "cliSessionBindings",
    "cliSessionIds",
    "claudeCliSessionId",
    "lastChannel",
    "lastTo",
    "lastAccountId",
    "lastThreadId",
    "acp",
    "pluginOwnerId",
];

impl SessionRow {
    /// Marks a message of a user or channel: extends the idle time.
    pub fn touch_interaction(&mut self, now_ms: i64) {
        self.last_interaction_at_ms = now_ms;
        self.updated_at_ms = now_ms;
    }

    /// The row as a member of `sessions.json`.
    pub fn to_projection(&self) -> Map<String, Value> {
        let mut out = Map::new();
        let text = |v: &str| Value::String(v.to_owned());
        out.insert("sessionId".into(), text(&self.session_id));
        out.insert("updatedAt".into(), self.updated_at_ms.into());
        out.insert("sessionStartedAt".into(), self.session_started_at_ms.into());
        out.insert("lastInteractionAt".into(), self.last_interaction_at_ms.into());
        out.insert("sessionFile".into(), text(&self.session_file.to_string_lossy()));
        let strings = [("status", &self.status), ("modelProvider", &self.model_provider), ("model", &self.model), ("label", &self.label)];
        for (name, value) in strings {
            if let Some(value) = value {
                out.insert(name.into(), text(value));
            }
        }
        let times = [("startedAt", self.started_at_ms), ("endedAt", self.ended_at_ms), ("runtimeMs", self.runtime_ms)];
        for (name, value) in times {
            if let Some(value) = value {
                out.insert(name.into(), value.into());
            }
        }
        let tokens = [
            ("inputTokens", self.input_tokens),
            ("outputTokens", self.output_tokens),
            ("totalTokens", self.total_tokens),
            ("contextTokens", self.context_tokens),
        ];
        for (name, value) in tokens {
            if let Some(value) = value {
                out.insert(name.into(), value.into());
            }
        }
        for (name, value) in &self.extra {
            if !out.contains_key(name) {
                out.insert(name.clone(), value.clone());
            }
        }
        out
    }

    /// Reads a member of `sessions.json`; `None` when it has no usable `sessionId`.
    /// Members of an unexpected type stay in `extra` as they are.
    pub(crate) fn from_projection(key: &str, agent_id: &str, sessions_dir: &Path, row: Map<String, Value>) -> Option<Self> {
        let mut extra = row;
        let session_id = take_string(&mut extra, "sessionId").filter(|id| is_safe_session_id(id))?;
        let file = extra.get("sessionFile").and_then(Value::as_str).map(str::to_owned);
        extra.shift_remove("sessionFile");
        let updated_at_ms = take_i64(&mut extra, "updatedAt").unwrap_or(0);
        let started = take_i64(&mut extra, "sessionStartedAt").unwrap_or(updated_at_ms);
        Some(Self {
            key: key.to_owned(),
            agent_id: agent_id.to_owned(),
            session_file: resolve_file(sessions_dir, file.as_deref(), &session_id),
            session_id,
            created_at_ms: started,
            updated_at_ms,
            session_started_at_ms: started,
            last_interaction_at_ms: take_i64(&mut extra, "lastInteractionAt").unwrap_or(started),
            message_count: 0,
            status: take_string(&mut extra, "status"),
            started_at_ms: take_i64(&mut extra, "startedAt"),
            ended_at_ms: take_i64(&mut extra, "endedAt"),
            runtime_ms: take_i64(&mut extra, "runtimeMs"),
            input_tokens: take_u64(&mut extra, "inputTokens"),
            output_tokens: take_u64(&mut extra, "outputTokens"),
            total_tokens: take_u64(&mut extra, "totalTokens"),
            context_tokens: take_u64(&mut extra, "contextTokens"),
            model_provider: take_string(&mut extra, "modelProvider"),
            model: take_string(&mut extra, "model"),
            label: take_string(&mut extra, "label"),
            extra,
        })
    }

    /// The members a new session of the same key starts with after a reset (HOOK-230): preferences and routing
    /// stay, model choices only when the user made them, counters are zero, plugin state is gone.
    pub(crate) fn preferences(&self) -> Self {
        let mut extra = Map::new();
        extra.insert("systemSent".into(), false.into());
        extra.insert("abortedLastRun".into(), false.into());
        for name in KEPT_ON_RESET {
            if let Some(value) = self.extra.get(*name) {
                extra.insert((*name).into(), value.clone());
            }
        }
        self.keep_user_choices(&mut extra);
        extra.insert("totalTokensFresh".into(), true.into());
        Self {
            key: self.key.clone(),
            agent_id: self.agent_id.clone(),
            created_at_ms: self.created_at_ms,
            label: self.label.clone(),
            context_tokens: self.context_tokens,
            input_tokens: Some(0),
            output_tokens: Some(0),
            total_tokens: Some(0),
            extra,
            ..Self::default()
        }
    }

    fn keep_user_choices(&self, into: &mut Map<String, Value>) {
        let text = |name: &str| self.extra.get(name).and_then(Value::as_str).filter(|v| !v.is_empty());
        // Rows from before the source was recorded count as the user's own choice.
        let by_user = text("modelOverrideSource").is_none_or(|s| s == "user");
        if by_user && text("modelOverride").is_some() {
            for name in ["providerOverride", "modelOverride"] {
                if let Some(value) = self.extra.get(name) {
                    into.insert(name.into(), value.clone());
                }
            }
            into.insert("modelOverrideSource".into(), "user".into());
        }
        if text("authProfileOverrideSource") == Some("user") && text("authProfileOverride").is_some() {
            for name in ["authProfileOverride", "authProfileOverrideSource", "authProfileOverrideCompactionCount"] {
                if let Some(value) = self.extra.get(name) {
                    into.insert(name.into(), value.clone());
                }
            }
        }
    }

    pub(crate) fn has_plugin_state(&self) -> bool {
        ["pluginExtensions", "pluginExtensionSlotKeys", "pluginNextTurnInjections"].iter().any(|n| self.extra.contains_key(*n))
    }
}

/// True for ids that are safe as file names: 1-128 of letters, digits, `.`, `_`, `-`, starting with a letter or digit.
pub fn is_safe_session_id(id: &str) -> bool {
    id.len() <= 128
        && id.starts_with(|c: char| c.is_ascii_alphanumeric())
        && id.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
}

/// Default transcript file of a session: `<id>.jsonl`, or `<id>-topic-<thread>.jsonl` for threads and topics.
pub(crate) fn default_file(sessions_dir: &Path, key: &str, session_id: &str) -> PathBuf {
    let parsed = session_key::parse(key);
    let topic = match parsed.kind {
        session_key::KeyKind::Conversation { topic, .. } => topic,
        _ => None,
    };
    match parsed.thread_id.or(topic) {
        Some(thread) => sessions_dir.join(format!("{session_id}-topic-{}.jsonl", encode_component(&thread))),
        None => sessions_dir.join(format!("{session_id}.jsonl")),
    }
}

/// A `sessionFile` is honoured only inside the agent's own directory (a state directory may have been moved, and
/// a row must not make the store write elsewhere); the file of the same name there is the next best, then the default.
fn resolve_file(sessions_dir: &Path, raw: Option<&str>, session_id: &str) -> PathBuf {
    let name = raw.map(str::trim).filter(|r| !r.is_empty()).and_then(|r| Path::new(r).file_name());
    match name.and_then(|n| n.to_str()) {
        Some(name) if name.ends_with(".jsonl") => sessions_dir.join(name),
        _ => sessions_dir.join(format!("{session_id}.jsonl")),
    }
}

/// As the reference encodes topic ids for file names: everything but `A-Za-z0-9-_.!~*'()` becomes `%XX`.
fn encode_component(raw: &str) -> String {
    let mut out = String::new();
    for byte in raw.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn take_string(map: &mut Map<String, Value>, name: &str) -> Option<String> {
    map.get(name)?.as_str()?;
    match map.shift_remove(name) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    }
}

fn take_i64(map: &mut Map<String, Value>, name: &str) -> Option<i64> {
    let value = map.get(name)?.as_number().and_then(whole)?;
    map.shift_remove(name);
    Some(value)
}

fn take_u64(map: &mut Map<String, Value>, name: &str) -> Option<u64> {
    let value = map.get(name)?.as_number().and_then(whole).and_then(|v| u64::try_from(v).ok())?;
    map.shift_remove(name);
    Some(value)
}

fn whole(number: &Number) -> Option<i64> {
    const MAX_SAFE: f64 = 9_007_199_254_740_991.0;
    number.as_i64().or_else(|| number.as_f64().filter(|f| f.is_finite() && f.abs() <= MAX_SAFE).map(|f| f.round() as i64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn projection_keeps_what_it_does_not_know() {
        // GW-150
        let source = object(json!({
            "sessionId": "s-1", "updatedAt": 5.4, "sessionStartedAt": 2, "lastInteractionAt": 3,
            "sessionFile": "/elsewhere/agents/main/sessions/s-1-topic-7.jsonl", "status": "done", "startedAt": "odd",
            "inputTokens": 7, "model": "m", "label": "L", "origin": {"x": [1]}, "futureField": null
        }));
        let row = SessionRow::from_projection("agent:main:main", "main", Path::new("/s"), source).unwrap();
        assert_eq!((row.updated_at_ms, row.started_at_ms, row.input_tokens), (5, None, Some(7)));
        assert_eq!(row.session_file, Path::new("/s/s-1-topic-7.jsonl"));
        let out = Value::Object(row.to_projection());
        assert_eq!(out["startedAt"], "odd");
        assert_eq!(out["origin"], json!({"x": [1]}));
        assert!(out.get("futureField").is_some_and(Value::is_null));
        let again = SessionRow::from_projection("agent:main:main", "main", Path::new("/s"), object(out)).unwrap();
        assert_eq!(again, SessionRow { created_at_ms: row.created_at_ms, ..row });
    }

    #[test]
    fn unusable_ids_are_refused() {
        for id in [json!(null), json!(""), json!("../x"), json!("a/b"), json!(5)] {
            let row = object(json!({"sessionId": id}));
            assert_eq!(SessionRow::from_projection("k", "main", Path::new("/s"), row), None);
        }
    }

    #[test]
    fn files_cannot_leave_the_directory() {
        for raw in ["/etc/passwd", "../../x.jsonl", "", "..", "/a/b.txt"] {
            let file = resolve_file(Path::new("/s"), Some(raw), "id");
            assert_eq!(file.parent(), Some(Path::new("/s")), "{raw}");
        }
        assert_eq!(default_file(Path::new("/s"), "agent:a:main:thread:1:2", "id"), Path::new("/s/id-topic-1%3A2.jsonl"));
        assert_eq!(default_file(Path::new("/s"), "agent:a:telegram:group:-1:topic:5", "id"), Path::new("/s/id-topic-5.jsonl"));
        assert_eq!(default_file(Path::new("/s"), "agent:a:main", "id"), Path::new("/s/id.jsonl"));
    }

    #[test]
    fn reset_keeps_preferences_only() {
        // HOOK-230
        let row = SessionRow {
            key: "k".into(),
            label: Some("L".into()),
            model: Some("m".into()),
            total_tokens: Some(9),
            extra: object(json!({
                "thinkingLevel": "high", "queueMode": "collect", "deliveryContext": {"to": "x"},
                "pluginExtensions": {"p": {"n": 1}}, "pluginNextTurnInjections": {"p": []}, "skillsSnapshot": {},
                "modelOverride": "big", "modelOverrideSource": "auto",
                "authProfileOverride": "work", "authProfileOverrideSource": "user"
            })),
            ..SessionRow::default()
        };
        let next = row.preferences();
        for kept in ["thinkingLevel", "queueMode", "deliveryContext", "authProfileOverride"] {
            assert_eq!(next.extra.get(kept), row.extra.get(kept), "{kept}");
        }
        for gone in ["pluginExtensions", "pluginNextTurnInjections", "skillsSnapshot", "modelOverride"] {
            assert!(!next.extra.contains_key(gone), "{gone}");
        }
        assert_eq!((next.label.as_deref(), next.model, next.total_tokens), (Some("L"), None, Some(0)));
    }
}
