//! A small HTTP service in place of one that a plugin expects outside. It answers JSON and writes down what it was asked.

use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// The answer to a path.
pub type Answers = fn(path: &str) -> Value;

/// It answers as long as the test's runtime lives.
#[derive(Clone)]
pub struct Service {
    pub port: u16,
    seen: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Service {
    /// At a free port.
    pub async fn start(answers: Answers) -> Self {
        Self::at(0, answers).await.unwrap()
    }

    /// At a port that a plugin insists on; `None` when something else has it.
    pub async fn at(port: u16, answers: Answers) -> Option<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.ok()?;
        let service = Self { port: listener.local_addr().unwrap().port(), seen: Arc::default() };
        let seen = service.seen.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket, answers, seen.clone()));
            }
        });
        Some(service)
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Bodies of the requests for a path so far.
    pub fn asked(&self, path: &str) -> Vec<Value> {
        let seen = self.seen.lock().unwrap();
        seen.iter().filter(|(asked, _)| asked.split('?').next() == Some(path)).map(|(_, body)| body.clone()).collect()
    }
}

async fn serve(socket: TcpStream, answers: Answers, seen: Arc<Mutex<Vec<(String, Value)>>>) -> Option<()> {
    let mut stream = BufReader::new(socket);
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut length = 0;
    loop {
        line.clear();
        stream.read_line(&mut line).await.ok()?;
        let header = line.trim_end();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    let answer = answers(path.split('?').next().unwrap_or_default()).to_string();
    seen.lock().unwrap().push((path, serde_json::from_slice(&body).unwrap_or_default()));
    let head =
        format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", answer.len());
    stream.write_all(format!("{head}{answer}").as_bytes()).await.ok()
}
