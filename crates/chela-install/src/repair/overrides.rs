//! Other sources for plugins that a repair installs by itself, from the environment (INS-342, INS-343). The installer's environment holds
//! nothing of a workspace's `.env`, which may set no variable of this program.

use std::path::PathBuf;

use chela_config::Env;
use chela_manifest::NpmSpec;
use serde_json::Value;

use super::parsed;
use crate::error::InstallError;

/// Switch, which must be `1`.
const ALLOW: &str = "OPENCLAW_ALLOW_PLUGIN_INSTALL_OVERRIDES";
/// JSON map from plugin id to source.
pub(super) const ENV: &str = "OPENCLAW_PLUGIN_INSTALL_OVERRIDES";

/// A source for one id.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Override {
    Npm(NpmSpec),
    NpmPack(PathBuf),
}

/// The source for an id, when there is one. Unlike in the reference, a map that is no map is told and not passed over: whoever set it
/// wants no other source.
pub(super) fn of(env: &Env, id: &str, resolve: &dyn Fn(&str) -> PathBuf) -> Result<Option<Override>, InstallError> {
    if env.non_empty(ALLOW) != Some("1") {
        return Ok(None);
    }
    let Some(text) = env.non_empty(ENV) else {
        return Ok(None);
    };
    let wrong = |what: &str| {
        InstallError::refused(format!("`{ENV}` {what}")).hint(format!(r#"write a JSON map: {ENV}='{{"ID": "npm:PACKAGE"}}', or unset it"#))
    };
    let Ok(Value::Object(map)) = serde_json::from_str(text) else {
        return Err(wrong("is no JSON map"));
    };
    let Some(source) = map.get(id) else {
        return Ok(None);
    };
    let source = source.as_str().map(str::trim).unwrap_or_default();
    match source.split_once(':').map(|(kind, rest)| (kind, rest.trim())) {
        Some(("npm", spec)) if !spec.is_empty() => Ok(Some(Override::Npm(parsed(spec)?))),
        Some(("npm-pack", path)) if !path.is_empty() => Ok(Some(Override::NpmPack(resolve(path)))),
        _ => Err(wrong(&format!("names no `npm:` or `npm-pack:` source for \"{id}\""))),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    // INS-342
    #[test]
    fn only_the_switch_makes_the_map_count() {
        let of = |allow: &str, map: &str, id: &str| {
            let mut env = Env::default();
            env.set(ALLOW, allow);
            env.set(ENV, map);
            super::of(&env, id, &|text| Path::new("/home").join(text)).map_err(|error| error.to_string())
        };
        let map = r#"{"a": "npm:@t/a@1.0.0", "b": "npm-pack: b.tgz", "c": "git:x/y", "d": 1}"#;
        assert_eq!(of("1", map, "a"), Ok(Some(Override::Npm(NpmSpec::parse("@t/a@1.0.0").unwrap()))));
        assert_eq!(of("1", map, "b"), Ok(Some(Override::NpmPack("/home/b.tgz".into()))));
        assert_eq!(of("1", map, "e"), Ok(None));
        for off in ["", "0", "true"] {
            assert_eq!(of(off, map, "a"), Ok(None), "{off}");
        }
        for (map, id) in [(map, "c"), (map, "d"), ("[]", "a"), ("{", "a")] {
            assert!(of("1", map, id).unwrap_err().starts_with("`OPENCLAW_PLUGIN_INSTALL_OVERRIDES` "), "{map} {id}");
        }
    }
}
