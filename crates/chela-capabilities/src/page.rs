//! Pages and files of the web: public addresses only, each redirect checked again, everything bounded (TOOL-50).

use std::sync::OnceLock;
use std::time::Duration;

use futures::StreamExt;
use reqwest::header::{ACCEPT, CONTENT_TYPE, LOCATION};
use url::Url;

/// Redirects of one request.
const MOST_REDIRECTS: usize = 3;
/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(10);

/// An answer.
#[derive(Debug)]
pub(crate) struct Page {
    /// The address that answered.
    pub(crate) url: Url,
    pub(crate) status: u16,
    /// `text/html; charset=utf-8` and so on; empty when the server did not say.
    pub(crate) content_type: String,
    pub(crate) body: Vec<u8>,
    /// The body was longer than the limit.
    pub(crate) cut: bool,
}

/// How a page is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) bytes: usize,
    pub(crate) time: Duration,
    /// Addresses of this machine may be asked; only tests do.
    pub(crate) private: bool,
}

/// Reads an address.
pub(crate) async fn get(address: &str, accept: &str, limits: Limits) -> Result<Page, String> {
    let url = Url::parse(address).map_err(|e| format!("`{address}` is no address: {e}"))?;
    let work = follow(url, accept, limits);
    tokio::time::timeout(limits.time, work).await.unwrap_or_else(|_| Err(format!("no complete answer within {} s", limits.time.as_secs())))
}

async fn follow(mut url: Url, accept: &str, limits: Limits) -> Result<Page, String> {
    for _ in 0..=MOST_REDIRECTS {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(format!("`{}` is not an http or https address", url.scheme()));
        }
        if !limits.private && !chela_net::is_public_host(&url) {
            return Err(format!("`{}` is blocked: it is no public address", url.host_str().unwrap_or_default()));
        }
        let request = client(limits.private)?.get(url.clone()).header(ACCEPT, accept);
        let response =
            request.send().await.map_err(|e| format!("`{}` did not answer: {}", url.host_str().unwrap_or_default(), cause(&e)))?;
        let next = response.headers().get(LOCATION).and_then(|v| v.to_str().ok()).filter(|_| response.status().is_redirection());
        match next {
            Some(next) => url = url.join(next).map_err(|e| format!("the redirect `{next}` is no address: {e}"))?,
            None => return read(response, url, limits.bytes).await,
        }
    }
    Err(format!("more than {MOST_REDIRECTS} redirects"))
}

async fn read(response: reqwest::Response, url: Url, most: usize) -> Result<Page, String> {
    let content_type = response.headers().get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default().to_string();
    let status = response.status().as_u16();
    let mut body = Vec::new();
    let mut cut = false;
    let mut pieces = response.bytes_stream();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|e| format!("the answer broke off: {}", cause(&e)))?;
        let room = most - body.len();
        cut = piece.len() > room;
        body.extend_from_slice(&piece[..piece.len().min(room)]);
        if cut {
            break;
        }
    }
    Ok(Page { url, status, content_type, body, cut })
}

fn client(private: bool) -> Result<&'static reqwest::Client, String> {
    static PUBLIC: OnceLock<reqwest::Client> = OnceLock::new();
    static ANY: OnceLock<reqwest::Client> = OnceLock::new();
    let slot = if private { &ANY } else { &PUBLIC };
    if let Some(client) = slot.get() {
        return Ok(client);
    }
    let base = chela_net::public_client();
    let base = if private { reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()) } else { base };
    let agent = concat!("chela/", env!("CARGO_PKG_VERSION"));
    let client = base.connect_timeout(CONNECT).user_agent(agent).build().map_err(|e| format!("no HTTP client: {}", cause(&e)))?;
    Ok(slot.get_or_init(|| client))
}

/// The innermost reason: the outer ones repeat the address.
fn cause(error: &dyn std::error::Error) -> String {
    let mut at = error;
    while let Some(next) = at.source() {
        at = next;
    }
    at.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    /// `/<n>` redirects to `/<n - 1>`, `/0` says `done`, `/file` redirects to a file, `/hang` never answers.
    async fn server() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            loop {
                let (mut socket, _) = listener.accept().await.unwrap();
                tokio::spawn(async move {
                    let mut head = vec![0; 4096];
                    let read = socket.read(&mut head).await.unwrap_or_default();
                    let text = String::from_utf8_lossy(&head[..read]).into_owned();
                    let path = text.split_whitespace().nth(1).unwrap_or_default().trim_start_matches('/').to_string();
                    let to = |next: &str| format!("HTTP/1.1 302 Found\r\nlocation: {next}\r\ncontent-length: 0\r\n\r\n");
                    let answer = match path.as_str() {
                        "0" => "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 4\r\n\r\ndone".to_string(),
                        "file" => to("file:///etc/passwd"),
                        "hang" => return tokio::time::sleep(Duration::from_secs(60)).await,
                        n => to(&format!("/{}", n.parse::<u32>().unwrap_or(1) - 1)),
                    };
                    let _ = socket.write_all(answer.as_bytes()).await;
                });
            }
        });
        format!("http://{address}")
    }

    fn limits(bytes: usize, private: bool) -> Limits {
        Limits { bytes, time: Duration::from_secs(2), private }
    }

    // TOOL-50
    #[tokio::test]
    async fn redirects_sizes_times_and_addresses_have_limits() {
        let server = server().await;
        let page = get(&format!("{server}/3"), "*/*", limits(100, true)).await.unwrap();
        assert_eq!((page.status, page.body.as_slice(), page.cut, page.url.path()), (200, &b"done"[..], false, "/0"));
        let page = get(&format!("{server}/0"), "*/*", limits(2, true)).await.unwrap();
        assert_eq!((page.body.as_slice(), page.cut), (&b"do"[..], true));
        for (path, private, why) in [
            ("/4", true, "more than 3 redirects"),
            ("/file", true, "is not an http or https address"),
            ("/hang", true, "no complete answer within 2 s"),
            ("/0", false, "is blocked"),
        ] {
            let error = get(&format!("{server}{path}"), "*/*", limits(100, private)).await.unwrap_err();
            assert!(error.contains(why), "{path}: {error}");
        }
    }
}
