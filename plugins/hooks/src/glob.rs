//! Paths of a directory that match a pattern: `*` and `?` within a name, `**` for any directories, `{a,b}` for one of several.

use std::path::{Path, PathBuf};

/// Most entries that are looked at for all patterns together.
const MAX_ENTRIES: usize = 20_000;
/// Deepest directory that `**` reaches.
const MAX_DEPTH: usize = 12;
/// Most patterns that braces may stand for.
const MAX_PATTERNS: usize = 64;
/// Directories that `**` leaves out: nobody keeps instructions there.
const SKIPPED: [&str; 2] = ["node_modules", ".git"];

/// Files below `root` that one of the patterns names, in order and without repeats. Patterns that are absolute or climb match nothing.
pub(crate) fn files(root: &Path, patterns: &[String]) -> Vec<PathBuf> {
    let mut search = Search { found: Vec::new(), left: MAX_ENTRIES };
    for pattern in patterns.iter().flat_map(|pattern| alternatives(pattern)).take(MAX_PATTERNS) {
        let parts: Vec<&str> = pattern.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
        if !Path::new(&pattern).is_absolute() && !parts.contains(&"..") {
            search.walk(root, &parts, 0);
        }
    }
    search.found
}

struct Search {
    found: Vec<PathBuf>,
    left: usize,
}

impl Search {
    fn walk(&mut self, dir: &Path, parts: &[&str], depth: usize) {
        let Some((part, rest)) = parts.split_first() else { return };
        if *part == "**" {
            self.walk(dir, rest, depth);
            for sub in self.entries(dir).into_iter().filter(|path| depth < MAX_DEPTH && is_plain_dir(path)) {
                self.walk(&sub, parts, depth + 1);
            }
            return;
        }
        let named = if part.contains(['*', '?']) {
            let mut all = self.entries(dir);
            all.retain(|path| path.file_name().is_some_and(|name| matches(part, &name.to_string_lossy())));
            all
        } else {
            vec![dir.join(part)]
        };
        for path in named {
            if !rest.is_empty() {
                self.walk(&path, rest, depth + 1);
            } else if path.is_file() && !self.found.contains(&path) {
                self.found.push(path);
            }
        }
    }

    fn entries(&mut self, dir: &Path) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
        let mut all: Vec<PathBuf> = entries.take(self.left).map(|entry| entry.path()).collect();
        self.left -= all.len();
        all.sort();
        all
    }
}

/// A directory that is no link, so that no circle is walked.
fn is_plain_dir(path: &Path) -> bool {
    let skipped = path.file_name().is_some_and(|name| SKIPPED.iter().any(|known| name == *known));
    !skipped && path.symlink_metadata().is_ok_and(|stat| stat.is_dir())
}

/// The patterns that braces stand for.
fn alternatives(pattern: &str) -> Vec<String> {
    let group = pattern.find('{').and_then(|open| Some((open, open + pattern[open..].find('}')?)));
    let Some((open, close)) = group else { return vec![pattern.to_owned()] };
    let (before, inner, after) = (&pattern[..open], &pattern[open + 1..close], &pattern[close + 1..]);
    let choices = inner.split(',').take(MAX_PATTERNS).map(|choice| format!("{before}{choice}"));
    let tails = alternatives(after);
    choices.flat_map(|head| tails.iter().map(move |tail| format!("{head}{tail}"))).take(MAX_PATTERNS).collect()
}

/// True when a name matches; a leading dot has to be written out. Linear in the name for each star.
fn matches(pattern: &str, name: &str) -> bool {
    if name.starts_with('.') && !pattern.starts_with('.') {
        return false;
    }
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut at, mut to, mut star) = (0, 0, None);
    while to < name.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, to));
                at += 1;
            }
            Some(c) if *c == '?' || *c == name[to] => {
                at += 1;
                to += 1;
            }
            _ => {
                let Some((star_at, star_to)) = star else { return false };
                star = Some((star_at, star_to + 1));
                (at, to) = (star_at + 1, star_to + 1);
            }
        }
    }
    pattern[at..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn names() {
        for (pattern, name, expected) in [
            ("*.md", "AGENTS.md", true),
            ("*.md", "AGENTS.txt", false),
            ("A*S.m?", "AGENTS.md", true),
            ("*", ".hidden", false),
            (".*", ".hidden", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("????", "abc", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
        let hard = "*a".repeat(200);
        assert!(!matches(&hard, &"a".repeat(150)), "ends in time");
    }

    #[test]
    fn trees() {
        let dir = tempfile::tempdir().unwrap();
        for path in ["AGENTS.md", "packages/a/AGENTS.md", "packages/b/TOOLS.md", "packages/b/deep/er/AGENTS.md", "node_modules/x/AGENTS.md"]
        {
            let path = dir.path().join(path);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, "").unwrap();
        }
        std::os::unix::fs::symlink(dir.path(), dir.path().join("packages/circle")).unwrap();
        let found = |patterns: &[&str]| {
            let patterns: Vec<String> = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
            let all = files(dir.path(), &patterns);
            all.iter().map(|path| path.strip_prefix(dir.path()).unwrap().display().to_string()).collect::<Vec<_>>()
        };
        assert_eq!(found(&["packages/b/TOOLS.md", "./AGENTS.md", "gone.md"]), ["packages/b/TOOLS.md", "AGENTS.md"]);
        assert_eq!(found(&["packages/[ab]/x", "packages/{a,b}/{AGENTS,TOOLS}.md"]), ["packages/a/AGENTS.md", "packages/b/TOOLS.md"]);
        assert_eq!(found(&["**/AGENTS.md"]), ["AGENTS.md", "packages/a/AGENTS.md", "packages/b/deep/er/AGENTS.md"]);
        assert!(found(&["../*", "/etc/*", "packages/../AGENTS.md"]).is_empty());
    }
}
