//! The server: listens, tells WebSocket from HTTP, ticks, and stops.

use crate::auth::limiter::{AuthLimiter, LimitRules};
use crate::auth::shared::generation;
use crate::auth::tailscale::Tailscale;
use crate::devices::{DeviceStore, DeviceStoreError};
use crate::events::{EventBus, EventOptions, EventTarget, PresenceEntry};
use crate::http::{HttpApi, service};
use crate::transport_config::{AuthConfig, TransportConfig, TransportConfigError};
use crate::ws::MethodHandler;
use crate::ws::preauth::PreauthBudget;
use arc_swap::ArcSwap;
use chela_gateway_protocol::limits::close;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Time for the header of a request.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The configuration must not run.
    #[error(transparent)]
    Config(#[from] TransportConfigError),
    /// The port is taken (GW-143).
    #[error(
        "cannot listen on {address}: the port is in use; stop the program that holds it, or choose another with `--port` or `gateway.port`"
    )]
    PortInUse {
        /// What was asked for.
        address: SocketAddr,
    },
    /// Listening failed otherwise.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// What was asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// The shared secret in force, with its mark (GW-58).
#[derive(Debug)]
pub(crate) struct AuthState {
    pub(crate) config: AuthConfig,
    generation: [u8; 32],
    /// Fires when another secret is in force, or the gateway stops.
    pub(crate) revoked: CancellationToken,
}

/// What all connections share.
pub(crate) struct Gateway {
    pub(crate) config: TransportConfig,
    pub(crate) auth: ArcSwap<AuthState>,
    pub(crate) limiter: AuthLimiter,
    pub(crate) tailscale: Option<Tailscale>,
    pub(crate) devices: Arc<DeviceStore>,
    pub(crate) bus: EventBus,
    pub(crate) methods: Arc<dyn MethodHandler>,
    pub(crate) http: Arc<dyn HttpApi>,
    pub(crate) preauth: PreauthBudget,
    /// Running requests; they may outlive their connection.
    pub(crate) tasks: TaskTracker,
    /// No new connections, and none that is not yet past the handshake.
    pub(crate) closing: CancellationToken,
    connections: TaskTracker,
    startup_pending: AtomicBool,
    started: Instant,
}

impl Gateway {
    pub(crate) fn is_startup_pending(&self) -> bool {
        self.startup_pending.load(Ordering::Relaxed)
    }

    pub(crate) fn auth_is_current(&self, auth: &AuthState) -> bool {
        auth.generation == self.auth.load().generation
    }

    pub(crate) fn uptime_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Runs file work off the I/O path.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, DeviceStoreError> + Send + 'static,
    ) -> Result<T, DeviceStoreError> {
        match tokio::task::spawn_blocking(work).await {
            Ok(result) => result,
            Err(error) => Err(DeviceStoreError::Io { path: self.config.devices_dir.clone(), source: io::Error::other(error) }),
        }
    }

    pub(crate) fn spawn_connection(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.connections.spawn(work);
    }
}

/// The parts that the server puts together.
pub struct ServerParts {
    /// Settings.
    pub config: TransportConfig,
    /// Serves WebSocket requests.
    pub methods: Arc<dyn MethodHandler>,
    /// Serves HTTP endpoints.
    pub http: Arc<dyn HttpApi>,
    /// Carries events; made first, so that others can hold it.
    pub bus: EventBus,
    /// Paired devices; share it with the methods that manage them.
    pub devices: Arc<DeviceStore>,
}

/// A running server. Dropping it stops nothing; call [`Server::stop`].
pub struct Server {
    gateway: Arc<Gateway>,
    address: SocketAddr,
}

impl Server {
    /// Starts to listen and to serve. Answers from now on; connects are refused as retryable while
    /// [`Server::set_startup_pending`] says so (GW-21).
    pub async fn start(parts: ServerParts) -> Result<Server, ServerError> {
        parts.config.validate()?;
        let listeners = listen(SocketAddr::new(parts.config.bind, parts.config.port)).await?;
        let address = listeners.0;
        let closing = CancellationToken::new();
        let generation = generation(&parts.config.auth, &parts.config.trusted_proxies);
        let auth = AuthState { generation, config: parts.config.auth.clone(), revoked: closing.child_token() };
        let gateway = Arc::new(Gateway {
            preauth: PreauthBudget::new(parts.config.limits.max_preauth_per_ip),
            auth: ArcSwap::from_pointee(auth),
            limiter: AuthLimiter::new(LimitRules::default()),
            tailscale: parts.config.tailscale.clone().map(Tailscale::new),
            devices: parts.devices,
            bus: parts.bus,
            methods: parts.methods,
            http: parts.http,
            tasks: TaskTracker::new(),
            connections: TaskTracker::new(),
            closing,
            startup_pending: AtomicBool::new(false),
            started: Instant::now(),
            config: parts.config,
        });
        gateway.bus.presence().pin("gateway", own_presence(&gateway.config.version));
        for listener in listeners.1 {
            tokio::spawn(accept(gateway.clone(), listener));
        }
        tokio::spawn(tick(gateway.clone()));
        Ok(Server { gateway, address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Refuses connects as retryable while true (GW-21).
    pub fn set_startup_pending(&self, pending: bool) {
        self.gateway.startup_pending.store(pending, Ordering::Relaxed);
    }

    /// Puts another shared secret in force. Connections opened with the old one close with 4001 at their next
    /// request (GW-58).
    pub fn set_auth(&self, auth: AuthConfig) {
        let generation = generation(&auth, &self.gateway.config.trusted_proxies);
        let before = self.gateway.auth.load_full();
        let same = before.generation == generation;
        let revoked = if same { before.revoked.clone() } else { self.gateway.closing.child_token() };
        self.gateway.auth.store(Arc::new(AuthState { config: auth, generation, revoked }));
        if !same {
            before.revoked.cancel();
        }
    }

    /// Tells clients that the gateway stops and closes their sockets with 1012 (GW-145). New connections are
    /// refused from now on.
    pub fn close_clients(&self, reason: &str, restart_expected_ms: Option<u64>) {
        self.gateway.closing.cancel();
        self.gateway.bus.close_clients(reason, restart_expected_ms);
    }

    /// Stops: closes what is still open, then waits for connections to end, at most this long. Running
    /// requests that do not end in time are left behind.
    pub async fn stop(&self, grace: Duration) {
        self.gateway.closing.cancel();
        self.gateway.bus.close_matching(close::RESTART, "service restart", |_| true);
        self.gateway.connections.close();
        self.gateway.tasks.close();
        let ended = tokio::time::timeout(grace, async {
            self.gateway.connections.wait().await;
            self.gateway.tasks.wait().await;
        });
        if ended.await.is_err() {
            let open = self.gateway.connections.len();
            let running = self.gateway.tasks.len();
            tracing::warn!(open, running, "connections or requests did not end in time");
        }
    }
}

// On IPv4 loopback `::1` is used too: `localhost` may mean either.
async fn listen(address: SocketAddr) -> Result<(SocketAddr, Vec<TcpListener>), ServerError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => ServerError::PortInUse { address },
        _ => ServerError::Listen { address, source },
    };
    let first = TcpListener::bind(address).await.map_err(failed)?;
    let bound = first.local_addr().map_err(failed)?;
    let mut listeners = vec![first];
    if matches!(address.ip(), IpAddr::V4(ip) if ip.is_loopback()) {
        let twin = SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), bound.port());
        match TcpListener::bind(twin).await {
            Ok(listener) => listeners.push(listener),
            Err(error) => tracing::debug!(%twin, %error, "not listening on the IPv6 loopback"),
        }
    }
    Ok((bound, listeners))
}

async fn accept(gateway: Arc<Gateway>, listener: TcpListener) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = gateway.closing.cancelled() => return,
        };
        match accepted {
            Ok((stream, remote)) => {
                let work = serve(gateway.clone(), stream, remote);
                gateway.spawn_connection(work);
            }
            Err(error) => {
                // As a rule too many open files; accepting at full speed would only burn the processor.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn serve(gateway: Arc<Gateway>, stream: TcpStream, remote: SocketAddr) {
    // Small frames must not wait for the acknowledgement of earlier ones.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    let closing = gateway.closing.clone();
    let handler = hyper::service::service_fn(move |request| {
        let gateway = gateway.clone();
        async move { Ok::<_, std::convert::Infallible>(service::handle(gateway, request, remote).await) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(64 * 1024)
        .serve_connection(TokioIo::new(stream), handler)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = closing.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%remote, %error, "connection failed");
    }
}

async fn tick(gateway: Arc<Gateway>) {
    let period = gateway.config.limits.tick_interval;
    let mut timer = tokio::time::interval_at(tokio::time::Instant::now() + period, period);
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let options = EventOptions { drop_if_slow: true, ..EventOptions::default() };
    loop {
        tokio::select! {
            _ = timer.tick() => {
                let payload = json!({ "ts": crate::devices::now_ms() });
                gateway.bus.broadcast_with("tick", &payload, EventTarget::All, options);
            }
            () = gateway.closing.cancelled() => return,
        }
    }
}

fn own_presence(version: &str) -> PresenceEntry {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map(|name| name.trim().to_owned())
        .ok()
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "localhost".to_owned());
    PresenceEntry {
        text: Some(format!("Gateway: {host} · version {version}")),
        host: Some(host),
        version: Some(version.to_owned()),
        platform: Some(std::env::consts::OS.to_owned()),
        mode: Some("gateway".to_owned()),
        reason: Some("self".to_owned()),
        ..PresenceEntry::default()
    }
}
