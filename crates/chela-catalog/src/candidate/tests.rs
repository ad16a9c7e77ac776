use serde_json::{Value, json};

use super::*;

const RULES: CandidateRules<'_> = CandidateRules { host_version: "2026.5.12", strict: false, in_place: true };

fn dir_of(files: &[(&str, Value)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, value) in files {
        let path = dir.path().join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        fs_err::write(path, text).unwrap();
    }
    dir
}

fn package(openclaw: Value) -> Value {
    json!({"name": "@s/pkg", "version": "1.2.3", "openclaw": openclaw})
}

fn manifest(id: &str) -> Value {
    json!({"id": id, "kind": "memory", "configSchema": {"type": "object"}})
}

/// Files, the code of the refusal, and how its text begins.
type Case = (Vec<(&'static str, Value)>, Option<&'static str>, &'static str);

// INS-132, INS-133, INS-134, INS-140, INS-141, INS-165, INS-359
#[test]
fn what_cannot_load_is_refused_before_anything_is_written() {
    let entries = json!({"extensions": ["./i.js"]});
    let floor = json!({"extensions": ["./i.js"], "install": {"minHostVersion": ">=2027.1.1"}});
    let cases: Vec<Case> = vec![
        (vec![("openclaw.plugin.json", manifest("a"))], None, "extracted package missing package.json"),
        (vec![("package.json", json!("{"))], None, "invalid package.json: "),
        (vec![("package.json", package(json!({})))], Some("missing_openclaw_extensions"), "package.json missing openclaw.extensions"),
        (
            vec![("package.json", package(json!({"extensions": []})))],
            Some("empty_openclaw_extensions"),
            "package.json openclaw.extensions is empty",
        ),
        (
            vec![("package.json", package(entries.clone())), ("i.js", json!(""))],
            Some("missing_plugin_manifest"),
            "package missing valid openclaw.plugin.json: plugin manifest not found",
        ),
        (
            vec![("package.json", package(entries.clone())), ("openclaw.plugin.json", manifest("a"))],
            Some("invalid_openclaw_extensions"),
            "extension entry not found: ./i.js",
        ),
        (
            vec![("package.json", package(json!({"extensions": ["../i.js"]}))), ("openclaw.plugin.json", manifest("a"))],
            Some("invalid_openclaw_extensions"),
            "extension entry escapes package directory: ../i.js",
        ),
        (
            vec![("package.json", package(floor)), ("openclaw.plugin.json", manifest("a")), ("i.js", json!(""))],
            Some("incompatible_host_version"),
            "plugin \"a\" requires OpenClaw >=2027.1.1, but this host is 2026.5.12. Upgrade OpenClaw and retry.",
        ),
        (
            vec![("package.json", package(entries)), ("openclaw.plugin.json", manifest("a/b/c")), ("i.js", json!(""))],
            None,
            "invalid plugin name: path separators not allowed",
        ),
    ];
    for (files, code, text) in cases {
        let dir = dir_of(&files);
        let error = inspect_directory(dir.path(), RULES).unwrap_err();
        assert_eq!(error.code, code, "{error}");
        assert!(error.message.starts_with(text), "{error}");
    }
}

// INS-136, INS-141
#[test]
fn typescript_alone_is_refused_where_strictness_is_asked_for() {
    let package = package(json!({"extensions": ["./i.ts"]}));
    let dir = dir_of(&[("package.json", package), ("openclaw.plugin.json", manifest("real-id")), ("i.ts", json!(""))]);
    let candidate = inspect_directory(dir.path(), RULES).unwrap();
    assert_eq!((candidate.id.as_str(), candidate.version.as_deref()), ("real-id", Some("1.2.3")));
    assert_eq!((candidate.kinds(), candidate.notes.len()), (&["memory".to_owned()][..], 1));
    let strict = inspect_directory(dir.path(), CandidateRules { strict: true, ..RULES }).unwrap_err();
    assert_eq!(strict.code, Some("invalid_openclaw_extensions"));
    assert!(strict.message.contains("requires compiled runtime output for TypeScript entry ./i.ts"), "{strict}");
}

#[test]
fn bundles_and_single_files_are_candidates_too() {
    let dir = dir_of(&[(".claude-plugin/plugin.json", json!({"name": "My Pack", "version": "2"}))]);
    let bundle = inspect_directory(dir.path(), RULES).unwrap();
    assert_eq!((bundle.id.as_str(), bundle.version.as_deref()), ("my-pack", Some("2")));
    // INS-345
    let dir = dir_of(&[("solo.js", json!("")), ("openclaw.plugin.json", manifest("solo"))]);
    assert_eq!(inspect_file(&dir.path().join("solo.js"), RULES).unwrap().id, "solo");
    let dir = dir_of(&[("solo.js", json!(""))]);
    assert_eq!(inspect_file(&dir.path().join("solo.js"), RULES).unwrap_err().code, Some("missing_plugin_manifest"));
}

// INS-021
#[cfg(unix)]
#[test]
fn a_directory_that_others_may_write_cannot_be_linked() {
    use std::os::unix::fs::PermissionsExt;
    let package = package(json!({"extensions": ["./i.js"]}));
    let dir = dir_of(&[("package.json", package), ("openclaw.plugin.json", manifest("a")), ("i.js", json!(""))]);
    fs_err::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let error = inspect_directory(dir.path(), RULES).unwrap_err();
    assert!(error.message.contains("world-writable path"), "{error}");
    inspect_directory(dir.path(), CandidateRules { in_place: false, ..RULES }).unwrap();
}
