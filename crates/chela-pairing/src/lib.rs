//! Unknown senders of channels: pending requests with codes, and those who were approved, in the reference's files
//! (`credentials/<channel>-pairing.json`, `<channel>-<account>-allowFrom.json`; CH-34..CH-46).
//!
//! Works on files alone, so that the command line and the gateway do the same. Blocks on the disk.

mod file;
mod owner;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde_json::{Map, Value, json};

pub use owner::owner_entry;

use crate::file::FileLock;

/// How long a request waits for its approval, in milliseconds (CH-38).
pub const LIFE_MS: i64 = 60 * 60 * 1000;
/// Requests that wait on one account (CH-39).
pub const MOST_PENDING: usize = 3;
/// Approved senders of one account; more would make every look-up slow.
const MOST_ALLOWED: usize = 100_000;
/// The letters of codes: none that look alike (CH-37).
const ALPHABET: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
/// Length of a code (CH-37).
const CODE_LENGTH: usize = 8;
/// Longest id or note of a sender, in characters.
const LONGEST: usize = 200;
/// Notes of one sender.
const MOST_META: usize = 20;
/// The account of a channel with one account.
const DEFAULT: &str = "default";

/// One writer at a time in this process; the lock beside each file is for other processes.
static TURN: Mutex<()> = Mutex::new(());

/// Why the files could not be used.
#[derive(Debug, thiserror::Error)]
pub enum PairingError {
    /// The name is no channel's.
    #[error("`{0}` is no channel id; use letters, digits, `-` and `_`, for example `telegram`")]
    Channel(String),
    /// The id is empty or too long.
    #[error("a sender's id has 1 to {LONGEST} characters")]
    Sender,
    /// `*` would admit everyone (CH-44).
    #[error("`*` cannot be approved; set the channel's `dmPolicy` to `open` to admit everyone")]
    Wildcard,
    /// Too many are approved already.
    #[error("the account has {MOST_ALLOWED} approved senders; remove some of them from `{0}`")]
    Full(String),
    /// A file could not be read, locked or written.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// A request of an unknown sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The code; none when too many wait already.
    pub code: Option<String>,
    /// True for a sender who did not wait yet: only then the code is sent (CH-40).
    pub created: bool,
}

/// A sender who was approved.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Approved {
    /// The sender.
    pub id: String,
    /// The account that admits the sender.
    #[serde(rename = "accountId")]
    pub account: String,
    /// The request as it was in the file.
    pub entry: Value,
}

/// The files of one channel.
#[derive(Clone, Debug)]
pub struct Pairing {
    dir: PathBuf,
    channel: String,
}

impl Pairing {
    /// The files of `channel` below `state_dir`. Account ids that are given later must be in canonical form.
    ///
    /// # Errors
    /// [`PairingError::Channel`] for what is no channel id.
    pub fn new(state_dir: &Path, channel: &str) -> Result<Self, PairingError> {
        let name = channel.trim().to_lowercase();
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
            return Err(PairingError::Channel(channel.chars().take(80).collect()));
        }
        Ok(Self { dir: state_dir.join("credentials"), channel: name })
    }

    /// The channel's id.
    pub fn channel(&self) -> &str {
        &self.channel
    }

    /// Channels that have a file of requests, in order.
    pub fn channels(state_dir: &Path) -> Vec<String> {
        let rows = fs_err::read_dir(state_dir.join("credentials")).into_iter().flatten().flatten();
        let names = rows.filter_map(|row| Some(row.file_name().to_str()?.strip_suffix("-pairing.json")?.to_owned()));
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    fn requests_file(&self) -> PathBuf {
        self.dir.join(format!("{}-pairing.json", self.channel))
    }

    fn allowed_file(&self, account: &str) -> PathBuf {
        self.dir.join(format!("{}-{account}-allowFrom.json", self.channel))
    }

    /// The older file of a channel, which knows no accounts (CH-43).
    fn unscoped_file(&self) -> PathBuf {
        self.dir.join(format!("{}-allowFrom.json", self.channel))
    }

    fn turn(&self) -> std::io::Result<MutexGuard<'static, ()>> {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        file::private_dir(&self.dir)?;
        Ok(turn)
    }

    /// The approved senders of an account, in order, each once. What cannot be read counts as empty (CH-34); the default account also
    /// has those of the unscoped file (CH-43).
    pub fn allowed(&self, account: &str) -> Vec<String> {
        let mut out = entries(&self.allowed_file(account));
        if account == DEFAULT {
            let older = entries(&self.unscoped_file());
            out.extend(older.into_iter().filter(|id| !out.contains(id)).collect::<Vec<_>>());
        }
        out
    }

    /// A sender who is not known writes (CH-37..CH-40). `now` in ms since 1970.
    ///
    /// # Errors
    /// For an id that is none, and when a file cannot be written.
    pub fn ask(&self, account: &str, id: &str, meta: &Value, now: i64) -> Result<Asked, PairingError> {
        let id = sender(id)?;
        let meta = notes(meta, account);
        let _turn = self.turn()?;
        let file = self.requests_file();
        let _lock = FileLock::take(&file)?;
        let mut rows = alive(&file, now);
        let at = file::stamp(now);
        let asked = if let Some(known) = rows.iter_mut().find(|row| row["id"] == id && account_of(row) == account) {
            known["lastSeenAt"] = at.into();
            known["meta"] = meta;
            Asked { code: known["code"].as_str().map(str::to_owned), created: false }
        } else if rows.iter().filter(|row| account_of(row) == account).count() >= MOST_PENDING {
            Asked { code: None, created: false }
        } else {
            let code = new_code(&rows);
            rows.push(json!({"id": id, "code": code, "createdAt": at, "lastSeenAt": at, "meta": meta}));
            Asked { code: Some(code), created: true }
        };
        write_requests(&file, &rows)?;
        Ok(asked)
    }

    /// The requests that wait, oldest first; of one account where it is named. A missing or broken file counts as empty.
    pub fn pending(&self, account: Option<&str>, now: i64) -> Vec<Value> {
        let mut rows = alive(&self.requests_file(), now);
        rows.retain(|row| account.is_none_or(|account| account_of(row) == account));
        rows.retain(|row| ["id", "code", "createdAt"].iter().all(|name| row[name].is_string()));
        rows.sort_by(|a, b| a["createdAt"].as_str().cmp(&b["createdAt"].as_str()));
        rows
    }

    /// Admits the sender of a code, in the account that asked. `None` when no request has the code.
    ///
    /// # Errors
    /// When a file cannot be written; the request waits on then.
    pub fn approve(&self, code: &str, account: Option<&str>, now: i64) -> Result<Option<Approved>, PairingError> {
        let code = code.trim();
        if code.is_empty() {
            return Ok(None);
        }
        let _turn = self.turn()?;
        let file = self.requests_file();
        let _lock = FileLock::take(&file)?;
        let mut rows = alive(&file, now);
        let meant = |row: &Value| row["code"].as_str().is_some_and(|known| known.eq_ignore_ascii_case(code));
        let at = rows.iter().position(|row| meant(row) && account.is_none_or(|account| account_of(row) == account));
        let Some(at) = at else { return Ok(None) };
        let entry = rows.remove(at);
        let id = entry["id"].as_str().unwrap_or_default().to_owned();
        let account = account_of(&entry).to_owned();
        // First what admits: a sender who was approved must not have to ask again.
        self.change(&account, &id, true)?;
        write_requests(&file, &rows)?;
        Ok(Some(Approved { id, account, entry }))
    }

    /// Admits a sender without a request. True when this changed something, and the list of the account's own file.
    ///
    /// # Errors
    /// [`PairingError::Wildcard`] (CH-44), and when the file cannot be written.
    pub fn allow(&self, account: &str, id: &str) -> Result<(bool, Vec<String>), PairingError> {
        let _turn = self.turn()?;
        self.change(account, id, true)
    }

    /// Takes a sender out of the account's own file. True when this changed something, and what is left.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn forbid(&self, account: &str, id: &str) -> Result<(bool, Vec<String>), PairingError> {
        let _turn = self.turn()?;
        self.change(account, id, false)
    }

    fn change(&self, account: &str, id: &str, admit: bool) -> Result<(bool, Vec<String>), PairingError> {
        let id = sender(id)?;
        if id == "*" {
            return Err(PairingError::Wildcard);
        }
        let file = self.allowed_file(account);
        let _lock = FileLock::take(&file)?;
        let mut list = entries(&file);
        let known = list.iter().position(|other| *other == id);
        match (admit, known) {
            (true, Some(_)) | (false, None) => return Ok((false, list)),
            (true, None) if list.len() >= MOST_ALLOWED => return Err(PairingError::Full(file.display().to_string())),
            (true, None) => list.push(id),
            (false, Some(at)) => drop(list.remove(at)),
        }
        file::write(&file, &json!({"version": 1, "allowFrom": list}))?;
        Ok((true, list))
    }
}

fn sender(id: &str) -> Result<String, PairingError> {
    let id = id.trim();
    if id.is_empty() || id.chars().count() > LONGEST { Err(PairingError::Sender) } else { Ok(id.to_owned()) }
}

fn account_of(row: &Value) -> &str {
    row["meta"]["accountId"].as_str().filter(|account| !account.is_empty()).unwrap_or(DEFAULT)
}

/// What a channel notes of a sender: texts, and the account.
fn notes(given: &Value, account: &str) -> Value {
    let short = |v: &Value| Some(v.as_str()?.trim().chars().take(LONGEST).collect::<String>()).filter(|text| !text.is_empty());
    let rows = given.as_object().into_iter().flatten().take(MOST_META);
    let mut out: Map<String, Value> = rows.filter_map(|(k, v)| Some((k.clone(), short(v)?.into()))).collect();
    out.insert("accountId".into(), account.into());
    Value::Object(out)
}

/// The requests that have not run out.
fn alive(file: &Path, now: i64) -> Vec<Value> {
    let mut rows: Vec<Value> = file::read(file)["requests"].as_array().cloned().unwrap_or_default();
    rows.retain(|row| file::time_of(&row["createdAt"]).is_some_and(|at| now - at < LIFE_MS));
    rows
}

fn write_requests(file: &Path, rows: &[Value]) -> std::io::Result<()> {
    file::write(file, &json!({"version": 1, "requests": rows}))
}

/// The senders in a file; a wildcard is no sender (CH-44).
fn entries(file: &Path) -> Vec<String> {
    let list = file::read(file);
    let mut out: Vec<String> = Vec::new();
    for id in list["allowFrom"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::trim) {
        if !id.is_empty() && id != "*" && !out.iter().any(|known| known == id) {
            out.push(id.to_owned());
        }
    }
    out
}

fn new_code(rows: &[Value]) -> String {
    loop {
        let random: [u8; 16] = *uuid::Uuid::new_v4().as_bytes();
        // Bytes 6 and 8 of the id carry its version; the others are random.
        let letters = [0, 1, 2, 3, 4, 5, 9, 10].map(|at: usize| ALPHABET[usize::from(random[at] & 31)]);
        let code: String = letters.iter().take(CODE_LENGTH).map(|b| char::from(*b)).collect();
        if rows.iter().all(|row| row["code"] != code.as_str()) {
            return code;
        }
    }
}

#[cfg(test)]
mod tests;
