//! Flags of `chela approvals`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::devices::CallArgs;

/// `chela approvals`.
#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub struct ApprovalsArgs {
    /// The subcommand.
    #[command(subcommand)]
    pub command: ApprovalsCommand,
}

/// What to do with approvals.
#[derive(Debug, Subcommand)]
pub enum ApprovalsCommand {
    /// List what waits for an answer
    List(CallArgs),
    /// Allow one request
    Approve(ApproveArgs),
    /// Refuse one request
    Deny(DenyArgs),
    /// Show what commands may run: config, approvals file, and what holds
    Get(PlaceArgs),
    /// Replace the approvals file
    Set(SetArgs),
    /// Add patterns to an allowlist and remove them
    Allowlist(AllowlistArgs),
    /// List what plugins may do without asking again, or take it back
    Grants(GrantsArgs),
    /// Show who asked for what, and who allowed it
    Audit(AuditArgs),
}

/// `chela approvals approve`.
#[derive(Debug, Args)]
pub struct ApproveArgs {
    /// The request, or the beginning of its id
    #[arg(value_name = "ID")]
    pub id: String,
    /// Allow the same for ever, not only this time
    #[arg(long)]
    pub always: bool,
    /// Common flags.
    #[command(flatten)]
    pub call: CallArgs,
}

/// `chela approvals deny`.
#[derive(Debug, Args)]
pub struct DenyArgs {
    /// The request, or the beginning of its id
    #[arg(value_name = "ID")]
    pub id: String,
    /// Common flags.
    #[command(flatten)]
    pub call: CallArgs,
}

/// Which approvals file.
#[derive(Debug, Clone, Args)]
pub struct PlaceArgs {
    /// The file of the running gateway, in place of the one of this state directory
    #[arg(long)]
    pub gateway: bool,
    /// The file of a node; node hosts are not built
    #[arg(long, value_name = "NODE", conflicts_with = "gateway")]
    pub node: Option<String>,
    /// Common flags.
    #[command(flatten)]
    pub call: CallArgs,
}

/// `chela approvals set`.
#[derive(Debug, Args)]
pub struct SetArgs {
    /// Read the new content from a file
    #[arg(long, value_name = "FILE", required_unless_present = "stdin")]
    pub file: Option<PathBuf>,
    /// Read the new content from the standard input
    #[arg(long, conflicts_with = "file")]
    pub stdin: bool,
    /// Which file.
    #[command(flatten)]
    pub place: PlaceArgs,
}

/// `chela approvals allowlist`.
#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub struct AllowlistArgs {
    /// The subcommand.
    #[command(subcommand)]
    pub command: AllowlistCommand,
}

/// What to do with an allowlist.
#[derive(Debug, Subcommand)]
pub enum AllowlistCommand {
    /// Add a pattern
    Add(PatternArgs),
    /// Remove a pattern
    Remove(PatternArgs),
}

/// `chela approvals allowlist add|remove`.
#[derive(Debug, Args)]
pub struct PatternArgs {
    /// Path of a program with `*`, `**` and `?`, or the bare name of one
    #[arg(value_name = "PATTERN")]
    pub pattern: String,
    /// The agent; `*` for all
    #[arg(long, value_name = "ID", default_value = "*")]
    pub agent: String,
    /// Which file.
    #[command(flatten)]
    pub place: PlaceArgs,
}

/// `chela approvals grants`.
#[derive(Debug, Args)]
pub struct GrantsArgs {
    /// Take this one back: its key, or the beginning of it
    #[arg(long, value_name = "KEY")]
    pub revoke: Option<String>,
    /// Common flags.
    #[command(flatten)]
    pub call: CallArgs,
}

/// `chela approvals audit`.
#[derive(Debug, Args)]
pub struct AuditArgs {
    /// Most entries
    #[arg(long, value_name = "COUNT", default_value_t = 50)]
    pub limit: u64,
    /// Common flags.
    #[command(flatten)]
    pub call: CallArgs,
}
