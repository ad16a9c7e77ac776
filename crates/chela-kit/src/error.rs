//! Why the kit could not do what it was asked.

use std::path::PathBuf;

/// Errors of the kit. Each names the file or directory it is about.
#[derive(Debug, thiserror::Error)]
pub enum KitError {
    /// There is no plugin in the directory.
    #[error("no plugin in `{}`: {why}", dir.display())]
    NoPlugin {
        /// The directory.
        dir: PathBuf,
        /// What the catalog says.
        why: String,
    },
    /// A file or directory cannot be read or written.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The code cannot be read.
    #[error(transparent)]
    Scan(#[from] chela_scan::ScanError),
    /// What is part of the program is damaged.
    #[error("the list `{0}` of this program cannot be read")]
    Embedded(String),
}
