//! Plugin services: started one by one in registration order, stopped in reverse (API-185..190).

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chela_plugin::register::entries::ServiceEntry;
use chela_plugin::registry::Registry;
use chela_plugin::value::gateway_config;
use chela_plugin::{Adapter, Call, Callback};
use serde_json::json;

/// Longest start of one service; the reference waits for ever (API-185).
const START_BUDGET: Duration = Duration::from_secs(30);
/// Longest stop of one service.
const STOP_BUDGET: Duration = Duration::from_secs(5);

/// The services that run.
pub struct Services {
    state_dir: PathBuf,
    workspace_dir: PathBuf,
    turn: tokio::sync::Mutex<()>,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    seen: HashSet<(String, String)>,
    running: Vec<ServiceEntry>,
    closed: bool,
}

impl Services {
    /// No service runs yet.
    pub fn new(state_dir: PathBuf, workspace_dir: PathBuf) -> Self {
        Self { state_dir, workspace_dir, turn: tokio::sync::Mutex::new(()), inner: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the services of the registry that were not started before.
    pub async fn start_new(&self, registry: &Arc<Registry>) {
        let _turn = self.turn.lock().await;
        for service in &registry.services {
            let key = (service.owner.id.to_string(), service.id.clone());
            {
                let mut inner = self.lock();
                if inner.closed || !inner.seen.insert(key) {
                    continue;
                }
            }
            let Some(start) = &service.start else { continue };
            match self.call(start, "start", START_BUDGET).await {
                Ok(()) => self.lock().running.push(service.clone()),
                Err(error) => {
                    let (id, plugin) = (&service.id, &service.owner.id);
                    tracing::error!(target: "plugins", plugin = %plugin, "plugin service failed ({id}, plugin={plugin}): {error}");
                }
            }
        }
    }

    /// Forgets the services of a plugin that is stopped, so that its next start starts them again.
    pub async fn stop_plugin(&self, plugin_id: &str) {
        let mine: Vec<ServiceEntry> = {
            let mut inner = self.lock();
            inner.seen.retain(|(owner, _)| owner != plugin_id);
            let (mine, rest) = std::mem::take(&mut inner.running).into_iter().partition(|s| s.owner.id.as_ref() == plugin_id);
            inner.running = rest;
            mine
        };
        self.stop_list(mine).await;
    }

    /// Stops all services in reverse order (API-187). Services that register later do not start any more.
    pub async fn stop_all(&self) {
        let running = {
            let mut inner = self.lock();
            inner.closed = true;
            std::mem::take(&mut inner.running)
        };
        self.stop_list(running).await;
    }

    async fn stop_list(&self, services: Vec<ServiceEntry>) {
        for service in services.into_iter().rev() {
            let Some(stop) = &service.stop else { continue };
            if let Err(error) = self.call(stop, "stop", STOP_BUDGET).await {
                tracing::warn!(target: "plugins", plugin = %service.owner.id, service = %service.id, "service did not stop cleanly: {error}");
            }
        }
    }

    async fn call(&self, function: &Callback, method: &str, budget: Duration) -> Result<(), String> {
        let ctx = json!({"config": gateway_config(), "workspaceDir": self.workspace_dir, "stateDir": self.state_dir});
        let args = vec![json!({"method": method, "ctx": ctx})];
        let call = Call::new(args).adapter(Adapter::Service).budget(Some(budget));
        function.call(call).await.map(|_| ()).map_err(|e| e.to_string())
    }
}
