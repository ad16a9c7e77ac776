//! What the registry says about a package, read leniently: a wrong field of one version must not hide the others.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use semver::Version;

use crate::range::parse_version;

/// A package's metadata: its tags and its versions.
///
/// The versions' manifests stay text until one is asked for: a package with thousands of versions costs
/// as little as its names.
#[derive(Debug)]
pub struct Packument {
    /// The package's name.
    pub name: String,
    /// Dist-tags and the versions they point at.
    pub dist_tags: BTreeMap<String, String>,
    versions: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    version: Version,
    key: String,
    manifest: Box<RawValue>,
}

#[derive(Deserialize)]
struct Wire {
    #[serde(default)]
    name: Option<String>,
    #[serde(default, rename = "dist-tags", deserialize_with = "texts")]
    dist_tags: BTreeMap<String, String>,
    #[serde(default)]
    versions: BTreeMap<String, Box<RawValue>>,
}

impl Packument {
    /// Reads the registry's JSON, abbreviated or full. Versions that are no semver are left out.
    ///
    /// # Errors
    /// A text when it is no packument of `name`.
    pub fn parse(name: &str, json: &[u8]) -> Result<Self, String> {
        let wire: Wire = serde_json::from_slice(json).map_err(|e| format!("the metadata of `{name}` are no package document: {e}"))?;
        if wire.name.as_deref().is_some_and(|found| found != name) {
            return Err(format!("asked for `{name}`, got the metadata of `{}`", wire.name.unwrap_or_default()));
        }
        let mut versions: Vec<Entry> =
            wire.versions.into_iter().filter_map(|(key, manifest)| Some(Entry { version: parse_version(&key)?, key, manifest })).collect();
        versions.sort_by(|a, b| b.version.cmp(&a.version));
        Ok(Self { name: name.to_owned(), dist_tags: wire.dist_tags, versions })
    }

    /// All versions, the newest by semver first.
    pub fn versions(&self) -> impl Iterator<Item = (&str, &Version)> {
        self.versions.iter().map(|entry| (entry.key.as_str(), &entry.version))
    }

    /// The manifest of one version, by its exact text.
    pub fn manifest(&self, version: &str) -> Option<Manifest> {
        let entry = self.versions.iter().find(|entry| entry.key == version)?;
        Manifest::parse(&self.name, &entry.key, entry.manifest.get())
    }
}

/// The manifest of one version, as far as installing needs it.
#[derive(Debug, Clone, Default)]
pub struct Manifest {
    /// The package's name (not the alias it may be installed under).
    pub name: String,
    /// Its exact version.
    pub version: String,
    /// What it depends on.
    pub needs: Needs,
    /// Names that lie in its own tarball.
    pub bundled: Vec<String>,
    /// Programs: name and path inside the package.
    pub bin: BTreeMap<String, String>,
    /// Operating systems it asks for, `!`-prefixed ones excluded; empty for all.
    pub os: Vec<String>,
    /// Processors, in the same form.
    pub cpu: Vec<String>,
    /// C libraries, in the same form.
    pub libc: Vec<String>,
    /// `engines.node`.
    pub node_range: Option<String>,
    /// Why its author advises against it.
    pub deprecated: Option<String>,
    /// It has preinstall, install or postinstall scripts; they never run.
    pub has_install_script: bool,
    /// It carries npm-shrinkwrap.json.
    pub has_shrinkwrap: bool,
    /// Where and what its tarball is.
    pub dist: Dist,
}

/// Dependency maps of a package, name to what was declared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// `dependencies`, without those that are optional too.
    pub dependencies: BTreeMap<String, String>,
    /// `optionalDependencies`.
    pub optional: BTreeMap<String, String>,
    /// `peerDependencies` that must be there.
    pub peers: BTreeMap<String, String>,
    /// `peerDependencies` that `peerDependenciesMeta` calls optional.
    pub optional_peers: BTreeMap<String, String>,
}

/// `dist` of a version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dist {
    /// Address of the tarball.
    pub tarball: String,
    /// SRI text with one or more hashes.
    pub integrity: Option<String>,
    /// SHA-1 in hex, of packages older than `integrity`.
    pub shasum: Option<String>,
    /// The registry's signatures over `name@version:integrity`.
    pub signatures: Vec<DistSignature>,
    /// Where provenance attestations are to be had.
    pub attestations: Option<String>,
}

/// One signature of the registry.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct DistSignature {
    /// Which of the registry's keys made it, `SHA256:...`.
    pub keyid: String,
    /// Base64 of a DER-encoded ECDSA signature.
    pub sig: String,
}

impl Needs {
    /// Reads the maps of a package.json or of a version's manifest.
    pub fn from_value(package: &Value) -> Self {
        let map = |key: &str| text_map(package.get(key));
        let optional = map("optionalDependencies");
        let mut dependencies = map("dependencies");
        // npm lists optional ones in both maps; the optional entry decides.
        dependencies.retain(|name, _| !optional.contains_key(name));
        let meta = package.get("peerDependenciesMeta");
        let is_optional = |name: &str| meta.and_then(|m| m.get(name)).and_then(|m| m.get("optional")) == Some(&Value::Bool(true));
        let (optional_peers, peers): (BTreeMap<_, _>, BTreeMap<_, _>) =
            map("peerDependencies").into_iter().partition(|(name, _)| is_optional(name));
        Self { dependencies, optional, peers, optional_peers }
    }
}

impl Manifest {
    fn parse(name: &str, version: &str, json: &str) -> Option<Self> {
        Some(Self::from_value(name, version, &serde_json::from_str(json).ok()?))
    }

    /// Reads a package.json or a version of a packument; `name` and `version` are the trusted ones.
    pub fn from_value(name: &str, version: &str, package: &Value) -> Self {
        let needs = Needs::from_value(package);
        let engines = package.get("engines").and_then(|e| e.get("node")).and_then(Value::as_str);
        let scripts = package.get("scripts").and_then(Value::as_object);
        let runs = |hook: &str| scripts.is_some_and(|scripts| scripts.get(hook).is_some_and(Value::is_string));
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            bundled: bundled(package, &needs),
            needs,
            bin: bin_map(name, package.get("bin")),
            os: text_list(package.get("os")),
            cpu: text_list(package.get("cpu")),
            libc: text_list(package.get("libc")),
            node_range: engines.map(str::to_owned),
            deprecated: match package.get("deprecated") {
                Some(Value::String(text)) if !text.is_empty() => Some(text.clone()),
                Some(Value::Bool(true)) => Some("deprecated".into()),
                _ => None,
            },
            has_install_script: package.get("hasInstallScript") == Some(&Value::Bool(true))
                || ["preinstall", "install", "postinstall"].into_iter().any(runs),
            has_shrinkwrap: package.get("_hasShrinkwrap") == Some(&Value::Bool(true)),
            dist: Dist::from_value(package.get("dist")),
        }
    }

    /// `name@version`.
    pub fn id(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }
}

impl Dist {
    fn from_value(dist: Option<&Value>) -> Self {
        let text = |key: &str| dist.and_then(|d| d.get(key)).and_then(Value::as_str).filter(|s| !s.is_empty()).map(str::to_owned);
        let signatures = dist.and_then(|d| d.get("signatures")).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let attestations = dist.and_then(|d| d.get("attestations")).and_then(|a| a.get("url")).and_then(Value::as_str);
        Self {
            tarball: text("tarball").unwrap_or_default(),
            integrity: text("integrity"),
            shasum: text("shasum"),
            signatures: signatures.iter().filter_map(|s| DistSignature::deserialize(s).ok()).collect(),
            attestations: attestations.map(str::to_owned),
        }
    }
}

/// `bundleDependencies`: a list, or `true` for all of `dependencies`.
fn bundled(package: &Value, needs: &Needs) -> Vec<String> {
    let listed = package.get("bundleDependencies").or_else(|| package.get("bundledDependencies"));
    match listed {
        Some(Value::Bool(true)) => needs.dependencies.keys().cloned().collect(),
        Some(Value::Array(_)) => text_list(listed),
        _ => Vec::new(),
    }
}

/// `bin` as npm normalises it: one path under the package's own name, or a map. Names lose their
/// directories and paths stay inside the package.
fn bin_map(package: &str, bin: Option<&Value>) -> BTreeMap<String, String> {
    let clean = |path: &str| {
        let mut parts: Vec<&str> = Vec::new();
        for part in path.split(['/', '\\']) {
            match part {
                "" | "." => {}
                ".." => drop(parts.pop()),
                part => parts.push(part),
            }
        }
        parts.join("/")
    };
    let base = |name: &str| name.rsplit(['/', '\\']).next().unwrap_or_default().to_owned();
    let entries: Vec<(String, String)> = match bin {
        Some(Value::String(path)) => vec![(base(package), clean(path))],
        Some(Value::Object(map)) => map.iter().filter_map(|(name, path)| Some((base(name), clean(path.as_str()?)))).collect(),
        _ => Vec::new(),
    };
    let usable = |name: &str| !name.is_empty() && name != "." && name != ".." && !name.contains('\0');
    entries.into_iter().filter(|(name, path)| usable(name) && !path.is_empty() && !path.contains('\0')).collect()
}

fn text_map(value: Option<&Value>) -> BTreeMap<String, String> {
    let entries = value.and_then(Value::as_object);
    entries.into_iter().flatten().filter_map(|(key, value)| Some((key.clone(), value.as_str()?.trim().to_owned()))).collect()
}

fn text_list(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

fn texts<'de, D: Deserializer<'de>>(input: D) -> Result<BTreeMap<String, String>, D::Error> {
    Ok(text_map(Some(&Value::deserialize(input)?)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn odd_metadata_is_read_as_far_as_it_goes() {
        let text = json!({
            "name": "a", "dist-tags": {"latest": "1.0.0", "bad": 3},
            "versions": {
                "1.0.0": {"dependencies": {"b": "^1", "c": 7, "o": "1"}, "optionalDependencies": {"o": "2"}, "bin": "./x/../cli.js",
                          "deprecated": "use b", "os": "linux", "scripts": {"postinstall": "x"}, "engines": ["old"],
                          "peerDependencies": {"p": "1", "q": "2"}, "peerDependenciesMeta": {"q": {"optional": true}}},
                "1.2.0": {"dependencies": [], "bundleDependencies": true, "bin": {"../evil": "../../etc/passwd", "ok": "a.js", "": "b"}},
                "not-a-version": {},
                "2.0.0": 17
            }
        });
        let packument = Packument::parse("a", text.to_string().as_bytes()).unwrap();
        assert_eq!(packument.dist_tags.len(), 1);
        assert_eq!(packument.versions().map(|(key, _)| key).collect::<Vec<_>>(), ["2.0.0", "1.2.0", "1.0.0"]);
        let first = packument.manifest("1.0.0").unwrap();
        assert_eq!(first.needs.dependencies.keys().collect::<Vec<_>>(), ["b"]);
        assert_eq!(first.needs.optional["o"], "2");
        assert!(first.needs.peers.contains_key("p") && first.needs.optional_peers.contains_key("q"));
        assert_eq!((first.bin["a"].as_str(), first.has_install_script), ("cli.js", true));
        assert_eq!(
            (first.os.as_slice(), first.deprecated.as_deref(), first.node_range.as_deref()),
            (&["linux".to_owned()][..], Some("use b"), None)
        );
        let second = packument.manifest("1.2.0").unwrap();
        assert_eq!(second.bin, BTreeMap::from([("evil".into(), "etc/passwd".into()), ("ok".into(), "a.js".into())]));
        assert!(packument.manifest("2.0.0").is_some_and(|m| m.dist.tarball.is_empty()));
    }

    #[test]
    fn another_package_or_no_json_is_refused() {
        assert!(Packument::parse("a", br#"{"name":"b"}"#).unwrap_err().contains("`b`"));
        assert!(Packument::parse("a", b"<html>").unwrap_err().contains("no package document"));
    }
}
