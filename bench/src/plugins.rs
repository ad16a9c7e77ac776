//! Plugins that do nothing, made for a run: what they cost is the cost of having plugins.

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::json;

/// A plugin to load: its id and folder.
#[derive(Clone, Debug)]
pub struct Plugin {
    /// Id of its manifest.
    pub id: String,
    /// Its folder.
    pub dir: PathBuf,
}

/// One of the repository's fixtures.
pub fn fixture(fixtures: &Path, id: &str) -> Plugin {
    Plugin { id: id.into(), dir: fixtures.join(id) }
}

/// Writes `count` plugins with one command each; `on_startup` makes the gateway start them.
pub fn idle(dir: &Path, count: usize, on_startup: bool) -> Result<Vec<Plugin>> {
    let body =
        |id: &str| format!("api.registerCommand({{ name: '{id}', description: 'Does nothing', handler: () => ({{ text: 'ok' }}) }});");
    (0..count).map(|n| write(dir, &format!("bench-idle-{n:03}"), on_startup, &body)).collect()
}

/// Writes a plugin with one handler, which returns nothing, on each of these hooks.
pub fn no_op_hooks(dir: &Path, hooks: &[&str]) -> Result<Plugin> {
    let body: Vec<String> = hooks.iter().map(|hook| format!("api.on('{hook}', () => {{}});")).collect();
    write(dir, "bench-hook", true, &|_| body.join("\n  "))
}

/// As [`no_op_hooks`], many of them, each with an id of its own.
pub fn many_with_hooks(dir: &Path, count: usize, hooks: &[&str]) -> Result<Vec<Plugin>> {
    let body: Vec<String> = hooks.iter().map(|hook| format!("api.on('{hook}', () => {{}});")).collect();
    (0..count).map(|n| write(dir, &format!("bench-listens-{n:03}"), true, &|_| body.join("\n  "))).collect()
}

/// Writes a plugin whose `register` has this body.
pub fn with_body(dir: &Path, id: &str, body: &str) -> Result<Plugin> {
    write(dir, id, false, &|_| body.to_owned())
}

fn write(dir: &Path, id: &str, on_startup: bool, body: &dyn Fn(&str) -> String) -> Result<Plugin> {
    let folder = dir.join(id);
    fs_err::create_dir_all(&folder)?;
    let manifest = json!({
        "id": id, "name": id, "version": "1.0.0", "description": "Made for a measurement",
        "activation": {"onStartup": on_startup},
        "configSchema": {"type": "object", "additionalProperties": false, "properties": {}},
    });
    let package = json!({"name": id, "version": "1.0.0", "type": "module", "openclaw": {"extensions": ["./index.js"]}});
    fs_err::write(folder.join("openclaw.plugin.json"), manifest.to_string())?;
    fs_err::write(folder.join("package.json"), package.to_string())?;
    fs_err::write(folder.join("index.js"), format!("export default function register(api) {{\n  {}\n}}\n", body(id)))?;
    Ok(Plugin { id: id.into(), dir: folder })
}
