//! From a chat text to the command that it is.

use crate::table::{self, CommandSpec};

/// A text that is a command of the table.
#[derive(Clone, Debug)]
pub struct Named {
    /// Its row.
    pub spec: &'static CommandSpec,
    /// What stands after the name, trimmed; empty when nothing does.
    pub args: String,
}

impl Named {
    /// The command that a text is: `None` for other texts, and for one with arguments that its command does not take.
    pub fn read(text: &str, bot: Option<&str>) -> Option<Self> {
        let text = normalize(text, bot)?;
        let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((&text, ""));
        let spec = table::find(word)?;
        let args = rest.trim();
        (args.is_empty() || !spec.args.is_empty()).then(|| Self { spec, args: args.to_string() })
    }
}

/// A text that begins with a slash, in its plain form: `/cmd: x` is `/cmd x`, and `/cmd@bot` is `/cmd` where `bot` is the name of the bot
/// that was written to. `None` for any other text.
pub fn normalize(text: &str, bot: Option<&str>) -> Option<String> {
    let text = text.trim();
    let rest = text.strip_prefix('/').filter(|r| r.starts_with(|c: char| c.is_alphanumeric()))?;
    let end = rest.find(|c: char| c.is_whitespace() || c == ':').unwrap_or(rest.len());
    let (word, after) = rest.split_at(end);
    let word = match (word.split_once('@'), bot) {
        (Some((word, name)), Some(bot)) if name.eq_ignore_ascii_case(bot.trim_start_matches('@')) => word,
        _ => word,
    };
    let colon = after.trim_start().strip_prefix(':');
    // `/cmd : x` has no colon of its own: only one right after the name counts.
    let after = match colon {
        Some(after) if rest[end..].starts_with(':') => after,
        _ => after,
    };
    let after = after.trim();
    Some(if after.is_empty() { format!("/{word}") } else { format!("/{word} {after}") })
}

/// What stands after a trigger that begins a session anew (`session.resetTriggers`): the whole text is one of them, or one of them and more.
/// Hands back the trigger as it is configured and the rest.
pub fn trigger_rest<'a>(text: &'a str, triggers: &'a [String]) -> Option<(&'a str, &'a str)> {
    let text = text.trim();
    triggers.iter().map(|t| t.trim()).filter(|t| !t.is_empty()).find_map(|trigger| {
        let head = text.get(..trigger.len()).filter(|head| head.eq_ignore_ascii_case(trigger))?;
        let rest = &text[head.len()..];
        (rest.is_empty() || rest.starts_with(|c: char| c.is_whitespace() || c == ':'))
            .then(|| (trigger, rest.trim_start_matches(':').trim()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_as_commands() {
        let read = |text: &str| Named::read(text, Some("@Helper")).map(|n| (n.spec.name, n.args));
        let table = [
            ("/status", Some(("status", ""))),
            (" /STATUS ", Some(("status", ""))),
            ("/status now", None),
            ("/think: high", Some(("think", "high"))),
            ("/t high", Some(("think", "high"))),
            ("/compact mind\nthe roof", Some(("compact", "mind\nthe roof"))),
            ("/stop@helper", Some(("stop", ""))),
            ("/stop@other", None),
            ("/ stop", None),
            ("//stop", None),
            ("stop", None),
            ("/help:", Some(("help", ""))),
            ("/unknown", None),
        ];
        for (text, expected) in table {
            assert_eq!(read(text), expected.map(|(name, args)| (name, args.to_string())), "{text}");
        }
    }

    #[test]
    fn triggers_stand_alone_or_before_more() {
        let triggers = ["/new".to_string(), "fresh start".to_string()];
        assert_eq!(trigger_rest(" /New ", &triggers), Some(("/new", "")));
        assert_eq!(trigger_rest("Fresh Start and go", &triggers), Some(("fresh start", "and go")));
        assert_eq!(trigger_rest("/new: hello", &triggers), Some(("/new", "hello")));
        assert_eq!(trigger_rest("/newer", &triggers), None);
        assert_eq!(trigger_rest("é", &triggers), None);
    }
}
