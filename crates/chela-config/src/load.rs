//! Reading the configuration: parse, include, environment, validate (GW-126..132).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::env::Env;
use crate::error::{ConfigError, ConfigIssue};
use crate::include::{IncludeContext, parse_error, utf8};
use crate::json5::{self, Node};
use crate::paths::StatePaths;
use crate::subst::substitute;
use crate::validate::validate;

/// A configuration that was read and found valid.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// As written, with includes put in; `${NAME}` and secret references stay. This is what edits work on.
    pub source: Value,
    /// What the program uses: as `source`, with `${NAME}` replaced.
    pub effective: Value,
    /// The configuration file.
    pub path: PathBuf,
    /// Whether the file exists; without it everything has its default.
    pub exists: bool,
    /// SHA-256 of the file's bytes, in hexadecimal; of nothing when there is no file.
    pub hash: String,
    /// What deserves attention but stops nothing, such as unset variables.
    pub warnings: Vec<ConfigIssue>,
    /// The file and all included files, in the order in which they were read.
    pub files: Vec<PathBuf>,
    /// The environment with the configuration's `env` block added.
    pub env: Env,
    /// Where things are; relative paths and `~` are resolved with it.
    pub paths: StatePaths,
}

/// The answer of `config validate`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ValidateReport {
    /// Whether the configuration can be used.
    pub valid: bool,
    /// The configuration file.
    pub path: PathBuf,
    /// Whether the file exists.
    #[serde(skip)]
    pub exists: bool,
    /// Faults that the schema found.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub issues: Vec<ConfigIssue>,
    /// What deserves attention.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<ConfigIssue>,
    /// Why the file could not be checked at all, such as a syntax error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Reads and checks the configuration. A missing file is an empty configuration.
///
/// # Errors
/// [`ConfigError::Parse`] and [`ConfigError::NotUtf8`] with line and column, [`ConfigError::Include`],
/// [`ConfigError::Invalid`] with every issue (GW-127), [`ConfigError::Io`].
pub fn load(paths: &StatePaths, env: &Env) -> Result<Config, ConfigError> {
    let raw = read_raw(&paths.config_path)?;
    load_text(paths, env, raw.as_deref(), &BTreeMap::new())
}

/// As [`load`], but an invalid configuration is returned together with its issues, for commands that
/// must work while the file is broken (`config get`, `doctor`).
///
/// # Errors
/// As [`load`], without [`ConfigError::Invalid`].
pub fn load_lenient(paths: &StatePaths, env: &Env) -> Result<(Config, Vec<ConfigIssue>), ConfigError> {
    let raw = read_raw(&paths.config_path)?;
    build(paths, env, raw.as_deref(), &BTreeMap::new())
}

/// Checks the configuration for `config validate`. A missing file is reported as not valid.
pub fn validate_file(paths: &StatePaths, env: &Env) -> ValidateReport {
    let mut report =
        ValidateReport { valid: false, path: paths.config_path.clone(), exists: true, issues: vec![], warnings: vec![], error: None };
    match load_lenient(paths, env) {
        Ok((config, _)) if !config.exists => {
            report.exists = false;
            report.error = Some("file not found".to_owned());
        }
        Ok((config, issues)) => {
            report.valid = issues.is_empty();
            report.issues = issues;
            report.warnings = config.warnings;
        }
        Err(error) => report.error = Some(error.to_string()),
    }
    report
}

/// SHA-256 of a text, in hexadecimal.
pub fn hash_text(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The file's text, or `None` when there is none.
pub(crate) fn read_raw(path: &Path) -> Result<Option<String>, ConfigError> {
    let read = ConfigError::io("read", path);
    let meta = match std::fs::metadata(path) {
        Ok(meta) => meta,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(read(error)),
    };
    if !meta.is_file() {
        return Err(ConfigError::NotRegularFile { path: path.to_path_buf(), hint: "point `OPENCLAW_CONFIG_PATH` at a file".to_owned() });
    }
    match std::fs::read(path) {
        Ok(bytes) => utf8(path, bytes).map(Some),
        Err(error) => Err(read(error)),
    }
}

/// Loads from a text instead of the file; `overlay` stands in for included files.
pub(crate) fn load_text(
    paths: &StatePaths,
    env: &Env,
    raw: Option<&str>,
    overlay: &BTreeMap<PathBuf, String>,
) -> Result<Config, ConfigError> {
    let (config, issues) = build(paths, env, raw, overlay)?;
    if issues.is_empty() { Ok(config) } else { Err(ConfigError::Invalid { path: config.path, issues }) }
}

fn build(
    paths: &StatePaths,
    env: &Env,
    raw: Option<&str>,
    overlay: &BTreeMap<PathBuf, String>,
) -> Result<(Config, Vec<ConfigIssue>), ConfigError> {
    let path = paths.config_path.clone();
    let root = raw.map(|text| json5::parse(text).map_err(|e| parse_error(&path, text, e))).transpose()?;
    let mut includes = IncludeContext::new(&path, paths.include_roots(env), overlay);
    if raw.is_some() {
        includes.files.push(path.clone());
    }
    let authored = root.as_ref().map_or_else(|| Value::Object(Default::default()), Node::to_value);
    let source = includes.resolve(&authored, &path)?;
    let mut env = env.clone();
    env.apply_config_block(&source);
    let (effective, missing) = substitute(&source, &env);
    let mut issues = validate(&effective);
    for issue in &mut issues {
        locate(issue, &path, raw, root.as_ref());
    }
    let mut warnings: Vec<ConfigIssue> = missing
        .into_iter()
        .map(|m| ConfigIssue::new(m.path, format!("variable `{}` is not set; the text `${{{}}}` stays as it is", m.name, m.name)))
        .collect();
    ignored_settings(&effective, &mut warnings);
    let config = Config {
        source,
        effective,
        path,
        exists: raw.is_some(),
        hash: hash_text(raw.unwrap_or("")),
        warnings,
        files: includes.files,
        env,
        paths: paths.clone(),
    };
    Ok((config, issues))
}

/// Settings that are accepted but have no effect are said so.
fn ignored_settings(config: &Value, warnings: &mut Vec<ConfigIssue>) {
    if config["session"]["mainKey"].as_str().is_some_and(|key| !matches!(key.trim(), "" | "main")) {
        warnings.push(ConfigIssue::new("session.mainKey", "is ignored; the main session is always `main`"));
    }
    for (section, key) in [("commands", "modelsWrite"), ("plugins", "installs")] {
        if config[section].get(key).is_some() {
            warnings.push(ConfigIssue::new(format!("{section}.{key}"), "is ignored; remove it"));
        }
    }
    if config["env"]["shellEnv"]["enabled"] == Value::Bool(true) {
        warnings.push(ConfigIssue::new(
            "env.shellEnv",
            "importing the login shell's environment is not built yet; set the variables in `.env`",
        ));
    }
    if config["agents"]["list"].as_array().is_some_and(|l| l.iter().filter(|a| a["default"] == Value::Bool(true)).count() > 1) {
        warnings.push(ConfigIssue::new("agents.list", "several agents have `default: true`; the first one is used"));
    }
}

/// Adds file, line and column to an issue whose value stands in the main file.
fn locate(issue: &mut ConfigIssue, path: &Path, raw: Option<&str>, root: Option<&Node>) {
    let (Some(text), Some(mut node)) = (raw, root) else {
        return;
    };
    let mut start = node.span.start;
    for segment in issue.path.split('.').filter(|s| !s.is_empty()) {
        // A key may hold dots, and included values stand elsewhere; then the parent's place is shown.
        let Some(child) = node.child(segment) else {
            if node.member(crate::include::INCLUDE_KEY).is_some() {
                return;
            }
            break;
        };
        node = child;
        start = node.span.start;
    }
    if let Some(key) = issue.message.strip_prefix("Unrecognized key: \"").and_then(|rest| rest.strip_suffix('"'))
        && let Some(member) = node.member(key)
    {
        start = member.key_span.start;
    }
    let (line, column) = json5::position(text, start);
    issue.file = Some(path.to_path_buf());
    issue.line = Some(line);
    issue.column = Some(column);
}

#[cfg(test)]
mod tests;
