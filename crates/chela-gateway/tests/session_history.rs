//! The history of a session over HTTP: pages, and a stream that follows it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/live.rs"]
mod live;

use std::time::Duration;

use live::{Home, Live, TOKEN, text};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

const KEY: &str = "agent:main:read";
const PATH: &str = "/sessions/agent%3Amain%3Aread/history";
const WAIT: Duration = Duration::from_secs(30);

async fn page(live: &Live, query: &str) -> Value {
    let (status, head, body) = live.http("GET", &format!("{PATH}{query}"), None).await;
    assert!(status == 200 && head.contains("application/json"), "{query}: {status} {body}");
    serde_json::from_str(&body).unwrap()
}

fn texts(page: &Value) -> Vec<String> {
    assert_eq!(page["items"], page["messages"]);
    page["messages"].as_array().unwrap().iter().map(text).collect()
}

/// A stream of server-sent events.
struct Follow(tokio::io::Lines<BufReader<TcpStream>>);

impl Follow {
    async fn open(live: &Live, query: &str) -> Self {
        let mut socket = TcpStream::connect(("127.0.0.1", live.port)).await.unwrap();
        let head = format!(
            "GET {PATH}{query} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\naccept: text/event-stream\r\nauthorization: Bearer {TOKEN}\r\n\r\n"
        );
        socket.write_all(head.as_bytes()).await.unwrap();
        let mut follow = Self(BufReader::new(socket).lines());
        let status = follow.line().await.unwrap();
        assert!(status.contains("200"), "{status}");
        follow
    }

    async fn line(&mut self) -> Option<String> {
        tokio::time::timeout(WAIT, self.0.next_line()).await.expect("nothing came").unwrap_or_default()
    }

    /// The next event with its name; `None` when the stream has ended.
    async fn event(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some(name) = self.line().await?.strip_prefix("event: ").map(str::to_owned) {
                let data = self.line().await?;
                return Some((name, serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap()));
            }
        }
    }
}

// GW-118
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cursor_walks_from_the_newest_message_to_the_oldest() {
    let home = Home::with_reply("an answer").await;
    let live = home.start_cold().await;
    let mut client = live.client().await;
    for at in 1..=4 {
        client.say(KEY, &format!("question {at}")).await;
    }
    let all = page(&live, "").await;
    let expected: Vec<String> = (1..=4).flat_map(|at| [format!("question {at}"), "an answer".into()]).collect();
    assert_eq!((texts(&all), &all["hasMore"], all.get("nextCursor")), (expected.clone(), &json!(false), None));
    assert_eq!(all["sessionKey"], KEY);
    assert_eq!(all["messages"][7]["__openclaw"]["seq"], 8);

    let mut walked = Vec::new();
    let mut query = "?limit=3".to_owned();
    loop {
        let page = page(&live, &query).await;
        let found = texts(&page);
        assert!(found.len() == 3 || page["hasMore"] == false, "{page}");
        walked.splice(0..0, found);
        let Some(cursor) = page["nextCursor"].as_str() else { break };
        assert_eq!(page["hasMore"], true);
        query = format!("?limit=3&cursor=seq%3A{cursor}");
    }
    assert_eq!(walked, expected);
    assert_eq!(texts(&page(&live, "?cursor=3").await), expected[..2]);
    assert!(texts(&page(&live, "?cursor=1").await).is_empty());

    let (status, _, body) = live.http("GET", "/sessions/agent%3Amain%3Anone/history", None).await;
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &body["ok"], &body["error"]["type"]), (404, &json!(false), &json!("not_found")));
    assert_eq!(live.http_with("GET", PATH, None, &[]).await.0, 401);
    live.restart().await;
}

// GW-118
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_follows_the_session_until_it_is_gone_or_the_gateway_stops() {
    let home = Home::with_reply("an answer").await;
    let live = home.start_cold().await;
    let mut client = live.client().await;
    client.say(KEY, "first").await;
    let mut open = Follow::open(&live, "").await;
    let (name, history) = open.event().await.unwrap();
    assert_eq!((name.as_str(), texts(&history)), ("history", vec!["first".into(), "an answer".into()]));
    let mut newest = Follow::open(&live, "?limit=1").await;
    assert_eq!(texts(&newest.event().await.unwrap().1), ["an answer"]);

    client.say(KEY, "second").await;
    for (seq, expected) in [(3, "second"), (4, "an answer")] {
        let (name, event) = open.event().await.unwrap();
        assert_eq!((name.as_str(), &event["messageSeq"], text(&event["message"])), ("message", &json!(seq), expected.into()));
        assert_eq!((&event["sessionKey"], &event["messageId"]), (&json!(KEY), &event["message"]["__openclaw"]["id"]));
    }
    // With a limit each change gives the page anew.
    loop {
        let (name, page) = newest.event().await.unwrap();
        assert_eq!((name.as_str(), texts(&page).len()), ("history", 1));
        if page["nextCursor"] == "4" {
            break;
        }
    }
    // After a reset the session has another transcript.
    client.ok("sessions.reset", json!({"key": KEY})).await;
    let (name, empty) = open.event().await.unwrap();
    assert_eq!((name.as_str(), texts(&empty).len()), ("history", 0));
    client.ok("sessions.delete", json!({"key": KEY})).await;
    assert!(open.event().await.is_none(), "the session is gone");

    client.say(KEY, "a new beginning").await;
    let mut last = Follow::open(&live, "").await;
    assert_eq!(texts(&last.event().await.unwrap().1).len(), 2);
    live.restart().await;
    assert!(last.event().await.is_none(), "the gateway has stopped");
}

// GW-86
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_config_bounds_the_length_of_a_shown_message() {
    let mut home = Home::with_reply("an answer").await;
    home.config["gateway"]["webchat"] = json!({"chatHistoryMaxChars": 4});
    let live = home.start_cold().await;
    let mut client = live.client().await;
    client.say(KEY, "question").await;
    let shown = ["ques\n[cut here]", "an a\n[cut here]"];
    assert_eq!(texts(&page(&live, "").await), shown);
    let history = client.ok("chat.history", json!({"sessionKey": KEY})).await;
    assert_eq!(history["messages"].as_array().unwrap().iter().map(text).collect::<Vec<_>>(), shown);
    let asked = client.ok("chat.history", json!({"sessionKey": KEY, "maxChars": 6})).await;
    assert_eq!(text(&asked["messages"][0]), "questi\n[cut here]");
    live.restart().await;
}
