//! Durable state: SQLite journal and sessions, transcripts as JSONL, sessions.json.
//!
//! [`Store`] is the one way in. SQLite (write-ahead log) is the truth; transcripts (`<id>.jsonl`) and
//! `sessions.json` are kept beside it in the reference's formats, and what another program changed there is taken over.
//!
//! Invariants:
//! - A call that resolved is on disk, whatever kills the process. With [`Durability::Full`] it also survives a power failure; the few
//!   calls that only prepare another (a session's row and start before its first message, steps within a turn) do from that one on.
//! - One thread writes. It takes all waiting calls into one transaction and commits once for all of them; another one syncs.
//! - No lock is held across an await, and no call's cost grows with the number of sessions or the length of a transcript.
//! - A file beside the database is never needed to read back what was acknowledged.

mod approvals;
mod archive;
mod cache;
mod effects;
mod entry;
mod error;
mod expiry;
mod extensions;
mod import;
mod injections;
pub mod json_limits;
mod keyed;
mod lifecycle;
mod mirror;
mod offline;
mod projector;
mod reconcile;
mod row;
mod runs;
mod schema;
pub mod session_key;
mod sessions;
mod shared;
mod store;
mod sync;
mod tasks;
mod time;
mod transcripts;
mod tx;
mod upkeep;
mod windows;
mod writer;

pub use approvals::{ApprovalEnd, ApprovalEnded, ApprovalGrant, ApprovalKind, ApprovalRow, ApprovalState};
pub use archive::{ArchiveReason, archive_path, is_archive_name};
pub use entry::{Entry, EntryMeta, NewEntry};
pub use error::{Result, StoreError};
pub use expiry::ExpiryRule;
pub use extensions::{ExtensionPatch, validate_slot_key};
pub use injections::{Enqueued, Injection, NewInjection, Placement};
pub use keyed::{KeyedEntry, KeyedError, KeyedErrorCode, KeyedStore};
pub use lifecycle::{EndedSession, LifecycleEnd, LifecycleStart, PendingDelivery, end_event_id, start_event_id};
pub use offline::{CleanedFile, clean_file};
pub use row::{SessionRow, is_safe_session_id};
pub use runs::{RunClaim, RunRecord, RunStatus};
pub use sessions::{Carry, NewSession, OpenReason, OpenedSession, SessionPage, SessionQuery};
pub use store::{Durability, Safe, Store, StoreOptions};
pub use tasks::{WorkChange, WorkKind};
pub use transcripts::{EntryQuery, RowUpdate, TurnCommit, TurnCommitted};
pub use upkeep::{Archived, CleanupPlan, CleanupRules, Doomed, is_lasting};

#[cfg(test)]
mod testkit;
#[cfg(test)]
mod tests;
