//! The config of a backend (HAR-63..72) and what one run is made of (HAR-82..88).

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};

/// How output is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Output {
    Json,
    Jsonl,
    Text,
}

/// When a session id is sent (HAR-87), and when the system prompt (HAR-88).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Always,
    Existing,
    First,
    None,
}

/// A backend, ready to run.
#[derive(Clone, Debug)]
pub(super) struct Backend {
    pub command: String,
    pub args: Vec<String>,
    pub resume_args: Vec<String>,
    pub output: Output,
    pub resume_output: Output,
    pub stdin: bool,
    pub max_prompt_arg: Option<usize>,
    pub env: BTreeMap<String, String>,
    pub clear_env: Vec<String>,
    pub model_arg: Option<String>,
    pub aliases: BTreeMap<String, String>,
    pub session_arg: Option<String>,
    pub session_args: Vec<String>,
    pub session_mode: Mode,
    pub session_id_fields: Vec<String>,
    pub system_arg: Option<String>,
    pub system_file_arg: Option<String>,
    pub system_when: Mode,
    pub serialize: bool,
    /// Longest silence of a fresh run and of one that goes on.
    pub silence: (Duration, Duration),
}

/// One run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// Arguments before those that the gateway adds.
    pub base_args: Vec<String>,
    /// Session, model and system prompt.
    pub added: Vec<String>,
    /// The prompt, when it goes to standard input.
    pub stdin: Option<String>,
    /// The prompt, when it is an argument.
    pub prompt: Option<String>,
    /// The flag and text of a system prompt that goes through a file.
    pub system_file: Option<(String, String)>,
    /// A session id that the gateway made.
    pub new_session: Option<String>,
    pub resumed: bool,
}

/// The operator's fields over the plugin's (HAR-70).
pub(super) fn merge(plugin: &Value, own: &Value) -> Value {
    let mut out = plugin.as_object().cloned().unwrap_or_default();
    for (name, value) in own.as_object().into_iter().flatten() {
        let merged = match (name.as_str(), out.get(name)) {
            ("env" | "modelAliases" | "reliability", Some(below)) => deep(below, value),
            ("clearEnv", Some(Value::Array(below))) => {
                let mut all = below.clone();
                all.extend(value.as_array().into_iter().flatten().filter(|v| !below.contains(v)).cloned());
                all.into()
            }
            _ => value.clone(),
        };
        out.insert(name.clone(), merged);
    }
    Value::Object(out)
}

fn deep(below: &Value, above: &Value) -> Value {
    let (Value::Object(below), Value::Object(above)) = (below, above) else { return above.clone() };
    let mut out: Map<String, Value> = below.clone();
    for (name, value) in above {
        let merged = out.get(name).map_or_else(|| value.clone(), |old| deep(old, value));
        out.insert(name.clone(), merged);
    }
    Value::Object(out)
}

impl Backend {
    /// # Errors
    /// Without a command there is nothing to run (HAR-71).
    pub(super) fn read(config: &Value) -> Result<Self, String> {
        let text = |key: &str| chela_plugin::value::text(config, key).map(str::to_string);
        let list = |key: &str| config.get(key).and_then(Value::as_array).map(|all| texts(all)).unwrap_or_default();
        let map = |key: &str| -> BTreeMap<String, String> {
            let all = config.get(key).and_then(Value::as_object).into_iter().flatten();
            all.filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_string()))).collect()
        };
        let kind = |name: Option<String>, default| match name.as_deref() {
            Some("jsonl") => Output::Jsonl,
            Some("text") => Output::Text,
            Some("json") => Output::Json,
            _ => default,
        };
        let mode = |name: &str, default| match text(name).as_deref() {
            Some("always") => Mode::Always,
            Some("existing") => Mode::Existing,
            Some("first") => Mode::First,
            Some("none" | "never") => Mode::None,
            _ => default,
        };
        let output = kind(text("output"), Output::Json);
        let fields = list("sessionIdFields");
        let silence = |which: &str, default: u64| {
            let ms = config.pointer(&format!("/reliability/watchdog/{which}/noOutputTimeoutMs")).and_then(Value::as_u64);
            Duration::from_millis(ms.unwrap_or(default).max(1000))
        };
        Ok(Self {
            command: text("command").ok_or("its config has no `command`")?,
            args: list("args"),
            resume_args: list("resumeArgs"),
            output,
            resume_output: kind(text("resumeOutput"), output),
            stdin: text("input").as_deref() == Some("stdin"),
            max_prompt_arg: config.get("maxPromptArgChars").and_then(Value::as_u64).map(|n| n as usize),
            env: map("env"),
            clear_env: list("clearEnv"),
            model_arg: text("modelArg"),
            aliases: map("modelAliases"),
            session_arg: text("sessionArg"),
            session_args: list("sessionArgs"),
            session_mode: mode("sessionMode", Mode::Always),
            session_id_fields: if fields.is_empty() {
                ["session_id", "sessionId", "conversation_id", "conversationId"].map(str::to_string).to_vec()
            } else {
                fields
            },
            system_arg: text("systemPromptArg"),
            system_file_arg: text("systemPromptFileArg"),
            system_when: mode("systemPromptWhen", Mode::First),
            serialize: config.get("serialize") != Some(&Value::Bool(false)),
            silence: (silence("fresh", 600_000), silence("resume", 180_000)),
        })
    }

    /// What one run is made of. `stored` is a session that the program knows; `resume` the same when it is gone on with.
    pub(super) fn plan(&self, model: &str, system: &str, prompt: &str, stored: Option<&str>, resume: Option<&str>) -> Result<Plan, String> {
        let with_id = |args: &[String], id: &str| args.iter().map(|a| a.replace("{sessionId}", id)).collect::<Vec<_>>();
        let mut plan = Plan {
            base_args: resume.map_or_else(|| self.args.clone(), |id| with_id(&self.resume_args, id)),
            added: Vec::new(),
            stdin: None,
            prompt: None,
            system_file: None,
            new_session: None,
            resumed: resume.is_some(),
        };
        if let Some(flag) = &self.model_arg {
            let alias = self.aliases.get(model).or_else(|| self.aliases.get(&model.to_lowercase()));
            plan.added.extend([flag.clone(), alias.cloned().unwrap_or_else(|| model.to_string())]);
        }
        if resume.is_none() {
            self.add_session(&mut plan, stored, with_id);
            let wanted = match self.system_when {
                Mode::Always => true,
                Mode::First | Mode::Existing => stored.is_none(),
                Mode::None => false,
            };
            if wanted && !system.is_empty() {
                match (&self.system_file_arg, &self.system_arg) {
                    (Some(flag), _) => plan.system_file = Some((flag.clone(), system.to_string())),
                    (None, Some(flag)) => plan.added.extend([flag.clone(), system.to_string()]),
                    (None, None) => {}
                }
            }
        }
        if self.stdin || self.max_prompt_arg.is_some_and(|most| prompt.chars().count() > most) {
            plan.stdin = Some(prompt.to_string());
        } else {
            plan.prompt = Some(prompt.to_string());
        }
        Ok(plan)
    }

    fn add_session(&self, plan: &mut Plan, stored: Option<&str>, with_id: impl Fn(&[String], &str) -> Vec<String>) {
        let id = match self.session_mode {
            Mode::None => None,
            Mode::Existing | Mode::First => stored.map(str::to_string),
            Mode::Always => Some(stored.map_or_else(|| uuid::Uuid::new_v4().to_string(), str::to_string)),
        };
        let Some(id) = id else { return };
        if !self.session_args.is_empty() {
            plan.added.extend(with_id(&self.session_args, &id));
        } else if let Some(flag) = &self.session_arg {
            plan.added.extend([flag.clone(), id.clone()]);
        } else {
            return;
        }
        plan.new_session = Some(id).filter(|id| stored != Some(id));
    }
}

impl Plan {
    /// All arguments: `{prompt}` is replaced where it stands, else the prompt comes last (HAR-83).
    pub(super) fn arguments(&self, system_file: Option<&std::path::Path>) -> Vec<String> {
        let mut all: Vec<String> = self.base_args.clone();
        let place = self.prompt.as_ref().and_then(|_| all.iter().position(|a| a.contains("{prompt}")));
        all.extend(self.added.iter().cloned());
        if let (Some((flag, _)), Some(file)) = (&self.system_file, system_file) {
            all.extend([flag.clone(), file.display().to_string()]);
        }
        if let Some(prompt) = &self.prompt {
            match place {
                Some(at) => all[at] = all[at].replace("{prompt}", prompt),
                None => all.push(prompt.clone()),
            }
        }
        all
    }
}

fn texts(all: &[Value]) -> Vec<String> {
    all.iter().filter_map(Value::as_str).map(str::to_string).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    // HAR-70, HAR-71
    #[test]
    fn the_operator_changes_what_the_plugin_set() {
        let plugin = json!({"command": "a", "args": ["1"], "env": {"A": "1", "B": "2"}, "clearEnv": ["X"], "reliability": {"watchdog": {"fresh": {"noOutputTimeoutMs": 5}}}});
        let own = json!({"args": ["2"], "env": {"B": "3"}, "clearEnv": ["X", "Y"], "reliability": {"watchdog": {"resume": {"noOutputTimeoutMs": 7000}}}});
        let merged = merge(&plugin, &own);
        assert_eq!(merged["env"], json!({"A": "1", "B": "3"}));
        assert_eq!((&merged["args"], &merged["clearEnv"]), (&json!(["2"]), &json!(["X", "Y"])));
        let backend = Backend::read(&merged).unwrap();
        assert_eq!(backend.silence, (Duration::from_secs(1), Duration::from_secs(7)));
        assert!(Backend::read(&json!({"command": " "})).is_err());
    }

    // HAR-67, HAR-82, HAR-83, HAR-84, HAR-85, HAR-86, HAR-87, HAR-88
    #[test]
    fn a_run_has_prompt_model_session_and_system_prompt_where_they_belong() {
        let backend = |more: Value| {
            let mut all =
                json!({"command": "c", "args": ["-p"], "modelArg": "-m", "modelAliases": {"big": "large-1"}, "systemPromptArg": "-s"});
            all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            Backend::read(&all).unwrap()
        };
        let plain = backend(json!({"sessionMode": "none"}));
        let args = |b: &Backend, stored: Option<&str>, resume| b.plan("Big", "sys", "hi", stored, resume).unwrap().arguments(None);
        assert_eq!(args(&plain, None, None), ["-p", "-m", "large-1", "-s", "sys", "hi"]);
        assert_eq!(args(&plain, Some("s"), None), ["-p", "-m", "large-1", "hi"]);
        let placed = backend(json!({"args": ["run", "say={prompt}"], "sessionMode": "none", "modelArg": ""}));
        assert_eq!(args(&placed, Some("s"), None), ["run", "say=hi"]);
        let resumable = backend(json!({"resumeArgs": ["go", "{sessionId}"], "sessionArg": "--id", "sessionMode": "existing"}));
        assert_eq!(args(&resumable, Some("s1"), Some("s1")), ["go", "s1", "-m", "large-1", "hi"]);
        assert_eq!(args(&resumable, Some("s1"), None), ["-p", "-m", "large-1", "--id", "s1", "hi"]);
        let always = backend(json!({"sessionArgs": ["--session={sessionId}"]}));
        let plan = always.plan("x", "", "hi", None, None).unwrap();
        assert_eq!(plan.added.last().unwrap(), &format!("--session={}", plan.new_session.clone().unwrap()));
        let short = backend(json!({"maxPromptArgChars": 1})).plan("x", "", "hi", None, None).unwrap();
        assert_eq!((short.stdin.as_deref(), short.prompt), (Some("hi"), None));
    }
}
