//! The one table of chat commands. A command that somebody builds gets a row here and an arm where the host runs them.

/// Who may use a command. Everybody else's text is left to the agent, or is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Senders who may use commands in this chat.
    Authorized,
    /// The operator alone.
    Owner,
}

/// An argument, for surfaces that offer menus.
#[derive(Clone, Copy, Debug)]
pub struct ArgSpec {
    /// Name.
    pub name: &'static str,
    /// What it is.
    pub description: &'static str,
    /// Values to choose from; empty when any text will do.
    pub choices: &'static [&'static str],
    /// Takes all that is left of the line.
    pub rest: bool,
}

/// A command that a chat understands.
#[derive(Clone, Copy, Debug)]
pub struct CommandSpec {
    /// The name, without the slash.
    pub name: &'static str,
    /// Other names.
    pub aliases: &'static [&'static str],
    /// What it does, in a few words.
    pub description: &'static str,
    /// `session`, `options`, `status`, `management`: groups of the reference's menus.
    pub category: &'static str,
    /// `essential`, `standard` or `power`.
    pub tier: &'static str,
    /// Arguments; none means that text after the name makes it no command.
    pub args: &'static [ArgSpec],
    /// Who may use it.
    pub access: Access,
    /// It can also stand inside a message, and is taken out there.
    pub directive: bool,
}

const fn arg(name: &'static str, description: &'static str, choices: &'static [&'static str], rest: bool) -> ArgSpec {
    ArgSpec { name, description, choices, rest }
}

const fn row(name: &'static str, category: &'static str, tier: &'static str, description: &'static str) -> CommandSpec {
    CommandSpec { name, aliases: &[], description, category, tier, args: &[], access: Access::Authorized, directive: false }
}

/// All built commands, in the order in which lists show them.
pub const TABLE: &[CommandSpec] = &[
    row("help", "status", "essential", "Say what can be asked for here"),
    row("commands", "status", "power", "List all commands"),
    row("status", "status", "essential", "Show the session, its model and what runs"),
    CommandSpec { aliases: &["id"], ..row("whoami", "status", "standard", "Show your sender id") },
    CommandSpec {
        args: &[arg("model", "Model of the new session, or its first message", &[], true)],
        ..row("new", "session", "essential", "Begin a new session")
    },
    CommandSpec {
        args: &[arg("message", "First message of the new session", &[], true)],
        ..row("reset", "session", "essential", "Begin the session anew")
    },
    row("stop", "session", "essential", "Stop what runs"),
    CommandSpec {
        args: &[arg("id", "What waits, and `allow-once`, `allow-always` or `deny`", &[], true)],
        ..row("approve", "management", "standard", "Decide what waits for approval")
    },
    CommandSpec {
        args: &[arg("instructions", "What the summary should look at", &[], true)],
        ..row("compact", "session", "essential", "Summarise what was said so far")
    },
    CommandSpec {
        aliases: &["thinking", "t"],
        args: &[arg(
            "level",
            "How much the model thinks before it answers",
            &["default", "off", "minimal", "low", "medium", "high", "xhigh", "adaptive", "max"],
            false,
        )],
        directive: true,
        ..row("think", "options", "essential", "Show or set how much the model thinks")
    },
    CommandSpec {
        args: &[arg("model", "`provider/model`, an alias, a number of the list, or `default`", &[], false)],
        directive: true,
        ..row("model", "options", "essential", "Show or set the model of this session")
    },
    CommandSpec {
        args: &[arg("provider", "Only this provider's models", &[], true)],
        ..row("models", "options", "standard", "List the models that can be chosen")
    },
    CommandSpec {
        args: &[
            arg(
                "mode",
                "What happens with messages that come while a run goes on",
                &["steer", "followup", "collect", "steer-backlog", "queue", "interrupt", "default"],
                false,
            ),
            arg("debounce", "Quiet time before waiting messages are taken up, such as `debounce:2s`", &[], false),
            arg("cap", "Messages that may wait, such as `cap:20`", &[], false),
            arg("drop", "Which goes when more come, such as `drop:old`", &["drop:summarize", "drop:old", "drop:new"], false),
        ],
        directive: true,
        ..row("queue", "options", "standard", "Show or set what happens with messages while a run goes on")
    },
    CommandSpec {
        args: &[
            arg("host", "Where commands run, such as `host=gateway`", &["host=auto", "host=gateway"], false),
            arg("security", "Which run", &["security=deny", "security=allowlist", "security=full"], false),
            arg("ask", "When somebody is asked", &["ask=off", "ask=on-miss", "ask=always"], false),
            arg("node", "A node, for `host=node`", &[], false),
        ],
        directive: true,
        ..row("exec", "options", "standard", "Show or set how the agent's commands run in this session")
    },
    CommandSpec {
        aliases: &["elev"],
        args: &[arg("mode", "Whether commands pass approvals by", &["off", "on", "ask", "full"], false)],
        directive: true,
        ..row("elevated", "options", "standard", "Show or set elevated commands")
    },
    CommandSpec {
        aliases: &["tell"],
        args: &[arg("message", "What the run should know", &[], true)],
        ..row("steer", "session", "standard", "Tell the run that is under way something")
    },
];

/// Commands of the reference that are known and not built here: the answer names them, so that nobody waits for an effect.
pub const UNBUILT: &[&str] = &[
    "acp",
    "activation",
    "agents",
    "allowlist",
    "bash",
    "btw",
    "config",
    "context",
    "crestodian",
    "debug",
    "diagnostics",
    "export",
    "export-session",
    "export-trajectory",
    "fast",
    "focus",
    "kill",
    "mcp",
    "plugin",
    "plugins",
    "reason",
    "reasoning",
    "restart",
    "send",
    "session",
    "side",
    "skill",
    "subagents",
    "tasks",
    "tools",
    "trace",
    "trajectory",
    "tts",
    "unfocus",
    "usage",
    "v",
    "verbose",
];

/// The row of a name or alias, in any case.
pub fn find(name: &str) -> Option<&'static CommandSpec> {
    let name = name.trim_start_matches('/').to_lowercase();
    TABLE.iter().find(|c| c.name == name || c.aliases.contains(&name.as_str()))
}

/// True for a command of the reference that is not built.
pub fn is_unbuilt(name: &str) -> bool {
    UNBUILT.contains(&name.trim_start_matches('/').to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_name_means_one_command() {
        let mut names = HashSet::new();
        for name in TABLE.iter().flat_map(|c| std::iter::once(&c.name).chain(c.aliases)).chain(UNBUILT) {
            assert!(names.insert(*name), "`{name}` twice");
            assert_eq!(name.to_lowercase(), **name);
        }
        assert_eq!(find("/T").map(|c| c.name), Some("think"));
        assert!(find("nothing").is_none() && is_unbuilt("/Verbose"));
    }
}
