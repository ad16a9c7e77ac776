//! A host with one plugin whose functions are known by number.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chela_models::Secret;
use chela_plugin::register::{PluginFacts, RegistryBuilder, RegistryInputs};
use chela_plugin::registry::Registry;
use chela_plugin::testing::started;
use chela_plugin::{Call, CallError, CallTarget, HandlerOutcome, HookBatch, StartedPlugin};
use serde_json::{Value, json};

use crate::host::{Credential, Picture, Surroundings};

/// Throws `it broke`.
pub(crate) const FAILS: u64 = 1;
/// Never answers.
pub(crate) const HANGS: u64 = 2;
/// Answers with its first argument.
pub(crate) const ECHOES: u64 = 3;
/// Answers `true`.
pub(crate) const SAYS_YES: u64 = 4;
/// Answers `false`.
pub(crate) const SAYS_NO: u64 = 5;

#[derive(Debug, Default)]
struct Functions(Mutex<Vec<(u64, Value)>>);

#[async_trait]
impl CallTarget for Functions {
    fn worker_key(&self) -> u64 {
        1
    }

    async fn call(&self, handle: u64, call: Call) -> Result<Value, CallError> {
        let first = call.args.first().cloned().unwrap_or_default();
        self.0.lock().unwrap().push((handle, first.clone()));
        match handle {
            FAILS => Err(CallError::thrown("it broke")),
            HANGS => {
                let budget = call.budget.unwrap_or_default();
                tokio::time::sleep(budget).await;
                Err(CallError::TimedOut(budget.as_millis() as u64))
            }
            SAYS_YES => Ok(json!(true)),
            SAYS_NO => Ok(json!(false)),
            _ => Ok(first),
        }
    }

    async fn hooks(&self, _: HookBatch) -> Result<Vec<HandlerOutcome>, CallError> {
        Err(CallError::Cancelled)
    }

    fn release(&self, _: &[u64]) {}
}

/// See the module.
pub(crate) struct FakeHost {
    registry: Arc<Registry>,
    pub(crate) config: Value,
    pub(crate) credentials: Vec<&'static str>,
    pub(crate) variables: Vec<&'static str>,
    pub(crate) dir: tempfile::TempDir,
}

impl FakeHost {
    pub(crate) fn new(calls: &[(&str, Value)]) -> Self {
        let manifest = json!({"id": "p", "configSchema": {"type": "object"}});
        let parsed = chela_manifest::parse_manifest(manifest.to_string().as_bytes()).unwrap();
        let calls: Vec<(&str, Value)> = calls.iter().map(|(method, object)| (*method, json!([object]))).collect();
        let plugin = StartedPlugin { target: Arc::new(Functions::default()), ..started(&calls) };
        let mut builder = RegistryBuilder::new(RegistryInputs::default());
        builder.add(PluginFacts::new("p", "/p/index.js", Arc::new(parsed.manifest)), plugin);
        Self {
            registry: builder.build(),
            config: json!({}),
            credentials: Vec::new(),
            variables: Vec::new(),
            dir: tempfile::tempdir().unwrap(),
        }
    }
}

#[async_trait]
impl Surroundings for FakeHost {
    fn registry(&self) -> Arc<Registry> {
        self.registry.clone()
    }

    fn config(&self) -> Arc<Value> {
        Arc::new(self.config.clone())
    }

    fn setting(&self, pointer: &str) -> Option<Value> {
        self.config.pointer(pointer).cloned()
    }

    fn agent_dir(&self, _: Option<&str>) -> PathBuf {
        self.dir.path().join("agent")
    }

    fn workspace(&self, _: Option<&str>) -> PathBuf {
        self.dir.path().join("workspace")
    }

    fn state_dir(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    fn media_dir(&self) -> PathBuf {
        self.dir.path().join("media")
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.variables.contains(&name).then(|| "value".to_string())
    }

    fn credential(&self, provider: &str) -> Option<Credential> {
        self.credentials.contains(&provider).then(|| Credential { key: Secret::new("key"), base_url: None, headers: Vec::new() })
    }

    fn chat_model(&self, _: Option<&str>) -> String {
        "chat/model".into()
    }

    fn sees(&self, model: &str) -> bool {
        model.ends_with("-eyes")
    }

    async fn look(&self, model: &str, prompt: &str, pictures: Vec<Picture>, _: Option<u32>) -> Result<String, String> {
        Ok(format!("{model} saw {} pictures: {prompt}", pictures.len()))
    }

    async fn wake(&self, _: &str, _: Option<&str>, _: String) -> Result<(), String> {
        Ok(())
    }
}
