//! Package metadata on disk: an answer with its ETag and its time, so that most of them need not come again.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use url::Url;

use crate::error::NpmError;
use crate::integrity::sha256_hex;

/// Longest head line of a cached answer, in bytes.
const MAX_HEAD: u64 = 64 * 1024;
/// The longest time for which an answer counts as fresh, whatever the registry says.
pub(crate) const MAX_FRESH: Duration = Duration::from_secs(300);

/// Answers by address, below one directory. Safe under several processes: files are replaced whole.
#[derive(Debug, Clone)]
pub(crate) struct MetadataCache {
    dir: PathBuf,
}

/// What is known of an answer.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Head {
    /// The address, against collisions of file names.
    pub url: String,
    pub etag: Option<String>,
    pub last_modified: Option<String>,
    /// Unix time of the answer, in seconds.
    pub fetched: u64,
    /// Seconds for which it counts as fresh.
    pub fresh_for: u64,
}

impl Head {
    /// A head for an answer of now.
    pub fn now(url: &Url, etag: Option<String>, last_modified: Option<String>, fresh_for: Duration) -> Self {
        let fresh_for = fresh_for.min(MAX_FRESH).as_secs();
        Self { url: url.to_string(), etag, last_modified, fetched: unix_now(), fresh_for }
    }

    /// True while the answer needs no question to the registry. A clock that went back makes it stale.
    pub fn is_fresh(&self) -> bool {
        unix_now().checked_sub(self.fetched).is_some_and(|age| age < self.fresh_for)
    }
}

impl MetadataCache {
    pub fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// The answer for `url`; what cannot be read counts as absent.
    pub fn read(&self, url: &Url) -> Option<(Head, Vec<u8>)> {
        let mut file = BufReader::new(fs_err::File::open(self.file(url)).ok()?);
        let mut line = String::new();
        file.by_ref().take(MAX_HEAD).read_line(&mut line).ok()?;
        let head: Head = serde_json::from_str(&line).ok()?;
        let mut body = Vec::new();
        file.read_to_end(&mut body).ok()?;
        (head.url == url.as_str()).then_some((head, body))
    }

    /// Keeps an answer.
    pub fn write(&self, url: &Url, head: &Head, body: &[u8]) -> Result<(), NpmError> {
        let line = serde_json::to_string(head).map_err(|e| NpmError::Internal(e.to_string()))?;
        replace(&self.file(url), |file| {
            file.write_all(line.as_bytes())?;
            file.write_all(b"\n")?;
            file.write_all(body)
        })
    }

    fn file(&self, url: &Url) -> PathBuf {
        self.dir.join(format!("{}.json", sha256_hex(url.as_str().as_bytes())))
    }
}

/// Writes a file under another name and renames it: a reader sees the old or the new one, whole.
pub(crate) fn replace(path: &Path, write: impl FnOnce(&mut fs_err::File) -> std::io::Result<()>) -> Result<(), NpmError> {
    let dir = path.parent().unwrap_or(path);
    fs_err::create_dir_all(dir)?;
    let temp = dir.join(format!(".{}", unique()));
    let written = fs_err::File::create_new(&temp).and_then(|mut file| write(&mut file)).and_then(|()| fs_err::rename(&temp, path));
    written.map_err(|error| {
        let _ = fs_err::remove_file(&temp);
        NpmError::Io(error)
    })
}

/// A name that no other thread or process uses.
pub(crate) fn unique() -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let mut random = [0_u8; 8];
    let _ = getrandom::fill(&mut random);
    format!("tmp-{}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed), crate::integrity::hex(&random))
}

fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_come_back_and_age() {
        let dir = tempfile::tempdir().unwrap();
        let cache = MetadataCache::new(dir.path().join("m"));
        let url = Url::parse("https://host.test/a").unwrap();
        assert!(cache.read(&url).is_none());
        let head = Head::now(&url, Some("\"1\"".into()), None, Duration::from_secs(9_999));
        cache.write(&url, &head, b"body\nwith lines").unwrap();
        let (found, body) = cache.read(&url).unwrap();
        assert_eq!((found.etag.as_deref(), body.as_slice(), found.is_fresh()), (Some("\"1\""), &b"body\nwith lines"[..], true));
        assert_eq!(found.fresh_for, MAX_FRESH.as_secs());
        assert!(!Head { fetched: unix_now() - 400, ..found.clone() }.is_fresh());
        assert!(!Head { fetched: unix_now() + 400, ..found }.is_fresh());
        assert_eq!(fs_err::read_dir(dir.path().join("m")).unwrap().count(), 1, "no temporary file stays");
        fs_err::write(cache.file(&url), b"garbage").unwrap();
        assert!(cache.read(&url).is_none());
    }
}
