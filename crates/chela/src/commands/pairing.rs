//! `chela pairing`: unknown senders of channels. Works on the files; only a notice to the sender needs the gateway.

use chela_agent::clock::now_ms;
use std::collections::BTreeSet;
use std::time::Duration;

use chela_config::{Edit, SetMode, WriteOptions};
use chela_pairing::{Pairing, PairingError};
use chela_store::session_key::normalize_account_id;
use serde_json::{Value, json};

use crate::cli::pairing::{ApproveArgs, ListArgs, PairingArgs, PairingCommand};
use crate::client::{self, Purpose};
use crate::context::{Context, block_on};
use crate::output;
use crate::report::{Failure, warn};
use crate::table::Table;

/// Longest wait for the gateway; a notice goes through the channel's service.
const NOTIFY_LIMIT: Duration = Duration::from_secs(40);

/// Runs the subcommand.
///
/// # Errors
/// When no request has the code, the channel is not clear, or a file cannot be written.
pub fn run(ctx: &Context, args: PairingArgs) -> Result<(), Failure> {
    match args.command {
        PairingCommand::List(args) => list(ctx, &args),
        PairingCommand::Approve(args) => approve(ctx, &args),
    }
}

fn failed(error: PairingError) -> Failure {
    Failure::new(error.to_string())
}

/// The named channel, else the only one that can have requests: those of enabled plugins, and those with a file of requests.
fn channel(ctx: &Context, named: Option<&str>) -> Result<Pairing, Failure> {
    if let Some(name) = named {
        return Pairing::new(&ctx.paths.state_dir, name).map_err(failed);
    }
    let (config, _) = ctx.config_lenient()?;
    let mut known: BTreeSet<String> = Pairing::channels(&ctx.paths.state_dir).into_iter().collect();
    known.extend(ctx.scan(&config).plugins.iter().filter(|plugin| plugin.enabled).flat_map(|plugin| plugin.manifest.channels.clone()));
    let mut all = known.iter();
    match (all.next(), all.next()) {
        (Some(only), None) => Pairing::new(&ctx.paths.state_dir, only).map_err(failed),
        (None, _) => {
            Err(Failure::usage("no channel is there").hint("enable a channel plugin, or name the channel: `chela pairing list CHANNEL`"))
        }
        _ => {
            let list = known.into_iter().collect::<Vec<_>>().join(", ");
            Err(Failure::usage("several channels can have requests").hint(format!("name one of them: {list}")))
        }
    }
}

fn list(ctx: &Context, args: &ListArgs) -> Result<(), Failure> {
    let pairing = channel(ctx, args.named.as_deref().or(args.channel.as_deref()))?;
    let account = args.account.as_deref().map(normalize_account_id);
    let requests = pairing.pending(account.as_deref(), now_ms());
    if args.json {
        return output::json(&json!({"channel": pairing.channel(), "requests": requests}));
    }
    if requests.is_empty() {
        return output::text(&format!("No sender waits on {}", pairing.channel()));
    }
    let mut table = Table::new(&["CODE", "SENDER", "ACCOUNT", "ABOUT", "SINCE"]);
    for row in &requests {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let about = row["meta"].as_object().into_iter().flatten().filter(|(name, _)| *name != "accountId");
        let about: Vec<String> = about.map(|(name, value)| format!("{name} {}", text(value))).collect();
        let account = row["meta"]["accountId"].as_str().unwrap_or("default").to_owned();
        table.row(vec![text(&row["code"]), text(&row["id"]), account, about.join(", "), text(&row["createdAt"])]);
    }
    output::text(&table.render())
}

fn approve(ctx: &Context, args: &ApproveArgs) -> Result<(), Failure> {
    let (named, code) = match (&args.named, &args.second) {
        (Some(channel), _) => (Some(channel.as_str()), &args.first),
        (None, Some(code)) => (Some(args.first.as_str()), code),
        (None, None) => (None, &args.first),
    };
    let pairing = channel(ctx, named)?;
    let name = pairing.channel().to_owned();
    let answer = if args.notify { through_gateway(ctx, args, &name, code)? } else { on_disk(ctx, args, &pairing, code)? };
    let Some(answer) = answer else {
        let hint = format!("see who waits with `chela pairing list {name}`");
        return Err(Failure::new(format!("no pairing request of `{name}` has the code `{code}`")).hint(hint));
    };
    if let Some(error) = answer["notifyError"].as_str() {
        warn(&format!("the sender was approved and not told: {error}"));
    } else if answer["notified"] == false {
        warn(&format!("the sender was approved and not told: `{name}` has no notice for that"));
    }
    if args.json {
        return output::json(&answer);
    }
    let mut text = format!("Approved {name} sender {}", answer["id"].as_str().unwrap_or_default());
    if let Some(owner) = answer["owner"].as_str() {
        text.push_str(&format!("\nThe commands now belong to {owner} (`commands.ownerAllowFrom` was empty)"));
    }
    output::text(&text)
}

fn on_disk(ctx: &Context, args: &ApproveArgs, pairing: &Pairing, code: &str) -> Result<Option<Value>, Failure> {
    let account = args.account.as_deref().map(normalize_account_id);
    let Some(done) = pairing.approve(code, account.as_deref(), now_ms()).map_err(failed)? else { return Ok(None) };
    let mut answer = json!({"channel": pairing.channel(), "id": done.id, "accountId": done.account, "entry": done.entry});
    let (config, _) = ctx.config_lenient()?;
    if let Some(owner) = chela_pairing::owner_entry(&config.source, pairing.channel(), &done.id) {
        let path = vec!["commands".to_owned(), "ownerAllowFrom".to_owned()];
        let edit = Edit::Set { path, value: json!([owner]), mode: SetMode::default() };
        match chela_config::write(&ctx.paths, &ctx.env, &[edit], &WriteOptions::default()) {
            Ok(_) => answer["owner"] = owner.into(),
            Err(error) => warn(&format!("the sender was approved; `commands.ownerAllowFrom` was not set: {error}")),
        }
    }
    Ok(Some(answer))
}

fn through_gateway(ctx: &Context, args: &ApproveArgs, channel: &str, code: &str) -> Result<Option<Value>, Failure> {
    let (config, _) = ctx.config_lenient()?;
    let target = client::target(ctx, &config, &args.target)?;
    let mut params = json!({"channel": channel, "code": code, "notify": true});
    if let Some(account) = &args.account {
        params["accountId"] = account.as_str().into();
    }
    block_on(async {
        let mut connection = client::connect(ctx, &target, Purpose::Call, NOTIFY_LIMIT)
            .await
            .map_err(|error| Failure::from(error).hint("without `--notify` no gateway is needed"))?;
        let answer = connection.request("channels.pairing.approve", params, false, NOTIFY_LIMIT).await;
        connection.close().await;
        Ok(Some(answer?))
    })
}
