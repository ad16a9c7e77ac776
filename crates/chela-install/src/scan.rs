//! The code scan and the dependency denylist, as they decide over an installation (INS-206..INS-234).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chela_config::Env;
use chela_npm::{NoteLevel, Progress, Step};
use chela_scan::{BuiltinScan, Mode, ScanError, ScanLimits, ScanReport, ScanTarget, TreeLimits, denylisted_dependencies, refusal, scan};
use serde_json::{Value, json};

use crate::error::InstallError;

/// Up to this many places of one reason are named; more are counted.
const SHOWN: usize = 3;

/// What to scan.
pub(crate) struct Subject<'a> {
    /// `Plugin "x"`, `Bundle "x"` or `Plugin file "x"`.
    pub label: String,
    /// The plugin's own files.
    pub dir: &'a Path,
    /// Entries below `dir`.
    pub entries: Vec<PathBuf>,
    pub mode: Mode,
    /// The plugin with its dependencies.
    pub tree: &'a Path,
}

/// What was found. Listeners are asked before it decides, since their word comes first (INS-245).
pub(crate) struct Findings {
    label: String,
    root: PathBuf,
    code: Result<ScanReport, ScanError>,
    dependencies: Result<Option<String>, ScanError>,
}

/// Looks at code and dependencies; runs nothing.
pub(crate) fn look(subject: Subject<'_>, env: &Env, progress: &dyn Progress) -> Findings {
    progress.begin(Step::Scan, None);
    let target = ScanTarget { root: subject.dir, entries: &subject.entries, mode: subject.mode };
    let code = scan(&target, &ScanLimits::default());
    if let Ok(report) = &code {
        progress.advance(Step::Scan, report.scanned_files as u64);
    }
    let limits = TreeLimits::from_env(|name| env.get(name).map(str::to_owned));
    let dependencies = denylisted_dependencies(subject.tree, &limits).map(|hits| refusal(&hits));
    progress.end(Step::Scan);
    let root = subject.dir.canonicalize().unwrap_or_else(|_| subject.dir.to_owned());
    Findings { label: subject.label, root, code, dependencies }
}

/// Refuses a tree with denied dependencies; its own code was looked at before (INS-231).
pub(crate) fn refuse_denied(label: &str, tree: &Path, env: &Env) -> Result<(), InstallError> {
    let limits = TreeLimits::from_env(|name| env.get(name).map(str::to_owned));
    let hits = denylisted_dependencies(tree, &limits).map_err(|error| {
        InstallError::coded("security_scan_failed", format!("{label} installation blocked: code safety scan failed ({error})"))
    })?;
    match refusal(&hits) {
        None => Ok(()),
        Some(denied) => Err(InstallError::coded("security_scan_blocked", format!("{label} installation blocked: {denied}"))),
    }
}

impl Findings {
    /// The scan as listeners see it (INS-239).
    pub(crate) fn for_listeners(&self) -> Value {
        serde_json::to_value(BuiltinScan::from(&self.code)).unwrap_or_default()
    }

    /// The scan for the lock record, with what was not looked at.
    pub(crate) fn for_record(&self) -> Value {
        match &self.code {
            Ok(report) => serde_json::to_value(self.relative(report)).unwrap_or_default(),
            Err(error) => json!({"error": error.to_string()}),
        }
    }

    /// Refuses, or says what is worth saying (INS-222..INS-227, INS-231).
    pub(crate) fn decide(&self, unsafe_code: bool, trusted: bool, progress: &dyn Progress) -> Result<(), InstallError> {
        let label = &self.label;
        let failed = |error: &ScanError| {
            InstallError::coded("security_scan_failed", format!("{label} installation blocked: code safety scan failed ({error})"))
        };
        let report = self.relative(self.code.as_ref().map_err(failed)?);
        if let Some(denied) = self.dependencies.as_ref().map_err(failed)? {
            return Err(InstallError::coded("security_scan_blocked", format!("{label} installation blocked: {denied}")));
        }
        if report.critical > 0 {
            let details = report.critical_details();
            if !unsafe_code && !trusted {
                let message = format!("{label} installation blocked: dangerous code patterns detected: {details}");
                return Err(InstallError::coded("security_scan_blocked", message)
                    .hint("read these lines; if you trust them, pass `--dangerously-force-unsafe-install`"));
            }
            if trusted {
                progress.note(NoteLevel::Info, &format!("{label} is an official package; the code scan noted: {details}"));
            } else {
                progress.note(NoteLevel::Warn, &format!("{label} contains dangerous code patterns: {details}"));
                let why = "`--dangerously-force-unsafe-install` is set";
                progress.note(NoteLevel::Warn, &format!("WARNING: {label} is installed all the same: {why}"));
            }
        }
        if report.warn > 0 && !trusted {
            let plural = if report.warn == 1 { "" } else { "s" };
            progress.note(
                NoteLevel::Warn,
                &format!("{label} has {} suspicious code pattern{plural}; see `scan` in its `chela-lock.json`", report.warn),
            );
        }
        for note in &report.notes {
            progress.note(NoteLevel::Warn, note);
        }
        if let Some(text) = not_looked_at(&report) {
            progress.note(NoteLevel::Info, &format!("{label}: {text}"));
        }
        Ok(())
    }

    /// Paths from the plugin's directory: where the stage was means nothing to anybody.
    fn relative(&self, report: &ScanReport) -> ScanReport {
        let mut report = report.clone();
        for finding in &mut report.findings {
            if let Ok(short) = finding.file.strip_prefix(&self.root) {
                finding.file = short.to_owned();
            }
        }
        report
    }
}

/// INS-364. What has the same reason is told once, the most frequent reason last: it is the least telling.
fn not_looked_at(report: &ScanReport) -> Option<String> {
    let mut reasons: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for one in &report.not_scanned {
        reasons.entry(&one.reason).or_default().push(one.path.display().to_string());
    }
    let mut reasons: Vec<_> = reasons.into_iter().collect();
    reasons.sort_by_key(|(_, paths)| paths.len());
    let told: Vec<String> = reasons
        .iter()
        .map(|(reason, paths)| match paths.as_slice() {
            few if few.len() <= SHOWN => format!("{} ({reason})", few.join(", ")),
            many => format!("{} files ({reason})", many.len()),
        })
        .collect();
    (!told.is_empty()).then(|| format!("the code scan did not look at {}", told.join(", ")))
}

#[cfg(test)]
mod tests {
    use chela_scan::NotScanned;

    use super::*;

    // INS-364
    #[test]
    fn what_was_not_looked_at_is_told_by_reason() {
        let mut report = ScanReport::default();
        assert_eq!(not_looked_at(&report), None);
        let mut skip = |path: &str, reason: &str| report.not_scanned.push(NotScanned { path: path.into(), reason: reason.into() });
        (0..7).for_each(|n| skip(&format!("dist/{n}.js"), "no entry imports it"));
        skip("run.sh", "shell script");
        let text = not_looked_at(&report).unwrap();
        assert_eq!(text, "the code scan did not look at run.sh (shell script), 7 files (no entry imports it)");
    }
}
