//! What a shell command runs, as far as it can be told without a shell.
//!
//! Only commands whose every part is plain are taken apart: words, quotes, `|`, `&&`, `||` and `;`. Whatever a shell could make something
//! else of (substitutions, redirections, subshells, background jobs, assignments, several lines) leaves the command whole, and an
//! allowlist never covers it.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// Longest command that is taken apart, in bytes.
const MAX_COMMAND: usize = 64 * 1024;
/// Most parts of one command.
const MAX_PARTS: usize = 64;

/// A part of a command: one program with its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The words, with quotes taken off.
    pub argv: Vec<String>,
    /// True when every word is what it says: no variable, no glob, no `~`.
    pub literal: bool,
}

/// A command, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Analysis {
    parts: Option<Vec<Part>>,
}

impl Analysis {
    /// Takes a command apart.
    pub fn of(command: &str) -> Self {
        Self { parts: (command.len() <= MAX_COMMAND).then(|| split(command)).flatten() }
    }

    /// True when all parts are known.
    pub fn is_plain(&self) -> bool {
        self.parts.is_some()
    }

    /// The parts in order; none when the command could not be taken apart.
    pub fn parts(&self) -> &[Part] {
        self.parts.as_deref().unwrap_or_default()
    }

    /// True when a part evaluates code that is in its arguments, such as `python -c`. What cannot be taken apart may do so.
    pub fn evaluates_inline(&self) -> bool {
        match &self.parts {
            Some(parts) => parts.iter().any(evaluates),
            None => true,
        }
    }
}

/// The pattern under which the reference remembers exactly this command.
pub fn durable_pattern(command: &str) -> String {
    let digest = Sha256::digest(command.trim().as_bytes());
    let hex: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("=command:{hex}")
}

/// Where a program is found, as a shell would: a path as it is, else in the directories of `PATH`. `None` when there is none.
pub fn resolve_program(name: &str, cwd: &Path, home: &Path, path: &str, is_program: &dyn Fn(&Path) -> bool) -> Option<PathBuf> {
    let found = if let Some(rest) = name.strip_prefix("~/") {
        home.join(rest)
    } else if name.contains('/') {
        cwd.join(name)
    } else {
        let dirs = path.split(':').filter(|dir| !dir.is_empty());
        return dirs.map(|dir| cwd.join(dir).join(name)).find(|file| is_program(file)).map(|file| clean(&file));
    };
    is_program(&found).then(|| clean(&found))
}

/// The path without `.` and `..`, which a pattern must not be fooled by.
fn clean(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir => drop(out.pop()),
            other => out.push(other),
        }
    }
    out
}

/// Interpreters with the flags that evaluate an argument.
const EVALUATORS: &[(&str, &[&str])] = &[
    ("python", &["-c"]),
    ("node", &["-e", "--eval", "-p", "--print"]),
    ("bun", &["-e", "--eval", "-p", "--print"]),
    ("deno", &["eval"]),
    ("ruby", &["-e"]),
    ("perl", &["-e", "-E"]),
    ("php", &["-r"]),
    ("lua", &["-e"]),
    ("osascript", &["-e"]),
    ("sh", &["-c"]),
    ("bash", &["-c"]),
    ("dash", &["-c"]),
    ("zsh", &["-c"]),
    ("ksh", &["-c"]),
    ("fish", &["-c"]),
];

fn evaluates(part: &Part) -> bool {
    // A wrapper such as `env` or `nice` may stand before the interpreter.
    part.argv.iter().enumerate().any(|(at, word)| {
        let name = word.rsplit('/').next().unwrap_or(word);
        let name = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
        let flags = EVALUATORS.iter().find(|(known, _)| *known == name).map(|(_, flags)| *flags);
        flags.is_some_and(|flags| part.argv[at + 1..].iter().any(|word| carries(word, flags)))
    })
}

/// True for the flag itself, with its value attached, or within a cluster of short flags.
fn carries(word: &str, flags: &[&str]) -> bool {
    flags.iter().any(|flag| match flag.strip_prefix('-').filter(|rest| rest.len() == 1) {
        Some(letter) => word.starts_with('-') && !word.starts_with("--") && word[1..].contains(letter),
        None => word == *flag || word.strip_prefix(flag).is_some_and(|rest| rest.starts_with('=')),
    })
}

#[derive(Default)]
struct Splitter {
    parts: Vec<Part>,
    argv: Vec<String>,
    word: Option<String>,
    dynamic: bool,
}

impl Splitter {
    fn put(&mut self, c: char) {
        self.word.get_or_insert_default().push(c);
    }

    fn end_word(&mut self) -> Option<()> {
        let Some(word) = self.word.take() else { return Some(()) };
        // An assignment before a program changes what the program does.
        if self.argv.is_empty() && (word.contains('=') || word.is_empty() || self.dynamic || is_keyword(&word)) {
            return None;
        }
        self.argv.push(word);
        Some(())
    }

    fn end_part(&mut self) -> Option<()> {
        self.end_word()?;
        let argv = std::mem::take(&mut self.argv);
        if argv.is_empty() || self.parts.len() >= MAX_PARTS {
            return None;
        }
        self.parts.push(Part { argv, literal: !std::mem::take(&mut self.dynamic) });
        Some(())
    }
}

/// Words that are no programs: what follows them is.
fn is_keyword(word: &str) -> bool {
    const KEYWORDS: &[&str] = &[
        "if", "then", "else", "elif", "fi", "for", "while", "until", "do", "done", "case", "esac", "select", "function", "time", "coproc",
        "!", "{", "}", "[[", "eval", "exec", "source", ".", "command", "builtin", "alias", "trap", "export", "declare", "typeset", "local",
        "readonly", "set", "shopt", "enable", "hash", "unalias", "unset",
    ];
    KEYWORDS.contains(&word)
}

fn split(command: &str) -> Option<Vec<Part>> {
    let mut out = Splitter::default();
    let mut chars = command.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' => out.end_word()?,
            '\'' => {
                out.word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        '\'' => break,
                        inner => out.put(inner),
                    }
                }
            }
            '"' => double_quoted(&mut out, &mut chars)?,
            '\\' => match chars.next()? {
                '\n' | '\r' => return None,
                escaped => out.put(escaped),
            },
            '|' => {
                if chars.peek() == Some(&'|') {
                    chars.next();
                }
                // `|&` joins the streams; it is rare, and not worth the doubt.
                if chars.peek() == Some(&'&') || chars.peek().is_none() {
                    return None;
                }
                out.end_part()?;
                more(&mut chars)?;
            }
            '&' => {
                if chars.next() != Some('&') {
                    return None;
                }
                out.end_part()?;
                more(&mut chars)?;
            }
            ';' => {
                out.end_part()?;
                if chars.peek() == Some(&';') {
                    return None;
                }
                // One at the end is harmless.
                if chars.clone().all(|c| matches!(c, ' ' | '\t')) {
                    return Some(out.parts);
                }
            }
            '#' if out.word.is_none() => return None,
            '$' => {
                variable(&mut chars)?;
                out.dynamic = true;
                out.put('$');
            }
            '*' | '?' | '[' | ']' => {
                out.dynamic = true;
                out.put(c);
            }
            '~' if out.word.is_none() => {
                // The program itself may be below the home directory; in an argument it is no literal text.
                if !out.argv.is_empty() {
                    out.dynamic = true;
                }
                out.put(c);
            }
            '>' | '<' | '(' | ')' | '`' | '\n' | '\r' | '{' | '}' | '\0' => return None,
            other => out.put(other),
        }
    }
    out.end_part()?;
    Some(out.parts)
}

/// An operator must be followed by a command.
fn more(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<()> {
    chars.clone().any(|c| !matches!(c, ' ' | '\t')).then_some(())
}

fn double_quoted(out: &mut Splitter, chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<()> {
    out.word.get_or_insert_default();
    loop {
        match chars.next()? {
            '"' => return Some(()),
            '`' | '\0' => return None,
            '$' => {
                variable(chars)?;
                out.dynamic = true;
                out.put('$');
            }
            '\\' => match chars.next()? {
                escaped @ ('\\' | '"' | '$' | '`') => out.put(escaped),
                '\n' | '\r' => return None,
                other => {
                    out.put('\\');
                    out.put(other);
                }
            },
            inner => out.put(inner),
        }
    }
}

/// A `$` that is no substitution.
fn variable(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<()> {
    match chars.peek() {
        Some('(' | '{' | '[' | '\'' | '"') => None,
        _ => Some(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn argv(command: &str) -> Option<Vec<Vec<String>>> {
        let analysis = Analysis::of(command);
        analysis.is_plain().then(|| analysis.parts().iter().map(|part| part.argv.clone()).collect())
    }

    #[test]
    fn plain_commands_are_taken_apart() {
        let cases: &[(&str, &[&[&str]])] = &[
            ("ls -la", &[&["ls", "-la"]]),
            (" echo  'a  b' \"c \\\" d\" e\\ f ", &[&["echo", "a  b", "c \" d", "e f"]]),
            ("a | b && c || d; e ;", &[&["a"], &["b"], &["c"], &["d"], &["e"]]),
            ("rg '$(x)' .", &[&["rg", "$(x)", "."]]),
            ("./run --x=y 'it''s'", &[&["./run", "--x=y", "its"]]),
            ("~/bin/rg a", &[&["~/bin/rg", "a"]]),
            ("echo a#b", &[&["echo", "a#b"]]),
        ];
        for (command, want) in cases {
            let want: Vec<Vec<String>> = want.iter().map(|argv| argv.iter().map(|w| w.to_string()).collect()).collect();
            assert_eq!(argv(command), Some(want), "{command}");
        }
    }

    #[test]
    fn what_a_shell_could_change_stays_whole() {
        for command in [
            "",
            "  ",
            "a > b",
            "a < b",
            "a $(b)",
            "a \"$(b)\"",
            "a `b`",
            "a \"`b`\"",
            "(a)",
            "a & b",
            "a &",
            "a && ",
            "| a",
            "a |",
            "a ||",
            "a;;b",
            "a\nb",
            "a 'open",
            "a \"open",
            "a \\",
            "X=1 a",
            "PATH=/x a",
            "$X a",
            "*/a",
            "if a",
            "eval a",
            "exec a",
            ". a",
            "command a",
            "a # b",
            "{ a; }",
            "a ${X}",
            "a $'x'",
            "a |& b",
            "! a",
            "a; ; b",
        ] {
            assert_eq!(argv(command), None, "{command}");
        }
        assert_eq!(argv(&"a".repeat(MAX_COMMAND + 1)), None);
        assert_eq!(argv(&"a;".repeat(MAX_PARTS + 1)), None);
    }

    #[test]
    fn words_that_a_shell_fills_in_are_no_literals() {
        for (command, literal) in [("a b", true), ("a '*'", true), ("a *", false), ("a $X", false), ("a \"$X\"", false), ("a ~", false)] {
            assert_eq!(Analysis::of(command).parts()[0].literal, literal, "{command}");
        }
    }

    #[test]
    fn inline_code_is_seen_behind_wrappers() {
        for (command, want) in [
            ("python3 -c 'x'", true),
            ("/usr/bin/python3.12 -Bc x", true),
            ("env nice node --eval=1", true),
            ("perl -pe s/a/b/", true),
            ("bash -lc ls", true),
            ("python3 run.py", false),
            ("node server.js", false),
            ("ls -c", false),
            ("a $(b)", true),
        ] {
            assert_eq!(Analysis::of(command).evaluates_inline(), want, "{command}");
        }
    }

    #[test]
    fn programs_are_found_as_a_shell_finds_them() {
        let there = |path: &Path| ["/usr/bin/rg", "/w/run", "/h/bin/x", "/w/rel/tool"].iter().any(|p| clean(path) == Path::new(p));
        let find = |name: &str| resolve_program(name, Path::new("/w"), Path::new("/h"), "/opt:/usr/bin::rel", &there);
        for (name, want) in [
            ("rg", Some("/usr/bin/rg")),
            ("./run", Some("/w/run")),
            ("sub/../run", Some("/w/run")),
            ("~/bin/x", Some("/h/bin/x")),
            ("tool", Some("/w/rel/tool")),
            ("/usr/bin/rg", Some("/usr/bin/rg")),
            ("nope", None),
            ("./nope", None),
        ] {
            assert_eq!(find(name), want.map(PathBuf::from), "{name}");
        }
    }

    #[test]
    fn the_durable_pattern_is_the_references() {
        // `sha256("echo hi")` begins so.
        assert_eq!(durable_pattern(" echo hi\n"), durable_pattern("echo hi"));
        assert_eq!(durable_pattern("abc"), "=command:ba7816bf8f01cfea");
    }

    proptest! {
        #[test]
        fn what_is_quoted_comes_back(words in prop::collection::vec("[ -~]{0,8}", 1..5)) {
            let quoted: Vec<String> = words.iter().map(|w| format!("'{}'", w.replace('\'', "'\\''"))).collect();
            let command = format!("prog {}", quoted.join(" "));
            let parts = argv(&command).unwrap();
            prop_assert_eq!(parts.len(), 1);
            prop_assert_eq!(&parts[0][1..], &words[..]);
        }

        #[test]
        fn no_text_breaks_it(command in ".{0,60}") {
            let analysis = Analysis::of(&command);
            prop_assert!(analysis.parts().iter().all(|part| !part.argv.is_empty() && !part.argv[0].is_empty()));
            let _ = analysis.evaluates_inline();
        }
    }
}
