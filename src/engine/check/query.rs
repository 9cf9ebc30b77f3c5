//! Asks the servers. Reads only; the one trial of a privilege is rolled back.

use tokio_postgres::types::ToSql;

use super::Wanted;
use super::facts::{InstallationFacts, SourceFacts, TargetFacts};
use crate::engine::document::document;
use crate::postgres::{PgError, Session};
use crate::schema::install;

const SOURCE: &str = include_str!("../../../assets/sql/source/check.sql");
const TARGET: &str = include_str!("../../../assets/sql/target/check.sql");
const TRY_SILENCE: &str = "BEGIN; SET LOCAL session_replication_role = replica; ROLLBACK";

pub(super) async fn source(session: &Session, wanted: &Wanted) -> Result<SourceFacts, PgError> {
    let parameters: [&(dyn ToSql + Sync); 2] =
        [&wanted.slot_name.as_str(), &wanted.publication_name];
    let facts: SourceFacts = document(session, SOURCE, &parameters).await?;
    // A role that may not look at the installation still gets all other findings.
    let state = install::state(session, &wanted.slot_name).await.ok();
    let installed = state.filter(|state| state.installed);
    Ok(SourceFacts {
        installation: installed.map(|state| InstallationFacts {
            current: state.current,
            of_this_database: state.of_this_database,
        }),
        ..facts
    })
}

pub(super) async fn target(session: &Session) -> Result<TargetFacts, PgError> {
    let facts: TargetFacts = document(session, TARGET, &[]).await?;
    let silences_triggers = session.run(TRY_SILENCE).await.is_ok();
    if !silences_triggers {
        session.run("ROLLBACK").await?;
    }
    Ok(TargetFacts {
        silences_triggers,
        ..facts
    })
}
