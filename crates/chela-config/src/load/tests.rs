use serde_json::json;

use super::*;

struct Home(tempfile::TempDir);

impl Home {
    fn new(config: &str) -> Self {
        let home = Self(tempfile::tempdir().unwrap());
        fs_err::create_dir_all(home.paths().state_dir).unwrap();
        fs_err::write(home.paths().config_path, config).unwrap();
        home
    }

    fn env(&self) -> Env {
        [("HOME", self.0.path().to_str().unwrap()), ("SET", "yes")].into_iter().collect()
    }

    fn paths(&self) -> StatePaths {
        StatePaths::from_env(&self.env()).unwrap()
    }

    fn load(&self) -> Result<Config, ConfigError> {
        load(&self.paths(), &self.env())
    }
}

// GW-126
#[test]
fn a_missing_file_is_an_empty_configuration() {
    let home = Home::new("{}");
    fs_err::remove_file(home.paths().config_path).unwrap();
    let config = home.load().unwrap();
    assert!(!config.exists && config.files.is_empty());
    assert_eq!(config.source, json!({}));
    assert_eq!(config.hash, hash_text(""));
    assert!(!home.paths().config_path.exists(), "reading writes nothing");
    let report = validate_file(&home.paths(), &home.env());
    assert!(!report.valid && report.error.as_deref() == Some("file not found"));
}

// GW-129, GW-130, GW-131
#[test]
fn includes_then_variables_then_validation() {
    let home = Home::new(
        "{env: {vars: {INLINE: 'here'}}, logging: {$include: 'log.json5'}, ui: {assistant: {name: '${INLINE} ${GONE} $${SET}'}}}",
    );
    fs_err::write(home.paths().state_dir.join("log.json5"), "{level: 'debug', file: '${SET}.log'}").unwrap();
    let config = home.load().unwrap();
    assert_eq!(config.source["logging"]["file"], "${SET}.log");
    assert_eq!(config.effective["logging"]["file"], "yes.log");
    assert_eq!(config.effective["ui"]["assistant"]["name"], "here ${GONE} ${SET}");
    assert_eq!(config.warnings.len(), 1);
    assert_eq!(config.warnings[0].path, "ui.assistant.name");
    assert_eq!(config.files.len(), 2);
    assert_eq!(config.env.get("INLINE"), Some("here"));
}

// GW-127
#[test]
fn faults_come_with_their_place() {
    let home = Home::new("{\n  gateway: {\n    port: 'x',\n    prot: 1,\n  },\n}");
    let Err(ConfigError::Invalid { issues, path }) = home.load() else { panic!() };
    assert_eq!(path, home.paths().config_path);
    assert_eq!(
        issues.iter().map(|i| (i.path.as_str(), i.line, i.column)).collect::<Vec<_>>(),
        [("gateway.port", Some(3), Some(11)), ("gateway", Some(4), Some(5))]
    );
    let message = home.load().unwrap_err().to_string();
    assert!(
        message.contains("gateway.port: expected integer, got string (line 3)") && message.contains("did you mean `port`?"),
        "{message}"
    );
    let (config, issues) = load_lenient(&home.paths(), &home.env()).unwrap();
    assert_eq!((config.effective["gateway"]["port"].as_str(), issues.len()), (Some("x"), 2));
    let report = serde_json::to_value(validate_file(&home.paths(), &home.env())).unwrap();
    assert_eq!((report["valid"].as_bool(), report["issues"][0]["path"].as_str()), (Some(false), Some("gateway.port")));
}

// GW-126
#[test]
fn unreadable_content_is_explained() {
    let cases: &[(&[u8], &str)] = &[
        (b"{\n a: 1 b: 2}", "line 2, column 7"),
        (b"{a: '\xff\xfe'}", "not valid UTF-8 (line 1, column 6)"),
        (b"", "empty"),
        (b"[]", "expected object, got array"),
    ];
    for (bytes, part) in cases {
        let home = Home::new("");
        fs_err::write(home.paths().config_path, bytes).unwrap();
        let message = home.load().unwrap_err().to_string();
        assert!(message.contains(part), "{message}");
        assert_eq!(fs_err::read(home.paths().config_path).unwrap(), *bytes, "the file is left alone");
    }
    let home = Home::new("{}");
    fs_err::remove_file(home.paths().config_path).unwrap();
    fs_err::create_dir(home.paths().config_path).unwrap();
    assert!(matches!(home.load(), Err(ConfigError::NotRegularFile { .. })));
}

#[test]
fn settings_without_effect_are_said_so() {
    let home = Home::new("{session: {mainKey: 'x'}, env: {shellEnv: {enabled: true}}, plugins: {installs: {}}}");
    let paths: Vec<String> = home.load().unwrap().warnings.into_iter().map(|w| w.path).collect();
    assert_eq!(paths, ["session.mainKey", "plugins.installs", "env.shellEnv"]);
}
