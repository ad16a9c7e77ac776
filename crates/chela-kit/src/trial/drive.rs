//! The scripted conversation, chat commands, gateway methods and services of a plugin under trial.

use std::time::{Duration, Instant};

use chela_agent::RunStatus;
use chela_node::{Called, Observed};
use chela_plugin::{Adapter, Call, Callback, HookName};
use serde_json::{Value, json};

use super::report::TurnRow;
use super::{Trial, rows};
use crate::turn::{self, SESSION};

impl Trial<'_> {
    /// The turns of the script, and a heartbeat when the plugin listens to it.
    pub(super) async fn conversation(&mut self) {
        let hello = ["hello".to_owned()];
        let turns = if self.options.script.turns.is_empty() { &hello[..] } else { &self.options.script.turns[..] };
        for message in turns {
            self.turn(message, "user").await;
        }
        if self.registry().hooks(HookName::HeartbeatPromptContribution).next().is_some() {
            self.turn("heartbeat", "heartbeat").await;
        }
    }

    /// Plays one turn to its end, and waits for what it left running.
    pub(super) async fn turn(&mut self, message: &str, trigger: &'static str) {
        let begun = Instant::now();
        let outcome = match turn::say(&self.host.runtime, message, trigger, self.options.limit).await {
            Ok(outcome) => outcome,
            Err(why) => return self.report.failures.push(format!("the turn `{message}` {why}")),
        };
        if !matches!(outcome.status, RunStatus::Ok) {
            let why = outcome.error.clone().unwrap_or_else(|| outcome.status.as_str().into());
            self.report.failures.push(format!("the turn `{message}` failed: {why}"));
        }
        self.report.turns.push(TurnRow {
            message: message.into(),
            status: outcome.status.as_str(),
            text: outcome.text.clone(),
            error: outcome.error.clone(),
            ms: (begun.elapsed().as_secs_f64() * 1e4).round() / 10.0,
        });
        self.recorder.quiet(Duration::from_secs(2)).await;
    }

    /// Chat commands and gateway methods once each; services and providers are told from what the start called.
    pub(super) async fn functions(&mut self) {
        self.started_services();
        let registry = self.registry();
        let id = self.report.plugin_id.clone();
        let mine = |owner: &chela_plugin::register::entries::Owner| owner.id.as_ref() == id;
        for command in registry.commands.all().iter().filter(|command| mine(&command.owner)) {
            let args = self.options.script.commands.get(&command.name).map_or("", String::as_str);
            let ctx = json!({
                "senderId": "trial", "channel": "webchat", "channelId": "webchat", "isAuthorizedSender": true, "senderIsOwner": true,
                "gatewayClientScopes": ["operator.admin"], "sessionKey": SESSION, "args": args, "commandBody": format!("/{} {args}", command.name).trim_end(),
            });
            self.direct("command", &command.name, &command.handler, Adapter::Command, ctx).await;
        }
        for method in registry.gateway_methods.iter().filter(|method| mine(&method.owner)) {
            let params = self.options.script.methods.get(&method.name).cloned().unwrap_or_else(|| json!({}));
            let request = json!({
                "params": params, "req": {"type": "req", "id": "trial", "method": method.name}, "scopes": ["operator.admin"],
                "client": {"connId": "trial", "connect": {"role": "operator", "scopes": ["operator.admin"], "client": {"id": "trial", "mode": "cli"}}},
            });
            self.direct("gatewayMethod", &method.name, &method.handler, Adapter::GatewayMethod, request).await;
        }
    }

    pub(super) async fn direct(&mut self, kind: &'static str, name: &str, function: &Callback, adapter: Adapter, argument: Value) {
        let mark = self.recorder.mark();
        let call = Call::new(vec![argument]).adapter(adapter).budget(Some(self.options.limit));
        // Its result is in the record, as that of every call.
        let _ = function.call(call).await;
        for call in self.recorder.since(mark).iter().filter(|call| call.handle == function.handle) {
            self.judge(call, kind, name);
            self.report.calls.push(rows::row(call, kind, name, "direct"));
        }
    }

    /// A function that is called with next to nothing may refuse it; it may not break.
    pub(super) fn judge(&mut self, call: &Observed, kind: &str, name: &str) {
        if let Err(error) = &call.result {
            let text = format!("{kind} `{name}` {}: {error}", rows::outcome(error));
            if rows::is_fault(error) { self.report.failures.push(text) } else { self.report.warnings.push(text) }
        }
    }

    fn started_services(&mut self) {
        let registry = self.registry();
        let calls = self.recorder.since(0);
        for service in registry.services.iter().filter(|service| service.owner.id.as_ref() == self.report.plugin_id) {
            let Some(start) = &service.start else { continue };
            let is_start =
                |call: &&Observed| call.handle == start.handle && matches!(call.what, Called::Function(Some(Adapter::Service), _));
            match calls.iter().find(is_start) {
                Some(call) => {
                    if let Err(error) = &call.result {
                        self.report.failures.push(format!("service `{}` does not start: {error}", service.id));
                    }
                    self.report.calls.push(rows::row(call, "service", &service.id, "direct"));
                }
                None => self.report.failures.push(format!("service `{}` was not started", service.id)),
            }
        }
    }
}
