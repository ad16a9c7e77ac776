//! Chat commands.

use super::*;

// API-130..136, API-103
#[test]
fn command_definitions() {
    let base = json!({"name": "x", "description": "d", "handler": f(1)});
    let with = |key: &str, value: Value| {
        let mut command = base.clone();
        command[key] = value;
        alone(&[("registerCommand", object(command))])
    };
    let failed = |reason: &str| vec![format!("error command registration failed: {reason}")];
    let cases = [
        ("handler", json!(1), "Command handler must be a function"),
        ("description", json!(1), "Command description must be a string"),
        ("description", json!(" "), "Command description cannot be empty"),
        ("name", json!("1x"), "Command name must start with a letter and contain only letters, numbers, hyphens, and underscores"),
        ("name", json!("Status"), "Command name \"status\" is reserved by a built-in command"),
        ("agentPromptGuidance", json!("x"), "Agent prompt guidance must be an array of strings"),
        ("agentPromptGuidance", json!(["ok", " "]), "Agent prompt guidance 2 cannot be empty"),
        ("agentPromptGuidance", json!([1]), "Agent prompt guidance 1 must be a string"),
        ("requiredScopes", json!("x"), "Command requiredScopes must be an array of operator scopes"),
        ("requiredScopes", json!(["x"]), "Command requiredScopes contains unknown operator scope: x"),
        ("requiredScopes", json!([1]), "Command requiredScopes contains unknown operator scope"),
        ("channels", json!("x"), "Command channels must be an array of channel ids"),
        ("channels", json!([" "]), "Command channel 1 cannot be empty"),
        (
            "nativeNames",
            json!({"telegram": "help"}),
            "Native command alias \"telegram\" invalid: Command name \"help\" is reserved by a built-in command",
        ),
        ("nativeProgressMessages", json!({"t": " "}), "Native progress message \"t\" cannot be empty"),
        ("descriptionLocalizations", json!({"de": 1}), "Description localization \"de\" must be a string"),
    ];
    for (key, value, reason) in cases {
        assert_eq!(with(key, value.clone()), failed(reason), "{key} {value}");
    }
    assert_eq!(with("ownership", json!("reserved")), ["error only bundled plugins can claim reserved command ownership: x"]);
}

// API-069, API-133, API-254
#[test]
fn reserved_names_belong_to_bundled_plugins_of_the_same_id() {
    let call =
        |name: &str| ("registerCommand", object(json!({"name": name, "description": "d", "handler": f(1), "ownership": "reserved"})));
    let registry = World::new().bundled("status", &[call("Status"), call("mine"), call("help")]).build();
    assert_eq!(
        said(&registry),
        [
            "error reserved command ownership requires a reserved command name: mine",
            "error command registration failed: Reserved command ownership requires plugin id \"status\" to match reserved command name \"help\"",
        ]
    );
    assert!(registry.match_command("/status", None).is_some_and(|m| m.command.reserved));
    let mut official = facts("codex", json!({}));
    official.official = true;
    assert!(said(&World::new().with(official, &[call("codex")]).build()).is_empty());
    let stranger = ("registerCommand", object(json!({"name": "codex", "description": "d", "handler": f(1)})));
    assert_eq!(
        said(&World::new().plugin("x", &[stranger]).build()),
        ["error command registration failed: Command name \"codex\" is reserved by a built-in command"]
    );
}

// API-136, API-137, API-138, API-148
#[test]
fn chat_texts_match_commands() {
    let calls = [
        (
            "registerCommand",
            object(
                json!({"name": "my-cmd", "description": "d", "handler": f(1), "acceptsArgs": true, "agentPromptGuidance": ["one", " two "], "nativeNames": {"default": "alias"}}),
            ),
        ),
        (
            "registerCommand",
            object(json!({"name": "bare", "description": "d", "handler": f(2), "channels": ["Telegram"], "agentPromptGuidance": ["two"]})),
        ),
        ("registerCommand", object(json!({"name": "alias", "description": "d", "handler": f(3)}))),
    ];
    let registry = World::new().plugin("p", &calls).build();
    assert_eq!(said(&registry), ["error command registration failed: Command \"alias\" already registered by plugin \"p\""]);
    let hit = |text: &str, channel: Option<&str>| registry.match_command(text, channel).map(|m| (m.command.handler.handle, m.args));
    let cases = [
        ("/my-cmd", None, Some((1, None))),
        (" /MY_CMD  a b ", None, Some((1, Some("a b".to_string())))),
        ("/alias x", Some("slack"), Some((1, Some("x".into())))),
        ("/my-cmdx", None, None),
        ("my-cmd", None, None),
        ("/bare", Some("telegram"), Some((2, None))),
        ("/bare", Some("slack"), None),
        ("/bare", None, Some((2, None))),
        ("/bare x", Some("telegram"), None),
        ("/", None, None),
    ];
    for (text, channel, expected) in cases {
        assert_eq!(hit(text, channel), expected, "{text}");
    }
    assert_eq!(registry.commands.guidance(), ["one", "two"]);
}
