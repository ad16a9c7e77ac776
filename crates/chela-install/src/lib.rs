//! Installs, updates, removes and rolls back plugins. Each change is one transaction: it happens as a whole or leaves the disk as it
//! was, whenever the process ends.
//!
//! ```text
//! source -> stage -> checks -> scan -> before_install -> intent -> place -> switch `current` -> index -> config -> clean
//! ```
//!
//! Nothing outside the stage is written before all checks passed. The switch of `current` is the moment from which a change counts;
//! [`Installer::recover`] finishes what counts and takes back the rest. No plugin code runs here, and nothing is printed.

mod before_install;
mod checks;
mod choice;
mod clawhub;
mod config_change;
mod error;
mod fsops;
mod git;
mod hook_pack;
mod install;
mod intent;
mod layout;
mod legacy;
mod lock;
mod lock_record;
mod marketplace;
mod npm;
mod origin;
mod place;
mod records;
mod redact;
mod registry;
mod repair;
mod rollback;
mod scan;
mod scratch;
mod source;
mod stage;
mod trace;
mod transaction;
mod uninstall;
mod update;
mod update_remote;
mod web;
mod world;

pub use before_install::{BeforeInstall, BeforeInstallEvent, NobodyListens, PluginFacts, RequestFacts, Verdict};
pub use chela_npm::{NoteLevel, Progress, Quiet, Step};
pub use choice::{Choice, InstallFlags, Surroundings, choose};
pub use error::InstallError;
pub use install::{InstallRequest, Installed, Installer, InstallerOptions};
pub use layout::{Layout, key_of};
pub use lock_record::Drift;
pub use marketplace::{EntrySource, MarketplaceEntry, MarketplaceListing};
pub use registry::Inspection;
pub use repair::Repaired;
pub use rollback::RolledBack;
pub use trace::{TRACE_ENV, Trace, TraceSink};
pub use transaction::{Moment, Moments, Undisturbed};
pub use uninstall::{UninstallPlan, Uninstalled};
pub use update::{IntegrityDrift, OnDrift, Status, UpdateOutcome, UpdateRequest};
pub use world::CatalogSource;
