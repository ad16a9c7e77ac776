//! WebSocket frames, handshake types, method names and scopes. No I/O.
