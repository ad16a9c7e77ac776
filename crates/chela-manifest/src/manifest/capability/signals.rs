//! Whether a capability is usable as far as config tells: the tests that config signals describe (MAN-111..MAN-113).

use serde_json::{Map, Value};

use super::{AuthSignal, CapabilityMetadata, ConfigSignal, ModeSignal};

/// Says whether an environment variable is set to something.
pub type EnvLookup<'a> = &'a dyn Fn(&str) -> bool;

impl CapabilityMetadata {
    /// True when what it belongs to is usable now: there is no signal, or one of them holds (MAN-110..MAN-116, API-118). `auth` says
    /// whether a provider has a credential.
    pub fn holds(&self, config: &Value, env: EnvLookup<'_>, auth: &dyn Fn(&str) -> bool) -> bool {
        // Own auth signals stand for the default ones (MAN-114).
        let own = self.auth_signals.iter().filter(|signal| signal.fits(config)).map(|signal| &signal.provider);
        let by_default = self.auth_providers.iter().chain(&self.aliases).filter(|_| self.auth_signals.is_empty());
        let mut providers = own.chain(by_default);
        let none =
            self.config_signals.is_empty() && self.auth_signals.is_empty() && self.auth_providers.is_empty() && self.aliases.is_empty();
        none || self.config_signals.iter().any(|signal| signal.holds(config, env)) || providers.any(|provider| auth(provider))
    }
}

impl AuthSignal {
    /// True when the provider's address is one for which the signal counts (MAN-115).
    fn fits(&self, config: &Value) -> bool {
        let Some(guard) = &self.provider_base_url else { return true };
        let written = config["models"]["providers"][&guard.provider]["baseUrl"].as_str().map(str::trim).filter(|url| !url.is_empty());
        let plain = |url: &str| url.trim().trim_end_matches('/').to_owned();
        let Some(url) = written.or(guard.default_base_url.as_deref()).map(plain) else { return false };
        guard.allowed_base_urls.iter().any(|allowed| plain(allowed) == url)
    }
}

impl ConfigSignal {
    /// True when `config`, the whole effective config, passes every test of the signal. A reference to a secret in the environment
    /// counts only when the variable is set.
    pub fn holds(&self, config: &Value, env: EnvLookup<'_>) -> bool {
        let Some(Value::Object(root)) = at_path(config, &self.root_path) else { return false };
        let mut effective = root.clone();
        if let Some(path) = &self.overlay_path
            && let Some(Value::Object(overlay)) = root_path(root, path)
        {
            effective.extend(overlay.clone());
        }
        let configured = |path: &String| root_path(&effective, path).is_some_and(|value| is_configured(value, env));
        self.mode.as_ref().is_none_or(|mode| mode.accepts(&effective))
            && self.required.iter().all(configured)
            && (self.required_any.is_empty() || self.required_any.iter().any(configured))
    }
}

impl ModeSignal {
    fn accepts(&self, config: &Map<String, Value>) -> bool {
        let written = root_path(config, self.path.as_deref().unwrap_or("mode")).and_then(Value::as_str).map(str::trim);
        let Some(mode) = written.filter(|mode| !mode.is_empty()).or(self.default.as_deref()) else { return false };
        let named = |list: &[String]| list.iter().any(|entry| entry == mode);
        (self.allowed.is_empty() || named(&self.allowed)) && !named(&self.disallowed)
    }
}

fn at_path<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(value, |value, key| value.as_object()?.get(key.trim()))
}

fn root_path<'a>(object: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    let value = object.get(first.trim())?;
    rest.map_or(Some(value), |rest| at_path(value, rest))
}

fn is_configured(value: &Value, env: EnvLookup<'_>) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.trim().is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => match (fields.get("source").and_then(Value::as_str), fields.get("id").and_then(Value::as_str)) {
            (Some("env"), Some(name)) => env(name),
            _ => !fields.is_empty(),
        },
        Value::Bool(_) | Value::Number(_) => true,
    }
}
