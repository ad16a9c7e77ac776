//! Flags of `chela config`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// `chela config`.
#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub struct ConfigArgs {
    /// The subcommand.
    #[command(subcommand)]
    pub command: ConfigCommand,
}

/// What to do with the config.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print a value; secrets are masked
    Get(GetArgs),
    /// Set a value
    Set(Box<SetArgs>),
    /// Remove a value
    Unset(UnsetArgs),
    /// Check the file
    Validate(JsonArgs),
    /// Print the file's path
    File(JsonArgs),
    /// Print the JSON schema of the file
    Schema(JsonArgs),
    /// Known subcommands that are not built.
    #[command(external_subcommand)]
    Other(Vec<OsString>),
}

/// `chela config get`.
#[derive(Debug, Args)]
pub struct GetArgs {
    /// Path such as `gateway.port` or `agents.list[0].id`
    pub path: String,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `chela config set`.
#[derive(Debug, Args)]
pub struct SetArgs {
    /// Path such as `gateway.port` or `agents.list[0].id`
    #[arg(required_unless_present_any = ["batch_json", "batch_file"])]
    pub path: Option<String>,
    /// JSON, or else plain text
    #[arg(allow_hyphen_values = true)]
    pub value: Option<String>,
    /// Refuse a value that is not JSON
    #[arg(long)]
    pub strict_json: bool,
    /// Merge into the object that is there
    #[arg(long, conflicts_with = "replace")]
    pub merge: bool,
    /// Replace a list or map of your own entries although some would go
    #[arg(long)]
    pub replace: bool,
    /// Check everything and write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// With `--dry-run`: run the programs of secret references
    #[arg(long, requires = "dry_run")]
    pub allow_exec: bool,
    /// Several settings at once: a JSON list of `{path, value}` or `{path, ref}`
    #[arg(long, value_name = "JSON", conflicts_with_all = ["path", "batch_file"])]
    pub batch_json: Option<String>,
    /// As `--batch-json`, from a file
    #[arg(long, value_name = "PATH", conflicts_with = "path")]
    pub batch_file: Option<PathBuf>,
    /// Refer to a secret: where it lies
    #[arg(long, value_name = "SOURCE", requires = "ref_id", conflicts_with = "value")]
    pub ref_source: Option<RefSource>,
    /// Refer to a secret: the provider's alias
    #[arg(long, value_name = "ALIAS", requires = "ref_id", default_value = "default")]
    pub ref_provider: String,
    /// Refer to a secret: its name there
    #[arg(long, value_name = "ID", requires = "ref_source")]
    pub ref_id: Option<String>,
    /// Take the value as JSON, and print the result as JSON
    #[arg(long)]
    pub json: bool,
}

/// Where a secret lies.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum RefSource {
    /// An environment variable
    Env,
    /// A file
    File,
    /// The output of a program
    Exec,
}

/// `chela config unset`.
#[derive(Debug, Args)]
pub struct UnsetArgs {
    /// Path such as `gateway.port` or `agents.list[0].id`
    pub path: String,
    /// Check everything and write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// A command that only takes `--json`.
#[derive(Debug, Args)]
pub struct JsonArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
