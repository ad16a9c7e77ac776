//! Finding a Node that is new enough: named by the operator, on `PATH`, or the managed one.

pub(crate) mod managed;

use std::path::{Path, PathBuf};
use std::time::Duration;

use semver::Version;

use crate::options::NodeLaneOptions;

/// Oldest Node that plugins run on.
pub const OLDEST: Version = Version::new(22, 16, 0);

/// Variables that name Node, the first that is set wins.
const NAMES: [&str; 2] = ["CHELA_NODE", "OPENCLAW_NODE"];

/// Time that `node --version` may take.
const VERSION_LIMIT: Duration = Duration::from_secs(20);
/// How often a program that is still open for writing is tried again, and the pause between.
const BUSY_TRIES: usize = 50;
const BUSY_PAUSE: Duration = Duration::from_millis(10);

/// A Node to run plugins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeRuntime {
    /// The program.
    pub path: PathBuf,
    /// Its version.
    pub version: Version,
    /// True for the one that was fetched from the registry.
    pub managed: bool,
}

/// Why there is no Node.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// A variable names something that does not run.
    #[error("`{variable}` names `{path}`, which {problem}; correct it or unset it")]
    Named {
        /// The variable.
        variable: &'static str,
        /// Its value.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Neither found nor fetched.
    #[error(
        "Node {OLDEST} or newer is needed to run plugins, and was not found: {looked}; the managed Node {version} could not be fetched: {problem}; install Node, or set `CHELA_NODE` to it, or repeat this with network access"
    )]
    NotFound {
        /// What was looked at.
        looked: String,
        /// The managed version.
        version: &'static str,
        /// Why it could not be fetched.
        problem: String,
    },
    /// The SDK could not be written.
    #[error("{0}")]
    Sdk(String),
}

/// Finds Node, or fetches the managed one.
///
/// # Errors
/// [`NodeError`] names everything that was looked at.
pub async fn find_node(options: &NodeLaneOptions) -> Result<NodeRuntime, NodeError> {
    let named = NAMES.iter().find_map(|name| options.env.get(*name).filter(|v| !v.is_empty()).map(|v| (*name, v)));
    if let Some((variable, path)) = named {
        let named = |problem: String| NodeError::Named { variable, path: path.clone(), problem };
        let version = new_enough(Path::new(path)).await.map_err(named)?;
        return Ok(NodeRuntime { path: path.into(), version, managed: false });
    }
    let mut looked = Vec::new();
    for path in on_path(options.env.get("PATH").map_or("", String::as_str)) {
        match new_enough(&path).await {
            Ok(version) => {
                return Ok(NodeRuntime { path, version, managed: false });
            }
            Err(problem) => looked.push(format!("`{}` {problem}", path.display())),
        }
    }
    if looked.is_empty() {
        looked.push("no `node` is on PATH".into());
    }
    let managed = managed::ready(options).await;
    managed.map_err(|problem| NodeError::NotFound { looked: looked.join(", "), version: managed::VERSION, problem: problem.to_string() })
}

/// Programs called `node` in the directories of `PATH`, in order.
fn on_path(path: &str) -> Vec<PathBuf> {
    let absolute = std::env::split_paths(path).filter(|dir| dir.is_absolute());
    absolute.map(|dir| dir.join("node")).filter(|file| file.is_file()).collect()
}

/// The version of a Node that is new enough, or what is wrong with it.
async fn new_enough(path: &Path) -> Result<Version, String> {
    let version = version_of(path).await?;
    // A prerelease of a later version is newer than the oldest one.
    let plain = Version::new(version.major, version.minor, version.patch);
    if plain >= OLDEST { Ok(version) } else { Err(format!("is version {version}, older than {OLDEST}")) }
}

/// Asks a program for its version.
pub(crate) async fn version_of(path: &Path) -> Result<Version, String> {
    let mut command = tokio::process::Command::new(path);
    command.arg("--version").env_clear().stdin(std::process::Stdio::null()).kill_on_drop(true);
    let output = match tokio::time::timeout(VERSION_LIMIT, once_written(|| command.output())).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) => return Err(format!("cannot be run: {error}")),
        Err(_) => return Err("does not answer to `--version`".into()),
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let trimmed = text.trim();
    Version::parse(trimmed.trim_start_matches('v'))
        .map_err(|_| format!("says `{}` to `--version`", trimmed.chars().take(40).collect::<String>()))
}

/// Repeats a start that found its program still open for writing.
///
/// A program written a moment ago, as the managed Node is, stays open in every child that another thread forked meanwhile, until
/// that child's own `exec`: a few milliseconds in which the kernel answers "text file busy".
async fn once_written<F, T>(mut start: impl FnMut() -> F) -> std::io::Result<T>
where
    F: Future<Output = std::io::Result<T>>,
{
    for _ in 1..BUSY_TRIES {
        match start().await {
            Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => tokio::time::sleep(BUSY_PAUSE).await,
            other => return other,
        }
    }
    start().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::os::unix::fs::PermissionsExt;

    fn fake(dir: &Path, says: &str) -> String {
        fs_err::create_dir_all(dir).unwrap();
        let path = dir.join("node");
        fs_err::write(&path, format!("#!/bin/sh\necho '{says}'\n")).unwrap();
        fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path.display().to_string()
    }

    fn options(dir: &Path, env: &[(&str, String)]) -> NodeLaneOptions {
        let env: BTreeMap<String, String> = env.iter().map(|(k, v)| ((*k).to_string(), v.clone())).collect();
        NodeLaneOptions { download: false, ..NodeLaneOptions::new(dir, env, "2026.5.12") }
    }

    #[tokio::test]
    async fn the_first_new_enough_node_on_path_wins() {
        let dir = tempfile::tempdir().unwrap();
        let (old, new) = (dir.path().join("old"), dir.path().join("new"));
        fake(&old, "v22.15.9");
        let expected = fake(&new, "v22.16.0");
        let path = format!("relative:{}:{}:{}", dir.path().join("absent").display(), old.display(), new.display());
        let found = find_node(&options(dir.path(), &[("PATH", path)])).await.unwrap();
        assert_eq!((found.path.display().to_string(), found.version.to_string(), found.managed), (expected, "22.16.0".into(), false));
    }

    #[tokio::test]
    async fn a_named_node_is_used_or_explained_never_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let good = fake(&dir.path().join("good"), "v24.1.0");
        let bad = fake(&dir.path().join("bad"), "v18.0.0");
        let path = dir.path().join("good").display().to_string();
        let found = find_node(&options(dir.path(), &[("OPENCLAW_NODE", good.clone())])).await.unwrap();
        assert_eq!(found.path.display().to_string(), good);
        for (value, text) in
            [(bad, "older than 22.16.0"), ("/nowhere/node".into(), "cannot be run"), (fake(&dir.path().join("x"), "hello"), "says `hello`")]
        {
            let error = find_node(&options(dir.path(), &[("CHELA_NODE", value), ("PATH", path.clone())])).await.unwrap_err().to_string();
            assert!(error.contains("`CHELA_NODE`") && error.contains(text), "{error}");
        }
    }

    #[tokio::test]
    async fn a_program_still_open_for_writing_is_tried_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = fake(dir.path(), "v22.16.0");
        let writer = std::fs::File::options().append(true).open(&path).unwrap();
        let (version, ()) = tokio::join!(version_of(Path::new(&path)), async {
            tokio::time::sleep(BUSY_PAUSE * 3).await;
            drop(writer);
        });
        assert_eq!(version, Ok(Version::new(22, 16, 0)));
    }

    #[tokio::test]
    async fn without_any_node_the_error_names_all_that_was_tried() {
        let dir = tempfile::tempdir().unwrap();
        fake(&dir.path().join("old"), "v20.0.0");
        let path = dir.path().join("old").display().to_string();
        let error = find_node(&options(dir.path(), &[("PATH", path)])).await.unwrap_err().to_string();
        assert!(error.contains("is version 20.0.0") && error.contains("22.23.3") && error.contains("CHELA_NODE"), "{error}");
    }
}
