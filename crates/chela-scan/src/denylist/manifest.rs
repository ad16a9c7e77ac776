//! Denied names in one `package.json`.

use serde_json::{Map, Value};

use super::is_denied;

/// A denied name and where the manifest has it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Declared {
    pub(super) field: &'static str,
    pub(super) dependency: String,
    pub(super) declared_as: Option<String>,
}

/// Fields that are installed; `devDependencies` are not (INS-230).
const FIELDS: [&str; 3] = ["dependencies", "optionalDependencies", "peerDependencies"];
/// Overrides inside each other.
const DEPTH: usize = 64;

/// All denied names of a manifest (INS-229).
pub(super) fn denied(manifest: &Value) -> Vec<Declared> {
    let mut out = Vec::new();
    if let Some(name) = manifest.get("name").and_then(Value::as_str).filter(|name| is_denied(name)) {
        out.push(Declared { field: "name", dependency: name.into(), declared_as: None });
    }
    if let Some(overrides) = manifest.get("overrides").and_then(Value::as_object) {
        collect_overrides(overrides, &mut Vec::new(), &mut out);
    }
    for field in FIELDS {
        let Some(dependencies) = manifest.get(field).and_then(Value::as_object) else { continue };
        for (name, spec) in dependencies {
            if is_denied(name) {
                out.push(Declared { field, dependency: name.clone(), declared_as: None });
            } else if let Some(target) = spec.as_str().and_then(alias).filter(|target| is_denied(target)) {
                out.push(Declared { field, dependency: target.into(), declared_as: Some(name.clone()) });
            }
        }
    }
    out
}

fn collect_overrides(overrides: &Map<String, Value>, path: &mut Vec<String>, out: &mut Vec<Declared>) {
    if path.len() > DEPTH {
        return;
    }
    for (selector, value) in overrides {
        path.push(selector.clone());
        let mut add = |name: &str| {
            out.push(Declared { field: "overrides", dependency: name.into(), declared_as: Some(path.join(" > ")) });
        };
        if let Some(name) = Some(package_of(selector.trim())).filter(|name| is_denied(name)) {
            add(name);
        }
        match value {
            Value::String(spec) => {
                if let Some(target) = alias(spec).filter(|target| is_denied(target)) {
                    add(target);
                }
            }
            Value::Object(inner) => collect_overrides(inner, path, out),
            _ => {}
        }
        path.pop();
    }
}

/// The package of `npm:name@range`.
fn alias(spec: &str) -> Option<&str> {
    spec.trim().strip_prefix("npm:").map(|target| package_of(target.trim()))
}

/// The name in `name@range` or `@scope/name@range`.
fn package_of(text: &str) -> &str {
    let start = usize::from(text.starts_with('@'));
    match text[start..].find('@') {
        Some(at) => &text[..start + at],
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    // INS-228, INS-229, INS-230
    #[test]
    fn every_field_that_installs_is_read() {
        let table = [
            (json!({"name": "plain-crypto-js"}), "name", None),
            (json!({"dependencies": {"plain-crypto-js": "1"}}), "dependencies", None),
            (json!({"optionalDependencies": {"plain-crypto-js": "1"}}), "optionalDependencies", None),
            (json!({"peerDependencies": {"plain-crypto-js": 3}}), "peerDependencies", None),
            (json!({"dependencies": {"x": "npm:plain-crypto-js@^4"}}), "dependencies", Some("x")),
            (json!({"dependencies": {"x": " npm:plain-crypto-js "}}), "dependencies", Some("x")),
            (json!({"overrides": {"a": {"plain-crypto-js@1": "2"}}}), "overrides", Some("a > plain-crypto-js@1")),
            (json!({"overrides": {"a": {"b": "npm:plain-crypto-js@1"}}}), "overrides", Some("a > b")),
        ];
        for (manifest, field, declared_as) in table {
            let dependency = "plain-crypto-js".to_owned();
            assert_eq!(denied(&manifest), [Declared { field, dependency, declared_as: declared_as.map(Into::into) }], "{manifest}");
        }
        let clean = json!({"name": 1, "devDependencies": {"plain-crypto-js": "1"}, "dependencies": {"crypto-js": "npm:@plain-crypto-js/x@1"},
            "optionalDependencies": [], "overrides": {"a": 1, ".": "x"}, "bundleDependencies": ["plain-crypto-js"]});
        assert_eq!(denied(&clean), []);
    }
}
