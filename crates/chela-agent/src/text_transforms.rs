//! Texts on their way to models and back, as plugins rewrite them (API-045).

use std::time::Duration;

use chela_models::{ChatMessage, ContentPart, ModelRequest};
use chela_plugin::Call;
use chela_plugin::register::TextTransforms;
use chela_plugin::registry::Registry;
use serde_json::{Value, json};

/// Longest rewriting of the texts of one call by one plugin; a slower one is left out of the call.
const BUDGET: Duration = Duration::from_secs(5);

/// Where the texts go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To the model.
    Input,
    /// From it.
    Output,
}

impl Direction {
    fn as_str(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
        }
    }

    fn is_empty(self, transforms: &TextTransforms) -> bool {
        match self {
            Self::Input => transforms.input.is_empty(),
            Self::Output => transforms.output.is_empty(),
        }
    }
}

/// True when some plugin rewrites texts in this direction.
pub fn any(registry: &Registry, direction: Direction) -> bool {
    registry.text_transforms.iter().any(|t| !direction.is_empty(t))
}

/// Rewrites texts by every plugin in the order of registration. What a plugin cannot rewrite in time stays as it is.
pub async fn apply(registry: &Registry, direction: Direction, mut texts: Vec<String>) -> Vec<String> {
    for transforms in &registry.text_transforms {
        texts = apply_with(transforms, direction, texts).await;
    }
    texts
}

/// Rewrites texts by one plugin's replacements.
pub async fn apply_with(transforms: &TextTransforms, direction: Direction, texts: Vec<String>) -> Vec<String> {
    if !direction.is_empty(transforms) {
        let list = if direction == Direction::Input { &transforms.input } else { &transforms.output };
        let here: Option<Vec<String>> =
            texts.iter().map(|text| list.iter().try_fold(text.clone(), |text, replacement| replacement.apply(&text))).collect();
        match here {
            Some(changed) => return changed,
            None => match by_plugin(transforms, direction, &texts).await {
                Ok(changed) => return changed,
                Err(error) => tracing::warn!(target: "models", plugin = %transforms.owner.id, "text transforms left out: {error}"),
            },
        }
    }
    texts
}

async fn by_plugin(transforms: &TextTransforms, direction: Direction, texts: &[String]) -> Result<Vec<String>, String> {
    let apply = transforms.apply.as_ref().ok_or("the plugin's lane cannot apply regular expressions")?;
    let call = Call::new(vec![direction.as_str().into(), json!(texts)]).budget(Some(BUDGET));
    let changed = apply.call(call).await.map_err(|e| e.to_string())?;
    let changed: Option<Vec<String>> = changed.as_array().map(|all| all.iter().filter_map(Value::as_str).map(str::to_string).collect());
    changed.filter(|changed| changed.len() == texts.len()).ok_or_else(|| "the answer is no list of as many texts".into())
}

/// One text.
pub async fn apply_one(registry: &Registry, direction: Direction, text: String) -> String {
    let fallback = text.clone();
    apply(registry, direction, vec![text]).await.pop().unwrap_or(fallback)
}

/// Rewrites system prompt and messages of a request.
pub async fn input(registry: &Registry, mut request: ModelRequest) -> ModelRequest {
    if !any(registry, Direction::Input) {
        return request;
    }
    let mut places: Vec<&mut String> = request.system.iter_mut().collect();
    for message in &mut request.messages {
        match message {
            ChatMessage::User { content } | ChatMessage::ToolResult { content, .. } => {
                places.extend(content.iter_mut().filter_map(|part| match part {
                    ContentPart::Text { text } => Some(text),
                    ContentPart::Image { .. } => None,
                }));
            }
            ChatMessage::Assistant { text, .. } => places.push(text),
        }
    }
    let texts = places.iter_mut().map(|place| std::mem::take(*place)).collect();
    for (place, text) in places.into_iter().zip(apply(registry, Direction::Input, texts).await) {
        *place = text;
    }
    request
}
