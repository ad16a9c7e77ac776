//! What a confined plugin sees of the gateway: the config without the secrets of others, and no hands outside its sandbox.
#![allow(clippy::result_large_err, reason = "the error is the answer that goes to the plugin, once for a request")]

use chela_catalog::PluginRecord;
use chela_config::{Config, REDACTED, redact};
use chela_manifest::permissions::Permissions;
use chela_plugin::CallError;
use serde_json::Value;

use crate::assemble::public_config;

/// The config as one plugin gets it. A confined one sees no secret but those of its own entry, channels and providers, and no variable
/// that was not granted.
pub(crate) fn config_for(record: Option<&PluginRecord>, config: &Config) -> Value {
    let whole = public_config(config);
    match record.map(|record| (record, record.permissions())) {
        Some((record, permissions)) => match permissions.enforced() {
            Some(set) => masked(record, set, &whole),
            None => whole,
        },
        None => whole,
    }
}

/// A config as it is written, as one plugin may see it.
pub(crate) fn masked_for(record: Option<&PluginRecord>, whole: &Value) -> Value {
    let Some(record) = record else { return redact(whole, &[]) };
    let permissions = record.permissions();
    permissions.enforced().map_or_else(|| whole.clone(), |set| masked(record, set, whole))
}

/// Variables that the manifest names as its own (setup providers, auth and channel variables).
pub(crate) fn env_grants(record: &PluginRecord) -> Vec<String> {
    let raw = &record.manifest.raw;
    let mut names = Vec::new();
    let mut take = |value: Option<&Value>| {
        let list = value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        names.extend(list.map(str::to_string));
    };
    for provider in raw.get("setup").and_then(|s| s.get("providers")).and_then(Value::as_array).into_iter().flatten() {
        take(provider.get("envVars"));
    }
    for block in ["providerAuthEnvVars", "channelEnvVars"] {
        for value in raw.get(block).and_then(Value::as_object).into_iter().flat_map(|o| o.values()) {
            take(Some(value));
        }
    }
    names
}

fn masked(record: &PluginRecord, set: &Permissions, whole: &Value) -> Value {
    let mut out = redact(whole, &[]);
    let manifest = &record.manifest;
    let own = [(["plugins", "entries"], vec![&record.id]), (["models", "providers"], manifest.providers.iter().collect())];
    for (place, names) in own {
        for name in names {
            give_back(&mut out, whole, &[place[0], place[1], name]);
        }
    }
    for channel in &manifest.channels {
        give_back(&mut out, whole, &["channels", channel]);
    }
    for pointer in ["/env", "/env/vars"] {
        for (name, value) in out.pointer_mut(pointer).and_then(Value::as_object_mut).into_iter().flatten() {
            if value.is_string() && !set.allows_env(name) {
                *value = REDACTED.into();
            }
        }
    }
    out
}

fn give_back(out: &mut Value, whole: &Value, path: &[&str]) {
    let found = path.iter().try_fold(whole, |at, key| at.get(key));
    let place = path.iter().try_fold(out, |at, key| at.get_mut(key));
    if let (Some(found), Some(place)) = (found, place) {
        place.clone_from(found);
    }
}

/// Refuses what would do outside of a sandbox what is denied inside: the gateway itself is not confined.
///
/// # Errors
/// `EACCES`, with what to do instead.
pub(crate) fn check(record: Option<&PluginRecord>, method: &str, params: &Value) -> Result<(), CallError> {
    let Some(record) = record.filter(|record| record.permissions().enforced().is_some()) else { return Ok(()) };
    let key = format!("plugins.entries.{}.permissions", record.id);
    let refuse = |text: String| Err(CallError::refused("EACCES", text));
    match method {
        "host.system.runCommandWithTimeout" => {
            refuse(format!("plugin `{}` is confined and cannot have the gateway run commands; remove `{key}` to allow it", record.id))
        }
        "host.config.mutate" | "host.config.replace" => refuse(format!(
            "plugin `{}` is confined and cannot change the config, its own permissions among it; remove `{key}` to allow it",
            record.id
        )),
        "host.modelAuth.resolve" | "host.modelAuth.getRuntimeAuthForModel" | "host.modelAuth.providerAuth" => {
            let provider = provider_of(params);
            match provider.filter(|provider| !record.manifest.providers.contains(provider)) {
                Some(provider) => refuse(format!(
                    "plugin `{}` is confined and gets credentials of its own providers only, not of `{provider}`; remove `{key}` to allow it",
                    record.id
                )),
                None => Ok(()),
            }
        }
        _ if method.starts_with("host.channel.pairing.") => {
            let channel = params["args"][0]["channel"].as_str().unwrap_or_default().trim();
            let owns = record.manifest.channels.iter().any(|own| own.eq_ignore_ascii_case(channel));
            if owns {
                return Ok(());
            }
            refuse(format!(
                "plugin `{}` is confined and admits senders of its own channels only, not of `{channel}`; remove `{key}` to allow it",
                record.id
            ))
        }
        _ => Ok(()),
    }
}

fn provider_of(params: &Value) -> Option<String> {
    let text = |value: &Value| value.as_str().map(|text| text.trim().to_owned());
    let model = &params["model"];
    let by_model = || model["provider"].as_str().or(model.as_str().and_then(|text| text.split('/').next())).map(str::to_owned);
    text(&params["provider"]).or_else(by_model)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn providers_are_found_in_every_form_of_a_request() {
        for (params, provider) in [
            (json!({"provider": " a "}), Some("a")),
            (json!({"model": "b/m"}), Some("b")),
            (json!({"model": {"provider": "c", "id": "m"}}), Some("c")),
            (json!({}), None),
        ] {
            assert_eq!(provider_of(&params).as_deref(), provider);
        }
    }
}
