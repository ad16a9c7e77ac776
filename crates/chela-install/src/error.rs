//! What can go wrong; every text says what failed and what to do next.

use std::path::PathBuf;

use chela_catalog::candidate::CandidateError;
use chela_config::ConfigError;
use thiserror::Error;

/// Why a verb did not do what it was asked. After an error the disk is as it was, unless the error says otherwise.
#[derive(Debug, Error)]
pub enum InstallError {
    /// Refused by a rule; nothing was written.
    #[error("{message}")]
    Refused {
        /// The code that the reference uses inside (INS-134); never printed (INS-135).
        code: Option<&'static str>,
        /// What is wrong.
        message: String,
        /// What to do next.
        hints: Vec<String>,
    },
    /// Known and not built.
    #[error("`{what}` is not built yet")]
    NotBuilt {
        /// What was asked for.
        what: String,
        /// The nearest thing that works.
        instead: String,
    },
    /// The file system said no; the error names the path.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// The config could not be read or written.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Another process installs.
    #[error("another install, update or uninstall is under way (`{lock}` is locked)")]
    Busy {
        /// The lock file.
        lock: PathBuf,
    },
    /// A change failed, and so did taking it back; the next verb takes it back again.
    #[error("{first}; taking the change back failed as well: {second}")]
    HalfUndone {
        /// Why the change failed.
        first: Box<InstallError>,
        /// Why it could not be taken back.
        second: Box<InstallError>,
    },
}

impl InstallError {
    /// A refusal.
    pub fn refused(message: impl Into<String>) -> Self {
        Self::Refused { code: None, message: message.into(), hints: Vec::new() }
    }

    /// A refusal with the reference's inner code.
    pub fn coded(code: &'static str, message: impl Into<String>) -> Self {
        Self::Refused { code: Some(code), message: message.into(), hints: Vec::new() }
    }

    /// Adds a next step to a refusal.
    #[must_use]
    pub fn hint(mut self, text: impl Into<String>) -> Self {
        if let Self::Refused { hints, .. } = &mut self {
            hints.push(text.into());
        }
        self
    }

    /// The inner code, if there is one.
    pub fn code(&self) -> Option<&'static str> {
        match self {
            Self::Refused { code, .. } => *code,
            Self::HalfUndone { first, .. } => first.code(),
            _ => None,
        }
    }

    /// What to do next.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::Refused { hints, .. } => hints.clone(),
            Self::NotBuilt { instead, .. } => vec![instead.clone()],
            Self::Busy { .. } => vec!["wait until it is done, then run the command again".to_owned()],
            Self::HalfUndone { .. } => vec!["free space or mend permissions, then run `chela doctor`".to_owned()],
            Self::Io(_) | Self::Config(_) => Vec::new(),
        }
    }

    /// True when the security scan refused or failed: no other way to install is tried then (INS-126).
    pub fn is_security(&self) -> bool {
        matches!(self.code(), Some("security_scan_blocked" | "security_scan_failed"))
    }
}

impl From<CandidateError> for InstallError {
    fn from(error: CandidateError) -> Self {
        Self::Refused { code: error.code, message: error.message, hints: Vec::new() }
    }
}
