//! Masking secrets in what clients see (GW-75), and putting them back when a client returns it.

use serde_json::{Map, Value};

use crate::error::ConfigError;
use crate::schema;

/// The text that stands for a secret.
pub const REDACTED: &str = "__OPENCLAW_REDACTED__";

/// What a plugin's manifest says about one of its settings (MAN-074).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SensitiveHint {
    /// Dotted path from the root; `*` stands for any key or index.
    pub path: String,
    /// Whether the value is a secret; `false` shows a value that its name would hide.
    pub sensitive: bool,
}

/// A copy with every secret masked: what the schema or a hint marks, and what its key's name gives
/// away. A text that is only `${NAME}` is shown. Of a secret reference the id is masked.
pub fn redact(config: &Value, hints: &[SensitiveHint]) -> Value {
    Walk { hints }.redact(config, &mut Vec::new(), Some(schema::config_schema()))
}

/// The raw text with the same values masked, or `None` when that could not be done faithfully.
pub fn redact_raw(raw: &str, config: &Value, hints: &[SensitiveHint]) -> Option<String> {
    let mut secrets = Vec::new();
    hidden_texts(config, &redact(config, hints), &mut secrets);
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    secrets.dedup();
    let mut out = raw.to_owned();
    for secret in &secrets {
        out = out.replace(secret.as_str(), REDACTED);
    }
    // Escapes may hide a secret from the search, and a short secret may occur elsewhere.
    let parsed = crate::json5::parse_value(&out).ok()?;
    let original = crate::json5::parse_value(raw).ok()?;
    (parsed == redact(&original, hints)).then_some(out)
}

/// Puts the secrets of `original` back where `incoming` holds the mask.
///
/// # Errors
/// [`ConfigError::BadPath`] for a mask at a place where the original has nothing.
pub fn restore(incoming: &Value, original: &Value) -> Result<Value, ConfigError> {
    restore_at(incoming, Some(original), &mut Vec::new())
}

/// Whether a text is a mask that must not be kept as a secret.
pub(crate) fn holds_masked_secret(value: &Value) -> bool {
    match value {
        Value::String(text) => matches!(text.trim(), REDACTED | "***" | "[redacted]"),
        Value::Array(items) => items.iter().any(holds_masked_secret),
        Value::Object(map) => map.values().any(holds_masked_secret),
        _ => false,
    }
}

struct Walk<'a> {
    hints: &'a [SensitiveHint],
}

impl Walk<'_> {
    fn redact(&self, value: &Value, path: &mut Vec<String>, node: Option<&'static Value>) -> Value {
        match value {
            Value::Array(items) => {
                let each = items.iter().enumerate().map(|(at, item)| self.visit(&at.to_string(), item, path, node));
                Value::Array(each.collect())
            }
            Value::Object(map) => Value::Object(map.iter().map(|(key, item)| (key.clone(), self.visit(key, item, path, node))).collect()),
            other => other.clone(),
        }
    }

    fn visit(&self, key: &str, value: &Value, path: &mut Vec<String>, node: Option<&'static Value>) -> Value {
        path.push(key.to_owned());
        let node = node.and_then(|node| schema::child(node, key));
        let out = if self.is_secret(path, node) { mask(value) } else { self.redact(value, path, node) };
        let out = match &out {
            Value::String(text) if names_url(path) && url_holds_secret(text) => Value::from(REDACTED),
            _ => out,
        };
        path.pop();
        out
    }

    fn is_secret(&self, path: &[String], node: Option<&'static Value>) -> bool {
        if let Some(hint) = self.hints.iter().rev().find(|hint| matches_path(&hint.path, path)) {
            return hint.sensitive;
        }
        node.is_some_and(schema::is_sensitive) || names_secret(path)
    }
}

fn matches_path(pattern: &str, path: &[String]) -> bool {
    let pattern = pattern.replace("[]", ".*");
    let parts: Vec<&str> = pattern.split('.').filter(|p| !p.is_empty()).collect();
    parts.len() == path.len() && parts.iter().zip(path).all(|(part, key)| *part == "*" || part == key)
}

/// Whether a key gives away that its value is a secret.
fn names_secret(path: &[String]) -> bool {
    const PARTS: &[&str] = &[
        "password",
        "passphrase",
        "secret",
        "apikey",
        "api_key",
        "api-key",
        "encryptkey",
        "encrypt_key",
        "privatekey",
        "private_key",
        "private-key",
        "accesskey",
        "access_key",
        "authorization",
        "credential",
    ];
    const ENDS: &[&str] = &["token", "serviceaccount", "serviceaccountref"];
    const HARMLESS_ENDS: &[&str] = &["passwordfile", "secretfile", "tokenfile"];
    // A list entry is as secret as its list; sections such as `secrets` are named at the top.
    let key = path.iter().rev().find(|key| !key.bytes().all(|b| b.is_ascii_digit()));
    let Some(key) = key.filter(|_| path.len() > 1).map(|key| key.to_lowercase()) else {
        return false;
    };
    let local_service_env = path.windows(2).any(|pair| pair[0] == "localService" && pair[1] == "env");
    let named = PARTS.iter().any(|part| key.contains(part)) || ENDS.iter().any(|end| key.ends_with(end));
    local_service_env && path.last().is_some_and(|last| last != "env") || named && !HARMLESS_ENDS.iter().any(|end| key.ends_with(end))
}

fn names_url(path: &[String]) -> bool {
    let last = path.last().map_or("", String::as_str);
    let mcp = path.len() == 4 && path[0] == "mcp" && path[1] == "servers" && last == "url";
    matches!(last, "baseUrl" | "httpUrl" | "cdpUrl" | "proxyUrl") || mcp || path.ends_with(&["proxy".to_owned(), "url".to_owned()])
}

/// Whether a URL carries a password or a key in its query.
fn url_holds_secret(url: &str) -> bool {
    const KEYS: &[&str] = &[
        "token",
        "key",
        "api_key",
        "apikey",
        "secret",
        "access_token",
        "auth_token",
        "password",
        "pass",
        "passwd",
        "auth",
        "client_secret",
        "hook_token",
        "refresh_token",
        "signature",
    ];
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
    let query = rest.split_once('?').map_or("", |(_, query)| query);
    let named = |pair: &str| KEYS.contains(&pair.split('=').next().unwrap_or("").to_lowercase().replace('-', "_").as_str());
    authority.contains('@') || query.split(['&', '#']).any(named)
}

fn is_placeholder(text: &str) -> bool {
    text.trim().strip_prefix("${").and_then(|t| t.strip_suffix('}')).is_some_and(|name| !name.contains('}'))
}

fn mask(value: &Value) -> Value {
    match value {
        Value::String(text) if is_placeholder(text) => value.clone(),
        Value::Object(map) if map.get("source").is_some_and(Value::is_string) && map.get("id").is_some_and(Value::is_string) => {
            let mut out = map.clone();
            out.insert("id".to_owned(), Value::from(REDACTED));
            Value::Object(out)
        }
        Value::Array(items) => Value::Array(items.iter().map(mask).collect()),
        Value::Object(map) => Value::Object(map.iter().map(|(key, item)| (key.clone(), mask(item))).collect()),
        Value::Null | Value::Bool(_) => value.clone(),
        Value::String(_) | Value::Number(_) => Value::from(REDACTED),
    }
}

fn hidden_texts(original: &Value, redacted: &Value, out: &mut Vec<String>) {
    match (original, redacted) {
        (Value::String(text), Value::String(shown)) if shown == REDACTED && text != shown && !text.is_empty() => out.push(text.clone()),
        (Value::Array(a), Value::Array(b)) => a.iter().zip(b).for_each(|(a, b)| hidden_texts(a, b, out)),
        (Value::Object(a), Value::Object(b)) => a.iter().for_each(|(key, a)| hidden_texts(a, &b[key], out)),
        _ => {}
    }
}

fn restore_at(incoming: &Value, original: Option<&Value>, path: &mut Vec<String>) -> Result<Value, ConfigError> {
    match incoming {
        Value::String(text) if text == REDACTED => match original {
            Some(original) if !original.is_null() && original != incoming => Ok(original.clone()),
            _ => Err(ConfigError::BadPath {
                path: crate::dotted::format_path(path),
                message: format!("`{REDACTED}` stands for a secret, but none is stored here; enter the value"),
            }),
        },
        Value::Array(items) => {
            let mut out = Vec::with_capacity(items.len());
            for (at, item) in items.iter().enumerate() {
                path.push(at.to_string());
                out.push(restore_at(item, counterpart(item, at, original), path)?);
                path.pop();
            }
            Ok(Value::Array(out))
        }
        Value::Object(map) => {
            let mut out = Map::with_capacity(map.len());
            for (key, item) in map {
                path.push(key.clone());
                out.insert(key.clone(), restore_at(item, original.and_then(|o| o.get(key)), path)?);
                path.pop();
            }
            Ok(Value::Object(out))
        }
        other => Ok(other.clone()),
    }
}

/// The entry of the original list that an entry came from: by id when it has one, else by place.
fn counterpart<'a>(item: &Value, at: usize, original: Option<&'a Value>) -> Option<&'a Value> {
    let list = original?.as_array()?;
    match item.get("id").filter(|id| id.is_string() && **id != REDACTED) {
        Some(id) if item.get("source").is_none() => list.iter().find(|other| other.get("id") == Some(id)),
        _ => list.get(at),
    }
}

impl crate::Config {
    /// The config as plugins get it: without the gateway's own secrets.
    pub fn public(&self) -> Value {
        let mut out = self.effective.clone();
        for pointer in ["/gateway/auth/token", "/gateway/auth/password", "/gateway/remote/token", "/gateway/remote/password"] {
            if let Some(secret) = out.pointer_mut(pointer) {
                *secret = Value::String(REDACTED.into());
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn sample() -> Value {
        json!({
            "gateway": {"auth": {"mode": "token", "token": "t0p-secret"}, "port": 1},
            "models": {"providers": {"p": {"baseUrl": "https://user:pw@host/v1", "apiKey": "${KEY}", "models": [{"id": "m", "name": "M", "maxTokens": 5}],
                "headers": {"x-any": "value-1"}, "localService": {"command": "c", "env": {"ANY": "value-2"}}}}},
            "channels": {"telegram": {"botToken": "123:abc", "accounts": [{"id": "a", "token": "acc"}]}, "googlechat": {"serviceAccount": {"client": "c1", "key": "k1"}}},
            "skills": {"entries": {"s": {"apiKey": {"source": "env", "provider": "default", "id": "SKILL_KEY"}}}},
            "secrets": {"providers": {"default": {"source": "env"}}, "defaults": {"env": "default"}},
            "plugins": {"entries": {"x": {"config": {"license": "lic-1", "tokenLimit": 5, "publicToken": "shown"}, "env": {"GH_TOKEN": "gh"}}}},
            "hooks": {"token": "hook-secret"}, "mcp": {"servers": {"m": {"url": "https://h/?api_key=abc", "headers": {"A": "hdr"}}}},
        })
    }

    fn hints() -> Vec<SensitiveHint> {
        vec![
            SensitiveHint { path: "plugins.entries.x.config.license".to_owned(), sensitive: true },
            SensitiveHint { path: "plugins.entries.*.config.publicToken".to_owned(), sensitive: false },
        ]
    }

    // GW-75, MAN-074
    #[test]
    fn secrets_are_masked_and_the_rest_is_not() {
        let out = redact(&sample(), &hints());
        for secret in [
            "t0p-secret",
            "user:pw",
            "value-1",
            "value-2",
            "123:abc",
            "acc\"",
            "c1",
            "k1",
            "SKILL_KEY",
            "lic-1",
            "gh\"",
            "hook-secret",
            "api_key",
            "hdr",
        ] {
            assert!(!out.to_string().contains(secret), "{secret} in {out}");
        }
        for (path, want) in [
            ("/gateway/auth/token", json!(REDACTED)),
            ("/gateway/auth/mode", json!("token")),
            ("/models/providers/p/apiKey", json!("${KEY}")),
            ("/models/providers/p/models/0/maxTokens", json!(5)),
            ("/skills/entries/s/apiKey/source", json!("env")),
            ("/secrets", sample()["secrets"].clone()),
            ("/plugins/entries/x/config/tokenLimit", json!(5)),
            ("/plugins/entries/x/config/publicToken", json!("shown")),
        ] {
            assert_eq!(out.pointer(path), Some(&want), "{path}");
        }
    }

    // GW-75
    #[test]
    fn a_client_may_send_the_masks_back() {
        let original = sample();
        let mut incoming = redact(&original, &hints());
        assert_eq!(restore(&incoming, &original).unwrap(), original);
        incoming["gateway"]["auth"]["token"] = json!("new");
        assert_eq!(restore(&incoming, &original).unwrap()["gateway"]["auth"]["token"], "new");
        incoming["gateway"]["auth"]["password"] = json!(REDACTED);
        assert!(restore(&incoming, &original).unwrap_err().to_string().contains("gateway.auth.password"));
    }

    // GW-75
    #[test]
    fn raw_text_is_masked_or_withheld() {
        let raw = "{ // note\n gateway: {auth: {token: 'sekret-1'}} }";
        let value = crate::json5::parse_value(raw).unwrap();
        assert_eq!(redact_raw(raw, &value, &[]).unwrap(), raw.replace("sekret-1", REDACTED));
        let tricky = "{gateway: {auth: {token: 'sek\\u0072et'}}}";
        assert_eq!(redact_raw(tricky, &crate::json5::parse_value(tricky).unwrap(), &[]), None);
        let clash = "{gateway: {auth: {token: 'a'}, mode: 'local'}}";
        assert_eq!(redact_raw(clash, &crate::json5::parse_value(clash).unwrap(), &[]), None);
    }
}
