//! The page at `/`, served from the binary (GW-119..GW-121, GW-F21).

use super::reply::{HttpReply, method_not_allowed, not_found};
use crate::transport_config::ControlUiConfig;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, ETAG, IF_NONE_MATCH, LOCATION, X_FRAME_OPTIONS};
use hyper::{HeaderMap, Method, StatusCode};
use rust_embed::{EmbeddedFile, RustEmbed};
use sha2::{Digest, Sha256};

#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/web"]
struct WebFiles;

/// A missing file with one of these extensions is missing; any other path is the page's own (GW-119).
const ASSET_EXTENSIONS: &[&str] = &["js", "css", "json", "map", "svg", "png", "jpg", "jpeg", "gif", "webp", "ico", "txt", "webmanifest"];

/// Serves the page and its files. `None`: the path is not below the base path.
pub(crate) fn serve(config: &ControlUiConfig, method: &Method, path: &str, headers: &HeaderMap) -> Option<HttpReply> {
    let base = config.base_path.trim_end_matches('/');
    if !base.is_empty() && path == base {
        return Some(HttpReply::text(StatusCode::FOUND, "").with_header(LOCATION, &format!("{base}/")));
    }
    let below = path.strip_prefix(base)?.strip_prefix('/')?;
    if base.is_empty() && is_reserved(path) {
        return None;
    }
    if method != Method::GET && method != Method::HEAD {
        return base.is_empty().then(not_found).or_else(|| Some(method_not_allowed("GET, HEAD")));
    }
    Some(file(config, below, headers))
}

// Paths that never fall back to the page (GW-119).
fn is_reserved(path: &str) -> bool {
    ["/api", "/plugins", "/ui"]
        .iter()
        .any(|reserved| path.strip_prefix(reserved).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

fn file(config: &ControlUiConfig, below: &str, headers: &HeaderMap) -> HttpReply {
    let Some(name) = super::paths::percent_decode(below) else {
        return not_found();
    };
    let wanted = if name.is_empty() { "index.html" } else { name.as_str() };
    if wanted.split('/').any(|part| part == ".." || part.starts_with('.')) || wanted.contains('\\') {
        return not_found();
    }
    if let Some(found) = WebFiles::get(wanted) {
        return respond(config, wanted, &found, headers);
    }
    let extension = wanted.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    if extension.is_some_and(|extension| ASSET_EXTENSIONS.contains(&extension.as_str())) {
        return not_found();
    }
    match WebFiles::get("index.html") {
        Some(index) => respond(config, "index.html", &index, headers),
        None => not_found(),
    }
}

fn respond(config: &ControlUiConfig, name: &str, file: &EmbeddedFile, headers: &HeaderMap) -> HttpReply {
    let tag = format!("\"{}\"", crate::auth::device::hex(&file.metadata.sha256_hash()[..16]));
    let known = headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|given| given.trim().trim_start_matches("W/") == tag || given.trim() == "*");
    let reply = if known {
        HttpReply { status: StatusCode::NOT_MODIFIED, headers: HeaderMap::new(), body: super::reply::HttpBody::Full(bytes::Bytes::new()) }
    } else {
        HttpReply::bytes(StatusCode::OK, content_type(name), file.data.to_vec())
    };
    let html = if name.ends_with(".html") { std::str::from_utf8(&file.data).unwrap_or_default() } else { "" };
    reply
        .with_header(ETAG, &tag)
        .with_header(CACHE_CONTROL, "no-cache")
        .with_header(X_FRAME_OPTIONS, "DENY")
        .with_header(CONTENT_SECURITY_POLICY, &policy(html, &config.csp_connect_hosts))
}

/// The content security policy: own files only, and inline scripts of the page by hash (GW-120, GW-F21).
pub(crate) fn policy(html: &str, connect_hosts: &[String]) -> String {
    let mut script = "script-src 'self'".to_owned();
    for hash in inline_script_hashes(html) {
        script.push_str(&format!(" 'sha256-{hash}'"));
    }
    let mut connect = "connect-src 'self' ws: wss:".to_owned();
    for host in connect_hosts {
        connect.push(' ');
        connect.push_str(host.trim());
    }
    [
        "default-src 'self'",
        "base-uri 'none'",
        "object-src 'none'",
        "frame-src 'none'",
        "frame-ancestors 'none'",
        "form-action 'self'",
        &script,
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self'",
        "worker-src 'self'",
        &connect,
    ]
    .join("; ")
}

fn inline_script_hashes(html: &str) -> Vec<String> {
    let lower = html.to_ascii_lowercase(); // same length, so positions agree
    let mut hashes = Vec::new();
    let mut at = 0;
    while let Some(start) = lower.get(at..).and_then(|rest| rest.find("<script")) {
        let tag = at + start;
        let Some(open) = lower[tag..].find('>').map(|end| tag + end + 1) else {
            break;
        };
        let Some(close) = lower[open..].find("</script").map(|end| open + end) else {
            break;
        };
        let has_source = lower[tag..open].split_ascii_whitespace().any(|word| word.starts_with("src="));
        if !has_source && close > open {
            hashes.push(STANDARD.encode(Sha256::digest(&html.as_bytes()[open..close])));
        }
        at = close;
    }
    hashes
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json; charset=utf-8",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "txt" => "text/plain; charset=utf-8",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // GW-120, GW-F21
    #[test]
    fn the_policy_names_no_foreign_host_and_hashes_inline_scripts() {
        let html = "<script src=\"a.js\"></script><SCRIPT>alert(1)</SCRIPT><script></script>";
        let text = policy(html, &[]);
        let hash = STANDARD.encode(Sha256::digest(b"alert(1)"));
        assert!(text.contains(&format!("script-src 'self' 'sha256-{hash}';")), "{text}");
        assert!(!text.contains("http"), "{text}");
        assert!(text.contains("default-src 'self'; base-uri 'none'; object-src 'none'"));
        assert!(policy("", &["https://a.example".into()]).ends_with("connect-src 'self' ws: wss: https://a.example"));
    }

    // GW-119
    #[test]
    fn files_page_and_missing_assets() {
        let root = ControlUiConfig { enabled: true, ..Default::default() };
        let based = ControlUiConfig { enabled: true, base_path: "/chat".into(), ..Default::default() };
        let cases: &[(&ControlUiConfig, &str, Option<u16>)] = &[
            (&root, "/", Some(200)),
            (&root, "/index.html", Some(200)),
            (&root, "/some/view", Some(200)),
            (&root, "/missing.js", Some(404)),
            (&root, "/missing.PNG", Some(404)),
            (&root, "/%2e%2e/secret", Some(404)),
            (&root, "/.git", Some(404)),
            (&root, "/api", None),
            (&root, "/api/x", None),
            (&root, "/plugins/x", None),
            (&root, "/ui", None),
            (&root, "/sessions", Some(200)),
            (&based, "/chat", Some(302)),
            (&based, "/chat/", Some(200)),
            (&based, "/", None),
        ];
        for (config, path, expected) in cases {
            let reply = serve(config, &Method::GET, path, &HeaderMap::new());
            assert_eq!(reply.map(|reply| reply.status.as_u16()), *expected, "{path}");
        }
        let post = serve(&root, &Method::POST, "/", &HeaderMap::new()).unwrap();
        assert_eq!(post.status, StatusCode::NOT_FOUND);
    }

    // GW-120
    #[test]
    fn a_known_tag_gets_no_body() {
        let config = ControlUiConfig { enabled: true, ..Default::default() };
        let first = serve(&config, &Method::GET, "/", &HeaderMap::new()).unwrap();
        assert_eq!(first.headers[CACHE_CONTROL], "no-cache");
        assert_eq!(first.headers[X_FRAME_OPTIONS], "DENY");
        let mut headers = HeaderMap::new();
        headers.insert(IF_NONE_MATCH, first.headers[ETAG].clone());
        let again = serve(&config, &Method::GET, "/", &headers).unwrap();
        assert_eq!(again.status, StatusCode::NOT_MODIFIED);
    }
}
