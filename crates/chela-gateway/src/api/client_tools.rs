//! Tools that the caller of `/v1/chat/completions` runs itself: how requests and answers spell them (GW-109).

use std::collections::HashSet;

use chela_models::{ToolCall, ToolSpec};
use serde_json::{Value, json};

/// Tools of one request: each costs room in the model's context.
const MAX_TOOLS: usize = 128;

/// The tools of a request; none when the caller chose `none`.
pub(super) fn read(body: &Value) -> Result<Vec<ToolSpec>, String> {
    let tools = match body.get("tools") {
        None | Some(Value::Null) => &[][..],
        Some(Value::Array(tools)) => tools,
        Some(_) => return Err("`tools` must be an array".into()),
    };
    if tools.len() > MAX_TOOLS {
        return Err(format!("at most {MAX_TOOLS} tools in one request"));
    }
    let specs = tools.iter().map(spec).collect::<Result<Vec<_>, _>>()?;
    let mut names = HashSet::new();
    if let Some(twice) = specs.iter().find(|spec| !names.insert(&spec.name)) {
        return Err(format!("two tools are named `{}`", twice.name));
    }
    match body.get("tool_choice") {
        None | Some(Value::Null) => Ok(specs),
        Some(Value::String(choice)) if choice == "auto" => Ok(specs),
        Some(Value::String(choice)) if choice == "none" => Ok(Vec::new()),
        // A choice that cannot be enforced must not be taken as kept.
        Some(_) => Err("`tool_choice` must be `auto` or `none`".into()),
    }
}

fn spec(tool: &Value) -> Result<ToolSpec, String> {
    if tool.get("type").and_then(Value::as_str) != Some("function") {
        return Err("only tools of type `function` are supported".into());
    }
    let function = tool.get("function").filter(|f| f.is_object()).ok_or("a tool has no `function`")?;
    let name = function.get("name").and_then(Value::as_str).map(str::trim).filter(|name| !name.is_empty());
    let name = name.ok_or("a tool has no `function.name`")?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.len() > 64 || !name.chars().all(allowed) {
        return Err(format!("`{name}` is no tool name: use up to 64 letters, digits, `_` and `-`"));
    }
    let parameters = match function.get("parameters") {
        None | Some(Value::Null) => json!({"type": "object", "properties": {}}),
        Some(parameters) if parameters.is_object() => parameters.clone(),
        Some(_) => return Err(format!("the parameters of `{name}` must be an object")),
    };
    let description = function.get("description").and_then(Value::as_str).unwrap_or_default();
    Ok(ToolSpec { name: name.into(), description: description.into(), parameters })
}

/// A call in a whole answer.
pub(super) fn whole(call: &ToolCall) -> Value {
    json!({"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments.to_string()}})
}

/// A call in a streamed answer: who is called, then with what.
pub(super) fn deltas(index: usize, call: &ToolCall) -> [Value; 2] {
    [
        json!({"index": index, "id": call.id, "type": "function", "function": {"name": call.name, "arguments": ""}}),
        json!({"index": index, "function": {"arguments": call.arguments.to_string()}}),
    ]
}

/// Who speaks in a tool's message.
pub(super) fn speaker(message: &Value) -> String {
    let text = |key: &str| message.get(key).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
    text("tool_call_id").or_else(|| text("name")).map_or_else(|| "tool".to_owned(), |id| format!("tool {id}"))
}

/// An assistant's text with the calls that it made.
pub(super) fn with_calls(text: &str, message: &Value) -> String {
    let call = |call: &Value| {
        let text = |path: &str| call.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
        format!("called `{}` as {} with {}", text("/function/name"), text("/id"), text("/function/arguments"))
    };
    let calls = message.get("tool_calls").and_then(Value::as_array).into_iter().flatten().map(call);
    let said = (!text.is_empty()).then(|| text.to_owned());
    said.into_iter().chain(calls).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    // GW-109
    #[test]
    fn only_function_tools_and_choices_that_can_be_kept_are_taken() {
        let tool = json!({"type": "function", "function": {"name": "weather", "description": "d"}});
        let named = json!({"type": "function", "function": {"name": "weather"}});
        let cases = [
            (json!({}), Ok(0)),
            (json!({"tools": [tool]}), Ok(1)),
            (json!({"tools": [tool], "tool_choice": "auto"}), Ok(1)),
            (json!({"tools": [tool], "tool_choice": "none"}), Ok(0)),
            (json!({"tools": [tool], "tool_choice": "required"}), Err("`tool_choice`")),
            (json!({"tools": [tool], "tool_choice": named}), Err("`tool_choice`")),
            (json!({"tools": {}}), Err("array")),
            (json!({"tools": [{"type": "custom"}]}), Err("`function`")),
            (json!({"tools": [{"type": "function"}]}), Err("no `function`")),
            (json!({"tools": [{"type": "function", "function": {"name": " "}}]}), Err("function.name")),
            (json!({"tools": [{"type": "function", "function": {"name": "a b"}}]}), Err("no tool name")),
            (json!({"tools": [tool, tool]}), Err("two tools")),
        ];
        for (body, expected) in cases {
            match (read(&body), expected) {
                (Ok(tools), Ok(count)) => assert_eq!(tools.len(), count, "{body}"),
                (Err(error), Err(part)) => assert!(error.contains(part), "{body}: {error}"),
                (other, _) => panic!("{body}: {other:?}"),
            }
        }
    }
}
