//! The install-time rules for plugin ids (MAN-024, MAN-025).

use thiserror::Error;

/// Why a plugin id may not name an install directory or a config key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PluginIdError {
    /// Blank.
    #[error("invalid plugin name: missing")]
    Missing,
    /// A backslash, or more than one slash.
    #[error("invalid plugin name: path separators not allowed")]
    PathSeparators,
    /// An `@` without a scope and a name.
    #[error("invalid plugin name: malformed scope")]
    MalformedScope,
    /// A segment that is `.` or `..`.
    #[error("invalid plugin name: reserved path segment")]
    ReservedSegment,
    /// Two segments without the leading `@`.
    #[error("invalid plugin name: scoped ids must use @scope/name format")]
    ScopedFormat,
}

/// Checks a plugin id before it is used as a directory name or config key.
///
/// # Errors
/// [`PluginIdError`] with the reference's wording.
pub fn validate_plugin_id(id: &str) -> Result<(), PluginIdError> {
    let id = id.trim();
    if id.is_empty() {
        return Err(PluginIdError::Missing);
    }
    if id.contains('\\') {
        return Err(PluginIdError::PathSeparators);
    }
    let segments: Vec<&str> = id.split('/').collect();
    if segments.iter().any(|segment| segment.is_empty()) {
        return Err(PluginIdError::MalformedScope);
    }
    if segments.iter().any(|segment| matches!(*segment, "." | "..")) {
        return Err(PluginIdError::ReservedSegment);
    }
    match segments.as_slice() {
        [name] if name.starts_with('@') => Err(PluginIdError::ScopedFormat),
        [_] => Ok(()),
        [scope, _] if scope.len() > 1 && scope.starts_with('@') => Ok(()),
        [_, _] => Err(PluginIdError::ScopedFormat),
        _ => Err(PluginIdError::PathSeparators),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // MAN-024, MAN-025
    #[test]
    fn ids_are_checked_with_the_documented_messages() {
        let cases = [
            ("demo", None),
            ("@scope/name", None),
            ("  ", Some("missing")),
            ("a\\b", Some("path separators not allowed")),
            ("a/b/c", Some("path separators not allowed")),
            ("@scope/", Some("malformed scope")),
            ("..", Some("reserved path segment")),
            ("@scope/..", Some("reserved path segment")),
            ("@scope", Some("scoped ids must use @scope/name format")),
            ("scope/name", Some("scoped ids must use @scope/name format")),
        ];
        for (id, expected) in cases {
            let message = validate_plugin_id(id).err().map(|error| error.to_string());
            let expected = expected.map(|tail| format!("invalid plugin name: {tail}"));
            assert_eq!(message, expected, "{id:?}");
        }
    }
}
