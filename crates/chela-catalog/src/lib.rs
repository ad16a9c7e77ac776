//! The catalog of plugins: discovery, safety gates, enablement, slots, config checks, owner maps and
//! the activation plan. It reads files and runs no plugin.
//!
//! [`scan`] takes [`CatalogInputs`] and gives an immutable [`Snapshot`]; everything else is a
//! function of the snapshot. A scan never fails: what is wrong with one plugin is a [`Diagnostic`]
//! of that plugin and leaves every command and every other plugin alone.

mod auto_enable;
mod bundle;
pub mod candidate;
mod channel_catalog;
pub mod config_check;
mod dependencies;
mod diagnostic;
mod discover;
pub mod doctor;
pub mod enablement;
mod entries;
mod fsio;
mod gates;
mod inputs;
mod inspect_bundle;
mod inspect_json;
mod inspect_manifest;
pub mod installs;
mod list_json;
pub mod migrate;
mod model_refs;
mod official;
mod owners;
mod plan;
pub mod policy;
mod record;
mod resolve;
mod runtime;
mod scan;
pub mod schema;
mod setup;
mod skills;
mod snapshot;

pub use auto_enable::configured_harness_runtimes;
pub use bundle::hook_dirs;
pub use channel_catalog::{ChannelCatalogEntry, ExternalCatalog};
pub use config_check::PluginConfigIssue;
pub use dependencies::dependency_status;
pub use diagnostic::{Diagnostic, Level};
pub use doctor::{DoctorReport, PluginProblem, doctor};
pub use fsio::{ReadFailure, read_root_file};
pub use inputs::{BundledPlugin, CatalogInputs, node_platform};
pub use installs::{IndexState, InstallIndex, InstallRecord};
pub use official::{OfficialKind, OfficialPlugin, official_by_id, official_by_package, official_plugins};
pub use owners::{OwnerMap, OwnerMaps};
pub use plan::{PlannedActivation, Trigger, activation_plan};
pub use policy::{EntryPolicy, PluginPolicy, SlotChoice};
pub use record::{ActivationSource, BundleContent, BundleFormat, Failure, Lane, Origin, PluginRecord, Status};
pub use runtime::{CustomHookFact, RuntimeFacts, ToolFact, TypedHookFact};
pub use scan::{scan, scan_with};
pub use skills::{PublishedSkill, SKILL_FILE, Skills};
pub use snapshot::Snapshot;

/// The host version that is held against `openclaw.install.minHostVersion` and
/// `openclaw.compat.pluginApi`: the newest reference release whose plugin surface is carried.
pub const HOST_COMPAT_VERSION: &str = "2026.6.11";
