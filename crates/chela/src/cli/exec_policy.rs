//! Flags of `chela exec-policy`.

use clap::{Args, Subcommand};

/// `chela exec-policy`.
#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub struct ExecPolicyArgs {
    /// The subcommand.
    #[command(subcommand)]
    pub command: ExecPolicyCommand,
}

/// What to do with the policy.
#[derive(Debug, Subcommand)]
pub enum ExecPolicyCommand {
    /// Show what the config wants, what the approvals file says, and what holds
    Show(ShowArgs),
    /// Set config and approvals file to one of `yolo`, `cautious`, `deny-all`
    Preset(PresetArgs),
    /// Set config and approvals file to these words
    Set(SetArgs),
}

/// `chela exec-policy show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `chela exec-policy preset`.
#[derive(Debug, Args)]
pub struct PresetArgs {
    /// `yolo`: everything runs. `cautious`: what is on no allowlist is asked for. `deny-all`: nothing runs
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `chela exec-policy set`.
#[derive(Debug, Args)]
pub struct SetArgs {
    /// Where commands run: auto, gateway (sandbox and node are not built)
    #[arg(long)]
    pub host: Option<String>,
    /// Which commands run: deny, allowlist, full
    #[arg(long, value_name = "MODE")]
    pub security: Option<String>,
    /// When somebody is asked: off, on-miss, always
    #[arg(long, value_name = "MODE")]
    pub ask: Option<String>,
    /// What holds when nobody answers: deny, allowlist, full
    #[arg(long, value_name = "MODE")]
    pub ask_fallback: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
