//! Flags of `chela sdk`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `chela sdk`.
#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub struct SdkArgs {
    /// The subcommand.
    #[command(subcommand)]
    pub command: SdkCommand,
}

/// What to do with the SDK.
#[derive(Debug, Subcommand)]
pub enum SdkCommand {
    /// Show what a plugin imports of the SDK and what is missing, or how much of OpenClaw's SDK is there
    Coverage(CoverageArgs),
}

/// `chela sdk coverage`.
#[derive(Debug, Args)]
#[command(after_help = "Nothing of the plugin is run: its code is read, along its imports. Exit codes: 0 read, 1 no plugin there")]
pub struct CoverageArgs {
    /// A plugin's directory
    #[arg(long, value_name = "DIR")]
    pub plugin: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
