//! What needs plugin code in this process: `plugins inspect --runtime` without a gateway, and commands of plugins.

use chela_catalog::RuntimeFacts;
use chela_config::Config;

use crate::context::Context;
use crate::report::Failure;

/// Loads one plugin, or all, and gathers what they register; nothing of it is kept running (INS-321).
///
/// # Errors
/// When no plugin host can be had. A plugin that fails is a fact, not an error.
pub fn facts(_ctx: &Context, _config: &Config, _ids: &[String]) -> Result<Vec<(String, RuntimeFacts)>, Failure> {
    Err(Failure::not_built("chela plugins inspect --runtime", "start the gateway with `chela gateway run`, which is asked then; or leave `--runtime` out"))
}

/// Runs a command that a plugin registered; `rest` is behind its name.
///
/// # Errors
/// When the plugin cannot be loaded; the command's own failure.
pub fn cli_command(_ctx: &Context, _config: Config, owner: &str, name: &str, _rest: &[String]) -> Result<(), Failure> {
    Err(Failure::not_built(&format!("chela {name}"), &format!("it is a command of the plugin `{owner}`; see `chela plugins inspect {owner}`")))
}
