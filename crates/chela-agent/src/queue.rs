//! Messages that come while their session is busy (CH-126..132): offered to the run under way, or kept for later turns.
//!
//! Every message has a task of its own that waits here until it may run, was taken up by another run, or had to go. Nothing here reads
//! or writes: the turn does that. What waits is bounded by the cap of each session.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chela_commands::queue::{DropPolicy, QueueMode, QueueSettings, preview};
use serde_json::Value;
use tokio::sync::{OwnedMutexGuard, oneshot};
use tokio::time::Instant;

use crate::run::RunRegistry;

/// Messages that a run may be offered at once; more wait for a turn of their own.
const MOST_OFFERED: usize = 100;

/// What a waiting message is told.
#[derive(Debug)]
pub(crate) enum Told {
    /// Another run has put it into the transcript of this session id.
    Taken {
        /// The session.
        session_id: String,
    },
    /// The run under way did not come to it: it waits for a turn of its own.
    Returned,
    /// It had to go: too many waited, or another message took their place.
    Dropped,
    /// It is its turn.
    Go(Box<Go>),
}

/// The right to run, with what the message has become.
#[derive(Debug)]
pub(crate) struct Go {
    pub(crate) lane: OwnedMutexGuard<()>,
    pub(crate) place: Place,
    /// In place of the message's own text, when others share its turn.
    pub(crate) text: Option<String>,
    /// Images of the messages that share its turn.
    pub(crate) images: Vec<Value>,
    /// The messages that share its turn.
    pub(crate) others: Vec<Other>,
}

/// A message that shares the turn of another.
#[derive(Debug)]
pub(crate) struct Other {
    pub(crate) run_id: String,
    pub(crate) told: oneshot::Sender<Told>,
}

/// A message on offer to the run under way.
#[derive(Debug)]
pub(crate) struct Offered {
    pub(crate) run_id: String,
    pub(crate) text: String,
    pub(crate) images: Vec<Value>,
    /// Nothing else may be taken up before the same model call.
    pub(crate) alone: bool,
    /// It gets a turn of its own as well, so its run goes on.
    pub(crate) goes_on: bool,
    pub(crate) told: oneshot::Sender<Told>,
}

/// A message that waits for a turn.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) run_id: String,
    pub(crate) text: String,
    pub(crate) images: Vec<Value>,
    pub(crate) from: Option<String>,
    pub(crate) route: Route,
    pub(crate) told: oneshot::Sender<Told>,
}

/// Where an answer goes and whose word it answers: only messages with the same may share a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    /// Surface and conversation.
    pub(crate) to: String,
    /// The sender.
    pub(crate) sender: Option<String>,
    /// True for the operator.
    pub(crate) owner: bool,
}

impl Route {
    /// A run may take up a message that goes to the same place, and whose sender has at least the rights that the run has.
    fn admits(&self, other: &Self) -> bool {
        self.to == other.to && (other.owner || !self.owner)
    }
}

/// The queues of all sessions.
#[derive(Default, Debug)]
pub struct SessionQueues {
    sessions: Mutex<HashMap<String, Session>>,
}

#[derive(Default, Debug)]
struct Session {
    /// Runs that were let in and have not ended.
    inside: usize,
    open: Option<Open>,
    offered: VecDeque<Offered>,
    waiting: VecDeque<Waiting>,
    mode: QueueMode,
    debounce: Duration,
    last_at: Option<Instant>,
    dropped: usize,
    previews: VecDeque<String>,
    draining: bool,
}

/// The run that takes messages up.
#[derive(Debug)]
struct Open {
    run_id: String,
    route: Route,
}

impl Session {
    fn is_busy(&self) -> bool {
        self.inside > 0 || self.draining || !self.waiting.is_empty()
    }

    fn forget_gone(&mut self) {
        self.waiting.retain(|w| !w.told.is_closed());
        self.offered.retain(|o| !o.told.is_closed());
    }

    fn summary(&mut self) -> Option<String> {
        let dropped = std::mem::take(&mut self.dropped);
        let previews = std::mem::take(&mut self.previews);
        if dropped == 0 {
            return None;
        }
        let what = if dropped == 1 { "message was" } else { "messages were" };
        let mut lines = vec![format!("[{dropped} earlier {what} dropped, because too many waited. In short:]")];
        lines.extend(previews.into_iter().map(|line| format!("- {line}")));
        Some(lines.join("\n"))
    }
}

/// A run inside its session. Dropping it lets the next one in, and hands back what the run was offered and did not take.
#[derive(Debug)]
pub(crate) struct Place {
    queues: Arc<SessionQueues>,
    key: String,
    run_id: String,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut all = self.queues.lock();
        let Some(session) = all.get_mut(&self.key) else { return };
        session.inside = session.inside.saturating_sub(1);
        if session.open.as_ref().is_some_and(|open| open.run_id == self.run_id) {
            session.open = None;
            for offered in session.offered.drain(..) {
                let _ = offered.told.send(Told::Returned);
            }
        }
        if !session.is_busy() {
            all.remove(&self.key);
        }
    }
}

/// What became of a message that wants to wait.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Enqueued {
    /// It waits; true when somebody must begin to serve the queue.
    Waits(bool),
    /// Too many wait, and the newest has to go.
    Refused,
}

/// What the server of a queue finds.
pub(crate) enum Next {
    /// The next turn.
    Turn(Box<Waiting>, Box<Shared>),
    /// Nothing waits any more; the queue is not served now.
    Empty,
}

/// What others add to a turn.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) text: Option<String>,
    pub(crate) images: Vec<Value>,
    pub(crate) others: Vec<Other>,
}

impl SessionQueues {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn place(self: &Arc<Self>, key: &str, run_id: &str) -> Place {
        Place { queues: self.clone(), key: key.into(), run_id: run_id.into() }
    }

    /// Lets a run in, whatever goes on there; the lane still keeps its order.
    pub(crate) fn enter(self: &Arc<Self>, key: &str, run_id: &str) -> Place {
        self.lock().entry(key.into()).or_default().inside += 1;
        self.place(key, run_id)
    }

    /// Lets a run in unless the session is busy.
    pub(crate) fn enter_idle(self: &Arc<Self>, key: &str, run_id: &str) -> Option<Place> {
        let mut all = self.lock();
        let session = all.entry(key.into()).or_default();
        if session.is_busy() {
            return None;
        }
        session.inside = 1;
        drop(all);
        Some(self.place(key, run_id))
    }

    /// From now on the run takes messages up.
    pub(crate) fn open(&self, key: &str, run_id: &str, route: Route) {
        if let Some(session) = self.lock().get_mut(key).filter(|s| s.inside > 0) {
            session.open = Some(Open { run_id: run_id.into(), route });
        }
    }

    /// Offers a message to the run under way; hands it back when none takes it.
    pub(crate) fn offer(&self, key: &str, offered: Offered, route: &Route) -> Result<(), Offered> {
        let mut all = self.lock();
        let Some(session) = all.get_mut(key) else { return Err(offered) };
        session.forget_gone();
        let fits = session.open.as_ref().is_some_and(|open| open.route.admits(route)) && session.offered.len() < MOST_OFFERED;
        if !fits {
            return Err(offered);
        }
        session.offered.push_back(offered);
        Ok(())
    }

    /// Takes up what is on offer before the next model call (CH-132).
    pub(crate) fn take_up(&self, key: &str, run_id: &str) -> Vec<Offered> {
        self.taken(key, run_id, false)
    }

    /// As [`SessionQueues::take_up`] when the run has nothing more to do. When nothing is on offer, it takes up no more.
    pub(crate) fn take_up_or_close(&self, key: &str, run_id: &str) -> Vec<Offered> {
        self.taken(key, run_id, true)
    }

    fn taken(&self, key: &str, run_id: &str, last: bool) -> Vec<Offered> {
        let mut all = self.lock();
        let mine = |s: &&mut Session| s.open.as_ref().is_some_and(|open| open.run_id == run_id);
        let Some(session) = all.get_mut(key).filter(mine) else { return Vec::new() };
        session.forget_gone();
        let mut taken = Vec::new();
        while let Some(next) = session.offered.front() {
            if next.alone && !taken.is_empty() {
                break;
            }
            let alone = next.alone;
            taken.extend(session.offered.pop_front());
            if alone {
                break;
            }
        }
        if last && taken.is_empty() {
            session.open = None;
        }
        taken
    }

    /// Lets a message wait. When too many wait, the oldest or the newest has to go (CH-128, CH-129).
    pub(crate) fn enqueue(&self, key: &str, waiting: Waiting, settings: &QueueSettings) -> Enqueued {
        let mut all = self.lock();
        let session = all.entry(key.into()).or_default();
        session.forget_gone();
        session.mode = settings.mode;
        session.debounce = Duration::from_millis(settings.debounce_ms);
        session.last_at = Some(Instant::now());
        if session.waiting.len() >= settings.cap && settings.drop == DropPolicy::New {
            return Enqueued::Refused;
        }
        while session.waiting.len() >= settings.cap {
            let Some(oldest) = session.waiting.pop_front() else { break };
            if settings.drop == DropPolicy::Summarize {
                session.dropped += 1;
                session.previews.push_back(preview(&oldest.text));
                while session.previews.len() > settings.cap {
                    session.previews.pop_front();
                }
            }
            let _ = oldest.told.send(Told::Dropped);
        }
        session.waiting.push_back(waiting);
        Enqueued::Waits(!std::mem::replace(&mut session.draining, true))
    }

    /// All that waits has to go (`interrupt`).
    pub(crate) fn clear(&self, key: &str) -> usize {
        let mut all = self.lock();
        let Some(session) = all.get_mut(key) else { return 0 };
        let gone: Vec<_> = session.offered.drain(..).map(|o| o.told).chain(session.waiting.drain(..).map(|w| w.told)).collect();
        (session.dropped, session.previews) = (0, VecDeque::new());
        let count = gone.len();
        for told in gone {
            let _ = told.send(Told::Dropped);
        }
        count
    }

    /// Messages that wait in a session.
    pub fn depth(&self, key: &str) -> usize {
        self.lock().get(key).map_or(0, |s| s.offered.len() + s.waiting.len())
    }

    /// How long it must still be quiet; `None` when nothing waits.
    fn quiet_for(&self, key: &str) -> Option<Duration> {
        let mut all = self.lock();
        let session = all.get_mut(key)?;
        session.forget_gone();
        if session.waiting.is_empty() {
            return None;
        }
        let until = session.last_at.map(|at| at + session.debounce);
        Some(until.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now())))
    }

    /// Takes the next turn out of the queue.
    pub(crate) fn next(&self, key: &str) -> Next {
        let mut all = self.lock();
        let Some(session) = all.get_mut(key) else { return Next::Empty };
        session.forget_gone();
        let one_place = session.waiting.iter().all(|w| Some(&w.route.to) == session.waiting.front().map(|f| &f.route.to));
        let together = match (session.mode, one_place, session.waiting.front()) {
            (QueueMode::Collect, true, Some(first)) => session.waiting.iter().take_while(|w| w.route == first.route).count(),
            (_, _, Some(_)) => 1,
            (_, _, None) => 0,
        };
        let mut group: Vec<Waiting> = session.waiting.drain(..together).collect();
        // The newest message supplies ids and threading.
        let Some(leader) = group.pop() else {
            session.draining = false;
            (session.dropped, session.previews) = (0, VecDeque::new());
            if !session.is_busy() {
                all.remove(key);
            }
            return Next::Empty;
        };
        let summary = session.summary();
        let shared = share(summary, group, &leader);
        Next::Turn(Box::new(leader), Box::new(shared))
    }

    /// Serves a queue until it is empty: when it was quiet long enough and the session is free, the next message runs.
    pub(crate) async fn serve(self: Arc<Self>, runs: Arc<RunRegistry>, key: String) {
        loop {
            while let Some(left) = self.quiet_for(&key).filter(|left| !left.is_zero()) {
                tokio::time::sleep(left).await;
            }
            let lane = runs.lane(&key).await;
            match self.next(&key) {
                Next::Empty => return,
                Next::Turn(leader, shared) => {
                    let place = self.enter(&key, &leader.run_id);
                    let Shared { text, images, others } = *shared;
                    // One that is gone meanwhile drops the lane and the place with the message; the others are told so and wait anew.
                    if let Err(Told::Go(go)) = leader.told.send(Told::Go(Box::new(Go { lane, place, text, images, others }))) {
                        for other in go.others {
                            let _ = other.told.send(Told::Returned);
                        }
                    }
                }
            }
        }
    }
}

/// The text of a turn that several messages share (CH-130).
fn share(summary: Option<String>, group: Vec<Waiting>, leader: &Waiting) -> Shared {
    if group.is_empty() {
        return Shared { text: summary.map(|s| format!("{s}\n\n{}", leader.text)), ..Shared::default() };
    }
    let mut blocks = vec!["[These messages came while you were at work]".to_string()];
    blocks.extend(summary);
    for (at, one) in group.iter().chain(std::iter::once(leader)).enumerate() {
        let from = one.from.as_ref().map(|from| format!(" from {from}")).unwrap_or_default();
        blocks.push(format!("Message {}{from}:\n{}", at + 1, one.text));
    }
    let images = group.iter().flat_map(|w| w.images.clone()).chain(leader.images.clone()).collect();
    let others = group.into_iter().map(|w| Other { run_id: w.run_id, told: w.told }).collect();
    Shared { text: Some(blocks.join("\n\n")), images, others }
}

#[cfg(test)]
mod tests;
