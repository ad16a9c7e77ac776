//! Programs that a confined worker may start, with what the kernel needs to run them.

use std::path::{Path, PathBuf};

use chela_manifest::permissions::Programs;

use super::elf::{self, Program};

/// Longest chain of scripts that name scripts as their interpreter; the kernel's own limit is about this.
const MAX_CHAIN: usize = 4;

/// Programs as paths.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// To run.
    pub(super) execute: Vec<PathBuf>,
    /// To read: programs read more than they are.
    pub(super) read: Vec<PathBuf>,
    /// Paths of what was named, for the worker's script.
    pub(super) names: Vec<String>,
}

/// What the worker itself is made of.
///
/// # Errors
/// When Node is a script that starts another one, which the sandbox would stop.
pub(super) fn loaders(node: &Path) -> Result<Vec<PathBuf>, String> {
    match elf::look(node) {
        Program::Code(loader) => Ok([node.to_path_buf()].into_iter().chain(loader).collect()),
        Program::Script(..) => Err(format!(
            "`{}` is a script that starts Node, and a confined plugin cannot run others; set `CHELA_NODE` to the program itself",
            node.display()
        )),
        Program::Other => Ok(vec![node.to_path_buf()]),
    }
}

/// Finds what is granted. Programs that do not exist are left out.
pub(super) fn resolve(granted: &Programs, path: &str) -> Found {
    let mut found = Found::default();
    match granted {
        Programs::None => return found,
        Programs::Any => {
            found.execute.push("/".into());
            found.read.extend(["/usr", "/bin", "/sbin", "/opt"].map(PathBuf::from));
        }
        Programs::List(names) => {
            for name in names {
                let Some(file) = on_path(name, path) else { continue };
                found.names.push(file.display().to_string());
                add(&mut found, &file, path, MAX_CHAIN);
            }
        }
    }
    // Children have their own entries there, and are known only by then.
    found.read.push("/proc".into());
    found
}

fn add(found: &mut Found, file: &Path, path: &str, depth: usize) {
    found.execute.push(file.to_path_buf());
    found.read.push(file.to_path_buf());
    match elf::look(file) {
        Program::Code(Some(loader)) => found.execute.push(loader),
        Program::Script(interpreter, argument) if depth > 0 => {
            add(found, &interpreter, path, depth - 1);
            let is_env = interpreter.file_name().is_some_and(|name| name == "env");
            let named = argument.filter(|word| is_env && !word.starts_with('-')).and_then(|word| on_path(&word, path));
            if let Some(named) = named {
                add(found, &named, path, depth - 1);
            }
        }
        _ => {}
    }
}

fn on_path(name: &str, path: &str) -> Option<PathBuf> {
    if name.starts_with('/') {
        return Some(PathBuf::from(name)).filter(|file| file.exists());
    }
    let absolute = std::env::split_paths(path).filter(|dir| dir.is_absolute());
    absolute.map(|dir| dir.join(name)).find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_script_brings_its_interpreters() {
        let dir = tempfile::tempdir().unwrap();
        let tool = dir.path().join("tool");
        std::fs::write(&tool, "#!/usr/bin/env sh\n").unwrap();
        std::fs::set_permissions(&tool, std::fs::Permissions::from_mode(0o755)).unwrap();
        let path = format!("{}:/usr/bin:/bin", dir.path().display());
        let found = resolve(&Programs::List(vec!["tool".into(), "no-such-program".into()]), &path);
        let runs = |path: &Path| found.execute.iter().any(|p| p == path);
        assert!(runs(&tool) && runs(Path::new("/usr/bin/env")) && found.execute.iter().any(|p| p.ends_with("sh")), "{found:?}");
        assert_eq!(found.names, [tool.display().to_string()]);
        assert_eq!(resolve(&Programs::None, &path), Found::default());
        assert!(loaders(&tool).unwrap_err().contains("CHELA_NODE"));
    }
}
