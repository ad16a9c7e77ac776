//! A rate limit that counts what it drops.

use std::time::Instant;

/// A token bucket.
#[derive(Debug)]
pub(crate) struct RateLimit {
    per_second: f64,
    burst: f64,
    tokens: f64,
    last: Instant,
    dropped: u64,
}

impl RateLimit {
    pub(crate) fn new(per_second: u32, burst: u32) -> Self {
        let burst = f64::from(burst);
        Self { per_second: per_second.into(), burst, tokens: burst, last: Instant::now(), dropped: 0 }
    }

    /// True when one more may pass; with it the number of those dropped since the last one that passed.
    pub(crate) fn allow(&mut self, now: Instant) -> Option<u64> {
        self.tokens = (self.tokens + now.duration_since(self.last).as_secs_f64() * self.per_second).min(self.burst);
        self.last = now;
        if self.tokens < 1.0 {
            self.dropped += 1;
            return None;
        }
        self.tokens -= 1.0;
        Some(std::mem::take(&mut self.dropped))
    }

    /// Dropped since the last one that passed.
    pub(crate) fn take_dropped(&mut self) -> u64 {
        std::mem::take(&mut self.dropped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_burst_passes_and_the_rest_is_counted() {
        let mut limit = RateLimit::new(10, 3);
        let now = limit.last;
        let passed = (0..8).filter(|_| limit.allow(now).is_some()).count();
        assert_eq!(passed, 3);
        assert_eq!(limit.allow(now + Duration::from_millis(150)), Some(5));
        assert_eq!(limit.allow(now + Duration::from_millis(150)), None);
        assert_eq!(limit.take_dropped(), 1);
    }
}
