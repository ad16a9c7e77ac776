//! The store: every file once, under its own hash, shared by all packages and all installations.
//!
//! ```text
//! <root>/files/<2 hex>/<62 hex>[-x]     content by SHA-256; `-x` for the executable twin
//! <root>/packages/<hash of tarball>.json   which files a tarball holds, under which names
//! ```
//!
//! Files appear whole by rename, so processes need no lock. Nothing is ever changed in place, and a file
//! that somebody changed through a hard link shows by its time, since all files here carry one fixed time.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chela_archive::{ArchiveError, Kind, Manner, Options, Sink};
use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

use crate::cache::{replace, unique};
use crate::error::NpmError;
use crate::integrity::{Checked, Integrity, hex};

/// Files up to this many bytes are hashed in memory before they are written.
const IN_MEMORY: u64 = 1024 * 1024;
/// The time of every stored file, in seconds since 1970: the one that npm gives to files of packages.
const FILE_TIME: u64 = 499_162_500;
/// Layout version of the index files.
const FORMAT: u32 = 1;
/// Largest index file that is read, in bytes: 50000 entries with long names.
const MAX_INDEX: u64 = 64 * 1024 * 1024;

/// A content-addressed store below one directory.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
}

/// A tarball that was verified and unpacked into the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredPackage {
    format: u32,
    /// SHA-512 of the tarball, SRI text.
    pub integrity: String,
    /// SHA-1 of the tarball, hex.
    pub shasum: String,
    /// Its files, by path.
    pub files: Vec<StoredFile>,
    /// How many links the tarball holds; they are left out.
    #[serde(default)]
    pub skipped_links: u64,
}

/// One file of a stored package.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StoredFile {
    /// Path inside the package, `/`-separated.
    pub path: String,
    /// SHA-256 of the content, hex.
    pub sha256: String,
    /// Bytes.
    pub size: u64,
    /// Mode 0555 instead of 0444.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub executable: bool,
}

/// Why a file was not stored.
enum Fault {
    /// What was to be stored could not be read.
    Content(io::Error),
    /// It could not be written.
    Store(io::Error),
}

/// Takes the files of a tarball into the store.
struct Entries<'a> {
    store: &'a Store,
    files: BTreeMap<String, StoredFile>,
}

impl Sink for Entries<'_> {
    fn directory(&mut self, _path: &str) -> Result<(), ArchiveError> {
        Ok(())
    }

    fn file(&mut self, path: &str, executable: bool, data: &mut dyn Read) -> Result<u64, ArchiveError> {
        let (sha256, size) = self.store.add_file(data, executable).map_err(|fault| match fault {
            Fault::Content(source) => ArchiveError::Read { source },
            Fault::Store(source) => ArchiveError::Write { path: self.store.root.clone(), source },
        })?;
        // Of two equal names the later one counts.
        self.files.insert(path.to_owned(), StoredFile { path: path.to_owned(), sha256, size, executable });
        Ok(size)
    }
}

/// Gzipped or plain, by the first two bytes: npm takes both.
fn sniff(mut tarball: impl Read) -> io::Result<(Kind, impl Read)> {
    let mut magic = Vec::with_capacity(2);
    tarball.by_ref().take(2).read_to_end(&mut magic)?;
    let kind = if magic == [0x1f, 0x8b] { Kind::Tgz } else { Kind::Tar };
    Ok((kind, io::Cursor::new(magic).chain(tarball)))
}

impl Store {
    /// A store below `root`, which need not exist yet.
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// What is known of a tarball. `None` when it was never stored or a file of it is gone or was changed.
    pub fn lookup(&self, wanted: &Integrity) -> Option<StoredPackage> {
        let path = self.index_path(wanted);
        if fs_err::metadata(&path).ok()?.len() > MAX_INDEX {
            return None;
        }
        let package: StoredPackage = serde_json::from_slice(&fs_err::read(path).ok()?).ok()?;
        let sound = package.format == FORMAT && package.files.iter().all(|file| self.is_sound(file));
        sound.then_some(package)
    }

    /// Unpacks a tarball whose hashes were checked. `wanted` is the hash that it is to be found under.
    ///
    /// # Errors
    /// [`NpmError::Archive`] when it breaks a rule; nothing but unnamed content stays behind then.
    pub(crate) fn add(&self, id: &str, tarball: impl Read, wanted: &Integrity, checked: Checked) -> Result<StoredPackage, NpmError> {
        let mut entries = Entries { store: self, files: BTreeMap::new() };
        // npm drops the first directory of every name.
        let options = Options { strip: 1, manner: Manner::Npm, ..Options::default() };
        let (kind, tarball) = sniff(tarball)?;
        let extracted = chela_archive::read_stream(tarball, kind, &options, &mut entries).map_err(|error| match error {
            // The store's own disk failed.
            ArchiveError::Write { path, source } => NpmError::io("write", &path, &source),
            error => NpmError::Archive { package: id.to_owned(), problem: error.to_string() },
        })?;
        let package = StoredPackage {
            format: FORMAT,
            integrity: checked.integrity,
            shasum: checked.shasum,
            files: entries.files.into_values().collect(),
            skipped_links: extracted.skipped_links,
        };
        let json = serde_json::to_vec(&package).map_err(|e| NpmError::Internal(e.to_string()))?;
        replace(&self.index_path(wanted), |file| file.write_all(&json))?;
        Ok(package)
    }

    /// Where a file's content lies.
    pub fn content(&self, file: &StoredFile) -> PathBuf {
        self.content_path(&file.sha256, file.executable)
    }

    /// The executable twin of a file, made when it is not there yet.
    ///
    /// # Errors
    /// [`NpmError::Io`].
    pub fn executable_content(&self, file: &StoredFile) -> Result<PathBuf, NpmError> {
        let twin = StoredFile { executable: true, ..file.clone() };
        if !self.is_sound(&twin) {
            let mut source = fs_err::File::open(self.content(file))?;
            self.add_file(&mut source, true).map_err(|fault| match fault {
                Fault::Content(error) | Fault::Store(error) => NpmError::Io(error),
            })?;
        }
        Ok(self.content(&twin))
    }

    /// Reads a file of a package whole, if it is there and not larger than `limit` bytes.
    pub fn read(&self, package: &StoredPackage, path: &str, limit: u64) -> Option<Vec<u8>> {
        let file = package.files.iter().find(|file| file.path == path && file.size <= limit)?;
        fs_err::read(self.content(file)).ok()
    }

    /// Stores what `content` gives; its hash and its size.
    fn add_file(&self, content: &mut dyn Read, executable: bool) -> Result<(String, u64), Fault> {
        let mut bytes = Vec::new();
        content.take(IN_MEMORY + 1).read_to_end(&mut bytes).map_err(Fault::Content)?;
        let mut hash = Context::new(&SHA256);
        hash.update(&bytes);
        if bytes.len() as u64 <= IN_MEMORY {
            let name = hex(hash.finish().as_ref());
            self.put(&name, bytes.len() as u64, executable, &bytes).map_err(Fault::Store)?;
            return Ok((name, bytes.len() as u64));
        }
        let temp = self.temp().map_err(Fault::Store)?;
        let stored = self.add_large(&temp, bytes, hash, content, executable);
        if stored.is_err() {
            let _ = fs_err::remove_file(&temp);
        }
        stored
    }

    fn add_large(
        &self,
        temp: &Path,
        mut head: Vec<u8>,
        mut hash: Context,
        content: &mut dyn Read,
        executable: bool,
    ) -> Result<(String, u64), Fault> {
        let mut file = fs_err::File::create_new(temp).map_err(Fault::Store)?;
        file.write_all(&head).map_err(Fault::Store)?;
        let mut total = head.len() as u64;
        head.resize(128 * 1024, 0);
        loop {
            let count = content.read(&mut head).map_err(Fault::Content)?;
            if count == 0 {
                break;
            }
            total += count as u64;
            hash.update(&head[..count]);
            file.write_all(&head[..count]).map_err(Fault::Store)?;
        }
        let name = hex(hash.finish().as_ref());
        let path = self.content_path(&name, executable);
        seal(&file, executable).and_then(|()| make_parent(&path)).and_then(|()| fs_err::rename(temp, &path)).map_err(Fault::Store)?;
        Ok((name, total))
    }

    /// Writes content under its hash unless it is there.
    fn put(&self, name: &str, size: u64, executable: bool, bytes: &[u8]) -> io::Result<()> {
        let path = self.content_path(name, executable);
        if is_sealed(&path, size) {
            return Ok(());
        }
        let temp = self.temp()?;
        let written = fs_err::File::create_new(&temp)
            .and_then(|mut file| file.write_all(bytes).and_then(|()| seal(&file, executable)))
            .and_then(|()| make_parent(&path))
            .and_then(|()| fs_err::rename(&temp, &path));
        if written.is_err() {
            let _ = fs_err::remove_file(&temp);
        }
        written
    }

    /// Size and time as they were given, or, when the time differs, still the right content.
    fn is_sound(&self, file: &StoredFile) -> bool {
        let path = self.content(file);
        if is_sealed(&path, file.size) {
            return true;
        }
        let same = fs_err::File::open(&path).and_then(hash_of).is_ok_and(|(hash, size)| hash == file.sha256 && size == file.size);
        if !same {
            // It must not be linked again; the next unpacking writes it anew.
            let _ = fs_err::remove_file(&path);
        }
        same
    }

    fn content_path(&self, name: &str, executable: bool) -> PathBuf {
        let (head, tail) = name.split_at_checked(2).unwrap_or(("", name));
        self.root.join("files").join(head).join(if executable { format!("{tail}-x") } else { tail.to_owned() })
    }

    fn index_path(&self, wanted: &Integrity) -> PathBuf {
        self.root.join("packages").join(format!("{}.json", wanted.key()))
    }

    fn temp(&self) -> io::Result<PathBuf> {
        let dir = self.root.join("tmp");
        fs_err::create_dir_all(&dir)?;
        Ok(dir.join(unique()))
    }

    /// A new file for bytes on their way, already without a name.
    pub(crate) fn spool(&self) -> io::Result<fs_err::File> {
        let path = self.temp()?;
        let file = fs_err::OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
        fs_err::remove_file(&path)?;
        Ok(file)
    }
}

/// SHA-256 in hex and number of bytes of what `input` gives.
pub(crate) fn hash_of(mut input: impl Read) -> io::Result<(String, u64)> {
    let (mut hash, mut total, mut buffer) = (Context::new(&SHA256), 0_u64, vec![0; 128 * 1024]);
    loop {
        match input.read(&mut buffer)? {
            0 => return Ok((hex(hash.finish().as_ref()), total)),
            count => {
                hash.update(&buffer[..count]);
                total += count as u64;
            }
        }
    }
}

fn make_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs_err::create_dir_all)
}

/// Mode and time of a stored file.
fn seal(file: &fs_err::File, executable: bool) -> io::Result<()> {
    file.set_permissions(std::fs::Permissions::from_mode(if executable { 0o555 } else { 0o444 }))?;
    file.file().set_modified(file_time())
}

fn file_time() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(FILE_TIME)
}

fn is_sealed(path: &Path, size: u64) -> bool {
    fs_err::symlink_metadata(path)
        .is_ok_and(|meta| meta.is_file() && meta.len() == size && meta.modified().is_ok_and(|time| time == file_time()))
}
