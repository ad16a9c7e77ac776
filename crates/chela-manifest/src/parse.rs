//! From bytes to a manifest: size limit, strict JSON, then JSON5, then the required fields.

use serde_json::{Map, Value};
use thiserror::Error;

use crate::manifest::Manifest;
use crate::normalise::string;

/// The only file name that is looked up in a plugin root (MAN-001).
pub const MANIFEST_FILE_NAME: &str = "openclaw.plugin.json";

/// The largest manifest that is read, in bytes (MAN-004).
pub const MAX_MANIFEST_BYTES: usize = 256 * 1024;

/// The deepest nesting of arrays and objects that is read. Deeper input is refused before it is
/// parsed, because the JSON5 reader recurses without a limit of its own.
pub const MAX_JSON_DEPTH: usize = 128;

/// Why a manifest could not be used. The texts carry no path: the caller knows it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ManifestError {
    /// More bytes than [`MAX_MANIFEST_BYTES`] (MAN-004).
    #[error("manifest is {bytes} bytes, the limit is {MAX_MANIFEST_BYTES}")]
    TooLarge {
        /// Size of the input in bytes.
        bytes: usize,
    },
    /// Neither JSON nor JSON5 (MAN-006). `detail` names the place.
    #[error("failed to parse plugin manifest: {detail}")]
    Parse {
        /// What the JSON5 reader said, with line and column where known.
        detail: String,
    },
    /// Parsed, but not to an object (MAN-007).
    #[error("plugin manifest must be an object")]
    NotAnObject,
    /// No usable `id` (MAN-022).
    #[error("plugin manifest requires id")]
    MissingId,
    /// `configSchema` is absent or not an object (MAN-043).
    #[error("plugin manifest requires configSchema")]
    MissingConfigSchema {
        /// The id that the manifest does have.
        id: String,
    },
}

impl ManifestError {
    /// The plugin id, where the manifest got far enough to have one.
    pub fn plugin_id(&self) -> Option<&str> {
        match self {
            Self::MissingConfigSchema { id } => Some(id),
            _ => None,
        }
    }
}

/// A manifest and how it was written.
#[derive(Debug, Clone)]
pub struct ParsedManifest {
    /// The normalised manifest.
    pub manifest: Manifest,
    /// True when strict JSON failed and JSON5 was needed (MAN-003).
    pub json5: bool,
}

/// Parses `openclaw.plugin.json`.
///
/// Size is checked first, then strict JSON, then JSON5 (MAN-003, MAN-004). A leading byte order
/// mark is skipped; bytes that are not UTF-8 are a parse error that names the offset.
///
/// # Errors
/// [`ManifestError`]; nothing but size, syntax, `id` and `configSchema` can fail (MAN-021).
pub fn parse_manifest(bytes: &[u8]) -> Result<ParsedManifest, ManifestError> {
    if bytes.len() > MAX_MANIFEST_BYTES {
        return Err(ManifestError::TooLarge { bytes: bytes.len() });
    }
    let (raw, json5) = parse_any_object(bytes)?;
    let Some(id) = string(raw.get("id")) else {
        return Err(ManifestError::MissingId);
    };
    if !raw.get("configSchema").is_some_and(Value::is_object) {
        return Err(ManifestError::MissingConfigSchema { id });
    }
    let manifest = Manifest::from_raw(id, raw);
    Ok(ParsedManifest { manifest, json5 })
}

/// Parses a JSON or JSON5 object by the same rules, without the fields of a native manifest; the
/// marker manifests of bundles are read this way (BUN-013..BUN-015).
///
/// # Errors
/// [`ManifestError::Parse`] and [`ManifestError::NotAnObject`].
pub fn parse_object(bytes: &[u8]) -> Result<Map<String, Value>, ManifestError> {
    parse_any_object(bytes).map(|(object, _)| object)
}

fn parse_any_object(bytes: &[u8]) -> Result<(Map<String, Value>, bool), ManifestError> {
    match parse_json_or_json5(bytes)? {
        (Value::Object(object), json5) => Ok((object, json5)),
        _ => Err(ManifestError::NotAnObject),
    }
}

fn parse_json_or_json5(bytes: &[u8]) -> Result<(Value, bool), ManifestError> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| ManifestError::Parse { detail: format!("not valid UTF-8 at byte {}", error.valid_up_to()) })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // serde_json has a recursion limit of its own, so the strict pass needs no guard.
    if let Ok(value) = serde_json::from_str(text) {
        return Ok((value, false));
    }
    if nesting_depth(text) > MAX_JSON_DEPTH {
        return Err(ManifestError::Parse { detail: format!("nested deeper than {MAX_JSON_DEPTH} levels") });
    }
    match json5::from_str(text) {
        Ok(value) => Ok((value, true)),
        Err(error) => Err(ManifestError::Parse { detail: error.to_string() }),
    }
}

/// The deepest bracket nesting outside strings and comments. It need not be exact on input that
/// is not JSON5, only never too low on input that is.
fn nesting_depth(text: &str) -> usize {
    let bytes = text.as_bytes();
    let (mut depth, mut deepest, mut at) = (0usize, 0usize, 0usize);
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' | b'\'' => at = skip_string(bytes, at, byte),
            b'/' => at = skip_comment(bytes, at),
            _ => {}
        }
    }
    deepest
}

fn skip_string(bytes: &[u8], mut at: usize, quote: u8) -> usize {
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        if byte == b'\\' {
            at += 1;
        } else if byte == quote {
            break;
        }
    }
    at
}

fn skip_comment(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    match rest.first() {
        Some(b'/') => (0..rest.len()).find(|&end| ends_line(rest.get(end..).unwrap_or_default())).map_or(bytes.len(), |end| at + end),
        Some(b'*') => rest.windows(2).skip(1).position(|pair| pair == b"*/").map_or(bytes.len(), |end| at + end + 3),
        _ => at,
    }
}

/// JSON5 also ends a line comment at U+2028 and U+2029.
fn ends_line(rest: &[u8]) -> bool {
    matches!(rest, [b'\n' | b'\r', ..] | [0xe2, 0x80, 0xa8 | 0xa9, ..])
}

#[cfg(test)]
mod tests;
