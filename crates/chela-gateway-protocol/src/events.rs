//! Every event of the gateway and who may receive it (GW-92..GW-94).

use crate::scope::{Role, Scope};

/// One event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventSpec {
    /// Name on the wire.
    pub name: &'static str,
    /// Who may receive it.
    pub guard: EventGuard,
    /// Whether the hello advertises it (GW-92).
    pub listed: bool,
}

/// Who may receive an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventGuard {
    /// Every client, nodes included.
    Open,
    /// Operators with this scope.
    Scope(Scope),
    /// Operators with this scope, and nodes (GW-94).
    ScopeOrNode(Scope),
    /// Never broadcast; sent to one client only.
    Targeted,
}

const fn event(name: &'static str, guard: EventGuard, listed: bool) -> EventSpec {
    EventSpec { name, guard, listed }
}

/// The table, in the order in which the hello lists them (GW-92, GW-93).
pub const EVENTS: &[EventSpec] = &[
    event("connect.challenge", EventGuard::Targeted, true),
    event("agent", EventGuard::Scope(Scope::Read), true),
    event("chat", EventGuard::Scope(Scope::Read), true),
    event("session.message", EventGuard::Scope(Scope::Read), true),
    event("session.tool", EventGuard::Scope(Scope::Read), true),
    event("sessions.changed", EventGuard::Scope(Scope::Read), true),
    event("presence", EventGuard::Open, true),
    event("tick", EventGuard::Open, true),
    event("talk.mode", EventGuard::Scope(Scope::Write), true),
    event("talk.event", EventGuard::Scope(Scope::Read), true),
    event("shutdown", EventGuard::Open, true),
    event("health", EventGuard::Open, true),
    event("heartbeat", EventGuard::Open, true),
    event("cron", EventGuard::Scope(Scope::Read), true),
    event("node.pair.requested", EventGuard::Scope(Scope::Pairing), true),
    event("node.pair.resolved", EventGuard::Scope(Scope::Pairing), true),
    event("node.invoke.request", EventGuard::Targeted, true),
    event("device.pair.requested", EventGuard::Scope(Scope::Pairing), true),
    event("device.pair.resolved", EventGuard::Scope(Scope::Pairing), true),
    event("voicewake.changed", EventGuard::ScopeOrNode(Scope::Read), true),
    event("voicewake.routing.changed", EventGuard::ScopeOrNode(Scope::Read), true),
    event("exec.approval.requested", EventGuard::Scope(Scope::Approvals), true),
    event("exec.approval.resolved", EventGuard::Scope(Scope::Approvals), true),
    event("plugin.approval.requested", EventGuard::Scope(Scope::Approvals), true),
    event("plugin.approval.resolved", EventGuard::Scope(Scope::Approvals), true),
    event("update.available", EventGuard::Open, true),
    // Ours: the state of a plugin changed; `plugins.list` has the rest.
    event("plugins.changed", EventGuard::Scope(Scope::Read), false),
    // Ours: calls of hook handlers, for the client that asked with `hooks.trace`.
    event("hooks.trace", EventGuard::Targeted, false),
    event("chat.side_result", EventGuard::Scope(Scope::Read), false),
];

/// Finds a core event.
pub fn find(name: &str) -> Option<&'static EventSpec> {
    EVENTS.iter().find(|spec| spec.name == name)
}

/// Names that the hello lists (GW-92).
pub fn listed() -> impl Iterator<Item = &'static str> {
    EVENTS.iter().filter(|spec| spec.listed).map(|spec| spec.name)
}

/// Who may receive the event `name`; `None` means nobody (GW-93). Events of plugins need write.
pub fn guard(name: &str) -> Option<EventGuard> {
    match find(name) {
        Some(spec) => Some(spec.guard),
        None if name.starts_with("plugin.") => Some(EventGuard::Scope(Scope::Write)),
        None => None,
    }
}

impl EventGuard {
    /// Whether a client with this role and these scopes may receive it (GW-93, GW-94).
    pub fn allows<S: AsRef<str>>(self, role: Role, scopes: &[S]) -> bool {
        match (self, role) {
            (EventGuard::Open, _) => true,
            (EventGuard::Targeted, _) => false,
            (EventGuard::Scope(scope) | EventGuard::ScopeOrNode(scope), Role::Operator) => scope.satisfied_by(scopes),
            (EventGuard::ScopeOrNode(_), Role::Node) => true,
            (EventGuard::Scope(_), Role::Node) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receives(name: &str, role: Role, scopes: &[&str]) -> bool {
        guard(name).is_some_and(|guard| guard.allows(role, scopes))
    }

    // GW-92
    #[test]
    fn the_advertised_events_are_the_documented_ones() {
        assert_eq!(listed().count(), 26);
        assert_eq!(listed().next(), Some("connect.challenge"));
        assert_eq!(listed().last(), Some("update.available"));
        let mut names: Vec<_> = EVENTS.iter().map(|spec| spec.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), EVENTS.len());
    }

    // GW-93, GW-94
    #[test]
    fn scopes_decide_who_receives_what() {
        for open in ["health", "heartbeat", "presence", "shutdown", "tick", "update.available"] {
            assert!(receives(open, Role::Operator, &[]), "{open}");
            assert!(receives(open, Role::Node, &[]), "{open}");
        }
        let read = [
            "agent",
            "chat",
            "chat.side_result",
            "cron",
            "talk.event",
            "voicewake.changed",
            "voicewake.routing.changed",
            "sessions.changed",
            "session.message",
            "session.tool",
        ];
        for name in read {
            assert!(!receives(name, Role::Operator, &[]), "{name}");
            for scope in ["operator.read", "operator.write", "operator.admin"] {
                assert!(receives(name, Role::Operator, &[scope]), "{name} {scope}");
            }
            assert_eq!(receives(name, Role::Node, &[]), name.starts_with("voicewake."), "{name}");
        }
        let cases = [
            ("talk.mode", "operator.read", false),
            ("talk.mode", "operator.write", true),
            ("exec.approval.requested", "operator.write", false),
            ("exec.approval.requested", "operator.approvals", true),
            ("plugin.approval.resolved", "operator.write", false),
            ("plugin.approval.resolved", "operator.approvals", true),
            ("device.pair.requested", "operator.pairing", true),
            ("node.pair.resolved", "operator.read", false),
            ("plugin.weather.changed", "operator.read", false),
            ("plugin.weather.changed", "operator.write", true),
            ("plugin.weather.changed", "operator.admin", true),
            ("no.such.event", "operator.admin", false),
            ("connect.challenge", "operator.admin", false),
        ];
        for (name, scope, expected) in cases {
            assert_eq!(receives(name, Role::Operator, &[scope]), expected, "{name} {scope}");
        }
        assert!(!receives("plugin.weather.changed", Role::Node, &["operator.admin"]));
    }
}
