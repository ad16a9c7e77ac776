//! `bootstrap-extra-files`: files of the workspace that match patterns join the bootstrap files of a prompt.

use std::path::Path;

use chela_plugin::builtin::PluginApi;
use serde_json::{Value, json};

pub(crate) const NAME: &str = "bootstrap-extra-files";
/// Names that a bootstrap file may have.
const BOOTSTRAP_NAMES: [&str; 8] =
    ["AGENTS.md", "SOUL.md", "TOOLS.md", "IDENTITY.md", "USER.md", "HEARTBEAT.md", "BOOTSTRAP.md", "MEMORY.md"];
/// Largest file that is read, in bytes: the reference's limit.
const MAX_FILE: u64 = 2 << 20;
/// Most files that are added; a prompt with more would hold nothing else.
const MAX_FILES: usize = 64;

pub(crate) fn handler(api: &mut PluginApi, entry: &Value) -> Value {
    let patterns = patterns(entry);
    api.function(move |call| {
        let (patterns, mut event) = (patterns.clone(), call.args.into_iter().next().unwrap_or_default());
        async move {
            let Some(workspace) = event["context"]["workspaceDir"].as_str().map(std::path::PathBuf::from) else { return Ok(Value::Null) };
            let extra = crate::blocking(move || Ok(read(&workspace, &patterns))).await?;
            if extra.is_empty() {
                return Ok(Value::Null);
            }
            let mut context = event["context"].take();
            if let Some(files) = context["bootstrapFiles"].as_array_mut() {
                files.extend(extra);
            }
            Ok(json!({ "context": context }))
        }
    })
}

/// The first of `paths`, `patterns` and `files` that names something.
fn patterns(entry: &Value) -> Vec<String> {
    let list = |key: &str| {
        let texts = entry[key].as_array().into_iter().flatten().filter_map(Value::as_str).map(|text| text.trim().to_owned());
        texts.filter(|text| !text.is_empty()).collect::<Vec<String>>()
    };
    ["paths", "patterns", "files"].into_iter().map(list).find(|list| !list.is_empty()).unwrap_or_default()
}

/// Files inside the workspace, also after links are followed, with a name that counts.
fn read(workspace: &Path, patterns: &[String]) -> Vec<Value> {
    let Ok(root) = workspace.canonicalize() else { return Vec::new() };
    let mut out = Vec::new();
    for path in crate::glob::files(workspace, patterns) {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let real = path.canonicalize().ok().filter(|real| real.starts_with(&root));
        let fits = real.as_ref().is_some_and(|real| real.metadata().is_ok_and(|stat| stat.is_file() && stat.len() <= MAX_FILE));
        if !BOOTSTRAP_NAMES.contains(&name.as_str()) || !fits {
            tracing::debug!(target: "hooks", path = %path.display(), "no extra bootstrap file");
            continue;
        }
        if let Some(content) = real.and_then(|real| std::fs::read_to_string(real).ok()) {
            out.push(json!({"name": name, "path": path, "content": content, "missing": false}));
        }
        if out.len() == MAX_FILES {
            break;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn only_bootstrap_files_of_the_workspace_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let workspace = dir.path().join("ws");
        fs_err::create_dir_all(workspace.join("packages/a")).unwrap();
        fs_err::write(dir.path().join("AGENTS.md"), "outside").unwrap();
        fs_err::write(workspace.join("packages/a/AGENTS.md"), "inside").unwrap();
        fs_err::write(workspace.join("packages/a/NOTES.md"), "no such name").unwrap();
        fs_err::create_dir(workspace.join("packages/b")).unwrap();
        std::os::unix::fs::symlink(dir.path().join("AGENTS.md"), workspace.join("packages/b/AGENTS.md")).unwrap();
        fs_err::write(workspace.join("TOOLS.md"), vec![b'x'; MAX_FILE as usize + 1]).unwrap();
        let entry = json!({"paths": [" "], "patterns": ["packages/*/*.md", "TOOLS.md"], "files": ["x"]});
        let found = read(&workspace, &patterns(&entry));
        let rows: Vec<_> = found.iter().map(|file| (file["name"].as_str().unwrap(), file["content"].as_str().unwrap())).collect();
        assert_eq!(rows, [("AGENTS.md", "inside")]);
        assert!(patterns(&json!({})).is_empty());
    }
}
