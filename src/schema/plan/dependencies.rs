//! What new tables depend on before they have rows: inheritance, and rows that are values of
//! other tables and types (`CREATE TABLE b (x a)` needs the table `a`).
//!
//! Age says nothing about it: a table may have got its parent, or a column of such a type, long after
//! it was made. Types come before all tables, but for those that are made of rows of tables: with these,
//! neither kind can come before the other as a whole.

use std::collections::{HashMap, HashSet};

use crate::model::QualifiedName;
use crate::schema::description::{Column, Object, Parent, Table, Type};
use crate::schema::entry::{Images, ObjectChange};

use super::command_objects::CommandObjects;
use super::steps::Depth;

/// The dependencies among the objects of a command. They are known by their OIDs on the source.
pub(super) struct Dependencies {
    /// The tables that are somebody's parent or type, or that a function takes rows of.
    used: HashSet<u32>,
    /// Those of them whose rows are values of others.
    row_types: HashSet<QualifiedName>,
    /// What no table, type or index can be made without, of those that are neither.
    early: HashSet<u32>,
    depths: HashMap<u32, Depth>,
}

/// What each object needs.
type Parts = HashMap<u32, Vec<u32>>;

impl Dependencies {
    /// `needs`: which other object one cannot be made without, of functions, views and so on.
    pub(super) fn of(command: &CommandObjects<'_>, needs: &[(u32, u32)]) -> Self {
        let mut dependencies = Self {
            used: HashSet::new(),
            row_types: HashSet::new(),
            early: early(command, needs),
            depths: HashMap::new(),
        };
        let mut parts = dependencies.of_tables_and_types(command);
        let late = |oid: &u32| !parts.contains_key(oid) && !dependencies.early.contains(oid);
        let (late, early): (Vec<_>, Vec<_>) = needs.iter().partition(|(oid, _)| late(oid));
        for (oid, needed) in early {
            parts.entry(oid).or_default().push(needed);
        }
        let tables: HashSet<u32> = command.tables.keys().copied().collect();
        let used = parts.values().flatten();
        dependencies.used = used.filter(|oid| tables.contains(oid)).copied().collect();
        for (oid, needed) in late {
            parts.entry(oid).or_default().push(needed);
        }
        for oid in parts.keys() {
            dependencies.climb(*oid, &parts);
        }
        dependencies
    }

    /// What tables and types are made of, by the names that stand in their descriptions.
    fn of_tables_and_types(&mut self, command: &CommandObjects<'_>) -> Parts {
        let mut names = HashMap::new();
        let mut parts = HashMap::new();
        let mut tables = HashSet::new();
        for object in command.objects {
            match object {
                ObjectChange::Table(images) => {
                    let Some(table) = &images.after else { continue };
                    let parents = table.parents.iter().map(Parent::qualified_name);
                    let values = of_columns(&table.columns);
                    self.row_types.extend(values.iter().cloned());
                    let of_type = table.of_type.as_deref().and_then(named);
                    let all: Vec<_> = parents.chain(values).chain(of_type).collect();
                    parts.insert(images.oid, all);
                    names.insert(table.qualified_name(), images.oid);
                    tables.insert(table.qualified_name());
                }
                ObjectChange::Type(images) => {
                    let Some(of) = &images.after else { continue };
                    let values = of_type(of);
                    self.row_types.extend(values.iter().cloned());
                    parts.insert(images.oid, values);
                    names.insert(of.qualified_name(), images.oid);
                }
                _ => {}
            }
        }
        self.row_types.retain(|name| tables.contains(name));
        let known = |all: Vec<QualifiedName>| {
            let known = all.iter().filter_map(|name| names.get(name).copied());
            known.collect()
        };
        let parts = parts.into_iter();
        parts.map(|(oid, all)| (oid, known(all))).collect()
    }

    fn climb(&mut self, oid: u32, parts: &Parts) -> Depth {
        if let Some(known) = self.depths.get(&oid) {
            return *known;
        }
        // Nothing is a part of itself; descriptions of different snapshots may look as if it were.
        self.depths.insert(oid, Depth::default());
        let mut depth = Depth::default();
        for part in parts.get(&oid).into_iter().flatten() {
            let below = self.climb(*part, parts);
            depth.steps = depth.steps.max(below.steps + 1);
            depth.above_table |= below.above_table || self.used.contains(part);
        }
        self.depths.insert(oid, depth);
        depth
    }

    /// Returns whether a table, a type or an index cannot be made without the object.
    pub(super) fn is_early(&self, oid: u32) -> bool {
        self.early.contains(&oid)
    }

    /// Returns whether it is a new table that can be made at any time: it needs none, and none needs it.
    pub(super) fn leave_apart(&self, images: &Images<Table>) -> bool {
        let new = images.after.as_ref().filter(|_| images.before.is_none());
        new.is_some_and(|table| {
            let plain = table.parents.is_empty() && table.partition_key.is_none();
            plain && !self.used.contains(&images.oid) && !self.depth(images.oid).above_table
        })
    }

    /// Returns the tables whose rows are values of others.
    pub(super) const fn row_types(&self) -> &HashSet<QualifiedName> {
        &self.row_types
    }

    /// Returns where an object stands.
    pub(super) fn depth(&self, oid: u32) -> Depth {
        self.depths.get(&oid).copied().unwrap_or_default()
    }
}

/// A text may need it that no dependency tells of: a cast is known by its function alone.
fn comes_before_tables(object: &Object) -> bool {
    matches!(
        object.kind.as_str(),
        "extension"
            | "collation"
            | "conversion"
            | "cast"
            | "transform"
            | "language"
            | "access method"
            | "operator"
            | "operator class"
            | "operator family"
    )
}

/// What tables, types, indexes and constraints need of other kinds, and what that needs.
fn early(command: &CommandObjects<'_>, needs: &[(u32, u32)]) -> HashSet<u32> {
    let is_other = |object: &&ObjectChange| matches!(object, ObjectChange::Object(_));
    let others: HashSet<u32> = command
        .objects
        .iter()
        .filter(is_other)
        .map(ObjectChange::oid)
        .collect();
    let mut of: Parts = HashMap::new();
    for (oid, needed) in needs {
        of.entry(*oid).or_default().push(*needed);
    }
    let before_tables = |object: &&ObjectChange| match object {
        ObjectChange::Object(images) => images.known().is_some_and(comes_before_tables),
        _ => false,
    };
    let objects = command.objects.iter();
    let mut early: HashSet<u32> = objects
        .filter(before_tables)
        .map(ObjectChange::oid)
        .collect();
    let mut open: Vec<u32> = (command.objects.iter())
        .filter(|object| !is_other(object) && !is_on_view(object))
        .map(ObjectChange::oid)
        .chain(early.iter().copied())
        .collect();
    while let Some(oid) = open.pop() {
        let needed = of.get(&oid).into_iter().flatten();
        for needed in needed.filter(|needed| others.contains(needed)) {
            if early.insert(*needed) {
                open.push(*needed);
            }
        }
    }
    early
}

/// An index of a materialized view comes with that.
fn is_on_view(object: &ObjectChange) -> bool {
    matches!(object, ObjectChange::Index(images) if images.known().is_some_and(|index| index.materialized))
}

/// Returns the types of columns that are not built in.
pub(super) fn of_columns(columns: &[Column]) -> Vec<QualifiedName> {
    let names = columns.iter().map(|column| column.type_name.as_str());
    names.filter_map(named).collect()
}

/// Returns what a type is made of, of types that are not built in.
pub(super) fn of_type(of: &Type) -> Vec<QualifiedName> {
    let base = of.base.as_deref().and_then(named);
    let range = of.range.as_ref().and_then(|range| named(&range.subtype));
    let attributes = of_columns(&of.attributes).into_iter();
    attributes.chain(base).chain(range).collect()
}

/// Returns the qualified name in a type as PostgreSQL prints it, `s."T"[]`; none: a built-in type.
fn named(printed: &str) -> Option<QualifiedName> {
    let (schema, rest) = identifier(printed)?;
    let (name, _) = identifier(rest.strip_prefix('.')?)?;
    Some(QualifiedName::new(schema, name))
}

fn identifier(text: &str) -> Option<(String, &str)> {
    let Some(mut rest) = text.strip_prefix('"') else {
        let end = text.find(['.', '[', '(', ' ']).unwrap_or(text.len());
        return (end > 0).then(|| (text[..end].to_owned(), &text[end..]));
    };
    let mut name = String::new();
    loop {
        let (part, behind) = rest.split_once('"')?;
        name.push_str(part);
        let Some(more) = behind.strip_prefix('"') else {
            return Some((name, behind));
        };
        name.push('"');
        rest = more;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_printed_type_names_its_schema_and_itself() {
        let check = |printed: &str, expected: Option<(&str, &str)>| {
            let expected = expected.map(|(schema, name)| QualifiedName::new(schema, name));
            assert_eq!(named(printed), expected, "{printed}");
        };

        check("integer", None);
        check("character varying(10)", None);
        check("timestamp(3) with time zone", None);
        check("public.b", Some(("public", "b")));
        check("public.b[]", Some(("public", "b")));
        check("public.geometry(Point,4326)", Some(("public", "geometry")));
        check(r#""a ""q"".s"."T [x]"[]"#, Some((r#"a "q".s"#, "T [x]")));
    }
}
