//! Channels of a plugin under trial: what they say of their accounts, targets and actions, and a message through each configured account.

use chela_node::{Called, Observed};
use chela_plugin::{Adapter, Call, Channel, ChannelOp};
use serde_json::{Value, json};

use super::{Trial, rows};

/// To whom a message goes when the script names nobody.
const SOMEBODY: &str = "trial";

impl Trial<'_> {
    /// Asks each channel everything that needs no person on the other side.
    pub(super) async fn channels(&mut self) {
        let registry = self.registry();
        let mine: Vec<Channel> = registry.channels().filter(|channel| self.is_mine(channel.owner())).collect();
        for channel in mine {
            let listed = self.ask(&channel, ChannelOp::Accounts, json!({})).await;
            let fallback = listed["defaultAccountId"].as_str().unwrap_or("default").to_owned();
            let accounts = listed["accounts"].as_array().cloned().unwrap_or_default();
            let known = accounts.iter().filter_map(|row| Some((row["accountId"].as_str()?.to_owned(), row["configured"] == true)));
            let mut all: Vec<(String, bool)> = known.collect();
            if all.is_empty() {
                all.push((fallback.clone(), false));
            }
            self.ask(&channel, ChannelOp::Action, json!({"step": "describe"})).await;
            self.ask(&channel, ChannelOp::Pairing, json!({"step": "normalize", "id": SOMEBODY})).await;
            let to = self.options.script.send_to.get(&channel.id).cloned().unwrap_or_else(|| SOMEBODY.into());
            for (account, configured) in all {
                let status =
                    json!({"accountId": account, "defaultAccountId": fallback, "probe": configured, "timeoutMs": 2000, "status": {}});
                self.ask(&channel, ChannelOp::Status, status).await;
                let target = self.ask(&channel, ChannelOp::Target, json!({"to": to, "accountId": account, "mode": "explicit"})).await;
                if configured && target["ok"] == true {
                    let message = json!({"to": target["to"], "accountId": account, "payload": {"text": "hello"}});
                    self.ask(&channel, ChannelOp::Send, message).await;
                }
            }
        }
    }

    async fn ask(&mut self, channel: &Channel, op: ChannelOp, params: Value) -> Value {
        let mark = self.recorder.mark();
        let answer = channel.ask(op, params, Call::new(Vec::new()).budget(Some(self.options.limit))).await;
        let name = format!("{} {}", channel.id, op.as_str());
        if let Some(call) = self.recorder.since(mark).iter().find(|call| is(call, op)) {
            self.judge(call, "channel", &name);
            self.report.calls.push(rows::row(call, "channel", &name, "direct"));
        }
        answer.unwrap_or_default()
    }
}

fn is(call: &Observed, op: ChannelOp) -> bool {
    matches!(&call.what, Called::Function(Some(Adapter::Channel), args) if args.first().is_some_and(|request| request["op"] == op.as_str()))
}
