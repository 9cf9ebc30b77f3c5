//! The tokio runtime of one command.

use crate::model::{Classify, ErrorClass};

/// The system has no threads or descriptors left for us.
#[derive(Debug, thiserror::Error)]
#[error("cannot start the runtime")]
pub(super) struct RuntimeError(#[source] std::io::Error);

impl Classify for RuntimeError {
    fn class(&self) -> ErrorClass {
        ErrorClass::Transient
    }
}

/// Runs `work` to its end. Tasks that are left then end where they stand: nothing waits for them, so
/// that a second signal can end the program at once.
///
/// # Errors
/// Transient when no runtime can be started.
pub(super) fn block_on<T>(work: impl Future<Output = T>) -> Result<T, RuntimeError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(RuntimeError)?;
    let outcome = runtime.block_on(work);
    runtime.shutdown_background();
    Ok(outcome)
}
