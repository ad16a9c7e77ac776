//! The base system prompt: who the assistant is, its workspace files, its tools, what plugins add.

use std::path::{Path, PathBuf};

/// Workspace files that belong into the prompt, in order.
const BOOTSTRAP_FILES: [&str; 8] =
    ["AGENTS.md", "SOUL.md", "TOOLS.md", "IDENTITY.md", "USER.md", "HEARTBEAT.md", "BOOTSTRAP.md", MEMORY_FILE];
/// Listed only when it exists.
const MEMORY_FILE: &str = "MEMORY.md";
/// Longest part of one file, in characters.
const FILE_LIMIT: usize = 12_000;
/// Longest sum of all files, in characters.
const TOTAL_LIMIT: usize = 60_000;

/// One workspace file as the `agent:bootstrap` event shows it (HOOK-276).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootstrapFile {
    /// File name.
    pub name: String,
    /// Full path.
    pub path: PathBuf,
    /// Its text, cut at the limit; `None` when it does not exist.
    pub content: Option<String>,
}

/// Size and time of each workspace file: equal stamps mean unchanged files. A few `stat` calls, cheap enough for every turn.
pub fn stamp(workspace: &Path) -> Vec<(u64, Option<std::time::SystemTime>)> {
    let one = |name: &&str| std::fs::metadata(workspace.join(name)).map(|m| (m.len(), m.modified().ok())).unwrap_or((0, None));
    BOOTSTRAP_FILES.iter().map(one).collect()
}

/// Reads the workspace files. One that does not exist is listed without content, because plugins may supply it (HOOK-276); a missing
/// workspace is no error: the prompt must never stop a turn.
pub async fn bootstrap_files(workspace: &Path) -> Vec<BootstrapFile> {
    let mut files = Vec::new();
    let mut left = TOTAL_LIMIT;
    for name in BOOTSTRAP_FILES {
        let path = workspace.join(name);
        let content = match tokio::fs::read_to_string(&path).await {
            Ok(text) => Some(cut(text.trim(), FILE_LIMIT.min(left))),
            Err(_) if name == MEMORY_FILE => continue,
            Err(_) => None,
        };
        left = left.saturating_sub(content.as_ref().map_or(0, |text| text.chars().count()));
        files.push(BootstrapFile { name: name.into(), path, content });
    }
    files
}

fn cut(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((at, _)) => format!("{}\n[cut here: the file is longer than the prompt allows]", &text[..at]),
        None => text.to_string(),
    }
}

/// What the base prompt is made of.
#[derive(Clone, Debug, Default)]
pub struct PromptParts<'a> {
    /// Agent id.
    pub agent_id: &'a str,
    /// Workspace directory.
    pub workspace: Option<&'a Path>,
    /// Provider and model.
    pub model: &'a str,
    /// Surface the message came from, such as `webchat`.
    pub surface: &'a str,
    /// `(name, description)` of each tool.
    pub tools: &'a [(String, String)],
    /// Guidance lines of plugin commands (API-148) and other plugin sections.
    pub guidance: &'a [String],
    /// Lines of the memory plugin and those that add to it.
    pub memory: &'a [String],
    /// Workspace files.
    pub files: &'a [BootstrapFile],
    /// The caller's own addition.
    pub extra: Option<&'a str>,
}

/// Builds the base system prompt.
pub fn system_prompt(parts: &PromptParts<'_>) -> String {
    let mut out = String::with_capacity(1024);
    out.push_str("You are a personal assistant running inside Chela, a gateway for personal assistants.\n");
    out.push_str(&format!("Agent: {}. Model: {}. Channel: {}.\n", parts.agent_id, parts.model, parts.surface));
    if let Some(workspace) = parts.workspace {
        out.push_str(&format!("Your workspace is {}.\n", workspace.display()));
    }
    if !parts.tools.is_empty() {
        out.push_str("\n## Tools\nCall a tool when it helps; names are case-sensitive.\n");
        for (name, description) in parts.tools {
            let line = description.lines().next().unwrap_or_default();
            out.push_str(&format!("- {name}: {line}\n"));
        }
    }
    if !parts.guidance.is_empty() {
        out.push_str("\n## Guidance\n");
        for line in parts.guidance {
            out.push_str(line.trim_end());
            out.push('\n');
        }
    }
    if !parts.memory.is_empty() {
        out.push('\n');
        for line in parts.memory {
            out.push_str(line);
            out.push('\n');
        }
    }
    for file in parts.files {
        if let Some(content) = file.content.as_ref().filter(|text| !text.is_empty()) {
            out.push_str(&format!("\n## {}\n{}\n", file.name, content));
        }
    }
    if let Some(extra) = parts.extra.map(str::trim).filter(|t| !t.is_empty()) {
        out.push_str("\n## For this message\n");
        out.push_str(extra);
        out.push('\n');
    }
    out.push_str("\nIf nothing should be said, answer with exactly NO_REPLY.\n");
    out
}

/// Joins the non-empty parts with one blank line (HOOK-137).
pub fn join_blank<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let kept: Vec<&str> = parts.into_iter().map(str::trim).filter(|p| !p.is_empty()).collect();
    kept.join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    // HOOK-137
    #[test]
    fn parts_are_joined_with_one_blank_line_and_empty_ones_skipped() {
        assert_eq!(join_blank(["a", "", "  ", "b\n"]), "a\n\nb");
        assert_eq!(join_blank([]), "");
    }

    #[tokio::test]
    async fn long_workspace_files_are_cut_and_missing_ones_listed_as_such() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("AGENTS.md"), "ä".repeat(FILE_LIMIT + 5)).unwrap();
        let files = bootstrap_files(dir.path()).await;
        assert_eq!(files.iter().filter(|f| f.content.is_none()).count(), 6);
        let text = files[0].content.as_deref().unwrap();
        assert!(text.starts_with('ä') && text.ends_with("the prompt allows]"));
        let parts = PromptParts { agent_id: "main", model: "p/m", surface: "webchat", files: &files, ..PromptParts::default() };
        let prompt = system_prompt(&parts);
        assert!(prompt.contains("## AGENTS.md") && !prompt.contains("## SOUL.md"), "{prompt}");
    }
}
