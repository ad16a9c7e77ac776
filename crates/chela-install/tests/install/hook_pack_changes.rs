//! Updates and removals of hook packs, failures and sudden ends included.

use chela_install::{InstallFlags, InstallRequest, Moment, Status, UpdateOutcome, UpdateRequest};
use serde_json::{Value, json};

use crate::crash::ends_at;
use crate::hook_packs::{internal, pack, write};
use crate::registry::Registry;
use crate::support::{CONFIG, Place, forced, linked, request};

/// The version of the pack's files, when they are there.
fn version_on_disk(place: &Place) -> Option<String> {
    let text = std::fs::read_to_string(place.state().join("hooks/pack/hooks/one/handler.js")).ok()?;
    let found = ["1.0.0", "2.0.0"].into_iter().find(|version| text.contains(version)).map(str::to_owned);
    // Whole: every file is there.
    assert!(place.state().join("hooks/pack/hooks/second/index.ts").is_file());
    found
}

fn uninstall(place: &Place, text: &str, keep_files: bool) -> Vec<String> {
    let installer = place.installer();
    installer.uninstall(&installer.plan_uninstall(text, keep_files).unwrap()).unwrap().removed
}

// INS-296, INS-300, INS-302, INS-303, INS-305, INS-306 for hook packs
#[test]
fn a_removed_pack_leaves_nothing_but_the_switch() {
    let place = Place::new();
    let root = pack(&place, "1.0.0");
    place.installer().install(&request(&root)).unwrap();
    let before = place.picture();
    let plan = place.installer().plan_uninstall("pack", false).unwrap();
    assert_eq!(plan.labels, ["install record", "hook entry (first)", "hook entry (second)"]);
    assert_eq!(plan.directory, Some(place.state().join("hooks/pack")));
    assert_eq!(place.picture(), before, "a plan writes nothing");
    assert_eq!(uninstall(&place, "pack", false), ["install record", "hook entry", "directory"]);
    assert_eq!(internal(&place), json!({"enabled": true}));
    assert!(!place.state().join("hooks").exists() && place.config().contains("// only these"));
    assert!(!place.state().join("plugins/installs.json").exists(), "the index is about plugins");
    let error = place.installer().plan_uninstall("pack", false).unwrap_err();
    assert_eq!(error.to_string(), "Plugin not found: pack");

    place.installer().install(&request(&root)).unwrap();
    assert_eq!(uninstall(&place, "pack", true), ["install record", "hook entry"]);
    assert_eq!(version_on_disk(&place).as_deref(), Some("1.0.0"));
    std::fs::remove_dir_all(place.state().join("hooks")).unwrap();

    place.installer().install(&linked(&root)).unwrap();
    assert_eq!(uninstall(&place, "pack", false), ["install record", "hook entry", "hook directory entry"]);
    assert_eq!(internal(&place), json!({"enabled": true}));
    assert!(root.join("hooks/one/handler.js").is_file(), "a linked directory is never removed");

    // A plan that others overtook is not carried out.
    place.installer().install(&request(&root)).unwrap();
    let plan = place.installer().plan_uninstall("pack", false).unwrap();
    pack(&place, "2.0.0");
    place.installer().install(&forced(&root)).unwrap();
    let error = place.installer().uninstall(&plan).unwrap_err();
    assert!(error.to_string().contains("changed since the preview"), "{error}");
    assert_eq!(version_on_disk(&place).as_deref(), Some("2.0.0"));
}

// A pack and a plugin of one id are two things: what happens to the pack does not touch the plugin's record.
#[test]
fn a_plugin_of_the_same_id_keeps_its_record() {
    let place = Place::new();
    place.installer().install(&request(&place.plugin("v1", "1.0.0"))).unwrap();
    let root = pack(&place, "1.0.0");
    let package = json!({"name": "alpha", "version": "1.0.0", "openclaw": {"hooks": ["hooks/one"]}});
    write(&root.join("package.json"), &package.to_string());
    place.installer().install(&request(&root)).unwrap();
    assert_eq!(place.version_in_use().as_deref(), Some("1.0.0"));
    assert_eq!(uninstall(&place, "alpha", false).last().map(String::as_str), Some("directory"));
    assert!(internal(&place)["installs"].get("alpha").is_some(), "the plugin went first");
    uninstall(&place, "alpha", false);
    assert!(internal(&place).get("installs").is_none());
}

fn publish(registry: &Registry, version: &str, more: bool) {
    let hooks = if more { json!(["h", "new"]) } else { json!(["h"]) };
    let mut files = vec![("h/HOOK.md", "---\nname: h\n---\n"), ("h/handler.js", "export default () => {};")];
    if more {
        files.extend([("new/HOOK.md", "---\nname: new\n---\n"), ("new/handler.js", "export default () => {};")]);
    }
    registry.publish("@t/hooks", version, json!({"openclaw": {"hooks": hooks}}), &files);
}

fn update(place: &Place, request: UpdateRequest) -> Vec<UpdateOutcome> {
    place.installer().update(&request, &mut |_| false).unwrap()
}

fn one(place: &Place, id: &str, dry_run: bool) -> (Status, String) {
    let outcome = update(place, UpdateRequest { id: Some(id.to_owned()), dry_run, ..UpdateRequest::default() }).remove(0);
    (outcome.status, outcome.message)
}

// INS-284, INS-287, INS-288, INS-289, INS-290, INS-294 for hook packs
#[test]
fn packs_of_the_registry_are_updated() {
    let registry = Registry::start();
    publish(&registry, "1.0.0", false);
    let mut place = Place::new();
    place.registry = Some(registry.url.clone());
    assert!(update(&place, UpdateRequest { all: true, ..UpdateRequest::default() }).is_empty());
    let spec = InstallRequest { spec: "@t/hooks".to_owned(), flags: InstallFlags::default() };
    place.installer().install(&spec).unwrap();
    assert_eq!(one(&place, "hooks", false), (Status::Unchanged, "hooks is up to date (1.0.0).".to_owned()));

    // What was switched off stays off, and a new hook is on.
    let config = place.config().replace("\"h\": {\"enabled\": true}", "\"h\": {\"enabled\": false}");
    let config = if config.contains("\"enabled\": false") { config } else { switched_off(&config) };
    std::fs::write(place.state().join("openclaw.json"), config).unwrap();
    publish(&registry, "1.1.0", true);
    let before = place.picture();
    assert_eq!(one(&place, "hooks", true), (Status::Updated, "Would update hooks: 1.0.0 -> 1.1.0.".to_owned()));
    assert_eq!(place.picture(), before, "a dry run writes nothing");
    let all = update(&place, UpdateRequest { all: true, ..UpdateRequest::default() });
    assert_eq!((all.len(), all[0].status, all[0].message.as_str()), (1, Status::Updated, "Updated hooks: 1.0.0 -> 1.1.0."));
    let now = internal(&place);
    assert_eq!(now["entries"], json!({"h": {"enabled": false}, "new": {"enabled": true}}));
    assert_eq!((&now["installs"]["hooks"]["version"], &now["installs"]["hooks"]["hooks"]), (&json!("1.1.0"), &json!(["h", "new"])));
    assert!(place.state().join("hooks/hooks/new/handler.js").is_file());

    // The package's name with a selector means the pack, and what is no pack any more changes nothing.
    publish(&registry, "1.2.0", true);
    assert_eq!(one(&place, "@t/hooks@1.2.0", false).0, Status::Updated);
    assert_eq!(internal(&place)["installs"]["hooks"]["spec"], "@t/hooks@1.2.0");
    registry.publish("@t/hooks", "1.3.0", json!({}), &[("index.js", "")]);
    let before = place.picture();
    let (status, message) = one(&place, "@t/hooks@1.3.0", false);
    assert!(status == Status::Error && message.contains("package.json missing openclaw.hooks"), "{message}");
    assert_eq!(place.picture(), before);

    let root = pack(&place, "1.0.0");
    place.installer().install(&request(&root)).unwrap();
    assert_eq!(one(&place, "pack", false), (Status::Skipped, "Skipping \"pack\" (source: path).".to_owned()));
    assert_eq!(one(&place, "nobody", false), (Status::Error, "No install record for \"nobody\".".to_owned()));
    assert_eq!(uninstall(&place, "@t/hooks@1.2.0", false).last().map(String::as_str), Some("directory"));
}

/// The entry of `h` as the operator would switch it off, however it is written.
fn switched_off(config: &str) -> String {
    let at = config.find("\"h\":").or_else(|| config.find("h:")).unwrap();
    let on = at + config[at..].find("true").unwrap();
    format!("{}false{}", &config[..on], &config[on + 4..])
}

// INS-090, INS-344 for hook packs
#[test]
fn a_failed_change_of_a_pack_leaves_every_byte_as_it_was() {
    let place = Place::new();
    let root = pack(&place, "1.0.0");
    let before = place.picture();
    for moment in [Moment::Intent, Moment::Switch, Moment::Config] {
        let error = place.failing_at(moment).install(&request(&root)).unwrap_err();
        assert_eq!((error.to_string().as_str(), place.picture() == before), ("out of luck", true), "{moment:?}");
    }
    let done = place.failing_at(Moment::Done).install(&request(&root)).unwrap();
    assert!(done.warnings.iter().any(|warning| warning.contains("out of luck")), "{:?}", done.warnings);
    place.installer().recover().unwrap();
    let before = place.picture();
    pack(&place, "2.0.0");
    for moment in [Moment::Intent, Moment::Switch, Moment::Config] {
        place.failing_at(moment).install(&forced(&root)).unwrap_err();
        assert_eq!(place.picture(), before, "replace at {moment:?}");
    }
    for moment in [Moment::Intent, Moment::Config] {
        let installer = place.failing_at(moment);
        installer.uninstall(&installer.plan_uninstall("pack", false).unwrap()).unwrap_err();
        assert_eq!(place.picture(), before, "uninstall at {moment:?}");
    }
}

fn settled(place: &Place) {
    let packages = place.state().join("chela/packages");
    assert!(!packages.join(".intent.json").exists() && !packages.join(".stage").exists());
    assert!(place.installer().recover().unwrap().is_empty());
}

fn position(moment: Moment) -> usize {
    Moment::ALL.iter().position(|known| *known == moment).unwrap()
}

#[test]
fn a_pack_whose_installation_ends_suddenly_is_there_whole_or_not_at_all() {
    for moment in 0..Moment::ALL.len() {
        let place = Place::new();
        let root = pack(&place, "1.0.0");
        if !ends_at(&place, "pack", moment) {
            assert!(matches!(Moment::ALL[moment], Moment::Place | Moment::Index), "packs have no versions and no index");
            continue;
        }
        place.installer().recover().unwrap();
        settled(&place);
        if moment > position(Moment::Switch) {
            assert_eq!(version_on_disk(&place).as_deref(), Some("1.0.0"), "{moment}");
            assert_eq!(internal(&place)["installs"]["pack"]["version"], "1.0.0", "{moment}");
        } else {
            assert_eq!(place.config(), CONFIG, "{moment}");
            assert!(!place.state().join("hooks").exists() && !place.state().join("chela").exists(), "{moment}");
            place.installer().install(&request(&root)).unwrap();
        }
    }
}

#[test]
fn a_pack_whose_replacement_or_removal_ends_suddenly_is_the_old_or_the_new_one() {
    for (job, counts_after) in [("replace-pack", Moment::Switch), ("uninstall-pack", Moment::Config)] {
        for moment in 0..Moment::ALL.len() {
            let place = Place::new();
            place.installer().install(&request(&pack(&place, "1.0.0"))).unwrap();
            pack(&place, "2.0.0");
            if !ends_at(&place, job, moment) {
                continue;
            }
            place.installer().recover().unwrap();
            settled(&place);
            let (counts, replaced) = (moment > position(counts_after), job == "replace-pack");
            let expected = if !counts { Some("1.0.0") } else { replaced.then_some("2.0.0") };
            assert_eq!(version_on_disk(&place).as_deref(), expected, "{job} {moment}");
            let record: Value = internal(&place)["installs"]["pack"]["version"].clone();
            assert_eq!(record.as_str(), expected, "{job} {moment}");
        }
    }
}
