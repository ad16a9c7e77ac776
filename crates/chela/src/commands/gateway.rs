//! `chela gateway`: running, asking, steering.

use std::time::Duration;

use serde_json::Value;

use crate::cli::gateway::{CallArgs, GatewayArgs, GatewayCommand};
use crate::client::{self, Purpose};
use crate::context::{Context, block_on};
use crate::output;
use crate::report::Failure;

const BUILT: [&str; 6] = ["run", "status", "stop", "restart", "call", "health"];
const NOT_BUILT: &[(&str, &str)] = &[
    ("install", "run it under your service manager with `chela gateway run`"),
    ("uninstall", "stop it with `chela gateway stop`"),
    ("start", "run it with `chela gateway run`"),
    ("probe", "see `chela gateway status`"),
    ("discover", "name the gateway with `--url`"),
    ("diagnostics", "see `chela doctor` and `chela logs`"),
    ("stability", "see `chela health` and `chela logs`"),
    ("usage-cost", "see the token counts of `chela sessions`"),
];

/// Runs the subcommand; without one, the gateway itself.
///
/// # Errors
/// Those of the subcommand.
pub fn run(ctx: &Context, args: GatewayArgs) -> Result<(), Failure> {
    match args.command {
        None => super::gateway_run::run(ctx, &args.run),
        Some(GatewayCommand::Run(args)) => super::gateway_run::run(ctx, &args),
        Some(GatewayCommand::Status(args)) => super::gateway_status::run(ctx, &args),
        Some(GatewayCommand::Stop(args)) => super::gateway_control::stop(ctx, &args),
        Some(GatewayCommand::Restart(args)) => super::gateway_control::restart(ctx, &args),
        Some(GatewayCommand::Call(args)) => call(ctx, &args),
        Some(GatewayCommand::Health(args)) => super::health::run(ctx, &args),
        Some(GatewayCommand::Other(words)) => {
            let name = words.first().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
            Err(super::other::subcommand("chela gateway", &name, NOT_BUILT, &BUILT))
        }
    }
}

/// The raw call (GW-160).
fn call(ctx: &Context, args: &CallArgs) -> Result<(), Failure> {
    let params: Value = serde_json::from_str(&args.params).map_err(|error| {
        Failure::usage("`--params` is not JSON").cause(error.to_string()).hint("quote it as `--params '{\"key\": \"value\"}'`")
    })?;
    if !params.is_object() {
        return Err(Failure::usage("`--params` is not a JSON object").hint("write it as `--params '{\"key\": \"value\"}'`"));
    }
    let (config, _) = ctx.config_lenient()?;
    let target = client::target(ctx, &config, &args.target)?;
    let limit = Duration::from_millis(args.timeout);
    let answer = block_on(async {
        let mut connection = client::connect(ctx, &target, Purpose::Call, limit).await?;
        let answer = connection.request(&args.method, params, args.expect_final, limit).await;
        connection.close().await;
        Ok(answer?)
    })?;
    output::json(&answer)
}
