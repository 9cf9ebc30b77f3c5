//! Objects that one statement makes, as the server prints it: functions, views, triggers and so on.
//!
//! A rename is a rename; another definition replaces the old one in place where PostgreSQL can, and is
//! dropped and made again where it cannot. None of these statements is worth stopping the rows for: what
//! the target refuses is reported ([`super::Step::optional`]).
//!
//! A trigger, an event trigger, or a rule of a table, that came from the source has done its work there: it is
//! made disabled, and `pgstream.silenced` on the target keeps what it was.

use std::collections::BTreeMap;

use crate::model::{do_block, quote_ident, quote_literal};
use crate::schema::description::{Object, Part, ViewColumn};
use crate::schema::entry::Images;

use super::command_objects::CommandObjects;
use super::extension;
use super::sql::option_changes;
use super::steps::{Phase, Steps};

pub(super) fn plan(command: &CommandObjects<'_>, images: &Images<Object>, steps: &mut Steps) {
    let Some(after) = &images.after else {
        return;
    };
    if !selects(command, after) {
        return;
    }
    let mut object = Statements {
        after,
        sql: Vec::new(),
    };
    match &images.before {
        None => object.create(),
        Some(before) => object.alter(before),
    }
    let label = after.label();
    if !object.sql.is_empty() {
        let sql = object.sql.join(";\n");
        steps.add_ranked(Phase::Object, rank(after), &label, sql);
    }
    if images.before.is_none() && after.populated == Some(true) {
        steps.add(
            Phase::Object,
            &label,
            format!("REFRESH {}", after.address()),
        );
    }
}

/// One command makes an operator class with its family, and extensions with those that they require.
fn rank(object: &Object) -> i32 {
    match object.kind.as_str() {
        "extension" | "operator family" => -1,
        _ => 0,
    }
}

/// What belongs to a table goes with it, a view counts by its own name. The filter says nothing of the rest.
pub(super) fn selects(command: &CommandObjects<'_>, object: &Object) -> bool {
    match (object.table_oid, &object.table) {
        (Some(oid), Some(table)) => command.selects(oid, table),
        _ if object.is_relation() => command.selects_name(&object.qualified_name()),
        _ => true,
    }
}

/// A materialized view is filled here from what is here.
pub(super) fn refresh(command: &CommandObjects<'_>, steps: &mut Steps) {
    let refreshed = command.change.others.iter();
    let refreshed = refreshed.filter(|other| other.tag == "REFRESH MATERIALIZED VIEW");
    steps.may_fail(true);
    for (view, populated) in refreshed.filter_map(|other| other.view.as_ref().zip(other.populated))
    {
        if command.selects_name(view) {
            let data = if populated { "" } else { " WITH NO DATA" };
            let sql = format!("REFRESH MATERIALIZED VIEW {}{data}", view.quoted());
            steps.add(Phase::Object, &format!("materialized view {view}"), sql);
        }
    }
    steps.may_fail(false);
}

/// What is run for one object, as one: it is made, or altered, as a whole.
struct Statements<'a> {
    after: &'a Object,
    sql: Vec<String>,
}

impl Statements<'_> {
    fn add(&mut self, sql: String) {
        self.sql.push(sql);
    }

    fn create(&mut self) {
        let after = self.after;
        if after.kind == "extension" {
            self.add(extension::create(after));
        } else {
            // What has its name on the target is somebody else's.
            let sql = after
                .definition
                .replacen("CREATE OR REPLACE ", "CREATE ", 1);
            self.make(sql);
        }
        self.settings(None);
    }

    /// What acts with its owner's rights is not anybody else's for a moment.
    fn make(&mut self, sql: String) {
        let after = self.after;
        match after.owner.as_deref() {
            Some(owner) if after.definer => {
                let given = give(after, owner, &refuse(owner));
                self.add(format!("{sql};\n{given}"));
            }
            owner => {
                self.add(silenced(after, sql));
                if let Some(owner) = owner {
                    self.add(give(after, owner, "RETURN"));
                }
            }
        }
    }

    fn alter(&mut self, before: &Object) {
        let after = self.after;
        self.rename(before);
        if before.hash == after.hash {
            if before.owner != after.owner
                && let Some(owner) = &after.owner
            {
                self.add(give(after, owner, &refuse(owner)));
            }
            if before.enabled != after.enabled && after.enabled.is_some() {
                self.add(remember(after));
            }
            self.parts(before);
            return self.settings(Some(before));
        }
        match in_place(&after.definition) {
            Some(sql) => {
                self.make(sql);
                self.settings(Some(before));
            }
            None => {
                self.make(format!("DROP {};\n{}", after.address(), after.definition));
                self.settings(None);
            }
        }
    }

    /// What its name is made of besides, types and tables, has the names of now.
    fn rename(&mut self, before: &Object) {
        let after = self.after;
        let mut current = after.clone();
        (current.schema, current.name) = (before.schema.clone(), before.name.clone());
        if before.schema != after.schema {
            let schema = quote_ident(after.schema.as_deref().unwrap_or_default());
            self.add(format!("ALTER {} SET SCHEMA {schema}", current.address()));
            current.schema.clone_from(&after.schema);
        }
        if before.name != after.name {
            let name = quote_ident(&after.name);
            self.add(format!("ALTER {} RENAME TO {name}", current.address()));
        }
        for column in &after.columns {
            let was = before
                .columns
                .iter()
                .find(|was| was.number == column.number);
            if let Some(was) = was.filter(|was| was.name != column.name) {
                let (old, new) = (quote_ident(&was.name), quote_ident(&column.name));
                self.add(format!(
                    "ALTER {} RENAME COLUMN {old} TO {new}",
                    after.address()
                ));
            }
        }
    }

    /// What is gone goes first: what comes may need its place.
    fn parts(&mut self, before: &Object) {
        let after = self.after;
        let mut clauses = Clauses::default();
        let find = |of: &Object, key: &str| of.parts.iter().find(|part| part.key == key).cloned();
        for part in &before.parts {
            let now = find(after, &part.key);
            // In a list, or where ALTER knows a word for it, a part changes in its place.
            let replaced =
                |now: Part| part.set.is_none() && now.change.is_none() && now.value != part.value;
            let with_another = part.of.as_ref();
            let with_another = with_another.is_some_and(|of| find(after, of).is_none());
            let drop = part.drop.as_deref().filter(|_| !with_another);
            if let Some(drop) = drop.filter(|_| now.is_none_or(replaced)) {
                clauses.add(part, drop);
            }
        }
        for part in &after.parts {
            let was = find(before, &part.key);
            if was.as_ref().is_none_or(|was| was.value != part.value) {
                let change = part.change.as_deref().filter(|_| was.is_some());
                clauses.add(part, change.unwrap_or(&part.text));
            }
        }
        let address = after.address();
        for clause in clauses.alone {
            self.add(format!("ALTER {address} {clause}"));
        }
        for (set, parts) in clauses.lists {
            self.add(format!("ALTER {address} {set} ({})", parts.join(", ")));
        }
    }

    fn settings(&mut self, before: Option<&Object>) {
        let after = self.after;
        if let Some(before) = before {
            for clause in option_changes(&before.options, &after.options, "") {
                self.add(format!("ALTER {} {clause}", after.address()));
            }
        }
        if before.and_then(|before| before.statistics) != after.statistics {
            let target = after.statistics.unwrap_or(-1);
            self.add(format!("ALTER {} SET STATISTICS {target}", after.address()));
        }
        self.comment(
            &after.address(),
            (
                before.and_then(|b| b.comment.as_ref()),
                after.comment.as_ref(),
            ),
        );
        for column in &after.columns {
            let was = before.and_then(|b| b.columns.iter().find(|was| was.number == column.number));
            self.column(column, was);
        }
    }

    fn column(&mut self, column: &ViewColumn, was: Option<&ViewColumn>) {
        let name = quote_ident(&column.name);
        if was.and_then(|was| was.default.as_ref()) != column.default.as_ref() {
            let clause = match &column.default {
                Some(default) => format!("SET DEFAULT {default}"),
                None => "DROP DEFAULT".to_owned(),
            };
            self.add(format!(
                "ALTER {} ALTER COLUMN {name} {clause}",
                self.after.address()
            ));
        }
        let address = format!("COLUMN {}.{name}", self.after.qualified_name().quoted());
        self.comment(
            &address,
            (
                was.and_then(|was| was.comment.as_ref()),
                column.comment.as_ref(),
            ),
        );
    }

    fn comment(&mut self, address: &str, (before, after): (Option<&String>, Option<&String>)) {
        if before != after {
            let text = after.map_or_else(|| "NULL".to_owned(), |text| quote_literal(text));
            self.add(format!("COMMENT ON {address} IS {}", text.trim_start()));
        }
    }
}

/// What `ALTER` is to say of parts.
#[derive(Default)]
struct Clauses<'p> {
    alone: Vec<&'p str>,
    /// By the word before each list.
    lists: BTreeMap<&'p str, Vec<&'p str>>,
}

impl<'p> Clauses<'p> {
    /// What comes by itself has no text.
    fn add(&mut self, part: &'p Part, text: &'p str) {
        match part.set.as_deref() {
            _ if text.is_empty() => {}
            Some(set) => self.lists.entry(set).or_default().push(text),
            None => self.alone.push(text),
        }
    }
}

/// Gives it to whom it belongs on the source. `otherwise`: what is done where he is not here, or our role may
/// not give it to him.
fn give(object: &Object, owner: &str, otherwise: &str) -> String {
    let (role, role_name) = (quote_ident(owner), quote_literal(owner));
    let address = object.address();
    do_block(&format!(
        "BEGIN \
           IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles AS r \
                          WHERE r.rolname OPERATOR(pg_catalog.=) {role_name} \
                            AND pg_catalog.pg_has_role(r.oid, 'USAGE')) THEN \
             {otherwise}; \
           END IF; \
           ALTER {address} OWNER TO {role}; \
         EXCEPTION WHEN insufficient_privilege THEN \
           {otherwise}; \
         END"
    ))
}

/// Left to another owner it would be another thing, or nothing has changed.
fn refuse(owner: &str) -> String {
    format!(
        "RAISE EXCEPTION 'it belongs to role % on the source: our role must be a member of that here, and \
         that role may CREATE in its schema', {} USING ERRCODE = 'insufficient_privilege'",
        quote_literal(owner)
    )
}

/// The statement that gives an object another definition and leaves it what it is.
fn in_place(definition: &str) -> Option<String> {
    if definition.starts_with("CREATE OR REPLACE ") {
        return Some(definition.to_owned());
    }
    let replaced = ["RULE ", "TRIGGER "];
    let mut replaced = replaced.iter();
    replaced.find_map(|kind| {
        let rest = definition.strip_prefix("CREATE ")?.strip_prefix(kind)?;
        Some(format!("CREATE OR REPLACE {kind}{rest}"))
    })
}

/// Keeps what acts on its own from acting on what we write.
fn silenced(object: &Object, sql: String) -> String {
    let disable = match (&object.enabled, &object.table) {
        (None, _) => return sql,
        (Some(_), Some(table)) => format!(
            "ALTER TABLE {} DISABLE {} {}",
            table.quoted(),
            object.keyword(),
            quote_ident(&object.name)
        ),
        (Some(_), None) => format!("ALTER {} DISABLE", object.address()),
    };
    format!("{sql};\n{disable};\n{}", remember(object))
}

/// Writes down how the source has it.
fn remember(object: &Object) -> String {
    let Some(enabled) = &object.enabled else {
        return String::new();
    };
    let (catalog, name, relation) = match object.kind.as_str() {
        "rule" => ("pg_rewrite", "rulename", "s.ev_class"),
        "trigger" => ("pg_trigger", "tgname", "s.tgrelid"),
        _ => ("pg_event_trigger", "evtname", "0"),
    };
    let table = object.table.as_ref().map(|table| {
        let table = quote_literal(&table.quoted());
        format!(" AND {relation} = {table}::pg_catalog.regclass")
    });
    format!(
        "INSERT INTO pgstream.silenced (kind, oid, relation, enabled) \
         SELECT {kind}, s.oid, {relation}, {enabled} FROM pg_catalog.{catalog} AS s \
         WHERE s.{name} = {value}{table} \
         ON CONFLICT (kind, oid) DO UPDATE SET relation = excluded.relation, enabled = excluded.enabled",
        kind = quote_literal(&object.kind),
        enabled = quote_literal(enabled),
        value = quote_literal(&object.name),
        table = table.unwrap_or_default(),
    )
}
