//! Pairing of devices and their tokens (GW-46..GW-51, GW-54, GW-55, GW-67).
//!
//! Whoever came in with the token of a device manages only that device, unless it is an administrator. Nobody hands out a scope that
//! they do not hold. Refusals say as little as they can; the log says why.

use std::sync::Arc;

use chela_gateway_protocol::error::{ErrorShape, Reason};
use chela_gateway_protocol::limits::close;
use serde_json::{Value, json};

use super::params::Params;
use super::{Answer, internal};
use crate::auth::AuthMethod;
use crate::devices::{ApproveOutcome, DeviceStore, DeviceStoreError, DeviceToken, PendingDevice, TokenError, now_ms};
use crate::events::{EventOptions, EventTarget};
use crate::gateway::Gateway;
use crate::ws::{ClientInfo, MethodCall};

/// Serves a method whose answer may be the caller's last: when its device goes or its token changes, its connections close.
pub(super) async fn serve(gateway: &Arc<Gateway>, call: MethodCall) {
    let (params, client) = (call.params.clone(), call.client.clone());
    let answer = match call.method.as_str() {
        "device.pair.remove" => remove(gateway, &client, params).await,
        "device.token.rotate" => rotate(gateway, &client, params).await,
        "device.token.revoke" => revoke(gateway, &client, params).await,
        "device.pair.list" => list(gateway, &client, params).await.map(Done::answer),
        "device.pair.approve" => approve(gateway, &client, params).await.map(Done::answer),
        _ => reject(gateway, &client, params).await.map(Done::answer),
    };
    match answer {
        Ok(done) => {
            call.reply.ok(&done.payload);
            if let Some((device, role)) = done.cut {
                let of_role = |client: &ClientInfo| role.as_deref().is_none_or(|role| client.role.as_str() == role);
                let matches = |client: &ClientInfo| client.device_id.as_deref() == Some(device.as_str()) && of_role(client);
                gateway.bus.close_matching(close::AUTH_CHANGED, "device removed", matches);
            }
        }
        Err(error) => call.reply.err(&error),
    }
}

/// An answer, and whose connections end after it: a device, in one role or in all.
struct Done {
    payload: Value,
    cut: Option<(String, Option<String>)>,
}

impl Done {
    fn answer(payload: Value) -> Self {
        Self { payload, cut: None }
    }
}

/// What a caller may manage.
struct Caller<'a> {
    /// The device whose token it came with.
    device: Option<&'a str>,
    scopes: &'a [String],
    admin: bool,
}

impl<'a> Caller<'a> {
    fn of(client: &'a ClientInfo) -> Self {
        let device = client.device_id.as_deref().filter(|_| client.auth_method == AuthMethod::DeviceToken);
        Self { device, scopes: &client.scopes, admin: client.is_admin() }
    }

    /// Whether this device is its to manage.
    fn manages(&self, device: &str) -> bool {
        self.admin || self.device.is_none_or(|own| own == device.trim())
    }
}

async fn list(gateway: &Gateway, client: &ClientInfo, params: Value) -> Answer {
    Params::new("device.pair.list", params, &[])?.done()?;
    let caller = Caller::of(client);
    let (paired, pending) = store(gateway, |devices| devices.list()).await?;
    let pending: Vec<PendingDevice> = pending.into_iter().filter(|request| caller.manages(&request.record.device_id)).collect();
    let paired: Vec<Value> =
        paired.iter().filter(|device| caller.manages(&device.record.device_id)).map(|device| device.redacted()).collect();
    Ok(json!({"pending": pending, "paired": paired}))
}

async fn approve(gateway: &Gateway, client: &ClientInfo, params: Value) -> Answer {
    let id = request_id("device.pair.approve", params)?;
    let caller = Caller::of(client);
    own_request(gateway, &caller, &id, "approval").await?;
    let (wanted, scopes) = (id.clone(), caller.scopes.to_vec());
    match store(gateway, move |devices| devices.approve(&wanted, &scopes)).await? {
        ApproveOutcome::Approved(device) => {
            let device_id = &device.record.device_id;
            tracing::info!(device = %device_id, role = device.record.role.as_deref().unwrap_or("unknown"), "device pairing approved");
            announce(gateway, &id, device_id, "approved");
            Ok(json!({"requestId": id, "device": device.redacted()}))
        }
        ApproveOutcome::Unknown => Err(ErrorShape::not_found("unknown requestId")),
        ApproveOutcome::MissingScope(scope) => Err(ErrorShape::missing_scope(scope)),
        ApproveOutcome::ScopeOutsideRoles(scope) | ApproveOutcome::OutsideProfile(scope) => {
            Err(ErrorShape::invalid(Reason::Conflict, format!("invalid scope for requested roles: {scope}")))
        }
    }
}

async fn reject(gateway: &Gateway, client: &ClientInfo, params: Value) -> Answer {
    let id = request_id("device.pair.reject", params)?;
    own_request(gateway, &Caller::of(client), &id, "rejection").await?;
    let wanted = id.clone();
    let rejected = store(gateway, move |devices| devices.reject(&wanted)).await?;
    let Some(request) = rejected else { return Err(ErrorShape::not_found("unknown requestId")) };
    announce(gateway, &id, &request.record.device_id, "rejected");
    Ok(json!({"requestId": id, "deviceId": request.record.device_id}))
}

async fn remove(gateway: &Gateway, client: &ClientInfo, params: Value) -> Result<Done, ErrorShape> {
    let mut p = Params::new("device.pair.remove", params, &["deviceId"])?;
    let device = p.text("deviceId").trim().to_owned();
    p.done()?;
    if !Caller::of(client).manages(&device) {
        tracing::warn!(%device, "device pairing removal denied: another device asked");
        return Err(denied("device pairing removal denied"));
    }
    let wanted = device.clone();
    if !store(gateway, move |devices| devices.remove(&wanted)).await? {
        return Err(ErrorShape::not_found("unknown deviceId"));
    }
    tracing::info!(%device, "device pairing removed");
    Ok(Done { payload: json!({"deviceId": device}), cut: Some((device, None)) })
}

async fn rotate(gateway: &Gateway, client: &ClientInfo, params: Value) -> Result<Done, ErrorShape> {
    let mut p = Params::new("device.token.rotate", params, &["deviceId", "role", "scopes"])?;
    let (device, role) = (p.text("deviceId").trim().to_owned(), p.text("role").trim().to_owned());
    let scopes = p.value("scopes").is_some().then(|| p.texts("scopes"));
    p.done()?;
    let caller = Caller::of(client);
    let (target, held) = (device.clone(), caller.scopes.to_vec());
    let change = move |devices: &DeviceStore| devices.rotate_token(&target, &role, scopes.as_deref(), Some(&held));
    let token = change_token(gateway, &caller, &device, "rotation", change).await?;
    let mut payload = json!({"deviceId": device, "role": token.role, "scopes": token.scopes, "rotatedAtMs": token.issued_at_ms()});
    // Only the device itself may learn its token, over a connection that the old one opened (GW-55).
    if caller.device == Some(device.as_str()) {
        payload["token"] = token.token.into();
    }
    Ok(Done { payload, cut: Some((device, Some(token.role))) })
}

async fn revoke(gateway: &Gateway, client: &ClientInfo, params: Value) -> Result<Done, ErrorShape> {
    let mut p = Params::new("device.token.revoke", params, &["deviceId", "role"])?;
    let (device, role) = (p.text("deviceId").trim().to_owned(), p.text("role").trim().to_owned());
    p.done()?;
    let caller = Caller::of(client);
    let (target, held) = (device.clone(), caller.scopes.to_vec());
    let change = move |devices: &DeviceStore| devices.revoke_token(&target, &role, Some(&held));
    let token = change_token(gateway, &caller, &device, "revocation", change).await?;
    let payload = json!({"deviceId": device, "role": token.role, "revokedAtMs": token.revoked_at_ms.unwrap_or_else(now_ms)});
    Ok(Done { payload, cut: Some((device, Some(token.role))) })
}

async fn change_token(
    gateway: &Gateway,
    caller: &Caller<'_>,
    device: &str,
    what: &str,
    change: impl FnOnce(&DeviceStore) -> Result<Result<DeviceToken, TokenError>, DeviceStoreError> + Send + 'static,
) -> Result<DeviceToken, ErrorShape> {
    let refuse = |why: String| {
        tracing::warn!(device, "device token {what} denied: {why}");
        denied(&format!("device token {what} denied"))
    };
    if !caller.manages(device) {
        return Err(refuse("another device asked".to_owned()));
    }
    let token = store(gateway, change).await?.map_err(|error| refuse(error.to_string()))?;
    tracing::info!(device, role = %token.role, scopes = %token.scopes.join(","), "device token {what}");
    Ok(token)
}

/// Refuses a device that asks about another one's request, and about one that is not there, alike.
async fn own_request(gateway: &Gateway, caller: &Caller<'_>, id: &str, what: &str) -> Result<(), ErrorShape> {
    if caller.admin || caller.device.is_none() {
        return Ok(());
    }
    let wanted = id.to_owned();
    let request = store(gateway, move |devices| devices.pending(&wanted)).await?;
    if request.is_some_and(|request| caller.manages(&request.record.device_id)) {
        return Ok(());
    }
    tracing::warn!(request = id, "device pairing {what} denied: not a request of the asking device");
    Err(denied(&format!("device pairing {what} denied")))
}

fn request_id(method: &str, params: Value) -> Result<String, ErrorShape> {
    let mut p = Params::new(method, params, &["requestId"])?;
    let id = p.text("requestId");
    p.done()?;
    Ok(id)
}

fn denied(message: &str) -> ErrorShape {
    ErrorShape::invalid(Reason::Forbidden, message)
}

fn announce(gateway: &Gateway, request_id: &str, device_id: &str, decision: &str) {
    let payload = json!({"requestId": request_id, "deviceId": device_id, "decision": decision, "ts": now_ms()});
    let options = EventOptions { drop_if_slow: true, ..EventOptions::default() };
    gateway.bus.broadcast_with("device.pair.resolved", &payload, EventTarget::All, options);
}

async fn store<T: Send + 'static>(
    gateway: &Gateway,
    work: impl FnOnce(&DeviceStore) -> Result<T, DeviceStoreError> + Send + 'static,
) -> Result<T, ErrorShape> {
    let devices = gateway.devices.clone();
    tokio::task::spawn_blocking(move || work(&devices)).await.map_err(internal)?.map_err(internal)
}
