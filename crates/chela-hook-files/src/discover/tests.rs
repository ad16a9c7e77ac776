//! Precedence, packs, folders that are skipped.

use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::inputs::PluginHookDir;

fn hook(dir: &Path, name: &str, description: &str) {
    fs_err::create_dir_all(dir).unwrap();
    fs_err::write(dir.join("HOOK.md"), format!("---\nname: {name}\ndescription: {description}\n---\n")).unwrap();
    fs_err::write(dir.join("handler.js"), "export default () => {};").unwrap();
}

fn inputs(base: &Path) -> HookInputs {
    HookInputs {
        managed_dir: base.join("state/hooks"),
        workspace_dir: base.join("workspace"),
        extra_dirs: vec![base.join("extra")],
        plugin_dirs: vec![plugin(base, "p1"), plugin(base, "p2")],
        config: Arc::new(json!({})),
        env: Default::default(),
        platform: "linux".into(),
    }
}

fn plugin(base: &Path, id: &str) -> PluginHookDir {
    PluginHookDir { plugin_id: id.into(), root: base.join(id), path: "hooks".into() }
}

fn base() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().canonicalize().unwrap();
    (dir, path)
}

// HOOK-281, HOOK-282, BUN-066
#[test]
fn of_two_with_one_name_the_stronger_counts() {
    let places = ["p1/hooks", "p2/hooks", "extra", "state/hooks", "workspace/hooks"];
    let kept = |at: &[&str], name: &str| {
        let (_dir, base) = base();
        for place in ["p1/hooks", "p2/hooks"] {
            fs_err::create_dir_all(base.join(place)).unwrap();
        }
        for place in at {
            hook(&base.join(place).join("h"), name, place);
        }
        let found = discover(&inputs(&base));
        let hook = found.find(name).unwrap().clone();
        (hook, found.warnings)
    };
    for (at, expected, warnings) in [
        (&places[..1], "p1/hooks", 0),
        (&places[..2], "p1/hooks", 1),
        (&places[..3], "extra", 1),
        (&places[..4], "state/hooks", 1),
        (&places[..5], "state/hooks", 2),
        (&["extra", "state/hooks"], "state/hooks", 0),
        (&["p1/hooks", "workspace/hooks"], "p1/hooks", 1),
        (&["workspace/hooks"], "workspace/hooks", 0),
    ] {
        let (hook, warned) = kept(at, "same");
        assert_eq!((hook.file.description.as_str(), warned.len()), (expected, warnings), "{at:?}: {warned:?}");
        assert_eq!(hook.plugin_id.is_some(), hook.source == HookSource::Plugin);
    }
    for (at, expected) in [("p1/hooks", HookSource::Plugin), ("extra", HookSource::Managed), ("workspace/hooks", HookSource::Bundled)] {
        let (hook, warned) = kept(&[at], "boot-md");
        assert_eq!((hook.source, warned.len()), (expected, usize::from(expected == HookSource::Bundled)), "{at}: {warned:?}");
    }
}

// HOOK-283, HOOK-284
#[test]
fn packs_list_their_hooks_and_bad_folders_harm_nobody() {
    let (_dir, base) = base();
    let state = base.join("state/hooks");
    hook(&state.join("good"), "good", "x");
    hook(&state.join("pack/hooks/one"), "one", "x");
    hook(&state.join("pack/hooks/two"), "two", "x");
    hook(&state.join("pack/unlisted"), "unlisted", "x");
    hook(&base.join("outside"), "outside", "x");
    let package = json!({"name": "pack", "openclaw": {"hooks": ["./hooks/one", "hooks/two", "../../../outside", "gone"]}});
    fs_err::write(state.join("pack/package.json"), package.to_string()).unwrap();
    fs_err::create_dir_all(state.join("handlerless")).unwrap();
    fs_err::write(state.join("handlerless/HOOK.md"), "---\nname: handlerless\n---\n").unwrap();
    fs_err::create_dir_all(state.join("empty")).unwrap();
    fs_err::write(state.join("a-file"), "").unwrap();
    std::os::unix::fs::symlink(base.join("outside"), state.join("linked")).unwrap();
    let mut inputs = inputs(&base);
    inputs.plugin_dirs.clear();
    let found = discover(&inputs);
    let names: Vec<&str> =
        found.hooks.iter().filter(|hook| hook.source != HookSource::Bundled).map(|hook| hook.file.name.as_str()).collect();
    assert_eq!(names, ["good", "one", "two"]);
    assert_eq!(found.warnings.len(), 3, "{:?}", found.warnings);
    for part in ["\"handlerless\"", "\"../../../outside\"", "\"gone\""] {
        assert!(found.warnings.iter().any(|warning| warning.contains(part)), "{part}: {:?}", found.warnings);
    }
    // What `--link` adds is a pack or a hook itself.
    inputs.managed_dir = base.join("nowhere");
    for (dir, expected) in [("pack", vec!["one", "two"]), ("good", vec!["good"])] {
        inputs.extra_dirs = vec![state.join(dir)];
        let found = discover(&inputs);
        let names: Vec<&str> =
            found.hooks.iter().filter(|hook| hook.source != HookSource::Bundled).map(|hook| hook.file.name.as_str()).collect();
        assert_eq!(names, expected);
    }
    inputs.plugin_dirs = vec![PluginHookDir { plugin_id: "p".into(), root: state.join("good"), path: "../../../outside".into() }];
    assert!(discover(&inputs).warnings.iter().any(|warning| warning.contains("of plugin `p`")));
}
