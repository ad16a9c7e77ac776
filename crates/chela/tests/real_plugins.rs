//! Plugins as their authors published them, in the real gateway: what they register, and that their hooks, tools, commands, routes
//! and methods run. The expected registrations were taken from the reference implementation, version 2026.5.12.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "helpers of a test fail the test")]

mod support;

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::{Value, json};
use support::gateway::{Gateway, TOKEN};
use support::npm;
use support::service::Service;
use support::ws::Client;
use support::{PATIENCE, node, until, without_network};

/// A published plugin, and what it registers.
struct Published {
    id: &'static str,
    package: &'static str,
    version: &'static str,
    /// Directory of the plugin in its package.
    inside: &'static str,
    dependencies: bool,
    shape: &'static str,
    /// Tools that it declares and registers.
    tools: &'static [&'static str],
    /// Tools that it registers and does not declare: the reference refuses them, here they run with a notice.
    undeclared: &'static [&'static str],
    /// One name for each handler.
    hooks: &'static [&'static str],
    services: &'static [&'static str],
    methods: &'static [&'static str],
    commands: &'static [&'static str],
    cli: &'static [&'static str],
    routes: u64,
    capabilities: &'static [(&'static str, &'static str)],
    /// What is registered and nothing uses yet.
    recorded: &'static [(&'static str, &'static str)],
}

const PLUGINS: &[Published] = &[
    Published {
        id: "openclaw-web-search",
        package: "@ollama/openclaw-web-search",
        version: "0.2.2",
        shape: "non-capability",
        undeclared: &["ollama_web_search", "ollama_web_fetch"],
        ..EMPTY
    },
    Published {
        id: "openclaw-avatar",
        package: "@projectavatar/openclaw-avatar",
        version: "2.2.0",
        // Hook-only in the reference, where its tools are refused.
        shape: "non-capability",
        undeclared: &["avatar_signal", "avatar_commands"],
        hooks: &["after_tool_call", "agent_end", "before_prompt_build", "before_tool_call", "message_received", "session_end"],
        ..EMPTY
    },
    Published {
        id: "claude-mem",
        package: "claude-mem",
        version: "13.25.3",
        inside: "openclaw",
        shape: "non-capability",
        hooks: &[
            "after_compaction",
            "agent_end",
            "before_agent_start",
            "before_prompt_build",
            "gateway_start",
            "message_received",
            "session_end",
            "session_start",
            "tool_result_persist",
        ],
        services: &["claude-mem-observation-feed"],
        commands: &["claude_mem_feed", "claude-mem-search", "claude-mem-recent", "claude-mem-timeline", "claude_mem_status"],
        ..EMPTY
    },
    Published {
        id: "oh-my-openclaw",
        package: "@mindfoldhq/oh-my-openclaw",
        version: "0.1.11",
        dependencies: true,
        shape: "non-capability",
        hooks: &["before_prompt_build", "before_prompt_build"],
        services: &["watchers"],
        commands: &["fb", "watchers"],
        cli: &["omo-init"],
        ..EMPTY
    },
    Published {
        id: "graphiti",
        package: "@robertogongora/graphiti",
        version: "0.6.2",
        dependencies: true,
        shape: "plain-capability",
        undeclared: &["graphiti_search", "graphiti_ingest"],
        hooks: &["after_tool_call", "session_start"],
        services: &["graphiti"],
        commands: &["graphiti"],
        cli: &["graphiti", "memory"],
        capabilities: &[("context-engine", "graphiti")],
        ..EMPTY
    },
    Published {
        id: "openclaw-linear",
        package: "@calltelemetry/openclaw-linear",
        version: "0.9.29",
        dependencies: true,
        shape: "plain-capability",
        hooks: &[
            "after_compaction",
            "agent_end",
            "before_prompt_build",
            "before_reset",
            "before_tool_call",
            "message_sending",
            "session_end",
            "session_start",
            "subagent_ended",
        ],
        services: &["linear-dispatch-monitor"],
        methods: &["dispatch.list", "dispatch.get", "dispatch.retry", "dispatch.escalate", "dispatch.cancel", "dispatch.stats"],
        commands: &["dispatch"],
        cli: &["openclaw-linear"],
        routes: 3,
        capabilities: &[("text-inference", "linear")],
        ..EMPTY
    },
    Published {
        id: "matrix",
        package: "@openclaw/matrix",
        version: "2026.5.12",
        dependencies: true,
        shape: "plain-capability",
        hooks: &["subagent_delivery_target", "subagent_ended", "subagent_spawning"],
        methods: &["matrix.verify.recoveryKey", "matrix.verify.bootstrap", "matrix.verify.status"],
        cli: &["matrix"],
        capabilities: &[("channel", "matrix")],
        recorded: &[("on", "subagent_spawning (nothing emits it yet)"), ("on", "subagent_delivery_target (nothing emits it yet)")],
        ..EMPTY
    },
];

/// Channel plugins: each registers its channel, and little else.
const CHANNELS: &[Published] = &[
    channel("bluebubbles", "@openclaw/bluebubbles", "2026.5.7", &[("channel", "bluebubbles")], &[]),
    Published {
        hooks: &["subagent_delivery_target", "subagent_ended"],
        ..channel("discord", "@openclaw/discord", "2026.6.11", &[("channel", "discord")], DISCORD_RECORDED)
    },
    channel("googlechat", "@openclaw/googlechat", "2026.6.11", &[("channel", "googlechat")], &[]),
    channel("msteams", "@openclaw/msteams", "2026.6.11", &[("channel", "msteams")], &[]),
    channel("nextcloud-talk", "@openclaw/nextcloud-talk", "2026.6.11", &[("channel", "nextcloud-talk")], &[]),
    Published { routes: 1, ..channel("nostr", "@openclaw/nostr", "2026.6.11", &[("channel", "nostr")], &[]) },
    channel("tlon", "@openclaw/tlon", "2026.6.11", &[("channel", "tlon")], &[]),
    channel("twitch", "@openclaw/twitch", "2026.6.11", &[("channel", "twitch")], &[]),
    channel("whatsapp", "@openclaw/whatsapp", "2026.6.1", &[("channel", "whatsapp")], &[]),
    channel("zalo", "@openclaw/zalo", "2026.6.11", &[("channel", "zalo")], &[]),
];

const DISCORD_RECORDED: Names = &[("on", "subagent_delivery_target (nothing emits it yet)")];

type Names = &'static [(&'static str, &'static str)];

const fn channel(id: &'static str, package: &'static str, version: &'static str, capabilities: Names, recorded: Names) -> Published {
    Published { id, package, version, dependencies: true, shape: "plain-capability", capabilities, recorded, ..EMPTY }
}

const EMPTY: Published = Published {
    id: "",
    package: "",
    version: "",
    inside: "",
    dependencies: false,
    shape: "",
    tools: &[],
    undeclared: &[],
    hooks: &[],
    services: &[],
    methods: &[],
    commands: &[],
    cli: &[],
    routes: 0,
    capabilities: &[],
    recorded: &[],
};

/// The packages with a digest of their files, or why they cannot be had.
fn fetch(plugins: &[Published]) -> Result<Vec<(PathBuf, String)>, String> {
    let packages = plugins.iter().map(|plugin| npm::package(plugin.package, plugin.version, plugin.dependencies));
    packages.map(|found| found.map(|dir| (dir.clone(), npm::fingerprint(&dir)))).collect()
}

fn graph(path: &str) -> Value {
    match path {
        "/search" => json!({"facts": [{"uuid": "f1", "name": "LIKES", "fact": "Ada likes crabs", "valid_at": null}]}),
        _ => json!({"status": "healthy", "success": true, "message": "ok"}),
    }
}

fn memory(_: &str) -> Value {
    json!({"status": "ok", "ok": true})
}

fn search(_: &str) -> Value {
    json!({"results": [{"title": "Crabs", "url": "https://example.org/crabs", "content": "All about crabs"}]})
}

fn config(dirs: &[(PathBuf, String)], memory: &Service, graph: &Service) -> Value {
    let paths: Vec<PathBuf> = PLUGINS.iter().zip(dirs).map(|(plugin, (dir, _))| dir.join(plugin.inside)).collect();
    let mut entries = json!({});
    for plugin in PLUGINS {
        entries[plugin.id] = json!({"enabled": true, "hooks": {"allowConversationAccess": true}});
    }
    entries["claude-mem"]["config"] = json!({"workerPort": memory.port});
    entries["graphiti"]["config"] = json!({"url": graph.url(), "debug": false});
    // The relay is never spoken to without a token; this makes sure.
    entries["openclaw-avatar"]["config"] = json!({"relayUrl": memory.url()});
    json!({
        "plugins": {"load": {"paths": paths}, "slots": {"memory": "claude-mem"}, "entries": entries},
        // A channel plugin starts when its channel is configured.
        "channels": {"matrix": {"enabled": true, "homeserver": memory.url(), "userId": "@a:b", "accessToken": "none"}},
    })
}

// INS-317, INS-323, INS-326
#[tokio::test(flavor = "multi_thread")]
async fn published_plugins_register_what_they_register_in_the_reference_and_run() {
    let packages = match tokio::task::spawn_blocking(|| fetch(PLUGINS)).await.unwrap() {
        Ok(packages) => packages,
        Err(why) => return without_network(&why),
    };
    let node = match node().await {
        Ok(node) => node,
        Err(why) => return without_network(&why),
    };
    let (mem, graphiti) = (Service::start(memory).await, Service::start(graph).await);
    let ollama = Service::at(11434, search).await;
    let gateway = Gateway::start(&node, config(&packages, &mem, &graphiti)).await;
    let mut client = gateway.client().await;

    let first = client.turn("hello").await;
    for plugin in PLUGINS {
        let row = client.plugin_until(plugin.id, "running", |row| row["state"] == "running").await;
        registered(plugin, &row);
        inspected(plugin, &client.call("plugins.inspect", json!({"id": plugin.id})).await);
    }
    // A hook of the avatar puts its sentence before the prompt, which the demonstration model repeats.
    assert!(first.contains("Call avatar_signal before each reply"), "{first}\n{}", gateway.log());

    tools(&mut client, ollama.as_ref(), &graphiti).await;
    conversation_memory(&mut client, &mem).await;
    commands_methods_and_routes(&mut client, &gateway).await;
    hooks_ran(&mut client).await;

    drop(gateway);
    for (dir, before) in &packages {
        assert_eq!(&npm::fingerprint(dir), before, "{} was changed", dir.display());
    }
}

// INS-317
#[tokio::test(flavor = "multi_thread")]
async fn published_channel_plugins_register_their_channels() {
    let packages = match tokio::task::spawn_blocking(|| fetch(CHANNELS)).await.unwrap() {
        Ok(packages) => packages,
        Err(why) => return without_network(&why),
    };
    let node = match node().await {
        Ok(node) => node,
        Err(why) => return without_network(&why),
    };
    let paths: Vec<&PathBuf> = packages.iter().map(|(dir, _)| dir).collect();
    let (mut entries, mut channels) = (json!({}), json!({}));
    for plugin in CHANNELS {
        entries[plugin.id] = json!({"enabled": true});
        channels[plugin.id] = json!({"enabled": true});
    }
    let config = json!({"plugins": {"load": {"paths": paths}, "entries": entries}, "channels": channels});
    let gateway = Gateway::start(&node, config).await;
    let mut client = gateway.client().await;
    client.turn("hello").await;
    for plugin in CHANNELS {
        let row = client.plugin_until(plugin.id, "running", |row| row["state"] == "running").await;
        registered(plugin, &row);
        inspected(plugin, &client.call("plugins.inspect", json!({"id": plugin.id})).await);
    }
    drop(gateway);
    for (dir, before) in &packages {
        assert_eq!(&npm::fingerprint(dir), before, "{} was changed", dir.display());
    }
}

/// `plugins.list` of the gateway.
fn registered(plugin: &Published, row: &Value) {
    let id = plugin.id;
    let own = &row["registered"];
    let tools: Vec<&str> = plugin.tools.iter().chain(plugin.undeclared).copied().collect();
    assert_eq!(own["tools"], json!(tools), "{id}: tools");
    assert_eq!(sorted(&own["hooks"]), plugin.hooks.iter().copied().collect::<BTreeSet<_>>(), "{id}: hooks");
    assert_eq!(own["services"], json!(plugin.services), "{id}: services");
    assert_eq!(own["methods"], json!(plugin.methods), "{id}: methods");
    assert_eq!(own["commands"], json!(plugin.commands), "{id}: commands");
    assert_eq!(own["routes"], json!(plugin.routes), "{id}: routes");
    let recorded: Vec<Value> = plugin.recorded.iter().map(|(method, name)| json!({"method": method, "id": name})).collect();
    assert_eq!(row["recordedOnly"], json!(recorded), "{id}: recorded only");
    assert_eq!(row["lane"], "node", "{id}");
    assert_eq!(row["restarts"], 0, "{id}");
}

fn sorted(list: &Value) -> BTreeSet<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// The keys of INS-317, in their order; `runtime` is this program's own.
const KEYS: [&str; 23] = [
    "workspaceDir",
    "plugin",
    "shape",
    "capabilityMode",
    "capabilityCount",
    "capabilities",
    "typedHooks",
    "customHooks",
    "tools",
    "commands",
    "cliCommands",
    "services",
    "gatewayDiscoveryServices",
    "gatewayMethods",
    "mcpServers",
    "lspServers",
    "httpRouteCount",
    "bundleCapabilities",
    "diagnostics",
    "policy",
    "usesLegacyBeforeAgentStart",
    "compatibility",
    "runtime",
];

/// `plugins.inspect`.
fn inspected(plugin: &Published, seen: &Value) {
    let id = plugin.id;
    // A plugin with skills has them listed too.
    let keys: Vec<&String> = seen.as_object().unwrap().keys().filter(|key| *key != "skills").collect();
    assert_eq!(keys, KEYS, "{id}");
    assert_eq!(seen["shape"], plugin.shape, "{id}");
    let capabilities: Vec<Value> = plugin.capabilities.iter().map(|(kind, name)| json!({"kind": kind, "ids": [name]})).collect();
    assert_eq!(seen["capabilities"], json!(capabilities), "{id}");
    let hooks: Vec<Value> = plugin.hooks.iter().map(|name| json!({"name": name})).collect();
    assert_eq!(seen["typedHooks"], json!(hooks), "{id}");
    assert_eq!(seen["customHooks"], json!([]), "{id}");
    assert_eq!(seen["commands"], json!(plugin.commands), "{id}");
    assert_eq!(seen["cliCommands"], json!(plugin.cli), "{id}");
    assert_eq!(seen["services"], json!(plugin.services), "{id}");
    assert_eq!(seen["gatewayMethods"], json!(plugin.methods), "{id}");
    assert_eq!(seen["httpRouteCount"], json!(plugin.routes), "{id}");
    assert_eq!(seen["usesLegacyBeforeAgentStart"], plugin.hooks.contains(&"before_agent_start"), "{id}");
    let row = &seen["plugin"];
    let wanted = json!([id, plugin.version_of_manifest_package(), "config", true, "loaded", true, "openclaw"]);
    let found = json!([row["id"], row["packageName"], row["origin"], row["enabled"], row["status"], row["imported"], row["format"]]);
    assert_eq!(found, wanted, "{row}");
    assert_eq!(row["hookCount"], plugin.hooks.len(), "{id}");
    let notices: Vec<&str> = seen["compatibility"].as_array().unwrap().iter().filter_map(|notice| notice["code"].as_str()).collect();
    assert_eq!(notices.contains(&"undeclared-tools"), !plugin.undeclared.is_empty(), "{id}: {notices:?}");
    assert_eq!(notices.contains(&"legacy-before-agent-start"), plugin.hooks.contains(&"before_agent_start"), "{id}: {notices:?}");
}

impl Published {
    // A plugin inside a package has a package name of its own.
    fn version_of_manifest_package(&self) -> &'static str {
        if self.inside.is_empty() { self.package } else { "@openclaw/claude-mem" }
    }
}

/// Tools, called by name through the demonstration model.
async fn tools(client: &mut Client, ollama: Option<&Service>, graph: &Service) {
    let answer = client.turn(r#"/tool ollama_web_search {"query": "crabs"}"#).await;
    match ollama {
        Some(service) => {
            assert!(answer.contains("https://example.org/crabs"), "{answer}");
            assert_eq!(service.asked("/api/experimental/web_search"), [json!({"query": "crabs", "max_results": 5})]);
        }
        None => assert!(answer.contains("`ollama_web_search` "), "{answer}"),
    }
    let answer = client.turn(r#"/tool ollama_web_search {}"#).await;
    assert!(answer.contains("`ollama_web_search` failed") && answer.contains("query parameter is required"), "{answer}");
    let answer = client.turn(r#"/tool avatar_signal {"emotion": "joy"}"#).await;
    assert!(answer.contains("`avatar_signal` returned:\nok"), "{answer}");
    let answer = client.turn(r#"/tool graphiti_search {"query": "Ada"}"#).await;
    assert!(answer.contains("Ada likes crabs"), "{answer}");
    assert_eq!(graph.asked("/search").last().unwrap()["query"], "Ada");
    // A factory's tool, whose name only its manifest tells.
    let answer = client.turn(r#"/tool linear_issues {"action": "read", "issueId": "X-1"}"#).await;
    assert!(answer.contains("No Linear access token configured"), "{answer}");
}

/// What the memory plugin tells its service in a turn with a tool.
async fn conversation_memory(client: &mut Client, service: &Service) {
    client.turn("remember this").await;
    let prompts = service.asked("/api/sessions/init");
    assert!(prompts.iter().any(|body| body["prompt"].as_str().is_some_and(|text| text.contains("hello"))), "{prompts:?}");
    assert!(!service.asked("/api/context/inject").is_empty());
    until("the memory plugin heard of the tool's result", || {
        service.asked("/api/sessions/observations").iter().any(|body| body["tool_name"] == "graphiti_search")
    })
    .await;
    until("the memory plugin heard of the end of a turn", || !service.asked("/api/sessions/summarize").is_empty()).await;
}

async fn commands_methods_and_routes(client: &mut Client, gateway: &Gateway) {
    let dispatches = client.call("dispatch.list", json!({})).await;
    assert_eq!(dispatches["active"], json!([]), "{dispatches}");
    let listed = client.call("commands.list", json!({})).await;
    let names: BTreeSet<&str> = listed["commands"].as_array().unwrap().iter().filter_map(|row| row["name"].as_str()).collect();
    for name in PLUGINS.iter().flat_map(|plugin| plugin.commands) {
        assert!(names.contains(name), "{name}: {names:?}");
    }
    let run = client.call("chat.send", json!({"sessionKey": "agent:main:main", "message": "/dispatch list", "idempotencyKey": "c1"})).await;
    assert_eq!(run["status"], "ok", "{run}");
    // The webhook of a plugin, which has a word of its own for a body that it does not know.
    let answer = http(gateway.port, "POST /linear/webhook", "{}").await;
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.ends_with("Missing type"), "{answer}");
}

async fn http(port: u16, line: &str, body: &str) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut socket = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let length = body.len();
    let request = format!(
        "{line} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nauthorization: Bearer {TOKEN}\r\nconnection: close\r\n\r\n{body}"
    );
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(PATIENCE, socket.read_to_string(&mut answer)).await.unwrap().unwrap();
    answer
}

/// Hooks that must have run by now, all without failures.
async fn hooks_ran(client: &mut Client) {
    let table: &[(&str, &[&str])] = &[
        ("openclaw-avatar", &["before_prompt_build", "before_tool_call", "after_tool_call", "agent_end"]),
        (
            "claude-mem",
            &["gateway_start", "session_start", "before_agent_start", "before_prompt_build", "tool_result_persist", "agent_end"],
        ),
        ("oh-my-openclaw", &["before_prompt_build"]),
        ("graphiti", &["session_start", "after_tool_call"]),
        ("openclaw-linear", &["session_start", "before_prompt_build", "before_tool_call", "agent_end"]),
    ];
    for (id, hooks) in table {
        let ran = |row: &Value, hook: &str| {
            row["hookStats"].as_array().unwrap().iter().any(|s| s["hook"] == hook && s["calls"].as_u64() > Some(0))
        };
        let row = client.plugin_until(id, &format!("through with {hooks:?}"), |row| hooks.iter().all(|hook| ran(row, hook))).await;
        let failed: Vec<&Value> =
            row["hookStats"].as_array().unwrap().iter().filter(|s| s["failures"] != 0 || s["timeouts"] != 0).collect();
        assert!(failed.is_empty(), "{id}: {failed:?}");
    }
}
