//! From text to a validated, typed configuration.
//!
//! ```text
//! flags ──────┐
//! environment ┼─> Layers: one value and its Origin per key ─> Pipeline, Maintenance, Logging
//! env file ───┤                                                        │
//! defaults ───┘        every fault on the way is a Problem ────────────┴─> ConfigError: all at once
//! ```
//!
//! One table, [`VARIABLES`], says which variables exist; reading, «did you mean», the help text and
//! the test of `docs/configuration.md` come from it. Nothing here opens a connection. The only
//! I/O is reading the one file, in [`Configuration::load`].
//!
//! An empty value means «not set» and hides the same key in a weaker source, so that
//! `PGSTREAM_X= pgstream run -c file` switches off what the file says.

pub mod connection;
mod env_file;
mod error;
mod go;
mod kinds;
mod layers;
mod list;
mod origin;
mod pipeline;
mod reader;
mod redact;
mod secret;
mod slot;
mod suggest;
mod table_filter;
mod unit;
mod validate;
mod variable;

pub use connection::{ConnectionError, ConnectionSettings};
pub use error::{ConfigError, Problem};
pub use kinds::{LeftOut, OBJECT_KINDS};
pub use layers::{Configuration, FlagValue, Inputs, Resolved};
pub use origin::{Origin, SettingOrigin};
pub use pipeline::{
    Batch, LogFormat, LogLevel, Logging, Maintenance, NullNumbers, OnConflict, Palette, Pipeline,
    Plugin, Screen, Snapshot, WordError,
};
pub use redact::redact;
pub use secret::Secret;
pub use slot::{SlotName, SlotNameError, publication_name};
pub use table_filter::{PatternError, TableFilter, TablePattern};
pub use unit::{ByteSize, format_duration, parse_duration};
pub use variable::{Kind, Section, VARIABLES, Variable, key};
