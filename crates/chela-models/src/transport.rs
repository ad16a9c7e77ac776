//! The HTTP transport: one call with its credentials, retries and time limits, in either wire format.

use crate::auth::{AuthInputs, AuthStore, Credential, Rotation};
use crate::classify;
use crate::compat::{Compat, Effective, Endpoint};
use crate::error::{ErrorKind, FailoverReason, ModelError};
use crate::http::{HttpClient, error_chain};
use crate::reader::{Reader, WireParser};
use crate::settings::{ApiKind, ModelEntry, ProviderSettings};
use crate::types::{EventStream, ModelRef, ModelRequest, ModelTransport};
use crate::{anthropic, openai};
use bytes::Bytes;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Longest `Retry-After` that is waited for; a longer one is reported at once (PRV-247).
const MAX_RETRY_WAIT: Duration = Duration::from_secs(60);
/// First pause between two attempts; it doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// Largest error body that is read.
const MAX_ERROR_BYTES: usize = 64 * 1024;

/// Everything about one model of a provider that does not change from call to call.
#[derive(Debug)]
pub(crate) struct Target {
    pub api: ApiKind,
    pub url: Result<reqwest::Url, String>,
    pub endpoint: Endpoint,
    pub compat: Compat,
    pub flags: Effective,
    pub params: Map<String, Value>,
    pub headers: HeaderMap,
    /// `None` for a model that was only named.
    pub row: Option<ModelEntry>,
}

impl Target {
    /// Works out the target of a model, listed or only named.
    pub(crate) fn new(settings: &ProviderSettings, row: Option<&ModelEntry>) -> Result<Self, String> {
        let api = row.and_then(|r| r.api.clone()).unwrap_or_else(|| settings.api.clone());
        let base = row.and_then(|r| r.base_url.as_deref()).unwrap_or(&settings.base_url).trim_end_matches('/');
        let endpoint = Endpoint::of(base);
        let compat = row.map(|r| r.compat.clone()).unwrap_or_default();
        let mut params = settings.params.clone();
        params.extend(row.map(|r| r.params.clone()).unwrap_or_default());
        let mut headers = HeaderMap::new();
        for (name, value) in settings.headers.iter().chain(row.iter().flat_map(|r| &r.headers)) {
            insert_header(&mut headers, name, value)?;
        }
        Ok(Self {
            url: url_of(&api, base),
            flags: Effective::new(&compat, endpoint),
            api,
            endpoint,
            compat,
            params,
            headers,
            row: row.cloned(),
        })
    }

    /// Whether images are sent; a model that was only named gets them.
    pub(crate) fn takes_images(&self) -> bool {
        self.row.as_ref().is_none_or(ModelEntry::takes_images)
    }

    /// Output limit of the model row.
    pub(crate) fn max_tokens(&self) -> Option<u32> {
        self.row.as_ref().map(|r| r.max_tokens)
    }

    fn body(&self, request: &ModelRequest, stream: bool) -> Result<Bytes, ModelError> {
        let bytes = match self.api {
            ApiKind::AnthropicMessages => anthropic::body(request, self, stream),
            _ => openai::body(request, self, stream),
        };
        bytes
            .map(Bytes::from)
            .map_err(|e| ModelError::new(ErrorKind::Invalid, &request.model, format!("the request cannot be written as JSON: {e}")))
    }

    fn parser(&self, model: &ModelRef) -> Box<dyn WireParser> {
        let html = self.compat.html_encoded_arguments;
        match self.api {
            ApiKind::AnthropicMessages => Box::new(anthropic::Parser::new(model.clone(), html)),
            _ => Box::new(openai::Parser::new(model.clone(), html, self.flags.visible_reasoning_types.clone())),
        }
    }
}

fn url_of(api: &ApiKind, base: &str) -> Result<reqwest::Url, String> {
    let path = match api {
        ApiKind::AnthropicMessages if base.ends_with("/v1") => "/messages",
        ApiKind::AnthropicMessages => "/v1/messages",
        _ => "/chat/completions",
    };
    let bad = || "its `baseUrl` is no `http://` or `https://` address".to_owned();
    let mut url = reqwest::Url::parse(base).map_err(|_| bad())?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(bad());
    }
    // The path goes before a query, which some gateways need.
    let joined = format!("{}{path}", url.path().trim_end_matches('/'));
    url.set_path(&joined);
    Ok(url)
}

fn insert_header(headers: &mut HeaderMap, name: &str, value: &str) -> Result<(), String> {
    let parsed = HeaderName::try_from(name).map_err(|_| format!("`{name}` is no valid header name"))?;
    let mut value = HeaderValue::try_from(value).map_err(|_| format!("the value of the header `{name}` is not valid"))?;
    value.set_sensitive(true);
    headers.insert(parsed, value);
    Ok(())
}

struct HttpTransport {
    settings: ProviderSettings,
    http: HttpClient,
    auth: AuthStore,
    rows: HashMap<String, Target>,
    named: Target,
}

/// A transport whose key comes from its settings alone.
///
/// # Errors
/// `Unsupported` for an api kind that is not built, `Invalid` for a header that cannot be sent.
pub fn transport_for(settings: &ProviderSettings, http: &HttpClient) -> Result<Arc<dyn ModelTransport>, ModelError> {
    transport_with_auth(settings, http, &AuthStore::new(AuthInputs::default()))
}

/// A transport whose keys come from its settings, the agent's auth profiles and the environment.
///
/// # Errors
/// `Unsupported` for an api kind that is not built, `Invalid` for a header that cannot be sent.
pub fn transport_with_auth(
    settings: &ProviderSettings,
    http: &HttpClient,
    auth: &AuthStore,
) -> Result<Arc<dyn ModelTransport>, ModelError> {
    let about = |model: &str| ModelRef { provider: settings.id.clone(), model: model.to_owned() };
    let all_rows_differ = !settings.models.is_empty() && settings.models.iter().all(|m| m.api.is_some());
    if let ApiKind::NotBuilt(api) = &settings.api
        && !all_rows_differ
    {
        return Err(not_built(&about("*"), api));
    }
    let invalid = |model: &str| {
        let model = about(model);
        move |text: String| ModelError::new(ErrorKind::Invalid, &model, text)
    };
    let mut rows = HashMap::new();
    for row in &settings.models {
        // Ids compare without case, and the first of two rows wins.
        let target = Target::new(settings, Some(row)).map_err(invalid(&row.id))?;
        rows.entry(row.id.to_ascii_lowercase()).or_insert(target);
    }
    let named = Target::new(settings, None).map_err(invalid("*"))?;
    Ok(Arc::new(HttpTransport { settings: settings.clone(), http: http.clone(), auth: auth.clone(), rows, named }))
}

pub(crate) fn not_built(model: &ModelRef, api: &str) -> ModelError {
    let text = format!(
        "the api `{api}` is not built yet; set `models.providers.{}.api` to `openai-completions` or `anthropic-messages` if the server speaks one of them",
        model.provider
    );
    ModelError::new(ErrorKind::Unsupported, model, text)
}

#[async_trait::async_trait]
impl ModelTransport for HttpTransport {
    async fn stream(&self, request: ModelRequest, cancel: CancellationToken) -> Result<EventStream, ModelError> {
        let target = self.rows.get(&request.model.model.to_ascii_lowercase()).unwrap_or(&self.named);
        if let ApiKind::NotBuilt(api) = &target.api {
            return Err(not_built(&request.model, api));
        }
        let url = target.url.as_ref().map_err(|text| ModelError::new(ErrorKind::Invalid, &request.model, text.clone()))?;
        let credentials = self
            .auth
            .credentials(&self.settings, request.agent_id.as_deref(), request.auth_profile.as_deref())
            .map_err(|hint| ModelError::new(ErrorKind::Auth, &request.model, hint))?;
        let streaming = target.params.get("streaming").and_then(Value::as_bool).unwrap_or(true);
        let body = target.body(&request, streaming)?;
        let mut call = Call {
            transport: self,
            target,
            url,
            model: &request.model,
            credentials,
            next: 0,
            body,
            cancel,
            streaming,
            traceparent: request.traceparent.as_deref(),
        };
        match call.run().await {
            // A server that cannot stream gets the same request once more without.
            Err(error) if call.streaming && refuses_streaming(&error) => {
                call.streaming = false;
                call.body = target.body(&request, false)?;
                call.run().await
            }
            result => result,
        }
    }
}

fn refuses_streaming(error: &ModelError) -> bool {
    let text = error.message.to_ascii_lowercase();
    let refuses = ["not support", "unsupported", "not allowed", "must be false"].iter().any(|w| text.contains(w));
    matches!(error.status, Some(400 | 422 | 501)) && text.contains("stream") && refuses && !text.contains("stream_options")
}

struct Call<'a> {
    transport: &'a HttpTransport,
    target: &'a Target,
    url: &'a reqwest::Url,
    model: &'a ModelRef,
    credentials: Vec<Credential>,
    next: usize,
    body: Bytes,
    cancel: CancellationToken,
    streaming: bool,
    traceparent: Option<&'a str>,
}

impl Call<'_> {
    async fn run(&mut self) -> Result<EventStream, ModelError> {
        let mut retries = 0;
        loop {
            let error = match self.attempt().await {
                Ok(reader) => return Ok(reader.into_stream()),
                Err(error) => self.redact(error),
            };
            if self.rotate(&error) {
                continue;
            }
            let Some(pause) = self.pause(&error, retries) else {
                return Err(error);
            };
            retries += 1;
            tracing::debug!(model = %self.model, attempt = retries, %error, pause_ms = pause.as_millis() as u64, "model call is tried again");
            tokio::select! {
                () = self.cancel.cancelled() => return Err(ModelError::aborted(self.model)),
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Moves to the next credential if the error is about the present one.
    fn rotate(&mut self, error: &ModelError) -> bool {
        use FailoverReason as R;
        let rotation = self.credentials[self.next].rotation;
        let fits = match error.reason {
            Some(R::RateLimit) => true,
            Some(R::Auth | R::AuthPermanent | R::Billing) => rotation == Rotation::AnyRefusal,
            _ => false,
        };
        let possible = fits && self.next + 1 < self.credentials.len();
        self.next += usize::from(possible);
        possible
    }

    /// How long to wait before trying again, or `None` when the error is final.
    fn pause(&self, error: &ModelError, retries: u32) -> Option<Duration> {
        if retries >= self.transport.settings.max_retries || !error.retryable() {
            return None;
        }
        let own = FIRST_PAUSE.saturating_mul(1 << retries.min(5));
        match error.kind {
            // Without a stated time it would be guesswork; failover knows better what to do (PRV-247).
            ErrorKind::RateLimit { retry_after } => retry_after.filter(|wait| *wait <= MAX_RETRY_WAIT),
            // A model that was silent once for minutes would be so again.
            ErrorKind::Timeout if error.status.is_none() => None,
            _ => Some(own + jitter(own)),
        }
    }

    async fn attempt(&self) -> Result<Reader, ModelError> {
        let limits = self.transport.settings.timeouts;
        let client = self.transport.http.for_url(self.url).map_err(|text| ModelError::new(ErrorKind::Connection, self.model, text))?;
        let request = client.post(self.url.clone()).headers(self.headers()?).body(self.body.clone());
        let response = tokio::select! {
            biased;
            () = self.cancel.cancelled() => return Err(ModelError::aborted(self.model)),
            sent = tokio::time::timeout(limits.first_byte, request.send()) => match sent {
                Ok(Ok(response)) => response,
                Ok(Err(e)) => return Err(self.send_error(e)),
                Err(_) => {
                    let text = format!("no answer within {} s", limits.first_byte.as_secs_f64());
                    return Err(ModelError::new(ErrorKind::Timeout, self.model, text));
                }
            },
        };
        if !response.status().is_success() {
            return Err(self.refused(response).await);
        }
        let parser = self.target.parser(self.model);
        let secret = self.credentials[self.next].secret.clone();
        let mut reader = Reader::new(response, parser, limits.idle, self.cancel.clone(), self.model.clone(), secret);
        reader.prime(limits.first_byte).await?;
        Ok(reader)
    }

    fn headers(&self) -> Result<HeaderMap, ModelError> {
        let mut headers = HeaderMap::with_capacity(8 + self.target.headers.len());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let accept = if self.streaming { "text/event-stream, application/json" } else { "application/json" };
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        let anthropic = self.target.api == ApiKind::AnthropicMessages;
        if anthropic {
            headers.insert("anthropic-version", HeaderValue::from_static("2023-06-01"));
        }
        let credential = &self.credentials[self.next];
        if let Some(secret) = &credential.secret {
            if anthropic && secret.is_anthropic_subscription() {
                let text = "Anthropic subscription tokens (`sk-ant-oat...`) are not built yet; use an API key";
                return Err(ModelError::new(ErrorKind::Unsupported, self.model, text));
            }
            let value = |text: String| {
                let mut value = HeaderValue::try_from(text).map_err(|_| {
                    let text = format!("the key from `{}` holds characters that no header may hold", credential.source);
                    ModelError::new(ErrorKind::Auth, self.model, text)
                })?;
                value.set_sensitive(true);
                Ok::<_, ModelError>(value)
            };
            if anthropic && !credential.bearer {
                headers.insert("x-api-key", value(secret.expose().to_owned())?);
            }
            if !anthropic || credential.bearer || self.transport.settings.auth_header {
                headers.insert(AUTHORIZATION, value(format!("Bearer {}", secret.expose()))?);
            }
        }
        // The operator's headers come last, so that they can replace any of these.
        for (name, value) in &self.target.headers {
            headers.insert(name.clone(), value.clone());
        }
        // Nobody else says which trace a call belongs to.
        if let Some(parent) = self.traceparent.and_then(|parent| HeaderValue::from_str(parent).ok()) {
            headers.insert("traceparent", parent);
        }
        Ok(headers)
    }

    fn send_error(&self, error: reqwest::Error) -> ModelError {
        let kind = if error.is_builder() || error.is_request() && error.is_redirect() { ErrorKind::Invalid } else { ErrorKind::Connection };
        let place = self.url.host_str().map(|h| format!("{h}:{}", self.url.port_or_known_default().unwrap_or(0)));
        let text = format!("`{}` cannot be reached: {}", place.unwrap_or_default(), error_chain(&error.without_url()));
        ModelError::new(kind, self.model, text)
    }

    async fn refused(&self, mut response: reqwest::Response) -> ModelError {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let mut body = Vec::new();
        let read = async {
            while let Ok(Some(chunk)) = response.chunk().await {
                body.extend_from_slice(&chunk);
                if body.len() >= MAX_ERROR_BYTES {
                    break;
                }
            }
        };
        // The status alone is an answer; a body that hangs must not hold it back.
        tokio::select! {
            () = self.cancel.cancelled() => return ModelError::aborted(self.model),
            _ = tokio::time::timeout(Duration::from_secs(5), read) => {}
        }
        classify::from_response(self.model, status, &headers, &body)
    }

    fn redact(&self, mut error: ModelError) -> ModelError {
        for secret in self.credentials.iter().filter_map(|c| c.secret.as_ref()) {
            error.message = secret.redact(&error.message);
        }
        error
    }
}

/// Up to a quarter of the pause, so that many callers do not come back at the same moment.
fn jitter(pause: Duration) -> Duration {
    let random = u32::from(uuid::Uuid::new_v4().as_bytes()[0]);
    pause * random / 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        // PRV-242 (address)
        let (oc, am) = (ApiKind::OpenAiCompletions, ApiKind::AnthropicMessages);
        let cases = [
            (&oc, "http://h/v1", Some("http://h/v1/chat/completions")),
            (&oc, "http://h", Some("http://h/chat/completions")),
            (&oc, "http://h/v1?key=1", Some("http://h/v1/chat/completions?key=1")),
            (&am, "https://api.anthropic.com", Some("https://api.anthropic.com/v1/messages")),
            (&am, "https://h/anthropic/v1", Some("https://h/anthropic/v1/messages")),
            (&oc, "ftp://h", None),
            (&oc, "", None),
        ];
        for (api, base, want) in cases {
            assert_eq!(url_of(api, base).ok().as_ref().map(reqwest::Url::as_str), want, "{base}");
        }
    }
}
