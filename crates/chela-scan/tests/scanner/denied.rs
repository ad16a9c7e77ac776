//! Denied dependencies in trees.

use std::os::unix::fs::symlink;
use std::path::Path;

use super::tree;
use chela_scan::{ScanError, TreeLimits, denylisted_dependencies, refusal};

const BAD: &str = "plain-crypto-js";

fn told(dir: &Path) -> Option<String> {
    refusal(&denylisted_dependencies(dir, &TreeLimits::default()).unwrap())
}

// INS-228, INS-229, INS-230, INS-231
#[test]
fn denied_names_are_found_anywhere_in_the_tree() {
    let table: &[(&str, &str, Option<&str>)] = &[
        (
            "package.json",
            r#"{"name":"evil","dependencies":{"plain-crypto-js":"1"},"optionalDependencies":{"x":"npm:plain-crypto-js@2"}}"#,
            Some(
                "blocked dependencies \"plain-crypto-js\" in dependencies, \"plain-crypto-js\" via alias \"x\" in optionalDependencies declared in evil (package.json).",
            ),
        ),
        (
            "node_modules/a/node_modules/b/package.json",
            r#"{"peerDependencies":{"plain-crypto-js":"*"}}"#,
            Some("blocked dependencies \"plain-crypto-js\" in peerDependencies declared in node_modules/a/node_modules/b/package.json."),
        ),
        (
            "vendor/x/package.json",
            r#"{"name":"plain-crypto-js"}"#,
            Some("blocked dependencies \"plain-crypto-js\" as package name declared in plain-crypto-js (vendor/x/package.json)."),
        ),
        (
            "node_modules/Plain-Crypto-JS/index.js",
            "",
            Some("blocked dependency directory \"Plain-Crypto-JS\" declared at node_modules/Plain-Crypto-JS."),
        ),
        (
            "node_modules/plain-crypto-js.js",
            "",
            Some("blocked dependency file alias \"plain-crypto-js\" declared at node_modules/plain-crypto-js.js."),
        ),
        ("package.json", r#"{"devDependencies":{"plain-crypto-js":"1"}}"#, None),
        ("lib/plain-crypto-js/index.js", "", None),
        ("node_modules/plain-crypto-js.txt", "", None),
        ("node_modules/@plain/crypto-js/package.json", "not json", None),
        (
            "package.json",
            "\u{feff}{\"dependencies\":{\"plain-crypto-js\":\"1\"}}",
            Some("blocked dependencies \"plain-crypto-js\" in dependencies declared in package.json."),
        ),
    ];
    for (file, text, expected) in table {
        assert_eq!(told(tree(&[(file, text)]).path()).as_deref(), *expected, "{file}");
    }
}

// INS-232
#[test]
fn a_tree_beyond_its_limits_is_an_error() {
    let dir = tree(&[("a/b/c/package.json", "{}"), ("d/package.json", "{}")]);
    let with = |change: fn(&mut TreeLimits)| {
        let mut limits = TreeLimits::default();
        change(&mut limits);
        denylisted_dependencies(dir.path(), &limits).map(|hits| hits.len())
    };
    assert_eq!(with(|l| (l.depth, l.directories, l.manifests) = (3, 5, 2)).unwrap(), 0);
    assert!(matches!(with(|l| l.depth = 2), Err(ScanError::Depth { limit: 2, .. })));
    assert!(matches!(with(|l| l.directories = 4), Err(ScanError::Directories { limit: 4, .. })));
    assert!(matches!(with(|l| l.manifests = 1), Err(ScanError::Manifests { limit: 1, .. })));
}

// INS-233
#[test]
fn links_below_node_modules_stay_in_the_tree() {
    let host = tree(&[("package.json", "{}"), ("bin.mjs", "")]);
    let dir = tree(&[("node_modules/a/index.js", ""), ("store/plain-crypto-js/index.js", "")]);
    let modules = dir.path().join("node_modules");
    fs_err::create_dir_all(modules.join(".bin")).unwrap();
    symlink("../a/index.js", modules.join(".bin/a")).unwrap();
    symlink("/etc", dir.path().join("outside-of-node-modules")).unwrap();
    assert_eq!(told(dir.path()), None);

    symlink(host.path(), modules.join("openclaw")).unwrap();
    symlink(host.path().join("bin.mjs"), modules.join(".bin/openclaw")).unwrap();
    let error = denylisted_dependencies(dir.path(), &TreeLimits::default()).unwrap_err().to_string();
    assert_eq!(error, "manifest dependency scan found node_modules symlink target outside install root at node_modules/openclaw");
    let limits = TreeLimits { host_roots: vec![host.path().into()], ..TreeLimits::default() };
    assert_eq!(denylisted_dependencies(dir.path(), &limits).unwrap(), []);

    symlink(host.path(), modules.join("other")).unwrap();
    assert!(matches!(denylisted_dependencies(dir.path(), &limits), Err(ScanError::LinkLeaves { .. })), "only the peer link may");
    fs_err::remove_file(modules.join("other")).unwrap();
    symlink("nowhere", modules.join("broken")).unwrap();
    assert!(matches!(denylisted_dependencies(dir.path(), &limits), Err(ScanError::LinkBroken { .. })));
    fs_err::remove_file(modules.join("broken")).unwrap();
    symlink(format!("../store/{BAD}"), modules.join("harmless")).unwrap();
    let hits = denylisted_dependencies(dir.path(), &limits).unwrap();
    assert_eq!(refusal(&hits).unwrap(), "blocked dependency directory \"plain-crypto-js\" declared at store/plain-crypto-js.");
}
