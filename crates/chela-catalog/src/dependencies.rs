//! `dependencyStatus` of a plugin (MAN-221, MAN-222).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::record::{Lane, PluginRecord};

/// The `dependencyStatus` object: each declared dependency is looked up along the `node_modules`
/// directories from the plugin root upward.
pub fn dependency_status(plugin: &PluginRecord) -> Value {
    let none = BTreeMap::new();
    let package = plugin.package.as_deref().filter(|_| plugin.lane != Lane::Builtin);
    let required = package.map_or(&none, |package| &package.dependencies);
    let optional = package.map_or(&none, |package| &package.optional_dependencies);
    let (required, missing) = rows(&plugin.root_dir, required, false);
    let (optional, missing_optional) = rows(&plugin.root_dir, optional, true);
    json!({
        "hasDependencies": !required.is_empty() || !optional.is_empty(),
        "installed": missing.is_empty(),
        "requiredInstalled": missing.is_empty(),
        "optionalInstalled": missing_optional.is_empty(),
        "missing": missing,
        "missingOptional": missing_optional,
        "dependencies": required,
        "optionalDependencies": optional,
    })
}

fn rows(root: &Path, specs: &BTreeMap<String, String>, optional: bool) -> (Vec<Value>, Vec<String>) {
    let mut missing = Vec::new();
    let mut rows = Vec::with_capacity(specs.len());
    for (name, spec) in specs {
        let found = find(root, name);
        let mut row = json!({
            "name": name,
            "spec": spec,
            "installed": found.is_some(),
            "optional": optional,
        });
        match found {
            Some(path) => row["resolvedPath"] = path.to_string_lossy().into(),
            None => missing.push(name.clone()),
        }
        rows.push(row);
    }
    (rows, missing)
}

fn find(root: &Path, name: &str) -> Option<PathBuf> {
    let valid = match name.split_once('/') {
        None => !name.is_empty() && name != "." && name != "..",
        Some((scope, rest)) => scope.starts_with('@') && !rest.is_empty() && !rest.contains('/'),
    };
    if !valid || name.split('/').any(|part| part == "..") {
        return None;
    }
    let dirs = root.ancestors().map(|dir| dir.join("node_modules").join(name));
    dirs.into_iter().find(|path| path.exists())
}
