//! Clones with the `git` program of this machine, so that the user's credentials, proxies and keys work as they do elsewhere. It asks
//! nothing, runs no hook and follows no address outside the allowed protocols (INS-184, INS-185).

pub(crate) mod spec;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use chela_config::Env;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::error::InstallError;
use crate::fsops::copy_tree;
use crate::redact::redact;
pub(crate) use spec::GitSpec;

/// Longest run of one git command.
const TIMEOUT: Duration = Duration::from_secs(120);
/// How long git may take to clean up after it was told to end.
const GRACE: Duration = Duration::from_secs(3);
/// Most bytes of output that are kept of a command.
const MAX_OUTPUT: usize = 256 * 1024;
/// Most characters of git's own words in an error.
const MAX_DETAIL: usize = 2000;
/// Protocols that git may use, as it wants them listed.
const PROTOCOLS: &str = "https:http:ssh:git:file";
/// Variables that git gets of ours. No variable that names a repository is among them, and no secret of the gateway.
const PASSED: [&str; 34] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "TMPDIR",
    "XDG_CONFIG_HOME",
    "XDG_CACHE_HOME",
    "XDG_RUNTIME_DIR",
    "SSH_AUTH_SOCK",
    "SSH_AGENT_PID",
    "DBUS_SESSION_BUS_ADDRESS",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "CURL_CA_BUNDLE",
    "GIT_SSH",
    "GIT_SSH_VARIANT",
    "GIT_SSH_COMMAND",
    "GIT_PROXY_COMMAND",
    "GIT_SSL_CAINFO",
    "GIT_SSL_CAPATH",
    "GIT_SSL_CERT",
    "GIT_SSL_KEY",
    "GIT_CONFIG_GLOBAL",
    "GIT_HTTP_LOW_SPEED_LIMIT",
    "GIT_HTTP_LOW_SPEED_TIME",
];

/// The program, and what it is given.
#[derive(Debug, Clone)]
pub(crate) struct Git {
    program: PathBuf,
    env: Vec<(String, String)>,
}

/// A command that ended.
struct Ended {
    ok: bool,
    stdout: String,
    stderr: String,
}

impl Git {
    /// Finds `git` on the `PATH` of `env`.
    pub(crate) fn find(env: &Env) -> Result<Self, InstallError> {
        let path = OsString::from(env.get("PATH").unwrap_or_default());
        let program = std::env::split_paths(&path)
            .filter(|dir| dir.is_absolute())
            .map(|dir| dir.join("git"))
            .find(|file| file.is_file())
            .ok_or_else(|| InstallError::refused("`git` is not on the PATH").hint("install git, then run the command again"))?;
        Ok(Self { program, env: environment(env) })
    }

    /// Clones into the new directory `into` and gives the commit. Without a ref only the newest commit is fetched (INS-184).
    pub(crate) fn clone(&self, spec: &GitSpec, into: &Path) -> Result<String, InstallError> {
        let mut args: Vec<&std::ffi::OsStr> = ["clone", "--quiet", "--no-local", "--no-recurse-submodules"].map(AsRef::as_ref).to_vec();
        match spec.reference {
            None => args.extend(["--depth", "1"].map(AsRef::as_ref as fn(&str) -> &std::ffi::OsStr)),
            // Nothing is written before the right commit is known.
            Some(_) => args.push("--no-checkout".as_ref()),
        }
        args.extend([std::ffi::OsStr::new("--"), spec.url.as_ref(), into.as_os_str()]);
        self.expect(&args, None, "clone", spec)?;
        if let Some(reference) = &spec.reference {
            let action = format!("checkout {reference}");
            let commit = self.resolve(reference, into, &action, spec)?;
            self.expect(&["checkout", "--quiet", "--detach", &commit].map(AsRef::as_ref), Some(into), &action, spec)?;
        }
        let head = self.expect(&["rev-parse", "--verify", "HEAD"].map(AsRef::as_ref), Some(into), "resolve commit for", spec)?;
        Ok(head.trim().to_owned())
    }

    /// Clones, and copies the files of the commit without the repository to the new directory `into`. Links that leave it are refused.
    pub(crate) fn export(&self, spec: &GitSpec, scratch: &Path, into: &Path) -> Result<String, InstallError> {
        let commit = self.clone(spec, scratch)?;
        copy_tree(scratch, into)?;
        crate::fsops::remove_tree(scratch)?;
        Ok(commit)
    }

    /// The commit of a ref: a tag, a branch of the remote, or a commit.
    fn resolve(&self, reference: &str, repo: &Path, action: &str, spec: &GitSpec) -> Result<String, InstallError> {
        let mut first = None;
        for name in [format!("refs/tags/{reference}"), format!("refs/remotes/origin/{reference}"), reference.to_owned()] {
            let revision = format!("{name}^{{commit}}");
            let ended = self.run(&["rev-parse", "--verify", "--quiet", "--end-of-options", &revision].map(AsRef::as_ref), Some(repo))?;
            // Options of `rev-parse` are echoed by some versions of git.
            match ended.stdout.lines().rev().map(str::trim).find(|line| is_commit(line)).filter(|_| ended.ok) {
                Some(commit) => return Ok(commit.to_owned()),
                None => first = first.or(Some(ended.stderr)),
            }
        }
        let detail = first.filter(|text| !text.trim().is_empty()).unwrap_or_else(|| format!("no tag, branch or commit `{reference}`"));
        Err(failure(action, spec, &detail))
    }

    /// The commit that the remote has for the spec now, without fetching anything. `None` when only a clone can tell.
    pub(crate) fn remote_commit(&self, spec: &GitSpec) -> Result<Option<String>, InstallError> {
        let Some(reference) = &spec.reference else {
            let list = self.expect(&["ls-remote", "--", &spec.url, "HEAD"].map(AsRef::as_ref), None, "look at", spec)?;
            return Ok(commit_of(&list, "HEAD"));
        };
        if is_commit(reference) {
            return Ok(Some(reference.to_ascii_lowercase()));
        }
        let list = self.expect(&["ls-remote", "--", &spec.url].map(AsRef::as_ref), None, "look at", spec)?;
        // The commit of an annotated tag has a line of its own.
        let names = [format!("refs/tags/{reference}^{{}}"), format!("refs/tags/{reference}"), format!("refs/heads/{reference}")];
        Ok(names.iter().find_map(|name| commit_of(&list, name)))
    }

    fn expect(&self, args: &[&std::ffi::OsStr], dir: Option<&Path>, action: &str, spec: &GitSpec) -> Result<String, InstallError> {
        let ended = self.run(args, dir)?;
        if ended.ok {
            return Ok(ended.stdout);
        }
        let said = [&ended.stderr, &ended.stdout].into_iter().map(|text| text.trim()).find(|text| !text.is_empty());
        Err(failure(action, spec, said.unwrap_or("git failed")))
    }

    fn run(&self, args: &[&std::ffi::OsStr], dir: Option<&Path>) -> Result<Ended, InstallError> {
        let mut command = tokio::process::Command::new(&self.program);
        // Hooks and helpers of the user's own config are not for code of strangers.
        for setting in
            ["core.hooksPath=/dev/null", "core.fsmonitor=false", "core.askPass=", "submodule.recurse=false", "advice.detachedHead=false"]
        {
            command.arg("-c").arg(setting);
        }
        command.args(args).env_clear().envs(self.env.iter().map(|(key, value)| (key, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        if let Some(dir) = dir {
            command.current_dir(dir);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(drive(command))
    }
}

async fn drive(mut command: tokio::process::Command) -> Result<Ended, InstallError> {
    let mut child = command.spawn().map_err(|error| InstallError::refused(format!("`git` cannot be started: {error}")))?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let work = async { tokio::join!(collect(stdout), collect(stderr), child.wait()) };
    if let Ok((stdout, stderr, status)) = tokio::time::timeout(TIMEOUT, work).await {
        return Ok(Ended { ok: status?.success(), stdout, stderr });
    }
    // Told to end, git ends its helpers as well; killed, it could not.
    if let Some(pid) = child.id().and_then(|pid| rustix::process::Pid::from_raw(pid.cast_signed())) {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = tokio::time::timeout(GRACE, child.wait()).await;
    }
    Ok(Ended { ok: false, stdout: String::new(), stderr: format!("git did not end within {} s", TIMEOUT.as_secs()) })
}

/// Reads to the end and keeps the beginning.
async fn collect(stream: Option<impl AsyncRead + Unpin>) -> String {
    let (mut kept, mut buffer) = (Vec::new(), vec![0; 16 * 1024]);
    if let Some(mut stream) = stream {
        while let Ok(n) = stream.read(&mut buffer).await {
            if n == 0 {
                break;
            }
            kept.extend_from_slice(&buffer[..n.min(MAX_OUTPUT.saturating_sub(kept.len()))]);
        }
    }
    String::from_utf8_lossy(&kept).into_owned()
}

fn environment(env: &Env) -> Vec<(String, String)> {
    let mut list: Vec<(String, String)> = PASSED.iter().filter_map(|name| Some(((*name).to_owned(), env.get(name)?.to_owned()))).collect();
    let mut set = |name: &str, value: &str| list.push((name.to_owned(), value.to_owned()));
    set("GIT_TERMINAL_PROMPT", "0");
    set("GIT_CONFIG_NOSYSTEM", "1");
    set("GIT_TEMPLATE_DIR", "");
    set("GIT_EDITOR", "false");
    set("GIT_SEQUENCE_EDITOR", "false");
    set("GIT_ALLOW_PROTOCOL", PROTOCOLS);
    set("SSH_ASKPASS_REQUIRE", "never");
    set("LC_ALL", "C");
    if env.non_empty("GIT_SSH").or(env.non_empty("GIT_SSH_COMMAND")).is_none() {
        set("GIT_SSH_COMMAND", "ssh -o BatchMode=yes");
    }
    list
}

/// INS-189, INS-361.
fn failure(action: &str, spec: &GitSpec, detail: &str) -> InstallError {
    let detail: String = redact(detail.trim()).chars().filter(|c| *c == '\n' || !c.is_control()).take(MAX_DETAIL).collect();
    let error = InstallError::refused(format!("failed to {action} {}: {detail}", redact(&spec.label)));
    match &spec.reference {
        Some(reference) if action.starts_with("checkout") => error
            .hint(format!("check that `{reference}` is a branch, tag or commit of `{}`", redact(&spec.label)))
            .hint("what was installed before is as it was"),
        _ => error.hint(format!("check the address, and that `git clone {}` works without a password prompt", spec.public_url())),
    }
}

fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn commit_of(list: &str, name: &str) -> Option<String> {
    let line = list.lines().find_map(|line| line.split_once('\t').filter(|(_, found)| *found == name));
    line.map(|(commit, _)| commit.trim().to_ascii_lowercase()).filter(|commit| is_commit(commit))
}

#[cfg(test)]
mod tests {
    use super::*;

    // INS-185
    #[test]
    fn git_gets_no_repository_and_no_secret_of_ours() {
        let mut env = Env::default();
        for name in
            ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_CONFIG_COUNT", "GIT_SSL_NO_VERIFY", "GIT_EXEC_PATH", "OPENAI_API_KEY"]
        {
            env.set(name, "x");
        }
        env.set("PATH", "/bin");
        let list = environment(&env);
        let of = |name: &str| list.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        assert!(!list.iter().any(|(_, value)| value == "x"), "{list:?}");
        assert_eq!((of("GIT_TERMINAL_PROMPT"), of("GIT_CONFIG_NOSYSTEM"), of("GIT_TEMPLATE_DIR")), (Some("0"), Some("1"), Some("")));
        assert_eq!((of("PATH"), of("GIT_SSH_COMMAND")), (Some("/bin"), Some("ssh -o BatchMode=yes")));
    }

    #[test]
    fn without_git_the_error_says_so() {
        let error = Git::find(&Env::default()).unwrap_err();
        assert_eq!(error.to_string(), "`git` is not on the PATH");
        assert_eq!(error.hints(), ["install git, then run the command again"]);
    }
}
