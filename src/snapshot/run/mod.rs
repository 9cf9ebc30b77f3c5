//! Who copies: the copier and its pool of workers, which move rows and complete tables.

pub(crate) mod context;
pub(crate) mod copier;
pub(crate) mod finish;
pub(crate) mod lock_yielding;
pub(crate) mod pool;
pub(crate) mod primary;
pub(crate) mod progress;
pub(crate) mod queue;
pub(crate) mod standalone;
pub(crate) mod table_error;
pub(crate) mod trigger_steps;
pub(crate) mod worker;

pub(crate) use context::{Control, CopyContext};
pub(crate) use copier::Copier;
pub(crate) use primary::require_position;
pub(crate) use standalone::{Standalone, copy_standalone};
pub use table_error::TableError;
pub(crate) use trigger_steps::{silence, wake};
pub use worker::{Fence, Making, Worker, WorkerSettings};
