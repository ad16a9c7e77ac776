//! The WebSocket client of the command line (GW-12..GW-60).
//!
//! On loopback with a shared secret it connects as `gateway-client`/`backend`, which keeps its scopes without any pairing
//! record (GW-38). Everywhere else it is `cli`/`cli` and proves a device identity, which only commands that act may create (GW-157).

mod connection;
mod error;
mod identity;
mod target;

use std::time::{Duration, Instant};

use chela_config::Config;
use serde_json::{Value, json};

pub use connection::Connection;
pub use error::ClientError;
pub use target::Target;

use crate::cli::TargetArgs;
use crate::context::Context;
use crate::report::Failure;
use identity::{Identity, StoredToken};
use target::Secret;

/// All operator scopes; the gateway grants those that the credentials allow.
const SCOPES: [&str; 6] =
    ["operator.admin", "operator.read", "operator.write", "operator.approvals", "operator.pairing", "operator.talk.secrets"];

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Only looks; leaves no identity and no pairing record behind (GW-157).
    Probe,
    /// Acts.
    Call,
}

/// Finds the gateway to talk to and the credentials for it.
///
/// # Errors
/// See [`Target::resolve`].
pub fn target(ctx: &Context, config: &Config, args: &TargetArgs) -> Result<Target, Failure> {
    let stored = StoredToken::read(&ctx.paths);
    Target::resolve(config, args, stored.is_some())
}

/// Connects within `limit`. While the gateway starts it is asked again as it says (GW-21).
///
/// # Errors
/// Every way a connection can fail, each naming the URL.
pub async fn connect(ctx: &Context, target: &Target, purpose: Purpose, limit: Duration) -> Result<Connection, ClientError> {
    let until = Instant::now() + limit;
    let mut use_stored = false;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let attempt = tokio::time::timeout(left, attempt(ctx, target, purpose, use_stored));
        let error = match attempt.await {
            Ok(Ok(connection)) => return Ok(connection),
            Ok(Err(error)) => error,
            Err(_) => return Err(ClientError::Timeout { url: target.url.clone(), what: "connecting".into(), limit }),
        };
        if error.offers_device_token() && !use_stored && target.loopback && StoredToken::read(&ctx.paths).is_some() {
            use_stored = true;
            continue;
        }
        let Some(pause) = error.retry_after() else { return Err(error) };
        if Instant::now() + pause >= until {
            return Err(error);
        }
        tokio::time::sleep(pause).await;
    }
}

async fn attempt(ctx: &Context, target: &Target, purpose: Purpose, use_stored: bool) -> Result<Connection, ClientError> {
    let backend = target.loopback && target.secret.is_shared() && !use_stored;
    let mut connection = Connection::open(&target.url).await?;
    let nonce = connection.challenge().await?;
    // Only now is it a gateway, for which an identity may be made.
    let identity = match (backend, purpose) {
        (true, _) => None,
        (false, Purpose::Probe) => Identity::read(&ctx.paths)?,
        (false, Purpose::Call) => Some(Identity::read_or_create(&ctx.paths)?),
    };
    let stored = identity.as_ref().and_then(|identity| StoredToken::read(&ctx.paths).filter(|token| token.device_id == identity.id));
    let auth = match (&target.secret, stored) {
        (Secret::Token(token), _) if !use_stored => json!({"token": token.expose()}),
        (Secret::Password(password), _) => json!({"password": password.expose()}),
        (_, Some(stored)) => json!({"deviceToken": stored.token.expose()}),
        (Secret::Token(token), None) => json!({"token": token.expose()}),
        (Secret::None, None) => Value::Null,
    };
    let (id, mode) = match (backend, purpose) {
        (true, _) => ("gateway-client", "backend"),
        (false, Purpose::Probe) => ("cli", "probe"),
        (false, Purpose::Call) => ("cli", "cli"),
    };
    let mut params = json!({
        "minProtocol": 4, "maxProtocol": 4,
        "client": {"id": id, "displayName": "chela", "version": env!("CARGO_PKG_VERSION"), "platform": std::env::consts::OS, "mode": mode},
        "role": "operator", "scopes": SCOPES, "caps": [],
    });
    if !auth.is_null() {
        params["auth"] = auth;
    }
    if let Some(identity) = &identity {
        params["device"] = identity.proof(&params, &nonce)?;
    }
    let hello = connection.hello(params).await?;
    if let (Some(identity), Purpose::Call) = (&identity, purpose)
        && let Err(error) = StoredToken::keep(&ctx.paths, &identity.id, &hello["auth"])
    {
        tracing::debug!("cannot keep the device token: {error}");
    }
    Ok(connection)
}

/// Connects, calls one method, closes.
///
/// # Errors
/// As [`connect`] and [`Connection::request`].
pub async fn call(
    ctx: &Context,
    target: &Target,
    purpose: Purpose,
    method: &str,
    params: Value,
    limit: Duration,
) -> Result<Value, ClientError> {
    let mut connection = connect(ctx, target, purpose, limit).await?;
    let answer = connection.request(method, params, false, limit).await;
    connection.close().await;
    answer
}
