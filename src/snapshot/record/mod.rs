//! What is remembered on the target: how far each table is, and what is left to do for it.

mod crossing;
mod steps;
mod store;

pub use steps::{NewStep, OpenStep, StruckStep};
pub use store::{Store, StoredPart, StoredTable};
