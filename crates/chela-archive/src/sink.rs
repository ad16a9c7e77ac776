//! Where checked entries go.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use crate::error::{ArchiveError, shown};

/// Takes the entries of an archive, whose names are checked: relative, no `..`, separated by `/`.
pub trait Sink {
    /// A directory that the archive names itself. Directories above files are not announced.
    ///
    /// # Errors
    /// Ends the reading.
    fn directory(&mut self, path: &str) -> Result<(), ArchiveError>;

    /// A file; `data` ends with an error when the entry is larger than it may be or is corrupt. Returns the bytes read.
    ///
    /// # Errors
    /// Ends the reading. Errors of `data` are returned as [`ArchiveError::Read`]; the reader of the archive replaces them by their cause.
    fn file(&mut self, path: &str, executable: bool, data: &mut dyn Read) -> Result<u64, ArchiveError>;
}

/// Directories that stay open, so that a deep tree is not walked again for each file.
const OPEN_DIRECTORIES: usize = 64;
const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
const NEW_FILE: OFlags = OFlags::WRONLY.union(OFlags::CREATE).union(OFlags::EXCL).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Writes into a directory through handles, one part of a name at a time, and never through a link.
pub struct DirectorySink {
    root: PathBuf,
    handle: OwnedFd,
    open: HashMap<String, OwnedFd>,
    replace: bool,
}

impl DirectorySink {
    /// Opens `root`, or makes it (its parent must be there).
    ///
    /// # Errors
    /// [`ArchiveError::DestinationLink`] when it is a symbolic link, [`ArchiveError::Write`].
    pub fn open(root: &Path) -> Result<Self, ArchiveError> {
        let write = |source: io::Error| ArchiveError::Write { path: root.into(), source };
        match fs_err::create_dir(root) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(write(error)),
            _ => {}
        }
        let handle = match rustix::fs::open(root, DIRECTORY, Mode::empty()) {
            Ok(handle) => handle,
            Err(Errno::LOOP | Errno::NOTDIR) if root.is_symlink() => return Err(ArchiveError::DestinationLink { path: root.into() }),
            Err(error) => return Err(write(error.into())),
        };
        Ok(Self { root: root.into(), handle, open: HashMap::new(), replace: false })
    }

    /// Replaces files that are already there instead of refusing them ([`crate::Manner::Npm`]).
    #[must_use]
    pub fn replacing(mut self) -> Self {
        self.replace = true;
        self
    }

    fn failed(&self, path: &str, error: Errno) -> ArchiveError {
        ArchiveError::Write { path: self.root.join(path), source: error.into() }
    }

    /// Opens the directory at `path`, and makes what is missing of it.
    fn enter(&mut self, path: &str) -> Result<&OwnedFd, ArchiveError> {
        if path.is_empty() {
            return Ok(&self.handle);
        }
        if !self.open.contains_key(path) {
            if self.open.len() >= OPEN_DIRECTORIES {
                self.open.clear();
            }
            let opened = self.walk(path)?;
            self.open.insert(path.to_owned(), opened);
        }
        self.open.get(path).ok_or(ArchiveError::NoName)
    }

    fn walk(&self, path: &str) -> Result<OwnedFd, ArchiveError> {
        let mut current: Option<OwnedFd> = None;
        for part in path.split('/') {
            let base = current.as_ref().unwrap_or(&self.handle).as_fd();
            let made = match rustix::fs::mkdirat(base, part, Mode::from_raw_mode(0o755)) {
                Ok(()) => true,
                Err(Errno::EXIST) => false,
                Err(error) => return Err(self.failed(path, error)),
            };
            let next = match rustix::fs::openat(base, part, DIRECTORY, Mode::empty()) {
                Ok(next) => next,
                Err(Errno::LOOP | Errno::NOTDIR) => return Err(ArchiveError::TraversesLink { name: shown(path.as_bytes()) }),
                Err(error) => return Err(self.failed(path, error)),
            };
            if made {
                // The process may have a umask that would make the tree unreadable.
                rustix::fs::fchmod(&next, Mode::from_raw_mode(0o755)).map_err(|e| self.failed(path, e))?;
            }
            current = Some(next);
        }
        current.ok_or(ArchiveError::NoName)
    }

    fn create(&mut self, path: &str, mode: Mode) -> Result<OwnedFd, ArchiveError> {
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        let replace = self.replace;
        let base = self.enter(parent)?;
        let mut created = rustix::fs::openat(base, name, NEW_FILE, mode);
        if replace && matches!(created, Err(Errno::EXIST)) {
            created = rustix::fs::unlinkat(base, name, AtFlags::empty()).and_then(|()| rustix::fs::openat(base, name, NEW_FILE, mode));
        }
        created.map_err(|error| match error {
            Errno::EXIST => ArchiveError::Exists { name: shown(path.as_bytes()) },
            error => self.failed(path, error),
        })
    }
}

impl Sink for DirectorySink {
    fn directory(&mut self, path: &str) -> Result<(), ArchiveError> {
        self.enter(path).map(|_| ())
    }

    fn file(&mut self, path: &str, executable: bool, data: &mut dyn Read) -> Result<u64, ArchiveError> {
        let mode = Mode::from_raw_mode(if executable { 0o755 } else { 0o644 });
        let handle = self.create(path, mode)?;
        rustix::fs::fchmod(&handle, mode).map_err(|e| self.failed(path, e))?;
        let mut file = std::fs::File::from(handle);
        let mut buffer = vec![0; 64 << 10];
        let mut total = 0;
        loop {
            let count = match data.read(&mut buffer) {
                Ok(0) => return Ok(total),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(ArchiveError::read(error)),
            };
            file.write_all(&buffer[..count]).map_err(|source| ArchiveError::Write { path: self.root.join(path), source })?;
            total += count as u64;
        }
    }
}
