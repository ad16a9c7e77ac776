//! The file's rules, table-driven.

use std::path::PathBuf;

use proptest::prelude::*;

use super::*;

fn file(value: Value) -> ExecFile {
    ExecFile::from_value(value).unwrap()
}

fn covered(list: Value, command: &str) -> bool {
    let file = file(json!({"version": 1, "agents": {"main": {"allowlist": list}}}));
    let analysis = Analysis::of(command);
    let programs: Vec<Option<PathBuf>> = analysis
        .parts()
        .iter()
        .map(|part| match part.argv[0].as_str() {
            name @ ("rg" | "git" | "python3" | "rm") => Some(PathBuf::from(format!("/usr/bin/{name}"))),
            name if name.starts_with('/') => Some(PathBuf::from(name)),
            _ => None,
        })
        .collect();
    let (bins, _) = SafeBins::new(&json!({"safeBins": []}), &Value::Null);
    file.covers("main", &analysis, &bins, Path::new("/home/u"), &programs)
}

#[test]
fn allowlists_cover_programs_and_arguments() {
    let safe = json!([{"pattern": "python3", "argPattern": "^safe\\.py$"}]);
    let cases = [
        (json!(["rg"]), "rg -n x", true),
        (json!(["rg"]), "/usr/bin/rg -n x", false),
        (json!(["/usr/bin/rg"]), "rg x", true),
        (json!(["/usr/bin/*"]), "rg x", true),
        (json!(["/usr/*"]), "rg x", false),
        (json!(["/usr/**"]), "rg x", true),
        (json!(["/usr/**/rg"]), "rg x", true),
        (json!(["~/bin/*"]), "/home/u/bin/tool x", true),
        (json!(["~/bin/*"]), "/home/other/bin/tool x", false),
        (json!(["rg"]), "rg x | rm y", false),
        (json!(["rg", "rm"]), "rg x | rm y", true),
        (json!(["rg"]), "rg x > y", false),
        (json!(["rg"]), "rg $(rm y)", false),
        (json!(["rg"]), "unknown", false),
        (json!(["*"]), "rg", true),
        (safe.clone(), "python3 safe.py", true),
        (safe.clone(), "python3 other.py", false),
        (safe.clone(), "python3 safe.py extra", false),
        (safe, "python3 $X", false),
        (json!([{"pattern": "git", "argPattern": "^status\\x00$"}]), "git status", true),
        (json!([{"pattern": "git", "argPattern": "^a\\x00b$"}]), "git 'a b'", false),
        (json!([{"pattern": "git", "argPattern": "("}]), "git", false),
        (json!(["=command:1234"]), "=command:1234", false),
        (json!([]), "rg", false),
    ];
    for (list, command, want) in cases {
        assert_eq!(covered(list.clone(), command), want, "{list} {command}");
    }
}

#[test]
fn each_command_is_remembered_exactly() {
    let mut file = ExecFile::default();
    file.remember("main", "rm a", 5);
    assert!(file.remembers("main", " rm a "));
    assert!(!file.remembers("main", "rm b") && !file.remembers("other", "rm a"));
    file.remember("main", "rm a", 6);
    let list = file.value()["agents"]["main"]["allowlist"].as_array().unwrap();
    assert_eq!(list.len(), 1);
    assert_eq!((&list[0]["source"], &list[0]["lastUsedCommand"]), (&json!("allow-always"), &json!("rm a")));
    // A pattern that a person wrote is no such memory.
    let pattern = durable_pattern("rm b");
    file.add_pattern("main", &pattern, 1);
    assert!(!file.remembers("main", "rm b"));
}

#[test]
fn policies_come_from_the_agent_then_everyone_then_the_defaults() {
    let file = file(json!({"version": 1,
        "defaults": {"security": "deny", "ask": "always", "askFallback": "full"},
        "agents": {"*": {"security": "full"}, "main": {"ask": "off"}, "odd": {"security": "everything", "ask": 5}}}));
    let main = file.policy("main");
    assert_eq!((main.security, main.ask, main.fallback), (Some(Security::Full), Some(AskWhen::Off), Some(Security::Full)));
    let other = file.policy("other");
    assert_eq!((other.security, other.ask), (Some(Security::Full), Some(AskWhen::Always)));
    let odd = file.policy("odd");
    assert_eq!((odd.security, odd.ask), (Some(Security::Deny), Some(AskWhen::Always)), "what cannot be read is strict");
    let silent = ExecFile::default().policy("main").with_config(Security::Full, AskWhen::Off);
    assert_eq!(silent, ExecPolicy { security: Security::Full, ask: AskWhen::Off, fallback: Security::Deny });
}

#[test]
fn files_are_read_as_the_reference_writes_them() {
    let text = r#"{"version":1,"socket":{"path":"~/s","token":"SECRET"},"defaults":{"security":" full "},"other":{"kept":true},
        "agents":{"default":{"ask":"always","allowlist":["a","b"]},"main":{"ask":"off","allowlist":[{"pattern":"a","id":"1"},5,{"x":1},
        {"pattern":"c","commandText":"c d"}]}}}"#;
    let mut file = ExecFile::parse(text).unwrap();
    let main = &file.value()["agents"]["main"];
    let patterns: Vec<&str> = main["allowlist"].as_array().unwrap().iter().filter_map(|e| e["pattern"].as_str()).collect();
    assert_eq!((patterns, &main["ask"]), (vec!["a", "c", "b"], &json!("off")));
    assert!(main["allowlist"].as_array().unwrap().iter().all(|e| e["id"].is_string() && e["commandText"].is_null()));
    assert_eq!((&file.value()["defaults"]["security"], &file.value()["other"]["kept"]), (&json!("full"), &json!(true)));
    assert!(!file.public().to_string().contains("SECRET"));
    let mut given = ExecFile::from_value(file.public()).unwrap();
    given.keep_socket_of(&file);
    assert_eq!(given.value()["socket"]["token"], "SECRET");
    assert_eq!(ExecFile::parse(&file.to_text()).unwrap(), file);
    assert!(file.remove_pattern("main", "c") && !file.remove_pattern("main", "c"));
    for bad in ["", "[]", "{}", r#"{"version":2}"#, r#"{"version":"1"}"#] {
        assert!(ExecFile::parse(bad).is_err(), "{bad}");
    }
    assert_eq!(digest(None), digest(Some("")));
}

proptest! {
    #[test]
    fn no_content_breaks_the_rules(pattern in ".{0,12}", arg in ".{0,12}", command in ".{0,20}") {
        let value = json!({"version": 1, "agents": {"main": {"allowlist": [{"pattern": pattern, "argPattern": arg}, pattern]}}});
        let mut file = ExecFile::from_value(value).unwrap();
        let analysis = Analysis::of(&command);
        let programs = vec![Some(PathBuf::from("/usr/bin/x")); analysis.parts().len()];
        let (bins, _) = SafeBins::new(&Value::Null, &Value::Null);
        let covers = file.covers("main", &analysis, &bins, Path::new("/h"), &programs);
        prop_assert!(analysis.is_plain() || !covers);
        file.note_use("main", &analysis, Path::new("/h"), &programs, &command, 1);
        prop_assert_eq!(ExecFile::parse(&file.to_text()).unwrap(), file);
    }
}
