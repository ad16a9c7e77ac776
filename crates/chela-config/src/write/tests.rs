use std::os::unix::fs::PermissionsExt;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::dotted::{get_path, parse_path};
use crate::load::load;

struct Home(tempfile::TempDir);

const SAMPLE: &str = "// mine\n{\n  gateway: { mode: 'local', port: 1 }, // keep\n  ui: { assistant: { name: 'Al' } },\n}\n";

impl Home {
    fn new(config: &str) -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        fs_err::create_dir_all(home.paths().state_dir).unwrap();
        fs_err::write(home.paths().config_path, config).unwrap();
        home
    }

    fn env(&self) -> Env {
        [("HOME", self.0.path().to_str().unwrap()), ("NAME", "Zed")].into_iter().collect()
    }

    fn paths(&self) -> StatePaths {
        StatePaths::from_env(&self.env()).unwrap()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.paths().state_dir.join(name)
    }

    fn text(&self) -> String {
        fs_err::read_to_string(self.paths().config_path).unwrap()
    }

    fn write(&self, edits: &[Edit]) -> Result<WriteOutcome, ConfigError> {
        write(&self.paths(), &self.env(), edits, &WriteOptions::default())
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> =
            fs_err::read_dir(self.paths().state_dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn set(path: &str, value: Value) -> Edit {
    Edit::Set { path: parse_path(path).unwrap(), value, mode: SetMode::Guarded }
}

fn unset(path: &str) -> Edit {
    Edit::Unset { path: parse_path(path).unwrap() }
}

// GW-138
#[test]
fn a_write_keeps_comments_and_a_backup_and_leaves_a_trace() {
    let home = Home::new(SAMPLE);
    let done = home.write(&[set("gateway.port", json!(19000)), set("gateway.bind", json!("loopback"))]).unwrap();
    assert!(done.changed && !done.comments_lost);
    let text = home.text();
    assert!(text.starts_with("// mine\n{\n  gateway: { mode: 'local', port: 19000, bind: \"loopback\" }, // keep\n  ui: { assistant: { name: 'Al' } },\n  meta: {"), "{text}");
    assert_eq!(done.hash, hash_text(&text));
    assert_eq!(fs_err::read_to_string(home.file("openclaw.json.bak")).unwrap(), SAMPLE);
    for name in ["openclaw.json", "openclaw.json.bak", "logs/config-audit.jsonl"] {
        assert_eq!(fs_err::metadata(home.file(name)).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
    }
    let config = load(&home.paths(), &home.env()).unwrap();
    assert_eq!(config.source["meta"]["lastTouchedVersion"], env!("CARGO_PKG_VERSION"));
    let audit: Value = serde_json::from_str(fs_err::read_to_string(home.file("logs/config-audit.jsonl")).unwrap().trim()).unwrap();
    assert_eq!(
        (audit["event"].as_str(), audit["result"].as_str(), audit["nextHash"].as_str()),
        (Some("config.write"), Some("rename"), Some(done.hash.as_str()))
    );
    assert_eq!(home.names(), ["logs", "openclaw.json", "openclaw.json.bak"], "neither a temporary file nor the lock stays");
    assert!(!home.write(&[set("gateway.port", json!(19000))]).unwrap().changed, "nothing to do, nothing written");
}

// GW-138
#[test]
fn five_earlier_versions_are_kept() {
    let home = Home::new(SAMPLE);
    for port in 2..9 {
        home.write(&[set("gateway.port", json!(port))]).unwrap();
    }
    let port =
        |name: &str| crate::json5::parse_value(&fs_err::read_to_string(home.file(name)).unwrap()).unwrap()["gateway"]["port"].clone();
    let kept: Vec<Value> =
        ["openclaw.json", "openclaw.json.bak", "openclaw.json.bak.1", "openclaw.json.bak.2", "openclaw.json.bak.3", "openclaw.json.bak.4"]
            .map(port)
            .to_vec();
    assert_eq!(kept, [8, 7, 6, 5, 4, 3].map(Value::from));
    assert!(!home.file("openclaw.json.bak.5").exists());
}

// GW-138
#[test]
fn losses_are_refused_and_put_aside() {
    let long = format!("{{gateway: {{mode: 'local'}}, agents: {{defaults: {{systemPromptOverride: '{}'}}}}}}", "x".repeat(900));
    let home = Home::new(&long);
    let cases = [
        (unset("gateway.mode"), "gateway-mode-removed"),
        (unset("agents"), "size-drop:"),
        (Edit::Replace(json!({})), "gateway-mode-removed"),
    ];
    for (edit, reason) in cases {
        let Err(ConfigError::Rejected { reasons, saved_to, .. }) = home.write(&[edit]) else { panic!() };
        assert!(reasons.iter().any(|r| r.starts_with(reason)), "{reasons:?}");
        assert!(saved_to.file_name().unwrap().to_str().unwrap().starts_with("openclaw.json.rejected."));
        assert!(saved_to.exists());
        assert_eq!(home.text(), long);
    }
    let audit = fs_err::read_to_string(home.file("logs/config-audit.jsonl")).unwrap();
    assert_eq!(audit.matches("\"result\":\"rejected\"").count(), 3);
    let allowed = WriteOptions { allow_size_drop: true, ..WriteOptions::default() };
    assert!(write(&home.paths(), &home.env(), &[unset("agents")], &allowed).unwrap().changed);
}

// GW-127, GW-134
#[test]
fn an_invalid_result_is_not_written_but_a_repair_is() {
    let home = Home::new(SAMPLE);
    assert!(matches!(home.write(&[set("gateway.prot", json!(1))]), Err(ConfigError::Invalid { .. })));
    assert_eq!(home.text(), SAMPLE);
    let home = Home::new("{gateway: {mode: 'local', prot: 1}}");
    home.write(&[unset("gateway.prot")]).unwrap();
    load(&home.paths(), &home.env()).unwrap();
    let home = Home::new("{gateway: ");
    assert!(matches!(home.write(&[set("gateway.port", json!(1))]), Err(ConfigError::Parse { .. })));
    assert!(home.write(&[Edit::Replace(json!({"gateway": {"mode": "local"}}))]).unwrap().comments_lost);
    assert_eq!(fs_err::read_to_string(home.file("openclaw.json.bak")).unwrap(), "{gateway: ");
}

// GW-139
#[test]
fn patch_and_replace_touch_only_differences() {
    let home = Home::new(
        "{ // c\n  gateway: {mode: 'local', port: 1}, ui: {assistant: {name: '${NAME}'}},\n  tools: {allow: ['a', /*x*/ 'b']} }\n",
    );
    home.write(&[Edit::Patch(json!({"gateway": {"port": null}, "logging": {"level": "debug"}}))]).unwrap();
    let config = load(&home.paths(), &home.env()).unwrap();
    assert_eq!((config.get("gateway.port"), config.get("logging.level")), (None, Some(&json!("debug"))));
    let mut whole = config.effective.clone();
    assert_eq!(whole["ui"]["assistant"]["name"], "Zed");
    whole["tools"]["allow"] = json!(["a", "c"]);
    home.write(&[Edit::Replace(whole)]).unwrap();
    let text = home.text();
    assert!(text.contains("'${NAME}'"), "a replaced variable stays a variable: {text}");
    assert!(text.contains("// c") && text.contains("/*x*/ \"c\""), "{text}");
}

// GW-139
#[test]
fn base_hash_guards_against_lost_updates() {
    let home = Home::new(SAMPLE);
    let stale = WriteOptions { base_hash: Some(hash_text("other")), ..WriteOptions::default() };
    assert!(matches!(write(&home.paths(), &home.env(), &[set("gateway.port", json!(5))], &stale), Err(ConfigError::Conflict { .. })));
    let fresh = WriteOptions { base_hash: Some(hash_text(SAMPLE)), ..WriteOptions::default() };
    assert!(write(&home.paths(), &home.env(), &[set("gateway.port", json!(5))], &fresh).is_ok());
}

#[test]
fn writers_at_the_same_time_lose_nothing() {
    let home = Home::new(SAMPLE);
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let home = &home;
            scope.spawn(move || {
                for n in 0..5 {
                    home.write(&[set(&format!("env.vars.W{writer}_{n}"), json!("x"))]).unwrap();
                }
            });
        }
    });
    let config = load(&home.paths(), &home.env()).unwrap();
    assert_eq!(config.source["env"]["vars"].as_object().unwrap().len(), 20);
    assert!(home.text().contains("// keep"));
}

// GW-140
#[test]
fn a_section_in_an_include_is_edited_there() {
    let home = Home::new(
        "{gateway: {mode: 'local'}, agents: {$include: 'agents.json5'}, tools: {$include: ['t.json5']}, ui: {$include: 'ui.json5', seamColor: 'ffffff'}}",
    );
    fs_err::write(home.file("agents.json5"), "{ /* a */ defaults: {$include: 'defaults.json5'} }").unwrap();
    fs_err::write(home.file("defaults.json5"), "{ maxConcurrent: 1 /* d */ }").unwrap();
    fs_err::write(home.file("t.json5"), "{}").unwrap();
    fs_err::write(home.file("ui.json5"), "{assistant: {name: 'x'}}").unwrap();
    let before = home.text();
    let done = home.write(&[set("agents.defaults.maxConcurrent", json!(7))]).unwrap();
    assert_eq!(done.files, [home.file("defaults.json5")]);
    assert_eq!(fs_err::read_to_string(home.file("defaults.json5")).unwrap(), "{ maxConcurrent: 7 /* d */ }");
    assert_eq!(home.text(), before);
    for path in ["tools.allow", "ui.assistant.name"] {
        assert!(matches!(home.write(&[set(path, json!(["x"]))]), Err(ConfigError::IncludeOwned { .. })), "{path}");
    }
    home.write(&[set("ui.seamColor", json!("000000"))]).unwrap();
    let home = Home::new("{$include: 'all.json5'}");
    fs_err::write(home.file("all.json5"), "{gateway: {mode: 'local'}}").unwrap();
    assert!(matches!(home.write(&[set("gateway.port", json!(1))]), Err(ConfigError::IncludeOwned { .. })));
}

// GW-140, INS-131
#[test]
fn a_whole_section_is_replaced_in_its_file_and_other_shapes_are_refused() {
    let home = Home::new("{gateway: {mode: 'local'}, plugins: {$include: './p.json5'}, tools: {$include: ['t.json5']}}");
    let before = home.text();
    fs_err::write(home.file("p.json5"), "// mine\n{ entries: { a: { enabled: true /* on */ } } }").unwrap();
    fs_err::write(home.file("t.json5"), "{}").unwrap();
    let whole = json!({"entries": {"a": {"enabled": true}, "b": {"enabled": false}}});
    let replace = Edit::Set { path: vec!["plugins".into()], value: whole, mode: SetMode::Replace };
    assert_eq!(home.write(&[replace]).unwrap().files, [home.file("p.json5")]);
    let text = fs_err::read_to_string(home.file("p.json5")).unwrap();
    assert!(text.starts_with("// mine\n{ entries: { a: { enabled: true /* on */ }, b: "), "{text}");
    assert_eq!(home.text(), before);
    assert!(home.file("p.json5.bak").exists());
    let Err(ConfigError::IncludeOwned { message, .. }) = home.write(&[set("tools", json!({"allow": ["x"]}))]) else { panic!() };
    assert!(message.contains("not one file for one section"), "{message}");
    // Another include, or none, is the operator's choice.
    let other = Edit::Set { path: vec!["plugins".into()], value: json!({"$include": "./t.json5"}), mode: SetMode::Replace };
    assert_eq!(home.write(&[other]).unwrap().files, [home.paths().config_path]);
    home.write(&[unset("plugins")]).unwrap();
    assert!(!home.text().contains("plugins"));
}

#[test]
fn an_include_that_is_a_link_or_includes_itself_is_refused() {
    let home = Home::new("{gateway: {mode: 'local'}, plugins: {$include: './p.json5'}}");
    fs_err::write(home.file("real.json5"), "{ entries: {} }").unwrap();
    std::os::unix::fs::symlink("real.json5", home.file("p.json5")).unwrap();
    let edit = set("plugins.entries.a", json!({"enabled": true}));
    assert!(matches!(home.write(std::slice::from_ref(&edit)), Err(ConfigError::NotRegularFile { .. })));
    assert_eq!(fs_err::read_to_string(home.file("real.json5")).unwrap(), "{ entries: {} }");
    fs_err::remove_file(home.file("p.json5")).unwrap();
    fs_err::write(home.file("p.json5"), "{ $include: './p.json5' }").unwrap();
    assert!(matches!(home.write(&[edit]), Err(ConfigError::IncludeOwned { .. })));
}

// An editor saves an included file between the look at it and the write: nothing of it is lost.
#[test]
fn a_file_that_changed_meanwhile_is_not_replaced_by_what_was_made_of_the_old_one() {
    let home = Home::new("{gateway: {mode: 'local'}, plugins: {$include: './p.json5'}}");
    fs_err::write(home.file("p.json5"), "{ entries: {} }").unwrap();
    let edits = [set("plugins.entries.a", json!({"enabled": true}))];
    let prepared = prepare(&home.paths(), &home.env(), &edits, &WriteOptions::default()).unwrap();
    assert!(prepared.is_current().unwrap());
    fs_err::write(home.file("p.json5"), "{ entries: { mine: {} } }").unwrap();
    assert!(!prepared.is_current().unwrap());
    home.write(&edits).unwrap();
    let config = load(&home.paths(), &home.env()).unwrap();
    assert_eq!(config.source["plugins"]["entries"], json!({"mine": {}, "a": {"enabled": true}}));
}

#[test]
fn lists_and_maps_of_the_user_are_guarded() {
    let home = Home::new(
        "{gateway: {mode: 'local'}, plugins: {entries: {a: {enabled: true}, b: {enabled: true}}}, agents: {list: [{id: 'x'}, {id: 'y'}]}}",
    );
    let Err(ConfigError::Destructive { removed, .. }) = home.write(&[set("plugins.entries", json!({"a": {}}))]) else { panic!() };
    assert_eq!(removed, ["b"]);
    assert!(home.write(&[set("agents.list", json!([{"id": "x"}]))]).is_err());
    let with = |mode| Edit::Set { path: parse_path("plugins.entries").unwrap(), value: json!({"a": {"enabled": false}}), mode };
    let config = home.write(&[with(SetMode::Merge)]).unwrap().config;
    assert_eq!(config.source["plugins"]["entries"], json!({"a": {"enabled": false}, "b": {"enabled": true}}));
    let config = home.write(&[with(SetMode::Replace)]).unwrap().config;
    assert_eq!(config.source["plugins"]["entries"], json!({"a": {"enabled": false}}));
}

// GW-126
#[test]
fn links_managed_files_and_unwritable_places_are_refused() {
    let home = Home::new(SAMPLE);
    fs_err::rename(home.paths().config_path, home.file("real.json")).unwrap();
    std::os::unix::fs::symlink(home.file("real.json"), home.paths().config_path).unwrap();
    assert!(matches!(home.write(&[set("gateway.port", json!(2))]), Err(ConfigError::NotRegularFile { .. })));
    let mut env = home.env();
    env.set("OPENCLAW_NIX_MODE", "1");
    assert!(matches!(write(&home.paths(), &env, &[], &WriteOptions::default()), Err(ConfigError::ReadOnlyMode { .. })));
    let mut paths = home.paths();
    paths.config_path = "/proc/openclaw.json".into();
    let message = write(&paths, &home.env(), &[set("gateway.mode", json!("local"))], &WriteOptions::default()).unwrap_err().to_string();
    assert!(message.contains("/proc/openclaw.json"), "{message}");
}

#[test]
fn a_first_write_makes_the_file_and_a_dry_run_does_not() {
    let home = Home::new("");
    fs_err::remove_dir_all(home.paths().state_dir).unwrap();
    let dry = WriteOptions { dry_run: true, ..WriteOptions::default() };
    let edits = [set("gateway.mode", json!("local"))];
    assert!(write(&home.paths(), &home.env(), &edits, &dry).unwrap().changed);
    assert!(!home.paths().state_dir.exists());
    home.write(&edits).unwrap();
    assert_eq!(fs_err::metadata(home.paths().state_dir).unwrap().permissions().mode() & 0o777, 0o700);
    serde_json::from_str::<Value>(&home.text()).unwrap();
}

// GW-128: without a file the gateway starts; the first edit must not take that away.
#[test]
fn a_file_that_a_first_write_makes_may_run_a_gateway() {
    let home = Home::new("");
    let first = |edits: &[Edit]| {
        fs_err::remove_file(home.paths().config_path).unwrap();
        home.write(edits).unwrap();
        serde_json::from_str::<Value>(&home.text()).unwrap()["gateway"]["mode"].clone()
    };
    assert_eq!(first(&[set("plugins.entries.a.enabled", json!(true))]), "local");
    load(&home.paths(), &home.env()).unwrap().check_gateway_mode(false).unwrap();
    assert_eq!(first(&[set("gateway.mode", json!("remote"))]), "remote");
}

// A file-size limit stands in for a full disk: the system refuses to write more bytes.
#[test]
fn a_full_disk_loses_nothing() {
    const FLAG: &str = "CHELA_TEST_FULL_DISK_HOME";
    if let Ok(dir) = std::env::var(FLAG) {
        let env: Env = [("HOME", dir)].into_iter().collect();
        let big = "y".repeat(200_000);
        let error = write(
            &StatePaths::from_env(&env).unwrap(),
            &env,
            &[set("agents.defaults.systemPromptOverride", json!(big))],
            &WriteOptions::default(),
        );
        let message = error.unwrap_err().to_string();
        assert!(message.contains("cannot write") && message.contains(".tmp"), "{message}");
        return;
    }
    let home = Home::new(SAMPLE);
    let status = std::process::Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 64; exec \"$0\" --exact write::tests::a_full_disk_loses_nothing"])
        .arg(std::env::current_exe().unwrap())
        .env(FLAG, home.0.path())
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    assert_eq!(home.text(), SAMPLE);
    assert!(!home.names().iter().any(|name| name.ends_with(".tmp")), "{:?}", home.names());
}

// GW-138
#[test]
fn last_good_is_kept_unless_it_holds_masks() {
    let home = Home::new(SAMPLE);
    let config = load(&home.paths(), &home.env()).unwrap();
    assert!(keep_last_good(&config).unwrap());
    assert_eq!(fs_err::read_to_string(home.file("openclaw.json.last-good")).unwrap(), SAMPLE);
    let home = Home::new("{gateway: {auth: {token: '***'}}}");
    assert!(!keep_last_good(&load(&home.paths(), &home.env()).unwrap()).unwrap());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn set_get_unset_round_trip_through_the_file(key in "[a-zA-Z][a-zA-Z0-9 .\"'é/-]{0,12}", value in "\\PC{0,20}", n in any::<i32>()) {
        let key = key.trim().to_owned();
        let home = Home::new(SAMPLE);
        let path: Vec<String> = ["plugins", "entries", &key, "config", "v"].map(str::to_owned).to_vec();
        let wanted = json!({"text": value, "n": n});
        home.write(&[Edit::Set { path: path.clone(), value: wanted.clone(), mode: SetMode::Guarded }]).unwrap();
        let config = load(&home.paths(), &home.env()).unwrap();
        prop_assert_eq!(get_path(&config.source, &path), Some(&wanted));
        prop_assert!(home.text().contains("// keep"));
        home.write(&[Edit::Unset { path: path[..1].to_vec() }, Edit::Unset { path: vec!["meta".into()] }]).unwrap();
        let config = load(&home.paths(), &home.env()).unwrap();
        prop_assert_eq!(config.source.get("plugins"), None);
        prop_assert!(home.text().starts_with("// mine\n{\n  gateway: { mode: 'local', port: 1 }, // keep\n  ui: { assistant: { name: 'Al' } },"), "{}", home.text());
    }
}

/// What counts as nothing in these tests.
fn normal(value: &mut Value) {
    let plugins = value.get_mut("plugins").and_then(Value::as_object_mut);
    if plugins.is_some_and(|plugins| plugins.get("enabled") == Some(&Value::Bool(true))) {
        value.as_object_mut().unwrap().remove("plugins");
    }
}

fn going_back(home: &Home, edits: &[Edit], main: Option<&str>, included: &[(PathBuf, &str)]) -> WriteOutcome {
    let included = included.iter().map(|(file, text)| (file.clone(), (*text).to_owned())).collect();
    let former = Former { main: main.map(str::to_owned), included, normal };
    let options = WriteOptions { former: Some(former), ..WriteOptions::default() };
    write(&home.paths(), &home.env(), edits, &options).unwrap()
}

// GW-138
#[test]
fn edits_that_undo_each_other_leave_the_bytes_of_the_start() {
    for start in [SAMPLE, "{gateway:{mode:'local'}}", "{ gateway: { mode: 'local' }, meta: { lastTouchedVersion: '1' } }\n"] {
        let home = Home::new(start);
        home.write(&[set("plugins", json!({"enabled": true})), set("ui.seamColor", json!("abcdef"))]).unwrap();
        assert_ne!(home.text(), start);
        let edits: &[Edit] = if start == SAMPLE { &[unset("ui.seamColor")] } else { &[unset("ui")] };
        let done = going_back(&home, edits, Some(start), &[]);
        assert_eq!((home.text().as_str(), done.changed, done.hash), (start, true, hash_text(start)));
        // There is nothing left to do.
        assert!(!going_back(&home, &[], Some(start), &[]).changed);
    }
}

#[test]
fn what_somebody_changed_meanwhile_stays() {
    for (from, to) in [("port: 1", "port: 2"), ("// mine", "// ours"), ("// keep", "")] {
        let home = Home::new(SAMPLE);
        home.write(&[set("ui.seamColor", json!("abcdef"))]).unwrap();
        let theirs = home.text().replace(from, to);
        fs_err::write(home.paths().config_path, &theirs).unwrap();
        going_back(&home, &[unset("ui.seamColor")], Some(SAMPLE), &[]);
        assert!(home.text().contains(to) && home.text().contains("lastTouchedAt"), "{}", home.text());
    }
}

#[test]
fn a_file_that_was_not_there_goes_again_and_an_included_one_returns() {
    let home = Home::new("");
    fs_err::remove_file(home.paths().config_path).unwrap();
    home.write(&[set("ui.assistant.name", json!("Al"))]).unwrap();
    let done = going_back(&home, &[unset("ui")], None, &[]);
    assert!(!home.paths().config_path.exists() && !done.config.exists);
    assert!(home.file("openclaw.json.bak").is_file(), "what was removed is a backup");

    let (main, part) = ("{gateway: {mode: 'local'}, ui: {$include: './ui.json5'}}", "{assistant: {name: 'Al'} /* here */ }");
    let home = Home::new(main);
    fs_err::write(home.file("ui.json5"), part).unwrap();
    home.write(&[set("ui.seamColor", json!("abcdef"))]).unwrap();
    assert_ne!(fs_err::read_to_string(home.file("ui.json5")).unwrap(), part);
    let done = going_back(&home, &[unset("ui.seamColor")], Some(main), &[(home.file("ui.json5"), part)]);
    assert_eq!((fs_err::read_to_string(home.file("ui.json5")).unwrap(), home.text()), (part.to_owned(), main.to_owned()));
    assert_eq!(done.files, [home.file("ui.json5")]);
}
