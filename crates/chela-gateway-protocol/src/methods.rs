//! Every method that the protocol knows, with the role and scope it needs (GW-61..GW-70).
//!
//! The table says what a name means, not whether this build serves it; the gateway answers a known method
//! that it does not serve with `NOT_IMPLEMENTED` in the details.

use crate::scope::{Role, Scope};

/// What a method needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MethodScope {
    /// No scope at all (GW-09).
    None,
    /// This scope.
    Scope(Scope),
    /// The scope depends on the parameters; the handler decides (GW-69).
    Dynamic,
}

/// Which role may call a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MethodRole {
    /// Both (GW-09).
    Any,
    /// Operators.
    Operator,
    /// Nodes (GW-68).
    Node,
}

impl MethodRole {
    /// Whether a client of this role may call it.
    pub fn allows(self, role: Role) -> bool {
        match self {
            MethodRole::Any => true,
            MethodRole::Operator => role == Role::Operator,
            MethodRole::Node => role == Role::Node,
        }
    }
}

/// One method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MethodSpec {
    /// Name on the wire.
    pub name: &'static str,
    /// Scope it needs.
    pub scope: MethodScope,
    /// Role it is for.
    pub role: MethodRole,
    /// Whether the reference advertises it in the hello (GW-30).
    pub listed: bool,
}

/// Name prefixes that plugins cannot relax: their methods need admin (GW-62).
pub const RESERVED_ADMIN_PREFIXES: &[&str] = &["exec.approvals.", "config.", "wizard.", "update."];

const fn spec(name: &'static str, scope: MethodScope, role: MethodRole, listed: bool) -> MethodSpec {
    MethodSpec { name, scope, role, listed }
}

const fn open(name: &'static str, listed: bool) -> MethodSpec {
    spec(name, MethodScope::None, MethodRole::Any, listed)
}

const fn read(name: &'static str, listed: bool) -> MethodSpec {
    spec(name, MethodScope::Scope(Scope::Read), MethodRole::Operator, listed)
}

const fn write(name: &'static str, listed: bool) -> MethodSpec {
    spec(name, MethodScope::Scope(Scope::Write), MethodRole::Operator, listed)
}

const fn admin(name: &'static str, listed: bool) -> MethodSpec {
    spec(name, MethodScope::Scope(Scope::Admin), MethodRole::Operator, listed)
}

const fn approvals(name: &'static str, listed: bool) -> MethodSpec {
    spec(name, MethodScope::Scope(Scope::Approvals), MethodRole::Operator, listed)
}

const fn pairing(name: &'static str, listed: bool) -> MethodSpec {
    spec(name, MethodScope::Scope(Scope::Pairing), MethodRole::Operator, listed)
}

const fn node(name: &'static str, listed: bool) -> MethodSpec {
    spec(name, MethodScope::None, MethodRole::Node, listed)
}

const fn dynamic(name: &'static str, listed: bool) -> MethodSpec {
    spec(name, MethodScope::Dynamic, MethodRole::Operator, listed)
}

/// The table, in the order in which the reference's hello lists them; unlisted ones follow.
pub const METHODS: &[MethodSpec] = &[
    open("health", true),
    read("diagnostics.stability", true),
    read("doctor.memory.status", true),
    read("doctor.memory.dreamDiary", true),
    write("doctor.memory.backfillDreamDiary", true),
    write("doctor.memory.resetDreamDiary", true),
    write("doctor.memory.resetGroundedShortTerm", true),
    write("doctor.memory.repairDreamingArtifacts", true),
    write("doctor.memory.dedupeDreamDiary", true),
    read("doctor.memory.remHarness", true),
    read("logs.tail", true),
    read("channels.status", true),
    admin("channels.start", true),
    admin("channels.stop", true),
    admin("channels.logout", true),
    read("status", true),
    read("usage.status", true),
    read("usage.cost", true),
    read("tts.status", true),
    read("tts.providers", true),
    read("tts.personas", true),
    write("tts.enable", true),
    write("tts.disable", true),
    write("tts.convert", true),
    write("tts.setProvider", true),
    write("tts.setPersona", true),
    read("config.get", true),
    admin("config.set", true),
    admin("config.apply", true),
    admin("config.patch", true),
    admin("config.schema", true),
    read("config.schema.lookup", true),
    admin("exec.approvals.get", true),
    admin("exec.approvals.set", true),
    admin("exec.approvals.node.get", true),
    admin("exec.approvals.node.set", true),
    approvals("exec.approval.get", true),
    approvals("exec.approval.list", true),
    approvals("exec.approval.request", true),
    approvals("exec.approval.waitDecision", true),
    approvals("exec.approval.resolve", true),
    approvals("plugin.approval.list", true),
    approvals("plugin.approval.request", true),
    approvals("plugin.approval.waitDecision", true),
    approvals("plugin.approval.resolve", true),
    read("plugins.uiDescriptors", true),
    dynamic("plugins.sessionAction", true),
    admin("wizard.start", true),
    admin("wizard.next", true),
    admin("wizard.cancel", true),
    admin("wizard.status", true),
    read("talk.catalog", true),
    read("talk.config", true),
    write("talk.client.create", true),
    write("talk.client.toolCall", true),
    write("talk.session.create", true),
    write("talk.session.join", true),
    write("talk.session.appendAudio", true),
    write("talk.session.startTurn", true),
    write("talk.session.endTurn", true),
    write("talk.session.cancelTurn", true),
    write("talk.session.cancelOutput", true),
    write("talk.session.submitToolResult", true),
    write("talk.session.close", true),
    write("talk.speak", true),
    write("talk.mode", true),
    read("commands.list", true),
    read("models.list", true),
    read("models.authStatus", true),
    read("tools.catalog", true),
    read("tools.effective", true),
    write("tools.invoke", true),
    read("tasks.list", true),
    read("tasks.get", true),
    write("tasks.cancel", true),
    read("environments.list", true),
    read("environments.status", true),
    read("agents.list", true),
    admin("agents.create", true),
    admin("agents.update", true),
    admin("agents.delete", true),
    read("agents.files.list", true),
    read("agents.files.get", true),
    admin("agents.files.set", true),
    read("artifacts.list", true),
    read("artifacts.get", true),
    read("artifacts.download", true),
    read("skills.status", true),
    read("skills.search", true),
    read("skills.detail", true),
    node("skills.bins", true),
    admin("skills.upload.begin", true),
    admin("skills.upload.chunk", true),
    admin("skills.upload.commit", true),
    admin("skills.install", true),
    admin("skills.update", true),
    admin("update.status", true),
    admin("update.run", true),
    read("voicewake.get", true),
    write("voicewake.set", true),
    admin("secrets.reload", true),
    admin("secrets.resolve", true),
    read("voicewake.routing.get", true),
    write("voicewake.routing.set", true),
    read("sessions.list", true),
    read("sessions.subscribe", true),
    read("sessions.unsubscribe", true),
    read("sessions.messages.subscribe", true),
    read("sessions.messages.unsubscribe", true),
    read("sessions.preview", true),
    read("sessions.describe", true),
    read("sessions.compaction.list", true),
    read("sessions.compaction.get", true),
    write("sessions.compaction.branch", true),
    admin("sessions.compaction.restore", true),
    write("sessions.create", true),
    write("sessions.send", true),
    write("sessions.abort", true),
    admin("sessions.patch", true),
    admin("sessions.pluginPatch", true),
    admin("sessions.cleanup", true),
    admin("sessions.reset", true),
    admin("sessions.delete", true),
    admin("sessions.compact", true),
    read("last-heartbeat", true),
    admin("set-heartbeats", true),
    write("wake", true),
    pairing("node.pair.request", true),
    pairing("node.pair.list", true),
    pairing("node.pair.approve", true),
    pairing("node.pair.reject", true),
    pairing("node.pair.remove", true),
    pairing("node.pair.verify", true),
    pairing("device.pair.list", true),
    pairing("device.pair.approve", true),
    pairing("device.pair.reject", true),
    pairing("device.pair.remove", true),
    pairing("device.token.rotate", true),
    pairing("device.token.revoke", true),
    pairing("node.rename", true),
    read("node.list", true),
    read("node.describe", true),
    node("node.pluginSurface.refresh", true),
    node("node.pending.drain", true),
    write("node.pending.enqueue", true),
    write("node.invoke", true),
    node("node.pending.pull", true),
    node("node.pending.ack", true),
    node("node.invoke.result", true),
    node("node.event", true),
    read("cron.get", true),
    read("cron.list", true),
    read("cron.status", true),
    admin("cron.add", true),
    admin("cron.update", true),
    admin("cron.remove", true),
    admin("cron.run", true),
    read("cron.runs", true),
    read("gateway.identity.get", true),
    read("gateway.restart.preflight", true),
    admin("gateway.restart.request", true),
    read("system-presence", true),
    admin("system-event", true),
    write("message.action", true),
    write("send", true),
    write("agent", true),
    read("agent.identity.get", true),
    write("agent.wait", true),
    read("chat.history", true),
    write("chat.abort", true),
    write("chat.send", true),
    read("assistant.media.get", false),
    read("sessions.get", false),
    read("sessions.resolve", false),
    read("sessions.usage", false),
    read("sessions.usage.timeseries", false),
    read("sessions.usage.logs", false),
    write("poll", false),
    write("sessions.steer", false),
    write("push.test", false),
    write("push.web.vapidPublicKey", false),
    write("push.web.subscribe", false),
    write("push.web.unsubscribe", false),
    write("push.web.test", false),
    admin("chat.inject", false),
    admin("nativeHook.invoke", false),
    admin("web.login.start", false),
    admin("web.login.wait", false),
];

/// Finds a method of the protocol.
pub fn find(name: &str) -> Option<&'static MethodSpec> {
    index().get(name).copied()
}

/// Names that the reference's hello lists (GW-30).
pub fn listed() -> impl Iterator<Item = &'static str> {
    METHODS.iter().filter(|method| method.listed).map(|method| method.name)
}

/// The scope of a plugin's method: the declared one, but admin under a reserved prefix and when none is
/// declared (GW-62).
pub fn plugin_method_scope(name: &str, declared: Option<Scope>) -> Scope {
    let reserved = RESERVED_ADMIN_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    match declared {
        Some(scope) if !reserved => scope,
        _ => Scope::Admin,
    }
}

fn index() -> &'static std::collections::HashMap<&'static str, &'static MethodSpec> {
    static INDEX: std::sync::LazyLock<std::collections::HashMap<&'static str, &'static MethodSpec>> =
        std::sync::LazyLock::new(|| METHODS.iter().map(|method| (method.name, method)).collect());
    &INDEX
}

#[cfg(test)]
mod tests {
    use super::*;

    // GW-09, GW-62, GW-63, GW-64, GW-65, GW-66, GW-67, GW-68, GW-69
    #[test]
    fn methods_need_the_documented_scope_and_role() {
        let groups: &[(MethodScope, MethodRole, &str)] = &[
            (MethodScope::None, MethodRole::Any, "health"),
            (
                MethodScope::Scope(Scope::Read),
                MethodRole::Operator,
                "assistant.media.get diagnostics.stability doctor.memory.status doctor.memory.dreamDiary doctor.memory.remHarness logs.tail channels.status status usage.status usage.cost tts.status tts.providers tts.personas commands.list models.list models.authStatus tools.catalog tools.effective tasks.list tasks.get plugins.uiDescriptors agents.list agent.identity.get skills.status skills.search skills.detail voicewake.get voicewake.routing.get sessions.list sessions.get sessions.preview sessions.describe sessions.resolve sessions.compaction.list sessions.compaction.get sessions.subscribe sessions.unsubscribe sessions.messages.subscribe sessions.messages.unsubscribe sessions.usage sessions.usage.timeseries sessions.usage.logs cron.get cron.list cron.status cron.runs gateway.identity.get gateway.restart.preflight system-presence last-heartbeat node.list node.describe environments.list environments.status chat.history config.get config.schema.lookup talk.catalog talk.config agents.files.list agents.files.get artifacts.list artifacts.get artifacts.download",
            ),
            (
                MethodScope::Scope(Scope::Write),
                MethodRole::Operator,
                "message.action send poll agent agent.wait wake talk.mode talk.client.create talk.client.toolCall talk.session.create talk.session.join talk.session.appendAudio talk.session.startTurn talk.session.endTurn talk.session.cancelTurn talk.session.cancelOutput talk.session.submitToolResult talk.session.close talk.speak tts.enable tts.disable tts.convert tts.setProvider tts.setPersona voicewake.set voicewake.routing.set node.invoke tools.invoke chat.send chat.abort sessions.create sessions.send sessions.steer sessions.abort tasks.cancel sessions.compaction.branch doctor.memory.backfillDreamDiary doctor.memory.resetDreamDiary doctor.memory.resetGroundedShortTerm doctor.memory.repairDreamingArtifacts doctor.memory.dedupeDreamDiary push.test push.web.vapidPublicKey push.web.subscribe push.web.unsubscribe push.web.test node.pending.enqueue",
            ),
            (
                MethodScope::Scope(Scope::Admin),
                MethodRole::Operator,
                "channels.start channels.stop channels.logout agents.create agents.update agents.delete agents.files.set skills.upload.begin skills.upload.chunk skills.upload.commit skills.install skills.update secrets.reload secrets.resolve cron.add cron.update cron.remove cron.run sessions.patch sessions.pluginPatch sessions.cleanup sessions.reset sessions.delete sessions.compact sessions.compaction.restore chat.inject nativeHook.invoke web.login.start web.login.wait set-heartbeats system-event gateway.restart.request update.status update.run config.set config.apply config.patch config.schema exec.approvals.get exec.approvals.set exec.approvals.node.get exec.approvals.node.set wizard.start wizard.next wizard.cancel wizard.status",
            ),
            (
                MethodScope::Scope(Scope::Approvals),
                MethodRole::Operator,
                "exec.approval.get exec.approval.list exec.approval.request exec.approval.waitDecision exec.approval.resolve plugin.approval.list plugin.approval.request plugin.approval.waitDecision plugin.approval.resolve",
            ),
            (
                MethodScope::Scope(Scope::Pairing),
                MethodRole::Operator,
                "node.pair.request node.pair.list node.pair.approve node.pair.reject node.pair.remove node.pair.verify node.rename device.pair.list device.pair.approve device.pair.reject device.pair.remove device.token.rotate device.token.revoke",
            ),
            (
                MethodScope::None,
                MethodRole::Node,
                "node.invoke.result node.event node.pluginSurface.refresh node.pending.drain node.pending.pull node.pending.ack skills.bins",
            ),
            (MethodScope::Dynamic, MethodRole::Operator, "plugins.sessionAction"),
        ];
        let mut count = 0;
        for (scope, role, names) in groups {
            for name in names.split(' ') {
                let method = find(name).unwrap_or_else(|| panic!("{name} is missing"));
                assert_eq!((method.scope, method.role), (*scope, *role), "{name}");
                count += 1;
            }
        }
        assert_eq!(count, METHODS.len());
    }

    // GW-30
    #[test]
    fn the_listed_methods_are_hints_and_not_complete() {
        let listed: Vec<_> = listed().collect();
        assert_eq!((listed.first(), listed.last()), (Some(&"health"), Some(&"chat.send")));
        for callable in ["chat.inject", "sessions.get", "poll", "web.login.start", "push.test"] {
            assert!(find(callable).is_some() && !listed.contains(&callable), "{callable}");
        }
    }

    // GW-62, GW-70
    #[test]
    fn plugins_cannot_relax_reserved_prefixes() {
        assert_eq!(plugin_method_scope("browser.request", Some(Scope::Admin)), Scope::Admin);
        assert_eq!(plugin_method_scope("weather.get", Some(Scope::Read)), Scope::Read);
        assert_eq!(plugin_method_scope("weather.get", None), Scope::Admin);
        for name in ["config.mine", "wizard.x", "update.y", "exec.approvals.z"] {
            assert_eq!(plugin_method_scope(name, Some(Scope::Read)), Scope::Admin, "{name}");
        }
    }
}
