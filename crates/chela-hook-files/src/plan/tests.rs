//! What a config makes a gateway load.

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

fn inputs(base: &Path, internal: &Value) -> HookInputs {
    let extra = internal.pointer("/load/extraDirs").and_then(Value::as_array).into_iter().flatten();
    HookInputs {
        managed_dir: base.join("hooks"),
        workspace_dir: base.join("workspace"),
        extra_dirs: extra.filter_map(Value::as_str).map(PathBuf::from).collect(),
        plugin_dirs: Vec::new(),
        config: Arc::new(json!({"hooks": {"internal": internal}})),
        env: Default::default(),
        platform: "linux".into(),
    }
}

fn base() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().canonicalize().unwrap();
    (dir, path)
}

// HOOK-285, HOOK-287, HOOK-288
#[test]
fn nothing_is_loaded_unless_the_config_asks() {
    let (_dir, base) = base();
    for name in ["a", "b"] {
        hook(&base.join("hooks"), name, &json!({"events": ["command"], "hookKey": format!("key-{name}")}));
    }
    hook(&base.join("hooks"), "silent", &json!({}));
    hook(&base.join("workspace/hooks"), "own", &json!({"events": "command:new, command:reset", "export": "run"}));
    for (internal, expected) in [
        (json!(null), vec![]),
        (json!({}), vec![]),
        (json!({"entries": {"a": {"enabled": false}}}), vec![]),
        (json!({"enabled": true}), vec!["a", "b"]),
        (json!({"enabled": true, "entries": {"own": {"enabled": true}, "key-a": {"enabled": false}}}), vec!["b", "own"]),
        (json!({"enabled": false, "entries": {"a": {"enabled": true}}, "load": {"extraDirs": ["/x"]}}), vec![]),
        (json!({"entries": {"a": {}}}), vec!["a"]),
        (json!({"entries": {"key-b": {"enabled": true}}}), vec!["b"]),
        (json!({"installs": {"pack": {"hooks": ["b"]}}}), vec!["b"]),
        (json!({"installs": {"pack": {}}}), vec!["a", "b"]),
        (json!({"load": {"extraDirs": ["/nowhere"]}}), vec!["a", "b"]),
        (json!({"load": {"extraDirs": [" "]}}), vec![]),
        (json!({"entries": {"nobody": {"enabled": true}}}), vec![]),
    ] {
        let plan = plan(&inputs(&base, &internal));
        let names: Vec<&str> = plan.hooks.iter().map(|hook| hook.name.as_str()).collect();
        assert_eq!(names, expected, "{internal}");
    }
    let plan = plan(&inputs(&base, &json!({"enabled": true, "entries": {"own": {"enabled": true}, "boot-md": {"enabled": true}}})));
    let own = plan.hooks.last().unwrap();
    assert_eq!((own.events.join(" "), own.export.as_str()), ("command:new command:reset".to_owned(), "run"));
    assert!(plan.warnings.iter().any(|warning| warning.contains("\"silent\" names no events")), "{:?}", plan.warnings);
    let bundled: Vec<&str> = plan.bundled.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(bundled, ["boot-md", "bootstrap-extra-files", "command-logger", "compaction-notifier", "session-memory"]);
}

#[test]
fn variables_of_all_hooks_come_together() {
    let (_dir, base) = base();
    hook(&base.join("hooks"), "a", &json!({"events": ["command"], "requires": {"env": ["A_KEY"]}}));
    hook(&base.join("hooks"), "b", &json!({"events": ["command"]}));
    let entries = json!({"a": {"env": {"A_KEY": "1", "SAME": "x"}}, "b": {"env": {"SAME": "y", "N": 3}}});
    let plan = plan(&inputs(&base, &json!({"enabled": true, "entries": entries})));
    assert_eq!(plan.env_names, ["A_KEY"]);
    assert_eq!(plan.env, [("A_KEY".to_owned(), "1".to_owned()), ("SAME".to_owned(), "x".to_owned())]);
    assert_eq!(plan.warnings.len(), 1, "{:?}", plan.warnings);
}

// HOOK-291
#[test]
fn legacy_handlers_are_files_of_the_workspace() {
    let (_dir, base) = base();
    let workspace = base.join("workspace");
    fs_err::create_dir_all(workspace.join("sub")).unwrap();
    fs_err::write(workspace.join("sub/h.js"), "").unwrap();
    fs_err::write(base.join("outside.js"), "").unwrap();
    std::os::unix::fs::symlink(base.join("outside.js"), workspace.join("link.js")).unwrap();
    let absolute = workspace.join("sub/h.js").display().to_string();
    let handlers = json!([
        {"event": "command:new", "module": "sub/h.js", "export": "go"},
        {"event": "command", "module": "./sub/../sub/h.js"},
        {"event": "command", "module": absolute},
        {"event": "command", "module": "../outside.js"},
        {"event": "command", "module": "link.js"},
        {"event": "command", "module": "sub"},
        {"event": "command", "module": " "},
        {"module": "sub/h.js"},
    ]);
    let plan = plan(&inputs(&base, &json!({"handlers": handlers})));
    let rows: Vec<_> = plan.hooks.iter().map(|hook| (hook.events[0].as_str(), hook.export.as_str(), hook.file.clone())).collect();
    assert_eq!(rows, [("command:new", "go", workspace.join("sub/h.js")), ("command", "default", workspace.join("sub/h.js"))]);
    assert_eq!(plan.warnings.len(), 6, "{:?}", plan.warnings);
}
