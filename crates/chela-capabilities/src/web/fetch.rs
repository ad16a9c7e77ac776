//! Pages as text (TOOL-50, TOOL-51, PRV-329): read here, and by a provider where that gives nothing.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use serde_json::{Value, json};
use url::Url;

use super::untrusted::{Marked, mark};
use super::{Part, ask, html, order, unavailable};
use crate::choice::{Candidate, Job, Miss, choose};
use crate::host::Scope;
use crate::kind::{Capability, Provider};
use crate::page::{self, Limits, Page};

/// Most characters of a result when nobody says.
const CHARS: usize = 20_000;
/// Least that can be asked for: below it the marks fill everything.
const LEAST_CHARS: usize = 100;
/// Most characters of a result, unless the config raises it.
const CHARS_CAP: usize = 50_000;
/// Most bytes of a page that are read.
const BYTES: u64 = 2_000_000;
/// Most bytes that the config may ask for.
const MOST_BYTES: u64 = 10_000_000;
/// Characters of an error page that are told.
const ERROR_CHARS: usize = 4_000;
/// Kept results, and for how long.
const KEPT: usize = 100;
const KEPT_FOR: Duration = Duration::from_secs(15 * 60);
const SECONDS: u64 = 30;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// The address.
    pub url: String,
    /// Plain text instead of Markdown.
    pub plain: bool,
    /// Most characters of the result.
    pub max_chars: Option<u64>,
}

/// Results of the last minutes.
#[derive(Debug, Default)]
pub struct Cache(Mutex<VecDeque<(String, Instant, Value)>>);

impl Cache {
    fn get(&self, key: &str, age: Duration) -> Option<Value> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, at, value) = kept.iter().rev().find(|(known, _, _)| known == key)?;
        (at.elapsed() < age).then(|| value.clone())
    }

    fn put(&self, key: String, value: Value) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(known, _, _)| *known != key);
        if kept.len() >= KEPT {
            kept.pop_front();
        }
        kept.push_back((key, Instant::now(), value));
    }
}

struct Settings {
    chars: usize,
    bytes: usize,
    time: Duration,
    age: Duration,
}

impl Settings {
    fn of(config: &Value, wanted: Option<u64>) -> Self {
        let settings = Part::Fetch.settings(config);
        let number = |key: &str| settings.and_then(|s| s.get(key)).and_then(Value::as_u64);
        let cap = number("maxCharsCap").map_or(CHARS_CAP, |n| n as usize);
        let chars = wanted.or_else(|| number("maxChars")).map_or(CHARS, |n| n as usize);
        let age = settings.and_then(|s| s.get("cacheTtlMinutes")).and_then(Value::as_f64);
        Self {
            chars: chars.min(cap).max(LEAST_CHARS),
            bytes: number("maxResponseBytes").unwrap_or(BYTES).min(MOST_BYTES) as usize,
            time: Duration::from_secs(number("timeoutSeconds").unwrap_or(SECONDS)),
            age: age.map_or(KEPT_FOR, |minutes| Duration::from_secs_f64(minutes.clamp(0.0, 1440.0) * 60.0)),
        }
    }
}

/// Reads a page.
///
/// # Errors
/// A text for the model.
pub async fn fetch(scope: &Scope<'_>, cache: &Cache, request: &Request) -> Result<Value, String> {
    let settings = Settings::of(&scope.config, request.max_chars);
    let url = Url::parse(&request.url).ok().filter(|u| matches!(u.scheme(), "http" | "https"));
    let url = url.ok_or("Invalid URL: must be http or https")?;
    // The guard answers first: a provider must not be used to reach what this machine may not.
    if !chela_net::is_public_host(&url) {
        return Err(format!("`{}` is blocked: it is no public address", url.host_str().unwrap_or_default()));
    }
    let key = format!("{}\n{}\n{}", request.url, request.plain, settings.chars);
    if let Some(mut kept) = cache.get(&key, settings.age) {
        kept["cached"] = true.into();
        return Ok(kept);
    }
    let begun = Instant::now();
    let limits = Limits { bytes: settings.bytes, time: settings.time, private: false };
    let page = page::get(&request.url, "text/markdown, text/html;q=0.9, */*;q=0.1", limits).await;
    let own = page.and_then(|page| text_of(page, request.plain));
    let result = match own {
        Ok(found) => described(request, &settings, found, begun),
        Err(why) => match by_provider(scope, request, &settings).await {
            Some((id, payload)) => described(request, &settings, Found::of_provider(&id, &payload, request), begun),
            None => return Err(format!("Web fetch failed: {why}")),
        },
    };
    cache.put(key, result.clone());
    Ok(result)
}

/// A page's text, from here or from a provider.
struct Found {
    text: String,
    title: Option<String>,
    warning: Option<String>,
    final_url: String,
    status: u64,
    content_type: Option<String>,
    extractor: String,
    provider: Option<String>,
}

impl Found {
    fn of_provider(id: &str, payload: &Value, request: &Request) -> Self {
        let text = |key: &str| chela_plugin::value::text(payload, key).map(str::to_string);
        let valid = |url: &String| Url::parse(url).is_ok_and(|u| matches!(u.scheme(), "http" | "https"));
        Self {
            text: payload.get("text").and_then(Value::as_str).unwrap_or_default().to_string(),
            title: text("title"),
            warning: text("warning"),
            final_url: text("finalUrl").filter(valid).unwrap_or_else(|| request.url.clone()),
            status: payload.get("status").and_then(Value::as_u64).unwrap_or(200),
            content_type: text("contentType"),
            extractor: text("extractor").unwrap_or_else(|| id.to_string()),
            provider: Some(id.to_string()),
        }
    }
}

/// What a page says; an error when it says nothing that can be read.
fn text_of(page: Page, plain: bool) -> Result<Found, String> {
    let kind = page.content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let body = String::from_utf8_lossy(&page.body);
    if !(200..300).contains(&page.status) {
        let said = if kind.contains("html") { html::extract(&body, true).text } else { body.trim().to_string() };
        let said = mark(&said, Part::Fetch.tool(), ERROR_CHARS, false).text;
        return Err(format!("the server answered {}: {said}", page.status));
    }
    let (text, title, extractor) = match kind.as_str() {
        "text/html" | "application/xhtml+xml" => {
            let found = html::extract(&body, plain);
            (found.text, found.title, "raw-html")
        }
        "text/markdown" => (body.into_owned(), None, "markdown"),
        "application/json" => match serde_json::from_str::<Value>(&body) {
            Ok(value) => (serde_json::to_string_pretty(&value).unwrap_or_default(), None, "json"),
            Err(_) => (body.into_owned(), None, "raw"),
        },
        other if is_binary(other) => return Err(format!("`{other}` is no text")),
        _ => (body.into_owned(), None, "raw"),
    };
    if text.trim().is_empty() {
        return Err("the page has no readable text".into());
    }
    let warning = page.cut.then(|| format!("Only the first {} bytes of the page were read", page.body.len()));
    let content_type = (!kind.is_empty()).then_some(kind);
    let (final_url, status) = (page.url.to_string(), u64::from(page.status));
    Ok(Found { text, title, warning, final_url, status, content_type, extractor: extractor.into(), provider: None })
}

fn is_binary(kind: &str) -> bool {
    let binary = ["image/", "audio/", "video/", "font/"];
    binary.iter().any(|start| kind.starts_with(start)) || matches!(kind, "application/octet-stream" | "application/pdf" | "application/zip")
}

/// TOOL-51.
fn described(request: &Request, settings: &Settings, found: Found, begun: Instant) -> Value {
    let source = Part::Fetch.tool();
    let Marked { text, raw, cut } = mark(&found.text, source, settings.chars, settings.chars >= 1_000);
    let length = text.chars().count();
    let mut external = json!({"untrusted": true, "source": source, "wrapped": true});
    if let Some(provider) = &found.provider {
        external["provider"] = provider.as_str().into();
    }
    let mut out = json!({
        "url": request.url, "finalUrl": found.final_url, "status": found.status,
        "extractMode": if request.plain { "text" } else { "markdown" }, "extractor": found.extractor, "externalContent": external,
        "truncated": cut, "length": length, "rawLength": raw, "wrappedLength": length,
        "fetchedAt": now(), "tookMs": begun.elapsed().as_millis() as u64, "text": text,
    });
    let marked = |text: String| Value::from(mark(&text, source, 1_000, false).text);
    let more =
        [("contentType", found.content_type.map(Value::from)), ("title", found.title.map(marked)), ("warning", found.warning.map(marked))];
    for (key, value) in more {
        if let Some(value) = value {
            out[key] = value;
        }
    }
    out
}

fn now() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    jiff::Timestamp::from_second(i64::try_from(seconds).unwrap_or_default()).map(|t| t.to_string()).unwrap_or_default()
}

struct Fetch<'a> {
    request: &'a Request,
    chars: usize,
}

/// The first provider that gives text; the configured one before all others.
async fn by_provider(scope: &Scope<'_>, request: &Request, settings: &Settings) -> Option<(String, Value)> {
    let providers = Provider::all(&scope.registry, Capability::WebFetch);
    let configured = Part::Fetch.settings(&scope.config).and_then(|s| chela_plugin::value::text(s, "provider"));
    let candidates: Vec<Candidate> = match configured.filter(|id| providers.iter().any(|p| p.is(id))) {
        Some(id) => vec![Candidate::new(id)],
        None => order::automatic(scope, Part::Fetch, providers).await.into_iter().map(|p| Candidate::new(p.id)).collect(),
    };
    let job = Fetch { request, chars: settings.chars };
    let chosen = choose(scope, &job, &candidates).await.ok()?;
    Some((chosen.candidate.provider, chosen.value))
}

#[async_trait]
impl Job for Fetch<'_> {
    type Done = Value;

    fn capability(&self) -> Capability {
        Capability::WebFetch
    }

    async fn attempt(&self, scope: &Scope<'_>, provider: &Provider, _: &Candidate) -> Result<Value, Miss> {
        if !order::usable(scope, Part::Fetch, provider).await {
            return Err(Miss::Skip("not_configured", format!("web_fetch provider \"{}\" has no credential", provider.id)));
        }
        let mode = if self.request.plain { "text" } else { "markdown" };
        let args = json!({"url": self.request.url, "extractMode": mode, "maxChars": self.chars});
        let answer = ask(scope, provider, Part::Fetch, &args).await?.ok_or_else(|| unavailable(Part::Fetch, &provider.id))?;
        match chela_plugin::value::text(&answer, "text") {
            Some(_) => Ok(answer),
            None => Err(Miss::Fail(chela_plugin::CallError::thrown("it returned no text"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(status: u16, kind: &str, body: &str, cut: bool) -> Page {
        let url = Url::parse("https://example.org/after").unwrap();
        Page { url, status, content_type: kind.into(), body: body.as_bytes().to_vec(), cut }
    }

    // TOOL-51
    #[test]
    fn each_type_of_page_is_read_in_its_way_and_marked() {
        let request = Request { url: "https://example.org/".into(), plain: false, max_chars: Some(90_000) };
        let settings = Settings::of(&json!({}), request.max_chars);
        assert_eq!((settings.chars, settings.bytes), (CHARS_CAP, 2_000_000));
        for (kind, body, extractor, text) in [
            ("text/html; charset=utf-8", "<title>T</title><h1>x</h1>", "raw-html", "# x"),
            ("application/json", "{\"a\":1}", "json", "{\n  \"a\": 1\n}"),
            ("text/plain", "plain", "raw", "plain"),
            ("text/markdown", "# m", "markdown", "# m"),
        ] {
            let found = text_of(page(200, kind, body, true), false).unwrap();
            let out = described(&request, &settings, found, Instant::now());
            assert_eq!((out["extractor"].as_str(), &out["finalUrl"]), (Some(extractor), &json!("https://example.org/after")), "{kind}");
            assert!(out["text"].as_str().unwrap().contains(&format!("---\n{text}\n<<<END_")), "{out}");
            assert_eq!(out["externalContent"], json!({"untrusted": true, "source": "web_fetch", "wrapped": true}));
            assert_eq!(
                (out["length"].as_u64(), out["truncated"].as_bool()),
                (Some(out["text"].as_str().unwrap().chars().count() as u64), Some(false))
            );
            assert!(out["warning"].as_str().unwrap().contains("bytes of the page"));
        }
        for (status, kind, body) in [(404, "text/html", "<p>gone</p>"), (200, "image/png", "x"), (200, "text/html", "<nav>x</nav>")] {
            assert!(text_of(page(status, kind, body, false), false).is_err(), "{status} {kind}");
        }
    }

    #[test]
    fn results_are_kept_for_a_while_and_not_without_end() {
        let cache = Cache::default();
        for at in 0..=KEPT {
            cache.put(at.to_string(), json!(at));
        }
        assert_eq!((cache.get("0", KEPT_FOR), cache.get("1", KEPT_FOR)), (None, Some(json!(1))));
        assert_eq!(cache.get("1", Duration::ZERO), None);
    }
}
