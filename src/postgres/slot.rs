//! Replication slots: finding one, and the statements that make and drop it.

use crate::config::{Plugin, SlotName};
use crate::model::quote_literal;

use super::connect::Session;
use super::error::PgError;

/// A slot as `pg_replication_slots` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// `logical` or `physical`.
    pub slot_type: String,
    /// The output plugin of a logical slot.
    pub plugin: Option<String>,
    /// The database of a logical slot.
    pub database: Option<String>,
    /// The walsender that streams from it.
    pub active_pid: Option<i32>,
    /// What that calls itself; absent where nobody streams, and where our role may not see it.
    pub active_application: Option<String>,
    /// Where that is, as the server sees it: an address and a port; absent as the name is, and for one that
    /// came over a local socket.
    pub active_client: Option<String>,
    /// `reserved`, `extended`, `unreserved` or `lost`; absent before the slot has a position.
    pub wal_status: Option<String>,
}

/// Returns the configured slot, else the default one of the database really connected to.
///
/// # Errors
/// Transient when the connection is lost.
pub async fn slot_or_default(
    source: &Session,
    configured: Option<&SlotName>,
) -> Result<SlotName, PgError> {
    match configured {
        Some(slot) => Ok(slot.clone()),
        None => Ok(SlotName::for_database(&source.current_database().await?)),
    }
}

/// Returns the slot of that name, if there is one.
///
/// # Errors
/// By SQLSTATE; Transient when the connection is lost.
pub async fn find_slot(session: &Session, name: &SlotName) -> Result<Option<Slot>, PgError> {
    let sql = "\
SELECT s.slot_type, s.plugin::pg_catalog.text, s.database::pg_catalog.text, s.active_pid, s.wal_status,
       a.application_name, pg_catalog.host(a.client_addr) || ' port ' || a.client_port::pg_catalog.text
FROM pg_catalog.pg_replication_slots AS s
LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid = s.active_pid
WHERE s.slot_name = $1";
    let row = session.row(sql, &[&name.as_str()]).await?;
    Ok(row.map(|row| Slot {
        slot_type: row.get(0),
        plugin: row.get(1),
        database: row.get(2),
        active_pid: row.get(3),
        wal_status: row.get(4),
        active_application: row.get(5),
        active_client: row.get(6),
    }))
}

/// Returns the statement that makes a logical slot. It waits for the transactions that run now.
#[must_use]
pub fn create_slot_sql(name: &SlotName, plugin: Plugin) -> String {
    let (name, plugin) = (quote_literal(name.as_str()), plugin.to_string());
    format!(
        "SELECT pg_catalog.pg_create_logical_replication_slot({name}, {})",
        quote_literal(&plugin)
    )
}

/// Returns the statement that drops a slot.
#[must_use]
pub fn drop_slot_sql(name: &SlotName) -> String {
    let name = quote_literal(name.as_str());
    format!("SELECT pg_catalog.pg_drop_replication_slot({name})")
}
