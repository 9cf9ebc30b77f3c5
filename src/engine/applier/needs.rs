//! What a change needs that no change of its own has brought: sequences that a table draws from while the filter
//! leaves out the one that owns them (`CREATE TABLE … (LIKE … INCLUDING ALL)`), which come without their owner;
//! and free sequences and types that were there before `init`, and that no copy has brought.

use tracing::{debug, info};

use crate::engine::EngineError;
use crate::model::{Classify as _, ErrorClass, quote_ident};
use crate::postgres::{self, PgError};
use crate::schema::{self, Entry, Images, ObjectChange, Plan, Sequence, Step, Table, lend};

use super::Applier;
use super::table_sync::records_refused;

/// The sequences that the defaults of these tables draw from, as they are recorded.
const DRAWN_FROM: &str = "\
SELECT DISTINCT pgstream.with_names(o.description)::pg_catalog.text
FROM pg_catalog.pg_attrdef AS f
JOIN pg_catalog.pg_depend AS d
  ON d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND d.objid = f.oid
 AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
JOIN pg_catalog.pg_class AS q ON q.oid = d.refobjid AND q.relkind = 'S'
JOIN pgstream.object AS o ON o.class = d.refclassid AND o.oid = q.oid
WHERE f.adrelid = ANY ($1) AND NOT EXISTS (
  SELECT FROM pg_catalog.pg_depend AS w
  WHERE w.classid = d.refclassid AND w.objid = q.oid AND w.refclassid = d.refclassid
    AND w.refobjid = f.adrelid AND w.deptype IN ('a', 'i'))";

impl Applier {
    /// Returns a plan that makes first what the change needs.
    pub(super) async fn with_needs(
        &self,
        entry: &Entry,
        mut plan: Plan,
    ) -> Result<Plan, EngineError> {
        let mut needs = self.made_before(entry).await?;
        needs.extend(self.lent_sequences(entry).await?);
        plan.steps.splice(0..0, needs);
        Ok(plan)
    }

    /// A sequence of no table, or a type, that is altered and that the target lacks, is made as it was before.
    async fn made_before(&self, entry: &Entry) -> Result<Vec<Step>, EngineError> {
        let mut missing = Vec::new();
        for object in entry.change.objects.iter().filter(|object| is_free(object)) {
            let stands = self.stands(object).await;
            if !stands.map_err(|source| self.failed(records_refused(source)))? {
                info!(target: "schema", object = object.label_before(), "is not on the target: it is made first");
                missing.push(object.before_it());
            }
        }
        Ok(
            schema::plan_copy(&missing, &schema::ObjectNeeds::default(), &|name| {
                self.router.selects(name)
            })
            .steps
            .into_iter()
            .map(|staged| staged.step)
            .collect(),
        )
    }

    async fn lent_sequences(&self, entry: &Entry) -> Result<Vec<Step>, EngineError> {
        let objects = entry.change.objects.iter();
        let tables = objects.filter_map(|object| match object {
            ObjectChange::Table(images) => Some(images),
            _ => None,
        });
        let selected = tables.filter(|images| {
            let after = images.after.as_ref().map(Table::qualified_name);
            after.is_some_and(|name| self.router.selects(&name))
        });
        let (mut tables, mut defaults) = (Vec::new(), Vec::new());
        for images in selected {
            let drawing = defaults_from_others(entry, images);
            tables.extend((!drawing.is_empty()).then_some(images.oid));
            defaults.extend(drawing);
        }
        if tables.is_empty() {
            return Ok(Vec::new());
        }
        match self.drawn_from(&tables).await {
            Ok(sequences) => Ok(sequences
                .iter()
                .filter(|one| self.is_lent(one) && defaults.iter().any(|text| names(text, one)))
                .map(lend)
                .collect()),
            Err(source) if source.class() == ErrorClass::Transient => Err(EngineError::Source {
                operation: "describe the sequences that a table draws from",
                endpoint: self.source.endpoint(),
                source,
            }),
            // The target says which one it lacks.
            Err(error) => {
                debug!(target: "schema", %error, "cannot describe the sequences of others");
                Ok(Vec::new())
            }
        }
    }

    async fn drawn_from(&self, tables: &[u32]) -> Result<Vec<Sequence>, PgError> {
        let session = postgres::connect(&self.source, "pgstream").await?;
        let rows = session.rows(DRAWN_FROM, &[&tables]).await?;
        let sequences = rows.iter().map(|row| serde_json::from_str(row.get(0)));
        Ok(sequences.filter_map(Result::ok).collect())
    }

    fn is_lent(&self, sequence: &Sequence) -> bool {
        let owner = sequence.table.as_ref();
        owner.is_none_or(|owner| !self.router.selects(owner))
    }
}

fn is_free(object: &ObjectChange) -> bool {
    match object {
        ObjectChange::Sequence(images) => {
            let kept = images.before.as_ref().filter(|_| images.after.is_some());
            kept.is_some_and(|before| before.table_oid.is_none())
        }
        ObjectChange::Type(images) => images.before.is_some() && images.after.is_some(),
        _ => false,
    }
}

/// The new defaults that draw from a sequence which does not come with this change.
fn defaults_from_others<'e>(entry: &Entry, images: &'e Images<Table>) -> Vec<&'e str> {
    let comes = |number: i32| {
        entry.change.objects.iter().any(|object| match object {
            ObjectChange::Sequence(sequence) => sequence.after.as_ref().is_some_and(|sequence| {
                sequence.table_oid == Some(images.oid) && sequence.column_number == Some(number)
            }),
            _ => false,
        })
    };
    let before = |number: i32| images.before.as_ref()?.column(number)?.default.as_deref();
    let columns = images.after.iter().flat_map(|table| &table.columns);
    let defaults = columns.filter_map(|column| {
        let default = column.default.as_deref()?;
        let draws = default.contains("nextval(") && before(column.number) != Some(default);
        (draws && !comes(column.number)).then_some(default)
    });
    defaults.collect()
}

/// Whether a default names the sequence: the source has it by its name of now, which may be a later one.
fn names(default: &str, sequence: &Sequence) -> bool {
    let plain = format!("{}'", sequence.qualified_name());
    let quoted = format!(".{}'", quote_ident(&sequence.name));
    default.contains(&plain) || default.contains(&quoted)
}
