//! Looks at both sides without a stream: what is in the way (`check`), how far all is (`inspect`), and
//! what must hold before anything is streamed (`requirements`).
//!
//! What is known of an installation comes from one place, `schema::install`.

pub mod check;
pub(crate) mod continuity;
pub(crate) mod filled;
pub mod inspect;
pub(crate) mod requirements;
pub(crate) mod sequences;
pub(crate) mod stops;

pub use check::{CheckReport, Finding, Side, check};
pub use inspect::{
    Checkpoint, Init, Inspection, Lag, SchemaChange, SchemaChangeState, TableCopy,
    UnfitPublication, Verified, inspect,
};
pub(crate) use requirements::Unmet;
pub use sequences::SequenceLook;
pub use stops::LastStop;
