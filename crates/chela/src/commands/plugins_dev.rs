//! `chela plugins dev`: a gateway around one plugin, which starts anew after each change of its files.

use std::io::BufRead;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use chela_config::{AuthMode, AuthOverride, Secret};
use chela_gateway::run::{Ready, RunOptions};
use chela_hooks::{HandlerCall, HookKind, TraceRecord};
use chela_host::{Called, Host, Observed, Observer, StartOutcome};
use chela_kit::coverage;
use chela_kit::stage::Stage;
use chela_kit::trial::Script;
use chela_kit::turn;
use chela_kit::watch::Watch;
use chela_plugin::Adapter;
use serde_json::Value;
use tokio::sync::mpsc;

use crate::cli::plugins::DevArgs;
use crate::context::Context;
use crate::output;
use crate::report::Failure;

/// Longest turn of what is typed.
const TURN_LIMIT: Duration = Duration::from_secs(120);
/// Files may come in several steps: the start waits until nothing changed for this long.
const SETTLE: Duration = Duration::from_millis(20);
/// Longest value in a line, in characters.
const SHOWN: usize = 100;

/// Runs until Ctrl-C.
///
/// # Errors
/// A directory without a plugin, a script that cannot be used, a port in use.
pub fn run(ctx: &Context, args: &DevArgs) -> Result<(), Failure> {
    let script = match &args.script {
        Some(path) => Script::read(path).map_err(super::sdk::failed)?,
        None => Script::default(),
    };
    let plugins = coverage::records(&args.dir).map_err(super::sdk::failed)?;
    let [plugin] = &plugins[..] else {
        let ids = plugins.iter().map(|plugin| plugin.id.as_str()).collect::<Vec<_>>().join(", ");
        return Err(Failure::new(format!("there are several plugins in `{}`: {ids}", args.dir.display())).hint("name the directory of one"));
    };
    let stage = Stage::new(plugin, &ctx.env, &script).map_err(super::sdk::failed)?;
    let port = args.port.map_or_else(free_port, Ok)?;
    let token = uuid::Uuid::new_v4().simple().to_string();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new("cannot start the asynchronous runtime").cause(error.to_string()))?;
    let (ready, hosts) = mpsc::channel::<Weak<Host>>(1);
    let session = Session { id: plugin.id.clone(), root: plugin.root_dir.clone(), url: format!("http://127.0.0.1:{port}/#token={token}") };
    let ended = runtime.block_on(async {
        let work = tokio::spawn(session.work(hosts));
        let ended = chela_gateway::run::run(RunOptions {
            paths: stage.paths.clone(),
            env: stage.env.clone(),
            config: stage.config.clone(),
            port: Some(port),
            bind: None,
            auth: AuthOverride { mode: Some(AuthMode::Token), token: Some(Secret::new(token)), password: None },
            allow_unconfigured: true,
            process_started: ctx.started,
            temp_dir: stage.workspace(),
            on_ready: Box::new(move |news: &Ready| drop(ready.try_send(news.host.clone()))),
            cli_commands: crate::cli::command_names().into_iter().collect(),
            observer: Some(observer(&plugin.id)),
        })
        .await;
        work.abort();
        ended
    });
    // Whoever waits for a line of the terminal is not waited for.
    runtime.shutdown_background();
    stage.close().map_err(super::sdk::failed)?;
    ended.map(drop).map_err(|error| Failure::new(error.to_string()))
}

fn free_port() -> Result<u16, Failure> {
    let bound = std::net::TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    bound.map(|address| address.port()).map_err(|error| Failure::new("no free port can be had").cause(error.to_string()))
}

/// What happens beside the gateway.
struct Session {
    id: String,
    root: PathBuf,
    url: String,
}

impl Session {
    async fn work(self, mut hosts: mpsc::Receiver<Weak<Host>>) {
        let Some(host) = hosts.recv().await else { return };
        let mut watch = Watch::new(&self.root);
        self.first(&host).await;
        let mut lines = typed();
        loop {
            tokio::select! {
                () = tokio::time::sleep(watch.interval()) => {}
                Some(line) = lines.recv() => {
                    tokio::spawn(say(host.clone(), line));
                    continue;
                }
            }
            let mut changed = watch.changed();
            if changed.is_empty() {
                continue;
            }
            loop {
                tokio::time::sleep(SETTLE).await;
                match watch.changed() {
                    more if more.is_empty() => break,
                    more => changed.extend(more),
                }
            }
            let Some(host) = host.upgrade() else { return };
            let names: Vec<String> = changed.iter().take(3).map(|path| path.display().to_string()).collect();
            print(&format!("changed  {}", names.join(", ")));
            let begun = Instant::now();
            let outcome = host.restart_plugin(&self.id).await;
            self.tell("swapped", outcome.as_ref(), begun.elapsed(), &host);
        }
    }

    async fn first(&self, host: &Weak<Host>) {
        let Some(host) = host.upgrade() else { return };
        let begun = Instant::now();
        let outcome = host.manager.start_and_wait(&self.id, Duration::from_secs(60)).await;
        self.tell("started", outcome.as_ref(), begun.elapsed(), &host);
        print(&format!("ready    {}\nType to talk to the agent; `/tool NAME {{...}}` calls a tool. Ctrl-C ends it", self.url));
    }

    fn tell(&self, what: &str, outcome: Option<&StartOutcome>, took: Duration, host: &Host) {
        let failure =
            host.manager.registry().plugin(&self.id).and_then(|entry| entry.failure.as_ref().map(|failure| failure.message.clone()));
        let error = match (outcome, failure) {
            (_, Some(message)) => Some(message),
            (Some(StartOutcome::Failed(error)), None) => Some(error.message.clone()),
            (Some(StartOutcome::Started), None) => None,
            (None, None) => {
                let snapshot = host.manager.snapshot();
                let known = snapshot.get(&self.id).and_then(|plugin| plugin.failure.as_ref()).map(|failure| failure.message.clone());
                Some(known.unwrap_or_else(|| "the plugin cannot be found; look at its `openclaw.plugin.json`".into()))
            }
        };
        if let Some(error) = error {
            return print(&format!("failed   {error}\n         it is off until the next change"));
        }
        let facts = host.runtime_facts(&self.id);
        let tools: Vec<String> = facts.tools.iter().flat_map(|tool| tool.names.clone()).collect();
        let hooks: Vec<String> = facts.typed_hooks.iter().map(|hook| hook.name.clone()).collect();
        let list = |name: &str, all: &[String]| if all.is_empty() { String::new() } else { format!(", {name}: {}", all.join(", ")) };
        print(&format!("{what}  `{}` in {} ms{}{}", self.id, took.as_millis(), list("tools", &tools), list("hooks", &hooks)));
        for notice in facts.notices.iter().filter_map(|notice| notice["message"].as_str()) {
            print(&format!("notice   {notice}"));
        }
    }
}

/// Lines that are typed. The thread that reads them ends with the process.
fn typed() -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel(4);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if !line.trim().is_empty() && sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    lines
}

async fn say(host: Weak<Host>, line: String) {
    let Some(host) = host.upgrade() else { return };
    match turn::say(&host.runtime, line.trim(), "user", TURN_LIMIT).await {
        Ok(outcome) => match (&outcome.text, &outcome.error) {
            (_, Some(error)) => print(&format!("agent    failed: {error}")),
            (Some(text), None) => print(&format!("agent    {text}")),
            (None, None) => print("agent    says nothing"),
        },
        Err(why) => print(&format!("agent    the turn {why}")),
    }
}

/// Shows each call of the plugin in a line.
fn observer(id: &str) -> Observer {
    let id = id.to_owned();
    Arc::new(move |call: Observed| {
        if call.plugin == id {
            print(&line(&call));
        }
    })
}

fn line(call: &Observed) -> String {
    let gave = match &call.result {
        Ok(Value::Null) => "nothing".to_owned(),
        Ok(value) => cut(&value.to_string()),
        Err(error) => format!("failed: {}", cut(&error.to_string())),
    };
    let ms = call.took.as_secs_f64() * 1e3;
    match &call.what {
        Called::Hook(hook, event) => {
            let call = HandlerCall {
                plugin_id: &call.plugin,
                kind: HookKind::Typed,
                hook: hook.as_str(),
                event,
                ctx: None,
                result: &call.result,
                took: call.took,
                budget: None,
            };
            format!("hook     {}", TraceRecord::new(&call, true).what())
        }
        Called::Function(Some(Adapter::Tool), args) => {
            let with = args.get(1).map(|params| cut(&params.to_string())).unwrap_or_default();
            format!("tool     {with} -> {gave} ({ms:.1} ms)")
        }
        Called::Function(adapter, _) => format!("call     {} -> {gave} ({ms:.1} ms)", adapter.map_or("function", Adapter::as_str)),
        Called::Fault(kind) => format!("fault    {kind}: {gave}"),
        Called::Log(level) => format!("log      {level} {}", call.result.as_ref().ok().and_then(Value::as_str).unwrap_or_default()),
    }
}

fn cut(text: &str) -> String {
    let line = text.replace('\n', " ");
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

fn print(text: &str) {
    // Nobody may be reading; the plugin runs all the same.
    let _ = output::text(text);
}
