//! Flags of `chela plugins`.

use std::ffi::OsString;

use clap::{Args, Subcommand};

/// `chela plugins`.
#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub struct PluginsArgs {
    /// The subcommand.
    #[command(subcommand)]
    pub command: PluginsCommand,
}

/// What to do with plugins.
#[derive(Debug, Subcommand)]
pub enum PluginsCommand {
    /// List plugins
    List(ListArgs),
    /// Show one plugin, or all
    #[command(visible_alias = "info")]
    Inspect(InspectArgs),
    /// Enable a plugin in the config
    Enable(SwitchArgs),
    /// Disable a plugin in the config
    Disable(SwitchArgs),
    /// Show what is wrong with plugins
    Doctor(DoctorArgs),
    /// Known subcommands that are not built.
    #[command(external_subcommand)]
    Other(Vec<OsString>),
}

/// `chela plugins list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only enabled plugins
    #[arg(long)]
    pub enabled: bool,
    /// Several lines for each plugin
    #[arg(long, conflicts_with = "json")]
    pub verbose: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `chela plugins inspect`.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// The plugin's id or name
    pub id: Option<String>,
    /// All plugins
    #[arg(long)]
    pub all: bool,
    /// Load the plugin's code and show what it registers
    #[arg(long)]
    pub runtime: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `chela plugins enable` and `disable`.
#[derive(Debug, Args)]
pub struct SwitchArgs {
    /// The plugin's id
    pub id: String,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `chela plugins doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
