//! Which file a relative import means.

use std::path::{Component, Path, PathBuf};

use crate::patterns::PATTERNS;

/// Extensions that are scanned (INS-206).
pub(crate) const EXTENSIONS: [&str; 8] = ["js", "mjs", "cjs", "ts", "mts", "cts", "jsx", "tsx"];
/// Largest `package.json` whose `main` is read, in bytes.
const MANIFEST_BYTES: u64 = 1 << 20;

/// Whether a file is scanned, by its name.
pub(crate) fn is_scannable(path: &Path) -> bool {
    let extension = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
    extension.is_some_and(|extension| EXTENSIONS.contains(&extension.as_str()))
}

/// Relative specifiers in text that was not parsed.
pub(crate) fn textual_imports(source: &str) -> Vec<String> {
    let Ok(patterns) = &*PATTERNS else { return Vec::new() };
    let all = patterns.import.captures_iter(source);
    all.filter_map(|found| found.get(1).or_else(|| found.get(2))).map(|found| found.as_str().into()).collect()
}

/// `base` and the relative `specifier`, without `.` and `..`; none when it leaves the file system's root.
pub(crate) fn join(base: &Path, specifier: &str) -> Option<PathBuf> {
    let specifier = specifier.split(['?', '#']).next().unwrap_or_default();
    let mut out = base.to_path_buf();
    for part in Path::new(specifier).components() {
        match part {
            Component::ParentDir => {
                if !out.pop() {
                    return None;
                }
            }
            Component::Normal(name) => out.push(name),
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(out)
}

/// The file that a path means to the reference: itself, with an extension, or an index file of it.
pub(crate) fn resolve_plainly(path: &Path) -> Option<PathBuf> {
    let mut candidates = vec![path.to_path_buf()];
    if path.extension().is_none() {
        candidates.extend(EXTENSIONS.iter().map(|extension| PathBuf::from(format!("{}.{extension}", path.display()))));
        candidates.extend(EXTENSIONS.iter().map(|extension| path.join(format!("index.{extension}"))));
    }
    candidates.into_iter().find(|candidate| is_scannable(candidate) && candidate.is_file())
}

/// The file that a path means: itself, with an extension, the TypeScript source of a named output, or a directory's main file.
pub(crate) fn resolve(path: &Path) -> Option<PathBuf> {
    if path.is_file() {
        return is_scannable(path).then(|| path.into());
    }
    let added = |path: &Path, extension: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(".");
        name.push(extension);
        PathBuf::from(name)
    };
    let with_extension = EXTENSIONS.iter().map(|extension| added(path, extension));
    if let Some(found) = with_extension.into_iter().find(|candidate| candidate.is_file()) {
        return Some(found);
    }
    let sources: &[&str] = match path.extension().and_then(|e| e.to_str()) {
        Some("js") => &["ts", "tsx", "jsx"],
        Some("mjs") => &["mts"],
        Some("cjs") => &["cts"],
        Some("jsx") => &["tsx"],
        _ => &[],
    };
    if let Some(found) = sources.iter().map(|extension| path.with_extension(extension)).find(|candidate| candidate.is_file()) {
        return Some(found);
    }
    if !path.is_dir() {
        return None;
    }
    let index = |dir: &Path| EXTENSIONS.iter().map(|e| dir.join(format!("index.{e}"))).find(|candidate| candidate.is_file());
    main_of(path).and_then(|main| if main.is_dir() { index(&main) } else { resolve_file(&main) }).or_else(|| index(path))
}

fn resolve_file(path: &Path) -> Option<PathBuf> {
    let js = PathBuf::from(format!("{}.js", path.display()));
    [path.to_path_buf(), js].into_iter().find(|candidate| candidate.is_file() && is_scannable(candidate))
}

fn main_of(dir: &Path) -> Option<PathBuf> {
    let manifest = dir.join("package.json");
    if manifest.metadata().ok()?.len() > MANIFEST_BYTES {
        return None;
    }
    let manifest: serde_json::Value = serde_json::from_slice(&fs_err::read(manifest).ok()?).ok()?;
    join(dir, manifest.get("main")?.as_str()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_in_unparsed_text_are_found() {
        let source =
            r#"import a from "./a.js";import"./b";export*from'./c';const d=require( "./d" ), e = import('../e.js'), f = require("f");"#;
        assert_eq!(textual_imports(source), ["./a.js", "./b", "./c", "./d", "../e.js"]);
    }

    #[test]
    fn paths_mean_files_as_loaders_have_it() {
        let dir = tempfile::tempdir().unwrap();
        for file in ["a.js", "b.ts", "c/index.mjs", "d/package.json", "d/lib/main.cjs", "e.json", "f.test.js"] {
            fs_err::create_dir_all(dir.path().join(file).parent().unwrap()).unwrap();
            fs_err::write(dir.path().join(file), r#"{"main":"./lib/main.cjs"}"#).unwrap();
        }
        let table = [
            ("./a", Some("a.js")),
            ("./a.js", Some("a.js")),
            ("./a.js?x=1", Some("a.js")),
            ("./b", Some("b.ts")),
            ("./b.js", Some("b.ts")),
            ("./c", Some("c/index.mjs")),
            ("./d", Some("d/lib/main.cjs")),
            ("./e.json", None),
            ("./f.test", Some("f.test.js")),
            ("./none", None),
            ("./c/../a.js", Some("a.js")),
        ];
        for (specifier, expected) in table {
            let found = resolve(&join(dir.path(), specifier).unwrap());
            assert_eq!(found, expected.map(|name| dir.path().join(name)), "{specifier}");
        }
    }
}
