//! `channels.status`: every channel with its accounts, in the reference's shape (CH-181, CH-182).

use std::sync::Arc;
use std::time::Duration;

use chela_agent::clock::now_ms;
use chela_plugin::{Call, CallError, Channel, ChannelOp};
use futures::future::join_all;
use serde_json::{Map, Value, json};

use super::accounts::AccountList;
use super::bounded;
use crate::assemble::Host;

/// Longest report of one account without a probe.
const REPORT_BUDGET: Duration = Duration::from_secs(10);
/// Probes take at least this and at most the second (ms).
const PROBE_MS: (u64, u64) = (1000, 60_000);
/// Time of a probe when the caller does not say, in ms.
const DEFAULT_PROBE_MS: u64 = 10_000;
/// Warnings of one answer.
const MOST_WARNINGS: usize = 50;

/// What to report.
#[derive(Clone, Debug, Default)]
pub struct StatusQuery {
    /// Only this channel.
    pub channel: Option<String>,
    /// Ask the services too.
    pub probe: bool,
    /// Longest probe of one account, in ms.
    pub timeout_ms: Option<u64>,
}

#[derive(Default)]
struct Report {
    summary: Value,
    accounts: Vec<Value>,
    default_id: String,
    warnings: Vec<Value>,
}

impl Host {
    /// The status of the channels; `None` when the one that was asked for is not there.
    pub async fn channel_status(self: &Arc<Self>, query: &StatusQuery) -> Option<Value> {
        let registry = self.manager.registry();
        let mut channels: Vec<Channel> = match &query.channel {
            Some(name) => vec![registry.channel(name)?],
            None => registry.channels().collect(),
        };
        let order = |c: &Channel| c.plugin.value().pointer("/meta/order").and_then(Value::as_i64).unwrap_or(i64::MAX);
        channels.sort_by_key(|c| (order(c), c.id.clone()));
        let reports = join_all(channels.iter().map(|channel| self.report(channel, query))).await;
        let mut out = catalog(&channels);
        let mut warnings = Vec::new();
        for (channel, report) in channels.iter().zip(reports) {
            out["channels"][&channel.id] = report.summary;
            out["channelAccounts"][&channel.id] = report.accounts.into();
            out["channelDefaultAccountId"][&channel.id] = report.default_id.into();
            warnings.extend(report.warnings);
        }
        if !warnings.is_empty() {
            warnings.truncate(MOST_WARNINGS);
            out["partial"] = true.into();
            out["warnings"] = warnings.into();
        }
        Some(out)
    }

    async fn report(&self, channel: &Channel, query: &StatusQuery) -> Report {
        let mut report = Report { summary: json!({"configured": false}), default_id: "default".into(), ..Report::default() };
        let list = match self.channel_accounts(channel).await {
            Ok(list) => list,
            Err(error) => {
                report.warnings.push(warning(channel, None, &error));
                return report;
            }
        };
        report.default_id = list.default_id.clone();
        let rows = join_all(list.rows.iter().map(|row| self.account_report(channel, &list, row, query))).await;
        for (row, (snapshot, summary, warning)) in list.rows.iter().zip(rows) {
            if row["accountId"] == report.default_id.as_str() || report.accounts.is_empty() {
                report.summary = summary.unwrap_or_else(|| summary_of(&snapshot));
            }
            report.accounts.push(snapshot);
            report.warnings.extend(warning);
        }
        report
    }

    async fn account_report(
        &self,
        channel: &Channel,
        list: &AccountList,
        row: &Value,
        query: &StatusQuery,
    ) -> (Value, Option<Value>, Option<Value>) {
        let account = row["accountId"].as_str().unwrap_or_default();
        let mut snapshot: Map<String, Value> = Map::new();
        let known = self.channels.statuses(&channel.id).remove(account).unwrap_or_default();
        let described = row.as_object().into_iter().flatten().filter(|(name, _)| name.as_str() != "reason");
        snapshot.extend(described.map(|(k, v)| (k.clone(), v.clone())));
        snapshot.entry("running").or_insert(false.into());
        snapshot.extend(known.clone());
        for name in ["enabled", "configured"] {
            snapshot.insert(name.into(), row[name].clone());
        }
        if row["configured"] != true {
            snapshot.insert("lastError".into(), row["reason"].clone());
        }
        let probe = query.probe && row["enabled"] == true && row["configured"] == true && channel.can("/status/probeAccount");
        let has_status = ["probeAccount", "buildAccountSnapshot", "buildChannelSummary", "collectStatusIssues"];
        if row["configured"] != true || !has_status.iter().any(|name| channel.can(&format!("/status/{name}"))) {
            return (finished(snapshot), None, None);
        }
        let timeout_ms = query.timeout_ms.unwrap_or(DEFAULT_PROBE_MS).clamp(PROBE_MS.0, PROBE_MS.1);
        let budget = if probe { REPORT_BUDGET + Duration::from_millis(timeout_ms) } else { REPORT_BUDGET };
        let params = json!({
            "accountId": account, "defaultAccountId": list.default_id, "probe": probe, "timeoutMs": timeout_ms, "status": known,
        });
        match channel.ask(ChannelOp::Status, params, Call::new(Vec::new()).budget(Some(budget))).await {
            Ok(answer) => {
                let told = answer["snapshot"].as_object().into_iter().flatten();
                snapshot.extend(told.filter_map(|(k, v)| Some((k.clone(), bounded(v)?))));
                if probe {
                    snapshot.insert("lastProbeAt".into(), now_ms().into());
                }
                if let Some(issues) = answer.get("issues").and_then(bounded).filter(|i| !i.is_null()) {
                    snapshot.insert("issues".into(), issues);
                }
                (finished(snapshot), answer.get("summary").and_then(bounded).filter(Value::is_object), None)
            }
            Err(error) => {
                snapshot.entry("lastError").or_insert_with(|| error.to_string().into());
                (finished(snapshot), None, Some(warning(channel, Some(account), &error)))
            }
        }
    }
}

/// Null times and errors are left out, as in the reference's schema.
fn finished(mut snapshot: Map<String, Value>) -> Value {
    snapshot.retain(|_, value| !value.is_null());
    Value::Object(snapshot)
}

fn summary_of(snapshot: &Value) -> Value {
    let mut out = json!({"configured": snapshot["configured"]});
    for name in ["running", "connected", "linked", "lastError"] {
        if let Some(value) = snapshot.get(name) {
            out[name] = value.clone();
        }
    }
    out
}

fn warning(channel: &Channel, account: Option<&str>, error: &CallError) -> Value {
    let mut out = json!({"channelId": channel.id, "message": error.to_string()});
    if let Some(account) = account {
        out["accountId"] = account.into();
    }
    out
}

/// Order and words for people (CH-04).
fn catalog(channels: &[Channel]) -> Value {
    let meta = |c: &Channel, name: &str| c.plugin.value().get("meta").and_then(|m| chela_plugin::value::text(m, name)).map(str::to_string);
    let mut out = json!({
        "ts": now_ms(), "channelOrder": channels.iter().map(|c| &c.id).collect::<Vec<_>>(), "channelLabels": {}, "channelDetailLabels": {},
        "channelSystemImages": {}, "channelMeta": [], "channels": {}, "channelAccounts": {}, "channelDefaultAccountId": {},
    });
    let mut rows = Vec::new();
    for channel in channels {
        let label = channel.label().to_string();
        let detail = meta(channel, "detailLabel").unwrap_or_else(|| label.clone());
        let mut row = json!({"id": channel.id, "label": label, "detailLabel": detail});
        if let Some(image) = meta(channel, "systemImage") {
            out["channelSystemImages"][&channel.id] = image.clone().into();
            row["systemImage"] = image.into();
        }
        out["channelLabels"][&channel.id] = label.into();
        out["channelDetailLabels"][&channel.id] = detail.into();
        rows.push(row);
    }
    out["channelMeta"] = rows.into();
    out
}
