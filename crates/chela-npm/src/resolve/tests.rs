//! The resolver over made-up registries: npm's rules one by one, and for all trees that Node finds what was asked for.

use std::collections::HashMap;
use std::sync::Arc;

use proptest::prelude::*;
use semver::Version;
use serde_json::{Map, Value, json};

use super::driver::Driver;
use super::{Bundle, Resolution, ResolveRequest, Root, Source};
use crate::dependency::{Preference, Wanted};
use crate::error::NpmError;
use crate::overrides::Overrides;
use crate::packument::{Manifest, Packument};
use crate::platform::Platform;
use crate::progress::Quiet;

#[derive(Default)]
struct Memory {
    packages: HashMap<String, Arc<Packument>>,
    bundles: HashMap<String, Bundle>,
}

impl Source for Memory {
    async fn packument(&self, name: &str) -> Result<Arc<Packument>, NpmError> {
        let missing = || NpmError::NotFound { spec: name.into(), detail: "unknown".into() };
        self.packages.get(name).cloned().ok_or_else(missing)
    }

    async fn files(&self, manifest: &Manifest) -> Result<Bundle, NpmError> {
        Ok(self.bundles.get(&manifest.id()).cloned().unwrap_or_default())
    }
}

/// `{"name@version": manifest}`; the last version of a name is `latest`.
fn registry(packages: &Value) -> Memory {
    let mut grouped: HashMap<String, (Map<String, Value>, String)> = HashMap::new();
    for (id, manifest) in packages.as_object().unwrap() {
        let (name, version) = id.rsplit_once('@').unwrap();
        let entry = grouped.entry(name.to_owned()).or_default();
        entry.0.insert(version.to_owned(), manifest.clone());
        entry.1 = version.to_owned();
    }
    let mut memory = Memory::default();
    for (name, (versions, latest)) in grouped {
        let text = json!({"name": name, "dist-tags": {"latest": latest, "old": versions.keys().next()}, "versions": versions}).to_string();
        memory.packages.insert(name.clone(), Arc::new(Packument::parse(&name, text.as_bytes()).unwrap()));
    }
    memory
}

async fn resolve_in(memory: &Memory, root: Value, overrides: Value) -> Result<Resolution, NpmError> {
    let manifest = Arc::new(Manifest::from_value("root", "1.0.0", &root));
    let overrides = if overrides.is_null() {
        Overrides::default()
    } else {
        Overrides::parse("root", &overrides, &manifest.needs.dependencies).unwrap()
    };
    let request = ResolveRequest { root: Root::Local { manifest, dir: None }, overrides, host_peers: vec!["host".into()] };
    let platform = Platform { os: "linux".into(), cpu: "x64".into(), libc: Some("glibc".into()) };
    Driver::new(memory, &request, &platform, &Preference::default(), &Quiet).run().await
}

fn resolve(packages: Value, root: Value) -> Result<Resolution, NpmError> {
    resolve_with(packages, root, Value::Null)
}

fn resolve_with(packages: Value, root: Value, overrides: Value) -> Result<Resolution, NpmError> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(resolve_in(&registry(&packages), root, overrides))
}

/// `place version` lines without the `node_modules/` words.
fn places(resolution: &Resolution) -> Vec<String> {
    let short = |location: &str| location.replace("/node_modules/", " > ").replace("node_modules/", "");
    let packages = resolution.packages.iter().filter(|(location, _)| **location != resolution.root);
    packages.map(|(location, package)| format!("{} {}", short(location), package.manifest.version)).collect()
}

#[test]
fn a_second_version_lies_below_its_user() {
    let found = resolve(
        json!({"a@1.0.0": {"dependencies": {"x": "^1.0.0"}}, "b@1.0.0": {"dependencies": {"x": "^2.0.0"}}, "c@1.0.0": {"dependencies": {"x": "^1.1.0"}},
               "x@1.2.0": {}, "x@2.0.0": {}}),
        json!({"dependencies": {"a": "1", "b": "1", "c": "1"}}),
    );
    assert_eq!(places(&found.unwrap()), ["a 1.0.0", "b 1.0.0", "b > x 2.0.0", "c 1.0.0", "x 1.2.0"]);
}

#[test]
fn cycles_aliases_and_tags() {
    let found = resolve(
        json!({"a@1.0.0": {"dependencies": {"b": "1", "other": "npm:x@^1"}}, "b@1.0.0": {"dependencies": {"a": "1", "x": "old", "root": "1.0.0"}}, "x@1.0.0": {}, "x@2.0.0": {}}),
        json!({"dependencies": {"a": "1"}}),
    )
    .unwrap();
    assert_eq!(places(&found), ["a 1.0.0", "b 1.0.0", "other 1.0.0", "x 1.0.0"]);
    assert_eq!(found.packages["node_modules/other"].manifest.name, "x");
}

#[test]
fn peers_come_along_and_the_host_is_never_installed() {
    let packages = json!({
        "plug@1.0.0": {"peerDependencies": {"core": "^2.0.0", "host": ">=1", "maybe": "1"}, "peerDependenciesMeta": {"maybe": {"optional": true}}},
        "core@1.0.0": {}, "core@2.1.0": {"peerDependencies": {"base": "1"}}, "base@1.0.0": {}, "maybe@1.0.0": {}
    });
    let found = resolve(packages.clone(), json!({"dependencies": {"plug": "1"}, "peerDependencies": {"host": "*"}})).unwrap();
    assert_eq!(places(&found), ["base 1.0.0", "core 2.1.0", "plug 1.0.0"]);
    assert_eq!(found.warnings, [""; 0]);
    // The root asks for another core: its own wish stays, and the peer's is said to be unmet.
    let found = resolve(packages, json!({"dependencies": {"plug": "1", "core": "1.0.0"}})).unwrap();
    assert_eq!(places(&found), ["core 1.0.0", "plug 1.0.0"]);
    assert!(found.warnings[0].contains("`plug@1.0.0` asks for `core@^2.0.0`"), "{:?}", found.warnings);
}

#[test]
fn peers_of_two_users_get_two_places() {
    let packages = json!({
        "a@1.0.0": {"dependencies": {"plug": "1", "core": "1"}}, "b@1.0.0": {"dependencies": {"plug": "2", "core": "2"}},
        "plug@1.0.0": {"peerDependencies": {"core": "1"}}, "plug@2.0.0": {"peerDependencies": {"core": "2"}}, "core@1.0.0": {}, "core@2.0.0": {}
    });
    let found = resolve(packages, json!({"dependencies": {"a": "1", "b": "1"}})).unwrap();
    assert_eq!(places(&found), ["a 1.0.0", "b 1.0.0", "b > core 2.0.0", "b > plug 2.0.0", "core 1.0.0", "plug 1.0.0"]);
    assert_eq!(found.warnings, [""; 0]);
}

#[test]
fn optional_packages_may_be_missing_with_all_that_needs_them() {
    let found = resolve(
        json!({"a@1.0.0": {"optionalDependencies": {"mac": "1", "gone": "1", "deep": "1", "ok": "1", "git": "user/repo"}},
               "mac@1.0.0": {"os": ["darwin"]}, "deep@1.0.0": {"dependencies": {"deeper": "1", "only": "1"}}, "deeper@1.0.0": {"dependencies": {"gone": "1"}},
               "only@1.0.0": {}, "ok@1.0.0": {"libc": ["glibc"], "cpu": "x64"}}),
        json!({"dependencies": {"a": "1"}}),
    )
    .unwrap();
    assert_eq!(places(&found), ["a 1.0.0", "ok 1.0.0"]);
    assert!(found.packages["node_modules/ok"].optional && !found.packages["node_modules/a"].optional);
    assert!(
        found.warnings.iter().any(|w| w.contains("gone")) && found.warnings.iter().any(|w| w.contains("deep@1.0.0")),
        "{:?}",
        found.warnings
    );
}

#[test]
fn required_packages_that_cannot_be_had_name_who_needs_them() {
    let fails = |packages: Value| resolve(packages, json!({"dependencies": {"a": "1"}})).unwrap_err().to_string();
    assert!(fails(json!({"a@1.0.0": {"dependencies": {"gone": "^3"}}})).contains("`a@1.0.0` needs `gone@^3`"));
    assert!(fails(json!({"a@1.0.0": {"dependencies": {"b": "9"}}, "b@1.0.0": {}})).contains("the newest is 1.0.0"));
    let text = fails(json!({"a@1.0.0": {"dependencies": {"b": "git+https://host/b.git"}}}));
    assert!(text.contains("`a@1.0.0`: dependencies.`b` is `git+https://host/b.git`: git dependencies are not supported"), "{text}");
    assert!(fails(json!({"a@1.0.0": {"os": ["win32"]}})).contains("does not support this platform (linux x64 glibc)"));
}

#[test]
fn overrides_replace_versions_below() {
    let packages = json!({"a@1.0.0": {"dependencies": {"x": "^1"}}, "b@1.0.0": {"dependencies": {"x": "^1"}}, "x@1.0.0": {}, "x@1.5.0": {}, "y@3.0.0": {}});
    let root = json!({"dependencies": {"a": "1", "b": "1"}});
    let found = |overrides: Value| places(&resolve_with(packages.clone(), root.clone(), overrides).unwrap());
    assert_eq!(found(json!({"x": "1.0.0"})), ["a 1.0.0", "b 1.0.0", "x 1.0.0"]);
    assert_eq!(found(json!({"b": {"x": "npm:y@3"}})), ["a 1.0.0", "b 1.0.0", "b > x 3.0.0", "x 1.5.0"]);
    assert_eq!(found(json!({"x@^2": "1.0.0"})), ["a 1.0.0", "b 1.0.0", "x 1.5.0"]);
}

#[tokio::test]
async fn bundled_packages_stay_as_they_are() {
    let mut memory = registry(
        &json!({"a@1.0.0": {"bundleDependencies": ["x"], "dependencies": {"x": "^1", "z": "1"}}, "x@1.9.0": {}, "y@1.0.0": {}, "z@1.0.0": {"dependencies": {"x": "^1"}}}),
    );
    let bundle = vec![
        (
            "node_modules/x".to_owned(),
            json!({"name": "x", "version": "1.1.0", "dependencies": {"y": "1", "q": "5"}, "peerDependencies": {"core": "1"}}),
        ),
        ("node_modules/x/node_modules/q".to_owned(), json!({"name": "forked-q", "version": "0.0.1"})),
    ];
    memory.bundles.insert("a@1.0.0".into(), bundle);
    let found = resolve_in(&memory, json!({"dependencies": {"a": "1"}}), Value::Null).await.unwrap();
    assert_eq!(places(&found), ["a 1.0.0", "a > x 1.1.0", "a > x > q 0.0.1", "x 1.9.0", "y 1.0.0", "z 1.0.0"]);
    let bundled: Vec<_> = found.packages.iter().filter(|(_, p)| p.bundled).map(|(place, _)| place.as_str()).collect();
    assert_eq!(bundled, ["node_modules/a/node_modules/x", "node_modules/a/node_modules/x/node_modules/q"]);
}

#[test]
fn dropping_an_optional_package_takes_what_only_it_needs() {
    let mut found = resolve(
        json!({"a@1.0.0": {"optionalDependencies": {"o": "1"}, "dependencies": {"s": "1"}}, "o@1.0.0": {"dependencies": {"p": "1", "s": "1"}}, "p@1.0.0": {}, "s@1.0.0": {}}),
        json!({"dependencies": {"a": "1"}}),
    )
    .unwrap();
    assert_eq!(found.clone().without("node_modules/s").unwrap_err(), "node_modules/a");
    found.without("node_modules/p").unwrap();
    assert_eq!(places(&found), ["a 1.0.0", "s 1.0.0"]);
}

#[test]
fn versions_that_need_each_other_in_turn_end_with_an_error() {
    let packages = json!({"a@1.0.0": {"dependencies": {"a": "2"}}, "a@2.0.0": {"dependencies": {"a": "1"}}});
    let error = resolve(packages, json!({"dependencies": {"a": "1"}})).unwrap_err().to_string();
    assert!(
        error.contains("needs itself in another version and back again") && error.contains("`node_modules/a/node_modules/a/"),
        "{error}"
    );
}

#[test]
fn a_package_that_needs_another_version_of_itself_in_a_circle_has_it_below() {
    let packages = json!({
        "p0@3.0.0": {"peerDependencies": {"p4": "1.0.0"}},
        "p3@1.4.2": {"dependencies": {"p7": ">=2.0.0"}},
        "p3@3.0.0": {"dependencies": {"p4": "1.0.0"}, "peerDependencies": {"p7": "^2.3.1"}},
        "p4@1.0.0": {"dependencies": {"p4": "^3.0.0"}},
        "p4@3.0.0": {"dependencies": {"p7": "^2.0.0"}},
        "p7@2.3.1": {"dependencies": {"p4": ">=1.0.0", "p0": ">=1.0.0"}},
        "p7@3.0.0": {"dependencies": {"p3": ">=2.0.0"}},
    });
    let found = resolve(packages, json!({"dependencies": {"p3": "^1.4.2"}})).unwrap();
    for (location, package) in found.packages.iter().filter(|(_, package)| package.manifest.id() == "p4@1.0.0") {
        assert_eq!(node_finds(&found, location, "p4").unwrap().version, "3.0.0", "{location}: {:#?}", package.dependencies);
    }
    assert!(found.packages.values().any(|package| package.manifest.id() == "p4@1.0.0"));
}

/// What Node finds for `require(name)` in the package at `location`.
fn node_finds<'a>(resolution: &'a Resolution, location: &str, name: &str) -> Option<&'a Arc<Manifest>> {
    let mut at = if location.is_empty() { String::new() } else { format!("{location}/") };
    loop {
        if let Some(package) = resolution.packages.get(&format!("{at}node_modules/{name}")) {
            return Some(&package.manifest);
        }
        if at.is_empty() {
            return None;
        }
        at.truncate(at.rfind("node_modules/")?);
    }
}

/// Packages `p0..` with versions, each depending on others, or on other versions of itself, by ranges that some version satisfies.
fn registries() -> impl Strategy<Value = Value> {
    let versions = ["1.0.0", "1.4.2", "2.0.0", "2.3.1", "3.0.0"];
    let kinds = prop_oneof![6 => Just("dependencies"), 1 => Just("optionalDependencies"), 2 => Just("peerDependencies")];
    let needs = prop::collection::vec((0..8_usize, 0..5_usize, 0..4_usize, kinds), 0..4);
    prop::collection::vec(prop::collection::vec(needs, 5), 8).prop_map(move |packages| {
        let mut all = Map::new();
        for (number, each) in packages.into_iter().enumerate() {
            for (version, needs) in versions.iter().zip(each) {
                let mut manifest = json!({});
                for (other, wanted, form, kind) in
                    needs.into_iter().filter(|(other, _, _, kind)| *other != number || *kind == "dependencies")
                {
                    let range = match form {
                        0 => format!("^{}", versions[wanted]),
                        1 => versions[wanted].to_owned(),
                        2 => format!(">={}", versions[wanted]),
                        _ => "*".to_owned(),
                    };
                    manifest[kind][format!("p{other}")] = range.into();
                }
                all.insert(format!("p{number}@{version}"), manifest);
            }
        }
        Value::Object(all)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn node_finds_a_satisfying_version_for_every_dependency(packages in registries(), first in 0..8_usize, second in 0..8_usize) {
        let mut root = json!({"dependencies": {}});
        root["dependencies"][format!("p{first}")] = "*".into();
        root["dependencies"][format!("p{second}")] = "^1.0.0".into();
        let found = resolve(packages, root);
        // Two versions that need each other in turn have no finite layout; see the test below.
        prop_assume!(!matches!(found, Err(NpmError::Circle { .. })));
        let found = found.unwrap();
        for (location, package) in &found.packages {
            let needs = &package.manifest.needs;
            let must = needs.dependencies.iter().chain(&needs.optional);
            for (name, declared) in must {
                let wanted = Wanted::parse(name, declared).unwrap();
                let target = node_finds(&found, location, name);
                let accepted = target.is_some_and(|t| wanted.accepts(&t.name, &Version::parse(&t.version).unwrap()));
                prop_assert!(accepted, "{location} needs {name}@{declared}, finds {:?} in {:#?}", target.map(|t| t.id()), places(&found));
            }
            for (name, declared) in &needs.peers {
                if needs.dependencies.contains_key(name) || needs.optional.contains_key(name) {
                    continue;
                }
                let wanted = Wanted::parse(name, declared).unwrap();
                let above = &location[..location.rfind("/node_modules/").unwrap_or(0)];
                let target = node_finds(&found, above, name);
                let accepted = target.is_some_and(|t| wanted.accepts(&t.name, &Version::parse(&t.version).unwrap()));
                let said = found.warnings.iter().any(|w| w.contains(&package.manifest.id()) && w.contains(name.as_str()));
                prop_assert!(accepted || said, "{location} asks for {name}@{declared} beside it, finds {:?}", target.map(|t| t.id()));
            }
        }
    }
}
