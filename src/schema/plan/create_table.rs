//! A new table. Its constraints and indexes are objects of their own and follow it; a partition is
//! made as an ordinary table and attached last, as `pg_dump` does, so that all its parts keep their
//! names.

use crate::model::quote_ident;
use crate::schema::description::{Column, Parent, Table};

use super::column;
use super::command_objects::CommandObjects;
use super::not_null;
use super::sql::option_clause;
use super::steps::{Phase, Steps, label};

pub(super) fn plan(command: &CommandObjects<'_>, oid: u32, table: &Table, steps: &mut Steps) {
    let object = label("table", &table.qualified_name());
    if let Some(parents) = adopters(command, table) {
        let orphan = Table {
            parents: Vec::new(),
            ..table.clone()
        };
        plan(command, oid, &orphan, steps);
        let name = table.qualified_name().quoted();
        for parent in parents {
            let parent = parent.qualified_name().quoted();
            let sql = format!("ALTER TABLE {name} INHERIT {parent}");
            steps.add(Phase::Inherit, &object, sql);
        }
        return;
    }
    steps.add(Phase::CreateTable, &object, create(command, oid, table));
    let nothing = bare(table);
    for column in &table.columns {
        column::settings_of_new(table, column, steps, &object);
        match is_not_null_of_parents(command, table, column) {
            false => not_null::add_unvalidated(command, table, column, steps),
            true if is_unvalidated_above(command, table, column) => {
                not_null::validate(table, column, steps);
            }
            true => {}
        }
        if is_left_to_parents(command, table, column) {
            column::settings_of_inherited(table, column, steps, &object);
        }
        if lacks_default_of_parents(command, table, column) {
            column::drop_default(table, column, steps, &object);
        }
    }
    super::table_settings::settings(command, oid, &nothing, table, steps);
    if let (true, Some(parent)) = (table.is_partition(), kept_parents(command, table).next()) {
        attach(table, parent, steps);
    }
}

/// Returns the parents of a table that got them later, or they got columns later: CREATE TABLE … INHERITS puts
/// the parents' columns first. Where rows of the table are values of others, their order is their meaning;
/// elsewhere it is kept when nothing else becomes different by that.
fn adopters<'t>(command: &'t CommandObjects<'_>, table: &'t Table) -> Option<Vec<&'t Parent>> {
    let parents: Vec<&Parent> = kept_parents(command, table).collect();
    let made = parents.iter().all(|parent| command.is_created(parent.oid));
    if table.is_partition() || parents.is_empty() || !made {
        return None;
    }
    let above = parents
        .iter()
        .filter_map(|parent| command.tables.get(&parent.oid)?.after.as_ref());
    let above = above.flat_map(|parent| &parent.columns);
    let own = table.columns.iter();
    let mut order: Vec<&str> = Vec::new();
    for column in above.chain(own.clone()) {
        if !order.contains(&column.name.as_str()) {
            order.push(&column.name);
        }
    }
    let same = order
        .into_iter()
        .eq(own.clone().map(|column| &*column.name));
    let declared = own.clone().all(|column| !column.is_inherited_only());
    (!same && (declared || command.row_types.contains(&table.qualified_name()))).then_some(parents)
}

/// Adds the statement that makes an existing table a partition.
pub(super) fn attach(table: &Table, parent: &Parent, steps: &mut Steps) {
    let bound = table.partition_bound.as_deref().unwrap_or("DEFAULT");
    let sql = format!(
        "ALTER TABLE ONLY {} ATTACH PARTITION {} {bound}",
        parent.qualified_name().quoted(),
        table.qualified_name().quoted()
    );
    steps.add(Phase::Attach, &label("table", &table.qualified_name()), sql);
}

/// The parents that the target has: those that the filter leaves out are not inherited from.
pub(super) fn kept_parents<'t>(
    command: &'t CommandObjects<'_>,
    table: &'t Table,
) -> impl Iterator<Item = &'t Parent> {
    let kept = |parent: &&Parent| command.selects(parent.oid, &parent.qualified_name());
    table.parents.iter().filter(kept)
}

fn is_left_to_parents(command: &CommandObjects<'_>, table: &Table, column: &Column) -> bool {
    !table.is_partition()
        && column.is_inherited_only()
        && kept_parents(command, table).next().is_some()
}

/// Whether a new child gets NOT NULL of its parents alone. A partition, which is attached, must have it
/// before, unless the parent gets it later.
fn is_not_null_of_parents(command: &CommandObjects<'_>, table: &Table, column: &Column) -> bool {
    let constraint = column.not_null_constraint.as_ref();
    let inherited = constraint.is_some_and(|constraint| !constraint.local);
    let comes_later = || is_unvalidated_above(command, table, column);
    let has_parents = || kept_parents(command, table).next().is_some();
    inherited && has_parents() && (!table.is_partition() || comes_later())
}

/// Whether a new parent gets the NOT NULL when its rows are there.
fn is_unvalidated_above(command: &CommandObjects<'_>, table: &Table, column: &Column) -> bool {
    let name = |column: &Column| Some(column.not_null_constraint.as_ref()?.name.clone());
    kept_parents(command, table).any(|parent| {
        let images = command.tables.get(&parent.oid);
        let images = images.filter(|images| images.before.is_none());
        let parent = images.and_then(|images| images.after.as_ref());
        let mut columns = parent.into_iter().flat_map(|parent| &parent.columns);
        columns.any(|above| {
            let constraint = above.not_null_constraint.as_ref();
            let unvalidated = constraint.is_some_and(|constraint| !constraint.validated);
            above.name == column.name && unvalidated && name(above) == name(column)
        })
    })
}

/// A new child takes over the default of a column that it does not give one, also where it declares the
/// column again.
fn lacks_default_of_parents(command: &CommandObjects<'_>, table: &Table, column: &Column) -> bool {
    let own = column.default.is_some() || column.identity.is_some();
    !own && !table.is_partition() && gets_default(command, table, &column.name)
}

/// Whether CREATE TABLE would give the column a default of a parent, which may have it only until its own
/// is taken away. What a parent has that is not at hand nobody knows.
fn gets_default(command: &CommandObjects<'_>, table: &Table, name: &str) -> bool {
    let inherited = table
        .columns
        .iter()
        .any(|c| c.name == name && c.inherited > 0);
    inherited
        && kept_parents(command, table).any(|parent| {
            let images = command.tables.get(&parent.oid);
            let parent = images.and_then(|images| images.after.as_ref());
            parent.is_none_or(|parent| {
                let mut columns = parent.columns.iter();
                let has_own = columns.any(|above| above.name == name && above.default.is_some());
                has_own || gets_default(command, parent, name)
            })
        })
}

fn create(command: &CommandObjects<'_>, oid: u32, table: &Table) -> String {
    let unlogged = match table.persistence.as_str() {
        "u" => "UNLOGGED ",
        _ => "",
    };
    let name = table.qualified_name().quoted();
    let mut sql = format!("CREATE {unlogged}TABLE {name} ");
    match &table.of_type {
        Some(of_type) => sql.push_str(&format!(
            "OF {of_type}{}",
            typed_columns(command, oid, table)
        )),
        None => sql.push_str(&format!("({})", columns(command, oid, table).join(", "))),
    }
    let parents: Vec<_> = kept_parents(command, table)
        .filter(|_| !table.is_partition())
        .map(|parent| parent.qualified_name().quoted())
        .collect();
    if !parents.is_empty() {
        sql.push_str(&format!(" INHERITS ({})", parents.join(", ")));
    }
    if let Some(key) = &table.partition_key {
        sql.push_str(&format!(" PARTITION BY {key}"));
    }
    if let Some(method) = table
        .access_method
        .as_ref()
        .filter(|method| *method != "heap")
    {
        sql.push_str(&format!(" USING {}", quote_ident(method)));
    }
    let own = table.options.iter().map(|option| option_clause(option, ""));
    let toast = table.toast_options.iter();
    let options: Vec<_> = own
        .chain(toast.map(|option| option_clause(option, "toast.")))
        .collect();
    if !options.is_empty() {
        sql.push_str(&format!(" WITH ({})", options.join(", ")));
    }
    sql
}

fn columns(command: &CommandObjects<'_>, oid: u32, table: &Table) -> Vec<String> {
    let columns = table.columns.iter().filter_map(|column| {
        if is_left_to_parents(command, table, column) {
            return not_null::own_of_inherited(column);
        }
        let mut own = column.clone();
        if is_not_null_of_parents(command, table, column) {
            (own.not_null, own.not_null_constraint) = (false, None);
        }
        let head = format!("{} {}", quote_ident(&own.name), column::type_of(&own));
        Some(head + &column::parts(command, oid, &own, own.default.as_deref()))
    });
    columns.collect()
}

fn typed_columns(command: &CommandObjects<'_>, oid: u32, table: &Table) -> String {
    let extras = table.columns.iter().filter_map(|column| {
        let parts = column::parts(command, oid, column, column.default.as_deref());
        let name = quote_ident(&column.name);
        (!parts.is_empty()).then(|| format!("{name} WITH OPTIONS{parts}"))
    });
    let extras: Vec<_> = extras.collect();
    match extras.is_empty() {
        true => String::new(),
        false => format!(" ({})", extras.join(", ")),
    }
}

/// The table as CREATE TABLE leaves it, to compare the rest with.
fn bare(table: &Table) -> Table {
    Table {
        replica_identity: "d".to_owned(),
        row_security: false,
        row_security_forced: false,
        comment: None,
        ..table.clone()
    }
}
