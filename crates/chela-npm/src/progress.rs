//! What a long operation tells while it goes on; who listens decides whether and how to show it.

/// One part of an installation that can take a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// Choosing versions; counted in packages, the total grows as dependencies are found.
    Resolve,
    /// Fetching archives; counted in bytes.
    Download,
    /// Unpacking archives; counted in packages.
    Extract,
    /// Laying out files; counted in packages.
    Materialise,
    /// Looking at code; counted in files.
    Scan,
}

/// How much a note matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoteLevel {
    /// Good to know.
    Info,
    /// Something was left out or looks wrong, and the operation goes on.
    Warn,
}

/// Receives progress. Calls come from several threads and must return at once.
pub trait Progress: Send + Sync {
    /// `step` begins, with a total when it is known.
    fn begin(&self, step: Step, total: Option<u64>);
    /// `by` more units of `step` are done.
    fn advance(&self, step: Step, by: u64);
    /// `step` is over, whatever came of it.
    fn end(&self, step: Step);
    /// A line for the user.
    fn note(&self, level: NoteLevel, text: &str);
}

/// Shows nothing; notes go to the log.
#[derive(Debug, Default, Clone, Copy)]
pub struct Quiet;

impl Progress for Quiet {
    fn begin(&self, _step: Step, _total: Option<u64>) {}
    fn advance(&self, _step: Step, _by: u64) {}
    fn end(&self, _step: Step) {}
    fn note(&self, level: NoteLevel, text: &str) {
        match level {
            NoteLevel::Info => tracing::info!("{text}"),
            NoteLevel::Warn => tracing::warn!("{text}"),
        }
    }
}
