//! `api.runtime` of media and the web (RT-117..128): what plugins ask of the providers of others.

use chela_capabilities::Scope;
use chela_capabilities::generation::{self, Medium};
use chela_capabilities::web::search;
use chela_plugin::CallError;
use serde_json::Value;

use super::{Reply, Request};

pub(super) async fn serve(request: &Request<'_>) -> Reply {
    let params = request.params.pointer("/args/0").cloned().unwrap_or_default();
    let config = params.get("cfg").or_else(|| params.get("config"));
    let scope = Scope::new(request.host.as_ref()).with_config(config);
    match request.method {
        "host.imageGeneration.generate" => generation::generate(&scope, Medium::Image, &params).await,
        "host.videoGeneration.generate" => generation::generate(&scope, Medium::Video, &params).await,
        "host.musicGeneration.generate" => generation::generate(&scope, Medium::Music, &params).await,
        "host.imageGeneration.listProviders" => list(&scope, Medium::Image),
        "host.videoGeneration.listProviders" => list(&scope, Medium::Video),
        "host.musicGeneration.listProviders" => list(&scope, Medium::Music),
        "host.webSearch.search" => search::search(&scope, &params).await,
        "host.webSearch.listProviders" => Ok(search::list(&scope).into()),
        other => Err(CallError::NotBuilt(other.into())),
    }
}

fn list(scope: &Scope<'_>, medium: Medium) -> Reply {
    Ok(Value::Array(generation::list(scope, medium)))
}
