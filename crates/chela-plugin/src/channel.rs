//! Channels of plugins: the capability contract (API-040, CH-01, CH-02).
//!
//! A channel plugin is one object with required `id`, `meta`, `capabilities` and `config`, and many optional parts. The host holds what
//! it said as data and reaches its functions through one adapter, which keeps accounts and contexts on the plugin's side: they hold
//! sockets and class instances that never travel.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::call::{Adapter, Call, CallError};
use crate::object::PluginObject;
use crate::register::entries::{Owner, Recorded};
use crate::registry::Registry;
use crate::value::text;

/// What the host can ask of a channel; the word that the adapter understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelOp {
    /// All accounts with what `config` says about them: `{defaultAccountId, accounts: [{accountId, enabled, configured, ...}]}`.
    Accounts,
    /// `gateway.startAccount`; lasts as long as the account runs (CH-183).
    Start,
    /// `gateway.stopAccount`.
    Stop,
    /// `gateway.logoutAccount`.
    Logout,
    /// `status.probeAccount`, then `status.buildAccountSnapshot` and `status.buildChannelSummary`.
    Status,
    /// A sender of `outbound`, chosen by `payload`.
    Send,
    /// `outbound.resolveTarget`, else `messaging.normalizeTarget`.
    Target,
    /// `pairing.notifyApproval` and `pairing.normalizeAllowEntry`.
    Pairing,
    /// `actions.describeMessageTool` and `actions.handleAction`.
    Action,
}

impl ChannelOp {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accounts => "accounts",
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Logout => "logout",
            Self::Status => "status",
            Self::Send => "send",
            Self::Target => "target",
            Self::Pairing => "pairing",
            Self::Action => "action",
        }
    }
}

/// A registered channel.
#[derive(Clone, Debug)]
pub struct Channel {
    /// Channel id, such as `irc`.
    pub id: String,
    /// The plugin object.
    pub plugin: PluginObject,
}

/// The function whose handle stands for the whole channel: registration refuses a channel without it.
const ANCHOR: &str = "/config/listAccountIds";

impl Channel {
    fn of(recorded: &Recorded) -> Self {
        Self { id: recorded.id.clone(), plugin: recorded.object(0) }
    }

    /// The plugin.
    pub fn owner(&self) -> &Arc<Owner> {
        &self.plugin.owner
    }

    /// True when the plugin has a function at this path, such as `/gateway/startAccount`.
    pub fn can(&self, path: &str) -> bool {
        self.plugin.has(path)
    }

    /// The name for people; the id when the plugin gives none (API-192).
    pub fn label(&self) -> &str {
        self.plugin.value().get("meta").and_then(|meta| text(meta, "label")).unwrap_or(&self.id)
    }

    /// True when `name` is the channel's id or one of its aliases, whatever the case.
    pub fn answers_to(&self, name: &str) -> bool {
        let aliases =
            self.plugin.value().pointer("/meta/aliases").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        aliases.chain([self.id.as_str()]).any(|known| known.eq_ignore_ascii_case(name.trim()))
    }

    /// Strings of a list member, such as `/reload/configPrefixes` (CH-07).
    pub fn texts(&self, path: &str) -> Vec<String> {
        let list = self.plugin.value().pointer(path).and_then(Value::as_array).into_iter().flatten();
        list.filter_map(Value::as_str).map(str::to_string).collect()
    }

    /// Asks the channel for something. `call` brings budget, cancellation and what `params` refers to; its arguments are set here.
    ///
    /// # Errors
    /// What the plugin's function threw, or that it could not be reached in time.
    pub async fn ask(&self, op: ChannelOp, params: Value, mut call: Call) -> Result<Value, CallError> {
        let mut request = json!({"op": op.as_str(), "channelId": self.id});
        if let (Some(request), Value::Object(params)) = (request.as_object_mut(), params) {
            request.extend(params);
        }
        call.args = vec![request];
        self.plugin.call(ANCHOR, call.adapter(Adapter::Channel)).await
    }
}

impl Registry {
    /// The channels that can run: those of setup loads are for setup only (CH-12).
    pub fn channels(&self) -> impl Iterator<Item = Channel> {
        self.recorded_of("registerChannel").filter(|recorded| !recorded.setup_only).map(Channel::of)
    }

    /// The channel with this id or alias; ids win.
    pub fn channel(&self, name: &str) -> Option<Channel> {
        self.channels().find(|c| c.id == name).or_else(|| self.channels().find(|c| c.answers_to(name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::register::testing::{World, f};

    // API-040, API-192
    #[test]
    fn a_channel_is_found_by_id_alias_and_case_and_knows_what_it_can_do() {
        let config = json!({"listAccountIds": f(1), "resolveAccount": f(2)});
        let meta = json!({"id": "talk", "label": "Talk", "aliases": ["tlk"]});
        let talk = json!([{"plugin": {"id": "talk", "meta": meta, "config": config, "gateway": {"startAccount": f(3)},
            "reload": {"configPrefixes": ["talk.x"]}}}]);
        let registry = World::new()
            .plugin("a", &[("registerChannel", talk)])
            .plugin("b", &[("registerChannel", json!([{"id": "tlk2", "config": config}]))])
            .build();
        let found = registry.channel("TLK").unwrap();
        assert_eq!((found.id.as_str(), found.label(), found.owner().id.as_ref()), ("talk", "Talk", "a"));
        assert!(found.can("/gateway/startAccount") && !found.can("/gateway/stopAccount"));
        assert_eq!(found.texts("/reload/configPrefixes"), ["talk.x"]);
        assert_eq!(registry.channel("tlk2").unwrap().label(), "tlk2");
        assert!(registry.channel("other").is_none());
    }
}
