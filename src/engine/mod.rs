//! The replication engine: reads the slot, applies to the target, confirms what is durable.
//! It knows no screen.

pub mod status;
