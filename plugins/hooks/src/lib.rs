//! Bundled hooks: what the reference brings along as `HOOK.md` hooks and this program has built in.
//!
//! A host starts them like a bundled plugin whose config names the hooks to register: `{hooks: {<name>: <its entry>}}`.

mod boot_md;
mod command_logger;
mod compaction_notifier;
mod extra_files;
mod glob;
mod session_memory;

use chela_plugin::builtin::{BuiltinPlugin, PluginApi};
use chela_plugin::{CallError, HostCaller};
use serde_json::{Value, json};

/// The id under which a host runs them. No manifest can have it: ids of plugins become directory names.
pub const ID: &str = "chela/bundled-hooks";
/// The hooks.
pub const NAMES: [&str; 5] = [boot_md::NAME, extra_files::NAME, command_logger::NAME, compaction_notifier::NAME, session_memory::NAME];

/// In whose name the hooks ask the host.
fn caller() -> HostCaller {
    HostCaller { plugin_id: ID.into(), bundled: true }
}

/// Registers the hooks that its config names.
#[derive(Debug, Clone, Copy, Default)]
pub struct BundledHooks;

impl BuiltinPlugin for BundledHooks {
    fn manifest(&self) -> &'static str {
        r#"{"id": "chela/bundled-hooks", "configSchema": {"type": "object"}}"#
    }

    fn register(&self, api: &mut PluginApi) -> Result<(), String> {
        let hooks = api.plugin_config().get("hooks").and_then(Value::as_object).cloned().unwrap_or_default();
        for (name, entry) in hooks {
            let (events, handler) = match name.as_str() {
                boot_md::NAME => (json!("gateway:startup"), boot_md::handler(api)),
                command_logger::NAME => (json!("command"), command_logger::handler(api)),
                compaction_notifier::NAME => {
                    (json!(["session:compact:before", "session:compact:after"]), compaction_notifier::handler(api))
                }
                extra_files::NAME => (json!("agent:bootstrap"), extra_files::handler(api, &entry)),
                session_memory::NAME => (json!(["command:new", "command:reset"]), session_memory::handler(api, &entry)),
                other => return Err(format!("there is no bundled hook \"{other}\"")),
            };
            api.register("registerHook", vec![events, handler, json!({"name": format!("hook:{name}")})]);
        }
        Ok(())
    }
}

/// Runs what blocks on the disk; its failure is the hook's.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> std::io::Result<T> + Send + 'static) -> Result<T, CallError> {
    let done = tokio::task::spawn_blocking(work).await.map_err(std::io::Error::other).and_then(|done| done);
    done.map_err(|error| CallError::refused("IO", error.to_string()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::sync::Arc;

    use chela_plugin::builtin::BuiltinLane;
    use chela_plugin::host::WorkerEvent;
    use chela_plugin::{Call, HostCaller, HostServices, Lane, PluginSpec, RegistrationMode, StartError, StartedPlugin};

    use super::*;

    struct NoHost;

    #[async_trait::async_trait]
    impl HostServices for NoHost {
        async fn request(&self, _: &HostCaller, method: &str, _: Value) -> Result<Value, CallError> {
            Err(CallError::refused("NOT_BUILT", method.to_owned()))
        }

        fn note(&self, _: &HostCaller, _: &str, _: Value) {}

        fn worker_event(&self, _: &str, _: WorkerEvent) {}
    }

    async fn start(dir: &std::path::Path, hooks: Value) -> Result<StartedPlugin, StartError> {
        let lane = BuiltinLane::new(vec![(ID.to_owned(), Arc::new(BundledHooks))]);
        let spec = PluginSpec {
            id: ID.into(),
            name: None,
            version: None,
            description: None,
            kinds: Vec::new(),
            root_dir: dir.into(),
            entry: dir.into(),
            mode: RegistrationMode::Full,
            config: Arc::new(json!({})),
            plugin_config: json!({ "hooks": hooks }),
            workspace_dir: dir.into(),
            state_dir: dir.into(),
            group: None,
            memory_mib: 64,
            env_grants: Vec::new(),
            env: Vec::new(),
            permissions: Default::default(),
            bundled: true,
        };
        lane.start(spec, Arc::new(NoHost)).await
    }

    #[tokio::test]
    async fn each_hook_listens_to_its_event_and_does_its_work() {
        let dir = tempfile::tempdir().unwrap();
        fs_err::create_dir(dir.path().join("sub")).unwrap();
        fs_err::write(dir.path().join("sub/TOOLS.md"), "more").unwrap();
        let started = start(dir.path(), json!({"command-logger": null, "bootstrap-extra-files": {"paths": ["sub/*"]}})).await.unwrap();
        let events: Vec<&Value> = started.registrations.iter().map(|row| &row.args[0]).collect();
        assert_eq!(events, ["command", "agent:bootstrap"]);
        let call = async |at: usize, event: Value| {
            let handle = started.registrations[at].args[1]["$fn"].as_u64().unwrap();
            started.target.call(handle, Call::new(vec![event])).await.unwrap()
        };
        call(0, json!({"action": "stop", "sessionKey": "k", "timestamp": {"$date": "now"}, "context": {}})).await;
        assert!(fs_err::read_to_string(dir.path().join("logs/commands.log")).unwrap().contains("\"action\":\"stop\""));
        let context = json!({"workspaceDir": dir.path(), "bootstrapFiles": [{"name": "AGENTS.md"}], "sessionKey": "k"});
        let answer = call(1, json!({"context": context})).await;
        let files = answer["context"]["bootstrapFiles"].as_array().unwrap();
        assert_eq!((files.len(), &files[1]["content"], &answer["context"]["sessionKey"]), (2, &json!("more"), &json!("k")));
        let nothing = call(1, json!({"context": {"workspaceDir": "/nowhere", "bootstrapFiles": []}})).await;
        assert_eq!(nothing, Value::Null);
        let error = start(dir.path(), json!({"nobody": {}})).await.unwrap_err().to_string();
        assert!(error.contains("no bundled hook \"nobody\""), "{error}");
        let all: serde_json::Map<String, Value> = NAMES.iter().map(|name| ((*name).to_owned(), Value::Null)).collect();
        assert_eq!(start(dir.path(), all.into()).await.unwrap().registrations.len(), NAMES.len());
    }
}
