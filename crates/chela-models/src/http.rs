//! The one HTTP client of the process, shared by every provider so that connections are reused.

use reqwest::redirect::Policy;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Time limits of one call. The connect limit belongs to the shared client and is 10 seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// From sending the request to the first event of the answer. Local models may read a long prompt first.
    pub first_byte: Duration,
    /// Between two pieces of the answer; each piece starts it anew (PRV-246).
    pub idle: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { first_byte: Duration::from_secs(300), idle: Duration::from_secs(120) }
    }
}

impl Timeouts {
    /// Both limits from `timeoutSeconds`.
    pub fn from_seconds(seconds: f64) -> Option<Self> {
        let limit = Duration::try_from_secs_f64(seconds).ok().filter(|d| !d.is_zero())?;
        Some(Self { first_byte: limit, idle: limit })
    }
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Cheap to clone; all clones share their connections.
#[derive(Debug, Clone, Default)]
pub struct HttpClient {
    inner: Arc<Clients>,
}

/// Two clients, each built on first need: trust roots take time and memory to load, and calls to this machine
/// need neither them nor a proxy.
#[derive(Debug, Default)]
struct Clients {
    loopback: OnceLock<reqwest::Client>,
    system: OnceLock<reqwest::Client>,
}

impl HttpClient {
    /// The client for a URL.
    ///
    /// # Errors
    /// A text that says why no client could be built, such as a broken proxy setting.
    pub(crate) fn for_url(&self, url: &reqwest::Url) -> Result<&reqwest::Client, String> {
        if url.scheme() == "http" && is_loopback(url) {
            get_or_build(&self.inner.loopback, || base().no_proxy().tls_certs_only([]).build())
        } else {
            // A machine without trust roots can still reach plain-HTTP servers.
            get_or_build(&self.inner.system, || base().build().or_else(|_| base().tls_certs_only([]).build()))
        }
    }
}

impl HttpClient {
    /// Sends a body within `limit` and gives the status of the answer, whose body is not read. For exporters.
    ///
    /// # Errors
    /// A text that says why, without the URL and without the headers.
    pub async fn post(
        &self,
        url: &str,
        content_type: &str,
        headers: &[(String, String)],
        body: Vec<u8>,
        limit: Duration,
    ) -> Result<u16, String> {
        let url = reqwest::Url::parse(url).map_err(|error| format!("the address is no URL: {error}"))?;
        let mut request = self.for_url(&url)?.post(url).timeout(limit).header(reqwest::header::CONTENT_TYPE, content_type).body(body);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let response = request.send().await.map_err(|error| error_chain(&error.without_url()))?;
        Ok(response.status().as_u16())
    }
}

fn get_or_build(
    cell: &OnceLock<reqwest::Client>,
    build: impl FnOnce() -> Result<reqwest::Client, reqwest::Error>,
) -> Result<&reqwest::Client, String> {
    if let Some(client) = cell.get() {
        return Ok(client);
    }
    let built = build().map_err(|e| format!("the HTTP client could not be built: {}", error_chain(&e)))?;
    // Two callers may build at once; the first one stays.
    Ok(cell.get_or_init(|| built))
}

fn base() -> reqwest::ClientBuilder {
    // Installing twice fails harmlessly: somebody else chose a provider first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .pool_idle_timeout(Duration::from_secs(90))
        .pool_max_idle_per_host(64)
        .user_agent(concat!("chela/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::custom(|attempt| {
            // A key and a conversation go only where the operator sent them.
            let same = attempt.previous().last().is_some_and(|from| from.origin() == attempt.url().origin());
            if same && attempt.previous().len() <= 5 { attempt.follow() } else { attempt.stop() }
        }))
}

fn is_loopback(url: &reqwest::Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// The shared client of the process.
pub fn http_client() -> HttpClient {
    static CLIENT: OnceLock<HttpClient> = OnceLock::new();
    CLIENT.get_or_init(HttpClient::default).clone()
}

/// An error with its causes, without the URL (whose query may hold a key).
pub(crate) fn error_chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(cause) = next {
        let text = cause.to_string();
        if parts.last() != Some(&text) {
            parts.push(text);
        }
        next = cause.source();
    }
    parts.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_shared() {
        let url = reqwest::Url::parse("http://127.0.0.1:1/v1").unwrap();
        let one = http_client();
        let first: *const reqwest::Client = one.for_url(&url).unwrap();
        let two = http_client();
        assert!(std::ptr::eq(first, two.for_url(&url).unwrap()));
        let other = reqwest::Url::parse("https://example.invalid/").unwrap();
        assert!(!std::ptr::eq(first, two.for_url(&other).unwrap()));
    }

    #[test]
    fn timeouts_from_seconds() {
        assert_eq!(Timeouts::from_seconds(1.5).unwrap().idle, Duration::from_millis(1500));
        assert!(Timeouts::from_seconds(0.0).is_none());
        assert!(Timeouts::from_seconds(f64::NAN).is_none());
    }
}
