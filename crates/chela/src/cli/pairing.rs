//! Flags of `chela pairing`.

use clap::{Args, Subcommand};

use super::TargetArgs;

/// `chela pairing`.
#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub struct PairingArgs {
    /// The subcommand.
    #[command(subcommand)]
    pub command: PairingCommand,
}

/// What to do with unknown senders.
#[derive(Debug, Subcommand)]
pub enum PairingCommand {
    /// List senders that wait for approval
    List(ListArgs),
    /// Admit the sender of a code
    Approve(ApproveArgs),
}

/// `chela pairing list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// The channel; may be left out when only one can have requests
    #[arg(value_name = "CHANNEL", conflicts_with = "named")]
    pub channel: Option<String>,
    /// The channel
    #[arg(long = "channel", value_name = "CHANNEL")]
    pub named: Option<String>,
    /// Only this account of the channel
    #[arg(long, value_name = "ID")]
    pub account: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `chela pairing approve`.
#[derive(Debug, Args)]
pub struct ApproveArgs {
    /// The code, or the channel when a code follows
    #[arg(value_name = "CODE_OR_CHANNEL")]
    pub first: String,
    /// The code
    #[arg(value_name = "CODE", conflicts_with = "named")]
    pub second: Option<String>,
    /// The channel
    #[arg(long = "channel", value_name = "CHANNEL")]
    pub named: Option<String>,
    /// Only a request of this account
    #[arg(long, value_name = "ID")]
    pub account: Option<String>,
    /// Tell the sender, through the running gateway
    #[arg(long)]
    pub notify: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// How to reach the gateway, for `--notify`.
    #[command(flatten)]
    pub target: TargetArgs,
}
