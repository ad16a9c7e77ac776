//! `image` (TOOL-80): eyes for chat models that have none.

use std::sync::Weak;

use async_trait::async_trait;
use chela_agent::tools::{HostTool, HostToolCall, HostToolSpec, ToolContext};
use chela_plugin::registry::Registry;
use serde_json::{Value, json};

use super::{alive, list, param, result, scope};
use crate::generation::refs_of;
use crate::host::Surroundings;
use crate::kind::{Capability, Provider};
use crate::params::Params;
use crate::reference;
use crate::understanding;

/// Most pictures of one call.
const MOST: usize = 20;
/// Largest picture when the caller does not say, in MB.
const MEGABYTES: u64 = 10;

/// Describes pictures.
pub(super) struct ImageTool(pub(super) Weak<dyn Surroundings>);

impl std::fmt::Debug for ImageTool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ImageTool")
    }
}

#[async_trait]
impl HostTool for ImageTool {
    fn name(&self) -> &'static str {
        "image"
    }

    fn describe(&self, registry: &Registry, context: &ToolContext) -> Option<HostToolSpec> {
        let host = self.0.upgrade()?;
        let chat = context.facts.pointer("/activeModel/modelRef").and_then(Value::as_str);
        if chat.is_some_and(|model| host.sees(model)) {
            return None;
        }
        let configured = || !refs_of(host.setting("/agents/defaults/imageModel").as_ref()).is_empty();
        let eyes = |p: &Provider| p.object.has("describeImage");
        let any = Provider::all(registry, Capability::MediaUnderstanding).iter().any(eyes) || configured();
        any.then(|| HostToolSpec {
            label: "Image".into(),
            description: "Ask a model that sees about pictures".into(),
            parameters: json!({"type": "object", "properties": {
                "prompt": param("string", "What to find out; a description when absent"),
                "image": param("string", "A picture: path or address"),
                "images": list(MOST, "Several pictures"),
                "model": param("string", "provider/model; the configured one when absent"),
                "maxBytesMb": param("number", "Largest picture in MB"),
                "maxImages": {"type": "integer", "minimum": 1, "description": "Most pictures"},
            }}),
            owner_only: false,
        })
    }

    async fn run(&self, call: HostToolCall<'_>) -> Result<Value, String> {
        let host = alive(&self.0)?;
        let params = Params(&call.params);
        let most = params.whole("maxImages", 1, MOST as u64)?.map_or(MOST, |n| n as usize);
        let sources = params.list("image", "images", most)?;
        if sources.is_empty() {
            return Err("image required".into());
        }
        let bytes = params.whole("maxBytesMb", 1, 50)?.unwrap_or(MEGABYTES) as usize * 1024 * 1024;
        let prompt = params.text("prompt").unwrap_or_else(|| "Describe the image.".into());
        let model = params.text("model");
        let scope = scope(host.as_ref(), &call);
        let (mut texts, mut seen) = (Vec::new(), Vec::new());
        for source in &sources {
            let file = reference::load(&scope, source, bytes).await?;
            if !file.mime.starts_with("image/") {
                return Err(format!("`{}` is no picture", file.source));
            }
            let answer = understanding::describe_loaded(&scope, &file, &prompt, model.as_deref()).await?;
            let text = answer.get("text").and_then(Value::as_str).ok_or("no model that sees is available")?;
            texts.push(if sources.len() == 1 { text.to_string() } else { format!("{}:\n{text}", file.source) });
            seen.push(
                json!({"image": file.source, "provider": answer["provider"], "model": answer["model"], "decision": answer["decision"]}),
            );
        }
        let mut details = json!({"provider": seen[0]["provider"], "model": seen[0]["model"]});
        details["images"] = seen.into();
        Ok(result(texts.join("\n\n"), details))
    }
}
