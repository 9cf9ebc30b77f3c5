//! Asks the servers. Reads only; the one trial of a privilege is rolled back.

use crate::config::{ConnectionSettings, TableFilter};
use crate::diagnose::sequences;
use crate::diagnose::stops::{self, LastStop};
use crate::model::{Classify as _, ErrorClass, QualifiedName};
use crate::postgres::{PgError, Session, connect_watched, document, find_publication};
use crate::schema::{closed_descriptions, install, large_object_count, other_objects, triggers};

use super::facts::{
    Checkpoint, ConfigurationTable, CopyFacts, InstallationFacts, Server, SourceFacts, TargetFacts,
};
use super::wanted::Wanted;

const SOURCE: &str = include_str!("../../../assets/sql/source/check.sql");
const TARGET: &str = include_str!("../../../assets/sql/target/check.sql");

/// What both of them ask of their server.
const ASK_SERVER: &str = include_str!("../../../assets/sql/check_server.sql");
const SCHEMA_LOG: &str = include_str!("../../../assets/sql/source/check_log.sql");
const PARTITIONS: &str = include_str!("../../../assets/sql/check_partitions.sql");
const SEQUENCES: &str = include_str!("../../../assets/sql/check_sequences.sql");

/// What a copy does with a sequence of the source, and the stream with one of the target.
const READ_SEQUENCE: &str = "pg_catalog.has_sequence_privilege(q.oid, 'SELECT')";
const MOVE_SEQUENCE: &str = "pg_catalog.has_sequence_privilege(q.oid, 'SELECT') \
                             AND pg_catalog.has_sequence_privilege(q.oid, 'UPDATE')";

/// Earlier builds did not write down which tables a pipeline brings.
const CHECKPOINTS: &str = "\
SELECT slot_name, system_identifier, database_name, end_lsn::pg_catalog.text,
       pg_catalog.to_jsonb(c) OPERATOR(pg_catalog.->>) 'included_tables',
       pg_catalog.to_jsonb(c) OPERATOR(pg_catalog.->>) 'excluded_tables',
       pg_catalog.to_jsonb(c) OPERATOR(pg_catalog.->>) 'installation'
FROM pgstream.checkpoint AS c";
const COPIES: &str = "\
SELECT slot_name, schema_name, table_name, state, failure::pg_catalog.text FROM pgstream.snapshot_table
WHERE state NOT IN ('catching_up', 'ready') OR failure IS NOT NULL
ORDER BY schema_name, table_name";
const TRY_SILENCE: &str = "BEGIN; SET LOCAL session_replication_role = replica; ROLLBACK";

pub(crate) async fn source(session: &Session, wanted: &Wanted) -> Result<SourceFacts, PgError> {
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
    let configured = facts.configuration_tables.clone();
    let configuration_tables = with_rows(session, configured).await?;
    Ok(SourceFacts {
        configuration_tables,
        server,
        publication: find_publication(session, &wanted.publication_name).await?,
        recorded: install::pipeline_record(session, slot_name).await?,
        event_triggers: install::event_triggers(session).await?,
        open_functions: install::open_functions(session).await?,
        others: other_objects(session).await?,
        large_object_count: large_object_count(session).await?,
        triggers: triggers(session).await?,
        descriptions_closed: closed.is_some(),
        publication_younger: younger.unwrap_or_default(),
        installation: installed.map(|state| InstallationFacts {
            current: state.current,
            of_this_database: state.of_this_database,
        }),
        ..facts
    })
}

pub(crate) async fn target(session: &Session, slot_name: &str) -> Result<TargetFacts, PgError> {
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
    let recorded = facts.own_tables.iter();
    let recorded = recorded.filter(|own| own.name == "snapshot_table" && own.usable);
    let copies = match readable && recorded.count() > 0 {
        true => copies(session).await?,
        false => Vec::new(),
    };
    let mut stops = facts.own_tables.iter();
    let stops = stops.any(|own| own.name == "last_stop" && own.usable);
    let mut looks = facts.own_tables.iter();
    let looks = looks.any(|own| own.name == "sequence_look" && own.usable);
    let sequences = match readable && looks {
        true => sequences::last(session, slot_name).await?,
        false => None,
    };
    let last_stop = match readable && stops {
        true => stops::last(session, slot_name).await?,
        false => None,
    };
    Ok(TargetFacts {
        last_stop: last_stop.map(LastStop::from),
        sequences,
        server,
        silences_triggers,
        checkpoints,
        copies,
        others: other_objects(session).await?,
        triggers: triggers(session).await?,
        ..facts
    })
}

/// Returns those of the tables that hold rows of users; those that our role may not read are passed over.
async fn with_rows(
    session: &Session,
    tables: Vec<ConfigurationTable>,
) -> Result<Vec<ConfigurationTable>, PgError> {
    let mut filled = Vec::new();
    for table in tables {
        let condition = table.condition.as_deref().unwrap_or_default();
        let sql = format!("SELECT FROM {} {condition} LIMIT 1", table.table.quoted());
        match session.row(&sql, &[]).await {
            Ok(found) => filled.extend(found.map(|_| table)),
            Err(error) if error.class() == ErrorClass::Transient => return Err(error),
            Err(_) => {}
        }
    }
    Ok(filled)
}

async fn copies(session: &Session) -> Result<Vec<CopyFacts>, PgError> {
    let rows = session.rows(COPIES, &[]).await?;
    let copy = |row: &tokio_postgres::Row| CopyFacts {
        slot_name: row.get(0),
        table: QualifiedName::new(row.get::<_, &str>(1), row.get::<_, &str>(2)),
        state: row.get::<_, &str>(3).parse().unwrap_or_default(),
        failure: row
            .get::<_, Option<&str>>(4)
            .and_then(|failure| serde_json::from_str(failure).ok()),
    };
    Ok(rows.iter().map(copy).collect())
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
        filter: row
            .get::<_, Option<&str>>(4)
            .zip(row.get::<_, Option<&str>>(5))
            .and_then(|(include, exclude)| TableFilter::parse(include, exclude).ok()),
        installation: row.get(6),
    };
    Ok(rows.iter().map(checkpoint).collect())
}

/// Asks the database of the schema log's address, in the name of its role.
pub(crate) async fn schema_log(
    settings: &ConnectionSettings,
    facts: &mut SourceFacts,
) -> Result<(), PgError> {
    let session = connect_watched(settings, "pgstream check").await?;
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
        .replace("$partitions", PARTITIONS)
        .replace("$schema_log", SCHEMA_LOG)
}
