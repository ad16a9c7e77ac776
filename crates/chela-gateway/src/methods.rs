//! The gateway's methods: one table of contents, one module for each family.

mod agent;
mod approvals;
mod channels;
mod chat;
pub(crate) mod compact;
mod config;
mod control_plane;
mod devices;
mod hooks;
mod models;
mod node_pairing;
mod node_policy;
mod nodes;
mod pairing;
pub(crate) mod params;
mod plugin_methods;
mod plugins;
mod sessions;
mod sessions_edit;
mod speech;
mod system;
mod talk;
mod tools;
mod upkeep;

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use chela_gateway_protocol::error::ErrorShape;
use chela_gateway_protocol::{Role, Scope, methods};
use chela_telemetry::{Event, Request};
use serde_json::{Value, json};

use crate::gateway::Gateway;
use crate::ws::ClientInfo;
use crate::ws::handler::{MethodCall, MethodHandler, MethodSpecRef, core_method_spec};

/// What a method answers when it answers once.
pub(crate) type Answer = Result<Value, ErrorShape>;

/// Serves the methods of a gateway.
pub struct Methods(pub(crate) Arc<Gateway>);

impl Methods {
    /// The methods of this gateway.
    pub fn new(gateway: Arc<Gateway>) -> Self {
        Self(gateway)
    }

    async fn serve(&self, call: MethodCall) {
        let gateway = &self.0;
        if !gateway.is_ready() && NEEDS_READY.contains(&call.method.as_str()) {
            let error =
                ErrorShape::unavailable(chela_gateway_protocol::error::Reason::NotReady, "the gateway is still starting").retry_after(250);
            return call.reply.err(&error);
        }
        if let Err(error) = gateway.control_plane.take(&call.method, &call.client) {
            return call.reply.err(&error);
        }
        let params = call.params.clone();
        let answer = match call.method.as_str() {
            "health" => return call.reply.ok_raw(&gateway.health().await),
            "agent" => return agent::agent(gateway, call).await,
            "status" => system::status(gateway, &call.client).await,
            "system-presence" => Ok(system::presence(gateway)),
            "logs.tail" => system::logs_tail(gateway, params).await,
            "last-heartbeat" => Ok(gateway.host.last_heartbeat()),
            "set-heartbeats" => system::set_heartbeats(gateway, params),
            "wake" => system::wake(gateway, params),
            "gateway.identity.get" => system::identity(gateway),
            "gateway.restart.preflight" => system::restart_preflight(gateway, params),
            "gateway.restart.request" => system::restart_request(gateway, params),
            "agent.wait" => agent::wait(gateway, params).await,
            "agent.identity.get" => agent::identity(gateway, params),
            "agents.list" => agent::list(gateway, params),
            "chat.send" => chat::send(gateway, &call.client, params).await,
            "chat.history" => chat::history(gateway, params).await,
            "chat.abort" => chat::abort(gateway, params),
            "chat.inject" => chat::inject(gateway, params).await,
            "channels.status" => channels::status(gateway, params).await,
            "channels.start" => channels::start(gateway, params).await,
            "channels.stop" => channels::stop(gateway, params).await,
            "channels.logout" => channels::logout(gateway, params).await,
            "send" => channels::send(gateway, params).await,
            "poll" => channels::poll(gateway, params).await,
            "channels.pairing.list" => pairing::list(gateway, params).await,
            "channels.pairing.approve" => pairing::approve(gateway, params).await,
            "node.pair.request" | "node.pair.list" | "node.pair.approve" | "node.pair.reject" | "node.pair.remove" | "node.pair.verify"
            | "node.rename" => node_pairing::serve(gateway, &call).await,
            "node.list" => nodes::list(gateway, params).await,
            "node.describe" => nodes::describe(gateway, params).await,
            "node.invoke" => nodes::invoke(gateway, &node_policy::caller(&call.client), params).await,
            "node.invoke.result" => nodes::result(gateway, &call.client, params),
            "commands.list" => plugins::commands(gateway, params),
            "sessions.list" => sessions::list(gateway, params).await,
            "sessions.get" => sessions::get(gateway, params).await,
            "sessions.preview" => sessions::preview(gateway, params).await,
            "sessions.describe" => sessions::describe(gateway, params).await,
            "sessions.resolve" => sessions::resolve(gateway, params).await,
            "sessions.subscribe" => Ok(sessions::subscribe(gateway, &call.client, true)),
            "sessions.unsubscribe" => Ok(sessions::subscribe(gateway, &call.client, false)),
            "sessions.messages.subscribe" => sessions::subscribe_messages(gateway, &call.client, params, true),
            "sessions.messages.unsubscribe" => sessions::subscribe_messages(gateway, &call.client, params, false),
            "sessions.create" => sessions_edit::create(gateway, &call.client, params).await,
            "sessions.send" => sessions_edit::send(gateway, &call.client, params).await,
            "sessions.abort" => sessions_edit::abort(gateway, params),
            "sessions.compact" => compact::serve(gateway, params).await,
            "sessions.reset" => sessions_edit::reset(gateway, params).await,
            "sessions.cleanup" => upkeep::cleanup(gateway, params).await,
            "sessions.archives" => upkeep::archives(gateway, params).await,
            "sessions.restore" => upkeep::restore(gateway, params).await,
            "sessions.delete" => sessions_edit::delete(gateway, params).await,
            "sessions.patch" => sessions_edit::patch(gateway, params).await,
            "sessions.pluginPatch" => sessions_edit::plugin_patch(gateway, &call.client, params).await,
            "models.list" => models::list(gateway, params),
            "tools.catalog" => tools::catalog(gateway, params).await,
            "tools.effective" => tools::effective(gateway, params).await,
            "tools.invoke" => tools::invoke(gateway, &call.client, params).await,
            "hooks.trace" => hooks::trace(gateway, &call),
            "plugins.list" => plugins::list(gateway),
            "plugins.inspect" => plugins::inspect(gateway, params),
            "plugins.beforeInstall" => plugins::before_install(gateway, params).await,
            "plugins.uiDescriptors" => plugins::ui_descriptors(gateway, params),
            "plugins.sessionAction" => plugins::session_action(gateway, params).await,
            "device.pair.list"
            | "device.pair.approve"
            | "device.pair.reject"
            | "device.pair.remove"
            | "device.token.rotate"
            | "device.token.revoke" => return devices::serve(gateway, call).await,
            "exec.approval.get"
            | "exec.approval.list"
            | "exec.approval.request"
            | "exec.approval.waitDecision"
            | "exec.approval.resolve"
            | "plugin.approval.list"
            | "plugin.approval.request"
            | "plugin.approval.waitDecision"
            | "plugin.approval.resolve"
            | "exec.approvals.get"
            | "exec.approvals.set"
            | "approvals.grants"
            | "approvals.revoke"
            | "approvals.audit" => return approvals::serve(gateway, call).await,
            "tts.status" | "tts.providers" | "tts.personas" | "tts.convert" | "tts.enable" | "tts.disable" | "tts.setProvider"
            | "tts.setPersona" => speech::serve(gateway, &call.method, params).await,
            "talk.catalog" => Ok(talk::catalog(gateway).await),
            "talk.session.create" => talk::create(gateway, &call.client, params).await,
            "talk.session.appendAudio" | "talk.session.cancelOutput" | "talk.session.submitToolResult" | "talk.session.close" => {
                talk::use_session(gateway, &call.client, &call.method, params).await
            }
            "config.get" => config::get(gateway).await,
            "config.schema" => config::schema(),
            other => return plugin_methods::call(gateway, other.to_string(), call).await,
        };
        match answer {
            Ok(payload) => call.reply.ok(&payload),
            Err(error) => call.reply.err(&error),
        }
    }
}

#[async_trait]
impl MethodHandler for Methods {
    async fn handle(&self, call: MethodCall) {
        let telemetry = &self.0.host.runtime.telemetry;
        if !telemetry.listened() {
            return self.serve(call).await;
        }
        let name = if self.method_spec(&call.method).is_some() { call.method.clone() } else { "other".into() };
        let (reply, begun) = (call.reply.clone(), Instant::now());
        self.serve(call).await;
        telemetry.emit(|| {
            let outcome = if reply.failed() { "error" } else { "ok" };
            Event::Request(Request { surface: "ws", name: &name, outcome, took: begun.elapsed() })
        });
    }

    fn client_joined(&self, client: &Arc<ClientInfo>) {
        if client.role == Role::Node {
            let (gateway, client) = (self.0.clone(), client.clone());
            tokio::spawn(async move { node_pairing::connected(&gateway, &client).await });
        }
    }

    fn client_left(&self, client: &ClientInfo) {
        if client.role == Role::Node {
            self.0.node_calls.gone(&client.conn_id);
        }
    }

    fn method_spec(&self, name: &str) -> Option<MethodSpecRef> {
        if let Some(spec) = own_method_spec(name) {
            return Some(spec);
        }
        core_method_spec(name).or_else(|| plugin_methods::spec(&self.0, name))
    }

    fn dynamic_scopes(&self, method: &str, params: &Value) -> Vec<Scope> {
        plugins::action_scopes(&self.0, method, params)
    }

    fn hello_snapshot(&self, client: &ClientInfo) -> Value {
        system::hello_snapshot(&self.0, client)
    }

    fn advertised_methods(&self) -> Vec<String> {
        let registry = self.0.host.manager.registry();
        let plugins = registry.gateway_methods.iter().map(|m| m.name.clone());
        let own = OWN_METHODS.iter().map(|(name, _)| (*name).to_string());
        methods::listed().map(str::to_owned).chain(own).chain(plugins).collect()
    }
}

/// Resets sessions for people who write in channels.
pub(crate) fn channel_sessions(gateway: &Arc<Gateway>) -> Box<dyn chela_host::channels::SessionCommands> {
    Box::new(sessions_edit::ChannelSessions(Arc::downgrade(gateway)))
}

/// Lets plugins reach nodes.
pub(crate) fn plugin_nodes(gateway: &Arc<Gateway>) -> Box<dyn chela_host::nodes::NodeAccess> {
    Box::new(nodes::PluginNodes(Arc::downgrade(gateway)))
}

/// Methods that wait for the journal to be recovered (GW-73).
const NEEDS_READY: &[&str] = &[
    "agent.wait",
    "chat.history",
    "models.list",
    "sessions.list",
    "sessions.abort",
    "sessions.create",
    "sessions.send",
    "tools.effective",
];

/// Methods that the reference does not have: the truth about plugins and their hooks, asked of the running gateway, and their consent
/// to an installation; archives of sessions; unknown senders of channels.
const OWN_METHODS: &[(&str, Scope)] = &[
    ("plugins.list", Scope::Read),
    ("plugins.inspect", Scope::Read),
    ("plugins.beforeInstall", Scope::Admin),
    ("sessions.archives", Scope::Read),
    ("sessions.restore", Scope::Admin),
    ("hooks.trace", Scope::Read),
    ("channels.pairing.list", Scope::Pairing),
    // The first approval may name the owner of the commands.
    ("channels.pairing.approve", Scope::Admin),
    ("approvals.grants", Scope::Approvals),
    ("approvals.revoke", Scope::Approvals),
    ("approvals.audit", Scope::Approvals),
];

fn own_method_spec(name: &str) -> Option<MethodSpecRef> {
    OWN_METHODS.iter().find(|(own, _)| *own == name).map(|(_, scope)| MethodSpecRef {
        scope: chela_gateway_protocol::MethodScope::Scope(*scope),
        role: chela_gateway_protocol::MethodRole::Operator,
    })
}

pub use self::agent::final_reply;
pub(crate) use self::control_plane::ControlPlaneBudget;
pub(crate) use self::hooks::Traces;
pub(crate) use self::sessions::public_row;
pub use self::tools::HTTP_DENIED;
pub(crate) use self::tools::{Route as ToolRoute, call as call_tool};

/// A method that the table knows and nobody built, or one that nobody knows.
pub(crate) fn unanswered(name: &str) -> ErrorShape {
    if methods::find(name).is_some() { ErrorShape::not_implemented(name) } else { ErrorShape::unknown_method(name) }
}

pub(crate) fn internal(error: impl std::fmt::Display) -> ErrorShape {
    ErrorShape::internal(error.to_string())
}

/// `{ok: true}` with further members.
pub(crate) fn ok_with(extra: Value) -> Value {
    let mut out = json!({"ok": true});
    if let (Some(into), Value::Object(from)) = (out.as_object_mut(), extra) {
        into.extend(from);
    }
    out
}
