//! How the engine ends.

use super::failure::Failure;
/// How the engine ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was asked to.
    Stopped,
    /// It could not go on.
    Failed(Failure),
}
