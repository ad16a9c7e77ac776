//! The typed hooks: names, dispatch modes, default budgets, gates (HOOK-011..047): the 36 of the contract, and those of newer releases.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde_json::Value;

/// How the handlers of one hook run (hooks contract, section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DispatchMode {
    /// All started together and awaited together; results ignored.
    Parallel,
    /// One after another by priority; results merged.
    Sequential,
    /// Sequential until the first truthy `handled`.
    Claim,
    /// Sequential, and the handler must return synchronously.
    Sync,
}

/// When a sequence of handlers ends early (HOOK-110).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopRule {
    /// `block: true`.
    Block,
    /// `block` truthy (`before_message_write`).
    BlockTruthy,
    /// `cancel: true`.
    Cancel,
    /// `handled` truthy.
    Handled,
    /// Anything that is not a valid pass of `before_agent_run` (HOOK-143..146).
    Outcome,
}

/// Which permission a hook needs (HOOK-120..126).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// None.
    Open,
    /// `plugins.entries.<id>.hooks.allowConversationAccess`.
    Conversation,
    /// `plugins.entries.<id>.hooks.allowPromptInjection`.
    Prompt,
}

macro_rules! hooks {
    ($($variant:ident = $name:literal, $mode:ident, $stop:expr, $default_ms:expr, $closed:literal, $gate:ident;)*) => {
        /// A typed hook's name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[allow(missing_docs, reason = "each variant is the hook of the same name in the contract's table")]
        pub enum HookName { $($variant,)* }

        impl HookName {
            /// Every typed hook, in the order of the contract's table (HOOK-011).
            pub const ALL: &'static [HookName] = &[$(HookName::$variant,)*];

            /// The name that plugins use.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// How its handlers run.
            pub fn mode(self) -> DispatchMode {
                match self { $(Self::$variant => DispatchMode::$mode,)* }
            }

            /// When a chain ends early.
            pub fn stop_rule(self) -> Option<StopRule> {
                match self { $(Self::$variant => $stop,)* }
            }

            /// The reference's default budget of one handler; `None` where it has none.
            pub fn reference_timeout(self) -> Option<Duration> {
                let ms: Option<u64> = match self { $(Self::$variant => $default_ms,)* };
                ms.map(Duration::from_millis)
            }

            /// True for the gates that refuse the guarded action when a handler fails (HOOK-102).
            pub fn fails_closed(self) -> bool {
                match self { $(Self::$variant => $closed,)* }
            }

            /// The permission it needs.
            pub fn gate(self) -> Gate {
                match self { $(Self::$variant => Gate::$gate,)* }
            }
        }

        impl FromStr for HookName {
            type Err = UnknownHook;
            fn from_str(name: &str) -> Result<Self, UnknownHook> {
                match name { $($name => Ok(Self::$variant),)* _ => Err(UnknownHook(name.into())) }
            }
        }
    };
}

use StopRule::{Block, BlockTruthy, Cancel, Handled, Outcome};

hooks! {
    BeforeModelResolve = "before_model_resolve", Sequential, None, None, false, Conversation;
    AgentTurnPrepare = "agent_turn_prepare", Sequential, None, None, false, Prompt;
    HeartbeatPromptContribution = "heartbeat_prompt_contribution", Sequential, None, None, false, Prompt;
    BeforePromptBuild = "before_prompt_build", Sequential, None, Some(15_000), false, Prompt;
    BeforeAgentStart = "before_agent_start", Sequential, None, None, false, Prompt;
    BeforeAgentRun = "before_agent_run", Sequential, Some(Outcome), Some(15_000), true, Conversation;
    BeforeAgentReply = "before_agent_reply", Claim, Some(Handled), None, false, Conversation;
    BeforeAgentFinalize = "before_agent_finalize", Sequential, None, None, false, Conversation;
    ModelCallStarted = "model_call_started", Parallel, None, Some(2_000), false, Open;
    ModelCallEnded = "model_call_ended", Parallel, None, Some(2_000), false, Open;
    LlmInput = "llm_input", Parallel, None, None, false, Conversation;
    LlmOutput = "llm_output", Parallel, None, None, false, Conversation;
    AgentEnd = "agent_end", Parallel, None, Some(30_000), false, Conversation;
    BeforeToolCall = "before_tool_call", Sequential, Some(Block), None, true, Open;
    AfterToolCall = "after_tool_call", Parallel, None, None, false, Open;
    ToolResultPersist = "tool_result_persist", Sync, None, None, false, Open;
    BeforeMessageWrite = "before_message_write", Sync, Some(BlockTruthy), None, false, Open;
    BeforeCompaction = "before_compaction", Parallel, None, None, false, Open;
    AfterCompaction = "after_compaction", Parallel, None, None, false, Open;
    BeforeReset = "before_reset", Parallel, None, None, false, Open;
    SessionStart = "session_start", Parallel, None, None, false, Open;
    SessionEnd = "session_end", Parallel, None, None, false, Open;
    InboundClaim = "inbound_claim", Claim, Some(Handled), None, false, Open;
    MessageReceived = "message_received", Parallel, None, None, false, Open;
    BeforeDispatch = "before_dispatch", Claim, Some(Handled), None, false, Open;
    ReplyDispatch = "reply_dispatch", Claim, Some(Handled), None, false, Open;
    MessageSending = "message_sending", Sequential, Some(Cancel), None, false, Open;
    MessageSent = "message_sent", Parallel, None, None, false, Open;
    SubagentSpawning = "subagent_spawning", Sequential, None, None, false, Open;
    SubagentDeliveryTarget = "subagent_delivery_target", Sequential, None, None, false, Open;
    SubagentSpawned = "subagent_spawned", Parallel, None, None, false, Open;
    SubagentEnded = "subagent_ended", Parallel, None, None, false, Open;
    GatewayStart = "gateway_start", Parallel, None, None, false, Open;
    GatewayStop = "gateway_stop", Parallel, None, None, false, Open;
    CronChanged = "cron_changed", Parallel, None, None, false, Open;
    BeforeInstall = "before_install", Sequential, Some(Block), None, false, Open;
    ReplyPayloadSending = "reply_payload_sending", Sequential, Some(Cancel), None, false, Open;
    ResolveExecEnv = "resolve_exec_env", Sequential, None, Some(15_000), false, Open;
}

/// A name that is none of the typed hooks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown typed hook \"{0}\" ignored")]
pub struct UnknownHook(pub String);

impl fmt::Display for HookName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl HookName {
    /// The budget of a handler that nothing else limits. The reference has none for most hooks and can be stalled by one handler
    /// (HOOK-100, HOOK-303); here every hook has one, long enough for honest work.
    pub fn default_timeout(self) -> Duration {
        self.reference_timeout().unwrap_or(match self.mode() {
            DispatchMode::Sync => Duration::from_secs(2),
            DispatchMode::Sequential | DispatchMode::Claim => Duration::from_secs(30),
            DispatchMode::Parallel => Duration::from_secs(30),
        })
    }

    /// The member of a result that takes the place of the event's for the handlers after it: what a transcript gets (HOOK-027,
    /// HOOK-028), the rewritten text of a message, as the reference's documents promise (HOOK-300, HOOK-301), and a rewritten answer.
    pub fn carries(self) -> Option<&'static str> {
        match self {
            Self::ToolResultPersist | Self::BeforeMessageWrite => Some("message"),
            Self::MessageSending | Self::BeforeDispatch => Some("content"),
            Self::ReplyPayloadSending => Some("payload"),
            _ => None,
        }
    }

    /// The value of [`HookName::carries`] in a result, when it has one of the right kind.
    pub fn carried(self, result: &Value) -> Option<(&'static str, &Value)> {
        let name = self.carries()?;
        let value = result.get(name)?;
        let fits = if name == "content" { value.is_string() } else { value.is_object() };
        fits.then_some((name, value))
    }

    /// The hook of a name that plugins use, older names included: `deactivate` is `gateway_stop`.
    ///
    /// # Errors
    /// A name that is none.
    pub fn of(name: &str) -> Result<Self, UnknownHook> {
        if name == "deactivate" { Ok(Self::GatewayStop) } else { name.parse() }
    }

    /// True for a hook that the reference has since 2026.6.11, and not in the release of the contract.
    pub fn is_newer(self) -> bool {
        matches!(self, Self::ReplyPayloadSending | Self::ResolveExecEnv)
    }

    /// False for hooks of parts that are not built: a handler is registered, and nothing calls it yet.
    pub fn is_emitted(self) -> bool {
        !matches!(self, Self::CronChanged | Self::SubagentSpawning | Self::SubagentDeliveryTarget | Self::SubagentSpawned)
    }

    /// The hook's position in [`HookName::ALL`], for tables.
    pub fn index(self) -> usize {
        self as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // HOOK-011, HOOK-102, HOOK-120, HOOK-124
    #[test]
    fn there_are_36_hooks_with_the_gates_of_the_contract_and_newer_ones() {
        assert_eq!(HookName::ALL.iter().filter(|hook| !hook.is_newer()).count(), 36);
        let newer: Vec<_> = HookName::ALL.iter().filter(|hook| hook.is_newer()).map(|hook| hook.as_str()).collect();
        assert_eq!(newer, ["reply_payload_sending", "resolve_exec_env"]);
        assert_eq!(HookName::of("deactivate"), Ok(HookName::GatewayStop));
        for hook in HookName::ALL {
            assert_eq!(hook.as_str().parse::<HookName>(), Ok(*hook));
        }
        let of = |f: &dyn Fn(HookName) -> bool| HookName::ALL.iter().copied().filter(|h| f(*h)).map(HookName::as_str).collect::<Vec<_>>();
        assert_eq!(of(&HookName::fails_closed), ["before_agent_run", "before_tool_call"]);
        assert_eq!(
            of(&|h| h.gate() == Gate::Conversation),
            [
                "before_model_resolve",
                "before_agent_run",
                "before_agent_reply",
                "before_agent_finalize",
                "llm_input",
                "llm_output",
                "agent_end"
            ]
        );
        assert_eq!(
            of(&|h| h.gate() == Gate::Prompt),
            ["agent_turn_prepare", "heartbeat_prompt_contribution", "before_prompt_build", "before_agent_start"]
        );
        let silent: Vec<_> = HookName::ALL.iter().filter(|h| !h.is_emitted()).map(|h| h.as_str()).collect();
        assert_eq!(silent, ["subagent_spawning", "subagent_delivery_target", "subagent_spawned", "cron_changed"]);
        assert_eq!("nope".parse::<HookName>().unwrap_err().to_string(), "unknown typed hook \"nope\" ignored");
    }
}
