//! `apply_patch` (TOOL-34, TOOL-35).

mod parse;

use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use chela_agent::tools::{HostTool, HostToolCall, HostToolSpec, ToolContext, text_result};
use chela_plugin::registry::Registry;
use serde_json::{Value, json};

use crate::files::put;
use crate::params::Args;
use crate::place::Place;
use crate::settings;
use crate::world::World;
use parse::{Change, Chunk};

/// Largest patch, in bytes.
const LARGEST: usize = 8 << 20;

/// The tool.
#[derive(Debug)]
pub(crate) struct ApplyPatch {
    pub(crate) world: Arc<World>,
}

static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    json!({"type": "object", "required": ["input"], "properties": {
        "input": {"type": "string", "description": "The patch, from `*** Begin Patch` to `*** End Patch`"},
    }})
});

#[async_trait]
impl HostTool for ApplyPatch {
    fn name(&self) -> &'static str {
        "apply_patch"
    }

    fn describe(&self, _: &Registry, context: &ToolContext) -> Option<HostToolSpec> {
        let model = &context.facts["activeModel"];
        settings::patches(&self.world, context.facts["agentId"].as_str()?, model).then(|| HostToolSpec {
            label: "apply_patch".into(),
            description:
                "Change several files with one patch: `*** Add File:`, `*** Update File:` with `@@` hunks, `*** Delete File:` and \
                          `*** Move to:` between `*** Begin Patch` and `*** End Patch`"
                    .into(),
            parameters: SCHEMA.clone(),
            owner_only: false,
        })
    }

    fn derived_paths(&self, params: &Value) -> Option<Vec<String>> {
        paths(params)
    }

    async fn run(&self, call: HostToolCall<'_>) -> Result<Value, String> {
        let agent = crate::agent_of(&call);
        let place = settings::patch_place(call.runtime, &agent, &self.world);
        let params = call.params;
        let _turn = self.world.writing.lock().await;
        let work = move || run(&place, &params);
        tokio::task::spawn_blocking(work).await.map_err(|error| format!("the work was cut short: {error}"))?
    }
}

/// The files that a patch names, each once; none of a patch that cannot be read.
fn paths(params: &Value) -> Option<Vec<String>> {
    let input = Args::new(params).text("input").ok().flatten()?;
    let mut out: Vec<String> = Vec::new();
    for change in parse::parse(input).ok()? {
        let (path, to) = match change {
            Change::Add { path, .. } | Change::Delete { path } => (path, None),
            Change::Update { path, to, .. } => (path, to),
        };
        for name in std::iter::once(path).chain(to) {
            if !out.contains(&name) {
                out.push(name);
            }
        }
    }
    Some(out)
}

fn run(place: &Place, params: &Value) -> Result<Value, String> {
    let args = Args::new(params);
    let input = args.required("input")?;
    if input.len() > LARGEST {
        return Err(format!("a patch of {} bytes is more than the {LARGEST} that are taken", input.len()));
    }
    let steps = plan(place, &parse::parse(input)?)?;
    // All files were read and all hunks found: only the disk itself can fail now.
    let mut summary = Summary::default();
    for step in steps {
        step.apply(place, &mut summary)?;
    }
    let mut result = text_result(summary.text());
    result["details"] = json!({"summary": {"added": summary.added, "modified": summary.modified, "deleted": summary.deleted}});
    Ok(result)
}

/// One change of the disk.
enum Step {
    Add(PathBuf, String),
    Update(PathBuf, String),
    Move(PathBuf, PathBuf, String),
    Delete(PathBuf),
}

/// Works all changes out before the first one is made: a patch that fits only in part changes nothing.
fn plan(place: &Place, changes: &[Change]) -> Result<Vec<Step>, String> {
    let mut steps: Vec<Step> = Vec::with_capacity(changes.len());
    for change in changes {
        steps.push(match change {
            Change::Add { path, content } => Step::Add(place.resolve(path)?, content.clone()),
            Change::Delete { path } => {
                let file = place.resolve(path)?;
                let found = fs_err::symlink_metadata(&file).map_err(|e| e.to_string())?;
                if found.is_dir() {
                    return Err(format!("`{path}` is a directory; a patch deletes only files"));
                }
                Step::Delete(file)
            }
            Change::Update { path, to, chunks } => {
                let file = place.resolve(path)?;
                let updated = updated(&current(&steps, &file)?, chunks, path)?;
                match to {
                    Some(to) => Step::Move(file, place.resolve(to)?, updated),
                    None => Step::Update(file, updated),
                }
            }
        });
    }
    Ok(steps)
}

/// The content of a file as the steps before leave it.
fn current(steps: &[Step], file: &PathBuf) -> Result<String, String> {
    for step in steps.iter().rev() {
        match step {
            Step::Add(path, content) | Step::Update(path, content) | Step::Move(_, path, content) if path == file => {
                return Ok(content.clone());
            }
            Step::Delete(path) | Step::Move(path, ..) if path == file => {
                return Err(format!("`{}` is gone by an earlier step", file.display()));
            }
            _ => {}
        }
    }
    let found = fs_err::metadata(file).map_err(|e| e.to_string())?;
    if !found.is_file() || found.len() > LARGEST as u64 * 4 {
        return Err(format!("`{}` is no plain file of reasonable size", file.display()));
    }
    fs_err::read_to_string(file).map_err(|e| e.to_string())
}

impl Step {
    fn apply(self, place: &Place, summary: &mut Summary) -> Result<(), String> {
        match self {
            Self::Add(path, content) => {
                put(&path, content.as_bytes())?;
                Summary::note(&mut summary.added, place.show(&path));
            }
            Self::Update(path, content) => {
                put(&path, content.as_bytes())?;
                Summary::note(&mut summary.modified, place.show(&path));
            }
            Self::Move(from, to, content) => {
                put(&to, content.as_bytes())?;
                if from != to {
                    fs_err::remove_file(&from).map_err(|e| e.to_string())?;
                }
                Summary::note(&mut summary.modified, place.show(&to));
            }
            Self::Delete(path) => {
                fs_err::remove_file(&path).map_err(|e| e.to_string())?;
                Summary::note(&mut summary.deleted, place.show(&path));
            }
        }
        Ok(())
    }
}

#[derive(Default)]
struct Summary {
    added: Vec<String>,
    modified: Vec<String>,
    deleted: Vec<String>,
}

impl Summary {
    fn note(list: &mut Vec<String>, file: String) {
        if !list.contains(&file) {
            list.push(file);
        }
    }

    /// TOOL-35.
    fn text(&self) -> String {
        let rows = |sign: char, files: &[String]| files.iter().map(|file| format!("{sign} {file}")).collect::<Vec<_>>();
        let lists = [rows('A', &self.added), rows('M', &self.modified), rows('D', &self.deleted)];
        format!("The patch was applied:\n{}", lists.concat().join("\n"))
    }
}

/// The text with all hunks applied, from top to bottom.
fn updated(original: &str, chunks: &[Chunk], path: &str) -> Result<String, String> {
    let windows = original.find('\n').is_some_and(|at| original[..at].ends_with('\r'));
    let text = if windows { original.replace("\r\n", "\n") } else { original.to_owned() };
    let mut lines: Vec<&str> = text.split('\n').collect();
    if lines.last() == Some(&"") {
        lines.pop();
    }
    let mut out: Vec<&str> = Vec::with_capacity(lines.len());
    // `from` is where the search goes on, `copied` what the result has already.
    let (mut from, mut copied) = (0, 0);
    let mut tail: Vec<&str> = Vec::new();
    for chunk in chunks {
        if let Some(context) = &chunk.context {
            let at = find(&lines, &[context.as_str()], from, false).ok_or_else(|| format!("`{context}` does not occur in {path}"))?;
            from = at + 1;
        }
        let old: Vec<&str> = chunk.old.iter().map(String::as_str).collect();
        let new = chunk.new.iter().map(String::as_str);
        if old.is_empty() {
            // Nothing says where: at the end, or after the context.
            match chunk.context {
                Some(_) => {
                    out.extend_from_slice(&lines[copied.min(from)..from]);
                    copied = from.max(copied);
                    out.extend(new);
                }
                None => tail.extend(new),
            }
            continue;
        }
        let kept = old.iter().rposition(|line| !line.is_empty()).map_or(0, |at| at + 1);
        let trimmed = Some(&old[..kept]).filter(|rest| !rest.is_empty());
        let hit = find(&lines, &old, from, chunk.at_end).map(|at| (at, old.len()));
        // Models add empty lines at the end of a hunk.
        let hit = hit.or_else(|| trimmed.and_then(|rest| find(&lines, rest, from, chunk.at_end).map(|at| (at, rest.len()))));
        let (at, length) = hit.ok_or_else(|| format!("these lines do not occur in {path}:\n{}", old.join("\n")))?;
        out.extend_from_slice(&lines[copied..at]);
        let mut new: Vec<&str> = new.collect();
        for _ in length..old.len() {
            if new.last() == Some(&"") {
                new.pop();
            }
        }
        out.extend(new);
        copied = at + length;
        from = copied;
    }
    out.extend_from_slice(&lines[copied..]);
    out.extend(tail);
    out.push("");
    let joined = out.join("\n");
    Ok(if windows { joined.replace('\n', "\r\n") } else { joined })
}

/// Where lines occur, first exactly, then without white space at the end, at both ends, and with plain punctuation.
fn find(lines: &[&str], wanted: &[&str], from: usize, at_end: bool) -> Option<usize> {
    let last = lines.len().checked_sub(wanted.len())?;
    let first = if at_end { last.max(from) } else { from };
    let views: [fn(&str) -> String; 4] = [str::to_owned, |l| l.trim_end().to_owned(), |l| l.trim().to_owned(), |l| plain(l.trim())];
    views.iter().find_map(|view| {
        let wanted: Vec<String> = wanted.iter().map(|line| view(line)).collect();
        (first..=last).find(|at| wanted.iter().enumerate().all(|(n, line)| view(lines[at + n]) == *line))
    })
}

/// Typographic marks as a keyboard has them.
fn plain(text: &str) -> String {
    let one = |c: char| match c {
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        '\u{2018}'..='\u{201b}' => '\'',
        '\u{201c}'..='\u{201f}' => '"',
        '\u{a0}' | '\u{2002}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => ' ',
        other => other,
    };
    text.chars().map(one).collect()
}

#[cfg(test)]
mod tests;
