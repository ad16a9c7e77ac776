//! Older forms that a plugin's code and manifest use, with the reference's compatibility codes. Read from its files; nothing is run.

use chela_catalog::PluginRecord;
use chela_scan::ImportReport;
use serde::Serialize;
use serde_json::Value;

use crate::sdk::subpath_of;

/// One older form, as `inspect --json` and the doctors show it (INS-326).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Notice {
    /// The plugin.
    pub plugin_id: String,
    /// The code.
    pub code: &'static str,
    /// The code of the reference's registry of compatibility records.
    pub compat_code: &'static str,
    /// `warn` for what the reference means to drop, else `info`.
    pub severity: &'static str,
    /// What is used where, and what to use instead.
    pub message: String,
}

/// An older way to import: the subpath, names within it (none for the subpath as a whole), its code, and what to use instead.
type OldImport = (&'static str, &'static [&'static str], &'static str, &'static str);

const OLD_IMPORTS: &[OldImport] = &[
    ("extension-api", &[], "legacy-extension-api-import", "the helpers of `api.runtime`, or a focused subpath"),
    ("index", &[], "legacy-root-sdk-import", "focused subpaths, `openclaw/plugin-sdk/<subpath>`"),
    ("compat", &[], "legacy-root-sdk-import", "focused subpaths, `openclaw/plugin-sdk/<subpath>`"),
    ("channel-runtime", &[], "channel-runtime-sdk-alias", "a focused channel subpath such as `channel-runtime-context`"),
    ("channel-config-schema-legacy", &[], "bundled-channel-config-schema-legacy", "a schema of the plugin's own"),
    ("messaging-targets", &[], "channel-messaging-targets-subpath", "`channel-targets`"),
    ("agent-harness", &[], "agent-harness-sdk-alias", "`agent-runtime`"),
    ("agent-harness-runtime", &[], "agent-harness-sdk-alias", "`agent-runtime`"),
    ("testing", &[], "plugin-sdk-testing-barrel", "a focused test subpath such as `plugin-test-runtime`"),
    ("test-utils", &[], "plugin-sdk-test-utils-alias", "a focused test subpath such as `plugin-test-runtime`"),
    (
        "channel-route",
        &["channelRouteIdentityKey", "channelRouteKey"],
        "channel-route-key-aliases",
        "`channelRouteDedupeKey` and `channelRouteCompactKey`",
    ),
    (
        "channel-route",
        &["resolveChannelRouteTargetWithParser"],
        "channel-explicit-target-parser",
        "`messaging.targetResolver` of the channel",
    ),
    (
        "channel-route",
        &[
            "comparableChannelTargetsMatch",
            "comparableChannelTargetsShareRoute",
            "resolveComparableTargetForChannel",
            "resolveComparableTargetForLoadedChannel",
        ],
        "channel-target-comparable-aliases",
        "`channelRouteTargetsMatchExact` and `channelRouteTargetsShareConversation`",
    ),
    (
        "command-auth",
        &["buildCommandsMessage", "buildCommandsMessagePaginated", "buildHelpMessage"],
        "command-auth-status-builders",
        "`command-status`",
    ),
    (
        "channel-actions",
        &["createMessageToolButtonsSchema", "createMessageToolCardSchema"],
        "channel-native-message-schema-helpers",
        "the `presentation` capabilities of the channel",
    ),
    (
        "channel-inbound",
        &["resolveMentionGating", "resolveMentionGatingWithBypass"],
        "channel-mention-gating-legacy-helpers",
        "`resolveInboundMentionDecision({ facts, policy })`",
    ),
    (
        "channel-mention-gating",
        &["resolveMentionGating", "resolveMentionGatingWithBypass"],
        "channel-mention-gating-legacy-helpers",
        "`resolveInboundMentionDecision({ facts, policy })`",
    ),
    (
        "provider-web-search",
        &["createPluginBackedWebSearchProvider"],
        "provider-web-search-core-wrapper",
        "a `createTool` on the provider itself",
    ),
    (
        "memory-core-host-engine-embeddings",
        &["registerMemoryEmbeddingProvider"],
        "deprecated-memory-embedding-provider-api",
        "`api.registerEmbeddingProvider` and `contracts.embeddingProviders`",
    ),
];

/// Older members of what plugins get, and older options of SDK functions: the form, its code, and what to use instead.
pub(crate) const OLD_FORMS: &[(&str, &str, &str)] = &[
    ("runtime.taskFlow", "runtime-taskflow-legacy-alias", "`runtime.tasks.managedFlows`, or `runtime.tasks.flows` to read"),
    ("tasks.flow", "runtime-taskflow-legacy-alias", "`runtime.tasks.managedFlows`, or `runtime.tasks.flows` to read"),
    ("subagent.getSession", "runtime-subagent-get-session-alias", "`runtime.subagent.getSessionMessages`"),
    ("agent.runEmbeddedPiAgent", "embedded-pi-agent-sdk-aliases", "`runtime.agent.runEmbeddedAgent`"),
    ("runtime.stt", "runtime-stt-alias", "`runtime.mediaUnderstanding.transcribeAudioFile`"),
    ("reply.formatInboundEnvelope", "runtime-inbound-envelope-alias", "`BodyForAgent` and blocks of user context"),
    ("runtime.config.loadConfig", "runtime-config-load-write", "`runtime.config.current()`"),
    ("runtime.config.writeConfigFile", "runtime-config-load-write", "`mutateConfigFile` or `replaceConfigFile`"),
    (
        "createChannelApprovalCapability({approvals})",
        "approval-capability-approvals-alias",
        "`delivery`, `nativeRuntime`, `render` and `native` beside each other",
    ),
];

/// Older names of types: the name, its code, and what to use instead.
const OLD_TYPES: &[(&str, &str, &str)] = &[
    ("ClawdbotConfig", "clawdbot-config-type-alias", "`OpenClawConfig`"),
    ("OpenClawSchemaType", "openclaw-schema-type-alias", "`OpenClawConfig` of `openclaw/plugin-sdk/config-schema`"),
    ("ProviderDiscoveryOrder", "provider-discovery-type-aliases", "`ProviderCatalogOrder`"),
    ("ProviderDiscoveryContext", "provider-discovery-type-aliases", "`ProviderCatalogContext`"),
    ("ProviderDiscoveryResult", "provider-discovery-type-aliases", "`ProviderCatalogResult`"),
    ("ProviderPluginDiscovery", "provider-discovery-type-aliases", "`ProviderPluginCatalog`"),
    ("AgentToolResultMiddlewareHarness", "agent-tool-result-harness-alias", "`AgentToolResultMiddlewareRuntime`"),
];

/// The notices about a plugin's files: what it imports, and what its manifest declares.
pub fn of_plugin(record: &PluginRecord, report: &ImportReport) -> Vec<Notice> {
    let mut notices = of_imports(&record.id, report);
    notices.extend(of_forms(&record.id, report));
    notices.extend(of_package(record));
    let old = |code: &'static str| match code {
        "provider-auth-env-vars" => Some("`providerAuthEnvVars`; use `setup.providers[].envVars`"),
        "channel-env-vars" => Some("`channelEnvVars`; use `channelConfigs.<id>.schema`"),
        _ => None,
    };
    for code in &record.compat {
        let (severity, message) = match old(code) {
            Some(what) => ("warn", format!("the manifest declares {what}")),
            None => ("info", "the manifest's `activation` names what starts it, which is a hint only".to_owned()),
        };
        notices.push(Notice { plugin_id: record.id.clone(), code, compat_code: code, severity, message });
    }
    notices
}

/// Older members, options and types in the code.
fn of_forms(plugin_id: &str, report: &ImportReport) -> Vec<Notice> {
    let notice = |code, message| Notice { plugin_id: plugin_id.into(), code, compat_code: code, severity: "warn", message };
    let mut out = Vec::new();
    for (form, place) in &report.forms {
        if let Some((_, code, instead)) = OLD_FORMS.iter().find(|(known, ..)| known == form) {
            out.push(notice(code, format!("uses `{form}` ({place}); use {instead}")));
        }
    }
    for (specifier, names) in &report.types {
        for (name, place) in names {
            if let Some((_, code, instead)) = OLD_TYPES.iter().find(|(known, ..)| known == name) {
                out.push(notice(code, format!("imports the type `{name}` of `{specifier}` ({place}); use {instead}")));
            }
        }
    }
    out
}

/// Older forms in `package.json`, and a setup that needs the plugin's code.
fn of_package(record: &PluginRecord) -> Vec<Notice> {
    let mut out = Vec::new();
    let mut add = |code, severity, message: String| {
        out.push(Notice { plugin_id: record.id.clone(), code, compat_code: code, severity, message });
    };
    let package = fs_err::read_to_string(record.root_dir.join("package.json")).ok();
    let package: Value = package.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    for old in ["showConfigured", "showInSetup"].into_iter().filter(|old| package["openclaw"]["channel"].get(old).is_some()) {
        let message = format!("`package.json` declares `openclaw.channel.{old}`; use `openclaw.channel.exposure`");
        add("channel-exposure-legacy-aliases", "warn", message);
    }
    let unsaid = record.manifest.setup.as_ref().is_some_and(|setup| setup.requires_runtime.is_none());
    if unsaid && package["openclaw"].get("setupEntry").is_some() {
        let message = "its setup entry runs when it is set up; `setup.requiresRuntime: false` in the manifest would spare that".to_owned();
        add("setup-runtime-fallback", "info", message);
    }
    out
}

fn of_imports(plugin_id: &str, report: &ImportReport) -> Vec<Notice> {
    let mut notices: Vec<Notice> = Vec::new();
    for (specifier, imported) in &report.imports {
        let Some(subpath) = subpath_of(specifier) else { continue };
        for (_, names, code, instead) in OLD_IMPORTS.iter().filter(|(old, ..)| *old == subpath) {
            let used: Vec<&str> = names.iter().copied().filter(|name| imported.names.contains_key(*name)).collect();
            if !names.is_empty() && used.is_empty() {
                continue;
            }
            let place =
                imported.names.values().flatten().chain(&imported.whole).next().map(|place| format!(" ({place})")).unwrap_or_default();
            let what = if used.is_empty() { String::new() } else { format!("`{}` of ", used.join("`, `")) };
            let message = format!("imports {what}`{specifier}`{place}; use {instead}");
            notices.push(Notice { plugin_id: plugin_id.into(), code, compat_code: code, severity: "warn", message });
        }
    }
    notices
}

#[cfg(test)]
mod tests {
    use super::*;
    use chela_scan::Imported;

    fn report(specifier: &str, names: &[&str]) -> ImportReport {
        let names = names.iter().map(|name| ((*name).to_owned(), vec!["a.ts:1".to_owned()])).collect();
        let imported = Imported { names, linked: true, ..Imported::default() };
        ImportReport { imports: [(specifier.to_owned(), imported)].into(), ..ImportReport::default() }
    }

    #[test]
    fn older_imports_carry_the_codes_of_the_reference() {
        for (specifier, names, want) in [
            ("openclaw/plugin-sdk", &["definePluginEntry"][..], &["legacy-root-sdk-import"][..]),
            ("openclaw/plugin-sdk/compat", &[], &["legacy-root-sdk-import"]),
            ("openclaw/extension-api", &["runEmbeddedPiAgent"], &["legacy-extension-api-import"]),
            ("openclaw/plugin-sdk/channel-runtime", &["x"], &["channel-runtime-sdk-alias"]),
            ("openclaw/plugin-sdk/test-utils", &["x"], &["plugin-sdk-test-utils-alias"]),
            ("openclaw/plugin-sdk/channel-inbound", &["resolveMentionGating"], &["channel-mention-gating-legacy-helpers"]),
            ("openclaw/plugin-sdk/channel-inbound", &["resolveInboundMentionDecision"], &[]),
            ("openclaw/plugin-sdk/plugin-entry", &["definePluginEntry"], &[]),
        ] {
            let codes: Vec<_> = of_imports("p", &report(specifier, names)).iter().map(|notice| notice.code).collect();
            assert_eq!(codes, want, "{specifier}");
        }
        // Each row of the table is found by what it names, and by nothing else of its subpath.
        for (subpath, names, code, _) in OLD_IMPORTS {
            let specifier = match *subpath {
                "index" => "openclaw/plugin-sdk".to_owned(),
                "extension-api" => "openclaw/extension-api".to_owned(),
                other => format!("openclaw/plugin-sdk/{other}"),
            };
            for name in if names.is_empty() { &["anything"] } else { *names } {
                let found = of_imports("p", &report(&specifier, &[name]));
                assert!(found.iter().any(|notice| notice.code == *code), "{specifier} {name}");
            }
            let other = of_imports("p", &report(&specifier, &["nothingOfThatName"]));
            assert_eq!(other.iter().any(|notice| notice.code == *code), names.is_empty(), "{specifier}");
        }
        let notice = &of_imports("p", &report("openclaw/plugin-sdk/command-auth", &["buildHelpMessage"]))[0];
        assert_eq!(notice.message, "imports `buildHelpMessage` of `openclaw/plugin-sdk/command-auth` (a.ts:1); use `command-status`");
    }

    #[test]
    fn older_members_options_and_types_carry_the_codes_of_the_reference() {
        let mut found = ImportReport::default();
        for (form, ..) in OLD_FORMS {
            found.forms.insert((*form).into(), "a.js:1".into());
        }
        let types = OLD_TYPES.iter().map(|(name, ..)| *name).chain(["Other"]);
        found.types.insert("openclaw/plugin-sdk".into(), types.map(|name| (name.to_owned(), "a.ts:2".to_owned())).collect());
        let notices = of_forms("p", &found);
        assert_eq!(notices.len(), OLD_FORMS.len() + OLD_TYPES.len());
        for code in OLD_FORMS.iter().chain(OLD_TYPES).map(|(_, code, _)| *code) {
            assert!(notices.iter().any(|notice| notice.code == code), "{code}");
        }
        let stt = notices.iter().find(|notice| notice.code == "runtime-stt-alias").unwrap();
        assert_eq!(stt.message, "uses `runtime.stt` (a.js:1); use `runtime.mediaUnderstanding.transcribeAudioFile`");
        let config = notices.iter().find(|notice| notice.code == "clawdbot-config-type-alias").unwrap();
        assert_eq!(config.message, "imports the type `ClawdbotConfig` of `openclaw/plugin-sdk` (a.ts:2); use `OpenClawConfig`");
    }
}
