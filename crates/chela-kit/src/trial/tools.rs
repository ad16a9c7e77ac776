//! Every tool of a plugin under trial, with arguments that fit its schema and with others that do not.

use chela_agent::TurnPlugins;
use chela_agent::tools::{Caller, Confirm, Origin, ToolKind, ToolSet, execute};
use chela_models::ToolCall;
use chela_node::{Called, Observed};
use chela_plugin::Adapter;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::script::{Expect, ToolStep};
use super::{Trial, rows};
use crate::arguments;
use crate::turn::{AGENT, SESSION};

/// A tool and how to call it.
struct Planned {
    name: String,
    arguments: Value,
    /// Whether they fit the schema.
    fits: bool,
    /// What the script wants; none for made-up arguments.
    step: Option<ToolStep>,
}

impl Trial<'_> {
    /// Calls each tool: with fitting arguments through a turn, with others beside it.
    pub(super) async fn all_tools(&mut self) {
        for planned in self.plan().await {
            let mark = self.recorder.mark();
            if planned.fits {
                self.turn(&format!("/tool {} {}", planned.name, planned.arguments), "user").await;
            }
            let (mut how, mut said) = ("turn", None);
            let hung = planned.fits && self.report.turns.last().is_some_and(|turn| turn.status == "timeout");
            if hung {
                self.report.failures.push(format!("tool `{}` does not end", planned.name));
                continue;
            }
            if self.tool_call(mark).is_none() {
                // A hook may have answered in place of the model.
                how = "direct";
                said = self.call_directly(&planned).await;
            }
            let Some(call) = self.tool_call(mark) else {
                let with = if planned.fits { "fitting" } else { "invalid" };
                self.report.not_called.push(format!("tool `{}` with {with} arguments: {}", planned.name, said.unwrap_or_default()));
                continue;
            };
            self.judge_tool(&planned, &call);
            let mut row = rows::row(&call, "tool", &planned.name, how);
            row.valid_arguments = Some(planned.fits);
            self.report.calls.push(row);
        }
    }

    async fn tool_set(&self) -> ToolSet {
        let context = self.host.runtime.tool_context(AGENT, SESSION, "trial", "webchat", true, None);
        ToolSet::build(self.host.runtime.host_tools(), &self.registry(), &context).await
    }

    async fn plan(&mut self) -> Vec<Planned> {
        let set = self.tool_set().await;
        let id = self.report.plugin_id.clone();
        for problem in set.diagnostics.iter().filter(|problem| problem.plugin_id.as_deref() == Some(&id)) {
            self.report.failures.push(problem.message.clone());
        }
        let script = &self.options.script;
        let mut planned = Vec::new();
        let own = set.all().iter().filter(|tool| tool.plugin_id.as_deref() == Some(&id) && matches!(tool.kind, ToolKind::Plugin { .. }));
        for tool in own {
            let name = tool.name.clone();
            if !self.report.registered.tools.contains(&name) {
                self.report.registered.tools.push(name.clone());
            }
            if script.skip_tools.contains(&name) {
                self.report.not_called.push(format!("tool `{name}`: the script skips it"));
                continue;
            }
            if let Some(steps) = script.tools.get(&name) {
                let step = |step: &ToolStep| Planned {
                    name: name.clone(),
                    arguments: step.arguments.clone(),
                    fits: arguments::is_valid(&tool.parameters, &step.arguments),
                    step: Some(step.clone()),
                };
                planned.extend(steps.iter().map(step));
                continue;
            }
            let Some(fitting) = arguments::valid(&tool.parameters) else {
                self.report.not_called.push(format!("tool `{name}`: no arguments could be made for its schema; give some with --script"));
                continue;
            };
            let broken = arguments::invalid(&tool.parameters, &fitting);
            planned.push(Planned { name: name.clone(), arguments: fitting, fits: true, step: None });
            planned.extend(broken.map(|arguments| Planned { name, arguments, fits: false, step: None }));
        }
        let missing = script.tools.keys().filter(|name| !set.all().iter().any(|tool| tool.name == **name));
        let missing: Vec<String> = missing.map(|name| format!("the script calls tool `{name}`, which is not registered")).collect();
        self.report.failures.extend(missing);
        planned
    }

    /// The first call of a tool since a mark.
    fn tool_call(&self, mark: usize) -> Option<Observed> {
        self.recorder.since(mark).into_iter().find(|call| matches!(call.what, Called::Function(Some(Adapter::Tool), _)))
    }

    /// Calls a tool beside any turn; what came of it, for the case that the plugin never heard of it.
    async fn call_directly(&mut self, planned: &Planned) -> Option<String> {
        let set = self.tool_set().await;
        let generation = self.host.manager.current();
        let cancel = CancellationToken::new();
        let caller = Caller {
            loops: None,
            runtime: &self.host.runtime,
            hooks: &generation.hooks,
            context: json!({"agentId": AGENT, "sessionKey": SESSION}),
            trace: None,
            session_key: SESSION,
            run_id: None,
            cancel: &cancel,
            on_update: None,
            announce_end: true,
            confirm: Confirm::Report,
            origin: Origin::default(),
        };
        let call =
            ToolCall { id: format!("trial-{}", self.recorder.mark()), name: planned.name.clone(), arguments: planned.arguments.clone() };
        let work = execute(&caller, &set, &call);
        let Ok(outcome) = tokio::time::timeout(self.options.limit, work).await else {
            cancel.cancel();
            self.report.failures.push(format!("tool `{}` does not end", planned.name));
            return None;
        };
        let reason = outcome.refused.map(|refusal| refusal.reason);
        reason.or_else(|| outcome.result["content"][0]["text"].as_str().map(str::to_owned))
    }

    fn judge_tool(&mut self, planned: &Planned, call: &Observed) {
        let name = &planned.name;
        let error = call.result.as_ref().err();
        let with = if planned.fits { "fitting" } else { "invalid" };
        if let Some(step) = &planned.step {
            let shown = match &call.result {
                Ok(value) => value.to_string(),
                Err(error) => error.to_string(),
            };
            if error.is_some() != (step.expect == Expect::Error) {
                self.report.failures.push(format!("tool `{name}` was to end with {:?}, and gave: {shown}", step.expect));
            } else if let Some(text) = step.contains.as_ref().filter(|text| !shown.contains(text.as_str())) {
                self.report.failures.push(format!("tool `{name}` gave no `{text}`: {shown}"));
            }
            return;
        }
        let Some(error) = error else { return };
        let text = format!("tool `{name}` {} with {with} arguments: {error}", rows::outcome(error));
        // What does not fit may well be refused, however roughly; it may not hang or end the worker.
        let fault = if planned.fits { rows::is_fault(error) } else { matches!(rows::outcome(error), "timedOut" | "gone") };
        if fault {
            self.report.failures.push(text);
        } else if planned.fits {
            self.report.warnings.push(format!("{text} (give it real ones with --script)"));
        }
    }
}
