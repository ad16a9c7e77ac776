//! The grammar of JSON5.

use serde_json::Value;

use super::lexer::Cursor;
use super::{Element, Kind, Member, Node, Span, SyntaxError};

/// Deepest nesting that is accepted; protects the stack.
pub const MAX_DEPTH: usize = 128;

/// Parses a whole file.
///
/// # Errors
/// [`SyntaxError`] at the first fault.
pub fn parse(text: &str) -> Result<Node, SyntaxError> {
    let mut cursor = Cursor { text, at: 0 };
    cursor.skip_trivia()?;
    if cursor.peek().is_none() {
        return cursor.fail(0, "the file is empty; write `{}` for an empty configuration");
    }
    let node = value(&mut cursor, 0)?;
    cursor.skip_trivia()?;
    match cursor.peek() {
        None => Ok(node),
        Some(_) => cursor.fail(cursor.at, format!("expected nothing after the value, found {}", cursor.found())),
    }
}

fn value(cursor: &mut Cursor<'_>, depth: usize) -> Result<Node, SyntaxError> {
    let start = cursor.at;
    if depth > MAX_DEPTH {
        return cursor.fail(start, format!("nested more than {MAX_DEPTH} levels deep"));
    }
    let kind = match cursor.peek() {
        Some('{') => object(cursor, depth)?,
        Some('[') => array(cursor, depth)?,
        Some('"' | '\'') => Kind::Scalar(Value::String(cursor.string()?)),
        _ => scalar(cursor)?,
    };
    Ok(Node { span: Span { start, end: cursor.at }, kind })
}

fn scalar(cursor: &mut Cursor<'_>) -> Result<Kind, SyntaxError> {
    let start = cursor.at;
    if let Some(number) = cursor.number()? {
        return Ok(Kind::Scalar(number));
    }
    match cursor.name()?.as_deref() {
        Some("true") => Ok(Kind::Scalar(Value::Bool(true))),
        Some("false") => Ok(Kind::Scalar(Value::Bool(false))),
        Some("null") => Ok(Kind::Scalar(Value::Null)),
        Some(word) => cursor.fail(start, format!("expected a value, found `{word}`; put text in quotes")),
        None => cursor.fail(start, format!("expected a value, found {}", cursor.found())),
    }
}

fn array(cursor: &mut Cursor<'_>, depth: usize) -> Result<Kind, SyntaxError> {
    cursor.bump();
    let mut items = Vec::new();
    loop {
        cursor.skip_trivia()?;
        if cursor.eat(']') {
            return Ok(Kind::Array(items));
        }
        let node = value(cursor, depth + 1)?;
        cursor.skip_trivia()?;
        let comma = cursor.at;
        if cursor.eat(',') {
            items.push(Element { node, comma: Some(comma) });
        } else if cursor.eat(']') {
            items.push(Element { node, comma: None });
            return Ok(Kind::Array(items));
        } else {
            return cursor.fail(cursor.at, format!("expected `,` or `]`, found {}", cursor.found()));
        }
    }
}

fn object(cursor: &mut Cursor<'_>, depth: usize) -> Result<Kind, SyntaxError> {
    cursor.bump();
    let mut members = Vec::new();
    loop {
        cursor.skip_trivia()?;
        if cursor.eat('}') {
            return Ok(Kind::Object(members));
        }
        let mut member = member(cursor, depth)?;
        cursor.skip_trivia()?;
        let comma = cursor.at;
        if cursor.eat(',') {
            member.comma = Some(comma);
            members.push(member);
        } else if cursor.eat('}') {
            members.push(member);
            return Ok(Kind::Object(members));
        } else {
            return cursor.fail(cursor.at, format!("expected `,` or `}}`, found {}", cursor.found()));
        }
    }
}

fn member(cursor: &mut Cursor<'_>, depth: usize) -> Result<Member, SyntaxError> {
    let start = cursor.at;
    let quoted = matches!(cursor.peek(), Some('"' | '\''));
    let key = if quoted { Some(cursor.string()?) } else { cursor.name()? };
    let Some(key) = key else {
        return cursor.fail(start, format!("expected a key or `}}`, found {}", cursor.found()));
    };
    let key_span = Span { start, end: cursor.at };
    cursor.skip_trivia()?;
    if !cursor.eat(':') {
        return cursor.fail(cursor.at, format!("expected `:` after the key `{key}`, found {}", cursor.found()));
    }
    cursor.skip_trivia()?;
    let node = value(cursor, depth + 1)?;
    Ok(Member { key, key_span, quoted, node, comma: None })
}
