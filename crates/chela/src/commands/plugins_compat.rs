//! Compatibility notices that a plugin's files give, beside those that the catalog and a run give (INS-326).

use chela_catalog::{DoctorReport, Lane, PluginRecord, Snapshot};
use chela_kit::{compat, coverage};
use serde_json::Value;

/// The notices of one plugin's code and manifest; none for what has no JavaScript, or cannot be read.
fn of(record: &PluginRecord) -> Vec<Value> {
    if record.lane != Lane::Node {
        return Vec::new();
    }
    let Ok(report) = coverage::scan(record) else { return Vec::new() };
    compat::of_plugin(record, &report).iter().map(chela_kit::to_json).collect()
}

/// Adds those that are not told yet.
fn extend(told: &mut Vec<Value>, more: Vec<Value>) {
    let key = |notice: &Value| (notice["pluginId"].clone(), notice["code"].clone(), notice["message"].clone());
    for notice in more {
        if !told.iter().any(|known| key(known) == key(&notice)) {
            told.push(notice);
        }
    }
}

/// Adds the notices of one plugin to its object.
pub fn extend_object(snapshot: &Snapshot, id: &str, object: &mut Value) {
    if let (Some(record), Some(told)) = (snapshot.get(id), object["compatibility"].as_array_mut()) {
        extend(told, of(record));
    }
}

/// Adds the notices of all enabled plugins.
pub fn extend_report(snapshot: &Snapshot, report: &mut DoctorReport) {
    for record in snapshot.plugins.iter().filter(|record| record.enabled) {
        extend(&mut report.compatibility, of(record));
    }
}

/// The notices that ask for a change, one line each.
pub fn warnings(report: &DoctorReport) -> impl Iterator<Item = String> {
    let old = report.compatibility.iter().filter(|notice| notice["severity"] == "warn");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    old.map(move |notice| format!("{}: {} [{}]", text(&notice["pluginId"]), text(&notice["message"]), text(&notice["code"])))
}
