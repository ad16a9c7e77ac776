//! Failures and sudden ends at every moment of a change.

use std::process::Command;
use std::sync::Arc;

use chela_install::{Installer, InstallerOptions, Moment, Moments};

use crate::support::{Place, forced, request};

// INS-090, INS-144, INS-344
#[test]
fn a_failed_install_leaves_every_byte_as_it_was() {
    let place = Place::new();
    let source = place.plugin("v1", "1.0.0");
    let before = place.picture();
    for moment in [Moment::Intent, Moment::Place, Moment::Switch, Moment::Index, Moment::Config] {
        let error = place.failing_at(moment).install(&request(&source)).unwrap_err();
        assert_eq!(error.to_string(), "out of luck", "{moment:?}");
        assert_eq!(place.picture(), before, "{moment:?}");
    }
    // What comes after the change counts is no failure.
    for moment in [Moment::Clean, Moment::Done] {
        let place = Place::new();
        let source = place.plugin("v1", "1.0.0");
        let done = place.failing_at(moment).install(&request(&source)).unwrap();
        assert!(done.warnings.iter().any(|warning| warning.contains("out of luck")), "{:?}", done.warnings);
        assert_eq!(place.version_in_use().as_deref(), Some("1.0.0"));
    }
}

// INS-090, INS-144
#[test]
fn a_failed_replacement_or_removal_leaves_every_byte_as_it_was() {
    let place = Place::new();
    place.installer().install(&request(&place.plugin("v1", "1.0.0"))).unwrap();
    let newer = place.plugin("v2", "2.0.0");
    let before = place.picture();
    for moment in [Moment::Intent, Moment::Place, Moment::Switch, Moment::Index, Moment::Config] {
        place.failing_at(moment).install(&forced(&newer)).unwrap_err();
        assert_eq!(place.picture(), before, "install at {moment:?}");
    }
    for moment in [Moment::Intent, Moment::Switch, Moment::Index, Moment::Config] {
        let installer = place.failing_at(moment);
        installer.uninstall(&installer.plan_uninstall("alpha", false).unwrap()).unwrap_err();
        assert_eq!(place.picture(), before, "uninstall at {moment:?}");
    }
    place.installer().install(&forced(&newer)).unwrap();
    let before = place.picture();
    for moment in [Moment::Intent, Moment::Switch, Moment::Index, Moment::Config] {
        place.failing_at(moment).rollback("alpha").unwrap_err();
        assert_eq!(place.picture(), before, "rollback at {moment:?}");
    }
}

/// What the child process does, and the directory that it does it in.
const CHILD_JOB: &str = "CHELA_INSTALL_TEST_JOB";
const CHILD_DIR: &str = "CHELA_INSTALL_TEST_DIR";
const CHILD_MOMENT: &str = "CHELA_INSTALL_TEST_MOMENT";

struct EndAt(usize);

impl Moments for EndAt {
    fn before(&self, moment: Moment) -> std::io::Result<()> {
        if Moment::ALL[self.0] == moment {
            // No destructor runs and nothing is flushed: as a kill would have it.
            std::process::abort();
        }
        Ok(())
    }
}

/// Not a test by itself: the child of the tests below.
#[test]
fn child() {
    let Ok(job) = std::env::var(CHILD_JOB) else { return };
    let place = Place::at(std::env::var(CHILD_DIR).unwrap().as_ref());
    let moment = std::env::var(CHILD_MOMENT).unwrap().parse().unwrap();
    let installer = Installer::new(InstallerOptions { moments: Arc::new(EndAt(moment)), ..place.options() });
    match job.as_str() {
        "install" => drop(installer.install(&request(&place.dir.join("v1"))).unwrap()),
        "replace" => drop(installer.install(&forced(&place.dir.join("v2"))).unwrap()),
        "rollback" => drop(installer.rollback("alpha").unwrap()),
        "uninstall" => drop(installer.uninstall(&installer.plan_uninstall("alpha", false).unwrap()).unwrap()),
        "pack" => drop(installer.install(&request(&place.dir.join("my-pack"))).unwrap()),
        "replace-pack" => drop(installer.install(&forced(&place.dir.join("my-pack"))).unwrap()),
        "uninstall-pack" => drop(installer.uninstall(&installer.plan_uninstall("pack", false).unwrap()).unwrap()),
        other => unreachable!("{other}"),
    }
}

/// Runs a job in a process that ends at a moment; false when the job has no such moment.
pub fn ends_at(place: &Place, job: &str, moment: usize) -> bool {
    let out = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::child", "--test-threads=1"])
        .env(CHILD_JOB, job)
        .env(CHILD_DIR, &place.dir)
        .env(CHILD_MOMENT, moment.to_string())
        .output()
        .unwrap();
    !out.status.success()
}

/// The moment from which the change counts.
const COUNTS_AFTER: Moment = Moment::Switch;

fn counts(moment: usize) -> bool {
    let switch = Moment::ALL.iter().position(|moment| *moment == COUNTS_AFTER).unwrap();
    moment > switch
}

/// Nothing of a process that ended is left, and doing it all again works.
fn settled(place: &Place) {
    let packages = place.state().join("chela/packages");
    assert!(!packages.join(".intent.json").exists() && !packages.join(".stage").exists());
    if let Ok(entries) = std::fs::read_dir(packages.join("alpha")) {
        let names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        let versions = names.iter().filter(|name| !["current", "previous"].contains(&name.as_str())).count();
        let links = names.len() - versions;
        assert_eq!(versions, links, "each version has its pointer: {names:?}");
    }
    assert!(place.installer().recover().unwrap().is_empty());
}

#[test]
fn an_install_that_ends_suddenly_happened_whole_or_not_at_all() {
    for moment in 0..Moment::ALL.len() {
        let place = Place::new();
        place.plugin("v1", "1.0.0");
        assert!(ends_at(&place, "install", moment));
        let done = place.installer().recover().unwrap();
        assert!(done.len() <= 1, "{done:?}");
        settled(&place);
        if counts(moment) {
            assert_eq!(place.version_in_use().as_deref(), Some("1.0.0"), "{moment}");
            assert_eq!(place.config_value()["plugins"]["entries"]["alpha"]["enabled"], true);
            assert_eq!(place.index()["plugins"][2]["pluginId"], "alpha");
        } else {
            assert_eq!(place.config(), crate::support::CONFIG, "{moment}");
            assert!(!place.state().join("chela").exists() && !place.state().join("plugins").exists(), "{moment}");
            place.installer().install(&request(&place.dir.join("v1"))).unwrap();
        }
    }
}

#[test]
fn a_replacement_that_ends_suddenly_leaves_the_old_or_the_new_version() {
    for moment in 0..Moment::ALL.len() {
        let place = Place::new();
        place.installer().install(&request(&place.plugin("v1", "1.0.0"))).unwrap();
        place.plugin("v2", "2.0.0");
        let config = place.config();
        assert!(ends_at(&place, "replace", moment));
        place.installer().recover().unwrap();
        settled(&place);
        assert_eq!(place.version_in_use().as_deref(), Some(if counts(moment) { "2.0.0" } else { "1.0.0" }), "{moment}");
        assert_eq!(place.index()["installRecords"]["alpha"]["version"], if counts(moment) { "2.0.0" } else { "1.0.0" });
        assert_eq!(place.config(), config, "nothing to change in the config");
        assert!(place.installer().drift("alpha").unwrap().is_empty());
    }
}

#[test]
fn a_rollback_that_ends_suddenly_leaves_the_old_or_the_new_version() {
    for moment in 0..Moment::ALL.len() {
        let place = Place::new();
        place.installer().install(&request(&place.plugin("v1", "1.0.0"))).unwrap();
        place.installer().install(&forced(&place.plugin("v2", "2.0.0"))).unwrap();
        if !ends_at(&place, "rollback", moment) {
            assert_eq!(Moment::ALL[moment], Moment::Place, "a rollback brings no files");
            continue;
        }
        place.installer().recover().unwrap();
        settled(&place);
        assert_eq!(place.version_in_use().as_deref(), Some(if counts(moment) { "1.0.0" } else { "2.0.0" }), "{moment}");
        // The way back is open either way.
        place.installer().rollback("alpha").unwrap();
    }
}

#[test]
fn an_uninstall_that_ends_suddenly_happened_whole_or_not_at_all() {
    for moment in 0..Moment::ALL.len() {
        let place = Place::new();
        place.installer().install(&request(&place.plugin("v1", "1.0.0"))).unwrap();
        if !ends_at(&place, "uninstall", moment) {
            assert_eq!(Moment::ALL[moment], Moment::Place, "an uninstall brings no files");
            continue;
        }
        place.installer().recover().unwrap();
        settled(&place);
        if counts(moment) {
            assert!(!place.state().join("plugins").exists(), "{moment}");
            assert!(place.config_value()["plugins"].get("entries").is_none(), "{moment}");
            assert!(!place.state().join("chela").exists(), "{moment}");
        } else {
            assert_eq!(place.version_in_use().as_deref(), Some("1.0.0"), "{moment}");
        }
    }
}
