//! Looking at the gateway's lock file without taking it (GW-141, GW-142).

use std::path::{Path, PathBuf};
use std::time::Duration;

use chela_config::StatePaths;
use rustix::process::{Pid, Signal};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// What the lock file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LockState {
    /// There is none: no gateway runs with this config.
    Absent,
    /// Its owner lives.
    Running {
        /// The gateway's process id.
        pid: u32,
        /// Its port, when the file says so.
        port: Option<u16>,
    },
    /// Its owner is gone; the next start takes it over.
    Stale {
        /// The process that was.
        pid: u32,
    },
    /// The file does not say who owns it.
    Unreadable,
}

impl LockState {
    /// The process id of the running gateway.
    pub fn pid(&self) -> Option<u32> {
        match self {
            Self::Running { pid, .. } => Some(*pid),
            _ => None,
        }
    }

    /// The port of the running gateway.
    pub fn port(&self) -> Option<u16> {
        match self {
            Self::Running { port, .. } => *port,
            _ => None,
        }
    }

    /// A word for output.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Absent => "stopped",
            Self::Running { .. } => "running",
            Self::Stale { .. } => "stale",
            Self::Unreadable => "unknown",
        }
    }
}

/// The lock file of this config: `<temp>/openclaw-<uid>/gateway.<8 hex of the config path's SHA-256>.lock`.
pub fn path(paths: &StatePaths) -> PathBuf {
    let digest = Sha256::digest(paths.config_path.as_os_str().as_encoded_bytes());
    let hash: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    let uid = rustix::process::getuid().as_raw();
    std::env::temp_dir().join(format!("openclaw-{uid}")).join(format!("gateway.{hash}.lock"))
}

/// Reads the lock.
pub fn look(paths: &StatePaths) -> LockState {
    read(&path(paths))
}

fn read(file: &Path) -> LockState {
    let bytes = match std::fs::read(file) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return LockState::Absent,
        Err(_) => return LockState::Unreadable,
    };
    let payload: Option<Value> = serde_json::from_slice(&bytes).ok();
    let field = |name: &str| payload.as_ref().and_then(|payload| payload[name].as_u64());
    let Some(pid) = field("pid").and_then(|pid| u32::try_from(pid).ok()) else {
        return LockState::Unreadable;
    };
    let now = start_time(pid);
    match (now, field("startTime")) {
        (None, _) => LockState::Stale { pid },
        (Some(now), Some(then)) if now != then => LockState::Stale { pid },
        _ => LockState::Running { pid, port: field("port").and_then(|port| u16::try_from(port).ok()) },
    }
}

/// Field 22 of `/proc/<pid>/stat`; the command in field 2 may hold spaces and brackets. A zombie counts as gone.
fn start_time(pid: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    if matches!(fields.next(), Some("Z" | "X")) {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

/// Whether the process runs.
pub fn is_alive(pid: u32) -> bool {
    start_time(pid).is_some()
}

/// Sends a signal to the gateway.
///
/// # Errors
/// Those of the system: no such process, not permitted.
pub fn signal(pid: u32, signal: Signal) -> std::io::Result<()> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(std::io::ErrorKind::InvalidInput)?;
    Ok(rustix::process::kill_process(pid, signal)?)
}

/// Waits until that process no longer owns the lock; false when the time is over.
pub fn wait_gone(paths: &StatePaths, pid: u32, limit: Duration) -> bool {
    let until = std::time::Instant::now() + limit;
    while look(paths).pid() == Some(pid) || start_time(pid).is_some() {
        if std::time::Instant::now() >= until {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    // GW-141, GW-142
    #[test]
    fn owners_are_told_apart_by_their_start() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("gateway.lock");
        assert_eq!(read(&file), LockState::Absent);
        let me = std::process::id();
        let started = start_time(me).unwrap();
        for (text, expected) in [
            (format!("{{\"pid\":{me},\"startTime\":{started}}}"), LockState::Running { pid: me, port: None }),
            (format!("{{\"pid\":{me},\"startTime\":{}}}", started + 1), LockState::Stale { pid: me }),
            (format!("{{\"pid\":{me}}}"), LockState::Running { pid: me, port: None }),
            (format!("{{\"pid\":{me},\"port\":19001}}"), LockState::Running { pid: me, port: Some(19001) }),
            ("{\"pid\":4194300,\"startTime\":1}".to_owned(), LockState::Stale { pid: 4_194_300 }),
            ("{".to_owned(), LockState::Unreadable),
        ] {
            std::fs::write(&file, &text).unwrap();
            assert_eq!(read(&file), expected, "{text}");
        }
    }
}
