//! Old spellings in manifests, moved to where they count now (MAN-242, MAN-243).
//!
//! The reference moves three of the eight lists that it promises, rewrites the whole file and passes JSON5 over. Here every list is
//! moved, and comments, order and indentation stay.

use std::io::Write;
use std::path::Path;

use chela_config::json5;
use chela_manifest::{MANIFEST_FILE_NAME, MAX_MANIFEST_BYTES, MOVED_TO_CONTRACTS};
use serde_json::{Map, Value};

use crate::fsio::read_root_file;

/// A manifest with its lists moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// The new text of the file.
    pub text: String,
    /// One line for each list.
    pub changes: Vec<String>,
}

/// What would change in the manifest of a plugin root (a real path); nothing when it needs no change or cannot be read. A file with
/// hard links is left alone: the other name belongs to somebody else.
pub fn migration_of(root: &Path) -> Option<Migration> {
    let bytes = read_root_file(root, MANIFEST_FILE_NAME, true, MAX_MANIFEST_BYTES).ok()?;
    migrate(std::str::from_utf8(&bytes).ok()?)
}

/// Writes the new text in place of the old one, in one step and with the same permissions.
///
/// # Errors
/// The file cannot be written; it is then as it was.
pub fn apply(root: &Path, migration: &Migration) -> std::io::Result<()> {
    let path = root.join(MANIFEST_FILE_NAME);
    // A link inside the root stays a link; the file that it leads to changes.
    let path = fs_err::canonicalize(&path)?;
    let temporary = path.with_extension(format!("json.{}.tmp", std::process::id()));
    let written = fs_err::OpenOptions::new().write(true).create_new(true).open(&temporary).and_then(|mut file| {
        file.set_permissions(fs_err::metadata(&path)?.permissions())?;
        file.write_all(migration.text.as_bytes())?;
        file.sync_all()
    });
    let done = written.and_then(|()| fs_err::rename(&temporary, &path));
    if done.is_err() {
        // What failed is told; a leftover would only be a second fault.
        let _ = fs_err::remove_file(&temporary);
    }
    done
}

/// Moves top-level contract lists of a manifest under `contracts`; a list that is there already wins and the old one goes.
pub fn migrate(text: &str) -> Option<Migration> {
    let (mark, body) = match text.strip_prefix('\u{feff}') {
        Some(body) => ("\u{feff}", body),
        None => ("", text),
    };
    let Value::Object(mut manifest) = json5::parse_value(body).ok()? else { return None };
    let mut contracts = match manifest.get("contracts") {
        Some(Value::Object(contracts)) => contracts.clone(),
        _ => Map::new(),
    };
    let mut changes = Vec::new();
    for key in MOVED_TO_CONTRACTS {
        // Anything but a list never was one of these fields.
        if !manifest.get(key).is_some_and(Value::is_array) {
            continue;
        }
        let old = names(manifest.shift_remove(key).as_ref());
        if old.is_empty() || !names(contracts.get(key)).is_empty() {
            changes.push(format!("removed top-level `{key}`"));
        } else {
            contracts.insert(key.to_owned(), old.into());
            changes.push(format!("moved `{key}` to `contracts.{key}`"));
        }
    }
    if changes.is_empty() {
        return None;
    }
    if contracts.is_empty() {
        manifest.shift_remove("contracts");
    } else {
        manifest.insert("contracts".to_owned(), Value::Object(contracts));
    }
    let edited = json5::rewrite(body, &Value::Object(manifest)).ok()?;
    Some(Migration { text: format!("{mark}{}", edited.text), changes })
}

fn names(list: Option<&Value>) -> Vec<String> {
    let items = list.and_then(Value::as_array).into_iter().flatten();
    items.filter_map(Value::as_str).map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    // MAN-242, MAN-243
    #[test]
    fn lists_move_and_everything_else_stays() {
        let before = "// mine\n{\n  id: 'a', // the id\n  configSchema: {},\n  speechProviders: ['s', ' '],\n  webSearchProviders: [\"w\"],\n  contracts: {\n    // tools\n    tools: ['t'],\n  },\n  /* last */\n}\n";
        let done = migrate(before).unwrap();
        assert_eq!(
            done.changes,
            ["moved `speechProviders` to `contracts.speechProviders`", "moved `webSearchProviders` to `contracts.webSearchProviders`"]
        );
        for kept in ["// mine\n", "id: 'a', // the id", "// tools\n", "tools: ['t']", "/* last */"] {
            assert!(done.text.contains(kept), "{kept} in {}", done.text);
        }
        let value = json5::parse_value(&done.text).unwrap();
        assert_eq!(
            value,
            serde_json::json!({"id": "a", "configSchema": {}, "contracts": {"tools": ["t"], "speechProviders": ["s"], "webSearchProviders": ["w"]}})
        );
        assert_eq!(migrate(&done.text), None);
    }

    // MAN-242
    #[test]
    fn every_documented_list_moves() {
        for key in [
            "speechProviders",
            "realtimeTranscriptionProviders",
            "realtimeVoiceProviders",
            "mediaUnderstandingProviders",
            "imageGenerationProviders",
            "videoGenerationProviders",
            "webFetchProviders",
            "webSearchProviders",
        ] {
            let done = migrate(&format!("\u{feff}{{\"id\": \"a\", \"{key}\": [\"x\"]}}")).unwrap();
            assert!(done.text.starts_with('\u{feff}'));
            let parsed = chela_manifest::parse_object(done.text.as_bytes()).unwrap();
            assert_eq!(Value::Object(parsed), serde_json::json!({"id": "a", "contracts": {key: ["x"]}}));
        }
    }

    #[test]
    fn a_list_of_contracts_wins_and_odd_values_stay() {
        let done = migrate(r#"{"id":"a","speechProviders":["old"],"contracts":{"speechProviders":["new"]}}"#).unwrap();
        assert_eq!(done.changes, ["removed top-level `speechProviders`"]);
        assert_eq!(json5::parse_value(&done.text).unwrap(), serde_json::json!({"id": "a", "contracts": {"speechProviders": ["new"]}}));
        assert_eq!(migrate(r#"{"id":"a","tools":{"x":1}}"#), None);
        assert_eq!(migrate("{"), None);
        let empty = migrate(r#"{"id":"a","webFetchProviders":[]}"#).unwrap();
        assert_eq!(json5::parse_value(&empty.text).unwrap(), serde_json::json!({"id": "a"}));
    }
}
