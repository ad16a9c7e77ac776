use serde_json::json;

use super::*;

fn index_of(files: &[(&str, Value)], config: Value, env: &[(&str, &str)]) -> InstallIndex {
    let dir = tempfile::tempdir().unwrap();
    for (name, value) in files {
        let path = dir.path().join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, value.to_string()).unwrap();
    }
    let mut inputs = CatalogInputs::new(dir.path(), dir.path(), config);
    inputs.env = env.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
    let policy = PluginPolicy::from_config_value(&inputs.config);
    InstallIndex::read(&inputs, &policy)
}

fn codes(index: &InstallIndex) -> Vec<String> {
    let rows = index.diagnostics_json();
    rows.iter().map(|row| row["code"].as_str().unwrap().to_owned()).collect()
}

const INDEX: &str = "plugins/installs.json";

// INS-072, INS-077, INS-078, INS-079, INS-093
#[test]
fn records_are_read_from_either_shape() {
    let record = json!({"source": "npm", "installPath": "/p", "future": 1});
    let new = json!({"version": 1, "installRecords": {"a": record, "bad": {"spec": "x"}, "worse": 3}, "plugins": []});
    let old = json!({"plugins": [{"pluginId": "a", "installRecord": record}, {"pluginId": "b"}, 4]});
    for index in [new, old] {
        let index = index_of(&[(INDEX, index)], json!({}), &[]);
        assert_eq!(index.state, IndexState::Read);
        assert_eq!(index.records.keys().collect::<Vec<_>>(), ["a"]);
        assert_eq!(index.records["a"].fields["future"], 1);
        assert_eq!(codes(&index), [""; 0]);
    }
    for broken in [json!([]), json!({"plugins": 3}), json!("x")] {
        let index = index_of(&[(INDEX, broken)], json!({}), &[]);
        assert_eq!(index.state, IndexState::Missing);
        assert_eq!(codes(&index), ["persisted-registry-missing"]);
    }
}

// INS-094, INS-098
#[test]
fn the_environment_switches_the_index_off() {
    let stored = json!({"installRecords": {"a": {"source": "npm"}}});
    let env = [(DISABLE_INDEX_ENV, "1")];
    let index = index_of(&[(INDEX, stored)], json!({}), &env);
    assert!(index.records.is_empty());
    assert_eq!(codes(&index), ["persisted-registry-disabled"]);
}

// INS-017, INS-018, INS-091
#[test]
fn npm_installs_and_legacy_records_are_recovered() {
    let package = json!({"name": "pkg", "version": "1.2.3", "openclaw": {"extensions": ["./i.js"]}});
    let files = [
        ("npm/package.json", json!({"dependencies": {"pkg": "^1", "plain": "1", "gone": "1"}})),
        ("npm/node_modules/pkg/package.json", package),
        ("npm/node_modules/pkg/openclaw.plugin.json", json!({"id": "real"})),
        ("npm/node_modules/plain/package.json", json!({"name": "plain"})),
    ];
    let config = json!({"plugins": {"installs": {"legacy": {"source": "path", "sourcePath": "/x"}}}});
    let index = index_of(&files, config.clone(), &[]);
    assert_eq!(index.state, IndexState::Missing);
    assert_eq!(index.records.keys().collect::<Vec<_>>(), ["legacy", "real"]);
    assert_eq!(index.records["real"].source, "npm");
    assert_eq!(index.records["real"].text("resolvedSpec"), Some("pkg@1.2.3"));
    let mut with_index = files.to_vec();
    with_index.push((INDEX, json!({"installRecords": {"real": {"source": "git"}}})));
    assert_eq!(index_of(&with_index, config, &[]).records["real"].source, "git");
}

fn installed() -> (tempfile::TempDir, CatalogInputs) {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("copy");
    fs_err::create_dir(&root).unwrap();
    let install = json!({"npmSpec": "@me/alpha-plug", "minHostVersion": ">=2026.1.1"});
    let package = json!({"name": "@me/alpha-plug", "version": "1.0.0", "openclaw": {"extensions": ["./index.js"], "install": install}});
    let manifest = json!({"id": "alpha", "kind": "memory", "configSchema": {"type": "object"}, "activation": {"onStartup": true}});
    fs_err::write(root.join("package.json"), package.to_string()).unwrap();
    fs_err::write(root.join("openclaw.plugin.json"), manifest.to_string()).unwrap();
    fs_err::write(root.join("index.js"), "").unwrap();
    let state = dir.path().join("state");
    fs_err::create_dir(&state).unwrap();
    let inputs =
        CatalogInputs::new(state, dir.path(), json!({"plugins": {"entries": {"alpha": {"enabled": true}}, "slots": {"memory": "alpha"}}}));
    (dir, inputs)
}

fn records(dir: &tempfile::TempDir) -> IndexRecords {
    let fields = json!({"installedAt": "t", "version": "1.0.0", "installPath": dir.path().join("copy"), "source": "path", "future": 1});
    let alpha = InstallRecord::from_fields(fields.as_object().unwrap().clone()).unwrap();
    let gone = InstallRecord::from_fields(json!({"source": "npm", "installPath": "/gone"}).as_object().unwrap().clone()).unwrap();
    [("zeta".to_owned(), gone), ("alpha".to_owned(), alpha)].into()
}

fn made(dir: &tempfile::TempDir, inputs: &CatalogInputs) -> Value {
    let policy = PluginPolicy::from_config_value(&inputs.config);
    let mut index = InstallIndex::read(inputs, &policy);
    index.records = records(dir);
    let snapshot = crate::scan_with(inputs, index);
    build_index(&snapshot, &records(dir), Some(RefreshReason::SourceChanged), 7)
}

// Keys and values as the reference wrote them for the same package.
// INS-073, INS-074, INS-075, INS-079, INS-080, INS-082, INS-083, INS-084, INS-085, INS-086, INS-087, INS-088, INS-108
#[test]
fn a_new_index_has_the_references_shape() {
    let (dir, inputs) = installed();
    let index = made(&dir, &inputs);
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(
        keys(&index),
        [
            "version",
            "warning",
            "hostContractVersion",
            "compatRegistryVersion",
            "migrationVersion",
            "policyHash",
            "generatedAtMs",
            "refreshReason",
            "installRecords",
            "plugins",
            "diagnostics"
        ]
    );
    assert_eq!((&index["refreshReason"], &index["generatedAtMs"]), (&json!("source-changed"), &json!(7)));
    assert_eq!(index["policyHash"], "70cf71178e1deffe3b96bcf76889fdb119669bc10bd052c402f55240796f96a6");
    assert_eq!(keys(&index["installRecords"]), ["alpha", "zeta"]);
    assert_eq!(keys(&index["installRecords"]["alpha"]), ["source", "installPath", "version", "installedAt", "future"]);
    let row = &index["plugins"][0];
    assert_eq!(
        keys(row),
        [
            "pluginId",
            "manifestPath",
            "manifestHash",
            "manifestFile",
            "source",
            "rootDir",
            "origin",
            "enabled",
            "startup",
            "compat",
            "packageName",
            "packageVersion",
            "installRecordHash",
            "packageInstall",
            "packageJson"
        ]
    );
    let manifest = fs_err::read(dir.path().join("copy/openclaw.plugin.json")).unwrap();
    assert_eq!(row["manifestHash"], sha256_hex(&manifest).as_str());
    assert_eq!(row["manifestFile"]["size"], manifest.len());
    assert_eq!(keys(&row["manifestFile"]), ["size", "mtimeMs", "ctimeMs"]);
    assert_eq!((&row["origin"], &row["enabled"]), (&json!("global"), &json!(true)));
    let startup = json!({"sidecar": true, "memory": true, "deferConfiguredChannelFullLoadUntilAfterListen": false, "agentHarnesses": []});
    assert_eq!(row["startup"], startup);
    let npm = json!({"spec": "@me/alpha-plug", "packageName": "@me/alpha-plug", "selectorKind": "none", "exactVersion": false,
        "pinState": "floating-without-integrity"});
    assert_eq!(row["packageInstall"], json!({"npm": npm, "warnings": ["npm-spec-floating", "npm-spec-missing-integrity"]}));
    assert_eq!(row["installRecordHash"], hash_json(&index["installRecords"]["alpha"]).as_str());
    assert_eq!(keys(&row["packageJson"]), ["path", "hash", "fileSignature"]);
    assert!(index_text(&index).ends_with("\n}\n"));
}

// MAN-178, MAN-179
#[test]
fn the_index_says_what_starts_early() {
    let (dir, inputs) = installed();
    let manifest = |fields: Value| {
        let mut manifest = json!({"id": "alpha", "configSchema": {"type": "object"}});
        manifest.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        fs_err::write(dir.path().join("copy/openclaw.plugin.json"), manifest.to_string()).unwrap();
        made(&dir, &inputs)["plugins"][0]["startup"].clone()
    };
    for (on_startup, expected) in [(json!(true), true), (json!(false), false), (json!("true"), false), (Value::Null, false)] {
        assert_eq!(manifest(json!({"activation": {"onStartup": on_startup}}))["sidecar"], expected);
    }
    let both = manifest(json!({"activation": {"onAgentHarnesses": ["pi", "acp"]}, "cliBackends": ["claude", "pi"]}));
    assert_eq!(both["agentHarnesses"], json!(["acp", "claude", "pi"]));
}

// MAN-213, MAN-214
#[test]
fn install_sources_are_described_with_their_faults() {
    let describe = |install: Value| {
        let package = json!({"name": "@me/plug", "openclaw": {"install": install}});
        super::package_source::describe(&chela_manifest::parse_package(package.to_string().as_bytes()).unwrap()).unwrap()
    };
    for (spec, integrity, state) in [
        ("@me/plug@1.2.3", Some("sha512-x"), "exact-with-integrity"),
        ("@me/plug@1.2.3", None, "exact-without-integrity"),
        ("@me/plug@next", Some("sha512-x"), "floating-with-integrity"),
        ("@me/plug", None, "floating-without-integrity"),
    ] {
        assert_eq!(describe(json!({"npmSpec": spec, "expectedIntegrity": integrity}))["npm"]["pinState"], state, "{spec} {integrity:?}");
    }
    let cases = [
        (json!({"npmSpec": "@me/plug@1.0.0", "expectedIntegrity": "sha512-x", "defaultChoice": "npm"}), json!([])),
        (json!({"defaultChoice": "floppy"}), json!(["invalid-default-choice"])),
        (json!({"clawhubSpec": "clawhub:plug"}), json!(["clawhub-spec-floating"])),
        (json!({"clawhubSpec": "plug@1"}), json!(["invalid-clawhub-spec"])),
        (json!({"npmSpec": "@me/plug"}), json!(["npm-spec-floating", "npm-spec-missing-integrity"])),
        (json!({"npmSpec": "other@1.0.0", "expectedIntegrity": "x"}), json!(["npm-spec-package-name-mismatch"])),
        (json!({"npmSpec": "git+https://x/y"}), json!(["invalid-npm-spec"])),
        (json!({"defaultChoice": "local"}), json!(["default-choice-missing-source"])),
        (json!({"defaultChoice": "clawhub", "localPath": "./x"}), json!(["default-choice-missing-source"])),
        (json!({"localPath": "./x", "defaultChoice": "local", "expectedIntegrity": "x"}), json!(["npm-integrity-without-source"])),
    ];
    for (install, warnings) in cases {
        assert_eq!(describe(install.clone())["warnings"], warnings, "{install}");
    }
}

// INS-099, INS-100, INS-101, INS-102
#[test]
fn staleness_has_its_reasons() {
    let (dir, inputs) = installed();
    let index = made(&dir, &inputs);
    assert_eq!(compare(None, &index), (RegistryState::Missing, vec!["missing"]));
    assert_eq!(compare(Some(&index), &index), (RegistryState::Fresh, vec![]));
    let changed = |edit: fn(&mut Value)| {
        let mut old = index.clone();
        edit(&mut old);
        compare(Some(&old), &index).1
    };
    assert_eq!(changed(|old| old["hostContractVersion"] = "1".into()), ["host-contract-changed"]);
    assert_eq!(changed(|old| old["compatRegistryVersion"] = "1".into()), ["compat-registry-changed"]);
    assert_eq!(changed(|old| old["policyHash"] = "1".into()), ["policy-changed"]);
    assert_eq!(changed(|old| old["plugins"][0]["enabled"] = false.into()), ["policy-changed"]);
    assert_eq!(changed(|old| old["plugins"][0]["manifestHash"] = "1".into()), ["stale-manifest"]);
    assert_eq!(changed(|old| old["plugins"][0]["packageJson"]["hash"] = "1".into()), ["stale-package"]);
    assert_eq!(changed(|old| old["installRecords"]["alpha"]["version"] = "1".into()), ["source-changed"]);
    assert_eq!(changed(|old| old["plugins"] = json!([])), ["source-changed"]);
    let mut off = index.clone();
    off["plugins"][0]["enabled"] = false.into();
    let mut without = off.clone();
    without["plugins"] = json!([]);
    assert_eq!(compare(Some(&without), &off).1, [""; 0]);
}

// INS-077, INS-107
#[test]
fn a_policy_change_touches_only_policy() {
    let (dir, mut inputs) = installed();
    let index = made(&dir, &inputs);
    inputs.config = json!({"plugins": {"entries": {"alpha": {"enabled": false}}}});
    let policy = PluginPolicy::from_config_value(&inputs.config);
    let mut read = InstallIndex::read(&inputs, &policy);
    read.records = records(&dir);
    let snapshot = crate::scan_with(&inputs, read);
    let next = refresh_policy(&index, &snapshot, &["alpha"], 8).unwrap();
    assert_eq!((&next["plugins"][0]["enabled"], &next["refreshReason"]), (&json!(false), &json!("policy-changed")));
    assert_eq!(next["plugins"][0]["manifestHash"], index["plugins"][0]["manifestHash"]);
    assert_ne!(next["policyHash"], index["policyHash"]);
    assert_eq!(refresh_policy(&index, &snapshot, &["other"], 8), None);
    let mut older = index.clone();
    older["hostContractVersion"] = "1".into();
    assert_eq!(refresh_policy(&older, &snapshot, &["alpha"], 8), None);

    let path = dir.path().join("stored.json");
    fs_err::write(&path, index_text(&index)).unwrap();
    assert_eq!(read_stored(&path), Some(index.clone()));
    for key in ["version", "policyHash", "plugins"] {
        let mut broken = index.clone();
        broken[key] = Value::Null;
        fs_err::write(&path, broken.to_string()).unwrap();
        assert_eq!(read_stored(&path), None, "{key}");
    }
}
