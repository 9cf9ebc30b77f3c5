//! Asks each side once. Reads only.

use serde::Deserialize;

use crate::config::{Pipeline, SlotName, publication_name};
use crate::diagnose::{requirements, sequences, stops};
use crate::model::hint::{begin_anew, init_command};
use crate::model::{Lsn, quote_ident};
use crate::postgres::{
    INSUFFICIENT_PRIVILEGE, PgError, Session, connect_watched, document, find_publication,
};
use crate::schema::install;
use crate::status::Slot;

use super::look::{Barred, Progress, SourceLook, TargetLook};
use super::report::{Init, UnfitPublication, Verified};

const SLOTS: &str = include_str!("../../../assets/sql/source/slots.sql");
const SOURCE: &str = include_str!("../../../assets/sql/source/inspect.sql");
const SCHEMA_CHANGES: &str = include_str!("../../../assets/sql/source/schema_changes.sql");
const TARGET: &str = include_str!("../../../assets/sql/target/inspect.sql");
const COPIES: &str = include_str!("../../../assets/sql/target/copies.sql");
const VERIFIED: &str = include_str!("../../../assets/sql/target/verified.sql");
const PROGRESS: &str = include_str!("../../../assets/sql/target/progress.sql");

/// What `application_name` says of us on both servers.
const APPLICATION_NAME: &str = "pgstream status";

/// Our tables on the target; they are made together.
const OWN_TABLES: [&str; 3] = ["checkpoint", "skipped_transaction", "schema_change"];

/// An older `run` has not made these.
const COPIES_TABLE: &str = "snapshot_table";
const STOPS_TABLE: &str = "last_stop";
const SEQUENCES_TABLE: &str = "sequence_look";
const PROOFS_TABLE: &str = "verification";

#[derive(Debug, Deserialize)]
struct SlotsDocument {
    wal_end: Lsn,
    slots: Vec<Slot>,
}

#[derive(Debug, Deserialize)]
struct SourceDocument {
    version: String,
    flush_lag_s: Option<f64>,
    own_tables: Vec<OwnTable>,
    role: String,
}

#[derive(Debug, Deserialize)]
struct OwnTable {
    name: String,
    readable: bool,
}

impl SourceDocument {
    /// Returns whether a table of ours is there, and readable or not.
    fn has(&self, name: &str, readable: bool) -> bool {
        let mut tables = self.own_tables.iter();
        tables.any(|table| table.name == name && table.readable == readable)
    }

    /// Returns what lets our role read a table of ours; none where it may.
    fn grant(&self, name: &str) -> Option<String> {
        self.has(name, false)
            .then(|| install::grant_state(&self.role))
    }
}

#[derive(Debug, Deserialize)]
struct TargetDocument {
    version: String,
    role: String,
    own_tables: Vec<String>,
}

pub(crate) async fn source(pipeline: &Pipeline) -> Result<SourceLook, PgError> {
    let session = connect_watched(&pipeline.source, APPLICATION_NAME).await?;
    let database = session.current_database().await?;
    let slot_name = super::look::slot_name(pipeline, &database);
    let slots: SlotsDocument = document(&session, SLOTS, &[&slot_name.as_str()]).await?;
    // A role that may not look at the installation still sees the rest.
    let init = install::state(&session, &slot_name).await.ok();
    let own: SourceDocument = document(&session, SOURCE, &[&slot_name.as_str()]).await?;
    let schema_changes = if own.has("schema_log", true) {
        document(&session, SCHEMA_CHANGES, &[]).await?
    } else {
        Vec::new()
    };
    let slot = slots.slots.into_iter().find(|slot| slot.ours);
    let publication = match &slot {
        Some(slot) if slot.plugin == "pgoutput" => unfit_publication(&session, &slot_name).await?,
        Some(_) | None => None,
    };
    Ok(SourceLook {
        init_grant: own.grant("installation"),
        schema_grant: own.grant("schema_log"),
        slot,
        publication,
        slot_name,
        version: own.version,
        wal_end: slots.wal_end,
        flush_lag_s: own.flush_lag_s,
        init: init.map(Init::from),
        database,
        schema_changes,
    })
}

async fn unfit_publication(
    source: &Session,
    slot_name: &SlotName,
) -> Result<Option<UnfitPublication>, PgError> {
    let name = publication_name(slot_name.as_str());
    let argument = source.settings().as_argument();
    let (problem, fix) = match find_publication(source, &name).await? {
        None => (
            "does not exist".to_owned(),
            begin_anew(&argument, slot_name.as_str()),
        ),
        Some(found) => {
            let init = init_command(&argument, slot_name.as_str());
            match requirements::publication(&name, found, &init) {
                None => return Ok(None),
                Some(unmet) => (unmet.problem.to_owned(), unmet.hint),
            }
        }
    };
    Ok(Some(UnfitPublication { name, problem, fix }))
}

pub(crate) async fn target(
    pipeline: &Pipeline,
    slot_name: &SlotName,
) -> Result<TargetLook, PgError> {
    let session = connect_watched(&pipeline.target, APPLICATION_NAME).await?;
    let own: TargetDocument = document(&session, TARGET, &[]).await?;
    match records(&session, &own, slot_name).await {
        Err(error) if error.code() == Some(INSUFFICIENT_PRIVILEGE) => Ok(TargetLook {
            version: own.version,
            barred: Some(Barred {
                message: error.to_string(),
                grant: grant_records(&own.role),
            }),
            ..TargetLook::default()
        }),
        found => found.map(|look| TargetLook {
            version: own.version,
            ..look
        }),
    }
}

fn grant_records(role: &str) -> String {
    let role = quote_ident(role);
    format!(
        "GRANT USAGE ON SCHEMA pgstream TO {role}; \
         GRANT SELECT ON ALL TABLES IN SCHEMA pgstream TO {role};"
    )
}

async fn records(
    session: &Session,
    own: &TargetDocument,
    slot_name: &SlotName,
) -> Result<TargetLook, PgError> {
    let there = |name: &&str| own.own_tables.iter().any(|table| table == name);
    let progress = if OWN_TABLES.iter().all(there) {
        document(session, PROGRESS, &[&slot_name.as_str()]).await?
    } else {
        Progress::default()
    };
    let copies = match there(&COPIES_TABLE) {
        true => document(session, COPIES, &[&slot_name.as_str()]).await?,
        false => Vec::new(),
    };
    let last_stop = match there(&STOPS_TABLE) {
        true => stops::last(session, slot_name.as_str()).await?,
        false => None,
    };
    let verified = match there(&PROOFS_TABLE) {
        true => document(session, VERIFIED, &[&slot_name.as_str()]).await?,
        false => Verified::default(),
    };
    Ok(TargetLook {
        verified,
        progress,
        copies,
        last_stop,
        sequences: match there(&SEQUENCES_TABLE) {
            true => sequences::last(session, slot_name.as_str()).await?,
            false => None,
        },
        ..TargetLook::default()
    })
}
