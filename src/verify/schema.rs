//! Whether both sides have the same schema, at the position of a pair: the descriptions that replicate,
//! object by object.
//!
//! The source's descriptions are rows of `pgstream.object`, so its snapshot shows those of the very
//! position. The target's are made from its catalogs in its snapshot; as functions such as
//! `pg_get_indexdef` read the catalogs of now, a look counts only when nothing has changed meanwhile.

use std::collections::{HashMap, HashSet};

use crate::config::TableFilter;
use crate::model::RelationId;
use crate::postgres::{PgError, Session, sqlstate};
use crate::schema::compare::divergence;
use crate::schema::{Along, DescribeError, Describer, ObjectChange};
use crate::snapshot::source::select;
use crate::snapshot::{existing_by, known_tables};
use crate::status::Verdict;

use super::VerifyError;
use super::pair::Pair;
use super::report::ObjectReport;

/// Changes with every schema change that the stream applies, and with every step of a copy; with indexes also
/// while a statement that needs to be outside of transactions is not written down yet.
const MARK: &str = "\
SELECT pg_catalog.concat(
  (SELECT pg_catalog.concat(pg_catalog.count(*), ' ', pg_catalog.max(h.applied_at))
   FROM pgstream.schema_change AS h WHERE h.slot_name = $1), '/',
  (SELECT pg_catalog.concat(pg_catalog.count(*), ' ', pg_catalog.max(s.ordinal))
   FROM pgstream.snapshot_step AS s WHERE s.slot_name = $1), '/',
  (SELECT pg_catalog.concat(pg_catalog.count(*), ' ', pg_catalog.max(t.lsn))
   FROM pgstream.snapshot_table AS t WHERE t.slot_name = $1 AND t.state = 'ready'), '/',
  (SELECT pg_catalog.concat(pg_catalog.count(*), ' ', pg_catalog.sum(i.indexrelid::pg_catalog.int8), ' ',
                            pg_catalog.count(*) FILTER (WHERE i.indisvalid))
   FROM pg_catalog.pg_index AS i
   JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
   WHERE c.relpersistence <> 't'))";

const NOT_READY: &str = "\
SELECT t.relation FROM pgstream.snapshot_table AS t WHERE t.slot_name = $1 AND t.state <> 'ready'";

/// What a copy has still to make.
const STILL_TO_COME: &str =
    "SELECT s.object FROM pgstream.snapshot_step AS s WHERE s.slot_name = $1";

/// What was compared.
#[derive(Debug, Default)]
pub(super) struct Compared {
    pub(super) object_count: usize,
    /// Those that are not equal, by name.
    pub(super) objects: Vec<ObjectReport>,
    /// What only the target has of tables that both sides have.
    pub(super) only_on_target: Vec<String>,
}

/// Compares the schema of the tables that replicate and are wanted, and of all else that replicates when
/// everything is wanted. None: the target's schema changed meanwhile, and another pair may show it.
pub(super) async fn compare_schema(
    pair: &Pair,
    target: &Session,
    now: &Session,
    (slot_name, wanted, filter): (&str, &TableFilter, &TableFilter),
) -> Result<Option<Compared>, VerifyError> {
    let look = VerifyError::of("look at the records of the stream");
    let source = &pair.source.session;
    let describer = Describer::new(source, true).await?;
    let expected = expected(source, &describer, (wanted, filter)).await?;
    let describer = Describer::temporary(target).await;
    let describer = describer.map_err(VerifyError::of("describe objects of the target"))?;
    let begun = target.run(&pair.target.begin).await;
    begun.map_err(VerifyError::of("read under the target's snapshot"))?;
    let mark = mark(target, slot_name).await.map_err(look)?;
    let open = Open::read(target, slot_name).await;
    let open = open.map_err(VerifyError::of("look at the records of the copies"))?;
    let names: Vec<&ObjectChange> = expected.objects.iter().collect();
    let found = existing_by(&describer, target, &names).await;
    let look = VerifyError::of("look at the records of the stream");
    let same = mark == self::mark(now, slot_name).await.map_err(look)?;
    let ended = target.run("ROLLBACK").await;
    ended.map_err(VerifyError::of("read under the target's snapshot"))?;
    match found {
        _ if !same => Ok(None),
        Ok(found) => Ok(Some(compared(&expected, &found, &open))),
        // An object that went away between two looks at the catalogs, or that somebody holds.
        Err(DescribeError::Ask(error))
            if error.code().is_some_and(|code| {
                code.starts_with("42") || code == sqlstate::LOCK_NOT_AVAILABLE
            }) =>
        {
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

async fn mark(session: &Session, slot_name: &str) -> Result<Option<String>, PgError> {
    let row = session.row(MARK, &[&slot_name]).await?;
    Ok(row.map(|row| row.get(0)))
}

/// What the target should have.
struct Expected {
    tables: HashSet<u32>,
    objects: Vec<ObjectChange>,
}

async fn expected(
    source: &Session,
    describer: &Describer<'_>,
    (wanted, filter): (&TableFilter, &TableFilter),
) -> Result<Expected, VerifyError> {
    let describe = VerifyError::of("describe objects of the source");
    let all = known_tables(source).await.map_err(describe)?;
    let selected = select(&all, wanted, filter).tables;
    let tables: Vec<u32> = selected.iter().map(|table| table.relation.0).collect();
    let along = match wanted.selects_everything() {
        true => Along::Everything,
        false => Along::Nothing,
    };
    let needed = describer.needed(&tables, &along).await;
    let needed = needed.map_err(VerifyError::of("describe objects of the source"))?;
    Ok(Expected {
        objects: describer.describe(&needed).await?,
        tables: tables.into_iter().collect(),
    })
}

/// What is still being copied.
struct Open {
    tables: HashSet<RelationId>,
    objects: HashSet<String>,
}

impl Open {
    async fn read(target: &Session, slot_name: &str) -> Result<Self, PgError> {
        let tables = target.rows(NOT_READY, &[&slot_name]).await?;
        let objects = target.rows(STILL_TO_COME, &[&slot_name]).await?;
        Ok(Self {
            tables: tables.iter().map(|row| RelationId(row.get(0))).collect(),
            objects: objects.iter().map(|row| row.get(0)).collect(),
        })
    }
}

/// Compares what was described. Pure.
fn compared(expected: &Expected, found: &[ObjectChange], open: &Open) -> Compared {
    let on_target: HashMap<String, &ObjectChange> = found
        .iter()
        .map(|object| (object.label(), object))
        .collect();
    let missing_tables = expected.objects.iter().filter(|object| {
        matches!(object, ObjectChange::Table(_)) && !on_target.contains_key(&object.label())
    });
    let missing_tables: HashSet<u32> = missing_tables.map(ObjectChange::oid).collect();
    let reaches = |object: &&ObjectChange| {
        let is_compared =
            |oid: u32| expected.tables.contains(&oid) && !open.tables.contains(&RelationId(oid));
        let is_table = matches!(object, ObjectChange::Table(_));
        let mut relations = object.relation().into_iter().chain(object.referenced());
        relations.all(|oid| is_compared(oid) && (is_table || !missing_tables.contains(&oid)))
            && !open.objects.contains(&object.label())
    };
    let mut compared = Compared::default();
    for object in expected.objects.iter().filter(reaches) {
        compared.object_count += 1;
        let reason = match on_target.get(&object.label()) {
            None => Some("it is not on the target".to_owned()),
            Some(found) => divergence(object, found),
        };
        compared.objects.extend(reason.map(|reason| ObjectReport {
            object: object.label(),
            verdict: Verdict::Different,
            reason,
        }));
    }
    compared
        .objects
        .sort_by(|one, other| one.object.cmp(&other.object));
    let known: HashSet<String> = expected.objects.iter().map(ObjectChange::label).collect();
    let only = found.iter().filter(|object| {
        let part = matches!(object, ObjectChange::Index(_) | ObjectChange::Constraint(_));
        part && !known.contains(&object.label())
    });
    compared.only_on_target = only.map(ObjectChange::label).collect();
    compared.only_on_target.sort();
    compared
}
