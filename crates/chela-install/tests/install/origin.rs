//! Install and uninstall leave every byte as it was, but for what a document demands: the ring of config backups and the audit log
//! (GW-138).

use std::collections::BTreeMap;

use chela_config::{Edit, SetMode, WriteOptions};
use serde_json::json;

use crate::support::{Place, forced, linked, request};

/// The state directory without backups and audit log.
fn picture(place: &Place) -> BTreeMap<String, String> {
    let mut picture = place.picture();
    picture.retain(|name, _| !name.contains(".bak") && !name.starts_with("/logs"));
    picture
}

/// Configs of people who write as they like.
const STARTS: [Option<&str>; 6] = [
    None,
    Some("{}"),
    Some("{gateway:{mode:'local'},plugins:{entries:{other:{enabled:false}},allow:['zeta','beta']}} // end\n"),
    Some("// mine\r\n{\r\n  gateway: {mode: \"local\"},\r\n  plugins: { // which\r\n  },\r\n}\r\n"),
    Some(
        "{\"gateway\": {\"mode\": \"local\"}, \"meta\": {\"lastTouchedVersion\": \"0.0.1\", \"lastTouchedAt\": \"2026-01-01T00:00:00.000Z\"}}",
    ),
    Some("{gateway: {mode: 'local'}, plugins: {$include: './part.json5'}}\n"),
];

fn place(start: Option<&str>) -> Place {
    let place = Place::new();
    let config = place.state().join("openclaw.json");
    match start {
        Some(text) => std::fs::write(config, text).unwrap(),
        None => std::fs::remove_file(config).unwrap(),
    }
    if start.is_some_and(|text| text.contains("$include")) {
        std::fs::write(place.state().join("part.json5"), "{ entries: {other: {enabled: true}}, /* more */ }").unwrap();
    }
    place
}

fn uninstall(place: &Place) {
    let installer = place.installer();
    installer.uninstall(&installer.plan_uninstall("alpha", false).unwrap()).unwrap();
}

#[test]
fn the_last_uninstall_leaves_every_byte_as_before_the_first_install() {
    for start in STARTS {
        let place = place(start);
        let before = picture(&place);
        for round in 0..2 {
            let newer = place.plugin("v2", "2.0.0");
            place.installer().install(&request(&place.plugin("v1", "1.0.0"))).unwrap();
            place.installer().install(&forced(&newer)).unwrap();
            place.installer().rollback("alpha").unwrap();
            if round == 1 {
                let options = place.options();
                let path = ["plugins", "entries", "alpha", "config", "level"].map(str::to_owned).to_vec();
                let edit = Edit::Set { path, value: json!(1), mode: SetMode::default() };
                chela_config::write(&options.paths, &options.env, &[edit], &WriteOptions::default()).unwrap();
            }
            assert_ne!(picture(&place), before);
            uninstall(&place);
            assert_eq!(picture(&place), before, "{start:?}");
        }
        place.installer().install(&linked(&place.plugin("v1", "1.0.0"))).unwrap();
        uninstall(&place);
        assert_eq!(picture(&place), before, "{start:?}");
    }
}

#[test]
fn what_was_there_or_was_changed_by_others_stays() {
    // An index that somebody asked for.
    let place = Place::new();
    place.installer().refresh_registry().unwrap();
    place.installer().install(&request(&place.plugin("v1", "1.0.0"))).unwrap();
    uninstall(&place);
    assert_eq!(place.index()["installRecords"], json!({}));
    assert!(!place.state().join("chela").exists());

    // A setting and a comment of the user.
    let place = self::place(STARTS[2]);
    place.installer().install(&request(&place.plugin("v1", "1.0.0"))).unwrap();
    let text = place.config().replace("{gateway:", "{ui: {seamColor: '123456'}, // new\n gateway:");
    std::fs::write(place.state().join("openclaw.json"), text).unwrap();
    uninstall(&place);
    assert!(place.config().contains("seamColor: '123456'}, // new") && !place.config().contains("alpha"), "{}", place.config());
    assert!(!place.state().join("chela").exists());

    // A record that was there before keeps its index.
    let place = Place::new();
    place.installer().install(&linked(&place.plugin("v1", "1.0.0"))).unwrap();
    std::fs::remove_file(place.state().join("chela/packages/.origin.json")).unwrap();
    let gamma = place.dir.join("gamma");
    std::fs::create_dir(&gamma).unwrap();
    std::fs::write(gamma.join("openclaw.plugin.json"), r#"{"id": "gamma", "configSchema": {"type": "object"}}"#).unwrap();
    std::fs::write(gamma.join("package.json"), r#"{"name": "gamma", "version": "1.0.0", "openclaw": {"extensions": ["./index.js"]}}"#)
        .unwrap();
    std::fs::write(gamma.join("index.js"), "export default { register() {} };").unwrap();
    let config = place.config();
    place.installer().install(&request(&gamma)).unwrap();
    let installer = place.installer();
    installer.uninstall(&installer.plan_uninstall("gamma", false).unwrap()).unwrap();
    assert_eq!(place.config(), config);
    assert!(place.index()["installRecords"]["alpha"].is_object());
    assert!(!place.state().join("chela").exists());
}
