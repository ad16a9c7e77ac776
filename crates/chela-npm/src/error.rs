//! What can go wrong between a package's name and its files on disk.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// An error of this crate. Texts name the package, the file or the address, and what to do next.
/// None holds a token: addresses are shown without user, password and query.
#[derive(Debug, Error)]
pub enum NpmError {
    /// The spec is not one that the registry lane takes (INS-169).
    #[error("unsupported npm spec: {reason}")]
    Spec {
        /// What is wrong with it, in the words of the contract.
        reason: String,
    },
    /// No spec at all.
    #[error("missing npm spec")]
    SpecMissing,
    /// The registry knows no such package, version or tag (INS-171).
    #[error("Package not found on npm: {spec}. {detail}. Check the name, or `npm_config_registry` when it lives in another registry")]
    NotFound {
        /// Name with the selector as asked for.
        spec: String,
        /// What exactly is missing.
        detail: String,
    },
    /// A bare name or `latest` leads to a prerelease (INS-193).
    #[error(
        "Resolved {spec} to prerelease version {version}, but prereleases are only installed when explicitly requested. \
         Name the tag or the exact version: `{name}@{version}`"
    )]
    Prerelease {
        /// The spec as typed.
        spec: String,
        /// The package.
        name: String,
        /// The version that the tag points at.
        version: String,
    },
    /// A dependency is given by something that is no version, range, tag or alias.
    #[error(
        "`{package}`: {field}.`{dependency}` is `{value}`: {problem}. Only packages of the npm registry are installed; ask the author to publish it there"
    )]
    Dependency {
        /// `name@version` of the package that declares it.
        package: String,
        /// The field of its package.json.
        field: &'static str,
        /// The dependency's name.
        dependency: String,
        /// The text that was declared.
        value: String,
        /// Why it cannot be taken.
        problem: String,
    },
    /// `overrides` of the root package cannot be read or contradict its dependencies.
    #[error("`overrides` of `{package}`: `{key}`: {problem}")]
    Override {
        /// The root package.
        package: String,
        /// The key below `overrides`.
        key: String,
        /// What is wrong.
        problem: String,
    },
    /// A required package does not run on this platform.
    #[error("`{package}` does not support this platform ({platform}): it asks for {wanted}")]
    Platform {
        /// `name@version`.
        package: String,
        /// os, cpu and libc of this machine.
        platform: String,
        /// What the package declares.
        wanted: String,
    },
    /// No way to satisfy one dependency.
    #[error("`{package}` needs `{dependency}@{range}`: {source}")]
    Unresolved {
        /// `name@version` of the package that declares it.
        package: String,
        /// The dependency's name.
        dependency: String,
        /// Its range.
        range: String,
        /// The reason.
        #[source]
        source: Box<NpmError>,
    },
    /// A limit of this crate was passed.
    #[error("{what} is larger than {limit} {unit}; refused")]
    TooLarge {
        /// The thing that grew.
        what: String,
        /// Its limit.
        limit: u64,
        /// `bytes`, `packages` and the like.
        unit: &'static str,
    },
    /// The registry could not be asked.
    #[error("{url}: {problem}. Check the network, a proxy or `npm_config_registry`, and try again")]
    Network {
        /// The address without user, password and query.
        url: String,
        /// The innermost reason.
        problem: String,
    },
    /// The registry said no.
    #[error("{url}: the registry answered {status}{hint}")]
    Status {
        /// The address without user, password and query.
        url: String,
        /// The HTTP status.
        status: u16,
        /// A next step, with a leading separator, or nothing.
        hint: &'static str,
    },
    /// The registry's answer makes no sense.
    #[error("{url}: {problem}. The registry or a proxy before it is at fault")]
    BadAnswer {
        /// The address without user, password and query.
        url: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Offline, and not in the cache.
    #[error("`{what}` is not in the cache and the network is switched off; try again without offline mode")]
    Offline {
        /// Package or artifact.
        what: String,
    },
    /// The bytes are not the ones that were promised.
    #[error(
        "`{package}`: integrity check failed: expected {expected}, got {actual} ({bytes} bytes). Nothing was unpacked; try again, and if it stays so, do not trust this artifact"
    )]
    Integrity {
        /// `name@version`.
        package: String,
        /// The promised hash in SRI form.
        expected: String,
        /// The hash of what came, in SRI form.
        actual: String,
        /// How many bytes came.
        bytes: u64,
    },
    /// The metadata promise no hash at all.
    #[error("`{package}`: the registry gives neither `dist.integrity` nor `dist.shasum` for it; refused")]
    NoIntegrity {
        /// `name@version`.
        package: String,
    },
    /// The tarball breaks a rule.
    #[error("`{package}`: {problem}")]
    Archive {
        /// `name@version`.
        package: String,
        /// Which entry and which rule.
        problem: String,
    },
    /// Versions need each other in turn, so that no finite tree holds them.
    #[error(
        "`{package}` needs itself in another version and back again: no finite tree holds it (it would lie inside itself for ever at `{location}`)"
    )]
    Circle {
        /// `name@version`.
        package: String,
        /// Where the circle was seen.
        location: String,
    },
    /// An npmrc or an environment variable has a value that cannot be used.
    #[error("{origin}: `{key}`: {problem}")]
    Setting {
        /// The file or `environment`.
        origin: String,
        /// The key.
        key: String,
        /// What is wrong.
        problem: String,
    },
    /// A file operation failed; the text names the file.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// An error that several packages share.
    #[error(transparent)]
    Shared(std::sync::Arc<NpmError>),
    /// A background task ended in an unexpected way.
    #[error("internal: {0}")]
    Internal(String),
}

impl NpmError {
    /// The reference's code for this error, where it has one (INS-171).
    pub fn code(&self) -> Option<&'static str> {
        match self {
            Self::NotFound { .. } => Some("npm_package_not_found"),
            Self::Spec { .. } | Self::SpecMissing => Some("invalid_npm_spec"),
            Self::Shared(inner) => inner.code(),
            _ => None,
        }
    }

    /// True when a dependency that fails with it can be left out if it is optional.
    pub(crate) fn spares_optional(&self) -> bool {
        match self {
            Self::Unresolved { source, .. } => source.spares_optional(),
            Self::Shared(inner) => inner.spares_optional(),
            other => !matches!(other, Self::Io(_) | Self::Internal(_) | Self::TooLarge { unit: "packages", .. }),
        }
    }

    pub(crate) fn io(action: &str, path: &Path, error: &io::Error) -> Self {
        Self::Io(io::Error::new(error.kind(), format!("failed to {action} `{}`: {error}", path.display())))
    }

    pub(crate) fn bad_answer(url: &url::Url, problem: impl Into<String>) -> Self {
        Self::BadAnswer { url: shown(url), problem: problem.into() }
    }
}

/// An address as it may be shown: without user, password and query.
pub(crate) fn shown(url: &url::Url) -> String {
    let mut url = url.clone();
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url.into()
}

/// Joins a blocking task; a panic in it becomes an error.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, NpmError> + Send + 'static) -> Result<T, NpmError> {
    tokio::task::spawn_blocking(work).await.map_err(|e| NpmError::Internal(format!("a worker thread failed: {e}")))?
}

/// A path inside `base` from a `/`-separated relative path that was checked before.
pub(crate) fn below(base: &Path, relative: &str) -> PathBuf {
    relative.split('/').fold(base.to_path_buf(), |path, part| path.join(part))
}
