//! What `check` and the start of `run` both require, in the same words. Pure.
//!
//! Where one of these does not hold, a stream would run all the same, and leave changes out without a word
//! or go in a circle.

use crate::config::TableFilter;
use crate::model::quote_ident;
use crate::postgres::{DatabaseIdentity, Publication, UnfitPublication};
use crate::schema::{EVENT_TRIGGERS, EventTrigger, PipelineRecord};

/// One requirement that is not met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unmet {
    /// The publication, event trigger or database.
    pub(crate) object: String,
    /// What is in the way.
    pub(crate) problem: &'static str,
    /// The statement or command that fixes it.
    pub(crate) hint: String,
}

/// Judges the publication of a `pgoutput` slot. `init` is the command that makes what is missing.
pub(crate) fn publication(name: &str, found: Publication, init: &str) -> Option<Unmet> {
    let UnfitPublication { problem, fix } = found.unfit(name)?;
    let anew = || format!("DROP PUBLICATION {}; -- then {init}", quote_ident(name));
    Some(Unmet {
        object: format!("publication {name}"),
        problem,
        hint: fix.unwrap_or_else(anew),
    })
}

/// Judges what an earlier build installed: nobody streams from a source where our own functions give every
/// user a superuser's rights.
pub(crate) fn open_functions(found: &[String], init: &str) -> Option<Unmet> {
    let many = if found.len() > 1 { "s" } else { "" };
    (!found.is_empty()).then(|| Unmet {
        object: format!("function{many} {}", found.join(", ")),
        problem: "as an earlier version of pgstream installed it, gives any user a superuser's rights",
        hint: init.to_owned(),
    })
}

/// Judges the event triggers of an installation. Only `init` knows what has changed while one was off, so
/// it is the fix even where a statement would turn it on.
pub(crate) fn event_triggers(found: &[EventTrigger], init: &str) -> Option<Unmet> {
    let there = |name: &str| found.iter().any(|trigger| trigger.name == name);
    let missing = EVENT_TRIGGERS.into_iter().filter(|name| !there(name));
    let missing: Vec<&str> = missing.collect();
    let off = found.iter().filter(|trigger| !trigger.always);
    let off: Vec<&str> = off.map(|trigger| trigger.name.as_str()).collect();
    let (names, problem) = match (missing.is_empty(), off.is_empty()) {
        (false, _) => (missing, "not found: schema changes are not recorded"),
        (true, false) => (
            off,
            "does not fire in every session: schema changes would be missed",
        ),
        (true, true) => return None,
    };
    let many = if names.len() > 1 { "s" } else { "" };
    Some(Unmet {
        object: format!("event trigger{many} {}", names.join(", ")),
        problem,
        hint: init.to_owned(),
    })
}

/// Without its checkpoint a pipeline applies all that its slot still has. Where the source remembers that
/// it was applied to this database, some of that may be there. Where all tables are copied first, into
/// tables that must be empty, nothing can be there twice. `anew` is the command that begins anew.
pub(crate) fn checkpoint(
    slot_name: &str,
    (recorded, target): (Option<&PipelineRecord>, &DatabaseIdentity),
    (copied, filter): (Option<&TableFilter>, &TableFilter),
    anew: String,
) -> Option<Unmet> {
    let applied = recorded.and_then(|recorded| recorded.target.as_ref());
    let copied = copied.is_some_and(|copied| copied.selects_everything() || copied == filter);
    (applied == Some(&target.lasting()) && !copied).then(|| Unmet {
        object: format!("checkpoint of slot {slot_name}"),
        problem: "is gone, and the source remembers that this pipeline was applied here: what the slot \
                  still has may be here already",
        hint: anew,
    })
}

/// The target is the very database that is streamed, under whatever name.
pub(crate) fn same_database(database: &str) -> Unmet {
    Unmet {
        object: format!("database {database}"),
        problem: "is the source itself: every change would be written back to where it came from",
        hint: "name another database in PGSTREAM_POSTGRES_WRITER_TARGET_URL".to_owned(),
    }
}
