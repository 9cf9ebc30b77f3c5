//! The SQL of each step. Pure: a plan and a shape in, one statement out, values as parameters.
//!
//! Values arrive as text and are given to the input function of the column's own type: either as
//! a parameter of that type, or as an element of an array of it. The types are named without
//! modifier, so that the assignment that follows refuses a value that is too long instead of
//! cutting it.

#[cfg(test)]
mod tests;

use crate::config::OnConflict;
use crate::model::quote_ident;

use super::{TablePlan, TargetTable};

/// A form of statement, with the columns it sets where they vary. Together with the plan it names
/// one statement, so it serves as the key of the prepared ones.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Shape {
    /// One row, one parameter a column.
    InsertOne,
    /// Many rows, one array a column.
    InsertMany,
    /// Many rows through COPY.
    Copy,
    /// One row by key.
    UpdateOne(Vec<usize>),
    /// Many rows by key.
    UpdateMany(Vec<usize>),
    /// Rows by key.
    DeleteMany,
    /// One row for each image.
    DeleteImages,
    /// Any rows, as many as the parameter says: a table without columns.
    DeleteAny,
    /// One row by its old key; the key changes.
    Move(Vec<usize>),
    /// One row by its old key, deleted and inserted again.
    Replace(Vec<usize>),
    /// One row by its old image.
    MoveImage(Vec<usize>),
}

/// Returns the statement's text.
pub(super) fn sql(plan: &TablePlan, shape: &Shape) -> String {
    match shape {
        Shape::InsertOne => insert_one(plan),
        Shape::InsertMany => insert_many(plan),
        Shape::Copy => copy(plan),
        Shape::UpdateOne(columns) => update_one(plan, columns),
        Shape::UpdateMany(columns) => update_many(plan, columns),
        Shape::DeleteMany => delete_many(plan),
        Shape::DeleteImages => delete_images(plan),
        Shape::DeleteAny => delete_any(plan),
        Shape::Move(columns) => move_by_key(plan, columns),
        Shape::Replace(columns) => replace_by_key(plan, columns),
        Shape::MoveImage(columns) => move_by_image(plan, columns),
    }
}

/// Returns `TRUNCATE` of exactly these tables. The source lists every table that its CASCADE
/// reached, so CASCADE here could only reach tables that the source does not have.
pub(super) fn truncate(list: &[String], restart_identity: bool) -> String {
    let restart = if restart_identity {
        " RESTART IDENTITY"
    } else {
        ""
    };
    format!("TRUNCATE {}{restart}", list.join(", "))
}

fn insert_one(plan: &TablePlan) -> String {
    if plan.written.is_empty() {
        return format!("INSERT INTO {} DEFAULT VALUES", plan.target.name.quoted());
    }
    let values = numbered(plan.written.len(), |at| one(plan, plan.written[at], at + 1));
    format!("{} VALUES ({values}){}", insert_into(plan), conflict(plan))
}

fn insert_many(plan: &TablePlan) -> String {
    let values = numbered(plan.written.len(), |at| {
        element(plan, plan.written[at], at + 1)
    });
    let rows = unnest(plan, &plan.written);
    format!(
        "{} SELECT {values} FROM {rows}{}",
        insert_into(plan),
        conflict(plan)
    )
}

fn copy(plan: &TablePlan) -> String {
    format!(
        "COPY {} ({}) FROM STDIN",
        plan.target.name.quoted(),
        names(plan, &plan.written)
    )
}

fn update_one(plan: &TablePlan, columns: &[usize]) -> String {
    let (set, kept) = set_and_kept(plan, columns, |at, column| one(plan, column, at + 1));
    format!(
        "UPDATE {} AS t SET {set} WHERE {}{kept}",
        table(plan),
        key_is_parameters(plan)
    )
}

/// The parameters are the key's columns, then those that are set or must be as they are.
fn update_many(plan: &TablePlan, columns: &[usize]) -> String {
    let all: Vec<_> = plan.key.iter().chain(columns).copied().collect();
    let (set, kept) = set_and_kept(plan, columns, |at, column| element(plan, column, at + 1));
    format!(
        "UPDATE {} AS t SET {set} FROM {} WHERE {}{kept}",
        table(plan),
        unnest(plan, &all),
        key_is_elements(plan)
    )
}

/// What an UPDATE sets, and what it can only find as it is: a column `GENERATED ALWAYS AS
/// IDENTITY`. `value` gives the value at a place among the parameters.
fn set_and_kept(
    plan: &TablePlan,
    columns: &[usize],
    value: impl Fn(usize, usize) -> String,
) -> (String, String) {
    let (mut set, mut kept) = (Vec::new(), String::new());
    for (at, &column) in (plan.key.len()..).zip(columns) {
        let (name, value) = (name(plan, column), value(at, column));
        if plan.column(column).identity_always {
            let equals = &plan.column(column).equals;
            kept = format!("{kept} AND t.{name} {equals} {value}");
        } else {
            set.push(format!("{name} = {value}"));
        }
    }
    (set.join(", "), kept)
}

fn delete_many(plan: &TablePlan) -> String {
    if let [column] = *plan.key
        && plan.column(column).unnestable
    {
        let (name, target) = (name(plan, column), plan.column(column));
        return format!(
            "DELETE FROM {} AS t WHERE t.{name} {} ANY ({}::{}[])",
            table(plan),
            target.equals,
            parameter(plan, 1),
            target.type_name
        );
    }
    let keys = unnest(plan, &plan.key);
    format!(
        "DELETE FROM {} AS t USING {keys} WHERE {}",
        table(plan),
        key_is_elements(plan)
    )
}

/// Equal images are told apart by counting them on both sides: the n-th row that looks so is the
/// n-th that was asked for. Images are compared as text, the only form in which every type has an
/// equality that no rounding or collation touches.
fn delete_images(plan: &TablePlan) -> String {
    let values = numbered(plan.written.len(), |at| {
        element(plan, plan.written[at], at + 1)
    });
    format!(
        "WITH wanted AS (\
         SELECT image, pg_catalog.row_number() OVER (PARTITION BY image) AS copy \
         FROM (SELECT ROW({values})::pg_catalog.text AS image FROM {}) AS v), \
         found AS (\
         SELECT place, part, image, pg_catalog.row_number() OVER (PARTITION BY image) AS copy \
         FROM (SELECT t.ctid AS place, t.tableoid AS part, {} AS image FROM {} AS t) AS r \
         WHERE image IN (SELECT image FROM wanted)) \
         DELETE FROM {} AS t USING found JOIN wanted USING (image, copy) \
         WHERE t.ctid = found.place AND t.tableoid = found.part",
        unnest(plan, &plan.written),
        image(plan),
        table(plan),
        table(plan)
    )
}

fn delete_any(plan: &TablePlan) -> String {
    let table = table(plan);
    format!(
        "DELETE FROM {table} AS t WHERE (t.tableoid, t.ctid) IN (\
         SELECT t.tableoid, t.ctid FROM {table} AS t LIMIT {}::pg_catalog.int8)",
        parameter(plan, 1)
    )
}

/// The parameters are the old key, then the columns that are set.
fn move_by_key(plan: &TablePlan, columns: &[usize]) -> String {
    let key_count = plan.key.len();
    let set = assignments(plan, columns, |at, column| {
        one(plan, column, key_count + at + 1)
    });
    format!(
        "UPDATE {} AS t SET {set} WHERE {}",
        table(plan),
        key_is_parameters(plan)
    )
}

/// A column `GENERATED ALWAYS AS IDENTITY` refuses UPDATE (manual, `CREATE TABLE`): the row is
/// deleted and inserted again; values that were not sent come from the deleted one.
fn replace_by_key(plan: &TablePlan, columns: &[usize]) -> String {
    let value = |&column: &usize| match columns.iter().position(|&sent| sent == column) {
        Some(at) => one(plan, column, plan.key.len() + at + 1),
        None => format!("gone.{}", name(plan, column)),
    };
    let values: Vec<_> = plan.written.iter().map(value).collect();
    format!(
        "WITH gone AS (DELETE FROM {} AS t WHERE {} RETURNING t.*) {} SELECT {} FROM gone",
        table(plan),
        key_is_parameters(plan),
        insert_into(plan),
        values.join(", ")
    )
}

/// The parameters are the old image, then the columns that are set.
fn move_by_image(plan: &TablePlan, columns: &[usize]) -> String {
    let old_count = plan.written.len();
    let old = numbered(old_count, |at| one(plan, plan.written[at], at + 1));
    let set = assignments(plan, columns, |at, column| {
        one(plan, column, old_count + at + 1)
    });
    format!(
        "UPDATE {} AS t SET {set} WHERE (t.tableoid, t.ctid) = (\
         SELECT t.tableoid, t.ctid FROM {} AS t WHERE {} = ROW({old})::pg_catalog.text LIMIT 1)",
        table(plan),
        table(plan),
        image(plan)
    )
}

fn table(plan: &TablePlan) -> String {
    rows_of(&plan.target)
}

/// Returns the table's name for a statement that changes its own rows. Children of an inheritance
/// parent have changes of their own; a partitioned table has no rows but theirs.
pub(super) fn rows_of(table: &TargetTable) -> String {
    let only = if table.kind == 'p' { "" } else { "ONLY " };
    format!("{only}{}", table.name.quoted())
}

fn insert_into(plan: &TablePlan) -> String {
    let table = plan.target.name.quoted();
    format!(
        "INSERT INTO {table} ({}) OVERRIDING SYSTEM VALUE",
        names(plan, &plan.written)
    )
}

fn conflict(plan: &TablePlan) -> String {
    match plan.on_conflict {
        OnConflict::Error => String::new(),
        OnConflict::Nothing => " ON CONFLICT DO NOTHING".to_owned(),
        OnConflict::Update if plan.key.is_empty() => String::new(),
        OnConflict::Update => {
            let key = names(plan, &plan.key);
            let set = assignments(plan, &plan.settable(&plan.written), |_, column| {
                format!("EXCLUDED.{}", name(plan, column))
            });
            match set.as_str() {
                "" => format!(" ON CONFLICT ({key}) DO NOTHING"),
                set => format!(" ON CONFLICT ({key}) DO UPDATE SET {set}"),
            }
        }
    }
}

fn key_is_parameters(plan: &TablePlan) -> String {
    key_is(plan, |at, column| one(plan, column, at + 1))
}

fn key_is_elements(plan: &TablePlan) -> String {
    key_is(plan, |at, column| element(plan, column, at + 1))
}

fn key_is(plan: &TablePlan, value: impl Fn(usize, usize) -> String) -> String {
    let equal = |(at, &column): (usize, &usize)| {
        format!(
            "t.{} {} {}",
            name(plan, column),
            plan.column(column).equals,
            value(at, column)
        )
    };
    plan.key
        .iter()
        .enumerate()
        .map(equal)
        .collect::<Vec<_>>()
        .join(" AND ")
}

fn assignments(
    plan: &TablePlan,
    columns: &[usize],
    value: impl Fn(usize, usize) -> String,
) -> String {
    let assign =
        |(at, &column): (usize, &usize)| format!("{} = {}", name(plan, column), value(at, column));
    columns
        .iter()
        .enumerate()
        .map(assign)
        .collect::<Vec<_>>()
        .join(", ")
}

/// The whole row as text; a generated column follows from the others.
fn image(plan: &TablePlan) -> String {
    let values = numbered(plan.written.len(), |at| {
        format!("t.{}", name(plan, plan.written[at]))
    });
    format!("ROW({values})::pg_catalog.text")
}

/// Parameter `number` as a value of the column's type.
fn one(plan: &TablePlan, column: usize, number: usize) -> String {
    format!(
        "{}::{}",
        parameter(plan, number),
        plan.column(column).type_name
    )
}

/// A parameter as it stands in the text: what runs as the owner of the table has all in one array of texts.
fn parameter(plan: &TablePlan, number: usize) -> String {
    match plan.target.run_as {
        Some(_) => format!("($1)[{number}]"),
        None => format!("${number}"),
    }
}

/// The rows' values as a table `v`, one array parameter a column. The arrays stand in a list of results
/// and not in FROM, where PostgreSQL would first write what each of them holds into a store of its own: that
/// took a quarter of an UPDATE.
fn unnest(plan: &TablePlan, columns: &[usize]) -> String {
    let arrays = numbered(columns.len(), |at| {
        let column = plan.column(columns[at]);
        let element = if column.unnestable {
            &*column.type_name
        } else {
            "pg_catalog.text"
        };
        format!(
            "pg_catalog.unnest({}::{element}[]) AS c{number}",
            parameter(plan, at + 1),
            number = at + 1
        )
    });
    format!("(SELECT {arrays}) AS v")
}

/// Column `number` of [`unnest`] as a value of the column's type.
fn element(plan: &TablePlan, column: usize, number: usize) -> String {
    let target = plan.column(column);
    if target.unnestable {
        format!("v.c{number}")
    } else {
        format!("v.c{number}::{}", target.type_name)
    }
}

fn names(plan: &TablePlan, columns: &[usize]) -> String {
    numbered(columns.len(), |at| name(plan, columns[at]))
}

fn name(plan: &TablePlan, column: usize) -> String {
    quote_ident(&plan.column(column).name)
}

fn numbered(count: usize, item: impl Fn(usize) -> String) -> String {
    (0..count).map(item).collect::<Vec<_>>().join(", ")
}
