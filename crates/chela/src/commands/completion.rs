//! `chela completion`: scripts for shells.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::{Cli, CompletionArgs};
use crate::context::Context;
use crate::output;
use crate::report::{Failure, note};

/// Prints the script, or writes it to `completions/` of the state directory.
///
/// # Errors
/// When the file cannot be written.
pub fn run(ctx: &Context, args: &CompletionArgs) -> Result<(), Failure> {
    let shell = args.shell.or(args.shell_flag).unwrap_or(Shell::Zsh);
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "chela", &mut script);
    if !args.write_state {
        return output::text(&String::from_utf8_lossy(&script));
    }
    let dir = ctx.paths.state_dir.join("completions");
    let file = dir.join(format!("chela.{shell}"));
    let written = fs_err::create_dir_all(&dir).and_then(|()| fs_err::write(&file, script));
    written.map_err(|error| Failure::new("cannot write the completion script").cause(error.to_string()))?;
    note(&format!("Wrote `{}`", file.display()));
    Ok(())
}
