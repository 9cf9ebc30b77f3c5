//! What the copier asks of the stream, and the records that both of them write.
//!
//! Everything that must happen at one exact place of the stream is done by the stream itself, in its
//! own target transaction, fenced by its checkpoint: making tables, and taking them over.

use std::sync::Arc;

use tokio::sync::{oneshot, watch};

use crate::model::{Lsn, QualifiedName, RelationId, quote_literal};
use crate::schema::{ObjectChange, ObjectNeeds, Stage, Step, plan_copy};
use crate::snapshot::error::SnapshotError;
use crate::snapshot::plan::Ranges;
use crate::snapshot::{NewStep, OpenStep, SourceTable, Store};
use crate::status::Failure;

/// Something that only the stream can do.
#[derive(Debug)]
pub(crate) enum CopyRequest {
    /// Stand still where the target is as of this snapshot, until the next request: what it has can only
    /// be compared with the source there.
    Reach {
        /// The snapshot; none: nobody streams.
        at: Option<Lsn>,
        /// What became of it.
        answer: oneshot::Sender<Answer>,
    },
    /// Make tables, once the target is as of their consistent point.
    Tables(Box<TablesRequest>),
    /// Run these statements between two transactions, and strike them off the list.
    Statements {
        steps: Vec<OpenStep>,
        /// What became of them.
        answer: oneshot::Sender<Answer>,
    },
    /// Take over the tables that are complete: begin a new session.
    TakeOver,
    /// The copies cannot go on.
    Fail(SnapshotError),
    /// Nothing is left to copy.
    Idle,
}

/// Tables to be made.
#[derive(Debug)]
pub(crate) struct TablesRequest {
    /// The snapshot of the source that they are copied at; none: nobody streams.
    pub(crate) at: Option<Lsn>,
    pub(crate) steps: Vec<TableStep>,
    pub(crate) tables: Vec<MadeTable>,
    /// What has to be run later.
    pub(crate) later: Vec<NewStep>,
    /// Tables that stand, and that `later` has the foreign keys to.
    pub(crate) keys_to: Vec<RelationId>,
    /// Nothing else is streamed until the tables are complete.
    pub(crate) stream_waits: bool,
    /// What became of it.
    pub(crate) answer: oneshot::Sender<Answer>,
}

/// A table that is made for its copy.
#[derive(Debug)]
pub(crate) struct MadeTable {
    pub(crate) table: SourceTable,
    /// The description of what is made, as JSON.
    pub(crate) objects: String,
    /// Its ranges, if it is copied by ranges of its key.
    pub(crate) ranges: Option<Ranges>,
}

/// A statement and the table (OID on the source) that it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TableStep {
    pub(crate) relation: Option<u32>,
    pub(crate) step: Step,
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Answer {
    /// It is committed.
    Done,
    /// The schema changed behind the consistent point: another one is needed.
    Disturbed,
    /// The target refuses a statement; nothing of the request remains.
    Refused {
        /// The table that the statement was for.
        relation: Option<u32>,
        /// The object, for people.
        object: String,
        failure: Box<Failure>,
    },
}

/// The records of copies, as the stream writes them.
#[derive(Debug, Clone)]
pub(crate) struct CopyLink {
    store: Store,
    settled: Arc<watch::Sender<()>>,
}

impl CopyLink {
    pub(crate) const fn new(store: Store, settled: Arc<watch::Sender<()>>) -> Self {
        Self { store, settled }
    }

    pub(crate) const fn store(&self) -> &Store {
        &self.store
    }

    /// Tells the copier that the stream has taken tables over.
    pub(crate) fn settled(&self) {
        self.settled.send_replace(());
    }

    /// Returns the statements that remember a new foreign key, or forget one that is gone.
    pub(crate) fn defer(
        &self,
        key: &ObjectChange,
        selects: &dyn Fn(&QualifiedName) -> bool,
    ) -> String {
        let slot = quote_literal(self.store.slot_name());
        let (before, after) = (key.label_before(), key.label());
        let mut sql = format!(
            "DELETE FROM pgstream.snapshot_step WHERE slot_name = {slot} AND stage IN \
             ('foreign_key', 'validate') AND object IN ({}, {})",
            quote_literal(&before),
            quote_literal(&after)
        );
        let made = key.made_anew();
        let steps = plan_copy(
            std::slice::from_ref(&made),
            &ObjectNeeds::default(),
            selects,
        )
        .steps;
        for step in steps.iter().filter(|step| step.stage == Stage::ForeignKey) {
            let oid =
                |oid: Option<u32>| oid.map_or_else(|| "NULL".to_owned(), |oid| oid.to_string());
            sql.push_str(&format!(
                "; INSERT INTO pgstream.snapshot_step (slot_name, stage, relation, referenced, \
                 object, statement) VALUES ({slot}, 'foreign_key', {}, {}, {}, {})",
                oid(step.relation),
                oid(step.referenced),
                quote_literal(&step.step.object),
                quote_literal(&step.step.sql)
            ));
        }
        sql
    }
}
