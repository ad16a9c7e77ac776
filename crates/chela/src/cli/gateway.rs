//! Flags of `chela gateway`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::TargetArgs;

/// `chela gateway`; without a subcommand it runs the gateway.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct GatewayArgs {
    /// The subcommand.
    #[command(subcommand)]
    pub command: Option<GatewayCommand>,
    /// Flags of `run`.
    #[command(flatten)]
    pub run: RunArgs,
}

/// What to do with the gateway.
#[derive(Debug, Subcommand)]
pub enum GatewayCommand {
    /// Run the gateway in the foreground
    Run(Box<RunArgs>),
    /// Show whether it runs and what its credentials allow
    Status(StatusArgs),
    /// Stop the running gateway
    Stop(StopArgs),
    /// Restart the running gateway
    Restart(RestartArgs),
    /// Call one method and print the answer
    Call(CallArgs),
    /// Ask the running gateway how it is
    Health(super::HealthArgs),
    /// Known subcommands that are not built.
    #[command(external_subcommand)]
    Other(Vec<OsString>),
}

/// `chela gateway run`.
#[derive(Debug, Clone, Default, Args)]
pub struct RunArgs {
    /// Port for WebSocket and HTTP
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Option<u16>,
    /// Where to listen: loopback, lan, tailnet, auto or custom
    #[arg(long, value_name = "MODE", value_parser = ["loopback", "lan", "tailnet", "auto", "custom"], hide_possible_values = true)]
    pub bind: Option<String>,
    /// How clients prove who they are: none, token, password or trusted-proxy
    #[arg(long, value_name = "MODE", value_parser = ["none", "token", "password", "trusted-proxy"], hide_possible_values = true)]
    pub auth: Option<String>,
    /// Token that clients must present
    #[arg(long, value_name = "TOKEN")]
    pub token: Option<String>,
    /// Password that clients must present
    #[arg(long, value_name = "PASSWORD", conflicts_with = "password_file")]
    pub password: Option<String>,
    /// File that holds the password
    #[arg(long, value_name = "PATH")]
    pub password_file: Option<PathBuf>,
    /// Start although `gateway.mode` is not `local`
    #[arg(long)]
    pub allow_unconfigured: bool,
    /// Stop the gateway that holds the lock first
    #[arg(long)]
    pub force: bool,
    /// Log more: level `debug` on the terminal
    #[arg(long)]
    pub verbose: bool,
    /// Log JSON lines to the terminal
    #[arg(long)]
    pub json: bool,
}

/// `chela gateway status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Longest wait in ms
    #[arg(long, value_name = "MS", default_value_t = 10_000)]
    pub timeout: u64,
    /// Do not connect
    #[arg(long)]
    pub no_probe: bool,
    /// Exit with 1 when the gateway does not answer
    #[arg(long, conflicts_with = "no_probe")]
    pub require_rpc: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// How to reach the gateway.
    #[command(flatten)]
    pub target: TargetArgs,
}

/// `chela gateway stop`.
#[derive(Debug, Args)]
pub struct StopArgs {
    /// Longest wait for its end in ms
    #[arg(long, value_name = "MS", default_value_t = 20_000)]
    pub timeout: u64,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `chela gateway restart` (GW-161).
#[derive(Debug, Args)]
pub struct RestartArgs {
    /// Wait until active work is done
    #[arg(long, conflicts_with_all = ["force", "wait"])]
    pub safe: bool,
    /// With `--safe`: do not put the restart off
    #[arg(long, requires = "safe")]
    pub skip_deferral: bool,
    /// Restart at once
    #[arg(long)]
    pub force: bool,
    /// Wait so long for active work: ms, or `10s`, `5m`; 0 for ever
    #[arg(long, value_name = "DURATION", value_parser = duration_ms)]
    pub wait: Option<u64>,
    /// Longest wait for its return in ms
    #[arg(long, value_name = "MS", default_value_t = 20_000)]
    pub timeout: u64,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// How to reach the gateway.
    #[command(flatten)]
    pub target: TargetArgs,
}

/// `chela gateway call` (GW-160).
#[derive(Debug, Args)]
pub struct CallArgs {
    /// The method, such as `health` or `sessions.list`
    pub method: String,
    /// Its parameters, a JSON object
    #[arg(long, value_name = "JSON", default_value = "{}")]
    pub params: String,
    /// Wait for the final answer of a run
    #[arg(long)]
    pub expect_final: bool,
    /// Longest wait in ms
    #[arg(long, value_name = "MS", default_value_t = 10_000)]
    pub timeout: u64,
    /// Print the answer alone
    #[arg(long)]
    pub json: bool,
    /// How to reach the gateway.
    #[command(flatten)]
    pub target: TargetArgs,
}

fn duration_ms(text: &str) -> Result<u64, String> {
    chela_config::units::parse_duration_ms(text, "ms").ok_or_else(|| format!("`{text}` is not a duration such as `500`, `10s` or `5m`"))
}
