//! `api.runtime.llm` (RT-057..069).

use chela_agent::completion;
use chela_plugin::CallError;
use serde_json::json;

use super::{Reply, Request};

pub(super) async fn serve(request: &Request<'_>) -> Reply {
    match request.method {
        "host.llm.complete" => {
            let runtime = &request.host.runtime;
            let agent = completion::agent_of(runtime, request.plugin, &request.params)?;
            let caller = json!({"kind": "plugin", "id": request.plugin});
            completion::complete(runtime, request.plugin, &agent, &request.params, caller).await
        }
        other => Err(CallError::NotBuilt(other.into())),
    }
}
