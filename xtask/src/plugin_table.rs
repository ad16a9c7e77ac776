//! `cargo xtask plugin-table`: tries real plugins with `chela plugins test` and writes what came of it to `docs/plugins.md`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// What the list says a plugin registers, and where the trial tells it: column, member of `registered`.
const COMPARED: [(&str, &str); 9] = [
    ("channels", "channels"),
    ("tools", "tools"),
    ("typed_hooks", "hooks"),
    ("services", "services"),
    ("gateway_methods", "gatewayMethods"),
    ("commands", "commands"),
    ("cli_commands", "cliCommands"),
    ("context_engines", "contextEngines"),
    ("providers", "providers"),
];
/// The registration calls that the list recorded, and where the trial tells what came of each: call, member of `registered`.
const CALLS: [(&str, &str); 9] = [
    ("registerChannel", "channels"),
    ("registerTool", "tools"),
    ("on", "hooks"),
    ("registerService", "services"),
    ("registerGatewayMethod", "gatewayMethods"),
    ("registerCommand", "commands"),
    ("registerCli", "cliCommands"),
    ("registerContextEngine", "contextEngines"),
    ("registerProvider", "providers"),
];
/// Failures of a trial that are no remark about a single call: something is lacking here, or something stays behind.
const GRAVE: [&str; 7] =
    ["something is lacking", "an error of the SDK", "leaks", "left behind", "nothing caught", "ended in the middle", "still there"];
/// Longest remark of one plugin, in characters.
const REMARK: usize = 160;

const HEAD: &str = "\
# Real plugins

Published plugins, unmodified, each in a real worker: `chela plugins test` starts it, fires every hook, calls every tool with arguments made
for its schema and with others that break it, and every command, method, route and command of the command line. No accounts are there: the
world outside is replaced by local answers, which `fixtures/trials` holds for plugins that ask it for something.
*Registers all* compares with what OpenClaw saw the plugin register, 2026.5.12 or the release that the plugin is for.
*Returned* counts calls that gave a result; the rest refused their arguments or lacked an account or a program. *Faults* are errors of ours,
things that are lacking here, leaks and processes left behind. Made by `cargo xtask plugin-table LIST DIRS CHELA`.

| plugin | version | OpenClaw 2026.5.12 | loads | registers all | returned | faults | missing of the SDK | remarks |
|---|---|---|---|---|---|---|---|---|
";

const MORE_HEAD: &str = "
## Beyond the list

Plugins that OpenClaw's catalogue and documents name, or that carry its name on npm and GitHub, in a release for 2026.6 or near it that could be
had. Those of GitHub run from their source: where a repository holds no build, `openclaw.extensions` was pointed at it. Nobody wrote down what
they should register. It is no blind sample: what broke here was repaired here. Left out are packages that are no plugins, those that ask for a
newer host, and those whose dependencies or entry could not be had.

| plugin | version | loads | registers | returned | faults | missing of the SDK | remarks |
|---|---|---|---|---|---|---|---|
";

/// Writes the table. `list` has the ground truth, one plugin a line with a heading; `dirs` names the directory of each as `package<TAB>dir`.
/// `more` names further plugins in the same way, of which nobody wrote down what they register.
pub fn run(root: &Path, list: &Path, dirs: &Path, program: &Path, more: Option<&Path>) -> Result<bool> {
    let text = std::fs::read_to_string(list).with_context(|| format!("could not read `{}`", list.display()))?;
    let dirs = directories(dirs)?;
    let mut lines = text.lines();
    let heading: Vec<&str> = lines.next().unwrap_or_default().split('\t').collect();
    if !heading.contains(&"plugin_id") {
        bail!("`{}` has no column `plugin_id`", list.display());
    }
    let mut out = HEAD.to_owned();
    let (mut tried, mut loaded, mut complete, mut sound, mut all, mut untried) = (0, 0, 0, 0, 0, Vec::new());
    for line in lines.filter(|line| !line.trim().is_empty()) {
        let truth: BTreeMap<&str, &str> = heading.iter().copied().zip(line.split('\t')).collect();
        all += 1;
        let Some(dir) = dirs.get(truth["package"]) else {
            untried.push(format!("`{}`", truth["package"]));
            continue;
        };
        let report = trial(program, dir, truth["plugin_id"], &script(root, truth["package"]))?;
        tried += 1;
        let row = Row::of(&truth, &report);
        loaded += usize::from(row.loads);
        complete += usize::from(row.complete == Some(true));
        sound += usize::from(row.sound);
        eprintln!("{}: loads {}, registers all {:?}, sound {}", truth["package"], row.loads, row.complete, row.sound);
        out.push_str(&row.text);
    }
    let _ = write!(
        out,
        "\n{tried} of {all} plugins tried, {loaded} load, {complete} register all that OpenClaw saw, {sound} have no faults.\n"
    );
    if !untried.is_empty() {
        let _ = write!(out, "\nNot tried, because their source was not at hand: {}.\n", untried.join(", "));
    }
    if let Some(more) = more {
        out.push_str(&beyond(root, more, program)?);
    }
    let target = root.join("docs/plugins.md");
    std::fs::create_dir_all(root.join("docs"))?;
    std::fs::write(&target, out)?;
    println!("wrote `{}`", target.display());
    Ok(true)
}

/// The section about plugins that are not in the list.
fn beyond(root: &Path, more: &Path, program: &Path) -> Result<String> {
    let mut out = MORE_HEAD.to_owned();
    let (mut loaded, mut sound, mut own, all) = (0, 0, 0, directories(more)?);
    for (package, dir) in &all {
        let report = trial(program, dir, "", &script(root, package))?;
        let fault = own_fault(&report);
        let row = Extra::of(package, &report, fault);
        loaded += usize::from(row.loads);
        sound += usize::from(row.sound);
        own += usize::from(fault.is_some());
        eprintln!("{package}: loads {}, sound {}", row.loads, row.sound);
        out.push_str(&row.text);
    }
    let _ = write!(
        out,
        "\n{} plugins tried, {loaded} load, {sound} of them have no faults. Of the others {own} ask for what is not here.\n",
        all.len()
    );
    Ok(out)
}

/// Why a plugin cannot start that lies in the plugin or its surroundings: a package that is nowhere, settings that it insists on, a newer
/// release that it asks for.
fn own_fault(report: &Value) -> Option<&'static str> {
    let error = report["load"]["error"].as_str()?;
    let known = [
        ("Cannot find package", "a package that it needs is not to be had"),
        ("Cannot find module", "a package that it needs is not to be had"),
        ("is not configured", "it does not start without settings"),
        ("requires OpenClaw", "it asks for a newer release"),
        ("api.register", "it uses what a newer release has"),
    ];
    known.into_iter().find(|(mark, _)| error.contains(mark)).map(|(_, why)| why)
}

/// A row about a plugin that is not in the list.
struct Extra {
    text: String,
    loads: bool,
    sound: bool,
}

impl Extra {
    fn of(package: &str, report: &Value, own_fault: Option<&str>) -> Self {
        let loads = report["load"]["ok"] == true;
        let row = Row::of(&BTreeMap::from([("package", package), ("version", report["version"].as_str().unwrap_or(""))]), report);
        let mut cells: Vec<&str> = row.text.trim_end().trim_matches('|').split(" | ").map(str::trim).collect();
        let (registered, version) = (registered(&report["registered"]), report["version"].as_str().unwrap_or("").to_owned());
        // Package, version, what OpenClaw did, loads, registers all, returned, faults, missing, remarks.
        let tail: Vec<&str> = cells.drain(5..).collect();
        let remarks = own_fault.map_or_else(|| tail.get(3).copied().unwrap_or("").to_owned(), str::to_owned);
        let faults = if loads { tail.get(1).copied().unwrap_or("") } else { "" };
        let text = format!(
            "| {package} | {version} | {} | {registered} | {} | {faults} | {} | {remarks} |\n",
            if loads { "yes" } else { "no" },
            tail.first().copied().unwrap_or(""),
            tail.get(2).copied().unwrap_or(""),
        );
        Self { text, loads, sound: row.sound }
    }
}

/// How much of each kind a plugin registered.
fn registered(all: &Value) -> String {
    let kinds = [
        ("channels", "channels"),
        ("tools", "tools"),
        ("hooks", "hooks"),
        ("internalHooks", "internal hooks"),
        ("commands", "commands"),
        ("cliCommands", "CLI commands"),
        ("services", "services"),
        ("gatewayMethods", "methods"),
        ("httpRoutes", "routes"),
        ("providers", "providers"),
        ("contextEngines", "context engines"),
        ("capabilities", "others"),
    ];
    let count = |member: &str| all[member].as_u64().unwrap_or_else(|| all[member].as_array().map_or(0, |list| list.len() as u64));
    let known = kinds.into_iter().map(|(member, word)| (count(member), word)).filter(|(count, _)| *count > 0);
    known
        .map(|(count, word)| format!("{count} {}", if count == 1 { word.trim_end_matches('s') } else { word }))
        .collect::<Vec<_>>()
        .join(", ")
}

fn directories(file: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let text = std::fs::read_to_string(file).with_context(|| format!("could not read `{}`", file.display()))?;
    Ok(text.lines().filter_map(|line| line.split_once('\t')).map(|(id, dir)| (id.to_owned(), PathBuf::from(dir.trim()))).collect())
}

/// The script of a plugin's trial, which need not be there: the package without `@`, with dashes for what no file name has.
fn script(root: &Path, package: &str) -> PathBuf {
    let name: String = package.trim_start_matches('@').chars().map(|c| if matches!(c, '/' | ':' | '@') { '-' } else { c }).collect();
    root.join("fixtures/trials").join(format!("{name}.json5"))
}

/// The trial's report; of a directory with several plugins, that of `id`. A trial that gives none is told as a plugin that does not load.
fn trial(program: &Path, dir: &Path, id: &str, script: &Path) -> Result<Value> {
    let mut command = Command::new(program);
    command.args(["plugins", "test", "--json", "--timeout", "20"]).arg(dir);
    if script.is_file() {
        command.arg("--script").arg(script);
    }
    let run = command.output();
    let run = run.with_context(|| format!("could not run `{}`", program.display()))?;
    let report: Value = serde_json::from_slice(&run.stdout).unwrap_or_else(|_| {
        let said = String::from_utf8_lossy(&run.stderr).lines().next().unwrap_or("no report").to_owned();
        serde_json::json!({"load": {"ok": false, "error": said}, "failures": [said]})
    });
    let several = report["plugins"].as_array().and_then(|all| all.iter().find(|one| one["pluginId"] == id)).cloned();
    Ok(several.unwrap_or(report))
}

struct Row {
    text: String,
    loads: bool,
    complete: Option<bool>,
    sound: bool,
}

impl Row {
    fn of(truth: &BTreeMap<&str, &str>, report: &Value) -> Self {
        let loads = report["load"]["ok"] == true;
        let known = truth.get("status_on_2026.5.12").copied().unwrap_or_default();
        let is_known = known == "loaded";
        let recorded = wanted(truth);
        let lacking = if loads { lacking(truth, &recorded, &report["registered"]) } else { Vec::new() };
        let complete = (loads && (is_known || !recorded.is_empty())).then_some(lacking.is_empty());
        let texts = |key: &str| -> Vec<String> {
            report[key].as_array().into_iter().flatten().filter_map(|text| text.as_str().map(str::to_owned)).collect()
        };
        let calls = report["calls"].as_array().map_or(0, Vec::len);
        let fine = report["calls"].as_array().into_iter().flatten().filter(|call| call["outcome"] == "returned").count();
        let compat = report["compatibility"].as_array().into_iter().flatten();
        let missing: Vec<String> = compat
            .filter(|notice| notice["code"].as_str().is_some_and(|code| code.starts_with("sdk-")))
            .filter_map(|notice| notice["message"].as_str().map(short_missing))
            .collect();
        let mut remarks: Vec<String> = lacking.into_iter().map(|what| format!("lacks {what}")).collect();
        let (faults, rest): (Vec<String>, Vec<String>) =
            texts("failures").into_iter().partition(|text| GRAVE.iter().any(|mark| text.contains(mark)));
        remarks.extend(rest.into_iter().take(2));
        let sound = loads && faults.is_empty();
        let word = |yes: bool| if yes { "yes" } else { "no" };
        let exercised = match (loads, calls) {
            (false, _) => String::new(),
            (true, 0) => "nothing to call".to_owned(),
            (true, _) => format!("{fine} of {calls}"),
        };
        let text = format!(
            "| {} | {} | {} | {} | {} | {exercised} | {} | {} | {} |\n",
            truth["package"],
            truth["version"],
            if is_known { "loads" } else { "does not load" },
            word(loads),
            complete.map_or("", word),
            if sound { "none".to_owned() } else { cell(&faults.join("; ")) },
            cell(&missing.join("; ")),
            cell(&remarks.join("; ")),
        );
        Self { text, loads, complete, sound }
    }
}

/// What OpenClaw saw the plugin register, call by call: member of `registered` and name. Names that it does not know are left out, and
/// those of commands that no release accepts.
fn wanted<'a>(truth: &BTreeMap<&str, &'a str>) -> Vec<(&'static str, &'a str)> {
    let recorded = truth.get("full_mode_register_calls").copied().unwrap_or_default();
    let calls = recorded.split(';').filter_map(|call| call.trim().split_once('='));
    let members = calls.filter_map(|(call, names)| Some((CALLS.iter().find(|(known, _)| *known == call)?.1, names)));
    let all = members.flat_map(|(member, names)| names.split(',').map(move |name| (member, name.trim())));
    all.filter(|(member, name)| *name != "?" && !(*member == "commands" && name.contains(':'))).collect()
}

/// What the reference saw registered and the trial did not.
fn lacking(truth: &BTreeMap<&str, &str>, recorded: &[(&str, &str)], registered: &Value) -> Vec<String> {
    let is_there = |member: &str, name: &str| {
        let have = registered[member].as_array().into_iter().flatten().filter_map(Value::as_str);
        have.into_iter().any(|one| one == name || one.split([' ', ',']).any(|part| part == name))
    };
    let mut out: Vec<String> = Vec::new();
    let columns = COMPARED.iter().flat_map(|(column, member)| {
        let names = truth.get(column).copied().unwrap_or_default().split(',').map(str::trim).filter(|name| !name.is_empty());
        names.map(move |name| (*member, name))
    });
    for (member, name) in columns.chain(recorded.iter().copied()).filter(|(member, name)| !is_there(member, name)) {
        let text = format!("{member} {name}");
        if !out.contains(&text) {
            out.push(text);
        }
    }
    let routes = truth.get("http_routes").and_then(|text| text.trim().parse::<u64>().ok()).unwrap_or(0);
    if registered["httpRoutes"].as_u64().unwrap_or(0) < routes {
        out.push(format!("http_routes ({} of {routes})", registered["httpRoutes"].as_u64().unwrap_or(0)));
    }
    out
}

/// `imports a, b of x, which this SDK does not carry` as `x: a, b`.
fn short_missing(message: &str) -> String {
    let text = message.trim_start_matches("imports ").split(", which this SDK").next().unwrap_or(message).replace('`', "");
    match text.split_once(" of openclaw/plugin-sdk/") {
        Some((names, subpath)) => format!("{subpath}: {names}"),
        None => text.trim_start_matches("openclaw/plugin-sdk/").to_owned(),
    }
}

fn cell(text: &str) -> String {
    let line = text.replace('|', "\\|").replace('\n', " ");
    match line.char_indices().nth(REMARK) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_row_says_what_is_lacking() {
        let truth: BTreeMap<&str, &str> = [
            ("package", "p"),
            ("version", "1"),
            ("plugin_id", "p"),
            ("status_on_2026.5.12", "loaded"),
            ("tools", "a,b"),
            ("http_routes", "2"),
            ("full_mode_register_calls", "registerTool=a,b; registerCommand=x:y,?; on=agent_end; resolvePath=?"),
        ]
        .into();
        let report = json!({
            "load": {"ok": true}, "registered": {"tools": ["a"], "hooks": ["agent_end"], "httpRoutes": 2},
            "calls": [{"outcome": "returned"}, {"outcome": "threw"}], "failures": ["tool `a` threw | so", "hook `x` leaks: 25"],
            "compatibility": [{"code": "sdk-export-missing", "message": "imports `x`, `y` of `openclaw/plugin-sdk/core`, which this SDK does not carry; each throws"}],
        });
        let row = Row::of(&truth, &report);
        assert!(row.loads && row.complete == Some(false));
        assert_eq!(
            row.text,
            "| p | 1 | loads | yes | no | 1 of 2 | hook `x` leaks: 25 | core: x, y | lacks tools b; tool `a` threw \\| so |\n"
        );
    }

    #[test]
    fn a_plugin_beyond_the_list_tells_what_it_registers_or_why_it_cannot_start() {
        let fine = json!({
            "version": "2", "load": {"ok": true}, "registered": {"tools": ["a", "b"], "hooks": ["x"], "httpRoutes": 0},
            "calls": [{"outcome": "returned"}], "failures": [], "compatibility": [],
        });
        let row = Extra::of("q", &fine, own_fault(&fine));
        assert_eq!((row.text.as_str(), row.sound), ("| q | 2 | yes | 2 tools, 1 hook | 1 of 1 | none |  |  |\n", true));
        let broken = json!({"load": {"ok": false, "error": "Cannot find package 'z'"}, "failures": ["Cannot find package 'z'"]});
        let row = Extra::of("r", &broken, own_fault(&broken));
        assert_eq!(row.text, "| r |  | no |  |  |  |  | a package that it needs is not to be had |\n");
    }
}
