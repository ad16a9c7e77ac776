//! Plugin manifests (`openclaw.plugin.json`) and package metadata (`package.json`): types, parsing, diagnostics.
//!
//! This crate performs no I/O: it takes bytes and gives values. Reading files, checking paths and
//! deciding what is enabled belong to `chela-catalog`. Two rules hold throughout:
//!
//! - only `id` and `configSchema` can make a manifest invalid; any other field of a wrong type is
//!   dropped as if it were absent (MAN-021);
//! - the JSON as written stays available as [`Manifest::raw`], so nothing is lost by normalisation.

pub mod manifest;
mod normalise;
pub mod npm_spec;
pub mod package;
mod parse;
pub mod permissions;
mod plugin_id;
pub mod version;

pub use manifest::activation::{Activation, ActivationCapability};
pub use manifest::auth::{AuthChoice, AuthEvidence, Setup, SetupProvider};
pub use manifest::capability::{CapabilityMetadata, EnvLookup, MediaUnderstandingMetadata, ToolMetadata};
pub use manifest::channels::{ChannelCommands, ChannelConfig};
pub use manifest::config_contracts::{ConfigContracts, DangerousFlag, SecretInputs};
pub use manifest::contracts::{CONTRACT_NAMES, Contracts};
pub use manifest::models::{CatalogModel, CatalogProvider, CatalogRow, ModelCatalog, ModelSupport, Suppression};
pub use manifest::notices::{MOVED_TO_CONTRACTS, Notice, NoticeLevel};
pub use manifest::{CommandAlias, Manifest, QaRunner, SetupRuntime};
pub use npm_spec::{NpmSelector, NpmSpec, NpmSpecError};
pub use package::channel::PackageChannel;
pub use package::{EntryList, PackageError, PackageInstall, PackageMeta, parse_package};
pub use parse::{MANIFEST_FILE_NAME, MAX_JSON_DEPTH, MAX_MANIFEST_BYTES, ManifestError, ParsedManifest, parse_manifest, parse_object};
pub use plugin_id::{PluginIdError, validate_plugin_id};
pub use version::{FloorError, check_min_host_version};
