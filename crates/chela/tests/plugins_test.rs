//! `chela plugins test`: fixtures in real workers, sound and faulty ones.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/home.rs"]
mod home;
mod support;

use std::path::Path;

use home::{Home, Out};
use serde_json::{Value, json};

fn fixture(id: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/plugins").join(id).canonicalize().unwrap().to_str().unwrap().to_owned()
}

/// Runs the command and says what it left in the directory for temporary files.
async fn tried(home: &Home, args: &[&str]) -> Out {
    let node = support::node().await.unwrap();
    let out = home.run_with(&[("CHELA_NODE", node.to_str().unwrap())], &[&["plugins", "test"][..], args].concat());
    let left: Vec<_> = std::fs::read_dir(home.path("tmp")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.is_empty(), "{left:?}");
    assert!(std::fs::read_dir(home.state()).unwrap().next().is_none(), "the author's own state is not touched");
    out
}

async fn report(home: &Home, args: &[&str]) -> (i32, Value) {
    let out = tried(home, &[args, &["--json"]].concat()).await;
    (out.code, serde_json::from_str(&out.stdout).unwrap_or_else(|error| panic!("{error}: {}{}", out.stdout, out.stderr)))
}

#[tokio::test]
async fn every_tool_and_every_hook_is_called_and_told() {
    let home = Home::new();
    let (code, hello) = report(&home, &[&fixture("hello-tool")]).await;
    assert_eq!((code, &hello["ok"], &hello["load"]["ok"]), (0, &json!(true), &json!(true)), "{hello}");
    assert_eq!(hello["registered"]["tools"], json!(["hello"]));
    let tools: Vec<&Value> = hello["calls"].as_array().unwrap().iter().filter(|call| call["kind"] == "tool").collect();
    assert_eq!(tools.iter().map(|call| call["validArguments"].as_bool().unwrap()).collect::<Vec<_>>(), [true, false]);
    assert_eq!(tools[0]["how"], "turn");
    assert_eq!(tools[0]["returned"]["content"][0]["text"], "Hello, trial!");
    assert!(tools[0]["ms"].as_f64().unwrap() > 0.0);

    let (code, all) = report(&home, &[&fixture("hook-recorder")]).await;
    assert_eq!(code, 0, "{all}");
    let hooks: Vec<&Value> = all["calls"].as_array().unwrap().iter().filter(|call| call["kind"] == "hook").collect();
    assert_eq!(hooks.len(), 36, "each typed hook of the contract once");
    let how = |name: &str| hooks.iter().find(|call| call["name"] == name).unwrap()["how"].as_str().unwrap();
    assert_eq!(
        (how("before_prompt_build"), how("session_end"), how("gateway_start"), how("subagent_spawned")),
        ("turn", "turn", "start", "synthetic")
    );
    assert_eq!(all["calls"].as_array().unwrap().iter().filter(|call| call["kind"] == "internalHook").count(), 5);
}

#[tokio::test]
async fn what_fails_is_named_and_the_exit_code_says_so() {
    let home = Home::new();
    for (id, want) in [
        ("fault-throw", "it does not start: fault-throw: thrown in register (register)"),
        ("fault-hang", "hook `message_received` timedOut"),
        ("fault-exit", "its worker ended in the middle: its worker exited with code 3"),
        ("fault-reject", "fault-reject: nobody handles this"),
    ] {
        let (code, report) = report(&home, &[&fixture(id), "--timeout", "2"]).await;
        let failures = report["failures"].as_array().unwrap();
        assert!(code == 1 && failures.iter().any(|text| text.as_str().unwrap().contains(want)), "{id}: {report}");
    }
    let none = tried(&home, &[&home.path("tmp")]).await;
    assert!(none.code == 1 && none.stderr.contains("chela plugins new"), "{}", none.stderr);
}

#[tokio::test]
async fn a_script_says_with_what_to_call_and_what_must_come_of_it() {
    let home = Home::new();
    let script = home.path("script.json5");
    let write = |text: &str| std::fs::write(&script, text).unwrap();
    write("{turns: ['good morning'], tools: {hello: [{arguments: {name: 'Ann'}, contains: 'Hello, Ann!'}]}}");
    let (code, report_) = report(&home, &[&fixture("hello-tool"), "--script", &script]).await;
    assert_eq!(code, 0, "{report_}");
    assert_eq!(report_["turns"][0]["message"], "good morning");
    assert_eq!(report_["calls"].as_array().unwrap().iter().filter(|call| call["kind"] == "tool").count(), 1);

    write("{tools: {hello: [{arguments: {name: 'Ann'}, expect: 'error'}], nobody: []}}");
    let (code, report_) = report(&home, &[&fixture("hello-tool"), "--script", &script]).await;
    assert_eq!(code, 1);
    let failures = report_["failures"].to_string();
    assert!(
        failures.contains("tool `hello` was to end with Error") && failures.contains("`nobody`, which is not registered"),
        "{failures}"
    );

    write("{nonsense: 1}");
    let out = tried(&home, &[&fixture("hello-tool"), "--script", &script]).await;
    assert!(out.code == 1 && out.stderr.contains("unknown field `nonsense`"), "{}", out.stderr);
}

#[tokio::test]
async fn the_world_outside_is_replaced_and_what_leaks_or_is_lacking_is_told() {
    let home = Home::new();
    let script = home.path("script.json5");
    let write = |text: &str| std::fs::write(&script, text).unwrap();
    write(
        "{outside: [{method: 'POST', url: 'api.example.com/v1/items', body: 'crab', status: 201, json: {id: 7}},\
           {url: '/^other\\\\.example\\\\.com/', text: 'other'}], cli: [['outside', 'leave']], skipTools: ['swallow']}",
    );
    let args = [&fixture("outside-caller")[..], "--script", &script];
    let (code, seen) = report(&home, &args).await;
    let calls = seen["calls"].as_array().unwrap();
    let of = |kind: &str| calls.iter().filter(|call| call["kind"] == kind).collect::<Vec<_>>();
    let answer: Value = serde_json::from_str(of("tool")[0]["returned"]["content"][0]["text"].as_str().unwrap()).unwrap();
    // The address is of the public network, or guards of plugins would refuse it.
    assert_eq!(
        answer,
        json!({"posted": {"id": 7}, "other": "200 other", "local": 503, "mine": "own", "address": "93.184.215.14"}),
        "{seen}"
    );
    let asked = seen["asked"].as_array().unwrap();
    assert_eq!(asked[0], json!({"method": "POST", "url": "api.example.com/v1/items?limit=1", "status": 201, "known": true}));
    let routes: Vec<&Value> = of("httpRoute");
    assert_eq!((&routes[0]["name"], &routes[0]["returned"]["status"]), (&json!("GET /outside/status"), &json!(200)));
    assert_eq!(routes[1]["outcome"], "threw");
    let cli = of("cli");
    assert_eq!((&cli[0]["name"], &cli[0]["returned"]["exitCode"]), (&json!("outside --help"), &json!(0)));
    assert_eq!(cli[1]["returned"]["exitCode"], 4);
    assert_eq!((code, &seen["failures"]), (1, &json!(["httpRoute `POST /outside/status` threw: nobody posts here"])));
    assert_eq!(seen["notCalled"], json!(["tool `swallow`: the script skips it"]));

    write("{config: {leak: true}, skipTools: ['ask_outside']}");
    let (_, seen) = report(&home, &args).await;
    let failures = seen["failures"].to_string();
    assert!(failures.contains("hook `subagent_ended` leaks: 25 calls left 25 more"), "{failures}");
    assert!(failures.contains("something is lacking: ") && failures.contains("`runtime.imaginary` is not built yet"), "{failures}");
}

/// A plugin that is written to a directory of its own.
fn written(home: &Home, id: &str, entry: &str, code: &str) -> String {
    let dir = home.path(id);
    std::fs::create_dir_all(&dir).unwrap();
    let write = |name: &str, text: &str| std::fs::write(Path::new(&dir).join(name), text).unwrap();
    write("openclaw.plugin.json", &json!({"id": id, "configSchema": {"type": "object", "properties": {}}}).to_string());
    write("package.json", &json!({"name": id, "version": "1.0.0", "openclaw": {"extensions": [entry]}}).to_string());
    write(entry.trim_start_matches("./"), code);
    dir
}

// API-099, API-167
#[tokio::test]
async fn what_older_releases_ran_runs_with_a_notice() {
    let home = Home::new();
    let body = "api.registerTool({name: 'old_tool', description: 'd', parameters: {type: 'object', properties: {}}, \
                execute: async () => ({content: [{type: 'text', text: 'fine'}]})});\
                api.registerHttpHandler(async (req, res) => {\
                if (!req.url.startsWith('/old')) return false; res.statusCode = 202; res.end('old'); return true; });";
    for (id, entry, code, shape) in [
        ("old-activate", "./index.cjs", format!("module.exports = {{ id: 'old-activate', activate(api) {{ {body} }} }};"), true),
        ("old-export", "./index.js", format!("exports.activate = function activate(api) {{ {body} }};"), true),
        ("old-function", "./index.ts", format!("export default function (api: any) {{ {body} }}"), false),
        ("old-nested", "./index.cjs", format!("exports.default = {{ default: {{ register(api) {{ {body} }} }} }};"), false),
    ] {
        let dir = written(&home, id, entry, &code);
        let script = home.path("script.json5");
        std::fs::write(&script, "{routes: [{method: 'GET', path: '/old/x'}]}").unwrap();
        let (code, seen) = report(&home, &[&dir, "--script", &script]).await;
        assert_eq!((code, &seen["failures"]), (0, &json!([])), "{id}: {seen}");
        let codes: Vec<&str> = seen["compatibility"].as_array().unwrap().iter().filter_map(|row| row["code"].as_str()).collect();
        assert!(codes.contains(&"undeclared-tools") && codes.contains(&"http-handler"), "{id}: {codes:?}");
        assert_eq!(codes.contains(&"plugin-activate-entrypoint-alias"), shape, "{id}: {codes:?}");
        let calls = seen["calls"].as_array().unwrap();
        assert!(calls.iter().any(|call| call["kind"] == "tool" && call["returned"]["content"][0]["text"] == "fine"), "{id}: {seen}");
        assert!(calls.iter().any(|call| call["name"] == "GET /old/x" && call["returned"]["status"] == 202), "{id}: {seen}");
    }
}

#[tokio::test]
async fn plugins_that_run_the_command_line_find_it() {
    let home = Home::new();
    let body = "export default function (api) { api.registerTool({name: 'run_it', description: 'd', parameters: {type: 'object', properties: {}},\
                execute: async () => { const { execFileSync } = await import('node:child_process');\
                const asked = await api.runtime.system.runCommandWithTimeout(['openclaw', 'config', 'file'], {timeoutMs: 20000});\
                return {content: [{type: 'text', text: execFileSync('openclaw', ['--version']) + asked.stdout}]}; }}); }";
    let dir = written(&home, "runs-it", "./index.mjs", body);
    let (code, seen) = report(&home, &[&dir]).await;
    assert_eq!((code, &seen["failures"]), (0, &json!([])), "{seen}");
    let calls = seen["calls"].as_array().unwrap();
    let text = calls.iter().find(|call| call["kind"] == "tool").unwrap()["returned"]["content"][0]["text"].as_str().unwrap();
    assert!(text.starts_with("chela ") && text.contains("state/openclaw.json"), "{text}");
}
