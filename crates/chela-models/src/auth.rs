//! Which credential a call uses: configuration, auth profiles of the agent, environment (PRV-159).

use crate::profiles::{ProfileCache, ProfileFile, ProfileKind};
use crate::secret::{Secret, is_non_secret_marker};
use crate::settings::{ProviderAuth, ProviderSettings};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// Maps an agent id to the directory that holds its `auth-profiles.json`.
pub type AgentDir = Arc<dyn Fn(&str) -> PathBuf + Send + Sync>;

/// Where credentials come from.
#[derive(Clone)]
pub struct AuthInputs {
    /// Environment, injected.
    pub env: BTreeMap<String, String>,
    /// The `auth` section of the configuration (order and profile metadata, never secrets), or null.
    pub auth_config: Value,
    /// Directory that holds an agent's `auth-profiles.json`; `None` when profiles are not used.
    pub agent_dir: Option<AgentDir>,
    /// Agent used when a request names none, and whose profiles the other agents read through to.
    pub default_agent: String,
}

impl Default for AuthInputs {
    fn default() -> Self {
        Self { env: BTreeMap::new(), auth_config: Value::Null, agent_dir: None, default_agent: "main".to_owned() }
    }
}

/// Whether a provider can be called, as far as can be told without calling it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthState {
    /// A credential is there; where it came from, such as `env: OPENAI_API_KEY`.
    Configured(String),
    /// The provider needs none.
    NotNeeded,
    /// None was found; what to do about it.
    Missing(String),
}

impl AuthState {
    /// Whether calls can be made.
    pub fn usable(&self) -> bool {
        !matches!(self, Self::Missing(_))
    }
}

/// The credential that a call would use first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedAuth {
    /// The secret; `None` for servers that need none.
    pub api_key: Option<Secret>,
    /// Where it came from, such as `env: OPENAI_API_KEY`.
    pub source: String,
    /// `api-key`, `token` or `oauth`.
    pub mode: &'static str,
    /// The auth profile that holds it.
    pub profile_id: Option<String>,
    /// The environment variable that holds it.
    pub env_var: Option<String>,
}

/// What is tried next when a credential is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rotation {
    /// The next one is tried after a rate limit only (PRV-169).
    RateLimitOnly,
    /// The next one is tried after a rate limit, a refusal or a lack of credit.
    AnyRefusal,
}

/// One credential to try.
#[derive(Debug, Clone)]
pub(crate) struct Credential {
    /// `None` for servers that need no key.
    pub secret: Option<Secret>,
    /// Sent as a bearer token whatever the wire format prefers.
    pub bearer: bool,
    pub source: String,
    pub rotation: Rotation,
}

/// Resolves credentials; cheap to clone.
#[derive(Clone)]
pub struct AuthStore {
    inputs: Arc<AuthInputs>,
    cache: Arc<Mutex<ProfileCache>>,
}

impl Default for AuthStore {
    fn default() -> Self {
        Self::new(AuthInputs::default())
    }
}

impl AuthStore {
    /// A store over the given sources.
    pub fn new(inputs: AuthInputs) -> Self {
        Self { inputs: Arc::new(inputs), cache: Arc::default() }
    }

    /// Whether a provider can be called on behalf of an agent (`None`: the default agent).
    pub fn state(&self, settings: &ProviderSettings, agent: Option<&str>) -> AuthState {
        match self.credentials(settings, agent, None) {
            Ok(list) => match list.first() {
                Some(first) if first.secret.is_some() => AuthState::Configured(first.source.clone()),
                _ => AuthState::NotNeeded,
            },
            Err(hint) => AuthState::Missing(hint),
        }
    }

    /// The credential that a call on behalf of an agent (`None`: the default agent) would use first (RT-070).
    ///
    /// # Errors
    /// When there is none; the text says what to do about it.
    pub fn resolve(&self, settings: &ProviderSettings, agent: Option<&str>, pinned: Option<&str>) -> Result<ResolvedAuth, String> {
        let list = self.credentials(settings, agent, pinned)?;
        let Some(first) = list.into_iter().next() else { return Err(missing(settings, &[], None)) };
        let profile_id = first.source.strip_prefix("profile: ").map(str::to_owned);
        let kind = profile_id.as_ref().and_then(|id| {
            let file = self.profile_file(agent.unwrap_or(&self.inputs.default_agent));
            file.profiles.get(id).map(|p| p.kind)
        });
        let mode = match kind {
            Some(ProfileKind::OAuth) => "oauth",
            Some(ProfileKind::Token) => "token",
            // PRV-163
            None if first.bearer && first.source.starts_with("env: ") => "oauth",
            _ => "api-key",
        };
        let env_var = first.source.strip_prefix("env: ").map(str::to_owned);
        Ok(ResolvedAuth { api_key: first.secret, source: first.source, mode, profile_id, env_var })
    }

    /// Credentials in the order in which they are tried; never empty. A pinned profile is the only one.
    pub(crate) fn credentials(
        &self,
        settings: &ProviderSettings,
        agent: Option<&str>,
        pinned: Option<&str>,
    ) -> Result<Vec<Credential>, String> {
        if settings.auth == ProviderAuth::AwsSdk {
            return Err("the AWS credential chain (`auth: \"aws-sdk\"`) is not built yet".to_owned());
        }
        let file = self.profile_file(agent.unwrap_or(&self.inputs.default_agent));
        if let Some(id) = pinned {
            return pinned_profile(&file, settings, id).map(|c| vec![c]);
        }
        let config = self.config_credential(settings);
        if settings.auth == ProviderAuth::ApiKey
            && let Some(found) = &config
        {
            return Ok(vec![found.clone()]);
        }
        let (mut list, problems) = self.profile_credentials(&file, settings);
        if list.is_empty() {
            list = self.env_credentials(settings);
        }
        if list.is_empty()
            && let Some(login) = &settings.local_login
        {
            let secret = Some(Secret::new(&login.marker));
            list.push(Credential { secret, bearer: false, source: login.source.clone(), rotation: Rotation::RateLimitOnly });
        }
        if list.is_empty() {
            list.extend(config);
        }
        if list.is_empty() && needs_no_key(settings) {
            list.push(Credential { secret: None, bearer: false, source: "none needed".to_owned(), rotation: Rotation::AnyRefusal });
        }
        // An Anthropic subscription token cannot be used yet and must not stand before a key that can.
        if list.iter().any(|c| !is_subscription_token(c)) {
            list.retain(|c| !is_subscription_token(c));
        }
        if list.is_empty() { Err(missing(settings, &problems, file.problem.as_deref())) } else { Ok(list) }
    }

    fn profile_file(&self, agent: &str) -> ProfileFile {
        let Some(dir_of) = &self.inputs.agent_dir else {
            return ProfileFile::default();
        };
        let now = now_ms();
        let env = |name: &str| self.env(name);
        let main = &self.inputs.default_agent;
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let own = ProfileFile::interpret(&cache.get(&dir_of(agent)), &env, now);
        if agent == main {
            return own;
        }
        let inherited = ProfileFile::interpret(&cache.get(&dir_of(main)), &env, now);
        own.read_through(&inherited)
    }

    /// A variable of the injected environment; a blank one counts as absent.
    pub fn variable(&self, name: &str) -> Option<String> {
        self.env(name)
    }

    fn env(&self, name: &str) -> Option<String> {
        self.inputs.env.get(name).filter(|v| !v.trim().is_empty()).cloned()
    }

    fn config_credential(&self, settings: &ProviderSettings) -> Option<Credential> {
        let bearer = matches!(settings.auth, ProviderAuth::Token | ProviderAuth::OAuth);
        let found = |secret, source: String| Credential { secret: Some(secret), bearer, source, rotation: Rotation::AnyRefusal };
        if let Some(name) = &settings.api_key_env {
            return self.env(name).map(|value| found(Secret::new(value), format!("env: {name}")));
        }
        let key = settings.api_key.as_ref().filter(|k| !k.is_empty())?;
        // A marker stands for "no secret", except that a key may be given as the name of a variable.
        if is_non_secret_marker(key.expose()) {
            return None;
        }
        if settings.env_vars.iter().any(|name| name == key.expose()) {
            return self.env(key.expose()).map(|value| found(Secret::new(value), format!("env: {}", key.expose())));
        }
        Some(found(key.clone(), format!("config: models.providers.{}.apiKey", settings.id)))
    }

    fn profile_credentials(&self, file: &ProfileFile, settings: &ProviderSettings) -> (Vec<Credential>, Vec<String>) {
        let (mut list, mut problems) = (Vec::new(), Vec::new());
        for id in file.order(&settings.id, &self.inputs.auth_config, now_ms()) {
            let Some(profile) = file.profiles.get(&id) else {
                continue;
            };
            match &profile.secret {
                Ok(secret) => list.push(Credential {
                    secret: Some(secret.clone()),
                    bearer: profile.kind != ProfileKind::ApiKey,
                    source: format!("profile: {id}"),
                    rotation: Rotation::AnyRefusal,
                }),
                // One bad profile must not hide the good ones (PRV-160).
                Err(problem) => {
                    tracing::warn!(profile = %id, %problem, "auth profile skipped");
                    problems.push(format!("profile `{id}`: {problem}"));
                }
            }
        }
        (list, problems)
    }

    fn env_credentials(&self, settings: &ProviderSettings) -> Vec<Credential> {
        let mut seen: Vec<String> = Vec::new();
        let mut list = Vec::new();
        for (name, value) in self.env_keys(settings) {
            if is_non_secret_marker(&value) || seen.contains(&value) {
                continue;
            }
            list.push(Credential {
                secret: Some(Secret::new(&value)),
                bearer: name.contains("OAUTH_TOKEN"),
                source: format!("env: {name}"),
                rotation: Rotation::RateLimitOnly,
            });
            seen.push(value);
        }
        list
    }

    /// The primary key first, then the rotation list (PRV-167, PRV-168).
    fn env_keys(&self, settings: &ProviderSettings) -> Vec<(String, String)> {
        let prefix = settings.id.to_ascii_uppercase().replace('-', "_");
        let live = format!("OPENCLAW_LIVE_{prefix}_KEY");
        if let Some(value) = self.env(&live) {
            return vec![(live, value.trim().to_owned())];
        }
        let mut keys: Vec<(String, String)> = Vec::new();
        keys.extend(settings.env_vars.iter().find_map(|n| Some((n.clone(), self.env(n)?.trim().to_owned()))));
        let list_name = format!("{prefix}_API_KEYS");
        if let Some(list) = self.env(&list_name) {
            let parts = list.split([',', ';', ' ', '\t', '\n', '\r']).filter(|p| !p.is_empty());
            keys.extend(parts.map(|p| (list_name.clone(), p.to_owned())));
        }
        let single = format!("{prefix}_API_KEY");
        let numbered = format!("{single}_");
        let env = &self.inputs.env;
        let more = env.iter().filter(|(n, v)| (**n == single || n.starts_with(&numbered)) && !v.trim().is_empty());
        keys.extend(more.map(|(n, v)| (n.clone(), v.trim().to_owned())));
        keys.extend(settings.env_vars.iter().filter_map(|n| Some((n.clone(), self.env(n)?.trim().to_owned()))));
        keys
    }
}

fn is_subscription_token(credential: &Credential) -> bool {
    credential.secret.as_ref().is_some_and(Secret::is_anthropic_subscription)
}

fn pinned_profile(file: &ProfileFile, settings: &ProviderSettings, id: &str) -> Result<Credential, String> {
    let Some(profile) = file.profiles.get(id) else {
        return Err(format!("the auth profile `{id}` does not exist"));
    };
    if profile.provider != settings.id {
        return Err(format!("the auth profile `{id}` belongs to the provider `{}`", profile.provider));
    }
    let secret = profile.secret.clone().map_err(|problem| format!("the auth profile `{id}` cannot be used: {problem}"))?;
    Ok(Credential {
        secret: Some(secret),
        bearer: profile.kind != ProfileKind::ApiKey,
        source: format!("profile: {id}"),
        rotation: Rotation::AnyRefusal,
    })
}

/// A server on this machine or network without any key (PRV-166), or one that authenticates by its own headers.
fn needs_no_key(settings: &ProviderSettings) -> bool {
    let own_header =
        settings.headers.keys().any(|name| ["authorization", "x-api-key", "api-key"].iter().any(|known| name.eq_ignore_ascii_case(known)));
    own_header || (settings.is_local() && settings.auth == ProviderAuth::Unstated && settings.api_key_env.is_none())
}

fn missing(settings: &ProviderSettings, problems: &[String], file_problem: Option<&str>) -> String {
    let mut text = format!("there is no API key for the provider `{}`", settings.id);
    let details = settings.api_key_problem.iter().map(String::as_str).chain(file_problem);
    for detail in details.chain(problems.iter().map(String::as_str)) {
        text.push_str("; ");
        text.push_str(detail);
    }
    if let Some(name) = &settings.api_key_env {
        text.push_str(&format!("; the environment variable `{name}` is not set"));
    }
    match settings.env_vars.first() {
        Some(name) => text.push_str(&format!("; set `{name}` or `models.providers.{}.apiKey`", settings.id)),
        None => text.push_str(&format!("; set `models.providers.{}.apiKey`", settings.id)),
    }
    text
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).ok().and_then(|d| i64::try_from(d.as_millis()).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::ApiKind;
    use serde_json::json;

    fn provider() -> ProviderSettings {
        let mut p = ProviderSettings::new("openai", ApiKind::OpenAiCompletions, "https://api.openai.com/v1");
        p.env_vars = vec!["OPENAI_API_KEY".to_owned()];
        p
    }

    fn store(env: &[(&str, &str)], profiles: Value) -> (AuthStore, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        if !profiles.is_null() {
            std::fs::create_dir_all(dir.path().join("main")).unwrap();
            let text = json!({"version": 1, "profiles": profiles}).to_string();
            std::fs::write(dir.path().join("main/auth-profiles.json"), text).unwrap();
        }
        let root = dir.path().to_owned();
        let inputs = AuthInputs {
            env: env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            agent_dir: Some(Arc::new(move |agent: &str| root.join(agent))),
            ..AuthInputs::default()
        };
        (AuthStore::new(inputs), dir)
    }

    fn keys(store: &AuthStore, p: &ProviderSettings, agent: Option<&str>, pin: Option<&str>) -> Result<Vec<String>, String> {
        let list = store.credentials(p, agent, pin)?;
        Ok(list.into_iter().map(|c| c.secret.map_or("-".to_owned(), |s| s.expose().to_owned())).collect())
    }

    #[test]
    fn order_of_sources() {
        // PRV-159 (explicit config key, profiles, environment, config), PRV-160
        let profiles = json!({
            "openai:a": {"type":"api_key","provider":"openai","key":"from-profile"},
            "openai:b": {"type":"api_key","provider":"openai"},
        });
        let env = [("OPENAI_API_KEY", "from-env")];
        let mut p = provider();
        p.api_key = Some(Secret::new("from-config"));
        let (all, _d) = store(&env, profiles.clone());
        assert_eq!(keys(&all, &p, None, None).unwrap(), ["from-profile"]);
        let (no_profiles, _d) = store(&env, Value::Null);
        assert_eq!(keys(&no_profiles, &p, None, None).unwrap(), ["from-env"]);
        let (nothing, _d) = store(&[], Value::Null);
        assert_eq!(keys(&nothing, &p, None, None).unwrap(), ["from-config"]);
        p.auth = ProviderAuth::ApiKey;
        assert_eq!(keys(&all, &p, None, None).unwrap(), ["from-config"]);
    }

    #[test]
    fn other_agents_read_through_and_pins_hold() {
        // PRV-145, PRV-161 (an explicit profile that cannot resolve is an error)
        let profiles = json!({
            "openai:a": {"type":"api_key","provider":"openai","key":"ka"},
            "openai:b": {"type":"api_key","provider":"openai","key":"kb"},
            "other:a": {"type":"api_key","provider":"other","key":"ko"},
        });
        let (store, _d) = store(&[("OPENAI_API_KEY", "env")], profiles);
        assert_eq!(keys(&store, &provider(), Some("work"), None).unwrap(), ["ka", "kb"]);
        assert_eq!(keys(&store, &provider(), None, Some("openai:b")).unwrap(), ["kb"]);
        assert!(keys(&store, &provider(), None, Some("openai:z")).unwrap_err().contains("does not exist"));
        assert!(keys(&store, &provider(), None, Some("other:a")).unwrap_err().contains("`other`"));
    }

    #[test]
    fn rotation_list() {
        // PRV-167 (except Google's extra name), PRV-168 (upper case, primary first)
        let env = [("OPENAI_API_KEY", "k0"), ("OPENAI_API_KEYS", "k1,k2;k0 k3"), ("OPENAI_API_KEY_2", "k4"), ("OPENAI_API_KEYX", "no")];
        let (many, _d) = store(&env, Value::Null);
        assert_eq!(keys(&many, &provider(), None, None).unwrap(), ["k0", "k1", "k2", "k3", "k4"]);
        let (live, _d) = store(&[("OPENCLAW_LIVE_OPENAI_KEY", "live"), ("OPENAI_API_KEY", "k")], Value::Null);
        assert_eq!(keys(&live, &provider(), None, None).unwrap(), ["live"]);
    }

    #[test]
    fn keyless_and_missing() {
        // PRV-165 (a marker is never sent), PRV-166 (local hosts need no key)
        let (empty, _d) = store(&[], Value::Null);
        let mut local = ProviderSettings::new("lab", ApiKind::OpenAiCompletions, "http://127.0.0.1:9/v1");
        assert_eq!(empty.state(&local, None), AuthState::NotNeeded);
        local.api_key = Some(Secret::new("custom-local"));
        assert_eq!(keys(&empty, &local, None, None).unwrap(), ["-"]);
        let mut anthropic = ProviderSettings::new("anthropic", ApiKind::AnthropicMessages, "https://api.anthropic.com");
        anthropic.env_vars = vec!["ANTHROPIC_OAUTH_TOKEN".to_owned(), "ANTHROPIC_API_KEY".to_owned()];
        let (both, _d) = store(&[("ANTHROPIC_OAUTH_TOKEN", "sk-ant-oat01-x"), ("ANTHROPIC_API_KEY", "key")], Value::Null);
        assert_eq!(keys(&both, &anthropic, None, None).unwrap(), ["key"]);
        let remote = ProviderSettings::new("far", ApiKind::OpenAiCompletions, "https://far.example/v1");
        assert!(matches!(empty.state(&remote, None), AuthState::Missing(hint) if hint.contains("models.providers.far.apiKey")));
        let AuthState::Missing(hint) = empty.state(&provider(), None) else { panic!() };
        assert!(hint.contains("`OPENAI_API_KEY`"), "{hint}");
        let mut named = provider();
        named.api_key = Some(Secret::new("OPENAI_API_KEY"));
        let (set, _d) = store(&[("OPENAI_API_KEY", "value")], Value::Null);
        assert_eq!(set.state(&named, None), AuthState::Configured("env: OPENAI_API_KEY".to_owned()));
        assert!(!empty.state(&named, None).usable(), "the name of a variable is not sent as a key");
    }
}
