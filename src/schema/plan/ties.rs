//! What ties new tables to each other before they have rows: inheritance, and rows that are values of
//! other tables and types (`CREATE TABLE b (x a)` needs the table `a`).
//!
//! Types come before all tables, but for those that are made of rows of tables: with these, neither kind
//! can come before the other as a whole.

use std::collections::{HashMap, HashSet};

use super::scene::Scene;
use crate::model::QualifiedName;
use crate::schema::description::{Column, Table, Type};
use crate::schema::entry::{Images, ObjectChange};

/// The ties among the objects of a scene.
pub(super) struct Ties {
    /// The tables that others inherit from.
    parents: HashSet<u32>,
    /// The tables that are somebody's type.
    used: HashSet<QualifiedName>,
    depths: HashMap<QualifiedName, i32>,
}

impl Ties {
    pub(super) fn of(scene: &Scene<'_>) -> Self {
        let mut parts: HashMap<QualifiedName, Vec<QualifiedName>> = HashMap::new();
        let mut tables = HashSet::new();
        for object in scene.objects {
            match object {
                ObjectChange::Table(images) => {
                    let Some(table) = &images.after else { continue };
                    tables.insert(table.qualified_name());
                    parts.insert(table.qualified_name(), of_columns(&table.columns));
                }
                ObjectChange::Type(images) => {
                    let Some(of) = &images.after else { continue };
                    parts.insert(of.qualified_name(), of_type(of));
                }
                _ => {}
            }
        }
        let mut used: HashSet<QualifiedName> = parts.values().flatten().cloned().collect();
        used.retain(|name| tables.contains(name));
        let (mut depths, mut parents) = (HashMap::new(), HashSet::new());
        for table in scene.tables.values().filter_map(|t| t.after.as_ref()) {
            parents.extend(table.parents.iter().map(|parent| parent.oid));
        }
        if !used.is_empty() {
            for name in parts.keys() {
                depth(name, &parts, &used, &mut depths);
            }
        }
        Self {
            parents,
            used,
            depths,
        }
    }

    /// Returns whether it is a new table that can be made at any time: neither above nor below another,
    /// and nobody's type.
    pub(super) fn leave_apart(&self, images: &Images<Table>) -> bool {
        let new = images.after.as_ref().filter(|_| images.before.is_none());
        new.is_some_and(|table| {
            let name = table.qualified_name();
            let alone = table.parents.is_empty() && !self.parents.contains(&images.oid);
            let plain = alone && table.partition_key.is_none();
            plain && !self.used.contains(&name) && self.depth(&name) == 0
        })
    }

    /// Returns how many tables must be made before an object, one after the other.
    pub(super) fn depth(&self, object: &QualifiedName) -> i32 {
        self.depths.get(object).copied().unwrap_or_default()
    }
}

fn depth(
    name: &QualifiedName,
    parts: &HashMap<QualifiedName, Vec<QualifiedName>>,
    used: &HashSet<QualifiedName>,
    depths: &mut HashMap<QualifiedName, i32>,
) -> i32 {
    if let Some(known) = depths.get(name) {
        return *known;
    }
    // No type is a part of itself; descriptions of different moments may look as if it were.
    depths.insert(name.clone(), 0);
    let below = parts.get(name).map_or(&[][..], Vec::as_slice).iter();
    let below = below.map(|part| depth(part, parts, used, depths) + i32::from(used.contains(part)));
    let deepest = below.max().unwrap_or_default();
    depths.insert(name.clone(), deepest);
    deepest
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
