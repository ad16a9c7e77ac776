//! Repository rules as tests (`cargo xtask tidy`) and contract coverage (`cargo xtask contract`).

mod contract;
mod plugin_table;
mod protocol_lock;
mod source;
mod tidy;

use std::path::PathBuf;
use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask <command>

  tidy [--bless]           check the repository's rules; --bless accepts a new protocol version
  contract [DIR] [--list]  contract lines in DIR that no test cites, per file and in total;
                           DIR defaults to $CHELA_CONTRACT_DIR, and nothing is checked when it is absent
  plugin-table LIST DIRS CHELA [MORE]
                           try the plugins of LIST, which lie where DIRS says, and those that MORE names beside them, with the program
                           CHELA; writes docs/plugins.md";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let flag = |name: &str| args.iter().any(|a| a == name);
    let result = match args.first().map(String::as_str) {
        Some("tidy") => tidy::run(&root(), flag("--bless")),
        Some("contract") => {
            let given = args.iter().skip(1).find(|a| !a.starts_with("--")).map(PathBuf::from);
            contract::run(&root(), given.or_else(|| std::env::var_os("CHELA_CONTRACT_DIR").map(PathBuf::from)), flag("--list"))
        }
        Some("plugin-table") if matches!(args.len(), 4 | 5) => {
            plugin_table::run(&root(), args[1].as_ref(), args[2].as_ref(), args[3].as_ref(), args.get(4).map(AsRef::as_ref))
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The repository's root: the parent of this crate.
fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().map(PathBuf::from).unwrap_or(here)
}
