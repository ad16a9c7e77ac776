//! `chela sdk coverage`.

use chela_kit::coverage::{self, Overview, PluginCoverage};
use chela_kit::to_json;
use serde_json::json;

use crate::cli::sdk::{CoverageArgs, SdkArgs, SdkCommand};
use crate::output;
use crate::report::Failure;
use crate::table::Table;

/// Names of a subpath that are shown before the rest is counted.
const SHOWN: usize = 4;

/// Runs the subcommand.
///
/// # Errors
/// A directory without a plugin, or one that cannot be read.
pub fn run(args: SdkArgs) -> Result<(), Failure> {
    let SdkCommand::Coverage(args) = args.command;
    coverage(&args)
}

fn coverage(args: &CoverageArgs) -> Result<(), Failure> {
    let Some(dir) = &args.plugin else {
        let overview = coverage::overview().map_err(failed)?;
        return if args.json { output::json(&to_json(&overview)) } else { output::text(&overview_text(&overview)) };
    };
    let plugins = coverage::plugins_in(dir).map_err(failed)?;
    match (args.json, &plugins[..]) {
        (true, [one]) => output::json(&to_json(one)),
        (true, many) => output::json(&json!({"plugins": to_json(&many)})),
        (false, many) => output::text(&many.iter().map(plugin_text).collect::<Vec<_>>().join("\n")),
    }
}

/// A failure of the kit, with the next step.
pub fn failed(error: chela_kit::KitError) -> Failure {
    use chela_kit::KitError;
    let failure = Failure::new(error.to_string());
    match error {
        KitError::NoPlugin { .. } => {
            failure.hint("name a directory with an `openclaw.plugin.json`, or make one with `chela plugins new NAME`")
        }
        KitError::NotEmpty { .. } => failure.hint("name another directory with `--dir`, or empty this one"),
        _ => failure,
    }
}

fn overview_text(overview: &Overview) -> String {
    let mut table = Table::new(&["OPENCLAW", "SUBPATHS", "CARRIED", "EXPORTS", "CARRIED"]);
    for release in &overview.releases {
        table.row(vec![
            release.version.into(),
            release.subpaths.to_string(),
            share(release.carried_subpaths, release.subpaths),
            release.exports.to_string(),
            share(release.carried_exports, release.exports),
        ]);
    }
    let mut out = format!("{} subpaths with {} exports are carried\n\n{}", overview.subpaths.len(), overview.exports, table.render());
    if let Some(newest) = overview.releases.last() {
        let missing = &newest.missing_subpaths;
        if !missing.is_empty() {
            out.push_str(&format!("\nMissing subpaths of {}: {}\n", newest.version, missing.join(", ")));
        }
        if !newest.missing_exports.is_empty() {
            let names: usize = newest.missing_exports.values().map(Vec::len).sum();
            out.push_str(&format!(
                "{names} exports of {} carried subpaths are missing; `--json` lists them\n",
                newest.missing_exports.len()
            ));
        }
    }
    out
}

fn share(part: usize, whole: usize) -> String {
    let percent = if whole == 0 { 100.0 } else { part as f64 * 100.0 / whole as f64 };
    format!("{part} ({percent:.1} %)")
}

fn plugin_text(plugin: &PluginCoverage) -> String {
    let files = if plugin.files == 1 { "file" } else { "files" };
    let mut out = format!("{} ({} {files} read)\n", plugin.plugin_id, plugin.files);
    let mut table = Table::new(&["SUBPATH", "USES", "MISSING"]);
    for (subpath, need) in &plugin.imports {
        let names: Vec<&str> = need.names.keys().map(String::as_str).collect();
        let whole = if need.whole.is_empty() { "" } else { "*" };
        let uses = match names.len() {
            0 if whole.is_empty() => "for its effects".to_owned(),
            _ => listed(&names, whole),
        };
        let missing: Vec<&str> = need.names.iter().filter(|(_, name)| !name.carried).map(|(name, _)| name.as_str()).collect();
        let missing = if need.carried { missing.join(", ") } else { "the subpath".to_owned() };
        table.row(vec![subpath.clone(), uses, missing]);
    }
    if plugin.imports.is_empty() {
        out.push_str("It imports nothing of the SDK\n");
    } else {
        out.push_str(&table.render());
    }
    for missing in &plugin.missing_exports {
        let (subpath, name) = missing.split_once('#').unwrap_or((missing, ""));
        let Some(needed) = plugin.imports.get(subpath).and_then(|need| need.names.get(name)) else { continue };
        let releases =
            if needed.releases.is_empty() { "in no known release".to_owned() } else { format!("in {}", needed.releases.join(", ")) };
        out.push_str(&format!("missing: {name} of {subpath}, {releases} ({})\n", needed.places.join(", ")));
    }
    for notice in &plugin.compatibility {
        out.push_str(&format!("{}: {}\n", notice.code, notice.message));
    }
    for skipped in &plugin.not_scanned {
        out.push_str(&format!("not read: {} {}\n", skipped.path.display(), skipped.reason));
    }
    let (subpaths, exports) = (plugin.missing_subpaths.len(), plugin.missing_exports.len());
    match (subpaths, exports) {
        (0, 0) => out.push_str("Everything that it names is carried\n"),
        _ => out.push_str(&format!("{exports} exports and {subpaths} subpaths are missing; they fail when they are used\n")),
    }
    out
}

fn listed(names: &[&str], whole: &str) -> String {
    let mut shown: Vec<String> = names.iter().take(SHOWN).map(|name| (*name).to_owned()).collect();
    if names.len() > SHOWN {
        shown.push(format!("and {} more", names.len() - SHOWN));
    }
    if !whole.is_empty() {
        shown.push(whole.to_owned());
    }
    shown.join(", ")
}
