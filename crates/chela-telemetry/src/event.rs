//! The events: what happened, how long it took, how it ended.

use std::time::Duration;

use serde_json::Value;

/// Ids of a step in the form of the W3C's trace context.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// 32 hexadecimal digits.
    pub trace_id: String,
    /// 16 hexadecimal digits.
    pub span_id: String,
    /// The step that it is part of; none for the first.
    pub parent_id: Option<String>,
}

impl Span {
    /// The value of a `traceparent` header: what the receiver does is part of this step.
    pub fn traceparent(&self) -> String {
        format!("00-{}-{}-01", self.trace_id.to_ascii_lowercase(), self.span_id.to_ascii_lowercase())
    }

    /// Reads `{traceId, spanId, parentSpanId?}`; `None` when the ids are no ids.
    pub fn read(context: &Value) -> Option<Self> {
        let id = |key: &str, length: usize| {
            let text = context.get(key)?.as_str()?;
            (text.len() == length && text.bytes().all(|b| b.is_ascii_hexdigit())).then(|| text.to_owned())
        };
        Some(Self { trace_id: id("traceId", 32)?, span_id: id("spanId", 16)?, parent_id: id("parentSpanId", 16) })
    }
}

/// Something that happened. All texts are short words or names: ids of models, tools, channels, plugins.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// A run ended.
    Run(Run<'a>),
    /// The tokens of a run are known.
    Usage(Usage<'a>),
    /// A call to a model ended.
    ModelCall(ModelCall<'a>),
    /// A call of a tool ended.
    Tool(Tool<'a>),
    /// A plugin's harness ran a turn.
    Harness(Harness<'a>),
    /// A message waits for its turn.
    Queued {
        /// The channel.
        channel: &'a str,
        /// What took it.
        source: &'a str,
    },
    /// A message was dealt with.
    Processed(Message<'a>),
    /// A message went out, or did not.
    Delivered(Message<'a>),
    /// Somebody waited in a lane, and does no longer.
    Dequeued(Lane<'a>),
    /// A session began or ended its work.
    SessionState {
        /// `processing`, `idle`.
        state: &'static str,
        /// Why.
        reason: &'static str,
    },
    /// The gateway answered a request.
    Request(Request<'a>),
    /// An exporter had a notable moment.
    Exporter {
        /// The plugin.
        exporter: &'static str,
        /// `traces`, `metrics`, `logs`.
        signal: &'static str,
        /// `started`, `failure`, `dropped`.
        status: &'static str,
        /// Why.
        reason: &'static str,
    },
}

/// A run from the moment that it may work to its end.
#[derive(Clone, Debug)]
pub struct Run<'a> {
    /// Its ids.
    pub span: Option<Span>,
    /// Where its message came from.
    pub channel: &'a str,
    /// Provider of the model that answered.
    pub provider: &'a str,
    /// That model.
    pub model: &'a str,
    /// Why it ran.
    pub trigger: &'a str,
    /// `completed`, `aborted`, `blocked`, `error`.
    pub outcome: &'static str,
    /// Kind of its failure.
    pub error_category: Option<&'a str>,
    /// Begin in Unix ms.
    pub began_ms: i64,
    /// Its time.
    pub took: Duration,
}

/// Tokens of a run.
#[derive(Clone, Debug)]
pub struct Usage<'a> {
    /// Ids of the run.
    pub span: Option<Span>,
    /// Where the message came from.
    pub channel: &'a str,
    /// The agent.
    pub agent: &'a str,
    /// Provider of the model.
    pub provider: &'a str,
    /// The model.
    pub model: &'a str,
    /// Tokens sent, without cached ones.
    pub input: u64,
    /// Tokens received.
    pub output: u64,
    /// Tokens read from a cache.
    pub cache_read: u64,
    /// Tokens written to a cache.
    pub cache_write: u64,
    /// All of them.
    pub total: u64,
    /// What they cost by the config, in US dollars.
    pub cost_usd: Option<f64>,
    /// Tokens that the next call would send at least.
    pub context_used: u64,
    /// Tokens that the model takes.
    pub context_limit: Option<u64>,
    /// Begin of the run in Unix ms.
    pub began_ms: i64,
    /// Time of the run.
    pub took: Duration,
}

/// Contents that the operator asked for, masked and cut; empty otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// What went in.
    pub input: Option<String>,
    /// What came out.
    pub output: Option<String>,
    /// The system prompt.
    pub system: Option<String>,
}

/// One call to a model.
#[derive(Clone, Debug)]
pub struct ModelCall<'a> {
    /// Its ids.
    pub span: Option<Span>,
    /// Provider.
    pub provider: &'a str,
    /// Model.
    pub model: &'a str,
    /// Its protocol, such as `openai-completions`.
    pub api: Option<&'a str>,
    /// How it is carried.
    pub transport: &'static str,
    /// Kind of its failure.
    pub error_category: Option<&'a str>,
    /// Kind of a broken connection.
    pub failure_kind: Option<&'a str>,
    /// Begin in Unix ms.
    pub began_ms: i64,
    /// Its time.
    pub took: Duration,
    /// Time until the answer began.
    pub first_byte: Option<Duration>,
    /// Messages and answer.
    pub content: Content,
}

/// One call of a tool.
#[derive(Clone, Debug)]
pub struct Tool<'a> {
    /// Ids of the run.
    pub span: Option<Span>,
    /// The tool.
    pub tool: &'a str,
    /// JSON type of the arguments.
    pub params_kind: &'static str,
    /// `completed`, `error`, `blocked`.
    pub outcome: &'static str,
    /// Kind of its failure.
    pub error_category: Option<&'static str>,
    /// Begin in Unix ms.
    pub began_ms: i64,
    /// Its time.
    pub took: Duration,
    /// Arguments and result.
    pub content: Content,
}

/// One turn of a plugin's harness.
#[derive(Clone, Debug)]
pub struct Harness<'a> {
    /// Ids of the run.
    pub span: Option<Span>,
    /// The harness.
    pub harness: &'a str,
    /// Its plugin.
    pub plugin: &'a str,
    /// Where the message came from.
    pub channel: &'a str,
    /// Provider.
    pub provider: &'a str,
    /// Model.
    pub model: &'a str,
    /// `completed`, `aborted`, `error`.
    pub outcome: &'static str,
    /// Begin in Unix ms.
    pub began_ms: i64,
    /// Its time.
    pub took: Duration,
}

/// A message that came in or went out.
#[derive(Clone, Debug)]
pub struct Message<'a> {
    /// Its ids.
    pub span: Option<Span>,
    /// The channel.
    pub channel: &'a str,
    /// Of one that went out: `text`, `media`, `other`.
    pub kind: &'static str,
    /// `completed`, `skipped`, `error`.
    pub outcome: &'static str,
    /// Why it was skipped or failed.
    pub reason: Option<&'static str>,
    /// Begin in Unix ms.
    pub began_ms: i64,
    /// Its time.
    pub took: Duration,
}

/// A wait in a lane.
#[derive(Clone, Debug)]
pub struct Lane<'a> {
    /// `session` for the order within a session, `main` for the places of all turns.
    pub lane: &'a str,
    /// How many wait there now.
    pub size: u64,
    /// How long this one waited.
    pub waited: Duration,
}

/// A request to the gateway.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// `http`, `ws`.
    pub surface: &'static str,
    /// HTTP method, or the gateway's method; `other` for names that it does not know.
    pub name: &'a str,
    /// `2xx`, `4xx`, ..., `ok`, `error`.
    pub outcome: &'static str,
    /// Its time.
    pub took: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_ids_are_ids() {
        let good = json!({"traceId": "0".repeat(32), "spanId": "a".repeat(16), "parentSpanId": "b".repeat(16)});
        assert_eq!(Span::read(&good).unwrap().parent_id.as_deref(), Some("bbbbbbbbbbbbbbbb"));
        for bad in [json!(null), json!({"traceId": "x".repeat(32), "spanId": "a".repeat(16)}), json!({"spanId": "a".repeat(16)})] {
            assert_eq!(Span::read(&bad), None, "{bad}");
        }
    }
}
