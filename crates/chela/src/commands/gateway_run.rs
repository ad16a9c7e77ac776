//! `chela gateway run`: the gateway in the foreground.

use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use chela_config::{AuthMode, AuthOverride, BindMode, Config, Secret};
use chela_gateway::run::{Ended, Ready, RunOptions};
use rustix::process::Signal;

use crate::cli::gateway::RunArgs;
use crate::context::Context;
use crate::lockfile;
use crate::logging::{self, LogOptions};
use crate::report::{Failure, note};

/// Time that the gateway before has to end with `--force`.
const FORCE_LIMIT: Duration = Duration::from_secs(20);

/// What the flags of `gateway run` say, checked.
#[derive(Debug)]
pub struct RunRequest {
    /// `--port`.
    pub port: Option<u16>,
    /// `--bind`.
    pub bind: Option<BindMode>,
    /// `--auth`, `--token`, `--password`, `--password-file`.
    pub auth: AuthOverride,
    /// `--allow-unconfigured` (GW-128).
    pub allow_unconfigured: bool,
}

/// Loads the config, starts the log, runs the gateway until it is told to stop.
///
/// # Errors
/// An invalid config, a port in use, a gateway that runs already.
pub fn run(ctx: &Context, args: &RunArgs) -> Result<(), Failure> {
    let config = ctx.config()?;
    let request = request(args)?;
    config.check_gateway_mode(request.allow_unconfigured)?;
    if args.force
        && let Some(pid) = lockfile::look(&ctx.paths).pid()
    {
        note(&format!("stopping the gateway with pid {pid}"));
        lockfile::signal(pid, Signal::TERM)
            .map_err(|error| Failure::new(format!("cannot stop the gateway with pid {pid}")).cause(error.to_string()))?;
        if !lockfile::wait_gone(&ctx.paths, pid, FORCE_LIMIT) {
            return Err(Failure::new(format!("the gateway with pid {pid} does not stop")).hint(format!("end it with `kill -9 {pid}`")));
        }
    }
    let mut options = LogOptions::for_gateway(ctx, &config);
    options.raise_to_debug(args.verbose);
    options.json |= args.json;
    logging::init(&options)?;
    settle_packages(ctx);
    start(ctx, config, request)
}

/// Finishes or takes back what an ended install left open, before any plugin is looked at. The gateway starts in any case.
fn settle_packages(ctx: &Context) {
    match crate::installer::make(ctx, None).recover() {
        Ok(done) => done.iter().for_each(|line| tracing::info!("{line}")),
        Err(error) => tracing::warn!("an interrupted change of plugins cannot be settled: {error}; run `chela doctor`"),
    }
}

fn request(args: &RunArgs) -> Result<RunRequest, Failure> {
    let password = match &args.password_file {
        None => args.password.clone(),
        Some(path) => {
            let text = fs_err::read_to_string(path).map_err(|error| Failure::new("cannot read the password").cause(error.to_string()))?;
            let text = text.trim().to_owned();
            if text.is_empty() {
                return Err(Failure::new(format!("`{}` is empty", path.display())).hint("write the password into it"));
            }
            Some(text)
        }
    };
    Ok(RunRequest {
        port: args.port,
        bind: args.bind.as_deref().and_then(BindMode::parse),
        auth: AuthOverride {
            mode: args.auth.as_deref().and_then(AuthMode::parse),
            token: args.token.as_deref().map(Secret::new),
            password: password.map(Secret::new),
        },
        allow_unconfigured: args.allow_unconfigured,
    })
}

/// How long work that cannot be cancelled may take after the stop.
const LAST_WORK: std::time::Duration = std::time::Duration::from_secs(5);

/// Runs the gateway. A restart keeps the process id and begins with a fresh image of the program (GW-144): nothing of the old run can
/// linger, and a program that was replaced meanwhile is the one that comes up.
fn start(ctx: &Context, config: Config, request: RunRequest) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(workers()).enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new("cannot start the asynchronous runtime").cause(error.to_string()))?;
    let ended = runtime.block_on(chela_gateway::run::run(RunOptions {
        paths: ctx.paths.clone(),
        env: ctx.env.clone(),
        config,
        port: request.port,
        bind: request.bind,
        auth: request.auth,
        allow_unconfigured: request.allow_unconfigured,
        process_started: ctx.started,
        temp_dir: std::env::temp_dir(),
        on_ready: Box::new(announce),
        cli_commands: crate::cli::command_names().into_iter().collect(),
        observer: None,
    }));
    match ended.map_err(|error| Failure::new(error.to_string()))? {
        Ended::Stopped => {
            // What still blocks a thread must not keep the process.
            runtime.shutdown_timeout(LAST_WORK);
            Ok(())
        }
        Ended::Restart => Err(again()),
    }
}

/// Replaces this process by a new run of the same command. It returns only when that failed.
fn again() -> Failure {
    chela_process::end_spawner();
    let program = std::env::current_exe().ok().filter(|path| path.exists()).unwrap_or_else(|| "/proc/self/exe".into());
    let error = Command::new(program).args(std::env::args_os().skip(1)).exec();
    Failure::new("the gateway stopped for a restart and could not start again").cause(error.to_string())
}

/// A gateway waits more than it computes: more threads cost memory and win nothing.
fn workers() -> usize {
    std::thread::available_parallelism().map_or(2, |n| n.get().clamp(2, 4))
}

/// After this much time what the start ran is not run again soon.
const SETTLED: Duration = Duration::from_secs(1);

/// The ready line, and the end of the start. The URL with a generated token goes to the terminal only, never to the log.
fn announce(ready: &Ready) {
    tracing::info!(url = %ready.plain_url, plugins = ready.plugins, enabled = ready.enabled, starting = ready.starting, ms = ready.elapsed.as_millis() as u64, "ready");
    let plural = if ready.plugins == 1 { "" } else { "s" };
    let line = format!(
        "chela gateway ready at {} ({} plugin{plural}, {} enabled, {} starting) in {} ms",
        ready.url,
        ready.plugins,
        ready.enabled,
        ready.starting,
        ready.elapsed.as_millis()
    );
    // Nobody may be reading; the gateway runs all the same.
    let _ = crate::output::text(&line);
    tokio::spawn(async {
        tokio::time::sleep(SETTLED).await;
        if let Err(error) = chela_process::release_code() {
            tracing::debug!(%error, "the memory of the start could not be given back");
        }
    });
}
