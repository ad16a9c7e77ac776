//! One gateway per configuration file (GW-141..GW-143, GW-F7).

use crate::auth::device::hex;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// A lock whose owner cannot be known is left over after this time.
const STALE_AFTER: Duration = Duration::from_secs(30);
/// How long an owner may hold the lock before it listens.
const STARTING: Duration = Duration::from_secs(15);

/// What the lock is about.
#[derive(Debug, Clone)]
pub struct LockOptions {
    /// Directory of lock files; see [`default_lock_dir`].
    pub dir: PathBuf,
    /// The configuration file, as resolved; the lock's name is made from it.
    pub config_path: PathBuf,
    /// Port the owner is expected to listen on, if known.
    pub port: Option<u16>,
    /// How long to wait for the owner to go.
    pub timeout: Duration,
    /// Time between two looks.
    pub poll: Duration,
}

impl LockOptions {
    /// The contract's times: 5 s, looking every 100 ms (GW-142).
    pub fn new(dir: PathBuf, config_path: PathBuf, port: Option<u16>) -> Self {
        LockOptions { dir, config_path, port, timeout: Duration::from_secs(5), poll: Duration::from_millis(100) }
    }

    /// The lock file (GW-141).
    pub fn path(&self) -> PathBuf {
        let hash = hex(&Sha256::digest(self.config_path.as_os_str().as_encoded_bytes()));
        self.dir.join(format!("gateway.{}.lock", &hash[..8]))
    }
}

/// `<OS temp>/openclaw-<uid>` (GW-141).
pub fn default_lock_dir(temp: &Path, uid: u32) -> PathBuf {
    temp.join(format!("openclaw-{uid}"))
}

/// Why there is no lock.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another gateway runs with this configuration (GW-143, GW-F7).
    #[error(
        "gateway already running (pid {pid}); lock timeout after {waited_ms}ms; stop it with `chela gateway stop`, or start this one with another `OPENCLAW_CONFIG_PATH`"
    )]
    Busy {
        /// Its process id.
        pid: u32,
        /// How long we waited.
        waited_ms: u128,
        /// The lock file.
        path: PathBuf,
    },
    /// Someone holds the lock and the file does not say who.
    #[error("gateway lock `{path}` is held by an unknown owner; lock timeout after {waited_ms}ms; remove the file if no gateway runs")]
    Unknown {
        /// How long we waited.
        waited_ms: u128,
        /// The lock file.
        path: PathBuf,
    },
    /// The lock file cannot be used.
    #[error("cannot use gateway lock `{path}`: {source}; check the directory's owner and permissions")]
    Io {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    pid: u32,
    created_at: String,
    config_path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    start_time: Option<u64>,
    /// Port of the gateway, for clients on this machine; not in the reference's file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
}

/// The lock; dropping it removes the file.
#[derive(Debug)]
pub struct GatewayLock {
    path: PathBuf,
    payload: Payload,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    Alive,
    Dead,
    Unknown,
}

impl GatewayLock {
    /// Takes the lock, waiting for its owner to go.
    pub async fn acquire(options: &LockOptions) -> Result<GatewayLock, LockError> {
        let path = options.path();
        let failed = |source| LockError::Io { path: path.clone(), source };
        make_dir(&options.dir).map_err(failed)?;
        let payload = own_payload(&options.config_path, options.port);
        let started = tokio::time::Instant::now();
        loop {
            if create(&path, &payload).map_err(failed)? {
                return Ok(GatewayLock { path, payload });
            }
            let present = read(&path);
            let age = age(&path);
            let owner = match &present {
                Some(present) => owner_of(present, options.port, age).await,
                None => Owner::Unknown,
            };
            if owner == Owner::Dead || (owner == Owner::Unknown && age.is_some_and(|age| age > STALE_AFTER)) {
                remove_if_same(&path, present.as_ref()).map_err(failed)?;
                continue;
            }
            if started.elapsed() >= options.timeout {
                let waited_ms = options.timeout.as_millis();
                return Err(match present {
                    Some(present) => LockError::Busy { pid: present.pid, waited_ms, path },
                    None => LockError::Unknown { waited_ms, path },
                });
            }
            tokio::time::sleep(options.poll).await;
        }
    }

    /// The lock file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for GatewayLock {
    fn drop(&mut self) {
        // A lock that someone took over meanwhile is theirs.
        if let Err(error) = remove_if_same(&self.path, Some(&self.payload)) {
            tracing::warn!(path = %self.path.display(), %error, "cannot remove the gateway lock");
        }
    }
}

fn make_dir(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

// Whether the file is ours now; false when someone else has it.
fn create(path: &Path, payload: &Payload) -> io::Result<bool> {
    use std::os::unix::fs::OpenOptionsExt;
    let opened = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
        Err(error) => return Err(error),
    };
    file.write_all(serde_json::to_string(payload)?.as_bytes())?;
    Ok(true)
}

fn read(path: &Path) -> Option<Payload> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

fn age(path: &Path) -> Option<Duration> {
    let modified = std::fs::metadata(path).and_then(|meta| meta.modified()).ok()?;
    SystemTime::now().duration_since(modified).ok()
}

fn remove_if_same(path: &Path, expected: Option<&Payload>) -> io::Result<()> {
    if read(path).as_ref() != expected {
        return Ok(());
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

// A free port means a dead owner only after the time that starting takes: otherwise a second start in the
// first one's first moments would take its lock.
async fn owner_of(payload: &Payload, port: Option<u16>, age: Option<Duration>) -> Owner {
    // A killed process that nobody has waited for yet still has an entry, but nothing of it runs.
    if matches!(stat_field(payload.pid, 0).as_deref(), None | Some("Z" | "X")) {
        return Owner::Dead;
    }
    let starting = age.is_none_or(|age| age < STARTING);
    if let Some(port) = port.filter(|_| !starting)
        && port_is_free(port).await
    {
        return Owner::Dead;
    }
    match (payload.start_time, start_time(payload.pid)) {
        (Some(then), Some(now)) if then == now => Owner::Alive,
        (Some(_), Some(_)) => Owner::Dead,
        _ => Owner::Unknown,
    }
}

async fn port_is_free(port: u16) -> bool {
    let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
    let connect = tokio::net::TcpStream::connect(address);
    !matches!(tokio::time::timeout(Duration::from_secs(1), connect).await, Ok(Ok(_)))
}

fn own_payload(config_path: &Path, port: Option<u16>) -> Payload {
    let pid = std::process::id();
    Payload {
        pid,
        created_at: jiff::Timestamp::now().to_string(),
        config_path: config_path.display().to_string(),
        start_time: start_time(pid),
        port,
    }
}

fn start_time(pid: u32) -> Option<u64> {
    stat_field(pid, 19)?.parse().ok()
}

// A field of `/proc/<pid>/stat`, counted from the state: the command before it may hold spaces and brackets.
fn stat_field(pid: u32, index: usize) -> Option<String> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(')')?;
    rest.split_ascii_whitespace().nth(index).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(dir: &Path) -> LockOptions {
        LockOptions {
            timeout: Duration::from_millis(60),
            poll: Duration::from_millis(10),
            ..LockOptions::new(dir.join("openclaw-1"), "/etc/openclaw.json".into(), None)
        }
    }

    // GW-141
    #[tokio::test]
    async fn the_file_names_its_owner_and_goes_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let options = options(dir.path());
        let lock = GatewayLock::acquire(&options).await.unwrap();
        let name = lock.path().file_name().unwrap().to_str().unwrap().to_owned();
        assert!(name.starts_with("gateway.") && name.ends_with(".lock") && name.len() == 21, "{name}");
        let payload = read(lock.path()).unwrap();
        assert_eq!(payload.pid, std::process::id());
        assert_eq!(payload.config_path, "/etc/openclaw.json");
        assert!(payload.start_time.is_some());
        let path = lock.path().to_owned();
        drop(lock);
        assert!(!path.exists());
        assert_eq!(default_lock_dir(Path::new("/tmp"), 7), Path::new("/tmp/openclaw-7"));
    }

    // GW-143, GW-F7
    #[tokio::test]
    async fn a_second_start_names_the_pid_and_the_next_step() {
        let dir = tempfile::tempdir().unwrap();
        let options = options(dir.path());
        let _first = GatewayLock::acquire(&options).await.unwrap();
        let error = GatewayLock::acquire(&options).await.unwrap_err().to_string();
        let start = format!("gateway already running (pid {}); lock timeout after 60ms", std::process::id());
        assert!(error.starts_with(&start), "{error}");
        assert!(error.contains("`chela gateway stop`"), "{error}");
    }

    // GW-142
    #[tokio::test]
    async fn locks_of_dead_owners_are_taken_over() {
        let me = own_payload(Path::new("/x"), None);
        let young = Duration::from_secs(1);
        let old = Duration::from_secs(20);
        // A listener that is dropped leaves a port that was free a moment ago.
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let used = held.local_addr().unwrap().port();
        let cases = [
            (Payload { pid: 4_194_999, ..me.clone() }, None, young, Owner::Dead),
            (Payload { start_time: Some(1), ..me.clone() }, None, young, Owner::Dead),
            (Payload { start_time: None, ..me.clone() }, None, young, Owner::Unknown),
            (me.clone(), None, old, Owner::Alive),
            (me.clone(), Some(free), young, Owner::Alive),
            (me.clone(), Some(free), old, Owner::Dead),
            (me.clone(), Some(used), old, Owner::Alive),
        ];
        for (index, (payload, port, age, expected)) in cases.into_iter().enumerate() {
            assert_eq!(owner_of(&payload, port, Some(age)).await, expected, "case {index}");
        }
        let dir = tempfile::tempdir().unwrap();
        let options = options(dir.path());
        make_dir(&options.dir).unwrap();
        create(&options.path(), &Payload { start_time: Some(1), ..me }).unwrap();
        let lock = GatewayLock::acquire(&options).await.unwrap();
        assert_eq!(read(lock.path()), Some(lock.payload.clone()));
    }
}
