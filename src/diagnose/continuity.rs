//! Whether the slot on the source goes on where the target stands, when a first look says that it does
//! not.
//!
//! Both sides move while they are asked, so the order matters. The slot comes first: what it has
//! confirmed was on the target before. Then the target. Then the end of the source's WAL: what the
//! target has was in it before. In this order a pipeline that works never looks broken. As the way
//! out of a real misfit destroys rows, it takes two such looks that agree, and a slot that nobody
//! reads.

use tracing::debug;

use crate::apply::{Mark, SLOT_GONE, Stream, misfit};
use crate::config::Pipeline;
use crate::model::Lsn;
use crate::postgres::{PgError, Session, connect_watched, sqlstate};
use crate::schema::install;

const SLOT: &str = "\
SELECT s.confirmed_flush_lsn::pg_catalog.text, s.active
FROM pg_catalog.pg_replication_slots AS s
WHERE s.slot_name = $1";

const CHECKPOINT: &str = "\
SELECT c.system_identifier, c.database_name, c.end_lsn::pg_catalog.text,
       pg_catalog.to_jsonb(c) ->> 'installation'
FROM pgstream.checkpoint AS c
WHERE c.slot_name = $1";

const WAL_END: &str = "\
SELECT (CASE WHEN pg_catalog.pg_is_in_recovery()
  THEN GREATEST(pg_catalog.pg_last_wal_receive_lsn(), pg_catalog.pg_last_wal_replay_lsn())
  ELSE pg_catalog.pg_current_wal_flush_lsn() END)::pg_catalog.text";

/// Returns why the slot does not go on where the target stands; none: it does, or somebody reads it, or
/// nobody knows.
pub(crate) async fn certain_misfit(pipeline: &Pipeline, slot_name: &str) -> Option<String> {
    let looks = async {
        let source = connect_watched(&pipeline.source, "pgstream check").await?;
        let target = connect_watched(&pipeline.target, "pgstream check").await?;
        if look(&source, &target, slot_name).await?.is_none() {
            return Ok(None);
        }
        look(&source, &target, slot_name).await
    };
    looks.await.unwrap_or_else(|error: PgError| {
        debug!(target: "slot", %error, "cannot look whether slot and checkpoint fit");
        None
    })
}

/// Returns whether the source remembers that the pipeline of a slot was applied to the target, which has no
/// checkpoint of it, and nobody reads the slot. The source is asked first: it remembers only targets
/// that have one.
pub(crate) async fn checkpoint_is_gone(pipeline: &Pipeline, slot_name: &str) -> bool {
    let look = async {
        let source = connect_watched(&pipeline.source, "pgstream check").await?;
        let slot = source.row(SLOT, &[&slot_name]).await?;
        let read = slot.is_some_and(|slot| slot.get::<_, bool>(1));
        let recorded = install::pipeline_record(&source, slot_name).await?;
        let target = connect_watched(&pipeline.target, "pgstream check").await?;
        let here = target.identity().await?.lasting();
        let checkpoint = target.row(CHECKPOINT, &[&slot_name]).await;
        let found = match checkpoint {
            Err(error) if error.code() == Some(sqlstate::UNDEFINED_TABLE) => None,
            found => found?,
        };
        let applied = recorded.and_then(|recorded| recorded.target);
        Ok(!read && found.is_none() && applied == Some(here))
    };
    look.await.unwrap_or_else(|error: PgError| {
        debug!(target: "slot", %error, "cannot look whether the checkpoint is gone");
        false
    })
}

fn mark(found: &tokio_postgres::Row) -> Mark {
    Mark {
        installation: found.get(3),
        end_lsn: found.get::<_, &str>(2).parse().unwrap_or_default(),
        system_identifier: found.get(0),
        database_name: found.get(1),
    }
}

/// Returns where the pipeline of a slot stood when it was removed, where the target still has the mark of
/// that installation: `run` begins anew.
pub(crate) async fn begins_anew(pipeline: &Pipeline, slot_name: &str) -> Option<Lsn> {
    let look = async {
        let source = connect_watched(&pipeline.source, "pgstream check").await?;
        let target = connect_watched(&pipeline.target, "pgstream check").await?;
        let installed = install::pipeline_record(&source, slot_name).await?;
        let Some(found) = target.row(CHECKPOINT, &[&slot_name]).await? else {
            return Ok(None);
        };
        let (system_identifier, database_name) = source.system().await?;
        let here = (&*system_identifier, &*database_name);
        let identity = installed.and_then(|installed| installed.identity);
        let mark = mark(&found);
        Ok(mark
            .is_of_another(identity.as_deref(), here)
            .then_some(mark.end_lsn))
    };
    look.await.unwrap_or_else(|error: PgError| {
        debug!(target: "slot", %error, "cannot look whose the checkpoint is");
        None
    })
}

async fn look(
    source: &Session,
    target: &Session,
    slot_name: &str,
) -> Result<Option<String>, PgError> {
    let (system_identifier, database_name) = source.system().await?;
    let slot = source.row(SLOT, &[&slot_name]).await?;
    let Some(found) = target.row(CHECKPOINT, &[&slot_name]).await? else {
        return Ok(None);
    };
    let installed = install::pipeline_record(source, slot_name).await?;
    let identity = installed.and_then(|installed| installed.identity);
    let here = (&*system_identifier, &*database_name);
    if mark(&found).is_of_another(identity.as_deref(), here) {
        // Then it begins anew.
        return Ok(None);
    }
    let Some(slot) = slot else {
        return Ok(Some(SLOT_GONE.to_owned()));
    };
    let wal_end = source.row(WAL_END, &[]).await?;
    let lsn = |text: Option<&str>| text.and_then(|text| text.parse::<Lsn>().ok());
    let positions = lsn(slot.get(0)).zip(wal_end.and_then(|row| lsn(row.get(0))));
    let (Some(positions), Some(end_lsn), false) =
        (positions, lsn(found.get(2)), slot.get::<_, bool>(1))
    else {
        return Ok(None);
    };
    let stream = Stream {
        slot_name: slot_name.to_owned(),
        system_identifier,
        database_name,
        timeline: 0,
    };
    let owner = (found.get(0), found.get(1));
    Ok(misfit(&stream, owner, end_lsn, positions))
}
