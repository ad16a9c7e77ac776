//! Child processes that never outlive the gateway: the guard, process trees, memory readings.
//!
//! Every worker runs under a *guard*: the same binary once more, tiny and single-threaded, which adopts all descendants of the worker
//! and kills them when the gateway dies by whatever signal, when it is told to, or when the worker ends. Linux only; other systems get
//! an error that says so.
//!
//! This is the only crate with `unsafe` code; each place says why it is sound.

pub mod guard;
pub mod spawn;
#[cfg(feature = "test-guard")]
mod test_guard;
pub mod tree;

pub use spawn::{SpawnError, WorkerCommand, WorkerControl, WorkerExit, WorkerProcess, WorkerStopper, spawn_worker};
pub use tree::{ProcessTable, ProcessTree, kill_marked};

/// Resident memory of this process, in bytes.
///
/// # Errors
/// When `/proc` cannot be read.
pub fn own_rss_bytes() -> std::io::Result<u64> {
    let text = std::fs::read_to_string("/proc/self/statm")?;
    let pages = text.split_whitespace().nth(1).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
    Ok(pages * rustix::param::page_size() as u64)
}

/// User id of this process.
pub fn current_uid() -> u32 {
    rustix::process::getuid().as_raw()
}
