use serde_json::json;

use super::*;

fn parse(value: Value) -> PackageMeta {
    parse_package(value.to_string().as_bytes()).unwrap()
}

// MAN-192
#[test]
fn extensions_are_missing_empty_or_listed() {
    let cases = [
        (json!({}), EntryList::Missing),
        (json!({"extensions": "./a.js"}), EntryList::Missing),
        (json!({"extensions": []}), EntryList::Empty),
        (json!({"extensions": [" ", 3]}), EntryList::Empty),
        (json!({"extensions": [" ./a.js ", "", "./b.ts"]}), EntryList::Entries(vec!["./a.js".into(), "./b.ts".into()])),
    ];
    for (host, expected) in cases {
        assert_eq!(parse(json!({"openclaw": host})).extensions, expected);
    }
}

// MAN-198, MAN-199
#[test]
fn runtime_extensions_must_match() {
    let host = |runtime: Value| parse(json!({"openclaw": {"extensions": ["a", "b"], "runtimeExtensions": runtime}}));
    assert_eq!(host(json!([])).runtime_entries(), Ok([].as_slice()));
    assert_eq!(host(json!("x")).runtime_entries(), Ok([].as_slice()));
    assert_eq!(host(json!(["c", "d"])).runtime_entries().unwrap(), ["c", "d"]);
    assert_eq!(
        host(json!(["c"])).runtime_entries().unwrap_err(),
        "package.json openclaw.runtimeExtensions length (1) must match openclaw.extensions length (2)"
    );
    assert_eq!(
        host(json!(["c", " "])).runtime_entries().unwrap_err(),
        "package.json openclaw.runtimeExtensions[1] must be a non-empty string"
    );
}

// MAN-193, MAN-194
#[test]
fn id_hints() {
    let cases = [
        ("demo", "demo"),
        ("@scope/demo", "demo"),
        ("acme-provider", "acme"),
        ("@scope/acme-provider", "acme"),
        ("-provider", "-provider"),
    ];
    for (name, expected) in cases {
        assert_eq!(parse(json!({"name": name})).id_hint(), Some(expected));
    }
    assert_eq!(parse(json!({})).id_hint(), None);
}

// MAN-204, MAN-205, MAN-207, MAN-212, MAN-215, MAN-216, MAN-217, MAN-218, MAN-219, MAN-220, MAN-221
#[test]
fn metadata_fields() {
    let meta = parse(json!({
        "name": "p", "version": "1.0.0", "description": "d",
        "dependencies": {"a": "^1", "b": 3, " ": "x"}, "optionalDependencies": {"c": "*"},
        "openclaw": {
            "setupEntry": "./s.js", "runtimeSetupEntry": "./r.js",
            "install": {"npmSpec": "p", "defaultChoice": "floppy", "minHostVersion": 7, "allowInvalidConfigRecovery": true},
            "channel": {"id": "irc", "blurb": "b", "showConfigured": false, "exposure": {"setup": true},
                "configuredState": {"specifier": "./c.js", "exportName": "has"}, "persistedAuthState": {"specifier": "x"}},
            "startup": {"deferConfiguredChannelFullLoadUntilAfterListen": "true"},
            "compat": {"pluginApi": ">=1", "minGatewayVersion": "2026.1.1"},
            "hooks": ["./hooks"],
        },
    }));
    assert_eq!(meta.dependencies.keys().collect::<Vec<_>>(), ["a"]);
    assert_eq!(meta.optional_dependencies["c"], "*");
    assert_eq!(meta.setup_entry.as_deref(), Some("./s.js"));
    assert_eq!(meta.runtime_setup_entry.as_deref(), Some("./r.js"));
    assert_eq!(meta.install.default_choice, None);
    assert!(meta.install.allow_invalid_config_recovery);
    assert_eq!(meta.check_floor("2026.6.11", false), Err(FloorError::Invalid));
    let channel = meta.channel.as_ref().unwrap();
    assert_eq!(channel.exposure.configured, Some(false));
    assert_eq!(channel.exposure.setup, Some(true));
    assert_eq!(channel.configured_state.as_ref().unwrap().export_name, "has");
    assert_eq!(channel.persisted_auth_state, None);
    assert!(!meta.defer_channel_load_until_after_listen);
    assert_eq!(meta.compat_plugin_api.as_deref(), Some(">=1"));
    assert_eq!(meta.compat_min_gateway_version.as_deref(), Some("2026.1.1"));
    assert!(meta.is_hook_pack());
}

#[test]
fn bad_packages_are_errors() {
    assert_eq!(parse_package(b"[]"), Err(PackageError::NotAnObject));
    let error = parse_package(b"{,}").unwrap_err().to_string();
    assert!(error.starts_with("invalid package.json: "), "{error}");
}
