//! Conversations that plugins have bound to themselves: requests, approvals and what is kept (API-217..API-222).

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chela_agent::clock::now_ms;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Requests that wait for an answer; the oldest goes when another one comes.
const MOST_PENDING: usize = 200;
/// Bound conversations.
const MOST_BINDINGS: usize = 10_000;
/// Largest data that a plugin keeps with a binding, in bytes.
const LARGEST_DATA: usize = 16 * 1024;

/// A conversation on a channel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Conversation {
    pub channel: String,
    pub account_id: String,
    pub conversation_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_conversation_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thread_id: Option<String>,
}

impl Conversation {
    fn is(&self, other: &Self) -> bool {
        self.channel == other.channel && self.account_id == other.account_id && self.conversation_id == other.conversation_id
    }
}

/// What a plugin says about a binding.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Terms {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detach_hint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
}

/// The plugin that asks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Asker {
    pub plugin_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plugin_name: Option<String>,
    pub plugin_root: String,
}

/// A bound conversation (API-221).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Binding {
    pub binding_id: String,
    #[serde(flatten)]
    pub asker: Asker,
    #[serde(flatten)]
    pub conversation: Conversation,
    pub bound_at: i64,
    #[serde(flatten)]
    pub terms: Terms,
}

/// A plugin that may bind on an account without being asked for again.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Approval {
    plugin_root: String,
    plugin_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    plugin_name: Option<String>,
    channel: String,
    #[serde(default)]
    account_id: String,
    #[serde(default)]
    approved_at: i64,
}

/// A request that waits for an answer.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    pub asker: Asker,
    pub conversation: Conversation,
    pub sender_id: Option<String>,
    pub terms: Terms,
    at: i64,
}

/// The answer to a request.
pub(crate) enum Asked {
    Bound(Box<Binding>),
    Pending(String, Box<Pending>),
    Refused(String),
}

/// What became of an approval.
pub(crate) enum Decided {
    Approved(Box<Binding>, Box<Pending>),
    Denied(Box<Pending>),
    Expired,
}

/// All bindings of a state directory.
pub(crate) struct Bindings {
    file: PathBuf,
    approvals_file: PathBuf,
    inner: Mutex<Option<Inner>>,
}

#[derive(Default)]
struct Inner {
    rows: Vec<Binding>,
    approvals: Vec<Approval>,
    pending: HashMap<String, Pending>,
    noticed: HashSet<String>,
}

impl Bindings {
    pub(crate) fn new(state_dir: &Path, own_dir: &Path) -> Self {
        Self {
            file: own_dir.join("conversation-bindings.json"),
            approvals_file: state_dir.join("plugin-binding-approvals.json"),
            inner: Mutex::new(None),
        }
    }

    /// Blocks on the disk, the first time only.
    fn with<T>(&self, work: impl FnOnce(&mut Inner) -> T) -> T {
        let mut guard: MutexGuard<'_, Option<Inner>> = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let inner = guard.get_or_insert_with(|| Inner {
            rows: read(&self.file, "bindings"),
            approvals: read(&self.approvals_file, "approvals"),
            ..Inner::default()
        });
        work(inner)
    }

    /// A plugin asks for a conversation (API-218).
    pub(crate) fn ask(&self, asker: Asker, conversation: Conversation, sender_id: Option<String>, terms: Terms) -> Asked {
        if conversation.channel.is_empty() || conversation.conversation_id.is_empty() {
            return Asked::Refused("the conversation is not known; bind from a command or a button of a channel".into());
        }
        if terms.data.as_ref().is_some_and(|data| data.to_string().len() > LARGEST_DATA) {
            return Asked::Refused(format!("`data` of a binding may have at most {LARGEST_DATA} bytes"));
        }
        self.with(|inner| {
            let bound = inner.rows.iter().find(|row| row.conversation.is(&conversation));
            if let Some(other) = bound.filter(|row| row.asker.plugin_root != asker.plugin_root) {
                let name = other.asker.plugin_name.as_ref().unwrap_or(&other.asker.plugin_id);
                return Asked::Refused(format!("This conversation is already bound by plugin \"{name}\"."));
            }
            let known = |a: &Approval| {
                a.plugin_root == asker.plugin_root && a.channel == conversation.channel && a.account_id == conversation.account_id
            };
            if bound.is_some() || inner.approvals.iter().any(known) {
                return Asked::Bound(Box::new(self.bind(inner, asker, conversation, terms)));
            }
            if inner.pending.len() >= MOST_PENDING
                && let Some(oldest) = inner.pending.iter().min_by_key(|(_, p)| p.at).map(|(id, _)| id.clone())
            {
                inner.pending.remove(&oldest);
            }
            let id = uuid::Uuid::new_v4().simple().to_string();
            let pending = Pending { asker, conversation, sender_id, terms, at: now_ms() };
            inner.pending.insert(id.clone(), pending.clone());
            Asked::Pending(id, Box::new(pending))
        })
    }

    fn bind(&self, inner: &mut Inner, asker: Asker, conversation: Conversation, terms: Terms) -> Binding {
        inner.rows.retain(|row| !row.conversation.is(&conversation));
        if inner.rows.len() >= MOST_BINDINGS {
            inner.rows.remove(0);
        }
        let binding = Binding { binding_id: uuid::Uuid::new_v4().to_string(), asker, conversation, bound_at: now_ms(), terms };
        inner.rows.push(binding.clone());
        self.save(inner);
        binding
    }

    /// Answers a request (API-219). Anybody but the one who asked sees it as expired.
    pub(crate) fn decide(&self, id: &str, decision: &str, sender: Option<&str>) -> Decided {
        self.with(|inner| {
            let mine = inner.pending.get(id).is_some_and(|p| match (&p.sender_id, sender.map(str::trim).filter(|s| !s.is_empty())) {
                (Some(asked), Some(answers)) => asked == answers,
                _ => true,
            });
            // A stranger's answer leaves the request to the one who asked.
            let Some(pending) = mine.then(|| inner.pending.remove(id)).flatten() else { return Decided::Expired };
            if decision == "deny" {
                return Decided::Denied(Box::new(pending));
            }
            if decision == "allow-always" {
                let (asker, place) = (&pending.asker, &pending.conversation);
                inner
                    .approvals
                    .retain(|a| a.plugin_root != asker.plugin_root || a.channel != place.channel || a.account_id != place.account_id);
                inner.approvals.push(Approval {
                    plugin_root: asker.plugin_root.clone(),
                    plugin_id: asker.plugin_id.clone(),
                    plugin_name: asker.plugin_name.clone(),
                    channel: place.channel.clone(),
                    account_id: place.account_id.clone(),
                    approved_at: now_ms(),
                });
                write(&self.approvals_file, &json!({"version": 1, "approvals": inner.approvals}));
            }
            let binding = self.bind(inner, pending.asker.clone(), pending.conversation.clone(), pending.terms.clone());
            Decided::Approved(Box::new(binding), Box::new(pending))
        })
    }

    /// The binding of a conversation under any of its names.
    pub(crate) fn find(&self, channel: &str, account: &str, names: &[String]) -> Option<Binding> {
        self.with(|inner| {
            let here = |row: &&Binding| row.conversation.channel == channel && row.conversation.account_id == account;
            inner.rows.iter().filter(here).find(|row| names.contains(&row.conversation.conversation_id)).cloned()
        })
    }

    /// Takes a binding of this plugin away.
    pub(crate) fn detach(&self, root: &str, conversation: &Conversation) -> bool {
        self.with(|inner| {
            let before = inner.rows.len();
            inner.rows.retain(|row| !(row.conversation.is(conversation) && row.asker.plugin_root == root));
            let removed = inner.rows.len() < before;
            if removed {
                self.save(inner);
            }
            removed
        })
    }

    /// True the first time that people have to be told about a binding whose plugin is away (HOOK-210).
    pub(crate) fn first_notice(&self, binding_id: &str) -> bool {
        self.with(|inner| inner.noticed.insert(binding_id.into()))
    }

    fn save(&self, inner: &Inner) {
        write(&self.file, &json!({"version": 1, "bindings": inner.rows}));
    }
}

fn read<T: serde::de::DeserializeOwned>(file: &Path, member: &str) -> Vec<T> {
    let Ok(text) = fs_err::read_to_string(file) else { return Vec::new() };
    let parsed: Result<Value, _> = serde_json::from_str(&text);
    match parsed {
        Ok(value) => {
            let rows = value.get(member).and_then(Value::as_array).cloned().unwrap_or_default();
            rows.into_iter().filter_map(|row| serde_json::from_value(row).ok()).collect()
        }
        Err(error) => {
            tracing::warn!(target: "channels", "`{}` could not be read and is treated as empty: {error}", file.display());
            Vec::new()
        }
    }
}

/// Replaces a file as a whole; only its owner reads it.
fn write(file: &Path, value: &Value) {
    let done = || -> std::io::Result<()> {
        use std::io::Write;
        let dir = file.parent().unwrap_or(Path::new("."));
        fs_err::create_dir_all(dir)?;
        let mut temp = tempfile::NamedTempFile::new_in(dir)?;
        serde_json::to_writer_pretty(&mut temp, value)?;
        temp.write_all(b"\n")?;
        temp.as_file().sync_all()?;
        temp.persist(file).map(|_| ()).map_err(|e| e.error)
    };
    if let Err(error) = done() {
        tracing::error!(target: "channels", "`{}` could not be written: {error}", file.display());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asker(id: &str) -> Asker {
        Asker { plugin_id: id.into(), plugin_name: None, plugin_root: format!("/p/{id}") }
    }

    fn place(id: &str) -> Conversation {
        Conversation { channel: "talk".into(), account_id: "work".into(), conversation_id: id.into(), ..Conversation::default() }
    }

    fn ask(bindings: &Bindings, plugin: &str, conversation: &str) -> Asked {
        bindings.ask(asker(plugin), place(conversation), Some("u1".into()), Terms { summary: Some("s".into()), ..Terms::default() })
    }

    // API-217, API-218, API-219, API-221, API-222
    #[test]
    fn a_plugin_binds_after_approval_and_always_when_it_may() {
        let dir = tempfile::tempdir().unwrap();
        let open = || Bindings::new(dir.path(), &dir.path().join("own"));
        let bindings = open();
        let Asked::Pending(id, _) = ask(&bindings, "a", "c1") else { panic!("not pending") };
        assert!(matches!(bindings.decide(&id, "allow-once", Some("u2")), Decided::Expired), "somebody else answers");
        let Decided::Approved(binding, _) = bindings.decide(&id, "allow-once", Some("u1")) else { panic!("not approved") };
        let row = serde_json::to_value(&*binding).unwrap();
        assert_eq!((&row["pluginId"], &row["conversationId"], &row["summary"]), (&json!("a"), &json!("c1"), &json!("s")));
        assert!(matches!(bindings.decide(&id, "deny", None), Decided::Expired), "answered once");
        assert!(matches!(ask(&bindings, "a", "c1"), Asked::Bound(_)), "refreshed at once");
        assert!(matches!(ask(&bindings, "b", "c1"), Asked::Refused(text) if text.contains("\"a\"")));
        assert!(matches!(ask(&bindings, "a", "c2"), Asked::Pending(..)), "once is for one conversation");
        let Asked::Pending(id, _) = ask(&bindings, "a", "c2") else { panic!("not pending") };
        assert!(matches!(bindings.decide(&id, "allow-always", None), Decided::Approved(..)));
        assert!(matches!(ask(&bindings, "a", "c3"), Asked::Bound(_)), "always is for the account");
        let Asked::Pending(lost, _) = ask(&bindings, "b", "c4") else { panic!("not pending") };

        let again = open();
        assert!(matches!(again.decide(&lost, "allow-once", None), Decided::Expired), "requests are lost with the process");
        assert_eq!(again.find("talk", "work", &["x".into(), "c1".into()]).unwrap().asker.plugin_id, "a");
        assert!(matches!(ask(&again, "a", "c5"), Asked::Bound(_)), "approvals are kept");
        assert!(!again.detach("/p/b", &place("c1")) && again.detach("/p/a", &place("c1")));
        assert!(open().find("talk", "work", &["c1".into()]).is_none());
        assert!(again.first_notice("n") && !again.first_notice("n"));
    }
}
