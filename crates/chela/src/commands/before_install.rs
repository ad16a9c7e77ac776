//! Asking plugins before something is installed from the command line (INS-247, INS-365): the running gateway, else the enabled
//! plugins that listen, started here for as long as it takes.

use std::sync::Arc;
use std::time::Duration;

use chela_host::Purpose;
use chela_install::{BeforeInstall, BeforeInstallEvent, Verdict};
use serde_json::{Value, json};

use super::plugin_runtime::{Silent, open};
use crate::cli::TargetArgs;
use crate::client;
use crate::context::{Context, block_on};
use crate::lockfile::{LockState, look};
use crate::report::Failure;

/// Longest answer of a gateway: the start of listeners and their handlers' budgets together.
const GATEWAY_PATIENCE: Duration = Duration::from_secs(150);
/// How long workers may take to end.
const GRACE: Duration = Duration::from_millis(500);

/// The plugins of this state directory.
pub struct Listeners {
    ctx: Context,
}

impl Listeners {
    /// Nothing is started or asked yet.
    pub fn new(ctx: &Context) -> Self {
        Self { ctx: Context { env: ctx.env.clone(), paths: ctx.paths.clone(), started: ctx.started } }
    }

    fn answer(&self, event: Value) -> Result<Value, Failure> {
        let config = self.ctx.config()?;
        if matches!(look(&self.ctx.paths), LockState::Running { .. }) {
            let target = client::target(&self.ctx, &config, &TargetArgs::default())?;
            if target.loopback {
                return block_on(async { Ok(self.ask_gateway(&target, event).await?) });
            }
        }
        let listeners = chela_host::install_listeners(&self.ctx.paths, &self.ctx.scan(&config));
        if listeners.is_empty() {
            return Ok(Value::Null);
        }
        block_on(async {
            let host = open(&self.ctx, config, Arc::new(Silent), Purpose::Inspect, false)?;
            let answer = host.before_install(&listeners, event).await;
            host.close(GRACE).await;
            answer.map_err(|error| Failure::new(error.to_string()))
        })
    }

    async fn ask_gateway(&self, target: &client::Target, event: Value) -> Result<Value, client::ClientError> {
        let params = json!({ "event": event });
        client::call(&self.ctx, target, client::Purpose::Call, "plugins.beforeInstall", params, GATEWAY_PATIENCE).await
    }
}

impl BeforeInstall for Listeners {
    fn ask(&self, event: &BeforeInstallEvent) -> Result<Verdict, String> {
        let event = serde_json::to_value(event).map_err(|error| error.to_string())?;
        // The caller may be inside a runtime; this needs one of its own.
        let asked = std::thread::scope(|scope| scope.spawn(|| self.answer(event)).join());
        let answer = asked.map_err(|_| "the listeners could not be asked".to_owned())?;
        answer.map(|answer| verdict(&answer)).map_err(|failure| {
            let causes = failure.causes.iter().map(|cause| format!(": {cause}")).collect::<String>();
            failure.message + &causes
        })
    }
}

/// INS-241..INS-243: findings of no weight are not shown.
fn verdict(answer: &Value) -> Verdict {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let weighty = |f: &&Value| matches!(f["severity"].as_str(), Some("critical" | "warn"));
    let line = |f: &Value| {
        let message = f["message"].as_str().unwrap_or("a finding without a message");
        match (f["file"].as_str(), f["line"].as_u64()) {
            (Some(file), Some(line)) => format!("{message} ({file}:{line})"),
            (Some(file), None) => format!("{message} ({file})"),
            _ => message.to_owned(),
        }
    };
    Verdict {
        block: (answer["block"] == true).then(|| text(&answer["blockReason"])),
        findings: answer["findings"].as_array().into_iter().flatten().filter(weighty).map(line).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // INS-241, INS-242, INS-243
    #[test]
    fn a_verdict_is_read_from_the_merged_answer() {
        let finding = |severity: &str| json!({"ruleId": "r", "severity": severity, "file": "a.js", "line": 3, "message": severity});
        let cases = [
            (Value::Null, Verdict::default()),
            (json!({"block": false, "findings": []}), Verdict::default()),
            (json!({"block": true, "findings": []}), Verdict { block: Some(None), findings: vec![] }),
            (json!({"block": true, "blockReason": "no"}), Verdict { block: Some(Some("no".into())), findings: vec![] }),
            (
                json!({"block": false, "findings": [finding("info"), finding("warn"), finding("critical"), 7, {"severity": "warn"}]}),
                Verdict {
                    block: None,
                    findings: vec!["warn (a.js:3)".into(), "critical (a.js:3)".into(), "a finding without a message".into()],
                },
            ),
        ];
        for (answer, expected) in cases {
            assert_eq!(verdict(&answer), expected, "{answer}");
        }
    }
}
