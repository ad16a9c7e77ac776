//! Requests to registries: limits, retries, redirects that never carry a token elsewhere.

use std::error::Error;
use std::future::Future;
use std::io::Read;
use std::time::{Duration, SystemTime};

use flate2::read::MultiGzDecoder;
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER,
};
use reqwest::{Response, StatusCode};
use tokio::sync::Semaphore;
use url::Url;

use crate::error::{NpmError, shown};
use crate::settings::NpmSettings;

/// Redirects of one request.
const MAX_REDIRECTS: usize = 5;
/// The longest wait that a registry may ask for with `Retry-After`.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(30);
/// Most of an error page that is read to keep the connection usable, in bytes.
const MAX_ERROR_BODY: usize = 64 * 1024;

/// A client with this crate's rules.
#[derive(Debug)]
pub(crate) struct Http {
    client: reqwest::Client,
    permits: Semaphore,
    settings: NpmSettings,
}

/// Why one try failed.
pub(crate) enum Failure {
    /// It makes no sense to try again.
    Final(NpmError),
    /// It may work, after this time if the server named one.
    Again(Box<NpmError>, Option<Duration>),
}

impl From<NpmError> for Failure {
    fn from(error: NpmError) -> Self {
        Self::Final(error)
    }
}

/// A fault of the way to the registry; the next try may go through.
fn network(url: &Url, problem: String) -> Failure {
    Failure::Again(Box::new(NpmError::Network { url: shown(url), problem }), None)
}

/// An answer that was read whole.
pub(crate) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Http {
    pub fn new(settings: NpmSettings) -> Result<Self, NpmError> {
        // Installing twice fails harmlessly: somebody else chose a provider first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .connect_timeout(settings.stall)
            .read_timeout(settings.stall)
            .tcp_nodelay(true)
            .pool_max_idle_per_host(settings.concurrency)
            .user_agent(concat!("chela/", env!("CARGO_PKG_VERSION")))
            // Redirects are followed here, so that each hop gets only what is meant for its host.
            .redirect(reqwest::redirect::Policy::none());
        let client = settings
            .route
            .build(client)?
            .build()
            .map_err(|e| NpmError::Internal(format!("the HTTP client could not be built: {}", reason(&e))))?;
        Ok(Self { client, permits: Semaphore::new(settings.concurrency.max(1)), settings })
    }

    pub fn settings(&self) -> &NpmSettings {
        &self.settings
    }

    /// Runs `attempt` until it works, fails for good or the tries are used up.
    pub async fn retrying<T, F: Future<Output = Result<T, Failure>>>(&self, mut attempt: impl FnMut(u32) -> F) -> Result<T, NpmError> {
        let mut wait = self.settings.backoff;
        for number in 1.. {
            match attempt(number).await {
                Ok(value) => return Ok(value),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Again(error, _)) if number >= self.settings.attempts => return Err(*error),
                Err(Failure::Again(error, asked)) => {
                    tracing::debug!(%error, number, "trying again");
                    tokio::time::sleep(asked.unwrap_or(wait + jitter(wait))).await;
                    wait *= 4;
                }
            }
        }
        Err(NpmError::Internal("no attempt was made".into()))
    }

    /// A whole answer of at most `limit` bytes after unpacking. 200, 304 and 404 are answers; other statuses are errors.
    pub async fn get(&self, url: &Url, accept: &str, headers: &[(HeaderName, String)], limit: u64) -> Result<Answer, NpmError> {
        self.retrying(|_| async move {
            let _permit = self.permit().await?;
            let extra = [(ACCEPT, accept.to_owned()), (ACCEPT_ENCODING, "gzip".to_owned())];
            let work = self.open(url, extra.iter().chain(headers));
            let work = async {
                let response = work.await?;
                if !matches!(response.status(), StatusCode::OK | StatusCode::NOT_MODIFIED | StatusCode::NOT_FOUND) {
                    return Err(refusal(url, response).await);
                }
                let (status, headers) = (response.status(), response.headers().clone());
                let mut body = Vec::new();
                read_body(url, response, limit, |bytes| {
                    body.extend_from_slice(bytes);
                    Ok(())
                })
                .await?;
                if headers.get(CONTENT_ENCODING).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"gzip")) {
                    body = gunzip(url, &body, limit)?;
                }
                Ok(Answer { status, headers, body })
            };
            self.timed(url, work).await
        })
        .await
    }

    /// One try at streaming an answer of at most `limit` bytes into `sink`.
    pub async fn stream(&self, url: &Url, limit: u64, sink: impl FnMut(&[u8]) -> Result<(), NpmError>) -> Result<(), Failure> {
        let _permit = self.permit().await?;
        let work = async {
            let response = self.open(url, [(ACCEPT_ENCODING, "identity".to_owned())].iter()).await?;
            if response.status() != StatusCode::OK {
                return Err(refusal(url, response).await);
            }
            read_body(url, response, limit, sink).await
        };
        self.timed(url, work).await
    }

    async fn permit(&self) -> Result<tokio::sync::SemaphorePermit<'_>, Failure> {
        self.permits.acquire().await.map_err(|_| Failure::Final(NpmError::Internal("the client was closed".into())))
    }

    async fn timed<T>(&self, url: &Url, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        tokio::time::timeout(self.settings.total, work).await.unwrap_or_else(|_| {
            let problem = format!("no complete answer within {} s", self.settings.total.as_secs());
            Err(network(url, problem))
        })
    }

    /// Sends a request and follows redirects.
    async fn open<'a>(&self, url: &Url, headers: impl Iterator<Item = &'a (HeaderName, String)>) -> Result<Response, Failure> {
        let headers: Vec<&(HeaderName, String)> = headers.collect();
        let mut at = url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let mut request = self.client.get(at.clone());
            for (name, value) in &headers {
                request = request.header(name, value);
            }
            if let Some(secret) = self.settings.authorization(&at).filter(|secret| !secret.expose().is_empty()) {
                let mut value = HeaderValue::from_str(secret.expose()).map_err(|_| NpmError::Setting {
                    origin: "npmrc".into(),
                    key: "_authToken".into(),
                    problem: "no header can hold it".into(),
                })?;
                value.set_sensitive(true);
                request = request.header(AUTHORIZATION, value);
            }
            let response = request.send().await.map_err(|e| network(&at, reason(&e)))?;
            if !response.status().is_redirection() || response.status() == StatusCode::NOT_MODIFIED {
                return Ok(response);
            }
            at = next_hop(&at, response.headers())?;
        }
        Err(NpmError::bad_answer(url, format!("more than {MAX_REDIRECTS} redirects")).into())
    }
}

fn next_hop(at: &Url, headers: &HeaderMap) -> Result<Url, NpmError> {
    let location = headers.get(LOCATION).and_then(|value| value.to_str().ok());
    let next =
        location.and_then(|text| at.join(text).ok()).ok_or_else(|| NpmError::bad_answer(at, "a redirect without a usable address"))?;
    if !matches!(next.scheme(), "https" | "http") || (at.scheme() == "https" && next.scheme() != "https") {
        return Err(NpmError::bad_answer(at, format!("a redirect to `{}`, away from https", shown(&next))));
    }
    Ok(next)
}

async fn refusal(url: &Url, response: Response) -> Failure {
    let status = response.status();
    let asked = retry_after(response.headers());
    // A short error page is read to its end: the connection can be used again.
    let _ = read_body(url, response, MAX_ERROR_BODY as u64, |_| Ok(())).await;
    let hint = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => ". Log in to this registry: put its `_authToken` into `~/.npmrc`",
        StatusCode::TOO_MANY_REQUESTS => ". It asks to wait; try again later",
        _ if status.is_server_error() => ". Try again later",
        _ => "",
    };
    let error = NpmError::Status { url: shown(url), status: status.as_u16(), hint };
    let passing = matches!(status.as_u16(), 408 | 425 | 429 | 500 | 502 | 503 | 504);
    if passing { Failure::Again(Box::new(error), asked) } else { Failure::Final(error) }
}

/// Passes a body on piece by piece, and not more than `limit` bytes of it.
async fn read_body(
    url: &Url,
    mut response: Response,
    limit: u64,
    mut sink: impl FnMut(&[u8]) -> Result<(), NpmError>,
) -> Result<(), Failure> {
    let too_large = || NpmError::TooLarge { what: shown(url), limit, unit: "bytes" };
    if response.content_length().is_some_and(|length| length > limit) {
        return Err(too_large().into());
    }
    let mut read = 0_u64;
    loop {
        let chunk = response.chunk().await.map_err(|e| network(url, reason(&e)))?;
        let Some(chunk) = chunk else { return Ok(()) };
        read += chunk.len() as u64;
        if read > limit {
            return Err(too_large().into());
        }
        sink(&chunk)?;
    }
}

fn gunzip(url: &Url, packed: &[u8], limit: u64) -> Result<Vec<u8>, NpmError> {
    let mut body = Vec::new();
    MultiGzDecoder::new(packed)
        .take(limit + 1)
        .read_to_end(&mut body)
        .map_err(|e| NpmError::bad_answer(url, format!("the compressed answer is broken: {e}")))?;
    if body.len() as u64 > limit {
        return Err(NpmError::TooLarge { what: shown(url), limit, unit: "bytes" });
    }
    Ok(body)
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => httpdate::parse_http_date(text).ok()?.duration_since(SystemTime::now()).unwrap_or_default(),
    };
    Some(wait.min(MAX_RETRY_AFTER))
}

/// Up to half of `wait`, so that many clients do not come back at once.
fn jitter(wait: Duration) -> Duration {
    let mut byte = [0_u8];
    let _ = getrandom::fill(&mut byte);
    wait.mul_f64(f64::from(byte[0]) / 512.0)
}

/// The innermost reason: the outer ones repeat the address, which may hold a password.
pub(crate) fn reason(error: &reqwest::Error) -> String {
    let mut inner: &dyn Error = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    let kind = match error {
        e if e.is_timeout() => "timed out: ",
        e if e.is_connect() => "cannot connect: ",
        e if e.is_body() || e.is_decode() => "the answer broke off: ",
        _ => "",
    };
    if std::ptr::eq(inner, error as &dyn Error) { format!("{kind}the request failed") } else { format!("{kind}{inner}") }
}
