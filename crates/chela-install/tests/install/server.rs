//! A web server with answers by path, which remembers what it was asked.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// One answer.
#[derive(Clone, Default)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

#[derive(Default)]
struct Board {
    replies: BTreeMap<String, Reply>,
    /// Path with query, and the `authorization` header.
    asked: Vec<(String, Option<String>)>,
}

/// A running server; its thread ends with the test's process.
#[derive(Clone)]
pub struct Server {
    board: Arc<Mutex<Board>>,
    /// Without a slash at its end.
    pub url: String,
}

impl Server {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self { board: Arc::default(), url: format!("http://{}", listener.local_addr().unwrap()) };
        let own = server.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let own = own.clone();
                std::thread::spawn(move || own.answer(&stream));
            }
        });
        server
    }

    /// Sets the answer of a path, with or without a query.
    pub fn put(&self, path: &str, status: u16, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.board.lock().unwrap().replies.insert(path.to_owned(), Reply { status, headers, body: body.into() });
    }

    /// What was asked so far, in order; forgotten afterwards.
    pub fn asked(&self) -> Vec<(String, Option<String>)> {
        std::mem::take(&mut self.board.lock().unwrap().asked)
    }

    fn answer(&self, stream: &TcpStream) {
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        if reader.read_line(&mut line).is_err() {
            return;
        }
        let (mut token, mut header) = (None, String::new());
        while reader.read_line(&mut header).is_ok_and(|n| n > 2) {
            if let Some(value) = header.to_ascii_lowercase().strip_prefix("authorization:") {
                token = Some(value.trim().to_owned());
            }
            header.clear();
        }
        let path = line.split(' ').nth(1).unwrap_or("/").to_owned();
        let mut board = self.board.lock().unwrap();
        board.asked.push((path.clone(), token));
        let bare = path.split('?').next().unwrap_or_default();
        let reply = board.replies.get(&path).or_else(|| board.replies.get(bare)).cloned();
        drop(board);
        let reply = reply.unwrap_or(Reply { status: 404, body: b"nothing here".to_vec(), ..Reply::default() });
        let mut head = format!("HTTP/1.1 {} X\r\nconnection: close\r\n", reply.status);
        if !reply.headers.iter().any(|(name, _)| name == "content-length") {
            head.push_str(&format!("content-length: {}\r\n", reply.body.len()));
        }
        for (name, value) in &reply.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        let mut out = stream;
        let _ = out.write_all(head.as_bytes()).and_then(|()| out.write_all(&reply.body));
    }
}
