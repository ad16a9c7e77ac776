//! Who a caller is: addresses, shared secrets, origins, device signatures, limits on failures.
//!
//! Nothing here touches a socket or a file; every function decides from values. Only [`tailscale`] asks a program.

pub mod device;
pub mod limiter;
pub mod origin;
pub mod peer;
pub mod policy;
pub mod shared;
pub mod tailscale;

pub use limiter::AuthLimiter;
pub use peer::Peer;
pub use shared::{AuthFailure, AuthMethod};
