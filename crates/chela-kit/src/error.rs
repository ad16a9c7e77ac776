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
    /// A name that cannot be a plugin's.
    #[error("`{name}` cannot be the name of a plugin: {why}")]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A directory that has something in it.
    #[error("`{}` is not empty", dir.display())]
    NotEmpty {
        /// The directory.
        dir: PathBuf,
    },
    /// A script that cannot be used.
    #[error("the script `{}` cannot be used: {why}", path.display())]
    Script {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The config of a trial is not valid.
    #[error("the config of the trial is not valid: {0}")]
    Config(String),
    /// The host of plugins cannot be opened.
    #[error("the host of plugins cannot be opened: {0}")]
    Host(String),
    /// What is part of the program is damaged.
    #[error("the list `{0}` of this program cannot be read")]
    Embedded(String),
}
