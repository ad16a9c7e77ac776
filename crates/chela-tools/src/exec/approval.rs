//! Commands that somebody must allow: asked for, told as pending, and run once they are allowed, also after a restart (TOOL-41, TOOL-42).

use std::sync::Arc;
use std::time::Duration;

use chela_agent::tools::HostToolCall;
use chela_approvals::policy::{AskWhen, Coverage, ExecPolicy, Security, without_answer};
use chela_approvals::request::{self, EXEC_TIMEOUT};
use chela_approvals::{ApprovalKind, ApprovalRow, Ask, Decision, Verdict};
use serde_json::{Map, Value, json};

use super::{Request, say, shell, tell};
use crate::exec_file;
use crate::sessions::Spec;
use crate::settings;
use crate::world::{ToolHost, World};

/// Turns that nobody watches: they are told at once that nobody can answer.
const HEADLESS: &[&str] = &["heartbeat", "cron"];

/// Asks for a command. The answer says that it waits; what follows comes as an event.
pub(super) async fn ask(
    world: &Arc<World>,
    call: &HostToolCall<'_>,
    request: Request,
    found: Coverage,
    policy: ExecPolicy,
) -> Result<Value, String> {
    let cwd = request.cwd.display().to_string();
    let asked = call.runtime.approvals.ask(Ask {
        kind: ApprovalKind::Exec,
        id: None,
        request: shown(call, &request, found, policy)?,
        timeout: EXEC_TIMEOUT,
        plan: Some(plan(call, &request, found, policy)),
        asker: None,
    });
    let asked = asked.await.map_err(|error| format!("exec denied: the approval could not be asked for: {error}"))?;
    if asked.routed {
        follow(world, asked.row.clone());
        return Ok(say::pending(&asked.row, &cwd, &request.command));
    }
    // Nobody can answer: what the operator set for that case holds.
    match without_answer(policy, found) {
        Ok(()) => request.run(world, call).await,
        Err(_) if HEADLESS.contains(&call.origin.trigger) => {
            let (security, ask) = (policy.security.as_str(), policy.ask.as_str());
            Err(format!(
                "exec denied: a turn of kind `{}` cannot wait for an approval (security={security}, ask={ask}, askFallback={}); allow the \
                 command beforehand with `chela approvals allowlist add`",
                call.origin.trigger,
                policy.fallback.as_str()
            ))
        }
        Err(_) => Ok(say::unavailable(&call.origin.surface, &cwd, &request.command)),
    }
}

/// What people see.
fn shown(call: &HostToolCall<'_>, request: &Request, found: Coverage, policy: ExecPolicy) -> Result<Value, String> {
    let mut warnings = request.warnings.clone();
    if found.inline_eval {
        warnings.push("Warning: the command evaluates code that is in its arguments.".into());
    }
    let mut params = json!({
        "command": request.command, "cwd": request.cwd.display().to_string(), "host": "gateway", "security": policy.security.as_str(),
        "ask": policy.ask.as_str(), "agentId": request.agent, "sessionKey": call.session_key, "env": request.own_env,
    });
    if !warnings.is_empty() {
        params["warningText"] = warnings.join("\n").into();
    }
    for (name, value) in call.origin.source.as_object().into_iter().flatten() {
        params[name] = value.clone();
    }
    if params["turnSourceChannel"].is_null() && !call.origin.surface.is_empty() {
        params["turnSourceChannel"] = call.origin.surface.clone().into();
    }
    request::exec(&params).map(|checked| checked.request).map_err(|problem| format!("exec denied: {problem}"))
}

/// What is needed to run it later.
fn plan(call: &HostToolCall<'_>, request: &Request, found: Coverage, policy: ExecPolicy) -> Value {
    json!({
        "command": request.command, "cwd": request.cwd, "env": request.own_env, "pty": request.spec.terminal,
        "timeoutMs": request.spec.timeout.map(|t| t.as_millis() as u64), "agentId": request.agent, "sessionKey": call.session_key,
        "policy": {"security": policy.security.as_str(), "ask": policy.ask.as_str(), "fallback": policy.fallback.as_str()},
        "found": {"allowlisted": found.allowlisted, "durable": found.durable, "inlineEval": found.inline_eval},
    })
}

/// Goes on with a request of an earlier run of the gateway.
pub(crate) fn resume(world: &Arc<World>, row: ApprovalRow) {
    if row.plan.as_ref().is_some_and(|plan| plan["command"].is_string()) {
        follow(world, row);
    }
}

fn follow(world: &Arc<World>, row: ApprovalRow) {
    let world = Arc::downgrade(world);
    tokio::spawn(async move {
        let runtime = || world.upgrade().and_then(|world| world.host().ok()).map(|host| host.runtime());
        // Nothing of the gateway is held while a person thinks: it must be able to stop.
        let watcher = runtime().and_then(|runtime| runtime.approvals.watcher(&row.id));
        let verdict = match watcher {
            Some(watcher) => watcher.verdict().await,
            None => {
                let Some(runtime) = runtime() else { return };
                runtime.approvals.wait(&row.id).await.ok().flatten()
            }
        };
        let (Some(verdict), Some(world)) = (verdict, world.upgrade()) else { return };
        if let Err(problem) = decided(&world, &row, &verdict).await {
            tracing::warn!(target: "approvals", approval = row.id, "{problem}");
        }
    });
}

/// What a plan says.
struct Plan<'a> {
    command: &'a str,
    agent: &'a str,
    session_key: &'a str,
    raw: &'a Value,
}

async fn decided(world: &Arc<World>, row: &ApprovalRow, verdict: &Verdict) -> Result<(), String> {
    let raw = row.plan.as_ref().ok_or("the approval has no plan")?;
    let text = |name: &str| raw[name].as_str().ok_or_else(|| format!("the plan of the approval has no `{name}`"));
    let plan = Plan { command: text("command")?, agent: text("agentId")?, session_key: text("sessionKey")?, raw };
    let host = world.host()?;
    let inline_eval = raw["found"]["inlineEval"] == true;
    let refused = match verdict.decision {
        Some(Decision::Deny) => Some("user-denied"),
        Some(Decision::AllowAlways) if !inline_eval => {
            let (agent, command, now) = (plan.agent.to_owned(), plan.command.to_owned(), chela_agent::clock::now_ms());
            let kept = exec_file::change(host.state_dir(), move |file| {
                file.remember(&agent, &command, now);
                true
            });
            // The command itself was allowed; that it is asked for again is the lesser evil.
            if let Err(error) = kept.await {
                tracing::warn!(target: "approvals", "allow-always could not be kept: {error}");
            }
            None
        }
        Some(_) => None,
        None => without_answer(policy_of(raw), coverage_of(raw)).err(),
    };
    if let Some(reason) = refused {
        let text = format!("Exec denied (gateway id={}, {reason}): {}", row.id, plan.command);
        let message = "A command that waited for approval was not allowed. It did not run: there is no output of it, and results of earlier \
                       runs are not its own. Do not run it again unless you are asked to.";
        tell(&*host, plan.session_key, plan.agent, text, Some(row.id.clone()), message).await;
        return Ok(());
    }
    run(world, &*host, row, &plan).await
}

async fn run(world: &Arc<World>, host: &dyn ToolHost, row: &ApprovalRow, plan: &Plan<'_>) -> Result<(), String> {
    let say_denied = async |reason: String| {
        let text = format!("Exec denied (gateway id={}, {reason}): {}", row.id, plan.command);
        tell(host, plan.session_key, plan.agent, text, Some(row.id.clone()), "A command that was allowed could not run.").await;
    };
    let runtime = host.runtime();
    let session = runtime.store.session(plan.session_key).await.ok().flatten();
    let session: Map<String, Value> = session.map(|row| row.extra.into_iter().collect()).unwrap_or_default();
    let settings = settings::exec(&runtime, plan.agent, &session);
    // The operator may have closed the machine since the question was asked.
    let closed = match exec_file::read(host.state_dir()).await {
        Ok(found) => found.file.policy(plan.agent).with_config(settings.security, settings.ask).security == Security::Deny,
        Err(_) => true,
    };
    if closed {
        say_denied("host security is `deny`".into()).await;
        return Ok(());
    }
    let own = Some(&plan.raw["env"]).filter(|env| env.is_object());
    let env = match settings::command_env(host.command_env(), &settings.path_prepend, own, &host.home()) {
        Ok(env) => env,
        Err(problem) => {
            say_denied(problem).await;
            return Ok(());
        }
    };
    let spec = Spec {
        shell: shell(&env),
        command: plan.command.to_owned(),
        cwd: plan.raw["cwd"].as_str().unwrap_or("/").into(),
        env,
        terminal: plan.raw["pty"] == true,
        timeout: plan.raw["timeoutMs"].as_u64().map(Duration::from_millis),
        agent: plan.agent.to_owned(),
        guard: host.guard(),
    };
    let started = match world.sessions.start(spec) {
        Ok(started) => started,
        Err(problem) => {
            say_denied(format!("spawn-failed: {problem}")).await;
            return Ok(());
        }
    };
    started.send_to_background();
    let Some(end) = started.wait().await else { return Ok(()) };
    started.see_end();
    if world.sessions.is_closing() {
        return Ok(());
    }
    let output = say::snippet_of(&started);
    let text = format!("Exec finished (gateway id={}, session={}, {})\n{output}", row.id, started.id, end.words());
    let message = "A command that waited for approval was allowed and has run; the event says how it ended.";
    tell(host, plan.session_key, plan.agent, text, Some(row.id.clone()), message).await;
    Ok(())
}

fn policy_of(plan: &Value) -> ExecPolicy {
    let word = |name: &str| plan["policy"][name].as_str().unwrap_or_default();
    ExecPolicy {
        security: Security::parse(word("security")).unwrap_or(Security::Deny),
        ask: AskWhen::parse(word("ask")).unwrap_or(AskWhen::Always),
        fallback: Security::parse(word("fallback")).unwrap_or(Security::Deny),
    }
}

fn coverage_of(plan: &Value) -> Coverage {
    let is = |name: &str| plan["found"][name] == true;
    Coverage { allowlisted: is("allowlisted"), durable: is("durable"), inline_eval: is("inlineEval") }
}
