//! From what people write to a model: aliases, bare names, profiles, the allow-list (PRV-45..56).

use crate::types::{ModelRef, normalize_provider_id};
use serde_json::Value;

/// A model as chosen, with an auth profile if one was pinned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// The model.
    pub model: ModelRef,
    /// Auth profile pinned with `@profile`.
    pub profile: Option<String>,
}

/// Why a text names no usable model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing fits the text.
    #[error("`{0}` names no model; write it as `provider/model`")]
    Unknown(String),
    /// The model is outside `agents.defaults.models` (PRV-55).
    #[error("the model `{0}` is not allowed; add it to `agents.defaults.models`")]
    NotAllowed(String),
}

/// Rules of the configuration about names of models.
#[derive(Debug, Clone, Default)]
pub struct ModelNames {
    aliases: Vec<(String, ModelRef)>,
    allowed: Vec<ModelRef>,
    wildcards: Vec<String>,
    listed: Vec<ModelRef>,
}

impl ModelNames {
    /// Reads `agents.defaults.models`; `listed` are the models of `models.providers`, for bare names.
    pub fn from_config(defaults_models: &Value, listed: Vec<ModelRef>) -> Self {
        let mut names = Self { listed, ..Self::default() };
        for (key, value) in defaults_models.as_object().into_iter().flatten() {
            if let Some(provider) = key.strip_suffix("/*") {
                // A wildcard stands for many models, so an alias on it names none (PRV-54).
                names.wildcards.push(normalize_provider_id(provider));
            } else if let Ok(model) = ModelRef::parse(key) {
                if let Some(alias) = value.get("alias").and_then(Value::as_str).filter(|a| !a.trim().is_empty()) {
                    names.aliases.push((alias.trim().to_lowercase(), model.clone()));
                }
                names.allowed.push(model);
            }
        }
        names
    }

    /// Whether a model may be chosen. An empty list allows everything (PRV-56).
    pub fn allows(&self, model: &ModelRef) -> bool {
        let open = self.allowed.is_empty() && self.wildcards.is_empty();
        open || self.wildcards.contains(&model.provider) || self.allowed.iter().any(|m| m.same_as(model))
    }

    /// Reads what a person wrote: an alias, `provider/model`, a bare model name, each with `@profile` if wanted. A bare
    /// name that no provider or more than one lists goes to `default_provider`.
    ///
    /// # Errors
    /// When nothing fits, or the model is not allowed.
    pub fn select(&self, text: &str, default_provider: Option<&str>) -> Result<Selection, NameError> {
        let (name, profile) = split_profile(text.trim());
        let model = self.find(name, default_provider).ok_or_else(|| NameError::Unknown(text.to_owned()))?;
        if !self.allows(&model) {
            return Err(NameError::NotAllowed(model.to_string()));
        }
        Ok(Selection { model, profile: profile.map(str::to_owned) })
    }

    fn find(&self, name: &str, default_provider: Option<&str>) -> Option<ModelRef> {
        let lower = name.to_lowercase();
        if let Some((_, model)) = self.aliases.iter().find(|(alias, _)| *alias == lower) {
            return Some(model.clone());
        }
        if name.contains('/') {
            return ModelRef::parse(name).ok();
        }
        if name.is_empty() {
            return None;
        }
        let mut owners: Vec<&ModelRef> = Vec::new();
        for model in self.allowed.iter().chain(&self.listed).filter(|m| m.model == name) {
            if !owners.iter().any(|o| o.provider == model.provider) {
                owners.push(model);
            }
        }
        if let [only] = owners.as_slice() {
            return Some((*only).clone());
        }
        let provider = default_provider?;
        tracing::warn!(model = name, provider, "a model without its provider is deprecated; write `provider/model`");
        Some(ModelRef::new(provider, name))
    }
}

/// Splits `@profile` off. The sign is looked for after the last `/`, and a date or a quantisation tag after it belongs
/// to the model (PRV-52).
fn split_profile(text: &str) -> (&str, Option<&str>) {
    let tail_at = text.rfind('/').map_or(0, |i| i + 1);
    let mut from = tail_at;
    while let Some(at) = text[from..].find('@').map(|i| i + from) {
        let rest = &text[at + 1..];
        let word = rest.split('@').next().unwrap_or(rest);
        if at > tail_at && !rest.is_empty() && !is_model_suffix(word) {
            return (&text[..at], Some(rest));
        }
        from = at + 1;
    }
    (text, None)
}

fn is_model_suffix(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    let quantised = |rest: &str| {
        let mut parts = rest.split('_');
        parts.next().is_some_and(digits) && parts.all(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_alphanumeric()))
    };
    (word.len() == 8 && digits(word))
        || lower.strip_suffix("bit").is_some_and(digits)
        || lower.strip_prefix("iq").or_else(|| lower.strip_prefix('q')).is_some_and(quantised)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn names(models: &Value) -> ModelNames {
        let listed = ["lab/llama", "lab/both", "den/both"].map(|t| ModelRef::parse(t).unwrap());
        ModelNames::from_config(models, listed.to_vec())
    }

    #[test]
    fn profiles() {
        // PRV-51, PRV-52
        let cases = [
            ("p/m@work", ("p/m", Some("work"))),
            ("p/m@p:me@example.org", ("p/m", Some("p:me@example.org"))),
            ("p/m@20250929", ("p/m@20250929", None)),
            ("p/m@20250929@work", ("p/m@20250929", Some("work"))),
            ("p/m@q4_k_m", ("p/m@q4_k_m", None)),
            ("p/m@IQ2_xs", ("p/m@IQ2_xs", None)),
            ("p/m@8bit", ("p/m@8bit", None)),
            ("p/m@q4_k_m@a", ("p/m@q4_k_m", Some("a"))),
            ("a@b/m", ("a@b/m", None)),
            ("p/m@", ("p/m@", None)),
            ("p/m", ("p/m", None)),
        ];
        for (text, want) in cases {
            assert_eq!(split_profile(text), want, "{text}");
        }
    }

    #[test]
    fn bare_names() {
        // PRV-45, PRV-46, PRV-54
        let names = names(&json!({"lab/llama": {"alias": "Fast"}, "lab/*": {"alias": "no"}, "den/*": {}, "z/*": {}}));
        let pick = |text: &str, default| names.select(text, default).map(|s| s.model.to_string());
        assert_eq!(pick("FAST", None).unwrap(), "lab/llama");
        assert_eq!(pick("llama", None).unwrap(), "lab/llama");
        assert_eq!(pick("both", None), Err(NameError::Unknown("both".to_owned())));
        assert_eq!(pick("both", Some("den")).unwrap(), "den/both");
        assert_eq!(pick("new", Some("z")).unwrap(), "z/new");
        assert!(pick("no", None).is_err());
        assert!(pick("", Some("z")).is_err());
    }

    #[test]
    fn allow_list() {
        // PRV-53, PRV-55, PRV-56
        let some = names(&json!({"openai/GPT-5": {}, "lab/*": {}}));
        let allowed = |n: &ModelNames, text| n.select(text, None).is_ok();
        assert!(allowed(&some, "openai/gpt-5") && allowed(&some, "lab/anything"));
        assert_eq!(some.select("openai/gpt-4", None), Err(NameError::NotAllowed("openai/gpt-4".to_owned())));
        for empty in [json!({}), Value::Null, json!({"nonsense": {}})] {
            assert!(allowed(&names(&empty), "openai/gpt-4"), "{empty}");
        }
    }
}
