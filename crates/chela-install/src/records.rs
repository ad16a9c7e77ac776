//! Install records: what each source writes, and how a new record follows an old one (INS-080, INS-151, INS-152).

use chela_catalog::InstallRecord;
use serde_json::{Map, Value};

use crate::world::now_text;

/// The fields of a record in the making.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct RecordFields(pub Map<String, Value>);

impl RecordFields {
    pub(crate) fn of(source: &str) -> Self {
        let mut fields = Map::new();
        fields.insert("source".into(), source.into());
        Self(fields)
    }

    /// Sets a text; an absent one leaves no key, not even that of a former record.
    pub(crate) fn with(mut self, key: &str, value: Option<&str>) -> Self {
        let value = value.map(str::trim).filter(|value| !value.is_empty());
        self.0.insert(key.into(), value.into());
        self
    }

    /// Sets a number; an absent one leaves no key.
    pub(crate) fn with_number(mut self, key: &str, value: Option<u64>) -> Self {
        self.0.insert(key.into(), value.into());
        self
    }

    /// A text that was set.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.as_str()
    }

    /// The record as it is stored. Keys of a former record of the same source stay (INS-152); those of another source do not, since
    /// they would describe what is not there any more.
    pub(crate) fn after(self, before: Option<&InstallRecord>) -> Map<String, Value> {
        let mut fields = Map::new();
        if let Some(before) = before.filter(|before| Some(before.source.as_str()) == self.0.get("source").and_then(Value::as_str)) {
            fields.clone_from(&before.fields);
        }
        fields.extend(self.0);
        fields.retain(|_, value| !value.is_null());
        fields.insert("installedAt".into(), now_text().into());
        fields
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    // INS-151, INS-152
    #[test]
    fn records_follow_records_of_the_same_source() {
        let before = |fields: Value| InstallRecord::from_fields(fields.as_object().unwrap().clone()).unwrap();
        let new = RecordFields::of("npm").with("version", Some("2")).with("integrity", None);
        let same = new.clone().after(Some(&before(json!({"source": "npm", "version": "1", "spec": "a", "integrity": "i"}))));
        assert_eq!(same.get("integrity"), None, "what is not known any more is not claimed any more");
        assert_eq!((&same["version"], &same["spec"]), (&json!("2"), &json!("a")));
        assert!(same["installedAt"].as_str().is_some_and(|at| at.ends_with('Z')), "{same:?}");
        let other = new.after(Some(&before(json!({"source": "git", "gitUrl": "u"}))));
        assert_eq!(other.get("gitUrl"), None);
    }
}
