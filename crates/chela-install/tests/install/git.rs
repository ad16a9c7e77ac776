//! Plugins from repositories: real clones of real repositories on this machine.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use chela_install::{BeforeInstall, BeforeInstallEvent, InstallFlags, InstallRequest, Status, UpdateOutcome, UpdateRequest, Verdict};
use serde_json::{Value, json};

use crate::registry::Registry;
use crate::support::Place;

pub fn git(dir: &Path, args: &[&str]) -> String {
    let output = Command::new("git")
        .args(["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main", "-c", "commit.gpgSign=false"])
        .args(args)
        .current_dir(dir)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .unwrap();
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Commits everything in the working directory and gives the commit.
pub fn commit(dir: &Path) -> String {
    git(dir, &["add", "-A"]);
    git(dir, &["commit", "--quiet", "--allow-empty", "-m", "next"]);
    git(dir, &["rev-parse", "HEAD"])
}

/// The plugin `alpha` in a repository, at 1.0.0 (tag `v1`) and 2.0.0 (branch `main`); branch `side` has 3.0.0.
fn repository(place: &Place) -> (PathBuf, [String; 3]) {
    let dir = place.plugin("alpha-repo", "1.0.0");
    git(&dir, &["init", "--quiet"]);
    let one = commit(&dir);
    git(&dir, &["tag", "-a", "v1", "-m", "one"]);
    place.plugin("alpha-repo", "2.0.0");
    let two = commit(&dir);
    git(&dir, &["checkout", "--quiet", "-b", "side"]);
    place.plugin("alpha-repo", "3.0.0");
    let three = commit(&dir);
    git(&dir, &["checkout", "--quiet", "main"]);
    (dir, [one, two, three])
}

fn spec(text: &str) -> InstallRequest {
    InstallRequest { spec: text.to_owned(), flags: InstallFlags { force: true, ..InstallFlags::default() } }
}

fn update(place: &Place, dry_run: bool) -> UpdateOutcome {
    let request = UpdateRequest { id: Some("alpha".to_owned()), dry_run, ..UpdateRequest::default() };
    place.installer().update(&request, &mut |_| false).unwrap().remove(0)
}

fn record(place: &Place) -> Value {
    place.index()["installRecords"]["alpha"].clone()
}

// INS-081, INS-118, INS-183, INS-184, INS-188
#[test]
fn a_repository_is_installed_at_its_ref() {
    let place = Place::new();
    let (dir, [one, two, three]) = repository(&place);
    let url = format!("file://{}", dir.display());
    for (text, version, commit, reference) in [
        (format!("git:{url}"), "2.0.0", &two, None),
        (format!("GIT:{}", dir.display()), "2.0.0", &two, None),
        (format!("git:{url}@v1"), "1.0.0", &one, Some("v1")),
        (format!("git:{url}#side"), "3.0.0", &three, Some("side")),
        (format!("git:{url}#{}", &one[..10]), "1.0.0", &one, Some(&one[..10])),
    ] {
        let done = place.installer().install(&spec(&text)).unwrap();
        assert_eq!((done.plugin_id.as_str(), done.version.as_deref()), ("alpha", Some(version)), "{text}");
        assert_eq!(place.version_in_use().as_deref(), Some(version));
        let record = record(&place);
        assert_eq!((&record["source"], &record["spec"], &record["gitCommit"]), (&json!("git"), &json!(text), &json!(commit)));
        assert_eq!(record.get("gitRef"), reference.map(|reference| json!(reference)).as_ref(), "{text}");
        assert!(record["resolvedAt"].is_string() && record["gitUrl"].is_string() && record["installedAt"].is_string(), "{record}");
        let root = PathBuf::from(record["installPath"].as_str().unwrap());
        assert!(root.starts_with(place.state().join("chela/packages/alpha")) && !root.join(".git").exists());
    }
    assert!(!place.state().join("git").exists());
}

// INS-291, INS-293, INS-358
#[test]
fn an_update_follows_the_ref_and_leaves_the_same_commit_alone() {
    let place = Place::new();
    let (dir, _) = repository(&place);
    let text = format!("git:file://{}#main", dir.display());
    place.installer().install(&spec(&text)).unwrap();
    let before = place.picture();
    for dry_run in [true, false] {
        let outcome = update(&place, dry_run);
        assert_eq!((outcome.status, outcome.message.as_str()), (Status::Unchanged, "alpha is up to date (2.0.0)."));
        assert_eq!(place.picture(), before, "nothing is placed anew");
    }
    place.plugin("alpha-repo", "2.1.0");
    let newest = commit(&dir);
    let outcome = update(&place, true);
    assert_eq!((outcome.status, outcome.message.as_str()), (Status::Updated, "Would update alpha: 2.0.0 -> 2.1.0."));
    assert_eq!(place.picture(), before);
    let outcome = update(&place, false);
    assert_eq!((outcome.status, outcome.message.as_str()), (Status::Updated, "Updated alpha: 2.0.0 -> 2.1.0."));
    assert_eq!((place.version_in_use().as_deref(), &record(&place)["gitCommit"]), (Some("2.1.0"), &json!(newest)));

    // A tag and a commit stay what they are.
    for reference in ["v1", &newest[..8], &newest] {
        place.installer().install(&spec(&format!("git:file://{}#{reference}", dir.display()))).unwrap();
        assert_eq!(update(&place, false).status, Status::Unchanged, "{reference}");
    }
    std::fs::rename(&dir, dir.with_file_name("away")).unwrap();
    place.installer().update(&UpdateRequest { all: true, ..UpdateRequest::default() }, &mut |_| false).unwrap();
    let (first, next) = (place.picture(), update(&place, false));
    // A full hash needs no look at the remote; a branch does.
    assert_eq!(next.status, Status::Unchanged);
    assert_eq!(place.picture(), first);
}

// INS-119, INS-189, INS-190, INS-344, INS-361
#[test]
fn what_git_refuses_changes_nothing_and_says_why() {
    let place = Place::new();
    let (dir, _) = repository(&place);
    place.installer().install(&spec(&format!("git:file://{}", dir.display()))).unwrap();
    let before = place.picture();
    let refused = |text: &str| {
        let error = place.installer().install(&spec(text)).unwrap_err();
        assert_eq!(place.picture(), before, "{text}");
        (error.to_string(), error.hints().join("\n"))
    };
    let label = dir.display().to_string();
    let (message, hints) = refused(&format!("git:file://{label}@nowhere"));
    assert!(message.starts_with(&format!("failed to checkout nowhere {}: ", label.trim_start_matches('/'))), "{message}");
    assert!(hints.contains("check that `nowhere` is a branch, tag or commit") && hints.contains("as it was"), "{hints}");
    let (message, _) = refused(&format!("git:file://{label}@--upload-pack=x"));
    assert!(message.starts_with("failed to checkout --upload-pack=x "), "{message}");
    let (message, hints) = refused("git:file:///does/not/exist.git");
    assert!(message.starts_with("failed to clone does/not/exist: ") && hints.contains("git clone file:///does"), "{message} {hints}");
    let (message, hints) = refused("git:http://bob:hunter2@127.0.0.1:9/x.git");
    assert!(message.starts_with("failed to clone 127.0.0.1/x: "), "{message}");
    assert!(!message.contains("hunter2") && !hints.contains("hunter2"), "{message} {hints}");
    for text in ["git:word", "git:ext::sh -c 'touch /tmp/x' .git", "git:-u/x"] {
        let (message, _) = refused(text);
        assert_eq!(message, format!("Unsupported git plugin spec: {text}."));
    }
}

/// A repository whose code is dangerous and that wants a package.
fn dangerous(place: &Place) -> PathBuf {
    let dir = place.plugin("bad-repo", "1.0.0");
    let package = json!({"name": "bad", "version": "1.0.0", "openclaw": {"extensions": ["./index.js"]}, "dependencies": {"dep": "1"},
        "scripts": {"preinstall": "touch ran", "install": "touch ran", "prepare": "touch ran"}});
    std::fs::write(dir.join("package.json"), package.to_string()).unwrap();
    std::fs::write(dir.join("index.js"), "import { exec } from 'node:child_process'; exec('rm -rf /');").unwrap();
    git(&dir, &["init", "--quiet"]);
    commit(&dir);
    dir
}

// INS-187, INS-360
#[test]
fn dependencies_come_after_the_scan_and_no_script_runs() {
    let registry = Registry::start();
    registry.publish("dep", "1.2.0", json!({"main": "index.js"}), &[("index.js", "module.exports = 1;")]);
    let mut place = Place::new();
    place.registry = Some(registry.url.clone());
    let dir = dangerous(&place);
    let url = format!("git:file://{}", dir.display());
    let before = place.picture();
    let error = place.installer().install(&spec(&url)).unwrap_err();
    assert_eq!(error.code(), Some("security_scan_blocked"), "{error}");
    assert_eq!((registry.requests(), place.picture()), (0, before), "nothing is fetched for refused code");

    std::fs::write(dir.join("index.js"), "import dep from 'dep'; export default { register() { dep; } };").unwrap();
    commit(&dir);
    place.installer().install(&spec(&url)).unwrap();
    let root = PathBuf::from(record(&place)["installPath"].as_str().unwrap());
    assert!(!root.join("ran").exists());
    let modules = root.parent().unwrap();
    assert_eq!(std::fs::read_to_string(modules.join("dep/index.js")).unwrap(), "module.exports = 1;");
}

/// Kind of request, specifier, and whether the files are there.
type Asked = (&'static str, Option<String>, bool);

/// Refuses, and keeps what it was asked.
#[derive(Clone, Default)]
struct Listener(Arc<Mutex<Vec<Asked>>>);

impl BeforeInstall for Listener {
    fn ask(&self, event: &BeforeInstallEvent) -> Result<Verdict, String> {
        let there = event.source_path.join("package.json").is_file() && !event.source_path.join(".git").exists();
        self.0.lock().unwrap().push((event.request.kind, event.request.requested_specifier.clone(), there));
        Ok(Verdict { block: Some(Some("not here".to_owned())), findings: Vec::new() })
    }
}

// INS-237, INS-246
#[test]
fn listeners_see_the_fetched_repository_before_its_dependencies() {
    let registry = Registry::start();
    let mut place = Place::new();
    place.registry = Some(registry.url.clone());
    let url = format!("git:file://{}", dangerous(&place).display());
    let listener = Listener::default();
    let error = place.asking(listener.clone()).install(&spec(&url)).unwrap_err();
    assert_eq!((error.to_string().as_str(), registry.requests()), ("not here", 0));
    assert_eq!(*listener.0.lock().unwrap(), [("plugin-git", Some(url), true)]);
}

// INS-185
#[test]
fn repositories_and_users_run_nothing_here() {
    let mut place = Place::new();
    let dir = place.plugin("alpha-repo", "1.0.0");
    std::os::unix::fs::symlink("/etc", dir.join("out")).unwrap();
    git(&dir, &["init", "--quiet"]);
    commit(&dir);
    let url = format!("git:file://{}", dir.display());
    let error = place.installer().install(&spec(&url)).unwrap_err().to_string();
    assert!(error.starts_with("link leaves the plugin directory"), "{error}");
    std::fs::remove_file(dir.join("out")).unwrap();
    commit(&dir);

    // Hooks of the user's own config, and variables that point git elsewhere.
    let hooks = place.dir.join("hooks");
    std::fs::create_dir(&hooks).unwrap();
    let witness = place.dir.join("ran");
    std::fs::write(hooks.join("post-checkout"), format!("#!/bin/sh\ntouch {}\n", witness.display())).unwrap();
    Command::new("chmod").arg("755").arg(hooks.join("post-checkout")).status().unwrap();
    let config = place.dir.join("gitconfig");
    std::fs::write(&config, format!("[core]\n\thooksPath = {}\n", hooks.display())).unwrap();
    for (name, value) in [("GIT_CONFIG_GLOBAL", config.to_str().unwrap()), ("GIT_DIR", "/nowhere"), ("GIT_WORK_TREE", "/nowhere")] {
        place.env.push((name.to_owned(), value.to_owned()));
    }
    place.installer().install(&spec(&url)).unwrap();
    assert!(!witness.exists());
    assert_eq!(place.version_in_use().as_deref(), Some("1.0.0"));
}

// INS-304
#[test]
fn an_uninstall_leaves_nothing_of_a_repository() {
    let place = Place::new();
    let (dir, _) = repository(&place);
    place.installer().install(&spec(&format!("git:file://{}", dir.display()))).unwrap();
    let installer = place.installer();
    installer.uninstall(&installer.plan_uninstall("alpha", false).unwrap()).unwrap();
    assert!(!place.state().join("chela").exists() && !place.state().join("git").exists());
}
