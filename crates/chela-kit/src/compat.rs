//! Older forms that a plugin's code and manifest use, with the reference's compatibility codes. Read from its files; nothing is run.

use chela_catalog::PluginRecord;
use chela_scan::ImportReport;
use serde::Serialize;

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

/// The notices about a plugin's files: what it imports, and what its manifest declares.
pub fn of_plugin(record: &PluginRecord, report: &ImportReport) -> Vec<Notice> {
    let mut notices = of_imports(&record.id, report);
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
        let notice = &of_imports("p", &report("openclaw/plugin-sdk/command-auth", &["buildHelpMessage"]))[0];
        assert_eq!(notice.message, "imports `buildHelpMessage` of `openclaw/plugin-sdk/command-auth` (a.ts:1); use `command-status`");
    }
}
