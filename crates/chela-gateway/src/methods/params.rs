//! Reading parameters: unknown members and wrong types are refused with the reference's wording (GW-06).

use chela_gateway_protocol::error::ErrorShape;
use serde_json::{Map, Value};

/// The parameters of one call.
pub struct Params<'a> {
    method: &'a str,
    object: Map<String, Value>,
    problems: Vec<String>,
}

impl<'a> Params<'a> {
    /// Takes the parameters; `null` counts as an empty object. `known` lists every member that the method takes.
    ///
    /// # Errors
    /// When they are no object or hold a member that the method does not know.
    pub fn new(method: &'a str, params: Value, known: &[&str]) -> Result<Self, ErrorShape> {
        let object = match params {
            Value::Null => Map::new(),
            Value::Object(object) => object,
            _ => return Err(ErrorShape::invalid_params(method, "must be object")),
        };
        let unknown = object.keys().filter(|k| !known.contains(&k.as_str()));
        let problems: Vec<String> = unknown.map(|k| format!("at root: unexpected property '{k}'")).collect();
        Ok(Self { method, object, problems })
    }

    fn problem(&mut self, text: String) {
        self.problems.push(text);
    }

    /// A required, non-empty text.
    pub fn text(&mut self, name: &str) -> String {
        match self.object.get(name) {
            Some(Value::String(text)) if !text.is_empty() => text.clone(),
            Some(Value::String(_)) => {
                self.problem(format!("at /{name}: must NOT have fewer than 1 characters"));
                String::new()
            }
            Some(_) => {
                self.problem(format!("at /{name}: must be string"));
                String::new()
            }
            None => {
                self.problem(format!("must have required property '{name}'"));
                String::new()
            }
        }
    }

    /// An optional text; blank counts as absent.
    pub fn optional_text(&mut self, name: &str) -> Option<String> {
        match self.object.get(name) {
            Some(Value::String(text)) => Some(text.trim().to_string()).filter(|t| !t.is_empty()),
            Some(Value::Null) | None => None,
            Some(_) => {
                self.problem(format!("at /{name}: must be string"));
                None
            }
        }
    }

    /// An optional whole number of 0 or more.
    pub fn optional_count(&mut self, name: &str) -> Option<u64> {
        match self.object.get(name) {
            Some(Value::Null) | None => None,
            Some(value) => {
                let count = value.as_u64();
                if count.is_none() {
                    self.problem(format!("at /{name}: must be integer"));
                }
                count
            }
        }
    }

    /// An optional boolean.
    pub fn flag(&mut self, name: &str) -> Option<bool> {
        match self.object.get(name) {
            Some(Value::Null) | None => None,
            Some(Value::Bool(flag)) => Some(*flag),
            Some(_) => {
                self.problem(format!("at /{name}: must be boolean"));
                None
            }
        }
    }

    /// A list of texts; absent is empty.
    pub fn texts(&mut self, name: &str) -> Vec<String> {
        match self.object.get(name) {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(items)) if items.iter().all(Value::is_string) => {
                items.iter().filter_map(|v| v.as_str().map(Into::into)).collect()
            }
            Some(_) => {
                self.problem(format!("at /{name}: must be array of string"));
                Vec::new()
            }
        }
    }

    /// Any value.
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.object.get(name)
    }

    /// All members.
    pub fn members(&self) -> &Map<String, Value> {
        &self.object
    }

    /// Reports a problem of the method's own.
    pub fn reject(&mut self, text: impl Into<String>) {
        self.problem(text.into());
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// With everything that was wrong.
    pub fn done(self) -> Result<(), ErrorShape> {
        if self.problems.is_empty() { Ok(()) } else { Err(ErrorShape::invalid_params(self.method, self.problems.join("; "))) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    // GW-06
    #[test]
    fn everything_wrong_is_named_at_once() {
        let mut params =
            Params::new("chat.send", json!({"sessionKey": 1, "bogus": 2, "limit": -1}), &["sessionKey", "message", "limit"]).unwrap();
        params.text("sessionKey");
        params.text("message");
        params.optional_count("limit");
        let error = params.done().unwrap_err();
        assert_eq!(
            error.message,
            "invalid chat.send params: at root: unexpected property 'bogus'; at /sessionKey: must be string; must have required property 'message'; at /limit: must be integer"
        );
        assert!(Params::new("x", json!([]), &[]).is_err());
        assert!(Params::new("x", Value::Null, &[]).unwrap().done().is_ok());
    }
}
