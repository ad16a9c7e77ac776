//! Services that announce the gateway in a network (API-066, API-191): each is asked once to advertise it, and to stop at the end.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chela_config::Env;
use chela_plugin::register::entries::Recorded;
use chela_plugin::registry::Registry;
use chela_plugin::{Call, PluginObject};
use serde_json::{Value, json};

use crate::assemble::Host;

const METHOD: &str = "registerGatewayDiscoveryService";
/// After this time a slow service is told of; the variable is the reference's.
const SLOW: Duration = Duration::from_secs(5);
const SLOW_VARIABLE: &str = "OPENCLAW_GATEWAY_DISCOVERY_ADVERTISE_TIMEOUT_MS";
/// Longest wait for one service.
const ADVERTISE_BUDGET: Duration = Duration::from_secs(120);
/// Longest stop of one service.
const STOP_BUDGET: Duration = Duration::from_secs(2);

/// What is announced.
#[derive(Default)]
pub(crate) struct Discovery(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    seen: HashSet<(String, String)>,
    running: Vec<Advert>,
    closed: bool,
}

/// One service that is announcing.
struct Advert {
    plugin: String,
    id: String,
    started: PluginObject,
}

impl Discovery {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the services that were not asked yet, side by side and without waiting for them.
    pub(crate) fn start_new(self: &Arc<Self>, registry: &Registry, ctx: &Value, slow: Duration) {
        for service in registry.recorded_of(METHOD) {
            let key = (service.owner.id.to_string(), service.id.clone());
            {
                let mut inner = self.lock();
                if inner.closed || !inner.seen.insert(key) {
                    continue;
                }
            }
            let (discovery, service, ctx) = (self.clone(), service.clone(), ctx.clone());
            tokio::spawn(async move { discovery.advertise(&service, ctx, slow).await });
        }
    }

    async fn advertise(&self, service: &Recorded, ctx: Value, slow: Duration) {
        let (plugin, id) = (service.owner.id.to_string(), service.id.clone());
        let object = service.object(0);
        let call = Call::new(vec![ctx]).budget(Some(ADVERTISE_BUDGET));
        let mut answer = std::pin::pin!(object.call("advertise", call));
        let answer = match tokio::time::timeout(slow, answer.as_mut()).await {
            Ok(answer) => answer,
            Err(_) => {
                let ms = slow.as_millis();
                tracing::warn!(target: "plugins", plugin, "discovery service `{id}` of plugin `{plugin}` has not announced the gateway within {ms} ms");
                answer.await
            }
        };
        let started = match answer {
            Ok(started) => object.returned(started),
            Err(error) => {
                return tracing::warn!(target: "plugins", plugin, "discovery service `{id}` of plugin `{plugin}` failed: {error}");
            }
        };
        if !started.has("stop") {
            return;
        }
        let advert = Advert { plugin: plugin.clone(), id: id.clone(), started };
        let late = {
            let mut inner = self.lock();
            // The plugin, or the gateway, went meanwhile: nothing else would stop it.
            if inner.closed || !inner.seen.contains(&(plugin, id)) {
                Some(advert)
            } else {
                inner.running.push(advert);
                None
            }
        };
        if let Some(advert) = late {
            stop(advert).await;
        }
    }

    /// Stops what a plugin announces; its next start begins anew.
    pub(crate) async fn stop_plugin(&self, plugin: &str) {
        let mine = {
            let mut inner = self.lock();
            inner.seen.retain(|(owner, _)| owner != plugin);
            let (mine, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut inner.running).into_iter().partition(|advert| advert.plugin == plugin);
            inner.running = rest;
            mine
        };
        stop_all(mine).await;
    }

    /// Stops everything, the last one first. What registers later announces nothing.
    pub(crate) async fn close(&self) {
        let running = {
            let mut inner = self.lock();
            inner.closed = true;
            std::mem::take(&mut inner.running)
        };
        stop_all(running).await;
    }
}

async fn stop_all(adverts: Vec<Advert>) {
    for advert in adverts.into_iter().rev() {
        stop(advert).await;
    }
}

async fn stop(advert: Advert) {
    let call = Call::new(Vec::new()).budget(Some(STOP_BUDGET));
    if let Err(error) = advert.started.call("stop", call).await {
        let (id, plugin) = (&advert.id, &advert.plugin);
        tracing::warn!(target: "plugins", plugin = %plugin, "discovery service `{id}` did not stop cleanly: {error}");
    }
}

impl Host {
    /// Lets plugins announce the gateway in the network (API-191).
    pub(crate) fn announce_gateway(&self, registry: &Registry, port: u16) {
        if let Some(ctx) = context(&self.runtime.config().effective, &self.env, port) {
            self.discovery.start_new(registry, &ctx, slow_after(&self.env));
        }
    }
}

/// How long a service may take before it is told of.
fn slow_after(env: &Env) -> Duration {
    let set = env.get(SLOW_VARIABLE).and_then(|text| text.trim().parse::<u64>().ok()).filter(|ms| *ms > 0);
    set.map_or(SLOW, Duration::from_millis)
}

/// What services are told of the gateway; `None` when it is to stay unknown: `discovery.mdns.mode` is `off`, or
/// `OPENCLAW_DISABLE_BONJOUR` is set.
fn context(config: &Value, env: &Env, port: u16) -> Option<Value> {
    let mode = config.pointer("/discovery/mdns/mode").and_then(Value::as_str).unwrap_or("minimal");
    let truthy = |text: &str| matches!(text.trim().to_lowercase().as_str(), "1" | "true" | "yes" | "on");
    if mode == "off" || env.get("OPENCLAW_DISABLE_BONJOUR").is_some_and(truthy) {
        return None;
    }
    let named = |name: &str| env.get(name).map(str::trim).filter(|text| !text.is_empty());
    // The gateway itself speaks no TLS; a proxy before it does.
    let mut ctx = json!({
        "machineDisplayName": machine_name(), "gatewayPort": port, "gatewayTlsEnabled": false, "minimal": mode != "full",
    });
    if let Some(name) = named("OPENCLAW_TAILNET_DNS") {
        ctx["tailnetDns"] = name.trim_end_matches('.').into();
    }
    if mode == "full" {
        if let Some(port) = named("OPENCLAW_SSH_PORT").and_then(|text| text.parse::<u16>().ok()).filter(|port| *port > 0) {
            ctx["sshPort"] = port.into();
        }
        let program = named("OPENCLAW_CLI_PATH").map(str::to_owned);
        let program = program.or_else(|| std::env::current_exe().ok().map(|path| path.display().to_string()));
        ctx["cliPath"] = program.into();
    }
    Some(ctx)
}

fn machine_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "localhost".into(),
        name => name.trim_end_matches(".local").into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // API-191
    #[test]
    fn only_the_full_mode_tells_of_paths_and_ports() {
        let env = |rows: &[(&str, &str)]| rows.iter().map(|(k, v)| ((*k).to_string(), (*v).to_string())).collect::<Env>();
        let vars = [("OPENCLAW_SSH_PORT", "22"), ("OPENCLAW_CLI_PATH", "/bin/x"), ("OPENCLAW_TAILNET_DNS", "host.ts.net.")];
        let mode = |mode: &str| json!({"discovery": {"mdns": {"mode": mode}}});
        let minimal = context(&json!({}), &env(&vars), 7).unwrap();
        assert_eq!(
            (&minimal["minimal"], &minimal["gatewayPort"], &minimal["tailnetDns"]),
            (&json!(true), &json!(7), &json!("host.ts.net"))
        );
        assert!(minimal.get("sshPort").is_none() && minimal.get("cliPath").is_none(), "{minimal}");
        let full = context(&mode("full"), &env(&vars), 7).unwrap();
        assert_eq!((&full["minimal"], &full["sshPort"], &full["cliPath"]), (&json!(false), &json!(22), &json!("/bin/x")));
        assert_eq!(context(&mode("off"), &env(&[]), 7), None);
        assert_eq!(context(&json!({}), &env(&[("OPENCLAW_DISABLE_BONJOUR", "1")]), 7), None);
        assert_eq!(slow_after(&env(&[(SLOW_VARIABLE, "70")])), Duration::from_millis(70));
        assert_eq!(slow_after(&env(&[(SLOW_VARIABLE, "-1")])), SLOW);
    }
}
