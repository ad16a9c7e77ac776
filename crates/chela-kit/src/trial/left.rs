//! What a plugin under trial leaves behind: processes, and descriptors that grow with its calls.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use chela_agent::TurnPlugins;
use chela_hooks::DispatchOptions;
use chela_node::Called;
use chela_plugin::HookName;

use super::Trial;
use super::samples::{self, Scene};
use crate::turn::{AGENT, SESSION};

/// How often each hook is fired again to see whether its calls leave something open.
const AGAIN: usize = 25;
/// Hooks that took longer than this are not fired again.
const QUICK: Duration = Duration::from_millis(200);
/// Longest wait for processes to end after the host has closed.
const PATIENCE: Duration = Duration::from_secs(3);

/// The processes whose environment names the trial's home: all that the plugin started, wherever they were moved to.
pub(super) fn processes(home: &Path) -> Vec<String> {
    let marker = home.to_string_lossy().into_owned().into_bytes();
    let mut found = Vec::new();
    for entry in fs_err::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()).filter(|pid| *pid != std::process::id())
        else {
            continue;
        };
        let Ok(environment) = fs_err::read(entry.path().join("environ")) else { continue };
        if environment.windows(marker.len()).any(|part| part == marker) {
            let name = fs_err::read_to_string(entry.path().join("comm")).unwrap_or_default();
            found.push(format!("{} ({pid})", name.trim()));
        }
    }
    found
}

/// Those that are still there after a moment.
pub(super) async fn orphans(home: &Path) -> Vec<String> {
    let begun = tokio::time::Instant::now();
    loop {
        let found = processes(home);
        if found.is_empty() || begun.elapsed() > PATIENCE {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Open descriptors of a process; none where the system does not tell.
fn descriptors(pid: u32) -> Option<usize> {
    Some(fs_err::read_dir(format!("/proc/{pid}/fd")).ok()?.count())
}

impl Trial<'_> {
    /// Fires each hook again and again, and compares the open descriptors of the worker before and after.
    pub(super) async fn leaks(&mut self) {
        let id = self.report.plugin_id.clone();
        let pid = || self.host.plugin_statuses().into_iter().find(|status| status.id == id).and_then(|status| status.worker.pid);
        let Some(pid) = pid() else { return };
        let registry = self.registry();
        let slow: BTreeSet<HookName> = self
            .recorder
            .since(0)
            .iter()
            .filter(|call| call.took > QUICK || call.result.is_err())
            .filter_map(|call| if let Called::Hook(hook, _) = &call.what { Some(*hook) } else { None })
            .collect();
        let mine: BTreeSet<HookName> =
            registry.typed_hooks.iter().filter(|hook| hook.owner.id.as_ref() == id).map(|hook| hook.hook).collect();
        let runtime = &self.host.runtime;
        let workspace = runtime.workspace_of(AGENT).to_string_lossy().into_owned();
        let config = runtime.config().effective.clone();
        let scene = Scene { agent: AGENT, session_key: SESSION, session_id: "trial", workspace: &workspace, config: &config };
        let generation = self.host.manager.current();
        for hook in mine.difference(&slow) {
            let Some(before) = descriptors(pid) else { return };
            for _ in 0..AGAIN {
                let (event, ctx) = samples::sample(*hook, &scene);
                let options = DispatchOptions { budget_override: Some(self.options.limit), ..DispatchOptions::default() };
                generation.hooks.dispatch(*hook, event, ctx, options).await;
            }
            self.recorder.quiet(Duration::from_secs(2)).await;
            let after = descriptors(pid).unwrap_or(before);
            if after >= before + AGAIN {
                self.report.failures.push(format!("hook `{hook}` leaks: {AGAIN} calls left {} more files or sockets open", after - before));
            }
        }
    }
}
