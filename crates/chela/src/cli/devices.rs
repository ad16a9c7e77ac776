//! Flags of `chela devices` and `chela qr`.

use clap::{Args, Subcommand};

use super::TargetArgs;

/// `chela devices`.
#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub struct DevicesArgs {
    /// The subcommand.
    #[command(subcommand)]
    pub command: DevicesCommand,
}

/// What to do with devices.
#[derive(Debug, Subcommand)]
pub enum DevicesCommand {
    /// List pending requests and paired devices
    List(CallArgs),
    /// Approve a pending request; without an id, show the newest one
    Approve(ApproveArgs),
    /// Reject a pending request
    Reject(RejectArgs),
    /// Remove a paired device
    Remove(RemoveArgs),
    /// Remove all paired devices
    Clear(ClearArgs),
    /// Replace the token of a device
    Rotate(RotateArgs),
    /// Revoke the token of a device
    Revoke(RevokeArgs),
}

/// Flags of every subcommand.
#[derive(Debug, Clone, Args)]
pub struct CallArgs {
    /// Longest wait in ms
    #[arg(long, value_name = "MS", default_value_t = 10_000)]
    pub timeout: u64,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// How to reach the gateway.
    #[command(flatten)]
    pub target: TargetArgs,
}

/// `chela devices approve`.
#[derive(Debug, Args)]
pub struct ApproveArgs {
    /// The request, as `chela devices list` shows it
    #[arg(value_name = "REQUEST")]
    pub request: Option<String>,
    /// Show the newest request and approve nothing
    #[arg(long)]
    pub latest: bool,
    /// Common flags.
    #[command(flatten)]
    pub call: CallArgs,
}

/// `chela devices reject`.
#[derive(Debug, Args)]
pub struct RejectArgs {
    /// The request, as `chela devices list` shows it
    #[arg(value_name = "REQUEST")]
    pub request: String,
    /// Common flags.
    #[command(flatten)]
    pub call: CallArgs,
}

/// `chela devices remove`.
#[derive(Debug, Args)]
pub struct RemoveArgs {
    /// The device, as `chela devices list` shows it
    #[arg(value_name = "DEVICE")]
    pub device: String,
    /// Common flags.
    #[command(flatten)]
    pub call: CallArgs,
}

/// `chela devices clear`.
#[derive(Debug, Args)]
pub struct ClearArgs {
    /// Really do it
    #[arg(long)]
    pub yes: bool,
    /// Reject all pending requests as well
    #[arg(long)]
    pub pending: bool,
    /// Common flags.
    #[command(flatten)]
    pub call: CallArgs,
}

/// `chela devices rotate`.
#[derive(Debug, Args)]
pub struct RotateArgs {
    /// The device
    #[arg(long, value_name = "DEVICE")]
    pub device: String,
    /// The role of the token
    #[arg(long, value_name = "ROLE")]
    pub role: String,
    /// Scopes of the new token; those of the old one when absent
    #[arg(long, value_name = "SCOPE", num_args = 1..)]
    pub scope: Vec<String>,
    /// Common flags.
    #[command(flatten)]
    pub call: CallArgs,
}

/// `chela devices revoke`.
#[derive(Debug, Args)]
pub struct RevokeArgs {
    /// The device
    #[arg(long, value_name = "DEVICE")]
    pub device: String,
    /// The role of the token
    #[arg(long, value_name = "ROLE")]
    pub role: String,
    /// Common flags.
    #[command(flatten)]
    pub call: CallArgs,
}

/// `chela qr`.
#[derive(Debug, Args)]
pub struct QrArgs {
    /// URL by which the device reaches this gateway, `wss://HOST` or `ws://HOST:PORT` on a private network
    #[arg(long, alias = "public-url", value_name = "URL")]
    pub url: Option<String>,
    /// Print the setup code alone
    #[arg(long)]
    pub setup_code_only: bool,
    /// Accepted for the reference's scripts: no picture is drawn
    #[arg(long, hide = true)]
    pub no_ascii: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
