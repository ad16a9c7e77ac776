//! Installing a plugin of the npm registry, with nothing in the store and with everything, beside the reference's own install.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use super::{Bench, ms};

/// A plugin with a few dependencies, as JavaScript, which the reference insists on.
const PACKAGE: &str = "@openclaw-china/feishu@0.1.10";

/// Who installs.
enum Who {
    Chela,
    /// Program and script.
    Reference(PathBuf, PathBuf),
}

/// Wall times of `plugins install` into a new state directory. The two take turns, so that the network is the same for both.
pub fn install(bench: &mut Bench) -> Result<()> {
    let node = std::env::var_os("CHELA_NODE").map_or_else(|| "node".into(), PathBuf::from);
    let mut all = vec![("chela", Who::Chela)];
    match &bench.reference {
        Some(dir) => all.push(("reference", Who::Reference(node, dir.join("openclaw.mjs")))),
        None => bench.report.text("install", "reference", "not measured: `--reference DIR` names its installation"),
    }
    let mut times = vec![(Vec::new(), Vec::new()); all.len()];
    for _ in 0..bench.pick(3, 7) {
        for ((name, who), (cold, warm)) in all.iter().zip(&mut times) {
            let cache = tempfile::tempdir()?;
            for samples in [cold, warm] {
                samples.push(once(bench, who, cache.path()).with_context(|| format!("install by {name}"))?);
            }
        }
    }
    for ((name, _), (cold, warm)) in all.iter().zip(times) {
        bench.report.samples(&format!("install `{PACKAGE}`, {name}"), "cold store", "ms", cold);
        bench.report.samples(&format!("install `{PACKAGE}`, {name}"), "warm store", "ms", warm);
    }
    Ok(())
}

fn once(bench: &Bench, who: &Who, cache: &Path) -> Result<f64> {
    let home = tempfile::tempdir()?;
    let mut command = match who {
        Who::Chela => Command::new(&bench.binary),
        Who::Reference(node, script) => {
            let mut command = Command::new(node);
            command.arg(script);
            command
        }
    };
    // The reference runs npm, which has to find this Node before any other.
    let path = std::env::var_os("PATH").unwrap_or_default();
    let first = match who {
        Who::Reference(node, _) => node.parent().map(Path::to_path_buf),
        Who::Chela => None,
    };
    let path = std::env::join_paths(first.into_iter().chain(std::env::split_paths(&path)))?;
    command.args(["plugins", "install", PACKAGE, "--dangerously-force-unsafe-install"]).env("PATH", path);
    command.env("HOME", home.path()).env("OPENCLAW_STATE_DIR", home.path().join("state")).current_dir(home.path());
    command.env("CHELA_CACHE_DIR", cache).env("npm_config_cache", cache);
    let begun = Instant::now();
    let done = command.output()?;
    let time = ms(begun.elapsed());
    if !done.status.success() {
        bail!("ended with {}: {}{}", done.status, String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    }
    Ok(time)
}
