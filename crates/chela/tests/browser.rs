//! The web page in a real browser against the real gateway: sign-in, streaming, tools, plugins, reset, reload, stop.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failure is what a test is for

#[path = "support/cdp.rs"]
mod cdp;
mod support;

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::OnceLock;
use std::time::Duration;

use cdp::Page;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

/// Longest wait for anything on the page; far above what it takes, because test machines are busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// What plugins run on: these gateways get nothing of the environment with which one could be fetched.
static NODE: OnceLock<PathBuf> = OnceLock::new();

/// A gateway of its own, with nothing configured. It ends when this is dropped.
struct Gateway {
    url: String,
    process: Child,
    home: tempfile::TempDir,
    port: u16,
}

impl Gateway {
    async fn start() -> Self {
        Self::start_in(tempfile::tempdir().unwrap()).await
    }

    async fn start_in(home: tempfile::TempDir) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (process, url) = spawn(port, &home).await;
        Self { url, process, home, port }
    }

    /// Ends it with a kill and starts it again on the same state.
    async fn restart(&mut self) {
        self.process.kill().await.unwrap();
        (self.process, self.url) = spawn(self.port, &self.home).await;
    }
}

/// The program, with this home and nothing else of the environment.
fn program(home: &tempfile::TempDir, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chela"));
    command.args(args).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", home.path());
    command.env("OPENCLAW_STATE_DIR", home.path().join("state")).stdin(Stdio::null());
    if let Some(node) = NODE.get() {
        command.env("CHELA_NODE", node);
    }
    command
}

async fn spawn(port: u16, home: &tempfile::TempDir) -> (Child, String) {
    let mut process = program(home, &["gateway", "run", "--port", &port.to_string()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let (sender, mut lines) = mpsc::unbounded_channel();
    forward(process.stdout.take().unwrap(), sender.clone());
    forward(process.stderr.take().unwrap(), sender);
    let ready = async {
        let mut seen = Vec::new();
        while let Some(line) = lines.recv().await {
            if let Some(url) = page_url(&line, port) {
                return url;
            }
            seen.push(line);
        }
        panic!("the gateway ended without a ready line; it said:\n{}", seen.join("\n"));
    };
    let url = tokio::time::timeout(PATIENCE, ready).await.expect("no ready line in time");
    tokio::spawn(async move { while lines.recv().await.is_some() {} });
    (process, url)
}

fn forward(stream: impl AsyncRead + Unpin + Send + 'static, sender: mpsc::UnboundedSender<String>) {
    tokio::spawn(async move {
        let mut lines = BufReader::new(stream).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
}

/// The address in the ready line; a line without the token is not it.
fn page_url(line: &str, port: u16) -> Option<String> {
    let start = line.find("http://")?;
    let url = line[start..].split(|c: char| c.is_whitespace() || matches!(c, '"' | '`' | '\'' | '\u{1b}')).next()?;
    (url.contains(&format!(":{port}/")) && url.contains("#token=")).then(|| url.to_string())
}

fn picture(name: &str) -> PathBuf {
    let target = std::env::current_exe()
        .unwrap()
        .ancestors()
        .find(|dir| dir.ends_with("debug") || dir.ends_with("release"))
        .unwrap()
        .parent()
        .unwrap()
        .to_path_buf();
    target.join(format!("browser-{name}.png"))
}

async fn say(page: &mut Page, text: &str) {
    page.fill("#composer-input", text).await;
    page.enter().await;
}

/// Waits until nothing runs and the log shows `text` in the newest answer.
async fn answered(page: &mut Page, text: &str) {
    let newest = "[...document.querySelectorAll('[data-role=assistant]')].at(-1)";
    let idle = "document.querySelector('#stop').hidden && !document.querySelector('[data-role=live]')";
    page.until(&format!("{idle} && {newest}?.textContent.includes({})", serde_json::json!(text)), PATIENCE).await;
}

// GW-12, GW-28, GW-41, GW-42, GW-45
#[tokio::test(flavor = "multi_thread")]
async fn a_person_can_talk_use_tools_watch_plugins_and_come_back() {
    let Some(chromium) = cdp::chromium() else {
        assert!(std::env::var_os("CHELA_REQUIRE_BROWSER").is_none_or(|v| v != "1"), "CHELA_REQUIRE_BROWSER=1, and there is no Chromium");
        println!("no Chromium on this machine: the browser test is skipped");
        return;
    };
    let mut gateway = Gateway::start().await;
    let mut page = Page::launch(&chromium).await;
    page.scheme("light").await;

    first_visit(&mut page, &gateway).await;
    talk(&mut page).await;
    use_a_tool(&mut page).await;
    allow_a_command(&mut page, &gateway).await;
    stop_and_queue(&mut page).await;
    rename(&mut page).await;
    plugins(&mut page).await;
    come_back(&mut page, &mut gateway).await;
    reset(&mut page).await;
    another_conversation(&mut page).await;
    assert!(
        page.problems.iter().all(|p| p.contains("WebSocket connection") || p.contains("ERR_CONNECTION_REFUSED")),
        "{:?}",
        page.problems
    );
}

/// Two hooks that work, throw or run out of time as the message says.
const COUNTED: &str = "export default function register(api) {
  api.on('message_received', async ({ content }) => { if (content.includes('slow')) await new Promise(() => {}); }, { timeoutMs: 300 });
  api.on('before_prompt_build', ({ prompt }) => { if (prompt.endsWith('throw')) throw new Error('a test wants it'); });
}";

// HOOK-097, HOOK-104
#[tokio::test(flavor = "multi_thread")]
async fn the_page_and_the_command_line_tell_the_same_counts_of_hooks() {
    let Some(chromium) = cdp::chromium() else {
        println!("no Chromium on this machine: the browser test is skipped");
        return;
    };
    let node = match support::node().await {
        Ok(node) => node,
        Err(why) => return support::without_network(&why),
    };
    NODE.get_or_init(|| node);
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("counted");
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::create_dir_all(home.path().join("state")).unwrap();
    let manifest = serde_json::json!({"id": "counted", "activation": {"onStartup": true}, "configSchema": {"type": "object"}});
    std::fs::write(dir.join("openclaw.plugin.json"), manifest.to_string()).unwrap();
    let package = serde_json::json!({"name": "counted", "version": "1.0.0", "type": "module", "openclaw": {"extensions": ["./index.js"]}});
    std::fs::write(dir.join("package.json"), package.to_string()).unwrap();
    std::fs::write(dir.join("index.js"), COUNTED).unwrap();
    let entry = serde_json::json!({"enabled": true, "hooks": {"allowConversationAccess": true}});
    let config = serde_json::json!({"gateway": {"mode": "local"}, "plugins": {"load": {"paths": [dir]}, "entries": {"counted": entry}}});
    std::fs::write(home.path().join("state/openclaw.json"), config.to_string()).unwrap();
    let gateway = Gateway::start_in(home).await;
    let mut page = Page::launch(&chromium).await;
    page.open(&gateway.url).await;
    page.until("document.querySelector('#status')?.dataset.state === 'connected'", PATIENCE).await;
    for text in ["hello", "please throw", "be slow"] {
        say(&mut page, text).await;
        answered(&mut page, text).await;
    }
    // What was asked of the worker is counted when it has ended.
    let begun = std::time::Instant::now();
    let status = loop {
        let out = program(&gateway.home, &["status", "--json"]).output().await.unwrap();
        let status: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap_or_default();
        let rows = status["hooks"].as_array().cloned().unwrap_or_default();
        if rows.iter().any(|row| row["pluginId"] == "counted" && row["timeouts"] == 1) {
            break rows;
        }
        assert!(begun.elapsed() < 2 * PATIENCE, "{status} {}", String::from_utf8_lossy(&out.stderr));
    };
    let told: Vec<String> = ["before_prompt_build", "message_received"]
        .iter()
        .map(|hook| {
            let row = status.iter().find(|row| row["pluginId"] == "counted" && row["hook"] == *hook).unwrap();
            format!("{hook} {} {} {}", row["calls"], row["failures"], row["timeouts"])
        })
        .collect();
    assert_eq!(told, ["before_prompt_build 3 1 0", "message_received 3 1 1"]);
    page.click("#open-plugins").await;
    page.until("document.querySelector('[data-plugin=counted] table')", PATIENCE).await;
    let rows = "[...document.querySelectorAll('[data-plugin=counted] tbody tr')].map((row) => [...row.cells].slice(0, 4).map((cell) => cell.textContent).join(' ')).sort()";
    assert_eq!(page.eval(rows).await.unwrap(), serde_json::json!(told));
    let error = "[...document.querySelectorAll('[data-plugin=counted] tbody tr')].some((row) => row.cells[6].textContent.includes('a test wants it'))";
    assert_eq!(page.eval(error).await, Ok(true.into()));
}

/// Without the token the page asks for it; with the token in the address it signs in and hides it.
async fn first_visit(page: &mut Page, gateway: &Gateway) {
    let (plain, _) = gateway.url.split_once('#').unwrap();
    page.open(plain).await;
    page.until("!document.querySelector('#signin').hidden && document.querySelector('#secret').offsetParent", PATIENCE).await;
    page.screenshot(&picture("signin")).await;
    page.open("about:blank").await;
    page.open(&gateway.url).await;
    page.until("document.querySelector('#status')?.dataset.state === 'connected'", PATIENCE).await;
    page.until("document.querySelectorAll('#welcome .example').length === 2", PATIENCE).await;
    assert_eq!(page.eval("location.hash.includes('token')").await, Ok(false.into()));
    page.screenshot(&picture("welcome")).await;
}

/// An example message is answered by the embedded model, as it streams.
async fn talk(page: &mut Page) {
    page.click("#welcome .example").await;
    answered(page, "demonstration model").await;
    let parts = page.frames.iter().filter(|f| f.contains(r#""stream":"assistant""#) && f.contains(r#""delta""#)).count();
    assert!(parts > 1, "the answer came in {parts} part(s)");
    let markdown = "document.querySelector('[data-role=assistant] .markdown li code, [data-role=assistant] .markdown p code')";
    page.until(markdown, PATIENCE).await;
    page.screenshot(&picture("answer")).await;
    say(page, "<img src=x onerror=\"globalThis.hacked=1\"> **bold**").await;
    answered(page, "<img src=x").await;
    assert_eq!(page.eval("globalThis.hacked === undefined && !document.querySelector('#log img')").await, Ok(true.into()));
}

/// A tool call shows as a card with its arguments and its result.
async fn use_a_tool(page: &mut Page) {
    say(page, "/tool session_status {}").await;
    answered(page, "returned").await;
    page.until("document.querySelector('.tool[data-status=done] .tool-name')?.textContent === 'session_status'", PATIENCE).await;
    page.eval("document.querySelector('.tool').open = true").await.unwrap();
    page.until("document.querySelectorAll('.tool .code').length >= 2", PATIENCE).await;
    page.screenshot(&picture("tool")).await;
}

/// A command that must be confirmed waits for the buttons, runs after them, and its end is told.
async fn allow_a_command(page: &mut Page, gateway: &Gateway) {
    say(page, r#"/tool exec {"command": "touch said-yes", "ask": "always"}"#).await;
    page.until("document.querySelector('.approval pre')?.textContent === 'touch said-yes'", PATIENCE).await;
    assert_eq!(page.eval("document.querySelectorAll('.approval button').length").await, Ok(2.into()), "it is asked for each time");
    page.screenshot(&picture("approval")).await;
    assert!(!gateway.home.path().join(".openclaw/workspace/said-yes").exists());
    page.click(".approval [data-decision=allow-once]").await;
    page.until("document.querySelector('#approvals').hidden", PATIENCE).await;
    page.until("document.querySelector('#log').textContent.includes('was allowed and has run')", PATIENCE).await;
    page.until("document.querySelector('#stop').hidden && !document.querySelector('[data-role=live]')", PATIENCE).await;
    assert!(gateway.home.path().join(".openclaw/workspace/said-yes").exists());
}

/// A long answer can be stopped, and what was written meanwhile follows.
async fn stop_and_queue(page: &mut Page) {
    say(page, "wait [[sleep:60000]]").await;
    page.until("!document.querySelector('#stop').hidden", PATIENCE).await;
    say(page, "and then this").await;
    page.until("document.querySelectorAll('#queue li').length === 1", PATIENCE).await;
    page.click("#stop").await;
    page.until("document.querySelector('.stopped')", PATIENCE).await;
    answered(page, "and then this").await;
    assert_eq!(page.eval("document.querySelector('#queue').hidden").await, Ok(true.into()));
}

async fn rename(page: &mut Page) {
    page.click("#rename").await;
    page.until("document.querySelector('#dialog input')", PATIENCE).await;
    page.fill("#dialog input", "A walk").await;
    page.click("#dialog-ok").await;
    page.until("document.querySelector('#session-title').textContent === 'A walk'", PATIENCE).await;
}

/// The plugins view lists the embedded plugin.
async fn plugins(page: &mut Page) {
    page.click("#open-plugins").await;
    page.until("document.querySelector('[data-plugin=demo]')", PATIENCE).await;
    page.eval("document.querySelector('[data-plugin=demo]').open = true").await.unwrap();
    page.screenshot(&picture("plugins")).await;
    page.scheme("dark").await;
    page.screenshot(&picture("plugins-dark")).await;
    page.eval("history.back()").await.unwrap();
    page.until("!document.querySelector('#chat-view').hidden", PATIENCE).await;
    page.screenshot(&picture("dark")).await;
    page.size(390, 800).await;
    page.until("getComputedStyle(document.querySelector('.sidebar')).visibility === 'hidden'", PATIENCE).await;
    page.screenshot(&picture("narrow")).await;
    page.size(1200, 800).await;
    page.scheme("light").await;
}

/// A reload shows the same conversation. A kill in the middle of an answer loses no message, and the gateway knows the browser by
/// its device token afterwards.
async fn come_back(page: &mut Page, gateway: &mut Gateway) {
    // An answer that was stopped before its model was asked left nothing to show, so only what the person wrote is counted.
    let count =
        |n: usize| format!("document.querySelectorAll('[data-role=user]').length === {n} && !document.querySelector('[data-role=live]')");
    let before = page.eval("document.querySelectorAll('[data-role=user]').length").await.unwrap().as_u64().unwrap() as usize;
    page.command("Page.reload", serde_json::json!({})).await;
    page.until(&count(before), PATIENCE).await;
    page.until("document.querySelector('.tool[data-status=done]')", PATIENCE).await;
    say(page, "again [[sleep:60000]]").await;
    page.until("document.querySelector('[data-role=live]')", PATIENCE).await;
    gateway.restart().await;
    page.until("document.querySelector('#status').dataset.state === 'connected'", PATIENCE).await;
    page.until("document.querySelector('.problem')?.textContent.includes('interrupted')", PATIENCE).await;
    page.click(".problem button").await;
    page.until("!document.querySelector('.problem') && document.querySelector('[data-role=live]')", PATIENCE).await;
    page.click("#stop").await;
    page.until(&count(before + 2), PATIENCE).await;
    page.eval("sessionStorage.clear()").await.unwrap();
    page.command("Page.reload", serde_json::json!({})).await;
    page.until("document.querySelector('#status')?.dataset.state === 'connected'", PATIENCE).await;
    page.until(&count(before + 2), PATIENCE).await;
    say(page, "still there?").await;
    answered(page, "still there?").await;
}

async fn reset(page: &mut Page) {
    page.click("#reset").await;
    page.until("document.querySelector('#dialog').open", PATIENCE).await;
    page.click("#dialog-ok").await;
    page.until("document.querySelector('#welcome')", PATIENCE).await;
}

/// A second conversation: an image in it, a name from its first words, and its end.
async fn another_conversation(page: &mut Page) {
    page.click("#new-session").await;
    page.until("document.querySelectorAll('.session').length === 2 && document.querySelector('#welcome')", PATIENCE).await;
    page.eval(DROP_IMAGE).await.unwrap();
    page.until("document.querySelector('.thumb img')", PATIENCE).await;
    say(page, "look at this").await;
    answered(page, "I cannot look at the image").await;
    page.until("document.querySelector('[data-role=user] .picture img')?.naturalWidth === 30", PATIENCE).await;
    page.until("document.querySelector('#session-title').textContent === 'look at this'", PATIENCE).await;
    page.click("#delete").await;
    page.until("document.querySelector('#dialog').open", PATIENCE).await;
    page.click("#dialog-ok").await;
    page.until(
        "document.querySelectorAll('.session').length === 1 && document.querySelector('#session-title').textContent === 'A walk'",
        PATIENCE,
    )
    .await;
}

/// Drops a picture of 30 by 20 onto the conversation.
const DROP_IMAGE: &str = "(async () => {
    const canvas = new OffscreenCanvas(30, 20);
    canvas.getContext('2d').fillRect(0, 0, 20, 10);
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([await canvas.convertToBlob()], 'a.png', {type: 'image/png'}));
    document.querySelector('#chat-view').dispatchEvent(new DragEvent('drop', {dataTransfer, bubbles: true, cancelable: true}));
})()";
