//! npm packages without npm: metadata, version choice, dependency trees, verified archives, files on disk, signatures.
//!
//! The way of a package: [`Spec::parse`] reads what the user typed, [`NpmClient::select`] chooses the version,
//! [`NpmClient::resolve`] decides the whole tree as npm lays it out, [`NpmClient::fetch_tree`] brings every
//! archive into the content-addressed [`Store`] and [`NpmClient::materialise`] lays the tree out from there. No script
//! of any package ever runs. This crate knows neither plugins nor their host.

mod cache;
mod client;
mod dependency;
mod error;
mod http;
mod integrity;
mod materialise;
mod overrides;
mod packument;
mod platform;
mod progress;
mod range;
pub mod release;
mod resolve;
mod route;
mod settings;
mod spec;
mod store;
mod trust;
mod warm;

pub use client::{DefaultLine, NpmClient, Selected};
pub use error::NpmError;
pub use integrity::Integrity;
pub use materialise::{Fetched, Placed};
pub use overrides::Overrides;
pub use packument::{Dist, DistSignature, Manifest, Needs, Packument};
pub use platform::Platform;
pub use progress::{NoteLevel, Progress, Quiet, Step};
pub use resolve::{Resolution, ResolveRequest, ResolvedDependency, ResolvedPackage, Root};
pub use settings::NpmSettings;
pub use spec::{Selector, Spec, is_safe_name};
pub use store::{Store, StoredFile, StoredPackage};
pub use trust::{Attestation, AttestationStatus, SignatureStatus};
