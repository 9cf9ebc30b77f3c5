//! Takes over a target that the slot does not go on from: one whose slot was lost, or one that somebody
//! filled by other means. Nothing is copied but what differs.
//!
//! ```text
//!   a slot that was lost is made anew, and has what comes from now on
//!   a snapshot of the source at an exact position S, behind what the slot has from
//!   what differs is brought, a range in one target transaction; nobody streams meanwhile
//!   all is equal at S ──> the checkpoint is S, and run goes on from there
//! ```
//!
//! Where it ends before, the checkpoint is what it was, and nobody streams: the next attempt takes another S
//! and finds what the last one brought.

use std::time::Duration;

use tracing::{info, warn};

use crate::apply::{self, AdoptedCheckpoint, ApplyError, Stream};
use crate::config::{Pipeline, Plugin, SlotName, publication_name};
use crate::diagnose::continuity::{begins_anew, certain_misfit};
use crate::fault;
use crate::model::Lsn;
use crate::postgres::{
    PgError, Session, create_slot_sql, drop_slot_sql, find_publication, naming_whom_we_wait_for,
};
use crate::schema::{install, mark_acked};
use crate::snapshot::ConsistentPoint;

use super::VerifyError;
use super::pair::{Held, Pair};
use super::session::{APPLICATION_NAME, connect};

const SLOT: &str = "\
SELECT s.active, COALESCE(s.wal_status = 'lost', false),
       s.plugin = 'pgoutput'
         AND NOT EXISTS (SELECT FROM pg_catalog.pg_publication AS p WHERE p.pubname = $2)
FROM pg_catalog.pg_replication_slots AS s
WHERE s.slot_name = $1 AND s.database = pg_catalog.current_database()";

/// Rows that differ are why the target refuses a transaction, mostly.
const REFUSED: &str = "\
SELECT FROM pgstream.last_stop AS s WHERE s.slot_name = $1 AND s.failure ->> 'class' = 'data'";

const TIMELINE: &str = "SELECT c.timeline_id FROM pg_catalog.pg_control_checkpoint() AS c";

/// A position of the source that the target is brought to.
pub(super) struct Adoption {
    point: ConsistentPoint,
    pub(super) lsn: Lsn,
    /// The checkpoint as it was found; none: there was none.
    pub(super) found: Option<Lsn>,
}

/// The stream cannot go on from the target.
pub(super) struct Stranded {
    pub(super) reason: String,
    slot: SlotState,
}

/// What is left of the slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SlotState {
    Whole,
    /// Its WAL is gone, or the publication without which nothing of it can be decoded.
    Lost,
    Gone,
}

/// Returns why the stream cannot go on from the target, where nobody streams; none: it can, or somebody does.
pub(super) async fn why(
    pipeline: &Pipeline,
    source: &Session,
    slot_name: &str,
) -> Result<Option<Stranded>, VerifyError> {
    let publication = publication_name(slot_name);
    let row = source.row(SLOT, &[&slot_name, &publication]).await;
    let row = row.map_err(VerifyError::of("look at the slot"))?;
    let slot = match row.map(|row| (row.get(0), row.get(1), row.get(2))) {
        Some((true, ..)) => return Ok(None),
        Some((false, false, false)) => SlotState::Whole,
        Some(_) => SlotState::Lost,
        None => SlotState::Gone,
    };
    let target = connect(&pipeline.target).await;
    let target = target.map_err(VerifyError::of("connect to the target"))?;
    apply::install_records(&target).await?;
    let reason = match slot {
        SlotState::Whole => why_not_on(pipeline, &target, slot_name).await?,
        SlotState::Lost | SlotState::Gone => why_without(source, &target, slot_name).await?,
    };
    Ok(reason.map(|reason| Stranded { reason, slot }))
}

/// Both sides must know the pipeline: a slip of the hand makes no slot.
async fn why_without(
    source: &Session,
    target: &Session,
    slot_name: &str,
) -> Result<Option<String>, VerifyError> {
    let recorded = install::pipeline_record(source, slot_name).await;
    let recorded = recorded.map_err(VerifyError::of("look for the pipeline"))?;
    let mark = apply::mark(target, slot_name).await?;
    Ok(recorded
        .zip(mark)
        .map(|_| "its slot is lost, and another one is made".to_owned()))
}

async fn why_not_on(
    pipeline: &Pipeline,
    target: &Session,
    slot_name: &str,
) -> Result<Option<String>, VerifyError> {
    if apply::mark(target, slot_name).await?.is_none() {
        return Ok(Some("it has no checkpoint of this pipeline".to_owned()));
    }
    if let Some(stood_at) = begins_anew(pipeline, slot_name).await {
        return Ok(Some(format!(
            "its checkpoint is of an earlier installation, which stood at {stood_at}"
        )));
    }
    if let Some(reason) = certain_misfit(pipeline, slot_name).await {
        return Ok(Some(reason));
    }
    let refused = target.row(REFUSED, &[&slot_name]).await;
    let refused = refused.map_err(VerifyError::of("look why the pipeline stands"))?;
    Ok(refused.map(|_| "it refused a transaction".to_owned()))
}

/// Makes the slot that has what comes from now on, and the publication that it needs. What the lost one had,
/// the comparison finds.
async fn renew_slot(
    source: &Session,
    (name, plugin): (&SlotName, Plugin),
    state: SlotState,
) -> Result<(), VerifyError> {
    let anew = || VerifyError::of("make the slot anew");
    if state == SlotState::Whole {
        return Ok(());
    }
    if state == SlotState::Lost {
        let dropped = source.row(&drop_slot_sql(name), &[]).await;
        dropped.map_err(anew())?;
    }
    let publication = find_publication(source, &publication_name(name.as_str())).await;
    if plugin == Plugin::Pgoutput && publication.map_err(anew())?.is_none() {
        let made = Box::pin(install::init(source, name, plugin)).await;
        made.map_err(VerifyError::Install)?;
    } else {
        let ask = || source.another(APPLICATION_NAME);
        let sql = create_slot_sql(name, plugin);
        let made = source.row(&sql, &[]);
        let made = naming_whom_we_wait_for("make the slot anew", ask, made).await;
        made.map_err(anew())?;
    }
    fault::point(fault::VERIFY_AFTER_SLOT);
    warn!(target: "slot", slot = %name, "the slot was lost, and is made anew");
    Ok(())
}

impl Adoption {
    /// Takes a snapshot of the source, behind what the slot has from. The mark of an earlier installation is
    /// forgotten.
    pub(super) async fn open(
        pipeline: &Pipeline,
        slot: &SlotName,
        stranded: Stranded,
    ) -> Result<Self, VerifyError> {
        let slot_name = slot.as_str();
        let target = connect(&pipeline.target).await;
        let target = target.map_err(VerifyError::of("connect to the target"))?;
        if begins_anew(pipeline, slot_name).await.is_some() {
            apply::forget_stream(&target, slot_name).await?;
        }
        let found = apply::mark(&target, slot_name).await?;
        let source = connect(&pipeline.source).await;
        let source = source.map_err(VerifyError::of("connect to the source"))?;
        renew_slot(&source, (slot, pipeline.plugin), stranded.slot).await?;
        let short: String = slot_name.chars().take(40).collect();
        let name = format!("{short}_verify_{}", source.process_id());
        let what = "take a snapshot of the source";
        let ask = || source.another(APPLICATION_NAME);
        let point = ConsistentPoint::with_position(&pipeline.source, &name);
        let point = naming_whom_we_wait_for(what, ask, point).await;
        let point = point.map_err(VerifyError::of(what))?;
        Ok(Self {
            lsn: point.lsn().unwrap_or_default(),
            point,
            found: found.map(|mark| mark.end_lsn),
        })
    }

    /// Returns the snapshot with one of the target, where nobody writes.
    pub(super) async fn pair(&self, pipeline: &Pipeline) -> Result<Pair, VerifyError> {
        let open = async {
            let source = Held {
                session: self.reader(pipeline).await?,
                begin: self.point.begin(),
            };
            let target = connect(&pipeline.target).await?;
            Ok((source, Held::take(target).await?))
        };
        let (source, target) = open.await.map_err(VerifyError::of("take snapshots"))?;
        Ok(Pair {
            source,
            target,
            lsn: self.lsn,
            pause: Duration::ZERO,
        })
    }

    /// Opens a session on the source that reads at the position.
    pub(super) async fn reader(&self, pipeline: &Pipeline) -> Result<Session, PgError> {
        let session = connect(&pipeline.source).await?;
        session.run(&self.point.begin()).await?;
        Ok(session)
    }

    /// Moves the checkpoint to where both sides are equal.
    pub(super) async fn finish(
        &self,
        pipeline: &Pipeline,
        (source, slot_name): (&Session, &str),
    ) -> Result<(), VerifyError> {
        let ask = async {
            let (system_identifier, database_name) = source.system().await?;
            let timeline = source.row(TIMELINE, &[]).await?;
            let recorded = install::pipeline_record(source, slot_name).await?;
            let stream = Stream {
                slot_name: slot_name.to_owned(),
                system_identifier,
                database_name,
                timeline: timeline.map_or(0, |row| row.get(0)),
            };
            let target = connect(&pipeline.target).await?;
            Ok((
                stream,
                recorded.and_then(|recorded| recorded.identity),
                target,
            ))
        };
        let (stream, identity, target) =
            ask.await.map_err(VerifyError::of("identify both sides"))?;
        let adopted = AdoptedCheckpoint {
            stream: &stream,
            found: self.found,
            end_lsn: self.lsn,
            filter: &pipeline.filter,
            identity: identity.as_deref(),
        };
        fault::point(fault::VERIFY_BEFORE_ADOPTION);
        adopted.write(&target).await?;
        let marked = self.mark_schema_changes(pipeline).await;
        marked.map_err(VerifyError::of(
            "mark schema changes as durable on the target",
        ))?;
        fault::point(fault::VERIFY_AFTER_ADOPTION);
        info!(target: "slot", lsn = %self.lsn, "the target is taken over: run goes on from here");
        Ok(())
    }

    /// Schema changes that were made before are on the target, and the stream will not bring them.
    async fn mark_schema_changes(&self, pipeline: &Pipeline) -> Result<(), PgError> {
        let Some(settings) = &pipeline.schema_log else {
            return Ok(());
        };
        let sql = "SELECT l.id::pg_catalog.text FROM pgstream.schema_log AS l WHERE NOT l.acked";
        let made = self.reader(pipeline).await?.rows(sql, &[]).await?;
        let ids: Vec<String> = made.iter().map(|row| row.get(0)).collect();
        let log = connect(settings).await?;
        mark_acked(&log, &ids).await.map(drop)
    }
}

impl From<ApplyError> for VerifyError {
    fn from(source: ApplyError) -> Self {
        Self::Records(source)
    }
}
