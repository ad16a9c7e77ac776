//! Sizes, counts and times that both ends of the wire rely on.

use std::time::Duration;

/// The only protocol version spoken (GW-18).
pub const PROTOCOL_VERSION: u64 = 4;
/// The oldest version a client in mode `probe` may ask for (GW-18).
pub const MIN_PROBE_PROTOCOL_VERSION: u64 = 4;
/// Largest frame after the handshake, in bytes (GW-26).
pub const MAX_PAYLOAD_BYTES: usize = 25 * 1024 * 1024;
/// Bytes that may wait for one client before it counts as slow (GW-26, GW-96).
pub const MAX_BUFFERED_BYTES: usize = 50 * 1024 * 1024;
/// Largest frame before the handshake is done, in bytes (GW-13).
pub const MAX_PREAUTH_PAYLOAD_BYTES: usize = 64 * 1024;
/// Time between two `tick` events (GW-26, GW-98).
pub const TICK_INTERVAL: Duration = Duration::from_secs(30);
/// Time between two WebSocket pings of the server (GW-24).
pub const PING_INTERVAL: Duration = Duration::from_secs(25);
/// Default time a client has to finish the handshake (GW-22).
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(15);
/// Default number of sockets of one address that may be in the handshake at once (GW-23).
pub const MAX_PREAUTH_CONNECTIONS_PER_IP: usize = 32;
/// Allowed distance between a device's clock and ours, in milliseconds (GW-43).
pub const DEVICE_SIGNATURE_SKEW_MS: i64 = 120_000;
/// Role-unauthorised replies in a row after which a socket is closed (GW-10).
pub const MAX_UNAUTHORIZED_REPLIES: u32 = 10;
/// Longest close reason in bytes; a WebSocket close frame has room for 123 (GW-33).
pub const CLOSE_REASON_MAX_BYTES: usize = 120;
/// Life of a pending device request, in milliseconds (GW-51).
pub const PENDING_DEVICE_TTL_MS: i64 = 5 * 60 * 1000;
/// Life of a setup code, in milliseconds (GW-51).
pub const BOOTSTRAP_TOKEN_TTL_MS: i64 = 10 * 60 * 1000;

/// WebSocket close codes in use.
pub mod close {
    /// Normal end.
    pub const NORMAL: u16 = 1000;
    /// No common protocol version (GW-18).
    pub const PROTOCOL: u16 = 1002;
    /// Text that is not UTF-8.
    pub const INVALID_DATA: u16 = 1007;
    /// Policy: authentication, malformed handshake, slow consumer.
    pub const POLICY: u16 = 1008;
    /// Frame over the limit (GW-13).
    pub const TOO_BIG: u16 = 1009;
    /// The gateway failed.
    pub const INTERNAL: u16 = 1011;
    /// The gateway stops or restarts (GW-145).
    pub const RESTART: u16 = 1012;
    /// The gateway is still starting (GW-21).
    pub const TRY_LATER: u16 = 1013;
    /// The shared secret has changed (GW-58).
    pub const AUTH_CHANGED: u16 = 4001;
}

/// Cuts a close reason to [`CLOSE_REASON_MAX_BYTES`] at a character boundary (GW-33).
pub fn truncate_close_reason(reason: &str) -> &str {
    if reason.len() <= CLOSE_REASON_MAX_BYTES {
        return reason;
    }
    let mut end = CLOSE_REASON_MAX_BYTES;
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    &reason[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    // GW-33
    #[test]
    fn close_reasons_are_cut_at_a_character_boundary() {
        assert_eq!(truncate_close_reason("short"), "short");
        let long = "ä".repeat(100);
        let cut = truncate_close_reason(&long);
        assert_eq!(cut.len(), 120);
        let odd = format!("x{long}");
        assert_eq!(truncate_close_reason(&odd).len(), 119);
    }
}
