//! `exec` (TOOL-37..TOOL-44): runs a command at once, or after somebody allowed it.

mod approval;
mod environment;
mod say;

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use async_trait::async_trait;
use chela_agent::tools::{HostTool, HostToolCall, HostToolSpec, ToolContext, text_result};
use chela_approvals::command::{Analysis, resolve_program};
use chela_approvals::policy::{AskWhen, Coverage, ExecPolicy, Ruling, rule};
use chela_plugin::registry::Registry;
use serde_json::{Map, Value, json};

use crate::exec_file;
use crate::params::Args;
use crate::sessions::{Session, Spec};
use crate::settings::{self, Elevated, ExecSettings};
use crate::world::{ToolHost, World};

pub(crate) use approval::resume;

/// How long a call waits for its command (TOOL-37, TOOL-38).
const YIELD: Duration = Duration::from_millis(10_000);
const YIELD_LEAST: Duration = Duration::from_millis(10);
const YIELD_MOST: Duration = Duration::from_secs(120);
/// Largest command, in bytes.
const LARGEST: usize = 128 * 1024;
/// How often progress is told.
const PROGRESS: Duration = Duration::from_millis(500);

static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    let text = |about: &str| json!({"type": "string", "description": about});
    // `security` is taken and has no effect; it is not offered, so that no model believes it has one (TOOL-F1).
    json!({"type": "object", "required": ["command"], "properties": {
        "command": text("Shell command to run"),
        "workdir": text("Directory to run in; the workspace when absent"),
        "env": {"type": "object", "additionalProperties": {"type": "string"}, "description": "Variables on top of the usual ones"},
        "yieldMs": {"type": "number", "description": "Milliseconds to wait before the command goes on in the background (default 10000)"},
        "background": {"type": "boolean", "description": "Go on in the background at once"},
        "timeout": {"type": "number", "description": "Seconds until the command is ended; 0 for no limit"},
        "pty": {"type": "boolean", "description": "Run in a terminal, for programs that need one"},
        "elevated": {"type": "boolean", "description": "Run with elevated permissions, where this is allowed"},
        "host": {"type": "string", "enum": ["auto", "sandbox", "gateway", "node"], "description": "Where to run"},
        "ask": text("off, on-miss or always; can only be stricter than the operator's setting"),
        "node": text("Node for host=node"),
    }})
});

/// The tool.
#[derive(Debug)]
pub(crate) struct Exec {
    pub(crate) world: Arc<World>,
}

#[async_trait]
impl HostTool for Exec {
    fn name(&self) -> &'static str {
        "exec"
    }

    fn describe(&self, _: &Registry, _: &ToolContext) -> Option<HostToolSpec> {
        let description = "Run a shell command. One that takes long goes on in the background (yieldMs, background); `process` shows its \
                           output, takes input for it and ends it, and its end is told by itself. Use pty=true for programs that need a \
                           terminal. Do not wait with sleep loops";
        Some(HostToolSpec { label: "exec".into(), description: description.into(), parameters: SCHEMA.clone(), owner_only: false })
    }

    fn limits_itself(&self) -> bool {
        true
    }

    async fn run(&self, call: HostToolCall<'_>) -> Result<Value, String> {
        let request = Request::of(&self.world, &call).await?;
        match request.decide(&self.world).await? {
            Verdict::Run => request.run(&self.world, &call).await,
            Verdict::Ask(found, policy) => approval::ask(&self.world, &call, request, found, policy).await,
        }
    }
}

/// One call, checked.
pub(crate) struct Request {
    agent: String,
    command: String,
    cwd: PathBuf,
    /// The call's own variables and those of plugins, for the plan of an approval.
    own_env: Value,
    spec: Spec,
    settings: ExecSettings,
    ask: AskWhen,
    elevated: Elevated,
    may_background: bool,
    wait: Duration,
    warnings: Vec<String>,
}

/// What is to be done with a call.
enum Verdict {
    Run,
    Ask(Coverage, ExecPolicy),
}

impl Request {
    async fn of(world: &Arc<World>, call: &HostToolCall<'_>) -> Result<Self, String> {
        let host = world.host()?;
        let args = Args::new(&call.params);
        let command = args.required("command")?.to_owned();
        if command.len() > LARGEST || command.contains('\0') {
            return Err(format!("`command` must be a text of at most {LARGEST} bytes"));
        }
        refuse_control(&command)?;
        let agent = crate::agent_of(call);
        let session = session_members(call).await;
        let settings = settings::exec(call.runtime, &agent, &session);
        check_host(&args, &settings)?;
        let elevated = settings::elevated(call.runtime, &agent, &session, call.origin, args.flag("elevated")?)?;
        let ask = match args.text("ask")?.map(|word| (word, AskWhen::parse(word))) {
            Some((word, None)) => return Err(format!("`ask` is `{word}`; it may be off, on-miss or always")),
            Some((_, Some(own))) => settings.ask.max(own),
            None => settings.ask,
        };
        let mut warnings = Vec::new();
        let workspace = call.runtime.workspace_of(&agent);
        if let Err(error) = fs_err::create_dir_all(&workspace) {
            warnings.push(format!("Warning: the workspace cannot be made: {error}"));
        }
        let home = host.home();
        let cwd = match args.text("workdir")? {
            None => workspace,
            Some(given) => {
                let dir = given.trim().strip_prefix("~/").map_or_else(|| workspace.join(given.trim()), |rest| home.join(rest));
                if dir.is_dir() {
                    dir
                } else {
                    warnings.push(format!("Warning: workdir \"{given}\" is no directory; using \"{}\".", workspace.display()));
                    workspace
                }
            }
        };
        let may_background = call.runtime.tool_policy(&agent, call.session_key, None, call.origin).permits_core_tool("process");
        let wait = wait_of(&args, may_background, &mut warnings)?;
        let timeout = match args.number("timeout")? {
            Some(0.0) => None,
            Some(seconds) => Some(Duration::from_secs_f64(seconds.min(1e8))),
            None => Some(settings.timeout),
        };
        let own_env = environment::with_plugins(call, &agent, args.value("env")).await;
        let env = settings::command_env(host.command_env(), &settings.path_prepend, own_env.as_ref(), &home)?;
        let spec = Spec {
            shell: shell(&env),
            command: command.clone(),
            cwd: cwd.clone(),
            env,
            terminal: args.flag("pty")?.unwrap_or(false),
            timeout,
            agent: agent.clone(),
            guard: host.guard(),
        };
        let own_env = own_env.unwrap_or(Value::Null);
        Ok(Self { agent, command, cwd, own_env, spec, settings, ask, elevated, may_background, wait, warnings })
    }

    /// What holds for this command, by the config and the approvals file.
    async fn decide(&self, world: &Arc<World>) -> Result<Verdict, String> {
        if self.elevated == Elevated::Full {
            return Ok(Verdict::Run);
        }
        let host = world.host()?;
        let found = exec_file::read(host.state_dir()).await.map_err(|e| format!("exec denied: exec approvals cannot be read: {e}"))?;
        let policy = found.file.policy(&self.agent).with_config(self.settings.security, self.ask);
        let analysis = Analysis::of(&self.command);
        let programs = programs(&analysis, &self.spec, &host.home());
        let covered = found.file.covers(&self.agent, &analysis, &self.settings.safe_bins, &host.home(), &programs);
        let durable = found.file.remembers(&self.agent, &self.command);
        let coverage = Coverage::new(&analysis, covered, durable, self.settings.strict_inline_eval);
        match rule(policy, coverage) {
            Ruling::Refuse(reason) => Err(reason.into()),
            Ruling::Ask => Ok(Verdict::Ask(coverage, policy)),
            Ruling::Run => {
                if coverage.allowlisted || coverage.durable {
                    note_use(&*host, self, analysis, programs);
                }
                Ok(Verdict::Run)
            }
        }
    }

    /// Runs it, and waits as long as the call wants.
    async fn run(self, world: &Arc<World>, call: &HostToolCall<'_>) -> Result<Value, String> {
        let session = world.sessions.start(self.spec)?;
        // A call that is aborted takes its command with it.
        let mut unless = StopUnless(Some(session.clone()));
        let warnings = if self.warnings.is_empty() { String::new() } else { format!("{}\n\n", self.warnings.join("\n")) };
        session.begun().await;
        let end =
            if self.may_background && self.wait.is_zero() { None } else { waited(&session, self.may_background, self.wait, call).await };
        unless.0 = None;
        if let Some(end) = end {
            session.see_end();
            world.sessions.forget(&session.id);
            return Ok(say::ended(&session, end, &warnings));
        }
        session.send_to_background();
        if self.settings.notify_on_exit {
            tell_end_later(world, &session, call.session_key, self.settings.notify_empty);
        }
        Ok(say::running(&session, &warnings))
    }
}

/// Waits for the end, at most as long as the call may; tells progress meanwhile.
async fn waited(session: &Arc<Session>, may_background: bool, wait: Duration, call: &HostToolCall<'_>) -> Option<crate::sessions::End> {
    let over = async { if may_background { tokio::time::sleep(wait).await } else { std::future::pending().await } };
    let progress = async {
        let Some(update) = &call.on_update else { return std::future::pending().await };
        let mut told = 0;
        loop {
            tokio::time::sleep(PROGRESS).await;
            let (total, tail) = {
                let output = session.output();
                (output.total, output.tail().to_owned())
            };
            if total != told {
                told = total;
                let mut partial = text_result(tail);
                partial["details"] = say::running_details(session);
                update(partial);
            }
        }
    };
    tokio::select! {
        biased;
        end = session.wait() => end,
        () = over => None,
        () = progress => None,
    }
}

struct StopUnless(Option<Arc<Session>>);

impl Drop for StopUnless {
    fn drop(&mut self) {
        if let Some(session) = self.0.take() {
            session.stop();
        }
    }
}

/// The end of a command in the background is an event of the session, and wakes it (TOOL-44).
fn tell_end_later(world: &Arc<World>, session: &Arc<Session>, session_key: &str, notify_empty: bool) {
    let (world, session, key) = (Arc::downgrade(world), session.clone(), session_key.to_owned());
    tokio::spawn(async move {
        let Some(end) = session.wait().await else { return };
        let text = say::event(&session, end);
        // Nothing to say, said already, or ended by the agent itself.
        let quiet = session.output().text().trim().is_empty() && (end.stopped || (end.is_completed() && !notify_empty));
        if !session.see_end() || quiet {
            return;
        }
        let Some(world) = world.upgrade().filter(|world| !world.sessions.is_closing()) else { return };
        let Ok(host) = world.host() else { return };
        let context = Some(format!("exec:{}", session.id));
        tell(&*host, &key, &session.agent, text, context, "A command in the background has ended.").await;
    });
}

/// Puts an event into a session and begins a turn in it.
async fn tell(host: &dyn ToolHost, session_key: &str, agent: &str, text: String, context: Option<String>, message: &str) {
    let event = chela_agent::system_events::SystemEvent {
        text,
        at_ms: chela_agent::clock::now_ms(),
        context_key: context,
        delivery_context: None,
        // The output of a program is the text of a stranger.
        trusted: false,
    };
    host.runtime().system_events.enqueue(session_key, event);
    if let Err(error) = host.wake(session_key, agent, message.into()).await {
        tracing::warn!(target: "tools", session = session_key, "the end of a command could not be told: {error}");
    }
}

fn wait_of(args: &Args<'_>, may_background: bool, warnings: &mut Vec<String>) -> Result<Duration, String> {
    let (background, own) = (args.flag("background")?.unwrap_or(false), args.number("yieldMs")?);
    if !may_background {
        if background || own.is_some() {
            warnings.push("Warning: the tool `process` is not allowed, so the command is waited for.".into());
        }
        return Ok(Duration::MAX);
    }
    if background {
        return Ok(Duration::ZERO);
    }
    Ok(own.map_or(YIELD, |ms| Duration::from_millis(ms.min(1e9) as u64)).clamp(YIELD_LEAST, YIELD_MOST))
}

/// Only this machine is built; asking for another place fails instead of running here (TOOL-39).
fn check_host(args: &Args<'_>, settings: &ExecSettings) -> Result<(), String> {
    let wanted = args.text("host")?.map(|host| host.trim().to_lowercase());
    match wanted.as_deref().unwrap_or(&settings.host) {
        "auto" | "gateway" => Ok(()),
        "sandbox" => Err("exec host=sandbox: this session has no sandbox, and nothing was run; sandboxes are not built yet".into()),
        "node" => Err("exec host=node: there is no node, and nothing was run; node hosts are not built yet".into()),
        other => Err(format!("exec host `{other}` is none of auto, sandbox, gateway, node")),
    }
}

/// Commands that would answer the agent's own approvals, or wait for a person at a terminal.
fn refuse_control(command: &str) -> Result<(), String> {
    if command.trim_start().to_ascii_lowercase().starts_with("/approve") {
        return Err("exec cannot answer approvals: the person who was asked does".into());
    }
    let analysis = Analysis::of(command);
    for part in analysis.parts() {
        let words: Vec<&str> = part.argv.iter().map(String::as_str).filter(|w| !w.starts_with('-')).collect();
        let at = words.iter().position(|w| matches!(w.rsplit('/').next(), Some("chela" | "openclaw")));
        match at.map(|at| &words[at + 1..]) {
            Some(["approvals" | "exec-approvals", "approve" | "deny", ..]) => {
                return Err("exec cannot answer approvals: the person who was asked does".into());
            }
            Some(["channels", "login", ..]) => {
                return Err("`channels login` waits for a person; run it in a terminal on this machine".into());
            }
            _ => {}
        }
    }
    Ok(())
}

/// The programs of the parts, as the shell will find them.
fn programs(analysis: &Analysis, spec: &Spec, home: &Path) -> Vec<Option<PathBuf>> {
    use std::os::unix::fs::PermissionsExt as _;
    let path = spec.env.get("PATH").map(String::as_str).unwrap_or_default();
    let is_program = |file: &Path| std::fs::metadata(file).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0);
    analysis.parts().iter().map(|part| resolve_program(&part.argv[0], &spec.cwd, home, path, &is_program)).collect()
}

/// Notes in the approvals file that an entry was used; nobody waits for it.
fn note_use(host: &dyn ToolHost, request: &Request, analysis: Analysis, programs: Vec<Option<PathBuf>>) {
    let (dir, home, agent, command) = (host.state_dir(), host.home(), request.agent.clone(), request.command.clone());
    tokio::spawn(async move {
        let change = move |file: &mut chela_approvals::exec_file::ExecFile| {
            file.note_use(&agent, &analysis, &home, &programs, &command, chela_agent::clock::now_ms());
            true
        };
        if let Err(error) = exec_file::change(dir, change).await {
            tracing::debug!(target: "tools", "the use of an allowlist entry was not noted: {error}");
        }
    });
}

/// The user's shell where it understands plain commands, else the system's.
fn shell(env: &std::collections::BTreeMap<String, String>) -> PathBuf {
    let own = env.get("SHELL").map(PathBuf::from).filter(|shell| shell.is_absolute() && shell.is_file());
    let plain = |shell: &PathBuf| {
        shell.file_name().and_then(|n| n.to_str()).is_some_and(|n| matches!(n, "sh" | "bash" | "dash" | "zsh" | "ksh" | "mksh" | "ash"))
    };
    own.filter(plain).unwrap_or_else(|| PathBuf::from("/bin/sh"))
}

/// What the session says about itself beyond the known members.
async fn session_members(call: &HostToolCall<'_>) -> Map<String, Value> {
    let row = call.runtime.store.session(call.session_key).await.ok().flatten();
    let mut members: Map<String, Value> = row.map(|row| row.extra.into_iter().collect()).unwrap_or_default();
    members.extend(call.origin.exec.clone());
    members
}
