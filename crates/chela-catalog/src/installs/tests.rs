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
