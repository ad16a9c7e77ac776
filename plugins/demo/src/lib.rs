//! The bundled demo plugin: an offline, deterministic model provider.
