//! Packages from the npm registry, through npm itself, kept from one run to the next.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use sha2::{Digest as _, Sha256};

/// The directory of the package `name@version`, its own files as published. With `dependencies` it is installed the way a project
/// has it: its production dependencies lie beside it.
///
/// # Errors
/// What npm said, for instance that there is no network.
pub fn package(name: &str, version: &str, dependencies: bool) -> Result<PathBuf, String> {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("npm-packages");
    let home = cache.join(format!("{}-{version}", name.replace(['@', '/'], "_")));
    let inside = if dependencies { Path::new("node_modules").join(name) } else { PathBuf::from("package") };
    if home.join(&inside).is_dir() {
        return Ok(home.join(inside));
    }
    std::fs::create_dir_all(&cache).map_err(|error| error.to_string())?;
    // Prepared aside and moved into place whole, so that an interrupted run leaves nothing half done.
    let aside = tempfile::tempdir_in(&cache).map_err(|error| error.to_string())?;
    let spec = format!("{name}@{version}");
    if dependencies {
        // A project of its own, or npm would look for one above.
        std::fs::write(aside.path().join("package.json"), "{\"private\": true}").map_err(|error| error.to_string())?;
        let quiet = ["--no-audit", "--no-fund", "--loglevel=error"];
        run(npm(aside.path()).args(["install", "--omit=dev", "--legacy-peer-deps", "--ignore-scripts"]).args(quiet).arg(&spec))?;
    } else {
        let packed = run(npm(aside.path()).args(["pack", "--loglevel=error", &spec]))?;
        let archive = String::from_utf8_lossy(&packed.stdout).trim().lines().last().unwrap_or_default().to_owned();
        run(Command::new("tar").arg("-xzf").arg(&archive).current_dir(aside.path()))?;
    }
    match std::fs::rename(aside.keep(), &home) {
        Ok(()) => Ok(home.join(inside)),
        // Another test was faster.
        Err(_) if home.join(&inside).is_dir() => Ok(home.join(inside)),
        Err(error) => Err(error.to_string()),
    }
}

fn npm(dir: &Path) -> Command {
    let mut command = Command::new("npm");
    command.current_dir(dir).env("npm_config_update_notifier", "false");
    // Without a network it gives up in seconds.
    command.env("npm_config_fetch_retry_mintimeout", "1000").env("npm_config_fetch_retry_maxtimeout", "4000");
    command
}

fn run(command: &mut Command) -> Result<Output, String> {
    let shown = format!("{command:?}");
    let output = command.output().map_err(|error| format!("{shown}: {error}"))?;
    match output.status.success() {
        true => Ok(output),
        false => Err(format!("{shown}: {}", String::from_utf8_lossy(&output.stderr).trim())),
    }
}

/// A digest over the package's own files, dependencies left out.
pub fn fingerprint(package: &Path) -> String {
    let mut files = Vec::new();
    collect(package, &mut files);
    files.sort();
    let mut hash = Sha256::new();
    for file in files {
        let bytes = std::fs::read(&file).unwrap();
        hash.update(format!("{}\0{}\0", file.strip_prefix(package).unwrap().display(), bytes.len()));
        hash.update(bytes);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn collect(dir: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        match kind.is_dir() {
            true if entry.file_name() == "node_modules" => {}
            true => collect(&path, into),
            false => into.push(path),
        }
    }
}
