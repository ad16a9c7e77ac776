//! Commands and flags, as the reference's command line names them. What they do is in `commands`.

pub mod approvals;
pub mod config;
pub mod devices;
pub mod exec_policy;
pub mod gateway;
pub mod hooks;
pub mod migrate;
pub mod pairing;
pub mod plugins;
pub mod sdk;
pub mod security;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::Styles;
use clap::builder::styling::AnsiColor;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// A personal-assistant gateway that runs OpenClaw plugins
#[derive(Debug, Parser)]
#[command(name = "chela", version, styles = STYLES, disable_help_subcommand = true)]
#[command(after_help = "Start with `chela gateway run`, then `chela agent --message \"hello\"` in another terminal")]
pub struct Cli {
    /// Flags of every command.
    #[command(flatten)]
    pub globals: Globals,
    /// The command.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Flags of every command.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Global options")]
pub struct Globals {
    /// Use the profile `dev`: state in `~/.openclaw-dev`, port 19001
    #[arg(long, global = true, conflicts_with = "profile")]
    pub dev: bool,
    /// Use a named profile: state in `~/.openclaw-<NAME>`
    #[arg(long, global = true, value_name = "NAME")]
    pub profile: Option<String>,
    /// Log level: silent, fatal, error, warn, info, debug or trace
    #[arg(long, global = true, value_name = "LEVEL", hide_possible_values = true)]
    pub log_level: Option<Level>,
    /// Print without colour
    #[arg(long, global = true)]
    pub no_color: bool,
}

/// Log levels by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs, reason = "the names say it, and help shows them")]
pub enum Level {
    Silent,
    Fatal,
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl Level {
    /// The name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::Fatal => "fatal",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run, inspect and query the gateway
    Gateway(gateway::GatewayArgs),
    /// Send a message to an agent and print the answer
    Agent(Box<AgentArgs>),
    /// List, inspect, enable and disable plugins
    Plugins(plugins::PluginsArgs),
    /// Compare the plugin SDK with what plugins need
    Sdk(sdk::SdkArgs),
    /// List, inspect, enable and disable hooks
    Hooks(hooks::HooksArgs),
    /// Read and edit the config file
    Config(config::ConfigArgs),
    /// Answer what waits for approval, and say which commands may run
    #[command(alias = "exec-approvals")]
    Approvals(approvals::ApprovalsArgs),
    /// Show and set which commands the agent may run
    ExecPolicy(exec_policy::ExecPolicyArgs),
    /// Approve, list and remove devices
    Devices(devices::DevicesArgs),
    /// Print a setup code that pairs one device
    Qr(devices::QrArgs),
    /// List and admit unknown senders of channels
    Pairing(pairing::PairingArgs),
    /// Bring the state of another assistant here
    Migrate(migrate::MigrateArgs),
    /// List conversations
    Sessions(SessionsArgs),
    /// Show gateway, agents, plugins and recent sessions
    Status(StatusArgs),
    /// Ask the running gateway how it is
    Health(HealthArgs),
    /// Show the gateway's log
    Logs(LogsArgs),
    /// Look for what makes this installation less safe
    Security(security::SecurityArgs),
    /// Find problems and say how to mend them
    Doctor(DoctorArgs),
    /// Print a completion script for a shell
    Completion(CompletionArgs),
    /// Commands of plugins, and those that are known and not built.
    #[command(external_subcommand)]
    Other(Vec<OsString>),
}

/// `chela agent`.
#[derive(Debug, Clone, Args)]
pub struct AgentArgs {
    /// The message
    #[arg(short, long, value_name = "TEXT")]
    pub message: String,
    /// Agent to talk to; the default agent when absent
    #[arg(long, value_name = "ID")]
    pub agent: Option<String>,
    /// Session to continue
    #[arg(long, value_name = "ID")]
    pub session_id: Option<String>,
    /// Recipient from which the session is derived
    #[arg(short, long, value_name = "NUMBER")]
    pub to: Option<String>,
    /// Model of this run, `provider/model` or a model id
    #[arg(long, value_name = "ID")]
    pub model: Option<String>,
    /// Thinking level: off, minimal, low, medium, high, or what the model knows
    #[arg(long, value_name = "LEVEL")]
    pub thinking: Option<String>,
    /// Run in this process, without a gateway
    #[arg(long)]
    pub local: bool,
    /// Deliver the answer to the channel as well
    #[arg(long)]
    pub deliver: bool,
    /// Delivery channel
    #[arg(long, value_name = "CHANNEL")]
    pub channel: Option<String>,
    /// Delivery target, apart from the session
    #[arg(long, value_name = "TARGET")]
    pub reply_to: Option<String>,
    /// Delivery channel, apart from the session
    #[arg(long, value_name = "CHANNEL")]
    pub reply_channel: Option<String>,
    /// Delivery account
    #[arg(long, value_name = "ID")]
    pub reply_account: Option<String>,
    /// Longest run in seconds, 0 for no limit; else the config's value
    #[arg(long, value_name = "SECONDS")]
    pub timeout: Option<u64>,
    /// Print the whole result as JSON
    #[arg(long)]
    pub json: bool,
    /// How to reach the gateway.
    #[command(flatten)]
    pub target: TargetArgs,
}

/// How to reach the gateway.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Connection options")]
pub struct TargetArgs {
    /// Gateway URL, `ws://HOST:PORT`; needs `--token` or `--password`
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// Gateway token
    #[arg(long, value_name = "TOKEN")]
    pub token: Option<String>,
    /// Gateway password
    #[arg(long, value_name = "PASSWORD")]
    pub password: Option<String>,
}

/// `chela sessions`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct SessionsArgs {
    /// What to do instead of listing.
    #[command(subcommand)]
    pub command: Option<SessionsCommand>,
    /// Agent whose sessions to list; the default agent when absent
    #[arg(long, value_name = "ID")]
    pub agent: Option<String>,
    /// Sessions of all agents
    #[arg(long, conflicts_with = "agent")]
    pub all_agents: bool,
    /// Only sessions changed in the last minutes
    #[arg(long, value_name = "MINUTES")]
    pub active: Option<u64>,
    /// Longest list, or `all`
    #[arg(long, value_name = "COUNT", default_value = "100")]
    pub limit: String,
    /// A `sessions.json` to read instead
    #[arg(long, value_name = "PATH", conflicts_with_all = ["agent", "all_agents"])]
    pub store: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `chela sessions ...`.
#[derive(Debug, Subcommand)]
pub enum SessionsCommand {
    /// Remove sessions that `session.maintenance` does not want to keep
    Cleanup(SessionsCleanupArgs),
    /// List transcripts that were put away
    Archives(SessionsArchivesArgs),
    /// Put an archived transcript back as the session of its key
    Restore(SessionsRestoreArgs),
    /// Known subcommands that are not built.
    #[command(external_subcommand)]
    Other(Vec<OsString>),
}

/// `chela sessions cleanup`.
#[derive(Debug, Args)]
pub struct SessionsCleanupArgs {
    /// Agent whose sessions to clean up; the default agent when absent
    #[arg(long, value_name = "ID")]
    pub agent: Option<String>,
    /// Sessions of all agents
    #[arg(long, conflicts_with = "agent")]
    pub all_agents: bool,
    /// Only say what would go
    #[arg(long)]
    pub dry_run: bool,
    /// Act although the config only warns
    #[arg(long)]
    pub enforce: bool,
    /// Also remove sessions whose transcript file is gone
    #[arg(long)]
    pub fix_missing: bool,
    /// Also remove sessions of single direct peers, where `session.dmScope` is `main`
    #[arg(long)]
    pub fix_dm_scope: bool,
    /// A session that stays
    #[arg(long, value_name = "KEY")]
    pub active_key: Option<String>,
    /// A `sessions.json` to clean up without a gateway
    #[arg(long, value_name = "PATH", conflicts_with_all = ["agent", "all_agents"])]
    pub store: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// How to reach the gateway.
    #[command(flatten)]
    pub target: TargetArgs,
}

/// `chela sessions archives`.
#[derive(Debug, Args)]
pub struct SessionsArchivesArgs {
    /// Only this agent's
    #[arg(long, value_name = "ID")]
    pub agent: Option<String>,
    /// Longest list
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    pub limit: u64,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// How to reach the gateway.
    #[command(flatten)]
    pub target: TargetArgs,
}

/// `chela sessions restore`.
#[derive(Debug, Args)]
pub struct SessionsRestoreArgs {
    /// Session id of the transcript, as `chela sessions archives` lists it
    #[arg(value_name = "SESSION_ID")]
    pub session_id: String,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// How to reach the gateway.
    #[command(flatten)]
    pub target: TargetArgs,
}

/// `chela status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Longest wait for the gateway in ms
    #[arg(long, value_name = "MS", default_value_t = 10_000)]
    pub timeout: u64,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// How to reach the gateway.
    #[command(flatten)]
    pub target: TargetArgs,
}

/// `chela health`.
#[derive(Debug, Args)]
pub struct HealthArgs {
    /// Longest wait in ms
    #[arg(long, value_name = "MS", default_value_t = 10_000)]
    pub timeout: u64,
    /// Look anew instead of at the last snapshot
    #[arg(long, alias = "debug")]
    pub verbose: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// How to reach the gateway.
    #[command(flatten)]
    pub target: TargetArgs,
}

/// `chela logs`.
#[derive(Debug, Args)]
pub struct LogsArgs {
    /// Go on with what is written from now on
    #[arg(long, short)]
    pub follow: bool,
    /// Most lines to print
    #[arg(long, value_name = "COUNT", default_value_t = 200)]
    pub limit: usize,
    /// Most bytes to read
    #[arg(long, value_name = "BYTES", default_value_t = 250_000)]
    pub max_bytes: u64,
    /// Time between two looks with `--follow`, in ms
    #[arg(long, value_name = "MS", default_value_t = 1_000)]
    pub interval: u64,
    /// Show times of this time zone
    #[arg(long)]
    pub local_time: bool,
    /// Plain text without styles
    #[arg(long)]
    pub plain: bool,
    /// Longest wait for the gateway in ms
    #[arg(long, value_name = "MS", default_value_t = 30_000)]
    pub timeout: u64,
    /// Print JSON lines
    #[arg(long)]
    pub json: bool,
    /// How to reach the gateway.
    #[command(flatten)]
    pub target: TargetArgs,
}

/// `chela doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Mend what can be mended safely
    #[arg(long, alias = "repair")]
    pub fix: bool,
    /// Ask nothing; there are no questions yet
    #[arg(long, hide = true, alias = "yes")]
    pub non_interactive: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `chela completion`.
#[derive(Debug, Args)]
pub struct CompletionArgs {
    /// The shell
    #[arg(value_name = "SHELL", conflicts_with = "shell_flag")]
    pub shell: Option<clap_complete::Shell>,
    /// The shell
    #[arg(short = 's', long = "shell", value_name = "SHELL", id = "shell_flag", hide = true)]
    pub shell_flag: Option<clap_complete::Shell>,
    /// Write the script into the state directory instead
    #[arg(long)]
    pub write_state: bool,
}

/// The top help as text.
pub fn help() -> String {
    Cli::command().render_help().ansi().to_string()
}

/// Names of the built commands, for suggestions and for plugins, which cannot take them.
pub fn command_names() -> Vec<String> {
    Cli::command().get_subcommands().map(|command| command.get_name().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }
}
