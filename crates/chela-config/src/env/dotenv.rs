//! The `.env` file format: `NAME=value` lines, `export`, comments, three kinds of quotes.

/// Parses a `.env` file. Single, double and back quotes may span lines; `\n` and `\r` are escapes in
/// double quotes only; an unquoted value ends at `#` or at the end of the line. Lines that are not
/// assignments are skipped. A name given twice appears once, with its last value.
pub fn parse_dotenv(text: &str) -> Vec<(String, String)> {
    let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
    let mut out: Vec<(String, String)> = Vec::new();
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (entry, after) = take_entry(rest);
        rest = after;
        if let Some((name, value)) = entry {
            match out.iter_mut().find(|(known, _)| *known == name) {
                Some(slot) => slot.1 = value,
                None => out.push((name, value)),
            }
        }
    }
    out
}

type Entry = Option<(String, String)>;

fn take_entry(text: &str) -> (Entry, &str) {
    let line_end = text.find('\n').unwrap_or(text.len());
    let after_line = text.get(line_end + 1..).unwrap_or("");
    let line = text[..line_end].trim_start();
    let line = line.strip_prefix("export").filter(|r| r.starts_with([' ', '\t'])).map_or(line, str::trim_start);
    let name_len = line.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))).unwrap_or(line.len());
    let (name, tail) = line.split_at(name_len);
    let tail = tail.trim_start();
    let value = match tail.strip_prefix('=').or_else(|| tail.strip_prefix(": ")) {
        Some(value) if !name.is_empty() => value.trim_start(),
        _ => return (None, after_line),
    };
    if let Some(quote) = value.chars().next().filter(|c| matches!(c, '"' | '\'' | '`')) {
        // Offsets are taken in `text`, because a quoted value may run past the end of this line.
        let start = line_end - value.len() + 1;
        if let Some(len) = closing_quote(&text[start..], quote) {
            let inner = &text[start..start + len];
            let inner = if quote == '"' { inner.replace("\\n", "\n").replace("\\r", "\r") } else { inner.to_owned() };
            let rest = &text[start + len + 1..];
            let rest = rest.find('\n').map_or("", |end| &rest[end + 1..]);
            return (Some((name.to_owned(), inner)), rest);
        }
    }
    let value = value.split('#').next().unwrap_or("").trim();
    (Some((name.to_owned(), value.to_owned())), after_line)
}

fn closing_quote(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return Some(at),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    // GW-131
    #[test]
    fn forms() {
        let cases: &[(&str, &[(&str, &str)])] = &[
            ("A=1", &[("A", "1")]),
            ("  export A = 1 # note\n", &[("A", "1")]),
            ("# A=1\n\nB=2\r\nC=", &[("B", "2"), ("C", "")]),
            ("A=\"x # y\" # z\nB=1", &[("A", "x # y"), ("B", "1")]),
            ("A='one\ntwo'\nB=3", &[("A", "one\ntwo"), ("B", "3")]),
            ("A=\"l1\\nl2\"\nB='l1\\nl2'", &[("A", "l1\nl2"), ("B", "l1\\nl2")]),
            ("A=`q`\nA=last", &[("A", "last")]),
            ("A: yaml", &[("A", "yaml")]),
            ("exported=1", &[("exported", "1")]),
            ("not an assignment\nA=\"open", &[("A", "\"open")]),
            ("K=a=b", &[("K", "a=b")]),
        ];
        for (text, want) in cases {
            let got = parse_dotenv(text);
            let got: Vec<(&str, &str)> = got.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
            assert_eq!(&got, want, "{text:?}");
        }
    }
}
