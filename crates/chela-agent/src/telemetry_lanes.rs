//! How many turns wait in each lane, for telemetry.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Turns that wait now.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    session: AtomicU64,
    main: AtomicU64,
}

/// One turn's wait. It is over when this goes, also when the turn is given up.
pub(crate) struct LaneWait<'a> {
    waiting: &'a AtomicU64,
    begun: Instant,
}

impl<'a> LaneWait<'a> {
    /// A turn begins to wait in `main` or in its session's lane.
    pub(crate) fn begin(lanes: &'a Lanes, lane: &str) -> Self {
        let waiting = if lane == "main" { &lanes.main } else { &lanes.session };
        waiting.fetch_add(1, Relaxed);
        Self { waiting, begun: Instant::now() }
    }

    /// How many wait after it, and how long it waited.
    pub(crate) fn end(self) -> (u64, Duration) {
        (self.waiting.load(Relaxed).saturating_sub(1), self.begun.elapsed())
    }
}

impl Drop for LaneWait<'_> {
    fn drop(&mut self) {
        self.waiting.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_that_is_given_up_counts_no_longer() {
        let lanes = Lanes::default();
        let (one, two) = (LaneWait::begin(&lanes, "main"), LaneWait::begin(&lanes, "main"));
        drop(one);
        assert_eq!((two.end().0, lanes.main.load(Relaxed)), (0, 0));
    }
}
