//! Flags of `chela plugins`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

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
    /// Install a plugin
    Install(InstallArgs),
    /// Bring installed plugins up to date
    Update(UpdateArgs),
    /// Remove a plugin
    Uninstall(UninstallArgs),
    /// Go back to the version before the last change
    Rollback(RollbackArgs),
    /// Compare or rebuild the plugin index
    Registry(RegistryArgs),
    /// Search ClawHub for plugins
    Search(SearchArgs),
    /// Look at Claude marketplaces
    Marketplace(MarketplaceArgs),
    /// Show what is wrong with plugins
    Doctor(DoctorArgs),
    /// Make a plugin to begin with
    New(NewArgs),
    /// Run a plugin you write, and again after each change
    Dev(DevArgs),
    /// Try out a plugin you write: fire its hooks, call its tools
    Test(TestArgs),
    /// Show, record and set what a plugin may touch
    Permissions(PermissionsArgs),
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

/// `chela plugins new`.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 made, 1 refused with nothing written, 2 wrong use")]
pub struct NewArgs {
    /// The plugin's id, or a package's name such as @me/my-plugin
    pub name: String,
    /// What it brings
    #[arg(long, value_name = "KIND", default_value = "tool")]
    pub kind: PluginKind,
    /// Write TypeScript, which is also what happens without a choice
    #[arg(long, conflicts_with = "javascript")]
    pub typescript: bool,
    /// Write JavaScript
    #[arg(long)]
    pub javascript: bool,
    /// Its directory; one of its name without this
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// What a new plugin brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs, reason = "the names say it, and help shows them")]
pub enum PluginKind {
    Tool,
    Hook,
    Channel,
    Provider,
}

/// `chela plugins dev`.
#[derive(Debug, Args)]
#[command(
    after_help = "A gateway of its own runs the plugin with the built-in model, in a state directory that is removed at the end. Every call of \
                  the plugin is shown. What you type is said to the agent; the page in the printed URL does the same. End it with Ctrl-C"
)]
pub struct DevArgs {
    /// The plugin's directory
    pub dir: PathBuf,
    /// Config and environment of the plugin, as for `plugins test`
    #[arg(long, value_name = "FILE")]
    pub script: Option<PathBuf>,
    /// Port of the gateway; a free one without this
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
}

/// `chela plugins test`.
#[derive(Debug, Args)]
#[command(
    after_help = "The plugin runs in a real worker with the built-in model, in a state directory that is removed afterwards: no account is needed \
                  and nothing of yours is touched. Tools are really called: give harmless arguments in a script where that matters. A script is \
                  JSON5: {config, gatewayConfig, env, turns: [TEXT], tools: {NAME: [{arguments, expect: ok|error, contains}]}, skipTools: [NAME]}. \
                  Exit codes: 0 nothing failed, 1 something did, 2 wrong use"
)]
pub struct TestArgs {
    /// The plugin's directory
    pub dir: PathBuf,
    /// What to say and with what to call tools
    #[arg(long, value_name = "FILE")]
    pub script: Option<PathBuf>,
    /// Longest time of one turn or call, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 20)]
    pub timeout: u64,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `chela plugins permissions`.
#[derive(Debug, Args)]
pub struct PermissionsArgs {
    /// The plugin's id or name
    pub id: String,
    /// Load the plugin unconfined and record what it touches
    #[arg(long)]
    pub observe: bool,
    /// Write the proposed set to the config, where it holds from then on
    #[arg(long)]
    pub apply: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `chela plugins install`.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 installed, 1 refused or failed with everything as it was, 2 wrong use or not built")]
pub struct InstallArgs {
    /// A directory, an archive (.zip .tgz .tar.gz .tar), a script, an npm package, git:REPOSITORY, clawhub:PACKAGE, or a marketplace's plugin
    #[arg(value_name = "PATH-OR-SPEC")]
    pub spec: String,
    /// Use the path where it lies instead of copying it
    #[arg(short, long)]
    pub link: bool,
    /// Replace what is installed
    #[arg(long)]
    pub force: bool,
    /// Record the exact version
    #[arg(long)]
    pub pin: bool,
    /// Take the plugin from this Claude marketplace
    #[arg(long, value_name = "SOURCE")]
    pub marketplace: Option<String>,
    /// Let critical findings of the code scan pass; denied dependencies, scan errors and plugin hooks still refuse
    #[arg(long)]
    pub dangerously_force_unsafe_install: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `chela plugins search`.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 asked, with or without results, 1 no query or ClawHub cannot be asked")]
pub struct SearchArgs {
    /// What the plugin should do
    pub query: Vec<String>,
    /// Most results; 20 without it, at most 100
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub limit: Option<i64>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `chela plugins marketplace`.
#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub struct MarketplaceArgs {
    /// The subcommand.
    #[command(subcommand)]
    pub command: MarketplaceCommand,
}

/// What to do with marketplaces.
#[derive(Debug, Subcommand)]
pub enum MarketplaceCommand {
    /// List the plugins of a marketplace
    List(MarketplaceListArgs),
}

/// `chela plugins marketplace list`.
#[derive(Debug, Args)]
pub struct MarketplaceListArgs {
    /// A path, a name that Claude knows, OWNER/REPO, or a git address
    pub source: String,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `chela plugins update`.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 everything asked for is up to date or skipped for a stated reason, 1 a plugin is unknown or failed \
                  (OpenClaw ends with 0 for an unknown one), 2 wrong use")]
pub struct UpdateArgs {
    /// A plugin's id, or an npm package with an optional version or tag
    pub id: Option<String>,
    /// All installed plugins
    #[arg(long)]
    pub all: bool,
    /// Only show what would change
    #[arg(long)]
    pub dry_run: bool,
    /// Let critical findings of the code scan pass; denied dependencies, scan errors and plugin hooks still refuse
    #[arg(long)]
    pub dangerously_force_unsafe_install: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `chela plugins uninstall`.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 removed, shown or declined, 1 unknown plugin, no answer, or failed with everything as it was")]
pub struct UninstallArgs {
    /// The plugin's id, name, package or spec
    pub id: String,
    /// Keep the files
    #[arg(long)]
    pub keep_files: bool,
    /// Former name of --keep-files
    #[arg(long, hide = true)]
    pub keep_config: bool,
    /// Do not ask
    #[arg(long)]
    pub force: bool,
    /// Only show what would go
    #[arg(long)]
    pub dry_run: bool,
    /// Print JSON; without --force or --dry-run nothing is removed
    #[arg(long)]
    pub json: bool,
}

/// `chela plugins rollback`.
#[derive(Debug, Args)]
pub struct RollbackArgs {
    /// The plugin's id
    pub id: String,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `chela plugins registry`.
#[derive(Debug, Args)]
pub struct RegistryArgs {
    /// Write the index anew from what is installed
    #[arg(long)]
    pub refresh: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
