//! Arguments of `chela migrate`.

use std::path::PathBuf;

use clap::Args;

/// `chela migrate`.
#[derive(Debug, Clone, Args)]
pub struct MigrateArgs {
    /// `list`, a provider, or `plan` or `apply` and a provider
    #[arg(value_name = "WORDS", num_args = 0..=2)]
    pub words: Vec<String>,
    /// Show the plan and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Where the other assistant keeps its state
    #[arg(long, value_name = "DIR")]
    pub from: Option<PathBuf>,
    /// Bring credentials along
    #[arg(long)]
    pub include_secrets: bool,
    /// Replace what is there already
    #[arg(long)]
    pub overwrite: bool,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
    /// Bring only this skill; may be repeated
    #[arg(long, value_name = "NAME")]
    pub skill: Vec<String>,
    /// Make no backup first; needs `--force` when there is state
    #[arg(long)]
    pub no_backup: bool,
    /// Go on without a backup
    #[arg(long)]
    pub force: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
