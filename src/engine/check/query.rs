//! Asks the servers. Reads only; the one trial of a privilege is rolled back.

use super::Wanted;
use super::facts::{SourceFacts, TargetFacts};
use crate::engine::document::document;
use crate::postgres::{PgError, Session};

const SOURCE: &str = include_str!("../../../assets/sql/source/check.sql");
const TARGET: &str = include_str!("../../../assets/sql/target/check.sql");
const TRY_SILENCE: &str = "BEGIN; SET LOCAL session_replication_role = replica; ROLLBACK";

pub(super) async fn source(session: &Session, wanted: &Wanted) -> Result<SourceFacts, PgError> {
    document(
        session,
        SOURCE,
        &[&wanted.slot_name, &wanted.publication_name],
    )
    .await
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
