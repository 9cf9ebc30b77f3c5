//! An engine that follows a script instead of a slot: sample data for screen tests, for the
//! pictures of the README and for looking at the console without a server.

mod copies;
mod engine;
#[cfg(test)]
mod log;
mod rows;
mod sample;
mod story;

pub use engine::launch;
#[cfg(test)]
pub(crate) use log::log_lines;
#[cfg(test)]
pub(crate) use rows::look;
#[cfg(test)]
pub(crate) use sample::NOW_MS;
pub use sample::SampleState;
#[cfg(test)]
pub(crate) use story::{sample_changes, status};
