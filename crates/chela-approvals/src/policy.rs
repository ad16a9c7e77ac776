//! Which commands run, which are asked for, which are refused: the stricter of the config and of the approvals file holds (TOOL-41).

use crate::command::Analysis;

/// How free commands are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Security {
    /// None runs.
    Deny,
    /// Those of the allowlist run.
    Allowlist,
    /// All run.
    Full,
}

impl Security {
    /// Reads the word of configs and files.
    pub fn parse(text: &str) -> Option<Self> {
        match text.trim().to_ascii_lowercase().as_str() {
            "deny" => Some(Self::Deny),
            "allowlist" => Some(Self::Allowlist),
            "full" => Some(Self::Full),
            _ => None,
        }
    }

    /// The word of configs and files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deny => "deny",
            Self::Allowlist => "allowlist",
            Self::Full => "full",
        }
    }
}

/// When somebody is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AskWhen {
    /// Never.
    Off,
    /// When the allowlist does not cover the command.
    OnMiss,
    /// Each time.
    Always,
}

impl AskWhen {
    /// Reads the word of configs and files.
    pub fn parse(text: &str) -> Option<Self> {
        match text.trim().to_ascii_lowercase().as_str() {
            "off" => Some(Self::Off),
            "on-miss" => Some(Self::OnMiss),
            "always" => Some(Self::Always),
            _ => None,
        }
    }

    /// The word of configs and files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::OnMiss => "on-miss",
            Self::Always => "always",
        }
    }
}

/// What holds for one agent on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExecPolicy {
    /// How free commands are.
    pub security: Security,
    /// When somebody is asked.
    pub ask: AskWhen,
    /// What holds when nobody answers.
    pub fallback: Security,
}

impl ExecPolicy {
    /// The stricter of two in each part; the fallback is the host's.
    #[must_use]
    pub fn stricter(config: (Security, AskWhen), host: Self) -> Self {
        Self { security: config.0.min(host.security), ask: config.1.max(host.ask), fallback: host.fallback }
    }
}

/// What the allowlist says about a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Coverage {
    /// Every part of the command is covered.
    pub allowlisted: bool,
    /// Exactly this command was allowed for ever.
    pub durable: bool,
    /// It evaluates code in its arguments, and the config wants each such command to be asked for.
    pub inline_eval: bool,
}

impl Coverage {
    /// For a command whose parts the allowlist was asked about.
    pub fn new(analysis: &Analysis, covered: bool, durable: bool, strict_inline_eval: bool) -> Self {
        let inline_eval = strict_inline_eval && analysis.evaluates_inline();
        Self { allowlisted: analysis.is_plain() && covered, durable: durable && !inline_eval, inline_eval }
    }
}

/// What is to be done with a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ruling {
    /// It runs.
    Run,
    /// Somebody is asked first.
    Ask,
    /// It is refused, with this reason.
    Refuse(&'static str),
}

/// Rules on a command.
pub fn rule(policy: ExecPolicy, found: Coverage) -> Ruling {
    if policy.security == Security::Deny {
        return Ruling::Refuse("exec denied: host security is `deny`");
    }
    if policy.ask == AskWhen::Always || found.inline_eval {
        return Ruling::Ask;
    }
    if policy.security == Security::Full || found.allowlisted || found.durable {
        return Ruling::Run;
    }
    match policy.ask {
        AskWhen::OnMiss => Ruling::Ask,
        _ => Ruling::Refuse("exec denied: allowlist miss"),
    }
}

/// What is done when nobody answered: the reason when it is refused.
///
/// # Errors
/// The reason.
pub fn without_answer(policy: ExecPolicy, found: Coverage) -> Result<(), &'static str> {
    if found.inline_eval {
        return Err("approval-timeout (strict-inline-eval)");
    }
    match policy.fallback {
        Security::Full => Ok(()),
        Security::Allowlist if found.allowlisted || found.durable => Ok(()),
        Security::Allowlist => Err("approval-timeout (allowlist-miss)"),
        Security::Deny => Err("approval-timeout"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MISS: Coverage = Coverage { allowlisted: false, durable: false, inline_eval: false };
    const HIT: Coverage = Coverage { allowlisted: true, ..MISS };
    const DURABLE: Coverage = Coverage { durable: true, ..MISS };
    const EVAL: Coverage = Coverage { allowlisted: true, durable: false, inline_eval: true };

    fn policy(security: Security, ask: AskWhen, fallback: Security) -> ExecPolicy {
        ExecPolicy { security, ask, fallback }
    }

    #[test]
    fn the_table_of_rulings() {
        use AskWhen::{Always, Off, OnMiss};
        use Security::{Allowlist, Deny, Full};
        let cases = [
            (Full, Off, MISS, "run"),
            (Full, OnMiss, MISS, "run"),
            (Full, Always, HIT, "ask"),
            (Full, Off, EVAL, "ask"),
            (Allowlist, Off, HIT, "run"),
            (Allowlist, Off, DURABLE, "run"),
            (Allowlist, Off, MISS, "refuse"),
            (Allowlist, OnMiss, MISS, "ask"),
            (Allowlist, OnMiss, HIT, "run"),
            (Allowlist, OnMiss, DURABLE, "run"),
            (Allowlist, Always, DURABLE, "ask"),
            (Allowlist, Off, EVAL, "ask"),
            (Deny, Always, HIT, "refuse"),
        ];
        for (security, ask, found, want) in cases {
            let got = match rule(policy(security, ask, Full), found) {
                Ruling::Run => "run",
                Ruling::Ask => "ask",
                Ruling::Refuse(_) => "refuse",
            };
            assert_eq!(got, want, "{security:?} {ask:?} {found:?}");
        }
    }

    #[test]
    fn without_an_answer_the_fallback_holds() {
        use Security::{Allowlist, Deny, Full};
        let cases = [
            (Full, MISS, true),
            (Full, EVAL, false),
            (Allowlist, MISS, false),
            (Allowlist, HIT, true),
            (Allowlist, DURABLE, true),
            (Deny, HIT, false),
            (Deny, DURABLE, false),
        ];
        for (fallback, found, want) in cases {
            let got = without_answer(policy(Full, AskWhen::OnMiss, fallback), found).is_ok();
            assert_eq!(got, want, "{fallback:?} {found:?}");
        }
    }

    // TOOL-41
    #[test]
    fn the_stricter_of_config_and_file_holds() {
        let host = policy(Security::Allowlist, AskWhen::OnMiss, Security::Deny);
        let both = ExecPolicy::stricter((Security::Full, AskWhen::Always), host);
        assert_eq!(both, policy(Security::Allowlist, AskWhen::Always, Security::Deny));
        let both = ExecPolicy::stricter((Security::Deny, AskWhen::Off), host);
        assert_eq!(both, policy(Security::Deny, AskWhen::OnMiss, Security::Deny));
    }
}
