//! Errors and validation issues, worded for the person who edits the file.

use std::path::PathBuf;

use serde::Serialize;
use serde_json::Value;

/// One finding of the validator: where it is, what is wrong and what would be right (GW-127).
///
/// Serialises in camelCase; absent members are left out.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigIssue {
    /// Dotted path of the value, or of the object that holds an unknown key; empty for the root.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// The values that would be accepted, when the schema lists them (at most twelve).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_values: Option<Vec<Value>>,
    /// How many accepted values `allowed_values` leaves out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_values_hidden_count: Option<usize>,
    /// A suggestion for the next step, such as the key that was probably meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The file in which the value stands, when it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// Line of the value in `file`, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// Column of the value in `file`, from 1, in characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
}

impl ConfigIssue {
    /// An issue with a path and a message and nothing else.
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into(), ..Self::default() }
    }

    /// One line for a terminal: `gateway.port: expected integer, got string (line 3)`.
    pub fn render(&self) -> String {
        let path = if self.path.is_empty() { "<root>" } else { &self.path };
        let mut out = format!("{path}: {}", self.message);
        if let Some(line) = self.line {
            out.push_str(&format!(" (line {line})"));
        }
        if let Some(hint) = &self.hint {
            out.push_str("; ");
            out.push_str(hint);
        }
        out
    }
}

/// Why the configuration could not be found, read, understood or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// No home directory is known.
    #[error("cannot find the home directory; set `HOME` or `OPENCLAW_HOME`")]
    NoHome,
    /// The operating system refused a file operation.
    #[error("cannot {action} `{}`: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The file is not a regular file, where one is needed (GW-126, GW-129).
    #[error("`{}` is not a regular file; {hint}", path.display())]
    NotRegularFile {
        /// The file.
        path: PathBuf,
        /// What to do.
        hint: String,
    },
    /// The file holds bytes that are not UTF-8.
    #[error("`{}` is not valid UTF-8 (line {line}, column {column}); save it as UTF-8", path.display())]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// Line of the first bad byte, from 1.
        line: usize,
        /// Column of the first bad byte, from 1.
        column: usize,
    },
    /// The file is not JSON5.
    #[error("cannot parse `{}` at line {line}, column {column}: {message}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Line of the fault, from 1.
        line: usize,
        /// Column of the fault, from 1, in characters.
        column: usize,
        /// What was expected and what was found.
        message: String,
    },
    /// An `$include` cannot be followed (GW-129).
    #[error("cannot include `{include}` from `{}`: {message}", path.display())]
    Include {
        /// The file that holds the `$include`.
        path: PathBuf,
        /// The include as written.
        include: String,
        /// Why it was refused.
        message: String,
    },
    /// The configuration breaks the schema (GW-127).
    #[error("`{}` is invalid: {}", path.display(), render_issues(issues))]
    Invalid {
        /// The configuration file.
        path: PathBuf,
        /// All findings.
        issues: Vec<ConfigIssue>,
    },
    /// A dotted path cannot be parsed or does not lead anywhere it could be applied.
    #[error("invalid config path `{path}`: {message}")]
    BadPath {
        /// The path as given.
        path: String,
        /// Why.
        message: String,
    },
    /// The file changed since the caller read it.
    #[error("`{}` changed since it was read; read it again and repeat the edit", path.display())]
    Conflict {
        /// The configuration file.
        path: PathBuf,
        /// The hash that the caller expected.
        expected: String,
        /// The hash of the file now.
        actual: String,
    },
    /// Another process holds the write lock for too long.
    #[error("another process is writing `{}` (lock `{}`); try again", path.display(), lock.display())]
    Locked {
        /// The configuration file.
        path: PathBuf,
        /// The lock file.
        lock: PathBuf,
    },
    /// The write would have lost too much and was refused (GW-138).
    #[error("refused to write `{}` ({}); the refused content is in `{}`", path.display(), reasons.join(", "), saved_to.display())]
    Rejected {
        /// The configuration file, which is unchanged.
        path: PathBuf,
        /// Machine-readable reasons: `size-drop:<from>-><to>`, `gateway-mode-removed`.
        reasons: Vec<String>,
        /// Where the refused content was kept.
        saved_to: PathBuf,
    },
    /// The edit would replace a list or map that holds the user's own entries.
    #[error("refused to replace `{path}`: it would remove {}; merge instead, or replace on purpose", removed.join(", "))]
    Destructive {
        /// The dotted path.
        path: String,
        /// The entries that would go.
        removed: Vec<String>,
    },
    /// The value stands in an included file in a way that cannot be edited (GW-140).
    #[error("cannot edit `{path}`: {message}")]
    IncludeOwned {
        /// The dotted path.
        path: String,
        /// Why, and what to do.
        message: String,
    },
    /// The installation is managed from outside and must not be edited here.
    #[error("`{}` is managed by Nix (`OPENCLAW_NIX_MODE=1`); edit the Nix source instead", path.display())]
    ReadOnlyMode {
        /// The configuration file.
        path: PathBuf,
    },
    /// A gateway setting is missing, contradictory or unsafe (GW-01, GW-31, GW-128).
    #[error("{field}: {message}")]
    Gateway {
        /// The setting, as a dotted path or an environment variable.
        field: String,
        /// What is wrong and what to do.
        message: String,
    },
    /// A secret reference cannot be resolved (GW-132). The secret itself is never part of the text.
    #[error("{field}: cannot resolve secret `{reference}`: {message}")]
    Secret {
        /// The dotted path of the value that refers to the secret.
        field: String,
        /// `source:provider:id`.
        reference: String,
        /// Why.
        message: String,
    },
}

impl ConfigError {
    /// Wraps a system error with what was tried and on which path.
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}

fn render_issues(issues: &[ConfigIssue]) -> String {
    const SHOWN: usize = 5;
    let mut out: Vec<String> = issues.iter().take(SHOWN).map(ConfigIssue::render).collect();
    if issues.len() > SHOWN {
        out.push(format!("and {} more", issues.len() - SHOWN));
    }
    out.join("; ")
}
