//! What of ours is on the source: for `status` and `check`.

use crate::config::{SlotName, publication_name};
use crate::model::quote_ident;
use crate::postgres::{PgError, Publication, Session, Slot, find_publication, find_slot};

use super::facts::{self, EVENT_TRIGGERS, Installation};

/// The state of the installation.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent findings, each shown by itself"
)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InitState {
    /// Schema `pgstream` with its tables is there.
    pub installed: bool,
    /// The version of what is there: the number of migrations. [`VERSION`](super::VERSION) is ours.
    pub version: Option<i32>,
    /// What is there is exactly what this program installs.
    pub current: bool,
    /// The event triggers are there and enabled: changes of the schema are recorded.
    pub triggers: bool,
    /// The descriptions are of this database, not restored from a dump of another.
    pub of_this_database: bool,
    pub slot: Option<Slot>,
    /// The publication of the slot.
    pub publication: Option<Publication>,
    /// Tables without a replica identity: their UPDATE and DELETE cannot be sent.
    pub keyless_tables: Vec<String>,
}

/// One of them that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventTrigger {
    pub name: String,
    /// It fires in sessions with `session_replication_role = replica` too.
    pub always: bool,
}

/// Returns those of the [`EVENT_TRIGGERS`] that are there.
///
/// # Errors
/// By SQLSTATE; Transient when the connection is lost.
pub async fn event_triggers(source: &Session) -> Result<Vec<EventTrigger>, PgError> {
    let sql = "SELECT t.evtname::pg_catalog.text, t.evtenabled = 'A' FROM pg_catalog.pg_event_trigger AS t \
               WHERE t.evtname::pg_catalog.text = ANY ($1) ORDER BY t.evtname";
    let rows = source.rows(sql, &[&&EVENT_TRIGGERS[..]]).await?;
    let trigger = |row: &tokio_postgres::Row| EventTrigger {
        name: row.get(0),
        always: row.get(1),
    };
    Ok(rows.iter().map(trigger).collect())
}

/// A function that runs with its owner's rights and looks for names where any user may have put his own, as
/// builds before version 4 made them.
const OPEN_FUNCTIONS: &str = "\
SELECT p.oid::pg_catalog.regprocedure::pg_catalog.text
FROM pg_catalog.pg_proc AS p
WHERE p.pronamespace = pg_catalog.to_regnamespace('pgstream') AND p.prosecdef
  AND NOT COALESCE(p.proconfig, '{}'::pg_catalog.text[]) @>
    ARRAY['search_path=pg_catalog, pg_temp', 'standard_conforming_strings=on']
ORDER BY 1";

/// Returns the functions through which any user of the source can gain a superuser's rights. What an
/// earlier build installed has them; every role may ask.
///
/// # Errors
/// By SQLSTATE; Transient when the connection is lost.
pub async fn open_functions(source: &Session) -> Result<Vec<String>, PgError> {
    let rows = source.rows(OPEN_FUNCTIONS, &[]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Returns the statements that let a role see the state of the installation.
#[must_use]
pub fn grant_state(role: &str) -> String {
    let role = quote_ident(role);
    format!(
        "GRANT USAGE ON SCHEMA pgstream TO {role}; \
         GRANT SELECT ON pgstream.installation, pgstream.pipeline, pgstream.schema_log TO {role};"
    )
}

/// By the transactions that wrote them: `init` makes the publication first, then records its pipeline,
/// then makes the slot, which keeps the catalogs as of the changes that it has yet to decode.
const YOUNGER: &str = "\
SELECT pg_catalog.age(p.xmin) < pg_catalog.age(r.xmin)
       AND pg_catalog.age(p.xmin) <= pg_catalog.age(s.catalog_xmin)
FROM pg_catalog.pg_publication AS p, pgstream.pipeline AS r, pg_catalog.pg_replication_slots AS s
WHERE p.pubname = $1 AND r.slot_name = $2 AND s.slot_name = $2";

/// Returns whether the slot has yet to decode changes from before its publication was made, or altered,
/// once more.
///
/// # Errors
/// By SQLSTATE; Transient when the connection is lost.
pub async fn publication_is_younger(source: &Session, slot: &SlotName) -> Result<bool, PgError> {
    let name = slot.as_str();
    let row = source
        .row(YOUNGER, &[&publication_name(name), &name])
        .await?;
    let younger = row.and_then(|row| row.get::<_, Option<bool>>(0));
    Ok(younger.unwrap_or_default())
}

/// Looks at the source.
///
/// # Errors
/// By SQLSTATE; Transient when the connection is lost.
pub async fn state(source: &Session, slot: &SlotName) -> Result<InitState, PgError> {
    let sql = "SELECT pg_catalog.to_regclass('pgstream.installation') IS NOT NULL";
    let row = source.row(sql, &[]).await?;
    let installation = match row.is_some_and(|row| row.get(0)) {
        true => facts::installation(source).await?,
        false => None,
    };
    let known = |of: fn(&Installation) -> bool| installation.as_ref().is_some_and(of);
    Ok(InitState {
        installed: installation.is_some(),
        version: installation.as_ref().map(|i| i.version),
        current: known(|i| i.current),
        triggers: known(|i| i.triggers),
        of_this_database: known(|i| i.of_this_database),
        slot: find_slot(source, slot).await?,
        publication: find_publication(source, &publication_name(slot.as_str())).await?,
        keyless_tables: facts::keyless(source)
            .await?
            .into_iter()
            .map(|table| table.name)
            .collect(),
    })
}
