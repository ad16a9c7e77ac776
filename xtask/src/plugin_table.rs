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
/// Longest remark of one plugin, in characters.
const REMARK: usize = 160;

const HEAD: &str = "\
# Real plugins

Published plugins, unmodified, each in a real worker: `chela plugins test` starts it, fires every hook and calls every tool with arguments
made for its schema. No accounts and no services are there, so a tool that needs one says so; that counts as a remark, not as a failure.
*Registers all* compares with what OpenClaw 2026.5.12 saw the plugin register; it has nothing to compare with where that release does not
load the plugin. Made by `cargo xtask plugin-table LIST DIRS CHELA`.

| plugin | version | OpenClaw 2026.5.12 | loads | registers all | exercised | missing of the SDK | remarks |
|---|---|---|---|---|---|---|---|
";

/// Writes the table. `list` has the ground truth, one plugin a line with a heading; `dirs` names the directory of each as `package<TAB>dir`.
pub fn run(root: &Path, list: &Path, dirs: &Path, program: &Path) -> Result<bool> {
    let text = std::fs::read_to_string(list).with_context(|| format!("could not read `{}`", list.display()))?;
    let dirs = directories(dirs)?;
    let mut lines = text.lines();
    let heading: Vec<&str> = lines.next().unwrap_or_default().split('\t').collect();
    if !heading.contains(&"plugin_id") {
        bail!("`{}` has no column `plugin_id`", list.display());
    }
    let mut out = HEAD.to_owned();
    let (mut tried, mut loaded, mut complete, mut all, mut untried) = (0, 0, 0, 0, Vec::new());
    for line in lines.filter(|line| !line.trim().is_empty()) {
        let truth: BTreeMap<&str, &str> = heading.iter().copied().zip(line.split('\t')).collect();
        all += 1;
        let Some(dir) = dirs.get(truth["package"]) else {
            untried.push(format!("`{}`", truth["package"]));
            continue;
        };
        let report = trial(program, dir, truth["plugin_id"])?;
        tried += 1;
        let row = Row::of(&truth, &report);
        loaded += usize::from(row.loads);
        complete += usize::from(row.complete == Some(true));
        eprintln!("{}: loads {}, registers all {:?}", truth["package"], row.loads, row.complete);
        out.push_str(&row.text);
    }
    let _ = write!(out, "\n{tried} of {all} plugins tried, {loaded} load, {complete} register all that OpenClaw 2026.5.12 saw.\n");
    if !untried.is_empty() {
        let _ = write!(out, "\nNot tried, because their source was not at hand: {}.\n", untried.join(", "));
    }
    let target = root.join("docs/plugins.md");
    std::fs::create_dir_all(root.join("docs"))?;
    std::fs::write(&target, out)?;
    println!("wrote `{}`", target.display());
    Ok(true)
}

fn directories(file: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let text = std::fs::read_to_string(file).with_context(|| format!("could not read `{}`", file.display()))?;
    Ok(text.lines().filter_map(|line| line.split_once('\t')).map(|(id, dir)| (id.to_owned(), PathBuf::from(dir.trim()))).collect())
}

/// The trial's report; of a directory with several plugins, that of `id`. A trial that gives none is told as a plugin that does not load.
fn trial(program: &Path, dir: &Path, id: &str) -> Result<Value> {
    let run = Command::new(program).args(["plugins", "test", "--json", "--timeout", "10"]).arg(dir).output();
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
}

impl Row {
    fn of(truth: &BTreeMap<&str, &str>, report: &Value) -> Self {
        let loads = report["load"]["ok"] == true;
        let known = truth.get("status_on_2026.5.12").copied().unwrap_or_default();
        let is_known = known == "loaded";
        let lacking = if loads && is_known { lacking(truth, &report["registered"]) } else { Vec::new() };
        let complete = (loads && is_known).then_some(lacking.is_empty());
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
        remarks.extend(texts("failures").into_iter().take(2));
        let word = |yes: bool| if yes { "yes" } else { "no" };
        let exercised = match (loads, calls) {
            (false, _) => String::new(),
            (true, 0) => "nothing to call".to_owned(),
            (true, _) => format!("{fine} of {calls} returned"),
        };
        let text = format!(
            "| {} | {} | {} | {} | {} | {exercised} | {} | {} |\n",
            truth["package"],
            truth["version"],
            if is_known { "loads" } else { "does not load" },
            word(loads),
            complete.map_or("", word),
            cell(&missing.join("; ")),
            cell(&remarks.join("; ")),
        );
        Self { text, loads, complete }
    }
}

/// What the reference saw registered and the trial did not.
fn lacking(truth: &BTreeMap<&str, &str>, registered: &Value) -> Vec<String> {
    let mut out = Vec::new();
    for (column, member) in COMPARED {
        let have: Vec<&str> = registered[member].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let wanted = truth.get(column).copied().unwrap_or_default().split(',').map(str::trim).filter(|name| !name.is_empty());
        let is_there = |name: &str| have.iter().any(|one| *one == name || one.split([' ', ',']).any(|part| part == name));
        out.extend(wanted.filter(|name| !is_there(name)).map(|name| format!("{column} {name}")));
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
        ]
        .into();
        let report = json!({
            "load": {"ok": true}, "registered": {"tools": ["a"], "httpRoutes": 2},
            "calls": [{"outcome": "returned"}, {"outcome": "threw"}], "failures": ["tool `a` threw | so"],
            "compatibility": [{"code": "sdk-export-missing", "message": "imports `x`, `y` of `openclaw/plugin-sdk/core`, which this SDK does not carry; each throws"}],
        });
        let row = Row::of(&truth, &report);
        assert!(row.loads && row.complete == Some(false));
        assert_eq!(row.text, "| p | 1 | loads | yes | no | 1 of 2 returned | core: x, y | lacks tools b; tool `a` threw \\| so |\n");
    }
}
