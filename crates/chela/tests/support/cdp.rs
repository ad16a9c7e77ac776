//! A small client of the DevTools protocol: starts Chromium, opens one page, evaluates, types, takes pictures.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// Longest wait for the browser itself.
const BROWSER_WAIT: Duration = Duration::from_secs(60);
/// Time between two looks at the page.
const POLL: Duration = Duration::from_millis(50);

/// Chromium, if this machine has one.
pub fn chromium() -> Option<PathBuf> {
    let names = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
    names.into_iter().map(PathBuf::from).find(|path| path.exists())
}

/// A browser with one page. It ends when this is dropped.
pub struct Page {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    session: Option<String>,
    next: u64,
    /// What the page reported as wrong: exceptions, failed loads, refusals of its content policy.
    pub problems: Vec<String>,
    /// Texts that the page received over its WebSockets.
    pub frames: Vec<String>,
    _browser: Child,
    _profile: tempfile::TempDir,
}

impl Page {
    /// Starts a browser with a fresh profile and an empty page.
    pub async fn launch(program: &Path) -> Self {
        let profile = tempfile::tempdir().unwrap();
        let mut browser = Command::new(program)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"])
            .args(["--disable-component-update", "--disable-sync", "--remote-debugging-port=0"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let address = devtools_address(&mut browser).await;
        let (socket, _) = tokio_tungstenite::connect_async(address).await.unwrap();
        let mut page =
            Self { socket, session: None, next: 0, problems: Vec::new(), frames: Vec::new(), _browser: browser, _profile: profile };
        let target = page.command("Target.createTarget", json!({"url": "about:blank"})).await["targetId"].clone();
        let attached = page.command("Target.attachToTarget", json!({"targetId": target, "flatten": true})).await;
        page.session = attached["sessionId"].as_str().map(str::to_string);
        for domain in ["Page.enable", "Runtime.enable", "Log.enable", "Network.enable"] {
            page.command(domain, json!({})).await;
        }
        page.size(1200, 800).await;
        page
    }

    /// Sends a command and waits for its answer.
    pub async fn command(&mut self, method: &str, params: Value) -> Value {
        self.next += 1;
        let id = self.next;
        let mut frame = json!({"id": id, "method": method, "params": params});
        if let Some(session) = &self.session {
            frame["sessionId"] = session.clone().into();
        }
        self.socket.send(Message::text(frame.to_string())).await.unwrap();
        let answer = async {
            loop {
                let message = self.socket.next().await.expect("the browser ended").unwrap();
                let Message::Text(text) = message else { continue };
                let frame: Value = serde_json::from_str(&text).unwrap();
                if frame["id"] == id {
                    return frame;
                }
                if frame["method"] == "Network.webSocketFrameReceived" {
                    self.frames.extend(frame["params"]["response"]["payloadData"].as_str().map(str::to_string));
                }
                self.problems.extend(problem(&frame));
            }
        };
        let frame = tokio::time::timeout(BROWSER_WAIT, answer).await.unwrap_or_else(|_| panic!("`{method}` got no answer"));
        assert!(frame.get("error").is_none(), "`{method}` failed: {}", frame["error"]);
        frame["result"].clone()
    }

    /// Opens an address.
    pub async fn open(&mut self, url: &str) {
        self.command("Page.navigate", json!({"url": url})).await;
    }

    /// Sets the size of the page.
    pub async fn size(&mut self, width: u32, height: u32) {
        self.command(
            "Emulation.setDeviceMetricsOverride",
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false}),
        )
        .await;
    }

    /// Sets the colour scheme that the page sees: `light` or `dark`.
    pub async fn scheme(&mut self, name: &str) {
        self.command("Emulation.setEmulatedMedia", json!({"features": [{"name": "prefers-color-scheme", "value": name}]})).await;
    }

    /// Evaluates an expression; the error is the text of what it threw.
    pub async fn eval(&mut self, expression: &str) -> Result<Value, String> {
        let params = json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let answer = self.command("Runtime.evaluate", params).await;
        match answer.get("exceptionDetails") {
            Some(details) => Err(details["exception"]["description"].as_str().unwrap_or("it threw").to_string()),
            None => Ok(answer["result"]["value"].clone()),
        }
    }

    /// Waits until an expression is true in the sense of JavaScript, and returns its value.
    pub async fn until(&mut self, expression: &str, patience: Duration) -> Value {
        let begun = Instant::now();
        loop {
            let last = self.eval(&format!("({expression}) || null")).await;
            match last {
                Ok(value) if !value.is_null() => return value,
                last if begun.elapsed() > patience => {
                    let shown = self.eval("document.body.innerText").await.unwrap_or_default();
                    panic!(
                        "`{expression}` did not come true ({last:?}); the page reported {:?} and shows:\n{}",
                        self.problems,
                        shown.as_str().unwrap_or_default()
                    );
                }
                _ => tokio::time::sleep(POLL).await,
            }
        }
    }

    /// Clicks what a selector finds.
    pub async fn click(&mut self, selector: &str) {
        let expression = format!("document.querySelector({}).click()", json!(selector));
        self.eval(&expression).await.unwrap_or_else(|error| panic!("`{selector}`: {error}"));
    }

    /// Types into what a selector finds, as a person does.
    pub async fn fill(&mut self, selector: &str, text: &str) {
        let expression = format!("document.querySelector({}).focus()", json!(selector));
        self.eval(&expression).await.unwrap();
        self.command("Input.insertText", json!({"text": text})).await;
    }

    /// Presses Enter.
    pub async fn enter(&mut self) {
        for kind in ["keyDown", "keyUp"] {
            let mut params = json!({"type": kind, "key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13});
            if kind == "keyDown" {
                params["text"] = "\r".into();
            }
            self.command("Input.dispatchKeyEvent", params).await;
        }
    }

    /// Writes a picture of the page.
    pub async fn screenshot(&mut self, path: &Path) {
        let answer = self.command("Page.captureScreenshot", json!({"format": "png"})).await;
        let data = STANDARD.decode(answer["data"].as_str().unwrap()).unwrap();
        std::fs::write(path, data).unwrap();
    }
}

async fn devtools_address(browser: &mut Child) -> String {
    let mut lines = BufReader::new(browser.stderr.take().unwrap()).lines();
    let find = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if let Some(address) = line.strip_prefix("DevTools listening on ") {
                return address.trim().to_string();
            }
        }
        panic!("the browser ended before it listened");
    };
    let address = tokio::time::timeout(BROWSER_WAIT, find).await.expect("the browser did not start in time");
    // The pipe must stay open and empty, or the browser blocks on its own log.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    address
}

fn problem(frame: &Value) -> Option<String> {
    match frame["method"].as_str()? {
        "Runtime.exceptionThrown" => {
            Some(frame["params"]["exceptionDetails"]["exception"]["description"].as_str().unwrap_or("exception").to_string())
        }
        "Log.entryAdded" if frame["params"]["entry"]["level"] == "error" => Some(frame["params"]["entry"]["text"].to_string()),
        _ => None,
    }
}
