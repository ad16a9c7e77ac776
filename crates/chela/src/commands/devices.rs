//! `chela devices`: who may connect, and with which token (GW-46..GW-55).

use chela_agent::clock::now_ms;
use std::time::Duration;

use serde_json::{Value, json};

use crate::cli::devices::{ApproveArgs, CallArgs, ClearArgs, DevicesArgs, DevicesCommand, RotateArgs};
use crate::client::{self, Connection, Purpose};
use crate::context::{Context, block_on};
use crate::output;
use crate::report::Failure;
use crate::table::Table;

/// Runs the subcommand.
///
/// # Errors
/// When the gateway cannot be reached or refuses.
pub fn run(ctx: &Context, args: DevicesArgs) -> Result<(), Failure> {
    match args.command {
        DevicesCommand::List(args) => list(ctx, &args),
        DevicesCommand::Approve(args) => approve(ctx, &args),
        DevicesCommand::Reject(args) => {
            let answer = one(ctx, &args.call, "device.pair.reject", json!({"requestId": args.request}))?;
            say(args.call.json, &answer, &format!("Rejected {}", text(&answer["deviceId"])))
        }
        DevicesCommand::Remove(args) => {
            let answer = one(ctx, &args.call, "device.pair.remove", json!({"deviceId": args.device}))?;
            say(args.call.json, &answer, &format!("Removed {}", text(&answer["deviceId"])))
        }
        DevicesCommand::Clear(args) => clear(ctx, &args),
        DevicesCommand::Rotate(args) => rotate(ctx, &args),
        DevicesCommand::Revoke(args) => {
            let answer = one(ctx, &args.call, "device.token.revoke", json!({"deviceId": args.device, "role": args.role}))?;
            say(args.call.json, &answer, &format!("Revoked the {} token of {}", args.role, args.device))
        }
    }
}

fn list(ctx: &Context, args: &CallArgs) -> Result<(), Failure> {
    let found = one(ctx, args, "device.pair.list", json!({}))?;
    if args.json { output::json(&found) } else { output::text(&render(&found, now_ms())) }
}

/// Approves exactly the request that is named. Without a name it shows the newest one and the command that approves it: what is
/// approved must have been seen.
fn approve(ctx: &Context, args: &ApproveArgs) -> Result<(), Failure> {
    if let (Some(request), false) = (&args.request, args.latest) {
        let answer = one(ctx, &args.call, "device.pair.approve", json!({"requestId": request}))?;
        return say(args.call.json, &answer, &format!("Approved {} ({request})", text(&answer["device"]["deviceId"])));
    }
    let found = one(ctx, &args.call, "device.pair.list", json!({}))?;
    let pending = found["pending"].as_array().into_iter().flatten();
    let Some(newest) = pending.max_by_key(|request| request["ts"].as_i64().unwrap_or(0)) else {
        return Err(Failure::new("no device waits for approval").hint("connect the device first; its request lives five minutes"));
    };
    let paired = paired_of(&found, newest);
    let command = format!("chela devices approve {}", text(&newest["requestId"]));
    if args.call.json {
        let state = json!({"kind": kind(newest, paired), "requested": access(newest), "approved": paired.map(approved_access)});
        let secrets = json!({"token": args.call.target.token.is_some(), "password": args.call.target.password.is_some()});
        let out = json!({"selected": newest, "approvalState": state, "approveCommand": command, "requiresAuthFlags": secrets});
        output::json(&out)?;
        return Err(Failure::silent(1));
    }
    let mut about = format!("  Device     {}\n  Requested  {}\n", name(newest), summary(&access(newest)));
    if let Some(paired) = paired {
        about.push_str(&format!("  Approved   {}\n", summary(&approved_access(paired))));
    }
    output::text(&format!("Newest request {} ({})\n{about}", text(&newest["requestId"]), kind(newest, paired)))?;
    Err(Failure::new("nothing was approved: the request must be named").hint(format!("approve it with `{command}`")))
}

fn clear(ctx: &Context, args: &ClearArgs) -> Result<(), Failure> {
    if !args.yes {
        return Err(Failure::new("this removes every paired device; nothing was removed").hint("add `--yes` to do it"));
    }
    let (removed, rejected) = session(ctx, &args.call, async |connection, limit| {
        let found = connection.request("device.pair.list", json!({}), false, limit).await?;
        let ids = |list: &Value, id: &str| -> Vec<String> {
            list.as_array().into_iter().flatten().filter_map(|row| row[id].as_str().map(str::to_owned)).collect()
        };
        let (removed, mut rejected) = (ids(&found["paired"], "deviceId"), ids(&found["pending"], "requestId"));
        if !args.pending {
            rejected.clear();
        }
        for id in &rejected {
            connection.request("device.pair.reject", json!({"requestId": id}), false, limit).await?;
        }
        for id in &removed {
            connection.request("device.pair.remove", json!({"deviceId": id}), false, limit).await?;
        }
        Ok((removed, rejected))
    })?;
    let message = format!("Removed {} device(s), rejected {} request(s)", removed.len(), rejected.len());
    say(args.call.json, &json!({"removedDevices": removed, "rejectedPending": rejected}), &message)
}

fn rotate(ctx: &Context, args: &RotateArgs) -> Result<(), Failure> {
    let mut params = json!({"deviceId": args.device, "role": args.role});
    if !args.scope.is_empty() {
        params["scopes"] = json!(args.scope);
    }
    let answer = one(ctx, &args.call, "device.token.rotate", params)?;
    say(args.call.json, &answer, &format!("Rotated the {} token of {}", args.role, args.device))
}

pub(super) fn one(ctx: &Context, args: &CallArgs, method: &str, params: Value) -> Result<Value, Failure> {
    session(ctx, args, async |connection, limit| connection.request(method, params, false, limit).await)
}

pub(super) fn session<T>(
    ctx: &Context,
    args: &CallArgs,
    work: impl AsyncFnOnce(&mut Connection, Duration) -> Result<T, client::ClientError>,
) -> Result<T, Failure> {
    let (config, _) = ctx.config_lenient()?;
    let target = client::target(ctx, &config, &args.target)?;
    let limit = Duration::from_millis(args.timeout);
    block_on(async {
        let mut connection = client::connect(ctx, &target, Purpose::Call, limit).await?;
        let answer = work(&mut connection, limit).await;
        connection.close().await;
        Ok(answer?)
    })
}

fn say(as_json: bool, answer: &Value, message: &str) -> Result<(), Failure> {
    if as_json { output::json(answer) } else { output::text(message) }
}

fn render(found: &Value, now: i64) -> String {
    let rows = |list: &str| found[list].as_array().cloned().unwrap_or_default();
    let (pending, paired) = (rows("pending"), rows("paired"));
    let mut out = String::new();
    if !pending.is_empty() {
        let mut table = Table::new(&["REQUEST", "DEVICE", "REQUESTED", "APPROVED", "AGE", "STATUS"]);
        for request in &pending {
            let known = paired_of(found, request);
            let age = u64::try_from(now - request["ts"].as_i64().unwrap_or(now)).unwrap_or(0);
            let repair = if request["isRepair"] == true { ", repair" } else { "" };
            table.row(vec![
                text(&request["requestId"]),
                with_ip(request),
                summary(&access(request)),
                known.map(|known| summary(&approved_access(known))).unwrap_or_default(),
                super::status::duration(age),
                format!("{}{repair}", kind(request, known)),
            ]);
        }
        out.push_str(&format!("Pending ({})\n{}", pending.len(), table.render()));
    }
    if !paired.is_empty() {
        let mut table = Table::new(&["DEVICE", "NAME", "ROLES", "SCOPES", "TOKENS", "IP"]);
        for device in &paired {
            table.row(vec![
                text(&device["deviceId"]),
                clean(device["displayName"].as_str().unwrap_or_default()),
                words(&device["roles"]).join(", "),
                words(&device["scopes"]).join(", "),
                tokens(device),
                text(&device["remoteIp"]),
            ]);
        }
        let gap = if out.is_empty() { "" } else { "\n" };
        out.push_str(&format!("{gap}Paired ({})\n{}", paired.len(), table.render()));
    }
    if out.is_empty() { "No device is paired or waits\n".to_owned() } else { out }
}

fn tokens(device: &Value) -> String {
    let token = |token: &Value| {
        let revoked = if token["revokedAtMs"].is_number() { " (revoked)" } else { "" };
        format!("{}{revoked}", text(&token["role"]))
    };
    device["tokens"].as_array().into_iter().flatten().map(token).collect::<Vec<_>>().join(", ")
}

/// The paired device that a request is of: the same id with the same key.
fn paired_of<'a>(found: &'a Value, request: &Value) -> Option<&'a Value> {
    let same = |device: &&Value| device["deviceId"] == request["deviceId"] && device["publicKey"] == request["publicKey"];
    found["paired"].as_array()?.iter().find(same)
}

/// `{roles, scopes}` that a row names.
fn access(row: &Value) -> Value {
    let mut roles = words(&row["roles"]);
    if let Some(role) = row["role"].as_str().filter(|role| !roles.iter().any(|known| known == role)) {
        roles.push(role.to_owned());
    }
    roles.sort();
    json!({"roles": roles, "scopes": words(&row["scopes"])})
}

/// As [`access`], with the roles whose token still holds.
fn approved_access(device: &Value) -> Value {
    let mut out = access(device);
    if let Some(tokens) = device["tokens"].as_array() {
        let live: Vec<&str> =
            tokens.iter().filter(|token| !token["revokedAtMs"].is_number()).filter_map(|token| token["role"].as_str()).collect();
        out["roles"] = words(&out["roles"]).into_iter().filter(|role| live.contains(&role.as_str())).collect();
    }
    out
}

fn kind(request: &Value, paired: Option<&Value>) -> &'static str {
    let Some(paired) = paired else { return "new-pairing" };
    let (wanted, held) = (access(request), approved_access(paired));
    let within = |list: &str| words(&wanted[list]).iter().all(|item| words(&held[list]).contains(item));
    match (within("roles"), within("scopes")) {
        (false, _) => "role-upgrade",
        (true, false) => "scope-upgrade",
        (true, true) => "re-approval",
    }
}

fn summary(access: &Value) -> String {
    let list = |name: &str| match words(&access[name]) {
        words if words.is_empty() => "none".to_owned(),
        words => words.join(", "),
    };
    format!("roles: {}; scopes: {}", list("roles"), list("scopes"))
}

fn words(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(clean).collect()
}

fn name(row: &Value) -> String {
    row["displayName"].as_str().map(clean).filter(|name| !name.is_empty()).unwrap_or_else(|| text(&row["deviceId"]))
}

fn with_ip(row: &Value) -> String {
    match row["remoteIp"].as_str() {
        Some(ip) => format!("{} at {}", name(row), clean(ip)),
        None => name(row),
    }
}

fn text(value: &Value) -> String {
    clean(value.as_str().unwrap_or_default())
}

// Devices choose their own names: nothing of them may steer the terminal.
fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    // GW-47
    #[test]
    fn requests_are_told_beside_what_is_approved() {
        let token = json!({"role": "operator", "scopes": ["operator.read"], "createdAtMs": 1});
        let device = json!({"deviceId": "d1", "publicKey": "k", "displayName": "Desk\u{1b}[2J", "role": "operator", "roles": ["operator"],
            "scopes": ["operator.read"], "tokens": [token]});
        let request = |key: &str, role: &str, scope: &str| json!({"requestId": "r1", "deviceId": "d1", "publicKey": key, "role": role, "scopes": [scope], "ts": 1_000, "remoteIp": "10.0.0.9"});
        let found = |request: Value| json!({"pending": [request], "paired": [device]});
        let cases = [
            (request("other", "operator", "operator.read"), "new-pairing"),
            (request("k", "operator", "operator.read"), "re-approval"),
            (request("k", "operator", "operator.write"), "scope-upgrade"),
            (request("k", "node", "operator.read"), "role-upgrade"),
        ];
        for (request, expected) in cases {
            let found = found(request);
            assert_eq!(kind(&found["pending"][0], paired_of(&found, &found["pending"][0])), expected);
        }
        let text = render(&found(request("k", "operator", "operator.write")), 62_000);
        let plain = anstream::adapter::strip_str(&text).to_string();
        for part in ["Pending (1)", "Desk[2J", "scopes: operator.write", "scope-upgrade", "1m 1s", "at 10.0.0.9", "Paired (1)"] {
            assert!(plain.contains(part), "{part}: {plain}");
        }
        assert!(!plain.contains('\u{1b}'), "{plain:?}");
        assert_eq!(render(&json!({"pending": [], "paired": []}), 0), "No device is paired or waits\n");
    }
}
