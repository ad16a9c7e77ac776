//! Counts failed attempts and locks addresses out for a while (GW-59).

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Which secret an attempt was about; each has its own count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LimitScope {
    /// Token or password of the gateway.
    SharedSecret,
    /// Token of a device.
    DeviceToken,
    /// Token of incoming hooks.
    HookAuth,
}

/// Whose attempts are counted together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum LimitKey {
    /// An address.
    Ip(IpAddr),
    /// Pages of one origin in browsers of this machine: loopback is exempt for programs, not for pages.
    BrowserOrigin(String),
    /// A proxy that does not tell whom it speaks for.
    Unknown,
}

/// Rules of the limiter.
#[derive(Debug, Clone)]
pub struct LimitRules {
    /// Failures within the window that lead to a lockout.
    pub max_attempts: usize,
    /// The window.
    pub window: Duration,
    /// How long a lockout lasts.
    pub lockout: Duration,
}

impl Default for LimitRules {
    fn default() -> Self {
        LimitRules { max_attempts: 10, window: Duration::from_secs(60), lockout: Duration::from_secs(300) }
    }
}

#[derive(Debug, Default)]
struct Entry {
    failures: Vec<Instant>,
    locked_until: Option<Instant>,
}

/// Keys kept at most; beyond it the stale ones are dropped, so that a scan cannot fill the memory.
const MAX_KEYS: usize = 10_000;

/// The limiter. Loopback addresses are exempt.
#[derive(Debug, Default)]
pub struct AuthLimiter {
    rules: LimitRules,
    entries: Mutex<HashMap<(LimitScope, LimitKey), Entry>>,
}

impl AuthLimiter {
    /// A limiter with these rules.
    pub fn new(rules: LimitRules) -> Self {
        AuthLimiter { rules, entries: Mutex::default() }
    }

    /// Whether another attempt is allowed; the error is the time to wait.
    pub fn check(&self, scope: LimitScope, key: &LimitKey) -> Result<(), Duration> {
        self.check_at(scope, key, Instant::now())
    }

    /// Counts a failure.
    pub fn record_failure(&self, scope: LimitScope, key: &LimitKey) {
        self.record_failure_at(scope, key, Instant::now());
    }

    /// Forgets the failures after a success.
    pub fn reset(&self, scope: LimitScope, key: &LimitKey) {
        self.lock().remove(&(scope, key.clone()));
    }

    fn check_at(&self, scope: LimitScope, key: &LimitKey, now: Instant) -> Result<(), Duration> {
        if exempt(key) {
            return Ok(());
        }
        let mut entries = self.lock();
        let Some(entry) = entries.get_mut(&(scope, key.clone())) else {
            return Ok(());
        };
        match entry.locked_until {
            Some(until) if now < until => return Err(until - now),
            Some(_) => *entry = Entry::default(),
            None => entry.failures.retain(|at| now - *at < self.rules.window),
        }
        Ok(())
    }

    fn record_failure_at(&self, scope: LimitScope, key: &LimitKey, now: Instant) {
        if exempt(key) {
            return;
        }
        let mut entries = self.lock();
        if entries.len() >= MAX_KEYS {
            let window = self.rules.window;
            entries.retain(|_, entry| {
                entry.locked_until.is_some_and(|until| now < until) || entry.failures.iter().any(|at| now - *at < window)
            });
        }
        let entry = entries.entry((scope, key.clone())).or_default();
        if entry.locked_until.is_some_and(|until| now < until) {
            return;
        }
        entry.failures.retain(|at| now - *at < self.rules.window);
        entry.failures.push(now);
        if entry.failures.len() >= self.rules.max_attempts {
            entry.locked_until = Some(now + self.rules.lockout);
        }
    }

    // The map holds no invariant that a panic could break.
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(LimitScope, LimitKey), Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn exempt(key: &LimitKey) -> bool {
    matches!(key, LimitKey::Ip(ip) if ip.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> LimitKey {
        LimitKey::Ip(text.parse().unwrap())
    }

    // GW-59
    #[test]
    fn ten_failures_in_a_minute_lock_for_five_minutes_per_scope_and_address() {
        let limiter = AuthLimiter::default();
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let key = ip("9.9.9.9");
        for second in 0..9 {
            limiter.record_failure_at(LimitScope::SharedSecret, &key, at(second));
        }
        assert!(limiter.check_at(LimitScope::SharedSecret, &key, at(9)).is_ok());
        limiter.record_failure_at(LimitScope::SharedSecret, &key, at(10));
        assert_eq!(limiter.check_at(LimitScope::SharedSecret, &key, at(10)), Err(Duration::from_secs(300)));
        assert!(limiter.check_at(LimitScope::DeviceToken, &key, at(10)).is_ok());
        assert!(limiter.check_at(LimitScope::SharedSecret, &ip("9.9.9.8"), at(10)).is_ok());
        assert!(limiter.check_at(LimitScope::SharedSecret, &key, at(309)).is_err());
        assert!(limiter.check_at(LimitScope::SharedSecret, &key, at(310)).is_ok());
    }

    // GW-59
    #[test]
    fn old_failures_slide_out_and_success_resets() {
        let limiter = AuthLimiter::default();
        let start = Instant::now();
        let key = ip("9.9.9.9");
        for step in 0..30 {
            limiter.record_failure_at(LimitScope::SharedSecret, &key, start + Duration::from_secs(step * 10));
        }
        assert!(limiter.check_at(LimitScope::SharedSecret, &key, start + Duration::from_secs(300)).is_ok());
        for _ in 0..10 {
            limiter.record_failure(LimitScope::SharedSecret, &key);
        }
        assert!(limiter.check(LimitScope::SharedSecret, &key).is_err());
        limiter.reset(LimitScope::SharedSecret, &key);
        assert!(limiter.check(LimitScope::SharedSecret, &key).is_ok());
    }

    // GW-59
    #[test]
    fn loopback_programs_are_exempt_and_pages_are_not() {
        let limiter = AuthLimiter::default();
        let page = LimitKey::BrowserOrigin("http://evil.example".into());
        for key in [ip("127.0.0.1"), ip("::1"), page.clone()] {
            for _ in 0..20 {
                limiter.record_failure(LimitScope::SharedSecret, &key);
            }
        }
        assert!(limiter.check(LimitScope::SharedSecret, &ip("127.0.0.1")).is_ok());
        assert!(limiter.check(LimitScope::SharedSecret, &ip("::1")).is_ok());
        assert!(limiter.check(LimitScope::SharedSecret, &page).is_err());
    }
}
