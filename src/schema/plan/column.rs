//! Columns, by their number. Structure (add, drop, type, name) goes through the parent and reaches
//! children by itself, as it did on the source; everything else is said for each table with ONLY.

use crate::model::{quote_ident, quote_literal};
use crate::schema::description::{Column, Table};

use super::command_objects::CommandObjects;
use super::not_null;
use super::sequence::parameters;
use super::sql::{comment, compression_keyword, option_changes, storage_keyword};
use super::steps::{Phase, Steps, label};

/// One table before and after, and what its columns are asked about.
pub(super) struct Columns<'a> {
    pub(super) command: &'a CommandObjects<'a>,
    pub(super) oid: u32,
    pub(super) before: &'a Table,
    pub(super) after: &'a Table,
}

impl Columns<'_> {
    pub(super) fn plan(&self, steps: &mut Steps) {
        let object = label("table", &self.after.qualified_name());
        let structure_is_own = self.after.of_type.is_none() || self.before.of_type.is_none();
        for column in &self.before.columns {
            if self.after.column(column.number).is_none() && structure_is_own {
                self.drop(column, steps, &object);
            }
        }
        for column in &self.after.columns {
            match self.before.column(column.number) {
                None if structure_is_own => self.add(column, steps, &object),
                None => {}
                Some(before) => self.alter(before, column, steps, &object),
            }
        }
    }

    fn retypes(&self) -> bool {
        self.after.columns.iter().any(|after| {
            let before = self.before.column(after.number);
            before.is_some_and(|before| is_retyped(before, after))
        })
    }

    /// What a statement that goes through the whole family is said to.
    fn family(&self) -> String {
        format!("ALTER TABLE {}", self.after.qualified_name().quoted())
    }

    fn only(&self) -> String {
        format!("ALTER TABLE ONLY {}", self.after.qualified_name().quoted())
    }

    fn only_before(&self) -> String {
        format!("ALTER TABLE ONLY {}", self.before.qualified_name().quoted())
    }

    fn drop(&self, column: &Column, steps: &mut Steps, object: &str) {
        if column.is_inherited_only() {
            return;
        }
        let stays_below = self.command.children(self.oid).any(|child| {
            let before = child.before.as_ref().map(|t| t.columns.as_slice());
            let mut before = before.unwrap_or_default().iter();
            let inherited = before.find(|c| c.name == column.name);
            inherited
                .zip(child.after.as_ref())
                .is_some_and(|(inherited, after)| after.column(inherited.number).is_some())
        });
        let only = if stays_below { "ONLY " } else { "" };
        let table = self.before.qualified_name().quoted();
        let name = quote_ident(&column.name);
        let sql = format!("ALTER TABLE {only}{table} DROP COLUMN {name}");
        // Generated columns need the columns that they are computed from.
        let rank = if column.generated.is_some() { -1 } else { 0 };
        steps.add_ranked(Phase::DropColumn, rank, object, sql);
    }

    fn add(&self, column: &Column, steps: &mut Steps, object: &str) {
        let inherits_now =
            column.is_inherited_only()
                && self.after.parents.iter().any(|parent| {
                    self.before.parents.contains(parent) || !self.before.is_partition()
                });
        if !inherits_now {
            let missing = self.missing_value(column);
            let name = quote_ident(&column.name);
            let default = missing.as_deref().or(column.default.as_deref());
            let parts = parts(self.command, self.oid, column, default);
            let type_of = type_of(column);
            let table = self.family();
            let sql = format!("{table} ADD COLUMN {name} {type_of}{parts}");
            // What is computed from a column keeps it from getting another type.
            match column.generated.is_some() && self.retypes() {
                true => steps.add_ranked(Phase::ColumnSetting, i32::MIN, object, sql),
                false => steps.add(Phase::AddColumn, object, sql),
            }
            not_null::add_unvalidated(self.command, self.after, column, steps);
            if missing.is_some() {
                let sql = format!("{table} ALTER COLUMN {name} {}", default_clause(column));
                steps.add(Phase::AddColumn, object, sql);
            }
        }
        settings_of_new(self.after, column, steps, object);
    }

    /// The value that existing rows got, where the default would give another one on the target.
    fn missing_value(&self, column: &Column) -> Option<String> {
        let default = column.default.as_ref()?;
        if column.generated.is_some() || is_constant(default) {
            return None;
        }
        let literal = |missing: &String| {
            let text = quote_literal(missing);
            format!("{}::{}", text.trim_start(), column.type_name)
        };
        let below = || {
            let mut tables = self
                .command
                .children(self.oid)
                .filter_map(|c| c.after.as_ref());
            tables.find_map(|t| {
                t.columns
                    .iter()
                    .find(|c| c.name == column.name)?
                    .missing
                    .as_ref()
            })
        };
        column.missing.as_ref().or_else(below).map(literal)
    }

    fn alter(&self, before: &Column, after: &Column, steps: &mut Steps, object: &str) {
        let typed = self.after.of_type.is_some() && self.before.of_type.is_some();
        let follows = after.inherited > 0 && before.inherited > 0 || typed;
        if before.name != after.name && !follows {
            self.rename(before, after, steps, object);
        }
        let retyped = is_retyped(before, after);
        if retyped {
            self.retype(before, after, follows, steps, object);
        }
        self.alter_default(before, after, retyped, steps, object);
        self.alter_identity(before, after, steps, object);
        self.alter_not_null(before, after, steps, object);
        let name = quote_ident(&after.name);
        let table = self.only();
        for clause in setting_clauses(before, after) {
            steps.add(
                Phase::ColumnSetting,
                object,
                format!("{table} ALTER COLUMN {name} {clause}"),
            );
        }
        column_comment(self.after, Some(before), after, steps, object);
    }

    /// Two columns that swap their names meet in a name that nobody else has.
    fn rename(&self, before: &Column, after: &Column, steps: &mut Steps, object: &str) {
        let table = self.family();
        let mut old = quote_ident(&before.name);
        let new = quote_ident(&after.name);
        let taken = |c: &Column| c.name == after.name && self.after.column(c.number).is_some();
        if self.before.columns.iter().any(taken) {
            let between = quote_ident(&format!("pgstream_{}", before.number));
            steps.add(
                Phase::RenameTable,
                object,
                format!(
                    "ALTER TABLE {} RENAME COLUMN {old} TO {between}",
                    self.before.qualified_name().quoted()
                ),
            );
            old = between;
        }
        let sql = format!("{table} RENAME COLUMN {old} TO {new}");
        steps.add(Phase::RenameColumn, object, sql);
    }

    /// Where the rows follow as messages the table is empty by now, and any value will do: what the
    /// USING of the source computed is in the messages.
    fn retype(
        &self,
        before: &Column,
        after: &Column,
        follows: bool,
        steps: &mut Steps,
        object: &str,
    ) {
        if before.default.is_some() && before.generated.is_none() {
            let name = quote_ident(&before.name);
            let sql = format!("{} ALTER COLUMN {name} DROP DEFAULT", self.only_before());
            steps.add(Phase::DropDefault, object, sql);
        }
        if follows {
            return;
        }
        let childless =
            self.after.partition_key.is_some() && self.command.children(self.oid).next().is_none();
        let empty = self.command.is_rewritten_by_rows(self.oid)
            || self.after.persistence == "u"
            || childless;
        let using = match empty && after.generated.is_none() {
            true => format!(" USING NULL::{}", after.type_name),
            false => String::new(),
        };
        let (table, name) = (self.family(), quote_ident(&after.name));
        let type_of = type_of(after);
        let sql = format!("{table} ALTER COLUMN {name} TYPE {type_of}{using}");
        steps.add(Phase::ColumnType, object, sql);
    }

    fn alter_default(
        &self,
        before: &Column,
        after: &Column,
        retyped: bool,
        steps: &mut Steps,
        object: &str,
    ) {
        let name = quote_ident(&after.name);
        let table = self.only();
        let same_text = before.default == after.default;
        if before.generated.is_some() || after.generated.is_some() {
            let clause = match &after.default {
                _ if before.generated.is_some() && after.generated.is_none() => "DROP EXPRESSION",
                Some(text) if !same_text && before.default_hash != after.default_hash => {
                    &format!("SET EXPRESSION AS ({text})")
                }
                _ => return,
            };
            let table = if after.inherited > 0 {
                return;
            } else {
                self.family()
            };
            let sql = format!("{table} ALTER COLUMN {name} {clause}");
            steps.add(Phase::ColumnSetting, object, sql);
        } else if before.default_hash != after.default_hash || retyped && after.default.is_some() {
            if after.default.is_none() {
                if !retyped {
                    let name = quote_ident(&before.name);
                    let sql = format!("{} ALTER COLUMN {name} DROP DEFAULT", self.only_before());
                    steps.add(Phase::DropDefault, object, sql);
                }
                return;
            }
            let sql = format!("{table} ALTER COLUMN {name} {}", default_clause(after));
            steps.add(Phase::ColumnSetting, object, sql);
        }
    }

    fn alter_identity(&self, before: &Column, after: &Column, steps: &mut Steps, object: &str) {
        let name = quote_ident(&after.name);
        let clause = match (before.identity.as_deref(), after.identity.as_deref()) {
            (old, new) if old == new || self.shares_identity(after) => return,
            (Some(_), None) => "DROP IDENTITY".to_owned(),
            (None, Some(_)) => match identity_parts(self.command, self.oid, after) {
                Some(identity) => format!("ADD {identity}"),
                None => return,
            },
            (Some(_), Some("a")) => "SET GENERATED ALWAYS".to_owned(),
            _ => "SET GENERATED BY DEFAULT".to_owned(),
        };
        let table = self.only();
        // An identity column takes no default, and its NOT NULL must be there before it.
        let phase = match before.identity {
            Some(_) if after.identity.is_none() => Phase::ColumnType,
            _ => Phase::Index,
        };
        steps.add(
            phase,
            object,
            format!("{table} ALTER COLUMN {name} {clause}"),
        );
    }

    /// Since version 17 partitions share their parent's identity: it comes with ATTACH, goes with
    /// DETACH, and changes with the parent's column.
    fn shares_identity(&self, column: &Column) -> bool {
        let moved = self.before.is_partition() != self.after.is_partition();
        let with_parent = self.after.is_partition()
            && self.after.parents.iter().any(|parent| {
                let parent = self.command.tables.get(&parent.oid);
                let images = parent.and_then(|p| p.before.as_ref().zip(p.after.as_ref()));
                images.is_some_and(|(before, after)| {
                    let find = |t: &Table| {
                        let found = t.columns.iter().find(|c| c.name == column.name);
                        found.and_then(|c| c.identity.clone())
                    };
                    find(before) != find(after)
                })
            });
        moved || with_parent
    }

    fn alter_not_null(&self, before: &Column, after: &Column, steps: &mut Steps, object: &str) {
        // A parent may have NOT NULL only when its children have it, and lose it only before them; a
        // partitioned one loses it with its partitions.
        let table = match self.after.partition_key.is_some() && !after.not_null {
            true => self.family(),
            false => self.only(),
        };
        let depth = self.command.depth(self.after);
        let rank = if after.not_null { -depth } else { depth };
        for sql in not_null::changes(&table, &self.after.name, before, after) {
            steps.add_ranked(Phase::ColumnSetting, rank, object, sql);
        }
    }
}

pub(super) fn is_retyped(before: &Column, after: &Column) -> bool {
    (before.type_oid, before.typmod, &before.collation)
        != (after.type_oid, after.typmod, &after.collation)
}

/// Returns the type with its collation.
pub(super) fn type_of(column: &Column) -> String {
    match &column.collation {
        Some(collation) => format!("{} COLLATE {collation}", column.type_name),
        None => column.type_name.clone(),
    }
}

/// Returns what stands behind a new column's type: default, identity, generation, NOT NULL.
pub(super) fn parts(
    command: &CommandObjects<'_>,
    table: u32,
    column: &Column,
    default: Option<&str>,
) -> String {
    let mut parts = String::new();
    match (column.generated.as_deref(), default) {
        // A child's own declaration of the column says nothing of how the parent computes it.
        (Some(_), Some(_)) if column.inherited > 0 && is_child(command, table) => {}
        (Some(kind), Some(text)) => {
            let kind = if kind == "v" { "VIRTUAL" } else { "STORED" };
            parts.push_str(&format!(" GENERATED ALWAYS AS ({text}) {kind}"));
        }
        (None, Some(text)) => parts.push_str(&format!(" DEFAULT {text}")),
        (_, None) => {}
    }
    if let Some(identity) = identity_parts(command, table, column) {
        parts.push_str(&format!(" {identity}"));
    }
    parts.push_str(&not_null::part(column));
    parts
}

/// Whether a table is made with INHERITS; a partition is made alone and attached.
fn is_child(command: &CommandObjects<'_>, table: u32) -> bool {
    let table = command.tables.get(&table);
    let after = table.and_then(|images| images.after.as_ref());
    after.is_some_and(|after| !after.is_partition())
}

/// A partition shares the identity of its parent and has no sequence of its own.
fn identity_parts(command: &CommandObjects<'_>, table: u32, column: &Column) -> Option<String> {
    let kind = match column.identity.as_deref()? {
        "a" => "ALWAYS",
        _ => "BY DEFAULT",
    };
    let sequence = command.identity_sequence(table, column)?;
    Some(format!(
        "GENERATED {kind} AS IDENTITY (SEQUENCE NAME {} {})",
        sequence.qualified_name().quoted(),
        parameters(sequence)
    ))
}

fn default_clause(column: &Column) -> String {
    match &column.default {
        Some(text) => format!("SET DEFAULT {text}"),
        None => "DROP DEFAULT".to_owned(),
    }
}

/// Adds what CREATE TABLE and ADD COLUMN have no place for.
pub(super) fn settings_of_new(table: &Table, column: &Column, steps: &mut Steps, object: &str) {
    let fresh = Column {
        storage: column.type_storage.clone(),
        compression: None,
        statistics: None,
        options: Vec::new(),
        comment: None,
        ..column.clone()
    };
    let name = quote_ident(&column.name);
    let only = format!("ALTER TABLE ONLY {}", table.qualified_name().quoted());
    for clause in setting_clauses(&fresh, column) {
        let sql = format!("{only} ALTER COLUMN {name} {clause}");
        steps.add(Phase::ColumnSetting, object, sql);
    }
    column_comment(table, None, column, steps, object);
}

/// Adds what a new child says of the columns that it inherits.
pub(super) fn settings_of_inherited(
    table: &Table,
    column: &Column,
    steps: &mut Steps,
    object: &str,
) {
    let name = quote_ident(&column.name);
    let only = format!("ALTER TABLE ONLY {}", table.qualified_name().quoted());
    if column.default.is_some() && column.generated.is_none() {
        let sql = format!("{only} ALTER COLUMN {name} {}", default_clause(column));
        steps.add(Phase::ColumnSetting, object, sql);
    }
    if column.not_null && column.not_null_constraint.is_none() {
        let sql = format!("{only} ALTER COLUMN {name} SET NOT NULL");
        steps.add(Phase::ColumnSetting, object, sql);
    }
}

/// Takes away the default that a new child has of a parent.
pub(super) fn drop_default(table: &Table, column: &Column, steps: &mut Steps, object: &str) {
    let sql = format!(
        "ALTER TABLE ONLY {} ALTER COLUMN {} DROP DEFAULT",
        table.qualified_name().quoted(),
        quote_ident(&column.name)
    );
    steps.add(Phase::ColumnSetting, object, sql);
}

fn setting_clauses(before: &Column, after: &Column) -> Vec<String> {
    let mut clauses = Vec::new();
    let retyped = before.type_oid != after.type_oid;
    let was = if retyped {
        &after.type_storage
    } else {
        &before.storage
    };
    if *was != after.storage {
        clauses.push(format!("SET STORAGE {}", storage_keyword(&after.storage)));
    }
    if before.compression != after.compression {
        let method = compression_keyword(after.compression.as_deref());
        clauses.push(format!("SET COMPRESSION {method}"));
    }
    if before.statistics != after.statistics {
        clauses.push(format!("SET STATISTICS {}", after.statistics.unwrap_or(-1)));
    }
    clauses.extend(option_changes(&before.options, &after.options, ""));
    clauses
}

fn column_comment(
    table: &Table,
    before: Option<&Column>,
    after: &Column,
    steps: &mut Steps,
    object: &str,
) {
    let name = table.qualified_name().quoted();
    let target = format!("COLUMN {name}.{}", quote_ident(&after.name));
    let old = before.and_then(|column| column.comment.as_ref());
    comment(steps, object, &target, old, after.comment.as_ref());
    let Some(constraint) = after.not_null_constraint.as_ref() else {
        return;
    };
    let target = format!("CONSTRAINT {} ON {name}", quote_ident(&constraint.name));
    let old = before.and_then(|column| column.not_null_constraint.as_ref()?.comment.as_ref());
    comment(steps, object, &target, old, constraint.comment.as_ref());
}

/// Whether a default gives the same value whenever and wherever it is computed: a number, a
/// quoted literal with at most one cast to a named type, a keyword.
fn is_constant(default: &str) -> bool {
    let Some(rest) = default.strip_prefix('\'') else {
        let number = !default.is_empty()
            && default
                .trim_start_matches('-')
                .bytes()
                .all(|b| b.is_ascii_digit() || b == b'.');
        return number || matches!(default, "true" | "false" | "NULL");
    };
    let Some(end) = rest.rfind('\'') else {
        return false;
    };
    let (literal, cast) = rest.split_at(end);
    let plain = !literal.replace("''", "").contains('\'');
    // Words such as 'now' and 'today' are read anew each time.
    let stable = [
        "::text",
        "::character varying",
        "::jsonb",
        "::integer",
        "::bigint",
        "::numeric",
    ];
    plain && stable.contains(&cast.trim_start_matches('\''))
}

#[cfg(test)]
mod unit {
    use super::is_constant;

    #[test]
    fn only_defaults_that_are_the_same_everywhere_are_constant() {
        for text in [
            "0",
            "-1.5",
            "true",
            "'x'::text",
            "'it''s'::text",
            "'{}'::jsonb",
        ] {
            assert!(is_constant(text), "{text}");
        }
        for text in [
            "now()",
            "('now'::text)::date",
            "'a'::text || 'b'::text",
            "random()",
            "",
        ] {
            assert!(!is_constant(text), "{text}");
        }
    }
}
