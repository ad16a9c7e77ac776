//! The installer as commands use it: notes on stderr, progress on a terminal, listeners asked.

use std::sync::Arc;

use chela_install::{Installer, InstallerOptions, Trace};

use crate::commands::before_install::Listeners;
use crate::context::{Context, catalog_inputs};
use crate::progress::Terminal;

/// Makes an installer for these surroundings. With `json`, notes of no weight are left out.
pub fn make(ctx: &Context, json: Option<bool>) -> Installer {
    let env = ctx.env.clone();
    let catalog = Box::new(move |config: &chela_config::Config| catalog_inputs(&env, config));
    let mut options = InstallerOptions::new(ctx.paths.clone(), ctx.env.clone(), catalog);
    options.progress = Arc::new(Terminal::new(json == Some(true)));
    options.before_install = Arc::new(Listeners::new(ctx));
    options.trace = Trace::from_env(&ctx.env, Arc::new(|line| anstream::eprintln!("{line}")));
    Installer::new(options)
}
