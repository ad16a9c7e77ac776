//! Characters of JSON5: space, comments, strings, numbers, names.

use serde_json::{Number, Value};

use super::SyntaxError;

/// The comments of a text that parses, in their order.
pub(crate) fn comments(text: &str) -> Vec<&str> {
    let mut cursor = Cursor { text, at: 0 };
    let mut found = Vec::new();
    while let Some(c) = cursor.peek() {
        let start = cursor.at;
        match c {
            '/' if cursor.skip_comment().is_ok_and(|hit| hit) => found.push(&text[start..cursor.at]),
            '"' | '\'' if cursor.string().is_ok() => {}
            _ => drop(cursor.bump()),
        }
    }
    found
}

/// A position in the text.
pub(super) struct Cursor<'a> {
    pub(super) text: &'a str,
    pub(super) at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    pub(super) fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    pub(super) fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    pub(super) fn eat(&mut self, c: char) -> bool {
        let hit = self.peek() == Some(c);
        if hit {
            self.at += c.len_utf8();
        }
        hit
    }

    pub(super) fn fail<T>(&self, offset: usize, message: impl Into<String>) -> Result<T, SyntaxError> {
        Err(SyntaxError { offset, message: message.into() })
    }

    /// What stands here, for messages.
    pub(super) fn found(&self) -> String {
        match self.peek() {
            None => "the end of the file".to_owned(),
            Some('\n' | '\r') => "a line break".to_owned(),
            Some(c) => format!("`{c}`"),
        }
    }

    /// Skips space and comments.
    pub(super) fn skip_trivia(&mut self) -> Result<(), SyntaxError> {
        loop {
            if self.peek().is_some_and(is_space) {
                self.bump();
            } else if !self.skip_comment()? {
                return Ok(());
            }
        }
    }

    /// Skips a comment; false when none stands here.
    fn skip_comment(&mut self) -> Result<bool, SyntaxError> {
        if self.rest().starts_with("//") {
            let end = self.rest().find(['\n', '\r', '\u{2028}', '\u{2029}']);
            self.at = end.map_or(self.text.len(), |end| self.at + end);
            return Ok(true);
        }
        if !self.rest().starts_with("/*") {
            return Ok(false);
        }
        match self.rest()[2..].find("*/") {
            Some(end) => self.at += end + 4,
            None => return self.fail(self.at, "this comment is never closed; add `*/`"),
        }
        Ok(true)
    }

    /// A quoted string; the cursor stands on the quote.
    pub(super) fn string(&mut self) -> Result<String, SyntaxError> {
        let open = self.at;
        let quote = self.bump();
        let mut out = String::new();
        loop {
            let at = self.at;
            match self.bump() {
                None => return self.fail(open, "this string is never closed"),
                Some(c) if Some(c) == quote => return Ok(out),
                Some('\n' | '\r') => {
                    return self.fail(at, "a string may not hold a line break; write `\\n`");
                }
                Some('\\') => self.escape(at, &mut out)?,
                Some(c) => out.push(c),
            }
        }
    }

    fn escape(&mut self, at: usize, out: &mut String) -> Result<(), SyntaxError> {
        match self.bump() {
            None => return self.fail(at, "this string is never closed"),
            Some('b') => out.push('\u{8}'),
            Some('f') => out.push('\u{c}'),
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('t') => out.push('\t'),
            Some('v') => out.push('\u{b}'),
            Some('0') if !self.peek().is_some_and(|c| c.is_ascii_digit()) => out.push('\0'),
            Some('0'..='9') => return self.fail(at, "a digit may not follow `\\` in a string"),
            Some('x') => out.push(char::from_u32(self.hex(2, at)?).unwrap_or('\u{fffd}')),
            Some('u') => out.push(self.unicode_escape(at)?),
            Some('\r') => {
                self.eat('\n');
            }
            Some('\n' | '\u{2028}' | '\u{2029}') => {}
            Some(c) => out.push(c),
        }
        Ok(())
    }

    /// The part behind `\u`, with the second half of a surrogate pair.
    fn unicode_escape(&mut self, at: usize) -> Result<char, SyntaxError> {
        let first = self.hex(4, at)?;
        let code = if (0xD800..0xDC00).contains(&first) && self.rest().starts_with("\\u") {
            self.at += 2;
            let second = self.hex(4, at)?;
            if !(0xDC00..0xE000).contains(&second) {
                return self.fail(at, "this escape is half of a surrogate pair");
            }
            0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00)
        } else {
            first
        };
        match char::from_u32(code) {
            Some(c) => Ok(c),
            None => self.fail(at, "this escape is half of a surrogate pair"),
        }
    }

    fn hex(&mut self, len: usize, at: usize) -> Result<u32, SyntaxError> {
        let digits = self.rest().get(..len).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
        match digits.and_then(|d| u32::from_str_radix(d, 16).ok()) {
            Some(code) => {
                self.at += len;
                Ok(code)
            }
            None => self.fail(at, format!("this escape needs {len} hexadecimal digits")),
        }
    }

    /// A key without quotes.
    pub(super) fn name(&mut self) -> Result<Option<String>, SyntaxError> {
        let mut out = String::new();
        loop {
            let at = self.at;
            let c = match self.peek() {
                Some('\\') if self.rest().starts_with("\\u") => {
                    self.at += 2;
                    self.unicode_escape(at)?
                }
                Some(c) if is_name_char(c, out.is_empty()) => {
                    self.bump();
                    c
                }
                _ => return Ok((!out.is_empty()).then_some(out)),
            };
            if !is_name_char(c, out.is_empty()) {
                return self.fail(at, "this character may not stand in a key without quotes");
            }
            out.push(c);
        }
    }

    /// A number, or `None` when no number starts here.
    pub(super) fn number(&mut self) -> Result<Option<Value>, SyntaxError> {
        let start = self.at;
        let negative = match self.peek() {
            Some('-') => self.eat('-'),
            Some('+') => !self.eat('+'),
            _ => false,
        };
        for name in ["Infinity", "NaN"] {
            if self.rest().starts_with(name) {
                return self.fail(start, format!("`{name}` is not a usable number here"));
            }
        }
        if !self.peek().is_some_and(|c| c.is_ascii_digit() || c == '.') {
            return if self.at == start { Ok(None) } else { self.fail(self.at, format!("expected a digit, found {}", self.found())) };
        }
        let len = self.rest().find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '+' | '-'))).unwrap_or(self.rest().len());
        let mut token = &self.rest()[..len];
        // A sign belongs to the token only directly behind an exponent's letter.
        let hex = token.starts_with("0x") || token.starts_with("0X");
        for (at, _) in token.match_indices(['+', '-']) {
            if hex || !token[..at].ends_with(['e', 'E']) {
                token = &token[..at];
                break;
            }
        }
        match number_value(token, negative) {
            Ok(number) => {
                self.at += token.len();
                Ok(Some(Value::Number(number)))
            }
            Err(message) => self.fail(start, message),
        }
    }
}

fn number_value(token: &str, negative: bool) -> Result<Number, String> {
    let bad = || format!("`{token}` is not a number");
    if let Some(digits) = token.strip_prefix("0x").or_else(|| token.strip_prefix("0X")) {
        let value = u64::from_str_radix(digits, 16).map_err(|_| bad())?;
        return integer(value, negative).ok_or_else(bad);
    }
    let (mantissa, exponent) = match token.find(['e', 'E']) {
        Some(at) => (&token[..at], Some(&token[at + 1..])),
        None => (token, None),
    };
    let whole = mantissa.split('.').next().unwrap_or("");
    if whole.len() > 1 && whole.starts_with('0') {
        return Err(format!("`{token}` has a leading zero"));
    }
    let digits_ok = mantissa.matches('.').count() <= 1
        && mantissa.bytes().any(|b| b.is_ascii_digit())
        && mantissa.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let exponent_ok = exponent.is_none_or(|e| {
        let e = e.strip_prefix(['+', '-']).unwrap_or(e);
        !e.is_empty() && e.bytes().all(|b| b.is_ascii_digit())
    });
    if !digits_ok || !exponent_ok {
        return Err(bad());
    }
    if mantissa == whole
        && exponent.is_none()
        && let Ok(value) = whole.parse::<u64>()
        && let Some(number) = integer(value, negative)
    {
        return Ok(number);
    }
    let value: f64 = token.parse().map_err(|_| bad())?;
    let value = if negative { -value } else { value };
    // As in JavaScript, `1.0` and `1e3` are whole numbers.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() < EXACT {
        return Ok(Number::from(value as i64));
    }
    Number::from_f64(value).ok_or_else(|| format!("`{token}` is too large"))
}

fn integer(value: u64, negative: bool) -> Option<Number> {
    if !negative {
        return Some(Number::from(value));
    }
    0i64.checked_sub_unsigned(value).map(Number::from)
}

pub(super) fn is_space(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\u{b}' | '\u{c}' | '\r' | ' ' | '\u{a0}' | '\u{feff}' | '\u{1680}' | '\u{2000}'..='\u{200a}')
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202f}' | '\u{205f}' | '\u{3000}')
}

pub(super) fn is_name_char(c: char, first: bool) -> bool {
    c == '$' || c == '_' || c.is_alphabetic() || (!first && (c.is_alphanumeric() || matches!(c, '\u{200c}' | '\u{200d}')))
}
