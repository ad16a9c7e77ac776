//! Patches against real files.

use super::*;
use proptest::prelude::*;

fn place(dir: &tempfile::TempDir) -> Place {
    Place { workspace: dir.path().to_owned(), home: dir.path().to_owned(), confined: true }
}

fn apply(dir: &tempfile::TempDir, body: &str) -> Result<Value, String> {
    run(&place(dir), &json!({"input": format!("*** Begin Patch\n{body}\n*** End Patch")}))
}

fn file(content: &str, body: &str) -> Result<String, String> {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("f"), content).unwrap();
    apply(&dir, &format!("*** Update File: f\n{body}"))?;
    Ok(std::fs::read_to_string(dir.path().join("f")).unwrap())
}

// TOOL-34, TOOL-35
#[test]
fn a_patch_adds_updates_moves_and_deletes() {
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in [("old.txt", "1\n2\n3\n"), ("gone.txt", "x"), ("from.txt", "a\nb\n")] {
        std::fs::write(dir.path().join(name), content).unwrap();
    }
    let body = "*** Add File: new/deep.txt\n+one\n+two\n*** Update File: old.txt\n@@\n 1\n-2\n+zwei\n 3\n*** Delete File: gone.txt\n\
                *** Update File: from.txt\n*** Move to: to.txt\n@@\n-b\n+B";
    let result = apply(&dir, body).unwrap();
    let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).ok();
    assert_eq!(read("new/deep.txt").as_deref(), Some("one\ntwo\n"));
    assert_eq!(read("old.txt").as_deref(), Some("1\nzwei\n3\n"));
    assert_eq!((read("gone.txt"), read("from.txt"), read("to.txt").as_deref()), (None, None, Some("a\nB\n")));
    let text = result["content"][0]["text"].as_str().unwrap();
    assert!(text.ends_with("A new/deep.txt\nM old.txt\nM to.txt\nD gone.txt"), "{text}");
    let summary = json!({"added": ["new/deep.txt"], "modified": ["old.txt", "to.txt"], "deleted": ["gone.txt"]});
    assert_eq!(result["details"]["summary"], summary);
}

// TOOL-34
#[test]
fn hunks_are_found_from_top_to_bottom() {
    for (content, body, want) in [
        ("a\nb\n", "-b\n+c", "a\nc\n"),
        ("a\nb", "@@\n-b\n+c", "a\nc\n"),
        ("x\n1\ny\n1\n", "@@ y\n-1\n+2", "x\n1\ny\n2\n"),
        ("1\n1\n", "@@\n-1\n+a\n@@\n-1\n+b", "a\nb\n"),
        ("1\n2\n1\n", "@@\n-1\n+z\n*** End of File", "1\n2\nz\n"),
        ("a\n", "@@\n+b", "a\nb\n"),
        ("f\ng\n", "@@ f\n+new", "f\nnew\ng\n"),
        ("a  \nb\n", "@@\n-a\n+c", "c\nb\n"),
        ("  a\nb\n", "@@\n-a\n+c", "c\nb\n"),
        ("say \u{201c}hi\u{201d} \u{2013} ok\n", "@@\n-say \"hi\" - ok\n+x", "x\n"),
        ("a\r\nb\r\n", "@@\n-b\n+c", "a\r\nc\r\n"),
        ("a\nb\n", "@@\n-b\n+c\n\n", "a\nc\n"),
    ] {
        assert_eq!(file(content, body).as_deref(), Ok(want), "{content:?} {body:?}");
    }
}

#[test]
fn a_patch_names_its_files() {
    let input = "*** Begin Patch\n*** Delete File: a\n*** Update File: b\n*** Move to: c\n@@\n-x\n+y\n*** Add File: a\n+z\n*** End Patch";
    assert_eq!(paths(&json!({ "input": input })), Some(vec!["a".into(), "b".into(), "c".into()]));
    assert_eq!(paths(&json!({"input": "nonsense"})), None);
}

#[test]
fn a_patch_that_does_not_fit_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("f"), "a\n").unwrap();
    std::os::unix::fs::symlink("/etc", dir.path().join("etc")).unwrap();
    for (body, part) in [
        ("*** Add File: made\n+x\n*** Update File: f\n@@\n-nope\n+y", "do not occur"),
        ("*** Update File: f\n@@ nope\n-a\n+b", "`nope`"),
        ("*** Update File: f", "no hunk"),
        ("*** Update File: missing\n@@\n-a\n+b", "missing"),
        ("*** Delete File: .", "directory"),
        ("*** Add File: ../out\n+x", "outside"),
        ("*** Add File: /tmp/out\n+x", "outside"),
        ("*** Add File: etc/out\n+x", "outside"),
        ("*** Delete File: etc/passwd", "outside"),
        ("*** Update File: f\n*** Move to: ../out\n@@\n-a\n+b", "outside"),
        ("*** Add File: ", "no file"),
        ("*** Nonsense", "is none of"),
        ("*** Update File: f\n@@", "no lines"),
        ("*** Delete File: f\n*** Update File: f\n@@\n-a\n+b", "earlier step"),
        ("", "no file"),
    ] {
        let error = apply(&dir, body).unwrap_err();
        assert!(error.contains(part), "{body}: {error}");
    }
    assert_eq!(std::fs::read_to_string(dir.path().join("f")).unwrap(), "a\n");
    assert!(!dir.path().join("made").exists());
    assert!(run(&place(&dir), &json!({"input": "diff"})).unwrap_err().contains("Begin Patch"));
    assert!(run(&place(&dir), &json!({})).unwrap_err().contains("`input`"));
}

proptest! {
    #[test]
    fn no_patch_breaks_the_reader(body in "[-+@* a-c\n]{0,60}") {
        let _ = parse::parse(&format!("*** Begin Patch\n{body}\n*** End Patch"));
    }

    #[test]
    fn a_replaced_line_is_the_only_change(lines in prop::collection::vec("[a-z]{1,6}", 1..8), at in 0..8_usize) {
        let at = at % lines.len();
        let content = format!("{}\n", lines.join("\n"));
        let before: String = lines[..at].iter().map(|l| format!(" {l}\n")).collect();
        let body = format!("@@\n{before}-{}\n+NEW", lines[at]);
        let mut want = lines.clone();
        want[at] = "NEW".into();
        prop_assert_eq!(file(&content, &body).unwrap(), format!("{}\n", want.join("\n")));
    }
}
