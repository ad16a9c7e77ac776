//! Roles and scopes of clients (GW-20, GW-61).

use serde::{Deserialize, Serialize};

/// What a client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// A person or program that uses the gateway.
    Operator,
    /// A device that lends its abilities to the gateway.
    Node,
}

impl Role {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Operator => "operator",
            Role::Node => "node",
        }
    }

    /// Reads a role; anything else than the two names is refused (GW-20).
    pub fn parse(raw: &str) -> Option<Role> {
        match raw {
            "operator" => Some(Role::Operator),
            "node" => Some(Role::Node),
            _ => None,
        }
    }
}

/// A permission of an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// `operator.read`
    Read,
    /// `operator.write`, implies read
    Write,
    /// `operator.admin`, implies everything
    Admin,
    /// `operator.approvals`
    Approvals,
    /// `operator.pairing`
    Pairing,
    /// `operator.talk.secrets`
    TalkSecrets,
}

impl Scope {
    /// Every scope, in the order the reference lists the scopes of its own command line.
    pub const ALL: [Scope; 6] = [Scope::Admin, Scope::Read, Scope::Write, Scope::Approvals, Scope::Pairing, Scope::TalkSecrets];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Scope::Read => "operator.read",
            Scope::Write => "operator.write",
            Scope::Admin => "operator.admin",
            Scope::Approvals => "operator.approvals",
            Scope::Pairing => "operator.pairing",
            Scope::TalkSecrets => "operator.talk.secrets",
        }
    }

    /// Reads a scope name.
    pub fn parse(raw: &str) -> Option<Scope> {
        Scope::ALL.into_iter().find(|scope| scope.as_str() == raw)
    }

    /// Whether a holder of `granted` may do what needs this scope: admin satisfies all, write satisfies
    /// read, nothing else implies anything (GW-61).
    pub fn satisfied_by<S: AsRef<str>>(self, granted: &[S]) -> bool {
        let has = |scope: Scope| granted.iter().any(|held| held.as_ref() == scope.as_str());
        has(Scope::Admin) || has(self) || (self == Scope::Read && has(Scope::Write))
    }
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Trims, removes duplicates, adds what is implied, and sorts: the form in which scopes of devices are stored.
pub fn normalize_scopes<S: AsRef<str>>(scopes: &[S]) -> Vec<String> {
    let mut out: Vec<String> = scopes.iter().map(|scope| scope.as_ref().trim().to_owned()).filter(|scope| !scope.is_empty()).collect();
    let has = |list: &[String], scope: Scope| list.iter().any(|held| held == scope.as_str());
    if has(&out, Scope::Admin) {
        out.push(Scope::Read.as_str().to_owned());
        out.push(Scope::Write.as_str().to_owned());
    } else if has(&out, Scope::Write) {
        out.push(Scope::Read.as_str().to_owned());
    }
    out.sort();
    out.dedup();
    out
}

/// Whether a device allowed `allowed` in `role` may have all of `requested` (GW-46).
///
/// Operators follow the rules of [`Scope::satisfied_by`]; other roles need each scope literally and only
/// scopes that begin with the role's name.
pub fn role_scopes_allow<A: AsRef<str>, B: AsRef<str>>(role: &str, requested: &[A], allowed: &[B]) -> bool {
    requested
        .iter()
        .map(|scope| scope.as_ref().trim())
        .filter(|scope| !scope.is_empty())
        .all(|scope| role_scope_allows(role.trim(), scope, allowed))
}

/// The first of `requested` that [`role_scopes_allow`] refuses.
pub fn missing_scope<'a, A: AsRef<str>, B: AsRef<str>>(role: &str, requested: &'a [A], allowed: &[B]) -> Option<&'a str> {
    requested.iter().map(AsRef::as_ref).find(|scope| !role_scopes_allow(role, &[scope], allowed))
}

fn role_scope_allows<B: AsRef<str>>(role: &str, scope: &str, allowed: &[B]) -> bool {
    let has = |name: &str| allowed.iter().any(|held| held.as_ref().trim() == name);
    if role != Role::Operator.as_str() {
        return scope.strip_prefix(role).is_some_and(|rest| rest.starts_with('.')) && has(scope);
    }
    if !scope.starts_with("operator.") {
        return false;
    }
    has(Scope::Admin.as_str()) || has(scope) || (scope == Scope::Read.as_str() && has(Scope::Write.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    // GW-61
    #[test]
    fn admin_satisfies_all_and_write_satisfies_read_only() {
        for needed in Scope::ALL {
            assert!(needed.satisfied_by(&["operator.admin"]), "{needed}");
            for held in Scope::ALL {
                let expected = held == Scope::Admin || held == needed || (held == Scope::Write && needed == Scope::Read);
                assert_eq!(needed.satisfied_by(&[held.as_str()]), expected, "{held} -> {needed}");
            }
        }
    }

    #[test]
    fn stored_scopes_carry_what_they_imply() {
        assert_eq!(normalize_scopes(&["operator.admin", " "]), ["operator.admin", "operator.read", "operator.write"]);
        assert_eq!(normalize_scopes(&["operator.write", "operator.write"]), ["operator.read", "operator.write"]);
        assert!(normalize_scopes::<&str>(&[]).is_empty());
    }

    #[test]
    fn roles_allow_only_their_own_scopes() {
        let cases: &[(&str, &[&str], &[&str], bool)] = &[
            ("operator", &[], &[], true),
            ("operator", &["operator.read"], &["operator.write"], true),
            ("operator", &["operator.write"], &["operator.read"], false),
            ("operator", &["operator.pairing"], &["operator.admin"], true),
            ("operator", &["node.x"], &["operator.admin"], false),
            ("node", &["node.x"], &["node.x"], true),
            ("node", &["nodex"], &["nodex"], false),
            ("node", &["operator.read"], &["operator.read"], false),
        ];
        for (role, requested, allowed, expected) in cases {
            assert_eq!(role_scopes_allow(role, requested, allowed), *expected, "{role} {requested:?} {allowed:?}");
        }
    }
}
