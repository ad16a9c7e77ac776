//! Edits of the configuration (GW-138..140): what is written, how, and what is refused.

pub(crate) mod atomic;
mod former;
mod plan;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::auth::is_nix_mode;
use crate::env::Env;
use crate::error::ConfigError;
use crate::load::{Config, hash_text, load_text, read_raw};
use crate::paths::StatePaths;

pub use atomic::BACKUP_GENERATIONS;
pub use former::Former;

/// A change of the configuration.
#[derive(Debug, Clone, PartialEq)]
pub enum Edit {
    /// Puts a value at a path.
    Set {
        /// The keys (see [`crate::dotted::parse_path`]).
        path: Vec<String>,
        /// The value.
        value: Value,
        /// What happens to a value that is there.
        mode: SetMode,
    },
    /// Removes the value at a path; a path that leads nowhere changes nothing.
    Unset {
        /// The keys.
        path: Vec<String>,
    },
    /// Applies an RFC 7396 merge patch (GW-139).
    Patch(Value),
    /// Makes this the whole configuration.
    Replace(Value),
}

/// What [`Edit::Set`] does with a value that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SetMode {
    /// Replaces it, unless it is a map or list of the user's own entries of which some would go.
    #[default]
    Guarded,
    /// Replaces it.
    Replace,
    /// Merges objects, and lists of models by their id.
    Merge,
}

/// Conditions and circumstances of a write.
#[derive(Debug, Clone)]
pub struct WriteOptions {
    /// Refuse unless the file has this hash (GW-139).
    pub base_hash: Option<String>,
    /// Allow the file to shrink below half.
    pub allow_size_drop: bool,
    /// Check everything, write nothing.
    pub dry_run: bool,
    /// Who asks, for the audit log: `cli`, `gateway`, a plugin's id.
    pub actor: String,
    /// Version for `meta.lastTouchedVersion`.
    pub version: String,
    /// How long to wait for another writer.
    pub lock_timeout: Duration,
    /// What to go back to when the result means the same.
    pub former: Option<Former>,
}

impl Default for WriteOptions {
    fn default() -> Self {
        Self {
            base_hash: None,
            allow_size_drop: false,
            dry_run: false,
            actor: "cli".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            lock_timeout: Duration::from_secs(5),
            former: None,
        }
    }
}

/// What a write did.
#[derive(Debug, Clone)]
pub struct WriteOutcome {
    /// The configuration after the write.
    pub config: Config,
    /// Whether anything was different.
    pub changed: bool,
    /// The files that were written (or would be, in a dry run).
    pub files: Vec<PathBuf>,
    /// The file's hash before.
    pub previous_hash: String,
    /// The file's hash now.
    pub hash: String,
    /// Whether comments went missing, because a file had to be written anew.
    pub comments_lost: bool,
    /// What went wrong without harm, such as an audit log that cannot be written.
    pub warnings: Vec<String>,
}

/// Applies edits to the configuration file, or to the included file that holds the section (GW-140).
///
/// Comments, order and formatting of everything else stay. The result must be valid. The file is
/// replaced in one step (mode 0600), the five versions before it are kept as `.bak`, `.bak.1` ... and a
/// line is added to `logs/config-audit.jsonl`. A lock makes writers take turns: each applies its edits to
/// the newest file, so nothing gets lost.
///
/// # Errors
/// [`ConfigError::Invalid`] when the result would be invalid, [`ConfigError::Conflict`] when the file does
/// not have `base_hash`, [`ConfigError::Rejected`] when `gateway.mode` would go or the file would shrink
/// below half (GW-138), [`ConfigError::Destructive`], [`ConfigError::IncludeOwned`],
/// [`ConfigError::Locked`], [`ConfigError::NotRegularFile`], [`ConfigError::ReadOnlyMode`],
/// [`ConfigError::Io`]. After an error the files are as they were.
pub fn write(paths: &StatePaths, env: &Env, edits: &[Edit], options: &WriteOptions) -> Result<WriteOutcome, ConfigError> {
    let path = &paths.config_path;
    if is_nix_mode(env) {
        return Err(ConfigError::ReadOnlyMode { path: path.clone() });
    }
    require_regular(path)?;
    if options.dry_run {
        return prepare(paths, env, edits, options).map(|prepared| prepared.outcome);
    }
    if let Some(dir) = path.parent() {
        atomic::create_private_dir(dir)?;
    }
    let _lock = atomic::WriteLock::acquire(path, options.lock_timeout)?;
    for _ in 0..3 {
        let prepared = prepare(paths, env, edits, options)?;
        if !prepared.outcome.changed {
            return Ok(prepared.outcome);
        }
        if !prepared.returns {
            refuse_loss(paths, options, &prepared)?;
        }
        // An editor does not know our lock: look once more before the files are replaced.
        if prepared.is_current()? {
            return commit(paths, options, prepared);
        }
    }
    let actual = hash_text(read_raw(path)?.as_deref().unwrap_or(""));
    Err(ConfigError::Conflict { path: path.clone(), expected: options.base_hash.clone().unwrap_or_default(), actual })
}

/// Keeps the file that the gateway started with as `openclaw.json.last-good` (GW-138). A file with
/// masked secrets (`***`, `__OPENCLAW_REDACTED__`) is not kept; the answer says whether it was.
///
/// # Errors
/// [`ConfigError::Io`] when the copy cannot be written.
pub fn keep_last_good(config: &Config) -> Result<bool, ConfigError> {
    let Some(raw) = read_raw(&config.path)? else {
        return Ok(false);
    };
    if hash_text(&raw) != config.hash || crate::redact::holds_masked_secret(&config.source) {
        return Ok(false);
    }
    atomic::replace(&atomic::with_suffix(&config.path, ".last-good"), &raw, false)?;
    Ok(true)
}

struct Prepared {
    outcome: WriteOutcome,
    before: Option<String>,
    /// What each file that was looked at said.
    seen: BTreeMap<PathBuf, Option<String>>,
    after: String,
    /// The new texts; `None` removes the file.
    texts: BTreeMap<PathBuf, Option<String>>,
    /// Whether the files go back to what they said before.
    returns: bool,
    mode_before: Option<String>,
    mode_after: Option<String>,
}

impl Prepared {
    /// True while the files say what they said when the change was prepared.
    fn is_current(&self) -> Result<bool, ConfigError> {
        for (file, before) in &self.seen {
            if read_raw(file)? != *before {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn require_regular(path: &Path) -> Result<(), ConfigError> {
    match std::fs::symlink_metadata(path) {
        Ok(meta) if !meta.is_file() => Err(ConfigError::NotRegularFile {
            path: path.to_path_buf(),
            hint: "edit the file it leads to, or point `OPENCLAW_CONFIG_PATH` there".to_owned(),
        }),
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(ConfigError::io("look at", path)(error)),
        _ => Ok(()),
    }
}

fn prepare(paths: &StatePaths, env: &Env, edits: &[Edit], options: &WriteOptions) -> Result<Prepared, ConfigError> {
    let before = read_raw(&paths.config_path)?;
    let previous_hash = hash_text(before.as_deref().unwrap_or(""));
    if let Some(expected) = options.base_hash.as_ref().filter(|expected| **expected != previous_hash) {
        return Err(ConfigError::Conflict { path: paths.config_path.clone(), expected: expected.clone(), actual: previous_hash });
    }
    let mut plan = plan::Plan::new(paths, env, before.as_deref(), edits)?;
    let mode_before = plan.gateway_mode();
    if before.is_none() {
        plan.apply(&first_values())?;
    }
    plan.apply(edits)?;
    plan.stamp(&options.version);
    let written = plan.finish()?;
    let after = written.texts.get(&paths.config_path).cloned().or_else(|| before.clone());
    let overlay = written.texts.iter().filter(|(file, _)| **file != paths.config_path).map(|(f, t)| (f.clone(), t.clone())).collect();
    let mut config = load_text(paths, env, after.as_deref(), &overlay)?;
    let mut seen = written.before;
    let back = options.former.as_ref().map(|former| former.back(paths, env, &config, &written.texts)).transpose()?.flatten();
    let returns = back.is_some();
    let (texts, after) = match back {
        Some(back) => {
            seen.extend(back.seen);
            config = back.config;
            (back.texts, options.former.as_ref().and_then(|former| former.main.clone()))
        }
        None => (written.texts.into_iter().map(|(file, text)| (file, Some(text))).collect(), after),
    };
    let mode_after = gateway_mode(&config.source);
    let after = after.unwrap_or_default();
    let outcome = WriteOutcome {
        changed: !texts.is_empty(),
        files: texts.keys().cloned().collect(),
        previous_hash,
        hash: config.hash.clone(),
        comments_lost: written.comments_lost,
        warnings: config.warnings.iter().map(crate::error::ConfigIssue::render).collect(),
        config,
    };
    Ok(Prepared { outcome, before, seen, after, texts, returns, mode_before, mode_after })
}

/// What a file begins with that was not there. Without a file the gateway runs on loopback; it must go on doing so after the first
/// edit, and a file without a mode looks damaged (GW-128).
fn first_values() -> [Edit; 1] {
    [Edit::Set { path: vec!["gateway".into(), "mode".into()], value: Value::from("local"), mode: SetMode::default() }]
}

/// The write that would lose too much is put aside instead (GW-138).
fn refuse_loss(paths: &StatePaths, options: &WriteOptions, prepared: &Prepared) -> Result<(), ConfigError> {
    let reasons = suspicious(prepared);
    let blocking: Vec<String> = reasons.into_iter().filter(|r| r == "gateway-mode-removed" || !options.allow_size_drop).collect();
    if blocking.is_empty() {
        return Ok(());
    }
    let stamp = jiff::Timestamp::now().to_string().replace([':', '.'], "-");
    let saved_to = atomic::with_suffix(&paths.config_path, &format!(".rejected.{stamp}"));
    atomic::replace(&saved_to, &prepared.after, false)?;
    let error = ConfigError::Rejected { path: paths.config_path.clone(), reasons: blocking, saved_to };
    // The refusal is what counts; a log that cannot be written does not change it.
    let _ = audit(paths, options, prepared, "rejected", Some(&error));
    Err(error)
}

fn suspicious(prepared: &Prepared) -> Vec<String> {
    const SMALL: usize = 512;
    let mut reasons = Vec::new();
    let Some(before) = &prepared.before else {
        return reasons;
    };
    if before.len() >= SMALL && prepared.after.len() < before.len() / 2 {
        reasons.push(format!("size-drop:{}->{}", before.len(), prepared.after.len()));
    }
    if prepared.mode_before.is_some() && prepared.mode_after.is_none() {
        reasons.push("gateway-mode-removed".to_owned());
    }
    reasons
}

fn commit(paths: &StatePaths, options: &WriteOptions, mut prepared: Prepared) -> Result<WriteOutcome, ConfigError> {
    // Included files first: the main file is what makes them count.
    let main = &paths.config_path;
    let order = prepared.texts.iter().filter(|(file, _)| *file != main).chain(prepared.texts.get_key_value(main));
    for (file, text) in order {
        let done = match text {
            Some(text) => atomic::replace(file, text, true),
            None => atomic::remove(file),
        };
        if let Err(error) = done {
            let _ = audit(paths, options, &prepared, "failed", Some(&error));
            return Err(error);
        }
    }
    if let Err(error) = audit(paths, options, &prepared, "rename", None) {
        prepared.outcome.warnings.push(error.to_string());
    }
    Ok(prepared.outcome)
}

fn audit(
    paths: &StatePaths,
    options: &WriteOptions,
    prepared: &Prepared,
    result: &str,
    error: Option<&ConfigError>,
) -> Result<(), ConfigError> {
    let written = error.is_none();
    let line = json!({
        "ts": format!("{:.3}", jiff::Timestamp::now()),
        "source": "config-io",
        "event": "config.write",
        "actor": options.actor,
        "configPath": paths.config_path,
        "files": prepared.outcome.files,
        "pid": std::process::id(),
        "existsBefore": prepared.before.is_some(),
        "previousHash": prepared.before.as_ref().map(|_| &prepared.outcome.previous_hash),
        "nextHash": written.then_some(&prepared.outcome.hash),
        "previousBytes": prepared.before.as_ref().map(String::len),
        "nextBytes": written.then_some(prepared.after.len()),
        "gatewayModeBefore": prepared.mode_before,
        "gatewayModeAfter": prepared.mode_after,
        "suspicious": suspicious(prepared),
        "result": result,
        "errorMessage": error.map(ToString::to_string),
    });
    atomic::append_line(&paths.config_audit_file(), &line.to_string())
}

pub(crate) fn gateway_mode(config: &Value) -> Option<String> {
    config["gateway"]["mode"].as_str().map(str::trim).filter(|mode| !mode.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests;
