//! HTTP routes and commands of the command line of a plugin under trial, called without a gateway.

use chela_plugin::register::entries::Owner;
use chela_plugin::register::{HttpRoute, RouteMatch};
use chela_plugin::{Adapter, Call};
use futures::StreamExt as _;
use serde_json::{Value, json};

use super::script::RouteStep;
use super::{Trial, rows};

/// Parts of a streamed body that are read.
const MOST_PARTS: usize = 10_000;

impl Trial<'_> {
    /// Each route once with `GET` and once with an empty object posted; then what the script asks.
    pub(super) async fn routes(&mut self) {
        let registry = self.registry();
        let routes: Vec<HttpRoute> = registry.routes.all().iter().filter(|route| self.is_mine(&route.owner)).cloned().collect();
        for route in &routes {
            for (method, body) in [("GET", ""), ("POST", "{}")] {
                let step = RouteStep { method: method.into(), path: route.path.clone(), body: body.into(), ..RouteStep::default() };
                self.request(route, &step).await;
            }
        }
        for step in self.options.script.routes.clone() {
            match routes.iter().find(|route| fits(route, &step.path)) {
                Some(route) => self.request(route, &step).await,
                None => self.report.failures.push(format!("the script asks `{}`, for which there is no route", step.path)),
            }
        }
    }

    async fn request(&mut self, route: &HttpRoute, step: &RouteStep) {
        let mark = self.recorder.mark();
        let mut headers = vec![json!(["host", "127.0.0.1"]), json!(["content-type", "application/json"])];
        headers.push(json!(["content-length", step.body.len().to_string()]));
        headers.extend(step.headers.iter().map(|(name, value)| json!([name.to_lowercase(), value])));
        let request = json!({
            "method": step.method, "url": step.path, "headers": headers, "scopes": ["operator.write"], "remoteAddress": "127.0.0.1",
            "body": step.body,
        });
        let call = Call::new(vec![request]).adapter(Adapter::HttpRoute).budget(Some(self.options.limit));
        let answer = route.handler.call(call).await;
        let name = format!("{} {}", step.method, step.path);
        let stream = answer.as_ref().ok().and_then(|answer| answer["body"]["$stream"].as_u64());
        if let Some(stream) = stream {
            let parts = route.handler.target.stream(stream).take(MOST_PARTS);
            if tokio::time::timeout(self.options.limit, parts.for_each(|_| std::future::ready(()))).await.is_err() {
                self.report.warnings.push(format!("the body of route `{name}` does not end"));
            }
        }
        for call in self.recorder.since(mark).iter().filter(|call| call.handle == route.handler.handle) {
            self.judge(call, "httpRoute", &name);
            let mut row = rows::row(call, "httpRoute", &name, "direct");
            row.returned = row.returned.map(|answer| json!({"status": answer["status"], "handled": answer["handled"]}));
            self.report.calls.push(row);
        }
        let status = answer.ok().and_then(|answer| answer["status"].as_u64());
        if status.is_some_and(|status| status >= 500) {
            self.report.warnings.push(format!("route `{name}` answers {}", status.unwrap_or_default()));
        }
    }

    /// The help of each command, for which it is built whole; then what the script runs.
    pub(super) async fn cli(&mut self) {
        let registry = self.registry();
        let mut lines: Vec<Vec<String>> = Vec::new();
        for entry in registry.cli.iter().filter(|entry| self.is_mine(&entry.owner)) {
            for name in &entry.commands {
                let path = entry.parent_path.iter().cloned().chain([name.clone(), "--help".into()]);
                lines.push(path.collect());
            }
        }
        lines.extend(self.options.script.cli.iter().cloned());
        for words in lines {
            self.command_line(&words).await;
        }
    }

    async fn command_line(&mut self, words: &[String]) {
        let registry = self.registry();
        let names: Vec<&str> = words.iter().map(String::as_str).take_while(|word| !word.starts_with('-')).collect();
        let name = words.join(" ");
        let Some((length, entry)) = (1..=names.len()).rev().find_map(|n| Some((n, registry.cli_command(&names[..n])?))) else {
            return self.report.failures.push(format!("the command line `{name}` belongs to no command that is registered"));
        };
        let workspace = self.host.runtime.workspace_of(crate::turn::AGENT);
        let argument = json!({"argv": words[length - 1..], "parentPath": entry.parent_path, "workspaceDir": workspace});
        self.direct("cli", &name, &entry.registrar, Adapter::Cli, argument).await;
        let code = self.report.calls.last().and_then(|row| row.returned.as_ref()).map(|given| given["exitCode"].clone());
        if code.as_ref().and_then(Value::as_i64).is_some_and(|code| code != 0) {
            self.report.warnings.push(format!("the command line `{name}` ends with exit code {}", code.unwrap_or_default()));
        }
    }

    pub(super) fn is_mine(&self, owner: &Owner) -> bool {
        owner.id.as_ref() == self.report.plugin_id
    }
}

fn fits(route: &HttpRoute, path: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default();
    match route.matching {
        RouteMatch::Exact => route.path == path,
        RouteMatch::Prefix => path.starts_with(&route.path),
        RouteMatch::CatchAll => true,
    }
}
