//! Secrets: a text that never shows itself, and references to secrets kept elsewhere (GW-132).

use std::fmt;
use std::io::Read;
use std::os::unix::fs::MetadataExt;

use serde_json::Value;

use crate::error::ConfigError;
use crate::load::Config;

/// Provider name used when a reference names none.
const DEFAULT_PROVIDER: &str = "default";
/// Largest secret file when the provider sets no limit, in bytes.
const DEFAULT_MAX_BYTES: u64 = 1024 * 1024;

/// A secret. Neither `Debug` nor `Display` shows it, and it cannot be serialised; use [`Secret::expose`]
/// at the one place where it goes out.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The kind of store that a reference points to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretSource {
    /// An environment variable.
    Env,
    /// A file, as a whole or a part of its JSON.
    File,
    /// The output of a program.
    Exec,
}

/// `{source, provider, id}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretRef {
    /// The kind of store.
    pub source: SecretSource,
    /// Name under `secrets.providers`.
    pub provider: String,
    /// Name within the provider.
    pub id: String,
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = match self.source {
            SecretSource::Env => "env",
            SecretSource::File => "file",
            SecretSource::Exec => "exec",
        };
        write!(f, "{source}:{}:{}", self.provider, self.id)
    }
}

/// A setting that may hold a secret or point to one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretInput {
    /// Written in the configuration or taken from the environment through `${NAME}`.
    Text(Secret),
    /// Kept elsewhere.
    Ref(SecretRef),
}

impl Config {
    /// Reads a setting that may hold a secret; blank texts count as unset. An unresolved `${NAME}` and
    /// the older spellings `secretref-env:NAME` and `__env__:NAME` are references to a variable.
    pub fn secret_input(&self, value: &Value) -> Option<SecretInput> {
        let provider = |kind: &str| {
            let set = self.effective["secrets"]["defaults"][kind].as_str().map(str::trim).filter(|p| !p.is_empty());
            set.unwrap_or(DEFAULT_PROVIDER).to_owned()
        };
        if let Some(text) = value.as_str().map(str::trim) {
            let template = text.strip_prefix("${").and_then(|t| t.strip_suffix('}'));
            let marker = text.strip_prefix("secretref-env:").or_else(|| text.strip_prefix("__env__:"));
            let id = template.or(marker).filter(|id| crate::validate::formats::check_pattern("^[A-Z][A-Z0-9_]{0,127}$", id).is_none());
            return match id {
                Some(id) => Some(SecretInput::Ref(SecretRef { source: SecretSource::Env, provider: provider("env"), id: id.to_owned() })),
                None => (!text.is_empty()).then(|| SecretInput::Text(Secret::new(text))),
            };
        }
        let (source, kind) = match value["source"].as_str()? {
            "env" => (SecretSource::Env, "env"),
            "file" => (SecretSource::File, "file"),
            "exec" => (SecretSource::Exec, "exec"),
            _ => return None,
        };
        let id = value["id"].as_str().map(str::trim).filter(|id| !id.is_empty())?;
        let provider = value["provider"].as_str().map(str::trim).filter(|p| !p.is_empty()).map_or_else(|| provider(kind), str::to_owned);
        Some(SecretInput::Ref(SecretRef { source, provider, id: id.to_owned() }))
    }

    /// The secret of a setting, fetched when it is a reference. `field` is the dotted path for messages.
    ///
    /// # Errors
    /// [`ConfigError::Secret`], which never contains the secret.
    pub fn resolve_secret(&self, field: &str, input: &SecretInput) -> Result<Secret, ConfigError> {
        match input {
            SecretInput::Text(secret) => Ok(secret.clone()),
            SecretInput::Ref(reference) => self.fetch(reference).map_err(|message| ConfigError::Secret {
                field: field.to_owned(),
                reference: reference.to_string(),
                message,
            }),
        }
    }

    /// The secret at a dotted path, or `None` when the setting is unset.
    ///
    /// # Errors
    /// As [`Config::resolve_secret`].
    pub fn secret_at(&self, dotted: &str) -> Result<Option<Secret>, ConfigError> {
        match self.get(dotted).and_then(|value| self.secret_input(value)) {
            Some(input) => self.resolve_secret(dotted, &input).map(Some),
            None => Ok(None),
        }
    }

    fn fetch(&self, reference: &SecretRef) -> Result<Secret, String> {
        let provider = self.effective["secrets"]["providers"].get(&reference.provider);
        let name = &reference.provider;
        match reference.source {
            SecretSource::Exec => Err("secrets from programs (`exec`) are not built yet; use an `env` or `file` reference".to_owned()),
            SecretSource::Env => {
                if let Some(provider) = provider {
                    expect_source(provider, "env", name)?;
                    if let Some(allowed) = provider["allowlist"].as_array()
                        && !allowed.iter().any(|a| a.as_str() == Some(&reference.id))
                    {
                        return Err(format!("`secrets.providers.{name}.allowlist` does not name this variable"));
                    }
                }
                let value = self.env.non_empty(&reference.id);
                value.map(Secret::new).ok_or_else(|| "the variable is not set or empty".to_owned())
            }
            SecretSource::File => {
                let provider = provider.ok_or_else(|| format!("`secrets.providers.{name}` is not configured"))?;
                expect_source(provider, "file", name)?;
                self.fetch_file(provider, &reference.id)
            }
        }
    }

    fn fetch_file(&self, provider: &Value, id: &str) -> Result<Secret, String> {
        let path = self.paths.resolve_user_path(provider["path"].as_str().unwrap_or_default());
        let mut file = fs_err::File::open(&path).map_err(|e| e.to_string())?;
        let meta = file.metadata().map_err(|e| e.to_string())?;
        let shown = path.display();
        if !meta.is_file() {
            return Err(format!("`{shown}` is not a regular file"));
        }
        let own = rustix::process::geteuid().as_raw();
        if provider["allowInsecurePath"] != Value::Bool(true) {
            if meta.mode() & 0o077 != 0 {
                return Err(format!("`{shown}` can be read by others; run `chmod 600` on it"));
            }
            if meta.uid() != own && own != 0 {
                return Err(format!("`{shown}` belongs to another user"));
            }
        }
        let limit = provider["maxBytes"].as_u64().unwrap_or(DEFAULT_MAX_BYTES);
        let mut text = String::new();
        (&mut file).take(limit + 1).read_to_string(&mut text).map_err(|e| e.to_string())?;
        if text.len() as u64 > limit {
            return Err(format!("`{shown}` is larger than {limit} bytes"));
        }
        if provider["mode"] == "singleValue" {
            let whole = text.strip_suffix('\n').map_or(text.as_str(), |t| t.strip_suffix('\r').unwrap_or(t));
            return match id {
                "value" if !whole.is_empty() => Ok(Secret::new(whole)),
                "value" => Err(format!("`{shown}` is empty")),
                _ => Err("a `singleValue` provider has the one id `value`".to_owned()),
            };
        }
        // The parser's message is left out: it could quote the file.
        let json: Value =
            serde_json::from_str(&text).map_err(|e| format!("`{shown}` is not JSON (line {}, column {})", e.line(), e.column()))?;
        match json.pointer(id) {
            Some(Value::String(secret)) if !secret.is_empty() => Ok(Secret::new(secret.clone())),
            Some(_) => Err(format!("`{id}` in `{shown}` is not a text")),
            None => Err(format!("`{shown}` has no `{id}`")),
        }
    }
}

fn expect_source(provider: &Value, source: &str, name: &str) -> Result<(), String> {
    if provider["source"] == source {
        return Ok(());
    }
    Err(format!("`secrets.providers.{name}` is of another kind than `{source}`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::Env;
    use crate::load::load_text;
    use crate::paths::StatePaths;
    use serde_json::json;
    use std::os::unix::fs::PermissionsExt;

    fn config(home: &std::path::Path, value: &Value) -> Config {
        let env: Env = [("HOME", home.to_str().unwrap()), ("MY_KEY", "from-env"), ("OTHER", "x")].into_iter().collect();
        let paths = StatePaths::from_env(&env).unwrap();
        load_text(&paths, &env, Some(&value.to_string()), &Default::default()).unwrap()
    }

    // GW-132
    #[test]
    fn references() {
        let tmp = tempfile::tempdir().unwrap();
        for (name, text, mode) in [
            ("s.json", "{\"a/b\": {\"k\": \"deep\"}, \"n\": 1}", 0o600),
            ("one", "whole\n", 0o600),
            ("open", "x", 0o644),
            ("bad", "{", 0o600),
        ] {
            fs_err::write(tmp.path().join(name), text).unwrap();
            fs_err::set_permissions(tmp.path().join(name), std::fs::Permissions::from_mode(mode)).unwrap();
        }
        let provider = |path: &str, mode: &str| json!({"source": "file", "path": format!("~/{path}"), "mode": mode});
        let config = config(
            tmp.path(),
            &json!({"secrets": {"providers": {
                "default": {"source": "env", "allowlist": ["MY_KEY"]},
                "json": provider("s.json", "json"), "one": provider("one", "singleValue"), "open": provider("open", "singleValue"),
                "gone": provider("gone", "json"), "bad": provider("bad", "json"),
                "vault": {"source": "exec", "command": "/bin/vault"}
            }}}),
        );
        let cases = [
            (json!("plain"), Ok("plain")),
            (json!({"source": "env", "provider": "default", "id": "MY_KEY"}), Ok("from-env")),
            (json!({"source": "env", "id": "MY_KEY"}), Ok("from-env")),
            (json!("secretref-env:MY_KEY"), Ok("from-env")),
            (json!({"source": "env", "provider": "default", "id": "OTHER"}), Err("allowlist")),
            (json!("${NOT_SET}"), Err("allowlist")),
            (json!({"source": "env", "provider": "x", "id": "NOT_SET"}), Err("not set")),
            (json!({"source": "file", "provider": "json", "id": "/a~1b/k"}), Ok("deep")),
            (json!({"source": "file", "provider": "json", "id": "/n"}), Err("not a text")),
            (json!({"source": "file", "provider": "json", "id": "/x"}), Err("has no")),
            (json!({"source": "file", "provider": "one", "id": "value"}), Ok("whole")),
            (json!({"source": "file", "provider": "one", "id": "/x"}), Err("`value`")),
            (json!({"source": "file", "provider": "open", "id": "value"}), Err("chmod 600")),
            (json!({"source": "file", "provider": "gone", "id": "/x"}), Err("gone")),
            (json!({"source": "file", "provider": "bad", "id": "/x"}), Err("not JSON")),
            (json!({"source": "file", "provider": "nope", "id": "/x"}), Err("not configured")),
            (json!({"source": "file", "provider": "default", "id": "/x"}), Err("another kind")),
            (json!({"source": "exec", "provider": "vault", "id": "a"}), Err("not built yet")),
        ];
        for (value, want) in cases {
            let input = config.secret_input(&value).unwrap();
            match (config.resolve_secret("f", &input), want) {
                (Ok(got), Ok(want)) => assert_eq!(got.expose(), want, "{value}"),
                (Err(error), Err(part)) => {
                    assert!(error.to_string().contains(part) && error.to_string().starts_with("f: "), "{value}: {error}")
                }
                (got, want) => panic!("{value}: {got:?} {want:?}"),
            }
        }
        assert_eq!(config.secret_input(&json!("  ")), None);
        assert_eq!(config.secret_input(&json!(5)), None);
    }

    #[test]
    fn a_secret_does_not_show_itself() {
        let secret = Secret::new("hunter2");
        assert!(!format!("{secret:?} {secret}").contains("hunter2"));
    }
}
