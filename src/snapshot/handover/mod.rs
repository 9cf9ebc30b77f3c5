//! How the stream takes tables over: what the copier asks of it, and how far each table is in step.

mod ranges;
mod request;
mod table_sync;
pub(crate) mod tables;

pub(crate) use ranges::{Ranges, Share};
pub(crate) use request::{Answer, CopyLink, CopyRequest, MadeTable, TableStep, TablesRequest};
pub(crate) use table_sync::{TablePolicy, TableSync};
pub(crate) use tables::Refusal;
