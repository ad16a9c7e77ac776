//! The openclaw.json file: JSON5, includes, environment substitution, validation, edits, state paths.
