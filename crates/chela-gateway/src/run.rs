//! Starting and stopping the gateway, in one order.

mod installed;
mod ready;
mod reload;
mod stop;
mod transport;

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use chela_config::{AuthMode, AuthOverride, BindMode, Config, ConfigError, Env, ResolvedAuth, StatePaths, TokenSource};
use chela_gateway_protocol::methods as method_table;
use chela_host::{Host, HostError, HostOptions, Purpose};
use tokio::sync::mpsc;

use crate::api::Api;
use crate::devices::DeviceStore;
use crate::events::EventBus;
use crate::gateway::{Gateway, GatewayParts, StopRequest};
use crate::lock::{GatewayLock, LockError, LockOptions, default_lock_dir};
use crate::methods::Methods;
use crate::run_events::{AgentListener, ClientEvents};
use crate::server::{Server, ServerError, ServerParts};
use crate::session_events;

pub use ready::Ready;

/// How to run a gateway.
pub struct RunOptions {
    /// State directory and config path.
    pub paths: StatePaths,
    /// The environment, `.env` files included.
    pub env: Env,
    /// The loaded config.
    pub config: Config,
    /// `--port`.
    pub port: Option<u16>,
    /// `--bind`.
    pub bind: Option<BindMode>,
    /// `--auth`, `--token`, `--password`.
    pub auth: AuthOverride,
    /// `--allow-unconfigured` (GW-128).
    pub allow_unconfigured: bool,
    /// When the process began, for the ready line.
    pub process_started: Instant,
    /// Directory for temporary files; the lock lies there (GW-141).
    pub temp_dir: std::path::PathBuf,
    /// Called once the gateway answers.
    pub on_ready: Box<dyn Fn(&Ready) + Send + Sync>,
    /// Names of the command line's own commands; plugins cannot take them.
    pub cli_commands: BTreeSet<String>,
    /// Told about each call of a JavaScript plugin.
    pub observer: Option<chela_host::Observer>,
}

/// Why the gateway did not start.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The config does not allow it.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Another gateway runs.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The state cannot be opened.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The port cannot be listened on.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// Signals cannot be received.
    #[error("could not listen for signals: {0}")]
    Signals(std::io::Error),
}

/// How a gateway ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was asked to stop.
    Stopped,
    /// It was asked to start again in the same process (GW-144).
    Restart,
}

/// Runs a gateway until it is asked to stop.
///
/// # Errors
/// When it cannot start; nothing is left running then.
pub async fn run(options: RunOptions) -> Result<Ended, RunError> {
    run_until(options, std::future::pending()).await
}

/// As [`run`], and stops also when `asked` resolves: for programs that hold a gateway inside them.
///
/// # Errors
/// As [`run`].
pub async fn run_until(options: RunOptions, asked: impl Future<Output = StopRequest>) -> Result<Ended, RunError> {
    let (port, ip, auth) = listen_settings(&options)?;
    // Before anything answers: whoever sees the gateway may stop it.
    let signals = stop::Signals::listen().map_err(RunError::Signals)?;
    let uid = chela_process::current_uid();
    let lock =
        GatewayLock::acquire(&LockOptions::new(default_lock_dir(&options.temp_dir, uid), options.paths.config_path.clone(), Some(port)))
            .await?;
    let transport = transport::config(&options, port, ip, &auth.resolved);
    let auth_mode = transport.auth.mode();
    let bus = EventBus::new();
    let events = Arc::new(ClientEvents::new(bus.clone()));
    let config = Arc::new(options.config);
    let host = Host::open(HostOptions {
        paths: options.paths.clone(),
        env: options.env.clone(),
        config: config.clone(),
        sink: events.clone(),
        purpose: Purpose::Gateway,
        core_methods: method_table::METHODS.iter().map(|m| m.name.to_string()).collect(),
        cli_commands: options.cli_commands.clone(),
        guard: None,
        inherit_output: false,
        observer: options.observer.clone(),
    })?;
    forward_agent_events(&events, &host);
    let sessions = session_events::start(&bus, &events);
    let (stop, stop_requests) = mpsc::channel::<StopRequest>(4);
    let device = transport::device_identity(&options.paths);
    let devices = Arc::new(DeviceStore::new(&transport.devices_dir));
    let parts = GatewayParts { host: host.clone(), bus: bus.clone(), events, devices: devices.clone(), port, auth_mode, stop, device };
    let gateway = Gateway::new(parts);
    host.runtime.telemetry.add_source(Arc::new(crate::status::ClientFigures(bus.clone())));
    gateway.serve_channels();
    sessions.serve(&gateway);
    let server = Server::start(ServerParts {
        devices,
        config: transport,
        methods: Arc::new(Methods::new(gateway.clone())),
        http: Arc::new(Api(gateway.clone())),
        bus,
    })
    .await?;
    if let Err(error) = chela_config::keep_last_good(&config) {
        tracing::warn!(%error, "the last good config could not be kept");
    }
    recover_in_background(&gateway);
    announce_plugin_changes(&gateway);
    reload::follow(&gateway);
    let starting = host.start_plugins(server.address().port());
    let ready = Ready::new(&gateway, server.address(), &auth, starting, options.process_started.elapsed());
    (options.on_ready)(&ready);
    let request = signals.wait(stop_requests, asked).await;
    let restart = request.restart_expected_ms.is_some();
    stop::stop(&gateway, server, request).await;
    released(host, gateway).await;
    drop(lock);
    Ok(if restart { Ended::Restart } else { Ended::Stopped })
}

/// Waits until nothing holds the state any more, so that it is free when the gateway says that it has ended.
async fn released(host: Arc<Host>, gateway: Arc<Gateway>) {
    let closed = host.runtime.store.closed();
    drop((host, gateway));
    if tokio::time::timeout(RELEASE_BUDGET, closed).await.is_err() {
        tracing::warn!("something still holds the state of the stopped gateway");
    }
}

/// Auth as it is in force, and where a generated token is kept.
pub(crate) struct Auth {
    pub(crate) resolved: ResolvedAuth,
    pub(crate) generated: bool,
}

fn listen_settings(options: &RunOptions) -> Result<(u16, std::net::IpAddr, Auth), RunError> {
    let config = &options.config;
    config.check_gateway_mode(options.allow_unconfigured)?;
    let port = config.gateway_port(options.port)?;
    let settings = config.gateway();
    let ip = settings.listen_ip(options.bind.unwrap_or(settings.bind))?;
    let mut resolved = config.gateway_auth(&options.auth)?;
    let token = chela_config::ensure_gateway_token(config, &mut resolved)?;
    config.check_listen(ip, &resolved)?;
    let generated =
        resolved.mode == AuthMode::Token && token.is_some_and(|t| matches!(t.source, TokenSource::Generated | TokenSource::Stored));
    Ok((port, ip, Auth { resolved, generated }))
}

fn forward_agent_events(events: &Arc<ClientEvents>, host: &Arc<Host>) {
    let host = Arc::downgrade(host);
    events.listen(Arc::new(HostListener(host)));
}

/// Agent events on their way to plugins.
struct HostListener(Weak<Host>);

impl AgentListener for HostListener {
    fn wants(&self) -> bool {
        self.0.upgrade().is_some_and(|host| host.wants_agent_events())
    }

    fn take(&self, payload: &serde_json::Value) {
        if let Some(host) = self.0.upgrade() {
            host.publish_agent_event(payload);
        }
    }
}

/// Clients hear that a plugin started, stopped or failed; changes that come together are told once.
fn announce_plugin_changes(gateway: &Arc<Gateway>) {
    let (mut changes, bus, shutdown) = (gateway.host.manager.changes(), gateway.bus.clone(), gateway.host.runtime.shutdown.clone());
    tokio::spawn(async move {
        loop {
            tokio::select! {
                changed = changes.changed() => if changed.is_err() { return },
                () = shutdown.cancelled() => return,
            }
            tokio::time::sleep(PLUGIN_NEWS_INTERVAL).await;
            changes.mark_unchanged();
            bus.broadcast("plugins.changed", &serde_json::json!({"ts": chela_agent::clock::now_ms()}), crate::events::EventTarget::All);
        }
    });
}

/// Recovery runs beside the first connections: readiness does not wait for it, turns do.
fn recover_in_background(gateway: &Arc<Gateway>) {
    let gateway = gateway.clone();
    tokio::spawn(async move {
        match gateway.host.recover().await {
            Ok(found) if found.sessions > 0 || found.messages > 0 => {
                tracing::warn!(sessions = found.sessions, messages = found.messages, "recovered what the last process left open");
            }
            Ok(_) => {}
            Err(error) => tracing::error!(%error, "the journal could not be recovered"),
        }
        gateway.set_ready();
    });
}

/// Shortest time between two news about plugins.
const PLUGIN_NEWS_INTERVAL: Duration = Duration::from_millis(200);
/// How long what runs in the background may hold the state after the stop.
const RELEASE_BUDGET: Duration = Duration::from_secs(1);

/// Longest stop of a whole gateway; then the process ends by force (HOOK-244).
pub const FORCED_EXIT_AFTER: Duration = Duration::from_secs(25);
