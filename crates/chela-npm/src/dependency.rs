//! One declared dependency: reading what its author wrote, and choosing a version for it.

use semver::Version;

use crate::error::NpmError;
use crate::packument::{Manifest, Packument};
use crate::range::{Range, parse_version};
use crate::spec::is_safe_name;

/// What a dependency asks for.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// The package in the registry; differs from the dependency's name for an alias.
    pub package: String,
    /// The text after the name.
    pub text: String,
    pub req: Req,
}

#[derive(Debug, Clone)]
pub(crate) enum Req {
    /// `*` or nothing: any version, and `latest` when there is a choice.
    Any,
    Range(Range),
    Tag(String),
}

impl Wanted {
    /// Reads the declared text of dependency `name`.
    ///
    /// # Errors
    /// A text naming why it cannot be taken from the registry.
    pub fn parse(name: &str, declared: &str) -> Result<Self, String> {
        let declared = declared.trim();
        let (package, text) = match declared.strip_prefix("npm:") {
            Some(alias) => match alias.rfind('@') {
                Some(at) if at > 0 => (&alias[..at], alias[at + 1..].trim()),
                _ => (alias, ""),
            },
            None => (name, declared),
        };
        if !is_safe_name(package) || !is_safe_name(name) {
            return Err("the name is no package name".into());
        }
        if let Some(kind) = foreign(text) {
            return Err(format!("{kind} dependencies are not supported"));
        }
        let req = match text {
            "" | "*" => Req::Any,
            _ => match Range::parse(text) {
                Some(range) => Req::Range(range),
                None if is_tag(text) => Req::Tag(text.to_owned()),
                None => return Err("this is neither a version range nor a tag".into()),
            },
        };
        Ok(Self { package: package.to_owned(), text: text.to_owned(), req })
    }

    /// True when this version of [`Wanted::package`] will do. A tag is satisfied only by what it was
    /// resolved to; see [`Wanted::pin`].
    pub fn accepts(&self, package: &str, version: &Version) -> bool {
        package == self.package
            && match &self.req {
                Req::Any => true,
                Req::Range(range) => range.satisfies(version),
                Req::Tag(_) => false,
            }
    }

    /// Turns a tag into the version it points at, so that [`Wanted::accepts`] can tell.
    pub fn pin(&mut self, packument: &Packument) {
        if let Req::Tag(tag) = &self.req
            && let Some(range) = packument.dist_tags.get(tag).and_then(|version| Range::parse(version))
        {
            self.req = Req::Range(range);
        }
    }
}

/// The kind of a text that leads somewhere else than to the registry.
fn foreign(text: &str) -> Option<&'static str> {
    let lower = text.to_ascii_lowercase();
    let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| lower.starts_with(prefix));
    if starts(&["git+", "git:", "git@", "ssh:", "github:", "gitlab:", "bitbucket:", "gist:"]) || lower.contains(".git#") {
        return Some("git");
    }
    if starts(&["http:", "https:"]) {
        return Some("URL");
    }
    if starts(&["file:", "link:", "portal:", "./", "../", "~/", "/"]) {
        return Some("local directory");
    }
    if starts(&["workspace:", "catalog:", "patch:", "jsr:"]) {
        return Some("workspace");
    }
    let shorthand = text.split_once('/').is_some_and(|(owner, rest)| !owner.is_empty() && !rest.is_empty() && !owner.contains(' '));
    shorthand.then_some("git")
}

fn is_tag(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.!~'()*".contains(&b))
}

/// What else decides between versions that all satisfy a range.
#[derive(Debug, Clone, Default)]
pub(crate) struct Preference {
    /// The Node that will run the code; versions that say they need another one come last.
    pub node: Option<Version>,
}

impl Preference {
    /// True when the manifest does not rule this Node out.
    pub fn engine_fits(&self, manifest: &Manifest) -> bool {
        let (Some(node), Some(range)) = (&self.node, &manifest.node_range) else { return true };
        Range::parse(range).is_none_or(|range| range.satisfies_with_prerelease(node))
    }
}

/// Chooses a version as npm does: the tag's, or `latest` when it satisfies and nothing speaks against it,
/// or else the newest that satisfies, before deprecated ones and ones for another Node.
///
/// # Errors
/// [`NpmError::NotFound`] when there is none.
pub(crate) fn pick(packument: &Packument, wanted: &Wanted, preference: &Preference) -> Result<Manifest, NpmError> {
    let not_found = |detail: String| NpmError::NotFound { spec: format!("{}@{}", packument.name, wanted.text), detail };
    let range = match &wanted.req {
        Req::Any => None,
        Req::Range(range) => Some(range),
        Req::Tag(tag) => {
            let version = packument.dist_tags.get(tag).ok_or_else(|| not_found(format!("it has no tag `{tag}`")))?;
            return packument
                .manifest(version)
                .ok_or_else(|| not_found(format!("the tag `{tag}` points at {version}, which is not there")));
        }
    };
    let satisfies = |version: &Version| range.is_none_or(|range| range.satisfies(version));
    let clean = |manifest: &Manifest| manifest.deprecated.is_none() && preference.engine_fits(manifest);
    let latest = packument.dist_tags.get("latest").and_then(|text| Some((text, parse_version(text)?)));
    if let Some((text, version)) = &latest
        && satisfies(version)
        && let Some(manifest) = packument.manifest(text)
        && (clean(&manifest) || range.is_none())
    {
        return Ok(manifest);
    }
    // npm's `*` takes no prerelease unless the tag above led to one.
    let stable_or_asked = |version: &Version| range.is_some() || version.pre.is_empty();
    let candidates = packument.versions().filter(|(_, version)| satisfies(version) && stable_or_asked(version));
    let mut best: Option<((bool, bool, bool), Manifest)> = None;
    for (text, _) in candidates {
        let Some(manifest) = packument.manifest(text) else { continue };
        let (fresh, fits) = (manifest.deprecated.is_none(), preference.engine_fits(&manifest));
        let rank = (fresh && fits, fits, fresh);
        if best.as_ref().is_none_or(|(found, _)| rank > *found) {
            best = Some((rank, manifest));
        }
        // The newest comes first, so nothing better follows.
        if rank.0 {
            break;
        }
    }
    best.map(|(_, manifest)| manifest).ok_or_else(|| {
        let newest = packument.versions().next().map_or("none".into(), |(text, _)| text.to_owned());
        not_found(format!("no version matches; the newest is {newest}"))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn packument(latest: &str, versions: &[(&str, serde_json::Value)]) -> Packument {
        let versions: serde_json::Map<_, _> = versions.iter().map(|(v, m)| ((*v).to_owned(), m.clone())).collect();
        let text = json!({"name": "p", "dist-tags": {"latest": latest, "next": "3.0.0-rc.1"}, "versions": versions}).to_string();
        Packument::parse("p", text.as_bytes()).unwrap()
    }

    #[test]
    fn declared_texts() {
        let ok = [
            ("a", "^1.0.0", "a"),
            ("a", "", "a"),
            ("a", "npm:@s/b@~2", "@s/b"),
            ("a", "npm:b", "b"),
            ("a", "next", "a"),
            ("a", " >= 1.2 <3 || 5.x", "a"),
        ];
        for (name, text, package) in ok {
            assert_eq!(Wanted::parse(name, text).unwrap().package, package, "{text}");
        }
        let bad = [
            ("git+ssh://git@host/a.git", "git"),
            ("github:a/b", "git"),
            ("a/b", "git"),
            ("a/b#semver:^1", "git"),
            ("https://host/a.tgz", "URL"),
            ("file:../a", "local directory"),
            ("workspace:*", "workspace"),
            ("npm:../../etc@1", "no package name"),
            ("npm:x@https://host/a", "URL"),
            ("^^^ what", "neither"),
        ];
        for (text, reason) in bad {
            assert!(Wanted::parse("a", text).unwrap_err().contains(reason), "{text}");
        }
        assert!(Wanted::parse("../a", "1").is_err());
    }

    #[test]
    fn choice_follows_npm() {
        let none = json!({});
        let old = json!({"deprecated": "no"});
        let new_node = json!({"engines": {"node": ">=90"}});
        let p = packument(
            "2.0.0",
            &[
                ("1.0.0", none.clone()),
                ("1.5.0", old),
                ("1.4.0", none.clone()),
                ("2.0.0", none.clone()),
                ("2.1.0", none.clone()),
                ("2.2.0", new_node),
                ("3.0.0-rc.1", none),
            ],
        );
        let node22 = Preference { node: parse_version("22.1.0") };
        let cases = [
            ("*", "2.0.0"),
            ("^2.0.0", "2.0.0"), // `latest` wins over 2.1.0
            ("^2.1.0", "2.1.0"), // 2.2.0 asks for another Node
            ("^1.0.0", "1.4.0"), // 1.5.0 is deprecated
            ("1.5.0", "1.5.0"),
            ("next", "3.0.0-rc.1"),
            (">=1", "2.0.0"),
        ];
        for (text, expected) in cases {
            assert_eq!(pick(&p, &Wanted::parse("p", text).unwrap(), &node22).unwrap().version, expected, "{text}");
        }
        for text in ["^9", "nope"] {
            let error = pick(&p, &Wanted::parse("p", text).unwrap(), &node22).unwrap_err();
            assert_eq!(error.code(), Some("npm_package_not_found"), "{error}");
        }
        let lone = packument("1.0.0-rc.1", &[("1.0.0-rc.1", json!({}))]);
        assert_eq!(pick(&lone, &Wanted::parse("p", "*").unwrap(), &node22).unwrap().version, "1.0.0-rc.1");
    }
}
