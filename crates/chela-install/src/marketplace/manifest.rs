//! `marketplace.json` as Claude writes it (INS-272..INS-275, INS-282).

use serde::Serialize;
use serde_json::Value;

use crate::clawhub::digest::text;
use crate::redact::redact;

/// What a marketplace says of itself and its plugins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Manifest {
    pub name: Option<String>,
    pub version: Option<String>,
    pub plugins: Vec<MarketplaceEntry>,
}

/// One plugin of a marketplace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MarketplaceEntry {
    /// Its name there.
    pub name: String,
    /// Its version, if the marketplace says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// One line about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where it is.
    pub source: EntrySource,
}

/// Where a plugin of a marketplace is (INS-275).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum EntrySource {
    /// A path, relative to the marketplace.
    Path {
        /// The path.
        path: String,
    },
    /// A repository on GitHub.
    Github {
        /// `owner/repo`.
        repo: String,
        /// The plugin's directory in it.
        #[serde(skip_serializing_if = "Option::is_none")]
        path: Option<String>,
        /// Branch, tag or commit.
        #[serde(skip_serializing_if = "Option::is_none", rename = "ref")]
        reference: Option<String>,
    },
    /// Any repository.
    Git {
        /// Its address.
        url: String,
        /// The plugin's directory in it.
        #[serde(skip_serializing_if = "Option::is_none")]
        path: Option<String>,
        /// Branch, tag or commit.
        #[serde(skip_serializing_if = "Option::is_none", rename = "ref")]
        reference: Option<String>,
    },
    /// A directory of a repository.
    GitSubdir {
        /// The repository's address.
        url: String,
        /// The directory.
        path: String,
        /// Branch, tag or commit.
        #[serde(skip_serializing_if = "Option::is_none", rename = "ref")]
        reference: Option<String>,
    },
    /// An archive or a repository, by its address.
    Url {
        /// The address.
        url: String,
    },
}

impl EntrySource {
    /// The name of the kind.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Path { .. } => "path",
            Self::Github { .. } => "github",
            Self::Git { .. } => "git",
            Self::GitSubdir { .. } => "git-subdir",
            Self::Url { .. } => "url",
        }
    }

    /// INS-274, INS-275. The error is what is wrong with it.
    pub(crate) fn parse(value: &Value) -> Result<Self, String> {
        if let Some(written) = value.as_str().map(str::trim) {
            return match written {
                "" => Err("empty plugin source".to_owned()),
                url if is_web(url) => Ok(Self::Url { url: url.to_owned() }),
                path => Ok(Self::Path { path: path.to_owned() }),
            };
        }
        if !value.is_object() {
            return Err("`source` must be a text or an object".to_owned());
        }
        let kind = text(value, "type").or_else(|| text(value, "source")).ok_or("`source` has neither `type` nor `source`")?;
        let one = |keys: &[&str]| keys.iter().find_map(|key| text(value, key)).map(str::to_owned);
        let need = |keys: &[&str]| one(keys).ok_or_else(|| format!("{kind} source missing \"{}\"", keys[0]));
        let reference = one(&["ref", "branch", "tag"]);
        match kind {
            "path" => Ok(Self::Path { path: need(&["path"])? }),
            "github" => Ok(Self::Github { repo: need(&["repo", "url"])?, path: one(&["path"]), reference }),
            "git" => Ok(Self::Git { url: need(&["url", "repo"])?, path: one(&["path"]), reference }),
            "git-subdir" => Ok(Self::GitSubdir { url: need(&["url", "repo"])?, path: need(&["path", "subdir"])?, reference }),
            "url" => Ok(Self::Url { url: need(&["url"])? }),
            other => Err(format!("unsupported plugin source kind: {other}")),
        }
    }

    /// Without the secrets that an address may hold.
    pub(crate) fn redacted(&self) -> Self {
        let mut shown = self.clone();
        match &mut shown {
            Self::Path { path } => *path = redact(path),
            Self::Github { repo: url, .. } | Self::Git { url, .. } | Self::GitSubdir { url, .. } | Self::Url { url } => *url = redact(url),
        }
        shown
    }
}

/// An http or https address.
pub(crate) fn is_web(text: &str) -> bool {
    let lower = text.get(..8).unwrap_or(text).to_ascii_lowercase();
    lower.starts_with("http://") || lower.starts_with("https://")
}

impl Manifest {
    /// Strict JSON; one bad entry refuses all of it (INS-272, INS-273). `label` names it in errors.
    pub(crate) fn parse(bytes: &[u8], label: &str) -> Result<Self, String> {
        let invalid = |why: &str| format!("invalid marketplace JSON at {label}: {why}");
        let value: Value = serde_json::from_slice(bytes).map_err(|error| invalid(&error.to_string()))?;
        if !value.is_object() {
            return Err(invalid("expected object"));
        }
        let list = value["plugins"].as_array().ok_or_else(|| invalid("missing plugins[]"))?;
        let mut plugins = Vec::with_capacity(list.len());
        for entry in list {
            if !entry.is_object() {
                return Err(format!("invalid marketplace entry in {label}: expected object"));
            }
            let name = text(entry, "name").ok_or_else(|| format!("invalid marketplace entry in {label}: missing name"))?;
            let source = EntrySource::parse(&entry["source"]).map_err(|why| bad_entry(name, label, &why))?;
            let optional = |key: &str| text(entry, key).map(str::to_owned);
            plugins.push(MarketplaceEntry {
                name: name.to_owned(),
                version: optional("version"),
                description: optional("description"),
                source,
            });
        }
        Ok(Self { name: text(&value, "name").map(str::to_owned), version: text(&value, "version").map(str::to_owned), plugins })
    }
}

/// What is said of an entry that refuses the marketplace.
pub(crate) fn bad_entry(name: &str, label: &str, why: &str) -> String {
    format!("invalid marketplace entry \"{name}\" in {label}: {why}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    // INS-274, INS-275, INS-282
    #[test]
    fn sources_have_a_kind() {
        for (source, expected) in [
            (json!("./a"), json!({"kind": "path", "path": "./a"})),
            (json!("HTTPS://h/a.zip"), json!({"kind": "url", "url": "HTTPS://h/a.zip"})),
            (json!({"type": "path", "path": "a"}), json!({"kind": "path", "path": "a"})),
            (json!({"source": "github", "repo": "a/b", "tag": "v1"}), json!({"kind": "github", "repo": "a/b", "ref": "v1"})),
            (json!({"source": "git", "url": "u", "path": "p", "branch": "b"}), json!({"kind": "git", "url": "u", "path": "p", "ref": "b"})),
            (
                json!({"source": "git-subdir", "url": "u", "subdir": "p", "ref": "r"}),
                json!({"kind": "git-subdir", "url": "u", "path": "p", "ref": "r"}),
            ),
            (json!({"source": "url", "url": "u"}), json!({"kind": "url", "url": "u"})),
        ] {
            assert_eq!(serde_json::to_value(EntrySource::parse(&source).unwrap()).unwrap(), expected, "{source}");
        }
        for (source, words) in [
            (json!(""), "empty plugin source"),
            (json!(1), "must be a text or an object"),
            (json!({}), "neither `type` nor `source`"),
            (json!({"source": "npm", "package": "x"}), "unsupported plugin source kind: npm"),
            (json!({"source": "git-subdir", "url": "u"}), "git-subdir source missing \"path\""),
        ] {
            assert!(EntrySource::parse(&source).unwrap_err().contains(words), "{source}");
        }
    }

    // INS-272, INS-273
    #[test]
    fn one_bad_entry_refuses_all() {
        let good = json!({"name": "a", "source": "./a"});
        assert_eq!(Manifest::parse(json!({"name": "m", "plugins": [good]}).to_string().as_bytes(), "m").unwrap().plugins.len(), 1);
        for (manifest, words) in [
            ("{plugins: []}".to_owned(), "invalid marketplace JSON at m: "),
            ("[]".to_owned(), "expected object"),
            ("{}".to_owned(), "missing plugins[]"),
            (json!({"plugins": [good, 1]}).to_string(), "invalid marketplace entry in m: expected object"),
            (json!({"plugins": [good, {"source": "./a"}]}).to_string(), "invalid marketplace entry in m: missing name"),
            (json!({"plugins": [good, {"name": "b"}]}).to_string(), "invalid marketplace entry \"b\" in m: "),
        ] {
            assert!(Manifest::parse(manifest.as_bytes(), "m").unwrap_err().contains(words), "{manifest}");
        }
    }
}
