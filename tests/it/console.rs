//! The console in a real pseudo-terminal: what a person sees, and that the terminal is given back
//! whatever happens.
//!
//! The scripted engine runs in this very test binary, started again as a child: see [`child`].

#![expect(
    clippy::unwrap_used,
    reason = "what fails in a helper fails the test that called it"
)]

mod attach;
mod plain;
pub mod pty;
mod real;
#[cfg(feature = "failpoints")]
mod scripted;
mod snapshot;
mod start;
mod take_over;
mod tutorial;
mod wizard;
