//! What every part runs on: the one clock, tasks that somebody looks after, waits between attempts.

pub mod clock;
mod retry;
pub mod supervise;

pub(crate) use retry::Retry;
pub use supervise::{Task, TaskEnd, spawn};
