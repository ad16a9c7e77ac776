//! Measures the whole program from outside: starts the real `chela` binary with its own state directory, talks to it as a client
//! does, and prints a Markdown table. It asserts no times: what is fast enough is for a person to judge, on a machine they know.

mod cases;
mod client;
mod gateway;
mod http;
mod mock;
mod plugins;
mod process;
mod report;
mod stats;

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Parser;

use crate::cases::Bench;

/// Starts the chela binary and measures it
#[derive(Debug, Parser)]
#[command(name = "chela-bench")]
struct Options {
    /// The binary to measure
    #[arg(default_value = "target/release/chela")]
    binary: PathBuf,
    /// Fewer repetitions and smaller counts
    #[arg(long)]
    quick: bool,
    /// Only cases whose name contains this
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// Also write every figure as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Folder of the fixture plugins
    #[arg(long, value_name = "DIR", default_value = "fixtures/plugins")]
    fixtures: PathBuf,
    /// Folder of an installed reference (npm package `openclaw`), for the case `install`
    #[arg(long, value_name = "DIR")]
    reference: Option<PathBuf>,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<()> {
    let options = Options::parse();
    let binary = fs_err::canonicalize(&options.binary).context("build it first: `cargo build --release -p chela`")?;
    let fixtures = fs_err::canonicalize(&options.fixtures).context("run from the repository's root, or pass --fixtures")?;
    let wanted: Vec<_> = cases::ALL.iter().filter(|name| options.only.as_ref().is_none_or(|only| name.contains(only.as_str()))).collect();
    if wanted.is_empty() {
        bail!("no case is named like that; there are: {}", cases::ALL.join(", "));
    }
    let mut bench = Bench::new(binary, fixtures, options.reference, options.quick).await?;
    for name in wanted {
        writeln!(std::io::stderr(), "{name} ...")?;
        cases::run(&mut bench, name).await.with_context(|| format!("case `{name}`"))?;
    }
    std::io::stdout().write_all(bench.report.markdown().as_bytes())?;
    if let Some(path) = options.json {
        fs_err::write(path, bench.report.json())?;
    }
    Ok(())
}
