//! Eligibility and enablement as the verbs show them.

use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use super::*;

fn hook(dir: &Path, name: &str, metadata: &Value) {
    let dir = dir.join(name);
    fs_err::create_dir_all(&dir).unwrap();
    fs_err::write(dir.join("HOOK.md"), format!("---\nname: {name}\nmetadata: {}\n---\n", json!({"openclaw": metadata}))).unwrap();
    fs_err::write(dir.join("handler.js"), "").unwrap();
}

fn inputs(base: &Path, config: Value) -> HookInputs {
    HookInputs {
        managed_dir: base.join("hooks"),
        workspace_dir: base.join("workspace"),
        extra_dirs: Vec::new(),
        plugin_dirs: Vec::new(),
        config: Arc::new(config),
        env: [("PATH".to_owned(), base.join("bin").display().to_string()), ("SET".to_owned(), "1".to_owned())].into(),
        platform: "linux".into(),
    }
}

// HOOK-285, HOOK-289
#[test]
fn requirements() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let bin = dir.path().join("bin");
    fs_err::create_dir(&bin).unwrap();
    for (name, mode) in [("tool", 0o755), ("plain", 0o644)] {
        fs_err::write(bin.join(name), "").unwrap();
        fs_err::set_permissions(bin.join(name), std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let config = json!({"a": {"b": true}, "hooks": {"internal": {"entries": {"key": {"env": {"OWN": "x", "EMPTY": ""}}}}}});
    for (at, (metadata, expected)) in [
        (json!({}), ""),
        (json!({"requires": {"bins": ["tool"], "anyBins": ["none", "tool"], "env": ["SET"], "config": ["a.b", "workspace.dir"]}}), ""),
        (json!({"requires": {"bins": ["plain", "tool"]}}), "bins: plain"),
        (json!({"requires": {"anyBins": ["x", "y"]}}), "anyBins: x, y"),
        (json!({"requires": {"env": ["UNSET"], "config": ["a.c"]}, "os": ["darwin"]}), "env: UNSET; config: a.c; os: darwin"),
        (json!({"hookKey": "key", "requires": {"env": ["OWN", "EMPTY"]}}), "env: EMPTY"),
        (json!({"always": true, "requires": {"bins": ["none"]}, "os": ["linux"]}), ""),
        (json!({"always": true, "os": ["darwin"]}), "os: darwin"),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("h{at}");
        hook(&dir.path().join("hooks"), &name, &metadata);
        let report = Report::make(&inputs(dir.path(), config.clone()));
        let status = report.find(&name).unwrap();
        assert_eq!(status.missing.summary(), expected, "{metadata}");
        assert_eq!((status.loadable, status.requirements_satisfied), (expected.is_empty(), expected.is_empty()));
        assert_eq!(status.blocked_reason, (!expected.is_empty()).then_some("missing requirements"));
    }
}

// HOOK-286
#[test]
fn what_is_on() {
    let dir = tempfile::tempdir().unwrap();
    hook(&dir.path().join("hooks"), "managed", &json!({"hookKey": "key"}));
    hook(&dir.path().join("workspace/hooks"), "own", &json!({}));
    for (entries, managed, own) in [
        (json!({}), None, Some("workspace hook (disabled by default)")),
        (json!({"key": {"enabled": false}, "own": {"enabled": true}}), Some("disabled in config"), None),
        (json!({"managed": {"enabled": false}, "own": {"enabled": "yes"}}), None, Some("workspace hook (disabled by default)")),
        (json!({"key": {}, "own": {"enabled": false}}), None, Some("disabled in config")),
    ] {
        let report = Report::make(&inputs(dir.path(), json!({"hooks": {"internal": {"entries": entries}}})));
        let reason = |name: &str| report.find(name).unwrap().blocked_reason;
        assert_eq!((reason("key"), reason("own")), (managed, own), "{entries}");
    }
    let report = Report::make(&inputs(dir.path(), json!({})));
    let bundled = report.find("boot-md").unwrap();
    assert_eq!((bundled.loadable, bundled.blocked_reason, bundled.source), (true, None, HookSource::Bundled));
    assert_eq!((report.hooks.len(), bundled.row()["eligible"].clone()), (7, json!(true)));
    assert!(report.find("compaction-notifier").is_some_and(|hook| hook.always && hook.install.is_empty()));
}
