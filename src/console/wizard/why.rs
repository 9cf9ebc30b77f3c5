//! Why a wizard asks what it asks: what the answer changes, and what it costs. Shown beside the
//! screen, so that nobody has to look it up.

use super::values::{Kind, Step};
use super::{Name, Wizard};

impl Wizard {
    /// Returns why the screen is there, or the field that has the keys; empty where nothing is asked.
    pub(crate) fn why(&self) -> &'static str {
        match self.focused() {
            Some(name) => of_field(self.kind, name),
            None => of_step(self.kind, self.step()),
        }
    }
}

const fn of_field(kind: Kind, name: Name) -> &'static str {
    match (kind, name) {
        (Kind::Init, Name::Source) => {
            "The source is read through logical replication: the role needs REPLICATION, the \
             server wal_level = logical. Nothing is changed there before the plan has run."
        }
        (Kind::Init, Name::Target) => {
            "The target takes the rows and keeps the mark of how far it is, in schema pgstream. \
             Its role must own the tables, or be allowed to make them."
        }
        (Kind::TearDown, Name::Source | Name::Target) => {
            "Both sides hold something of the pipeline. A side that does not answer is left out, \
             and what remains there is said."
        }
        (Kind::Init, Name::Slot) => {
            "The slot keeps WAL on the source until the target has it. While nobody reads it, the \
             source's disk fills: tear a slot down that is not needed."
        }
        (Kind::TearDown, Name::Slot) => {
            "The slot that goes with all that was made for it. Other slots of the source stay."
        }
        (_, Name::Plugin) => {
            "The plugin turns WAL into changes. pgoutput is always there and sends the least; \
             wal2json must be installed on the source."
        }
        (_, Name::Schema) => {
            "With an event trigger on the source, ALTER TABLE and its like replicate in their place \
             among the rows. Without, a change of a table stops the stream until you fix it."
        }
        (_, Name::Include | Name::Exclude) => {
            "A table that does not replicate is never touched on the target. Rows of one without \
             a key can be inserted only, unless its replica identity is FULL."
        }
        (_, Name::Copy | Name::CopyTables) => {
            "Without a copy the target gets only what changes from now on. The copy is taken at \
             one snapshot, and the stream goes on exactly there."
        }
        (_, Name::CopyWorkers) => {
            "Each copy is a session on both servers. More are faster until disks or network are \
             busy; the number can be changed while they run."
        }
        (_, Name::Confirm) => {
            "A new pipeline must copy all rows again. The name is typed so that it is this slot \
             and no other."
        }
        (_, Name::File) => {
            "Every command finds the pipeline by this file: pgstream run, status and tear-down \
             with -c."
        }
        (_, Name::Then) => {
            "From now on the source keeps WAL for the slot. The sooner it is read, the less."
        }
    }
}

const fn of_step(kind: Kind, step: Step) -> &'static str {
    match (kind, step) {
        (_, Step::Preflight) => {
            "Both servers were asked for what would stop the stream later: wal_level, free slots \
             and senders, rights, replica identities, the target's tables. y copies the SQL that \
             fixes the selected one."
        }
        (_, Step::Tables) => {
            "Space lets a table in or out, by the shortest change of the patterns above."
        }
        (Kind::Init, Step::Plan) => {
            "This is all that will run, in this order, with your rights. If a step fails, those \
             before it are taken back, in reverse order, where there is an undo."
        }
        (Kind::TearDown, Step::Plan) => {
            "This is all that is removed, in this order. The replicated tables and their rows \
             stay on the target."
        }
        // Nothing is asked there: the room is for what happens.
        (_, Step::Run | Step::Verify) => "",
        (_, Step::Source | Step::Target | Step::Servers | Step::FirstCopy) => "",
        (_, Step::Confirm | Step::Start) => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::wizard::values::WizardValues;

    #[test]
    fn every_place_where_something_is_asked_says_why() {
        for kind in [Kind::Init, Kind::TearDown] {
            let mut wizard = Wizard::new(kind, &WizardValues::default());
            for at in 0..kind.steps().len() {
                wizard.at = at;
                let asks = !matches!(wizard.step(), Step::Run | Step::Verify);
                for field in 0..=wizard.last_place() {
                    wizard.field = field;
                    assert_eq!(
                        !wizard.why().is_empty(),
                        asks,
                        "{kind:?} {:?}",
                        wizard.step()
                    );
                }
            }
        }
    }
}
