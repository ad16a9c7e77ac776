//! An object of a plugin, as the host holds it: its data, and its functions by name.
//!
//! Capabilities are objects: a provider, an engine, a runtime. Some are registered, others come out of a call (a factory's engine, a
//! search manager). Both are used through this one type, so that no capability needs a proxy of its own in a lane.

use std::sync::Arc;
use std::time::Duration;

use futures::stream::BoxStream;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::call::{Call, CallError, CallTarget, Callback};
use crate::register::entries::Owner;
use crate::value::{collect_handles, function_handle};

/// Data and functions of one plugin's object.
#[derive(Clone, Debug)]
pub struct PluginObject {
    /// The plugin.
    pub owner: Arc<Owner>,
    target: Arc<dyn CallTarget>,
    value: Arc<Value>,
    /// Set on what came out of a call: its functions are given back when nobody holds the object any more.
    _held: Option<Arc<Held>>,
}

#[derive(Debug)]
struct Held {
    target: Arc<dyn CallTarget>,
    handles: Vec<u64>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.target.release(&self.handles);
    }
}

impl PluginObject {
    /// A registered object. Its functions live as long as the plugin.
    pub fn new(owner: Arc<Owner>, target: Arc<dyn CallTarget>, value: Value) -> Self {
        Self { owner, target, value: Arc::new(value), _held: None }
    }

    /// An object that a call of this one's functions returned. Its functions are released with the last clone.
    pub fn returned(&self, value: Value) -> Self {
        let mut handles = Vec::new();
        collect_handles(&value, &mut handles);
        let held = (!handles.is_empty()).then(|| Arc::new(Held { target: self.target.clone(), handles }));
        Self { owner: self.owner.clone(), target: self.target.clone(), value: Arc::new(value), _held: held }
    }

    /// The object without its functions being resolved: data members can be read from it.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// A trimmed, non-empty text member.
    pub fn text(&self, key: &str) -> Option<&str> {
        crate::value::text(&self.value, key)
    }

    /// The function at a member name or, with a leading `/`, at a JSON pointer.
    pub fn function(&self, name: &str) -> Option<Callback> {
        let value = if name.starts_with('/') { self.value.pointer(name) } else { self.value.get(name) };
        let handle = function_handle(value?)?;
        Some(Callback { plugin_id: self.owner.id.clone(), target: self.target.clone(), handle })
    }

    /// True when the object has this function.
    pub fn has(&self, name: &str) -> bool {
        self.function(name).is_some()
    }

    /// Calls a function that the object must have.
    ///
    /// # Errors
    /// [`CallError::Refused`] with the code `NOT_FOUND` when it has none of that name, else what [`CallTarget::call`] says.
    pub async fn call(&self, name: &str, call: Call) -> Result<Value, CallError> {
        let Some(function) = self.function(name) else {
            let text = format!("plugin `{}` gave no `{name}`", self.owner.id);
            return Err(CallError::refused("NOT_FOUND", text));
        };
        function.call(call).await
    }

    /// Calls a function with one argument, at most `budget` long and no longer than `cancel` allows.
    ///
    /// # Errors
    /// See [`PluginObject::call`].
    pub async fn ask(&self, name: &str, params: Value, budget: Duration, cancel: &CancellationToken) -> Result<Value, CallError> {
        self.call(name, Call::new(vec![params]).budget(Some(budget)).cancelled_by(cancel.clone())).await
    }

    /// As [`PluginObject::ask`]; the result is an object of the plugin again.
    ///
    /// # Errors
    /// See [`PluginObject::call`].
    pub async fn open(&self, name: &str, params: Value, budget: Duration, cancel: &CancellationToken) -> Result<Self, CallError> {
        self.ask(name, params, budget, cancel).await.map(|value| self.returned(value))
    }

    /// The stream at a member; dropping it tells the plugin to stop.
    pub fn stream(&self, name: &str) -> Option<BoxStream<'static, Result<Value, CallError>>> {
        let handle = self.value.get(name)?.get("$stream")?.as_u64()?;
        Some(self.target.stream(handle))
    }

    /// The object at a member, with the same functions.
    pub fn member(&self, name: &str) -> Option<Self> {
        let value = self.value.get(name).filter(|v| v.is_object())?.clone();
        Some(Self { value: Arc::new(value), ..self.clone() })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;
    use serde_json::json;

    use super::*;
    use crate::call::{HandlerOutcome, HookBatch};

    #[derive(Debug, Default)]
    struct Plugin(Mutex<Vec<u64>>);

    #[async_trait]
    impl CallTarget for Plugin {
        fn worker_key(&self) -> u64 {
            1
        }

        async fn call(&self, handle: u64, call: Call) -> Result<Value, CallError> {
            Ok(json!({"called": handle, "args": call.args, "next": {"$fn": handle + 1}}))
        }

        async fn hooks(&self, _: HookBatch) -> Result<Vec<HandlerOutcome>, CallError> {
            Err(CallError::Cancelled)
        }

        fn release(&self, handles: &[u64]) {
            self.0.lock().unwrap().extend(handles);
        }
    }

    #[tokio::test]
    async fn functions_are_called_by_name_and_those_of_results_released_with_the_last_clone() {
        let owner = Arc::new(Owner { id: "p".into(), name: None, source: String::new(), root_dir: None, bundled: false });
        let target = Arc::new(Plugin::default());
        let object = PluginObject::new(owner, target.clone(), json!({"id": " x ", "run": {"$fn": 7}, "deep": {"run": {"$fn": 9}}}));
        assert_eq!((object.text("id"), object.has("run"), object.has("id"), object.has("/deep/run")), (Some("x"), true, false, true));
        assert_eq!(object.member("deep").unwrap().function("run").unwrap().handle, 9);
        let (budget, cancel) = (Duration::from_secs(1), CancellationToken::new());
        let refused = object.ask("stop", json!(1), budget, &cancel).await.unwrap_err();
        assert_eq!((refused.code(), refused.to_string().as_str()), ("NOT_FOUND", "plugin `p` gave no `stop`"));
        let result = object.open("run", json!({"a": 1}), budget, &cancel).await.unwrap();
        assert_eq!(result.value()["args"], json!([{"a": 1}]));
        let again = result.clone();
        drop(result);
        assert!(target.0.lock().unwrap().is_empty());
        drop(again);
        drop(object);
        assert_eq!(*target.0.lock().unwrap(), [8]);
    }
}
