//! Flags of `chela hooks`.

use std::ffi::OsString;

use clap::{Args, Subcommand};

use super::TargetArgs;

/// `chela hooks`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct HooksArgs {
    /// The subcommand; `list` without one.
    #[command(subcommand)]
    pub command: Option<HooksCommand>,
    /// Flags of `list`.
    #[command(flatten)]
    pub list: ListArgs,
}

/// What to do with hooks.
#[derive(Debug, Subcommand)]
pub enum HooksCommand {
    /// List hooks
    List(ListArgs),
    /// Show one hook and what it needs
    #[command(after_help = "Exit codes: 0 shown, 1 no such hook (OpenClaw ends with 0)")]
    Info(InfoArgs),
    /// Show which hooks are ready
    Check(CheckArgs),
    /// Enable a hook in the config
    Enable(SwitchArgs),
    /// Disable a hook in the config
    Disable(SwitchArgs),
    /// Watch handlers of hooks in a running gateway
    #[command(after_help = "Shows the keys and sizes of what handlers get and return; with --values the contents too, for \
        administrators. Ctrl-C ends it")]
    Trace(TraceArgs),
    /// Former name of `plugins install`
    #[command(hide = true)]
    Install(InstallArgs),
    /// Former name of `plugins update`
    #[command(hide = true)]
    Update(UpdateArgs),
    /// Known subcommands that are not built.
    #[command(external_subcommand)]
    Other(Vec<OsString>),
}

/// `chela hooks list`.
#[derive(Debug, Default, Args)]
pub struct ListArgs {
    /// Only hooks that are ready
    #[arg(long)]
    pub eligible: bool,
    /// Show what is missing
    #[arg(short, long)]
    pub verbose: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `chela hooks info`.
#[derive(Debug, Args)]
pub struct InfoArgs {
    /// The hook's name, or its key in the config
    pub name: String,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `chela hooks check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `chela hooks enable` and `disable`.
#[derive(Debug, Args)]
pub struct SwitchArgs {
    /// The hook's name, or its key in the config
    pub name: String,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `chela hooks trace`.
#[derive(Debug, Args)]
pub struct TraceArgs {
    /// Only handlers of this plugin; may be given several times
    #[arg(long = "plugin", value_name = "ID")]
    pub plugins: Vec<String>,
    /// Only this hook or internal event, such as `before_tool_call` or `command:new`; may be given several times
    #[arg(long = "hook", value_name = "NAME")]
    pub hooks: Vec<String>,
    /// Show contents, not only keys and sizes
    #[arg(long)]
    pub values: bool,
    /// End after so many calls
    #[arg(long, value_name = "N")]
    pub count: Option<u64>,
    /// Print one JSON document for each call
    #[arg(long)]
    pub json: bool,
    /// Which gateway
    #[command(flatten)]
    pub target: TargetArgs,
}

/// `chela hooks install`.
#[derive(Debug, Args)]
pub struct InstallArgs {
    /// A hook pack's directory, archive or npm package
    #[arg(value_name = "PATH-OR-SPEC")]
    pub spec: String,
    /// Use the path where it lies instead of copying it
    #[arg(short, long)]
    pub link: bool,
    /// Record the exact version
    #[arg(long)]
    pub pin: bool,
}

/// `chela hooks update`.
#[derive(Debug, Args)]
pub struct UpdateArgs {
    /// The hook pack's id
    pub id: Option<String>,
    /// All installed hook packs and plugins
    #[arg(long)]
    pub all: bool,
    /// Only show what would change
    #[arg(long)]
    pub dry_run: bool,
}
