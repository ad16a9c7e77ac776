//! Approved nodes and requests that wait, in the reference's files `nodes/paired.json` and `nodes/pending.json` (GW-56, GW-57).
//!
//! What we do not know in a row is kept, and the files are read anew before each change, so that the reference may use them too.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use chela_gateway_protocol::scope::missing_scope;
use serde_json::{Map, Value, json};

use crate::devices::{DeviceStoreError, now_ms, random_token, read_map, write_private};

/// How long a request waits, in ms (GW-57).
const PENDING_TTL_MS: i64 = 5 * 60 * 1000;
/// Most requests that wait; the oldest goes when another one comes.
const MOST_PENDING: usize = 256;
/// Commands that only an administrator approves.
const RUNS_PROGRAMS: [&str; 3] = ["system.run.prepare", "system.run", "system.which"];
/// What a node says about itself.
const CLAIMS: [&str; 12] = [
    "displayName",
    "platform",
    "version",
    "coreVersion",
    "uiVersion",
    "deviceFamily",
    "modelIdentifier",
    "caps",
    "commands",
    "permissions",
    "remoteIp",
    "silent",
];

type Rows = BTreeMap<String, Value>;

/// The store. Operations block on small files; call them off the I/O path.
#[derive(Debug)]
pub struct NodeStore {
    paired_path: PathBuf,
    pending_path: PathBuf,
    /// Held while files are read and written.
    turn: Mutex<()>,
}

/// What an approval came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Approved {
    /// The node, with its new token.
    Node(Value),
    /// No such request.
    Unknown,
    /// The approver lacks this scope.
    MissingScope(String),
}

/// The scopes that whoever approves these commands needs (GW-56).
pub fn scopes_for(commands: &[String]) -> Vec<&'static str> {
    if commands.iter().any(|command| RUNS_PROGRAMS.contains(&command.as_str())) {
        vec!["operator.pairing", "operator.admin"]
    } else if commands.is_empty() {
        vec!["operator.pairing"]
    } else {
        vec!["operator.pairing", "operator.write"]
    }
}

/// The commands in a row.
pub fn commands_of(row: &Value) -> Vec<String> {
    row["commands"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_string).collect()
}

fn when(row: &Value, key: &str) -> i64 {
    row[key].as_i64().unwrap_or(0)
}

fn text<'a>(row: &'a Value, key: &str) -> &'a str {
    row[key].as_str().unwrap_or_default()
}

impl NodeStore {
    /// A store over a directory; the files need not exist.
    pub fn new(dir: &Path) -> Self {
        Self { paired_path: dir.join("paired.json"), pending_path: dir.join("pending.json"), turn: Mutex::default() }
    }

    fn pending(&self) -> Result<Rows, DeviceStoreError> {
        let mut rows: Rows = read_map(&self.pending_path)?;
        let now = now_ms();
        rows.retain(|_, row| now - when(row, "ts") <= PENDING_TTL_MS);
        Ok(rows)
    }

    fn paired(&self) -> Result<Rows, DeviceStoreError> {
        read_map(&self.paired_path)
    }

    /// Requests with the scopes that each needs, and approved nodes, newest first.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn list(&self) -> Result<(Vec<Value>, Vec<Value>), DeviceStoreError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut pending: Vec<Value> = self.pending()?.into_values().collect();
        pending.sort_by_key(|row| std::cmp::Reverse(when(row, "ts")));
        for row in &mut pending {
            row["requiredApproveScopes"] = scopes_for(&commands_of(row)).into();
        }
        let mut paired: Vec<Value> = self.paired()?.into_values().collect();
        paired.sort_by_key(|row| std::cmp::Reverse(when(row, "approvedAtMs")));
        Ok((pending, paired))
    }

    /// One approved node.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn node(&self, id: &str) -> Result<Option<Value>, DeviceStoreError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(self.paired()?.remove(id.trim()))
    }

    /// Asks for the approval of a node; a request of it that waits is brought up to date and keeps its id. The flag says whether it is
    /// a new one. No token is part of it (GW-57).
    ///
    /// # Errors
    /// When a file cannot be read or written.
    pub fn request(&self, claim: &Value) -> Result<(Value, bool), DeviceStoreError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut pending = self.pending()?;
        let node = text(claim, "nodeId").trim().to_owned();
        let known: Vec<String> = pending.iter().filter(|(_, row)| text(row, "nodeId") == node).map(|(id, _)| id.clone()).collect();
        let created = known.len() != 1;
        let silent = claim["silent"] == true && known.iter().all(|id| pending[id]["silent"] == true);
        let mut row = match known.as_slice() {
            [one] => pending[one].clone(),
            _ => json!({"requestId": uuid::Uuid::new_v4().to_string(), "nodeId": node}),
        };
        for key in CLAIMS {
            if let Some(value) = claim.get(key).filter(|value| !value.is_null()) {
                row[key] = value.clone();
            }
        }
        if claim.get("silent").is_some() || !created {
            row["silent"] = silent.into();
        }
        row["ts"] = now_ms().into();
        for id in known {
            pending.remove(&id);
        }
        if pending.len() >= MOST_PENDING
            && let Some(oldest) = pending.iter().min_by_key(|(_, row)| when(row, "ts")).map(|(id, _)| id.clone())
        {
            pending.remove(&oldest);
        }
        pending.insert(text(&row, "requestId").to_owned(), row.clone());
        write_private(&self.pending_path, &pending)?;
        Ok((row, created))
    }

    /// Approves a request; the node gets a new token each time (GW-57).
    ///
    /// # Errors
    /// When a file cannot be read or written, or the system gives no random numbers.
    pub fn approve(&self, request: &str, scopes: &[String]) -> Result<Approved, DeviceStoreError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut pending = self.pending()?;
        let Some(row) = pending.remove(request) else { return Ok(Approved::Unknown) };
        let needed: Vec<String> = scopes_for(&commands_of(&row)).into_iter().map(str::to_owned).collect();
        if let Some(missing) = missing_scope("operator", &needed, scopes) {
            return Ok(Approved::MissingScope(missing.to_owned()));
        }
        let mut paired = self.paired()?;
        let id = text(&row, "nodeId").to_owned();
        let now = now_ms();
        let mut node: Map<String, Value> = paired.remove(&id).and_then(|old| old.as_object().cloned()).unwrap_or_default();
        for key in CLAIMS.into_iter().filter(|key| *key != "silent") {
            match row.get(key) {
                Some(value) => node.insert(key.into(), value.clone()),
                None => node.remove(key),
            };
        }
        node.insert("nodeId".into(), id.clone().into());
        node.insert("token".into(), random_token()?.into());
        node.entry("createdAtMs").or_insert_with(|| now.into());
        node.insert("approvedAtMs".into(), now.into());
        let node = Value::Object(node);
        paired.insert(id, node.clone());
        // First what admits is written, then the request goes: a crash between the two costs nothing.
        write_private(&self.paired_path, &paired)?;
        write_private(&self.pending_path, &pending)?;
        Ok(Approved::Node(node))
    }

    /// Rejects a request; the id of its node, if it was there.
    ///
    /// # Errors
    /// When a file cannot be read or written.
    pub fn reject(&self, request: &str) -> Result<Option<String>, DeviceStoreError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut pending = self.pending()?;
        let Some(row) = pending.remove(request) else { return Ok(None) };
        write_private(&self.pending_path, &pending)?;
        Ok(Some(text(&row, "nodeId").to_owned()))
    }

    /// Forgets an approved node; whether it was there.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn remove(&self, id: &str) -> Result<bool, DeviceStoreError> {
        self.change(id, |_| None).map(|found| found.is_some())
    }

    /// Gives an approved node another name; the changed node.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn rename(&self, id: &str, name: &str) -> Result<Option<Value>, DeviceStoreError> {
        self.change(id, |mut node| {
            node["displayName"] = name.into();
            Some(node)
        })
    }

    /// Changes an approved node, or removes it; what it became, or was.
    fn change(&self, id: &str, change: impl FnOnce(Value) -> Option<Value>) -> Result<Option<Value>, DeviceStoreError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut paired = self.paired()?;
        let Some(node) = paired.remove(id.trim()) else { return Ok(None) };
        let changed = change(node.clone());
        if let Some(changed) = &changed {
            paired.insert(id.trim().to_owned(), changed.clone());
        }
        write_private(&self.paired_path, &paired)?;
        Ok(Some(changed.unwrap_or(node)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scopes(list: &[&str]) -> Vec<String> {
        list.iter().map(|s| (*s).to_owned()).collect()
    }

    // GW-57
    #[test]
    fn a_request_has_no_token_and_every_approval_has_a_new_one() {
        let tmp = tempfile::tempdir().unwrap();
        let store = NodeStore::new(&tmp.path().join("nodes"));
        let (first, created) = store.request(&json!({"nodeId": " cam ", "displayName": "Camera", "commands": ["camera.list"]})).unwrap();
        assert!(created && first.get("token").is_none() && first["nodeId"] == "cam", "{first}");
        let (again, created) = store.request(&json!({"nodeId": "cam", "platform": "linux"})).unwrap();
        assert_eq!((created, &again["requestId"], &again["displayName"]), (false, &first["requestId"], &json!("Camera")));
        let id = first["requestId"].as_str().unwrap();
        let all = scopes(&["operator.pairing", "operator.write"]);
        assert_eq!(store.approve(id, &scopes(&["operator.pairing"])).unwrap(), Approved::MissingScope("operator.write".into()));
        let Approved::Node(node) = store.approve(id, &all).unwrap() else { panic!("not approved") };
        assert_eq!(store.approve(id, &all).unwrap(), Approved::Unknown);
        let (next, _) = store.request(&json!({"nodeId": "cam"})).unwrap();
        let Approved::Node(second) = store.approve(next["requestId"].as_str().unwrap(), &all).unwrap() else { panic!("not approved") };
        assert!(node["token"] != second["token"] && node["createdAtMs"] == second["createdAtMs"]);
        assert_eq!(second.get("commands"), None, "what it declares no more is not approved any more");
        // Durable: another store reads the same.
        let other = NodeStore::new(&tmp.path().join("nodes"));
        assert_eq!(other.node("cam").unwrap(), Some(second));
        assert_eq!(other.rename("cam", "Door").unwrap().unwrap()["displayName"], "Door");
        assert!(other.remove("cam").unwrap() && !other.remove("cam").unwrap());
    }

    // GW-57
    #[test]
    fn a_request_waits_five_minutes() {
        let tmp = tempfile::tempdir().unwrap();
        let store = NodeStore::new(tmp.path());
        let (row, _) = store.request(&json!({"nodeId": "cam"})).unwrap();
        let mut old = row.clone();
        old["ts"] = (now_ms() - PENDING_TTL_MS - 1).into();
        write_private(&tmp.path().join("pending.json"), &json!({row["requestId"].as_str().unwrap(): old})).unwrap();
        assert!(store.list().unwrap().0.is_empty());
        assert_eq!(store.approve(row["requestId"].as_str().unwrap(), &[]).unwrap(), Approved::Unknown);
    }

    // GW-56
    #[test]
    fn what_an_approver_needs_follows_the_commands() {
        for (commands, want) in [
            (&[][..], &["operator.pairing"][..]),
            (&["camera.list"], &["operator.pairing", "operator.write"]),
            (&["camera.list", "system.which"], &["operator.pairing", "operator.admin"]),
        ] {
            assert_eq!(scopes_for(&scopes(commands)), want);
        }
    }
}
