//! What the copier asks of the stream, and the records that both of them write.
//!
//! Everything that must happen at one exact place of the stream is done by the stream itself, in its
//! own target transaction, fenced by its checkpoint: making tables, and taking them over.

use std::sync::Arc;

use tokio::sync::{oneshot, watch};

use crate::engine::EngineError;
use crate::engine::status::Failure;
use crate::model::{Lsn, QualifiedName, quote_literal};
use crate::schema::{ObjectChange, Stage, Step, plan_copy};
use crate::snapshot::{NewStep, OpenStep, SourceTable, Store};

use super::ranges::Ranges;

/// Something that only the stream can do.
#[derive(Debug)]
pub(in crate::engine) enum Errand {
    /// Stand still where the target is as of this moment, until the next errand: what it has can only
    /// be compared with the source there.
    Reach {
        /// The moment; none: nobody streams.
        at: Option<Lsn>,
        /// What became of it.
        answer: oneshot::Sender<Answer>,
    },
    /// Make tables, once the target is as of their moment.
    Tables(Box<TablesErrand>),
    /// Run these statements between two transactions, and strike them off the list.
    Statements {
        /// The statements.
        steps: Vec<OpenStep>,
        /// What became of them.
        answer: oneshot::Sender<Answer>,
    },
    /// Take over the tables that are complete: begin a new round.
    TakeOver,
    /// The copies cannot go on.
    Fail(EngineError),
    /// Nothing is left to copy.
    Idle,
}

/// Tables to be made.
#[derive(Debug)]
pub(in crate::engine) struct TablesErrand {
    /// The moment of the source that they are copied at; none: nobody streams.
    pub(in crate::engine) at: Option<Lsn>,
    /// The statements.
    pub(in crate::engine) steps: Vec<TableStep>,
    /// The tables.
    pub(in crate::engine) tables: Vec<MadeTable>,
    /// What has to be run later.
    pub(in crate::engine) later: Vec<NewStep>,
    /// Nothing else is streamed until the tables are complete.
    pub(in crate::engine) stream_waits: bool,
    /// What became of it.
    pub(in crate::engine) answer: oneshot::Sender<Answer>,
}

/// A table that is made for its copy.
#[derive(Debug)]
pub(in crate::engine) struct MadeTable {
    pub(in crate::engine) table: SourceTable,
    /// The description of what is made, as JSON.
    pub(in crate::engine) objects: String,
    /// Its ranges, if it is copied by ranges of its key.
    pub(in crate::engine) ranges: Option<Ranges>,
}

/// A statement and the table (OID on the source) that it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::engine) struct TableStep {
    pub(in crate::engine) relation: Option<u32>,
    pub(in crate::engine) step: Step,
}

/// What became of an errand.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::engine) enum Answer {
    /// It is committed.
    Done,
    /// The schema changed behind the moment: another one is needed.
    Disturbed,
    /// The target refuses a statement; nothing of the errand remains.
    Refused {
        /// The table that the statement was for.
        relation: Option<u32>,
        /// The object, for people.
        object: String,
        /// Why.
        failure: Box<Failure>,
    },
}

/// The records of copies, as the stream writes them.
#[derive(Debug, Clone)]
pub(in crate::engine) struct CopyLink {
    store: Store,
    settled: Arc<watch::Sender<()>>,
}

impl CopyLink {
    pub(in crate::engine) const fn new(store: Store, settled: Arc<watch::Sender<()>>) -> Self {
        Self { store, settled }
    }

    pub(in crate::engine) const fn store(&self) -> &Store {
        &self.store
    }

    /// Tells the copier that the stream has taken tables over.
    pub(in crate::engine) fn settled(&self) {
        self.settled.send_replace(());
    }

    /// Returns the statements that remember a new foreign key, or forget one that is gone.
    pub(in crate::engine) fn defer(
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
        let steps = plan_copy(std::slice::from_ref(&made), selects).steps;
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
