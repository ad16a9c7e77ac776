//! The way to the registry that npm is told about: proxies and certificate authorities.

use std::path::Path;

use chela_config::Secret;
use reqwest::{Certificate, ClientBuilder, NoProxy, Proxy};

use crate::error::NpmError;

/// Largest file of certificates that is read, in bytes.
const MAX_CA: u64 = 4 * 1024 * 1024;

/// `proxy`, `https-proxy`, `noproxy`, `ca` and `cafile` of npm. Addresses of proxies may hold a password, so they do not print.
#[derive(Debug, Clone, Default)]
pub(crate) struct Route {
    http: Option<Setting>,
    https: Option<Setting>,
    no_proxy: Option<String>,
    authorities: Vec<(Setting, Vec<u8>)>,
}

/// A value and who said it.
#[derive(Debug, Clone)]
struct Setting {
    origin: String,
    key: String,
    value: Secret,
}

impl Setting {
    fn fail(&self, problem: &str) -> NpmError {
        NpmError::Setting { origin: self.origin.clone(), key: self.key.clone(), problem: problem.to_owned() }
    }
}

impl Route {
    /// Takes one key; false when it is none of these.
    pub fn apply(&mut self, origin: &str, key: &str, value: &str) -> Result<bool, NpmError> {
        let setting = || Setting { origin: origin.to_owned(), key: key.to_owned(), value: Secret::new(value) };
        // npm writes `null` and `false` for "none".
        let none = matches!(value, "" | "null" | "false");
        match key {
            "proxy" | "http-proxy" => self.http = (!none).then(setting),
            "https-proxy" => self.https = (!none).then(setting),
            "noproxy" | "no-proxy" => self.no_proxy = (!none).then(|| value.to_owned()),
            "ca" | "ca[]" => {
                if none {
                    return Ok(true);
                }
                let pem = value.replace("\\n", "\n");
                self.authorities.push((setting(), pem.into_bytes()));
            }
            "cafile" => {
                if none {
                    return Ok(true);
                }
                let setting = setting();
                let pem = read(Path::new(value)).map_err(|problem| setting.fail(&problem))?;
                self.authorities.push((setting, pem));
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Puts the route into a client. Without a proxy here those of the environment (`HTTPS_PROXY`, ...) hold.
    pub fn build(&self, mut client: ClientBuilder) -> Result<ClientBuilder, NpmError> {
        let exceptions = self.no_proxy.as_deref().map_or_else(NoProxy::from_env, NoProxy::from_string);
        // npm sends https through `https-proxy`, else through `proxy`.
        let ways = [(&self.http, false), (if self.https.is_some() { &self.https } else { &self.http }, true)];
        for (setting, secure) in ways {
            let Some(setting) = setting else { continue };
            let address = setting.value.expose();
            let proxy = if secure { Proxy::https(address) } else { Proxy::http(address) };
            let proxy = proxy.map_err(|_| setting.fail("this is no address of a proxy; write `http://host:port`"))?;
            client = client.proxy(proxy.no_proxy(exceptions.clone()));
        }
        for (setting, pem) in &self.authorities {
            let found = Certificate::from_pem_bundle(pem).unwrap_or_default();
            if found.is_empty() {
                return Err(setting.fail("it holds no certificate in PEM form"));
            }
            client = found.into_iter().fold(client, ClientBuilder::add_root_certificate);
        }
        Ok(client)
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let meta = std::fs::metadata(path).map_err(|error| format!("`{}` cannot be read: {error}", path.display()))?;
    if !meta.is_file() || meta.len() > MAX_CA {
        return Err(format!("`{}` is no file of at most {MAX_CA} bytes", path.display()));
    }
    std::fs::read(path).map_err(|error| format!("`{}` cannot be read: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(entries: &[(&str, &str)]) -> Result<reqwest::Client, NpmError> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut route = Route::default();
        for (key, value) in entries {
            assert!(route.apply("npmrc", key, value)?);
        }
        assert!(!format!("{route:?}").contains("hunter2"), "a proxy's password does not print");
        Ok(route.build(reqwest::Client::builder())?.build().unwrap())
    }

    #[tokio::test]
    async fn requests_take_the_proxy_unless_the_host_is_excepted() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = format!("http://user:hunter2@{}", listener.local_addr().unwrap());
        let served = tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut head = vec![0; 4096];
            let read = socket.read(&mut head).await.unwrap();
            socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
            String::from_utf8_lossy(&head[..read]).into_owned()
        });
        let client = build(&[("proxy", &proxy), ("noproxy", "excepted.test")]).unwrap();
        let body = client.get("http://registry.test/pkg").send().await.unwrap().text().await.unwrap();
        assert_eq!(body, "ok");
        let head = served.await.unwrap();
        assert!(head.starts_with("GET http://registry.test/pkg HTTP/1.1"), "{head}");
        assert!(head.to_lowercase().contains("proxy-authorization: basic "), "{head}");
        assert!(client.get("http://excepted.test/").send().await.is_err(), "it is asked directly, and does not exist");
    }

    #[test]
    fn unusable_values_name_their_key() {
        for (key, value, needle) in [
            ("proxy", "http://", "no address of a proxy"),
            ("cafile", "/nonexistent/ca.pem", "cannot be read"),
            ("ca", "no certificate", "no certificate in PEM form"),
        ] {
            let error = build(&[(key, value)]).unwrap_err().to_string();
            assert!(error.contains(key) && error.contains(needle), "{error}");
        }
        build(&[("proxy", "null"), ("https-proxy", "false"), ("cafile", "null"), ("ca", "")]).unwrap();
    }
}
