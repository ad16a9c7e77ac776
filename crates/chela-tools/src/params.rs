//! Arguments as models give them: camelCase or snake_case, numbers as text, blank text as nothing (TOOL-26, TOOL-27).

use serde_json::{Map, Value};

/// The arguments of one call.
pub(crate) struct Args<'a>(&'a Map<String, Value>);

static NONE: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);

impl<'a> Args<'a> {
    pub(crate) fn new(params: &'a Value) -> Self {
        Self(params.as_object().unwrap_or(&NONE))
    }

    /// The member of this camelCase name, or of its snake_case form.
    pub(crate) fn value(&self, name: &str) -> Option<&'a Value> {
        self.0.get(name).or_else(|| self.0.get(&snake(name))).filter(|v| !v.is_null())
    }

    /// A text as it is, blank or not.
    pub(crate) fn raw_text(&self, name: &str) -> Result<Option<&'a str>, String> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(format!("`{name}` must be a text")),
        }
    }

    /// A text that is not blank.
    pub(crate) fn text(&self, name: &str) -> Result<Option<&'a str>, String> {
        Ok(self.raw_text(name)?.filter(|text| !text.trim().is_empty()))
    }

    /// A text that must be there.
    pub(crate) fn required(&self, name: &str) -> Result<&'a str, String> {
        self.text(name)?.ok_or_else(|| format!("`{name}` is required"))
    }

    /// A number, also as text; not below zero.
    pub(crate) fn number(&self, name: &str) -> Result<Option<f64>, String> {
        let number = match self.value(name) {
            None => return Ok(None),
            Some(Value::Number(number)) => number.as_f64(),
            Some(Value::String(text)) if text.trim().is_empty() => return Ok(None),
            Some(Value::String(text)) => text.trim().parse().ok(),
            Some(_) => None,
        };
        let fits = number.filter(|n: &f64| n.is_finite() && *n >= 0.0);
        fits.map(Some).ok_or_else(|| format!("`{name}` must be a number that is not below zero"))
    }

    /// A whole number.
    pub(crate) fn count(&self, name: &str) -> Result<Option<u64>, String> {
        Ok(self.number(name)?.map(|n| n.min(9e15) as u64))
    }

    /// True or false, also as text.
    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>, String> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(Value::String(text)) => match text.trim().to_ascii_lowercase().as_str() {
                "" => Ok(None),
                "true" | "yes" | "1" => Ok(Some(true)),
                "false" | "no" | "0" => Ok(Some(false)),
                _ => Err(format!("`{name}` must be true or false")),
            },
            Some(_) => Err(format!("`{name}` must be true or false")),
        }
    }

    /// A list of texts; one text is a list of one.
    pub(crate) fn texts(&self, name: &str) -> Result<Vec<String>, String> {
        match self.value(name) {
            None => Ok(Vec::new()),
            Some(Value::String(text)) => Ok(vec![text.clone()]),
            Some(Value::Array(list)) => {
                let own = list.iter().map(|v| v.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>();
                own.ok_or_else(|| format!("`{name}` must be a list of texts"))
            }
            Some(_) => Err(format!("`{name}` must be a list of texts")),
        }
    }
}

fn snake(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 2);
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    // TOOL-26, TOOL-27
    #[test]
    fn arguments_are_read_leniently_and_bad_ones_named() {
        let params = json!({"yield_ms": "250", "path": "  ", "limit": 3.7, "on": "yes", "keys": "Enter", "bad": [], "neg": -1});
        let args = Args::new(&params);
        assert_eq!(args.count("yieldMs"), Ok(Some(250)));
        assert_eq!(args.text("path"), Ok(None));
        assert_eq!(args.count("limit"), Ok(Some(3)));
        assert_eq!(args.flag("on"), Ok(Some(true)));
        assert_eq!(args.texts("keys"), Ok(vec!["Enter".to_owned()]));
        for error in [
            args.required("path").unwrap_err(),
            args.text("limit").unwrap_err(),
            args.number("bad").unwrap_err(),
            args.flag("limit").unwrap_err(),
            args.number("neg").unwrap_err(),
        ] {
            assert!(error.starts_with('`'), "{error}");
        }
        assert_eq!(Args::new(&json!(5)).text("x"), Ok(None));
    }
}
