//! Users of a tailnet, named by the headers of `tailscale serve` and confirmed by `tailscale whois`.
//!
//! Only WebSocket handshakes use it, and only those from loopback with all headers of the proxy: any program of this machine can
//! send such headers, so the address they name must belong to the user they name.

use super::peer::{Peer, forwarded_ip};
use chela_gateway_protocol::error::AuthReason;
use hyper::HeaderMap;
use serde_json::Value;
use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt;
use tokio::sync::Semaphore;

/// Header in which the proxy names the user.
const LOGIN: &str = "tailscale-user-login";
/// Headers that the proxy always sets.
const PROXY_HEADERS: [&str; 3] = ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"];
/// How long an answer holds.
const KEEP: Duration = Duration::from_secs(60);
/// How long a failed look-up is not repeated.
const KEEP_FAILURE: Duration = Duration::from_secs(5);
/// Longest look-up.
const BUDGET: Duration = Duration::from_secs(5);
/// Largest answer in bytes.
const MAX_ANSWER: u64 = 200_000;
/// Most look-ups at once; callers choose the address, so they must not start processes without end.
const MAX_RUNNING: usize = 4;
/// Most addresses remembered.
const MAX_KNOWN: usize = 256;

/// Who a request says it is from, after the check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TailnetUser {
    /// It names nobody.
    Unnamed,
    /// The tailnet confirms this login.
    Confirmed(String),
    /// It names somebody and is not believed.
    Refused(AuthReason),
}

/// Asks the Tailscale of this machine.
#[derive(Debug)]
pub struct Tailscale {
    program: PathBuf,
    known: Mutex<HashMap<IpAddr, Known>>,
    places: Semaphore,
}

#[derive(Debug, Clone)]
struct Known {
    login: Option<String>,
    until: Instant,
}

impl Tailscale {
    /// Asks by running this program, `tailscale` as a rule.
    pub fn new(program: PathBuf) -> Self {
        Self { program, known: Mutex::default(), places: Semaphore::new(MAX_RUNNING) }
    }

    /// Reads the headers of a request and confirms the user they name.
    pub async fn user(&self, peer: &Peer, headers: &HeaderMap) -> TailnetUser {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim).filter(|value| !value.is_empty());
        let Some(named) = text(LOGIN).map(str::to_lowercase) else { return TailnetUser::Unnamed };
        if !peer.remote_is_loopback() || PROXY_HEADERS.iter().any(|name| text(name).is_none()) {
            return TailnetUser::Refused(AuthReason::TailscaleProxyMissing);
        }
        let Some(ip) = forwarded_ip(text("x-forwarded-for"), &[]) else {
            return TailnetUser::Refused(AuthReason::TailscaleWhoisFailed);
        };
        match self.login_of(ip).await {
            Some(login) if login == named => TailnetUser::Confirmed(login),
            Some(_) => TailnetUser::Refused(AuthReason::TailscaleUserMismatch),
            None => TailnetUser::Refused(AuthReason::TailscaleWhoisFailed),
        }
    }

    async fn login_of(&self, ip: IpAddr) -> Option<String> {
        if let Some(known) = self.recall(ip) {
            return known.login;
        }
        let _place = self.places.acquire().await.ok()?;
        // Another handshake may have asked while this one waited.
        if let Some(known) = self.recall(ip) {
            return known.login;
        }
        let (login, keep) = match tokio::time::timeout(BUDGET, self.ask(ip)).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            Ok(login) => (login, KEEP),
            Err(error) => {
                tracing::warn!(%ip, program = %self.program.display(), "`tailscale whois` failed: {error}");
                (None, KEEP_FAILURE)
            }
        };
        let mut known = self.known();
        if known.len() >= MAX_KNOWN {
            known.retain(|_, row| row.until > Instant::now());
        }
        if known.len() < MAX_KNOWN {
            known.insert(ip, Known { login: login.clone(), until: Instant::now() + keep });
        }
        login
    }

    fn recall(&self, ip: IpAddr) -> Option<Known> {
        self.known().get(&ip).filter(|row| row.until > Instant::now()).cloned()
    }

    fn known(&self) -> MutexGuard<'_, HashMap<IpAddr, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask(&self, ip: IpAddr) -> io::Result<Option<String>> {
        let mut command = tokio::process::Command::new(&self.program);
        command.args(["whois", "--json"]).arg(ip.to_string());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let mut child = command.spawn()?;
        let mut answer = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            stdout.take(MAX_ANSWER).read_to_end(&mut answer).await?;
        }
        let status = child.wait().await?;
        if !status.success() {
            return Err(io::Error::other(format!("it ended with {status}")));
        }
        let answer: Value = serde_json::from_slice(&answer)?;
        let login = answer.pointer("/UserProfile/LoginName").and_then(Value::as_str).map(|login| login.trim().to_lowercase());
        Ok(login.filter(|login| !login.is_empty()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program that knows one address, fails for another, and counts its calls.
    fn program(dir: &std::path::Path) -> PathBuf {
        let path = dir.join("tailscale");
        let script = format!(
            "#!/bin/sh\necho \"$*\" >> {}\ncase \"$3\" in\n100.64.0.1) echo '{{\"UserProfile\":{{\"LoginName\":\"Ada@example.com\"}}}}';;\n100.64.0.2) echo '{{}}';;\n*) exit 1;;\nesac\n",
            dir.join("calls").display()
        );
        // Written by another process: one that this one starts meanwhile could hold it open for writing, and then it cannot run.
        std::fs::write(dir.join("source"), script).unwrap();
        let copied = std::process::Command::new("install").args(["-m", "755"]).arg(dir.join("source")).arg(&path).status().unwrap();
        assert!(copied.success());
        path
    }

    // GW-34
    #[tokio::test]
    async fn a_named_user_is_believed_only_when_the_tailnet_agrees() {
        let dir = tempfile::tempdir().unwrap();
        let tailscale = Tailscale::new(program(dir.path()));
        let proxied = |ip: &'static str, login: &'static str| {
            vec![(LOGIN, login), ("x-forwarded-for", ip), ("x-forwarded-proto", "https"), ("x-forwarded-host", "box.ts.net")]
        };
        let ada = || TailnetUser::Confirmed("ada@example.com".into());
        let refused = TailnetUser::Refused;
        let near = "127.0.0.1:9";
        let cases = [
            (near, proxied("100.64.0.1", "ada@example.com"), ada()),
            (near, proxied("100.64.0.1", " ADA@Example.com "), ada()),
            (near, proxied("8.8.8.8, 100.64.0.1", "ada@example.com"), ada()),
            (near, proxied("100.64.0.1", "bob@example.com"), refused(AuthReason::TailscaleUserMismatch)),
            (near, proxied("100.64.0.2", "ada@example.com"), refused(AuthReason::TailscaleWhoisFailed)),
            (near, proxied("100.64.0.3", "ada@example.com"), refused(AuthReason::TailscaleWhoisFailed)),
            (near, proxied("not an address", "ada@example.com"), refused(AuthReason::TailscaleWhoisFailed)),
            (near, proxied("127.0.0.1", "ada@example.com"), refused(AuthReason::TailscaleWhoisFailed)),
            ("100.64.0.9:9", proxied("100.64.0.1", "ada@example.com"), refused(AuthReason::TailscaleProxyMissing)),
            (near, vec![(LOGIN, "ada@example.com"), ("x-forwarded-for", "100.64.0.1")], refused(AuthReason::TailscaleProxyMissing)),
            (near, proxied("100.64.0.1", ""), TailnetUser::Unnamed),
            (near, Vec::new(), TailnetUser::Unnamed),
        ];
        for (remote, given, expected) in cases {
            let headers: HeaderMap = given.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
            let peer = Peer::new(remote.parse().unwrap(), &headers, &[], false);
            assert_eq!(tailscale.user(&peer, &headers).await, expected, "{remote} {given:?}");
        }
        // Each address was asked for once.
        let calls = std::fs::read_to_string(dir.path().join("calls")).unwrap();
        assert_eq!(calls.lines().collect::<Vec<_>>(), ["whois --json 100.64.0.1", "whois --json 100.64.0.2", "whois --json 100.64.0.3"]);
    }

    #[tokio::test]
    async fn a_machine_without_the_program_confirms_nobody() {
        let tailscale = Tailscale::new("/nowhere/tailscale".into());
        assert_eq!(tailscale.login_of("100.64.0.1".parse().unwrap()).await, None);
    }
}
