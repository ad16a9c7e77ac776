//! Looks for dangerous code in a plugin before it is installed, and for dependencies that nobody may install. Nothing is run.
//!
//! The code scan works on the syntax tree. Its text patterns are the reference's (INS-212 to INS-219), but a match counts as critical or
//! warning only where it is code: in a comment or a string it is told as information. Beside them, values are followed through imports,
//! destructuring, aliases and computed names, so that renaming `exec` hides nothing. What only that shows, and what is found in a file
//! that only this scan reaches, is a warning that says so: no plugin is refused that the reference lets pass. What was not looked at is
//! part of every report.

mod collect;
mod constant;
pub mod denylist;
mod error;
mod facts;
mod file;
mod graph;
mod imports;
mod leftover;
mod limits;
mod nesting;
mod patterns;
mod regions;
mod report;
mod rules;
mod value;

use std::path::Path;

pub use denylist::{DenylistHit, Place, denylisted_dependencies, refusal};
pub use error::ScanError;
pub use imports::{ImportReport, Imported, Wanted, imports};
pub use limits::{Mode, ScanLimits, ScanTarget, TreeLimits};
pub use report::{BuiltinScan, Finding, NotScanned, ScanReport, Severity};

/// Stack of the thread that parses: hostile code nests deeply, and an overflow would end the process. Only what is used is taken.
const STACK_BYTES: usize = 512 << 20;

/// Scans a plugin: the import graph of its entries, or the whole tree of a bundle.
///
/// # Errors
/// [`ScanError`] when the directory cannot be read; an install must then be refused (INS-226).
pub fn scan(target: &ScanTarget<'_>, limits: &ScanLimits) -> Result<ScanReport, ScanError> {
    on_large_stack(|| collect::run(target, limits))?
}

/// Scans one source text as the file `path`, whose extension names the dialect.
///
/// # Errors
/// [`ScanError::Thread`] when the system gives no thread.
pub fn scan_text(path: &Path, source: &str) -> Result<(Vec<Finding>, Option<String>), ScanError> {
    on_large_stack(|| {
        let scanned = file::scan(path, source);
        (scanned.findings, scanned.problem)
    })
}

fn on_large_stack<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, ScanError> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("scan".into()).stack_size(STACK_BYTES).spawn_scoped(scope, work);
        thread.map_err(|source| ScanError::Thread { source })?.join().map_err(|_| ScanError::Panicked)
    })
}
