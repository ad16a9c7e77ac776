//! Why a scan could not be done. Each of these refuses an install.

use std::io;
use std::path::PathBuf;

/// A scan that failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScanError {
    /// A file or directory cannot be read.
    #[error("could not read `{path}`: {source}", path = path.display())]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// No thread for the parser.
    #[error("no thread for the code scan: {source}")]
    Thread {
        /// The system's reason.
        source: io::Error,
    },
    /// A fault in the scanner itself.
    #[error("the code scan failed on this plugin; please report it")]
    Panicked,
    /// Directories inside each other.
    #[error("manifest dependency scan exceeded max depth ({limit}) at {path}; raise OPENCLAW_INSTALL_SCAN_MAX_DEPTH", path = path.display())]
    Depth {
        /// Levels.
        limit: usize,
        /// The directory.
        path: PathBuf,
    },
    /// Too many directories.
    #[error(
        "manifest dependency scan exceeded max directories ({limit}) under {path}; raise OPENCLAW_INSTALL_SCAN_MAX_DIRECTORIES",
        path = path.display()
    )]
    Directories {
        /// Directories.
        limit: usize,
        /// The root.
        path: PathBuf,
    },
    /// Too many `package.json` files.
    #[error(
        "manifest dependency scan exceeded max manifests ({limit}) under {path}; raise OPENCLAW_INSTALL_SCAN_MAX_MANIFESTS",
        path = path.display()
    )]
    Manifests {
        /// Files.
        limit: usize,
        /// The root.
        path: PathBuf,
    },
    /// A `package.json` that is too large to be one.
    #[error("manifest dependency scan found a package.json of more than {limit} bytes at {path}", path = path.display())]
    ManifestSize {
        /// Bytes.
        limit: u64,
        /// The file.
        path: PathBuf,
    },
    /// INS-233: a link below `node_modules` leaves the tree.
    #[error("manifest dependency scan found node_modules symlink target outside install root at {path}", path = path.display())]
    LinkLeaves {
        /// The link, from the root.
        path: PathBuf,
    },
    /// A link below `node_modules` leads nowhere.
    #[error("manifest dependency scan could not resolve symlink target {path}: {source}", path = path.display())]
    LinkBroken {
        /// The link, from the root.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}
