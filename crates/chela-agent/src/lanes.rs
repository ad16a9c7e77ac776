//! How many turns run at the same time, by kind of session (CH-131).

use tokio::sync::Semaphore;

/// Turns of people at once when the config does not say. The reference runs four; a turn here costs little more than the model's own time.
const MAIN: usize = 64;
/// Turns of child sessions at once when the config does not say.
const SUBAGENT: usize = 8;

/// Turns at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LaneSizes {
    pub(crate) main: usize,
    pub(crate) subagent: usize,
}

impl LaneSizes {
    /// Reads `agents.defaults.maxConcurrent` and `agents.defaults.subagents.maxConcurrent`.
    pub(crate) fn from_config(config: &chela_config::Config) -> Self {
        let number = |path: &str, or: usize| config.get(path).and_then(serde_json::Value::as_u64).map_or(or, |n| n.max(1) as usize);
        Self { main: number("agents.defaults.maxConcurrent", MAIN), subagent: number("agents.defaults.subagents.maxConcurrent", SUBAGENT) }
    }
}

/// The lanes. A child session has places of its own: its parent may wait for it while it holds one.
pub(crate) struct Lanes {
    main: Semaphore,
    subagent: Semaphore,
}

impl Lanes {
    pub(crate) fn new(sizes: LaneSizes) -> Self {
        let lane = |size: usize| Semaphore::new(size.min(Semaphore::MAX_PERMITS));
        Self { main: lane(sizes.main), subagent: lane(sizes.subagent) }
    }

    /// The lane of a session.
    pub(crate) fn of(&self, session_key: &str) -> &Semaphore {
        let rest = chela_store::session_key::parse_agent_key(session_key).map(|key| key.rest);
        if rest.is_some_and(|rest| rest.starts_with("subagent:")) { &self.subagent } else { &self.main }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // CH-131
    #[test]
    fn child_sessions_have_places_of_their_own() {
        let lanes = Lanes::new(LaneSizes { main: 4, subagent: 8 });
        let free = |key: &str| lanes.of(key).available_permits();
        assert_eq!((free("agent:main:main"), free("agent:main:subagent:x"), free("global")), (4, 8, 4));
    }
}
