//! `chela plugins enable` and `disable` (INS-308..INS-311): one key of the config, comments stay.

use chela_catalog::{PluginPolicy, PluginRecord};
use chela_config::{Edit, SetMode, WriteOptions};
use serde_json::{Value, json};

use super::plugins_install::takes_effect;
use crate::cli::plugins::SwitchArgs;
use crate::context::Context;
use crate::installer;
use crate::lockfile;
use crate::output;
use crate::report::{Failure, note, warn};

/// Switches a plugin on, and gives it the slot that its kind fills. What policy forbids is said and written nowhere (INS-309).
///
/// # Errors
/// An unknown id, an invalid config, a config that cannot be written.
pub fn enable(ctx: &Context, args: &SwitchArgs) -> Result<(), Failure> {
    let config = ctx.config()?;
    let snapshot = ctx.scan(&config);
    let plugin = snapshot.get(&args.id).ok_or_else(|| super::plugins_inspect::not_found(&args.id))?;
    if let Some(reason) = blocked(&snapshot.policy, &plugin.id) {
        let message = format!("Plugin \"{}\" could not be enabled ({reason}).", plugin.id);
        if args.json {
            return output::json(&json!({"id": plugin.id, "enabled": false, "changed": false, "reason": reason}));
        }
        warn(&message);
        return Ok(());
    }
    let mut edits = vec![entry(&plugin.id, true)];
    edits.extend(slots(plugin));
    write(ctx, args, &plugin.id, true, &edits)
}

/// Switches a plugin off.
///
/// # Errors
/// As [`enable`].
pub fn disable(ctx: &Context, args: &SwitchArgs) -> Result<(), Failure> {
    let config = ctx.config()?;
    let snapshot = ctx.scan(&config);
    let known = snapshot.get(&args.id).is_some() || snapshot.policy.entries.contains_key(&args.id);
    if !known {
        return Err(super::plugins_inspect::not_found(&args.id));
    }
    write(ctx, args, &args.id, false, &[entry(&args.id, false)])
}

/// Why policy keeps a plugin off, whatever its entry says.
fn blocked(policy: &PluginPolicy, id: &str) -> Option<&'static str> {
    let lists = |list: &[String]| list.iter().any(|entry| entry == id);
    if !policy.enabled {
        Some("plugins disabled")
    } else if lists(&policy.deny) {
        Some("blocked by denylist")
    } else if !policy.allow.is_empty() && !lists(&policy.allow) {
        Some("blocked by allowlist")
    } else {
        None
    }
}

fn set(path: &[&str], value: Value) -> Edit {
    Edit::Set { path: path.iter().map(|key| (*key).to_owned()).collect(), value, mode: SetMode::Replace }
}

fn entry(id: &str, enabled: bool) -> Edit {
    set(&["plugins", "entries", id, "enabled"], enabled.into())
}

/// Slots that the plugin's kind takes (INS-310).
fn slots(plugin: &PluginRecord) -> Vec<Edit> {
    let kinds = [("memory", "memory"), ("context-engine", "contextEngine")];
    let taken = kinds.iter().filter(|(kind, _)| plugin.manifest.has_kind(kind));
    taken.map(|(_, slot)| set(&["plugins", "slots", slot], plugin.id.as_str().into())).collect()
}

fn write(ctx: &Context, args: &SwitchArgs, id: &str, enabled: bool, edits: &[Edit]) -> Result<(), Failure> {
    let outcome = chela_config::write(&ctx.paths, &ctx.env, edits, &WriteOptions::default()).map_err(Failure::not_written)?;
    outcome.warnings.iter().for_each(|warning| warn(warning));
    // The change is made; an index that lags behind is only stale (INS-109).
    if outcome.changed
        && let Err(error) = installer::make(ctx, None).refresh_policy(&outcome.config, &[id])
    {
        warn(&format!("plugin index refresh failed: {error}"));
    }
    if args.json {
        return output::json(&json!({"id": id, "enabled": enabled, "changed": outcome.changed}));
    }
    let verb = if enabled { "Enabled" } else { "Disabled" };
    output::text(&format!("{verb} plugin \"{id}\"."))?;
    if lockfile::look(&ctx.paths).pid().is_some() {
        note(&takes_effect(ctx, "apply"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    // INS-309, INS-311
    #[test]
    fn policy_beats_the_entry() {
        let policy = |value: Value| PluginPolicy::from_config_value(&json!({"plugins": value}));
        for (plugins, expected) in [
            (json!({}), None),
            (json!({"allow": ["a"]}), None),
            (json!({"allow": ["b"]}), Some("blocked by allowlist")),
            (json!({"allow": ["b"], "deny": ["a"]}), Some("blocked by denylist")),
            (json!({"enabled": false, "deny": ["a"]}), Some("plugins disabled")),
        ] {
            assert_eq!(blocked(&policy(plugins.clone()), "a"), expected, "{plugins}");
        }
    }
}
