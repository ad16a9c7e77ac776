//! What capabilities get of the host (see `chela-capabilities`).

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use chela_agent::Accepted;
use chela_capabilities::host::Picture;
use chela_capabilities::{Credential, Surroundings};
use chela_models::{ChatMessage, ContentPart, ModelEvent, ModelRef, ModelRequest};
use chela_plugin::registry::Registry;
use futures::StreamExt;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::assemble::{Host, public_config};
use crate::models;

/// Longest text of a model about pictures, in bytes.
const MOST_TEXT: usize = 256 * 1024;

#[async_trait]
impl Surroundings for Host {
    fn registry(&self) -> Arc<Registry> {
        self.manager.registry()
    }

    fn config(&self) -> Arc<Value> {
        Arc::new(public_config(&self.runtime.config()))
    }

    fn setting(&self, pointer: &str) -> Option<Value> {
        self.runtime.config().effective.pointer(pointer).cloned()
    }

    fn agent_dir(&self, agent: Option<&str>) -> PathBuf {
        let settings = self.runtime.settings();
        self.paths.agent_dir(agent.unwrap_or(&settings.agents.default_id))
    }

    fn workspace(&self, agent: Option<&str>) -> PathBuf {
        let settings = self.runtime.settings();
        self.runtime.workspace_of(agent.unwrap_or(&settings.agents.default_id))
    }

    fn state_dir(&self) -> PathBuf {
        self.paths.state_dir.clone()
    }

    fn media_dir(&self) -> PathBuf {
        self.paths.state_dir.join("media")
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.env.get(name).map(str::to_string).filter(|v| !v.trim().is_empty())
    }

    fn credential(&self, provider: &str) -> Option<Credential> {
        let config = self.runtime.config();
        let settings = models::settings_of(provider, &config, &self.manager.registry(), &self.manager.snapshot(), self.auth());
        let found = self.auth().resolve(&settings, None, None).ok()?;
        let configured = config.get(&format!("models.providers.{provider}")).is_some();
        Some(Credential {
            key: found.api_key?,
            base_url: configured.then(|| settings.base_url.clone()),
            headers: settings.headers.into_iter().collect(),
        })
    }

    fn chat_model(&self, agent: Option<&str>) -> String {
        let settings = self.runtime.settings();
        self.runtime.default_model(agent.unwrap_or(&settings.agents.default_id)).key()
    }

    fn sees(&self, model: &str) -> bool {
        let resolved = ModelRef::parse(model).ok().and_then(|m| self.runtime.models().resolve(&m).ok());
        resolved.and_then(|r| r.entry).is_some_and(|entry| entry.takes_images())
    }

    async fn look(&self, model: &str, prompt: &str, pictures: Vec<Picture>, max_tokens: Option<u32>) -> Result<String, String> {
        let model = ModelRef::parse(model).map_err(|e| e.to_string())?;
        let resolved = self.runtime.models().resolve(&model).map_err(|e| e.to_string())?;
        let mut request = ModelRequest::new(resolved.model);
        let pictures = pictures.into_iter().map(|p| ContentPart::Image { data_base64: p.base64, mime: p.mime });
        request.messages = vec![ChatMessage::User { content: std::iter::once(ContentPart::text(prompt)).chain(pictures).collect() }];
        request.max_tokens = max_tokens;
        let mut stream = resolved.transport.stream(request, CancellationToken::new()).await.map_err(|e| e.to_string())?;
        let mut text = String::new();
        while let Some(event) = stream.next().await {
            if let ModelEvent::TextDelta(delta) = event.map_err(|e| e.to_string())? {
                text.push_str(&delta);
            }
            if text.len() > MOST_TEXT {
                break;
            }
        }
        Ok(text)
    }

    async fn wake(&self, session_key: &str, agent: Option<&str>, text: String) -> Result<(), String> {
        let agent = agent.map_or_else(|| chela_store::session_key::agent_of(session_key), str::to_string);
        let run_id = uuid::Uuid::new_v4().to_string();
        let turn = crate::requests::plain_turn(run_id, session_key.to_string(), agent, text);
        match self.runtime.accept(&turn, "background").await.map_err(|e| e.to_string())? {
            Accepted::New(ticket, mut pledge) => {
                tokio::spawn(chela_agent::turn::run(self.runtime.clone(), turn, ticket));
                pledge.kept().await.map_err(|e| e.to_string())
            }
            Accepted::InFlight(_) | Accepted::Finished(_) => Ok(()),
        }
    }
}
