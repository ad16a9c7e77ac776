//! Which source a spec means, and which flags do not go with it; decided before anything is fetched (INS-110..INS-124).

use std::path::{Path, PathBuf};

use chela_catalog::official_by_id;
use chela_manifest::NpmSpec;
use serde_json::Value;

use crate::error::InstallError;

/// Endings that make a spec a path (INS-113).
const PATH_ENDINGS: [&str; 8] = [".ts", ".js", ".mjs", ".cjs", ".tgz", ".tar.gz", ".tar", ".zip"];
/// Largest list of known marketplaces that is read, in bytes.
const MAX_MARKETPLACES: u64 = 4 << 20;

/// The flags of `plugins install`.
#[derive(Debug, Clone, Default)]
pub struct InstallFlags {
    /// Use the path where it lies.
    pub link: bool,
    /// Replace what is installed.
    pub force: bool,
    /// Record the exact version.
    pub pin: bool,
    /// Take the plugin from this marketplace.
    pub marketplace: Option<String>,
    /// Let critical findings of the code scan pass, and nothing else (INS-224, INS-225).
    pub unsafe_code: bool,
}

/// Where a plugin comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// A plugin of a Claude marketplace.
    Marketplace {
        /// The plugin's name there.
        plugin: String,
        /// The marketplace.
        source: String,
    },
    /// A path that stays where it is.
    Link(PathBuf),
    /// A directory, archive or script.
    Path(PathBuf),
    /// A package of the registry.
    Npm(NpmSpec),
    /// A package file that `npm pack` made.
    NpmPack(PathBuf),
    /// A repository; the spec as typed.
    Git(String),
    /// A plugin that is part of the program.
    Bundled(String),
    /// A ClawHub package; the spec as typed.
    ClawHub(String),
}

/// What the choice depends on.
pub struct Surroundings<'a> {
    /// The home directory of the system, where Claude keeps its list of marketplaces (INS-369).
    pub home: &'a Path,
    /// Makes a typed path absolute.
    pub resolve: &'a dyn Fn(&str) -> PathBuf,
    /// True for the id of a bundled plugin.
    pub is_bundled: &'a dyn Fn(&str) -> bool,
}

/// Chooses the source.
///
/// # Errors
/// Refused flags, specs that mean nothing, and paths that are not there, each with the reference's first words.
pub fn choose(spec: &str, flags: &InstallFlags, around: &Surroundings<'_>) -> Result<Choice, InstallError> {
    let raw = spec.trim();
    if let Some((plugin, source)) = marketplace(raw, flags, around.home) {
        refuse_marketplace_flags(flags)?;
        return Ok(Choice::Marketplace { plugin, source });
    }
    let git = prefixed(raw, "git:");
    refuse_git_flags(raw, git, flags)?;
    if flags.link && flags.force {
        return Err(InstallError::refused("--force is not supported with --link. A linked plugin is used where it lies.")
            .hint("leave `--force` out: `chela plugins install --link PATH`"));
    }
    let path = (around.resolve)(&local_text(raw)?);
    if path.exists() {
        return Ok(if flags.link { Choice::Link(path) } else { Choice::Path(path) });
    }
    if flags.link {
        return Err(InstallError::refused("--link requires a local path.").hint("run `chela plugins install --link PATH`"));
    }
    if let Some(package) = prefixed(raw, "npm:") {
        if package.is_empty() {
            return Err(InstallError::refused("Unsupported npm plugin spec: missing package.").hint("use `npm:NAME` or `npm:NAME@VERSION`"));
        }
        return npm(package);
    }
    if let Some(file) = prefixed(raw, "npm-pack:") {
        if file.is_empty() {
            return Err(InstallError::refused("Unsupported npm-pack plugin spec: missing archive path.").hint("use `npm-pack:PATH.tgz`"));
        }
        return Ok(Choice::NpmPack((around.resolve)(file)));
    }
    if git.is_some() {
        return Ok(Choice::Git(raw.to_owned()));
    }
    if raw.starts_with(['.', '~']) || Path::new(raw).is_absolute() || PATH_ENDINGS.iter().any(|ending| raw.ends_with(ending)) {
        return Err(InstallError::refused(format!("Plugin path not found: {}. Check the path.", path.display()))
            .hint("for a package of the registry, use `chela plugins install npm:NAME`"));
    }
    if (around.is_bundled)(raw) {
        return Ok(Choice::Bundled(raw.to_owned()));
    }
    // INS-116. Only a bare name can be an id; a scoped one is a package already.
    if is_bare_name(raw)
        && let Some(official) = official_by_id(raw)
    {
        return npm(&official.npm_spec);
    }
    // With nothing after it, the registry's own rules name the fault (INS-120).
    if prefixed(raw, "clawhub:").is_some_and(|package| !package.is_empty()) {
        return Ok(Choice::ClawHub(raw.to_owned()));
    }
    npm(raw)
}

fn is_bare_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._~".contains(&byte);
    text.starts_with(|first: char| first.is_ascii_lowercase() || first.is_ascii_digit()) && text.bytes().all(plain)
}

fn npm(text: &str) -> Result<Choice, InstallError> {
    match NpmSpec::parse(text) {
        Ok(spec) => Ok(Choice::Npm(spec)),
        Err(error) => Err(InstallError::coded("invalid_npm_spec", error.to_string())),
    }
}

/// What follows a prefix, in any case (INS-118).
fn prefixed<'a>(raw: &'a str, prefix: &str) -> Option<&'a str> {
    let head = raw.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then(|| raw[prefix.len()..].trim())
}

/// `file:` is a path with a name for it.
fn local_text(raw: &str) -> Result<String, InstallError> {
    let Some(rest) = prefixed(raw, "file:") else {
        return Ok(raw.to_owned());
    };
    if rest.is_empty() {
        return Err(InstallError::refused("unsupported file: spec: missing path"));
    }
    if let Some(rest) = rest.strip_prefix("//localhost/") {
        return Ok(format!("/{rest}"));
    }
    match rest.strip_prefix("//") {
        Some(absolute) if absolute.starts_with('/') => Ok(absolute.to_owned()),
        Some(_) => Err(InstallError::refused("unsupported file: URL host (expected \"file:<path>\" or \"file:///abs/path\")")),
        None => Ok(rest.to_owned()),
    }
}

fn refuse_marketplace_flags(flags: &InstallFlags) -> Result<(), InstallError> {
    for (set, name) in [(flags.link, "--link"), (flags.pin, "--pin")] {
        if set {
            return Err(InstallError::refused(format!("{name} is not supported with --marketplace.")).hint(format!("leave `{name}` out")));
        }
    }
    Ok(())
}

fn refuse_git_flags(raw: &str, git: Option<&str>, flags: &InstallFlags) -> Result<(), InstallError> {
    let Some(rest) = git else {
        return Ok(());
    };
    if rest.trim_matches(['@', '#', '/', ':']).is_empty() {
        return Err(InstallError::refused(format!("Unsupported git plugin spec: {raw}.")).hint("use `git:OWNER/REPO@REF` or `git:URL#REF`"));
    }
    if flags.link {
        return Err(InstallError::refused("--link is not supported with git: installs.")
            .hint("clone the repository, then `chela plugins install --link PATH`"));
    }
    if flags.pin {
        return Err(InstallError::refused("--pin is not supported with git: installs. Pin the ref in the spec instead.")
            .hint("use `git:OWNER/REPO@REF`"));
    }
    Ok(())
}

/// `--marketplace`, or `<plugin>@<name>` with a name that Claude knows (INS-111).
fn marketplace(raw: &str, flags: &InstallFlags, home: &Path) -> Option<(String, String)> {
    if let Some(source) = &flags.marketplace {
        return Some((raw.to_owned(), source.clone()));
    }
    let at = raw.rfind('@').filter(|at| *at > 0)?;
    let (plugin, name) = (&raw[..at], &raw[at + 1..]);
    if plugin.contains('/') || name.is_empty() || name.contains(['/', ':', ' ']) {
        return None;
    }
    knows_marketplace(home, name).then(|| (plugin.to_owned(), name.to_owned()))
}

fn knows_marketplace(home: &Path, name: &str) -> bool {
    known_marketplaces(home).is_some_and(|known| known.get(name).is_some())
}

/// Claude's own list of marketplaces by name (INS-369).
pub(crate) fn known_marketplaces(home: &Path) -> Option<Value> {
    let path = home.join(".claude/plugins/known_marketplaces.json");
    let small = path.metadata().is_ok_and(|stat| stat.is_file() && stat.len() <= MAX_MARKETPLACES);
    serde_json::from_slice(&small.then(|| std::fs::read(&path).ok())??).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(spec: &str, flags: &InstallFlags, home: &Path) -> Result<Choice, InstallError> {
        let resolve = |text: &str| home.join(text);
        choose(spec, flags, &Surroundings { home, resolve: &resolve, is_bundled: &|id| id == "demo" })
    }

    // INS-110, INS-111, INS-112, INS-114, INS-116, INS-117, INS-118
    #[test]
    fn the_first_that_fits_is_the_source() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path();
        std::fs::create_dir_all(home.join(".claude/plugins")).unwrap();
        std::fs::write(home.join(".claude/plugins/known_marketplaces.json"), r#"{"team": {}}"#).unwrap();
        std::fs::create_dir(home.join("here")).unwrap();
        let npm = |text: &str| Choice::Npm(NpmSpec::parse(text).unwrap());
        for (spec, expected) in [
            ("tool@team", Choice::Marketplace { plugin: "tool".into(), source: "team".into() }),
            ("tool@other", npm("tool@other")),
            ("@s/tool@team", npm("@s/tool@team")),
            ("here", Choice::Path(home.join("here"))),
            ("file:here", Choice::Path(home.join("here"))),
            ("NPM:here", npm("here")),
            ("npm-pack:x.tgz", Choice::NpmPack(home.join("x.tgz"))),
            ("Git:a/b@v1", Choice::Git("Git:a/b@v1".into())),
            ("demo", Choice::Bundled("demo".into())),
            ("ClawHub:x", Choice::ClawHub("ClawHub:x".into())),
            ("plain", npm("plain")),
            ("discord", npm("@openclaw/discord")),
            ("wecom", npm("@wecom/wecom-openclaw-plugin@2026.5.7")),
            ("npm:discord", npm("discord")),
            ("discord@1.0.0", npm("discord@1.0.0")),
        ] {
            assert_eq!(with(spec, &InstallFlags::default(), home).unwrap(), expected, "{spec}");
        }
        let link = InstallFlags { link: true, ..InstallFlags::default() };
        assert_eq!(with("here", &link, home).unwrap(), Choice::Link(home.join("here")));
    }

    // INS-113, INS-119, INS-120, INS-121, INS-122, INS-123, INS-124, INS-169
    #[test]
    fn what_means_nothing_is_refused_before_any_download() {
        let dir = tempfile::tempdir().unwrap();
        let flags = |text: &str| InstallFlags {
            link: text.contains("link"),
            force: text.contains("force"),
            pin: text.contains("pin"),
            marketplace: text.contains("market").then(|| "m".to_owned()),
            unsafe_code: false,
        };
        for (spec, set, message) in [
            ("./gone", "", "Plugin path not found: "),
            ("gone.tar.gz", "", "Plugin path not found: "),
            ("~/gone", "", "Plugin path not found: "),
            ("npm: ", "", "Unsupported npm plugin spec: missing package"),
            ("npm-pack:", "", "Unsupported npm-pack plugin spec: missing archive path"),
            ("git:", "", "Unsupported git plugin spec: git:"),
            ("git:@", "", "Unsupported git plugin spec: git:@"),
            ("clawhub:", "", "unsupported npm spec: protocol specs are not allowed"),
            ("a@^1", "", "unsupported npm spec: use an exact version or dist-tag"),
            ("name", "link", "--link requires a local path."),
            ("name", "link force", "--force is not supported with --link"),
            ("name", "market link", "--link is not supported with --marketplace"),
            ("name", "market pin", "--pin is not supported with --marketplace"),
            ("git:a/b", "link", "--link is not supported with git: installs"),
            ("git:a/b", "pin", "--pin is not supported with git: installs"),
            ("file://host/x", "", "unsupported file: URL host"),
        ] {
            let error = with(spec, &flags(set), dir.path()).unwrap_err();
            assert!(error.to_string().starts_with(message), "{spec} {set}: {error}");
        }
    }
}
