use serde_json::{Value, json};

use super::*;

fn parse(value: Value) -> Manifest {
    let mut value = value;
    let object = value.as_object_mut().unwrap();
    object.entry("id").or_insert(json!("demo"));
    object.entry("configSchema").or_insert(json!({"type": "object", "additionalProperties": false}));
    parse_manifest(value.to_string().as_bytes()).unwrap().manifest
}

// MAN-003, MAN-006, MAN-007, MAN-022, MAN-043
#[test]
fn errors_have_the_documented_texts() {
    let cases: [(&[u8], &str); 12] = [
        (b"[]", "plugin manifest must be an object"),
        (b"null", "plugin manifest must be an object"),
        (b"\"x\"", "plugin manifest must be an object"),
        (b"{}", "plugin manifest requires id"),
        (br#"{"id":"  ","configSchema":{}}"#, "plugin manifest requires id"),
        (br#"{"id":7,"configSchema":{}}"#, "plugin manifest requires id"),
        (br#"{"id":"a"}"#, "plugin manifest requires configSchema"),
        (br#"{"id":"a","configSchema":[]}"#, "plugin manifest requires configSchema"),
        (br#"{"id":"a","configSchema":null}"#, "plugin manifest requires configSchema"),
        (b"{ id: 'a', ", "failed to parse plugin manifest: "),
        (b"", "failed to parse plugin manifest: "),
        (b"{\"id\":\"\xff\"}", "failed to parse plugin manifest: not valid UTF-8 at byte 7"),
    ];
    for (bytes, expected) in cases {
        let message = parse_manifest(bytes).unwrap_err().to_string();
        assert!(message.starts_with(expected), "{message} / {expected}");
    }
}

// MAN-006: the place of the fault is named.
#[test]
fn a_json5_error_names_line_and_column() {
    let error = parse_manifest(b"{\n  id: 'a',\n  configSchema: {,}\n}").unwrap_err();
    let text = error.to_string();
    assert!(text.contains("line 3"), "{text}");
    assert!(text.contains("column"), "{text}");
}

// MAN-003
#[test]
fn json5_is_accepted_after_strict_json() {
    let text = "\u{feff}{ // a comment\n id: 'demo', configSchema: {type: 'object',}, /* end */ }";
    let parsed = parse_manifest(text.as_bytes()).unwrap();
    assert!(parsed.json5);
    assert_eq!(parsed.manifest.id, "demo");
    let strict = br#"{"id":"demo","configSchema":{}}"#;
    assert!(!parse_manifest(strict).unwrap().json5);
}

// MAN-004
#[test]
fn the_size_limit_is_exact() {
    let head = r#"{"id":"a","configSchema":{},"pad":""#;
    let fill = MAX_MANIFEST_BYTES - head.len() - 2;
    let fits = format!("{head}{}\"}}", "x".repeat(fill));
    assert_eq!(fits.len(), MAX_MANIFEST_BYTES);
    assert!(parse_manifest(fits.as_bytes()).is_ok());
    let over = format!("{fits} ");
    assert_eq!(parse_manifest(over.as_bytes()).unwrap_err(), ManifestError::TooLarge { bytes: MAX_MANIFEST_BYTES + 1 });
}

// A hostile manifest must not exhaust the stack of the gateway.
#[test]
fn deep_nesting_is_refused_without_recursion() {
    let brackets = "[".repeat(200_000);
    for text in [
        brackets.clone(),
        format!("// don't \u{2028}{brackets}"),
        format!("/* it's */{brackets}"),
        "['\\']',".repeat(30_000),
        format!("{{'a': \"]\\\"]\", b: {brackets}"),
    ] {
        let error = parse_manifest(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains("nested deeper than 128"), "{error}");
    }
    let shallow = format!("{{id:'a',configSchema:{{}},x:{}1{}}}", "[".repeat(90), "]".repeat(90));
    assert!(parse_manifest(shallow.as_bytes()).unwrap().json5);
}

// MAN-015, MAN-016, MAN-017, MAN-018, MAN-019, MAN-021, MAN-023, MAN-246
#[test]
fn wrong_types_are_dropped_and_lists_keep_order() {
    let manifest = parse(json!({
        "id": " @scope/Name ",
        "name": 5, "description": "  ", "version": " 1.0 ",
        "channels": "irc", "providers": [" b ", 3, "", "a", "b"],
        "enabledByDefault": "true",
        "activation": {"onStartup": 1, "onCommands": [" go "]},
        "$schema": "x", "future": {"kept": true},
    }));
    assert_eq!(manifest.id, "@scope/Name");
    assert_eq!(manifest.name, None);
    assert_eq!(manifest.description, None);
    assert_eq!(manifest.version.as_deref(), Some("1.0"));
    assert!(manifest.channels.is_empty());
    assert_eq!(manifest.providers, ["b", "a", "b"]);
    assert!(!manifest.enabled_by_default);
    assert_eq!(manifest.activation.on_startup, None);
    assert_eq!(manifest.activation.on_commands, ["go"]);
    assert_eq!(manifest.raw["future"]["kept"], true);
}

// MAN-033, MAN-035, MAN-036, MAN-038, MAN-039
#[test]
fn kind_and_default_enablement() {
    let kinds = [
        (json!("memory"), json!("memory")),
        (json!(["memory"]), json!("memory")),
        (json!(["memory", "context-engine"]), json!(["memory", "context-engine"])),
        (json!("chanel"), json!("chanel")),
        (json!([]), Value::Null),
        (json!(["memory", 1]), Value::Null),
        (json!({}), Value::Null),
    ];
    for (kind, expected) in kinds {
        let manifest = parse(json!({"kind": kind}));
        assert_eq!(manifest.kind_json().unwrap_or(Value::Null), expected);
    }
    let manifest = parse(json!({"enabledByDefaultOnPlatforms": ["linux", "plan9", "win32"]}));
    assert_eq!(manifest.enabled_by_default_on_platforms, ["linux", "win32"]);
    assert!(manifest.is_default_on("linux"));
    assert!(!manifest.is_default_on("darwin"));
    assert!(parse(json!({"enabledByDefault": true})).is_default_on("darwin"));
}

// MAN-014, MAN-071, MAN-146, MAN-150
#[test]
fn prototype_keys_are_dropped_in_records() {
    let manifest = parse(json!({
        "providerAuthEnvVars": {"constructor": ["A"], " p ": ["K", ""], "none": []},
        "providerAuthAliases": {"__proto__": "x", "a": "b", "c": 1},
        "uiHints": {"constructor": {"label": "kept"}},
        "toolMetadata": {"prototype": {"optional": true}, "t": {"optional": true}, "u": {"optional": 1}},
    }));
    assert_eq!(manifest.provider_auth_env_vars.len(), 1);
    assert_eq!(manifest.provider_auth_env_vars["p"], ["K"]);
    assert_eq!(manifest.provider_auth_aliases.len(), 1);
    assert_eq!(manifest.ui_hints().unwrap()["constructor"]["label"], "kept");
    assert_eq!(manifest.tool_metadata.keys().collect::<Vec<_>>(), ["t"]);
    assert!(parse(json!({"uiHints": [1]})).ui_hints().is_none());
}

// MAN-090, MAN-092, MAN-093, MAN-095
#[test]
fn aliases_entries_and_runners() {
    let manifest = parse(json!({
        "providerDiscoveryEntry": "./old.js",
        "commandAliases": ["go", {"name": "run", "kind": "runtime-slash", "cliCommand": "r"},
            {"name": "x", "kind": "other"}, {"kind": "runtime-slash"}, 4],
        "qaRunners": [{"commandName": "qa", "description": "d"}, {"description": "no name"}],
    }));
    assert_eq!(manifest.provider_catalog_entry.as_deref(), Some("./old.js"));
    assert_eq!(
        json!(manifest.command_aliases),
        json!([{"name": "go"}, {"name": "run", "kind": "runtime-slash", "cliCommand": "r"}, {"name": "x"}])
    );
    assert_eq!(json!(manifest.qa_runners), json!([{"commandName": "qa", "description": "d"}]));
    let both = parse(json!({"providerDiscoveryEntry": "old", "providerCatalogEntry": "new"}));
    assert_eq!(both.provider_catalog_entry.as_deref(), Some("new"));
}

// MAN-072, MAN-073, MAN-081
#[test]
fn hints_are_kept_as_written_and_lists_are_trimmed() {
    let hint = json!({"label": "L", "help": "H", "tags": ["t"], "advanced": true, "sensitive": true, "placeholder": "p"});
    let manifest = parse(json!({
        "uiHints": {"server.auth.token": hint, "port": {"label": "Port"}},
        "cliBackends": [" cli ", 1], "syntheticAuthRefs": ["prov", "cli "], "nonSecretAuthMarkers": ["no-key"],
        "skills": ["./skills", " ./more "],
    }));
    assert_eq!(manifest.ui_hints().unwrap()["server.auth.token"], hint);
    assert_eq!(manifest.cli_backends, ["cli"]);
    assert_eq!(manifest.synthetic_auth_refs, ["prov", "cli"]);
    assert_eq!(manifest.non_secret_auth_markers, ["no-key"]);
    assert_eq!(manifest.skills, ["./skills", "./more"]);
}

// MAN-020
#[test]
fn blocks_that_say_nothing_are_absent() {
    let manifest = parse(json!({
        "setup": {"providers": [{"envVars": ["A"]}], "cliBackends": [" "]},
        "modelSupport": {"modelPrefixes": [1]},
        "modelCatalog": {"providers": {"p": {"models": []}}, "suppressions": [{}]},
        "configContracts": {"dangerousFlags": [{"path": "a"}]},
        "contracts": {"tools": [""], "unknown": ["x"]},
        "toolMetadata": {"t": {"aliases": []}},
        "mediaUnderstandingProviderMetadata": {"m": {"capabilities": ["smell"]}},
        "modelPricing": {"providers": {"p": {"external": "yes"}}}, "providers": ["p"],
        "channelConfigs": {"c": {"schema": {}, "commands": {"nativeCommandsAutoEnabled": 1}}},
    }));
    assert_eq!((&manifest.setup, &manifest.model_support, &manifest.config_contracts), (&None, &None, &None));
    assert!(manifest.model_catalog().is_none() && manifest.contracts.is_empty() && manifest.tool_metadata.is_empty());
    assert!(manifest.media_understanding_metadata().is_empty() && manifest.model_pricing().is_empty());
    assert_eq!(json!(manifest.channel_configs), json!({"c": {"schema": {}}}));
}

// MAN-096, MAN-097, MAN-098, MAN-099
#[test]
fn contracts_keep_known_non_empty_lists() {
    let manifest = parse(json!({
        "contracts": {"tools": ["a"], "speechProviders": [], "unknown": ["x"], "webSearchProviders": ["s"],
            "documentExtractors": ["d"], "webContentExtractors": ["w"], "musicGenerationProviders": ["m"]},
        "speechProviders": ["ignored"],
    }));
    assert_eq!(
        json!(manifest.contracts),
        json!({"documentExtractors": ["d"], "musicGenerationProviders": ["m"], "webContentExtractors": ["w"],
            "webSearchProviders": ["s"], "tools": ["a"]})
    );
    assert_eq!(manifest.contracts.get("speechProviders"), [""; 0]);
    assert!(manifest.notices().iter().any(|notice| notice.message.contains("contracts.speechProviders")));
}

// MAN-112, MAN-113
#[test]
fn config_signals_are_tested_on_the_overlaid_object() {
    let config = json!({"plugins": {"entries": {"pic": {"config": {
        "mode": "cloud", "workflow": "w", "empty": "", "list": [], "key": {"source": "env", "id": "PIC_KEY"},
        "image": {"mode": "local", "deep": {"x": 1}, "kind": "b"}}}}}});
    let root = "plugins.entries.pic.config";
    let cases = [
        (json!({"required": ["workflow"]}), true),
        (json!({"required": ["workflow", "empty"]}), false),
        (json!({"requiredAny": ["empty", "list", "workflow"]}), true),
        (json!({"requiredAny": ["empty", "list"]}), false),
        (json!({"required": ["deep.x"]}), false),
        (json!({"overlayPath": "image", "required": ["deep.x", "workflow"]}), true),
        (json!({"overlayPath": "gone", "required": ["workflow"]}), true),
        (json!({"required": ["key"]}), true),
        // `mode` is the path when none is given; the overlay's value stands before the root's.
        (json!({"mode": {"allowed": ["local"]}}), false),
        (json!({"overlayPath": "image", "mode": {"allowed": ["local"]}}), true),
        (json!({"mode": {"disallowed": ["cloud"]}}), false),
        (json!({"mode": {"disallowed": ["local"]}}), true),
        (json!({"mode": {"path": "image.kind", "allowed": ["b"]}}), true),
        (json!({"mode": {"path": "none", "default": "d", "allowed": ["d"]}}), true),
        (json!({"mode": {"path": "none", "allowed": ["d"]}}), false),
    ];
    let check = |mut signal: Value, root: &str, env: &dyn Fn(&str) -> bool| {
        signal["rootPath"] = root.into();
        let manifest = parse(json!({"toolMetadata": {"t": {"configSignals": [signal]}}}));
        manifest.tool_metadata["t"].signals.config_signals[0].holds(&config, env)
    };
    for (signal, expected) in cases {
        assert_eq!(check(signal.clone(), root, &|name| name == "PIC_KEY"), expected, "{signal}");
    }
    assert!(!check(json!({"required": ["key"]}), root, &|_| false));
    assert!(!check(json!({"mode": {"default": "d"}}), "plugins.entries.gone", &|_| true));
}

// MAN-106, MAN-107, MAN-108, MAN-109, MAN-110, MAN-111, MAN-114, MAN-115, MAN-116
#[test]
fn capability_metadata() {
    let manifest = parse(json!({
        "mediaUnderstandingProviderMetadata": {"m": {
            "capabilities": ["image", "smell"], "defaultModels": {"image": " x ", "smell": "y"},
            "autoPriority": {"audio": 3, "video": "4"}, "nativeDocumentInputs": ["pdf", "doc"]}, "none": {}},
        "imageGenerationProviderMetadata": {"i": {"aliases": ["j"], "configSignals": [
            {"rootPath": "a", "required": ["b"], "overlayPath": "c"}, {"rootPath": "a"},
            {"rootPath": "a", "mode": {"allowed": ["x"]}}],
            "authSignals": [{"provider": "p", "providerBaseUrl": {"provider": "p"}}, {}]}},
        "toolMetadata": {"t": {"authProviders": ["q"], "authSignals": [
            {"provider": "p", "providerBaseUrl": {"provider": "p", "allowedBaseUrls": ["u"]}}]}},
    }));
    assert_eq!(
        json!(manifest.media_understanding_metadata()),
        json!({"m": {"capabilities": ["image"], "defaultModels": {"image": "x"},
            "autoPriority": {"audio": 3}, "nativeDocumentInputs": ["pdf"]}})
    );
    assert_eq!(
        json!(manifest.generation_metadata("imageGenerationProviderMetadata")),
        json!({"i": {"aliases": ["j"], "authSignals": [{"provider": "p"}], "configSignals": [
            {"rootPath": "a", "overlayPath": "c", "required": ["b"]},
            {"rootPath": "a", "mode": {"allowed": ["x"]}}]}})
    );
    assert_eq!(
        json!(manifest.tool_metadata),
        json!({"t": {"authProviders": ["q"], "authSignals": [
            {"provider": "p", "providerBaseUrl": {"provider": "p", "allowedBaseUrls": ["u"]}}]}})
    );
}

// MAN-121, MAN-122, MAN-124, MAN-125, MAN-127, MAN-128, MAN-129, MAN-131, MAN-132, MAN-134,
// MAN-135, MAN-138, MAN-139, MAN-240
#[test]
fn model_catalog() {
    let manifest = parse(json!({
        "providers": ["Acme"],
        "modelCatalog": {
            "providers": {
                "ACME": {"api": "telepathy", "baseUrl": "u", "models": [
                    {"id": "m", "api": "ollama", "input": ["text", "video", "smell"], "contextWindow": 128000,
                     "contextTokens": 1.5, "maxTokens": 0, "status": "odd",
                     "cost": {"input": 0, "output": -1, "tieredPricing": [
                        {"input": 1, "output": 1, "cacheRead": 1, "cacheWrite": 1, "range": [0, 9]},
                        {"input": 1, "output": 1, "cacheRead": 1, "cacheWrite": 1, "range": []}]},
                     "compat": {"supportsTools": true, "supportsStore": "yes", "thinkingFormat": "zai",
                        "maxTokensField": "tokens", "reasoningEffortMap": {"low": " l ", "x": 1}}},
                    {"name": "no id"}]},
                "other": {"models": [{"id": "z"}]},
            },
            "aliases": {"Alt": {"provider": "acme", "api": "bad"}, "b": {"provider": "other"}},
            "suppressions": [{"provider": "ACME", "model": "m", "when": {"baseUrlHosts": ["H"]}}, {"model": "x"}],
            "discovery": {"acme": "static", "other": "static"},
        },
    }));
    assert_eq!(
        json!(manifest.model_catalog().unwrap()),
        json!({
            "providers": {"acme": {"baseUrl": "u", "models": [{"id": "m", "api": "ollama",
                "input": ["text", "video"], "contextWindow": 128000,
                "cost": {"input": 0, "tieredPricing": [
                    {"input": 1, "output": 1, "cacheRead": 1, "cacheWrite": 1, "range": [0, 9]}]},
                "compat": {"supportsTools": true, "reasoningEffortMap": {"low": "l"}, "thinkingFormat": "zai"}}]}},
            "aliases": {"alt": {"provider": "acme"}},
            "suppressions": [{"provider": "acme", "model": "m", "baseUrlHosts": ["h"]}],
            "discovery": {"acme": "static"},
        })
    );
    assert!(parse(json!({"modelCatalog": {"providers": {"x": {"models": []}}}})).model_catalog().is_none());
    assert_eq!(crate::manifest::models::merge_key(" ACME", "M"), "acme::m");
}

// MAN-123, MAN-126, MAN-130, MAN-133, MAN-139: the documented `audio` and `video`, which the reference drops, are kept.
#[test]
fn catalogue_rows_are_expanded() {
    let manifest = parse(json!({"providers": ["Acme"], "modelCatalog": {"providers": {"acme": {
        "baseUrl": "https://a.example/v1", "api": "openai-completions", "headers": {"X-A": "1", "X-B": "2", "X-C": 3},
        "models": [
            {"id": "Second", "status": "preview", "statusReason": "new", "input": ["text", "image", "document", "audio", "video", "smell"],
             "name": "Two", "api": "anthropic-messages", "baseUrl": "https://b.example", "headers": {"X-B": "own"}, "reasoning": true,
             "replaces": ["first"], "replacedBy": "third", "tags": ["fast"]},
            {"id": "first", "status": "odd"}],
    }}}}));
    assert_eq!(
        json!(manifest.model_catalog().unwrap().rows()),
        json!([
            {"mergeKey": "acme::second", "provider": "acme", "id": "Second", "name": "Two", "api": "anthropic-messages",
             "baseUrl": "https://b.example", "headers": {"X-A": "1", "X-B": "own"},
             "input": ["text", "image", "document", "audio", "video"], "reasoning": true, "status": "preview", "statusReason": "new",
             "replaces": ["first"], "replacedBy": "third", "tags": ["fast"]},
            {"mergeKey": "acme::first", "provider": "acme", "id": "first", "api": "openai-completions",
             "baseUrl": "https://a.example/v1", "headers": {"X-A": "1", "X-B": "2"}, "input": ["text"], "status": "available"},
        ])
    );
}

// MAN-137
#[test]
fn suppressions_count_for_owned_providers_and_their_aliases() {
    let manifest = parse(json!({"providers": ["Acme"], "modelCatalog": {
        "aliases": {"Alt": {"provider": "acme"}, "lost": {"provider": "other"}},
        "suppressions": [
            {"provider": "ACME", "model": "Old", "reason": "Use new."}, {"provider": "alt", "model": "m", "when": {"baseUrlHosts": ["H"]}},
            {"provider": "lost", "model": "m"}, {"provider": "other", "model": "m"}],
    }}));
    let found: Vec<_> = manifest.suppressions().into_iter().map(|item| (item.message(), item.is_unconditional())).collect();
    assert_eq!(found, [("Unknown model: acme/old. Use new.".to_owned(), true), ("Unknown model: alt/m.".to_owned(), false)]);
}

// MAN-014, MAN-140, MAN-141, MAN-142, MAN-143, MAN-144, MAN-145
#[test]
fn model_side_blocks() {
    let manifest = parse(json!({
        "providers": ["acme"],
        "modelPricing": {"providers": {"acme": {"external": true, "openRouter": false,
            "liteLLM": {"provider": "X", "passthroughProviderModel": 1, "modelIdTransforms": ["version-dots", "z"]}},
            "foreign": {"external": true}}},
        "modelIdNormalization": {"providers": {"acme": {"aliases": {"Constructor": "C"},
            "prefixWhenBareAfterAliasStartsWith": [{"modelPrefix": "a"}, {"modelPrefix": "a", "prefix": "b"}]}}},
        "providerEndpoints": [
            {"endpointClass": "c", "hosts": ["A.B"], "googleVertexRegion": "eu", "googleVertexRegionHostSuffix": "-AI.example"},
            {"endpointClass": "c"}, {"hosts": ["x"]}],
        "providerRequest": {"providers": {"acme": {"compatibilityFamily": "venus", "family": "f",
            "openAICompletions": {"supportsStreamingUsage": false}}}},
    }));
    assert_eq!(
        json!(manifest.model_pricing()),
        json!({"acme": {"external": true, "openRouter": false,
            "liteLLM": {"provider": "x", "modelIdTransforms": ["version-dots"]}}})
    );
    assert_eq!(
        json!(manifest.model_id_normalization()),
        json!({"acme": {"aliases": {"constructor": "C"},
            "prefixWhenBareAfterAliasStartsWith": [{"modelPrefix": "a", "prefix": "b"}]}})
    );
    assert_eq!(
        json!(manifest.provider_endpoints()),
        json!([{"endpointClass": "c", "hosts": ["a.b"], "googleVertexRegion": "eu", "googleVertexRegionHostSuffix": "-ai.example"}])
    );
    assert_eq!(json!(manifest.provider_request()), json!({"acme": {"family": "f", "supportsStreamingUsage": false}}));
}

// MAN-156, MAN-159, MAN-162
#[test]
fn onboarding_choices_and_evidence_keep_their_extras() {
    let choice = |priority: Value, featured: Value| json!({"provider": "p", "method": "m", "choiceId": "c", "assistantPriority": priority, "onboardingFeatured": featured});
    let evidence = json!({"type": "local-file-with-env", "fileEnvVar": "F", "fallbackPaths": ["${HOME}/a"], "credentialMarker": "k",
        "requiresAnyEnv": ["A"], "requiresAllEnv": ["B", "C"], "source": "s"});
    let manifest = parse(json!({
        "providerAuthChoices": [choice(json!(-1.5), json!(true)), choice(json!("2"), json!(false))],
        "setup": {"providers": [{"id": "p", "authEvidence": [evidence]}]},
    }));
    let choices = json!(manifest.provider_auth_choices);
    assert_eq!((&choices[0]["assistantPriority"], &choices[0]["onboardingFeatured"]), (&json!(-1.5), &json!(true)));
    assert_eq!((choices[1].get("assistantPriority"), choices[1].get("onboardingFeatured")), (None, None));
    assert_eq!(json!(manifest.setup)["providers"][0]["authEvidence"][0], evidence);
}

// MAN-147, MAN-148, MAN-149, MAN-151, MAN-153, MAN-154, MAN-155, MAN-157, MAN-158, MAN-160, MAN-161,
// MAN-164, MAN-165
#[test]
fn auth_and_setup() {
    let manifest = parse(json!({
        "providerAuthEnvVars": {"b": ["B"], "a": ["A", "A2"], "c": ["C"]},
        "channelEnvVars": {"irc": ["IRC"]},
        "providerAuthChoices": [
            {"provider": "p", "method": "m", "choiceId": "c", "groupId": "g", "assistantVisibility": "hidden",
             "onboardingScopes": ["text-inference", "cooking"], "deprecatedChoiceIds": ["o"], "onboardingFeatured": "yes"},
            {"provider": "p", "method": "m"}],
        "setup": {"requiresRuntime": false, "configMigrations": ["x"], "providers": [
            {"id": "c", "envVars": ["C"], "authEvidence": [
                {"type": "local-file-with-env", "credentialMarker": "k", "fallbackPaths": ["p"]},
                {"type": "local-file-with-env", "credentialMarker": "k"},
                {"type": "shell", "credentialMarker": "k", "fallbackPaths": ["p"]}]},
            {"id": "a", "envVars": ["A"]}, {"envVars": ["Z"]}]},
    }));
    assert_eq!(manifest.unmirrored_env_providers(), ["a", "b"]);
    assert_eq!(manifest.compat_codes(), ["channel-env-vars", "provider-auth-env-vars"]);
    assert_eq!(
        json!(manifest.provider_auth_choices),
        json!([{"provider": "p", "method": "m", "choiceId": "c", "groupId": "g",
            "deprecatedChoiceIds": ["o"], "onboardingScopes": ["text-inference"]}])
    );
    assert_eq!(manifest.provider_auth_choices[0].label(), "c");
    assert_eq!(manifest.setup_runtime(), crate::SetupRuntime::Forbidden);
    assert_eq!(
        json!(manifest.setup),
        json!({"requiresRuntime": false, "configMigrations": ["x"], "providers": [
            {"id": "c", "envVars": ["C"], "authEvidence": [
                {"type": "local-file-with-env", "fallbackPaths": ["p"], "credentialMarker": "k"}]},
            {"id": "a", "envVars": ["A"]}]})
    );
    assert_eq!(parse(json!({"setup": {}})).setup, None);
}

// MAN-168, MAN-170, MAN-171, MAN-172
#[test]
fn activation_hints_and_codes() {
    let manifest = parse(json!({"activation": {
        "onStartup": false, "onProviders": ["p"], "onAgentHarnesses": ["h"], "onCommands": ["c"],
        "onChannels": ["x"], "onRoutes": ["/r"], "onConfigPaths": ["a.b"], "onCapabilities": ["tool", "voice"],
    }}));
    assert_eq!(manifest.activation.on_startup, Some(false));
    assert_eq!(json!(manifest.activation.on_capabilities), json!(["tool"]));
    assert_eq!(
        manifest.compat_codes(),
        [
            "activation-agent-harness-hint",
            "activation-capability-hint",
            "activation-channel-hint",
            "activation-command-hint",
            "activation-config-path-hint",
            "activation-provider-hint",
            "activation-route-hint"
        ]
    );
    assert_eq!(manifest.activation.hint_names().len(), 7);
}

// MAN-183, MAN-241: a `runtime` object is nothing that JSON can carry.
#[test]
fn channel_configs_keep_hints_and_texts() {
    let manifest = parse(json!({"channelConfigs": {"irc": {"schema": {}, "uiHints": {"nick": {"label": "Nick"}}, "label": " IRC ",
        "description": "d", "preferOver": ["old", 1], "runtime": {"safeParse": "function"}}}}));
    assert_eq!(
        json!(manifest.channel_configs),
        json!({"irc": {"schema": {}, "uiHints": {"nick": {"label": "Nick"}}, "label": "IRC", "description": "d", "preferOver": ["old"]}})
    );
}

// MAN-078, MAN-180, MAN-184, MAN-188, MAN-189, MAN-190, MAN-239
#[test]
fn channel_configs_and_config_contracts() {
    let manifest = parse(json!({
        "kind": "channel", "channels": ["irc", "xmpp"],
        "channelConfigs": {"irc": {"schema": {"type": "object"}, "label": " IRC ", "preferOver": ["old"],
            "commands": {"nativeCommandsAutoEnabled": true, "nativeSkillsAutoEnabled": 1}}, "xmpp": {"label": "no schema"}},
        "configContracts": {"compatibilityRuntimePaths": ["r"],
            "dangerousFlags": [{"path": "a", "equals": null}, {"path": "b", "equals": []}, {"path": "c"}],
            "secretInputs": {"bundledDefaultEnabled": false, "paths": [{"path": "k", "expected": "string"}, {"path": "l", "expected": "n"}, {}]}},
    }));
    assert_eq!(manifest.channels_without_config(), ["xmpp"]);
    assert_eq!(
        json!(manifest.channel_configs),
        json!({"irc": {"schema": {"type": "object"}, "label": "IRC", "preferOver": ["old"],
            "commands": {"nativeCommandsAutoEnabled": true}}})
    );
    assert_eq!(
        json!(manifest.config_contracts),
        json!({"compatibilityRuntimePaths": ["r"], "dangerousFlags": [{"path": "a", "equals": null}],
            "secretInputs": {"bundledDefaultEnabled": false, "paths": [{"path": "k", "expected": "string"}, {"path": "l"}]}})
    );
    assert!(manifest.notices()[0].message.contains("kind `channel` has no effect"));
    let dropped = parse(json!({"configContracts": {"secretInputs": {"paths": []}}}));
    assert_eq!(dropped.config_contracts, None);
}

// API-118, MAN-114, MAN-115
#[test]
fn what_has_signals_is_there_while_one_of_them_holds() {
    let holds = |metadata: Value, config: Value| {
        let manifest = parse(json!({"toolMetadata": {"t": metadata}}));
        let known = |name: &str| name == "SET";
        manifest.tool_metadata.get("t").is_none_or(|tool| tool.signals.holds(&config, &known, &|provider| provider == "p"))
    };
    let config = json!({"a": {"key": "x", "env": {"source": "env", "id": "SET"}, "none": {"source": "env", "id": "UNSET"}}});
    let signal = |path: &str| json!({"configSignals": [{"rootPath": "a", "required": [path]}]});
    let at = |url: &str| json!({"models": {"providers": {"p": {"baseUrl": url}}}});
    let guarded = json!({"authSignals": [{"provider": "p", "providerBaseUrl": {"provider": "p", "allowedBaseUrls": ["https://x/v1"]}}]});
    for (metadata, config, want) in [
        (json!({"optional": true}), json!({}), true),
        (signal("key"), config.clone(), true),
        (signal("env"), config.clone(), true),
        (signal("none"), config.clone(), false),
        (signal("key"), json!({}), false),
        (json!({"authProviders": ["p"]}), json!({}), true),
        (json!({"aliases": ["p"]}), json!({}), true),
        (json!({"authProviders": ["q"]}), json!({}), false),
        (json!({"authProviders": ["p"], "authSignals": [{"provider": "q"}]}), json!({}), false),
        (guarded.clone(), at("https://x/v1/"), true),
        (guarded.clone(), at("https://y/v1"), false),
        (guarded, json!({}), false),
    ] {
        assert_eq!(holds(metadata.clone(), config), want, "{metadata}");
    }
}
