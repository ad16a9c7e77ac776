//! `edit`: exact replacements, all looked up in the original (TOOL-33).

use serde_json::{Value, json};

use super::{LARGEST_WRITE, path_of, plain_file, put};
use crate::params::Args;
use crate::place::Place;
use chela_agent::tools::text_result;

/// Most replacements in one call.
const MOST_EDITS: usize = 500;
/// Unchanged lines around a change in the shown difference.
const CONTEXT: usize = 4;

struct Replacement {
    old: String,
    new: String,
}

pub(super) fn edit(place: &Place, params: &Value) -> Result<Value, String> {
    let args = Args::new(params);
    let path = place.resolve(path_of(&args)?)?;
    let edits = replacements(&args)?;
    plain_file(&path, LARGEST_WRITE as u64)?;
    let raw = fs_err::read_to_string(&path).map_err(|e| e.to_string())?;
    let shown = place.show(&path);
    let (mark, body) = raw.strip_prefix('\u{feff}').map_or(("", raw.as_str()), |body| ("\u{feff}", body));
    let windows = body.find('\n').is_some_and(|at| body[..at].ends_with('\r'));
    let original = if windows { body.replace("\r\n", "\n") } else { body.to_owned() };
    let (changed, places) = apply(&original, &edits, &shown)?;
    let out = if windows { changed.replace('\n', "\r\n") } else { changed.clone() };
    put(&path, format!("{mark}{out}").as_bytes())?;
    let first = places.first().map(|at| original[..*at].matches('\n').count() + 1);
    let mut result = text_result(format!("Replaced {} block(s) in {shown}", edits.len()));
    result["details"] = json!({"diff": difference(&original, &changed), "firstChangedLine": first});
    Ok(result)
}

/// `edits`, also as a JSON text, and the older form with one replacement beside the path.
fn replacements(args: &Args<'_>) -> Result<Vec<Replacement>, String> {
    let parsed;
    let list: &[Value] = match args.value("edits") {
        None => &[],
        Some(Value::Array(list)) => list,
        Some(Value::String(text)) => {
            parsed = serde_json::from_str::<Vec<Value>>(text).map_err(|_| "`edits` must be a list")?;
            &parsed
        }
        Some(_) => return Err("`edits` must be a list".into()),
    };
    let one = |row: &Args<'_>, at: usize| -> Result<Replacement, String> {
        let text = |name: &str| row.raw_text(name)?.ok_or_else(|| format!("`edits[{at}].{name}` is required"));
        let (old, new) = (text("oldText")?.replace("\r\n", "\n"), text("newText")?.replace("\r\n", "\n"));
        if old.is_empty() {
            return Err(format!("`edits[{at}].oldText` must not be empty"));
        }
        Ok(Replacement { old, new })
    };
    let mut out = Vec::new();
    for (at, row) in list.iter().enumerate() {
        out.push(one(&Args::new(row), at)?);
    }
    if args.value("oldText").is_some() && args.value("newText").is_some() {
        out.push(one(args, out.len())?);
    }
    match out.len() {
        0 => Err("`edits` must hold at least one replacement".into()),
        count if count > MOST_EDITS => Err(format!("`edits` holds {count} replacements; at most {MOST_EDITS} are taken")),
        _ => Ok(out),
    }
}

/// The changed text, and where changes were made in the original, in order.
fn apply(original: &str, edits: &[Replacement], shown: &str) -> Result<(String, Vec<usize>), String> {
    let mut found: Vec<(usize, usize, usize)> = Vec::with_capacity(edits.len());
    for (at, edit) in edits.iter().enumerate() {
        let begin = original.find(&edit.old).ok_or_else(|| {
            format!("`edits[{at}].oldText` does not occur in {shown}; it must be exactly as in the file, white space included")
        })?;
        // Overlapping occurrences count as well: which of them is meant cannot be told.
        let step = original[begin..].chars().next().map_or(1, char::len_utf8);
        if original[begin + step..].contains(&edit.old) {
            return Err(format!("`edits[{at}].oldText` occurs more than once in {shown}; give more of what is around it"));
        }
        found.push((begin, begin + edit.old.len(), at));
    }
    found.sort_unstable();
    for pair in found.windows(2) {
        if pair[0].1 > pair[1].0 {
            return Err(format!("`edits[{}]` and `edits[{}]` overlap in {shown}; make one of them", pair[0].2, pair[1].2));
        }
    }
    let (mut out, mut last) = (String::with_capacity(original.len()), 0);
    for (begin, end, at) in &found {
        out.push_str(&original[last..*begin]);
        out.push_str(&edits[*at].new);
        last = *end;
    }
    out.push_str(&original[last..]);
    if out == original {
        return Err(format!("the replacements change nothing in {shown}"));
    }
    Ok((out, found.into_iter().map(|(begin, _, _)| begin).collect()))
}

/// What changed, from the first changed line to the last, with a few lines around it.
fn difference(before: &str, after: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.split('\n').collect(), after.split('\n').collect());
    let same = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let left = (old.len().min(new.len())) - same;
    let same_end = old.iter().rev().zip(new.iter().rev()).take(left).take_while(|(a, b)| a == b).count();
    let mut out = Vec::new();
    let mut put = |sign: char, number: usize, line: &str| out.push(format!("{sign}{number} {line}"));
    for (at, line) in old.iter().enumerate().take(same).skip(same.saturating_sub(CONTEXT)) {
        put(' ', at + 1, line);
    }
    for (at, line) in old.iter().enumerate().take(old.len() - same_end).skip(same) {
        put('-', at + 1, line);
    }
    for (at, line) in new.iter().enumerate().take(new.len() - same_end).skip(same) {
        put('+', at + 1, line);
    }
    for (at, line) in new.iter().enumerate().skip(new.len() - same_end).take(CONTEXT) {
        put(' ', at + 1, line);
    }
    out.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run(content: &str, params: Value) -> Result<(String, Value), String> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("f");
        std::fs::write(&file, content).unwrap();
        let place = Place { workspace: dir.path().to_owned(), home: dir.path().to_owned(), confined: true };
        let mut params = params;
        params["path"] = "f".into();
        let result = edit(&place, &params)?;
        Ok((std::fs::read_to_string(&file).unwrap(), result))
    }

    // TOOL-33
    #[test]
    fn replacements_are_looked_up_in_the_original() {
        let swap = json!({"edits": [{"oldText": "a", "newText": "b"}, {"oldText": "b", "newText": "a"}]});
        assert_eq!(run("a b", swap.clone()).unwrap().0, "b a");
        let text = json!({"edits": swap["edits"].to_string()});
        assert_eq!(run("a b", text).unwrap().0, "b a");
        assert_eq!(run("one two", json!({"oldText": "two", "newText": "2"})).unwrap().0, "one 2");
        assert_eq!(run("one two", json!({"old_text": "two", "new_text": ""})).unwrap().0, "one ");
        let (text, result) = run("\u{feff}1\r\n2\r\n3\r\n", json!({"edits": [{"oldText": "2\n3", "newText": "x"}]})).unwrap();
        assert_eq!(text, "\u{feff}1\r\nx\r\n");
        assert_eq!(result["details"], json!({"diff": " 1 1\n-2 2\n-3 3\n+2 x\n 3 ", "firstChangedLine": 2}));
    }

    // TOOL-33
    #[test]
    fn what_is_not_one_place_is_refused() {
        for (content, edits, part) in [
            ("a a", json!([{"oldText": "a", "newText": "b"}]), "more than once"),
            ("aaa", json!([{"oldText": "aa", "newText": "b"}]), "more than once"),
            ("abc", json!([{"oldText": "ab", "newText": "x"}, {"oldText": "bc", "newText": "y"}]), "overlap"),
            ("abc", json!([{"oldText": "x", "newText": "y"}]), "does not occur"),
            ("abc", json!([{"oldText": "a", "newText": "a"}]), "nothing"),
            ("abc", json!([{"oldText": "", "newText": "a"}]), "empty"),
            ("abc", json!([{"oldText": "a"}]), "newText"),
            ("abc", json!([]), "at least one"),
            ("abc", json!("x"), "list"),
        ] {
            let error = run(content, json!({"edits": edits})).unwrap_err();
            assert!(error.contains(part), "{content}: {error}");
        }
    }

    proptest! {
        #[test]
        fn the_rest_of_a_file_stays(before in "[a-z\n]{0,20}", old in "[A-Z\n]{1,8}", new in "[a-zA-Z\n]{0,8}", after in "[a-z\n]{0,20}") {
            prop_assume!(old != new);
            let content = format!("{before}{old}{after}");
            if let Ok((text, _)) = run(&content, json!({"edits": [{"oldText": old, "newText": new}]})) {
                prop_assert_eq!(text, format!("{before}{new}{after}"));
            }
        }
    }
}
