//! `overrides` of the root package: other versions for dependencies anywhere below it.

use std::collections::BTreeMap;
use std::sync::Arc;

use semver::Version;
use serde_json::Value;

use crate::dependency::{Req, Wanted};
use crate::error::NpmError;
use crate::range::Range;

/// Deepest nesting of `overrides` that is read.
const MAX_DEPTH: usize = 32;

/// A parsed `overrides` object. Empty by default.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    rules: Arc<[Rule]>,
}

#[derive(Debug)]
struct Rule {
    name: String,
    /// The range in the key (`"a@^1"`); `None` for every version.
    key: Option<Range>,
    /// What to install instead; `None` when the rule only holds rules for what lies below.
    value: Option<String>,
    below: Overrides,
}

impl Overrides {
    /// Reads `overrides` of package.json of `package`. `direct` are the package's own dependencies, which
    /// `$name` refers to and which an override must not contradict.
    ///
    /// # Errors
    /// [`NpmError::Override`] for what npm refuses too.
    pub fn parse(package: &str, overrides: &Value, direct: &BTreeMap<String, String>) -> Result<Self, NpmError> {
        let parsed = parse_level(package, overrides, direct, 0)?;
        for rule in parsed.rules.iter().filter(|rule| rule.key.is_none()) {
            if let (Some(value), Some(declared)) = (&rule.value, direct.get(&rule.name))
                && value != declared
            {
                let problem =
                    format!("it says `{value}`, but the package itself depends on `{declared}`; make them equal or use `${}`", rule.name);
                return Err(NpmError::Override { package: package.into(), key: rule.name.clone(), problem });
            }
        }
        Ok(parsed)
    }

    /// True without any rule.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }
}

fn parse_level(package: &str, value: &Value, direct: &BTreeMap<String, String>, depth: usize) -> Result<Overrides, NpmError> {
    let fail = |key: &str, problem: &str| NpmError::Override { package: package.into(), key: key.into(), problem: problem.into() };
    let Some(map) = value.as_object() else {
        return Err(fail("", "an object is expected"));
    };
    if depth > MAX_DEPTH {
        return Err(fail("", "nested too deep"));
    }
    let mut rules = Vec::new();
    for (key, value) in map.iter().filter(|(key, _)| *key != ".") {
        let (name, range) = match key.rfind('@') {
            Some(at) if at > 0 => (&key[..at], Some(&key[at + 1..])),
            _ => (key.as_str(), None),
        };
        let range = match range.filter(|range| !matches!(*range, "" | "*")) {
            Some(text) => Some(Range::parse(text).ok_or_else(|| fail(key, "the part after `@` is no version range"))?),
            None => None,
        };
        let (text, below) = match value {
            Value::String(text) => (Some(text.as_str()), Overrides::default()),
            Value::Object(inner) => (inner.get(".").and_then(Value::as_str), parse_level(package, value, direct, depth + 1)?),
            _ => return Err(fail(key, "a text or an object is expected")),
        };
        let text = match text.filter(|text| !text.is_empty()) {
            Some(text) => Some(resolve_reference(text, direct).ok_or_else(|| fail(key, "`$` must name a direct dependency"))?),
            None => None,
        };
        rules.push(Rule { name: name.to_owned(), key: range, value: text, below });
    }
    Ok(Overrides { rules: rules.into() })
}

fn resolve_reference(text: &str, direct: &BTreeMap<String, String>) -> Option<String> {
    match text.strip_prefix('$') {
        Some(name) => direct.get(name).cloned(),
        None => Some(text.to_owned()),
    }
}

/// The rules in force at one place of the tree, the nearest first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope(Vec<Overrides>);

impl Scope {
    pub fn root(overrides: &Overrides) -> Self {
        if overrides.is_empty() { Self::default() } else { Self(vec![overrides.clone()]) }
    }

    /// The text that replaces the declared one of dependency `name`, if a rule says so.
    pub fn replacement(&self, name: &str, wanted: Option<&Wanted>) -> Option<&str> {
        let rules = self.0.iter().flat_map(|level| level.rules.iter());
        rules.filter(|rule| rule.name == name).find(|rule| touches(rule.key.as_ref(), wanted))?.value.as_deref()
    }

    /// The scope of the dependencies of a package that was placed here.
    pub fn enter(&self, name: &str, version: &Version) -> Self {
        let rules = self.0.iter().flat_map(|level| level.rules.iter());
        let inner = rules.filter(|rule| rule.name == name && !rule.below.is_empty());
        let found = inner.into_iter().find(|rule| rule.key.as_ref().is_none_or(|key| key.satisfies(version)));
        match found {
            Some(rule) => Self(std::iter::once(rule.below.clone()).chain(self.0.iter().cloned()).collect()),
            None => self.clone(),
        }
    }
}

/// A key with a range applies where it overlaps what was declared.
fn touches(key: Option<&Range>, wanted: Option<&Wanted>) -> bool {
    let Some(key) = key else { return true };
    match wanted.map(|wanted| &wanted.req) {
        Some(Req::Range(range)) => key.overlaps(range),
        Some(Req::Any) => true,
        Some(Req::Tag(_)) | None => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(value: Value) -> Result<Overrides, NpmError> {
        let direct = BTreeMap::from([("direct".to_owned(), "^2.0.0".to_owned())]);
        Overrides::parse("root", &value, &direct)
    }

    #[test]
    fn rules_apply_by_name_range_and_place() {
        let overrides = parse(json!({
            "a": "1.0.0", "b@^2": "2.5.0", "c": {".": "3.0.0", "a": "9.0.0"}, "d": "$direct", "direct": "^2.0.0"
        }))
        .unwrap();
        let scope = Scope::root(&overrides);
        let wanted = |text: &str| Wanted::parse("x", text).unwrap();
        assert_eq!(scope.replacement("a", Some(&wanted("^7"))), Some("1.0.0"));
        assert_eq!(scope.replacement("b", Some(&wanted("^2.1"))), Some("2.5.0"));
        assert_eq!(scope.replacement("b", Some(&wanted("^1"))), None);
        assert_eq!(scope.replacement("d", None), Some("^2.0.0"));
        assert_eq!(scope.replacement("zz", None), None);
        let inner = scope.enter("c", &Version::parse("3.0.0").unwrap());
        assert_eq!(inner.replacement("a", None), Some("9.0.0"), "nearer rules first");
        assert_eq!(inner.replacement("c", None), Some("3.0.0"));
        assert!(Scope::root(&Overrides::default()).replacement("a", None).is_none());
    }

    #[test]
    fn what_npm_refuses() {
        for bad in [json!([]), json!({"a": 1}), json!({"a@what is this": "1"}), json!({"a": "$nobody"}), json!({"direct": "1.0.0"})] {
            assert!(matches!(parse(bad.clone()), Err(NpmError::Override { .. })), "{bad}");
        }
    }
}
