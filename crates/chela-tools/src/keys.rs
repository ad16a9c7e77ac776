//! Key names as terminals send them: `Enter`, `C-c`, `M-x`, `S-Tab`, `Up`, `F5`, `^C`.

const ESC: char = '\u{1b}';

/// Keys, with the final part of their sequence.
const NAMED: &[(&str, &str)] = &[
    ("enter", "\r"),
    ("return", "\r"),
    ("tab", "\t"),
    ("escape", "\u{1b}"),
    ("esc", "\u{1b}"),
    ("space", " "),
    ("bspace", "\u{7f}"),
    ("backspace", "\u{7f}"),
    ("insert", "[2~"),
    ("ic", "[2~"),
    ("delete", "[3~"),
    ("del", "[3~"),
    ("dc", "[3~"),
    ("pageup", "[5~"),
    ("pgup", "[5~"),
    ("ppage", "[5~"),
    ("pagedown", "[6~"),
    ("pgdn", "[6~"),
    ("npage", "[6~"),
    ("btab", "[Z"),
    ("f1", "OP"),
    ("f2", "OQ"),
    ("f3", "OR"),
    ("f4", "OS"),
    ("f5", "[15~"),
    ("f6", "[17~"),
    ("f7", "[18~"),
    ("f8", "[19~"),
    ("f9", "[20~"),
    ("f10", "[21~"),
    ("f11", "[23~"),
    ("f12", "[24~"),
];

/// Keys whose sequence depends on the mode of the terminal.
const CURSOR: &[(&str, char)] = &[("up", 'A'), ("down", 'B'), ("right", 'C'), ("left", 'D'), ("home", 'H'), ("end", 'F')];

/// The bytes of some keys, and what was not understood. `application` is the cursor mode that programs switch on.
pub(crate) fn encode(keys: &[String], application: bool) -> (String, Vec<String>) {
    let (mut out, mut warnings) = (String::new(), Vec::new());
    for token in keys {
        match key(token, application) {
            Some(bytes) => out.push_str(&bytes),
            None => {
                warnings.push(format!("`{token}` is no key; it was sent as text"));
                out.push_str(token);
            }
        }
    }
    (out, warnings)
}

/// Pairs of hexadecimal digits, as bytes that must be text.
pub(crate) fn from_hex(words: &[String]) -> Result<String, String> {
    let mut bytes = Vec::new();
    for word in words {
        let digits = word.trim().trim_start_matches("0x");
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| format!("`{word}` is no byte in hexadecimal digits"))?);
    }
    String::from_utf8(bytes).map_err(|_| "the bytes of `hex` are no text".into())
}

#[derive(Default, Clone, Copy)]
struct Modifiers {
    control: bool,
    alt: bool,
    shift: bool,
}

impl Modifiers {
    fn any(self) -> bool {
        self.control || self.alt || self.shift
    }

    /// The number that terminals put into a sequence.
    fn number(self) -> u8 {
        1 + u8::from(self.shift) + 2 * u8::from(self.alt) + 4 * u8::from(self.control)
    }
}

fn key(token: &str, application: bool) -> Option<String> {
    let token = if token.trim().is_empty() { token } else { token.trim() };
    if let Some(letter) = token.strip_prefix('^').filter(|rest| rest.chars().count() == 1) {
        return control(letter.chars().next()?).map(String::from);
    }
    let (modifiers, base) = modifiers(token);
    let lower = base.to_lowercase();
    if let Some((_, end)) = CURSOR.iter().find(|(name, _)| *name == lower) {
        return Some(match (modifiers.any(), application) {
            (true, _) => format!("{ESC}[1;{}{end}", modifiers.number()),
            (false, true) => format!("{ESC}O{end}"),
            (false, false) => format!("{ESC}[{end}"),
        });
    }
    if let Some((name, sequence)) = NAMED.iter().find(|(name, _)| *name == lower) {
        if *name == "tab" && modifiers.shift {
            return Some(format!("{ESC}[Z"));
        }
        if let Some(number) = sequence.strip_prefix('[').and_then(|rest| rest.strip_suffix('~')).filter(|_| modifiers.any()) {
            return Some(format!("{ESC}[{number};{}~", modifiers.number()));
        }
        let bytes = if sequence.starts_with(['[', 'O']) { format!("{ESC}{sequence}") } else { (*sequence).to_owned() };
        return Some(if modifiers.alt { format!("{ESC}{bytes}") } else { bytes });
    }
    let mut chars = base.chars();
    match (chars.next(), chars.next()) {
        (Some(c), None) => {
            let c = if modifiers.shift { c.to_uppercase().next().unwrap_or(c) } else { c };
            let c = if modifiers.control { control(c)? } else { c };
            Some(if modifiers.alt { format!("{ESC}{c}") } else { c.to_string() })
        }
        // Words without a modifier are meant as text by models.
        _ => None,
    }
}

fn modifiers(token: &str) -> (Modifiers, &str) {
    let (mut out, mut rest) = (Modifiers::default(), token);
    loop {
        let known = [("C-", 0), ("Ctrl-", 0), ("Ctrl+", 0), ("M-", 1), ("Alt-", 1), ("Alt+", 1), ("S-", 2), ("Shift-", 2), ("Shift+", 2)];
        let found = known.iter().find(|(prefix, _)| {
            rest.len() > prefix.len() && rest.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix))
        });
        let Some((prefix, which)) = found else { return (out, rest) };
        match which {
            0 => out.control = true,
            1 => out.alt = true,
            _ => out.shift = true,
        }
        rest = &rest[prefix.len()..];
    }
}

fn control(c: char) -> Option<char> {
    match c {
        '?' => Some('\u{7f}'),
        ' ' => Some('\0'),
        '@'..='_' | 'a'..='z' => Some(char::from((c.to_ascii_uppercase() as u8) & 0x1f)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // TOOL-45
    #[test]
    fn keys_become_what_a_terminal_sends() {
        for (token, want) in [
            ("Enter", "\r"),
            ("C-c", "\u{3}"),
            ("ctrl+D", "\u{4}"),
            ("^Z", "\u{1a}"),
            ("M-x", "\u{1b}x"),
            ("S-Tab", "\u{1b}[Z"),
            ("Up", "\u{1b}[A"),
            ("C-Left", "\u{1b}[1;5D"),
            ("S-PageUp", "\u{1b}[5;2~"),
            ("f5", "\u{1b}[15~"),
            ("M-Enter", "\u{1b}\r"),
            ("Space", " "),
            ("a", "a"),
            ("S-a", "A"),
            ("é", "é"),
            ("-", "-"),
        ] {
            assert_eq!(encode(&[token.into()], false).0, want, "{token}");
        }
        assert_eq!(encode(&["Up".into()], true).0, "\u{1b}OA");
        let (text, warnings) = encode(&["hello".into(), "Enter".into()], false);
        assert_eq!((text.as_str(), warnings.len()), ("hello\r", 1));
        assert_eq!(from_hex(&["1b".into(), "0x5b".into()]).as_deref(), Ok("\u{1b}["));
        assert!(from_hex(&["xyz".into()]).is_err() && from_hex(&["ff".into()]).is_err());
    }
}
