//! Arguments of `chela security`.

use clap::{Args, Subcommand};

/// `chela security`.
#[derive(Debug, Clone, Args)]
pub struct SecurityArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: SecurityCommand,
}

/// The commands.
#[derive(Debug, Clone, Subcommand)]
pub enum SecurityCommand {
    /// Look for unsafe settings, file modes and plugins
    Audit(AuditArgs),
}

/// `chela security audit`.
#[derive(Debug, Clone, Args)]
pub struct AuditArgs {
    /// Also run the checks that plugins bring, scan their code, and try the running gateway
    #[arg(long)]
    pub deep: bool,
    /// Gateway token for `--deep`
    #[arg(long, value_name = "TOKEN")]
    pub token: Option<String>,
    /// Gateway password for `--deep`
    #[arg(long, value_name = "PASSWORD")]
    pub password: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
