//! An engine that follows a script instead of a slot: sample data for screen tests, for the
//! pictures of the README and for looking at the console without a server.

mod log;
mod story;

pub(crate) use log::log_lines;
pub(crate) use story::{NOW_MS, Scene, status};
