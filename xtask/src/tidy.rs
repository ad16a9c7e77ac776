//! Repository rules. Each rule is a function that returns its findings as `path: what, and what to do`.

use std::path::Path;

use anyhow::{Context, Result};
use regex::Regex;

use crate::protocol_lock;
use crate::source::{self, Source};

/// Written in two parts, so that this file does not find itself.
const UNWRAP: &str = concat!(".unw", "rap()");
const EXPECT: &str = concat!(".exp", "ect(\"");
/// Longest file without a written reason.
const MAX_LINES: usize = 600;

/// Crates from the bottom to the top: a crate may depend only on crates of a lower rank.
const LAYERS: &[(&str, u8)] = &[
    ("chela-manifest", 0),
    ("chela-config", 1),
    ("chela-archive", 0),
    ("chela-scan", 0),
    ("chela-plugin-protocol", 0),
    ("chela-gateway-protocol", 0),
    ("chela-process", 0),
    ("chela-store", 0),
    ("chela-telemetry", 0),
    ("chela-models", 0),
    ("chela-approvals", 1),
    ("chela-net", 0),
    ("chela-pairing", 0),
    ("chela-image", 0),
    ("chela-npm", 2),
    ("chela-catalog", 2),
    ("chela-plugin", 2),
    ("chela-hook-files", 3),
    ("chela-commands", 2),
    ("chela-install", 4),
    ("chela-hooks", 3),
    ("chela-node", 3),
    ("chela-plugin-demo", 3),
    ("chela-plugin-hooks", 3),
    ("chela-plugin-diagnostics", 3),
    ("chela-agent", 4),
    ("chela-tools", 5),
    ("chela-capabilities", 5),
    ("chela-host", 6),
    ("chela-gateway", 7),
    ("chela-kit", 7),
    ("chela", 8),
    ("xtask", 0),
    ("chela-bench", 8),
];

/// Crates that promise to do no I/O.
const NO_IO: &[&str] = &["chela-manifest", "chela-plugin-protocol", "chela-gateway-protocol"];

/// Runs every rule and prints what it finds.
pub fn run(root: &Path, bless: bool) -> Result<bool> {
    let rust = source::read(root, &["crates", "plugins", "xtask", "bench"], &["rs"])?;
    let script = source::read(root, &["sdk", "fixtures", "crates/chela-gateway/web", "bench"], &["js", "mjs", "ts"])?;
    let mut findings = Vec::new();
    findings.extend(rust.iter().flat_map(module_docs));
    findings.extend(rust.iter().flat_map(no_unwrap));
    findings.extend(rust.iter().flat_map(no_io));
    findings.extend(rust.iter().flat_map(unsafe_in_its_place));
    findings.extend(dependency_direction(root)?);
    findings.extend(file_length(root, rust.iter().chain(&script))?);
    findings.extend(rust.iter().chain(&script).flat_map(unfinished_marks));
    findings.extend(protocol_lock::check(root, bless)?);
    for finding in &findings {
        println!("{finding}");
    }
    println!("tidy: {} files, {} findings", rust.len() + script.len(), findings.len());
    Ok(findings.is_empty())
}

fn module_docs(file: &Source) -> Option<String> {
    let first = file.text.lines().find(|l| !l.trim().is_empty()).unwrap_or_default();
    let documented = first.starts_with("//!") || first.starts_with("#![");
    (!documented && !file.is_test_file()).then(|| format!("{}: starts without `//!` docs; say what the file is for", file.path))
}

/// Clippy forbids these too; this rule also sees code that a feature or target leaves out of the build.
fn no_unwrap(file: &Source) -> Vec<String> {
    if file.is_test_file() || file.path.contains("/examples/") {
        return Vec::new();
    }
    let lines = file.without_tests().lines().enumerate();
    let bad = lines.filter(|(_, l)| !l.trim_start().starts_with("//") && (l.contains(UNWRAP) || l.contains(EXPECT)));
    bad.map(|(n, _)| format!("{}:{}: unwrap outside tests; return an error that names its cause", file.path, n + 1)).collect()
}

fn crate_of(file: &Source) -> Option<&str> {
    file.path.strip_prefix("crates/")?.split('/').next()
}

fn no_io(file: &Source) -> Vec<String> {
    if !crate_of(file).is_some_and(|name| NO_IO.contains(&name)) || file.is_test_file() {
        return Vec::new();
    }
    let words = ["std::fs", "std::net", "std::process", "std::env", "tokio::", "fs_err"];
    let used = words.iter().filter(|w| file.without_tests().lines().any(|l| !l.trim_start().starts_with("//") && l.contains(**w)));
    used.map(|w| format!("{}: uses `{w}` in a crate that does no I/O", file.path)).collect()
}

fn unsafe_in_its_place(file: &Source) -> Option<String> {
    let found = file.without_tests().lines().any(|l| {
        let line = l.trim_start();
        !line.starts_with("//") && (line.contains("unsafe {") || line.contains("unsafe fn") || line.contains("unsafe impl"))
    });
    let allowed = crate_of(file) == Some("chela-process") || file.path.starts_with("xtask/");
    (found && !allowed).then(|| format!("{}: `unsafe` belongs into chela-process, with its reason", file.path))
}

fn dependency_direction(root: &Path) -> Result<Vec<String>> {
    let rank = |name: &str| LAYERS.iter().find(|(n, _)| *n == name).map(|(_, r)| *r);
    let dependency = Regex::new(r"(?m)^(chela[a-z-]*)(?:\.workspace|\s*=)")?;
    let mut findings = Vec::new();
    for manifest in source::read(root, &["crates", "plugins", "xtask", "bench"], &["toml"])? {
        if !manifest.path.ends_with("Cargo.toml") || !manifest.text.contains("[package]") {
            continue;
        }
        let name = manifest.text.lines().find_map(|l| l.strip_prefix("name = ")).unwrap_or_default().trim_matches('"').to_string();
        let Some(own) = rank(&name) else {
            findings.push(format!("{}: crate `{name}` has no rank; add it to LAYERS in xtask/src/tidy.rs", manifest.path));
            continue;
        };
        let normal = manifest.text.split("[dev-dependencies]").next().unwrap_or_default();
        for found in dependency.captures_iter(normal) {
            if rank(&found[1]).is_some_and(|other| other >= own) && found[1] != *name {
                findings.push(format!(
                    "{}: `{name}` may not depend on `{}` (dependencies point one way, see ARCHITECTURE.md)",
                    manifest.path, &found[1]
                ));
            }
        }
    }
    Ok(findings)
}

fn file_length<'a>(root: &Path, files: impl Iterator<Item = &'a Source>) -> Result<Vec<String>> {
    let reasons_file = root.join("xtask/long-files.txt");
    let reasons = std::fs::read_to_string(&reasons_file).with_context(|| format!("could not read `{}`", reasons_file.display()))?;
    let excused = |path: &str| reasons.lines().any(|l| l.split_once(": ").is_some_and(|(p, why)| p == path && !why.trim().is_empty()));
    let long = files.filter(|f| f.text.lines().count() > MAX_LINES && !excused(&f.path));
    Ok(long
        .map(|f| format!("{}: {} lines; split it, or add it with a reason to xtask/long-files.txt", f.path, f.text.lines().count()))
        .collect())
}

fn unfinished_marks(file: &Source) -> Vec<String> {
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("to", "do!("), concat!("unimple", "mented!(")];
    let lines = file.text.lines().enumerate();
    let bad = lines.filter(|(_, l)| marks.iter().any(|m| l.contains(m)));
    bad.map(|(n, _)| format!("{}:{}: unfinished mark; build it, or answer with an error that names it", file.path, n + 1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> Source {
        Source { path: path.into(), text: text.into() }
    }

    #[test]
    fn each_rule_finds_its_violation() {
        assert!(module_docs(&file("crates/a/src/x.rs", "use std;\n")).is_some());
        assert!(module_docs(&file("crates/a/src/x.rs", "//! Docs.\n")).is_none());
        assert_eq!(no_unwrap(&file("crates/a/src/x.rs", "fn f() { x.unwrap() }\n#[cfg(test)] mod t { fn g() { y.unwrap() } }")).len(), 1);
        assert_eq!(no_io(&file("crates/chela-manifest/src/x.rs", "use std::fs;")).len(), 1);
        assert!(no_io(&file("crates/chela-config/src/x.rs", "use std::fs;")).is_empty());
        assert!(unsafe_in_its_place(&file("crates/chela/src/x.rs", "unsafe { x }")).is_some());
        assert!(unsafe_in_its_place(&file("crates/chela-process/src/x.rs", "unsafe { x }")).is_none());
        assert_eq!(unfinished_marks(&file("a.rs", concat!("// TO", "DO"))).len(), 1);
    }
}
