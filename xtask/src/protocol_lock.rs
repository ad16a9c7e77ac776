//! The worker protocol's version must change when its wire types change.

use std::path::Path;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::source;

const LOCK: &str = "crates/chela-plugin-protocol/protocol.lock";
const DOCUMENT: &str = "crates/chela-plugin-protocol/PROTOCOL.md";

/// Compares the wire types with the lock file; `bless` writes it when the version moved on.
pub fn check(root: &Path, bless: bool) -> Result<Option<String>> {
    let current = format!("version {}\nwire {}\n", document_version(root)?, wire_hash(root)?);
    let locked = std::fs::read_to_string(root.join(LOCK)).unwrap_or_default();
    if current == locked {
        return Ok(None);
    }
    if bless {
        if !locked.is_empty() && locked.lines().next() == current.lines().next() {
            bail!("the wire types changed but `{DOCUMENT}` still has the same version; raise it there first");
        }
        std::fs::write(root.join(LOCK), current).with_context(|| format!("could not write `{LOCK}`"))?;
        return Ok(None);
    }
    Ok(Some(format!(
        "{LOCK}: the wire types differ from the locked ones; raise the version in `{DOCUMENT}` and in the crate, then run `cargo xtask tidy --bless`"
    )))
}

fn document_version(root: &Path) -> Result<String> {
    let text = std::fs::read_to_string(root.join(DOCUMENT)).with_context(|| format!("could not read `{DOCUMENT}`"))?;
    let title = text.lines().next().unwrap_or_default();
    match title.rsplit_once("version ") {
        Some((_, version)) => Ok(version.trim().into()),
        None => bail!("the first line of `{DOCUMENT}` must end in `version X.Y`"),
    }
}

/// Hash over the code of the protocol crate; comments and tests do not count.
fn wire_hash(root: &Path) -> Result<String> {
    let mut hash = Sha256::new();
    for file in source::read(root, &["crates/chela-plugin-protocol/src"], &["rs"])? {
        if file.is_test_file() {
            continue;
        }
        for line in file.without_tests().lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with("//")) {
            hash.update(line.as_bytes());
        }
    }
    Ok(hash.finalize().iter().map(|b| format!("{b:02x}")).collect())
}
