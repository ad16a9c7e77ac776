//! The sandbox of a worker: what the kernel lets it and its children do.
//!
//! The gateway decides ([`Sandbox`]) by what the kernel offers ([`Kernel`]); the guard prepares everything and the worker is confined
//! between fork and exec, so no code of a plugin ever runs outside. Confinement is inherited and cannot be taken off.

mod files;
mod filter;
mod kernel;
pub mod notify;

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use kernel::Kernel;

/// What a worker may do. Serialised to the guard.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sandbox {
    /// Paths that can be used; `None` leaves files alone.
    pub files: Option<FileRules>,
    /// What may be reached.
    pub network: NetworkRule,
    /// False denies new processes.
    pub processes: bool,
}

/// Paths of a worker: everything below a directory counts. Those that do not exist are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FileRules {
    /// To read and list.
    pub read: Vec<PathBuf>,
    /// To read, write, create and remove.
    pub write: Vec<PathBuf>,
    /// To run as programs. Scripts and compiled programs that read themselves need the right to read as well.
    pub execute: Vec<PathBuf>,
}

/// What sockets a worker may have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NetworkRule {
    /// As without a sandbox.
    #[default]
    Any,
    /// No sockets but pairs within the process tree.
    None,
    /// TCP only, and the gateway makes every connection in the worker's place ([`notify`]).
    Asked {
        /// True allows to accept connections.
        listen: bool,
        /// True allows sockets of the file system, which are asked for as well.
        unix: bool,
    },
}

impl Sandbox {
    /// True when the worker needs someone who answers its connections.
    pub fn asks(&self) -> bool {
        matches!(self.network, NetworkRule::Asked { .. })
    }
}

/// Everything that can be made ready before the fork.
pub(crate) struct Prepared {
    ruleset: Option<landlock::RulesetCreated>,
    filters: Vec<filter::Program>,
    ask: Option<filter::Program>,
}

impl Prepared {
    /// Opens the paths and builds the filters.
    ///
    /// # Errors
    /// When the kernel does not offer what the sandbox wants: a sandbox holds whole or the worker does not start.
    pub(crate) fn new(sandbox: &Sandbox) -> io::Result<Self> {
        let ruleset = sandbox.files.as_ref().map(|rules| files::ruleset(rules, sandbox.network)).transpose().map_err(io::Error::other)?;
        let filters = filter::programs(sandbox).map_err(io::Error::other)?;
        let ask = sandbox.asks().then(filter::ask_for_connections);
        Ok(Self { ruleset, filters, ask })
    }

    /// Confines the calling process. `channel` takes the descriptor through which connections are asked for.
    ///
    /// # Errors
    /// The kernel's. The process must not go on then.
    pub(crate) fn apply(&mut self, channel: Option<&OwnedFd>) -> io::Result<()> {
        rustix::thread::set_no_new_privs(true)?;
        if let Some(ruleset) = self.ruleset.take() {
            let status = files::with_own_entry(ruleset).map_err(io::Error::other)?.restrict_self().map_err(io::Error::other)?;
            if status.ruleset == landlock::RulesetStatus::NotEnforced {
                return Err(io::Error::from_raw_os_error(libc::ENOSYS));
            }
        }
        // The one that asks comes before those that deny: it is installed by a system call that they allow anyway, and its descriptor is
        // sent by one that they allow on this socket.
        if let (Some(ask), Some(channel)) = (&self.ask, channel) {
            let listener = filter::install_asking(ask)?;
            notify::send(channel.as_fd(), &listener)?;
        }
        self.filters.iter().try_for_each(|program| filter::install(program))
    }
}
