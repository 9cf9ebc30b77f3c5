//! What was granted and revoked, as statements.
//!
//! ```text
//!  granted, revoked ─> by whom it was, to whom, with the option or not ─> one GRANT or REVOKE each
//! ```
//!
//! What a role gave that is not the owner is given by that role, where ours can become it, and otherwise by the
//! owner. What roles have that the target lacks is reported with the statements that bring it, and so is what owners
//! lose on the source and keep on the target.

use std::collections::HashMap;

use crate::model::{do_block, quote_ident, quote_literal};
use crate::schema::privilege::{Grant, Party, PrivilegeChange};
use crate::schema::roles::{Membership, Roles};

use super::planned::NotApplied;
use super::steps::Step;

/// What is left out, and the role that the target lacks for it.
pub(super) type Left = (Option<String>, NotApplied);

/// Returns the statement for a change, if there is anything to run, and what is left out of it.
pub(super) fn plan(change: &PrivilegeChange, roles: &Roles) -> (Option<Step>, Vec<Left>) {
    if change.is_default() && change.owner == roles.ours {
        let reason =
            "what our role makes here would get them, whoever makes it on the source".to_owned();
        let object = change.label();
        return (None, vec![(None, NotApplied { object, reason })]);
    }
    let mut statements = Statements {
        change,
        roles,
        left: Vec::new(),
    };
    let sql = statements.all();
    let step = sql.map(|sql| Step {
        optional: true,
        of_access: !change.is_default(),
        ..Step::new(change.label(), sql)
    });
    (step, statements.left)
}

/// Privileges that one statement names.
#[derive(Debug)]
struct Group<'a> {
    to: &'a Party,
    by: &'a Party,
    option: bool,
    privileges: Vec<&'a str>,
}

struct Statements<'a> {
    change: &'a PrivilegeChange,
    roles: &'a Roles,
    left: Vec<Left>,
}

impl<'a> Statements<'a> {
    fn all(&mut self) -> Option<String> {
        let change = self.change;
        // With the option and without it is one privilege.
        let twin = |grant: &Grant, among: &[Grant]| among.iter().any(|other| is_twin(grant, other));
        let revoked = change.revoked.iter();
        let revoked = revoked.filter(|grant| grant.grantable || !twin(grant, &change.granted));
        let (options, whole): (Vec<&Grant>, Vec<&Grant>) =
            revoked.partition(|grant| twin(grant, &change.granted));
        let granted = change.granted.iter();
        let granted = granted.filter(|grant| grant.grantable || !twin(grant, &change.revoked));
        let granted: Vec<&Grant> = granted.collect();
        let whole = self.without_kept(whole);
        let mut revokes = Vec::new();
        for (what, grants) in [("GRANT OPTION FOR ", options), ("", whole)] {
            for group in groups(grants).into_iter().rev() {
                revokes.extend(self.revoke(what, &group));
            }
        }
        let mut grants = Vec::new();
        for group in groups(granted) {
            grants.extend(self.grant(&group));
        }
        if !revokes.is_empty() && change.kind == "schema" {
            revokes = vec![guarded(&change.identity, &revokes)];
        }
        revokes.append(&mut grants);
        (!revokes.is_empty()).then(|| revokes.join(";\n"))
    }

    /// Leaves out what an owner has to keep.
    fn without_kept(&mut self, revoked: Vec<&'a Grant>) -> Vec<&'a Grant> {
        let change = self.change;
        let kept = kept(keyword(&change.kind));
        let is_kept = |grant: &&Grant| {
            let shows =
                ["view", "materialized view", "foreign table"].contains(&change.kind.as_str());
            let whole = change.column.is_none() && !shows;
            whole && grant.to == Party::Owner && kept.contains(&grant.privilege.as_str())
        };
        let (kept, rest): (Vec<&Grant>, Vec<&Grant>) = revoked.into_iter().partition(is_kept);
        for group in groups(kept) {
            let reason = format!(
                "who owns it keeps {} here: our role writes rows and schema changes with the owner's rights",
                group.privileges.join(", ")
            );
            let object = change.label();
            self.left.push((None, NotApplied { object, reason }));
        }
        rest
    }

    fn grant(&mut self, group: &Group<'a>) -> Option<String> {
        let option = if group.option {
            " WITH GRANT OPTION"
        } else {
            ""
        };
        let to = self.name(group.to);
        let sql = self.by(
            group.by,
            format!("GRANT {} TO {to}{option}", self.what(&group.privileges)),
        );
        if self.lends_ours() {
            let reason = format!(
                "it would show what our role may read, because role {owner} does not own it here: GRANT {role} TO {ours}; \
                 ALTER {kind} {identity} OWNER TO {role}; {sql}",
                owner = self.change.owner,
                role = quote_ident(&self.change.owner),
                ours = quote_ident(&self.roles.ours),
                kind = self.change.kind.to_uppercase(),
                identity = self.change.identity,
            );
            let object = self.change.label();
            self.left.push((None, NotApplied { object, reason }));
            return None;
        }
        match group.to {
            Party::Role(role) if self.roles.membership(role).is_none() => {
                let reason = format!("the target has no role {role}: CREATE ROLE {to}; {sql}");
                let object = self.change.label();
                let left = NotApplied { object, reason };
                self.left.push((Some(role.clone()), left));
                None
            }
            // Of an owner that the target lacks the change of the owner tells.
            Party::Owner if self.roles.membership(&self.change.owner).is_none() => None,
            Party::Public | Party::Owner | Party::Role(_) => Some(sql),
        }
    }

    /// What a view shows is what its owner may read. One whose owner the target lacks, or that ours may not act
    /// for, is ours.
    fn lends_ours(&self) -> bool {
        let change = self.change;
        let shows = ["view", "materialized view"].contains(&change.kind.as_str());
        let is_owners = self.roles.membership(&change.owner) == Some(Membership::Inheriting);
        shows && !is_owners && change.owner != self.roles.ours
    }

    /// A role that the target lacks has nothing there, and the owner what owners have.
    fn revoke(&self, what: &str, group: &Group<'a>) -> Option<String> {
        let change = self.change;
        let is_there = match group.to {
            Party::Public => true,
            Party::Owner => self.roles.membership(&change.owner).is_some(),
            Party::Role(role) => *role != change.owner && self.roles.membership(role).is_some(),
        };
        let from = self.name(group.to);
        let privileges = self.what(&group.privileges);
        let sql = format!("REVOKE {what}{privileges} FROM {from} CASCADE");
        is_there.then(|| self.by(group.by, sql))
    }

    /// Only who gave something can take it back, and appears as who gave it.
    fn by(&self, giver: &Party, sql: String) -> String {
        let can_be = |role: &String| {
            let membership = self.roles.membership(role);
            matches!(
                membership,
                Some(Membership::Member | Membership::Inheriting)
            )
        };
        match (giver, self.for_role()) {
            (_, Some(prefix)) => format!("{prefix}{sql}"),
            (Party::Role(role), None) if can_be(role) => {
                format!("SET LOCAL ROLE {};\n{sql};\nRESET ROLE", quote_ident(role))
            }
            _ => sql,
        }
    }

    fn for_role(&self) -> Option<String> {
        let change = self.change;
        let schema = change.schema.as_deref();
        let schema = schema.map_or_else(String::new, |schema| {
            format!("IN SCHEMA {} ", quote_ident(schema))
        });
        change.is_default().then(|| {
            format!(
                "ALTER DEFAULT PRIVILEGES FOR ROLE {} {schema}",
                quote_ident(&change.owner)
            )
        })
    }

    fn what(&self, privileges: &[&str]) -> String {
        let change = self.change;
        let column = change.column.as_deref();
        let column =
            column.map_or_else(String::new, |column| format!(" ({})", quote_ident(column)));
        let privileges: Vec<String> = privileges
            .iter()
            .map(|privilege| format!("{privilege}{column}"))
            .collect();
        let on = match keyword(&change.kind) {
            Some(keyword) => format!("{keyword} {}", change.identity),
            None => change.identity.clone(),
        };
        format!("{} ON {on}", privileges.join(", "))
    }

    fn name(&self, party: &Party) -> String {
        match party {
            Party::Public => "PUBLIC".to_owned(),
            Party::Owner => quote_ident(&self.change.owner),
            Party::Role(role) => quote_ident(role),
        }
    }
}

/// Whether both are the same privilege, with the option or without.
fn is_twin(one: &Grant, other: &Grant) -> bool {
    one.privilege == other.privilege
        && one.to == other.to
        && one.by == other.by
        && one.grantable != other.grantable
}

/// Gathers what one statement can name. What a role gives comes behind what gives it the option.
fn groups(grants: Vec<&Grant>) -> Vec<Group<'_>> {
    let mut givers: HashMap<&str, Vec<&Party>> = HashMap::new();
    for grant in &grants {
        if let Party::Role(role) = &grant.to {
            givers.entry(role).or_default().push(&grant.by);
        }
    }
    let mut grants = grants;
    grants.sort_by_key(|grant| depth(&grant.by, &givers, givers.len() + 1));
    let mut groups: Vec<Group<'_>> = Vec::new();
    for grant in grants {
        let fits = |group: &&mut Group<'_>| {
            *group.to == grant.to && *group.by == grant.by && group.option == grant.grantable
        };
        match groups.iter_mut().find(fits) {
            Some(group) => group.privileges.push(&grant.privilege),
            None => groups.push(Group {
                to: &grant.to,
                by: &grant.by,
                option: grant.grantable,
                privileges: vec![&grant.privilege],
            }),
        }
    }
    groups
}

/// How many others had to give something before; the owner needs nobody.
fn depth(giver: &Party, givers: &HashMap<&str, Vec<&Party>>, max: usize) -> usize {
    let Party::Role(role) = giver else { return 0 };
    if max == 0 {
        return 0;
    }
    let above = givers.get(role.as_str()).into_iter().flatten();
    1 + above
        .map(|by| depth(by, givers, max - 1))
        .max()
        .unwrap_or_default()
}

fn keyword(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "table" | "view" | "materialized view" | "foreign table" => "TABLE",
        "sequence" => "SEQUENCE",
        "function" | "procedure" | "aggregate" | "routine" => "ROUTINE",
        "schema" => "SCHEMA",
        "language" => "LANGUAGE",
        "foreign-data wrapper" => "FOREIGN DATA WRAPPER",
        "server" => "FOREIGN SERVER",
        "default privileges" => return None,
        _ => "TYPE",
    })
}

/// What an owner keeps: our role has the owner's rights, and writes rows and schema changes with them.
fn kept(keyword: Option<&str>) -> &'static [&'static str] {
    match keyword {
        Some("TABLE") => &["SELECT", "INSERT", "UPDATE", "DELETE"],
        Some("SEQUENCE") => &["SELECT", "UPDATE", "USAGE"],
        Some("SCHEMA") => &["USAGE", "CREATE"],
        Some("ROUTINE") => &["EXECUTE"],
        Some("TYPE") => &["USAGE"],
        _ => &[],
    }
}

/// Foreign keys are checked with the rights of who owns the tables, and rows may be written with them.
fn guarded(schema: &str, revokes: &[String]) -> String {
    let literal = quote_literal(schema);
    let name = literal.trim_start();
    let locked_out = format!(
        "EXISTS (SELECT FROM pg_catalog.pg_class AS c \
                 WHERE c.relnamespace = {name}::pg_catalog.regnamespace AND c.relkind IN ('r', 'p') \
                   AND NOT pg_catalog.has_schema_privilege(c.relowner, c.relnamespace, 'USAGE'))"
    );
    do_block(&format!(
        "DECLARE locked_out CONSTANT pg_catalog.bool := {locked_out}; \
         BEGIN\n{};\n\
         IF NOT locked_out AND {locked_out} THEN \
           RAISE EXCEPTION 'who owns a table of schema % could not use it any more', {name} \
             USING ERRCODE = 'insufficient_privilege'; \
         END IF; END",
        revokes.join(";\n")
    ))
}
