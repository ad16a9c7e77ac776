//! Child processes that never outlive the gateway: the guard, process trees; and the memory of the process itself.
//!
//! Every worker runs under a *guard*: a tiny single-threaded process which adopts all descendants of the worker and kills them when the
//! gateway dies by whatever signal, when it is told to, or when the worker ends. Guards are forked from the *spawner*, the same binary
//! once more, so that they share its pages. Linux only; other systems get an error that says so.
//!
//! This is the only crate with `unsafe` code; each place says why it is sound.

pub mod cgroup;
pub mod command;
pub mod guard;
pub mod marks;
pub mod memory;
pub mod sandbox;
pub mod spawn;
mod spawner;
#[cfg(feature = "test-guard")]
mod test_guard;
pub mod tree;

pub use cgroup::Cgroups;
pub use command::{CommandInput, CommandProcess, CommandStatus, Ended, spawn_command};
pub use marks::Marks;
pub use memory::{own_rss_bytes, release_code};
pub use sandbox::{FileRules, Kernel, NetworkRule, Sandbox};
pub use spawn::{SpawnError, WorkerCommand, WorkerControl, WorkerExit, WorkerProcess, WorkerStopper, spawn_worker};
pub use spawner::end_spawner;
pub use tree::{ProcessTable, ProcessTree, kill_marked};

/// User id of this process.
pub fn current_uid() -> u32 {
    rustix::process::getuid().as_raw()
}
