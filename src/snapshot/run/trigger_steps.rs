//! Keeps triggers that both sides have silent while rows come. Pure.

use crate::model::{do_block, quote_ident};
use crate::schema::{Step, Trigger};
use crate::snapshot::NewStep;
use crate::snapshot::handover::TableStep;

/// Keeps a trigger silent while the rows of its table come.
pub(crate) fn silence((table, trigger): &(u32, Trigger)) -> TableStep {
    let (name, on) = (quote_ident(&trigger.name), trigger.table.quoted());
    TableStep {
        relation: Some(*table),
        step: Step::new(
            format!("trigger {} on {}", trigger.name, trigger.table),
            format!("ALTER TABLE {on} DISABLE TRIGGER {name}"),
        ),
    }
}

/// Lets it fire again as before, whatever it and its table are called by then.
pub(crate) fn wake((table, trigger): &(u32, Trigger)) -> NewStep {
    let enable = trigger.enable();
    NewStep {
        stage: "trigger",
        relation: Some(*table),
        referenced: None,
        object: format!("trigger {} on {}", trigger.name, trigger.table),
        sql: do_block(&format!(
            "DECLARE t record; BEGIN FOR t IN SELECT g.tgrelid::pg_catalog.regclass AS name, g.tgname \
             FROM pg_catalog.pg_trigger AS g WHERE g.oid = {} AND g.tgenabled = 'D' LOOP \
             EXECUTE pg_catalog.format('ALTER TABLE %s {enable} TRIGGER %I', t.name, t.tgname); \
             END LOOP; END",
            trigger.oid
        )),
    }
}
