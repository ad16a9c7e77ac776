//! The process is killed at random moments of an install and of an update: afterwards the old or the new version is there, whole, and
//! `doctor` finds nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "a failed expectation of a test ends the test")]

#[path = "support/home.rs"]
mod home;
#[allow(dead_code, reason = "the installer's own tests use the rest")]
#[path = "../../chela-install/tests/install/registry.rs"]
mod registry;

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use home::Home;
use registry::Registry;
use serde_json::{Value, json};

/// Files of the package beside its entry: enough for fetching, copying and removing to take a while.
const FILES: usize = 120;
/// How often the process is killed, half of it while it installs and half while it updates.
const KILLS: u32 = 50;

/// Publishes a version. Each file says of which one it is.
fn publish(registry: &Registry, version: u32) {
    let package = json!({"openclaw": {"extensions": ["./index.js"]}});
    let manifest = json!({"id": "alpha", "configSchema": {"type": "object"}}).to_string();
    let mut files =
        vec![("openclaw.plugin.json".to_owned(), manifest), ("index.js".to_owned(), "export default { register() {} };".to_owned())];
    files.extend((0..FILES).map(|at| (format!("lib/f{at}.js"), content(version, at))));
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    registry.publish("@me/alpha", &format!("{version}.0.0"), package, &files);
}

fn content(version: u32, at: usize) -> String {
    format!("// {version} {at}\n{}", "x".repeat(2000))
}

/// A generator of which only the seed need be known to do it all again.
struct Random(u64);

impl Random {
    /// Between 0 and 1.
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f64::from((self.0 >> 33) as u32) / f64::from(1u32 << 31)
    }
}

struct Place {
    home: Home,
    registry: Registry,
}

impl Place {
    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chela"));
        command.args(args).env_clear().env("HOME", self.home.path("")).env("OPENCLAW_STATE_DIR", self.home.state());
        command.env("npm_config_registry", &self.registry.url).env("CHELA_CACHE_DIR", self.home.path("cache"));
        command.env("OPENCLAW_GATEWAY_PORT", "9").env("CHELA_NODE", std::env::var_os("CHELA_NODE").unwrap_or_default());
        command.env("TMPDIR", self.home.path("tmp")).current_dir(self.home.path(""));
        command
    }

    fn ok(&self, args: &[&str]) -> String {
        let out = self.command(args).output().unwrap();
        let (text, errors) = (String::from_utf8_lossy(&out.stdout).into_owned(), String::from_utf8_lossy(&out.stderr).into_owned());
        assert!(out.status.success(), "{args:?}: {text}{errors}");
        text
    }

    /// Starts a command and kills it, and all that it started, after a while. False when it ended before.
    fn killed(&self, args: &[&str], after: Duration) -> bool {
        let mut child = self.command(args).process_group(0).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(after);
        let running = child.try_wait().unwrap().is_none();
        let group = rustix::process::Pid::from_child(&child);
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        child.wait().unwrap();
        running
    }

    /// The version in use, after `doctor` put right what the kill left. Every file is of that version.
    fn version(&self) -> Option<u32> {
        let settled = self.ok(&["doctor"]);
        // Whether the machine has a Node is not what an install leaves behind.
        let node = |line: &str| line.split_whitespace().nth(1) == Some("node");
        let found = |line: &str| (line.starts_with("error") || line.starts_with("warn")) && !node(line);
        assert!(!settled.lines().any(found), "{settled}");
        let again = self.ok(&["doctor"]);
        assert!(!again.contains("packages"), "nothing is left to settle: {again}");
        let index = std::fs::read(self.home.state().join("plugins/installs.json")).ok();
        let index: Value = index.map_or(Value::Null, |bytes| serde_json::from_slice(&bytes).unwrap());
        let record = &index["installRecords"]["alpha"];
        let Some(path) = record["installPath"].as_str() else {
            let left = entries(&self.home.state().join("chela"));
            assert!(left.is_empty(), "a plugin without a record has no files: {left:?}");
            return None;
        };
        let package: Value = serde_json::from_slice(&std::fs::read(Path::new(path).join("package.json")).unwrap()).unwrap();
        assert_eq!(package["version"], record["version"]);
        let version = package["version"].as_str().unwrap().split('.').next().unwrap().parse().unwrap();
        assert_eq!(std::fs::read_dir(Path::new(path).join("lib")).unwrap().count(), FILES);
        for at in 0..FILES {
            assert_eq!(std::fs::read_to_string(Path::new(path).join(format!("lib/f{at}.js"))).unwrap(), content(version, at));
        }
        Some(version)
    }
}

/// A directory and all that is in it, links not followed; empty when there is none.
fn entries(path: &Path) -> Vec<std::path::PathBuf> {
    let Ok(found) = path.symlink_metadata() else { return Vec::new() };
    let inside = std::fs::read_dir(path).into_iter().flatten().flatten().filter(|_| found.is_dir());
    std::iter::once(path.to_owned()).chain(inside.flat_map(|entry| entries(&entry.path()))).collect()
}

#[test]
fn a_kill_at_any_moment_leaves_the_old_or_the_new_version() {
    let seed = std::env::var("CHELA_TEST_SEED").ok().and_then(|text| text.parse().ok());
    let seed = seed.unwrap_or_else(|| u64::from(std::process::id()) ^ (jiff::Timestamp::now().as_millisecond() as u64));
    eprintln!("CHELA_TEST_SEED={seed}");
    let mut random = Random(seed);
    let place = Place { home: Home::new(), registry: Registry::start() };
    publish(&place.registry, 1);
    publish(&place.registry, 2);
    place.home.private();
    place.home.config("{gateway: {mode: 'local'}}\n");

    // How long each takes undisturbed decides when to kill. The cache is emptied, so that fetching is part of it.
    let cold = || std::fs::remove_dir_all(place.home.path("cache")).unwrap_or_default();
    let begun = Instant::now();
    place.ok(&["plugins", "install", "@me/alpha@1.0.0"]);
    let mut whole = begun.elapsed();
    place.ok(&["plugins", "uninstall", "alpha", "--force"]);

    let (mut outcomes, mut killed, mut before) = (std::collections::BTreeMap::new(), 0, None);
    for round in 0..KILLS {
        let installs = round < KILLS / 2;
        if installs && round % 5 == 4 && before.is_some() {
            // Now and then onto an empty place again.
            place.ok(&["plugins", "uninstall", "alpha", "--force"]);
            before = None;
        } else if !installs && before.is_none() {
            place.ok(&["plugins", "install", "@me/alpha@1.0.0"]);
            before = Some(1);
        }
        cold();
        let new = if before == Some(1) { 2 } else { 1 };
        let spec = format!("@me/alpha@{new}.0.0");
        let args: &[&str] = if installs { &["plugins", "install", &spec, "--force"] } else { &["plugins", "update", &spec] };
        let running = place.killed(args, whole.mul_f64(random.next() * 1.1));
        killed += u32::from(running);
        // A machine with other work to do takes longer now than then.
        whole = whole.mul_f64(if running { 1.06 } else { 0.9 });
        let after = place.version();
        assert!(after == before || after == Some(new), "round {round}: {args:?} left {after:?} after {before:?}");
        *outcomes.entry(if after == before { "old" } else { "new" }).or_insert(0) += 1;
        before = after;
    }
    eprintln!("{killed} of {KILLS} were still running when they were killed: {outcomes:?}");
    assert!(killed > KILLS / 5 && outcomes.len() == 2, "the kills came too late or too early to say anything: {outcomes:?}");
    if place.version().is_some() {
        place.ok(&["plugins", "uninstall", "alpha", "--force"]);
    }
    let left = entries(&place.home.state().join("chela"));
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(place.home.read_config(), "{gateway: {mode: 'local'}}\n");
}
