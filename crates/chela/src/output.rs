//! Results on stdout. Everything else a command says goes to stderr (GW-163).

use std::io::{ErrorKind, Write};

use anstyle::Style;
use serde_json::Value;

use crate::report::Failure;

/// How secondary text looks where colour is shown.
pub const DIM: Style = Style::new().dimmed();

/// Turns colour off for good when asked; otherwise the terminal and `NO_COLOR` decide.
pub fn set_colour(off: bool) {
    if off {
        anstream::ColorChoice::Never.write_global();
    }
}

/// Prints text as it is.
///
/// # Errors
/// When stdout cannot be written. A reader that has gone ends the command quietly.
pub fn text(text: &str) -> Result<(), Failure> {
    let mut out = anstream::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| if text.ends_with('\n') { Ok(()) } else { out.write_all(b"\n") });
    match written.and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(Failure::silent(0)),
        Err(error) => Err(Failure::new("cannot write to stdout").cause(error.to_string())),
    }
}

/// Prints one JSON document.
///
/// # Errors
/// As [`text`].
pub fn json(value: &Value) -> Result<(), Failure> {
    text(&format!("{value:#}"))
}

/// The text in dim style; without colour it is the text alone.
pub fn dim(text: &str) -> String {
    format!("{DIM}{text}{DIM:#}")
}
