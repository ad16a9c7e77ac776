//! The one place where failures become text: `error:`, causes, `hint:` on stderr, and the exit code.

use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use chela_config::ConfigError;
use chela_install::InstallError;

/// Exit code of a command that could not do what it was asked.
pub const FAILED: u8 = 1;
/// Exit code of a command that was asked wrongly, or for what is not built.
pub const USAGE: u8 = 2;

const RED: Style = AnsiColor::Red.on_default().bold();
const YELLOW: Style = AnsiColor::Yellow.on_default().bold();
const CYAN: Style = AnsiColor::Cyan.on_default().bold();

/// Why a command ends with another exit code than 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// One line; empty when the command has said it already.
    pub message: String,
    /// What led to it, outermost first.
    pub causes: Vec<String>,
    /// What to do next.
    pub hints: Vec<String>,
    /// The exit code.
    pub code: u8,
}

impl Failure {
    /// A failure with exit code 1.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), causes: vec![], hints: vec![], code: FAILED }
    }

    /// A wrong use, exit code 2.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { code: USAGE, ..Self::new(message) }
    }

    /// Ends with a code and says nothing: the output said it.
    pub fn silent(code: u8) -> Self {
        Self { code, ..Self::new("") }
    }

    /// What is known by name and not built yet; `instead` is the nearest thing that works.
    pub fn not_built(what: &str, instead: &str) -> Self {
        Self::usage(format!("`{what}` is not built yet")).hint(instead)
    }

    /// A refused edit of the config; the file is as it was.
    pub fn not_written(error: ConfigError) -> Self {
        match error {
            ConfigError::Invalid { issues, .. } => {
                let mut failure = Self::new("the config would become invalid; nothing was written");
                failure.causes = issues.iter().map(|issue| issue.render()).collect();
                failure
            }
            other => Self::from(other),
        }
    }

    /// Adds a cause.
    #[must_use]
    pub fn cause(mut self, cause: impl Into<String>) -> Self {
        self.causes.push(cause.into());
        self
    }

    /// Adds a next step.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The text, with or without colour codes.
    pub fn render(&self, colour: bool) -> String {
        let mut out = format!("{}: {}\n", paint("error", RED, colour), self.message);
        for cause in &self.causes {
            for line in cause.lines() {
                out.push_str(&format!("  {line}\n"));
            }
        }
        for hint in &self.hints {
            out.push_str(&format!("\n{}: {hint}\n", paint("hint", CYAN, colour)));
        }
        out
    }
}

impl From<InstallError> for Failure {
    fn from(error: InstallError) -> Self {
        match error {
            InstallError::NotBuilt { what, instead } => Self::not_built(&what, &instead),
            InstallError::Config(error) => Self::not_written(error),
            other => {
                let mut failure = Self::new(other.to_string());
                failure.hints = other.hints();
                failure
            }
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        match error {
            ConfigError::Invalid { path, issues } => {
                let mut failure = Self::new(format!("config is invalid: `{}`", path.display()));
                failure.causes = issues.iter().map(|issue| issue.render()).collect();
                failure.hint("mend the file, then check it with `chela config validate`")
            }
            ConfigError::Parse { path, line, column, message } => Self::new(format!("config cannot be parsed: `{}`", path.display()))
                .cause(format!("line {line}, column {column}: {message}"))
                .hint("mend the file, then check it with `chela config validate`"),
            other => Self::new(other.to_string()),
        }
    }
}

fn paint(text: &str, style: Style, colour: bool) -> String {
    if colour { format!("{style}{text}{style:#}") } else { text.to_owned() }
}

/// Prints a failure and gives its exit code.
pub fn failure(failure: &Failure) -> ExitCode {
    if !failure.message.is_empty() {
        anstream::eprint!("{}", failure.render(true));
    }
    ExitCode::from(failure.code)
}

/// Prints what the parser of the command line has to say: help and version on stdout, misuse on stderr.
pub fn usage(error: &clap::Error) -> ExitCode {
    // A reader that has gone needs no message.
    let _ = error.print();
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(USAGE))
}

/// Prints a warning on stderr.
pub fn warn(message: &str) {
    anstream::eprintln!("{}: {message}", paint("warning", YELLOW, true));
}

/// Prints a note on stderr.
pub fn note(message: &str) {
    anstream::eprintln!("{message}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use chela_config::ConfigIssue;

    #[test]
    fn failures_read_without_colour() {
        let failure = Failure::new("no gateway answers at `ws://127.0.0.1:1`")
            .cause("connection refused\nsecond line")
            .hint("start it with `chela gateway run`");
        insta::assert_snapshot!(failure.render(false), @r"
        error: no gateway answers at `ws://127.0.0.1:1`
          connection refused
          second line

        hint: start it with `chela gateway run`
        ");
        assert!(failure.render(true).contains("\u{1b}["));
    }

    // INS-338
    #[test]
    fn every_issue_of_the_config_has_its_line() {
        let issues = vec![ConfigIssue::new("a.b", "expected number"), ConfigIssue::new("", "unknown key `x`")];
        let failure = Failure::from(ConfigError::Invalid { path: "/c".into(), issues });
        assert_eq!(failure.code, FAILED);
        insta::assert_snapshot!(failure.render(false), @r"
        error: config is invalid: `/c`
          a.b: expected number
          <root>: unknown key `x`

        hint: mend the file, then check it with `chela config validate`
        ");
    }
}
