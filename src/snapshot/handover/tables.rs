//! The statements of requests, in a transaction that is open already: the stream's, or where nobody
//! streams, one of ours.

use crate::apply::ApplyError;
use crate::model::{Classify as _, ErrorClass, RelationId};
use crate::postgres::{PgError, Session};
use crate::schema::Step;
use crate::snapshot::error::SnapshotError;
use crate::snapshot::plan::Ranges;
use crate::snapshot::{NewStep, OpenStep, Store, StruckStep, TableError};
use crate::status::failure_of;

use super::request::{Answer, MadeTable, TableStep, TablesRequest};

/// A statement that the target refused.
#[derive(Debug)]
pub(crate) struct Refusal {
    relation: Option<u32>,
    object: String,
    statement: String,
    source: PgError,
}

impl Refusal {
    fn of(relation: Option<u32>, step: &Step) -> impl FnOnce(PgError) -> Self {
        let (object, statement) = (step.object.clone(), step.sql.clone());
        move |source| Self {
            relation,
            object,
            statement,
            source,
        }
    }

    fn of_records(source: PgError) -> Self {
        Self {
            relation: None,
            object: "the records of a copy".to_owned(),
            statement: source.statement().unwrap_or_default().to_owned(),
            source,
        }
    }

    /// Returns the answer that the copier gets. What is refused is the copy's, not the stream's:
    /// no transaction can be skipped for it.
    ///
    /// # Errors
    /// The failure itself, when it is not about the statement: then the session ends.
    pub(crate) fn answer(self, endpoint: &str) -> Result<Answer, SnapshotError> {
        let Self {
            relation,
            object,
            statement,
            source,
        } = self;
        match source.class() {
            ErrorClass::Transient | ErrorClass::Bug | ErrorClass::Usage => {
                Err(SnapshotError::Apply {
                    endpoint: endpoint.to_owned(),
                    source: ApplyError::Statement {
                        object,
                        statement,
                        source,
                    },
                })
            }
            ErrorClass::Operator | ErrorClass::Data => {
                let source = TableError::Step {
                    object: object.clone(),
                    statement,
                    source,
                };
                let failure = failure_of(&SnapshotError::Table { source }, None);
                Ok(Answer::Refused {
                    relation,
                    object,
                    failure: Box::new(failure),
                })
            }
        }
    }
}

/// Makes the tables of a plan and writes down what is to be done for them. Returns whether what was
/// there of them still is.
pub(crate) async fn make(
    session: &Session,
    store: &Store,
    copy_request: &TablesRequest,
) -> Result<bool, Refusal> {
    let tables = copy_request.tables.iter().map(|made| made.table.relation);
    let tables: Vec<_> = tables.chain(copy_request.keys_to.iter().copied()).collect();
    let planned = store
        .plan_steps(session, &tables, &copy_request.later)
        .await;
    planned.map_err(Refusal::of_records)?;
    // A partition has foreign keys of its parents', too, which are not of this request.
    let freed = store.free(session).await;
    freed.map_err(Refusal::of_records)?;
    let mut put_off = Vec::new();
    for TableStep { relation, step } in &copy_request.steps {
        match step.optional && relation.is_none() {
            true => put_off.extend(attempt(session, step).await?),
            false => {
                let done = session.run(&step.sql).await;
                done.map_err(Refusal::of(*relation, step))?;
            }
        }
    }
    let free = copy_request
        .steps
        .iter()
        .filter(|step| step.relation.is_none());
    let free: Vec<&str> = free.map(|step| step.step.sql.as_str()).collect();
    let run = store.strike_free(session, &free).await;
    run.map_err(Refusal::of_records)?;
    let planned = store.plan_steps(session, &[], &put_off).await;
    planned.map_err(Refusal::of_records)?;
    let made: Vec<_> = copy_request
        .tables
        .iter()
        .map(|made| (&made.table, &*made.objects))
        .collect();
    let begun = store.begin_copies(session, &made, copy_request.at).await;
    begun.map_err(Refusal::of_records)?;
    let ready = ready_ranges(session, store, &copy_request.tables).await;
    ready.map_err(Refusal::of_records)
}

/// Runs a statement that no row depends on by itself. One that the target refuses is tried again behind all
/// tables; a table that cannot be made without it will be refused in its turn.
async fn attempt(session: &Session, step: &Step) -> Result<Option<NewStep>, Refusal> {
    let run = async |sql: &str| {
        let done = session.run(sql).await;
        done.map_err(Refusal::of(None, step))
    };
    run("SAVEPOINT attempt").await?;
    let Err(source) = session.run(&step.sql).await else {
        run("RELEASE SAVEPOINT attempt").await?;
        return Ok(None);
    };
    if !matches!(source.class(), ErrorClass::Operator | ErrorClass::Data) {
        return Err(Refusal::of(None, step)(source));
    }
    run("ROLLBACK TO SAVEPOINT attempt").await?;
    Ok(Some(NewStep {
        stage: "last",
        relation: None,
        referenced: None,
        object: step.object.clone(),
        sql: step.sql.clone(),
    }))
}

/// Writes new ranges down; of a table that goes on, looks whether its ranges are still there: a schema
/// change on the way here takes them away.
async fn ready_ranges(
    session: &Session,
    store: &Store,
    tables: &[MadeTable],
) -> Result<bool, PgError> {
    let resumed = |made: &&MadeTable| matches!(made.ranges, Some(Ranges::Resumed(_)));
    let anew = tables.iter().filter(|made| !resumed(made));
    let anew: Vec<RelationId> = anew.map(|made| made.table.relation).collect();
    store.forget_ranges(session, &anew).await?;
    let stored = store.parts(session).await?;
    for MadeTable { table, ranges, .. } in tables {
        match ranges {
            None => {}
            Some(Ranges::New(ranges)) => {
                store.plan_ranges(session, table.relation, ranges).await?;
            }
            Some(Ranges::Resumed(planned)) => {
                let of_table = stored.iter().filter(|part| part.relation == table.relation);
                if !of_table.eq(planned) {
                    return Ok(false);
                }
            }
        }
    }
    Ok(true)
}

/// Runs statements that are still on the list, and strikes them off it: a schema change on the way here may
/// have taken one away.
pub(crate) async fn run(session: &Session, steps: &[OpenStep]) -> Result<(), Refusal> {
    let struck = session.text_rows(&Store::steps_done(steps)).await;
    let struck = struck.map_err(Refusal::of_records)?;
    for StruckStep {
        ordinal,
        object,
        sql,
    } in StruckStep::all(struck)
    {
        let asked = steps.iter().find(|step| step.ordinal == ordinal);
        let relation = asked
            .and_then(|step| step.relation)
            .map(|relation| relation.0);
        let reported = Step::new(object, sql);
        let done = session.run(&reported.sql).await;
        done.map_err(Refusal::of(relation, &reported))?;
    }
    Ok(())
}
