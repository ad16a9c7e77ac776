//! Hooks that the reference brings along; `plugins/hooks` runs them.

use crate::metadata::{HookMetadata, InstallOption, Requires};

/// A bundled hook.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    emoji: &'static str,
    events: &'static [&'static str],
    pub(crate) description: &'static str,
    /// Needs a workspace.
    workspace: bool,
    /// Runs whatever its requirements say, and names no way to install it.
    always: bool,
}

pub(crate) const ROWS: [Row; 5] = [
    Row {
        name: "boot-md",
        emoji: "🚀",
        events: &["gateway:startup"],
        description: "Has an agent follow BOOT.md of the workspace when the gateway starts",
        workspace: true,
        always: false,
    },
    Row {
        name: "bootstrap-extra-files",
        emoji: "📎",
        events: &["agent:bootstrap"],
        description: "Adds files that match patterns to the bootstrap files of the workspace",
        workspace: true,
        always: false,
    },
    Row {
        name: "command-logger",
        emoji: "📝",
        events: &["command"],
        description: "Writes every command event to logs/commands.log",
        workspace: false,
        always: false,
    },
    Row {
        name: "compaction-notifier",
        emoji: "🧹",
        events: &["session:compact:before", "session:compact:after"],
        description: "Tells the chat when a compaction begins and ends",
        workspace: false,
        always: true,
    },
    Row {
        name: "session-memory",
        emoji: "💾",
        events: &["command:new", "command:reset"],
        description: "Keeps the end of a session in the memory directory on /new and /reset",
        workspace: true,
        always: false,
    },
];

impl Row {
    pub(crate) fn metadata(&self) -> HookMetadata {
        let config = if self.workspace { vec!["workspace.dir".to_owned()] } else { Vec::new() };
        let kind = "bundled".to_owned();
        let install = InstallOption { id: kind.clone(), kind, label: "Part of the program".to_owned(), bins: Vec::new() };
        HookMetadata {
            always: self.always,
            emoji: Some(self.emoji.to_owned()),
            events: self.events.iter().map(|event| (*event).to_owned()).collect(),
            requires: Requires { config, ..Requires::default() },
            install: if self.always { Vec::new() } else { vec![install] },
            ..HookMetadata::default()
        }
    }
}
