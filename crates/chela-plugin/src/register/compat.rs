//! Older forms that a plugin registers with, and what its code names that the SDK does not carry: notices with the reference's codes.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::lane::{LinkReport, Registration};
use crate::register::entries::{Notice, Owner};

/// Hooks that are kept for older plugins: the name, its code, and what to use instead.
const OLD_HOOKS: [(&str, &str, &str); 2] = [
    ("deactivate", "legacy-deactivate-hook-alias", "`gateway_stop`"),
    ("subagent_spawning", "legacy-subagent-spawning-hook", "`subagent_spawned`, which only observes"),
];
/// Members of a provider that are kept for older plugins.
const OLD_PROVIDER_MEMBERS: [(&str, &str, &str); 6] = [
    ("discovery", "provider-discovery-hook-alias", "`catalog.run`"),
    ("capabilities", "provider-static-capabilities-bag", "hooks such as `buildReplayPolicy` and `wrapStreamFn`"),
    (
        "resolveExternalOAuthProfiles",
        "provider-external-oauth-profiles-hook",
        "`resolveExternalAuthProfiles` and `contracts.externalAuthProviders`",
    ),
    ("isBinaryThinking", "provider-thinking-policy-hooks", "`resolveThinkingProfile`"),
    ("supportsXHighThinking", "provider-thinking-policy-hooks", "`resolveThinkingProfile`"),
    ("resolveDefaultThinkingLevel", "provider-thinking-policy-hooks", "`resolveThinkingProfile`"),
];
/// Most names that one notice lists.
const LISTED: usize = 12;

/// The notices about a plugin that registered.
pub(super) fn notices(owner: &Owner, shape: Option<&str>, registrations: &[Registration], link: &LinkReport) -> Vec<Notice> {
    let mut out: Vec<Notice> = Vec::new();
    let mut add = |code: &str, message: String| {
        let notice = Notice { plugin_id: owner.id.to_string(), code: code.into(), compat_code: code.into(), severity: "warn", message };
        if !out.contains(&notice) {
            out.push(notice);
        }
    };
    if shape == Some("activate") {
        add("plugin-activate-entrypoint-alias", "exports `activate` as its entry; use `register`".into());
    }
    for Registration { method, args } in registrations {
        let first = args.first().unwrap_or(&Value::Null);
        match method.as_str() {
            "on" => {
                for (_, code, instead) in OLD_HOOKS.iter().filter(|(hook, ..)| first == hook) {
                    add(code, format!("listens to `{}`; use {instead}", first.as_str().unwrap_or_default()));
                }
            }
            "registerMemoryPromptSection" | "registerMemoryFlushPlan" | "registerMemoryRuntime" => {
                add("memory-split-registration", format!("uses `{method}`; use `registerMemoryCapability`"));
            }
            "registerMemoryEmbeddingProvider" => {
                let message = format!("uses `{method}`; use `registerEmbeddingProvider` and `contracts.embeddingProviders`");
                add("deprecated-memory-embedding-provider-api", message);
            }
            "registerAgentToolResultMiddleware" if args.get(1).is_some_and(|options| options.get("harnesses").is_some()) => {
                add("agent-tool-result-harness-alias", "its tool result middleware names `harnesses`; use `runtimes`".into());
            }
            "registerProvider" => {
                for (member, code, instead) in OLD_PROVIDER_MEMBERS.iter().filter(|(member, ..)| first.get(member).is_some()) {
                    add(code, format!("its provider has `{member}`; use {instead}"));
                }
            }
            _ => {}
        }
    }
    for (code, message) in missing(link) {
        add(code, message);
    }
    out
}

/// What the code names and the SDK lacks: it fails when it is used, not before.
fn missing(link: &LinkReport) -> Vec<(&'static str, String)> {
    let text = |row: &Value, key: &str| row.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut out = Vec::new();
    let mut subpaths: BTreeMap<String, String> = BTreeMap::new();
    for row in &link.missing_subpaths {
        subpaths.entry(text(row, "subpath")).or_insert_with(|| text(row, "importer"));
    }
    for (subpath, importer) in &subpaths {
        out.push(("sdk-subpath-missing", format!("imports `openclaw/plugin-sdk/{subpath}`, which this SDK does not carry ({importer})")));
    }
    let mut exports: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in &link.missing_exports {
        let (subpath, name) = (text(row, "subpath"), text(row, "name"));
        let names = exports.entry(subpath).or_default();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    for (subpath, names) in exports.iter().filter(|(subpath, _)| !subpaths.contains_key(*subpath)) {
        let more = names.len().saturating_sub(LISTED);
        let shown = names.iter().take(LISTED).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let message =
            format!("imports {shown}{more} of `openclaw/plugin-sdk/{subpath}`, which this SDK does not carry; each throws when it is used");
        out.push(("sdk-export-missing", message));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::register::testing::facts;
    use serde_json::json;

    fn codes(shape: Option<&str>, rows: &[(&str, Value)], link: &LinkReport) -> Vec<String> {
        let owner = facts("p", json!({})).owner();
        let registrations: Vec<Registration> =
            rows.iter().map(|(method, arg)| Registration { method: (*method).into(), args: vec![arg.clone()] }).collect();
        notices(&owner, shape, &registrations, link).into_iter().map(|notice| notice.code).collect()
    }

    #[test]
    fn older_registrations_carry_the_codes_of_the_reference() {
        let none = LinkReport::default();
        for (shape, method, arg, want) in [
            (Some("activate"), "on", json!("agent_end"), &["plugin-activate-entrypoint-alias"][..]),
            (Some("object"), "on", json!("deactivate"), &["legacy-deactivate-hook-alias"]),
            (None, "on", json!("subagent_spawning"), &["legacy-subagent-spawning-hook"]),
            (None, "registerMemoryRuntime", json!({}), &["memory-split-registration"]),
            (None, "registerMemoryEmbeddingProvider", json!({}), &["deprecated-memory-embedding-provider-api"]),
            (
                None,
                "registerProvider",
                json!({"id": "x", "discovery": {}, "capabilities": {}}),
                &["provider-discovery-hook-alias", "provider-static-capabilities-bag"],
            ),
            (None, "registerProvider", json!({"id": "x", "catalog": {}}), &[]),
            (
                None,
                "registerProvider",
                json!({"id": "x", "resolveExternalOAuthProfiles": {"$fn": 1}, "isBinaryThinking": {"$fn": 2}}),
                &["provider-external-oauth-profiles-hook", "provider-thinking-policy-hooks"],
            ),
            (None, "registerMemoryFlushPlan", json!({}), &["memory-split-registration"]),
        ] {
            assert_eq!(codes(shape, &[(method, arg.clone())], &none), want, "{method} {arg}");
        }
        let twice = [("registerMemoryRuntime", json!({})), ("registerMemoryRuntime", json!({"a": 1}))];
        assert_eq!(codes(None, &twice, &none).len(), 1);
    }

    #[test]
    fn what_the_sdk_lacks_is_told_once_for_each_subpath() {
        let row = |subpath: &str, name: &str| json!({"subpath": subpath, "name": name, "importer": "index.js"});
        let link = LinkReport {
            missing_exports: vec![row("core", "a"), row("core", "b"), row("core", "a"), row("gone", "c")],
            missing_subpaths: vec![json!({"subpath": "gone", "importer": "index.js"})],
        };
        let told = missing(&link);
        assert_eq!(told.len(), 2, "{told:?}");
        assert_eq!(told[0].1, "imports `openclaw/plugin-sdk/gone`, which this SDK does not carry (index.js)");
        assert_eq!(told[1].1, "imports `a`, `b` of `openclaw/plugin-sdk/core`, which this SDK does not carry; each throws when it is used");
    }
}
