//! What happens with a message that comes while the session is busy (CH-126..130): modes, options, and where they are set.

use chela_config::units::parse_duration_ms;
use serde_json::{Map, Value};

/// Quiet time before waiting messages are taken up, in milliseconds (CH-128).
pub const DEFAULT_DEBOUNCE_MS: u64 = 500;
/// Longest quiet time, in milliseconds: a typing mistake must not hold a message back for days.
pub const MOST_DEBOUNCE_MS: u64 = 10 * 60 * 1000;
/// Messages that wait in one session (CH-128).
pub const DEFAULT_CAP: usize = 20;
/// Most messages that any setting lets wait: each is held in memory with its images.
pub const MOST_CAP: usize = 1000;
/// Longest preview of a dropped message, in characters (CH-129).
const PREVIEW_CHARS: usize = 160;

/// What happens with a message that comes while the session is busy (CH-126).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum QueueMode {
    /// The run that is under way takes it up before its next model call, with all others that wait.
    #[default]
    Steer,
    /// As `Steer`, one message for each model call.
    Queue,
    /// It gets a turn of its own afterwards.
    Followup,
    /// It shares one later turn with the others that wait.
    Collect,
    /// The run takes it up, and it gets a turn of its own as well.
    SteerBacklog,
    /// The run is aborted, and the message is answered.
    Interrupt,
}

impl QueueMode {
    /// The canonical word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Steer => "steer",
            Self::Queue => "queue",
            Self::Followup => "followup",
            Self::Collect => "collect",
            Self::SteerBacklog => "steer-backlog",
            Self::Interrupt => "interrupt",
        }
    }

    /// Reads any of the accepted spellings (CH-126).
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text.trim().to_lowercase().as_str() {
            "steer" | "steering" => Self::Steer,
            "queue" | "queued" => Self::Queue,
            "followup" | "followups" | "follow-up" | "follow-ups" => Self::Followup,
            "collect" | "coalesce" => Self::Collect,
            "steer-backlog" | "steer+backlog" | "steer_backlog" => Self::SteerBacklog,
            "interrupt" | "interrupts" | "abort" => Self::Interrupt,
            _ => return None,
        })
    }

    /// True when the run under way is offered the message first.
    pub fn steers(self) -> bool {
        matches!(self, Self::Steer | Self::Queue | Self::SteerBacklog)
    }
}

/// Which message goes when too many wait (CH-129).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DropPolicy {
    /// The oldest, and the next turn reads a line about it.
    #[default]
    Summarize,
    /// The oldest, silently.
    Old,
    /// The one that just came.
    New,
}

impl DropPolicy {
    /// The canonical word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Summarize => "summarize",
            Self::Old => "old",
            Self::New => "new",
        }
    }

    /// Reads any of the accepted spellings.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text.trim().to_lowercase().as_str() {
            "summarize" | "summary" => Self::Summarize,
            "old" | "oldest" => Self::Old,
            "new" | "newest" => Self::New,
            _ => return None,
        })
    }
}

/// Settings that somebody gave: for one message, for a session. What is `None` comes from elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueOptions {
    /// What happens with a message.
    pub mode: Option<QueueMode>,
    /// Quiet time in milliseconds.
    pub debounce_ms: Option<u64>,
    /// Messages that wait.
    pub cap: Option<usize>,
    /// Which goes when there are more.
    pub drop: Option<DropPolicy>,
}

impl QueueOptions {
    /// What a session row says: `queueMode`, `queueDebounceMs`, `queueCap`, `queueDrop`.
    pub fn of_row(extra: &Map<String, Value>) -> Self {
        let text = |name: &str| extra.get(name).and_then(Value::as_str);
        Self {
            mode: text("queueMode").and_then(QueueMode::parse),
            debounce_ms: extra.get("queueDebounceMs").and_then(milliseconds),
            cap: extra.get("queueCap").and_then(count),
            drop: text("queueDrop").and_then(DropPolicy::parse),
        }
    }

    /// True when nothing is set.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What holds for one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueSettings {
    /// What happens with it.
    pub mode: QueueMode,
    /// Quiet time in milliseconds.
    pub debounce_ms: u64,
    /// Messages that wait.
    pub cap: usize,
    /// Which goes when there are more.
    pub drop: DropPolicy,
}

impl QueueSettings {
    /// Puts the settings together (CH-127, CH-128): those of the message, of the session, of the channel, of the config.
    ///
    /// `config` is `messages.queue`; `of_plugin` is the quiet time that the channel's plugin prefers, in milliseconds.
    pub fn resolve(config: &Value, channel: &str, inline: &QueueOptions, session: &QueueOptions, of_plugin: Option<u64>) -> Self {
        let channel = channel.trim().to_lowercase();
        let of_channel = |map: &str| config.get(map).and_then(|m| m.get(&channel));
        let mode = |value: Option<&Value>| value.and_then(Value::as_str).and_then(QueueMode::parse);
        let debounce = inline.debounce_ms.or(session.debounce_ms).or_else(|| of_channel("debounceMsByChannel").and_then(milliseconds));
        let debounce = debounce.or(of_plugin).or_else(|| config.get("debounceMs").and_then(milliseconds));
        let drop = inline.drop.or(session.drop).or_else(|| config.get("drop").and_then(Value::as_str).and_then(DropPolicy::parse));
        let cap = inline.cap.or(session.cap).or_else(|| config.get("cap").and_then(count));
        let chosen = inline.mode.or(session.mode).or_else(|| mode(of_channel("byChannel"))).or_else(|| mode(config.get("mode")));
        Self {
            mode: chosen.unwrap_or_default(),
            debounce_ms: debounce.unwrap_or(DEFAULT_DEBOUNCE_MS).min(MOST_DEBOUNCE_MS),
            cap: cap.unwrap_or(DEFAULT_CAP).clamp(1, MOST_CAP),
            drop: drop.unwrap_or_default(),
        }
    }
}

fn milliseconds(value: &Value) -> Option<u64> {
    value.as_f64().filter(|n| n.is_finite()).map(|n| n.max(0.0) as u64)
}

fn count(value: &Value) -> Option<usize> {
    value.as_f64().filter(|n| n.is_finite() && *n >= 1.0).map(|n| n as usize)
}

/// What `/queue` was given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueWords {
    /// What was understood.
    pub options: QueueOptions,
    /// The session goes back to the config.
    pub reset: bool,
    /// An option whose value is no value, as it was written.
    pub wrong: Option<String>,
}

impl QueueWords {
    /// True when nothing was asked for: the settings are shown.
    pub fn is_empty(&self) -> bool {
        self.options.is_empty() && !self.reset && self.wrong.is_none()
    }
}

/// Reads the words after `/queue`; hands back how many bytes of `text` they took. The first word that is none of them ends it.
pub fn parse_words(text: &str) -> (QueueWords, usize) {
    let mut words = QueueWords::default();
    let mut used = 0;
    let mut at = 0;
    while let Some((word, end)) = next_word(text, at) {
        at = end;
        let lowered = word.to_lowercase();
        let option = lowered.split_once([':', '=']).filter(|(name, _)| matches!(*name, "debounce" | "cap" | "drop"));
        if let Some((name, value)) = option {
            if !set(&mut words.options, name, value) {
                words.wrong.get_or_insert_with(|| word.to_string());
            }
        } else if matches!(lowered.as_str(), "default" | "reset" | "clear") {
            words.reset = true;
            return (words, end);
        } else if let Some(mode) = QueueMode::parse(&lowered) {
            words.options.mode = Some(mode);
        } else {
            break;
        }
        used = end;
    }
    (words, used)
}

fn set(options: &mut QueueOptions, name: &str, value: &str) -> bool {
    match name {
        "debounce" => {
            options.debounce_ms = parse_duration_ms(value, "ms").filter(|ms| *ms > 0);
            options.debounce_ms.is_some()
        }
        "cap" => {
            options.cap = value.parse::<f64>().ok().filter(|n| n.is_finite() && *n >= 1.0).map(|n| n as usize);
            options.cap.is_some()
        }
        _ => {
            options.drop = DropPolicy::parse(value);
            options.drop.is_some()
        }
    }
}

fn next_word(text: &str, from: usize) -> Option<(&str, usize)> {
    let rest = text.get(from..)?;
    let start = rest.find(|c: char| !c.is_whitespace())?;
    let word = rest[start..].split(char::is_whitespace).next()?;
    Some((word, from + start + word.len()))
}

/// One line about a message that had to go (CH-129).
pub fn preview(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(PREVIEW_CHARS) {
        None => line,
        Some(_) => {
            let cut: String = line.chars().take(PREVIEW_CHARS - 1).collect();
            format!("{}…", cut.trim_end())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    // CH-126
    #[test]
    fn modes_have_several_spellings() {
        let table = [
            ("steer", QueueMode::Steer),
            ("Steering", QueueMode::Steer),
            ("queued", QueueMode::Queue),
            ("follow-ups", QueueMode::Followup),
            ("coalesce", QueueMode::Collect),
            ("steer+backlog", QueueMode::SteerBacklog),
            ("steer_backlog", QueueMode::SteerBacklog),
            ("abort", QueueMode::Interrupt),
        ];
        for (text, mode) in table {
            assert_eq!(QueueMode::parse(text), Some(mode), "{text}");
            assert_eq!(QueueMode::parse(mode.as_str()), Some(mode));
        }
        assert_eq!((QueueMode::parse("never"), QueueMode::default()), (None, QueueMode::Steer));
    }

    // CH-127, CH-128
    #[test]
    fn the_nearest_setting_wins() {
        let none = QueueOptions::default();
        let plain = QueueSettings::resolve(&Value::Null, "talk", &none, &none, None);
        assert_eq!(plain, QueueSettings { mode: QueueMode::Steer, debounce_ms: 500, cap: 20, drop: DropPolicy::Summarize });
        let config = json!({"mode": "collect", "byChannel": {"talk": "followup"}, "debounceMs": 7, "debounceMsByChannel": {"talk": 8},
            "cap": 3, "drop": "old"});
        let of = |channel: &str, inline: &QueueOptions, session: &QueueOptions, plugin| {
            QueueSettings::resolve(&config, channel, inline, session, plugin)
        };
        assert_eq!(
            of("other", &none, &none, None),
            QueueSettings { mode: QueueMode::Collect, debounce_ms: 7, cap: 3, drop: DropPolicy::Old }
        );
        assert_eq!((of("TALK", &none, &none, Some(9)).mode, of("talk", &none, &none, Some(9)).debounce_ms), (QueueMode::Followup, 8));
        assert_eq!(of("other", &none, &none, Some(9)).debounce_ms, 9, "a plugin's wish comes before the general one");
        let session = QueueOptions::of_row(
            json!({"queueMode": "interrupt", "queueDebounceMs": 1, "queueCap": 2.9, "queueDrop": "new"}).as_object().unwrap(),
        );
        let held = of("talk", &none, &session, Some(9));
        assert_eq!(held, QueueSettings { mode: QueueMode::Interrupt, debounce_ms: 1, cap: 2, drop: DropPolicy::New });
        let inline = QueueOptions { mode: Some(QueueMode::Steer), debounce_ms: Some(0), cap: Some(9), drop: Some(DropPolicy::Summarize) };
        let now = of("talk", &inline, &session, None);
        assert_eq!(now, QueueSettings { mode: QueueMode::Steer, debounce_ms: 0, cap: 9, drop: DropPolicy::Summarize });
        let odd = json!({"cap": 0, "debounceMs": -5, "mode": 3, "drop": "x"});
        assert_eq!(QueueSettings::resolve(&odd, "", &none, &none, None), QueueSettings { debounce_ms: 0, ..plain });
    }

    // CH-126, CH-128
    #[test]
    fn the_words_of_the_command_are_read_up_to_the_first_other_word() {
        let (words, used) = parse_words(" collect debounce:0.5s cap:25 drop:summarize hello");
        let options =
            QueueOptions { mode: Some(QueueMode::Collect), debounce_ms: Some(500), cap: Some(25), drop: Some(DropPolicy::Summarize) };
        assert_eq!((words.options, &" collect debounce:0.5s cap:25 drop:summarize hello"[used..]), (options, " hello"));
        assert!(parse_words("reset").0.reset && parse_words("default").0.reset);
        assert_eq!(parse_words("cap=0").0.wrong.as_deref(), Some("cap=0"));
        assert_eq!(parse_words("what is it"), (QueueWords::default(), 0));
    }

    // CH-129
    #[test]
    fn a_preview_is_one_short_line() {
        assert_eq!(preview(" a\n\tb  c "), "a b c");
        let long = preview(&"word ".repeat(100));
        assert!(long.chars().count() <= 160 && long.ends_with('…'), "{long}");
        assert_eq!(preview(&"é".repeat(160)), "é".repeat(160));
    }
}
