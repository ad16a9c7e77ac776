//! Upkeep of the session store: what `session.maintenance` says, on request and now and then.

use std::collections::HashSet;
use std::sync::{Arc, Weak};
use std::time::Duration;

use chela_agent::clock::now_ms;
use chela_config::SessionSettings;
use chela_gateway_protocol::error::ErrorShape;
use chela_store::{CleanupRules, Doomed, session_key};
use serde_json::{Value, json};

use crate::gateway::Gateway;
use crate::methods::internal;

/// First look after the start, when the rush is over, and the time between two.
const FIRST: Duration = Duration::from_secs(5 * 60);
const EVERY: Duration = Duration::from_secs(60 * 60);
/// Archives that one step removes.
const ARCHIVES_AT_ONCE: usize = 200;

/// What a clean-up is asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct CleanupRequest {
    /// Acts although the config only warns.
    pub enforce: bool,
    /// Changes nothing.
    pub dry_run: bool,
    /// Also sessions whose transcript is gone.
    pub fix_missing: bool,
    /// Also sessions of direct peers, where the config has one for all.
    pub fix_dm_scope: bool,
    /// A key that stays.
    pub active_key: Option<String>,
}

impl Gateway {
    /// Cleans up the sessions of an agent and says what it did (or would do).
    pub(crate) async fn clean_up(&self, agent: &str, request: &CleanupRequest) -> Result<Value, ErrorShape> {
        let runtime = &self.host.runtime;
        let settings = runtime.settings();
        let rules = self.rules(agent, &settings.session, request);
        let disk = rules.disk;
        let plan = runtime.store.plan_cleanup(agent, rules).await.map_err(internal)?;
        let enforce = request.enforce || settings.session.maintenance_enforce;
        // What somebody asked for by name is done in any mode.
        let goes = |doomed: &&Doomed| !request.dry_run && (enforce || doomed.is_asked_for());
        let (mut removed, mut archives) = (0, 0);
        for doomed in plan.doomed.iter().filter(goes) {
            removed += u64::from(self.delete_session(&doomed.row.key, true).await?.is_some());
        }
        if enforce && !request.dry_run {
            if plan.archive_bytes > 0 {
                archives += runtime.store.free_archives(agent, plan.archive_bytes).await.map_err(internal)?;
            }
            archives += self.purge_archives(&settings.session).await?;
        }
        if removed > 0 || archives > 0 {
            tracing::info!(agent, removed, archives, "sessions were cleaned up");
        }
        let mut report = plan.report(agent, &self.sessions_file(agent), removed, request.dry_run, enforce);
        report["archivesRemoved"] = archives.into();
        if let Some((most, high)) = disk {
            report["diskBudget"] = json!({"maxBytes": most, "highWaterBytes": high});
        }
        Ok(report)
    }

    fn rules(&self, agent: &str, session: &SessionSettings, request: &CleanupRequest) -> CleanupRules {
        let busy = self.host.runtime.runs.active().into_iter().map(|run| run.session_key);
        let mut keep: HashSet<String> = busy.chain(request.active_key.clone()).collect();
        keep.insert(session_key::main_key(agent));
        CleanupRules {
            stale_before_ms: now_ms().saturating_sub(i64::try_from(session.prune_after_ms).unwrap_or(i64::MAX)),
            max_entries: session.max_entries,
            missing: request.fix_missing,
            direct_peers: request.fix_dm_scope && session.dm_scope == chela_config::DmScope::Main,
            disk: session.disk_budget,
            keep,
        }
    }

    async fn purge_archives(&self, session: &SessionSettings) -> Result<usize, ErrorShape> {
        let Some(age) = session.archive_retention_ms else { return Ok(0) };
        let before = now_ms().saturating_sub(i64::try_from(age).unwrap_or(i64::MAX));
        let mut all = 0;
        loop {
            let gone = self.host.runtime.store.purge_archives(before, ARCHIVES_AT_ONCE).await.map_err(internal)?;
            all += gone;
            if gone < ARCHIVES_AT_ONCE {
                return Ok(all);
            }
        }
    }
}

/// Looks after the store while the gateway runs. Where the config only warns, it warns.
pub(crate) async fn keep(gateway: Weak<Gateway>) {
    let mut wait = FIRST;
    loop {
        let Some(shutdown) = gateway.upgrade().map(|g| g.host.runtime.shutdown.clone()) else { return };
        tokio::select! {
            () = tokio::time::sleep(std::mem::replace(&mut wait, EVERY)) => {}
            () = shutdown.cancelled() => return,
        }
        let Some(gateway) = gateway.upgrade() else { return };
        let settings = gateway.host.runtime.settings();
        for agent in &settings.agents.list {
            if let Err(error) = look_after(&gateway, &agent.id, &settings.session).await {
                tracing::error!(agent = agent.id, "the sessions could not be looked after: {}", error.message);
            }
        }
    }
}

async fn look_after(gateway: &Arc<Gateway>, agent: &str, session: &SessionSettings) -> Result<(), ErrorShape> {
    let (count, oldest) = gateway.host.runtime.store.session_extent(agent).await.map_err(internal)?;
    let stale_before = now_ms().saturating_sub(i64::try_from(session.prune_after_ms).unwrap_or(i64::MAX));
    let beyond = count > session.max_entries as u64 || oldest.is_some_and(|at| at < stale_before);
    if session.maintenance_enforce {
        if beyond || session.disk_budget.is_some() {
            gateway.clean_up(agent, &CleanupRequest::default()).await?;
        } else {
            gateway.purge_archives(session).await?;
        }
    } else if beyond {
        tracing::warn!(
            agent,
            count,
            "sessions are older or more than `session.maintenance` wants; set its `mode` to \"enforce\", or run `chela sessions cleanup --enforce`"
        );
    }
    Ok(())
}
