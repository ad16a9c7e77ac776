//! Words that are no command of ours: commands of plugins, known commands that are not built, and slips of the pen.

use std::ffi::OsString;

use chela_plugin::register::RESERVED_CLI_ROOTS;

use crate::cli;
use crate::context::Context;
use crate::report::Failure;

/// Known commands that are not built, and what comes nearest to each.
const NOT_BUILT: &[(&str, &str)] = &[
    ("acp", "message an agent with `chela agent --message TEXT`"),
    ("agents", "look at them with `chela config get agents.list`"),
    ("backup", "copy the state directory while the gateway is stopped"),
    ("browser", "list plugins with `chela plugins list`"),
    ("capability", "call a model with `chela agent --message TEXT --model PROVIDER/MODEL`"),
    ("channels", "look at them with `chela config get channels`"),
    ("chat", "send messages with `chela agent --message TEXT`, or use the page of the gateway in a browser"),
    ("clawbot", "see `chela --help`"),
    ("commitments", "see `chela --help`"),
    ("configure", "set values with `chela config set PATH VALUE`"),
    ("crestodian", "find problems with `chela doctor`"),
    ("cron", "run turns from the system's cron with `chela agent --message TEXT`"),
    ("daemon", "use `chela gateway run`, `chela gateway status` and `chela gateway stop`"),
    ("dashboard", "open the URL that `chela gateway status` shows"),
    ("directory", "see `chela --help`"),
    ("dns", "see `chela --help`"),
    ("docs", "see `chela --help`"),
    (
        "exec-policy",
        "see what holds with `chela approvals get`, and set it with `chela config set tools.exec.security` and `chela approvals set`",
    ),
    ("flows", "list sessions with `chela sessions`"),
    ("infer", "call a model with `chela agent --message TEXT --model PROVIDER/MODEL`"),
    ("mcp", "look at the servers with `chela config get mcp`"),
    ("memory", "see `chela plugins list` for memory plugins"),
    ("message", "send a message to an agent with `chela agent --message TEXT`"),
    ("migrate", "set values with `chela config set PATH VALUE`"),
    ("models", "list them with `chela gateway call models.list`"),
    ("node", "see `chela gateway status`"),
    ("nodes", "list them with `chela gateway call node.list`"),
    ("onboard", "start with `chela gateway run`; no account is needed for the first answer"),
    ("path", "print the config's path with `chela config file`"),
    ("proxy", "see `chela logs --follow`"),
    ("reset", "move the state directory away while the gateway is stopped"),
    ("sandbox", "read the policy with `chela config get tools`"),
    ("secrets", "check references with `chela config validate`"),
    ("setup", "start with `chela gateway run`; it makes what it needs"),
    ("skills", "list plugins with `chela plugins list`"),
    ("system", "see who is connected with `chela gateway call system-presence`"),
    ("tasks", "list sessions with `chela sessions`"),
    ("terminal", "send messages with `chela agent --message TEXT`"),
    ("tui", "send messages with `chela agent --message TEXT`"),
    ("uninstall", "stop it with `chela gateway stop`, then remove the binary and the state directory"),
    ("update", "replace the binary, then `chela gateway restart`"),
    ("voicecall", "list plugins with `chela plugins list`"),
    ("webhooks", "see `chela gateway status`"),
    ("wiki", "list plugins with `chela plugins list`"),
];

/// Runs an unknown first word: a plugin's command, else an error.
///
/// # Errors
/// Exit code 2 for what is not built or not known; the plugin's own failure otherwise.
pub fn run(ctx: &Context, words: Vec<OsString>) -> Result<(), Failure> {
    let words: Vec<String> = words.into_iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let Some((name, rest)) = words.split_first() else {
        return Err(Failure::usage("no command given").hint("see `chela --help`"));
    };
    let not_built = NOT_BUILT.iter().find(|(known, _)| known == name);
    // Only a command below it can be a plugin's (API-175); the name itself is ours (API-181).
    let ours = not_built.is_some() && rest.first().is_none_or(|word| word.starts_with('-'));
    if !ours && !RESERVED_CLI_ROOTS.contains(&name.as_str()) {
        let config = ctx.config()?;
        let snapshot = ctx.scan(&config);
        let declared = not_built.is_none().then(|| snapshot.owners.cli.get(&name.to_lowercase())).flatten();
        if let Some(owner) = declared.and_then(|owners| owners.first()) {
            return super::plugin_runtime::cli_command(ctx, config, owner, &words);
        }
        if let Some(result) = super::plugin_runtime::search_cli_command(ctx, config, &snapshot, &words)? {
            return result;
        }
    }
    match not_built {
        Some((_, instead)) => Err(Failure::not_built(&format!("chela {name}"), instead)),
        None => Err(unknown("chela", name, &cli::command_names())),
    }
}

/// The error for a subcommand of a group that is known but not built, or not known at all.
pub fn subcommand(group: &str, name: &str, not_built: &[(&str, &str)], built: &[&str]) -> Failure {
    match not_built.iter().find(|(known, _)| *known == name) {
        Some((_, instead)) => Failure::not_built(&format!("{group} {name}"), instead),
        None => unknown(group, name, &built.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()),
    }
}

fn unknown(group: &str, name: &str, known: &[String]) -> Failure {
    let failure = Failure::usage(format!("unknown command `{group} {name}`"));
    match nearest(name, known) {
        Some(near) => failure.hint(format!("did you mean `{group} {near}`")),
        None => failure.hint(format!("see `{group} --help`")),
    }
}

/// The known word with the fewest changes, when they are few for its length.
fn nearest<'a>(name: &str, known: &'a [String]) -> Option<&'a str> {
    let ranked = known.iter().map(|word| (distance(name, word), word.as_str()));
    ranked.min().filter(|(changes, _)| *changes <= 1 + name.chars().count() / 4).map(|(_, word)| word)
}

/// Edit distance; an exchange of neighbours counts as two changes.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, right) in b.iter().enumerate() {
            let replace = diagonal + usize::from(left != *right);
            diagonal = row[j + 1];
            row[j + 1] = replace.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_corrected_and_nonsense_is_not() {
        let known: Vec<String> = ["gateway", "plugins", "config"].map(String::from).to_vec();
        for (typed, expected) in
            [("gatway", Some("gateway")), ("plugin", Some("plugins")), ("confgi", Some("config")), ("xyzzy", None), ("", None)]
        {
            assert_eq!(nearest(typed, &known), expected, "{typed}");
        }
    }

    // INS-337
    #[test]
    fn known_and_unknown_subcommands_differ() {
        let not_built = [("install", "use a load path")];
        let failure = subcommand("chela plugins", "install", &not_built, &["list"]);
        assert_eq!((failure.code, failure.message.as_str()), (2, "`chela plugins install` is not built yet"));
        let failure = subcommand("chela plugins", "lst", &not_built, &["list"]);
        assert_eq!(failure.message, "unknown command `chela plugins lst`");
        assert_eq!(failure.hints, ["did you mean `chela plugins list`"]);
    }
}
