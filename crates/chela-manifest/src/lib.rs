//! Plugin manifests and package metadata: types, parsing, diagnostics. No I/O.
