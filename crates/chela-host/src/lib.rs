//! The plugin host: starts plugins by plan, keeps the registry, answers what plugins ask for.
//!
//! Invariants: a plugin is started at most once at a time and registers once for each start; a slow or broken plugin never delays
//! another one; consumers get a new immutable generation and never a half-built one. The crate opens no socket and serves no client.

pub mod approvals;
mod assemble;
mod before_install;
mod bindings;
mod bundled;
mod capabilities;
mod change;
pub mod channels;
pub mod chat;
mod cleanup;
mod cli_backend;
mod discovery;
mod events;
mod facts;
mod figures;
mod heartbeat;
mod hook_files;
mod manager;
mod memory;
mod migration;
mod models;
pub mod nodes;
mod program;
mod recover;
mod relay;
mod reload_rules;
mod requests;
mod run_context;
mod security;
mod services;
mod setup;
mod status;
mod tools;
mod visible;

pub use assemble::{Host, HostError, HostOptions, Purpose, scan_plugins};
pub use before_install::{BeforeInstallError, install_listeners};
pub use bundled::bundled_manifests;
pub use chela_node::{Called, Observed, Observer};
pub use cleanup::CleanupReason;
pub use hook_files::{HOOK_FILES_ID, is_hook_runner};
pub use manager::{PluginManager, StartOutcome};
pub use memory::{EmbedError, EmbedRequest, Embedded};
pub use migration::{MigrationError, MigrationOptions, without_secrets};
pub use reload_rules::{ReloadRules, ReloadWish, changed_paths, is_under};
pub use security::{SecurityFinding, Severity};
pub use setup::{ConfigMigrations, EnableReasons};
pub use status::PluginStatus;
