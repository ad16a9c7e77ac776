//! What a plugin's own code imports from the packages that the caller asks about: by name, on the syntax tree. Nothing is run.

mod module;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::error::ScanError;
use crate::graph;
use crate::report::NotScanned;

/// Largest file that is looked at, in bytes: bundles of whole dependency trees are this large, and no larger.
const FILE_BYTES: u64 = 32 << 20;
/// Files of one plugin that are looked at.
const FILES: usize = 5_000;

/// What is asked of one specifier.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Imported {
    /// Names that the code uses, with the places of their first use in each file, as `file:line`.
    pub names: BTreeMap<String, Vec<String>>,
    /// Places where the module as a whole is handed on, so that more names may be used than are listed.
    pub whole: Vec<String>,
    /// True when it is loaded by `import()` or `require`, at least once.
    pub dynamic: bool,
    /// True when a static import or export names it.
    pub linked: bool,
}

/// What a plugin imports.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImportReport {
    /// Files that were read.
    pub files: usize,
    /// By specifier, as written.
    pub imports: BTreeMap<String, Imported>,
    /// Names that are imported as types only, by specifier: they need nothing of it when the code runs. With the place of the first use.
    pub types: BTreeMap<String, BTreeMap<String, String>>,
    /// What was asked about by [`Wanted::members`] and [`Wanted::options`], as asked, with the place of the first use.
    pub forms: BTreeMap<String, String>,
    /// What could not be read or parsed.
    pub not_scanned: Vec<NotScanned>,
}

/// What is looked for.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    /// Specifiers whose imports are reported.
    pub specifiers: &'a (dyn Fn(&str) -> bool + Sync),
    /// Chains of members, such as `runtime.stt`, at the end of any longer chain.
    pub members: &'a [&'a str],
    /// Functions that are called with an object that has a member, as `function({member})`.
    pub options: &'a [&'a str],
}

/// Reads the import graph of `entries` below `root` (relative or absolute) and reports what of `wanted` it
/// uses. Dependencies in `node_modules` are not followed.
///
/// # Errors
/// [`ScanError`] when `root` cannot be read.
pub fn imports(root: &Path, entries: &[PathBuf], wanted: Wanted<'_>) -> Result<ImportReport, ScanError> {
    crate::on_large_stack(|| run(root, entries, wanted))?
}

fn run(root: &Path, entries: &[PathBuf], wanted: Wanted<'_>) -> Result<ImportReport, ScanError> {
    let real = fs_err::canonicalize(root).map_err(|source| ScanError::Read { path: root.into(), source })?;
    let mut walk = Walk { real, seen: BTreeSet::new(), queue: VecDeque::new(), report: ImportReport::default() };
    for entry in entries {
        let relative = entry.strip_prefix(root).or_else(|_| entry.strip_prefix(&walk.real)).unwrap_or(entry);
        if let Some(path) = graph::join(&walk.real, &relative.to_string_lossy()) {
            walk.add(&path);
        }
    }
    while let Some(file) = walk.queue.pop_front() {
        walk.file(&file, wanted);
    }
    Ok(walk.report)
}

struct Walk {
    /// The root without links.
    real: PathBuf,
    seen: BTreeSet<PathBuf>,
    queue: VecDeque<PathBuf>,
    report: ImportReport,
}

impl Walk {
    /// Queues the file that a path means when it is the plugin's own.
    fn add(&mut self, path: &Path) {
        let Some(found) = graph::resolve(path).and_then(|found| found.canonicalize().ok()) else { return };
        let Ok(relative) = found.strip_prefix(&self.real) else { return };
        let is_dependency = relative.components().any(|part| part.as_os_str() == "node_modules");
        if !is_dependency && self.seen.insert(relative.into()) {
            self.queue.push_back(relative.into());
        }
    }

    fn skip(&mut self, relative: &Path, reason: impl Into<String>) {
        self.report.not_scanned.push(NotScanned { path: relative.into(), reason: reason.into() });
    }

    fn file(&mut self, relative: &Path, wanted: Wanted<'_>) {
        if self.report.files >= FILES {
            if self.report.files == FILES {
                self.report.files += 1;
                self.skip(relative, format!("beyond the first {FILES} files"));
            }
            return;
        }
        let path = self.real.join(relative);
        let mut bytes = Vec::new();
        let read = fs_err::File::open(&path).and_then(|file| file.take(FILE_BYTES + 1).read_to_end(&mut bytes));
        match read {
            Err(error) => return self.skip(relative, error.to_string()),
            Ok(length) if length as u64 > FILE_BYTES => return self.skip(relative, format!("larger than {FILE_BYTES} bytes")),
            Ok(_) => {}
        }
        self.report.files += 1;
        let source = String::from_utf8_lossy(&bytes);
        let found = match module::read(&path, &source, wanted) {
            Ok(found) => found,
            Err(problem) => {
                self.skip(relative, problem);
                return self.follow(&path, graph::textual_imports(&source));
            }
        };
        for used in found.used {
            let place = format!("{}:{}", relative.display(), used.line);
            let entry = self.report.imports.entry(used.specifier).or_default();
            if used.is_dynamic {
                entry.dynamic = true;
            } else {
                entry.linked = true;
            }
            for name in used.names {
                let places = entry.names.entry(name).or_default();
                if !places.iter().any(|known| same_file(known, &place)) {
                    places.push(place.clone());
                }
            }
            if used.is_whole && !entry.whole.contains(&place) {
                entry.whole.push(place);
            }
        }
        let at = |line: usize| format!("{}:{line}", relative.display());
        for (specifier, name, line) in found.types {
            self.report.types.entry(specifier).or_default().entry(name).or_insert_with(|| at(line));
        }
        for (form, line) in found.forms {
            self.report.forms.entry(form).or_insert_with(|| at(line));
        }
        self.follow(&path, found.local);
    }

    fn follow(&mut self, from: &Path, specifiers: Vec<String>) {
        let Some(base) = from.parent() else { return };
        for specifier in specifiers {
            if let Some(path) = graph::join(base, &specifier) {
                self.add(&path);
            }
        }
    }
}

fn same_file(a: &str, b: &str) -> bool {
    let file = |place: &str| place.rsplit_once(':').map(|(file, _)| file.to_owned());
    file(a) == file(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plugin(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, text).unwrap();
        }
        dir
    }

    const SDK: Wanted<'_> = Wanted {
        specifiers: &|specifier| specifier.starts_with("openclaw/"),
        members: &["runtime.stt", "tasks.flow"],
        options: &["createIt({old})"],
    };

    #[test]
    fn types_members_and_options_are_found_without_counting_as_imports() {
        let dir = plugin(&[(
            "index.ts",
            "import type { A } from 'openclaw/x';\nimport { type B, c } from 'openclaw/y';\n\
             c(api.runtime?.stt.transcribe(1));\nconst f = runtime.tasks.flows;\n(host as any).tasks.flow();\n\
             lib.createIt({ old: 1 });\ncreateOther({ old: 1 });",
        )]);
        let report = imports(dir.path(), &["index.ts".into()], SDK).unwrap();
        assert_eq!(report.imports.keys().collect::<Vec<_>>(), ["openclaw/y"]);
        assert_eq!((&report.types["openclaw/x"]["A"], &report.types["openclaw/y"]["B"]), (&"index.ts:1".into(), &"index.ts:2".into()));
        let forms: Vec<_> = report.forms.iter().map(|(form, place)| format!("{form} {place}")).collect();
        assert_eq!(forms, ["createIt({old}) index.ts:6", "runtime.stt index.ts:3", "tasks.flow index.ts:5"]);
    }

    #[test]
    fn the_graph_of_a_plugin_is_followed_but_not_its_dependencies() {
        let dir = plugin(&[
            ("src/index.ts", "import { a } from 'openclaw/x';\nimport './b.js';\nimport dep from 'dep';\na(dep);"),
            ("src/b.ts", "\n\nexport { b as c } from 'openclaw/x';\nexport const later = () => import('./lazy/index.mjs');"),
            (
                "src/lazy/index.mjs",
                "import '../index.ts'; entry({ plugin: { specifier: './named.cjs' } }); import { a } from 'openclaw/x'; a();",
            ),
            ("src/lazy/named.cjs", "require('openclaw/y').z();"),
            ("src/unused.ts", "import { never } from 'openclaw/x'; never();"),
            ("node_modules/dep/index.js", "import { dep } from 'openclaw/x'; dep();"),
        ]);
        let report = imports(dir.path(), &["./src/index.ts".into()], SDK).unwrap();
        assert_eq!(report.files, 4);
        assert!(report.imports["openclaw/y"].names.contains_key("z"));
        let x = &report.imports["openclaw/x"];
        assert_eq!(x.names.keys().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(x.names["a"], ["src/index.ts:1", "src/lazy/index.mjs:1"]);
        assert_eq!(x.names["b"], ["src/b.ts:3"]);
        assert!(x.linked && !x.dynamic && x.whole.is_empty() && report.not_scanned.is_empty(), "{report:?}");
    }

    #[test]
    fn what_does_not_parse_is_said_and_what_it_imports_is_followed_all_the_same() {
        let dir = plugin(&[("index.js", "import './b.js'; const = ;"), ("b.js", "import { b } from 'openclaw/y'; b();")]);
        let report = imports(dir.path(), &[dir.path().join("index.js")], SDK).unwrap();
        assert_eq!(report.not_scanned.len(), 1);
        assert!(report.not_scanned[0].reason.contains("does not parse"), "{report:?}");
        assert!(report.imports.contains_key("openclaw/y"));
    }
}
