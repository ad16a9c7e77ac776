use serde_json::json;

use super::*;
use crate::load::load_text;
use crate::paths::StatePaths;

fn config_at(home: &str, value: &Value, vars: &[(&str, &str)]) -> Config {
    let env: Env = [("HOME", home)].into_iter().chain(vars.iter().copied()).collect();
    let paths = StatePaths::from_env(&env).unwrap();
    load_text(&paths, &env, Some(&value.to_string()), &Default::default()).unwrap()
}

fn config(value: Value, vars: &[(&str, &str)]) -> Config {
    config_at("/h", &value, vars)
}

// GW-01
#[test]
fn port_order() {
    let cases: &[(Option<u16>, &str, Value, u16)] = &[
        (Some(1), "2", json!(3), 1),
        (None, "2", json!(3), 2),
        (None, "127.0.0.1:2", json!(3), 2),
        (None, "[::1]:2", json!(3), 2),
        (None, "nonsense", json!(3), 3),
        (None, "99999", json!(3), 3),
        (None, "", json!(3), 3),
    ];
    for (cli, var, port, want) in cases {
        let c = config(json!({"gateway": {"port": port}}), &[("OPENCLAW_GATEWAY_PORT", var)]);
        assert_eq!(c.gateway_port(*cli).unwrap(), *want, "{var}");
    }
    assert_eq!(config(json!({}), &[]).gateway_port(None).unwrap(), 18789);
    assert!(config(json!({"gateway": {"port": 70000}}), &[]).gateway_port(None).unwrap_err().to_string().contains("gateway.port"));
}

// GW-128
#[test]
fn mode_must_be_local() {
    assert!(config(json!({"gateway": {"mode": "local"}}), &[]).check_gateway_mode(false).is_ok());
    for (value, part) in [(json!({}), "missing"), (json!({"gateway": {"mode": "remote"}}), "remote")] {
        let c = config(value, &[]);
        assert!(c.check_gateway_mode(false).unwrap_err().to_string().contains(part));
        assert!(c.check_gateway_mode(true).is_ok());
    }
    let mut fresh = config(json!({}), &[]);
    fresh.exists = false;
    assert!(fresh.check_gateway_mode(false).is_ok(), "a first start needs no file");
}

// GW-31
#[test]
fn auth_modes() {
    let token = ("OPENCLAW_GATEWAY_TOKEN", "env-t");
    let password = ("OPENCLAW_GATEWAY_PASSWORD", "env-p");
    let proxy = json!({"mode": "trusted-proxy", "trustedProxy": {"userHeader": "x-user"}});
    type Case<'a> = (Value, &'a [(&'a str, &'a str)], Result<(AuthMode, AuthModeSource, Option<&'a str>), &'a str>);
    let cases: &[Case<'_>] = &[
        (json!({}), &[], Ok((AuthMode::Token, AuthModeSource::Default, None))),
        (json!({"token": "c"}), &[token], Ok((AuthMode::Token, AuthModeSource::Token, Some("c")))),
        (json!({}), &[token], Ok((AuthMode::Token, AuthModeSource::Token, Some("env-t")))),
        (json!({}), &[password, token], Ok((AuthMode::Password, AuthModeSource::Password, Some("env-p")))),
        (json!({"mode": "token", "token": "c", "password": "p"}), &[], Ok((AuthMode::Token, AuthModeSource::Config, Some("c")))),
        (json!({"token": "c", "password": "p"}), &[], Err("gateway.auth.mode")),
        (json!({"mode": "password"}), &[], Err("gateway.auth.password")),
        (json!({"mode": "none"}), &[token], Ok((AuthMode::None, AuthModeSource::Config, None))),
        (json!({"token": "${GATE}"}), &[("GATE", "from-var")], Ok((AuthMode::Token, AuthModeSource::Token, Some("from-var")))),
        (json!({"token": "${GATE}"}), &[], Err("not set")),
        (json!({"token": {"source": "exec", "provider": "v", "id": "x"}}), &[], Err("not built yet")),
        (
            json!({"mode": "none", "token": {"source": "exec", "provider": "v", "id": "x"}}),
            &[],
            Ok((AuthMode::None, AuthModeSource::Config, None)),
        ),
        (json!({"token": "change-me-now"}), &[], Err("published example")),
        (json!({"token": "hook"}), &[], Err("hooks.token")),
        (proxy.clone(), &[token], Err("cannot be used")),
        (json!({"mode": "trusted-proxy"}), &[], Err("trustedProxy")),
        (proxy, &[], Err("gateway.trustedProxies")),
    ];
    for (auth, vars, want) in cases {
        let c = config(json!({"gateway": {"auth": auth}, "hooks": {"enabled": true, "token": "hook"}}), vars);
        match (c.gateway_auth(&AuthOverride::default()), want) {
            (Ok(got), Ok((mode, source, secret))) => {
                assert_eq!((got.mode, got.mode_source), (*mode, *source), "{auth}");
                assert_eq!(got.token.or(got.password).as_ref().map(Secret::expose), *secret, "{auth}");
            }
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{auth}: {error}"),
            (got, want) => panic!("{auth}: {got:?} {want:?}"),
        }
    }
    let cli = AuthOverride { mode: Some(AuthMode::Password), password: Some(Secret::new("cli")), token: None };
    let got = config(json!({"gateway": {"auth": {"token": "c"}}}), &[]).gateway_auth(&cli).unwrap();
    assert_eq!((got.mode, got.password.unwrap().expose()), (AuthMode::Password, "cli"));
}

// GW-31
#[test]
fn off_loopback_needs_auth() {
    let lan: IpAddr = "0.0.0.0".parse().unwrap();
    let local: IpAddr = "127.0.0.1".parse().unwrap();
    let origins = json!({"allowedOrigins": ["https://x"]});
    let check = |auth: Value, ui: Value, ip| {
        let c = config(json!({"gateway": {"auth": auth, "controlUi": ui}}), &[]);
        let auth = c.gateway_auth(&AuthOverride::default()).unwrap();
        c.check_listen(ip, &auth).map_err(|e| e.to_string())
    };
    assert!(check(json!({"mode": "none"}), origins.clone(), local).is_ok());
    assert!(check(json!({"mode": "none"}), origins.clone(), lan).unwrap_err().contains("without authentication"));
    assert!(check(json!({}), origins.clone(), lan).is_err(), "a token that does not exist yet protects nothing");
    assert!(check(json!({"token": "t"}), origins, lan).is_ok());
    assert!(check(json!({"token": "t"}), json!({}), lan).unwrap_err().contains("allowedOrigins"));
    assert!(check(json!({"token": "t"}), json!({"enabled": false}), lan).is_ok());
}

// GW-31: a start without any configuration
#[test]
fn a_token_is_made_once_and_kept() {
    use std::os::unix::fs::PermissionsExt;
    let tmp = tempfile::tempdir().unwrap();
    let c = config_at(tmp.path().to_str().unwrap(), &json!({}), &[]);
    let start = || {
        let mut auth = c.gateway_auth(&AuthOverride::default()).unwrap();
        let token = ensure_gateway_token(&c, &mut auth).unwrap().unwrap();
        assert_eq!(auth.token.as_ref(), Some(&token.token));
        token
    };
    let first = start();
    assert_eq!((first.source, first.token.expose().len()), (TokenSource::Generated, 48));
    assert_eq!(fs_err::metadata(&first.path).unwrap().permissions().mode() & 0o777, 0o600);
    let second = start();
    assert_eq!((second.source, &second.token), (TokenSource::Stored, &first.token));
    assert_eq!(stored_gateway_token(&c).unwrap(), Some(first.token));
    assert_eq!(fs_err::read_dir(first.path.parent().unwrap()).unwrap().count(), 1, "no temporary file stays");
    assert!(!c.path.exists(), "the user's configuration is not touched");
    let set = config(json!({"gateway": {"auth": {"token": "t"}}}), &[]);
    let mut auth = set.gateway_auth(&AuthOverride::default()).unwrap();
    assert_eq!(ensure_gateway_token(&set, &mut auth).unwrap().unwrap().source, TokenSource::Configured);
    let none = config(json!({"gateway": {"auth": {"mode": "none"}}}), &[]);
    let mut auth = none.gateway_auth(&AuthOverride::default()).unwrap();
    assert_eq!(ensure_gateway_token(&none, &mut auth).unwrap(), None);
}

#[test]
fn listen_addresses() {
    let c = config(json!({"gateway": {"bind": "custom"}}), &[]);
    let g = c.gateway();
    use crate::settings::BindMode::*;
    assert_eq!(g.listen_ip(Loopback).unwrap().to_string(), "127.0.0.1");
    assert_eq!(g.listen_ip(Lan).unwrap().to_string(), "0.0.0.0");
    assert!(g.listen_ip(Custom).unwrap_err().to_string().contains("customBindHost"));
    assert!(g.listen_ip(Tailnet).unwrap_err().to_string().contains("not built yet"));
    let c = config(json!({"gateway": {"bind": "custom", "customBindHost": "10.0.0.1"}}), &[]);
    assert_eq!(c.gateway().listen_ip(Custom).unwrap().to_string(), "10.0.0.1");
}
