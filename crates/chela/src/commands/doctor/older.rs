//! Older forms in the config and the environment, with the reference's compatibility codes.

use chela_config::Config;
use serde_json::Value;

use super::{Check, Grade, check};

/// A path in the config, the code of its older form, and what to use instead.
const OLD_PATHS: [(&str, &str, &str); 5] = [
    (
        "plugins.installs",
        "plugin-install-config-ledger",
        "remove it: what is installed is in `plugins/installs.json` of the state directory",
    ),
    ("tools.web.search.apiKey", "plugin-owned-web-search-config", "move it to `plugins.entries.<plugin>.config.webSearch`"),
    ("tools.web.fetch.firecrawl", "plugin-owned-web-fetch-config", "move it to `plugins.entries.firecrawl.config.webFetch`"),
    ("tools.web.x_search.apiKey", "plugin-owned-x-search-config", "move it to `plugins.entries.xai.config.webSearch.apiKey`"),
    ("agents.defaults.embeddedHarness", "embedded-harness-config-alias", "rename it to `agentRuntime`"),
];
/// Variables for the reference's plugin registry: what each does here, its code, and what to do.
const OLD_VARIABLES: [(&str, &str, &str, &str); 3] = [
    (
        "OPENCLAW_DISABLE_PERSISTED_PLUGIN_REGISTRY",
        "hides what `plugins install` recorded",
        "disable-persisted-plugin-registry-env",
        "unset it: it was meant for emergencies",
    ),
    ("OPENCLAW_DISABLE_PLUGIN_REGISTRY_MIGRATION", "has no effect", "plugin-registry-install-migration-env", REFRESH),
    ("OPENCLAW_FORCE_PLUGIN_REGISTRY_MIGRATION", "has no effect", "plugin-registry-install-migration-env", REFRESH),
];
const REFRESH: &str = "unset it; `chela plugins registry --refresh` reads the plugins anew";

fn old(what: &str, code: &str, hint: impl Into<String>) -> Check {
    check("compatibility", Grade::Warn, format!("{what} [{code}]")).hint(hint)
}

/// One finding for each older form.
pub(super) fn checks(config: &Config, variable: &dyn Fn(&str) -> bool) -> Vec<Check> {
    let source = &config.source;
    let at = |path: &str| path.split('.').try_fold(source, |value, key| value.get(key));
    let mut out: Vec<Check> = OLD_PATHS
        .iter()
        .filter(|(path, ..)| at(path).is_some())
        .map(|(path, code, hint)| old(&format!("`{path}` of the config is an older form"), code, *hint))
        .collect();
    // A provider's own block beside the settings that all share.
    let providers = at("tools.web.search").and_then(Value::as_object).into_iter().flatten();
    out.extend(providers.filter(|(_, value)| value.get("apiKey").is_some()).map(|(name, _)| {
        let what = format!("`tools.web.search.{name}` of the config is an older form");
        old(&what, "plugin-owned-web-search-config", "move it to `plugins.entries.<plugin>.config.webSearch`")
    }));
    let agents = at("agents.list").and_then(Value::as_array).into_iter().flatten().enumerate();
    out.extend(agents.filter(|(_, agent)| agent.get("embeddedHarness").is_some()).map(|(at, _)| {
        let what = format!("`agents.list[{at}].embeddedHarness` of the config is an older form");
        old(&what, "embedded-harness-config-alias", "rename it to `agentRuntime`")
    }));
    let set = OLD_VARIABLES.iter().filter(|(name, ..)| variable(name));
    out.extend(set.map(|(name, effect, code, hint)| old(&format!("`{name}` is set and {effect}"), code, *hint)));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use chela_config::{Env, StatePaths};

    #[test]
    fn older_forms_of_the_config_carry_the_codes_of_the_reference() {
        let dir = tempfile::tempdir().unwrap();
        let text = r#"{
            plugins: {installs: {}},
            tools: {web: {search: {apiKey: "k", brave: {apiKey: "k"}, maxResults: 3}, fetch: {firecrawl: {}}, x_search: {apiKey: "k"}}},
            agents: {defaults: {embeddedHarness: {}}, list: [{id: "a"}, {id: "b", embeddedHarness: {}}]},
        }"#;
        fs_err::write(dir.path().join("openclaw.json"), text).unwrap();
        let env = Env::from_iter([("OPENCLAW_STATE_DIR", dir.path().to_str().unwrap()), ("HOME", dir.path().to_str().unwrap())]);
        let (config, _) = chela_config::load_lenient(&StatePaths::from_env(&env).unwrap(), &env).unwrap();
        let found = checks(&config, &|name| !name.contains("DISABLE_PLUGIN_REGISTRY_MIGRATION"));
        let codes: Vec<&str> = found.iter().map(|one| one.message.rsplit_once('[').unwrap().1.trim_end_matches(']')).collect();
        assert_eq!(
            codes,
            [
                "plugin-install-config-ledger",
                "plugin-owned-web-search-config",
                "plugin-owned-web-fetch-config",
                "plugin-owned-x-search-config",
                "embedded-harness-config-alias",
                "plugin-owned-web-search-config",
                "embedded-harness-config-alias",
                "disable-persisted-plugin-registry-env",
                "plugin-registry-install-migration-env",
            ]
        );
        assert!(found.iter().all(|one| one.hint.is_some()));
    }
}
