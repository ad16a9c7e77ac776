//! The official plugins that are no part of the program: which package each one is, and what its publisher says of it beforehand.
//!
//! The list in `data/official.json` holds facts of the reference 2026.5.12. It says which name an install may be asked for by
//! (INS-116), which packages are trusted (INS-198, INS-227), and the integrity that an exact version must have (INS-205).

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

const DATA: &[u8] = include_bytes!("../data/official.json");

/// One official plugin.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OfficialPlugin {
    /// Plugin id.
    pub id: String,
    /// Name of its npm package.
    pub package: String,
    /// Its name for people.
    pub label: String,
    /// What it is for.
    pub kind: OfficialKind,
    /// The channel that it brings.
    #[serde(default)]
    pub channel: Option<String>,
    /// The model providers that it brings.
    #[serde(default)]
    pub providers: Vec<String>,
    /// The web search providers that it brings.
    #[serde(default)]
    pub web_search_providers: Vec<String>,
    /// Contract lists that its manifest may leave out (MAN-105).
    #[serde(default)]
    pub contracts: BTreeMap<String, Vec<String>>,
    /// What to install: the package, with an exact version for some.
    pub npm_spec: String,
    /// The same package on ClawHub.
    #[serde(default)]
    pub clawhub_spec: Option<String>,
    /// Its publisher prefers ClawHub over npm.
    #[serde(default)]
    pub prefers_claw_hub: bool,
    /// The oldest host that it runs on, as a floor (`>=2026.4.10`).
    #[serde(default)]
    pub min_host_version: Option<String>,
    /// The `dist.integrity` of exactly `npm_spec` (INS-205).
    #[serde(default)]
    pub expected_integrity: Option<String>,
    /// The reference lets it be installed over an invalid config (INS-130).
    #[serde(default)]
    pub config_recovery: bool,
}

/// What an official plugin is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OfficialKind {
    /// A messaging channel.
    Channel,
    /// A model provider.
    Provider,
    /// Anything else.
    Plugin,
}

impl OfficialPlugin {
    /// True for the publisher whose packages may fall back to another version than `latest` (INS-198).
    pub fn is_own_scope(&self) -> bool {
        self.package.starts_with("@openclaw/")
    }

    /// The integrity for a spec, which must be spelled as in the list (INS-205).
    pub fn integrity_of(&self, spec: &str) -> Option<&str> {
        self.expected_integrity.as_deref().filter(|_| spec.trim() == self.npm_spec)
    }

    fn answers_to(&self, id: &str) -> bool {
        self.id == id || self.channel.as_deref() == Some(id) || self.providers.first().is_some_and(|first| first == id)
    }
}

/// All official plugins, in the order of the list.
pub fn official_plugins() -> &'static [OfficialPlugin] {
    static LIST: LazyLock<Vec<OfficialPlugin>> = LazyLock::new(|| serde_json::from_slice(DATA).unwrap_or_default());
    &LIST
}

/// The one with this plugin id, channel id or first provider id (INS-116).
pub fn official_by_id(id: &str) -> Option<&'static OfficialPlugin> {
    official_plugins().iter().find(|plugin| plugin.answers_to(id.trim()))
}

/// The one that is this npm package.
pub fn official_by_package(name: &str) -> Option<&'static OfficialPlugin> {
    official_plugins().iter().find(|plugin| plugin.package == name.trim())
}

#[cfg(test)]
mod tests {
    use chela_manifest::NpmSpec;

    use super::*;

    // INS-116, INS-205
    #[test]
    fn the_list_is_whole() {
        let all: Vec<OfficialPlugin> = serde_json::from_slice(DATA).unwrap();
        assert_eq!(all.len(), 33);
        for plugin in &all {
            let spec = NpmSpec::parse(&plugin.npm_spec).unwrap();
            assert_eq!(spec.name, plugin.package);
            assert_eq!(plugin.expected_integrity.is_some(), spec.exact_version().is_some(), "{}", plugin.id);
            assert!(chela_manifest::validate_plugin_id(&plugin.id).is_ok(), "{}", plugin.id);
            assert_eq!(official_by_id(&plugin.id), Some(plugin));
            assert_eq!(official_by_package(&plugin.package), Some(plugin));
        }
        assert_eq!(official_by_id("wecom").unwrap().id, "wecom-openclaw-plugin", "by its channel");
        assert!(official_by_id("memory-core").is_none());
        let exact = official_by_id("yuanbao").unwrap();
        assert!(exact.integrity_of(&exact.npm_spec).is_some());
        assert_eq!(exact.integrity_of(&exact.package), None, "another spec is not bound");
        assert!(official_by_id("discord").unwrap().is_own_scope());
        assert!(!exact.is_own_scope());
    }
}
