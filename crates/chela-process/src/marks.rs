//! Marks: how far a worker came with its work, readable when it cannot answer any more.
//!
//! A worker whose only thread stands still tells nothing. What it wrote here before is there all the same: a small file without a name,
//! which it has as descriptor [`MARKS`] and writes in place. That costs it one system call, and nobody is woken.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::os::unix::fs::FileExt;

use rustix::fs::{MemfdFlags, SealFlags};

/// The worker's descriptor of the file.
pub(crate) const MARKS: RawFd = 5;

/// Records in the file; a later one takes the place of the one this many before it. `sdk/node/worker/hooks.js` has the same number.
const SLOTS: u32 = 64;

/// Bytes of a record: its number and its count, each as 4 bytes in the machine's order.
const RECORD: u32 = 8;

/// The gateway's view of one run's marks.
#[derive(Debug)]
pub struct Marks {
    file: File,
}

impl Marks {
    /// An empty file of fixed size.
    ///
    /// # Errors
    /// What the system says.
    pub fn new() -> io::Result<Self> {
        let fd = rustix::fs::memfd_create(c"chela-marks", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        rustix::fs::ftruncate(&fd, u64::from(SLOTS * RECORD))?;
        // A worker must not make memory of it that nobody counts.
        rustix::fs::fcntl_add_seals(&fd, SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL)?;
        Ok(Self { file: fd.into() })
    }

    /// The descriptor to hand to the worker.
    pub(crate) fn for_worker(&self) -> io::Result<OwnedFd> {
        self.file.as_fd().try_clone_to_owned()
    }

    /// The count that the worker wrote for `number`, which is not 0: 0 when it has written none; `None` when later ones took its place.
    pub fn count(&self, number: u32) -> Option<u32> {
        let mut record = [0; RECORD as usize];
        self.file.read_exact_at(&mut record, u64::from(number % SLOTS * RECORD)).ok()?;
        let [n0, n1, n2, n3, c0, c1, c2, c3] = record;
        let (written, count) = (u32::from_ne_bytes([n0, n1, n2, n3]), u32::from_ne_bytes([c0, c1, c2, c3]));
        // Numbers begin anew after 2^32: the half of them before this one is older.
        match written {
            same if same == number => Some(count),
            0 => Some(0),
            other if number.wrapping_sub(other) < u32::MAX / 2 => Some(0),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_until_another_takes_its_place() {
        let marks = Marks::new().unwrap();
        let worker = File::from(marks.for_worker().unwrap());
        let write = |number: u32, count: u32| {
            let record = [number.to_ne_bytes(), count.to_ne_bytes()].concat();
            worker.write_all_at(&record, u64::from(number % SLOTS * RECORD)).unwrap();
        };
        assert_eq!(marks.count(5), Some(0));
        write(5, 3);
        assert_eq!((marks.count(5), marks.count(6)), (Some(3), Some(0)));
        assert_eq!(marks.count(5 + SLOTS), Some(0), "the older one is still there");
        write(5 + SLOTS, 1);
        assert_eq!((marks.count(5), marks.count(5 + SLOTS)), (None, Some(1)));
        write(u32::MAX, 2);
        assert_eq!(marks.count(SLOTS - 1), Some(0), "numbers begin anew");
        worker.write_all_at(b"x", u64::from(SLOTS * RECORD)).unwrap_err();
    }
}
