//! Who copies: the copier and its pool of workers, which move rows and complete tables.

mod context;
mod copier;
mod finish;
mod keys_to;
mod lock_yielding;
mod pool;
mod primary;
mod progress;
mod queue;
mod standalone;
mod table_error;
mod trigger_steps;
mod worker;

pub(crate) use context::{Control, CopyContext};
pub(crate) use copier::Copier;
pub(crate) use primary::require_position;
pub(crate) use standalone::{Standalone, copy_standalone};
pub use table_error::TableError;
pub(crate) use trigger_steps::{silence, wake};
pub use worker::{Fence, Making, Worker, WorkerSettings};
