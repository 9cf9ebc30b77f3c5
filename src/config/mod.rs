//! What the user asks for, parsed once at the edge: inside, every value is already valid.

pub mod connection;
mod secret;

pub use connection::{ConnectionError, ConnectionSettings};
pub use secret::Secret;
