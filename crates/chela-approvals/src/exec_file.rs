//! `exec-approvals.json`: what commands may run on this machine, in the reference's format.
//!
//! Members that are not known are kept. Reading and writing the file is the caller's.

use std::path::Path;

use regex::Regex;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::command::{Analysis, Part, durable_pattern};
use crate::policy::{AskWhen, ExecPolicy, Security};
use crate::safe_bins::SafeBins;

/// Name of the file in the state directory.
pub const FILE_NAME: &str = "exec-approvals.json";
/// Largest file that is read, in bytes.
pub const MAX_BYTES: u64 = 8 << 20;
/// Most entries of one agent; the oldest one of the same source goes.
const MAX_ENTRIES: usize = 2000;
/// The agent of entries that name none.
const MAIN: &str = "main";
/// Rules for all agents.
const EVERYONE: &str = "*";

/// The content of the file.
#[derive(Debug, Clone, PartialEq)]
pub struct ExecFile {
    value: Value,
}

/// Why a text is no approvals file.
#[derive(Debug, thiserror::Error)]
pub enum ExecFileError {
    /// No JSON object.
    #[error("exec approvals must be a JSON object with `version: 1`: {0}")]
    Malformed(String),
    /// Another version.
    #[error("exec approvals of version {0} are not known: only `version: 1` is")]
    Version(String),
}

/// The digest of the file's bytes, by which a writer says what it has read; that of the empty text when there is no file.
pub fn digest(raw: Option<&str>) -> String {
    Sha256::digest(raw.unwrap_or_default().as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Default for ExecFile {
    fn default() -> Self {
        Self { value: json!({"version": 1, "defaults": {}, "agents": {}}) }
    }
}

impl ExecFile {
    /// Reads the file's text.
    ///
    /// # Errors
    /// See [`ExecFileError`]. A file that cannot be understood must not count as an empty one, which would allow more.
    pub fn parse(text: &str) -> Result<Self, ExecFileError> {
        let value = serde_json::from_str(text).map_err(|e| ExecFileError::Malformed(e.to_string()))?;
        Self::from_value(value)
    }

    /// Takes what a client or a person gives.
    ///
    /// # Errors
    /// See [`ExecFileError`].
    pub fn from_value(value: Value) -> Result<Self, ExecFileError> {
        let Value::Object(mut map) = value else { return Err(ExecFileError::Malformed("it is no object".into())) };
        match map.get("version") {
            Some(version) if version.as_u64() == Some(1) => {}
            other => return Err(ExecFileError::Version(other.map_or_else(|| "(none)".into(), Value::to_string))),
        }
        let defaults = policy_members(map.shift_remove("defaults"));
        let mut agents = match map.shift_remove("agents") {
            Some(Value::Object(agents)) => agents,
            _ => Map::new(),
        };
        // Entries of older releases for the agent `default` are those of `main`.
        if let Some(old) = agents.shift_remove("default") {
            let merged = merged(agents.shift_remove(MAIN).unwrap_or_default(), old);
            agents.insert(MAIN.into(), merged);
        }
        for (_, agent) in &mut agents {
            let list = entries(agent.get("allowlist"));
            let mut fresh = policy_members(Some(agent.take()));
            match list {
                Some(list) => drop(fresh.insert("allowlist".into(), list.into())),
                None => drop(fresh.shift_remove("allowlist")),
            }
            *agent = Value::Object(fresh);
        }
        map.insert("version".into(), 1.into());
        map.insert("defaults".into(), Value::Object(defaults));
        map.insert("agents".into(), Value::Object(agents));
        Ok(Self { value: Value::Object(map) })
    }

    /// The content as JSON.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// The content for clients: the secret of the reference's socket is left out.
    pub fn public(&self) -> Value {
        let mut value = self.value.clone();
        if let Some(socket) = value.get_mut("socket").and_then(Value::as_object_mut) {
            socket.shift_remove("token");
        }
        value
    }

    /// Keeps the reference's socket from `current`, which clients do not see and so cannot give back.
    pub fn keep_socket_of(&mut self, current: &Self) {
        let Some(kept) = current.value.get("socket").and_then(Value::as_object) else { return };
        let own = self.value["socket"].as_object().cloned().unwrap_or_default();
        let mut socket = kept.clone();
        socket.extend(own);
        self.value["socket"] = socket.into();
    }

    /// The text to write.
    pub fn to_text(&self) -> String {
        let text = serde_json::to_string_pretty(&self.value).unwrap_or_else(|_| self.value.to_string());
        format!("{text}\n")
    }

    /// What holds for an agent; `None` in a part where the file says nothing, and then the config does.
    pub fn policy(&self, agent_id: &str) -> HostPolicy {
        let rows = [&self.value["agents"][agent_id], &self.value["agents"][EVERYONE], &self.value["defaults"]];
        let word = |name: &str| rows.iter().find_map(|row| row[name].as_str());
        HostPolicy {
            security: word("security").and_then(Security::parse),
            ask: word("ask").and_then(AskWhen::parse),
            fallback: word("askFallback").and_then(Security::parse),
        }
    }

    /// True when each part of the command is on the agent's allowlist or a safe filter.
    pub fn covers(
        &self,
        agent_id: &str,
        analysis: &Analysis,
        safe_bins: &SafeBins,
        home: &Path,
        programs: &[Option<std::path::PathBuf>],
    ) -> bool {
        let parts = analysis.parts();
        !parts.is_empty()
            && parts.iter().enumerate().all(|(at, part)| {
                let program = programs.get(at).and_then(Option::as_deref);
                safe_bins.covers(part, program) || self.list(agent_id).any(|entry| matches(entry, part, home, program))
            })
    }

    /// True when exactly this command was allowed for ever.
    pub fn remembers(&self, agent_id: &str, command: &str) -> bool {
        let pattern = durable_pattern(command);
        self.list(agent_id).any(|entry| entry["source"] == "allow-always" && entry["pattern"] == pattern.as_str())
    }

    /// Remembers exactly this command.
    pub fn remember(&mut self, agent_id: &str, command: &str, now_ms: i64) {
        let entry =
            json!({"pattern": durable_pattern(command), "source": "allow-always", "lastUsedAt": now_ms, "lastUsedCommand": command});
        self.add(agent_id, entry);
    }

    /// Adds a pattern of a person; false when it is there.
    pub fn add_pattern(&mut self, agent_id: &str, pattern: &str, now_ms: i64) -> bool {
        self.add(agent_id, json!({"pattern": pattern.trim(), "lastUsedAt": now_ms}))
    }

    /// Takes a pattern out; false when it is not there.
    pub fn remove_pattern(&mut self, agent_id: &str, pattern: &str) -> bool {
        let Some(list) = self.list_mut(agent_id) else { return false };
        let before = list.len();
        list.retain(|entry| entry["pattern"].as_str().map(str::trim) != Some(pattern.trim()));
        let (changed, is_empty) = (list.len() != before, list.is_empty());
        let Some(agents) = self.value["agents"].as_object_mut().filter(|_| is_empty) else { return changed };
        if let Some(agent) = agents.get_mut(agent_id).and_then(Value::as_object_mut) {
            agent.shift_remove("allowlist");
            if agent.is_empty() {
                agents.shift_remove(agent_id);
            }
        }
        changed
    }

    /// Notes that a command ran by its entries.
    pub fn note_use(
        &mut self,
        agent_id: &str,
        analysis: &Analysis,
        home: &Path,
        programs: &[Option<std::path::PathBuf>],
        command: &str,
        now_ms: i64,
    ) {
        let pattern = durable_pattern(command);
        for key in [EVERYONE, agent_id] {
            let Some(list) = self.list_mut(key) else { continue };
            for entry in list {
                let hit = analysis.parts().iter().enumerate().find_map(|(at, part)| {
                    let program = programs.get(at).and_then(Option::as_deref);
                    matches(entry, part, home, program).then(|| program.map(|p| p.display().to_string()))
                });
                let hit = hit.or_else(|| (entry["pattern"] == pattern.as_str()).then_some(None));
                if let Some(program) = hit {
                    entry["lastUsedAt"] = now_ms.into();
                    entry["lastUsedCommand"] = command.into();
                    if let Some(program) = program {
                        entry["lastResolvedPath"] = program.into();
                    }
                }
            }
        }
    }

    fn add(&mut self, agent_id: &str, mut entry: Value) -> bool {
        if !self.value["agents"].is_object() {
            self.value["agents"] = json!({});
        }
        if !self.value["agents"][agent_id].is_object() {
            self.value["agents"][agent_id] = json!({});
        }
        let agent = &mut self.value["agents"][agent_id];
        if !agent["allowlist"].is_array() {
            agent["allowlist"] = json!([]);
        }
        let Some(list) = agent["allowlist"].as_array_mut() else { return false };
        if list.iter().any(|old| old["pattern"] == entry["pattern"] && old["argPattern"].is_null() && old["source"] == entry["source"]) {
            return false;
        }
        entry["id"] = uuid::Uuid::new_v4().to_string().into();
        if list.len() >= MAX_ENTRIES {
            let oldest = list.iter().enumerate().filter(|(_, e)| e["source"] == entry["source"]);
            let oldest = oldest.min_by_key(|(_, e)| e["lastUsedAt"].as_i64().unwrap_or(0)).map_or(0, |(at, _)| at);
            list.remove(oldest);
        }
        list.push(entry);
        true
    }

    fn list_mut(&mut self, agent_id: &str) -> Option<&mut Vec<Value>> {
        self.value.get_mut("agents")?.get_mut(agent_id)?.get_mut("allowlist")?.as_array_mut()
    }

    fn list(&self, agent_id: &str) -> impl Iterator<Item = &Value> {
        [EVERYONE, agent_id].into_iter().flat_map(|key| self.value["agents"][key]["allowlist"].as_array().into_iter().flatten())
    }
}

/// What the file says for an agent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HostPolicy {
    /// How free commands are.
    pub security: Option<Security>,
    /// When somebody is asked.
    pub ask: Option<AskWhen>,
    /// What holds when nobody answers.
    pub fallback: Option<Security>,
}

impl HostPolicy {
    /// With what the config says: where the file is silent, the config's word is the host's too; silence never allows (the documents'
    /// default of `askFallback`).
    pub fn with_config(self, security: Security, ask: AskWhen) -> ExecPolicy {
        let host = ExecPolicy {
            security: self.security.unwrap_or(security),
            ask: self.ask.unwrap_or(ask),
            fallback: self.fallback.unwrap_or(Security::Deny),
        };
        ExecPolicy::stricter((security, ask), host)
    }
}

/// Drops words that are no policy.
fn policy_members(row: Option<Value>) -> Map<String, Value> {
    let Some(Value::Object(mut row)) = row else { return Map::new() };
    let known = |name: &str, word: &str| match name {
        "ask" => AskWhen::parse(word).is_some_and(|ask| ask.as_str() == word),
        _ => Security::parse(word).is_some_and(|security| security.as_str() == word),
    };
    for name in ["security", "ask", "askFallback"] {
        let word = row.get(name).and_then(Value::as_str).map(|word| word.trim().to_owned());
        match word.filter(|word| known(name, word)) {
            Some(word) => drop(row.insert(name.into(), word.into())),
            // What cannot be read must not loosen anything: the strictest word takes its place.
            None if row.get(name).is_some_and(|v| !v.is_null()) => {
                let strict = if name == "ask" { AskWhen::Always.as_str() } else { Security::Deny.as_str() };
                row.insert(name.into(), strict.into());
            }
            None => drop(row.shift_remove(name)),
        }
    }
    row
}

/// Entries with ids; texts are patterns. The captured command is not kept, as in the reference.
fn entries(list: Option<&Value>) -> Option<Vec<Value>> {
    let list = list?.as_array()?;
    let entry = |item: &Value| -> Option<Value> {
        let mut entry = match item {
            Value::String(pattern) => json!({"pattern": pattern.trim()}),
            Value::Object(_) => item.clone(),
            _ => return None,
        };
        entry["pattern"].as_str().filter(|pattern| !pattern.trim().is_empty())?;
        if entry["id"].as_str().is_none_or(str::is_empty) {
            entry["id"] = uuid::Uuid::new_v4().to_string().into();
        }
        entry.as_object_mut()?.shift_remove("commandText");
        Some(entry)
    };
    Some(list.iter().take(MAX_ENTRIES).filter_map(entry).collect())
}

fn merged(current: Value, old: Value) -> Value {
    let (Value::Object(current), Value::Object(mut out)) = (current.clone(), old) else { return current };
    let mut list = entries(current.get("allowlist")).unwrap_or_default();
    for entry in entries(out.get("allowlist")).unwrap_or_default() {
        if !list.iter().any(|known| known["pattern"] == entry["pattern"] && known["argPattern"] == entry["argPattern"]) {
            list.push(entry);
        }
    }
    out.extend(current);
    if !list.is_empty() {
        out.insert("allowlist".into(), list.into());
    }
    Value::Object(out)
}

/// True when an entry covers a part. A bare name matches only a program that was called by its name, found in `PATH`.
fn matches(entry: &Value, part: &Part, home: &Path, program: Option<&Path>) -> bool {
    let (Some(pattern), Some(program), Some(called)) = (entry["pattern"].as_str(), program, part.argv.first()) else { return false };
    let pattern = pattern.trim();
    if pattern.starts_with("=command:") {
        return false;
    }
    let by_path = pattern.contains('/') || pattern.starts_with('~');
    let program_fits = if by_path {
        let pattern = match pattern.strip_prefix("~/") {
            Some(rest) => format!("{}/{rest}", home.display()),
            None => pattern.to_owned(),
        };
        glob(&pattern, &program.to_string_lossy())
    } else {
        !called.contains('/') && glob(pattern, called)
    };
    program_fits && arguments_fit(entry, part)
}

/// Separates arguments in patterns that approvals of the reference wrote.
const SEPARATOR: char = '\0';

fn arguments_fit(entry: &Value, part: &Part) -> bool {
    let Some(pattern) = entry["argPattern"].as_str().map(str::trim).filter(|p| !p.is_empty()) else { return true };
    // What the shell fills in is not known, so that it fits nothing.
    if !part.literal {
        return false;
    }
    let exact = pattern.contains(SEPARATOR) || pattern.contains("\\x00") || pattern.contains("\\0");
    let joined = part.argv[1..].join(if exact { "\0" } else { " " });
    let Ok(regex) = regex::RegexBuilder::new(pattern).size_limit(1 << 18).build() else { return false };
    let fits = |regex: &Regex, text: &str| regex.is_match(text);
    fits(&regex, &joined) || (exact && fits(&regex, &format!("{joined}\0")))
}

/// `*` stands for characters of one path member, `**` for any; `?` for one character.
fn glob(pattern: &str, text: &str) -> bool {
    let mut regex = String::from("^");
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '*' if chars.peek() == Some(&'*') => {
                chars.next();
                if chars.peek() == Some(&'/') {
                    chars.next();
                    regex.push_str("(?:.*/)?");
                } else {
                    regex.push_str(".*");
                }
            }
            '*' => regex.push_str("[^/]*"),
            '?' => regex.push_str("[^/]"),
            other => regex.push_str(&regex::escape(&other.to_string())),
        }
    }
    regex.push('$');
    regex::RegexBuilder::new(&regex).size_limit(1 << 18).build().is_ok_and(|regex| regex.is_match(text))
}

#[cfg(test)]
mod tests;
