//! Unknown senders: pending requests with codes, and those who were approved, in the reference's files (CH-34..CH-46).

use std::path::{Path, PathBuf};
use std::time::Duration;

use chela_agent::clock::now_ms;
use chela_plugin::CallError;
use chela_store::session_key::normalize_account_id;
use serde_json::{Value, json};

use crate::requests::{Reply, Request, failed};

/// How long a request waits for its approval (CH-38).
const LIFE_MS: i64 = 60 * 60 * 1000;
/// Requests that wait on one account (CH-39).
const MOST_PENDING: usize = 3;
/// The letters of codes: none that look alike (CH-37).
const ALPHABET: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
/// Length of a code (CH-37).
const CODE_LENGTH: usize = 8;
/// Longest id or note of a sender, in characters.
const LONGEST: usize = 200;
/// Notes of one sender.
const MOST_META: usize = 20;

/// One writer at a time in this process.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

struct Place {
    dir: PathBuf,
    channel: String,
    account: String,
}

impl Place {
    fn of(request: &Request<'_>) -> Result<(Self, Value), CallError> {
        let given = request.params.pointer("/args/0").cloned().unwrap_or_default();
        let refuse = |text: &str| CallError::refused("INVALID_PARAMS", text.to_string());
        let channel = given["channel"].as_str().map(|c| c.trim().to_lowercase()).unwrap_or_default();
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if channel.is_empty() || channel.len() > 64 || !channel.chars().all(plain) {
            return Err(refuse("`channel` must be the id of a channel"));
        }
        let account = normalize_account_id(given["accountId"].as_str().unwrap_or("default"));
        Ok((Self { dir: request.host.paths.state_dir.join("credentials"), channel, account }, given))
    }

    fn requests(&self) -> PathBuf {
        self.dir.join(format!("{}-pairing.json", self.channel))
    }

    /// The approved senders: of the account, and for the default account also the older unscoped file (CH-43).
    fn allowed(&self) -> Vec<PathBuf> {
        let own = self.dir.join(format!("{}-{}-allowFrom.json", self.channel, self.account));
        let old = (self.account == "default").then(|| self.dir.join(format!("{}-allowFrom.json", self.channel)));
        [Some(own), old].into_iter().flatten().collect()
    }
}

/// `readAllowFromStore({channel, accountId})`: approved senders, in order, each once. What cannot be read counts as empty (CH-34).
pub(crate) async fn read_allowed(request: &Request<'_>) -> Reply {
    let (place, _) = Place::of(request)?;
    let mut out: Vec<String> = Vec::new();
    for file in place.allowed() {
        for id in read(&file)["allowFrom"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            // CH-44: a wildcard is no sender.
            if id != "*" && !out.iter().any(|known| known == id) {
                out.push(id.to_string());
            }
        }
    }
    Ok(json!(out))
}

/// `upsertPairingRequest({channel, id, accountId, meta?})` -> `{code, created}`; no code when too many wait (CH-37..CH-40).
pub(crate) async fn upsert(request: &Request<'_>) -> Reply {
    let (place, given) = Place::of(request)?;
    let id = match &given["id"] {
        Value::String(text) => text.trim().to_string(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    };
    if id.is_empty() || id.chars().count() > LONGEST {
        return Err(CallError::refused("INVALID_PARAMS", format!("`id` must name a sender in at most {LONGEST} characters")));
    }
    let meta = meta(&given["meta"], &place.account);
    let _turn = TURN.lock().await;
    tokio::task::spawn_blocking(move || upsert_file(&place, &id, meta, now_ms())).await.map_err(failed)?.map_err(failed)
}

fn meta(given: &Value, account: &str) -> Value {
    let short = |v: &Value| Some(v.as_str()?.chars().take(LONGEST).collect::<String>());
    let rows = given.as_object().into_iter().flatten().take(MOST_META);
    let mut out: serde_json::Map<String, Value> = rows.filter_map(|(k, v)| Some((k.clone(), short(v)?.into()))).collect();
    out.insert("accountId".into(), account.into());
    Value::Object(out)
}

fn upsert_file(place: &Place, id: &str, meta: Value, now: i64) -> std::io::Result<Value> {
    fs_err::create_dir_all(&place.dir)?;
    let _lock = FileLock::take(&place.requests())?;
    let file = read(&place.requests());
    let mut rows: Vec<Value> = file["requests"].as_array().cloned().unwrap_or_default();
    rows.retain(|row| time_of(&row["createdAt"]).is_some_and(|at| now - at < LIFE_MS));
    let of_account = |row: &Value| row["meta"]["accountId"].as_str().unwrap_or("default") == place.account;
    let at = stamp(now);
    let answer = if let Some(known) = rows.iter_mut().find(|row| row["id"] == id && of_account(row)) {
        known["lastSeenAt"] = at.into();
        known["meta"] = meta;
        json!({"code": known["code"], "created": false})
    } else if rows.iter().filter(|row| of_account(row)).count() >= MOST_PENDING {
        json!({"code": "", "created": false})
    } else {
        let code = new_code(&rows);
        rows.push(json!({"id": id, "code": code, "createdAt": at, "lastSeenAt": at, "meta": meta}));
        json!({"code": code, "created": true})
    };
    write(&place.requests(), &json!({"version": 1, "requests": rows}))?;
    Ok(answer)
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

fn stamp(at: i64) -> String {
    jiff::Timestamp::from_millisecond(at).map(|t| format!("{t:.3}")).unwrap_or_default()
}

fn time_of(value: &Value) -> Option<i64> {
    value.as_str()?.parse::<jiff::Timestamp>().ok().map(|t| t.as_millisecond())
}

fn read(file: &Path) -> Value {
    let text = fs_err::read_to_string(file).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

fn write(file: &Path, value: &Value) -> std::io::Result<()> {
    let dir = file.parent().unwrap_or(Path::new("."));
    let mut temp = tempfile::NamedTempFile::new_in(dir)?;
    serde_json::to_writer_pretty(&mut temp, value)?;
    temp.as_file().sync_all()?;
    temp.persist(file).map(|_| ()).map_err(|e| e.error)
}

/// The reference's lock beside a file, so that both may run on one state directory (CH-45).
struct FileLock(PathBuf);

impl FileLock {
    fn take(file: &Path) -> std::io::Result<Self> {
        let lock = PathBuf::from(format!("{}.lock", file.display()));
        let mut wait = Duration::from_millis(100);
        for _ in 0..10 {
            match fs_err::OpenOptions::new().write(true).create_new(true).open(&lock) {
                Ok(_) => return Ok(Self(lock)),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                    let age = fs_err::metadata(&lock).and_then(|m| m.modified()).ok().and_then(|at| at.elapsed().ok());
                    if age.is_some_and(|age| age > Duration::from_secs(30)) {
                        let _ = fs_err::remove_file(&lock);
                        continue;
                    }
                    std::thread::sleep(wait);
                    wait = (wait * 2).min(Duration::from_secs(10));
                }
                Err(error) => return Err(error),
            }
        }
        Err(std::io::Error::other(format!("`{}` is held by another program; remove it when none runs", lock.display())))
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        let _ = fs_err::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // CH-37, CH-38, CH-39, CH-40, CH-42
    #[test]
    fn codes_wait_an_hour_and_three_at_most_on_an_account() {
        let dir = tempfile::tempdir().unwrap();
        let place = |account: &str| Place { dir: dir.path().join("credentials"), channel: "talk".into(), account: account.into() };
        let ask = |account: &str, id: &str, now: i64| upsert_file(&place(account), id, meta(&json!({"name": "N"}), account), now).unwrap();
        let start = now_ms();
        let first = ask("default", "u1", start);
        let code = first["code"].as_str().unwrap().to_string();
        assert!(first["created"] == true && code.len() == 8 && code.bytes().all(|b| ALPHABET.contains(&b)), "{code}");
        assert_eq!(ask("default", "u1", start + 1000), json!({"code": code, "created": false}));
        ask("default", "u2", start);
        ask("default", "u3", start);
        assert_eq!(ask("default", "u4", start), json!({"code": "", "created": false}));
        assert_eq!(ask("work", "u4", start)["created"], true);
        let file = read(&place("default").requests());
        assert_eq!((&file["version"], file["requests"].as_array().unwrap().len()), (&json!(1), 4));
        let row = &file["requests"][0];
        assert_eq!((&row["id"], &row["meta"]), (&json!("u1"), &json!({"name": "N", "accountId": "default"})));
        assert_eq!((time_of(&row["createdAt"]), time_of(&row["lastSeenAt"])), (Some(start), Some(start + 1000)));
        let late = ask("default", "u1", start + LIFE_MS);
        assert!(late["created"] == true && late["code"] != code.as_str(), "seeing the sender again does not extend its life");
    }
}
