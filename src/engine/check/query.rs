//! Asks the servers. Reads only; the one trial of a privilege is rolled back.

use super::Wanted;
use super::facts::{Checkpoint, InstallationFacts, Server, SourceFacts, TargetFacts};
use crate::config::ConnectionSettings;
use crate::engine::document::document;
use crate::model::QualifiedName;
use crate::postgres::{PgError, Session, connect, find_publication};
use crate::schema::{closed_descriptions, install};

const SOURCE: &str = include_str!("../../../assets/sql/source/check.sql");
const TARGET: &str = include_str!("../../../assets/sql/target/check.sql");

/// What both of them ask of their server.
const ASK_SERVER: &str = include_str!("../../../assets/sql/check_server.sql");
const SCHEMA_LOG: &str = include_str!("../../../assets/sql/source/check_log.sql");
const SEQUENCES: &str = include_str!("../../../assets/sql/check_sequences.sql");

/// What a copy does with a sequence of the source, and the stream with one of the target.
const READ_SEQUENCE: &str = "pg_catalog.has_sequence_privilege(q.oid, 'SELECT')";
const MOVE_SEQUENCE: &str = "pg_catalog.has_sequence_privilege(q.oid, 'SELECT') \
                             AND pg_catalog.has_sequence_privilege(q.oid, 'UPDATE')";

const CHECKPOINTS: &str = "\
SELECT slot_name, system_identifier, database_name, end_lsn::pg_catalog.text FROM pgstream.checkpoint";
const OPEN_COPIES: &str = "\
SELECT slot_name, schema_name, table_name FROM pgstream.snapshot_table
WHERE state NOT IN ('catching_up', 'ready')";
const TRY_SILENCE: &str = "BEGIN; SET LOCAL session_replication_role = replica; ROLLBACK";

pub(super) async fn source(session: &Session, wanted: &Wanted) -> Result<SourceFacts, PgError> {
    let (sql, slot_name) = (
        whole(SOURCE, "r.oid", READ_SEQUENCE),
        wanted.slot_name.as_str(),
    );
    let facts: SourceFacts = document(session, &sql, &[&slot_name]).await?;
    let server = identified(session, facts.server.clone()).await?;
    // A role that may not look at the installation still gets all other findings.
    let state = install::state(session, &wanted.slot_name).await.ok();
    let installed = state.filter(|state| state.installed);
    let younger = install::publication_is_younger(session, &wanted.slot_name).await;
    let closed = closed_descriptions(session).await?;
    Ok(SourceFacts {
        server,
        publication: find_publication(session, &wanted.publication_name).await?,
        event_triggers: install::event_triggers(session).await?,
        open_functions: install::open_functions(session).await?,
        descriptions_closed: closed.is_some(),
        publication_younger: younger.unwrap_or_default(),
        installation: installed.map(|state| InstallationFacts {
            current: state.current,
            of_this_database: state.of_this_database,
        }),
        ..facts
    })
}

pub(super) async fn target(session: &Session) -> Result<TargetFacts, PgError> {
    let facts: TargetFacts = document(session, &whole(TARGET, "c.oid", MOVE_SEQUENCE), &[]).await?;
    let server = identified(session, facts.server.clone()).await?;
    let silences_triggers = session.run(TRY_SILENCE).await.is_ok();
    if !silences_triggers {
        session.run("ROLLBACK").await?;
    }
    let checkpoint = facts.own_tables.iter().find(|own| own.name == "checkpoint");
    let readable = checkpoint.is_some_and(|own| own.usable)
        && facts.own_schema.is_some_and(|schema| schema.usable);
    let checkpoints = match readable {
        true => checkpoints(session).await?,
        false => Vec::new(),
    };
    let copies = facts.own_tables.iter();
    let copies = copies.filter(|own| own.name == "snapshot_table" && own.usable);
    let open_copies = match readable && copies.count() > 0 {
        true => open_copies(session).await?,
        false => Vec::new(),
    };
    Ok(TargetFacts {
        server,
        silences_triggers,
        checkpoints,
        open_copies,
        ..facts
    })
}

async fn open_copies(session: &Session) -> Result<Vec<(String, QualifiedName)>, PgError> {
    let rows = session.rows(OPEN_COPIES, &[]).await?;
    let open = |row: &tokio_postgres::Row| {
        let name = QualifiedName::new(row.get::<_, &str>(1), row.get::<_, &str>(2));
        (row.get(0), name)
    };
    Ok(rows.iter().map(open).collect())
}

async fn identified(session: &Session, server: Server) -> Result<Server, PgError> {
    let identity = session.identity().await?;
    Ok(Server { identity, ..server })
}

async fn checkpoints(session: &Session) -> Result<Vec<Checkpoint>, PgError> {
    let rows = session.rows(CHECKPOINTS, &[]).await?;
    let checkpoint = |row: &tokio_postgres::Row| Checkpoint {
        slot_name: row.get(0),
        system_identifier: row.get(1),
        database: row.get(2),
        end_lsn: row.get::<_, &str>(3).parse().unwrap_or_default(),
    };
    Ok(rows.iter().map(checkpoint).collect())
}

/// Asks the database of the schema log's address, in the name of its role.
pub(super) async fn schema_log(
    settings: &ConnectionSettings,
    facts: &mut SourceFacts,
) -> Result<(), PgError> {
    let session = connect(settings, "pgstream check").await?;
    let (system, database) = session.system().await?;
    let server = &facts.server;
    if system == server.identity.system_identifier && database == server.database {
        let sql =
            format!("SELECT COALESCE({SCHEMA_LOG}, 'null'::pg_catalog.json)::pg_catalog.text");
        facts.schema_log = document(&session, &sql, &[]).await?;
    } else {
        facts.foreign_log = Some(settings.endpoint());
    }
    Ok(())
}

/// Puts the shared questions into those of one side.
fn whole(side: &str, table: &str, allowed: &str) -> String {
    let sequences = SEQUENCES
        .replace("$table", table)
        .replace("$allowed", allowed);
    side.replace("$server", ASK_SERVER)
        .replace("$sequences", &sequences)
        .replace("$schema_log", SCHEMA_LOG)
}
