//! The diagnostic context of a run: one trace, one span for the run, one for each call in it (HOOK-007).

use serde_json::{Value, json};
use uuid::Uuid;

/// Ids in the form of the W3C's trace context. Plugins tie their own records together with them; exporters make spans of them.
#[derive(Clone, Debug)]
pub(crate) struct Trace {
    trace_id: String,
    root: String,
    run: String,
}

impl Trace {
    /// A trace for one run.
    pub(crate) fn new() -> Self {
        Self { trace_id: Uuid::new_v4().simple().to_string(), root: span(), run: span() }
    }

    /// The context of the message that the run answers.
    pub(crate) fn root(&self) -> Value {
        json!({"traceId": self.trace_id, "spanId": self.root})
    }

    /// The context of the run itself.
    pub(crate) fn of_run(&self) -> Value {
        self.context(&self.run, &self.root)
    }

    /// The context of one model or tool call.
    pub(crate) fn of_call(&self) -> Value {
        self.context(&span(), &self.run)
    }

    fn context(&self, span: &str, parent: &str) -> Value {
        json!({"traceId": self.trace_id, "spanId": span, "parentSpanId": parent, "traceFlags": "01"})
    }
}

fn span() -> String {
    let mut id = Uuid::new_v4().simple().to_string();
    id.truncate(16);
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    // HOOK-007
    #[test]
    fn calls_are_spans_below_the_run() {
        let trace = Trace::new();
        let (run, call) = (trace.of_run(), trace.of_call());
        assert_eq!(call["traceId"], run["traceId"]);
        assert_eq!(call["parentSpanId"], run["spanId"]);
        for (member, length) in [("traceId", 32), ("spanId", 16), ("parentSpanId", 16)] {
            let id = call[member].as_str().unwrap();
            assert!(id.len() == length && id.bytes().all(|b| b.is_ascii_hexdigit()), "{call}");
        }
    }
}
