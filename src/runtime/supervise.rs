//! The only place that spawns: every task has a name, an owner and an end that somebody looks at.

use tokio::task::JoinHandle;
use tracing::error;

/// A running task. Dropping it ends the task.
#[derive(Debug)]
pub struct Task<T> {
    name: &'static str,
    handle: JoinHandle<T>,
}

/// How a task ended when it did not return.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TaskEnd {
    /// It panicked: a bug of ours.
    #[error("task {name} panicked: {message}")]
    Panicked {
        name: &'static str,
        /// What it said.
        message: String,
    },
    /// It was ended from outside.
    #[error("task {name} was ended")]
    Ended { name: &'static str },
}

/// Starts a task.
#[expect(clippy::disallowed_methods, reason = "the one place that spawns")]
pub fn spawn<T: Send + 'static>(
    name: &'static str,
    work: impl Future<Output = T> + Send + 'static,
) -> Task<T> {
    Task {
        name,
        handle: tokio::spawn(work),
    }
}

impl<T> Task<T> {
    /// Waits for the task's end. Cancel safe: the task goes on when the wait is given up.
    ///
    /// # Errors
    /// [`TaskEnd`] when it panicked or was ended.
    pub async fn join(&mut self) -> Result<T, TaskEnd> {
        let name = self.name;
        (&mut self.handle).await.map_err(|ended| {
            let Ok(panic) = ended.try_into_panic() else {
                return TaskEnd::Ended { name };
            };
            let message = panic_message(panic.as_ref());
            error!(target: "pgstream", task = name, message, "task panicked");
            TaskEnd::Panicked { name, message }
        })
    }

    /// Returns whether the task has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.handle.is_finished()
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.handle.abort();
    }
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}
