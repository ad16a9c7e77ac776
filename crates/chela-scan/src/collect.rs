//! Which files of a plugin are scanned.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::error::ScanError;
use crate::file;
use crate::graph;
use crate::leftover;
use crate::limits::{Mode, ScanLimits, ScanTarget};
use crate::patterns;
use crate::report::{Finding, ScanReport, Severity};

/// Largest file that is read for its imports alone, in bytes; the reference has no limit there.
const IMPORT_BYTES: u64 = 32 << 20;
/// Directories of a bundle that are looked into.
const DIRECTORIES: usize = 10_000;

/// Scans and reports.
pub(crate) fn run(target: &ScanTarget<'_>, limits: &ScanLimits) -> Result<ScanReport, ScanError> {
    let real = fs_err::canonicalize(target.root).map_err(|source| ScanError::Read { path: target.root.into(), source })?;
    let mut scan = Scan {
        root: target.root,
        real,
        limits,
        report: ScanReport::default(),
        seen: BTreeSet::new(),
        roots: BTreeSet::new(),
        edges: BTreeMap::new(),
        findings: Vec::new(),
        queue: VecDeque::new(),
        follow: target.mode == Mode::Package,
        graph: 0,
    };
    for entry in target.entries {
        scan.entry(entry);
    }
    if target.mode == Mode::Bundle {
        scan.tree()?;
    }
    scan.drain()?;
    scan.tell();
    let Scan { mut report, seen, real, .. } = scan;
    leftover::list(target, &real, &seen, &mut report);
    Ok(report)
}

struct Scan<'a> {
    root: &'a Path,
    /// The root without links.
    real: PathBuf,
    limits: &'a ScanLimits,
    report: ScanReport,
    /// Files that were scanned or are listed with a reason, from the root.
    seen: BTreeSet<PathBuf>,
    queue: VecDeque<PathBuf>,
    /// Files where the reference starts.
    roots: BTreeSet<PathBuf>,
    /// Imports that the reference follows.
    edges: BTreeMap<PathBuf, Vec<PathBuf>>,
    /// What was found, by file.
    findings: Vec<(PathBuf, Vec<Finding>)>,
    follow: bool,
    graph: usize,
}

impl Scan<'_> {
    /// INS-211: declared entries are scanned wherever they are.
    fn entry(&mut self, entry: &Path) {
        let shown = entry.display();
        let text = entry.strip_prefix(self.root).unwrap_or(entry).to_string_lossy().into_owned();
        let path = if entry.is_absolute() && !entry.starts_with(self.root) { None } else { graph::join(&self.real, &text) };
        let Some(path) = path.filter(|path| path.starts_with(&self.real)) else {
            self.report.notes.push(format!("plugin executable entry escapes plugin directory and will not be scanned: {shown}"));
            self.report.skip(entry, "the entry lies outside of the plugin");
            return;
        };
        let is_hidden = |part: &str| part == "node_modules" || (part.starts_with('.') && part != "." && part != "..");
        if text.split(['/', '\\']).any(is_hidden) {
            let text = format!("plugin executable entry is in a hidden/node_modules path and will receive targeted scan coverage: {shown}");
            self.report.notes.push(text);
        }
        match graph::resolve(&path) {
            Some(found) => {
                let root = self.add(&found);
                self.roots.extend(root);
            }
            None if path.is_file() => self.report.skip(entry, "the entry is no JavaScript or TypeScript file"),
            None => {}
        }
    }

    /// Queues a file that is inside the root, links followed; gives its path from the root.
    fn add(&mut self, path: &Path) -> Option<PathBuf> {
        let real = path.canonicalize().ok()?;
        match real.strip_prefix(&self.real) {
            Ok(relative) => {
                if self.seen.insert(relative.into()) {
                    self.queue.push_back(relative.into());
                }
                Some(relative.into())
            }
            Err(_) => {
                let shown = path.strip_prefix(&self.real).unwrap_or(path);
                self.report.skip(shown, "a link leads out of the plugin");
                None
            }
        }
    }

    /// INS-209: the files of a bundle.
    fn tree(&mut self) -> Result<(), ScanError> {
        let mut open = vec![self.real.clone()];
        let mut count = 0;
        while let Some(dir) = open.pop() {
            count += 1;
            if count > DIRECTORIES {
                self.report.skip(".", format!("more than {DIRECTORIES} directories"));
                break;
            }
            for entry in leftover::sorted(&dir)? {
                let name = entry.file_name();
                let Ok(kind) = entry.file_type() else { continue };
                if leftover::is_left_out(&name.to_string_lossy(), kind.is_dir()).is_some() {
                    continue;
                }
                if kind.is_dir() {
                    open.push(entry.path());
                } else if kind.is_file() && graph::is_scannable(&entry.path()) {
                    let root = self.add(&entry.path());
                    self.roots.extend(root);
                }
            }
        }
        Ok(())
    }

    fn drain(&mut self) -> Result<(), ScanError> {
        while let Some(relative) = self.queue.pop_front() {
            self.graph += 1;
            if self.follow && self.graph > self.limits.graph_files {
                self.report.skip(&relative, format!("beyond the first {} files of the import graph", self.limits.graph_files));
            } else if self.report.scanned_files >= self.limits.files {
                self.report.skip(&relative, format!("beyond the first {} files", self.limits.files));
            } else {
                self.file(&relative)?;
            }
        }
        Ok(())
    }

    fn file(&mut self, relative: &Path) -> Result<(), ScanError> {
        let path = self.real.join(relative);
        let failed = |source| ScanError::Read { path: self.root.join(relative), source };
        let mut bytes = Vec::new();
        let open = fs_err::File::open(&path).map_err(failed)?;
        open.take(IMPORT_BYTES).read_to_end(&mut bytes).map_err(failed)?;
        let source = String::from_utf8_lossy(&bytes);
        let imports = if bytes.len() as u64 > self.limits.file_bytes {
            self.report.skip(relative, format!("larger than {} bytes", self.limits.file_bytes));
            graph::textual_imports(&source)
        } else {
            self.source(relative, &source)
        };
        if self.follow {
            self.imports(relative, &imports, &patterns::followed_imports(&source));
        }
        Ok(())
    }

    fn source(&mut self, relative: &Path, source: &str) -> Vec<String> {
        let scanned = file::scan(&self.root.join(relative), source);
        self.report.scanned_files += 1;
        self.findings.push((relative.into(), scanned.findings));
        if !scanned.computed_lines.is_empty() {
            let lines: Vec<_> = scanned.computed_lines.iter().take(10).map(usize::to_string).collect();
            let more = if scanned.computed_lines.len() > 10 { ", ..." } else { "" };
            self.report.skip(relative, format!("loads modules by computed names (line {}{more})", lines.join(", ")));
        }
        let mut imports = scanned.imports.local;
        if let Some(problem) = scanned.problem {
            self.report.skip(relative, format!("only its text was searched: it {problem}"));
            imports.extend(graph::textual_imports(source));
        }
        imports
    }

    fn imports(&mut self, from: &Path, specifiers: &[String], followed: &BTreeSet<&str>) {
        let path = self.real.join(from);
        let Some(base) = path.parent() else { return };
        for specifier in specifiers {
            let Some(path) = graph::join(base, specifier).filter(|path| path.starts_with(&self.real)) else { continue };
            let Some(found) = graph::resolve(&path) else { continue };
            let is_plain = followed.contains(specifier.as_str()) && graph::resolve_plainly(&path).as_ref() == Some(&found);
            if let Some(target) = self.add(&found)
                && is_plain
            {
                self.edges.entry(from.into()).or_default().push(target);
            }
        }
    }

    /// Puts the findings into the report. A file that only this scan reaches refuses nothing: what is critical there is a warning.
    fn tell(&mut self) {
        let mut reached: BTreeSet<&Path> = BTreeSet::new();
        let mut open: Vec<&Path> = self.roots.iter().map(PathBuf::as_path).collect();
        while let Some(file) = open.pop() {
            if reached.insert(file) {
                open.extend(self.edges.get(file).into_iter().flatten().map(PathBuf::as_path));
            }
        }
        for (file, findings) in &self.findings {
            let is_beyond = !reached.contains(file.as_path());
            if is_beyond && findings.iter().any(|finding| finding.severity == Severity::Critical) {
                let text = format!("what was found in {} is a warning, since OpenClaw's own scan does not reach that file", file.display());
                self.report.notes.push(text);
            }
            for finding in findings {
                let severity = if is_beyond { finding.severity.min(Severity::Warn) } else { finding.severity };
                self.report.add(Finding { severity, ..finding.clone() });
            }
        }
    }
}
