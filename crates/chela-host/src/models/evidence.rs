//! Logins that other programs left on this machine (MAN-161..MAN-163). Only whether a file is there is asked: nothing is opened,
//! started or called.

use std::path::{Path, PathBuf};

use chela_manifest::AuthEvidence;
use chela_models::LocalLogin;

/// The first piece of evidence that holds in this environment.
pub(super) fn login<'a>(evidence: impl Iterator<Item = &'a AuthEvidence>, env: &dyn Fn(&str) -> Option<String>) -> Option<LocalLogin> {
    let mut evidence = evidence;
    let found = evidence.find(|entry| variables_are_set(entry, env) && file_exists(entry, env))?;
    let source = found.source.clone().unwrap_or_else(|| "local auth evidence".to_owned());
    Some(LocalLogin { marker: found.credential_marker.clone(), source })
}

fn variables_are_set(entry: &AuthEvidence, env: &dyn Fn(&str) -> Option<String>) -> bool {
    let set = |name: &String| env(name).is_some();
    (entry.requires_any_env.is_empty() || entry.requires_any_env.iter().any(set)) && entry.requires_all_env.iter().all(set)
}

/// A path in the variable decides alone; the fallbacks count only while it is unset.
fn file_exists(entry: &AuthEvidence, env: &dyn Fn(&str) -> Option<String>) -> bool {
    if let Some(path) = entry.file_env_var.as_deref().and_then(env) {
        return Path::new(path.trim()).exists();
    }
    entry.fallback_paths.iter().filter_map(|path| expand(path, env)).any(|path| path.exists())
}

/// `${HOME}` and `${APPDATA}`; a path that needs one that is unset is none.
fn expand(path: &str, env: &dyn Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let mut path = path.trim().to_owned();
    for name in ["HOME", "APPDATA"] {
        let mark = format!("${{{name}}}");
        if path.contains(&mark) {
            path = path.replace(&mark, env(name)?.trim());
        }
    }
    Some(PathBuf::from(path))
}
