//! What capabilities need of the host, passed in.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chela_models::Secret;
use chela_plugin::registry::Registry;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

/// Longest answer to a question such as `isConfigured`.
pub const QUESTION_BUDGET: Duration = Duration::from_secs(10);

/// A credential of a provider, as the config, a profile or the environment gives it.
#[derive(Clone, Debug)]
pub struct Credential {
    /// The key; it does not print.
    pub key: Secret,
    /// The configured address of the provider's service, if any.
    pub base_url: Option<String>,
    /// Configured headers.
    pub headers: Vec<(String, String)>,
}

/// A picture for a chat model.
#[derive(Clone, Debug)]
pub struct Picture {
    /// `image/png` and so on.
    pub mime: String,
    /// The bytes, as base64.
    pub base64: String,
}

/// What the host lends.
#[async_trait]
pub trait Surroundings: Send + Sync {
    /// What plugins registered, now.
    fn registry(&self) -> Arc<Registry>;

    /// The effective config, as plugins get it.
    fn config(&self) -> Arc<Value>;

    /// One value of the effective config, by JSON pointer: cheap, for what runs in every turn.
    fn setting(&self, pointer: &str) -> Option<Value>;

    /// The directory of an agent's own files; of the default agent's when none is named.
    fn agent_dir(&self, agent: Option<&str>) -> PathBuf;

    /// The workspace of an agent; of the default agent's when none is named.
    fn workspace(&self, agent: Option<&str>) -> PathBuf;

    /// The state directory.
    fn state_dir(&self) -> PathBuf;

    /// Where generated media are kept.
    fn media_dir(&self) -> PathBuf;

    /// A variable of the environment.
    fn variable(&self, name: &str) -> Option<String>;

    /// The credential of a provider, by its id.
    fn credential(&self, provider: &str) -> Option<Credential>;

    /// `provider/model` of the chat model of an agent.
    fn chat_model(&self, agent: Option<&str>) -> String;

    /// True when a chat model takes pictures.
    fn sees(&self, model: &str) -> bool;

    /// Asks a chat model about pictures; the model is `provider/model`.
    ///
    /// # Errors
    /// A text for people.
    async fn look(&self, model: &str, prompt: &str, pictures: Vec<Picture>, max_tokens: Option<u32>) -> Result<String, String>;

    /// Begins a turn of a session with a message of the host, such as the end of a background task.
    ///
    /// # Errors
    /// A text for logs.
    async fn wake(&self, session_key: &str, agent: Option<&str>, text: String) -> Result<(), String>;
}

/// One request: the plugins and the config that it began with, for whom it is, and what ends it.
#[derive(Clone)]
pub struct Scope<'a> {
    /// The host.
    pub host: &'a dyn Surroundings,
    /// The plugins.
    pub registry: Arc<Registry>,
    /// The config: the caller's when it brought one.
    pub config: Arc<Value>,
    /// True when a caller brought the config.
    pub given: bool,
    /// The agent; the default one when absent.
    pub agent: Option<String>,
    /// Ends the request, and with it the call that is under way.
    pub cancel: CancellationToken,
}

impl<'a> Scope<'a> {
    /// A request on the state of now.
    pub fn new(host: &'a dyn Surroundings) -> Self {
        Self { registry: host.registry(), config: host.config(), given: false, host, agent: None, cancel: CancellationToken::new() }
    }

    /// Uses the config that a caller passed along, when it is one.
    #[must_use]
    pub fn with_config(mut self, config: Option<&Value>) -> Self {
        if let Some(config) = config.filter(|c| c.is_object()) {
            self.config = Arc::new(config.clone());
            self.given = true;
        }
        self
    }

    /// A value of the config by JSON pointer.
    pub fn setting(&self, pointer: &str) -> Option<&Value> {
        self.config.pointer(pointer)
    }

    /// The config as a provider gets it: that of the gateway is only named, and each plugin has its own view of it.
    pub fn shown(&self) -> Value {
        if self.given { (*self.config).clone() } else { chela_plugin::value::gateway_config() }
    }

    /// The directory of the agent's own files.
    pub fn agent_dir(&self) -> PathBuf {
        self.host.agent_dir(self.agent.as_deref())
    }
}
