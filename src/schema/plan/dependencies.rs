//! What new tables depend on before they have rows: inheritance, and rows that are values of
//! other tables and types (`CREATE TABLE b (x a)` needs the table `a`).
//!
//! Age says nothing about it: a table may have got its parent, or a column of such a type, long after
//! it was made. Types come before all tables, but for those that are made of rows of tables: with these,
//! neither kind can come before the other as a whole.

use std::collections::{HashMap, HashSet};

use crate::model::QualifiedName;
use crate::schema::description::{Column, Parent, Table, Type};
use crate::schema::entry::{Images, ObjectChange};

use super::command_objects::CommandObjects;
use super::steps::Depth;

/// The dependencies among the objects of a command.
pub(super) struct Dependencies {
    /// The tables that are somebody's parent or type.
    used: HashSet<QualifiedName>,
    /// Those of them whose rows are values of others.
    row_types: HashSet<QualifiedName>,
    depths: HashMap<QualifiedName, Depth>,
}

/// What each table and type is made of, by name.
type Parts = HashMap<QualifiedName, Vec<QualifiedName>>;

impl Dependencies {
    pub(super) fn of(command: &CommandObjects<'_>) -> Self {
        let mut dependencies = Self {
            used: HashSet::new(),
            row_types: HashSet::new(),
            depths: HashMap::new(),
        };
        let mut parts = Parts::new();
        let mut tables = HashSet::new();
        for object in command.objects {
            match object {
                ObjectChange::Table(images) => {
                    let Some(table) = &images.after else { continue };
                    let parents = table.parents.iter().map(Parent::qualified_name);
                    let values = of_columns(&table.columns);
                    dependencies.row_types.extend(values.iter().cloned());
                    let of_type = table.of_type.as_deref().and_then(named);
                    let all = parents.chain(values).chain(of_type).collect();
                    parts.insert(table.qualified_name(), all);
                    tables.insert(table.qualified_name());
                }
                ObjectChange::Type(images) => {
                    let Some(of) = &images.after else { continue };
                    let values = of_type(of);
                    dependencies.row_types.extend(values.iter().cloned());
                    parts.insert(of.qualified_name(), values);
                }
                _ => {}
            }
        }
        let used = parts.values().flatten();
        dependencies.used = used.filter(|name| tables.contains(name)).cloned().collect();
        dependencies.row_types.retain(|name| tables.contains(name));
        for name in parts.keys() {
            dependencies.climb(name, &parts);
        }
        dependencies
    }

    fn climb(&mut self, name: &QualifiedName, parts: &Parts) -> Depth {
        if let Some(known) = self.depths.get(name) {
            return *known;
        }
        // Nothing is a part of itself; descriptions of different snapshots may look as if it were.
        self.depths.insert(name.clone(), Depth::default());
        let mut depth = Depth::default();
        for part in parts.get(name).into_iter().flatten() {
            let below = self.climb(part, parts);
            depth.steps = depth.steps.max(below.steps + 1);
            depth.above_table |= below.above_table || self.used.contains(part);
        }
        self.depths.insert(name.clone(), depth);
        depth
    }

    /// Returns whether it is a new table that can be made at any time: it needs none, and none needs it.
    pub(super) fn leave_apart(&self, images: &Images<Table>) -> bool {
        let new = images.after.as_ref().filter(|_| images.before.is_none());
        new.is_some_and(|table| {
            let name = table.qualified_name();
            let plain = table.parents.is_empty() && table.partition_key.is_none();
            plain && !self.used.contains(&name) && !self.depth(&name).above_table
        })
    }

    /// Returns the tables whose rows are values of others.
    pub(super) const fn row_types(&self) -> &HashSet<QualifiedName> {
        &self.row_types
    }

    /// Returns where an object stands.
    pub(super) fn depth(&self, object: &QualifiedName) -> Depth {
        self.depths.get(object).copied().unwrap_or_default()
    }
}

fn of_columns(columns: &[Column]) -> Vec<QualifiedName> {
    let names = columns.iter().map(|column| column.type_name.as_str());
    names.filter_map(named).collect()
}

fn of_type(of: &Type) -> Vec<QualifiedName> {
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
