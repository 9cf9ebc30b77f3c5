//! The SQL of each step. Pure: a plan and a shape in, one statement out, values as parameters.
//!
//! Values arrive as text and are given to the input function of the column's own type: either as
//! a parameter of that type, or as an element of an array of it. The types are named without
//! modifier, so that the assignment that follows refuses a value that is too long instead of
//! cutting it. Old values, by which rows are found, are given to the type below its domains.

#[cfg(test)]
mod tests;

use crate::config::OnConflict;
use crate::model::quote_ident;

use super::checkpoint::advance_sql;
use super::sequence::{sequences_of, setval};
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
    /// Looks for the row of a key.
    FindOne,
    /// Looks for the rows of these keys.
    FindMany,
    /// Looks for a row of this image.
    FindImage,
    /// Looks for a row of each image.
    FindImages,
    /// One that fails unless it changes as many rows as its last parameter says, which has this number.
    Guarded(Box<Self>, usize),
    /// One that moves the checkpoint as well, by parameters behind that one, and so is a transaction by itself.
    Alone(Box<Self>, usize),
}

impl Shape {
    /// Returns whether the statement can have a guard: it changes rows and begins with doing so.
    pub(super) const fn can_be_guarded(&self) -> bool {
        matches!(
            self,
            Self::UpdateOne(_)
                | Self::UpdateMany(_)
                | Self::DeleteMany
                | Self::DeleteAny
                | Self::Move(_)
                | Self::MoveImage(_)
        )
    }
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
        Shape::FindOne => find(plan, None, &key_is_parameters(plan)),
        Shape::FindMany => {
            let keys = unnest(plan, &plan.key, &[]);
            find(plan, Some(keys), &key_is_elements(plan))
        }
        Shape::FindImage => find(plan, None, &image_is_parameters(plan)),
        Shape::FindImages => format!(
            "{} SELECT FROM found JOIN wanted USING (image, copy)",
            images(plan)
        ),
        Shape::Guarded(shape, count) => guarded(&sql(plan, shape), *count),
        Shape::Alone(shape, count) => alone(plan, &sql(plan, shape), *count),
    }
}

/// A count is no constant, so nothing divides by zero before the rows are counted.
fn guarded(statement: &str, count: usize) -> String {
    format!(
        "WITH changed AS ({statement} RETURNING 1) \
         SELECT 1 OPERATOR(pg_catalog./) \
         (pg_catalog.count(*) OPERATOR(pg_catalog.=) ${count}::pg_catalog.int8)::pg_catalog.int4 FROM changed"
    )
}

/// As [`guarded`], with the checkpoint, the table's sequences, and a commit that does not wait for the disk.
fn alone(plan: &TablePlan, statement: &str, count: usize) -> String {
    let advance = advance_sql(count + 1);
    let moved = (count + 6..)
        .zip(sequences_of(plan))
        .map(|(number, sequence)| {
            let moved = setval(sequence, &format!("${number}::pg_catalog.int8"));
            format!(", ({moved})")
        });
    let moved: String = moved.collect();
    format!(
        "WITH changed AS ({statement} RETURNING 1), moved AS ({advance} RETURNING 1) \
         SELECT 1 OPERATOR(pg_catalog./) (\
         (SELECT pg_catalog.count(*) FROM changed) OPERATOR(pg_catalog.=) ${count}::pg_catalog.int8 \
         AND EXISTS (SELECT FROM moved))::pg_catalog.int4, \
         pg_catalog.set_config('synchronous_commit', 'off', true){moved}"
    )
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
    let values = numbered(plan.written.len(), |at| {
        Value::parameter(at + 1).written(plan, plan.written[at])
    });
    format!("{} VALUES ({values}){}", insert_into(plan), conflict(plan))
}

fn insert_many(plan: &TablePlan) -> String {
    let values = numbered(plan.written.len(), |at| {
        Value::element(at + 1).written(plan, plan.written[at])
    });
    let rows = unnest(plan, &[], &plan.written);
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
    let (set, kept) = set_and_kept(plan, columns, Value::parameter);
    format!(
        "UPDATE {} AS t SET {set} WHERE {}{kept}",
        table(plan),
        key_is_parameters(plan)
    )
}

/// The parameters are the key's columns, then those that are set or must be as they are.
fn update_many(plan: &TablePlan, columns: &[usize]) -> String {
    let (set, kept) = set_and_kept(plan, columns, Value::element);
    format!(
        "UPDATE {} AS t SET {set} FROM {} WHERE {}{kept}",
        table(plan),
        unnest(plan, &plan.key, columns),
        key_is_elements(plan)
    )
}

/// What an UPDATE sets, and what it can only find as it is: a column `GENERATED ALWAYS AS
/// IDENTITY`. `value` gives the value at a place among the parameters.
fn set_and_kept(
    plan: &TablePlan,
    columns: &[usize],
    value: fn(usize) -> Value,
) -> (String, String) {
    let (mut set, mut kept) = (Vec::new(), String::new());
    for (at, &column) in (plan.key.len() + 1..).zip(columns) {
        if plan.column(column).identity_always {
            let is = value(at).equals(plan, column, plan.column(column).equals.as_deref());
            kept = format!("{kept} AND {is}");
        } else {
            set.push(value(at).assigned(plan, column));
        }
    }
    (set.join(", "), kept)
}

fn delete_many(plan: &TablePlan) -> String {
    if let ([column], [Some(equals)]) = (&*plan.key, &*plan.key_equals)
        && plan.column(*column).unnestable
    {
        let target = plan.column(*column);
        return format!(
            "DELETE FROM {} AS t WHERE {} {equals} ANY ({}::{}[])",
            table(plan),
            bare(plan, *column),
            parameter(plan, 1),
            target.bare_type()
        );
    }
    let keys = unnest(plan, &plan.key, &[]);
    format!(
        "DELETE FROM {} AS t USING {keys} WHERE {}",
        table(plan),
        key_is_elements(plan)
    )
}

fn delete_images(plan: &TablePlan) -> String {
    format!(
        "{} DELETE FROM {} AS t USING found JOIN wanted USING (image, copy) \
         WHERE t.ctid = found.place AND t.tableoid = found.part",
        images(plan),
        table(plan)
    )
}

/// Equal images are told apart by counting them on both sides: the n-th row that looks so is the
/// n-th that was asked for. Images are compared as text, the only form in which every type has an
/// equality that no rounding or collation touches.
fn images(plan: &TablePlan) -> String {
    let values = numbered(plan.written.len(), |at| {
        Value::element(at + 1).bare(plan, plan.written[at])
    });
    format!(
        "WITH wanted AS (\
         SELECT image, pg_catalog.row_number() OVER (PARTITION BY image) AS copy \
         FROM (SELECT ROW({values})::pg_catalog.text AS image FROM {}) AS v), \
         found AS (\
         SELECT place, part, image, pg_catalog.row_number() OVER (PARTITION BY image) AS copy \
         FROM (SELECT t.ctid AS place, t.tableoid AS part, {} AS image FROM {} AS t) AS r \
         WHERE image IN (SELECT image FROM wanted))",
        unnest(plan, &plan.written, &[]),
        image(plan),
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
    let set = assigned(plan, columns, key_count);
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
        Some(at) => Value::parameter(plan.key.len() + at + 1).written(plan, column),
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
    let set = assigned(plan, columns, plan.written.len());
    format!(
        "UPDATE {} AS t SET {set} WHERE (t.tableoid, t.ctid) = (\
         SELECT t.tableoid, t.ctid FROM {} AS t WHERE {} LIMIT 1)",
        table(plan),
        table(plan),
        image_is_parameters(plan)
    )
}

fn image_is_parameters(plan: &TablePlan) -> String {
    let old = numbered(plan.written.len(), |at| {
        Value::parameter(at + 1).bare(plan, plan.written[at])
    });
    format!("{} = ROW({old})::pg_catalog.text", image(plan))
}

fn find(plan: &TablePlan, among: Option<String>, condition: &str) -> String {
    let among = among.map_or_else(String::new, |keys| format!(", {keys}"));
    format!("SELECT FROM {} AS t{among} WHERE {condition}", table(plan))
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
            let set = plan.settable(&plan.written);
            let set: Vec<_> = set
                .into_iter()
                .map(|column| name(plan, column))
                .map(|name| format!("{name} = EXCLUDED.{name}"))
                .collect();
            let set = set.join(", ");
            match set.as_str() {
                "" => format!(" ON CONFLICT ({key}) DO NOTHING"),
                set => format!(" ON CONFLICT ({key}) DO UPDATE SET {set}"),
            }
        }
    }
}

fn key_is_parameters(plan: &TablePlan) -> String {
    key_is(plan, Value::parameter)
}

fn key_is_elements(plan: &TablePlan) -> String {
    key_is(plan, Value::element)
}

fn key_is(plan: &TablePlan, value: fn(usize) -> Value) -> String {
    let columns = plan.key.iter().zip(&plan.key_equals);
    let equal = columns
        .enumerate()
        .map(|(at, (&column, equals))| value(at + 1).equals(plan, column, equals.as_deref()));
    equal.collect::<Vec<_>>().join(" AND ")
}

/// What is set by the parameters behind the first `behind`.
fn assigned(plan: &TablePlan, columns: &[usize], behind: usize) -> String {
    let numbers = behind + 1..;
    let set = numbers.zip(columns);
    let set = set.map(|(number, &column)| Value::parameter(number).assigned(plan, column));
    set.collect::<Vec<_>>().join(", ")
}

/// A value that a statement is given: a parameter, or what [`unnest`] makes of an array.
struct Value {
    number: usize,
    element: bool,
}

impl Value {
    const fn parameter(number: usize) -> Self {
        let element = false;
        Self { number, element }
    }

    const fn element(number: usize) -> Self {
        let element = true;
        Self { number, element }
    }

    /// As a value of this type; `array` is the type of the elements.
    fn of_type(&self, plan: &TablePlan, type_name: &str, array: &str) -> String {
        let number = self.number;
        match self.element {
            false => format!("{}::{type_name}", parameter(plan, number)),
            true if array == TEXT && type_name != TEXT => format!("v.c{number}::{type_name}"),
            true => format!("v.c{number}"),
        }
    }

    /// As the column takes it.
    fn written(&self, plan: &TablePlan, column: usize) -> String {
        self.of_type(
            plan,
            &plan.column(column).type_name,
            written_array(plan, column),
        )
    }

    /// Without the domains of the column's type.
    fn bare(&self, plan: &TablePlan, column: usize) -> String {
        self.of_type(
            plan,
            plan.column(column).bare_type(),
            image_array(plan, column),
        )
    }

    /// Whether the column has this value.
    fn equals(&self, plan: &TablePlan, column: usize, equals: Option<&str>) -> String {
        match equals {
            Some(equals) => format!(
                "{} {equals} {}",
                bare(plan, column),
                self.bare(plan, column)
            ),
            None => self.looks_as(plan, column),
        }
    }

    fn looks_as(&self, plan: &TablePlan, column: usize) -> String {
        format!(
            "ROW(t.{})::{TEXT} = ROW({})::{TEXT}",
            name(plan, column),
            self.of_type(plan, TEXT, TEXT)
        )
    }

    /// The assignment of an UPDATE. What breaks a check of its domain and stays is not looked at.
    fn assigned(&self, plan: &TablePlan, column: usize) -> String {
        let name = name(plan, column);
        if !plan.column(column).guarded {
            return format!("{name} = {}", self.written(plan, column));
        }
        let (same, type_name) = (self.looks_as(plan, column), &plan.column(column).type_name);
        let text = self.of_type(plan, TEXT, TEXT);
        format!("{name} = CASE WHEN {same} THEN t.{name} ELSE {text}::{type_name} END")
    }
}

const TEXT: &str = "pg_catalog.text";

/// The column without the domains of its type: operators know nothing of domains.
fn bare(plan: &TablePlan, column: usize) -> String {
    let name = name(plan, column);
    match &plan.column(column).bare_type {
        Some(bare) => format!("t.{name}::{bare}"),
        None => format!("t.{name}"),
    }
}

/// The whole row as text; a generated column follows from the others.
fn image(plan: &TablePlan) -> String {
    let values = numbered(plan.written.len(), |at| {
        format!("t.{}", name(plan, plan.written[at]))
    });
    format!("ROW({values})::pg_catalog.text")
}

/// A parameter as it stands in the text: what runs as the owner of the table has all in one array of texts.
fn parameter(plan: &TablePlan, number: usize) -> String {
    match plan.target.run_as {
        Some(_) => format!("($1)[{number}]"),
        None => format!("${number}"),
    }
}

/// The rows' values as a table `v`, one array parameter a column: those by which rows are found, then those
/// that are written. The arrays stand in a list of results and not in FROM, where PostgreSQL would first write
/// what each of them holds into a store of its own: that took a quarter of an UPDATE.
fn unnest(plan: &TablePlan, found: &[usize], written: &[usize]) -> String {
    let by_text = |column: usize| {
        let at = plan.key.iter().position(|&key| key == column);
        at.is_some_and(|at| plan.key_equals[at].is_none())
    };
    let kept = |column: usize| plan.column(column).identity_always;
    let columns: Vec<_> = found.iter().chain(written).copied().collect();
    let types: Vec<_> = (found.iter())
        .map(|&column| match by_text(column) {
            true => TEXT,
            false => image_array(plan, column),
        })
        .chain(written.iter().map(|&column| match kept(column) {
            true => image_array(plan, column),
            false => written_array(plan, column),
        }))
        .collect();
    let arrays = numbered(columns.len(), |at| {
        let number = at + 1;
        format!(
            "pg_catalog.unnest({}::{}[]) AS c{number}",
            parameter(plan, number),
            types[at]
        )
    });
    format!("(SELECT {arrays}) AS v")
}

/// What the arrays of values hold by which whole rows are found.
fn image_array(plan: &TablePlan, column: usize) -> &str {
    let column = plan.column(column);
    match column.unnestable {
        true => column.bare_type(),
        false => TEXT,
    }
}

/// What the arrays of values hold that are written: the assignment gives them to the domain.
fn written_array(plan: &TablePlan, column: usize) -> &str {
    match plan.column(column).guarded {
        true => TEXT,
        false => image_array(plan, column),
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
