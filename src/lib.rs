//! Keeps one PostgreSQL database equal to another while both are in use.
#[cfg(feature = "tui")]
pub mod console;
pub mod engine;
pub mod model;
