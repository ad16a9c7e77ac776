//! Which wishes for a heartbeat wait, and which of them may run now (RT-111, RT-114).

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

/// Wait in which wishes for the same session become one, when the wish does not say.
pub(super) const COALESCE: Duration = Duration::from_millis(250);
/// Longest such wait.
const LONGEST_COALESCE: Duration = Duration::from_secs(60 * 60);
/// Wait after a session was busy.
pub(super) const RETRY: Duration = Duration::from_secs(1);
/// Least time between two heartbeats of an agent that events asked for.
const SPACING: Duration = Duration::from_secs(30);
/// Starts within a minute beyond which only those wait that a person asked for.
const FLOOD: (usize, Duration) = (5, Duration::from_secs(60));
/// Sessions with a wish; a plugin that invents more is not heard.
const MOST: usize = 1000;

/// How urgent a wish is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Intent {
    /// The interval is over.
    Scheduled,
    /// Something happened.
    Event,
    /// Now.
    Immediate,
    /// A person wants it.
    Manual,
}

impl Intent {
    pub(super) fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "scheduled" => Self::Scheduled,
            "event" => Self::Event,
            "immediate" => Self::Immediate,
            "manual" => Self::Manual,
            _ => return None,
        })
    }
}

/// A wish for a heartbeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wish {
    pub(super) source: String,
    pub(super) intent: Intent,
    pub(super) reason: String,
    pub(super) agent: Option<String>,
    pub(super) session: Option<String>,
    pub(super) target: Option<String>,
}

impl Wish {
    fn rank(&self) -> u8 {
        match (self.intent, self.source.as_str()) {
            (Intent::Manual | Intent::Immediate, _) => 3,
            (_, "retry") => 0,
            (Intent::Scheduled, _) | (_, "interval") => 1,
            (Intent::Event, _) => 2,
        }
    }
}

type Key = (Option<String>, Option<String>);

/// Wishes by agent and session, with the moment from which they may run.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: HashMap<Key, (Wish, Instant)>,
    runs: HashMap<String, VecDeque<Instant>>,
    /// When a heartbeat was last passed over, by agent.
    passed: HashMap<String, Instant>,
}

/// Why a wish is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deferred {
    NotDue,
    Spacing,
    Flood,
}

impl Queue {
    /// Adds a wish; of several for one session the most urgent one stays, and the earliest moment.
    pub(super) fn add(&mut self, wish: Wish, wait: Duration, now: Instant) {
        let due = now + wait.min(LONGEST_COALESCE);
        let key = (wish.agent.clone(), wish.session.clone());
        if self.waiting.len() >= MOST && !self.waiting.contains_key(&key) {
            return;
        }
        match self.waiting.get_mut(&key) {
            Some((known, at)) => {
                *at = due.min(*at);
                if wish.rank() >= known.rank() {
                    let target = wish.target.clone().or(known.target.take());
                    *known = Wish { target, ..wish };
                }
            }
            None => drop(self.waiting.insert(key, (wish, due))),
        }
    }

    /// The next moment at which something may run.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.waiting.values().map(|(_, at)| *at).min()
    }

    /// Takes what may run now.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<Wish> {
        let due: Vec<Key> = self.waiting.iter().filter(|(_, (_, at))| *at <= now).map(|(key, _)| key.clone()).collect();
        due.into_iter().filter_map(|key| self.waiting.remove(&key)).map(|(wish, _)| wish).collect()
    }

    /// Whether a wish for an agent has to be dropped. `next_due` is the end of the agent's interval.
    pub(super) fn deferred(&self, wish: &Wish, agent: &str, next_due: Option<Instant>, now: Instant) -> Option<Deferred> {
        let runs = self.runs.get(agent);
        let flood = runs.is_some_and(|runs| runs.iter().filter(|at| now.duration_since(**at) < FLOOD.1).count() >= FLOOD.0);
        let early = next_due.is_some_and(|due| now < due);
        let last = runs.and_then(|runs| runs.back()).copied();
        match wish.intent {
            Intent::Manual => None,
            _ if flood => Some(Deferred::Flood),
            Intent::Immediate => None,
            Intent::Scheduled => early.then_some(Deferred::NotDue),
            Intent::Event => match last {
                None => None,
                Some(_) if early => Some(Deferred::NotDue),
                Some(at) => (now.duration_since(at) < SPACING).then_some(Deferred::Spacing),
            },
        }
    }

    /// A heartbeat of an agent begins.
    pub(super) fn began(&mut self, agent: &str, now: Instant) {
        let runs = self.runs.entry(agent.to_owned()).or_default();
        runs.push_back(now);
        while runs.len() > FLOOD.0 + 1 {
            runs.pop_front();
        }
    }

    /// A heartbeat of an agent may not run now; its interval begins anew.
    pub(super) fn passed(&mut self, agent: &str, now: Instant) {
        self.passed.insert(agent.to_owned(), now);
    }

    /// When the last heartbeat of an agent began or was passed over.
    pub(super) fn last(&self, agent: &str) -> Option<Instant> {
        let began = self.runs.get(agent).and_then(|runs| runs.back()).copied();
        began.max(self.passed.get(agent).copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(intent: Intent, reason: &str) -> Wish {
        Wish { source: "other".into(), intent, reason: reason.into(), agent: None, session: Some("s".into()), target: None }
    }

    // RT-111
    #[test]
    fn wishes_for_one_session_become_one_and_the_most_urgent_stays() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        queue.add(Wish { target: Some("last".into()), ..wish(Intent::Event, "a") }, COALESCE, now);
        queue.add(wish(Intent::Immediate, "b"), Duration::ZERO, now);
        queue.add(wish(Intent::Event, "c"), COALESCE, now);
        assert_eq!(queue.next_due(), Some(now));
        let due = queue.take_due(now);
        assert_eq!(due, [Wish { target: Some("last".into()), ..wish(Intent::Immediate, "b") }]);
        assert!(queue.take_due(now + COALESCE).is_empty() && queue.next_due().is_none());
    }

    #[test]
    fn events_wait_for_their_turn_and_a_flood_ends() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        let defer = |queue: &Queue, intent, due: Option<Instant>, at| queue.deferred(&wish(intent, "x"), "main", due, at);
        let later = Some(now + Duration::from_secs(600));
        assert_eq!(defer(&queue, Intent::Event, later, now), None, "the first one runs");
        assert_eq!(defer(&queue, Intent::Scheduled, later, now), Some(Deferred::NotDue));
        queue.began("main", now);
        assert_eq!(defer(&queue, Intent::Event, later, now), Some(Deferred::NotDue));
        assert_eq!(defer(&queue, Intent::Event, None, now), Some(Deferred::Spacing));
        assert_eq!(defer(&queue, Intent::Event, None, now + SPACING), None);
        assert_eq!(defer(&queue, Intent::Immediate, later, now), None);
        (0..5).for_each(|_| queue.began("main", now));
        assert_eq!(defer(&queue, Intent::Immediate, None, now), Some(Deferred::Flood));
        assert_eq!(defer(&queue, Intent::Manual, None, now), None);
        assert_eq!(defer(&queue, Intent::Immediate, None, now + FLOOD.1), None);
    }
}
