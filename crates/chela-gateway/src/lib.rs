//! The gateway: WebSocket and HTTP server, methods, events, lifecycle, web chat page.
