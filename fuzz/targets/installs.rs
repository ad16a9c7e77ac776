//! The plugin index `plugins/installs.json`, read by a scan of the state directory.
#![no_main]

use std::cell::OnceCell;
use std::fs;

use chela_catalog::{CatalogInputs, InstallIndex, PluginPolicy, scan};
use libfuzzer_sys::fuzz_target;
use serde_json::json;
use tempfile::TempDir;

thread_local! {
    static STATE: OnceCell<TempDir> = const { OnceCell::new() };
}

fuzz_target!(|data: &[u8]| {
    STATE.with(|state| {
        let dir = state.get_or_init(|| tempfile::tempdir().unwrap()).path();
        fs::create_dir_all(dir.join("plugins")).unwrap();
        fs::write(dir.join("plugins/installs.json"), data).unwrap();
        let inputs = CatalogInputs::new(dir, dir, json!({}));
        let policy = PluginPolicy::from_config_value(&inputs.config);
        let index = InstallIndex::read(&inputs, &policy);
        let _ = index.diagnostics_json();
        let _ = scan(&inputs);
    });
});
