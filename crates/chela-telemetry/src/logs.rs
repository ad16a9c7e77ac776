//! The lines of the log for whoever exports them. The log is one for the whole process, and so is this.
//!
//! Nothing is built while nobody listens. What is told here is masked as it is in the file.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};

use arc_swap::ArcSwap;

/// One line.
#[derive(Clone, Debug, PartialEq)]
pub struct LogRecord {
    /// Unix time in nanoseconds.
    pub at_ns: u64,
    /// `TRACE`, `DEBUG`, `INFO`, `WARN` or `ERROR`.
    pub level: &'static str,
    /// The part of the program.
    pub target: String,
    /// What happened, secrets masked.
    pub message: String,
    /// Further members, secrets masked.
    pub fields: Vec<(String, LogValue)>,
}

/// The value of a member.
#[derive(Clone, Debug, PartialEq)]
pub enum LogValue {
    /// A text.
    Text(String),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// True or false.
    Flag(bool),
}

/// Takes lines.
pub trait LogListener: Send + Sync {
    /// Takes one line. Must not block, and must not log.
    fn take(&self, record: &LogRecord);
}

type Mask = Box<dyn Fn(&str) -> String + Send + Sync>;
type Listeners = Vec<(u64, Arc<dyn LogListener>)>;

static LISTENERS: LazyLock<ArcSwap<Listeners>> = LazyLock::new(ArcSwap::default);
static CHANGING: Mutex<()> = Mutex::new(());
static NEXT: AtomicU64 = AtomicU64::new(0);
static MASK: OnceLock<Mask> = OnceLock::new();

/// Says once how secrets are masked.
pub fn set_mask(mask: impl Fn(&str) -> String + Send + Sync + 'static) {
    let _ = MASK.set(Box::new(mask));
}

/// A text with its secrets masked; the same where nobody said how.
pub fn masked(text: &str) -> String {
    MASK.get().map_or_else(|| text.to_owned(), |mask| mask(text))
}

/// True when somebody listens.
pub fn listened() -> bool {
    !LISTENERS.load().is_empty()
}

/// Tells a line, masked already.
pub fn tell(record: &LogRecord) {
    for (_, listener) in LISTENERS.load().iter() {
        listener.take(record);
    }
}

/// Tells `listener` of every line until the guard goes.
pub fn listen(listener: Arc<dyn LogListener>) -> LogListening {
    let id = NEXT.fetch_add(1, Ordering::Relaxed);
    change(|list| list.push((id, listener)));
    LogListening(id)
}

fn change(change: impl FnOnce(&mut Listeners)) {
    let _turn = CHANGING.lock().unwrap_or_else(PoisonError::into_inner);
    let mut list = LISTENERS.load().as_ref().clone();
    change(&mut list);
    LISTENERS.store(Arc::new(list));
}

/// Ends listening when it goes.
#[derive(Debug)]
#[must_use = "listening ends when this is dropped"]
pub struct LogListening(u64);

impl Drop for LogListening {
    fn drop(&mut self) {
        change(|list| list.retain(|(id, _)| *id != self.0));
    }
}
