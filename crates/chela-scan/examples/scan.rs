//! Scans from the command line: `scan ROOT ENTRY...` (a package), `scan --bundle ROOT`, `scan --files FILE...` (each by itself).
#![allow(clippy::print_stdout)] // its output is its purpose

use std::path::{Path, PathBuf};
use std::time::Instant;

use chela_scan::{Mode, ScanLimits, ScanTarget, scan, scan_text};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let started = Instant::now();
    match arguments.split_first() {
        Some((flag, files)) if flag == "--files" => {
            for file in files {
                let source = String::from_utf8_lossy(&fs_err::read(file)?).into_owned();
                let (findings, problem) = scan_text(Path::new(file), &source)?;
                println!("{}", serde_json::json!({ "file": file, "findings": findings, "problem": problem }));
            }
        }
        Some((flag, [root])) if flag == "--bundle" => report(root, &[], Mode::Bundle)?,
        Some((root, entries)) => report(root, &entries.iter().map(PathBuf::from).collect::<Vec<_>>(), Mode::Package)?,
        None => println!("usage: scan ROOT ENTRY... | scan --bundle ROOT | scan --files FILE..."),
    }
    println!("{{\"milliseconds\":{}}}", started.elapsed().as_millis());
    Ok(())
}

fn report(root: &str, entries: &[PathBuf], mode: Mode) -> Result<(), Box<dyn std::error::Error>> {
    let report = scan(&ScanTarget { root: Path::new(root), entries, mode }, &ScanLimits::default())?;
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}
