//! What people write to steer a session: the table of chat commands, directives inside messages, and the settings of the queue.
//!
//! Everything here reads text and settings and runs nothing; the host executes what it means.

mod directives;
mod parse;
pub mod queue;
mod table;

pub use directives::{Directives, ExecWords, LevelWord, parse_directives};
pub use parse::{Named, normalize, trigger_rest};
pub use table::{Access, ArgSpec, CommandSpec, TABLE, UNBUILT, find, is_unbuilt};
