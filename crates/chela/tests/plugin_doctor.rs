//! `plugins doctor` and `plugins inspect --runtime` load plugins that are wrong in every way, in real workers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "a test fails by panicking")]

#[path = "support/home.rs"]
mod home;
mod support;

use home::Home;
use serde_json::{Value, json};

const TOOL: &str = "api.registerTool({ name: 'left', description: 'd', parameters: { type: 'object' }, execute() {} });";

/// Phase and error of a plugin that fails.
type Fault = (&'static str, &'static str);

/// Id, entry, and what the doctor says of it.
fn faulty() -> Vec<(&'static str, String, Option<Fault>)> {
    vec![
        ("throws", "throw new Error('at the top');".into(), Some(("load", "at the top"))),
        ("empty", "export const nothing = 1;".into(), Some(("validation", "plugin export missing register/activate"))),
        (
            "slow",
            "export default { async register() { throw new Error('late'); } };".into(),
            Some(("register", "plugin register must be synchronous")),
        ),
        (
            "half",
            format!("export default {{ register(api) {{ {TOOL} throw new Error('in the middle'); }} }};"),
            Some(("register", "in the middle")),
        ),
        ("refused", format!("export default {{ register(api) {{ {TOOL} }} }};"), None),
        ("fine", "export default { register() {} };".into(), None),
    ]
}

// INS-328, INS-329, INS-330, INS-331, INS-332, INS-335, INS-351
#[tokio::test]
async fn faults_of_code_are_told_by_the_doctor_and_by_inspect() {
    let node = support::node().await.unwrap();
    let vars = [("CHELA_NODE", node.to_str().unwrap())];
    let home = Home::new();
    home.private();
    let faulty = faulty();
    for (id, code, _) in &faulty {
        let contracts = if *id == "half" { json!({"tools": ["left"]}) } else { json!({}) };
        home.plugin(id, &json!({"id": id, "contracts": contracts, "configSchema": {"type": "object"}}).to_string());
        std::fs::write(std::path::Path::new(&home.path(id)).join("index.js"), code).unwrap();
    }
    let paths: Vec<String> = faulty.iter().map(|(id, ..)| home.path(id)).collect();
    home.config(&json!({"plugins": {"load": {"paths": paths}, "compat": {"strict": true}}}).to_string());

    let out = home.run_with(&vars, &["plugins", "doctor", "--json"]);
    assert_eq!(out.code, 0, "{}", out.stderr);
    let report: Value = serde_json::from_str(&out.stdout).unwrap();
    let told = |id: &str| {
        let rows = report["pluginErrors"].as_array().unwrap();
        rows.iter().find(|row| row["pluginId"] == id).map(|row| (row["phase"].clone(), row["message"].clone()))
    };
    for (id, _, expected) in &faulty {
        let expected = expected.map(|(phase, message)| (json!(phase), json!(message)));
        assert_eq!(told(id), expected, "{id}: {report}");
    }
    assert_eq!(report["diagnostics"][0]["pluginId"], "refused");
    assert_eq!(report["diagnostics"][0]["message"], "plugin must declare contracts.tools before registering agent tools");
    assert_eq!(report["diagnostics"].as_array().unwrap().len(), 1, "{report}");
    let text = home.run_with(&vars, &["plugins", "doctor"]).stdout;
    assert!(text.contains("Plugin errors\n") && text.contains("half: in the middle (register)"), "{text}");

    let all = home.run_with(&vars, &["plugins", "inspect", "--all", "--runtime", "--json"]);
    let all: Value = serde_json::from_str(&all.stdout).unwrap();
    let shown = |id: &str| all.as_array().unwrap().iter().find(|one| one["plugin"]["id"] == id).unwrap();
    for (id, _, expected) in faulty.iter().filter(|one| one.2.is_some()) {
        let (phase, message) = expected.unwrap();
        let plugin = &shown(id)["plugin"];
        assert_eq!((&plugin["status"], &plugin["failurePhase"]), (&json!("error"), &json!(phase)), "{id}");
        assert_eq!(plugin["error"], message, "{id}");
    }
    for (id, text) in [
        ("throws", "failed to load plugin: at the top"),
        ("slow", "plugin failed during register: plugin register must be synchronous"),
        ("half", "plugin failed during register: in the middle"),
    ] {
        assert_eq!(shown(id)["diagnostics"][0]["message"], text);
    }
    assert_eq!(shown("half")["tools"], json!([]), "nothing of a failed register stays");
    assert_eq!(shown("refused")["plugin"]["status"], "loaded");
}
