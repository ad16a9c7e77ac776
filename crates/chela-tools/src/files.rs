//! `read`, `write` and `edit` (TOOL-31..TOOL-33, TOOL-36).

mod edit;

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chela_agent::tools::{HostTool, HostToolCall, HostToolSpec, ToolContext, text_result};
use chela_plugin::registry::Registry;
use serde_json::{Value, json};

use crate::params::Args;
use crate::place::Place;
use crate::settings;
use crate::world::World;

/// Lines and bytes of one answer; more is read from an offset on.
const MOST_LINES: usize = 2000;
const MOST_BYTES: usize = 50 * 1024;
/// Largest text file that is looked into, in bytes: all of it is read to count lines.
const LARGEST_TEXT: u64 = 64 << 20;
/// Largest picture that goes to the model, in bytes.
const LARGEST_PICTURE: u64 = 8 << 20;
/// Largest content that is written, in bytes.
const LARGEST_WRITE: usize = 32 << 20;

/// Which tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileTool {
    Read,
    Write,
    Edit,
}

/// One of the tools for files.
#[derive(Debug)]
pub(crate) struct Files {
    pub(crate) which: FileTool,
    pub(crate) world: Arc<World>,
}

static READ: LazyLock<Value> = LazyLock::new(|| {
    json!({"type": "object", "required": ["path"], "properties": {
        "path": {"type": "string", "description": "File to read, relative to the workspace or absolute"},
        "offset": {"type": "number", "description": "First line to read, counted from 1"},
        "limit": {"type": "number", "description": "Most lines to read"},
    }})
});
static WRITE: LazyLock<Value> = LazyLock::new(|| {
    json!({"type": "object", "required": ["path", "content"], "properties": {
        "path": {"type": "string", "description": "File to write, relative to the workspace or absolute"},
        "content": {"type": "string", "description": "The whole new content"},
    }})
});
static EDIT: LazyLock<Value> = LazyLock::new(|| {
    json!({"type": "object", "required": ["path", "edits"], "properties": {
        "path": {"type": "string", "description": "File to change, relative to the workspace or absolute"},
        "edits": {"type": "array", "description": "Replacements; each is looked up in the original file, and they must not overlap",
            "items": {"type": "object", "required": ["oldText", "newText"], "additionalProperties": false, "properties": {
                "oldText": {"type": "string", "description": "Text that occurs exactly once in the file"},
                "newText": {"type": "string", "description": "Text to put in its place"},
            }}},
    }})
});

#[async_trait]
impl HostTool for Files {
    fn name(&self) -> &'static str {
        match self.which {
            FileTool::Read => "read",
            FileTool::Write => "write",
            FileTool::Edit => "edit",
        }
    }

    fn describe(&self, _: &Registry, _: &ToolContext) -> Option<HostToolSpec> {
        let (description, parameters) = match self.which {
            FileTool::Read => {
                ("Read a text file or a picture. At most 2000 lines or 50 KB come at once; the answer says where to go on", &READ)
            }
            FileTool::Write => ("Write a file. Folders are made as needed, and an existing file is replaced", &WRITE),
            FileTool::Edit => ("Change parts of a file by replacing exact texts, each of which occurs once", &EDIT),
        };
        Some(HostToolSpec {
            label: self.name().into(),
            description: description.into(),
            parameters: (*parameters).clone(),
            owner_only: false,
        })
    }

    async fn run(&self, call: HostToolCall<'_>) -> Result<Value, String> {
        let agent = crate::agent_of(&call);
        let place = settings::place(call.runtime, &agent, &self.world);
        let (which, params) = (self.which, call.params);
        // Two changes of one file at the same time would lose one of them.
        let _turn = if which == FileTool::Read { None } else { Some(self.world.writing.lock().await) };
        let work = move || match which {
            FileTool::Read => read(&place, &params),
            FileTool::Write => write_tool(&place, &params),
            FileTool::Edit => edit::edit(&place, &params),
        };
        tokio::task::spawn_blocking(work).await.map_err(|error| format!("the work was cut short: {error}"))?
    }
}

/// The path, under the names that models use.
fn path_of<'a>(args: &Args<'a>) -> Result<&'a str, String> {
    match args.text("path")? {
        Some(path) => Ok(path),
        None => args.text("filePath")?.ok_or_else(|| "`path` is required".into()),
    }
}

/// Opens what is a plain file: a pipe or a device could block for ever.
fn plain_file(path: &Path, largest: u64) -> Result<u64, String> {
    let found = fs_err::metadata(path).map_err(|e| e.to_string())?;
    if found.is_dir() {
        return Err(format!("`{}` is a directory; list it with `exec`", path.display()));
    }
    if !found.is_file() {
        return Err(format!("`{}` is no plain file", path.display()));
    }
    if found.len() > largest {
        return Err(format!(
            "`{}` has {} bytes, more than the {largest} that are read; use `exec` for a part of it",
            path.display(),
            found.len()
        ));
    }
    Ok(found.len())
}

fn read(place: &Place, params: &Value) -> Result<Value, String> {
    let args = Args::new(params);
    let path = place.resolve(path_of(&args)?)?;
    let (offset, limit) = (args.count("offset")?.unwrap_or(1).max(1), args.count("limit")?);
    plain_file(&path, LARGEST_TEXT)?;
    let bytes = fs_err::read(&path).map_err(|e| e.to_string())?;
    if let Some(mime) = picture(&bytes) {
        let note = format!("Read image file [{mime}]");
        if bytes.len() as u64 > LARGEST_PICTURE {
            return Ok(text_result(format!("{note}\n[It has {} bytes and is too large to show; make it smaller first]", bytes.len())));
        }
        return Ok(
            json!({"content": [{"type": "text", "text": note}, {"type": "image", "data": STANDARD.encode(&bytes), "mimeType": mime}]}),
        );
    }
    let text = String::from_utf8_lossy(&bytes);
    let (text, details) = window(&text, offset, limit)?;
    let mut result = text_result(text);
    if let Some(details) = details {
        result["details"] = details;
    }
    Ok(result)
}

/// The lines from `offset` on, with a note when something is left.
fn window(text: &str, offset: u64, limit: Option<u64>) -> Result<(String, Option<Value>), String> {
    let lines: Vec<&str> = text.split('\n').collect();
    // A last line end begins no line.
    let total = if lines.last() == Some(&"") && lines.len() > 1 { lines.len() - 1 } else { lines.len() };
    let start = usize::try_from(offset - 1).unwrap_or(usize::MAX);
    if start >= total.max(1) {
        return Err(format!("offset {offset} is beyond the end of the file, which has {total} lines"));
    }
    let wanted = limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let (mut bytes, mut end) = (0, start);
    while end < total && end - start < wanted.min(MOST_LINES) && bytes + lines[end].len() < MOST_BYTES {
        bytes += lines[end].len() + 1;
        end += 1;
    }
    if end == start && wanted > 0 {
        let size = lines[start].len();
        let note = format!("[Line {offset} has {size} bytes, more than {MOST_BYTES}; use `exec` with `cut` or `head -c` for a part of it]");
        return Ok((note, Some(json!({"truncation": {"truncated": true, "truncatedBy": "bytes", "firstLineExceedsLimit": true}}))));
    }
    let shown = lines[start..end].join("\n");
    if end >= total {
        let tail = if total < lines.len() && limit.is_none() { "\n" } else { "" };
        return Ok((format!("{shown}{tail}"), None));
    }
    let note = format!("\n\n[Lines {offset}-{end} of {total}. Use offset={} to go on]", end + 1);
    let by_limit = end - start == wanted;
    let by = if end - start == MOST_LINES { "lines" } else { "bytes" };
    let details = (!by_limit).then(|| {
        json!({"truncation": {"truncated": true, "truncatedBy": by, "totalLines": total, "outputLines": end - start, "maxLines": MOST_LINES,
            "maxBytes": MOST_BYTES}})
    });
    Ok((format!("{shown}{note}"), details))
}

/// The kind of a picture that models take, by its first bytes.
fn picture(bytes: &[u8]) -> Option<&'static str> {
    let starts = |magic: &[u8]| bytes.starts_with(magic);
    if starts(b"\x89PNG\r\n\x1a\n") {
        Some("image/png")
    } else if starts(b"\xff\xd8\xff") {
        Some("image/jpeg")
    } else if starts(b"GIF87a") || starts(b"GIF89a") {
        Some("image/gif")
    } else if starts(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        Some("image/webp")
    } else {
        None
    }
}

fn write_tool(place: &Place, params: &Value) -> Result<Value, String> {
    let args = Args::new(params);
    let given = path_of(&args)?;
    let content = args.raw_text("content")?.ok_or("`content` is required")?;
    let path = place.resolve(given)?;
    put(&path, content.as_bytes())?;
    Ok(text_result(format!("Wrote {} bytes to {}", content.len(), place.show(&path))))
}

/// Writes a file whole: folders are made, an existing file keeps its mode, a link is followed to what it names.
pub(crate) fn put(path: &Path, content: &[u8]) -> Result<(), String> {
    if content.len() > LARGEST_WRITE {
        return Err(format!("a content of {} bytes is more than the {LARGEST_WRITE} that are written at once", content.len()));
    }
    let target = match fs_err::metadata(path) {
        Ok(found) if found.is_file() => fs_err::canonicalize(path).map_err(|e| e.to_string())?,
        Ok(_) => return Err(format!("`{}` is no plain file", path.display())),
        Err(_) => path.to_path_buf(),
    };
    let dir = target.parent().ok_or_else(|| format!("`{}` names no file", path.display()))?;
    fs_err::create_dir_all(dir).map_err(|e| e.to_string())?;
    let mode = fs_err::metadata(&target).ok().map(|found| found.permissions().mode() & 0o7777);
    let temp = dir.join(format!(".chela-{}.tmp", uuid::Uuid::new_v4().simple()));
    let written = (|| {
        let mut out = fs_err::OpenOptions::new().write(true).create_new(true).open(&temp)?;
        out.write_all(content)?;
        if let Some(mode) = mode {
            fs_err::set_permissions(&temp, std::fs::Permissions::from_mode(mode))?;
        }
        out.sync_all()?;
        fs_err::rename(&temp, &target)
    })();
    if written.is_err() {
        let _ = std::fs::remove_file(&temp);
    }
    written.map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(dir: &tempfile::TempDir) -> Place {
        Place { workspace: dir.path().to_owned(), home: dir.path().to_owned(), confined: false }
    }

    fn text(result: &Value) -> &str {
        result["content"][0]["text"].as_str().unwrap()
    }

    // TOOL-31
    #[test]
    fn a_file_is_read_in_windows_that_say_where_to_go_on() {
        let dir = tempfile::tempdir().unwrap();
        let read = |params: Value| read(&place(&dir), &params);
        std::fs::write(dir.path().join("a"), "1\n2\n3\n").unwrap();
        assert_eq!(text(&read(json!({"path": "a"})).unwrap()), "1\n2\n3\n");
        let part = read(json!({"path": "a", "offset": "2", "limit": 1})).unwrap();
        assert_eq!(text(&part), "2\n\n[Lines 2-2 of 3. Use offset=3 to go on]");
        assert!(read(json!({"path": "a", "offset": 4})).unwrap_err().contains("3 lines"));
        let long: String = (0..5000).map(|n| format!("{n}\n")).collect();
        std::fs::write(dir.path().join("long"), &long).unwrap();
        let first = read(json!({"file_path": "long"})).unwrap();
        assert_eq!((text(&first).lines().count(), &first["details"]["truncation"]["totalLines"]), (2002, &json!(5000)));
        std::fs::write(dir.path().join("wide"), "x".repeat(60_000)).unwrap();
        assert!(text(&read(json!({"path": "wide"})).unwrap()).contains("60000 bytes"));
        std::fs::write(dir.path().join("p.png"), b"\x89PNG\r\n\x1a\nrest").unwrap();
        let picture = read(json!({"path": "p.png"})).unwrap();
        assert_eq!((&picture["content"][1]["type"], &picture["content"][1]["mimeType"]), (&json!("image"), &json!("image/png")));
        std::fs::write(dir.path().join("empty"), "").unwrap();
        assert_eq!(text(&read(json!({"path": "empty"})).unwrap()), "");
        for (params, part) in [(json!({}), "`path`"), (json!({"path": "none"}), "none"), (json!({"path": "."}), "directory")] {
            assert!(read(params.clone()).unwrap_err().contains(part), "{params}");
        }
        assert!(read(json!({"path": "/dev/zero"})).unwrap_err().contains("plain file"));
    }

    // TOOL-32
    #[test]
    fn a_file_is_written_whole_with_its_folders() {
        let dir = tempfile::tempdir().unwrap();
        let write = |params: Value| write_tool(&place(&dir), &params);
        write(json!({"path": "a/b/c.txt", "content": "one"})).unwrap();
        let file = dir.path().join("a/b/c.txt");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o750)).unwrap();
        std::os::unix::fs::symlink("a/b/c.txt", dir.path().join("link")).unwrap();
        assert_eq!(text(&write(json!({"path": "link", "content": ""})).unwrap()), "Wrote 0 bytes to link");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "");
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o750);
        assert!(dir.path().join("link").is_symlink());
        assert_eq!(std::fs::read_dir(dir.path().join("a/b")).unwrap().count(), 1, "nothing else is left");
        for (params, part) in [(json!({"path": "x"}), "`content`"), (json!({"path": "a", "content": "x"}), "plain file")] {
            assert!(write(params.clone()).unwrap_err().contains(part), "{params}");
        }
    }
}
