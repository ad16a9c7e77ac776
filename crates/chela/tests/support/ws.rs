//! A client that asks one thing after another.

use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::PATIENCE;

/// A connection that has said hello.
pub struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    next: u64,
}

impl Client {
    pub async fn connect(port: u16, token: &str) -> Self {
        Self::connect_as(port, token, &["operator.admin"]).await
    }

    /// With these scopes only.
    pub async fn connect_as(port: u16, token: &str, scopes: &[&str]) -> Self {
        let (socket, _) = tokio_tungstenite::connect_async(format!("ws://127.0.0.1:{port}/")).await.unwrap();
        let mut client = Self { socket, next: 0 };
        let hello = json!({
            "minProtocol": 4, "maxProtocol": 4, "auth": {"token": token}, "role": "operator", "scopes": scopes,
            "client": {"id": "gateway-client", "version": "1", "platform": "linux", "mode": "backend"},
        });
        client.call("connect", hello).await;
        client
    }

    /// The payload of a method that must succeed.
    pub async fn call(&mut self, method: &str, params: Value) -> Value {
        let frame = self.request(method, params, false).await;
        assert_eq!(frame["ok"], true, "{method}: {frame}");
        frame["payload"].clone()
    }

    /// The whole answer of a method, also an error.
    pub async fn ask(&mut self, method: &str, params: Value) -> Value {
        self.request(method, params, false).await
    }

    /// A whole turn in the main session; the texts of its answer.
    pub async fn turn(&mut self, message: &str) -> String {
        let params =
            json!({"message": message, "sessionKey": "agent:main:main", "idempotencyKey": format!("turn-{}", self.next), "deliver": false});
        let frame = self.request("agent", params, true).await;
        assert_eq!((&frame["ok"], &frame["payload"]["status"]), (&json!(true), &json!("ok")), "{message}: {frame}");
        let payloads = frame["payload"]["result"]["payloads"].as_array().cloned().unwrap_or_default();
        payloads.iter().filter_map(|p| p["text"].as_str()).collect::<Vec<_>>().join("\n")
    }

    /// The row of a plugin in `plugins.list`.
    pub async fn plugin(&mut self, id: &str) -> Value {
        let list = self.call("plugins.list", json!({})).await;
        let rows = list["plugins"].as_array().cloned().unwrap_or_default();
        rows.into_iter().find(|row| row["id"] == id).unwrap_or_else(|| panic!("no plugin `{id}`: {list}"))
    }

    /// Waits until a plugin's row is as wanted.
    pub async fn plugin_until(&mut self, id: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let begun = std::time::Instant::now();
        loop {
            let row = self.plugin(id).await;
            if wanted(&row) {
                return row;
            }
            assert!(begun.elapsed() < PATIENCE, "`{id}` is not {what}: {row:#}");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }

    // With `last`, answers that only say that a run was accepted are passed over.
    async fn request(&mut self, method: &str, params: Value, last: bool) -> Value {
        self.next += 1;
        let id = self.next.to_string();
        let frame = json!({"type": "req", "id": id, "method": method, "params": params});
        self.socket.send(Message::text(frame.to_string())).await.unwrap();
        let answer = async {
            loop {
                let message = self.socket.next().await.expect("the connection ended").unwrap();
                let Message::Text(text) = message else { continue };
                let frame: Value = serde_json::from_str(&text).unwrap();
                let accepted = last && frame["payload"]["status"] == "accepted";
                if frame["type"] == "res" && frame["id"] == id.as_str() && !accepted {
                    return frame;
                }
            }
        };
        tokio::time::timeout(PATIENCE, answer).await.unwrap_or_else(|_| panic!("no answer to `{method}`"))
    }
}
