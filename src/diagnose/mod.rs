//! Looks at both sides without a stream: what is in the way ([`check`]), how far all is ([`inspect`]), and
//! what must hold before anything is streamed ([`requirements`]).
//!
//! What is known of an installation comes from one place, `schema::install`.

pub mod check;
pub mod inspect;
pub(crate) mod requirements;

pub use check::{CheckReport, Finding, Side, check};
pub(crate) use inspect::rfc3339;
pub use inspect::{
    Checkpoint, Init, Inspection, Lag, SchemaChange, SchemaChangeState, TableCopy,
    UnfitPublication, inspect,
};
pub(crate) use requirements::Unmet;
