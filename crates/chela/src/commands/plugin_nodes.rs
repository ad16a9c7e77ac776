//! Nodes for commands of plugins: the configured gateway is asked (RT-055).

use std::time::Duration;

use async_trait::async_trait;
use chela_host::nodes::NodeAccess;
use chela_plugin::CallError;
use serde_json::{Value, json};

use crate::cli::TargetArgs;
use crate::client::{self, Purpose};
use crate::context::Context;
use crate::report::Failure;

/// Longest wait for the gateway, beyond what a command of a node may take.
const LIMIT: Duration = Duration::from_secs(10);
/// Longest command of a node.
const MOST_MS: u64 = 10 * 60 * 1000;

/// Reaches nodes through the gateway that the config names.
pub(super) struct RemoteNodes {
    ctx: Context,
}

impl RemoteNodes {
    pub(super) fn new(ctx: &Context) -> Self {
        Self { ctx: Context { env: ctx.env.clone(), paths: ctx.paths.clone(), started: ctx.started } }
    }

    async fn ask(&self, method: &str, params: Value, limit: Duration) -> Result<Value, CallError> {
        let refused = |failure: Failure| CallError::refused("NODE_REFUSED", failure.message);
        let (config, _) = self.ctx.config_lenient().map_err(refused)?;
        let target = client::target(&self.ctx, &config, &TargetArgs::default()).map_err(refused)?;
        let refused = |error: client::ClientError| CallError::refused("NODE_REFUSED", Failure::from(error).message);
        let mut connection = client::connect(&self.ctx, &target, Purpose::Call, limit).await.map_err(refused)?;
        let answer = connection.request(method, params, false, limit).await;
        connection.close().await;
        answer.map_err(refused)
    }
}

#[async_trait]
impl NodeAccess for RemoteNodes {
    async fn list(&self) -> Result<Vec<Value>, CallError> {
        let answer = self.ask("node.list", json!({}), LIMIT).await?;
        Ok(answer["nodes"].as_array().cloned().unwrap_or_default())
    }

    async fn invoke(&self, params: Value) -> Result<Value, CallError> {
        let extra = Duration::from_millis(params["timeoutMs"].as_u64().unwrap_or_default().min(MOST_MS));
        self.ask("node.invoke", params, LIMIT + extra).await
    }
}
