//! Next-turn injections: text a plugin adds to the next run of a session (HOOK-246..255).
//!
//! They live in the session row, as the reference keeps them. Beyond the reference, a drain leaves what belongs to
//! plugins that are not loaded: it waits for them.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::json_limits::{self, utf16_len};
use crate::tx::Tx;
use crate::{Result, SessionRow, Store, session_key, time};

const FIELD: &str = "pluginNextTurnInjections";
/// Longest text, UTF-16 units (HOOK-247).
const MAX_TEXT: usize = 32_768;
/// Longest idempotency key, UTF-16 units (HOOK-247).
const MAX_KEY: usize = 512;
/// Live injections of one plugin in one session (HOOK-248).
const MAX_PER_PLUGIN: usize = 32;
/// Runs whose drained set is remembered (HOOK-255).
const REMEMBERED_RUNS: usize = 256;

/// Where an injection goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Placement {
    /// Before the prompt.
    #[default]
    PrependContext,
    /// After the prompt.
    AppendContext,
}

/// What a plugin asks for, unchecked: a value of the wrong type is refused, not an error.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NewInjection {
    /// Plugin that asks.
    pub plugin_id: String,
    /// Its name.
    pub plugin_name: Option<String>,
    /// Session, in any spelling.
    pub session_key: Value,
    /// Text.
    pub text: Value,
    /// Key that makes repeats one.
    pub idempotency_key: Option<Value>,
    /// `prepend_context` or `append_context`.
    pub placement: Option<Value>,
    /// Lifetime in milliseconds.
    pub ttl_ms: Option<Value>,
    /// Free JSON.
    pub metadata: Option<Value>,
}

/// Answer to the plugin.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Enqueued {
    /// True when it was stored.
    pub enqueued: bool,
    /// Id of the stored or already stored record; blank when refused for its form.
    pub id: String,
    /// Canonical session key, or what was given when refused.
    pub session_key: String,
}

/// A stored injection, in the form of the session row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Injection {
    /// Id.
    pub id: String,
    /// Plugin it came from.
    pub plugin_id: String,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub plugin_name: Option<String>,
    /// Text, trimmed.
    pub text: String,
    /// Key that makes repeats one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub idempotency_key: Option<String>,
    /// Where it goes.
    pub placement: Placement,
    /// Lifetime in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ttl_ms: Option<f64>,
    /// When it was enqueued, milliseconds.
    pub created_at: i64,
    /// Free JSON.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub metadata: Option<Value>,
}

impl Injection {
    /// Joins the texts of one placement with a blank line; `None` when there is none (HOOK-254).
    pub fn join(injections: &[Self], placement: Placement) -> Option<String> {
        let texts: Vec<&str> =
            injections.iter().filter(|i| i.placement == placement).map(|i| i.text.trim()).filter(|t| !t.is_empty()).collect();
        (!texts.is_empty()).then(|| texts.join("\n\n"))
    }

    fn is_live(&self, now: i64) -> bool {
        self.ttl_ms.is_none_or(|ttl| (now - self.created_at) as f64 <= ttl)
    }
}

/// Drained sets of the last runs, so that a retry of a run gets the same.
#[derive(Default)]
pub(crate) struct DrainCache(Mutex<VecDeque<(String, Vec<Injection>)>>);

impl DrainCache {
    fn get(&self, run: &str) -> Option<Vec<Injection>> {
        let runs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        runs.iter().find(|(id, _)| id == run).map(|(_, set)| set.clone())
    }

    fn put(&self, run: String, set: Vec<Injection>) {
        let mut runs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if runs.len() >= REMEMBERED_RUNS {
            runs.pop_front();
        }
        runs.push_back((run, set));
    }
}

impl Store {
    /// Queues an injection. What the reference refuses is refused in the same way, as a result and not an error.
    ///
    /// # Errors
    /// Write errors.
    pub async fn enqueue_injection(&self, new: NewInjection) -> Result<Enqueued> {
        let now = time::now_ms();
        let record = match check(&new, now) {
            Ok(record) => record,
            Err(session_key) => {
                return Ok(Enqueued { session_key, ..Enqueued::default() });
            }
        };
        let given = new.session_key.as_str().unwrap_or_default().trim().to_owned();
        let key = session_key::canonicalize(&given, session_key::DEFAULT_AGENT_ID);
        self.write(move |tx| match tx.row(&key)? {
            Some(row) => tx.enqueue(row, record, now),
            None => Ok(Enqueued { session_key: given, ..Enqueued::default() }),
        })
        .await
    }

    /// Takes the live injections of `loaded` plugins out of a session, oldest first. Those of other plugins stay;
    /// expired ones go. A second call for the same run gives the same set (HOOK-255).
    ///
    /// # Errors
    /// Read and write errors.
    pub async fn drain_injections(&self, key: &str, run_id: &str, loaded: Vec<String>) -> Result<Vec<Injection>> {
        let memo = format!("{key}\u{0}{run_id}");
        if let Some(set) = self.inner.drained.get(&memo) {
            return Ok(set);
        }
        // Most runs find nothing: they must not cost a commit.
        let waiting = self.session(key).await?.is_some_and(|row| row.extra.contains_key(FIELD));
        let set = if waiting {
            let key = key.to_owned();
            self.write(move |tx| tx.drain(&key, &loaded)).await?
        } else {
            Vec::new()
        };
        self.inner.drained.put(memo, set.clone());
        Ok(set)
    }
}

impl Tx<'_> {
    fn enqueue(&mut self, row: SessionRow, record: Injection, now: i64) -> Result<Enqueued> {
        let answer = |enqueued, id| Enqueued { enqueued, id, session_key: row.key.clone() };
        let mut queues = read_queues(&row);
        let queue = queues.entry(record.plugin_id.clone()).or_insert_with(|| Value::Array(Vec::new()));
        let mut live = parse_queue(queue, now);
        let same = |i: &&Injection| record.idempotency_key.is_some() && i.idempotency_key == record.idempotency_key;
        if let Some(known) = live.iter().find(same) {
            return Ok(answer(false, known.id.clone()));
        }
        if live.len() >= MAX_PER_PLUGIN {
            return Ok(answer(false, record.id));
        }
        let result = answer(true, record.id.clone());
        live.push(record);
        *queue = serde_json::to_value(live).unwrap_or_default();
        self.update_row(row, |row| {
            row.extra.insert(FIELD.into(), Value::Object(queues));
            row.updated_at_ms = now;
        })?;
        Ok(result)
    }

    fn drain(&mut self, key: &str, loaded: &[String]) -> Result<Vec<Injection>> {
        let Some(row) = self.row(key)? else {
            return Ok(Vec::new());
        };
        let now = time::now_ms();
        let mut drained = Vec::new();
        let mut staying = Map::new();
        for (plugin, queue) in read_queues(&row) {
            let live = parse_queue(&queue, now);
            if loaded.contains(&plugin) {
                drained.extend(live);
            } else if !live.is_empty() {
                staying.insert(plugin, serde_json::to_value(live).unwrap_or_default());
            }
        }
        drained.sort_by_key(|i| i.created_at);
        self.update_row(row, |row| {
            if staying.is_empty() {
                row.extra.shift_remove(FIELD);
            } else {
                row.extra.insert(FIELD.into(), Value::Object(staying));
            }
        })?;
        Ok(drained)
    }
}

fn read_queues(row: &SessionRow) -> Map<String, Value> {
    row.extra.get(FIELD).and_then(Value::as_object).cloned().unwrap_or_default()
}

/// Records that cannot be read count as expired, as in the reference.
fn parse_queue(queue: &Value, now: i64) -> Vec<Injection> {
    let items = queue.as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().filter_map(|v| Injection::deserialize(v).ok()).filter(|i| i.is_live(now)).collect()
}

/// The record to store, or the session key to answer a refusal with (HOOK-247).
fn check(new: &NewInjection, now: i64) -> std::result::Result<Injection, String> {
    let key = new.session_key.as_str().unwrap_or_default().trim().to_owned();
    let refused = || key.clone();
    let text = new.text.as_str().map(str::trim).filter(|t| !t.is_empty() && utf16_len(t) <= MAX_TEXT).ok_or_else(refused)?;
    if key.is_empty() || new.metadata.as_ref().is_some_and(|m| json_limits::check(m).is_err()) {
        return Err(key);
    }
    let idempotency_key = match &new.idempotency_key {
        None => None,
        Some(value) => {
            let raw = value.as_str().filter(|k| !k.trim().is_empty() && utf16_len(k) <= MAX_KEY).ok_or_else(refused)?;
            Some(raw.trim().to_owned())
        }
    };
    let placement = match &new.placement {
        None => Placement::default(),
        Some(value) => Placement::deserialize(value).map_err(|_| refused())?,
    };
    let ttl_ms = match &new.ttl_ms {
        None => None,
        Some(value) => Some(value.as_f64().filter(|t| t.is_finite() && *t >= 0.0).ok_or_else(refused)?),
    };
    Ok(Injection {
        id: idempotency_key.clone().unwrap_or_else(|| uuid::Uuid::new_v4().to_string()),
        plugin_id: new.plugin_id.clone(),
        plugin_name: new.plugin_name.clone(),
        text: text.to_owned(),
        idempotency_key,
        placement,
        ttl_ms,
        created_at: now,
        metadata: new.metadata.clone(),
    })
}
