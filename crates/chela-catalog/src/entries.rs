//! From the entries that a package declares to the files that will be loaded (MAN-192..MAN-206,
//! INS-029).

use std::path::{Path, PathBuf};

use chela_manifest::PackageMeta;

use crate::diagnostic::{Diagnostic, Level};
use crate::fsio::{link_count, real_path};
use crate::record::Origin;

/// Entries that are tried, in this order, when a package declares none (MAN-206).
pub(crate) const DEFAULT_ENTRIES: [&str; 4] = ["index.ts", "index.js", "index.mjs", "index.cjs"];

/// What is known of the package whose entries are resolved.
pub(crate) struct EntryScope<'a> {
    /// Real path of the package directory.
    pub root: &'a Path,
    /// Path to show in diagnostics.
    pub label: &'a Path,
    pub origin: Origin,
    /// The package has an install record.
    pub tracked: bool,
    /// Refuse what the reference refuses.
    pub strict: bool,
    pub reject_hardlinks: bool,
    pub id_hint: Option<&'a str>,
}

enum Lookup {
    Missing,
    Refused(&'static str),
    Found(PathBuf),
}

impl EntryScope<'_> {
    /// The file of each declared entry that can be used; the rest become diagnostics.
    pub fn extensions(&self, package: &PackageMeta, diagnostics: &mut Vec<Diagnostic>) -> Vec<PathBuf> {
        let runtime = match package.runtime_entries() {
            Ok(runtime) => runtime,
            Err(message) => {
                self.report(diagnostics, Level::Error, "entry-list-invalid", message);
                return Vec::new();
            }
        };
        let entries = package.extensions.entries().iter().enumerate();
        entries
            .filter_map(|(index, entry)| {
                let built = runtime.get(index).map(String::as_str);
                self.resolve(entry, built, "extension entry", diagnostics)
            })
            .collect()
    }

    /// The setup-only module (MAN-204, MAN-205).
    pub fn setup(&self, package: &PackageMeta, diagnostics: &mut Vec<Diagnostic>) -> Option<PathBuf> {
        let built = package.runtime_setup_entry.as_deref();
        let Some(entry) = package.setup_entry.as_deref() else {
            if built.is_some() {
                let message = "package.json openclaw.runtimeSetupEntry requires openclaw.setupEntry";
                self.report(diagnostics, Level::Error, "entry-list-invalid", message);
            }
            return None;
        };
        self.resolve(entry, built, "setup entry", diagnostics)
    }

    fn resolve(&self, entry: &str, built: Option<&str>, label: &str, diagnostics: &mut Vec<Diagnostic>) -> Option<PathBuf> {
        let source = match self.lookup(entry) {
            Lookup::Refused(why) => {
                self.escapes(entry, why, diagnostics);
                return None;
            }
            Lookup::Missing => None,
            Lookup::Found(path) => Some(path),
        };
        if let Some(built) = built {
            return match self.lookup(built) {
                Lookup::Found(path) => Some(path),
                Lookup::Refused(why) => {
                    self.escapes(built, why, diagnostics);
                    None
                }
                Lookup::Missing => {
                    let message = format!("runtime {label} not found: {built}");
                    self.report(diagnostics, Level::Error, "entry-not-found", message);
                    None
                }
            };
        }
        // A workspace holds sources that are being edited, so builds beside them may be old.
        if matches!(self.origin, Origin::Config | Origin::Global) {
            for candidate in built_candidates(entry) {
                match self.lookup(&candidate) {
                    Lookup::Found(path) => return Some(path),
                    Lookup::Missing => {}
                    Lookup::Refused(why) => {
                        self.escapes(&candidate, why, diagnostics);
                        return None;
                    }
                }
            }
            if self.tracked && is_typescript(entry) && source.is_some() {
                self.report_uncompiled(entry, diagnostics);
                if self.strict {
                    return None;
                }
            }
        }
        if source.is_none() {
            let message = format!("{label} not found: {entry}");
            self.report(diagnostics, Level::Error, "entry-not-found", message);
        }
        source
    }

    /// An installed package with TypeScript alone: the reference skips it (MAN-202); this host
    /// compiles TypeScript itself, so it only says so, unless strictness is asked for.
    fn report_uncompiled(&self, entry: &str, diagnostics: &mut Vec<Diagnostic>) {
        let expected = built_candidates(entry).join(", ");
        let (level, code, rest) = if self.strict {
            (Level::Warn, "entry-not-compiled", "skipped because `plugins.compat.strict` is set")
        } else {
            (Level::Info, "entry-compiled-by-host", "this host compiles it instead")
        };
        let message = format!(
            "installed plugin package requires compiled runtime output for TypeScript entry {entry}: \
             expected {expected}; {rest}"
        );
        self.report(diagnostics, level, code, message);
    }

    fn escapes(&self, entry: &str, why: &str, diagnostics: &mut Vec<Diagnostic>) {
        let message = format!("extension entry escapes package directory: {entry}{why}");
        self.report(diagnostics, Level::Error, "entry-escapes", message);
    }

    fn report(&self, diagnostics: &mut Vec<Diagnostic>, level: Level, code: &'static str, message: impl Into<String>) {
        let diagnostic = Diagnostic::new(level, code, message).plugin(self.id_hint).at(self.label);
        diagnostics.push(diagnostic);
    }

    /// Finds an entry inside the package, by its real path (MAN-196).
    fn lookup(&self, entry: &str) -> Lookup {
        let path = chela_config::paths::lexical(&self.root.join(entry));
        if !path.starts_with(self.root) {
            return Lookup::Refused("");
        }
        let Some(real) = real_path(&path) else {
            // Nothing there: but the way to it, or a dangling link, may already lead outside.
            let parent = path.ancestors().skip(1).find_map(real_path);
            let outside = parent.is_none_or(|parent| !parent.starts_with(self.root));
            return if outside || path.symlink_metadata().is_ok() { Lookup::Refused("") } else { Lookup::Missing };
        };
        if !real.starts_with(self.root) {
            return Lookup::Refused("");
        }
        match real.metadata() {
            Err(_) => Lookup::Missing,
            Ok(stat) if !stat.is_file() => Lookup::Refused(" (not a regular file)"),
            Ok(stat) if self.reject_hardlinks && link_count(&stat) > 1 => Lookup::Refused(" (hard-linked file)"),
            Ok(_) => Lookup::Found(real),
        }
    }
}

/// True for `.ts`, `.mts` and `.cts`.
pub(crate) fn is_typescript(entry: &str) -> bool {
    let extension = Path::new(entry).extension().and_then(|text| text.to_str());
    extension.is_some_and(|text| matches!(text.to_ascii_lowercase().as_str(), "ts" | "mts" | "cts"))
}

/// Built files that stand for a TypeScript entry, best first (MAN-200).
pub(crate) fn built_candidates(entry: &str) -> Vec<String> {
    if !is_typescript(entry) {
        return Vec::new();
    }
    let relative = entry.strip_prefix("./").unwrap_or(entry);
    let stem = relative.rsplit_once('.').map_or(relative, |(stem, _)| stem);
    let dist = stem.strip_prefix("src/").unwrap_or(stem);
    let bases = [format!("./dist/{dist}"), stem.to_owned()];
    let mut candidates = Vec::with_capacity(6);
    for base in bases {
        for extension in ["js", "mjs", "cjs"] {
            candidates.push(format!("{base}.{extension}"));
        }
    }
    candidates
}

/// True for a file that may be a plugin by itself (INS-004).
pub(crate) fn is_script_file(path: &Path) -> bool {
    let name = match path.file_name() {
        Some(name) => name.to_string_lossy().to_lowercase(),
        None => return false,
    };
    let extension = path.extension().and_then(|text| text.to_str());
    let known = extension.is_some_and(|text| matches!(text, "ts" | "js" | "mts" | "cts" | "mjs" | "cjs"));
    known && !name.ends_with(".d.ts") && !name.contains(".test.")
}

#[cfg(test)]
mod tests {
    use super::*;

    // MAN-200
    #[test]
    fn typescript_maps_to_built_files() {
        assert_eq!(
            built_candidates("./src/index.ts"),
            ["./dist/index.js", "./dist/index.mjs", "./dist/index.cjs", "src/index.js", "src/index.mjs", "src/index.cjs"]
        );
        assert_eq!(built_candidates("lib/a.b.mts")[0], "./dist/lib/a.b.js");
        assert!(built_candidates("./index.js").is_empty());
    }

    // INS-004
    #[test]
    fn script_files() {
        let cases = [
            ("a.ts", true),
            ("a.cjs", true),
            ("a.d.ts", false),
            ("a.test.js", false),
            ("a.live.test.ts", false),
            ("A.E2E.TEST.ts", false),
            ("a.json", false),
            ("a.tsx", false),
        ];
        for (name, expected) in cases {
            assert_eq!(is_script_file(Path::new(name)), expected, "{name}");
        }
    }
}
