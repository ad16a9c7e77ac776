//! Whole plugins: which files are scanned, and what the report says of the others.

use std::path::{Path, PathBuf};

use super::tree;
use chela_scan::{BuiltinScan, Mode, ScanError, ScanLimits, ScanReport, ScanTarget, Severity, scan};

const BAD: &str = "eval(x);";

fn run(dir: &Path, entries: &[&str], mode: Mode) -> ScanReport {
    let entries: Vec<PathBuf> = entries.iter().map(PathBuf::from).collect();
    scan(&ScanTarget { root: dir, entries: &entries, mode }, &ScanLimits::default()).unwrap()
}

fn bad_files(dir: &Path, report: &ScanReport) -> Vec<String> {
    let mut all: Vec<_> = report.findings.iter().map(|f| f.file.strip_prefix(dir).unwrap().display().to_string()).collect();
    all.sort();
    all
}

fn reason(report: &ScanReport, path: &str) -> Option<String> {
    report.not_scanned.iter().find(|one| one.path == Path::new(path)).map(|one| one.reason.clone())
}

// INS-207, INS-208
#[test]
fn a_package_is_scanned_along_its_imports() {
    let dir = tree(&[
        (
            "index.js",
            "import './a.js'; export { x } from './b'; export * from './c/index.js'; import('./d.mjs'); require('./e'); import 'lodash';",
        ),
        ("a.js", BAD),
        ("b.ts", "eval(x); import type { T } from './t';"),
        ("c/index.js", "eval(x); require(`../${'f'}.cjs`)"),
        ("d.mjs", BAD),
        ("e.jsx", BAD),
        ("f.cjs", "eval(x); const w = new Worker(new URL('./g.js', import.meta.url))"),
        ("g.js", BAD),
        ("t.ts", "export type T = 1"),
        ("unused.js", BAD),
        ("test/deep.test.js", BAD),
    ]);
    let report = run(dir.path(), &["./index.js", "missing.js"], Mode::Package);
    assert_eq!(bad_files(dir.path(), &report), ["a.js", "b.ts", "c/index.js", "d.mjs", "e.jsx", "f.cjs", "g.js"]);
    // A computed name and a worker's address are not followed by the reference.
    assert_eq!((report.scanned_files, report.critical, report.warn), (9, 5, 2));
    let beyond = |file: &str| report.notes.iter().any(|note| note.starts_with(&format!("what was found in {file} is a warning")));
    assert!(beyond("f.cjs") && beyond("g.js") && report.notes.len() == 2, "{:?}", report.notes);
    assert_eq!(reason(&report, "unused.js").as_deref(), Some("no entry imports it"));
    assert_eq!(reason(&report, "test/deep.test.js").as_deref(), Some("no entry imports it"));
}

#[test]
fn a_file_that_only_this_scan_reaches_refuses_nothing() {
    let dir = tree(&[
        ("index.js", "import './typed.js';import{a}from'./short.js'; import './both.js';"),
        ("typed.ts", "eval(x); import './both.js'; import './deep';"),
        ("short.js", BAD),
        ("both.js", BAD),
        ("deep.js", BAD),
    ]);
    let report = run(dir.path(), &["index.js"], Mode::Package);
    let severity = |name: &str| report.findings.iter().find(|f| f.file.ends_with(name)).unwrap().severity;
    assert_eq!(severity("both.js"), Severity::Critical, "reached from the entry as well");
    for name in ["typed.ts", "short.js", "deep.js"] {
        assert_eq!(severity(name), Severity::Warn, "{name}");
    }
    assert_eq!((report.critical, report.warn, report.notes.len()), (1, 3, 3));
    assert_eq!(run(dir.path(), &["typed.ts"], Mode::Package).critical, 3, "declared as an entry, it counts");
}

// INS-209
#[test]
fn a_bundle_is_scanned_as_a_tree() {
    let dir = tree(&[
        ("a.js", BAD),
        ("skills/x/run.ts", BAD),
        (".hidden/b.js", BAD),
        (".c.js", BAD),
        ("node_modules/d/index.js", BAD),
        ("tests/e.js", BAD),
        ("sub/__mocks__/f.js", BAD),
        ("g.spec.ts", BAD),
        ("h.json", "{}"),
    ]);
    let report = run(dir.path(), &[], Mode::Bundle);
    assert_eq!(bad_files(dir.path(), &report), ["a.js", "skills/x/run.ts"]);
    for (path, why) in [
        (".hidden", "hidden"),
        (".c.js", "hidden"),
        ("node_modules", "dependencies are only checked by name"),
        ("tests", "tests"),
        ("sub/__mocks__", "tests"),
        ("g.spec.ts", "test file"),
    ] {
        assert_eq!(reason(&report, path).as_deref(), Some(why), "{path}");
    }
}

// INS-211
#[test]
fn declared_entries_are_scanned_wherever_they_are() {
    let dir = tree(&[("tests/a.test.js", BAD), (".dist/b.js", BAD), ("node_modules/c/c.js", BAD)]);
    for mode in [Mode::Package, Mode::Bundle] {
        let report = run(dir.path(), &["tests/a.test.js", "./.dist/b.js", "node_modules/c/c.js", "../outside.js", "/etc/x.js"], mode);
        assert_eq!(bad_files(dir.path(), &report), [".dist/b.js", "node_modules/c/c.js", "tests/a.test.js"]);
        assert_eq!(
            report.notes,
            [
                "plugin executable entry is in a hidden/node_modules path and will receive targeted scan coverage: ./.dist/b.js",
                "plugin executable entry is in a hidden/node_modules path and will receive targeted scan coverage: node_modules/c/c.js",
                "plugin executable entry escapes plugin directory and will not be scanned: ../outside.js",
                "plugin executable entry escapes plugin directory and will not be scanned: /etc/x.js",
            ]
        );
    }
}

// INS-206
#[test]
fn all_extensions_are_scanned_up_to_a_size_and_a_count() {
    let names = ["js", "ts", "mjs", "cjs", "mts", "cts", "jsx", "tsx"].map(|e| format!("f.{e}"));
    let mut files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), BAD)).collect();
    files.extend([("UPPER.JS", BAD), ("a.txt", BAD), ("a.jsonc", BAD)]);
    let dir = tree(&files);
    assert_eq!(run(dir.path(), &[], Mode::Bundle).critical, 9);

    let exact = format!("{BAD}{}", " ".repeat((1 << 20) - BAD.len()));
    let larger = format!("{exact} ; import './next.js'");
    let dir = tree(&[("exact.js", &exact), ("large.js", &larger), ("next.js", BAD)]);
    let report = run(dir.path(), &["exact.js", "large.js"], Mode::Package);
    assert_eq!(bad_files(dir.path(), &report), ["exact.js", "next.js"], "a large file's imports are followed");
    assert_eq!(reason(&report, "large.js").as_deref(), Some("larger than 1048576 bytes"));

    let names: Vec<String> = (0..505).map(|n| format!("f{n:03}.js")).collect();
    let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "1")).collect();
    let dir = tree(&files);
    let report = run(dir.path(), &[], Mode::Bundle);
    assert_eq!(report.scanned_files, 500);
    assert_eq!(report.not_scanned.len(), 5);
    assert_eq!(reason(&report, "f500.js").as_deref(), Some("beyond the first 500 files"));
}

// INS-207
#[test]
fn an_import_graph_ends_at_a_thousand_files() {
    let all: String = (0..1005).map(|n| format!("import './f{n}.js';")).collect();
    let dir = tree(&[("index.js", &all)]);
    for n in 0..1005 {
        fs_err::write(dir.path().join(format!("f{n}.js")), if n < 990 { "12345678901" } else { "1" }).unwrap();
    }
    // Files that are too large to scan count too.
    let limits = ScanLimits { file_bytes: 10, ..ScanLimits::default() };
    let entries = [PathBuf::from("index.js")];
    let report = scan(&ScanTarget { root: dir.path(), entries: &entries, mode: Mode::Package }, &limits).unwrap();
    assert_eq!(report.scanned_files, 9);
    assert_eq!(reason(&report, "f999.js").as_deref(), Some("beyond the first 1000 files of the import graph"));
}

#[test]
fn what_was_not_looked_at_is_listed() {
    let dir = tree(&[
        ("index.js", "const m = require(name);\nimport(other);"),
        ("broken.js", "let = ="),
        ("install.sh", "rm -rf ~"),
        ("helper.py", ""),
        ("addon.node", ""),
        ("x.wasm", ""),
        ("bin/tool", "#!/bin/sh"),
        ("bin/notes", "text"),
        ("types.d.ts", "declare const a: 1"),
        ("README.md", ""),
        ("data.json", "{}"),
    ]);
    std::os::unix::fs::symlink("/etc/passwd", dir.path().join("link.js")).unwrap();
    let report = run(dir.path(), &["index.js", "broken.js", "link.js"], Mode::Package);
    let mut listed: Vec<_> = report.not_scanned.iter().map(|one| format!("{}: {}", one.path.display(), one.reason)).collect();
    listed.sort();
    listed.dedup();
    assert!(listed[2].starts_with("broken.js: only its text was searched: it does not parse (line 1"), "{listed:?}");
    listed.remove(2);
    assert_eq!(
        listed,
        [
            "addon.node: native code",
            "bin/tool: script with an interpreter line",
            "helper.py: script in another language",
            "index.js: loads modules by computed names (line 1, 2)",
            "install.sh: shell script",
            "link.js: a link",
            "link.js: a link leads out of the plugin",
            "x.wasm: WebAssembly",
        ]
    );
}

// INS-222, INS-239
#[test]
fn a_report_has_the_shapes_of_refusals_and_hooks() {
    let dir = tree(&[("index.js", "eval(x);\nfs.readFile(a); fetch(b);")]);
    let report = run(dir.path(), &["index.js"], Mode::Package);
    assert_eq!(report.critical_details(), format!("Dynamic code execution detected ({}:1)", dir.path().join("index.js").display()));
    let json = serde_json::to_value(BuiltinScan::from(&Ok(report))).unwrap();
    let keys: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["status", "scannedFiles", "critical", "warn", "info", "findings"]);
    assert_eq!((&json["status"], &json["scannedFiles"], &json["critical"], &json["warn"]), (&"ok".into(), &1.into(), &1.into(), &1.into()));
    let missing = scan(&ScanTarget { root: &dir.path().join("none"), entries: &[], mode: Mode::Package }, &ScanLimits::default());
    assert!(matches!(missing, Err(ScanError::Read { .. })));
    let json = serde_json::to_value(BuiltinScan::from(&missing)).unwrap();
    assert_eq!(json["status"], "error");
    assert!(json["error"].as_str().unwrap().contains("none"));
    assert!(Severity::Critical > Severity::Warn && Severity::Warn > Severity::Info);
}
