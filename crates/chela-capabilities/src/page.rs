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
