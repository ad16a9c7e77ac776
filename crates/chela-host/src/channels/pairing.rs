//! Unknown senders: what plugins, clients and the command line ask of the pairing files (CH-34..CH-47).

use std::sync::Arc;

use chela_agent::clock::now_ms;
use chela_config::{Edit, SetMode, WriteOptions};
use chela_pairing::{Approved, Asked, Pairing, PairingError};
use chela_plugin::{Call, CallError, ChannelOp};
use chela_store::session_key::normalize_account_id;
use serde_json::{Value, json};

use crate::assemble::Host;
use crate::requests::{Reply, Request, failed};

/// Longest notice to a sender.
const NOTIFY_BUDGET: std::time::Duration = std::time::Duration::from_secs(30);

/// What a client gets of an approval.
#[derive(Clone, Debug)]
pub struct ApprovalOutcome {
    /// Who was approved.
    pub approved: Approved,
    /// The entry that was written to `commands.ownerAllowFrom` (CH-46).
    pub owner: Option<String>,
}

/// The request's channel and account; one argument, as `{channel, accountId?, ...}`.
fn place(request: &Request<'_>) -> Result<(Pairing, Option<String>, Value), CallError> {
    let given = request.params.pointer("/args/0").cloned().unwrap_or_default();
    let pairing = Pairing::new(&request.host.paths.state_dir, given["channel"].as_str().unwrap_or_default()).map_err(refused)?;
    let account = given["accountId"].as_str().filter(|text| !text.trim().is_empty()).map(normalize_account_id);
    Ok((pairing, account, given))
}

fn refused(error: PairingError) -> CallError {
    match error {
        PairingError::Io(error) => failed(error),
        error => CallError::refused("INVALID_PARAMS", error.to_string()),
    }
}

async fn on_disk<T: Send + 'static>(work: impl FnOnce() -> Result<T, PairingError> + Send + 'static) -> Result<T, CallError> {
    tokio::task::spawn_blocking(work).await.map_err(failed)?.map_err(refused)
}

pub(crate) async fn serve(request: &Request<'_>) -> Reply {
    let (pairing, account, given) = place(request)?;
    let named = account.clone();
    let account = account.unwrap_or_else(|| "default".into());
    let text = |name: &str| match &given[name] {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    };
    match request.method.rsplit('.').next().unwrap_or_default() {
        "readAllowFromStore" => Ok(json!(on_disk(move || Ok(pairing.allowed(&account))).await?)),
        "upsertPairingRequest" => {
            let (id, meta) = (text("id"), given["meta"].clone());
            let Asked { code, created } = on_disk(move || pairing.ask(&account, &id, &meta, now_ms())).await?;
            Ok(json!({"code": code.unwrap_or_default(), "created": created}))
        }
        "listRequests" => Ok(json!(on_disk(move || Ok(pairing.pending(named.as_deref(), now_ms()))).await?)),
        "approve" => {
            let code = text("code");
            let approved = on_disk(move || pairing.approve(&code, named.as_deref(), now_ms())).await?;
            Ok(approved.map_or(Value::Null, |done| json!({"id": done.id, "entry": done.entry})))
        }
        step @ ("allow" | "forbid") => {
            let (id, admit) = (text("entry"), step == "allow");
            let work = move || if admit { pairing.allow(&account, &id) } else { pairing.forbid(&account, &id) };
            let (changed, list) = on_disk(work).await?;
            Ok(json!({"changed": changed, "allowFrom": list}))
        }
        _ => Err(CallError::NotBuilt(request.method.into())),
    }
}

impl Host {
    /// Requests that wait on a channel, oldest first; of one account where it is named.
    ///
    /// # Errors
    /// For what is no channel id.
    pub async fn pairing_requests(&self, channel: &str, account: Option<&str>) -> Result<Vec<Value>, CallError> {
        let pairing = Pairing::new(&self.paths.state_dir, channel).map_err(refused)?;
        let account = account.map(normalize_account_id);
        on_disk(move || Ok(pairing.pending(account.as_deref(), now_ms()))).await
    }

    /// Admits the sender of a code. The first one who is admitted while the config names no owner owns the commands (CH-46).
    ///
    /// # Errors
    /// When a file cannot be written. `None` when no request has the code.
    pub async fn approve_pairing(&self, channel: &str, code: &str, account: Option<&str>) -> Result<Option<ApprovalOutcome>, CallError> {
        let pairing = Pairing::new(&self.paths.state_dir, channel).map_err(refused)?;
        let (code, account) = (code.to_owned(), account.map(normalize_account_id));
        let name = pairing.channel().to_owned();
        let done = on_disk(move || pairing.approve(&code, account.as_deref(), now_ms())).await?;
        let Some(approved) = done else { return Ok(None) };
        let owner = chela_pairing::owner_entry(&self.runtime.config().source, &name, &approved.id);
        if let Some(owner) = owner.clone() {
            let (paths, env) = (self.paths.clone(), self.env.clone());
            let edit =
                Edit::Set { path: vec!["commands".into(), "ownerAllowFrom".into()], value: json!([owner]), mode: SetMode::default() };
            let write = move || chela_config::write(&paths, &env, &[edit], &WriteOptions::default());
            tokio::task::spawn_blocking(write).await.map_err(failed)?.map_err(failed)?;
        }
        Ok(Some(ApprovalOutcome { approved, owner }))
    }

    /// Tells a sender who was approved, through the channel's `pairing.notifyApproval` (CH-47). False when the channel has none.
    ///
    /// # Errors
    /// When the channel is not there, or its function fails.
    pub async fn notify_paired(self: &Arc<Self>, channel: &str, account: &str, id: &str) -> Result<bool, CallError> {
        let found = self.manager.registry().channel(channel);
        let Some(found) = found else {
            return Err(CallError::refused("NOT_FOUND", format!("no channel `{channel}` is running; its plugin must be enabled")));
        };
        if !found.can("/pairing/notifyApproval") {
            return Ok(false);
        }
        let params = json!({"step": "notify", "id": id, "accountId": account});
        let answer = found.ask(ChannelOp::Pairing, params, Call::default().budget(Some(NOTIFY_BUDGET))).await?;
        Ok(answer["notified"] == true)
    }
}
