//! The command line of Chela. This file is the table of contents: each command is a module of the same name below `commands`.

mod cli;
mod client;
mod commands;
mod context;
mod installer;
mod lockfile;
mod logging;
mod output;
mod progress;
mod report;
mod table;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    // A worker's guard must be alone in its process: before anything else, no thread, no runtime.
    if let Some(code) = chela_process::guard::run_if_requested() {
        return code;
    }
    let started = std::time::Instant::now();
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return report::usage(&error),
    };
    output::set_colour(cli.globals.no_color);
    match run(cli, started) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => report::failure(&failure),
    }
}

fn run(cli: cli::Cli, started: std::time::Instant) -> Result<(), report::Failure> {
    let Some(command) = cli.command else {
        return output::text(&cli::help());
    };
    let ctx = context::Context::from_process(cli.globals, started)?;
    use cli::Command;
    match command {
        Command::Gateway(args) => commands::gateway::run(&ctx, args),
        Command::Agent(args) => commands::agent::run(&ctx, args),
        Command::Plugins(args) => commands::plugins::run(&ctx, args),
        Command::Sdk(args) => commands::sdk::run(args),
        Command::Hooks(args) => commands::hooks::run(&ctx, args),
        Command::ExecPolicy(args) => commands::exec_policy::run(&ctx, args),
        Command::Approvals(args) => commands::approvals::run(&ctx, args),
        Command::Devices(args) => commands::devices::run(&ctx, args),
        Command::Qr(args) => commands::qr::run(&ctx, &args),
        Command::Config(args) => commands::config::run(&ctx, args),
        Command::Migrate(args) => commands::migrate::run(&ctx, args),
        Command::Pairing(args) => commands::pairing::run(&ctx, args),
        Command::Sessions(args) => commands::sessions::run(&ctx, args),
        Command::Status(args) => commands::status::run(&ctx, &args),
        Command::Health(args) => commands::health::run(&ctx, &args),
        Command::Logs(args) => commands::logs::run(&ctx, &args),
        Command::Security(args) => commands::security::run(&ctx, &args),
        Command::Doctor(args) => commands::doctor::run(&ctx, &args),
        Command::Completion(args) => commands::completion::run(&ctx, &args),
        Command::Other(words) => commands::other::run(&ctx, words),
    }
}
