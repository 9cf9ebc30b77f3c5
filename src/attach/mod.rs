//! A running engine, seen and commanded from other processes of the same user.
//!
//! ```text
//!  engine's process                                     console's process
//!  Remote (status, events, commands) ─┐   Unix socket   ┌─> Attachment: status, events, answers
//!  LogHub (lines)                     ├── Server ═══════┤
//!                                     │   one frame a   └─> LogHub ──> the console's log
//!                                     │   message
//! ```
//!
//! The engine never waits for who looks: of the status the latest wins, events and lines that nobody
//! takes in time are lost and counted, and each console is served by a task of its own.
//!
//! The socket lies in a directory that only its owner may enter, under a name that follows from the
//! pipeline, so that the same configuration finds it. Both ends look that the other belongs to the
//! same user.

mod client;
mod frame;
pub mod log;
mod place;
mod protocol;
mod server;
mod wire;

pub use client::{Access, Attachment, find};
pub use place::socket;
pub use protocol::{Hello, VERSION};
pub use server::Server;
