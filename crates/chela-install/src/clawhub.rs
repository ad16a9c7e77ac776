//! The client of ClawHub, the registry of plugins beside npm (INS-248..INS-271).

pub(crate) mod digest;
pub(crate) mod range;
pub(crate) mod search;

use std::path::Path;
use std::time::Duration;

use chela_config::{Env, Secret};
use serde_json::Value;
use url::Url;

use crate::error::InstallError;
use crate::web::{Answer, Digests, Reach, Web};
use digest::{Expected, expected, text};

/// The codes of refusals (INS-254); never printed.
pub(crate) mod code {
    pub(crate) const INVALID_SPEC: &str = "invalid_spec";
    pub(crate) const PACKAGE_NOT_FOUND: &str = "package_not_found";
    pub(crate) const VERSION_NOT_FOUND: &str = "version_not_found";
    pub(crate) const NO_VERSION: &str = "no_installable_version";
    pub(crate) const SKILL: &str = "skill_package";
    pub(crate) const FAMILY: &str = "unsupported_family";
    pub(crate) const PRIVATE: &str = "private_package";
    pub(crate) const PLUGIN_API: &str = "incompatible_plugin_api";
    pub(crate) const GATEWAY: &str = "incompatible_gateway";
    pub(crate) const MISSING_INTEGRITY: &str = "missing_archive_integrity";
    pub(crate) const INTEGRITY_MISMATCH: &str = "archive_integrity_mismatch";
}

const PUBLIC_URL: &str = "https://clawhub.ai";
/// Longest wait for an answer (INS-251).
const TIMEOUT: Duration = Duration::from_secs(30);
/// Largest answer that is no artifact, in bytes.
const MAX_ANSWER: u64 = 8 << 20;
/// Largest config file of ClawHub's own program that is read.
const MAX_CONFIG: u64 = 1 << 20;

/// A client for one address.
#[derive(Debug)]
pub(crate) struct ClawHub {
    web: Web,
    pub base: Url,
    token: Option<Secret>,
}

/// `clawhub:<name>[@<version or tag>]` (INS-252).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClawHubSpec {
    pub name: String,
    pub version: Option<String>,
}

/// A version that may be installed, and how it is verified.
#[derive(Debug, Clone)]
pub(crate) struct Package {
    /// The name that was asked for.
    pub name: String,
    /// The name that ClawHub has for it.
    pub canonical: String,
    pub version: String,
    pub family: String,
    pub channel: Option<String>,
    /// What to say before it is fetched.
    pub summary: Vec<(chela_npm::NoteLevel, String)>,
    pub expected: Expected,
    /// An official package whose source ClawHub has verified (INS-227).
    pub trusted: bool,
}

impl ClawHubSpec {
    pub(crate) fn parse(typed: &str) -> Result<Self, InstallError> {
        let typed = typed.trim();
        let body = typed.get(..8).filter(|prefix| prefix.eq_ignore_ascii_case("clawhub:")).map(|_| typed[8..].trim());
        let (name, version) = match body.map(|body| (body, body.rfind('@').filter(|at| *at > 0))) {
            Some((body, Some(at))) => (body[..at].trim(), Some(body[at + 1..].trim())),
            Some((body, None)) => (body, None),
            None => ("", None),
        };
        if name.is_empty() || version == Some("") {
            return Err(InstallError::coded(code::INVALID_SPEC, format!("invalid ClawHub plugin spec: {typed}"))
                .hint("use `clawhub:NAME` or `clawhub:NAME@VERSION`"));
        }
        Ok(Self { name: name.to_owned(), version: version.map(str::to_owned) })
    }
}

impl ClawHub {
    /// A client for `base`, else for the address of the environment (INS-248, INS-249). The user's token goes to the latter only.
    /// npm's switch for working offline holds here too (INS-370).
    pub(crate) fn new(env: &Env, base: Option<&str>) -> Result<Self, InstallError> {
        let configured = env.non_empty("OPENCLAW_CLAWHUB_URL").or_else(|| env.non_empty("CLAWHUB_URL"));
        let configured = parse_base(configured.unwrap_or(PUBLIC_URL))?;
        let base = base.map(str::trim).filter(|base| !base.is_empty()).map_or_else(|| Ok(configured.clone()), parse_base)?;
        if ["npm_config_offline", "NPM_CONFIG_OFFLINE"].iter().any(|name| matches!(env.non_empty(name), Some("true" | "1"))) {
            let message = format!("ClawHub at {} cannot be asked: `npm_config_offline` is set", crate::redact::redact(base.as_str()));
            return Err(InstallError::refused(message).hint("unset it, or install from a path or a cached npm package"));
        }
        let token = if base.origin() == configured.origin() { token(env) } else { None };
        Ok(Self { web: Web::new(Reach::Configured, TIMEOUT, TIMEOUT)?, base, token })
    }

    /// The address as it may be shown and recorded.
    pub(crate) fn shown_base(&self) -> String {
        crate::redact::redact(self.base.as_str().trim_end_matches('/'))
    }

    fn url(&self, parts: &[&str], query: &[(&str, &str)]) -> Result<Url, InstallError> {
        if let Some(part) = parts.iter().find(|part| matches!(**part, "." | "..")) {
            return Err(InstallError::coded(code::INVALID_SPEC, format!("`{part}` is no name or version on ClawHub")));
        }
        let mut url = self.base.clone();
        let parts: Vec<String> = parts.iter().map(|part| component(part)).collect();
        url.set_path(&format!("{}/api/v1/packages/{}", self.base.path().trim_end_matches('/'), parts.join("/")));
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }

    /// An answer as JSON; nothing for 404.
    fn json(&self, parts: &[&str], query: &[(&str, &str)]) -> Result<Option<Value>, InstallError> {
        let url = self.url(parts, query)?;
        let answer = self.web.get(&url, self.token.as_ref(), MAX_ANSWER)?;
        if answer.status == 404 {
            return Ok(None);
        }
        self.expect_ok(&answer)?;
        serde_json::from_slice(&answer.body)
            .map(Some)
            .map_err(|error| InstallError::refused(format!("ClawHub {} answered with something that is no JSON: {error}", url.path())))
    }

    /// INS-267.
    fn expect_ok(&self, answer: &Answer) -> Result<(), InstallError> {
        if answer.ok() {
            return Ok(());
        }
        let mut text = format!("ClawHub {} failed ({}): {}", answer.url.path(), answer.status, answer.complaint());
        if answer.status == 429 {
            let reset = answer.header("RateLimit-Reset").or_else(|| answer.header("Retry-After"));
            if let Some(seconds) = reset.filter(|text| text.parse::<f64>().is_ok_and(f64::is_finite)) {
                text.push_str(&format!(" (resets in {seconds}s)"));
            }
            if self.token.is_none() {
                text.push_str(" Sign in for higher rate limits.");
            }
        }
        Err(InstallError::refused(text))
    }

    /// Finds the version that a spec means and checks that this host may have it (INS-252..INS-261).
    pub(crate) fn find(&self, spec: &ClawHubSpec, host: &str) -> Result<Package, InstallError> {
        let not_found = || {
            InstallError::coded(code::PACKAGE_NOT_FOUND, "Package not found on ClawHub.")
                .hint(format!("look for it with `chela plugins search {}`", spec.name))
        };
        let detail = self.json(&[&spec.name], &[])?.ok_or_else(not_found)?;
        let package = &detail["package"];
        if !package.is_object() {
            return Err(not_found());
        }
        let canonical = text(package, "name").unwrap_or(&spec.name).to_owned();
        let family = refuse_family(package, &canonical)?;
        let version = match &spec.version {
            Some(wanted) => package["tags"][wanted.as_str()].as_str().unwrap_or(wanted),
            None => text(package, "latestVersion").or_else(|| text(&package["tags"], "latest")).ok_or_else(|| {
                InstallError::coded(code::NO_VERSION, format!("ClawHub package \"{canonical}\" has no version that can be installed"))
            })?,
        };
        let (record, top) = self.version(&canonical, version)?;
        let version = text(&record, "version").unwrap_or(version).to_owned();
        let own = Some(&record["compatibility"]).filter(|value| value.is_object());
        let compatibility = own.unwrap_or(&package["compatibility"]);
        refuse_host(compatibility, &canonical, host)?;
        let channel = text(package, "channel").map(str::to_owned);
        let summary = summary(package, compatibility, &canonical, &version, &family, channel.as_deref());
        let expected = expected(&canonical, &record, &top)?;
        Ok(Package { name: spec.name.clone(), trusted: is_source_linked(package), canonical, version, family, channel, summary, expected })
    }

    /// The record of a version and the artifact beside it; servers without the newer address have only the record.
    fn version(&self, name: &str, version: &str) -> Result<(Value, Value), InstallError> {
        if let Some(mut answer) = self.json(&[name, "versions", version, "artifact"], &[])? {
            let record = answer["version"].take();
            let record = if record.is_object() { record } else { serde_json::json!({"version": record.as_str().unwrap_or(version)}) };
            return Ok((record, answer["artifact"].take()));
        }
        let mut answer = self.json(&[name, "versions", version], &[])?.unwrap_or_default();
        match answer["version"].take() {
            record @ Value::Object(_) => Ok((record, Value::Null)),
            _ => Err(InstallError::coded(code::VERSION_NOT_FOUND, format!("Version not found on ClawHub: {name}@{version}."))),
        }
    }

    /// Fetches the artifact into the new file `path` and verifies it as far as its bytes go (INS-262, INS-264).
    pub(crate) fn download(&self, package: &Package, path: &Path) -> Result<(Answer, Digests), InstallError> {
        let url = match &package.expected {
            Expected::ClawPack(_) => self.url(&[&package.canonical, "versions", &package.version, "artifact", "download"], &[])?,
            _ => self.url(&[&package.canonical, "download"], &[("version", &package.version)])?,
        };
        let (answer, digests) = self.web.download(&url, self.token.as_ref(), path)?;
        if let Err(error) = self.expect_ok(&answer) {
            return Err(error.hint(format!("if the package is on npm as well, install `npm:{}@{}`", package.canonical, package.version)));
        }
        let label = format!("{}@{}", package.canonical, package.version);
        let mismatch = |what: &str, expected: &str, actual: &str| {
            let message = format!("ClawHub {what} mismatch for \"{label}\"\nExpected: {expected}\nActual:   {actual}");
            Err(InstallError::coded(code::INTEGRITY_MISMATCH, message).hint("nothing was installed; tell the package's author"))
        };
        let bytes = digest::integrity(&digests.sha256);
        match &package.expected {
            Expected::Files(_) => {}
            Expected::Archive(expected) if *expected == digests.sha256 => {}
            Expected::Archive(expected) => return mismatch("archive integrity", &digest::integrity(expected), &bytes),
            Expected::ClawPack(pack) => {
                let header = answer.header("X-ClawHub-Artifact-Sha256").or_else(|| answer.header("X-ClawHub-ClawPack-Sha256"));
                let Some(header) = header.and_then(digest::sha256_hex) else {
                    return mismatch("ClawPack header `X-ClawHub-Artifact-Sha256`", &digest::integrity(&pack.sha256), "no header");
                };
                for expected in [&pack.sha256, &header] {
                    if *expected != digests.sha256 {
                        return mismatch("ClawPack integrity", &digest::integrity(expected), &bytes);
                    }
                }
                let integrities = [pack.npm_integrity.as_deref(), answer.header("X-ClawHub-Npm-Integrity")];
                if let Some(expected) = integrities.into_iter().flatten().find(|expected| *expected != digests.sha512) {
                    return mismatch("ClawPack npm integrity", expected, &digests.sha512);
                }
                let shasums = [pack.npm_shasum.as_deref(), answer.header("X-ClawHub-Npm-Shasum")];
                if let Some(expected) = shasums.into_iter().flatten().find(|expected| !expected.eq_ignore_ascii_case(&digests.sha1)) {
                    return mismatch("ClawPack npm shasum", expected, &digests.sha1);
                }
            }
        }
        Ok((answer, digests))
    }
}

/// One part of a path, encoded as ClawHub's own client does.
fn component(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// An official package that ClawHub itself built from the repository of its publisher.
fn is_source_linked(package: &Value) -> bool {
    let of = &package["verification"];
    let repository = text(of, "sourceRepo").unwrap_or_default();
    let repository = repository.strip_prefix("https://").unwrap_or(repository);
    text(package, "channel") == Some("official")
        && package["isOfficial"] == true
        && text(of, "tier") == Some("source-linked")
        && matches!(repository, "openclaw/openclaw" | "github.com/openclaw/openclaw")
}

/// INS-255, INS-256.
fn refuse_family(package: &Value, name: &str) -> Result<String, InstallError> {
    let family = text(package, "family").unwrap_or_default();
    match family {
        "code-plugin" | "bundle-plugin" => {}
        "skill" => {
            return Err(InstallError::coded(code::SKILL, format!("\"{name}\" is a skill, not a plugin"))
                .hint(format!("skills have a command of their own: `skills install {name}`")));
        }
        other => return Err(InstallError::coded(code::FAMILY, format!("Unsupported ClawHub package family: {other}"))),
    }
    if package["channel"] == "private" {
        return Err(InstallError::coded(code::PRIVATE, format!("\"{name}\" is private on ClawHub and cannot be installed"))
            .hint("ask its author for an archive, and install that"));
    }
    Ok(family.to_owned())
}

/// INS-257.
fn refuse_host(compatibility: &Value, name: &str, host: &str) -> Result<(), InstallError> {
    if let Some(wanted) = text(compatibility, "pluginApiRange").filter(|wanted| !range::satisfies_api(host, wanted)) {
        let message = format!("\"{name}\" is made for plugin API {wanted}, but this host has {host}");
        return Err(InstallError::coded(code::PLUGIN_API, message).hint("install another version with `clawhub:NAME@VERSION`"));
    }
    if let Some(wanted) = text(compatibility, "minGatewayVersion").filter(|wanted| !range::satisfies_minimum(host, wanted)) {
        let message = format!("\"{name}\" needs a gateway of {wanted} or newer, but this host is {host}");
        return Err(InstallError::coded(code::GATEWAY, message).hint("install another version with `clawhub:NAME@VERSION`"));
    }
    Ok(())
}

/// What a package says of itself, and a warning for what ClawHub did not look at (INS-266).
fn summary(
    package: &Value,
    compatibility: &Value,
    name: &str,
    version: &str,
    family: &str,
    channel: Option<&str>,
) -> Vec<(chela_npm::NoteLevel, String)> {
    use chela_npm::NoteLevel::{Info, Warn};
    let mut line = format!("ClawHub {family} {name}@{version} channel={}", channel.unwrap_or("unknown"));
    for (label, value) in [
        ("verification", text(&package["verification"], "tier")),
        ("pluginApi", text(compatibility, "pluginApiRange")),
        ("minGateway", text(compatibility, "minGatewayVersion")),
    ] {
        value.iter().for_each(|value| line.push_str(&format!(" {label}={value}")));
    }
    let mut notes = vec![(Info, line)];
    if channel != Some("official") {
        let channel = channel.unwrap_or("of an unknown channel");
        notes.push((Warn, format!("ClawHub package \"{name}\" is {channel}; look at its source and verification before you enable it")));
    }
    notes
}

fn parse_base(text: &str) -> Result<Url, InstallError> {
    let url = Url::parse(&format!("{}/", text.trim().trim_end_matches('/'))).ok();
    url.filter(|url| matches!(url.scheme(), "https" | "http")).ok_or_else(|| {
        InstallError::refused(format!("ClawHub address `{}` is no http or https address", crate::redact::redact(text)))
            .hint("set `OPENCLAW_CLAWHUB_URL` to the address of a ClawHub, or leave it out")
    })
}

/// From the environment, else from the config file of ClawHub's own program (INS-249).
fn token(env: &Env) -> Option<Secret> {
    let variables = ["OPENCLAW_CLAWHUB_TOKEN", "CLAWHUB_TOKEN", "CLAWHUB_AUTH_TOKEN"];
    if let Some(token) = variables.iter().find_map(|name| env.non_empty(name)) {
        return Some(Secret::new(token));
    }
    let explicit = ["OPENCLAW_CLAWHUB_CONFIG_PATH", "CLAWHUB_CONFIG_PATH", "CLAWDHUB_CONFIG_PATH"];
    let path = match explicit.iter().find_map(|name| env.non_empty(name)) {
        Some(path) => path.into(),
        None => {
            let base = env.non_empty("XDG_CONFIG_HOME").map(std::path::PathBuf::from);
            base.or_else(|| Some(Path::new(env.non_empty("HOME")?).join(".config")))?.join("clawhub/config.json")
        }
    };
    let small = path.metadata().is_ok_and(|stat| stat.is_file() && stat.len() <= MAX_CONFIG);
    let config: Value = serde_json::from_slice(&small.then(|| std::fs::read(&path).ok())??).ok()?;
    token_in(&config, 4).map(Secret::new)
}

fn token_in(value: &Value, depth: usize) -> Option<&str> {
    let own = ["accessToken", "authToken", "apiToken", "token"].iter().find_map(|key| text(value, key));
    let deeper = || ["auth", "session", "credentials", "user"].iter().find_map(|key| token_in(value.get(key)?, depth.checked_sub(1)?));
    own.or_else(deeper)
}

#[cfg(test)]
mod tests {
    use super::*;

    // INS-248
    #[test]
    fn the_address_comes_from_the_environment() {
        let of = |first: &str, second: &str| {
            let mut env = Env::default();
            env.set("OPENCLAW_CLAWHUB_URL", first);
            env.set("CLAWHUB_URL", second);
            ClawHub::new(&env, None).map(|hub| hub.shown_base()).map_err(|error| error.to_string())
        };
        assert_eq!(of("", "").unwrap(), "https://clawhub.ai");
        assert_eq!(of("", "http://two.example//").unwrap(), "http://two.example");
        assert_eq!(of(" https://one.example/hub/ ", "http://two.example").unwrap(), "https://one.example/hub");
        assert!(of("ftp://x", "").unwrap_err().contains("no http or https address"));
    }

    // INS-251, INS-370
    #[test]
    fn nobody_is_asked_offline_and_nobody_is_waited_for_longer() {
        let mut env = Env::default();
        env.set("npm_config_offline", "true");
        let error = ClawHub::new(&env, None).unwrap_err().to_string();
        assert_eq!(error, "ClawHub at https://clawhub.ai/ cannot be asked: `npm_config_offline` is set");
        assert_eq!(TIMEOUT.as_secs(), 30);
        // A server that takes the request and never answers.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let wait = Duration::from_millis(200);
        let hub = ClawHub {
            web: Web::new(Reach::Configured, wait, wait).unwrap(),
            base: Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap(),
            token: None,
        };
        assert!(hub.find(&ClawHubSpec::parse("clawhub:a").unwrap(), "2026.5.12").is_err());
    }

    // INS-249
    #[test]
    fn the_token_comes_from_the_environment_or_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let mut env = Env::default();
        env.set("HOME", dir.path().to_str().unwrap());
        assert!(token(&env).is_none());
        std::fs::create_dir_all(dir.path().join(".config/clawhub")).unwrap();
        std::fs::write(dir.path().join(".config/clawhub/config.json"), r#"{"auth": {"session": {"token": " deep "}}}"#).unwrap();
        assert_eq!(token(&env).unwrap().expose(), "deep");
        for name in ["CLAWHUB_AUTH_TOKEN", "CLAWHUB_TOKEN", "OPENCLAW_CLAWHUB_TOKEN"] {
            env.set(name, name);
            assert_eq!(token(&env).unwrap().expose(), name);
        }
        assert!(ClawHub::new(&env, Some("https://elsewhere.example")).unwrap().token.is_none(), "a recorded address gets no token");
        assert!(ClawHub::new(&env, Some("https://clawhub.ai/")).unwrap().token.is_some());
    }

    // INS-227
    #[test]
    fn only_what_the_publisher_built_from_its_own_repository_is_trusted() {
        let official = |repository: &str| serde_json::json!({"channel": "official", "isOfficial": true, "verification": {"tier": "source-linked", "sourceRepo": repository}});
        for repository in ["openclaw/openclaw", "github.com/openclaw/openclaw", "https://github.com/openclaw/openclaw"] {
            assert!(is_source_linked(&official(repository)), "{repository}");
        }
        assert!(!is_source_linked(&official("https://github.com.example/openclaw/openclaw")));
        for (key, value) in [("channel", "community"), ("isOfficial", "true"), ("verification", "")] {
            let mut other = official("openclaw/openclaw");
            other[key] = value.into();
            assert!(!is_source_linked(&other), "{key}");
        }
    }

    // INS-252, INS-254
    #[test]
    fn specs_have_a_name_and_maybe_a_version() {
        let of = |text: &str| ClawHubSpec::parse(text).map(|spec| (spec.name, spec.version)).map_err(|error| error.code());
        assert_eq!(of("ClawHub:@s/a@beta"), Ok(("@s/a".into(), Some("beta".into()))));
        assert_eq!(of("clawhub:@s/a"), Ok(("@s/a".into(), None)));
        for text in ["clawhub:", "clawhub:a@", "a"] {
            assert_eq!(of(text), Err(Some("invalid_spec")), "{text}");
        }
    }
}
