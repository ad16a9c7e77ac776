//! The connect request, checked in the reference's order (GW-12..GW-60; the order is GW-19).
#![allow(clippy::result_large_err)] // a refusal ends its request; nobody carries it further

use super::client::ClientInfo;
use super::pairing::{self, PairingOutcome};
use crate::auth::Peer;
use crate::auth::device::{self, VerifiedDevice};
use crate::auth::limiter::{AuthLimiter, LimitKey, LimitScope};
use crate::auth::origin::{check_origin, limit_key};
use crate::auth::policy::{self, Facts, WithoutDevice};
use crate::auth::shared::{self, AuthFailure, AuthMethod, Credentials};
use crate::auth::tailscale::TailnetUser;
use crate::devices::{BootstrapProfile, BootstrapUse, DeviceToken, TokenCheck, now_ms};
use crate::server::{AuthState, Gateway};
use chela_gateway_protocol::connect::ConnectAuth;
use chela_gateway_protocol::error::{AuthReason, ConnectDetail, ErrorCode, ErrorShape, Reason};
use chela_gateway_protocol::hello::{HandedToken, HelloWarning};
use chela_gateway_protocol::limits::{MIN_PROBE_PROTOCOL_VERSION, PROTOCOL_VERSION, close};
use chela_gateway_protocol::{ConnectParams, Role};
use hyper::HeaderMap;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Instant;

/// A refused connect: the response, if any, and the close frame.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) error: Option<ErrorShape>,
    pub(crate) code: u16,
    pub(crate) reason: String,
}

impl Refused {
    /// An error whose message is the close reason too.
    pub(crate) fn policy(error: ErrorShape) -> Self {
        Refused { reason: error.message.clone(), error: Some(error), code: close::POLICY }
    }

    fn internal(error: impl std::fmt::Display) -> Self {
        tracing::error!(%error, "handshake failed inside the gateway");
        Refused {
            error: Some(ErrorShape::internal(error.to_string())),
            code: close::INTERNAL,
            reason: "gateway failed to check the device".to_owned(),
        }
    }
}

/// An accepted connect.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) client: ClientInfo,
    pub(crate) token: Option<DeviceToken>,
    /// Tokens of further roles (GW-28).
    pub(crate) further: Vec<HandedToken>,
    pub(crate) warnings: Vec<HelloWarning>,
    /// State of the shared secret under which it was accepted (GW-58).
    pub(crate) auth: Arc<AuthState>,
}

/// Where a connect comes from.
pub(crate) struct Context<'a> {
    pub(crate) gateway: &'a Gateway,
    pub(crate) peer: &'a Peer,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) conn_id: &'a str,
    pub(crate) nonce: &'a str,
}

/// What authenticated the client so far.
struct AuthProgress {
    result: Result<AuthMethod, AuthFailure>,
    shared_ok: bool,
}

/// Checks the parameters of `connect` and admits the client or says why not.
pub(crate) async fn connect(context: &Context<'_>, params: &Value) -> Result<Accepted, Refused> {
    let mut params = ConnectParams::parse(params).map_err(|problem| Refused::policy(ErrorShape::invalid_params("connect", problem)))?;
    check_startup(context)?;
    check_protocol(&params)?;
    let role = check_role(&params)?;
    check_page_origin(context, &params)?;

    let auth = context.gateway.auth.load_full();
    let ui = &context.gateway.config.control_ui;
    if params.client.is_operator_ui() && ui.disable_device_auth {
        params.device = None;
    }
    let key = limit_key(context.peer);
    let secrets = params.auth.clone().unwrap_or_default();
    let mut progress = check_shared(context, &auth, &secrets, &key);
    check_tailnet(context, &secrets, &key, &mut progress).await;

    let mut warnings = Vec::new();
    if params.device.is_none() {
        let dropped = check_without_device(context, &mut params, role, &progress, &secrets)?;
        if !dropped.is_empty() {
            warnings.push(HelloWarning::scopes_dropped(dropped));
        }
    }
    let device = check_device(context, &params, role)?;
    let mut setup = None;
    if let Some(device) = &device {
        setup = check_setup_code(context, &params, &secrets, device, role, &mut progress).await?;
        check_device_token(context, &params, &secrets, device, role, &key, &mut progress).await?;
    }
    let method = match progress.result {
        Ok(method) => method,
        Err(failure) => return Err(unauthorized(&params, &secrets, &auth, &failure)),
    };
    if method.uses_shared_secret() && !context.gateway.auth_is_current(&auth) {
        return Err(auth_changed());
    }
    limit_proxied_scopes(context, &mut params, role, method);
    let (mut token, mut further) = (None, Vec::new());
    if let Some(device) = &device {
        let open = matches!(auth.config, crate::transport_config::AuthConfig::None);
        let facts = Facts { peer: context.peer, client: &params.client, role, method: Some(method), shared_ok: progress.shared_ok };
        let skip = policy::ui_skips_pairing(&facts, ui, open) || policy::is_trusted_backend(&facts);
        let profile = setup.as_ref().map(|setup: &SetupCode| &setup.profile);
        let outcome = pairing::ensure_paired(context, &params, role, device, &facts, profile, skip).await?;
        let handed_over = matches!(outcome, PairingOutcome::HandedOver);
        if let PairingOutcome::Paired { platform, device_family } = outcome {
            params.client.platform = platform.unwrap_or(params.client.platform);
            params.client.device_family = device_family.or(params.client.device_family);
        }
        token = pairing::issue_token(context, device, role, &params.scopes).await?;
        if let Some(setup) = setup {
            if handed_over {
                further = pairing::issue_further(context, device, role, &setup.profile).await?;
            }
            redeem(context, setup.token, role, &params.scopes, handed_over).await?;
        }
    }
    let client = client_info(context, params, role, device, method);
    Ok(Accepted { client, token, further, warnings, auth })
}

/// `gateway auth changed` (GW-58).
pub(crate) fn auth_changed() -> Refused {
    Refused { error: None, code: close::AUTH_CHANGED, reason: "gateway auth changed".to_owned() }
}

fn check_startup(context: &Context<'_>) -> Result<(), Refused> {
    if !context.gateway.is_startup_pending() {
        return Ok(());
    }
    let error = ErrorShape::new(ErrorCode::Unavailable, "gateway starting; retry shortly")
        .retry_after(500)
        .with_detail("reason", "startup-sidecars");
    Err(Refused { error: Some(error), code: close::TRY_LATER, reason: "gateway starting".to_owned() })
}

fn check_protocol(params: &ConnectParams) -> Result<(), Refused> {
    if params.supports(PROTOCOL_VERSION) {
        return Ok(());
    }
    let error = ErrorShape::new(ErrorCode::InvalidRequest, "protocol mismatch")
        .with_detail("expectedProtocol", PROTOCOL_VERSION)
        .with_detail("minimumProbeProtocol", MIN_PROBE_PROTOCOL_VERSION);
    Err(Refused { reason: error.message.clone(), error: Some(error), code: close::PROTOCOL })
}

fn check_role(params: &ConnectParams) -> Result<Role, Refused> {
    Role::parse(params.role.as_deref().unwrap_or("operator"))
        .ok_or_else(|| Refused::policy(ErrorShape::new(ErrorCode::InvalidRequest, "invalid role")))
}

fn check_page_origin(context: &Context<'_>, params: &ConnectParams) -> Result<(), Refused> {
    let client = &params.client;
    if context.peer.origin.is_none() && !client.is_browser_ui() && !client.is_webchat() {
        return Ok(());
    }
    check_origin(context.peer, &context.gateway.config.control_ui).map_err(|refusal| {
        Refused::policy(
            with_detail_code(
                ErrorShape::new(
                    ErrorCode::InvalidRequest,
                    "origin not allowed (open the page from the gateway host or add it to gateway.controlUi.allowedOrigins)",
                ),
                ConnectDetail::ControlUiOriginNotAllowed,
            )
            .with_detail("reason", refusal.as_str()),
        )
    })
}

fn check_shared(context: &Context<'_>, auth: &AuthState, secrets: &ConnectAuth, key: &LimitKey) -> AuthProgress {
    let credentials = Credentials::new(secrets.token.as_deref(), secrets.password.as_deref());
    let config = &context.gateway.config;
    let run = |limiter: Option<(&AuthLimiter, &LimitKey)>| {
        shared::authorize(&auth.config, credentials, context.peer, context.headers, &config.trusted_proxies, limiter)
    };
    let limiter = credentials.is_some().then_some((&context.gateway.limiter, key));
    let result = run(limiter);
    let shared_ok = match &result {
        Ok(method) => method.uses_shared_secret(),
        Err(_) => credentials.is_some() && run(None).is_ok_and(AuthMethod::is_secret),
    };
    AuthProgress { result, shared_ok }
}

// A user of the tailnet needs no secret, but a device like everyone; whoever sends a secret is judged by it.
async fn check_tailnet(context: &Context<'_>, secrets: &ConnectAuth, key: &LimitKey, progress: &mut AuthProgress) {
    let Some(tailscale) = &context.gateway.tailscale else { return };
    let credentials = Credentials::new(secrets.token.as_deref(), secrets.password.as_deref());
    let asks = matches!(&progress.result, Err(failure) if matches!(failure.reason, AuthReason::TokenMissing | AuthReason::PasswordMissing));
    if !asks || credentials.is_some() || context.peer.is_local {
        return;
    }
    if let Err(wait) = context.gateway.limiter.check(LimitScope::SharedSecret, key) {
        progress.result = Err(AuthFailure::rate_limited(wait));
        return;
    }
    progress.result = match tailscale.user(context.peer, context.headers).await {
        TailnetUser::Unnamed => return,
        TailnetUser::Confirmed(login) => {
            tracing::info!(%login, "a user of the tailnet connects");
            Ok(AuthMethod::Tailscale)
        }
        TailnetUser::Refused(reason) => Err(AuthFailure::new(reason)),
    };
}

// Returns the scopes that were dropped (GW-38).
fn check_without_device(
    context: &Context<'_>,
    params: &mut ConnectParams,
    role: Role,
    progress: &AuthProgress,
    secrets: &ConnectAuth,
) -> Result<Vec<String>, Refused> {
    let facts = Facts {
        peer: context.peer,
        client: &params.client,
        role,
        method: progress.result.as_ref().ok().copied(),
        shared_ok: progress.shared_ok,
    };
    let secret_given = [&secrets.token, &secrets.password].into_iter().any(|secret| secret.as_deref().is_some_and(|text| !text.is_empty()));
    match policy::without_device(&facts, &context.gateway.config.control_ui, secret_given) {
        WithoutDevice::Allow { drop_scopes: false } => Ok(Vec::new()),
        WithoutDevice::Allow { drop_scopes: true } => Ok(std::mem::take(&mut params.scopes)),
        WithoutDevice::UiNeedsDevice => Err(Refused::policy(with_detail_code(
            ErrorShape::new(ErrorCode::InvalidRequest, "control ui requires device identity (use HTTPS or localhost secure context)"),
            ConnectDetail::ControlUiDeviceIdentityRequired,
        ))),
        WithoutDevice::Unauthorized => match &progress.result {
            Err(failure) => {
                let auth = context.gateway.auth.load();
                Err(unauthorized(params, secrets, &auth, failure))
            }
            Ok(_) => Err(device_required()),
        },
        WithoutDevice::DeviceRequired => Err(device_required()),
    }
}

fn device_required() -> Refused {
    Refused::policy(with_detail_code(
        ErrorShape::new(ErrorCode::NotPaired, "device identity required"),
        ConnectDetail::DeviceIdentityRequired,
    ))
}

fn check_device(context: &Context<'_>, params: &ConnectParams, role: Role) -> Result<Option<VerifiedDevice>, Refused> {
    let Some(proof) = &params.device else {
        return Ok(None);
    };
    device::verify(params, proof, role.as_str(), context.nonce, now_ms()).map(Some).map_err(|refusal| {
        let (slug, message, detail) = refusal.describe();
        let error = ErrorShape::new(ErrorCode::InvalidRequest, message);
        Refused::policy(with_detail_code(error, detail).with_detail("reason", slug))
    })
}

/// A setup code that was right.
struct SetupCode {
    token: String,
    profile: BootstrapProfile,
}

fn given(secret: &Option<String>) -> Option<String> {
    secret.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

// A right setup code is the method even when the shared secret was right too (GW-32).
async fn check_setup_code(
    context: &Context<'_>,
    params: &ConnectParams,
    secrets: &ConnectAuth,
    device: &VerifiedDevice,
    role: Role,
    progress: &mut AuthProgress,
) -> Result<Option<SetupCode>, Refused> {
    let Some(token) = given(&secrets.bootstrap_token) else { return Ok(None) };
    let (store, device, scopes, shown) = (context.gateway.devices.clone(), device.clone(), params.scopes.clone(), token.clone());
    let check = move || {
        let used =
            BootstrapUse { token: &shown, device_id: &device.id, public_key: &device.public_key, role: role.as_str(), scopes: &scopes };
        store.verify_bootstrap(&used)
    };
    let profile = context.gateway.blocking(check).await.map_err(Refused::internal)?;
    match profile {
        Some(_) => progress.result = Ok(AuthMethod::BootstrapToken),
        None if progress.result.is_err() => progress.result = Err(AuthFailure::new(AuthReason::BootstrapTokenInvalid)),
        None => {}
    }
    Ok(profile.map(|profile| SetupCode { token, profile }))
}

async fn redeem(context: &Context<'_>, token: String, role: Role, scopes: &[String], whole: bool) -> Result<(), Refused> {
    let (store, scopes) = (context.gateway.devices.clone(), scopes.to_vec());
    context.gateway.blocking(move || store.redeem_bootstrap(&token, role.as_str(), &scopes, whole)).await.map_err(Refused::internal)
}

// The token of a device, when nothing else has proved it (GW-32).
async fn check_device_token(
    context: &Context<'_>,
    params: &ConnectParams,
    secrets: &ConnectAuth,
    device: &VerifiedDevice,
    role: Role,
    key: &LimitKey,
    progress: &mut AuthProgress,
) -> Result<(), Refused> {
    let Err(failure) = &progress.result else {
        return Ok(());
    };
    let fallback = failure.reason.clone();
    let explicit = given(&secrets.device_token);
    let is_explicit = explicit.is_some();
    let Some(token) = explicit.or_else(|| given(&secrets.token)) else {
        return Ok(());
    };
    let limiter = &context.gateway.limiter;
    if let Err(wait) = limiter.check(LimitScope::DeviceToken, key) {
        progress.result = Err(AuthFailure::rate_limited(wait));
        return Ok(());
    }
    let (store, id, scopes) = (context.gateway.devices.clone(), device.id.clone(), params.scopes.clone());
    let check =
        context.gateway.blocking(move || store.verify_token(&id, &token, role.as_str(), &scopes)).await.map_err(Refused::internal)?;
    progress.result = match check {
        TokenCheck::Valid => {
            limiter.reset(LimitScope::DeviceToken, key);
            limiter.reset(LimitScope::SharedSecret, key);
            Ok(AuthMethod::DeviceToken)
        }
        refused => {
            limiter.record_failure(LimitScope::DeviceToken, key);
            let reason = match refused {
                TokenCheck::ScopeMismatch => AuthReason::ScopeMismatch,
                _ if is_explicit => AuthReason::DeviceTokenMismatch,
                _ => fallback,
            };
            Err(AuthFailure::new(reason))
        }
    };
    Ok(())
}

fn limit_proxied_scopes(context: &Context<'_>, params: &mut ConnectParams, role: Role, method: AuthMethod) {
    let proxied = method == AuthMethod::TrustedProxy && params.client.is_operator_ui() && role == Role::Operator;
    let header = context.headers.get("x-openclaw-scopes").and_then(|value| value.to_str().ok());
    if let (true, Some(header)) = (proxied, header) {
        params.scopes.retain(|scope| header.split(',').any(|allowed| allowed.trim() == scope));
    }
}

fn client_info(context: &Context<'_>, params: ConnectParams, role: Role, device: Option<VerifiedDevice>, method: AuthMethod) -> ClientInfo {
    let client = params.client;
    ClientInfo {
        conn_id: context.conn_id.to_owned(),
        client_id: client.id,
        mode: client.mode,
        display_name: client.display_name,
        version: client.version,
        platform: client.platform,
        device_family: client.device_family,
        model_identifier: client.model_identifier,
        instance_id: client.instance_id,
        role,
        scopes: params.scopes,
        device_id: device.map(|device| device.id),
        auth_method: method,
        caps: params.caps,
        declared_commands: params.commands,
        remote_ip: context.peer.reported_ip().map(|ip| ip.to_string()),
        is_local: context.peer.is_local,
        user_agent: context.peer.user_agent.clone(),
        connected_at: Instant::now(),
    }
}

// GW-33, GW-36
fn unauthorized(params: &ConnectParams, secrets: &ConnectAuth, auth: &AuthState, failure: &AuthFailure) -> Refused {
    let reason = &failure.reason;
    let provided = secrets.provided();
    let can_retry = *reason == AuthReason::TokenMismatch
        && params.device.is_some()
        && provided == "token"
        && secrets.device_token.as_deref().is_none_or(str::is_empty);
    let step = if can_retry { "retry_with_device_token" } else { reason.next_step() };
    let message = auth_message(params, auth.config.mode(), provided, reason);
    tracing::warn!(client = %params.client.id, reason = reason.as_str(), provided, "client is not authorised");
    let mut error = ErrorShape::new(ErrorCode::InvalidRequest, message);
    error.details = Some(json!({
        "code": reason.detail(),
        "authReason": reason.as_str(),
        "canRetryWithDeviceToken": can_retry,
        "recommendedNextStep": step,
    }));
    if let Some(wait) = failure.retry_after {
        error = error.retry_after(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
    }
    Refused::policy(error)
}

fn auth_message(params: &ConnectParams, mode: &str, provided: &str, reason: &AuthReason) -> String {
    let client = &params.client;
    let page = client.is_operator_ui() || client.is_webchat();
    let hint = |secret: &str| {
        if client.is_cli() {
            format!("set gateway.remote.{secret} to match gateway.auth.{secret}")
        } else if page {
            format!("enter the gateway {secret} in the page's settings")
        } else {
            format!("provide the gateway {secret}")
        }
    };
    let text = match reason {
        AuthReason::TokenMissing => format!("gateway token missing ({})", hint("token")),
        AuthReason::TokenMismatch => format!("gateway token mismatch ({})", hint("token")),
        AuthReason::PasswordMissing => format!("gateway password missing ({})", hint("password")),
        AuthReason::PasswordMismatch => format!("gateway password mismatch ({})", hint("password")),
        AuthReason::TokenMissingConfig => "gateway token not configured on gateway (set gateway.auth.token)".to_owned(),
        AuthReason::PasswordMissingConfig => "gateway password not configured on gateway (set gateway.auth.password)".to_owned(),
        AuthReason::BootstrapTokenInvalid => "bootstrap token invalid or expired (scan a fresh setup code)".to_owned(),
        AuthReason::RateLimited => "too many failed authentication attempts (retry later)".to_owned(),
        AuthReason::DeviceTokenMismatch => "device token mismatch (rotate or reissue the device token)".to_owned(),
        AuthReason::ScopeMismatch => "device token scope mismatch (pair again or approve the scope upgrade)".to_owned(),
        AuthReason::TailscaleProxyMissing => {
            "a user of the tailnet is named without the headers of `tailscale serve` (connect through it, or send the secret)".to_owned()
        }
        AuthReason::TailscaleWhoisFailed => {
            "`tailscale whois` does not know the address (see the gateway's log, or send the secret)".to_owned()
        }
        AuthReason::TailscaleUserMismatch => "the address belongs to another user of the tailnet than the one named".to_owned(),
        AuthReason::Other(slug) => format!("refused by mode {mode} with {provided} ({slug})"),
    };
    format!("unauthorized: {text}")
}

fn with_detail_code(error: ErrorShape, detail: ConnectDetail) -> ErrorShape {
    let code = serde_json::to_value(detail).unwrap_or_else(|_| Value::from(Reason::Internal.as_str()));
    error.with_detail("code", code)
}
