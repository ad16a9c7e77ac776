//! Wire types between the host and a plugin worker, versioned. No I/O.
