//! Directives: words such as `/think high` that stand inside a message, and are taken out before anybody else reads it.
//!
//! A message that is nothing but directives changes the session; inside other text they hold for that message alone.

use crate::queue::{QueueWords, parse_words};

/// The value of a directive; `None` asks what is set.
pub type LevelWord = Option<String>;

/// What stands after `/exec`: each may be absent, and `wrong` is the first word that names none of these or has no value it knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExecWords {
    /// `auto`, `sandbox`, `gateway` or `node`.
    pub host: Option<String>,
    /// `deny`, `allowlist` or `full`.
    pub security: Option<String>,
    /// `off`, `on-miss` or `always`.
    pub ask: Option<String>,
    /// A node.
    pub node: Option<String>,
    /// Not understood.
    pub wrong: Option<String>,
}

impl ExecWords {
    /// True when nothing was said: what is set is asked for.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn read(rest: &str) -> (Self, usize) {
        let (mut out, mut used) = (Self::default(), 0);
        loop {
            let start = used + (rest[used..].len() - rest[used..].trim_start().len());
            let word = rest[start..].split_whitespace().next().unwrap_or_default();
            let Some((name, value)) = word.split_once(['=', ':']) else { return (out, used) };
            let (value, known): (String, &[&str]) = (
                value.to_ascii_lowercase(),
                match name.to_ascii_lowercase().as_str() {
                    "host" => &["auto", "sandbox", "gateway", "node"],
                    "security" => &["deny", "allowlist", "full"],
                    "ask" => &["off", "on-miss", "always"],
                    "node" => &[],
                    _ => return (out, used),
                },
            );
            let slot = match name.to_ascii_lowercase().as_str() {
                "host" => &mut out.host,
                "security" => &mut out.security,
                "ask" => &mut out.ask,
                _ => &mut out.node,
            };
            if value.is_empty() || !(known.is_empty() || known.contains(&value.as_str())) {
                out.wrong.get_or_insert_with(|| word.to_owned());
            } else {
                *slot = Some(value);
            }
            used = start + word.len();
        }
    }
}

/// What a message said beside its text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directives {
    /// The text that is left.
    pub text: String,
    /// `/think`.
    pub think: Option<LevelWord>,
    /// `/model`.
    pub model: Option<LevelWord>,
    /// `/queue`.
    pub queue: Option<QueueWords>,
    /// `/exec`.
    pub exec: Option<ExecWords>,
    /// `/elevated`.
    pub elevated: Option<LevelWord>,
    /// Commands that are answered at once, wherever they stand (`/status`, `/help`, `/commands`, `/whoami`), by their canonical names.
    pub shortcuts: Vec<&'static str>,
}

impl Directives {
    /// True when the message held any.
    pub fn any(&self) -> bool {
        self.has_options() || !self.shortcuts.is_empty()
    }

    /// True when the message held one that sets or shows an option.
    pub fn has_options(&self) -> bool {
        self.think.is_some() || self.model.is_some() || self.queue.is_some() || self.exec.is_some() || self.elevated.is_some()
    }
}

const THINK: &[&str] = &["thinking", "think", "t"];
const MODEL: &[&str] = &["model"];
const QUEUE: &[&str] = &["queue"];
const EXEC: &[&str] = &["exec"];
const ELEVATED: &[&str] = &["elevated", "elev"];
const SHORTCUTS: &[(&str, &str)] =
    &[("status", "status"), ("help", "help"), ("commands", "commands"), ("whoami", "whoami"), ("id", "whoami")];

/// Takes the directives out of a message. The first of each kind counts.
pub fn parse_directives(message: &str) -> Directives {
    let mut out = Directives { text: message.to_string(), ..Directives::default() };
    if !message.contains('/') {
        return out;
    }
    let letters = |c: char| c.is_ascii_alphabetic() || c == '-';
    out.think = take(&mut out.text, THINK, |rest| one_word(rest, letters));
    let model = |c: char| c.is_ascii_alphanumeric() || "_.:@/-".contains(c);
    out.model = take(&mut out.text, MODEL, |rest| one_word(rest, model));
    out.queue = take(&mut out.text, QUEUE, parse_words);
    out.exec = take(&mut out.text, EXEC, ExecWords::read);
    out.elevated = take(&mut out.text, ELEVATED, |rest| one_word(rest, letters));
    for (name, canonical) in SHORTCUTS {
        if take(&mut out.text, &[name], |_| ((), 0)).is_some() && !out.shortcuts.contains(canonical) {
            out.shortcuts.push(canonical);
        }
    }
    if !out.any() {
        out.text = message.to_string();
    }
    out
}

/// Cuts the first `/name` out of the text, with what `read` takes of the text after it.
fn take<T>(text: &mut String, names: &[&str], read: impl FnOnce(&str) -> (T, usize)) -> Option<T> {
    let (start, end) = find(text, names)?;
    let after = &text[end..];
    let colon = after.trim_start().strip_prefix(':').map_or(0, |rest| after.len() - rest.len());
    let (value, used) = read(&after[colon..]);
    let head = text[..start].trim_end().to_string();
    let tail = text[end + colon + used..].trim_start();
    *text = if head.is_empty() || tail.is_empty() { format!("{head}{tail}") } else { format!("{head} {tail}") };
    *text = text.trim().to_string();
    Some(value)
}

/// Where a `/name` stands that is a word of its own.
fn find(text: &str, names: &[&str]) -> Option<(usize, usize)> {
    text.match_indices('/').find_map(|(at, _)| {
        let before = text[..at].chars().next_back();
        if before.is_some_and(|c| !c.is_whitespace()) {
            return None;
        }
        let rest = &text[at + 1..];
        names.iter().find_map(|name| {
            let head = rest.get(..name.len()).filter(|head| head.eq_ignore_ascii_case(name))?;
            let next = rest[head.len()..].chars().next();
            next.is_none_or(|c| c.is_whitespace() || c == ':').then_some((at, at + 1 + head.len()))
        })
    })
}

fn one_word(rest: &str, allowed: impl Fn(char) -> bool) -> (LevelWord, usize) {
    let start = rest.find(|c: char| !c.is_whitespace()).unwrap_or(rest.len());
    let word = &rest[start..];
    let end = word.find(|c| !allowed(c)).unwrap_or(word.len());
    // A line break ends the directive: what stands on the next line is the message.
    if end == 0 || rest[..start].contains('\n') || word.starts_with('/') {
        return (None, 0);
    }
    (Some(word[..end].to_string()), start + end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::QueueMode;

    #[test]
    fn directives_leave_the_text() {
        let word = |text: &str| Some(Some(text.to_string()));
        let plain = |text: &str| Directives { text: text.into(), ..Directives::default() };
        let table = [
            ("hello", plain("hello")),
            ("see /tmp/x and a/think b", plain("see /tmp/x and a/think b")),
            ("  spaced  text ", plain("  spaced  text ")),
            ("/think high", Directives { think: word("high"), ..plain("") }),
            ("/think: high why?", Directives { think: word("high"), ..plain("why?") }),
            ("why /T:low now", Directives { think: word("low"), ..plain("why now") }),
            ("/think", Directives { think: Some(None), ..plain("") }),
            ("/think\nhello", Directives { think: Some(None), ..plain("hello") }),
            ("/model openai/gpt-5 hi", Directives { model: word("openai/gpt-5"), ..plain("hi") }),
            ("/model /think low", Directives { model: Some(None), think: word("low"), ..plain("") }),
            ("what is /status?", plain("what is /status?")),
            ("go on /status please", Directives { shortcuts: vec!["status"], ..plain("go on please") }),
        ];
        for (text, expected) in table {
            assert_eq!(parse_directives(text), expected, "{text}");
        }
        let all = parse_directives("/exec host=gateway ASK=Always /elev full go /exec now");
        let exec = all.exec.unwrap();
        assert_eq!((exec.host.as_deref(), exec.ask.as_deref(), exec.security, exec.wrong), (Some("gateway"), Some("always"), None, None));
        assert_eq!((all.elevated, all.text.as_str()), (word("full"), "go /exec now"));
        assert_eq!(parse_directives("/exec ask=maybe").exec.unwrap().wrong.as_deref(), Some("ask=maybe"));
        assert!(parse_directives("/exec please run it").exec.is_some_and(|e| e.is_empty()));
        let all = parse_directives("/queue collect cap:3 /think off /model x/y do it");
        assert_eq!((all.text.as_str(), all.think, all.model), ("do it", word("off"), word("x/y")));
        let queue = all.queue.unwrap();
        assert_eq!((queue.options.mode, queue.options.cap), (Some(QueueMode::Collect), Some(3)));
        assert!(parse_directives("/queue").queue.is_some_and(|q| q.is_empty()));
    }
}
