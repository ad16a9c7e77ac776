//! The openclaw.json file: JSON5, includes, environment substitution, validation, edits, state paths.
//!
//! [`load`] reads, [`write()`] edits, [`Config`]'s readers give typed settings. Nothing here reads the
//! process environment except [`Env::from_process`], and nothing runs plugin code.

pub mod auth;
pub mod dotted;
pub mod env;
pub mod error;
mod include;
pub mod json5;
pub mod load;
pub mod paths;
pub mod redact;
pub mod schema;
pub mod secret;
pub mod settings;
pub mod subst;
pub mod units;
pub mod validate;
pub mod write;

pub use auth::{
    AuthMode, AuthModeSource, AuthOverride, DEFAULT_GATEWAY_PORT, ResolvedAuth, StartupToken, TokenSource, ensure_gateway_token,
    stored_gateway_token,
};
pub use dotted::{format_path, get_path, merge_patch, parse_cli_value, parse_path, set_path, unset_path};
pub use env::{DotenvReport, Env, is_dangerous_name};
pub use error::{ConfigError, ConfigIssue};
pub use include::{INCLUDE_KEY, MAX_INCLUDE_BYTES, MAX_INCLUDE_DEPTH};
pub use load::{Config, ValidateReport, hash_text, load, load_lenient, validate_file};
pub use paths::{DEFAULT_AGENT_ID, StatePaths, normalize_agent_id};
pub use redact::{REDACTED, SensitiveHint, redact, redact_raw, restore};
pub use schema::{config_schema, published_schema};
pub use secret::{Secret, SecretInput, SecretRef, SecretSource};
pub use settings::*;
pub use validate::validate;
pub use write::{Edit, Former, SetMode, WriteOptions, WriteOutcome, keep_last_good, write};
