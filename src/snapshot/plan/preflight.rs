//! Looks, before anything is touched, at what else on the target a copy will meet.
//!
//! What cannot be passed (a view that has the name of a table) is a conflict. What may do harm is a
//! note, in the log and in the plan: triggers that will fire, constraints that only the target has,
//! functions and extensions that it lacks, owners that do not travel. A table that meets one of those
//! fails alone, and the others are copied.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::config::{TableFilter, key};
use crate::model::{QualifiedName, RelationId};
use crate::postgres::{PgError, Session};
use crate::schema::{
    Conflict, Constraint, Membership, ObjectChange, OtherObject, Roles, Trigger, lacking,
    large_object_count, other_objects, travels,
};
use crate::schema::{UNLOGGED, large_objects_stay};
use crate::snapshot::SourceTable;

/// Of these extensions and versions those that the target cannot make, each with the version that it would make.
const EXTENSIONS: &str = "\
SELECT w.name, w.version, a.default_version
FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.text[]), pg_catalog.unnest($2::pg_catalog.text[])) AS w (name, version)
LEFT JOIN pg_catalog.pg_available_extensions AS a ON a.name = w.name
WHERE NOT EXISTS (
  SELECT FROM pg_catalog.pg_available_extension_versions AS v
  WHERE v.name = w.name AND v.version = w.version)";

const NEEDS: &str = include_str!("../../../assets/sql/source/snapshot/needs.sql");
const MISSING: &str = include_str!("../../../assets/sql/target/missing.sql");
const TAKEN: &str = include_str!("../../../assets/sql/target/taken.sql");

/// Something on the target that does not end the copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) object: String,
    /// What is to be known of it.
    pub(crate) message: String,
}

impl Note {
    pub(crate) fn of_table(name: &QualifiedName, message: String) -> Self {
        Self {
            object: format!("table {name}"),
            message,
        }
    }
}

/// What the source has of the kinds that do not replicate.
#[derive(Debug, Default)]
pub(crate) struct Unreplicated {
    objects: Vec<OtherObject>,
    large_object_count: u64,
}

impl Unreplicated {
    /// Asks the source, before a first copy.
    pub(crate) async fn read(source: &Session) -> Result<Self, PgError> {
        Ok(Self {
            objects: other_objects(source).await?,
            large_object_count: large_object_count(source).await?,
        })
    }
}

/// Something that tables are made of and that does not travel with them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Need {
    relation: u32,
    kind: String,
    identity: String,
}

/// Returns what these tables need, as the source has it.
pub(crate) async fn needs(source: &Session, tables: &[u32]) -> Result<Vec<Need>, PgError> {
    let rows = source.rows(NEEDS, &[&tables]).await?;
    let need = |row: &tokio_postgres::Row| Need {
        relation: row.get(0),
        kind: row.get(1),
        identity: row.get(2),
    };
    let needs = rows.iter().map(need);
    Ok(needs.filter(|need| !travels(&need.kind)).collect())
}

/// What is compared.
pub(crate) struct Preflight<'a> {
    /// The tables that are to be copied.
    pub(crate) tables: &'a [SourceTable],
    /// What the source describes of them.
    pub(crate) wanted: &'a [ObjectChange],
    /// What stands under their names.
    pub(crate) existing: &'a [ObjectChange],
    /// What we made for earlier tries, by OID.
    pub(crate) created: &'a HashMap<u32, ObjectChange>,
    /// What they need.
    pub(crate) needs: &'a [Need],
    /// What else the source has; none: that was reported before.
    pub(crate) unreplicated: Option<&'a Unreplicated>,
    /// Which tables replicate.
    pub(crate) filter: &'a TableFilter,
    /// The triggers of the source, and of the target.
    pub(crate) triggers: (&'a [Trigger], &'a [Trigger]),
    /// Whether ordinary triggers stay silent.
    pub(crate) silent_triggers: bool,
}

impl Preflight<'_> {
    /// Returns what is in the way, and what may do harm.
    pub(crate) async fn look(
        &self,
        target: &Session,
    ) -> Result<(Vec<Conflict>, Vec<Note>), PgError> {
        let conflicts = self.taken_names(target).await?;
        let mut notes = self.firing_triggers();
        notes.extend(self.only_on_target());
        notes.extend(self.missing(target).await?);
        notes.extend(self.extensions(target).await?);
        notes.extend(self.owners(target).await?);
        notes.extend(self.unlogged());
        if let Some(unreplicated) = self.unreplicated {
            notes.extend(self.stays(target, unreplicated).await?);
        }
        Ok((conflicts, notes))
    }

    fn unlogged(&self) -> impl Iterator<Item = Note> {
        let unlogged = self.tables.iter().filter(|table| table.unlogged);
        unlogged.map(|table| Note::of_table(&table.name, UNLOGGED.to_owned()))
    }

    /// Objects of kinds that do not replicate and that the target has not.
    async fn stays(
        &self,
        target: &Session,
        unreplicated: &Unreplicated,
    ) -> Result<Vec<Note>, PgError> {
        let there = other_objects(target).await?;
        let selects = |table: &QualifiedName| self.filter.selects(table);
        let kinds = lacking(&unreplicated.objects, &there, &selects).into_iter();
        let kinds = kinds.filter(|kind| !travels(&kind.kind));
        let mut notes: Vec<Note> = kinds
            .map(|kind| Note {
                message: kind.reason(),
                object: kind.kind,
            })
            .collect();
        if unreplicated.large_object_count > 0 {
            notes.push(Note {
                object: "large objects".to_owned(),
                message: large_objects_stay(unreplicated.large_object_count),
            });
        }
        Ok(notes)
    }

    fn is_created(&self, object: &ObjectChange) -> bool {
        let table = object.relation();
        table.is_some_and(|table| self.created.contains_key(&table))
    }

    async fn taken_names(&self, target: &Session) -> Result<Vec<Conflict>, PgError> {
        let strangers = self.wanted.iter().filter(|object| !self.is_created(object));
        let names: Vec<(&ObjectChange, [String; 4])> = strangers
            .filter_map(|object| Some((object, name_of(object)?)))
            .collect();
        let column =
            |at: usize| -> Vec<&str> { names.iter().map(|(_, name)| name[at].as_str()).collect() };
        let rows = target
            .rows(TAKEN, &[&column(0), &column(1), &column(2), &column(3)])
            .await?;
        let conflict = |row: &tokio_postgres::Row| {
            let (object, _) = names.get(place(row))?;
            Some(Conflict {
                object: object.label(),
                relation: object.relation().map(RelationId),
                reason: format!("{} has its name on the target", row.get::<_, &str>(1)),
            })
        };
        Ok(rows.iter().filter_map(conflict).collect())
    }

    /// The target's own triggers that fire.
    fn firing_triggers(&self) -> Vec<Note> {
        let mut firing: BTreeMap<&QualifiedName, Vec<&Trigger>> = BTreeMap::new();
        for trigger in self.firing(|trigger| trigger.on_insert) {
            if !trigger.is_among(self.triggers.0) {
                firing.entry(&trigger.table).or_default().push(trigger);
            }
        }
        let note = |(table, triggers): (&QualifiedName, Vec<&Trigger>)| {
            let always = triggers.iter().all(|trigger| trigger.enabled == "A");
            let hint = match self.silent_triggers || always {
                true => format!(
                    "ALTER TABLE {} DISABLE TRIGGER USER; keeps them silent",
                    table.quoted()
                ),
                false => format!("{}=true keeps them silent", key::DISABLE_TRIGGERS),
            };
            let names = triggers.iter().map(|trigger| trigger.shown.as_str());
            let names = names.collect::<Vec<_>>().join(", ");
            let message =
                format!("its triggers fire for the rows that are copied: {names}; {hint}");
            Note::of_table(table, message)
        };
        firing.into_iter().map(note).collect()
    }

    /// The triggers that would fire for a copy and that the source has, too: what they did there comes with
    /// the rows. Each with its table (OID on the source).
    pub(crate) fn shared_triggers(&self) -> Vec<(u32, &Trigger)> {
        let shared = self
            .firing(|trigger| trigger.on_fill)
            .filter(|trigger| trigger.is_among(self.triggers.0));
        let with_table = shared.filter_map(|trigger| {
            let mut tables = self.tables.iter();
            let table = tables.find(|table| table.name == trigger.table)?;
            Some((table.relation.0, trigger))
        });
        with_table.collect()
    }

    fn firing(&self, when: fn(&Trigger) -> bool) -> impl Iterator<Item = &Trigger> {
        let tables: HashSet<&QualifiedName> = self
            .tables
            .iter()
            .filter(|table| !table.partitioned)
            .map(|table| &table.name)
            .collect();
        let fires = move |trigger: &&Trigger| {
            trigger.fires(self.silent_triggers) && when(trigger) && tables.contains(&trigger.table)
        };
        self.triggers.1.iter().filter(fires)
    }

    /// Constraints and unique indexes of existing tables, without their like on the source.
    fn only_on_target(&self) -> Vec<Note> {
        let wanted: HashSet<(String, &str)> = self
            .wanted
            .iter()
            .filter_map(|object| rule(object))
            .collect();
        let tables: HashSet<&QualifiedName> = self.tables.iter().map(|t| &t.name).collect();
        let strange = self.existing.iter().filter(|object| {
            rule(object).is_some_and(|rule| !wanted.contains(&rule))
                && table_of(object).is_some_and(|table| tables.contains(table))
        });
        let note = |object: &ObjectChange| Note {
            object: object.label(),
            message: "it is only on the target, and refuses rows that do not fulfil it".to_owned(),
        };
        strange.map(note).collect()
    }

    async fn missing(&self, target: &Session) -> Result<Vec<Note>, PgError> {
        if self.needs.is_empty() {
            return Ok(Vec::new());
        }
        let kinds: Vec<&str> = self.needs.iter().map(|need| need.kind.as_str()).collect();
        let identities: Vec<&str> = self.needs.iter().map(|n| n.identity.as_str()).collect();
        let rows = target.rows(MISSING, &[&kinds, &identities]).await?;
        let mut missing: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for need in rows.iter().filter_map(|row| self.needs.get(place(row))) {
            let table = self
                .tables
                .iter()
                .find(|table| table.relation.0 == need.relation);
            missing
                .entry(format!("{} {}", need.kind, need.identity))
                .or_default()
                .extend(table.map(|table| table.name.to_string()));
        }
        let note = |(object, tables): (String, BTreeSet<String>)| {
            let tables = tables.into_iter().collect::<Vec<_>>().join(", ");
            let message =
                format!("it is not on the target, and does not travel; needed by {tables}");
            Note { object, message }
        };
        Ok(missing.into_iter().map(note).collect())
    }

    /// Extensions whose files the target's machine lacks, or has in other versions.
    async fn extensions(&self, target: &Session) -> Result<Vec<Note>, PgError> {
        let there: HashSet<String> = self.existing.iter().map(ObjectChange::label).collect();
        let new = self.wanted.iter().filter_map(|object| match object {
            ObjectChange::Object(images) if !there.contains(&object.label()) => {
                images.after.as_ref()
            }
            _ => None,
        });
        let new: Vec<(&str, &str)> = new
            .filter_map(|object| Some((object.name.as_str(), object.extension_version()?)))
            .collect();
        if new.is_empty() {
            return Ok(Vec::new());
        }
        let (names, versions): (Vec<&str>, Vec<&str>) = new.into_iter().unzip();
        let rows = target.rows(EXTENSIONS, &[&names, &versions]).await?;
        let note = |row: &tokio_postgres::Row| {
            let (name, version): (&str, &str) = (row.get(0), row.get(1));
            let message = match row.get::<_, Option<&str>>(2) {
                None => "its files are not on the target's machine: install the package that brings it there, or \
                         tables that use it cannot be made"
                    .to_owned(),
                Some(other) => format!(
                    "is version {version} on the source; the target's machine has no files of that version, and \
                     makes {other}"
                ),
            };
            let object = format!("extension {name}");
            Note { object, message }
        };
        Ok(rows.iter().map(note).collect())
    }

    /// What the target has no owner for, or none whose rights our role has, is our role's.
    async fn owners(&self, target: &Session) -> Result<Option<Note>, PgError> {
        let roles = Roles::read(target, self.wanted, &[]).await?;
        let new = self.wanted.iter().filter_map(|object| match object {
            ObjectChange::Table(images) => images.after.as_ref(),
            _ => None,
        });
        let owners: BTreeSet<&str> = new
            .map(|table| table.owner.as_str())
            .filter(|owner| *owner != roles.ours && !owner.is_empty())
            .filter(|owner| roles.membership(owner) != Some(Membership::Inheriting))
            .collect();
        let owners = owners.into_iter().collect::<Vec<_>>().join(", ");
        Ok((!owners.is_empty()).then(|| Note {
            object: format!("role {}", roles.ours),
            message: format!(
                "owns what is made on the target for roles that it has no rights of there ({owners} on the \
                 source): CREATE ROLE and GRANT them to it before the copy, and they own it"
            ),
        }))
    }
}

fn place(row: &tokio_postgres::Row) -> usize {
    usize::try_from(row.get::<_, i64>(0) - 1).unwrap_or(usize::MAX)
}

/// Kind, schema and name, and of an index its table; schemas and constraints have names of their own.
fn name_of(object: &ObjectChange) -> Option<[String; 4]> {
    let four = |kind: &str, name: &QualifiedName, table: &str| {
        [kind, &name.schema, &name.name, table].map(str::to_owned)
    };
    Some(match object {
        ObjectChange::Schema(_) | ObjectChange::Constraint(_) | ObjectChange::Object(_) => {
            return None;
        }
        ObjectChange::Table(images) => four("table", &images.known()?.qualified_name(), ""),
        ObjectChange::Sequence(images) => four("sequence", &images.known()?.qualified_name(), ""),
        ObjectChange::Type(images) => four("type", &images.known()?.qualified_name(), ""),
        ObjectChange::Index(images) => {
            let index = images.known()?;
            let name = QualifiedName::new(&*index.table.schema, index.name.as_str());
            four("index", &name, &index.table.name)
        }
    })
}

fn table_of(object: &ObjectChange) -> Option<&QualifiedName> {
    match object {
        ObjectChange::Constraint(images) => images.known().map(|constraint| &constraint.table),
        ObjectChange::Index(images) => images.known().map(|index| &index.table),
        _ => None,
    }
}

/// What an object asks of rows, whatever its name is; none: nothing.
fn rule(object: &ObjectChange) -> Option<(String, &str)> {
    match object {
        ObjectChange::Constraint(images) => {
            let Constraint {
                table, definition, ..
            } = images.known()?;
            Some((table.to_string(), definition))
        }
        ObjectChange::Index(images) => {
            let index = images.known()?;
            let (head, columns) = index.definition.split_once(" USING ")?;
            let unique = head.starts_with("CREATE UNIQUE ") && index.constraint.is_none();
            unique.then(|| (index.table.to_string(), columns))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn constraint(name: &str, definition: &str) -> ObjectChange {
        let after = json!({"name": name, "table_oid": 1, "type": "c", "validated": true,
                           "table": {"schema": "public", "name": "t"}, "definition": definition});
        let images = json!({"kind": "constraint", "oid": 2, "before": null, "after": after});
        serde_json::from_value(images).unwrap()
    }

    #[test]
    fn a_rule_is_the_same_under_another_name_and_another_table_is_not_asked() {
        let (wanted, existing) = (
            [constraint("a", "CHECK ((x > 0))")],
            [
                constraint("b", "CHECK ((x > 0))"),
                constraint("c", "CHECK ((x > 7))"),
            ],
        );
        let of = |table: &str| {
            let tables = [SourceTable::named("public", table)];
            let preflight = Preflight {
                tables: &tables,
                wanted: &wanted,
                existing: &existing,
                created: &HashMap::new(),
                needs: &[],
                unreplicated: None,
                triggers: (&[], &[]),
                filter: &TableFilter::default(),
                silent_triggers: false,
            };
            preflight.only_on_target()
        };
        let found: Vec<String> = of("t").into_iter().map(|note| note.object).collect();
        assert_eq!(found, ["constraint c on public.t"]);
        assert_eq!(of("u"), []);
    }
}
