//! Accounts of channels: started and stopped with the gateway, started again when they end by themselves (CH-183..CH-185).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chela_agent::clock::now_ms;
use chela_plugin::registry::Registry;
use chela_plugin::value::gateway_config;
use chela_plugin::{Call, CallError, Channel, ChannelOp};
use serde_json::{Map, Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{AccountKey, MOST_STATUS_MEMBERS, bounded};
use crate::assemble::Host;

/// Longest listing of a channel's accounts; it may read files, never the network.
const LIST_BUDGET: Duration = Duration::from_secs(15);
/// Accounts of one channel.
const MOST_ACCOUNTS: usize = 200;
/// How long an account may take to end once its abort signal fired (CH-185).
const STOP_GRACE: Duration = Duration::from_secs(5);
/// Longest sign-off of an account at its service.
const LOGOUT_BUDGET: Duration = Duration::from_secs(60);
/// First wait before an account that ended is started again; it doubles (CH-184).
const FIRST_WAIT: Duration = Duration::from_secs(5);
/// Longest wait. The reference gives up after ten attempts; here it goes on at this pace (CH-F17).
const LONGEST_WAIT: Duration = Duration::from_secs(5 * 60);

/// Everything about accounts.
#[derive(Default)]
pub(super) struct Accounts {
    status: BTreeMap<AccountKey, Map<String, Value>>,
    running: BTreeMap<AccountKey, Running>,
    /// Stopped by the operator: they stay so until he starts them (CH-184).
    held: std::collections::BTreeSet<AccountKey>,
    closed: bool,
}

struct Running {
    plugin_id: Arc<str>,
    stop: CancellationToken,
    done: watch::Receiver<bool>,
}

impl Accounts {
    pub(super) fn merge(&mut self, channel: &str, account: &str, patch: Option<&Map<String, Value>>) {
        let row = self.status.entry((channel.into(), account.into())).or_default();
        row.insert("accountId".into(), account.into());
        for (name, value) in patch.into_iter().flatten().filter(|(name, _)| name.as_str() != "accountId") {
            if let Some(value) = bounded(value).filter(|_| row.len() < MOST_STATUS_MEMBERS || row.contains_key(name)) {
                row.insert(name.clone(), value);
            }
        }
    }

    pub(super) fn statuses(&self, channel: &str) -> BTreeMap<String, Map<String, Value>> {
        self.status.iter().filter(|((c, _), _)| c == channel).map(|((_, account), row)| (account.clone(), row.clone())).collect()
    }
}

/// What a channel says about its accounts.
#[derive(Clone, Debug, Default)]
pub struct AccountList {
    /// The account that is meant when none is named (CH-23).
    pub default_id: String,
    /// `{accountId, enabled, configured, ...}`.
    pub rows: Vec<Value>,
}

impl Host {
    /// Asks a channel for its accounts by the config of now (CH-17, CH-22).
    ///
    /// # Errors
    /// When the channel cannot say.
    pub async fn channel_accounts(&self, channel: &Channel) -> Result<AccountList, CallError> {
        let call = Call::new(Vec::new()).budget(Some(LIST_BUDGET)).cancelled_by(self.runtime.shutdown.clone());
        let cfg = gateway_config();
        let answer = channel.ask(ChannelOp::Accounts, json!({"cfg": cfg}), call).await?;
        let rows = answer["accounts"].as_array().cloned().unwrap_or_default();
        let rows = rows.into_iter().filter(|row| row["accountId"].as_str().is_some_and(|id| !id.trim().is_empty())).take(MOST_ACCOUNTS);
        Ok(AccountList { default_id: answer["defaultAccountId"].as_str().unwrap_or("default").into(), rows: rows.collect() })
    }

    /// Starts the accounts of the channels of plugins that have just started.
    pub(crate) fn start_channels(self: &Arc<Self>, registry: &Registry, plugins: &[String]) {
        for channel in registry.channels().filter(|c| plugins.iter().any(|id| *id == *c.owner().id)) {
            let host = self.clone();
            tokio::spawn(async move {
                if let Err(error) = host.start_channel(&channel, None, false).await {
                    tracing::error!(target: "channels", channel = %channel.id, "the accounts could not be listed: {error}");
                }
            });
        }
    }

    /// Starts the accounts of a channel, or one of them. An account that runs already goes on; `by_operator` lifts his own stop.
    ///
    /// # Errors
    /// When the channel cannot say which accounts it has.
    pub async fn start_channel(self: &Arc<Self>, channel: &Channel, account: Option<&str>, by_operator: bool) -> Result<usize, CallError> {
        let list = self.channel_accounts(channel).await?;
        let mut begun = 0;
        for row in &list.rows {
            let id = row["accountId"].as_str().unwrap_or_default();
            if account.is_none_or(|wanted| wanted == id) && self.begin_account(channel, id, row, by_operator) {
                begun += 1;
            }
        }
        Ok(begun)
    }

    /// True while an account runs or waits for its next start.
    pub fn account_runs(&self, channel: &str, account: &str) -> bool {
        self.channels.accounts().running.contains_key(&(channel.to_string(), account.to_string()))
    }

    fn begin_account(self: &Arc<Self>, channel: &Channel, account: &str, row: &Value, by_operator: bool) -> bool {
        let key: AccountKey = (channel.id.clone(), account.into());
        let may = row["enabled"] == true && row["configured"] == true && channel.can("/gateway/startAccount");
        let mut accounts = self.channels.accounts();
        if by_operator {
            accounts.held.remove(&key);
        }
        let known = json!({"enabled": row["enabled"], "configured": row["configured"], "name": row["name"]});
        let patch = known.as_object().map(|m| m.iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k.clone(), v.clone())).collect());
        accounts.merge(&channel.id, account, patch.as_ref());
        if accounts.closed || accounts.running.contains_key(&key) || accounts.held.contains(&key) {
            return false;
        }
        if !may {
            let reason = row["reason"].as_str().unwrap_or("the channel has nothing to start");
            let patch = json!({"running": false, "restartPending": false, "lastError": reason});
            accounts.merge(&channel.id, account, patch.as_object());
            return false;
        }
        let (stop, (ended, done)) = (CancellationToken::new(), watch::channel(false));
        accounts.running.insert(key.clone(), Running { plugin_id: channel.owner().id.clone(), stop: stop.clone(), done });
        drop(accounts);
        let host = self.clone();
        tokio::spawn(async move {
            host.keep_running(&key, &stop).await;
            host.channels.accounts().running.remove(&key);
            ended.send_replace(true);
        });
        true
    }

    /// Runs an account until it is stopped; starts it again when it ends by itself.
    async fn keep_running(&self, key: &AccountKey, stop: &CancellationToken) {
        let (name, account) = key;
        let mut attempt: u32 = 0;
        loop {
            let Some(channel) = self.manager.registry().channel(name) else { break };
            let begun = Instant::now();
            let ended = self.run_account(&channel, account, attempt, stop).await;
            let mut patch = json!({"running": false, "lastStopAt": now_ms()});
            if stop.is_cancelled() {
                self.channels.note_status(name, account, &patch);
                break;
            }
            let message = ended.err().map_or_else(|| "channel exited without an error".to_string(), |e| e.to_string());
            tracing::error!(target: "channels", channel = %name, account = %account, "{message}");
            attempt = if begun.elapsed() > LONGEST_WAIT { 1 } else { attempt + 1 };
            let wait = wait_before(attempt, spread(key));
            patch["lastError"] = message.into();
            patch["restartPending"] = true.into();
            patch["reconnectAttempts"] = attempt.into();
            self.channels.note_status(name, account, &patch);
            tracing::info!(target: "channels", channel = %name, account = %account, attempt, "starting again in {} s", wait.as_secs());
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = stop.cancelled() => break,
            }
        }
        self.channels.note_status(name, account, &json!({"running": false, "restartPending": false, "connected": false}));
    }

    async fn run_account(&self, channel: &Channel, account: &str, attempt: u32, stop: &CancellationToken) -> Result<Value, CallError> {
        let permit = self.channels.starts.acquire().await;
        let status = json!({
            "enabled": true, "configured": true, "running": true, "restartPending": false, "lastStartAt": now_ms(), "lastError": null,
            "reconnectAttempts": attempt,
        });
        self.channels.note_status(&channel.id, account, &status);
        let hard = CancellationToken::new();
        let mut call = Call::new(Vec::new()).cancelled_by(hard.clone());
        let signal = call.signal(stop.clone());
        let cfg = gateway_config();
        let running = channel.ask(ChannelOp::Start, json!({"accountId": account, "cfg": cfg, "signal": signal, "status": status}), call);
        tokio::pin!(running);
        // What happens at the start is over when the account waits for its first message; nobody tells when that is.
        let settling = tokio::time::sleep(Duration::from_millis(200));
        tokio::select! {
            ended = &mut running => return ended,
            () = settling => drop(permit),
            () = stop.cancelled() => {}
        }
        tokio::select! {
            ended = &mut running => return ended,
            () = stop.cancelled() => {}
        }
        if channel.can("/gateway/stopAccount") {
            let call = Call::new(Vec::new()).budget(Some(STOP_GRACE));
            if let Err(error) = channel.ask(ChannelOp::Stop, json!({"accountId": account, "cfg": cfg}), call).await {
                tracing::warn!(target: "channels", channel = %channel.id, account, "the account did not stop cleanly: {error}");
            }
        }
        match tokio::time::timeout(STOP_GRACE, &mut running).await {
            Ok(ended) => ended,
            Err(_) => {
                tracing::warn!(target: "channels", channel = %channel.id, account, "the account did not end within {} s", STOP_GRACE.as_secs());
                hard.cancel();
                running.await
            }
        }
    }

    /// Stops the accounts that `which` accepts and waits for their ends. Returns their keys.
    async fn stop_accounts(&self, which: impl Fn(&AccountKey, &str) -> bool) -> Vec<AccountKey> {
        let ending: Vec<(AccountKey, watch::Receiver<bool>)> = {
            let accounts = self.channels.accounts();
            let chosen = accounts.running.iter().filter(|(key, row)| which(key, &row.plugin_id));
            chosen
                .map(|(key, row)| {
                    row.stop.cancel();
                    (key.clone(), row.done.clone())
                })
                .collect()
        };
        let mut keys = Vec::with_capacity(ending.len());
        for (key, mut done) in ending {
            let _ = done.wait_for(|ended| *ended).await;
            keys.push(key);
        }
        keys
    }

    /// Stops accounts of a channel because the operator wants it; they stay stopped until he starts them. Returns what had run.
    pub async fn stop_channel(&self, channel: &str, account: Option<&str>) -> Vec<String> {
        let wanted = |key: &AccountKey| key.0 == channel && account.is_none_or(|a| key.1 == a);
        {
            let mut accounts = self.channels.accounts();
            let known: Vec<AccountKey> = accounts.status.keys().filter(|key| wanted(key)).cloned().collect();
            accounts.held.extend(known);
        }
        self.stop_accounts(|key, _| wanted(key)).await.into_iter().map(|(_, account)| account).collect()
    }

    /// Signs an account off at its service (`gateway.logoutAccount`), after it was stopped.
    ///
    /// # Errors
    /// When the channel has no such function or it failed.
    pub async fn logout_channel(&self, channel: &Channel, account: &str) -> Result<Value, CallError> {
        if !channel.can("/gateway/logoutAccount") {
            let text = format!("channel {} does not support logout", channel.id);
            return Err(CallError::refused("UNSUPPORTED", text));
        }
        self.stop_channel(&channel.id, Some(account)).await;
        let call = Call::new(Vec::new()).budget(Some(LOGOUT_BUDGET));
        channel.ask(ChannelOp::Logout, json!({"accountId": account}), call).await
    }

    /// Stops the accounts of a plugin that is stopped; its next start starts them again.
    pub(crate) async fn stop_channels_of(&self, plugin_id: &str) {
        self.stop_accounts(|_, owner| owner == plugin_id).await;
    }

    /// Stops all accounts, for good.
    pub(crate) async fn close_channels(&self) {
        self.channels.accounts().closed = true;
        self.stop_accounts(|_, _| true).await;
    }

    /// Restarts the accounts of channels whose settings changed (CH-07), and starts those that are wanted now.
    pub(crate) async fn reload_channels(self: &Arc<Self>, before: &Value, after: &Value) {
        let registry = self.manager.registry();
        for channel in registry.channels().filter(|channel| concerns(channel, before, after)) {
            tracing::info!(target: "channels", channel = %channel.id, "starting its accounts again because its settings changed");
            self.stop_accounts(|key, _| key.0 == channel.id).await;
            if let Err(error) = self.start_channel(&channel, None, false).await {
                tracing::error!(target: "channels", channel = %channel.id, "the accounts could not be listed: {error}");
            }
        }
    }
}

/// True when a path that the channel reads differs. `reload.noopPrefixes` are the paths that the channel reads anew each time.
fn concerns(channel: &Channel, before: &Value, after: &Value) -> bool {
    let mut prefixes = channel.texts("/reload/configPrefixes");
    prefixes.push(format!("channels.{}", channel.id));
    let quiet = channel.texts("/reload/noopPrefixes");
    let at = |config: &Value, path: &str| config.pointer(&format!("/{}", path.replace('.', "/"))).cloned().unwrap_or_default();
    let without = |config: &Value, prefix: &str| {
        let mut part = at(config, prefix);
        for path in quiet.iter().filter_map(|q| q.strip_prefix(prefix)?.strip_prefix('.')) {
            remove(&mut part, path);
        }
        part
    };
    prefixes.iter().filter(|prefix| !quiet.contains(prefix)).any(|prefix| without(before, prefix) != without(after, prefix))
}

fn remove(value: &mut Value, path: &str) {
    let (parent, name) = path.rsplit_once('.').unwrap_or(("", path));
    let pointer = if parent.is_empty() { String::new() } else { format!("/{}", parent.replace('.', "/")) };
    if let Some(object) = value.pointer_mut(&pointer).and_then(Value::as_object_mut) {
        object.shift_remove(name);
    }
}

/// The wait before an attempt, from 1; `spread` in 0..=100 moves it by up to a tenth, so that many accounts do not knock at once.
fn wait_before(attempt: u32, spread: u32) -> Duration {
    let doubled = FIRST_WAIT.saturating_mul(2_u32.saturating_pow(attempt.saturating_sub(1).min(10)));
    let base = doubled.min(LONGEST_WAIT);
    base + base * spread / 1000
}

fn spread(key: &AccountKey) -> u32 {
    key.1.bytes().chain(key.0.bytes()).fold(7_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into())) % 101
}

#[cfg(test)]
mod tests {
    use super::*;

    // CH-184, CH-F17
    #[test]
    fn waits_double_to_a_ceiling_and_never_end() {
        let seconds = |attempt| wait_before(attempt, 0).as_secs();
        assert_eq!([1, 2, 3, 7, 11, 1000].map(seconds), [5, 10, 20, 300, 300, 300]);
        assert_eq!(wait_before(1, 100), Duration::from_millis(5500));
        assert!((0..50).all(|n| spread(&("talk".into(), format!("account{n}"))) <= 100));
    }

    #[test]
    fn a_status_of_a_stranger_is_cut() {
        let mut accounts = Accounts::default();
        let many: Map<String, Value> = (0..500).map(|n| (format!("m{n}"), n.into())).collect();
        accounts.merge("talk", "a", Some(&many));
        let long = json!({"accountId": "other", "running": true, "m1": "ä".repeat(9000), "m2": vec![1; 9000]});
        accounts.merge("talk", "a", long.as_object());
        let row = &accounts.statuses("talk")["a"];
        assert_eq!((row.len(), &row["accountId"], &row["m2"]), (MOST_STATUS_MEMBERS, &json!("a"), &json!(2)));
        assert!(row["m1"].as_str().unwrap().len() <= super::super::LONGEST_STATUS);
    }
}
