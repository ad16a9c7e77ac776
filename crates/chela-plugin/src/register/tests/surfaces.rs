//! Gateway methods, HTTP routes, CLI registrars.

use super::*;

// API-058, API-101, API-169..173
#[test]
fn gateway_methods_and_their_scopes() {
    let mut world = World::new();
    world.inputs.core_method_names = ["health".to_string()].into();
    let call = |name: &str, options: Value| ("registerGatewayMethod", json!([name, f(1), options]));
    let calls = [
        call(" my.read ", json!({"scope": "operator.read"})),
        call("my.any", json!(null)),
        call("config.x", json!({"scope": "operator.read"})),
        call("update.x", json!({})),
        call("wizard.x", json!({"scope": "operator.admin"})),
        call("health", json!({})),
    ];
    let registry = world.plugin("p", &calls).build();
    assert_eq!(
        said(&registry),
        [
            "warn gateway method scope coerced to operator.admin for reserved core namespace: config.x",
            "error gateway method already registered: health"
        ]
    );
    let scopes: Vec<_> = registry.gateway_methods.iter().map(|m| (m.name.as_str(), m.scope.as_str())).collect();
    let admin = ADMIN_SCOPE;
    assert_eq!(scopes, [("my.read", "operator.read"), ("my.any", admin), ("config.x", admin), ("update.x", admin), ("wizard.x", admin)]);
    for (held, required, expected) in [
        ("operator.write", "operator.read", true),
        ("operator.read", "operator.write", false),
        ("operator.admin", "operator.pairing", true),
        ("operator.write", "operator.approvals", false),
    ] {
        assert_eq!(scopes_satisfy(&[held.to_string()], required), expected, "{held} {required}");
    }
}

// API-149, API-150, API-151, API-152, API-153, API-154
#[test]
fn routes_overlap_and_match_in_order() {
    let route = |path: &str, auth: &str, matching: &str, handle: u64| {
        ("registerHttpRoute", object(json!({"path": path, "auth": auth, "match": matching, "handler": f(handle)})))
    };
    let calls = [
        route("hooks", "plugin", "prefix", 1),
        route("/hooks/a", "plugin", "exact", 2),
        route("/Hooks/A/deep", "plugin", "prefix", 3),
        route("/hooks/b", "gateway", "exact", 4),
        route("/hooksx", "gateway", "exact", 5),
        route("/hooks/a", "plugin", "exact", 6),
    ];
    let registry = World::new().plugin("p", &calls).build();
    assert_eq!(
        said(&registry),
        ["error http route overlap rejected: /hooks/b (exact, gateway) overlaps /hooks (prefix, plugin) owned by p (/p/p/index.js)"]
    );
    let order = |path: &str| registry.routes.matching(path).iter().map(|r| r.handler.handle).collect::<Vec<_>>();
    assert_eq!(order("/hooks/a"), [6, 1]);
    assert_eq!(order("/HOOKS/a/deep/x?y=1"), [3, 1]);
    assert_eq!(order("/hooks%2Fa"), [6, 1]);
    assert_eq!(order("/x/../hooks/a"), [6, 1]);
    assert_eq!(order("/hookszz"), [] as [u64; 0]);
}

// API-100
#[test]
fn a_route_without_auth_asks_for_the_gateways_credentials_unless_strict() {
    let calls = [
        ("registerHttpRoute", object(json!({"path": "/a", "handler": f(1)}))),
        ("registerHttpRoute", object(json!({"path": "/b", "auth": "none", "handler": f(2)}))),
    ];
    let refused = |path: &str| format!("error http route registration missing or invalid auth: {path}");
    assert_eq!(alone(&calls), [refused("/a"), refused("/b")]);
    let mut world = World::new();
    world.inputs.strict = false;
    let registry = world.plugin("p", &calls).build();
    assert_eq!(
        registry.routes.all().iter().map(|route| (route.path.as_str(), route.auth)).collect::<Vec<_>>(),
        [("/a", RouteAuth::Gateway)]
    );
    assert_eq!((registry.notices[0].code.as_str(), registry.diagnostics.len()), ("http-route-auth", 1));
}

// API-008
#[test]
fn an_asynchronous_register_is_refused_where_the_config_is_strict() {
    let calls = [("registerService", json!([{"id": "a", "start": f(1)}])), ("asyncRegister", json!([]))];
    assert_eq!(alone(&calls), ["error plugin failed during register: plugin register must be synchronous"]);
    let mut world = World::new();
    world.inputs.strict = false;
    let registry = world.plugin("p", &calls).build();
    assert!(registry.notices.iter().any(|notice| notice.code == "async-register"));
    assert_eq!((registry.services.len(), registry.diagnostics.len()), (1, 0));
}

// API-167
#[test]
fn the_old_http_handler_is_a_catch_all_unless_strict() {
    let calls =
        [("registerHttpHandler", json!([f(1)])), ("registerHttpRoute", object(json!({"path": "/a", "auth": "gateway", "handler": f(2)})))];
    assert_eq!(alone(&calls), ["error plugin failed during register: api.registerHttpHandler is not a function"]);
    let mut world = World::new();
    world.inputs.strict = false;
    let registry = world.plugin("p", &calls).build();
    assert!(registry.diagnostics.is_empty());
    assert_eq!(registry.notices[0].code, "http-handler");
    assert_eq!(registry.routes.matching("/a").iter().map(|r| r.handler.handle).collect::<Vec<_>>(), [2, 1]);
}

// API-059, API-060, API-176, API-177, API-181
#[test]
fn cli_registrars_name_their_commands() {
    let mut world = World::new();
    world.inputs.builtin_cli_names = ["status".to_string()].into();
    let calls = [
        (
            "registerCli",
            json!([f(1), {"commands": ["one"], "descriptors": [{"name": "two", "description": "\u{1b}[1mTwo", "hasSubcommands": true}, {"name": "bare", "description": " "}]}]),
        ),
        ("registerCli", json!([f(2), {"commands": ["bad name", "three"]}])),
        ("registerCli", json!([f(3), {"commands": ["four"], "parentPath": ["ok", "-x"]}])),
        ("registerCli", json!([f(4), {"commands": ["two"]}])),
        ("registerCli", json!([f(5), {"commands": ["status"]}])),
        ("registerNodeCliFeature", json!([f(6), {"commands": ["two"]}])),
    ];
    let registry = world.plugin("p", &calls).build();
    assert_eq!(
        said(&registry),
        [
            "error invalid cli command name: \"bad name\"",
            "error invalid cli command name: \"-x\"",
            "error cli command already registered: two (p)",
            "warn cli command is never reached because a built-in command has its name: status",
        ]
    );
    let first = registry.cli_command(&["two"]).unwrap();
    assert_eq!(first.paths(), ["one", "two"]);
    assert_eq!(first.descriptors, [CliDescriptor { name: "two".into(), description: "Two".into(), has_subcommands: true }]);
    assert_eq!(registry.cli_command(&["nodes", "two"]).map(|e| e.registrar.handle), Some(6));
    assert!(registry.cli_command(&["ok", "four"]).is_none());
}
