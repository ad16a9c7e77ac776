//! Auth profiles of an agent: `auth-profiles.json` and the routing in `auth-state.json`, read and never written
//! (GW-166, PRV-134..156).

use crate::secret::{Secret, is_non_secret_marker};
use crate::types::normalize_provider_id;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const PROFILES_FILE: &str = "auth-profiles.json";
const STATE_FILE: &str = "auth-state.json";

/// The two files of an agent directory as JSON; missing ones are `None`.
#[derive(Debug)]
pub(crate) struct RawFiles {
    profiles: Result<Option<Value>, String>,
    state: Option<Value>,
}

impl RawFiles {
    fn read(dir: &Path) -> Self {
        let profiles = read_json(&dir.join(PROFILES_FILE));
        // Routing is a convenience: without it the default order applies.
        let state = read_json(&dir.join(STATE_FILE)).ok().flatten();
        Self { profiles, state }
    }
}

/// How a stored credential is presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProfileKind {
    OAuth,
    Token,
    ApiKey,
}

/// One stored credential.
#[derive(Debug, Clone)]
pub(crate) struct Profile {
    pub provider: String,
    pub kind: ProfileKind,
    /// The secret, or why there is none to use.
    pub secret: Result<Secret, String>,
}

/// What the two files of one agent directory say.
#[derive(Debug, Clone, Default)]
pub(crate) struct ProfileFile {
    pub profiles: BTreeMap<String, Profile>,
    order: BTreeMap<String, Vec<String>>,
    usage: BTreeMap<String, ProfileUsage>,
    /// Why the file could not be used, with its path.
    pub problem: Option<String>,
}

#[derive(Debug, Clone, Copy, Default)]
struct ProfileUsage {
    last_used: i64,
    blocked_until: i64,
}

/// Looks up an environment variable.
pub(crate) type EnvLookup<'a> = &'a dyn Fn(&str) -> Option<String>;

impl ProfileFile {
    /// Makes sense of the files of an agent directory at a time (Unix epoch, milliseconds).
    pub(crate) fn interpret(raw: &RawFiles, env: EnvLookup<'_>, now_ms: i64) -> Self {
        let mut file = Self::default();
        match &raw.profiles {
            Ok(Some(value)) => match value.get("profiles").and_then(Value::as_object) {
                Some(map) => file.profiles = parse_profiles(map, env, now_ms),
                None => file.problem = Some(format!("`{PROFILES_FILE}` has no `profiles` object")),
            },
            Ok(None) => {}
            Err(problem) => file.problem = Some(problem.clone()),
        }
        if let Some(state) = &raw.state {
            file.order = state.get("order").map(string_lists).unwrap_or_default();
            file.usage = state.get("usageStats").and_then(Value::as_object).map(parse_usage).unwrap_or_default();
        }
        file
    }

    /// Takes over the profiles of the main agent that this one lacks (PRV-145).
    pub(crate) fn read_through(mut self, main: &Self) -> Self {
        for (id, profile) in &main.profiles {
            self.profiles.entry(id.clone()).or_insert_with(|| profile.clone());
        }
        for (id, usage) in &main.usage {
            self.usage.entry(id.clone()).or_insert(*usage);
        }
        self.problem = self.problem.or_else(|| main.problem.clone());
        self
    }

    /// Profile ids of a provider in the order in which they are tried (PRV-152, PRV-154..156).
    pub(crate) fn order(&self, provider: &str, auth_config: &Value, now_ms: i64) -> Vec<String> {
        let config_order = auth_config.get("order").map(string_lists).unwrap_or_default();
        let explicit = lookup(&self.order, provider)
            .or_else(|| lookup(&config_order, provider))
            .or_else(|| configured_profiles(auth_config, provider));
        let stored = |id: &String| self.profiles.get(id).is_some_and(|p| p.provider == provider);
        if let Some(list) = explicit {
            let known: Vec<String> = list.iter().filter(|id| stored(id)).cloned().collect();
            if !known.is_empty() || list.is_empty() {
                let usable = known.into_iter().filter(|id| self.mode_fits(id, auth_config)).collect();
                return self.cooling_last(usable, now_ms);
            }
        }
        let mut all: Vec<String> = self.profiles.keys().filter(|id| stored(id)).cloned().collect();
        all.retain(|id| self.mode_fits(id, auth_config));
        all.sort_by_key(|id| (self.type_rank(id), self.usage.get(id).map_or(0, |u| u.last_used)));
        self.cooling_last(all, now_ms)
    }

    fn type_rank(&self, id: &str) -> u8 {
        match self.profiles.get(id).map(|p| p.kind) {
            Some(ProfileKind::OAuth) => 0,
            Some(ProfileKind::Token) => 1,
            _ => 2,
        }
    }

    /// A profile whose configured mode differs from the stored type is not used, except `oauth` over a token (PRV-151).
    fn mode_fits(&self, id: &str, auth_config: &Value) -> bool {
        let mode = auth_config.pointer(&format!("/profiles/{}/mode", escape_pointer(id))).and_then(Value::as_str);
        match (mode, self.profiles.get(id).map(|p| p.kind)) {
            (Some("api_key"), Some(kind)) => kind == ProfileKind::ApiKey,
            (Some("token"), Some(kind)) => kind == ProfileKind::Token,
            (Some("oauth"), Some(kind)) => kind != ProfileKind::ApiKey,
            _ => true,
        }
    }

    fn cooling_last(&self, ids: Vec<String>, now_ms: i64) -> Vec<String> {
        let until = |id: &String| self.usage.get(id).map_or(0, |u| u.blocked_until);
        let (mut cooling, mut ready): (Vec<_>, Vec<_>) = ids.into_iter().partition(|id| until(id) > now_ms);
        cooling.sort_by_key(until);
        ready.append(&mut cooling);
        ready
    }
}

fn lookup(lists: &BTreeMap<String, Vec<String>>, provider: &str) -> Option<Vec<String>> {
    lists.iter().find(|(id, _)| normalize_provider_id(id) == provider).map(|(_, list)| list.clone())
}

fn configured_profiles(auth_config: &Value, provider: &str) -> Option<Vec<String>> {
    let map = auth_config.get("profiles")?.as_object()?;
    let of = |v: &Value| v.get("provider").and_then(Value::as_str).map(normalize_provider_id);
    let list: Vec<String> = map.iter().filter(|(_, v)| of(v).as_deref() == Some(provider)).map(|(k, _)| k.clone()).collect();
    (!list.is_empty()).then_some(list)
}

fn escape_pointer(id: &str) -> String {
    id.replace('~', "~0").replace('/', "~1")
}

fn read_json(path: &Path) -> Result<Option<Value>, String> {
    match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|e| {
            // The parser's message may quote a key; line and column are enough.
            format!("`{}` is no valid JSON (line {}, column {})", path.display(), e.line(), e.column())
        }),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(format!("`{}` cannot be read: {e}", path.display())),
    }
}

fn string_lists(value: &Value) -> BTreeMap<String, Vec<String>> {
    let list = |v: &Value| v.as_array().map(|a| a.iter().filter_map(|s| s.as_str().map(str::to_owned)).collect());
    value.as_object().map(|m| m.iter().filter_map(|(k, v)| Some((k.clone(), list(v)?))).collect()).unwrap_or_default()
}

fn parse_usage(map: &Map<String, Value>) -> BTreeMap<String, ProfileUsage> {
    let number = |v: &Value, name: &str| v.get(name).and_then(Value::as_i64).unwrap_or(0);
    map.iter()
        .map(|(id, v)| {
            let windows = ["cooldownUntil", "disabledUntil", "blockedUntil"];
            let blocked_until = windows.iter().map(|w| number(v, w)).max().unwrap_or(0);
            (id.clone(), ProfileUsage { last_used: number(v, "lastUsed"), blocked_until })
        })
        .collect()
}

fn parse_profiles(map: &Map<String, Value>, env: EnvLookup<'_>, now_ms: i64) -> BTreeMap<String, Profile> {
    map.iter().filter_map(|(id, value)| Some((id.clone(), parse_profile(id, value, env, now_ms)?))).collect()
}

fn parse_profile(id: &str, value: &Value, env: EnvLookup<'_>, now_ms: i64) -> Option<Profile> {
    let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::trim).filter(|t| !t.is_empty());
    let provider = text("provider").or_else(|| id.split_once(':').map(|(provider, _)| provider))?;
    let (kind, secret) = match text("type")? {
        "api_key" => (ProfileKind::ApiKey, inline_or_ref(text("key"), value.get("keyRef"), env)),
        "token" => (ProfileKind::Token, token(value, text("token"), env, now_ms)),
        "oauth" => (ProfileKind::OAuth, oauth(value, text("access"), now_ms)),
        _ => return None,
    };
    let secret = secret.and_then(|s| match is_non_secret_marker(s.expose()) {
        true => Err("it holds a placeholder, not a secret".to_owned()),
        false => Ok(s),
    });
    Some(Profile { provider: normalize_provider_id(provider), kind, secret })
}

/// The inline value comes first and the reference only when it is empty (PRV-192).
fn inline_or_ref(inline: Option<&str>, reference: Option<&Value>, env: EnvLookup<'_>) -> Result<Secret, String> {
    match (inline, reference) {
        (Some(text), _) => Ok(Secret::new(text)),
        (None, Some(reference)) => resolve_ref(reference, env),
        (None, None) => Err("it holds no secret".to_owned()),
    }
}

fn token(value: &Value, inline: Option<&str>, env: EnvLookup<'_>, now_ms: i64) -> Result<Secret, String> {
    // A reference does not excuse a bad `expires` (PRV-149).
    match value.get("expires") {
        None | Some(Value::Null) => {}
        Some(expires) => match expires.as_f64() {
            Some(at) if at.is_finite() && at > 0.0 && at > now_ms as f64 => {}
            Some(at) if at.is_finite() && at > 0.0 => {
                return Err("its token has expired".to_owned());
            }
            _ => return Err("its `expires` is no valid time".to_owned()),
        },
    }
    inline_or_ref(inline, value.get("tokenRef"), env)
}

fn oauth(value: &Value, access: Option<&str>, now_ms: i64) -> Result<Secret, String> {
    let expires = value.get("expires").and_then(Value::as_f64);
    match access {
        None if value.get("oauthRef").is_some() => Err("encrypted OAuth tokens are not built yet".to_owned()),
        None => Err("it holds no access token".to_owned()),
        Some(_) if expires.is_some_and(|at| at <= now_ms as f64) => {
            Err("its OAuth access token has expired and refreshing is not built yet".to_owned())
        }
        Some(token) => Ok(Secret::new(token)),
    }
}

/// Resolves a secret reference. Only environment references can be resolved here.
pub(crate) fn resolve_ref(reference: &Value, env: EnvLookup<'_>) -> Result<Secret, String> {
    let text = |name: &str| reference.get(name).and_then(Value::as_str).unwrap_or_default();
    let id = text("id");
    match text("source") {
        "env" => match env(id).filter(|v| !v.trim().is_empty()) {
            Some(value) => Ok(Secret::new(value)),
            None => Err(format!("the environment variable `{id}` that it refers to is not set")),
        },
        source @ ("file" | "exec") => Err(format!("secret references with the source `{source}` are not built yet")),
        source => Err(format!("`{source}` is no source of secret references")),
    }
}

/// The two files of each agent directory, re-read when they change. They are interpreted at each use, since an
/// expiry may have passed meanwhile.
#[derive(Debug, Default)]
pub(crate) struct ProfileCache {
    entries: BTreeMap<PathBuf, (FileStamp, Arc<RawFiles>)>,
}

type FileStamp = [Option<(std::time::SystemTime, u64)>; 2];

impl ProfileCache {
    /// The current content. Costs two `stat` calls when nothing changed.
    pub(crate) fn get(&mut self, dir: &Path) -> Arc<RawFiles> {
        let stamp = [PROFILES_FILE, STATE_FILE].map(|name| {
            let meta = std::fs::metadata(dir.join(name)).ok()?;
            Some((meta.modified().ok()?, meta.len()))
        });
        match self.entries.get(dir) {
            Some((known, files)) if *known == stamp => files.clone(),
            _ => {
                let files = Arc::new(RawFiles::read(dir));
                self.entries.insert(dir.to_owned(), (stamp, files.clone()));
                files
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: i64 = 1_000_000;

    fn file(profiles: Value, state: Value) -> ProfileFile {
        let raw = RawFiles { profiles: Ok(Some(json!({"version": 1, "profiles": profiles}))), state: Some(state) };
        ProfileFile::interpret(&raw, &|name| (name == "SET").then(|| "from-env".to_owned()), NOW)
    }

    fn key(provider: &str) -> Value {
        json!({"type": "api_key", "provider": provider, "key": "k"})
    }

    #[test]
    fn shapes() {
        // PRV-136, PRV-137, PRV-149, PRV-192
        let cases = [
            (json!({"type":"api_key","provider":"P","key":" k1 "}), Ok("k1")),
            (json!({"type":"api_key","provider":"p","keyRef":{"source":"env","provider":"default","id":"SET"}}), Ok("from-env")),
            (json!({"type":"api_key","provider":"p","key":"inline","keyRef":{"source":"env","id":"SET"}}), Ok("inline")),
            (json!({"type":"api_key","provider":"p","keyRef":{"source":"env","id":"UNSET"}}), Err("`UNSET`")),
            (json!({"type":"api_key","provider":"p","keyRef":{"source":"exec","id":"x"}}), Err("`exec`")),
            (json!({"type":"api_key","provider":"p"}), Err("no secret")),
            (json!({"type":"api_key","provider":"p","key":"custom-local"}), Err("placeholder")),
            (json!({"type":"token","provider":"p","token":"t"}), Ok("t")),
            (json!({"type":"token","provider":"p","token":"t","expires":NOW + 1}), Ok("t")),
            (json!({"type":"token","provider":"p","token":"t","expires":NOW - 1}), Err("expired")),
            (json!({"type":"token","provider":"p","token":"t","expires":"soon"}), Err("no valid time")),
            (json!({"type":"token","provider":"p","tokenRef":{"source":"env","id":"SET"},"expires":-1}), Err("no valid time")),
            (json!({"type":"oauth","provider":"p","access":"a","expires":NOW + 1}), Ok("a")),
            (json!({"type":"oauth","provider":"p","access":"a","refresh":"r","expires":1}), Err("not built")),
        ];
        for (value, want) in cases {
            let profile = parse_profile("p:default", &value, &|n| (n == "SET").then(|| "from-env".into()), NOW).unwrap();
            assert_eq!(profile.provider, "p");
            match (profile.secret, want) {
                (Ok(secret), Ok(want)) => assert_eq!(secret.expose(), want),
                (Err(problem), Err(part)) => assert!(problem.contains(part), "{problem} / {part}"),
                (got, want) => panic!("{value}: {got:?} instead of {want:?}"),
            }
        }
    }

    #[test]
    fn order_sources() {
        // PRV-152, PRV-154, PRV-156
        let profiles = json!({"p:a": key("p"), "p:b": key("p"), "p:c": key("p"), "q:a": key("q")});
        let cases = [
            (json!({}), json!({}), vec!["p:a", "p:b", "p:c"]),
            (json!({"order":{"p":["p:c","p:a"]}}), json!({"order":{"p":["p:b"]}}), vec!["p:c", "p:a"]),
            (json!({}), json!({"order":{"P":["p:b","p:a"]}}), vec!["p:b", "p:a"]),
            (json!({}), json!({"profiles":{"p:b":{"provider":"p","mode":"api_key"}}}), vec!["p:b"]),
            (json!({}), json!({"order":{"p":["p:gone"]}}), vec!["p:a", "p:b", "p:c"]),
            (json!({}), json!({"order":{"p":["p:gone","p:c"]}}), vec!["p:c"]),
        ];
        for (state, config, want) in cases {
            assert_eq!(file(profiles.clone(), state.clone()).order("p", &config, NOW), want, "{state} {config}");
        }
    }

    #[test]
    fn default_order_is_by_type_then_age_then_cooling() {
        // PRV-155
        let profiles = json!({
            "p:key": key("p"),
            "p:token": {"type":"token","provider":"p","token":"t"},
            "p:oauth": {"type":"oauth","provider":"p","access":"a","expires":NOW + 9},
            "p:old": key("p"),
            "p:cool2": key("p"),
            "p:cool1": key("p"),
        });
        let state = json!({"usageStats": {
            "p:key": {"lastUsed": 50}, "p:old": {"lastUsed": 10},
            "p:cool2": {"cooldownUntil": NOW + 20}, "p:cool1": {"disabledUntil": NOW + 10},
            "p:token": {"cooldownUntil": NOW - 1},
        }});
        let want = ["p:oauth", "p:token", "p:old", "p:key", "p:cool1", "p:cool2"];
        assert_eq!(file(profiles, state).order("p", &json!({}), NOW), want);
    }

    #[test]
    fn modes_must_fit() {
        // PRV-151
        let profiles = json!({"p:a": key("p"), "p:t": {"type":"token","provider":"p","token":"t"}});
        let config = json!({"profiles": {"p:a": {"provider":"p","mode":"oauth"}, "p:t": {"provider":"p","mode":"oauth"}}});
        assert_eq!(file(profiles, json!({})).order("p", &config, NOW), ["p:t"]);
    }

    #[test]
    fn files_are_read_and_re_read() {
        // GW-166, PRV-134, PRV-142
        let dir = tempfile::tempdir().unwrap();
        let mut cache = ProfileCache::default();
        let read = |cache: &mut ProfileCache| ProfileFile::interpret(&cache.get(dir.path()), &|_| None, NOW);
        assert!(read(&mut cache).profiles.is_empty());
        let path = dir.path().join(PROFILES_FILE);
        std::fs::write(&path, json!({"version":1,"profiles":{"p:default": key("p")}}).to_string()).unwrap();
        assert_eq!(read(&mut cache).profiles.len(), 1);
        std::fs::write(&path, r#"{"p":{"apiKey":"flat-secret"}}"#).unwrap();
        let flat = read(&mut cache);
        assert!(flat.profiles.is_empty() && flat.problem.is_some());
        std::fs::write(&path, r#"{"profiles": {"p:x": "flat-secret" oops"#).unwrap();
        let problem = read(&mut cache).problem.unwrap();
        assert!(problem.contains("line 1") && !problem.contains("flat-secret"), "{problem}");
    }
}
