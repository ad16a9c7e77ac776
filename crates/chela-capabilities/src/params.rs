//! Reading the arguments of tools: camelCase or snake_case, numbers as text, blank texts absent (TOOL-27).

use serde_json::Value;

/// Arguments of one call.
pub(crate) struct Params<'a>(pub(crate) &'a Value);

impl Params<'_> {
    /// The value under a name, or under its snake_case form.
    pub(crate) fn value(&self, name: &str) -> Option<&Value> {
        self.0.get(name).or_else(|| self.0.get(snake(name))).filter(|v| !v.is_null())
    }

    /// A text that is not blank.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        match self.value(name)? {
            Value::String(text) => Some(text.trim().to_string()).filter(|t| !t.is_empty()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// As [`Params::text`], for a parameter that must be there.
    pub(crate) fn needed(&self, name: &str) -> Result<String, String> {
        self.text(name).ok_or_else(|| format!("{name} required"))
    }

    /// A number, also as text.
    pub(crate) fn number(&self, name: &str) -> Result<Option<f64>, String> {
        let number = match self.value(name) {
            None => return Ok(None),
            Some(Value::String(text)) if text.trim().is_empty() => return Ok(None),
            Some(Value::String(text)) => text.trim().parse().ok(),
            Some(other) => other.as_f64(),
        };
        number.filter(|n: &f64| n.is_finite()).map(Some).ok_or_else(|| format!("{name} must be a number"))
    }

    /// A whole number within limits.
    pub(crate) fn whole(&self, name: &str, least: u64, most: u64) -> Result<Option<u64>, String> {
        let Some(number) = self.number(name)? else { return Ok(None) };
        let whole = number.round();
        if whole < least as f64 || whole > most as f64 {
            return Err(format!("{name} must be between {least} and {most}"));
        }
        Ok(Some(whole as u64))
    }

    /// A yes or no, also as text.
    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        match self.value(name)? {
            Value::Bool(yes) => Some(*yes),
            Value::String(text) => text.trim().to_ascii_lowercase().parse().ok(),
            _ => None,
        }
    }

    /// One of several words; case does not matter.
    pub(crate) fn word(&self, name: &str, among: &[&str]) -> Result<Option<String>, String> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let known = among.iter().find(|w| w.eq_ignore_ascii_case(&text));
        known.map(|w| Some((*w).to_string())).ok_or_else(|| format!("{name} must be one of {}", among.join(", ")))
    }

    /// The texts of a single and a list parameter together, each once.
    pub(crate) fn list(&self, single: &str, many: &str, most: usize) -> Result<Vec<String>, String> {
        let listed = self.value(many).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).map(str::to_string);
        let mut out: Vec<String> = Vec::new();
        for text in self.text(single).into_iter().chain(listed).map(|t| t.trim().to_string()).filter(|t| !t.is_empty()) {
            if !out.contains(&text) {
                out.push(text);
            }
        }
        if out.len() > most {
            return Err(format!("{many} takes at most {most} entries, {} were given", out.len()));
        }
        Ok(out)
    }
}

fn snake(name: &str) -> String {
    let mut out = String::new();
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

    // TOOL-27
    #[test]
    fn names_and_numbers_are_read_in_both_forms() {
        let value = json!({"aspect_ratio": "16:9", "timeoutMs": "1500", "blank": "  ", "count": 9, "flag": "TRUE", "image": "a", "images": ["a", " b "]});
        let params = Params(&value);
        assert_eq!(params.text("aspectRatio").as_deref(), Some("16:9"));
        assert_eq!((params.number("timeoutMs"), params.text("blank"), params.flag("flag")), (Ok(Some(1500.0)), None, Some(true)));
        assert_eq!(params.whole("count", 1, 4), Err("count must be between 1 and 4".into()));
        assert_eq!(params.list("image", "images", 2).unwrap(), ["a", "b"]);
        assert_eq!(params.list("image", "images", 1), Err("images takes at most 1 entries, 2 were given".into()));
        assert_eq!(params.needed("prompt"), Err("prompt required".into()));
        assert_eq!(params.number("image"), Err("image must be a number".into()));
    }
}
