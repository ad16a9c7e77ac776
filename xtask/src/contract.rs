//! Which contract lines no test cites.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use regex::Regex;

use crate::source::{self, Source};

/// Prints coverage per list and in total. It informs and never fails: open lines are work, not errors.
pub fn run(root: &Path, lists: Option<PathBuf>, print_open: bool) -> Result<bool> {
    let Some(dir) = lists.filter(|d| d.is_dir()) else {
        println!("contract: no lists here (give their directory, or set CHELA_CONTRACT_DIR); nothing to compare");
        return Ok(true);
    };
    let lists = read_lists(&dir)?;
    let known: BTreeSet<&str> = lists.values().flatten().map(String::as_str).collect();
    let cited = cited_ids(root)?;
    let (mut total, mut open_total) = (0, 0);
    for (file, ids) in &lists {
        let open: Vec<&str> = ids.iter().map(String::as_str).filter(|id| !cited.contains(*id)).collect();
        println!("{:<28} {:>4} lines, {:>4} cited, {:>4} open", file, ids.len(), ids.len() - open.len(), open.len());
        if print_open && !open.is_empty() {
            println!("  {}", open.join(" "));
        }
        total += ids.len();
        open_total += open.len();
    }
    println!("{:<28} {:>4} lines, {:>4} cited, {:>4} open", "total", total, total - open_total, open_total);
    let unknown: Vec<&str> = cited.iter().map(String::as_str).filter(|id| is_listed_family(id, &known) && !known.contains(id)).collect();
    if !unknown.is_empty() {
        println!("cited but in no list: {}", unknown.join(" "));
    }
    Ok(true)
}

fn is_listed_family(id: &str, known: &BTreeSet<&str>) -> bool {
    let family = id.split('-').next().unwrap_or_default();
    known.iter().any(|k| k.split('-').next() == Some(family))
}

fn read_lists(dir: &Path) -> Result<BTreeMap<String, BTreeSet<String>>> {
    let at_start = Regex::new(r"(?m)^\s*(?:[-*]\s+|\|\s*)\**([A-Z]{2,5}-F?\d+)\b")?;
    let mut lists = BTreeMap::new();
    for entry in std::fs::read_dir(dir).with_context(|| format!("could not read `{}`", dir.display()))? {
        let path = entry?.path();
        if path.extension().is_none_or(|e| e != "md") {
            continue;
        }
        let text = std::fs::read_to_string(&path).with_context(|| format!("could not read `{}`", path.display()))?;
        let ids: BTreeSet<String> = at_start.captures_iter(&text).map(|c| c[1].to_string()).collect();
        if !ids.is_empty() {
            lists.insert(path.file_name().unwrap_or_default().to_string_lossy().into_owned(), ids);
        }
    }
    Ok(lists)
}

/// Ids cited in test code: Rust test modules and files, and the tests of the SDK.
fn cited_ids(root: &Path) -> Result<BTreeSet<String>> {
    let mut cited = BTreeSet::new();
    for source in source::read(root, &["crates", "plugins", "sdk", "xtask", "tests"], &["rs", "js", "mjs"])? {
        collect(test_part(&source), &mut cited)?;
    }
    Ok(cited)
}

fn test_part(source: &Source) -> &str {
    if source.is_test_file() {
        return &source.text;
    }
    source.text.split_once("#[cfg(test)]").map(|(_, tests)| tests).unwrap_or_default()
}

/// Understands `HOOK-012`, `HOOK-088..092`, `GW-12..GW-50` and `HOOK-027/028`.
fn collect(text: &str, into: &mut BTreeSet<String>) -> Result<()> {
    let pattern = Regex::new(r"\b([A-Z]{2,5})-(F?)(\d+)(?:(\.\.|/)(?:[A-Z]{2,5}-)?(\d+))?")?;
    for found in pattern.captures_iter(text) {
        let (family, mark, first) = (&found[1], &found[2], &found[3]);
        let width = first.len();
        let start: u32 = first.parse()?;
        let last = found.get(5).map(|m| m.as_str().parse::<u32>()).transpose()?.unwrap_or(start);
        let ids: Vec<u32> = match found.get(4).map(|m| m.as_str()) {
            Some("..") if last >= start && last - start < 300 => (start..=last).collect(),
            Some("/") => vec![start, last],
            _ => vec![start],
        };
        into.extend(ids.into_iter().map(|n| format!("{family}-{mark}{n:0width$}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_and_pairs_are_expanded() {
        let mut ids = BTreeSet::new();
        collect("// AB-088..090, CD-1..CD-3, AB-010/012, EF-F2", &mut ids).unwrap();
        let want = ["AB-010", "AB-012", "AB-088", "AB-089", "AB-090", "CD-1", "CD-2", "CD-3", "EF-F2"];
        assert_eq!(ids.iter().map(String::as_str).collect::<Vec<_>>(), want);
    }

    #[test]
    fn absent_lists_pass() {
        assert!(run(Path::new("."), Some(PathBuf::from("/nowhere/at/all")), false).unwrap());
    }
}
