//! Tests of the device store over real files.
#![allow(clippy::type_complexity)] // tables of cases

use super::*;
use serde_json::json;

fn claim(scopes: &[&str]) -> DeviceClaim {
    let record = DeviceRecord {
        device_id: "dev".into(),
        public_key: "key".into(),
        platform: Some("linux".into()),
        client_id: Some("cli".into()),
        client_mode: Some("cli".into()),
        role: Some("operator".into()),
        scopes: Some(scopes.iter().map(|scope| (*scope).to_owned()).collect()),
        ..DeviceRecord::default()
    };
    DeviceClaim { record, silent: true }
}

fn strings(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

fn pair(store: &DeviceStore, scopes: &[&str]) -> PairedDevice {
    let request = store.request(&claim(scopes)).unwrap().request;
    match store.approve(&request.request_id, &strings(&["operator.admin"])).unwrap() {
        ApproveOutcome::Approved(device) => *device,
        other => panic!("{other:?}"),
    }
}

// GW-148
#[test]
fn files_have_the_reference_format_and_are_private() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let store = DeviceStore::new(dir.path());
    let request = store.request(&claim(&["operator.read"])).unwrap().request;
    let pending: Value = serde_json::from_slice(&std::fs::read(dir.path().join("pending.json")).unwrap()).unwrap();
    let entry = &pending[&request.request_id];
    assert_eq!(entry["silent"], true);
    assert_eq!(entry["isRepair"], false);
    assert!(entry["ts"].is_i64());
    store.approve(&request.request_id, &strings(&["operator.admin"])).unwrap();
    let path = dir.path().join("paired.json");
    let paired: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let device = &paired["dev"];
    assert_eq!(device["publicKey"], "key");
    assert_eq!(device["role"], "operator");
    assert_eq!(device["roles"], json!(["operator"]));
    assert_eq!(device["approvedScopes"], json!(["operator.read"]));
    assert_eq!(device["tokens"]["operator"]["role"], "operator");
    assert!(device["tokens"]["operator"].get("rotatedAtMs").is_none());
    assert!(device["createdAtMs"].is_i64() && device["approvedAtMs"].is_i64());
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

// GW-148
#[test]
fn unknown_fields_and_foreign_changes_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let store = DeviceStore::new(dir.path());
    pair(&store, &["operator.read"]);
    let path = dir.path().join("paired.json");
    let mut value: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    value["dev"]["lastSeenReason"] = json!("test");
    value["dev"]["tokens"]["operator"]["note"] = json!(1);
    std::fs::write(&path, value.to_string()).unwrap();
    store.rotate_token("dev", "operator", None, None).unwrap().unwrap();
    let value: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert_eq!(value["dev"]["lastSeenReason"], "test");
    assert_eq!(value["dev"]["tokens"]["operator"]["note"], 1);
    assert!(value["dev"]["tokens"]["operator"]["rotatedAtMs"].is_i64());
}

#[test]
fn a_broken_file_is_named_and_not_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("paired.json");
    std::fs::write(&path, "{\"dev\":").unwrap();
    let store = DeviceStore::new(dir.path());
    let error = store.request(&claim(&[])).unwrap_err().to_string();
    assert!(error.contains("paired.json") && error.contains("repair it"), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\"dev\":");
}

// GW-50
#[test]
fn a_wider_request_supersedes_and_merges() {
    let dir = tempfile::tempdir().unwrap();
    let store = DeviceStore::new(dir.path());
    let first = store.request(&claim(&["operator.read"])).unwrap();
    let again = store.request(&claim(&["operator.read"])).unwrap();
    assert!(first.created && !again.created);
    assert_eq!(first.request.request_id, again.request.request_id);
    let mut loud = claim(&["operator.pairing"]);
    loud.silent = false;
    let wider = store.request(&loud).unwrap();
    assert!(wider.created && !wider.request.silent);
    assert_ne!(wider.request.request_id, first.request.request_id);
    assert_eq!(wider.request.record.all_scopes(), ["operator.read", "operator.pairing"]);
    assert_eq!(store.list().unwrap().1.len(), 1);
    assert_eq!(store.approve(&first.request.request_id, &[]).unwrap(), ApproveOutcome::Unknown);
}

// GW-51
#[test]
fn requests_expire_after_five_minutes() {
    let dir = tempfile::tempdir().unwrap();
    let store = DeviceStore::new(dir.path());
    let request = store.request(&claim(&[])).unwrap().request;
    let path = dir.path().join("pending.json");
    for (age, expected) in [(299_000, 1), (301_000, 0)] {
        let mut value: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        value[&request.request_id]["ts"] = json!(now_ms() - age);
        value[&request.request_id]["displayName"] = json!("x".repeat(age as usize / 100));
        std::fs::write(&path, value.to_string()).unwrap();
        assert_eq!(store.list().unwrap().1.len(), expected, "{age}");
    }
}

// GW-54
#[test]
fn approval_grants_nothing_the_approver_lacks() {
    let dir = tempfile::tempdir().unwrap();
    let store = DeviceStore::new(dir.path());
    let request = store.request(&claim(&["operator.admin"])).unwrap().request;
    assert_eq!(
        store.approve(&request.request_id, &strings(&["operator.write", "operator.pairing"])).unwrap(),
        ApproveOutcome::MissingScope("operator.admin".into())
    );
    assert!(store.paired("dev").unwrap().is_none());
    assert!(matches!(store.approve(&request.request_id, &strings(&["operator.admin"])).unwrap(), ApproveOutcome::Approved(_)));
}

// GW-32
#[test]
fn tokens_are_checked_for_role_and_scopes() {
    let dir = tempfile::tempdir().unwrap();
    let store = DeviceStore::new(dir.path());
    let token = pair(&store, &["operator.read"]).tokens["operator"].token.clone();
    let cases: &[(&str, &str, &str, &[&str], TokenCheck)] = &[
        ("dev", &token, "operator", &[], TokenCheck::Valid),
        ("dev", &token, "operator", &["operator.read"], TokenCheck::Valid),
        ("dev", &token, "operator", &["operator.write"], TokenCheck::ScopeMismatch),
        ("dev", "wrong", "operator", &[], TokenCheck::Mismatch),
        ("dev", "", "operator", &[], TokenCheck::Mismatch),
        ("dev", &token, "node", &[], TokenCheck::Mismatch),
        ("other", &token, "operator", &[], TokenCheck::Mismatch),
    ];
    for (device, token, role, scopes, expected) in cases {
        assert_eq!(store.verify_token(device, token, role, &strings(scopes)).unwrap(), *expected, "{device} {role} {scopes:?}");
    }
    store.revoke_token("dev", "operator", None).unwrap().unwrap();
    assert_eq!(store.verify_token("dev", &token, "operator", &[]).unwrap(), TokenCheck::Mismatch);
}

#[test]
fn the_present_token_is_reused_and_a_rotated_one_replaces_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = DeviceStore::new(dir.path());
    let paired = pair(&store, &["operator.write"]);
    let first = &paired.tokens["operator"];
    let same = store.ensure_token("dev", "operator", &strings(&["operator.read"])).unwrap().unwrap();
    assert_eq!(same.token, first.token);
    assert!(store.ensure_token("dev", "operator", &strings(&["operator.admin"])).unwrap().is_none());
    assert!(store.ensure_token("dev", "node", &[]).unwrap().is_none());
    let read = strings(&["operator.read"]);
    let refused = store.rotate_token("dev", "operator", None, Some(&read)).unwrap();
    assert_eq!(refused, Err(TokenError::CallerMissing("operator.write".into())));
    let rotated = store.rotate_token("dev", "operator", Some(&read), Some(&read)).unwrap().unwrap();
    assert_ne!(rotated.token, first.token);
    assert_eq!(store.verify_token("dev", &first.token, "operator", &[]).unwrap(), TokenCheck::Mismatch);
    assert!(store.remove("dev").unwrap() && !store.remove("dev").unwrap());
}
