//! Everything that speaks to a server.
//!
//! ```text
//!  ConnectionSettings ──> dial (hosts, TCP or Unix socket, TLS) ──> Link
//!                                                                    │
//!              ┌──────────────────────────────────────┬──────────────┤
//!              v                                      v              v   wire, handshake (ours)
//!   connect: Session (tokio-postgres)     copy: CopySession    replication: ReplicationConnection
//!   SQL on source and target              COPY to COPY         walsender commands, then CopyBoth:
//!                                                              WalReader + FeedbackWriter
//! ```
//!
//! All kinds of session share the way in (`dial`) and the pinned settings (`pins`), so a
//! value printed by one means the same when read by the other. tokio-postgres has no CopyBoth mode
//! and hands out COPY's rows one by one, hence the second client; what it cannot do about TLS
//! (`allow`, `verify-ca`, falling back) is done before it sees the stream.
//!
//! SQLSTATE codes are read in [`sqlstate`] and nowhere else.

mod answer;
mod blocking;
mod connect;
mod copy;
mod dial;
pub(crate) mod document;
mod error;
mod flush;
mod frame;
mod handshake;
mod inlet;
mod link;
mod owner;
mod ownership;
mod pins;
mod pooler;
mod publication;
mod refusal;
mod replication;
mod server_error;
mod slot;
mod socket;
pub mod sqlstate;
mod stream;
mod tls;
mod wire;

pub use answer::connect_watched;
pub use blocking::naming_whom_we_wait_for;
pub use connect::{DatabaseIdentity, Lifeline, Session, connect};
pub use copy::{Canceller, Copied, CopyError, CopySession, copy_through};
pub(crate) use document::document;
pub use error::PgError;
pub use frame::Frame;
pub use owner::{Owner, call_as_owner, owner_of_evaluated, owner_of_table, run_as_owner};
pub use ownership::require_ownership_sql;
pub use pins::{FREE, MEANING, SESSION};
pub use publication::{
    Publication, UnfitPublication, create_publication_sql, drop_publication_sql, find_publication,
    publish_generated_sql,
};
pub use replication::{ReplicationConnection, SystemIdentity};
pub use server_error::ServerError;
pub use slot::{Slot, create_slot_sql, drop_slot_sql, find_slot, slot_or_default};
pub use sqlstate::{
    INSUFFICIENT_PRIVILEGE, INVALID_PARAMETER_VALUE, INVALID_SCHEMA_NAME, LOCK_NOT_AVAILABLE,
    OBJECT_IN_USE, UNDEFINED_FILE, UNDEFINED_TABLE,
};
pub use stream::{FeedbackWriter, StandbyStatus, WalReader};
pub use tls::TlsError;
pub use wire::TextRow;
