//! Tools: declaration, names, metadata.

use super::*;

// API-036, API-099, API-111, MAN-100, MAN-101, MAN-102
#[test]
fn tools_must_be_declared_when_strict_and_run_with_a_notice_otherwise() {
    let calls = [
        ("registerTool", json!([{"name": "a", "description": "d", "parameters": {}, "execute": f(1)}])),
        ("registerTool", json!([f(2), {"names": ["b", " c "], "name": "b", "optional": true}])),
        ("registerTool", json!([f(3)])),
    ];
    let declared = json!({"contracts": {"tools": ["a"]}, "toolMetadata": {"a": {"optional": true}}});
    let strict = World::new().with(facts("p", declared.clone()), &calls).build();
    assert_eq!(said(&strict), ["error plugin must declare contracts.tools for: b, c"]);
    assert_eq!(strict.tools.len(), 2);
    assert!(strict.tools[0].is_optional("a") && !strict.tools[1].is_optional("z"));
    assert!(matches!(&strict.tools[0].source, ToolSource::Object { execute: Some(c), .. } if c.handle == 1));

    let mut world = World::new();
    world.inputs.strict = false;
    let loose = world.with(facts("p", declared), &calls).build();
    assert!(loose.diagnostics.is_empty());
    assert_eq!(loose.tools[1].names, ["b", "c"]);
    assert_eq!(loose.notices.len(), 1);
    assert!(loose.notices[0].message.starts_with("plugin must declare contracts.tools for: b, c"));
}

// API-112, API-113, API-114, API-111
#[test]
fn produced_tools_are_checked_one_by_one() {
    let mut world = World::new();
    world.inputs.core_tool_names = ["read".to_string(), "exec".into()].into();
    let manifest = json!({"contracts": {"tools": ["t", "Read", "bash"]}});
    let registry = world
        .with(facts("p", manifest.clone()), &[("registerTool", json!([f(1)]))])
        .with(facts("read", manifest), &[("registerTool", json!([f(1)]))])
        .build();
    let mut names = registry.tool_names();
    let [own, clash] = registry.tools.as_slice() else { panic!("two entries") };
    assert!(names.admit_plugin(own).is_ok());
    assert_eq!(names.admit_plugin(clash).unwrap_err().message, "plugin id conflicts with core tool name (read)");
    let tool = |name: &str| json!({"name": name, "parameters": {}});
    for (value, expected) in [
        (tool("t"), None),
        (tool("T"), Some("plugin tool is undeclared (p): T")),
        (tool("Read"), Some("plugin tool name conflict (p): Read")),
        (tool("bash"), Some("plugin tool name conflict (p): bash")),
        (tool("t"), Some("plugin tool name conflict (p): t")),
        (tool("z"), Some("plugin tool is undeclared (p): z")),
        (json!(1), Some("plugin tool is malformed (p): tool must be an object")),
        (json!({"parameters": {}}), Some("plugin tool is malformed (p): missing non-empty name")),
        (json!({"name": "t"}), Some("plugin tool is malformed (p): t missing parameters object")),
        (json!({"malformed": "no execute"}), Some("plugin tool is malformed (p): no execute")),
    ] {
        assert_eq!(names.admit(own, &value).err().map(|d| d.message).as_deref(), expected, "{value}");
    }
}

// API-075
#[test]
fn tool_metadata_is_for_declared_tools() {
    let manifest = json!({"contracts": {"tools": ["t", "u"]}});
    let call = |value: Value| ("registerToolMetadata", object(value));
    let calls = [
        call(json!({"toolName": " t ", "displayName": " T ", "risk": "low", "tags": ["a"]})),
        call(json!({"toolName": "t"})),
        call(json!({"toolName": "u", "risk": "extreme"})),
        call(json!({"toolName": "u", "tags": [""]})),
    ];
    let registry = World::new().with(facts("p", manifest), &calls).build();
    let bad = "error tool metadata registration has invalid metadata: u";
    assert_eq!(said(&registry), ["error tool metadata already registered: t (p)", bad, bad]);
    assert_eq!(registry.tool_metadata[0].metadata["displayName"], "T");
}
