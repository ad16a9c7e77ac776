//! Values that travel from one plugin to another: each function of the sender becomes a function of the host, which calls it there.
#![allow(clippy::result_large_err, reason = "the error is the answer that goes to the plugin, once for a request")]

use std::sync::Arc;

use chela_plugin::value::function_handle;
use chela_plugin::{Call, CallError, CallTarget, HostFn};
use serde_json::Value;

/// Functions in one value.
const MOST_FUNCTIONS: usize = 64;
/// Longest call of a relayed function.
const BUDGET: std::time::Duration = std::time::Duration::from_secs(60);

/// Functions of the sender that a relayed value holds; they are given back when the call is over.
pub(crate) struct Relayed {
    source: Arc<dyn CallTarget>,
    handles: Vec<u64>,
}

impl Drop for Relayed {
    fn drop(&mut self) {
        self.source.release(&self.handles);
    }
}

/// Makes `value`, which came from `source`, fit for `call` to another plugin. Its functions work while the call runs; signals and
/// streams of the sender are left out.
///
/// # Errors
/// When it holds more functions than can be meant.
pub(crate) fn relay(value: &mut Value, source: &Arc<dyn CallTarget>, call: &mut Call) -> Result<Relayed, CallError> {
    let mut relayed = Relayed { source: source.clone(), handles: Vec::new() };
    visit(value, source, call, &mut relayed.handles)?;
    Ok(relayed)
}

fn visit(value: &mut Value, source: &Arc<dyn CallTarget>, call: &mut Call, handles: &mut Vec<u64>) -> Result<(), CallError> {
    if let Some(handle) = function_handle(value) {
        if handles.len() == MOST_FUNCTIONS {
            let text = format!("a value with more than {MOST_FUNCTIONS} functions cannot be handed to another plugin");
            return Err(CallError::refused("INVALID_PARAMS", text));
        }
        handles.push(handle);
        *value = call.function(caller(source.clone(), handle));
        return Ok(());
    }
    match value {
        Value::Object(map) => {
            map.retain(|_, member| member.get("$signal").is_none() && member.get("$stream").is_none() && member.get("$ref").is_none());
            map.values_mut().try_for_each(|member| visit(member, source, call, handles))
        }
        Value::Array(items) => items.iter_mut().try_for_each(|item| visit(item, source, call, handles)),
        _ => Ok(()),
    }
}

fn caller(source: Arc<dyn CallTarget>, handle: u64) -> HostFn {
    Arc::new(move |args| {
        let source = source.clone();
        Box::pin(async move {
            let mut args = args;
            args.iter_mut().for_each(without_functions);
            source.call(handle, Call::new(args).budget(Some(BUDGET))).await.map(|mut value| {
                without_functions(&mut value);
                value
            })
        })
    })
}

/// What comes back is data: a function in it would belong to a third call.
fn without_functions(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, member| function_handle(member).is_none());
            map.values_mut().for_each(without_functions);
        }
        Value::Array(items) => items.iter_mut().for_each(without_functions),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;
    use chela_plugin::{HandlerOutcome, HookBatch};
    use serde_json::json;

    use super::*;

    #[derive(Debug, Default)]
    struct Sender {
        released: Mutex<Vec<u64>>,
    }

    #[async_trait]
    impl CallTarget for Sender {
        fn worker_key(&self) -> u64 {
            1
        }

        async fn call(&self, handle: u64, call: Call) -> Result<Value, CallError> {
            Ok(json!({"handle": handle, "args": call.args, "more": {"$fn": 99}}))
        }

        async fn hooks(&self, _: HookBatch) -> Result<Vec<HandlerOutcome>, CallError> {
            Err(CallError::Cancelled)
        }

        fn release(&self, handles: &[u64]) {
            self.released.lock().unwrap().extend(handles);
        }
    }

    #[tokio::test]
    async fn functions_of_a_sender_are_called_there_and_given_back() {
        let sender = Arc::new(Sender::default());
        let source: Arc<dyn CallTarget> = sender.clone();
        let mut call = Call::default();
        let mut value = json!({"respond": {"reply": {"$fn": 7}}, "signal": {"$signal": 3}, "list": [{"$fn": 8}], "text": "x"});
        let relayed = relay(&mut value, &source, &mut call).unwrap();
        assert_eq!((call.fns.len(), value.get("signal"), &value["text"]), (2, None, &json!("x")));
        let id = value["respond"]["reply"]["$fn"].as_u64().unwrap();
        let (_, reply) = call.fns.iter().find(|(n, _)| *n == id).unwrap();
        let answer = reply(vec![json!({"text": "t", "cb": {"$fn": 1}})]).await.unwrap();
        assert_eq!(answer, json!({"handle": 7, "args": [{"text": "t"}]}));
        drop(relayed);
        assert_eq!(*sender.released.lock().unwrap(), [7, 8]);
        let mut many = Value::Array((0..=MOST_FUNCTIONS as u64).map(|n| json!({"$fn": n})).collect());
        assert!(relay(&mut many, &source, &mut Call::default()).is_err());
    }
}
