//! Every hook of a plugin under trial: what the turns called, and a dispatch with a sample event for the rest.

use std::collections::HashSet;

use chela_agent::TurnPlugins;
use chela_hooks::{DispatchOptions, EmitOptions};
use chela_node::{Called, Observed};
use serde_json::Value;

use super::samples::{self, Scene};
use super::{Trial, rows};
use crate::turn::{AGENT, SESSION};

impl Trial<'_> {
    /// Tells what was called, fires the rest, and tells that too.
    pub(super) async fn all_hooks(&mut self) {
        let fired = self.recorder.mark();
        let reached: HashSet<u64> = self.recorder.since(0).iter().map(|call| call.handle).collect();
        let (registry, id) = (self.registry(), self.report.plugin_id.clone());
        let runtime = &self.host.runtime;
        let workspace = runtime.workspace_of(AGENT).to_string_lossy().into_owned();
        let config = runtime.config().effective.clone();
        let scene = Scene { agent: AGENT, session_key: SESSION, session_id: "trial", workspace: &workspace, config: &config };
        let generation = self.host.manager.current();
        let mut open: Vec<_> = registry.typed_hooks.iter().filter(|hook| hook.owner.id.as_ref() == id).collect();
        open.retain(|hook| !reached.contains(&hook.callback.handle));
        let mut names: Vec<_> = open.iter().map(|hook| hook.hook).collect();
        names.sort_unstable();
        names.dedup();
        for hook in names {
            let (event, ctx) = samples::sample(hook, &scene);
            let options = DispatchOptions { budget_override: Some(self.options.limit), ..DispatchOptions::default() };
            generation.hooks.dispatch(hook, event, ctx, options).await;
        }
        let internal = registry.internal_hooks.iter().filter(|hook| hook.owner.id.as_ref() == id && hook.active);
        for hook in internal.filter(|hook| !reached.contains(&hook.callback.handle)) {
            let Some(event) = hook.events.first() else { continue };
            let (kind, action) = event.split_once(':').unwrap_or((event, "trial"));
            let options = EmitOptions { budget: self.options.limit, only: Some(vec![id.clone()]), ..EmitOptions::default() };
            generation.internal.emit_with(kind, action, SESSION, samples::internal(event, &scene), options).await;
        }
        self.tell_hooks(fired);
    }

    /// One row for each handler, its first call; failures of all calls count.
    fn tell_hooks(&mut self, fired: usize) {
        let (registry, id) = (self.registry(), self.report.plugin_id.clone());
        let calls = self.recorder.since(0);
        let mine = registry.typed_hooks.iter().filter(|hook| hook.owner.id.as_ref() == id);
        let typed = mine.map(|hook| ("hook", hook.hook.as_str().to_owned(), hook.callback.handle));
        let internal = registry.internal_hooks.iter().filter(|hook| hook.owner.id.as_ref() == id && hook.active);
        let internal = internal.map(|hook| ("internalHook", hook.name.clone(), hook.callback.handle));
        for (kind, name, handle) in typed.chain(internal) {
            let of_it: Vec<(usize, &Observed)> =
                calls.iter().enumerate().filter(|(_, call)| call.handle == handle && is_hook(call)).collect();
            let failed = of_it.iter().find_map(|(_, call)| call.result.as_ref().err());
            if let Some(error) = failed {
                self.report.failures.push(format!("{kind} `{name}` {}: {error}", rows::outcome(error)));
            }
            match of_it.iter().find(|(_, call)| call.result.is_err()).or(of_it.first()) {
                Some((at, call)) => {
                    let how = if *at >= fired {
                        "synthetic"
                    } else if *at < self.begun {
                        "start"
                    } else {
                        "turn"
                    };
                    self.report.calls.push(rows::row(call, kind, &name, how));
                }
                None => {
                    let why = "an earlier handler ended the chain, or nobody asks for it";
                    self.report.not_called.push(format!("{kind} `{name}`: {why}"));
                }
            }
        }
    }
}

fn is_hook(call: &Observed) -> bool {
    match &call.what {
        Called::Hook(..) => true,
        Called::Fault(_) | Called::Log(_) => false,
        Called::Function(adapter, args) => {
            *adapter == Some(chela_plugin::Adapter::InternalHook)
                || args.first().is_some_and(|event| event.get("action").is_some_and(Value::is_string))
        }
    }
}
