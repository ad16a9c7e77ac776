//! The cases, in the order of the table.

mod drain;
mod faults;
mod handlers;
mod install;
mod lane;
mod requests;
mod startup;
mod turns;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use serde_json::Map;
use tempfile::TempDir;

use crate::gateway::Setup;
use crate::mock;
use crate::plugins::Plugin;
use crate::report::Report;

/// Names of all cases.
pub const ALL: &[&str] =
    &["startup", "list", "install", "turns", "hooks", "handlers", "lane", "requests", "connections", "drain", "faults"];

/// What the cases share.
pub struct Bench {
    /// The binary under measurement.
    pub binary: PathBuf,
    /// Folder of the fixture plugins.
    pub fixtures: PathBuf,
    /// Folder of an installed reference, for what is measured beside it.
    pub reference: Option<PathBuf>,
    /// Fewer repetitions.
    pub quick: bool,
    /// Results so far.
    pub report: Report,
    /// Where plugins are written that are made for a run.
    pub made: TempDir,
    /// Port of the mock model.
    pub model_port: u16,
}

impl Bench {
    /// Starts the mock model.
    pub async fn new(binary: PathBuf, fixtures: PathBuf, reference: Option<PathBuf>, quick: bool) -> Result<Self> {
        let model_port = mock::start().await?;
        Ok(Self { binary, fixtures, reference, quick, report: Report::default(), made: tempfile::tempdir()?, model_port })
    }

    /// A gateway with these plugins.
    pub fn setup(&self, plugins: Vec<Plugin>) -> Setup {
        Setup { binary: self.binary.clone(), model_port: self.model_port, plugins, plugin_config: Map::new(), group: None, env: Vec::new() }
    }

    /// Either of two counts.
    pub fn pick(&self, quick: usize, full: usize) -> usize {
        if self.quick { quick } else { full }
    }
}

/// Runs a case by its name.
pub async fn run(bench: &mut Bench, name: &str) -> Result<()> {
    match name {
        "startup" => startup::startup(bench).await,
        "list" => startup::list(bench),
        "install" => install::install(bench),
        "turns" => turns::turns(bench).await,
        "hooks" => turns::hooks(bench).await,
        "handlers" => handlers::handlers(bench).await,
        "lane" => lane::lane(bench).await,
        "requests" => requests::requests(bench).await,
        "connections" => requests::connections(bench).await,
        "drain" => drain::drain(bench).await,
        _ => faults::faults(bench).await,
    }
}

/// Milliseconds with fractions.
pub fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
