//! `HOOK.md` hooks: where they lie, which of two with one name counts, what they need, and which of them a gateway loads
//! (HOOK-281..291). It reads files and runs no hook.
//!
//! [`discover`] gives the hooks, [`Report`] says of each whether it can run, and [`plan`] names the handlers to load.

mod bundled;
mod discover;
mod eligibility;
mod file;
mod front_matter;
mod inputs;
mod metadata;
mod plan;
mod report;

pub use discover::{Discovered, Hook, discover};
pub use eligibility::{Missing, bin_on_path};
pub use file::{HANDLERS, HOOK_FILE, HookError, HookFile, read_hook};
pub use front_matter::FrontMatter;
pub use inputs::{HookInputs, HookSource, PluginHookDir};
pub use metadata::{HookMetadata, InstallOption, Requires};
pub use plan::{LoadPlan, PlannedHook, is_configured, plan};
pub use report::{HookStatus, Report};
