//! GET requests to servers of strangers: limits, timeouts, and redirects that carry no token elsewhere. Blocking, as the installer is.

mod guard;

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chela_config::Secret;
use chela_net::PublicOnly;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, LOCATION};
use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256, SHA512};
use tokio::runtime::Runtime;
use url::Url;

use crate::error::InstallError;
use crate::redact::redact;

/// Redirects of one request.
const MAX_REDIRECTS: usize = 5;
/// Most bytes of an error page that are read.
const MAX_ERROR_PAGE: u64 = 16 * 1024;
/// Most characters of an error page that are shown.
const MAX_SHOWN: usize = 500;
/// Largest archive, in bytes (INS-161, INS-280).
pub(crate) const MAX_ARCHIVE: u64 = 256 << 20;

/// Which addresses may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Whatever the user configured.
    Configured,
    /// Only addresses of the public network: the address came from a stranger.
    Public,
}

/// A client.
#[derive(Debug)]
pub(crate) struct Web {
    client: reqwest::Client,
    runtime: Runtime,
    reach: Reach,
    total: Duration,
}

/// An answer that was read whole, or its head when the body went into a file.
#[derive(Debug)]
pub(crate) struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    /// The address that answered, after redirects.
    pub url: Url,
}

impl Answer {
    pub(crate) fn ok(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// A header as text, without the space around it.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok().map(str::trim).filter(|value| !value.is_empty())
    }

    /// What the server says of an error, fit to be shown.
    pub(crate) fn complaint(&self) -> String {
        let text: String = String::from_utf8_lossy(&self.body).chars().filter(|c| !c.is_control()).take(MAX_SHOWN).collect();
        let text = redact(text.trim());
        if text.is_empty() { format!("HTTP {}", self.status) } else { text }
    }
}

/// Digests of a downloaded file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Digests {
    pub sha256: [u8; 32],
    /// SRI text.
    pub sha512: String,
    /// Hex.
    pub sha1: String,
}

/// Where a body goes.
enum Target<'a> {
    Memory(Vec<u8>, u64),
    File(fs_err::File, &'a mut Hashing),
}

struct Hashing {
    sha256: Context,
    sha512: Context,
    sha1: Context,
}

impl Web {
    /// A client; `stall` is the longest wait for a connection and for the next bytes, `total` for one whole small answer.
    pub(crate) fn new(reach: Reach, stall: Duration, total: Duration) -> Result<Self, InstallError> {
        // Installing twice fails harmlessly: somebody else chose a provider first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .connect_timeout(stall)
            .read_timeout(stall)
            .user_agent(concat!("chela/", env!("CARGO_PKG_VERSION")))
            // Redirects are followed here, so that each hop is checked and gets only what is meant for it.
            .redirect(reqwest::redirect::Policy::none());
        if reach == Reach::Public {
            // A proxy would look names up itself, where no check reaches.
            builder = builder.dns_resolver(Arc::new(PublicOnly)).no_proxy();
        }
        let client =
            builder.build().map_err(|error| InstallError::refused(format!("the HTTP client could not be built: {}", reason(&error))))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { client, runtime, reach, total })
    }

    /// Reads a small answer.
    pub(crate) fn get(&self, url: &Url, token: Option<&Secret>, limit: u64) -> Result<Answer, InstallError> {
        self.runtime.block_on(async {
            let work = self.fetch(url, token, Target::Memory(Vec::new(), limit));
            tokio::time::timeout(self.total, work)
                .await
                .unwrap_or_else(|_| Err(failure(url, &format!("no complete answer within {} s", self.total.as_secs_f32()))))
        })
    }

    /// Streams an answer into the new file `path`. An answer that is no success is not written.
    pub(crate) fn download(&self, url: &Url, token: Option<&Secret>, path: &Path) -> Result<(Answer, Digests), InstallError> {
        let file = fs_err::OpenOptions::new().write(true).create_new(true).open(path)?;
        let mut hashing =
            Hashing { sha256: Context::new(&SHA256), sha512: Context::new(&SHA512), sha1: Context::new(&SHA1_FOR_LEGACY_USE_ONLY) };
        let answer = self.runtime.block_on(self.fetch(url, token, Target::File(file, &mut hashing)))?;
        Ok((answer, hashing.finish()))
    }

    async fn fetch(&self, url: &Url, token: Option<&Secret>, mut target: Target<'_>) -> Result<Answer, InstallError> {
        let (mut response, at) = self.open(url, token).await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        if !response.status().is_success() {
            target = Target::Memory(Vec::new(), MAX_ERROR_PAGE);
        }
        let limit = match &target {
            Target::Memory(_, limit) => *limit,
            Target::File(..) => MAX_ARCHIVE,
        };
        let success = response.status().is_success();
        let too_large = |bytes: u64| failure(&at, &format!("download too large: {bytes} bytes (limit: {limit} bytes)"));
        if let Some(length) = response.content_length().filter(|length| success && *length > limit) {
            return Err(too_large(length));
        }
        let mut read = 0;
        while let Some(chunk) = response.chunk().await.map_err(|error| failure(&at, &reason(&error)))? {
            read += chunk.len() as u64;
            if read > limit {
                if success {
                    return Err(too_large(read));
                }
                break;
            }
            target.take(&chunk)?;
        }
        let body = match target {
            Target::Memory(body, _) => body,
            Target::File(..) => Vec::new(),
        };
        Ok(Answer { status, headers, body, url: at })
    }

    /// Sends a request and follows redirects. The token goes to the origin it is meant for and to no other.
    async fn open(&self, url: &Url, token: Option<&Secret>) -> Result<(reqwest::Response, Url), InstallError> {
        let mut at = url.clone();
        for _ in 0..=MAX_REDIRECTS {
            if self.reach == Reach::Public {
                guard::check_host(&at)?;
            }
            let mut request = self.client.get(at.clone());
            if let Some(token) = token.filter(|_| at.origin() == url.origin()) {
                let value = HeaderValue::from_str(&format!("Bearer {}", token.expose()));
                let mut value = value.map_err(|_| InstallError::refused("the token holds characters that no header can hold"))?;
                value.set_sensitive(true);
                request = request.header(AUTHORIZATION, value);
            }
            let response = request.send().await.map_err(|error| failure(&at, &reason(&error)))?;
            if !response.status().is_redirection() {
                return Ok((response, at));
            }
            let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
            let next = location.and_then(|text| at.join(text).ok()).ok_or_else(|| failure(&at, "a redirect without a usable address"))?;
            if !matches!(next.scheme(), "https" | "http") || (at.scheme() == "https" && next.scheme() != "https") {
                return Err(failure(&at, &format!("a redirect to `{}`, away from https", redact(next.as_str()))));
            }
            at = next;
        }
        Err(failure(url, &format!("more than {MAX_REDIRECTS} redirects")))
    }
}

impl Target<'_> {
    fn take(&mut self, chunk: &[u8]) -> std::io::Result<()> {
        match self {
            Self::Memory(body, _) => body.extend_from_slice(chunk),
            Self::File(file, hashing) => {
                file.write_all(chunk)?;
                hashing.sha256.update(chunk);
                hashing.sha512.update(chunk);
                hashing.sha1.update(chunk);
            }
        }
        Ok(())
    }
}

impl Hashing {
    fn finish(self) -> Digests {
        use base64::Engine;
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(self.sha256.finish().as_ref());
        let sha512 = format!("sha512-{}", base64::engine::general_purpose::STANDARD.encode(self.sha512.finish()));
        Digests { sha256, sha512, sha1: hex(self.sha1.finish().as_ref()) }
    }
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn failure(url: &Url, problem: &str) -> InstallError {
    InstallError::refused(format!("failed to download {}: {problem}", redact(url.as_str())))
        .hint("check the network and the address, then try again")
}

/// The innermost reason: the outer ones repeat the address, which may hold a password.
fn reason(error: &reqwest::Error) -> String {
    let mut inner: &dyn std::error::Error = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    let kind = match error {
        error if error.is_timeout() => "timed out: ",
        error if error.is_connect() => "cannot connect: ",
        _ => "",
    };
    if std::ptr::eq(inner, error as &dyn std::error::Error) { format!("{kind}the request failed") } else { format!("{kind}{inner}") }
}
