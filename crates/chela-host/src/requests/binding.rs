//! `host.binding.*`: plugins ask for conversations, people decide (API-217..API-222).

use chela_plugin::{Call, CallError};
use serde_json::{Value, json};

use super::{Reply, Request};
use crate::bindings::{Asked, Asker, Binding, Conversation, Decided, Pending, Terms};

/// Longest handling of one decision by the plugin that asked.
const BUDGET: std::time::Duration = std::time::Duration::from_secs(30);
/// Start of a button's data that decides a request.
const BUTTON: &str = "pluginbind";
/// Longest text of a binding, in characters.
const LONGEST: usize = 500;

pub(super) async fn serve(request: &Request<'_>) -> Reply {
    match request.method {
        "host.binding.request" => Ok(ask(request)?),
        "host.binding.current" => Ok(current(request).map_or(Value::Null, |b| json!(b))),
        "host.binding.detach" => {
            let removed = request.host.bindings.detach(&asker(request)?.plugin_root, &conversation(request));
            Ok(json!({"removed": removed}))
        }
        "host.binding.decide" => decide(request),
        other => Err(CallError::NotBuilt(other.into())),
    }
}

/// The plugin that asks, or the one on whose behalf a channel asks (`owner`): a button's handler may live in another plugin.
fn asker(request: &Request<'_>) -> Result<Asker, CallError> {
    let id = request.params.pointer("/owner/pluginId").and_then(Value::as_str).unwrap_or(request.plugin);
    let registry = request.host.manager.registry();
    let channel = request.optional("channel").unwrap_or_default();
    if id != request.plugin && registry.channel(channel).is_none_or(|c| c.owner().id.as_ref() != request.plugin) {
        return Err(CallError::refused("DENIED", format!("plugin `{}` may not bind in the name of `{id}`", request.plugin)));
    }
    let entry = registry.plugin(id).ok_or_else(|| CallError::refused("NOT_FOUND", format!("plugin `{id}` is not running")))?;
    let root = entry.owner.root_dir.as_ref().map(|dir| dir.display().to_string()).unwrap_or_else(|| entry.owner.source.clone());
    Ok(Asker { plugin_id: id.into(), plugin_name: entry.name.clone(), plugin_root: root })
}

fn text(request: &Request<'_>, name: &str) -> Option<String> {
    let text = match &request.params[name] {
        Value::String(text) => text.trim().to_string(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    Some(text).filter(|t| !t.is_empty())
}

/// The conversation: named by its id, else by where a command came from.
fn conversation(request: &Request<'_>) -> Conversation {
    let one = |names: &[&str]| names.iter().find_map(|name| text(request, name));
    Conversation {
        channel: one(&["channel"]).unwrap_or_default().to_lowercase(),
        account_id: one(&["accountId"]).unwrap_or_else(|| "default".into()),
        conversation_id: one(&["conversationId", "to", "from"]).unwrap_or_default(),
        parent_conversation_id: one(&["parentConversationId", "threadParentId"]),
        thread_id: one(&["threadId", "messageThreadId"]),
    }
}

fn current(request: &Request<'_>) -> Option<Binding> {
    let (asker, place) = (asker(request).ok()?, conversation(request));
    let found = request.host.bindings.find(&place.channel, &place.account_id, std::slice::from_ref(&place.conversation_id))?;
    (found.asker.plugin_root == asker.plugin_root).then_some(found)
}

fn ask(request: &Request<'_>) -> Reply {
    let given = &request.params["binding"];
    let short = |name: &str| Some(given[name].as_str()?.trim().chars().take(LONGEST).collect::<String>()).filter(|t| !t.is_empty());
    let terms = Terms {
        summary: short("summary"),
        detach_hint: short("detachHint"),
        data: given.get("data").filter(|data| data.is_object()).cloned(),
    };
    let asked = request.host.bindings.ask(asker(request)?, conversation(request), text(request, "senderId"), terms);
    Ok(match asked {
        Asked::Bound(binding) => json!({"status": "bound", "binding": binding}),
        Asked::Pending(id, pending) => json!({"status": "pending", "approvalId": id, "reply": question(&id, &pending)}),
        Asked::Refused(message) => json!({"status": "error", "message": message}),
    })
}

/// The message that asks people, with a button for each answer.
fn question(id: &str, pending: &Pending) -> Value {
    let name = pending.asker.plugin_name.as_ref().unwrap_or(&pending.asker.plugin_id);
    let place = &pending.conversation;
    let wish = pending.terms.summary.clone().unwrap_or_else(|| "take the plain messages of this conversation".into());
    let text = format!(
        "Plugin bind approval required\nPlugin: {name}\nChannel: {}\nAccount: {}\nRequest: {wish}\nMay the plugin bind this conversation?",
        place.channel, place.account_id
    );
    let button = |label: &str, code: &str, style: &str| json!({"label": label, "value": format!("{BUTTON}:{id}:{code}"), "style": style});
    let buttons = [button("Allow once", "o", "success"), button("Always allow", "a", "primary"), button("Deny", "d", "danger")];
    json!({"text": text, "interactive": {"blocks": [{"type": "buttons", "buttons": buttons}]}})
}

/// `{approvalId, decision, senderId?}` -> `{status, binding?, request?, decision?}`.
fn decide(request: &Request<'_>) -> Reply {
    let decision = request.text("decision")?;
    if !["allow-once", "allow-always", "deny"].contains(&decision) {
        return Err(CallError::refused("INVALID_PARAMS", "`decision` is `allow-once`, `allow-always` or `deny`"));
    }
    let decided = request.host.bindings.decide(request.text("approvalId")?, decision, request.optional("senderId"));
    let (status, binding, pending) = match decided {
        Decided::Expired => return Ok(json!({"status": "expired"})),
        Decided::Denied(pending) => ("denied", None, pending),
        Decided::Approved(binding, pending) => ("approved", Some(binding), pending),
    };
    let mut asked = json!({"requestedBySenderId": pending.sender_id, "conversation": pending.conversation});
    if let (Some(asked), Value::Object(terms)) = (asked.as_object_mut(), json!(pending.terms)) {
        asked.extend(terms);
    }
    let mut event = json!({"status": status, "decision": decision, "request": asked});
    if let Some(binding) = &binding {
        event["binding"] = json!(binding);
    }
    tell(request, &pending.asker.plugin_id, event.clone());
    event["request"]["pluginId"] = pending.asker.plugin_id.clone().into();
    event["request"]["pluginName"] = json!(pending.asker.plugin_name);
    Ok(event)
}

/// `onConversationBindingResolved` of the plugin that asked, one handler after another, in the background (API-220).
fn tell(request: &Request<'_>, plugin: &str, event: Value) {
    let registry = request.host.manager.registry();
    let mine = registry.recorded_of("onConversationBindingResolved").filter(|r| r.owner.id.as_ref() == plugin);
    let handlers: Vec<_> = mine.filter_map(|r| r.callbacks.first().cloned()).collect();
    tokio::spawn(async move {
        for handler in handlers {
            if let Err(error) = handler.call(Call::new(vec![event.clone()]).budget(Some(BUDGET))).await {
                tracing::warn!(target: "plugins", plugin = %handler.plugin_id, "a handler of a binding decision failed: {error}");
            }
        }
    });
}
