//! An event and a context for each typed hook, with the members of the contract's table, for hooks that no turn of a trial reaches.

use chela_plugin::HookName;
use serde_json::{Value, json};

/// Who and where, in all samples.
pub(super) struct Scene<'a> {
    pub(super) agent: &'a str,
    pub(super) session_key: &'a str,
    pub(super) session_id: &'a str,
    pub(super) workspace: &'a str,
    /// The config as plugins see it.
    pub(super) config: &'a Value,
}

/// `(event, context)` of a hook.
pub(super) fn sample(hook: HookName, scene: &Scene<'_>) -> (Value, Value) {
    let Scene { agent, session_key: key, session_id: session, workspace, config } = scene;
    let agent_ctx = || {
        json!({
            "runId": "trial-run", "agentId": agent, "sessionKey": key, "sessionId": session, "workspaceDir": workspace,
            "modelProviderId": "demo", "modelId": "assistant", "messageProvider": "webchat", "trigger": "user", "channelId": "webchat",
        })
    };
    let session_ctx = || json!({"agentId": agent, "sessionKey": key, "sessionId": session, "workspaceDir": workspace});
    let message_ctx = || json!({"channelId": "webchat", "accountId": "default", "conversationId": "trial", "sessionKey": key});
    let subagent_ctx = || json!({"runId": "trial-child", "childSessionKey": "agent:main:subagent:trial", "requesterSessionKey": key});
    let messages = || json!([{"role": "user", "content": "hello"}, {"role": "assistant", "content": [{"type": "text", "text": "Hello!"}]}]);
    let tool_result = || json!({"role": "toolResult", "toolCallId": "call-1", "toolName": "trial", "content": [{"type": "text", "text": "done"}], "isError": false});
    let call = || json!({"runId": "trial-run", "callId": "trial-call", "provider": "demo", "model": "assistant", "sessionKey": key, "sessionId": session});
    let child = || json!({"childSessionKey": "agent:main:subagent:trial", "agentId": agent, "label": "trial", "mode": "run", "threadRequested": true});
    use HookName as H;
    match hook {
        H::BeforeModelResolve => (json!({"prompt": "hello"}), agent_ctx()),
        H::AgentTurnPrepare => (json!({"prompt": "hello", "messages": messages(), "queuedInjections": []}), agent_ctx()),
        H::HeartbeatPromptContribution => (json!({"sessionKey": key, "agentId": agent, "heartbeatName": "heartbeat"}), agent_ctx()),
        H::BeforePromptBuild => (json!({"prompt": "hello", "messages": messages()}), agent_ctx()),
        H::BeforeAgentStart => (json!({"prompt": "hello", "messages": messages()}), agent_ctx()),
        H::BeforeAgentRun => {
            (json!({"prompt": "hello", "messages": messages(), "systemPrompt": "trial", "senderIsOwner": true}), agent_ctx())
        }
        H::BeforeAgentReply => (json!({"cleanedBody": "hello"}), agent_ctx()),
        H::BeforeAgentFinalize => (
            json!({"sessionId": session, "sessionKey": key, "stopHookActive": false, "lastAssistantMessage": "Hello!", "messages": messages()}),
            agent_ctx(),
        ),
        H::ModelCallStarted => (call(), agent_ctx()),
        H::ModelCallEnded => {
            let mut event = call();
            event["durationMs"] = 5.into();
            event["outcome"] = "completed".into();
            (event, agent_ctx())
        }
        H::LlmInput => (
            json!({
                "runId": "trial-run", "sessionId": session, "provider": "demo", "model": "assistant", "prompt": "hello",
                "historyMessages": messages(), "imagesCount": 0,
            }),
            agent_ctx(),
        ),
        H::LlmOutput => (
            json!({"runId": "trial-run", "sessionId": session, "provider": "demo", "model": "assistant", "assistantTexts": ["Hello!"]}),
            agent_ctx(),
        ),
        H::AgentEnd => (json!({"messages": messages(), "success": true, "durationMs": 5}), agent_ctx()),
        H::BeforeToolCall => (json!({"toolName": "trial", "params": {"text": "hello"}, "toolCallId": "call-1"}), agent_ctx()),
        H::AfterToolCall => (
            json!({"toolName": "trial", "params": {"text": "hello"}, "toolCallId": "call-1", "result": {"content": []}, "durationMs": 1}),
            agent_ctx(),
        ),
        H::ToolResultPersist => (
            json!({"toolName": "trial", "toolCallId": "call-1", "message": tool_result()}),
            json!({"agentId": agent, "sessionKey": key, "toolName": "trial", "toolCallId": "call-1"}),
        ),
        H::BeforeMessageWrite => (json!({"message": tool_result()}), json!({"agentId": agent, "sessionKey": key})),
        H::BeforeCompaction => (json!({"messageCount": 2, "compactingCount": 1, "tokenCount": 10, "messages": messages()}), session_ctx()),
        H::AfterCompaction => (json!({"messageCount": 1, "compactedCount": 1, "tokenCount": 5}), session_ctx()),
        H::BeforeReset => (json!({"messages": messages(), "reason": "reset"}), session_ctx()),
        H::SessionStart => (json!({"sessionId": session, "sessionKey": key}), session_ctx()),
        H::SessionEnd => {
            (json!({"sessionId": session, "sessionKey": key, "messageCount": 2, "durationMs": 5, "reason": "idle"}), session_ctx())
        }
        H::InboundClaim => {
            (json!({"content": "hello", "body": "hello", "channel": "webchat", "isGroup": false, "sessionKey": key}), message_ctx())
        }
        H::MessageReceived => {
            (json!({"from": "trial", "content": "hello", "sessionKey": key, "metadata": {"provider": "webchat"}}), message_ctx())
        }
        H::BeforeDispatch => {
            (json!({"content": "hello", "body": "hello", "channel": "webchat", "sessionKey": key, "isGroup": false}), message_ctx())
        }
        H::ReplyDispatch => (
            json!({
                "ctx": {"Body": "hello", "SessionKey": key, "Provider": "webchat", "Surface": "webchat"}, "inboundAudio": false,
                "shouldRouteToOriginating": false, "shouldSendToolSummaries": false, "sendPolicy": "allow", "sessionKey": key,
            }),
            json!({"cfg": config}),
        ),
        H::MessageSending => {
            (json!({"to": "trial", "content": "Hello!", "metadata": {"channel": "webchat", "accountId": "default"}}), message_ctx())
        }
        H::ReplyPayloadSending => {
            (json!({"payload": {"text": "Hello!"}, "kind": "final", "channel": "webchat", "sessionKey": key}), message_ctx())
        }
        H::ResolveExecEnv => (json!({"sessionKey": key, "toolName": "exec", "host": "gateway"}), agent_ctx()),
        H::MessageSent => {
            (json!({"to": "trial", "content": "Hello!", "success": true, "messageId": "m1", "sessionKey": key}), message_ctx())
        }
        H::SubagentSpawning => (child(), subagent_ctx()),
        H::SubagentDeliveryTarget => (
            json!({"childSessionKey": "agent:main:subagent:trial", "requesterSessionKey": key, "spawnMode": "run", "expectsCompletionMessage": true}),
            subagent_ctx(),
        ),
        H::SubagentSpawned => {
            let mut event = child();
            event["runId"] = "trial-child".into();
            (event, subagent_ctx())
        }
        H::SubagentEnded => (
            json!({"targetSessionKey": "agent:main:subagent:trial", "targetKind": "subagent", "reason": "completed", "outcome": "ok"}),
            subagent_ctx(),
        ),
        H::GatewayStart => (json!({"port": 0}), json!({"port": 0, "config": config, "workspaceDir": workspace})),
        H::GatewayStop => (json!({"reason": "the trial is over"}), json!({"port": 0})),
        H::CronChanged => (
            json!({"action": "added", "jobId": "trial", "job": {"id": "trial", "name": "trial", "enabled": true, "schedule": {"kind": "every", "everyMs": 60_000}}}),
            json!({"config": config}),
        ),
        H::BeforeInstall => (
            json!({
                "targetType": "plugin", "targetName": "trial", "sourcePath": workspace, "sourcePathKind": "directory",
                "request": {"kind": "plugin-dir", "mode": "install"},
                "builtinScan": {"status": "ok", "scannedFiles": 1, "critical": 0, "warn": 0, "info": 0, "findings": []},
                "plugin": {"pluginId": "trial", "contentType": "package"},
            }),
            json!({"targetType": "plugin", "requestKind": "plugin-dir"}),
        ),
    }
}

/// The context of an internal event, `type:action`.
pub(super) fn internal(event: &str, scene: &Scene<'_>) -> Value {
    match event.split(':').next().unwrap_or_default() {
        "command" => {
            json!({"sessionKey": scene.session_key, "commandSource": "webchat", "senderId": "trial", "workspaceDir": scene.workspace})
        }
        "message" => json!({"from": "trial", "to": "trial", "content": "hello", "channelId": "webchat", "success": true}),
        "agent" => json!({"workspaceDir": scene.workspace, "bootstrapFiles": [], "agentId": scene.agent, "sessionKey": scene.session_key}),
        "session" => json!({"sessionKey": scene.session_key, "sessionId": scene.session_id, "patch": {}}),
        _ => json!({"workspaceDir": scene.workspace}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_hook_has_an_event_and_a_context_that_are_objects() {
        let config = json!({});
        let scene = Scene { agent: "main", session_key: "agent:main:main", session_id: "s", workspace: "/w", config: &config };
        for hook in HookName::ALL {
            let (event, ctx) = sample(*hook, &scene);
            assert!(event.as_object().is_some_and(|event| !event.is_empty()) && ctx.is_object(), "{hook}");
        }
    }
}
