//! What plugins, clients, models and the approvals file say before anybody is asked.

#![no_main]

use std::path::{Path, PathBuf};

use chela_approvals::command::Analysis;
use chela_approvals::exec_file::ExecFile;
use chela_approvals::policy::{AskWhen, Coverage, Ruling, Security, rule};
use chela_approvals::safe_bins::SafeBins;
use chela_approvals::{Decision, grant_key, request};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    // A command in the first line, JSON in the rest.
    let (command, json) = text.split_once('\n').unwrap_or((text, ""));
    let analysis = Analysis::of(command);
    for part in analysis.parts() {
        assert!(!part.argv[0].is_empty());
    }
    let value: Value = serde_json::from_str(json).unwrap_or_default();
    for checked in [request::plugin(&value), request::exec(&value)].into_iter().flatten() {
        assert!(!Decision::allowed_by(&checked.request).is_empty());
        assert!(!checked.timeout.is_zero());
        let shown = checked.request["title"].as_str().or(checked.request["command"].as_str()).unwrap_or_default();
        assert!(!shown.contains(['\u{202e}', '\u{1b}']));
    }
    assert_eq!(grant_key("a", "p", "t", &value), grant_key("a", "p", "t", &value));
    let Ok(mut file) = ExecFile::from_value(value) else { return };
    assert_eq!(ExecFile::parse(&file.to_text()).unwrap(), file);
    let (bins, _) = SafeBins::new(file.value(), &Value::Null);
    let programs = vec![Some(PathBuf::from("/usr/bin/rg")); analysis.parts().len()];
    let covered = file.covers("main", &analysis, &bins, Path::new("/h"), &programs);
    assert!(analysis.is_plain() || !covered);
    let policy = file.policy("main").with_config(Security::Allowlist, AskWhen::OnMiss);
    assert_ne!(policy.security, Security::Full);
    let found = Coverage::new(&analysis, covered, file.remembers("main", command), false);
    if !covered && !file.remembers("main", command) {
        assert_ne!(rule(policy, found), Ruling::Run);
    }
    if !command.trim().is_empty() {
        file.remember("main", command, 1);
        assert!(file.remembers("main", command));
    }
});
