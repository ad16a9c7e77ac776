//! The lane: starts plugins in workers of their own or of their group.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use async_trait::async_trait;
use chela_manifest::permissions::Effective;
use chela_plugin::{HostServices, Lane, PluginSpec, StartError, StartPhase, StartedPlugin};
use tokio::sync::OnceCell;

use crate::memory::MemoryWatch;
use crate::options::NodeLaneOptions;
use crate::plugin::NodePlugin;
use crate::runtime::{NodeError, NodeRuntime, find_node};
use crate::sdk;
use crate::transpile::Transpiler;
use crate::worker::Worker;
use crate::worker::slot::{Slot, start_error};

/// What all workers of a lane share.
pub(crate) struct LaneContext {
    pub(crate) options: NodeLaneOptions,
    pub(crate) memory: MemoryWatch,
    pub(crate) transpiler: Arc<Transpiler>,
    node: OnceCell<NodeRuntime>,
    sdk: OnceCell<PathBuf>,
}

impl LaneContext {
    /// Node, found or fetched on first need.
    pub(crate) async fn node(&self) -> Result<NodeRuntime, NodeError> {
        self.node.get_or_try_init(|| find_node(&self.options)).await.cloned()
    }

    /// The SDK's files, written on first need.
    pub(crate) async fn sdk_dir(&self) -> Result<PathBuf, String> {
        if let Some(dir) = &self.options.sdk_dir {
            return Ok(dir.clone());
        }
        let install = || async {
            let cache = self.options.cache_dir.clone();
            let done = tokio::task::spawn_blocking(move || sdk::install(&cache)).await;
            done.map_err(|e| e.to_string())?.map_err(|e| format!("the plugin SDK cannot be written: {e}"))
        };
        let dir = self.sdk.get_or_try_init(install).await?;
        // A cache may be emptied at any time.
        if dir.join(sdk::ENTRY).is_file() { Ok(dir.clone()) } else { install().await }
    }
}

/// Runs OpenClaw plugins in Node workers.
pub struct NodeLane {
    context: Arc<LaneContext>,
    /// Workers of groups by name.
    groups: Mutex<HashMap<String, Arc<Worker>>>,
}

impl std::fmt::Debug for NodeLane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NodeLane").field("options", &self.context.options).finish_non_exhaustive()
    }
}

impl NodeLane {
    /// A lane that has started nothing yet.
    pub fn new(options: NodeLaneOptions) -> Self {
        let memory = MemoryWatch::new(options.timing.memory_interval);
        let transpiler = Arc::new(Transpiler::new(options.cache_dir.join("ts-cache")));
        Self {
            context: Arc::new(LaneContext { options, memory, transpiler, node: OnceCell::new(), sdk: OnceCell::new() }),
            groups: Mutex::default(),
        }
    }

    /// Finds Node, or fetches the managed one, and writes the SDK, before the first plugin needs them.
    ///
    /// # Errors
    /// [`NodeError`] names what was looked at and what to do.
    pub async fn prepare(&self) -> Result<NodeRuntime, NodeError> {
        let node = self.context.node().await?;
        self.context.sdk_dir().await.map_err(NodeError::Sdk)?;
        Ok(node)
    }

    /// Starts a plugin; like [`Lane::start`], but with the lane's own type.
    ///
    /// # Errors
    /// As [`Lane::start`].
    pub async fn start_plugin(
        &self,
        spec: PluginSpec,
        host: Arc<dyn HostServices>,
    ) -> Result<(Arc<NodePlugin>, StartedPlugin), StartError> {
        let begun = Instant::now();
        let slot = Slot::new(spec, host);
        // One process has one sandbox.
        let group = slot.spec.group.clone().filter(|_| slot.spec.permissions == Effective::Open);
        let (worker, loaded) = match group {
            None => {
                let worker = Worker::new(slot.spec.id.clone(), self.context.clone());
                let ended = || Err(start_error(StartPhase::Load, format!("the worker of plugin `{}` ended at once", slot.spec.id), true));
                let loaded = worker.load(slot.clone()).await.unwrap_or_else(ended)?;
                (worker, loaded)
            }
            Some(group) => self.join(group, &slot).await?,
        };
        let plugin = Arc::new(NodePlugin::new(worker, slot, self.context.options.observer.clone()));
        let started = StartedPlugin {
            definition: loaded.definition,
            registrations: loaded.registrations.to_vec(),
            link_report: loaded.link_report,
            target: plugin.clone(),
            control: plugin.clone(),
            duration: begun.elapsed(),
        };
        Ok((plugin, started))
    }

    async fn join(&self, group: String, slot: &Arc<Slot>) -> Result<(Arc<Worker>, crate::worker::slot::Loaded), StartError> {
        loop {
            let worker = self.group_worker(&group);
            if worker.slots().iter().any(|s| s.spec.id == slot.spec.id) {
                let message = format!("plugin `{}` runs in the group `{group}` already", slot.spec.id);
                return Err(start_error(StartPhase::Validation, message, false));
            }
            // The worker may end with its last plugin just now; then the group gets a new one.
            if let Some(loaded) = worker.load(slot.clone()).await {
                return Ok((worker, loaded?));
            }
        }
    }

    fn group_worker(&self, group: &str) -> Arc<Worker> {
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        groups.retain(|_, worker| !worker.is_over());
        groups.entry(group.into()).or_insert_with(|| Worker::new(group.into(), self.context.clone())).clone()
    }
}

#[async_trait]
impl Lane for NodeLane {
    fn name(&self) -> &'static str {
        "node"
    }

    async fn start(&self, spec: PluginSpec, host: Arc<dyn HostServices>) -> Result<StartedPlugin, StartError> {
        Ok(self.start_plugin(spec, host).await?.1)
    }
}
