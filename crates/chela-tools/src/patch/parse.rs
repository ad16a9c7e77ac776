//! The text of a patch.

const BEGIN: &str = "*** Begin Patch";
const END: &str = "*** End Patch";
const ADD: &str = "*** Add File:";
const DELETE: &str = "*** Delete File:";
const UPDATE: &str = "*** Update File:";
const MOVE: &str = "*** Move to:";
const AT_END: &str = "*** End of File";
/// Most files of one patch.
const MOST_FILES: usize = 1000;

/// What happens to one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    Add { path: String, content: String },
    Delete { path: String },
    Update { path: String, to: Option<String>, chunks: Vec<Chunk> },
}

/// One hunk of an update.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Chunk {
    /// A line above the hunk, as `@@ line` gives it.
    pub(super) context: Option<String>,
    pub(super) old: Vec<String>,
    pub(super) new: Vec<String>,
    /// The hunk is at the end of the file.
    pub(super) at_end: bool,
}

/// Reads a patch.
pub(super) fn parse(input: &str) -> Result<Vec<Change>, String> {
    let lines: Vec<&str> = input.trim().split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).collect();
    let body = body(&lines)?;
    let mut changes = Vec::new();
    let mut at = 0;
    while at < body.len() {
        // The first line of a patch is its own line 1.
        let number = at + 2;
        let head = body[at].trim();
        at += 1;
        let path = |marker: &str| head.strip_prefix(marker).map(|path| path.trim().to_owned());
        let change = if let Some(path) = path(ADD) {
            let mut content = String::new();
            while let Some(line) = body.get(at).and_then(|line| line.strip_prefix('+')) {
                content.push_str(line);
                content.push('\n');
                at += 1;
            }
            Change::Add { path, content }
        } else if let Some(path) = path(DELETE) {
            Change::Delete { path }
        } else if let Some(path) = path(UPDATE) {
            let to = body.get(at).and_then(|line| line.trim().strip_prefix(MOVE)).map(|to| to.trim().to_owned());
            at += usize::from(to.is_some());
            let (chunks, used) = chunks(&body[at..], at + 2)?;
            at += used;
            if chunks.is_empty() {
                return Err(format!("line {number} of the patch: `{head}` has no hunk"));
            }
            Change::Update { path, to, chunks }
        } else if head.is_empty() {
            continue;
        } else {
            return Err(format!("line {number} of the patch: `{head}` is none of `{ADD}`, `{DELETE}` and `{UPDATE}`"));
        };
        let names: Vec<&String> = match &change {
            Change::Add { path, .. } | Change::Delete { path } => vec![path],
            Change::Update { path, to, .. } => std::iter::once(path).chain(to).collect(),
        };
        if names.iter().any(|name| name.is_empty()) {
            return Err(format!("line {number} of the patch names no file"));
        }
        changes.push(change);
        if changes.len() > MOST_FILES {
            return Err(format!("a patch may change at most {MOST_FILES} files"));
        }
    }
    if changes.is_empty() { Err("the patch changes no file".into()) } else { Ok(changes) }
}

/// What is between the marks; models wrap a patch as shells do.
fn body<'a, 'b>(lines: &'b [&'a str]) -> Result<&'b [&'a str], String> {
    let marked = |lines: &'b [&'a str]| match lines {
        [first, body @ .., last] if first.trim() == BEGIN && last.trim() == END => Some(body),
        _ => None,
    };
    let wrapped = |lines: &'b [&'a str]| match lines {
        [first, inner @ .., last] if ["<<EOF", "<<'EOF'", "<<\"EOF\""].contains(first) && last.ends_with("EOF") => marked(inner),
        [first, inner @ .., last] if first.starts_with("```") && last.trim() == "```" => marked(inner),
        _ => None,
    };
    marked(lines).or_else(|| wrapped(lines)).ok_or_else(|| format!("a patch begins with the line `{BEGIN}` and ends with the line `{END}`"))
}

/// The hunks of an update, and the lines that they take.
fn chunks(lines: &[&str], first: usize) -> Result<(Vec<Chunk>, usize), String> {
    let mut out: Vec<Chunk> = Vec::new();
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        if line.trim().is_empty() {
            at += 1;
            continue;
        }
        if line.starts_with("***") {
            break;
        }
        let mut chunk = Chunk::default();
        let number = first + at;
        match line.strip_prefix("@@") {
            Some(context) => {
                chunk.context = Some(context.strip_prefix(' ').unwrap_or(context).to_owned()).filter(|c| !c.trim().is_empty());
                at += 1;
            }
            None if out.is_empty() => {}
            None => return Err(format!("line {number} of the patch: a hunk begins with `@@`, not with `{line}`")),
        }
        let begun = at;
        while let Some(line) = lines.get(at) {
            if *line == AT_END {
                chunk.at_end = true;
                at += 1;
                break;
            }
            let (sign, rest) = match line.chars().next() {
                None => (' ', ""),
                Some(sign) => (sign, &line[sign.len_utf8()..]),
            };
            match sign {
                ' ' => {
                    chunk.old.push(rest.to_owned());
                    chunk.new.push(rest.to_owned());
                }
                '+' => chunk.new.push(rest.to_owned()),
                '-' => chunk.old.push(rest.to_owned()),
                _ => break,
            }
            at += 1;
        }
        if at == begun {
            return Err(format!("line {} of the patch: a hunk has no lines; they begin with a space, `+` or `-`", number + 1));
        }
        out.push(chunk);
    }
    Ok((out, at))
}
