//! How often one client may ask for what changes the gateway itself (GW-72).

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use chela_gateway_protocol::error::{ErrorShape, Reason};

use crate::ws::ClientInfo;

/// The methods that count.
const METHODS: &[&str] = &["config.apply", "config.patch", "update.run", "gateway.restart.request"];
/// Calls of one client in the window.
const MAX_CALLS: usize = 3;
const WINDOW: Duration = Duration::from_secs(60);

/// The calls of the last minute, by device and address.
#[derive(Debug, Default)]
pub(crate) struct ControlPlaneBudget {
    calls: Mutex<HashMap<String, VecDeque<Instant>>>,
}

impl ControlPlaneBudget {
    /// Counts a call; methods that do not count pass.
    ///
    /// # Errors
    /// `UNAVAILABLE` with the time to wait when the client has used up its calls.
    pub(crate) fn take(&self, method: &str, client: &ClientInfo) -> Result<(), ErrorShape> {
        if METHODS.contains(&method) { self.take_at(&actor(client), method, Instant::now()) } else { Ok(()) }
    }

    fn take_at(&self, actor: &str, method: &str, now: Instant) -> Result<(), ErrorShape> {
        // The map holds no invariant that a panic could break.
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever has not called for a minute is forgotten, so that clients that come and go leave nothing behind.
        calls.retain(|_, times| {
            times.retain(|at| now.saturating_duration_since(*at) < WINDOW);
            !times.is_empty()
        });
        let times = calls.entry(actor.to_owned()).or_default();
        if times.len() < MAX_CALLS {
            times.push_back(now);
            return Ok(());
        }
        let oldest = times.front().copied().unwrap_or(now);
        let wait = WINDOW.saturating_sub(now.saturating_duration_since(oldest));
        let message = format!("rate limit exceeded for `{method}`; retry after {} s", wait.as_secs() + 1);
        Err(ErrorShape::unavailable(Reason::RateLimited, message).retry_after(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1)))
    }
}

/// Device and address; a client without a device counts by its connection as well, as many of them share the loopback address.
fn actor(client: &ClientInfo) -> String {
    let ip = client.remote_ip.as_deref().unwrap_or("local");
    match &client.device_id {
        Some(device) => format!("{device}|{ip}"),
        None => format!("{}|{ip}", client.conn_id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // GW-72
    #[test]
    fn the_fourth_call_in_a_minute_waits_for_the_first_to_age() {
        let (budget, start) = (ControlPlaneBudget::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        for second in [0, 10, 20] {
            assert!(budget.take_at("a", "config.patch", at(second)).is_ok());
        }
        let refused = budget.take_at("a", "config.apply", at(30)).unwrap_err();
        assert_eq!((refused.retryable, refused.retry_after_ms), (Some(true), Some(30_000)));
        assert!(budget.take_at("b", "config.patch", at(30)).is_ok());
        assert!(budget.take_at("a", "config.patch", at(60)).is_ok());
        assert!(budget.take_at("a", "config.patch", at(61)).is_err());
        assert_eq!(budget.calls.lock().unwrap().len(), 2);
        assert!(budget.take_at("c", "config.patch", at(300)).is_ok());
        assert_eq!(budget.calls.lock().unwrap().len(), 1);
    }
}
