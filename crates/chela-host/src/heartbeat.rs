//! Heartbeats: turns that nobody wrote a message for (RT-111..RT-114).
//!
//! They run when somebody asks for one, and in the interval of the config where the config has a block for them: without one, nothing
//! calls a model by itself.

mod queue;
mod settings;
mod tasks;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use chela_agent::clock::now_ms;
use chela_agent::{Accepted, RunStatus, TurnPlugins};
use chela_models::ModelRef;
use chela_store::session_key;
use serde_json::{Value, json};
use tokio::sync::Notify;

use self::queue::{COALESCE, Intent, Queue, RETRY, Wish};
use self::settings::Heartbeat;
use crate::assemble::Host;
use crate::channels::SendRequest;
use crate::channels::reply_hook::ReplyFacts;

/// Longest heartbeat.
const LIMIT: Duration = Duration::from_secs(10 * 60);
/// Longest text of an answer that is kept for `last-heartbeat`, in characters.
const PREVIEW: usize = 200;
/// How often the config is looked at while nothing waits.
const LOOK: Duration = Duration::from_secs(60);

/// Sources that bring something to tell, whatever `HEARTBEAT.md` says.
const TOLD: [&str; 4] = ["exec-event", "cron", "hook", "acp-spawn"];

/// A session that is at work; worth another try (RT-114).
pub(crate) const BUSY: &str = "requests-in-flight";

/// How a heartbeat ended (RT-113).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Beat {
    /// It ran for so many ms.
    Ran(u64),
    /// It did not run.
    Skipped(&'static str),
    /// It ran and failed.
    Failed(String),
}

impl Beat {
    /// `{status, durationMs?, reason?}`.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Ran(ms) => json!({"status": "ran", "durationMs": ms}),
            Self::Skipped(reason) => json!({"status": "skipped", "reason": reason}),
            Self::Failed(reason) => json!({"status": "failed", "reason": reason}),
        }
    }
}

/// What waits and what was.
pub(crate) struct Heartbeats {
    on: AtomicBool,
    queue: Mutex<Queue>,
    woken: Notify,
    last: Mutex<Value>,
    opened: Instant,
}

impl Default for Heartbeats {
    fn default() -> Self {
        Self { on: AtomicBool::new(true), queue: Mutex::default(), woken: Notify::new(), last: Mutex::default(), opened: Instant::now() }
    }
}

impl Heartbeats {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, wish: Wish, wait: Duration) {
        self.queue().add(wish, wait, Instant::now());
        self.woken.notify_one();
    }
}

/// One wish, as `requestHeartbeat` takes it (RT-111).
///
/// # Errors
/// The member that is missing or unknown.
pub(crate) fn request(host: &Host, params: &Value) -> Result<(), String> {
    let text = |name: &str| params[name].as_str().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
    let source = text("source").ok_or("`requestHeartbeat` needs `source`")?;
    let intent = text("intent").and_then(|word| Intent::parse(&word));
    let intent = intent.ok_or("`requestHeartbeat` needs `intent`: `scheduled`, `event`, `immediate` or `manual`")?;
    let wait = params["coalesceMs"].as_f64().filter(|ms| ms.is_finite()).map_or(COALESCE, |ms| Duration::from_millis(ms.max(0.0) as u64));
    let target = params["heartbeat"]["target"].as_str().map(str::trim).filter(|target| !target.is_empty()).map(str::to_owned);
    let reason = text("reason").unwrap_or_else(|| "requested".into());
    host.heartbeats.add(Wish { source, intent, reason, agent: text("agentId"), session: text("sessionKey"), target }, wait);
    Ok(())
}

/// Runs what waits, until the host is gone.
pub(crate) async fn serve(host: Weak<Host>) {
    loop {
        let Some(strong) = host.upgrade() else { return };
        let (beats, shutdown) = (strong.heartbeats.clone(), strong.runtime.shutdown.clone());
        strong.wish_for_intervals();
        let due = beats.queue().next_due();
        drop(strong);
        let wait = due.map_or(LOOK, |due| due.saturating_duration_since(Instant::now()).min(LOOK));
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = beats.woken.notified() => continue,
            () = tokio::time::sleep(wait) => {}
        }
        let Some(strong) = host.upgrade() else { return };
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = strong.wait_open() => {}
        }
        let wishes = beats.queue().take_due(Instant::now());
        for wish in wishes {
            strong.grant(wish).await;
        }
    }
}

/// A heartbeat that is about to run.
struct Plan {
    agent: String,
    /// The session that it is about.
    base: String,
    /// The session that it runs in.
    key: String,
    settings: Heartbeat,
    /// Tasks of `HEARTBEAT.md` with the names of those that are due, and the file; none where it has no tasks.
    tasks: Option<Tasks>,
}

/// Tasks that a heartbeat does.
struct Tasks {
    all: Vec<tasks::Task>,
    due: Vec<String>,
    text: String,
}

impl Tasks {
    fn prompt(&self) -> String {
        let due: Vec<&tasks::Task> = self.all.iter().filter(|task| self.due.contains(&task.name)).collect();
        tasks::prompt(&due, &self.text)
    }
}

/// Member of a session's row that says when each task was done last.
const TASK_STATE: &str = "heartbeatTaskState";

impl Host {
    /// Switches all heartbeats on or off until the process ends (`set-heartbeats`).
    pub fn set_heartbeats(&self, on: bool) {
        self.heartbeats.on.store(on, Ordering::Relaxed);
    }

    /// What the last heartbeat came to; null before the first one.
    pub fn last_heartbeat(&self) -> Value {
        self.heartbeats.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks for a heartbeat now, for what somebody has just put into the session's queue (`wake`).
    pub fn wake_heartbeat(&self, session_key: Option<&str>, reason: &str) {
        let session = session_key.map(str::to_owned);
        let wish = Wish { source: "manual".into(), intent: Intent::Immediate, reason: reason.into(), agent: None, session, target: None };
        self.heartbeats.add(wish, COALESCE);
    }

    /// Wishes for those agents whose interval is over.
    fn wish_for_intervals(&self) {
        let config = self.runtime.config();
        let now = Instant::now();
        for agent in settings::agents(&config.effective, &self.runtime.settings().agents.default_id) {
            let heartbeat = Heartbeat::of(&config.effective, &agent);
            if let Some(due) = self.interval_end(&heartbeat, &agent).filter(|_| heartbeat.configured) {
                let wish = Wish {
                    source: "interval".into(),
                    intent: Intent::Scheduled,
                    reason: "interval".into(),
                    agent: Some(agent),
                    session: None,
                    target: None,
                };
                self.heartbeats.queue().add(wish, due.saturating_duration_since(now), now);
            }
        }
    }

    fn interval_end(&self, heartbeat: &Heartbeat, agent: &str) -> Option<Instant> {
        let every = Duration::from_millis(heartbeat.every_ms()?);
        let last = self.heartbeats.queue().last(agent).unwrap_or(self.heartbeats.opened);
        last.checked_add(every)
    }

    async fn grant(self: &Arc<Self>, wish: Wish) {
        let agent = self.agent_of(wish.agent.as_deref(), wish.session.as_deref());
        let heartbeat = Heartbeat::of(&self.runtime.config().effective, &agent);
        let next = self.interval_end(&heartbeat, &agent);
        let deferred = self.heartbeats.queue().deferred(&wish, &agent, next, Instant::now());
        if let Some(why) = deferred {
            tracing::debug!(target: "heartbeat", agent, reason = wish.reason, "put off: {why:?}");
            return;
        }
        let beat = self.beat(wish.agent.as_deref(), wish.session.as_deref(), &wish.source, wish.target.as_deref()).await;
        if beat == Beat::Skipped(BUSY) {
            self.heartbeats.add(wish, RETRY);
        }
    }

    fn agent_of(&self, agent: Option<&str>, session: Option<&str>) -> String {
        let default = self.runtime.settings().agents.default_id.clone();
        match (agent.map(str::trim).filter(|id| !id.is_empty()), session) {
            (Some(agent), _) => session_key::normalize_agent_id(agent),
            (None, Some(session)) => session_key::agent_of(&session_key::canonicalize(session, &default)),
            (None, None) => default,
        }
    }

    /// Runs one heartbeat now, if it may run (RT-113).
    pub async fn beat(self: &Arc<Self>, agent: Option<&str>, session: Option<&str>, source: &str, target: Option<&str>) -> Beat {
        let begun = Instant::now();
        let planned = match self.plan(agent, session, source, target) {
            Ok(plan) => self.choose_tasks(plan, source).await,
            Err(reason) => Err(reason),
        };
        let (beat, told) = match planned {
            Ok(plan) => {
                self.heartbeats.queue().began(&plan.agent, begun);
                self.run_beat(&plan, begun).await
            }
            Err(reason) => {
                if reason != BUSY {
                    self.heartbeats.queue().passed(&self.agent_of(agent, session), begun);
                }
                (Beat::Skipped(reason), json!({}))
            }
        };
        let mut last = json!({"ts": now_ms(), "source": source});
        for part in [beat.to_json(), told] {
            if let (Some(last), Value::Object(part)) = (last.as_object_mut(), part) {
                last.extend(part);
            }
        }
        *self.heartbeats.last.lock().unwrap_or_else(PoisonError::into_inner) = last;
        beat
    }

    fn plan(&self, agent: Option<&str>, session: Option<&str>, source: &str, target: Option<&str>) -> Result<Plan, &'static str> {
        let config = self.runtime.config();
        let agent = self.agent_of(agent, session);
        let heartbeat = Heartbeat::of(&config.effective, &agent).with_target(target);
        let listed = settings::agents(&config.effective, &self.runtime.settings().agents.default_id);
        if !self.heartbeats.on.load(Ordering::Relaxed) || !listed.contains(&agent) || heartbeat.every_ms().is_none() {
            return Err("disabled");
        }
        let zone = config.get("agents.defaults.userTimezone").and_then(Value::as_str).map(str::to_owned);
        if !heartbeat.is_active(now_ms(), zone.as_deref()) {
            return Err("quiet-hours");
        }
        let base = session.or(heartbeat.session()).map(|key| {
            let full = if key.starts_with("agent:") { key.to_owned() } else { format!("agent:{agent}:{key}") };
            session_key::canonicalize(&full, &agent)
        });
        let base = base.filter(|key| session_key::agent_of(key) == agent && !key.contains(":subagent:"));
        let base = base.unwrap_or_else(|| session_key::main_key(&agent));
        if self.runtime.runs.is_session_active(&base) {
            return Err(BUSY);
        }
        let file = self.runtime.workspace_of(&agent).join("HEARTBEAT.md");
        if !TOLD.contains(&source) && fs_err::read_to_string(file).is_ok_and(|text| settings::is_empty_file(&text)) {
            return Err("empty-heartbeat-file");
        }
        // Which tasks are due, the session's row says: see `choose_tasks`.
        let key = if heartbeat.isolated() { format!("{}:heartbeat", base.trim_end_matches(":heartbeat")) } else { base.clone() };
        Ok(Plan { agent, base, key, settings: heartbeat, tasks: None })
    }

    /// Adds the tasks of `HEARTBEAT.md`. Where none is due, a heartbeat that nobody asked for has nothing to do.
    async fn choose_tasks(&self, mut plan: Plan, source: &str) -> Result<Plan, &'static str> {
        let file = self.runtime.workspace_of(&plan.agent).join("HEARTBEAT.md");
        let Ok(text) = fs_err::read_to_string(file) else { return Ok(plan) };
        let all = tasks::parse(&text);
        if all.is_empty() || TOLD.contains(&source) {
            return Ok(plan);
        }
        let row = self.runtime.store.session(&plan.base).await.ok().flatten();
        let state = row.and_then(|row| row.extra.get(TASK_STATE).cloned()).unwrap_or_default();
        let now = now_ms();
        let due: Vec<String> =
            all.iter().filter(|task| task.is_due(tasks::done_at(&state, task), now)).map(|task| task.name.clone()).collect();
        if due.is_empty() {
            // What somebody put into the queue is told all the same.
            let waits = !self.runtime.system_events.peek(&plan.base).is_empty();
            return if waits { Ok(plan) } else { Err("no-tasks-due") };
        }
        plan.tasks = Some(Tasks { all, due, text });
        Ok(plan)
    }

    /// Notes that the due tasks were done at this time.
    async fn note_tasks(&self, plan: &Plan, at_ms: i64) {
        let Some(tasks) = &plan.tasks else { return };
        let (all, due) = (tasks.all.clone(), tasks.due.clone());
        let noted = self.runtime.store.update_session(&plan.base, move |row| {
            let state = row.extra.get(TASK_STATE).cloned().unwrap_or_default();
            row.extra.insert(TASK_STATE.into(), tasks::after(&state, &all, &due, at_ms));
        });
        if let Err(error) = noted.await {
            tracing::warn!(target: "heartbeat", agent = plan.agent, "that its tasks were done was not kept: {error}");
        }
    }

    async fn run_beat(self: &Arc<Self>, plan: &Plan, begun: Instant) -> (Beat, Value) {
        let failed = |reason: String| (Beat::Failed(reason.clone()), json!({"reason": reason}));
        self.manager.ensure_for_turn().await;
        let run_id = uuid::Uuid::new_v4().to_string();
        let prompt = plan.tasks.as_ref().map_or_else(|| plan.settings.prompt().to_owned(), Tasks::prompt);
        let at_ms = now_ms();
        let mut turn = crate::requests::plain_turn(run_id.clone(), plan.key.clone(), plan.agent.clone(), prompt);
        (turn.trigger, turn.timeout, turn.surface) = ("heartbeat", LIMIT, "heartbeat".into());
        match plan.settings.model().map(ModelRef::parse).transpose() {
            Ok(model) => turn.model = model,
            Err(error) => return failed(format!("`heartbeat.model`: {error}")),
        }
        let outcome = match self.runtime.accept(&turn, "heartbeat").await {
            Ok(Accepted::New(ticket, mut pledge)) => {
                tokio::spawn(chela_agent::turn::run(self.runtime.clone(), turn, ticket));
                if let Err(error) = pledge.kept().await {
                    return failed(error.to_string());
                }
                drop(pledge);
                self.runtime.runs.wait(&run_id, LIMIT).await
            }
            Ok(_) => return (Beat::Skipped(BUSY), json!({})),
            Err(error) => return failed(error.to_string()),
        };
        if plan.key != plan.base {
            self.forget_isolated(&plan.key).await;
        }
        let Some(outcome) = outcome else {
            self.runtime.runs.abort_run(&run_id);
            return failed(format!("it took longer than {} s", LIMIT.as_secs()));
        };
        if outcome.status != RunStatus::Ok {
            return failed(outcome.error.clone().unwrap_or_else(|| "the run was aborted".into()));
        }
        self.note_tasks(plan, at_ms).await;
        let told = match outcome.text.as_deref().and_then(|text| settings::told(text, plan.settings.ack_chars())) {
            Some(text) => self.deliver_beat(plan, &text).await,
            None => json!({"silent": true}),
        };
        (Beat::Ran(begun.elapsed().as_millis() as u64), told)
    }

    /// The session of an isolated heartbeat is for that one alone.
    async fn forget_isolated(&self, key: &str) {
        match self.runtime.store.delete_session(key, true).await {
            Ok(Some(row)) => self.runtime.lifecycle.end(&row, chela_agent::lifecycle::EndReason::Deleted, None).await,
            Ok(None) => {}
            Err(error) => tracing::error!(target: "heartbeat", session = key, %error, "the session of a heartbeat could not be removed"),
        }
    }

    /// Sends what the agent wants to tell, where the config has a target for it.
    async fn deliver_beat(self: &Arc<Self>, plan: &Plan, text: &str) -> Value {
        let mut told = json!({"preview": text.chars().take(PREVIEW).collect::<String>()});
        let last = self.route_of(&plan.base).await;
        let own = |name: Option<&str>| name.map(str::to_owned);
        let (channel, to, account, thread) = match plan.settings.target() {
            "none" => return told,
            "last" => (last.channel, last.to, last.account, last.thread),
            named => {
                let same = last.channel.as_deref() == Some(named);
                let to = own(plan.settings.to()).or_else(|| last.to.filter(|_| same));
                (Some(named.to_owned()), to, own(plan.settings.account()), None)
            }
        };
        let Some((channel, to)) = channel.zip(to) else {
            told["reason"] = "no-target".into();
            return told;
        };
        told["channel"] = channel.clone().into();
        let ctx = json!({"channelId": channel, "conversationId": to, "sessionKey": plan.base});
        let facts = ReplyFacts { channel: Some(channel.clone()), session_key: plan.base.clone(), ctx, ..ReplyFacts::default() };
        let Some(payload) = self.pass_reply(json!({"text": text}), &facts).await else {
            told["reason"] = "cancelled_by_reply_payload_sending_hook".into();
            return told;
        };
        let sent = self
            .send_message(SendRequest {
                channel,
                account_id: account,
                to,
                payload,
                poll: None,
                thread_id: thread,
                reply_to_id: None,
                silent: false,
                session_key: Some(plan.base.clone()),
                hooks: true,
            })
            .await;
        match sent {
            Ok(sent) => told["to"] = sent.to.into(),
            Err(error) => {
                tracing::warn!(target: "heartbeat", agent = plan.agent, "its answer was not sent: {error}");
                told["reason"] = error.to_string().into();
            }
        }
        told
    }
}
