//! Where packages come from, as npm is told: environment before the user's npmrc before the global one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chela_config::{Env, Secret};
use url::Url;

use crate::error::NpmError;
use crate::route::Route;

/// The registry when nobody names one.
const PUBLIC_REGISTRY: &str = "https://registry.npmjs.org/";
/// Largest npmrc that is read, in bytes.
const MAX_NPMRC: u64 = 1024 * 1024;

/// How to reach registries and where to keep what came from them.
#[derive(Debug, Clone)]
pub struct NpmSettings {
    /// The registry, ending in `/`.
    pub registry: Url,
    /// Registries of single scopes, by `@scope`, ending in `/`.
    pub scopes: BTreeMap<String, Url>,
    /// Root of store and metadata cache; nothing else is written there.
    pub cache_dir: PathBuf,
    /// Use only what the cache holds.
    pub offline: bool,
    /// Requests at a time.
    pub concurrency: usize,
    /// The longest wait for a connection, and for the next bytes of an answer.
    pub stall: Duration,
    /// The longest wait for one whole answer.
    pub total: Duration,
    /// Tries of one request.
    pub attempts: u32,
    /// The wait before the second try; later ones are four times as long each.
    pub backoff: Duration,
    pub(crate) route: Route,
    credentials: Credentials,
}

/// Credentials by the place they are for.
#[derive(Debug, Clone, Default)]
struct Credentials(Vec<(String, Secret)>);

impl NpmSettings {
    /// Settings for one registry, everything else by default.
    pub fn new(registry: Url, cache_dir: PathBuf) -> Self {
        Self {
            registry: as_directory(registry),
            scopes: BTreeMap::new(),
            cache_dir,
            offline: false,
            concurrency: 16,
            stall: Duration::from_secs(30),
            total: Duration::from_secs(300),
            attempts: 3,
            backoff: Duration::from_millis(300),
            route: Route::default(),
            credentials: Credentials::default(),
        }
    }

    /// Adds a bearer token for a registry. It is sent to addresses below `registry` and to no other.
    #[must_use]
    pub fn with_token(mut self, registry: &Url, token: Secret) -> Self {
        self.credentials.0.insert(0, (place_of(&as_directory(registry.clone())), Secret::new(format!("Bearer {}", token.expose()))));
        self
    }

    /// Reads `npm_config_*` (any case) and the npmrc files that they and `HOME` lead to.
    ///
    /// # Errors
    /// [`NpmError::Setting`] for a registry that is no http(s) address and for unusable credentials,
    /// and for a `cafile` that cannot be read.
    pub fn from_env(env: &Env, cache_dir: PathBuf) -> Result<Self, NpmError> {
        let mut layers = vec![("environment".to_owned(), environment(env))];
        let variable = |key: &str| layers[0].1.iter().find(|(name, _)| name == key).map(|(_, value)| PathBuf::from(value));
        let user = variable("userconfig").or_else(|| env.non_empty("HOME").map(|home| Path::new(home).join(".npmrc")));
        let global = variable("globalconfig")
            .or_else(|| env.non_empty("PREFIX").map(|prefix| Path::new(prefix).join("etc/npmrc")))
            .or_else(|| Some("/usr/local/etc/npmrc".into()));
        for file in [user, global].into_iter().flatten() {
            if let Some(text) = read_npmrc(&file)? {
                layers.push((file.display().to_string(), npmrc(&text, env)));
            }
        }
        let mut settings = Self::new(parse_url(PUBLIC_REGISTRY, "default", "registry")?, cache_dir);
        // The first layer that says something wins, so the last one is applied first.
        for (origin, entries) in layers.iter().rev() {
            let mut logins = BTreeMap::new();
            for (key, value) in entries {
                settings.apply(origin, key, value, &mut logins)?;
            }
            for (place, login) in logins {
                settings.credentials.0.insert(0, (place.clone(), login.header(origin, &place)?));
            }
        }
        Ok(settings)
    }

    fn apply(&mut self, origin: &str, key: &str, value: &str, logins: &mut BTreeMap<String, Login>) -> Result<(), NpmError> {
        if let Some(place) = key.strip_prefix("//") {
            if let Some((place, field)) = place.rsplit_once(':') {
                let login = logins.entry(format!("//{}/", place.trim_end_matches('/'))).or_default();
                login.set(field, value);
            }
            return Ok(());
        }
        match key {
            "registry" => self.registry = parse_url(value, origin, key)?,
            "offline" => self.offline = value == "true" || value == "1",
            _ if key.starts_with('@') && key.ends_with(":registry") => {
                let scope = key.trim_end_matches(":registry").to_owned();
                self.scopes.insert(scope, parse_url(value, origin, key)?);
            }
            _ => {
                self.route.apply(origin, key, value)?;
            }
        }
        Ok(())
    }

    /// The registry that a package belongs to.
    pub fn registry_for(&self, package: &str) -> &Url {
        let scope = package.split_once('/').map(|(scope, _)| scope).filter(|scope| scope.starts_with('@'));
        scope.and_then(|scope| self.scopes.get(scope)).unwrap_or(&self.registry)
    }

    /// The value of `Authorization` for an address, if any is meant for it.
    pub(crate) fn authorization(&self, url: &Url) -> Option<&Secret> {
        let mut place = place_of(url);
        loop {
            if let Some((_, secret)) = self.credentials.0.iter().find(|(known, _)| *known == place) {
                return Some(secret);
            }
            // One directory up; `//host/` is the last.
            let shorter = place.trim_end_matches('/').rfind('/').filter(|at| *at > 1)?;
            place.truncate(shorter + 1);
        }
    }
}

/// `//host:port/dir/` of an address.
fn place_of(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let path = url.path().rsplit_once('/').map_or("", |(dir, _)| dir);
    format!("//{}{port}{path}/", url.host_str().unwrap_or_default())
}

#[derive(Default)]
struct Login {
    token: Option<String>,
    basic: Option<String>,
    user: Option<String>,
    password: Option<String>,
}

impl Login {
    fn set(&mut self, field: &str, value: &str) {
        let value = Some(value.to_owned());
        match field {
            "_authToken" => self.token = value,
            "_auth" => self.basic = value,
            "username" => self.user = value,
            "_password" => self.password = value,
            _ => {}
        }
    }

    fn header(self, origin: &str, place: &str) -> Result<Secret, NpmError> {
        let fail =
            |key: &str, problem: &str| NpmError::Setting { origin: origin.into(), key: format!("{place}:{key}"), problem: problem.into() };
        let header = match (self.token, self.basic, self.user, self.password) {
            (Some(token), ..) => format!("Bearer {token}"),
            (None, Some(basic), ..) => format!("Basic {basic}"),
            (None, None, Some(user), Some(password)) => {
                // npm keeps the password in Base64.
                let password = STANDARD.decode(&password).map_err(|_| fail("_password", "no Base64 text"))?;
                let pair = [user.as_bytes(), b":", &password].concat();
                format!("Basic {}", STANDARD.encode(pair))
            }
            _ => return Ok(Secret::new("")),
        };
        if header.bytes().any(|byte| byte < 0x20 || byte == 0x7f) {
            return Err(fail("_authToken", "it holds control characters"));
        }
        Ok(Secret::new(header))
    }
}

/// `npm_config_*` of the environment, keys as npm reads them: case and `_` do not matter, except in
/// keys for one registry.
fn environment(env: &Env) -> Vec<(String, String)> {
    let prefix = "npm_config_";
    let entries = env.iter().filter(|(key, _)| key.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix)));
    let mut found: Vec<(String, String)> = entries
        .filter(|(_, value)| !value.is_empty())
        .map(|(key, value)| {
            let key = &key[prefix.len()..];
            let name =
                if key.starts_with("//") || key.starts_with('@') { key.to_owned() } else { key.to_ascii_lowercase().replace('_', "-") };
            (name, value.to_owned())
        })
        .collect();
    // Lower case is what npm itself sets, so it wins; the sort is stable and later entries overwrite.
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

/// `key = value` lines of an npmrc. `${NAME}` is replaced where the variable is set.
fn npmrc(text: &str, env: &Env) -> Vec<(String, String)> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with([';', '#', '[']));
    lines
        .filter_map(|line| {
            let (key, value) = line.split_once('=')?;
            let value = value.trim();
            let quoted = |mark: char| value.strip_prefix(mark).and_then(|rest| rest.strip_suffix(mark));
            let value = quoted('"').or_else(|| quoted('\'')).unwrap_or(value);
            Some((expand(key.trim(), env), expand(value, env)))
        })
        .collect()
}

fn expand(text: &str, env: &Env) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let Some(length) = rest[start..].find('}') else { break };
        let name = &rest[start + 2..start + length];
        let (name, optional) = name.strip_suffix('?').map_or((name, false), |name| (name, true));
        out.push_str(&rest[..start]);
        match env.get(name) {
            Some(value) => out.push_str(value),
            None if optional => {}
            None => out.push_str(&rest[start..=start + length]),
        }
        rest = &rest[start + length + 1..];
    }
    out + rest
}

fn read_npmrc(path: &Path) -> Result<Option<String>, NpmError> {
    match fs_err::metadata(path) {
        Ok(meta) if meta.is_file() && meta.len() <= MAX_NPMRC => Ok(Some(String::from_utf8_lossy(&fs_err::read(path)?).into_owned())),
        Ok(meta) if meta.is_file() => Err(NpmError::TooLarge { what: format!("`{}`", path.display()), limit: MAX_NPMRC, unit: "bytes" }),
        _ => Ok(None),
    }
}

fn parse_url(text: &str, origin: &str, key: &str) -> Result<Url, NpmError> {
    let fail = |problem: &str| NpmError::Setting { origin: origin.into(), key: key.into(), problem: problem.into() };
    let url = Url::parse(text).map_err(|_| fail("this is no address; write `https://host/path/`"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(fail("only http and https registries are supported"));
    }
    Ok(as_directory(url))
}

fn as_directory(mut url: Url) -> Url {
    let path = format!("{}/", url.path().trim_end_matches('/'));
    url.set_path(&path);
    url.set_query(None);
    url.set_fragment(None);
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(env: &[(&str, &str)], npmrc: &str) -> Result<NpmSettings, NpmError> {
        let home = tempfile::tempdir().unwrap();
        fs_err::write(home.path().join(".npmrc"), npmrc).unwrap();
        let mut all = Env::default();
        all.set("HOME", home.path().to_str().unwrap());
        all.set("NPM_CONFIG_GLOBALCONFIG", "/nonexistent");
        env.iter().for_each(|(key, value)| all.set(*key, *value));
        NpmSettings::from_env(&all, "/cache".into())
    }

    #[test]
    fn environment_wins_over_npmrc() {
        let npmrc = "; comment\nregistry = https://one.test/npm\n@acme:registry=\"https://acme.test\"\noffline=true\n";
        let from_file = settings(&[], npmrc).unwrap();
        assert_eq!(from_file.registry.as_str(), "https://one.test/npm/");
        assert_eq!(from_file.registry_for("@acme/x").as_str(), "https://acme.test/");
        assert_eq!(from_file.registry_for("@other/x").as_str(), "https://one.test/npm/");
        assert!(from_file.offline);
        let from_env = settings(&[("NPM_CONFIG_REGISTRY", "http://127.0.0.1:4873")], npmrc).unwrap();
        assert_eq!(from_env.registry.as_str(), "http://127.0.0.1:4873/");
        assert_eq!(settings(&[], "").unwrap().registry.as_str(), PUBLIC_REGISTRY);
        let error = settings(&[("npm_config_registry", "ftp://x/")], "").unwrap_err().to_string();
        assert!(error.contains("environment") && error.contains("http"), "{error}");
    }

    #[test]
    fn credentials_stay_with_their_registry() {
        let npmrc = "//one.test/npm/:_authToken=${TOKEN}\n//two.test:8080/:username=joe\n//two.test:8080/:_password=c2VjcmV0\n//three.test/:_auth=abc\n";
        let found = settings(&[("TOKEN", "t0p")], npmrc).unwrap();
        let header = |url: &str| found.authorization(&Url::parse(url).unwrap()).map(|s| s.expose().to_owned());
        assert_eq!(header("https://one.test/npm/demo").as_deref(), Some("Bearer t0p"));
        assert_eq!(header("https://one.test/npm/demo/-/demo-1.tgz").as_deref(), Some("Bearer t0p"));
        assert_eq!(header("https://one.test/other"), None);
        assert_eq!(header("https://one.test.evil/npm/demo"), None);
        assert_eq!(header("https://one.test:444/npm/demo"), None);
        assert_eq!(header("http://two.test:8080/a/b/c").as_deref(), Some("Basic am9lOnNlY3JldA=="));
        assert_eq!(header("https://three.test/x").as_deref(), Some("Basic abc"));
        assert!(!format!("{found:?}").contains("t0p"));
        let error = settings(&[("TOKEN", "a\nb")], npmrc).unwrap_err().to_string();
        assert!(error.contains("control characters") && !error.contains("a\nb"));
    }
}
