//! The lock of all writing verbs, and the directories around it, which go again when they hold nothing.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use fs_err::os::unix::fs::OpenOptionsExt;
use rustix::fs::FlockOperation;

use crate::error::InstallError;
use crate::fsops::{create_private_dir, remove_if_empty};
use crate::layout::Layout;

/// Held while a verb reads, changes and writes. The system releases it when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct InstallLock {
    layout: Layout,
    _file: File,
}

impl InstallLock {
    /// Waits up to `limit` for the lock.
    pub(crate) fn acquire(layout: &Layout, limit: Duration) -> Result<Self, InstallError> {
        let deadline = Instant::now() + limit;
        loop {
            create_private_dir(&layout.packages())?;
            if let Some(file) = Self::try_once(layout)? {
                return Ok(Self { layout: layout.clone(), _file: file });
            }
            if Instant::now() >= deadline {
                return Err(InstallError::Busy { lock: layout.lock() });
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn try_once(layout: &Layout) -> Result<Option<File>, InstallError> {
        let path = layout.lock();
        let flags = rustix::fs::OFlags::NOFOLLOW.bits() as i32;
        let opened = fs_err::OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).custom_flags(flags).open(&path);
        let file = match opened {
            Ok(file) => file.into_parts().0,
            // The holder before us took the directory away with its lock.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => return Ok(None),
            Err(error) => return Err(std::io::Error::from(error).into()),
        }
        // A lock on a file that was removed meanwhile holds nobody off.
        let same = |there: std::fs::Metadata| file.metadata().is_ok_and(|ours| (ours.dev(), ours.ino()) == (there.dev(), there.ino()));
        let current = std::fs::symlink_metadata(&path).is_ok_and(same);
        Ok(current.then_some(file))
    }
}

impl Drop for InstallLock {
    fn drop(&mut self) {
        let packages = self.layout.packages();
        let lock = self.layout.lock();
        remove_if_empty(&self.layout.stage_root());
        let only_lock = std::fs::read_dir(&packages).is_ok_and(|entries| entries.flatten().all(|entry| entry.path() == lock));
        if only_lock {
            // Nothing is installed: nothing shall stay behind. A lock that cannot be removed harms nobody.
            let _ = std::fs::remove_file(&lock);
            remove_if_empty(&packages);
            remove_if_empty(&self.layout.state_dir().join("chela"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holder_at_a_time_and_nothing_left_behind() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        let first = InstallLock::acquire(&layout, Duration::ZERO).unwrap();
        let second = InstallLock::acquire(&layout, Duration::from_millis(50));
        assert!(matches!(second, Err(InstallError::Busy { .. })));
        drop(first);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        let again = InstallLock::acquire(&layout, Duration::ZERO).unwrap();
        std::fs::create_dir(layout.plugin("a")).unwrap();
        drop(again);
        assert!(layout.lock().exists());
    }

    #[test]
    fn a_waiter_gets_a_lock_that_holds_when_the_file_was_removed() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        let first = InstallLock::acquire(&layout, Duration::ZERO).unwrap();
        let waiter = {
            let layout = layout.clone();
            std::thread::spawn(move || InstallLock::acquire(&layout, Duration::from_secs(60)).map(|lock| (layout.lock().exists(), lock)))
        };
        drop(first);
        assert!(waiter.join().unwrap().unwrap().0);
    }
}
