//! `api.runtime.tasks`: background tasks and flows of a session (RT-090..102). Everything is limited to what the bound session owns.

use std::time::Duration;

use chela_agent::RunStatus;
use chela_agent::clock::now_ms;
use chela_plugin::{Call, CallError};
use chela_store::{WorkChange, WorkKind};
use serde_json::{Map, Value, json};

use super::{Reply, Request, failed};

/// A task whose run nobody knows any more is lost when it was silent for so long.
const LOST_AFTER_MS: i64 = 5 * 60 * 1000;
/// Longest call of a plugin's runtime of detached tasks.
const DETACHED_BUDGET: Duration = Duration::from_secs(10);
const TASK_STATUS: [&str; 7] = ["queued", "running", "succeeded", "failed", "timed_out", "cancelled", "lost"];
const TASK_RUNTIMES: [&str; 4] = ["subagent", "acp", "cli", "cron"];

/// One request, bound to a session.
struct Bound<'a> {
    request: &'a Request<'a>,
    owner: &'a str,
}

pub(super) async fn serve(request: &Request<'_>) -> Reply {
    let bound = Bound { request, owner: request.text("sessionKey")? };
    let (area, name) = request.method.trim_start_matches("host.tasks.").split_once('.').unwrap_or_default();
    match (area, name) {
        ("runs", "list") => Ok(bound.tasks(None).await?.iter().map(task_view).collect()),
        ("runs", "get") => Ok(or_undefined(bound.task(&bound.id()?).await?.as_ref().map(task_view))),
        ("runs", "findLatest") => Ok(or_undefined(bound.tasks(None).await?.first().map(task_view))),
        ("runs", "resolve") => Ok(or_undefined(bound.resolve_task().await?.as_ref().map(task_view))),
        ("runs", "cancel") => bound.cancel_task_for_plugin().await,
        ("flows", "list") => Ok(bound.flows().await?.iter().map(flow_view).collect()),
        ("flows", "get" | "findLatest" | "resolve") => match bound.one_flow(name).await? {
            Some(flow) => bound.flow_detail(&flow).await,
            None => Ok(undefined()),
        },
        ("managedFlows", "list") => Ok(bound.flows().await?.into()),
        ("managedFlows", "get" | "findLatest" | "resolve") => Ok(or_undefined(bound.one_flow(name).await?)),
        ("flows" | "managedFlows", "getTaskSummary") => match bound.flow(&bound.id()?).await? {
            Some(flow) => Ok(summary(&bound.tasks_of(&flow).await?)),
            None => Ok(undefined()),
        },
        ("managedFlows", "createManaged") => bound.create_managed().await,
        ("managedFlows", "setWaiting" | "resume" | "finish" | "fail" | "requestCancel") => bound.change_managed(name).await,
        ("managedFlows", "cancel") => bound.cancel_flow().await,
        ("managedFlows", "runTask") => bound.run_task().await,
        _ => Err(CallError::NotBuilt(request.method.into())),
    }
}

impl Bound<'_> {
    fn argument(&self) -> &Value {
        self.request.params.pointer("/args/0").unwrap_or(&Value::Null)
    }

    fn id(&self) -> Result<String, CallError> {
        let id = self.argument().as_str().map(str::trim).filter(|id| !id.is_empty());
        id.map(str::to_owned).ok_or_else(|| refused(format!("`{}` needs an id", self.request.method)))
    }

    /// A text member of the one object argument.
    fn text(&self, key: &str) -> Option<&str> {
        self.argument().get(key)?.as_str().map(str::trim).filter(|text| !text.is_empty())
    }

    fn required(&self, key: &str) -> Result<&str, CallError> {
        self.text(key).ok_or_else(|| refused(format!("`{}` needs `{key}` (text)", self.request.method)))
    }

    async fn flow(&self, id: &str) -> Result<Option<Value>, CallError> {
        self.request.host.runtime.store.work(WorkKind::Flow, self.owner, id).await.map_err(failed)
    }

    async fn flows(&self) -> Result<Vec<Value>, CallError> {
        self.request.host.runtime.store.works(WorkKind::Flow, self.owner, None).await.map_err(failed)
    }

    /// By id; `resolve` also takes the session's own key, which means the newest one.
    async fn one_flow(&self, name: &str) -> Result<Option<Value>, CallError> {
        if name != "findLatest" {
            let token = self.id()?;
            let found = self.flow(&token).await?;
            if found.is_some() || name == "get" || token != self.owner {
                return Ok(found);
            }
        }
        Ok(self.flows().await?.into_iter().next())
    }

    async fn task(&self, id: &str) -> Result<Option<Value>, CallError> {
        let found = self.request.host.runtime.store.work(WorkKind::Task, self.owner, id).await.map_err(failed)?;
        match found {
            Some(task) => self.refreshed(task).await.map(Some),
            None => Ok(None),
        }
    }

    async fn tasks(&self, flow: Option<&str>) -> Result<Vec<Value>, CallError> {
        let mut tasks = self.request.host.runtime.store.works(WorkKind::Task, self.owner, flow).await.map_err(failed)?;
        for task in &mut tasks {
            *task = self.refreshed(task.take()).await?;
        }
        Ok(tasks)
    }

    async fn tasks_of(&self, flow: &Value) -> Result<Vec<Value>, CallError> {
        self.tasks(flow["flowId"].as_str()).await
    }

    async fn resolve_task(&self) -> Result<Option<Value>, CallError> {
        let token = self.id()?;
        let found = self.task(&token).await?;
        if found.is_some() {
            return Ok(found);
        }
        let all = self.tasks(None).await?;
        let named = all.iter().find(|task| task["runId"] == token.as_str() || task["childSessionKey"] == token.as_str());
        Ok(named.or_else(|| all.first().filter(|_| token == self.owner)).cloned())
    }

    /// A task whose work is a run of ours follows that run.
    async fn refreshed(&self, task: Value) -> Result<Value, CallError> {
        let Some(run_id) = task["runId"].as_str().filter(|_| is_active(&task)) else { return Ok(task) };
        let now = now_ms();
        let runs = &self.request.host.runtime.runs;
        let patch = if let Some(outcome) = runs.wait(run_id, Duration::ZERO).await {
            let status = match outcome.status {
                RunStatus::Ok => "succeeded",
                RunStatus::Aborted => "cancelled",
                RunStatus::Timeout => "timed_out",
                RunStatus::Error => "failed",
            };
            json!({"status": status, "endedAt": now, "lastEventAt": now, "error": outcome.error})
        } else if runs.session_of(run_id).is_some() {
            if task["status"] == "running" {
                return Ok(task);
            }
            json!({"status": "running", "startedAt": now, "lastEventAt": now})
        } else if now - task["lastEventAt"].as_i64().unwrap_or_default() > LOST_AFTER_MS {
            if self.recovered(&task, now).await {
                return Ok(task);
            }
            json!({"status": "lost", "endedAt": now})
        } else {
            return Ok(task);
        };
        self.change_task(task, patch).await
    }

    /// The plugin's runtime of detached tasks (API-082), if there is one with this function.
    async fn ask_detached(&self, name: &str, params: Value) -> Option<Value> {
        let registry = self.request.host.manager.registry();
        let runtime = registry.recorded_of("registerDetachedTaskRuntime").next()?.object(0);
        // A plugin that waits for its own answer could not give one.
        if !runtime.has(name) || runtime.owner.id.as_ref() == self.request.plugin {
            return None;
        }
        match runtime.call(name, Call::new(vec![params]).budget(Some(DETACHED_BUDGET))).await {
            Ok(answer) => Some(answer),
            Err(error) => {
                tracing::warn!(target: "plugins", plugin = %runtime.owner.id, "`{name}` of the detached task runtime failed: {error}");
                None
            }
        }
    }

    /// Whether the plugin's runtime knows a task better than we do.
    async fn recovered(&self, task: &Value, now: i64) -> bool {
        let params = json!({"taskId": task["taskId"], "runtime": task["runtime"], "task": task, "now": now});
        self.ask_detached("tryRecoverTaskBeforeMarkLost", params).await.is_some_and(|answer| answer["recovered"] == true)
    }

    async fn change_task(&self, task: Value, patch: Value) -> Result<Value, CallError> {
        let id = task["taskId"].as_str().unwrap_or_default().to_owned();
        let store = &self.request.host.runtime.store;
        let done = store.change_work(WorkKind::Task, self.owner, &id, None, object(patch)).await.map_err(failed)?;
        Ok(if let WorkChange::Applied(task) = done { task } else { task })
    }

    async fn flow_detail(&self, flow: &Value) -> Reply {
        let tasks = self.tasks_of(flow).await?;
        let mut detail = flow_view(flow);
        for (to, from) in [("state", "stateJson"), ("wait", "waitJson")] {
            if let Some(value) = flow.get(from) {
                detail[to] = value.clone();
            }
        }
        let blocked = pick(flow, &[("blockedTaskId", "taskId"), ("blockedSummary", "summary")]);
        if !blocked.is_empty() {
            detail["blocked"] = blocked.into();
        }
        detail["taskSummary"] = summary(&tasks);
        detail["tasks"] = tasks.iter().map(task_view).collect();
        Ok(detail)
    }

    async fn create_managed(&self) -> Reply {
        let params = self.argument();
        let mut record = Map::new();
        record.insert("syncMode".into(), "managed".into());
        record.insert("controllerId".into(), self.required("controllerId")?.into());
        record.insert("goal".into(), self.required("goal")?.into());
        record.insert("status".into(), self.text("status").unwrap_or("queued").into());
        record.insert("notifyPolicy".into(), self.text("notifyPolicy").unwrap_or("done_only").into());
        for name in ["currentStep", "stateJson", "waitJson", "cancelRequestedAt", "createdAt", "updatedAt", "endedAt"] {
            if let Some(value) = params.get(name).filter(|value| !value.is_null()) {
                record.insert(name.into(), value.clone());
            }
        }
        if let Some(origin) = self.request.params.get("requesterOrigin").filter(|origin| origin.is_object()) {
            record.insert("requesterOrigin".into(), origin.clone());
        }
        self.request.host.runtime.store.create_work(WorkKind::Flow, self.owner, record).await.map_err(failed)
    }

    /// RT-099: what is not given stays; ends, waits and blocks that no longer hold are taken out.
    async fn change_managed(&self, name: &str) -> Reply {
        let params = self.argument();
        let given = |keys: &[&str]| -> Map<String, Value> {
            keys.iter().filter_map(|key| Some(((*key).to_owned(), params.get(*key)?.clone()))).collect()
        };
        let now = now_ms();
        let ended = params.get("endedAt").or(params.get("updatedAt")).cloned().unwrap_or_else(|| now.into());
        let mut patch = given(&["currentStep", "stateJson", "updatedAt"]);
        let cleared = json!({"waitJson": null, "blockedTaskId": null, "blockedSummary": null, "endedAt": null});
        match name {
            "setWaiting" => {
                let blocked = self.text("blockedTaskId").or(self.text("blockedSummary")).is_some();
                patch.extend(given(&["waitJson", "blockedTaskId", "blockedSummary"]));
                patch.insert("status".into(), if blocked { "blocked" } else { "waiting" }.into());
                patch.insert("endedAt".into(), Value::Null);
            }
            "resume" => {
                patch.extend(object(cleared));
                patch.insert("status".into(), self.text("status").unwrap_or("queued").into());
            }
            "finish" => {
                patch.extend(object(cleared));
                patch.extend(object(json!({"status": "succeeded", "endedAt": ended})));
            }
            "fail" => {
                patch.extend(given(&["blockedTaskId", "blockedSummary"]));
                patch.extend(object(json!({"status": "failed", "waitJson": null, "endedAt": ended})));
            }
            _ => {
                let at = params.get("cancelRequestedAt").cloned().unwrap_or_else(|| now.into());
                patch = object(json!({"cancelRequestedAt": at}));
            }
        }
        let id = self.required("flowId")?;
        let Some(revision) = params.get("expectedRevision").and_then(Value::as_i64) else {
            return Err(refused(format!("`{}` needs `expectedRevision` (number)", self.request.method)));
        };
        if let Some(flow) = self.flow(id).await?.filter(|flow| flow["syncMode"] != "managed") {
            return Ok(json!({"applied": false, "code": "not_managed", "current": flow}));
        }
        let done = self.request.host.runtime.store.change_work(WorkKind::Flow, self.owner, id, Some(revision), patch).await;
        Ok(match done.map_err(failed)? {
            WorkChange::Applied(flow) => json!({"applied": true, "flow": flow}),
            WorkChange::NotFound => json!({"applied": false, "code": "not_found"}),
            WorkChange::Conflict(current) => json!({"applied": false, "code": "revision_conflict", "current": current}),
        })
    }

    /// RT-100.
    async fn run_task(&self) -> Reply {
        let no = |reason: String, flow: Option<Value>| match flow {
            Some(flow) => json!({"created": false, "reason": reason, "found": true, "flow": flow}),
            None => json!({"created": false, "reason": reason, "found": false}),
        };
        let Some(flow) = self.flow(self.required("flowId")?).await? else { return Ok(no("Flow not found.".into(), None)) };
        if flow.get("cancelRequestedAt").is_some() {
            return Ok(no("Flow cancellation has already been requested.".into(), Some(flow)));
        }
        if is_ended(&flow) {
            return Ok(no(format!("Flow is already {}.", word(&flow, "status")), Some(flow)));
        }
        let runtime = self.required("runtime")?;
        let status = self.text("status").unwrap_or("queued");
        if !TASK_RUNTIMES.contains(&runtime) || !matches!(status, "queued" | "running") {
            return Err(refused(format!("`runtime` must be one of {}, and `status` queued or running", TASK_RUNTIMES.join(", "))));
        }
        let now = now_ms();
        let params = self.argument();
        let mut record = object(json!({
            "runtime": runtime, "requesterSessionKey": self.owner, "scopeKind": "session", "parentFlowId": flow["flowId"],
            "task": self.required("task")?, "status": status, "lastEventAt": now,
            "deliveryStatus": self.text("deliveryStatus").unwrap_or("pending"), "notifyPolicy": self.text("notifyPolicy").unwrap_or("done_only"),
        }));
        for name in
            ["sourceId", "childSessionKey", "parentTaskId", "agentId", "runId", "label", "startedAt", "lastEventAt", "progressSummary"]
        {
            if let Some(value) = params.get(name).filter(|value| !value.is_null()) {
                record.insert(name.into(), value.clone());
            }
        }
        if status == "running" {
            record.entry("startedAt").or_insert_with(|| now.into());
        }
        let task = self.request.host.runtime.store.create_work(WorkKind::Task, self.owner, record).await.map_err(failed)?;
        let flow = self.flow(word(&flow, "flowId")).await?.unwrap_or(flow);
        Ok(json!({"created": true, "flow": flow, "task": task}))
    }

    /// Ends a task: a run of ours is aborted, one that has none of ours and no session to stop is only marked (RT-093).
    async fn cancel_task(&self, id: &str) -> Result<Value, CallError> {
        let Some(task) = self.task(id).await? else {
            return Ok(json!({"found": false, "cancelled": false, "reason": "Task not found."}));
        };
        if !is_active(&task) {
            return Ok(json!({"found": true, "cancelled": false, "reason": "Task is already terminal.", "task": task}));
        }
        let runs = &self.request.host.runtime.runs;
        let by_run = task["runId"].as_str().is_some_and(|run| runs.abort_run(run));
        let by_session = !by_run && task["childSessionKey"].as_str().is_some_and(|key| !runs.abort_session(key).is_empty());
        if !by_run && !by_session && task["runtime"] != "cli" {
            let reason = match task.get("childSessionKey") {
                None => "Task has no cancellable child session.",
                Some(_) => "Its session has no active run.",
            };
            return Ok(json!({"found": true, "cancelled": false, "reason": reason, "task": task}));
        }
        let now = now_ms();
        let patch = json!({"status": "cancelled", "endedAt": now, "lastEventAt": now, "error": "Cancelled by operator."});
        let task = self.change_task(task, patch).await?;
        Ok(json!({"found": true, "cancelled": true, "task": task}))
    }

    async fn cancel_task_for_plugin(&self) -> Reply {
        let id = self.required("taskId")?;
        let own = self.task(id).await?.is_some();
        let params = json!({"cfg": chela_plugin::value::gateway_config(), "taskId": id});
        let asked = if own { self.ask_detached("cancelDetachedTaskRunById", params).await } else { None };
        let mut answer = match asked.filter(|answer| answer["found"] == true) {
            Some(answer) => answer,
            None => self.cancel_task(id).await?,
        };
        if let Some(task) = answer.get_mut("task") {
            *task = task_view(task);
        }
        Ok(answer)
    }

    /// RT-101: all live tasks of the flow, then the flow.
    async fn cancel_flow(&self) -> Reply {
        let id = self.required("flowId")?;
        let Some(flow) = self.flow(id).await? else {
            return Ok(json!({"found": false, "cancelled": false, "reason": "Flow not found."}));
        };
        if is_ended(&flow) {
            let reason = format!("Flow is already {}.", word(&flow, "status"));
            let tasks = self.tasks_of(&flow).await?;
            return Ok(json!({"found": true, "cancelled": false, "reason": reason, "flow": flow, "tasks": tasks}));
        }
        let store = &self.request.host.runtime.store;
        let now = now_ms();
        if flow.get("cancelRequestedAt").is_none() {
            let patch = object(json!({"cancelRequestedAt": now}));
            store.change_work(WorkKind::Flow, self.owner, id, None, patch).await.map_err(failed)?;
        }
        for task in self.tasks_of(&flow).await?.iter().filter(|task| is_active(task)) {
            self.cancel_task(word(task, "taskId")).await?;
        }
        let tasks = self.tasks_of(&flow).await?;
        if tasks.iter().any(is_active) {
            let flow = self.flow(id).await?.unwrap_or(flow);
            return Ok(
                json!({"found": true, "cancelled": false, "reason": "One or more child tasks are still active.", "flow": flow, "tasks": tasks}),
            );
        }
        let patch = json!({"status": "cancelled", "waitJson": null, "blockedTaskId": null, "blockedSummary": null, "endedAt": now});
        let done = store.change_work(WorkKind::Flow, self.owner, id, None, object(patch)).await.map_err(failed)?;
        let flow = if let WorkChange::Applied(flow) = done { flow } else { flow };
        Ok(json!({"found": true, "cancelled": true, "flow": flow, "tasks": tasks}))
    }
}

/// RT-094.
fn task_view(task: &Value) -> Value {
    let names = [
        ("taskId", "id"),
        ("runtime", "runtime"),
        ("sourceId", "sourceId"),
        ("requesterSessionKey", "sessionKey"),
        ("ownerKey", "ownerKey"),
        ("scopeKind", "scope"),
        ("childSessionKey", "childSessionKey"),
        ("parentFlowId", "flowId"),
        ("parentTaskId", "parentTaskId"),
        ("agentId", "agentId"),
        ("runId", "runId"),
        ("label", "label"),
        ("task", "title"),
        ("status", "status"),
        ("deliveryStatus", "deliveryStatus"),
        ("notifyPolicy", "notifyPolicy"),
        ("createdAt", "createdAt"),
        ("startedAt", "startedAt"),
        ("endedAt", "endedAt"),
        ("lastEventAt", "lastEventAt"),
        ("cleanupAfter", "cleanupAfter"),
        ("error", "error"),
        ("progressSummary", "progressSummary"),
        ("terminalSummary", "terminalSummary"),
        ("terminalOutcome", "terminalOutcome"),
    ];
    pick(task, &names).into()
}

/// RT-095.
fn flow_view(flow: &Value) -> Value {
    let same = ["ownerKey", "requesterOrigin", "status", "notifyPolicy", "goal", "currentStep", "cancelRequestedAt", "createdAt"];
    let mut view = pick(flow, &[("flowId", "id")]);
    view.extend(pick(flow, &same.map(|name| (name, name))));
    view.extend(pick(flow, &[("updatedAt", "updatedAt"), ("endedAt", "endedAt")]));
    view.into()
}

fn summary(tasks: &[Value]) -> Value {
    let count = |of: &dyn Fn(&Value) -> bool| tasks.iter().filter(|task| of(task)).count();
    let by = |member: &str, words: &[&str]| -> Map<String, Value> {
        words.iter().map(|word| ((*word).to_owned(), count(&|task| task[member] == *word).into())).collect()
    };
    let active = count(&is_active);
    json!({
        "total": tasks.len(), "active": active, "terminal": tasks.len() - active,
        "failures": count(&|task| matches!(word(task, "status"), "failed" | "timed_out" | "lost")),
        "byStatus": by("status", &TASK_STATUS), "byRuntime": by("runtime", &TASK_RUNTIMES),
    })
}

fn pick(record: &Value, names: &[(&str, &str)]) -> Map<String, Value> {
    names.iter().filter_map(|(from, to)| Some(((*to).to_owned(), record.get(*from)?.clone()))).collect()
}

fn word<'a>(record: &'a Value, member: &str) -> &'a str {
    record[member].as_str().unwrap_or_default()
}

fn is_active(task: &Value) -> bool {
    matches!(word(task, "status"), "queued" | "running")
}

/// RT-096.
fn is_ended(flow: &Value) -> bool {
    matches!(word(flow, "status"), "succeeded" | "failed" | "cancelled" | "lost")
}

fn object(value: Value) -> Map<String, Value> {
    if let Value::Object(map) = value { map } else { Map::new() }
}

fn undefined() -> Value {
    json!({"$undefined": true})
}

fn or_undefined(value: Option<Value>) -> Value {
    value.unwrap_or_else(undefined)
}

fn refused(text: String) -> CallError {
    CallError::refused("INVALID_PARAMS", text)
}
