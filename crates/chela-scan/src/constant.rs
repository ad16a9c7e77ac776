//! Constant text, also where it is put together from pieces.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use oxc::ast::ast::{Argument, ArrayExpression, BinaryOperator, CallExpression, Expression};

use crate::value::{Value, Values};

/// Longest text that is put together, in bytes; longer ones are no names of modules or members.
const LONGEST: usize = 4096;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent).with_decode_allow_trailing_bits(true),
);

/// The text of an expression that is no call.
pub(crate) fn text(values: &Values<'_>, expression: &Expression<'_>, depth: usize) -> Option<String> {
    match expression {
        Expression::StringLiteral(it) => Some(it.value.as_str().into()),
        Expression::TemplateLiteral(it) => {
            let mut out = String::new();
            for (at, quasi) in it.quasis.iter().enumerate() {
                out.push_str(quasi.value.cooked?.as_str());
                if let Some(inner) = it.expressions.get(at) {
                    out.push_str(&string(values, inner, depth)?);
                }
            }
            (out.len() <= LONGEST || it.expressions.is_empty()).then_some(out)
        }
        Expression::BinaryExpression(it) if it.operator == BinaryOperator::Addition => {
            let left = string(values, &it.left, depth)?;
            let right = string(values, &it.right, depth)?;
            (left.len() + right.len() <= LONGEST).then(|| left + &right)
        }
        _ => None,
    }
}

/// The text that a call of a string function gives: `atob`, `Buffer.from(..).toString()`, `fromCharCode`, `join`, `reverse`, `concat`.
pub(crate) fn call(values: &Values<'_>, call: &CallExpression<'_>, depth: usize) -> Option<String> {
    let depth = depth.checked_sub(1)?;
    let argument = |at: usize| call.arguments.get(at).and_then(Argument::as_expression);
    let text_at = |at: usize| argument(at).and_then(|it| string(values, it, depth));
    let callee = call.callee.get_inner_expression();
    if let Expression::Identifier(name) = callee {
        return match name.name.as_str() {
            "atob" => decoded(&text_at(0)?, "base64"),
            "String" | "decodeURIComponent" => text_at(0),
            _ => None,
        };
    }
    let Expression::StaticMemberExpression(member) = callee else { return None };
    match member.property.name.as_str() {
        "fromCharCode" | "fromCodePoint" => {
            let codes = call.arguments.iter().map(|it| match it.as_expression()? {
                Expression::NumericLiteral(number) => char::from_u32(number.value as u32),
                _ => None,
            });
            codes.take(LONGEST).collect()
        }
        "toString" => {
            let Expression::CallExpression(inner) = member.object.get_inner_expression() else { return None };
            let Expression::StaticMemberExpression(from) = inner.callee.get_inner_expression() else { return None };
            let buffer = matches!(&from.object, Expression::Identifier(name) if name.name == "Buffer") && from.property.name == "from";
            let source = inner.arguments.first().and_then(Argument::as_expression)?;
            let encoding = inner.arguments.get(1).and_then(Argument::as_expression).and_then(|it| string(values, it, depth));
            buffer.then(|| decoded(&string(values, source, depth)?, encoding.as_deref().unwrap_or("utf8")))?
        }
        "join" => {
            let between = if call.arguments.is_empty() { ",".into() } else { text_at(0)? };
            let parts = parts(values, &member.object, depth)?;
            let length = parts.iter().map(|part| part.len() + between.len()).sum::<usize>();
            (length <= LONGEST).then(|| parts.join(&between))
        }
        "concat" => {
            let mut out = string(values, &member.object, depth)?;
            for argument in &call.arguments {
                out.push_str(&string(values, argument.as_expression()?, depth)?);
            }
            (out.len() <= LONGEST).then_some(out)
        }
        "toLowerCase" => string(values, &member.object, depth).map(|text| text.to_lowercase()),
        "trim" => string(values, &member.object, depth).map(|text| text.trim().into()),
        "replace" | "replaceAll" => {
            let text = string(values, &member.object, depth)?;
            let (from, to) = (text_at(0)?, text_at(1)?);
            (text.len() <= LONGEST && to.len() <= 64 && !from.is_empty()).then(|| text.replace(&from, &to))
        }
        _ => None,
    }
}

/// The parts of an array literal, of `text.split(..)`, or of either reversed.
fn parts(values: &Values<'_>, expression: &Expression<'_>, depth: usize) -> Option<Vec<String>> {
    let depth = depth.checked_sub(1)?;
    match expression.get_inner_expression() {
        Expression::ArrayExpression(array) => elements(values, array, depth),
        Expression::CallExpression(call) => {
            let Expression::StaticMemberExpression(member) = call.callee.get_inner_expression() else { return None };
            match member.property.name.as_str() {
                "reverse" | "toReversed" => parts(values, &member.object, depth).map(|parts| parts.into_iter().rev().collect()),
                "split" => {
                    let text = string(values, &member.object, depth)?;
                    let between = string(values, call.arguments.first()?.as_expression()?, depth)?;
                    if text.len() > LONGEST {
                        return None;
                    }
                    Some(match between.as_str() {
                        "" => text.chars().map(String::from).collect(),
                        between => text.split(between).map(String::from).collect(),
                    })
                }
                _ => None,
            }
        }
        _ => None,
    }
}

fn elements(values: &Values<'_>, array: &ArrayExpression<'_>, depth: usize) -> Option<Vec<String>> {
    if array.elements.len() > LONGEST {
        return None;
    }
    array.elements.iter().map(|element| string(values, element.as_expression()?, depth)).collect()
}

fn string(values: &Values<'_>, expression: &Expression<'_>, depth: usize) -> Option<String> {
    match values.at(expression, depth)? {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

fn decoded(text: &str, encoding: &str) -> Option<String> {
    let bytes = match encoding {
        "base64" | "base64url" => {
            let standard: String = text
                .chars()
                .map(|c| {
                    if c == '-' {
                        '+'
                    } else if c == '_' {
                        '/'
                    } else {
                        c
                    }
                })
                .collect();
            BASE64.decode(standard.trim_end_matches('=')).ok()?
        }
        "hex" => {
            let pair = |at: usize| text.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
            (0..text.len() / 2).map(|at| pair(at * 2)).collect::<Option<Vec<_>>>()?
        }
        _ => text.as_bytes().to_vec(),
    };
    String::from_utf8(bytes).ok()
}
