//! `chela agent`: one turn, through the gateway or in this process.

use std::time::Duration;

use chela_config::Config;
use serde_json::{Value, json};

use super::agent_local::{self, Reason};
use crate::cli::AgentArgs;
use crate::client::{self, ClientError, Purpose};
use crate::context::{Context, block_on};
use crate::output;
use crate::report::{Failure, warn};

/// What the gateway may need beyond the run's own limit.
const SLACK: Duration = Duration::from_secs(30);
/// Time to connect.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// A run without limit still ends some day.
const NO_LIMIT: Duration = Duration::from_secs(30 * 24 * 3600);

/// Sends the message and prints the answer. When no gateway can be reached, the turn runs here (GW-162).
///
/// # Errors
/// A run that failed, exit code 1.
pub fn run(ctx: &Context, args: Box<AgentArgs>) -> Result<(), Failure> {
    if args.message.trim().is_empty() {
        return Err(Failure::usage("`--message` is empty").hint("write it as `chela agent --message \"hello\"`"));
    }
    let config = ctx.config()?;
    if args.local {
        let result = agent_local::run(ctx, config, &args, &Reason::Asked)?;
        return print(&args, &result, &result);
    }
    match through_gateway(ctx, &config, &args) {
        Ok(reply) => {
            print(&args, &reply, &reply["result"])?;
            match reply["status"].as_str() {
                Some("error" | "timeout") => Err(failed(&reply)),
                _ => Ok(()),
            }
        }
        Err(Lost::Connection(error)) if args.target.url.is_none() => {
            warn(&format!("{error}; answering without it"));
            let result = agent_local::run(ctx, config, &args, &Reason::GatewayFailed(error.to_string()))?;
            print(&args, &result, &result)
        }
        Err(Lost::Connection(error)) => Err((*error).into()),
        Err(Lost::Other(failure)) => Err(failure),
    }
}

enum Lost {
    /// No gateway took the message.
    Connection(Box<ClientError>),
    /// The gateway took it, or it could not be sent at all.
    Other(Failure),
}

fn through_gateway(ctx: &Context, config: &Config, args: &AgentArgs) -> Result<Value, Lost> {
    let target = client::target(ctx, config, &args.target).map_err(Lost::Other)?;
    let limit = match args.timeout.unwrap_or_else(|| config.agents().timeout_seconds) {
        0 => NO_LIMIT,
        seconds => Duration::from_secs(seconds) + SLACK,
    };
    let outcome = block_on(async {
        let mut connection = match client::connect(ctx, &target, Purpose::Call, CONNECT_LIMIT).await {
            Ok(connection) => connection,
            Err(error) => return Ok(Err(error)),
        };
        let answer = connection.request("agent", params(config, args), true, limit).await;
        connection.close().await;
        Ok(Ok(answer?))
    });
    match outcome.map_err(Lost::Other)? {
        Ok(reply) => Ok(reply),
        // Only a gateway that is not there is stood in for: one that refuses has a reason that must be heard.
        Err(error @ ClientError::Unreachable { .. }) => Err(Lost::Connection(Box::new(error))),
        Err(error) => Err(Lost::Other(error.into())),
    }
}

fn params(config: &Config, args: &AgentArgs) -> Value {
    let mut params = json!({"message": args.message, "idempotencyKey": uuid::Uuid::new_v4().to_string()});
    let texts = [
        ("agentId", &args.agent),
        ("sessionId", &args.session_id),
        ("to", &args.to),
        ("model", &args.model),
        ("thinking", &args.thinking),
        ("channel", &args.channel),
        ("replyTo", &args.reply_to),
        ("replyChannel", &args.reply_channel),
        ("replyAccountId", &args.reply_account),
    ];
    for (key, value) in texts {
        if let Some(value) = value {
            params[key] = value.as_str().into();
        }
    }
    if args.agent.is_none() && args.session_id.is_none() && args.to.is_none() {
        params["agentId"] = config.agents().default_id.into();
    }
    if args.deliver {
        params["deliver"] = true.into();
    }
    if let Some(timeout) = args.timeout {
        params["timeout"] = timeout.into();
    }
    params
}

/// JSON is the whole reply; text is what the agent said.
fn print(args: &AgentArgs, reply: &Value, result: &Value) -> Result<(), Failure> {
    if args.json {
        return output::json(reply);
    }
    let said: Vec<String> = result["payloads"]
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(|payload| [payload["text"].as_str().map(str::to_owned), payload["mediaUrl"].as_str().map(|url| format!("MEDIA: {url}"))])
        .flatten()
        .collect();
    if said.is_empty() { Ok(()) } else { output::text(&said.join("\n")) }
}

fn failed(reply: &Value) -> Failure {
    let why = reply["summary"].as_str().or_else(|| reply["error"].as_str()).unwrap_or("no reason given");
    Failure::new(format!("the agent did not finish: {why}")).hint("see `chela logs`")
}
