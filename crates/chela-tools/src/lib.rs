//! The agent's tools for files and commands on this machine (TOOL-31..TOOL-45).
//!
//! Invariants: no process outlives the gateway, and none sees its secrets; everything that comes back is bounded; what needs an approval
//! runs only after one, also across a restart, and never twice for one.

mod exec;
pub mod exec_file;
mod files;
mod keys;
mod params;
mod patch;
mod place;
mod process;
mod sessions;
mod settings;
mod world;

use std::sync::{Arc, Weak};

use chela_agent::AgentRuntime;
use chela_agent::tools::{HostTool, HostToolCall, Origin};
use chela_approvals::ApprovalRow;

pub use world::ToolHost;
use world::World;

/// The tools of a host, and the commands that they run.
#[derive(Debug)]
pub struct Toolbox {
    world: Arc<World>,
}

impl Toolbox {
    /// For this host.
    pub fn new(host: Weak<dyn ToolHost>) -> Self {
        Self { world: World::new(host) }
    }

    /// The tools, in the order in which they are offered.
    pub fn tools(&self) -> Vec<Arc<dyn HostTool>> {
        let file = |which| Arc::new(files::Files { which, world: self.world.clone() }) as Arc<dyn HostTool>;
        vec![
            file(files::FileTool::Read),
            file(files::FileTool::Write),
            file(files::FileTool::Edit),
            Arc::new(patch::ApplyPatch { world: self.world.clone() }),
            Arc::new(exec::Exec { world: self.world.clone() }),
            Arc::new(process::Process { world: self.world.clone() }),
        ]
    }

    /// Goes on with commands that an earlier run of the gateway asked for.
    pub fn resume(&self, waiting: Vec<ApprovalRow>) {
        for row in waiting {
            exec::resume(&self.world, row);
        }
    }

    /// Ends all commands. None is left when it returns.
    pub async fn close(&self) {
        self.world.sessions.close().await;
    }
}

/// How the commands of an agent run in a session, for people; `session` is what its row says.
pub fn describe_exec(runtime: &AgentRuntime, agent: &str, session: &serde_json::Map<String, serde_json::Value>) -> String {
    let found = settings::exec(runtime, agent, session);
    format!("host={} security={} ask={}", found.host, found.security.as_str(), found.ask.as_str())
}

/// The gates of `tools.elevated` that fail for somebody (TOOL-43); none when commands may be elevated.
pub fn elevated_gates(runtime: &AgentRuntime, agent: &str, origin: &Origin) -> Vec<String> {
    settings::failing_gates(runtime, agent, origin)
}

/// The agent of a call.
fn agent_of(call: &HostToolCall<'_>) -> String {
    let named = call.context["agentId"].as_str().map(str::to_owned);
    named.unwrap_or_else(|| chela_store::session_key::agent_of(call.session_key))
}
