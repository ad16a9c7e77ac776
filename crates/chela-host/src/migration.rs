//! Migration providers: plugins that bring the state of another assistant into this one (API-055). A plan comes first; nothing is
//! changed until somebody has seen it.

use std::path::PathBuf;
use std::time::Duration;

use chela_plugin::{Call, PluginObject};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use crate::assemble::Host;

const METHOD: &str = "registerMigrationProvider";
/// Longest look for something to migrate.
const DETECT_BUDGET: Duration = Duration::from_secs(30);
/// Longest planning.
const PLAN_BUDGET: Duration = Duration::from_secs(5 * 60);
/// Longest migration.
const APPLY_BUDGET: Duration = Duration::from_secs(60 * 60);
/// Most items of one plan.
const MOST_ITEMS: usize = 10_000;
/// Words in names of members whose values are not shown.
const SECRET_WORDS: &[&str] =
    &["apikey", "api_key", "token", "secret", "password", "passwd", "authorization", "cookie", "credential", "privatekey"];

/// What is asked of a provider.
#[derive(Clone, Debug, Default)]
pub struct MigrationOptions {
    /// Where the other assistant keeps its state, in place of the provider's own guess.
    pub source: Option<PathBuf>,
    /// Credentials come along.
    pub include_secrets: bool,
    /// Existing targets may be replaced.
    pub overwrite: bool,
    /// The provider's own options.
    pub provider_options: Value,
    /// The backup that was made.
    pub backup: Option<PathBuf>,
    /// Where the provider may put its report and copies of what it replaces.
    pub report_dir: Option<PathBuf>,
    /// Ends it.
    pub cancel: CancellationToken,
}

/// Why there is no plan or no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MigrationError {
    /// No plugin has it.
    #[error("no migration provider `{wanted}` is registered; {}", known_text(.known))]
    Unknown {
        /// What was asked for.
        wanted: String,
        /// What there is.
        known: Vec<String>,
    },
    /// The provider threw, or took too long.
    #[error("migration provider `{provider}` of plugin `{plugin}` failed: {reason}")]
    Failed {
        /// The provider.
        provider: String,
        /// Its plugin.
        plugin: String,
        /// Its own words.
        reason: String,
    },
}

fn known_text(known: &[String]) -> String {
    if known.is_empty() { "install and enable a plugin that brings one".into() } else { format!("known are {}", known.join(", ")) }
}

impl Host {
    /// The providers, and what each finds on this machine.
    pub async fn migration_providers(&self, options: &MigrationOptions) -> Vec<Value> {
        let registry = self.manager.registry();
        let asked = registry.recorded_of(METHOD).map(|entry| {
            let provider = entry.object(0);
            async move {
                let text = |key: &str| provider.text(key);
                let mut row = json!({
                    "id": entry.id, "label": text("label").unwrap_or(&entry.id), "description": text("description"), "pluginId": *entry.owner.id,
                });
                if provider.has("detect") {
                    row["detected"] = match self.ask_provider(&provider, "detect", options, DETECT_BUDGET, None).await {
                        Ok(found) => found,
                        Err(error) => json!({"found": false, "message": error}),
                    };
                }
                row
            }
        });
        futures::future::join_all(asked).await
    }

    /// What a provider would do, without doing it.
    ///
    /// # Errors
    /// See [`MigrationError`].
    pub async fn migration_plan(&self, id: &str, options: &MigrationOptions) -> Result<Value, MigrationError> {
        let provider = self.migration_provider(id)?;
        let answer = self.ask_provider(&provider, "plan", options, PLAN_BUDGET, None).await;
        answer.and_then(|plan| checked(id, plan)).map_err(|reason| failed(id, &provider, reason))
    }

    /// Does what the plan says. The provider gets the plan that was shown.
    ///
    /// # Errors
    /// See [`MigrationError`].
    pub async fn migration_apply(&self, id: &str, plan: &Value, options: &MigrationOptions) -> Result<Value, MigrationError> {
        let provider = self.migration_provider(id)?;
        let answer = self.ask_provider(&provider, "apply", options, APPLY_BUDGET, Some(plan)).await;
        answer.and_then(|result| checked(id, result)).map_err(|reason| failed(id, &provider, reason))
    }

    fn migration_provider(&self, id: &str) -> Result<PluginObject, MigrationError> {
        let registry = self.manager.registry();
        let found = registry.recorded_of(METHOD).find(|r| r.id == id.trim()).map(|r| r.object(0));
        let known = || registry.recorded_of(METHOD).map(|r| format!("`{}`", r.id)).collect();
        found.ok_or_else(|| MigrationError::Unknown { wanted: id.trim().into(), known: known() })
    }

    async fn ask_provider(
        &self,
        provider: &PluginObject,
        name: &str,
        options: &MigrationOptions,
        budget: Duration,
        plan: Option<&Value>,
    ) -> Result<Value, String> {
        let mut call = Call::new(Vec::new()).budget(Some(budget)).cancelled_by(options.cancel.clone());
        let mut ctx = json!({
            "config": chela_plugin::value::gateway_config(), "stateDir": self.paths.state_dir, "includeSecrets": options.include_secrets,
            "overwrite": options.overwrite, "signal": call.signal(options.cancel.clone()),
        });
        let paths = [("source", &options.source), ("backupPath", &options.backup), ("reportDir", &options.report_dir)];
        for (member, path) in paths {
            if let Some(path) = path {
                ctx[member] = json!(path);
            }
        }
        if options.provider_options.is_object() {
            ctx["providerOptions"] = options.provider_options.clone();
        }
        call.args.push(ctx);
        call.args.extend(plan.cloned());
        provider.call(name, call).await.map_err(|e| e.to_string())
    }
}

fn failed(id: &str, provider: &PluginObject, reason: String) -> MigrationError {
    MigrationError::Failed { provider: id.into(), plugin: provider.owner.id.to_string(), reason }
}

/// A plan or result with items of known form and a summary that counts them.
fn checked(id: &str, mut plan: Value) -> Result<Value, String> {
    let Some(items) = plan.get("items").and_then(Value::as_array) else { return Err("its answer has no list of items".into()) };
    if items.len() > MOST_ITEMS {
        return Err(format!("its answer has {} items; at most {MOST_ITEMS} are taken", items.len()));
    }
    if let Some(bad) = items.iter().position(|item| item["id"].as_str().is_none_or(str::is_empty) || !item["status"].is_string()) {
        return Err(format!("item {bad} of its answer has no `id` or no `status`"));
    }
    let count = |status: &str| items.iter().filter(|item| item["status"] == status).count();
    let sensitive = items.iter().filter(|item| item["sensitive"] == Value::Bool(true)).count();
    let summary = json!({
        "total": items.len(), "planned": count("planned"), "migrated": count("migrated"), "skipped": count("skipped"),
        "conflicts": count("conflict"), "errors": count("error"), "sensitive": sensitive,
    });
    plan["providerId"] = id.into();
    plan["summary"] = summary;
    Ok(plan)
}

/// The same without values of members that look like secrets, for people and reports.
pub fn without_secrets(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let hide = |name: &str| {
                let plain: String = name.to_lowercase().chars().filter(|c| *c != '-').collect();
                SECRET_WORDS.iter().any(|word| plain.contains(word))
            };
            let one = |(name, value): (&String, &Value)| {
                let shown = if hide(name) && !value.is_boolean() && !value.is_null() {
                    chela_config::REDACTED.into()
                } else {
                    without_secrets(value)
                };
                (name.clone(), shown)
            };
            Value::Object(members.iter().map(one).collect::<Map<_, _>>())
        }
        Value::Array(items) => items.iter().map(without_secrets).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_are_counted_and_secrets_hidden() {
        let plan = json!({"items": [{"id": "a", "status": "planned", "sensitive": true}, {"id": "b", "status": "conflict"}], "summary": {"total": 9}});
        let plan = checked("p", plan).unwrap();
        assert_eq!(
            (&plan["summary"]["total"], &plan["summary"]["conflicts"], &plan["summary"]["sensitive"]),
            (&json!(2), &json!(1), &json!(1))
        );
        assert!(checked("p", json!({"items": [{"id": "a"}]})).unwrap_err().contains("item 0"));
        assert!(checked("p", json!({})).is_err());
        let shown =
            without_secrets(&json!({"details": {"apiKey": "k", "X-Auth-Token": ["t"], "sensitive": true, "name": "n", "tokens": null}}));
        assert_eq!(
            shown,
            json!({"details": {"apiKey": chela_config::REDACTED, "X-Auth-Token": chela_config::REDACTED, "sensitive": true, "name": "n", "tokens": null}})
        );
    }
}
