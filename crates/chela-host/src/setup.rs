//! Setup entries of plugins: `openclaw.setupEntry` is loaded in a worker of its own, asked, and ended. Only `doctor` does so: what a
//! setup entry registers are migrations of older config (API-056) and reasons to switch the plugin on (API-057).

use std::sync::Arc;
use std::time::Duration;

use chela_plugin::{Adapter, Call, CallError, StartedPlugin};
use serde_json::{Value, json};

use crate::assemble::Host;
use crate::visible::masked_for;

/// Longest call of one function of a setup entry.
const CALL_BUDGET: Duration = Duration::from_secs(20);
/// How long the worker may take to end.
const GRACE: Duration = Duration::from_millis(500);
/// Most functions of one kind, and most texts that one of them may give.
const MOST: usize = 100;
/// Longest text, in characters.
const LONGEST: usize = 500;

/// What setup entries made of a config.
#[derive(Debug, Default)]
pub struct ConfigMigrations {
    /// The config, as it is after all migrations.
    pub config: Value,
    /// Plugin and text of each change, in order; empty when the config stays as it is.
    pub changes: Vec<(String, String)>,
    /// What went wrong, by plugin. The others went on.
    pub problems: Vec<(String, String)>,
}

/// Why plugins want to be switched on.
#[derive(Debug, Default)]
pub struct EnableReasons {
    /// Plugin and reason.
    pub reasons: Vec<(String, String)>,
    /// What went wrong, by plugin.
    pub problems: Vec<(String, String)>,
}

/// A setup entry that is loaded.
struct Loaded<'a> {
    plugin: &'a str,
    started: StartedPlugin,
}

impl Loaded<'_> {
    /// The functions that were registered with a method.
    fn functions(&self, method: &str) -> Vec<u64> {
        let registered = self.started.registrations.iter().filter(|r| r.method == method);
        registered.filter_map(|r| chela_plugin::value::function_handle(r.args.first()?)).take(MOST).collect()
    }

    async fn call(&self, function: u64, args: Value, adapter: Option<Adapter>) -> Result<Value, CallError> {
        let mut call = Call::new(vec![args]).budget(Some(CALL_BUDGET));
        call.adapter = adapter;
        self.started.target.call(function, call).await
    }

    async fn end(self) {
        self.started.control.stop("the setup entry was asked", GRACE).await;
    }
}

fn texts(value: &Value) -> impl Iterator<Item = String> + '_ {
    let many = value.as_array().into_iter().flatten().chain(value.is_string().then_some(value));
    let texts = many.filter_map(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
    texts.take(MOST).map(|text| text.chars().take(LONGEST).collect())
}

impl Host {
    /// Loads a plugin's setup entry, where it has one that must run; what goes wrong is one of the problems.
    async fn load_setup<'a>(self: &Arc<Self>, plugin: &'a str, problems: &mut Vec<(String, String)>) -> Option<Loaded<'a>> {
        let snapshot = self.manager.snapshot();
        let record = snapshot.find(plugin).filter(|record| record.setup_source.is_some())?;
        // `requiresRuntime: false`: the manifest says all there is to know.
        if record.manifest.setup.as_ref().is_some_and(|setup| setup.requires_runtime == Some(false)) {
            return None;
        }
        match self.manager.start_setup(record).await {
            Ok(started) => Some(Loaded { plugin, started }),
            Err(error) => {
                problems.push((plugin.to_owned(), error.to_string()));
                None
            }
        }
    }

    /// Runs the migrations of these plugins over a config as it is written. A plugin that fails changes nothing.
    pub async fn migrate_config(self: &Arc<Self>, plugins: &[String], config: Value) -> ConfigMigrations {
        let mut out = ConfigMigrations { config, ..ConfigMigrations::default() };
        for plugin in plugins {
            let Some(loaded) = self.load_setup(plugin, &mut out.problems).await else { continue };
            let snapshot = self.manager.snapshot();
            for function in loaded.functions("registerConfigMigration") {
                // Each goes on from what the one before it made.
                let shown = masked_for(snapshot.find(plugin), &out.config);
                let answer = loaded.call(function, shown, None).await;
                out.take(loaded.plugin, answer);
            }
            loaded.end().await;
        }
        out
    }

    /// Asks these plugins why they want to be on.
    pub async fn enable_reasons(self: &Arc<Self>, plugins: &[String], config: &Value) -> EnableReasons {
        let mut out = EnableReasons::default();
        for plugin in plugins {
            let Some(loaded) = self.load_setup(plugin, &mut out.problems).await else { continue };
            let snapshot = self.manager.snapshot();
            let ctx = json!({"config": masked_for(snapshot.find(plugin), config)});
            for function in loaded.functions("registerAutoEnableProbe") {
                match loaded.call(function, ctx.clone(), Some(Adapter::Env)).await {
                    Ok(answer) => {
                        for reason in texts(&answer) {
                            let row = (plugin.clone(), reason);
                            if !out.reasons.contains(&row) {
                                out.reasons.push(row);
                            }
                        }
                    }
                    Err(error) => out.problems.push((plugin.clone(), error.to_string())),
                }
            }
            loaded.end().await;
        }
        out
    }
}

impl ConfigMigrations {
    fn take(&mut self, plugin: &str, answer: Result<Value, CallError>) {
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => return self.problems.push((plugin.into(), error.to_string())),
        };
        let changes: Vec<String> = texts(&answer["changes"]).collect();
        if changes.is_empty() {
            return;
        }
        if !answer["config"].is_object() {
            return self.problems.push((plugin.into(), "its migration gave changes and no `config`".into()));
        }
        match chela_config::redact::restore(&answer["config"], &self.config) {
            Ok(config) => {
                self.config = config;
                self.changes.extend(changes.into_iter().map(|change| (plugin.to_owned(), change)));
            }
            Err(error) => self.problems.push((plugin.into(), error.to_string())),
        }
    }
}
