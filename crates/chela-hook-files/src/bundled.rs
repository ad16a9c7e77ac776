//! Hooks that the reference brings along. They are listed, so that nobody looks for them in vain; none is built.

use crate::metadata::HookMetadata;

/// Name, emoji, events and what it is for.
type Row = (&'static str, &'static str, &'static [&'static str], &'static str);

const ROWS: [Row; 5] = [
    ("boot-md", "🚀", &["gateway:startup"], "Has an agent follow BOOT.md of the workspace when the gateway starts"),
    ("bootstrap-extra-files", "📎", &["agent:bootstrap"], "Adds files that match patterns to the bootstrap files of the workspace"),
    ("command-logger", "📝", &["command"], "Writes every command event to logs/commands.log"),
    ("compaction-notifier", "🧹", &["session:compact:before", "session:compact:after"], "Tells the chat when a compaction begins and ends"),
    ("session-memory", "💾", &["command:new", "command:reset"], "Keeps the end of a session in the memory directory on /new and /reset"),
];

/// Name, description and metadata of each.
pub(crate) fn all() -> impl Iterator<Item = (&'static str, &'static str, HookMetadata)> {
    ROWS.iter().map(|(name, emoji, events, description)| {
        let metadata = HookMetadata {
            emoji: Some((*emoji).to_owned()),
            events: events.iter().map(|event| (*event).to_owned()).collect(),
            ..HookMetadata::default()
        };
        (*name, *description, metadata)
    })
}
