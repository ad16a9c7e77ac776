//! Following the config file and the installed plugins while the gateway runs (GW-133..137).

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chela_config::{Config, ReloadMode};
use chela_host::{ReloadRules, ReloadWish, changed_paths, is_under};

use super::installed::{Installed, Stamps, stamps};
use crate::gateway::{Gateway, StopRequest};

/// How often the files are looked at.
const POLL: Duration = Duration::from_secs(1);
/// How long a change of the plugins waits for the end of an installation: one that was killed half-way must not hold up every other.
const INSTALL_PATIENCE: Duration = Duration::from_secs(10);
/// Time that clients are told for a restart, in ms.
const RESTART_EXPECTED_MS: u64 = 2000;

/// What a changed path asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Effect {
    /// Nothing at once: it is read where it is used.
    None,
    /// It is applied while the gateway runs.
    Hot,
    /// The gateway has to start anew.
    Restart,
}

/// First matching prefix decides; a path without a rule restarts (GW-135, GW-136). Load paths and install records restart the
/// reference; here they bring up, stop or swap the plugins that they are about.
const RULES: &[(&str, Effect)] = &[
    ("gateway.reload", Effect::None),
    ("gateway.remote", Effect::None),
    ("gateway.channelHealth", Effect::None),
    ("gateway", Effect::Restart),
    ("discovery", Effect::Restart),
    ("models.pricing", Effect::Restart),
    ("hooks", Effect::Hot),
    ("cron", Effect::Hot),
    ("models", Effect::Hot),
    ("mcp", Effect::Hot),
    ("plugins", Effect::Hot),
    ("channels", Effect::Hot),
    ("agents", Effect::Hot),
    ("tools", Effect::Hot),
    ("session", Effect::Hot),
    ("meta", Effect::None),
    ("identity", Effect::None),
    ("wizard", Effect::None),
    ("logging", Effect::None),
    ("bindings", Effect::None),
    ("audio", Effect::None),
    ("messages", Effect::None),
    ("talk", Effect::None),
    ("skills", Effect::None),
    ("secrets", Effect::None),
    ("ui", Effect::None),
];

/// Rules that come before those of plugins; the others of [`RULES`] come after them.
const FIRST: &[&str] = &["gateway.reload", "gateway.remote", "gateway.channelHealth", "models.pricing", "hooks", "cron", "models", "mcp"];

/// The effect on the gateway. Only the plugin that wants to start anew for a path does so, so for the gateway that is a hot change.
fn effect_of(path: &str, plugins: &ReloadRules) -> Effect {
    let own = RULES.iter().find(|(prefix, _)| is_under(path, prefix));
    let wished = || match plugins.wish(path)? {
        ReloadWish::Nothing => Some(Effect::None),
        ReloadWish::Hot | ReloadWish::Restart => Some(Effect::Hot),
    };
    match own {
        Some((prefix, effect)) if FIRST.contains(prefix) => *effect,
        other => wished().or(other.map(|(_, effect)| *effect)).unwrap_or(Effect::Restart),
    }
}

/// What is looked at: a change of either part is a reason to act.
#[derive(Clone, Default, PartialEq, Eq)]
struct Seen {
    config: Stamps,
    plugins: Installed,
}

fn files_of(config: &Config) -> Vec<PathBuf> {
    let mut files = config.files.clone();
    if !files.contains(&config.path) {
        files.push(config.path.clone());
    }
    files
}

/// Follows the files until the gateway stops. Looking at a few files once a second costs less than a watch that misses renames.
pub(super) fn follow(gateway: &Arc<Gateway>) {
    let end = gateway.host.runtime.shutdown.clone();
    // What is there at the start was read by the start.
    let (config, state) = (files_of(&gateway.host.runtime.config()), gateway.host.paths.state_dir.clone());
    let mut seen = Seen { config: stamps(config), plugins: Installed::look(&state) };
    let gateway = Arc::downgrade(gateway);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                () = tokio::time::sleep(POLL) => {}
                () = end.cancelled() => return,
            }
            let Some(gateway) = gateway.upgrade() else { return };
            let now = look(&gateway).await;
            if now == seen {
                continue;
            }
            let now = settled(&gateway, now).await;
            take_change(&gateway, now.plugins != seen.plugins).await;
            let files = look(&gateway).await.config;
            seen = Seen { config: as_read(&now.config, files), plugins: now.plugins };
        }
    });
}

/// Waits until the files rest (GW-133), and while an installation is under way.
async fn settled(gateway: &Arc<Gateway>, mut now: Seen) -> Seen {
    let begun = Instant::now();
    loop {
        let settle = gateway.host.runtime.config().gateway().reload.debounce_ms;
        tokio::time::sleep(Duration::from_millis(settle)).await;
        let later = look(gateway).await;
        let waits = later.plugins.under_way && begun.elapsed() < INSTALL_PATIENCE;
        if later == now && !waits {
            return now;
        }
        now = later;
    }
}

/// The stamps of the files that the new config is made of, from before it was read: an edit made since then is a change of its own.
fn as_read(before: &Stamps, mut files: Stamps) -> Stamps {
    for (path, stamp) in &mut files {
        if let Some((_, known)) = before.iter().find(|(known, _)| known == path) {
            *stamp = *known;
        }
    }
    files
}

async fn look(gateway: &Arc<Gateway>) -> Seen {
    let (files, state) = (files_of(&gateway.host.runtime.config()), gateway.host.paths.state_dir.clone());
    let work = tokio::task::spawn_blocking(move || Seen { config: stamps(files), plugins: Installed::look(&state) });
    work.await.unwrap_or_default()
}

async fn take_change(gateway: &Arc<Gateway>, plugins: bool) {
    let (paths, env) = (gateway.host.paths.clone(), gateway.host.env.clone());
    let Ok(loaded) = tokio::task::spawn_blocking(move || chela_config::load(&paths, &env)).await else { return };
    let next = match loaded {
        Ok(config) => Arc::new(config),
        // GW-134
        Err(error) => {
            tracing::warn!("the config file changed and is not valid; the running config stays: {error}");
            gateway.host.runtime.config()
        }
    };
    let before = gateway.host.runtime.config();
    let mode = next.gateway().reload.mode;
    if before.effective == next.effective && before.source == next.source {
        if plugins {
            take_plugins(gateway, mode).await;
        }
        return;
    }
    apply(gateway, &changed_paths(&before.effective, &next.effective), next, mode).await;
}

async fn apply(gateway: &Arc<Gateway>, changed: &[String], next: Arc<Config>, mode: ReloadMode) {
    let plugins = ReloadRules::of(&gateway.host.manager.registry());
    let effect = changed.iter().map(|path| effect_of(path, &plugins)).max().unwrap_or(Effect::None);
    let why = changed.iter().filter(|p| effect_of(p, &plugins) == effect).cloned().collect::<Vec<_>>().join(", ");
    if mode == ReloadMode::Off {
        return tracing::info!("the config file changed and `gateway.reload.mode` is `off`; a restart applies it");
    }
    let restart = effect == Effect::Restart || (mode == ReloadMode::Restart && effect != Effect::None);
    if restart && mode != ReloadMode::Hot {
        tracing::info!("the config file changed; the gateway starts anew for: {why}");
        return restart_when_idle(gateway, &why).await;
    }
    if restart {
        tracing::warn!("restart needed: the config file changed in {why}, and `gateway.reload.mode` is `hot`");
    } else {
        tracing::info!("the config file changed; applied: {why}");
    }
    let host = gateway.host.clone();
    blocking("the changed config could not be applied", move || host.reload(next)).await;
}

/// The config says the same, and what is installed changed.
async fn take_plugins(gateway: &Arc<Gateway>, mode: ReloadMode) {
    match mode {
        ReloadMode::Off => tracing::info!("installed plugins changed and `gateway.reload.mode` is `off`; a restart applies it"),
        ReloadMode::Restart => restart_when_idle(gateway, "installed plugins").await,
        ReloadMode::Hot | ReloadMode::Hybrid => {
            let host = gateway.host.clone();
            blocking("the changed plugins could not be looked at", move || host.rescan()).await;
        }
    }
}

async fn blocking(failure: &str, work: impl FnOnce() + Send + 'static) {
    let runtime = tokio::runtime::Handle::current();
    let work = tokio::task::spawn_blocking(move || {
        let _inside = runtime.enter();
        work();
    });
    if work.await.is_err() {
        tracing::error!("{failure}");
    }
}

/// Waits for runs under way, but not for ever (GW-133).
async fn restart_when_idle(gateway: &Arc<Gateway>, why: &str) {
    let idle = async {
        while !gateway.host.runtime.runs.active().is_empty() {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    let limit = Duration::from_millis(gateway.host.runtime.config().gateway().reload.deferral_timeout_ms);
    let _ = tokio::time::timeout(limit, idle).await;
    let request = StopRequest { reason: format!("config changed: {why}"), restart_expected_ms: Some(RESTART_EXPECTED_MS) };
    let _ = gateway.stop.send(request).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    // GW-133
    #[test]
    fn an_edit_during_a_reload_is_not_taken_for_what_was_read() {
        let at = |size| Some((std::time::SystemTime::UNIX_EPOCH, size, 1));
        let (main, part) = (PathBuf::from("openclaw.json"), PathBuf::from("part.json5"));
        let before = vec![(main.clone(), at(1))];
        let now = vec![(main.clone(), at(2)), (part.clone(), at(9))];
        assert_eq!(as_read(&before, now), [(main, at(1)), (part, at(9))]);
    }

    // GW-135, GW-136
    #[test]
    fn the_first_rule_decides_and_no_rule_restarts() {
        let rows = [
            ("gateway.port", Effect::Restart),
            ("gateway.reload.mode", Effect::None),
            ("gateway.remote.url", Effect::None),
            ("plugins.load.paths", Effect::Hot),
            ("plugins.entries.x.enabled", Effect::Hot),
            ("agents.defaults.model.primary", Effect::Hot),
            ("models.pricing.x", Effect::Restart),
            ("models.providers.x", Effect::Hot),
            ("commands.native", Effect::Restart),
            ("modelsx", Effect::Restart),
            ("logging.level", Effect::None),
        ];
        for (path, effect) in rows {
            assert_eq!(effect_of(path, &ReloadRules::default()), effect, "{path}");
        }
    }
}
