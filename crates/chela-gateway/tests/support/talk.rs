//! The service behind the fixture `channel-talk`: a socket, one JSON object a line.
#![allow(dead_code)] // each test uses its part

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

const WAIT: Duration = Duration::from_secs(30);

/// Accepts the accounts of the channel.
pub struct Service {
    listener: TcpListener,
    pub port: u16,
}

impl Service {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        Self { listener, port }
    }

    /// The next account that connects.
    pub async fn accept(&self) -> Conversation {
        let (stream, _) = tokio::time::timeout(WAIT, self.listener.accept()).await.expect("no account connected").unwrap();
        Conversation::new(stream)
    }
}

/// One connected account.
pub struct Conversation {
    lines: Lines<BufReader<OwnedReadHalf>>,
    writer: OwnedWriteHalf,
    kept: Vec<Value>,
}

impl Conversation {
    fn new(stream: TcpStream) -> Self {
        let (reader, writer) = stream.into_split();
        Self { lines: BufReader::new(reader).lines(), writer, kept: Vec::new() }
    }

    pub async fn send(&mut self, line: Value) {
        self.writer.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    /// The next line with this member; others are kept.
    pub async fn line(&mut self, member: &str) -> Value {
        if let Some(at) = self.kept.iter().position(|l| l.get(member).is_some()) {
            return self.kept.remove(at);
        }
        loop {
            let read = tokio::time::timeout(WAIT, self.lines.next_line()).await;
            let line = read.unwrap_or_else(|_| panic!("no `{member}` came; kept: {:#?}", self.kept)).unwrap();
            let line: Value = serde_json::from_str(&line.unwrap_or_else(|| panic!("closed before `{member}`: {:#?}", self.kept))).unwrap();
            if line.get(member).is_some() {
                return line;
            }
            self.kept.push(line);
        }
    }

    /// Kept lines with this member.
    pub fn seen(&self, member: &str) -> Vec<&Value> {
        self.kept.iter().filter(|l| l.get(member).is_some()).collect()
    }

    /// Waits for the end of the connection.
    pub async fn closed(&mut self) {
        loop {
            match tokio::time::timeout(WAIT, self.lines.next_line()).await.expect("the account stayed connected") {
                Ok(Some(line)) => self.kept.push(serde_json::from_str(&line).unwrap()),
                Ok(None) | Err(_) => return,
            }
        }
    }
}
