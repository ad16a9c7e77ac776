//! Transcripts of meetings on disk: `<state>/transcripts/<day>/<session>/` with `metadata.json`, `transcript.jsonl`, `summary.json` and
//! `summary.md`, as the reference writes them.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// Largest transcript of one session, in bytes; what is said after that is not kept.
const LARGEST_TRANSCRIPT: u64 = 64 * 1024 * 1024;
/// Longest utterance that is kept, in bytes of JSON.
const LARGEST_UTTERANCE: usize = 256 * 1024;
/// Longest name of a directory, in characters.
const LONGEST_SEGMENT: usize = 120;

/// The transcripts below one directory.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    root: PathBuf,
}

impl Store {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// The directory of a session.
    pub(crate) fn dir(&self, session: &Value) -> PathBuf {
        let started = session["startedAt"].as_str().unwrap_or_default();
        let day = day_of(started).unwrap_or_else(|| crate::transcripts::now().chars().take(10).collect());
        self.root.join(day).join(segment(session["sessionId"].as_str().unwrap_or_default()))
    }

    /// Writes what is known of a session.
    pub(crate) fn write_session(&self, session: &Value) -> Result<(), String> {
        let dir = self.dir(session);
        fs_err::create_dir_all(&dir).map_err(|e| e.to_string())?;
        write(&dir.join("metadata.json"), &pretty(session))
    }

    /// A session by its id or by `YYYY-MM-DD/<id>`, with its directory.
    pub(crate) fn find(&self, selector: &str) -> Result<Option<(Value, PathBuf)>, String> {
        if let Some((day, id)) = selector.split_once('/').filter(|(day, _)| is_day(day)) {
            let dir = self.root.join(day).join(segment(id));
            return Ok(read_json(&dir.join("metadata.json"))?.map(|session| (session, dir)));
        }
        let mut found = Vec::new();
        for day in self.days()? {
            let dir = self.root.join(day).join(segment(selector));
            if let Some(session) = read_json(&dir.join("metadata.json"))?.filter(|session| session["sessionId"] == selector) {
                found.push((session, dir));
            }
        }
        if found.len() > 1 {
            return Err(format!("several transcripts are called `{selector}`; name the day: `YYYY-MM-DD/{selector}`"));
        }
        Ok(found.pop())
    }

    fn days(&self) -> Result<Vec<String>, String> {
        let entries = match fs_err::read_dir(&self.root) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error.to_string()),
        };
        let mut days: Vec<String> =
            entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).filter(|name| is_day(name)).collect();
        days.sort_unstable_by(|a, b| b.cmp(a));
        Ok(days)
    }

    /// Adds what somebody said.
    pub(crate) fn append(&self, session: &Value, utterance: &Value) -> Result<(), String> {
        let mut line = utterance.clone();
        line["sessionId"] = session["sessionId"].clone();
        let line = format!("{line}\n");
        if line.len() > LARGEST_UTTERANCE {
            return Err(format!("an utterance of {} bytes is too large to keep; the limit is {LARGEST_UTTERANCE}", line.len()));
        }
        let dir = self.dir(session);
        fs_err::create_dir_all(&dir).map_err(|e| e.to_string())?;
        let path = dir.join("transcript.jsonl");
        let mut file = fs_err::OpenOptions::new().create(true).append(true).open(&path).map_err(|e| e.to_string())?;
        if file.metadata().map_err(|e| e.to_string())?.len() > LARGEST_TRANSCRIPT {
            return Err(format!("`{}` has reached its limit of {LARGEST_TRANSCRIPT} bytes", path.display()));
        }
        file.write_all(line.as_bytes()).map_err(|e| e.to_string())
    }

    /// The last utterances; a line that is broken is left out.
    pub(crate) fn utterances(dir: &Path, most: usize) -> Result<Vec<Value>, String> {
        let file = match fs_err::File::open(dir.join("transcript.jsonl")) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error.to_string()),
        };
        let mut last = VecDeque::new();
        for line in BufReader::new(file).lines() {
            let Ok(utterance) = serde_json::from_str::<Value>(&line.map_err(|e| e.to_string())?) else { continue };
            if last.len() >= most {
                last.pop_front();
            }
            last.push_back(utterance);
        }
        Ok(last.into())
    }

    /// Writes a summary and gives the path of its Markdown.
    pub(crate) fn write_summary(dir: &Path, summary: &Value, markdown: &str) -> Result<PathBuf, String> {
        fs_err::create_dir_all(dir).map_err(|e| e.to_string())?;
        write(&dir.join("summary.json"), &pretty(summary))?;
        let path = dir.join("summary.md");
        write(&path, &format!("{markdown}\n"))?;
        Ok(path)
    }
}

/// Writes a file whole or not at all.
fn write(path: &Path, text: &str) -> Result<(), String> {
    let part = path.with_extension(format!("{}.part", uuid::Uuid::new_v4().simple()));
    let written = fs_err::File::create(&part).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.and_then(|()| fs_err::rename(&part, path)).map_err(|error| {
        // What is left is removed; the error that matters is the first.
        let _ = fs_err::remove_file(&part);
        error.to_string()
    })
}

fn read_json(path: &Path) -> Result<Option<Value>, String> {
    match fs_err::read_to_string(path) {
        Ok(text) => serde_json::from_str(&text).map(Some).map_err(|error| format!("`{}` is no JSON: {error}", path.display())),
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}

fn pretty(value: &Value) -> String {
    format!("{}\n", serde_json::to_string_pretty(value).unwrap_or_else(|_| json!({}).to_string()))
}

/// A name as a directory: letters, digits, dots, lines; never `.` or `..`.
fn segment(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars().take(LONGEST_SEGMENT) {
        let plain = c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if plain {
            out.push(c);
        } else if !out.ends_with('-') {
            out.push('-');
        }
    }
    let out = out.trim_matches('-');
    if out.chars().all(|c| c == '.') { "session".into() } else { out.into() }
}

fn is_day(name: &str) -> bool {
    name.len() == 10 && name.bytes().enumerate().all(|(at, b)| if matches!(at, 4 | 7) { b == b'-' } else { b.is_ascii_digit() })
}

fn day_of(time: &str) -> Option<String> {
    let (day, _) = time.split_once('T')?;
    is_day(day).then(|| day.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_below_the_directory() {
        for (name, want) in [("a b/c", "a-b-c"), ("..", "session"), ("", "session"), ("--x--", "x"), ("../../etc", "..-..-etc")] {
            assert_eq!(segment(name), want);
        }
    }

    #[test]
    fn a_session_is_found_by_its_name_and_day() {
        let tmp = tempfile::tempdir().unwrap();
        let store = Store::new(tmp.path().join("transcripts"));
        assert!(store.find("standup").unwrap().is_none());
        let session = |day: &str| json!({"sessionId": "standup", "startedAt": format!("{day}T09:00:00.000Z"), "source": {}});
        store.write_session(&session("2026-05-22")).unwrap();
        store.append(&session("2026-05-22"), &json!({"text": "one"})).unwrap();
        store.append(&session("2026-05-22"), &json!({"text": "two"})).unwrap();
        let (found, dir) = store.find("standup").unwrap().unwrap();
        assert_eq!((found["startedAt"].as_str(), dir.ends_with("2026-05-22/standup")), (Some("2026-05-22T09:00:00.000Z"), true));
        let last = Store::utterances(&dir, 1).unwrap();
        assert_eq!(last, [json!({"text": "two", "sessionId": "standup"})]);
        store.write_session(&session("2026-05-23")).unwrap();
        assert!(store.find("standup").unwrap_err().contains("2026") || store.find("standup").unwrap_err().contains("YYYY"));
        assert!(store.find("2026-05-23/standup").unwrap().is_some());
    }
}
