//! Contents of messages and calls for whoever the operator lets have them: off unless the config asks for each kind.

use serde_json::Value;

/// Most bytes of one content.
const MOST: usize = 32 * 1024;

/// Which contents are told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capture {
    /// What people and tools said to a model.
    pub input_messages: bool,
    /// What a model said.
    pub output_messages: bool,
    /// Arguments of tools.
    pub tool_inputs: bool,
    /// Results of tools.
    pub tool_outputs: bool,
    /// The system prompt.
    pub system_prompt: bool,
}

impl Capture {
    /// Reads `diagnostics.otel.captureContent`: nothing unless the exporter is on; `true` and `{enabled: true}` stand for all but the
    /// system prompt, and each member decides for itself.
    pub(crate) fn read(diagnostics: &Value) -> Self {
        let otel = &diagnostics["otel"];
        if otel["enabled"] != Value::Bool(true) || diagnostics["enabled"] == Value::Bool(false) {
            return Self::default();
        }
        let set = &otel["captureContent"];
        let all = *set == Value::Bool(true) || set["enabled"] == Value::Bool(true);
        let refused = set["enabled"] == Value::Bool(false);
        let of = |name: &str, default: bool| !refused && set[name].as_bool().unwrap_or(default);
        Self {
            input_messages: of("inputMessages", all),
            output_messages: of("outputMessages", all),
            tool_inputs: of("toolInputs", all),
            tool_outputs: of("toolOutputs", all),
            system_prompt: of("systemPrompt", false),
        }
    }
}

/// A content, masked and cut.
pub fn bounded(text: &str) -> String {
    let mut cut = text.len().min(MOST);
    while !text.is_char_boundary(cut) {
        cut -= 1;
    }
    let mut out = crate::logs::masked(&text[..cut]);
    if cut < text.len() {
        out.push_str(" … (cut)");
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    // OTEL-03
    #[test]
    fn each_kind_of_content_is_asked_for_by_itself() {
        let read = |capture: Value| Capture::read(&json!({"otel": {"enabled": true, "captureContent": capture}}));
        for nothing in [Value::Null, json!(false), json!({}), json!({"toolInputs": 1}), json!({"enabled": false, "toolInputs": true})] {
            assert_eq!(read(nothing.clone()), Capture::default(), "{nothing}");
        }
        assert_eq!(read(json!({"toolInputs": true})), Capture { tool_inputs: true, ..Capture::default() });
        let all = Capture { input_messages: true, output_messages: true, tool_inputs: true, tool_outputs: true, system_prompt: false };
        assert_eq!(read(json!(true)), all);
        assert_eq!(read(json!({"enabled": true, "systemPrompt": true})), Capture { system_prompt: true, ..all });
        assert_eq!(read(json!({"enabled": true, "toolOutputs": false})), Capture { tool_outputs: false, ..all });
        let off = json!({"enabled": false, "otel": {"enabled": true, "captureContent": true}});
        assert_eq!(Capture::read(&off), Capture::default());
        assert_eq!(Capture::read(&json!({"otel": {"captureContent": true}})), Capture::default());
        assert!(bounded(&"ä".repeat(MOST)).ends_with("ä … (cut)"));
    }
}
