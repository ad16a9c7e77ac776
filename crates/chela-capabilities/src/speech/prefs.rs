//! What the user chose at run time: `<state>/settings/tts.json`, as the reference keeps it.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// The file, read and written whole.
#[derive(Clone, Debug)]
pub struct Prefs {
    path: PathBuf,
    value: Value,
}

impl Prefs {
    /// The preferences in a file; none when there is no file or it is broken.
    pub fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let value = serde_json::from_str(&text).ok().filter(Value::is_object).unwrap_or_else(|| json!({}));
        Self { path: path.to_path_buf(), value }
    }

    /// Where they are kept.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A preference.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.value.get("tts")?.get(key)
    }

    /// A preference that is a text.
    pub fn text(&self, key: &str) -> Option<&str> {
        chela_plugin::value::text(self.value.get("tts")?, key)
    }

    /// Sets a preference, or with `None` forgets it, and writes the file at once: temporary file, then rename.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn set(&mut self, key: &str, value: Option<Value>) -> std::io::Result<()> {
        if !self.value.get("tts").is_some_and(Value::is_object) {
            self.value["tts"] = json!({});
        }
        if let Some(tts) = self.value["tts"].as_object_mut() {
            match value {
                Some(value) => drop(tts.insert(key.into(), value)),
                None => drop(tts.remove(key)),
            }
        }
        let dir = self.path.parent().unwrap_or(Path::new("."));
        fs_err::create_dir_all(dir)?;
        let part = self.path.with_extension(format!("{}.part", uuid::Uuid::new_v4().simple()));
        let mut file = fs_err::OpenOptions::new().write(true).create_new(true).open(&part)?;
        let text = serde_json::to_string_pretty(&self.value).unwrap_or_default();
        file.write_all(text.as_bytes()).and_then(|()| file.write_all(b"\n")).and_then(|()| file.sync_all())?;
        fs_err::rename(&part, &self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_members_of_the_file_stay() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("settings/tts.json");
        let mut prefs = Prefs::read(&path);
        prefs.set("provider", Some("a".into())).unwrap();
        std::fs::write(&path, r#"{"other": 1, "tts": {"provider": "a", "maxLength": 5}}"#).unwrap();
        let mut prefs = Prefs::read(&path);
        prefs.set("provider", None).unwrap();
        let kept: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        assert_eq!(kept, json!({"other": 1, "tts": {"maxLength": 5}}));
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        std::fs::write(&path, "broken").unwrap();
        assert_eq!(Prefs::read(&path).text("provider"), None);
    }
}
