//! The one line that says that the gateway answers.

use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use chela_host::Host;

use super::Auth;
use crate::gateway::Gateway;

/// Facts for the ready line.
#[derive(Clone, Debug)]
pub struct Ready {
    /// URL of the page, with a generated token in its fragment, so that a first visit needs no typing.
    pub url: String,
    /// The same without any secret, for logs.
    pub plain_url: String,
    /// Plugins in the catalog.
    pub plugins: usize,
    /// Of these enabled.
    pub enabled: usize,
    /// Of these starting now.
    pub starting: usize,
    /// Since the process began.
    pub elapsed: Duration,
    /// The host of the plugins, for programs that hold a gateway inside them.
    pub host: Weak<Host>,
}

impl Ready {
    pub(super) fn new(gateway: &Gateway, address: SocketAddr, auth: &Auth, starting: usize, elapsed: Duration) -> Self {
        let plain_url = format!("http://{address}/");
        let token = auth.resolved.token.as_ref().filter(|_| auth.generated);
        let url = token.map_or_else(|| plain_url.clone(), |t| format!("{plain_url}#token={}", t.expose()));
        let snapshot = gateway.host.manager.snapshot();
        let enabled = snapshot.plugins.iter().filter(|p| p.enabled).count();
        Self { url, plain_url, plugins: snapshot.plugins.len(), enabled, starting, elapsed, host: Arc::downgrade(&gateway.host) }
    }
}
