//! `api.runtime.config` (RT-009..025).

use chela_config::{Edit, WriteOptions};
use chela_plugin::CallError;
use serde_json::{Value, json};

use super::{Reply, Request, failed};
use crate::visible::config_for;

pub(super) async fn serve(request: &Request<'_>) -> Reply {
    let config = request.host.runtime.config();
    match request.method {
        "host.config.current" => Ok(visible(request, &config)),
        "host.config.read" => {
            let confined = request.record().is_some_and(|record| record.permissions().enforced().is_some());
            let masked = confined.then(|| visible(request, &config));
            let base = if let Some(masked) = &masked {
                masked
            } else if request.optional("base") == Some("runtime") {
                &config.effective
            } else {
                &config.source
            };
            Ok(
                json!({"config": base, "hash": config.hash, "snapshot": {"path": config.path, "exists": config.exists, "hash": config.hash}}),
            )
        }
        "host.config.mutate" | "host.config.replace" => write(request).await,
        other => Err(CallError::NotBuilt(other.into())),
    }
}

fn visible(request: &Request<'_>, config: &chela_config::Config) -> Value {
    config_for(request.record().as_ref(), config)
}

/// Writes the whole config (RT-010..023); a conflict writes nothing (RT-015).
async fn write(request: &Request<'_>) -> Reply {
    let Some(next) = request.params.get("nextConfig").filter(|v| v.is_object()).cloned() else {
        return Err(CallError::refused("INVALID_PARAMS", "`nextConfig` must be an object"));
    };
    let base_hash = request.optional("baseHash").map(str::to_string);
    let (paths, env) = (request.host.paths.clone(), request.host.env.clone());
    let previous = request.host.runtime.config().hash.clone();
    // Secrets that plugins are not shown come back as placeholders: what they stand for stays.
    let next = chela_config::redact::restore(&next, &request.host.runtime.config().source);
    let next = next.map_err(|e| CallError::refused("CONFIG_REFUSED", e.to_string()))?;
    let mut edits = vec![Edit::Replace(next)];
    edits.extend(unset_paths(request)?);
    let work = tokio::task::spawn_blocking(move || {
        let options = WriteOptions { base_hash, ..WriteOptions::default() };
        chela_config::write(&paths, &env, &edits, &options)?;
        Ok(chela_config::load(&paths, &env))
    });
    let refused = |error: chela_config::ConfigError| CallError::refused("CONFIG_REFUSED", error.to_string());
    let config = work.await.map_err(failed)?.map_err(refused)?.map_err(|error| written(&request.host.paths.config_path, &error))?;
    let path = config.path.clone();
    let config = std::sync::Arc::new(config);
    request.host.reload(config.clone());
    let after = request.params.get("afterWrite").cloned().unwrap_or_else(|| json!({"mode": "auto"}));
    let restart = after.get("mode").and_then(Value::as_str) == Some("restart");
    let mut follow = after.clone();
    follow["requiresRestart"] = restart.into();
    Ok(
        json!({"path": path, "previousHash": previous, "nextConfig": visible(request, &config), "afterWrite": after, "followUp": follow, "snapshot": {"hash": config.hash, "path": config.path, "exists": true}}),
    )
}

/// The file is changed, and the gateway could not take it: whoever tries again must know (RT-023).
fn written(path: &std::path::Path, error: &chela_config::ConfigError) -> CallError {
    let text = format!("the config was written to `{}`, and reading it back failed: {error}", path.display());
    CallError::refused("CONFIG_WRITTEN", text)
}

/// `writeOptions`: `unsetPaths` are taken out after the write, `expectedConfigPath` must be the file in use (RT-019).
fn unset_paths(request: &Request<'_>) -> Result<Vec<Edit>, CallError> {
    let options = request.params.get("writeOptions").unwrap_or(&Value::Null);
    let refuse = |text: String| CallError::refused("INVALID_PARAMS", text);
    let used = &request.host.paths.config_path;
    if let Some(expected) = options["expectedConfigPath"].as_str().filter(|path| std::path::Path::new(path) != used) {
        return Err(refuse(format!("`writeOptions.expectedConfigPath` is `{expected}`, and the config is `{}`", used.display())));
    }
    let paths = options["unsetPaths"].as_array().map(Vec::as_slice).unwrap_or_default();
    let edit = |path: &Value| {
        let names: Option<Vec<String>> = path.as_array()?.iter().map(|name| name.as_str().map(str::to_owned)).collect();
        names.filter(|names| !names.is_empty()).map(|path| Edit::Unset { path })
    };
    paths.iter().map(|path| edit(path).ok_or_else(|| refuse("`writeOptions.unsetPaths` must be lists of names".to_owned()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    // RT-023
    #[test]
    fn a_write_that_could_not_be_taken_is_told_from_one_that_did_not_happen() {
        let error = chela_config::ConfigError::Parse { path: "/c".into(), line: 1, column: 2, message: "expected `}`".into() };
        let told = written(std::path::Path::new("/c"), &error);
        assert_eq!(told.code(), "CONFIG_WRITTEN");
        assert!(told.to_string().contains("was written to `/c`"), "{told}");
    }
}
