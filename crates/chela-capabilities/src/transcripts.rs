//! Transcripts of meetings (`registerTranscriptSourceProvider`, 2026.6.11): a provider listens, what it hears is kept on disk.

mod auto_start;
mod store;
mod summary;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chela_plugin::{Adapter, Call};
use futures::StreamExt;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::host::Scope;
use crate::kind::{Capability, Provider};
use crate::params::Params;
use store::Store;

/// The provider that takes text which somebody pasted.
const MANUAL: &str = "manual-transcript";
/// Time for a provider to join a meeting.
const START: Duration = Duration::from_secs(90);
/// Time for a provider to leave it, or to read a text.
const STOP: Duration = Duration::from_secs(30);
/// How long what was said just before the end is waited for.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// Captures at once.
const MOST_ACTIVE: usize = 64;
/// Utterances of one imported text.
const MOST_IMPORTED: usize = 20_000;
/// Longest id or title, in characters.
const LONGEST_NAME: usize = 200;
/// Members of a source.
const SOURCE: [&str; 4] = ["accountId", "guildId", "channelId", "meetingUrl"];

/// A capture under way.
struct Active {
    session: Value,
    provider: String,
    /// Asks the writer to end when nothing comes any more.
    ending: CancellationToken,
    writer: tokio::task::JoinHandle<()>,
}

/// What is being captured; one for each gateway.
#[derive(Default)]
pub struct Transcripts {
    active: Mutex<HashMap<String, Active>>,
    stopping: CancellationToken,
}

impl std::fmt::Debug for Transcripts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Transcripts")
    }
}

/// Now, as text.
pub(crate) fn now() -> String {
    let ms = jiff::Timestamp::now().as_millisecond();
    jiff::Timestamp::from_millisecond(ms).map(|t| format!("{t:.3}")).unwrap_or_default()
}

/// True when the operator switched transcripts on.
pub(crate) fn enabled(config: &Value) -> bool {
    config.pointer("/transcripts/enabled") == Some(&Value::Bool(true))
}

fn most_utterances(config: &Value) -> usize {
    let set = config.pointer("/transcripts/maxUtterances").and_then(Value::as_u64);
    set.map_or(2000, |most| usize::try_from(most).unwrap_or(usize::MAX).clamp(1, 10_000))
}

/// Work on the disk, away from the threads that serve requests.
async fn on_disk<T: Send + 'static>(work: impl FnOnce() -> Result<T, String> + Send + 'static) -> Result<T, String> {
    tokio::task::spawn_blocking(work).await.map_err(|error| error.to_string())?
}

fn store_of(scope: &Scope<'_>) -> Store {
    Store::new(scope.host.state_dir().join("transcripts"))
}

fn provider_of(scope: &Scope<'_>, id: &str, function: &str, what: &str) -> Result<Provider, String> {
    let found = Provider::find(&scope.registry, Capability::TranscriptSource, id);
    found.filter(|p| p.object.has(function)).ok_or_else(|| {
        let ids: Vec<String> = Provider::all(&scope.registry, Capability::TranscriptSource).into_iter().map(|p| p.id).collect();
        format!("the transcript source `{id}` cannot {what}; there are: {}", [vec![MANUAL.to_string()], ids].concat().join(", "))
    })
}

/// What a request says of a session that begins.
fn session_of(params: &Params<'_>) -> Result<Value, String> {
    let mut source = json!({"providerId": params.text("providerId").unwrap_or_else(|| MANUAL.into())});
    for key in SOURCE {
        if let Some(value) = params.text(key) {
            source[key] = value.into();
        }
    }
    let id = params.text("sessionId").unwrap_or_else(|| {
        let stamp = now().replace([':', '.'], "-");
        format!("transcript-{stamp}-{}", &uuid::Uuid::new_v4().simple().to_string()[..8])
    });
    let title = params.text("title");
    if id.chars().count() > LONGEST_NAME || title.as_ref().is_some_and(|t| t.chars().count() > LONGEST_NAME) {
        return Err(format!("`sessionId` and `title` may have {LONGEST_NAME} characters"));
    }
    let mut session = json!({"sessionId": id, "source": source, "startedAt": now()});
    if let Some(title) = title {
        session["title"] = title.into();
    }
    Ok(session)
}

/// What a summary was written to, for answers.
struct Summed {
    summary: Value,
    path: PathBuf,
}

async fn summarize(scope: &Scope<'_>, session: &Value, dir: &Path) -> Result<Summed, String> {
    let (session, dir, most) = (session.clone(), dir.to_path_buf(), most_utterances(&scope.config));
    on_disk(move || {
        let summary = summary::summarize(&session, &Store::utterances(&dir, most)?);
        let path = Store::write_summary(&dir, &summary, &summary::markdown(&summary))?;
        Ok(Summed { summary, path })
    })
    .await
}

/// The answer of the tool.
fn told(text: String, mut details: Value, summed: Option<Summed>) -> Value {
    let mut text = text;
    if let Some(Summed { summary, path }) = summed {
        text = format!("{text}\nSummary: {}", path.display());
        details["summary"] = summary;
        details["summaryPath"] = path.display().to_string().into();
    }
    json!({"content": [{"type": "text", "text": text}], "details": details})
}

impl Transcripts {
    fn active(&self) -> MutexGuard<'_, HashMap<String, Active>> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One action of the tool: `start`, `stop`, `status`, `import`, `summarize`.
    ///
    /// # Errors
    /// A text for the model.
    pub async fn act(&self, scope: &Scope<'_>, params: &Value) -> Result<Value, String> {
        if !enabled(&scope.config) {
            return Err("transcripts are off; set `transcripts.enabled` to switch them on".into());
        }
        let params = Params(params);
        match params.needed("action")?.as_str() {
            "start" => self.start(scope, &params, None).await.map(|(_, told)| told),
            "stop" => self.stop(scope, &params.needed("sessionId")?, "tool-stop").await,
            "import" => import(scope, &params).await,
            "summarize" => again(scope, &params.needed("sessionId")?).await,
            "status" => Ok(self.status(scope)),
            other => Err(format!("`action` is `{other}`; it may be start, stop, status, import or summarize")),
        }
    }

    /// Begins a capture; gives its id and the answer.
    async fn start(&self, scope: &Scope<'_>, params: &Params<'_>, wait: Option<Duration>) -> Result<(String, Value), String> {
        let session = session_of(params)?;
        let id = session["sessionId"].as_str().unwrap_or_default().to_string();
        let named = session["source"]["providerId"].as_str().unwrap_or_default().to_string();
        let provider = provider_of(scope, &named, "start", "listen to a meeting")?;
        if self.active().contains_key(&id) || self.active().len() >= MOST_ACTIVE {
            return Err(format!("`{id}` is being captured already, or {MOST_ACTIVE} captures are under way; stop one first"));
        }
        let store = store_of(scope);
        let (kept, written) = (store.clone(), session.clone());
        on_disk(move || kept.write_session(&written)).await?;
        let mut request = json!({"cfg": scope.shown(), "session": session});
        if let Some(wait) = wait {
            request["startupWaitMs"] = (wait.as_millis() as u64).into();
        }
        let args = vec![request, json!(["onUtterance", "onStatus"]), json!([]), json!(["ok", "error"])];
        let mut call = Call::new(args).adapter(Adapter::Realtime).budget(Some(START)).cancelled_by(scope.cancel.clone());
        let signal = call.signal(self.stopping.clone());
        call.args[0]["abortSignal"] = signal;
        let answer = provider.object.call("start", call).await.map_err(|error| error.to_string())?;
        let answer = provider.object.returned(answer);
        if answer.value()["ok"] != true {
            let why = answer.text("error").unwrap_or("it gave no reason").to_string();
            return Err(format!("the transcript source `{}` could not start: {why}", provider.id));
        }
        let events = answer.stream("events").ok_or_else(|| format!("the transcript source `{}` gave no events", provider.id))?;
        let ending = CancellationToken::new();
        let writer = tokio::spawn(listen(store, session.clone(), events, ending.clone()));
        self.active().insert(id.clone(), Active { session, provider: provider.id.clone(), ending, writer });
        let details = json!({"sessionId": id, "providerId": provider.id});
        Ok((id.clone(), told(format!("Transcripts started: {id}"), details, None)))
    }

    /// Ends a capture, or marks one that ended otherwise; writes its summary.
    async fn stop(&self, scope: &Scope<'_>, selector: &str, reason: &str) -> Result<Value, String> {
        let store = store_of(scope);
        let (stored, wanted) = (store.clone(), selector.to_string());
        let found = on_disk(move || stored.find(&wanted)).await;
        let same = |session: &Value| {
            found
                .as_ref()
                .ok()
                .and_then(Option::as_ref)
                .is_some_and(|(stored, _)| stored["sessionId"] == session["sessionId"] && stored["startedAt"] == session["startedAt"])
        };
        let key = self.active().iter().find(|(id, a)| *id == selector || same(&a.session)).map(|(id, _)| id.clone());
        let active = key.and_then(|key| self.active().remove(&key));
        let Some(active) = active else {
            let (mut session, dir) = found?.ok_or_else(|| format!("there is no transcript `{selector}`"))?;
            session["stoppedAt"] = now().into();
            let written = session.clone();
            on_disk(move || store.write_session(&written)).await?;
            let summed = summarize(scope, &session, &dir).await?;
            let id = session["sessionId"].as_str().unwrap_or_default().to_string();
            return Ok(told(format!("Transcripts stopped: {id}"), json!({"sessionId": id}), Some(summed)));
        };
        let mut session = active.session;
        let id = session["sessionId"].as_str().unwrap_or_default().to_string();
        let mut details = json!({"sessionId": id});
        if let Some(problem) = leave(scope, &active.provider, &session, reason).await {
            session["metadata"] = json!({"providerStopError": problem, "providerStopFailedAt": now()});
            details["providerStopError"] = problem.into();
        }
        active.ending.cancel();
        if tokio::time::timeout(STOP, active.writer).await.is_err() {
            tracing::warn!(target: "capabilities", session = id, "the last words of a transcript did not come in time");
        }
        session["stoppedAt"] = now().into();
        let (dir, written) = (store.dir(&session), session.clone());
        on_disk(move || store.write_session(&written)).await?;
        let summed = summarize(scope, &session, &dir).await?;
        Ok(told(format!("Transcripts stopped: {id}"), details, Some(summed)))
    }

    fn status(&self, scope: &Scope<'_>) -> Value {
        let mut providers = vec![MANUAL.to_string()];
        providers.extend(Provider::all(&scope.registry, Capability::TranscriptSource).into_iter().map(|p| p.id));
        let row = |a: &Active| {
            json!({
                "sessionId": a.session["sessionId"], "providerId": a.provider, "title": a.session["title"], "source": a.session["source"],
            })
        };
        let active: Vec<Value> = self.active().values().map(row).collect();
        let text = format!("Transcripts providers: {}\nActive sessions: {}", providers.join(", "), active.len());
        told(text, json!({"providers": providers, "active": active}), None)
    }

    /// Ends all captures of this gateway.
    pub async fn close(&self, scope: &Scope<'_>) {
        self.stopping.cancel();
        let ids: Vec<String> = self.active().keys().cloned().collect();
        let ends = ids.iter().map(|id| async move {
            if let Err(error) = self.stop(scope, id, "service-stop").await {
                tracing::warn!(target: "capabilities", session = %id, "a transcript could not be ended: {error}");
            }
        });
        futures::future::join_all(ends).await;
    }
}

/// Asks the provider to leave a meeting; `Some` is what it failed with.
async fn leave(scope: &Scope<'_>, provider: &str, session: &Value, reason: &str) -> Option<String> {
    let provider = Provider::find(&scope.registry, Capability::TranscriptSource, provider)?;
    if !provider.object.has("stop") {
        return None;
    }
    let params = json!({"cfg": scope.shown(), "sessionId": session["sessionId"], "source": session["source"], "reason": reason});
    match provider.object.ask("stop", params, STOP, &scope.cancel).await {
        Ok(answer) if answer["ok"] == false => Some(answer["error"].as_str().unwrap_or("it gave no reason").to_string()),
        Ok(_) => None,
        Err(error) => Some(error.to_string()),
    }
}

type Events = futures::stream::BoxStream<'static, Result<Value, chela_plugin::CallError>>;

/// Writes what a provider hears, until it ends or the capture does.
async fn listen(store: Store, session: Value, mut events: Events, ending: CancellationToken) {
    loop {
        let next = tokio::select! {
            event = events.next() => event,
            () = async { ending.cancelled().await; tokio::time::sleep(LAST_WORDS).await } => None,
        };
        let event = match next {
            Some(Ok(event)) => event,
            Some(Err(error)) => {
                tracing::warn!(target: "capabilities", session = %session["sessionId"], "a transcript source is gone: {error}");
                return;
            }
            None => return,
        };
        let said = &event["args"][0];
        if event["name"] == "onStatus" {
            tracing::debug!(target: "capabilities", session = %session["sessionId"], status = %said["message"], "transcript source");
        }
        if event["name"] != "onUtterance" || !said["text"].is_string() {
            continue;
        }
        let (store, session, said) = (store.clone(), session.clone(), said.clone());
        if let Err(error) = on_disk(move || store.append(&session, &said)).await {
            tracing::warn!(target: "capabilities", "an utterance was not kept: {error}");
        }
    }
}

/// Keeps a text that exists already.
async fn import(scope: &Scope<'_>, params: &Params<'_>) -> Result<Value, String> {
    let mut session = session_of(params)?;
    session["stoppedAt"] = now().into();
    let text = params.0["transcript"].as_str().filter(|t| !t.trim().is_empty()).ok_or("`transcript` is missing")?;
    let speaker = params.text("speakerLabel");
    let id = session["sessionId"].as_str().unwrap_or_default().to_string();
    let named = session["source"]["providerId"].as_str().unwrap_or_default();
    let utterances = if [MANUAL, "import", "transcript"].contains(&named) {
        pasted(&id, text, speaker.as_deref())
    } else {
        let provider = provider_of(scope, named, "importTranscript", "import a text")?;
        let mut request = json!({"cfg": scope.shown(), "session": session, "text": text});
        if let Some(speaker) = speaker {
            request["speakerLabel"] = speaker.into();
        }
        let answer = provider.object.ask("importTranscript", request, STOP, &scope.cancel).await.map_err(|e| e.to_string())?;
        let rows = answer.as_array().ok_or_else(|| format!("the transcript source `{}` gave no list", provider.id))?;
        rows.iter().filter(|row| row["text"].is_string()).cloned().collect()
    };
    let kept: Vec<Value> = utterances.into_iter().take(MOST_IMPORTED).collect();
    let count = kept.len();
    let (store, written) = (store_of(scope), session.clone());
    let dir = store.dir(&session);
    on_disk(move || {
        store.write_session(&written)?;
        kept.iter().try_for_each(|said| store.append(&written, said))
    })
    .await?;
    let summed = summarize(scope, &session, &dir).await?;
    Ok(told(format!("Transcript imported: {id}"), json!({"sessionId": id, "utteranceCount": count}), Some(summed)))
}

/// Lines of a pasted text, with `Name: text` read as who said it.
fn pasted(id: &str, text: &str, speaker: Option<&str>) -> Vec<Value> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let row = |(at, line): (usize, &str)| {
        let named = line.split_once(": ").filter(|(name, said)| (1..=80).contains(&name.chars().count()) && !said.trim().is_empty());
        let (label, said) = named.map_or((None, line), |(name, said)| (Some(name.trim()), said.trim()));
        json!({
            "id": format!("{id}-{}", at + 1), "sessionId": id, "startedAt": now(), "final": true,
            "speaker": {"label": label.or(speaker).unwrap_or("Speaker")}, "text": said,
        })
    };
    lines.enumerate().map(row).collect()
}

/// A new summary of what is kept.
async fn again(scope: &Scope<'_>, selector: &str) -> Result<Value, String> {
    let (store, wanted) = (store_of(scope), selector.to_string());
    let found = on_disk(move || store.find(&wanted)).await?;
    let (session, dir) = found.ok_or_else(|| format!("there is no transcript `{selector}`"))?;
    let summed = summarize(scope, &session, &dir).await?;
    Ok(told(format!("Transcripts summarized: {selector}"), json!({"sessionId": selector}), Some(summed)))
}
