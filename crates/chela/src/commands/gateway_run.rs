//! `chela gateway run`: the gateway in the foreground.

use std::time::Duration;

use chela_config::{AuthMode, AuthOverride, BindMode, Config, Secret};
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
    if args.force && let Some(pid) = lockfile::look(&ctx.paths).pid() {
        note(&format!("stopping the gateway with pid {pid}"));
        lockfile::signal(pid, Signal::TERM).map_err(|error| Failure::new(format!("cannot stop the gateway with pid {pid}")).cause(error.to_string()))?;
        if !lockfile::wait_gone(&ctx.paths, pid, FORCE_LIMIT) {
            return Err(Failure::new(format!("the gateway with pid {pid} does not stop")).hint(format!("end it with `kill -9 {pid}`")));
        }
    }
    let mut options = LogOptions::for_gateway(ctx, &config);
    options.raise_to_debug(args.verbose);
    options.json |= args.json;
    let _log = logging::init(&options)?;
    start(ctx, config, request)
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

/// Hands over to the gateway.
fn start(_ctx: &Context, config: Config, request: RunRequest) -> Result<(), Failure> {
    let port = config.gateway_port(request.port)?;
    Err(Failure::not_built("chela gateway run", &format!("nothing listens on port {port} in this build")))
}
