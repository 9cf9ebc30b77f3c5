//! What there is to do for the rows and indexes of a plan, and what comes next. Pure.
//!
//! ```text
//!  the table ──> parts of its rows ──all──> rows are there ──> indexes, side by side ──all──> keys, one by one
//! ```
//!
//! Tables come largest first, so that no long one begins when all others are done; what completes a
//! table comes before more rows, so that several indexes are built while rows still move.

use std::collections::VecDeque;

use crate::model::RelationId;
use crate::postgres::sqlstate;
use crate::snapshot::{OpenStep, Part, TableError};

/// A piece of work for one worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Job {
    /// The table itself.
    Make,
    Part(Part),
    /// A statement that completes the table.
    Step(OpenStep),
    /// All statements that complete the table, in one transaction.
    Finish,
}

/// Two tables that are made at once may give their array types the same name: the second finds another
/// one when it is made again.
pub(crate) fn names_collided(job: &Job, error: &TableError) -> bool {
    let unique = Some(sqlstate::UNIQUE_VIOLATION);
    *job == Job::Make && matches!(error, TableError::Step { source, .. } if source.code() == unique)
}

/// Whether the table is there.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Making {
    #[default]
    Made,
    ToDo,
    Running,
}

/// What is left of one table.
#[derive(Debug, Default)]
struct Left {
    relation: RelationId,
    making: Making,
    parts: VecDeque<Part>,
    /// A part was taken.
    begun: bool,
    /// Side by side.
    indexes: VecDeque<OpenStep>,
    /// One by one, behind all indexes.
    steps: VecDeque<OpenStep>,
    /// Instead of both.
    finish: bool,
    running_parts: usize,
    running_steps: usize,
    rows_are_there: bool,
}

/// The work of a plan.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    tables: Vec<Left>,
}

/// What the end of a job brought about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// There is more to do for the table.
    More,
    /// Its last rows came.
    RowsAreThere,
    /// It is complete.
    Complete,
}

impl Queue {
    /// Adds a table whose rows are to be copied; those added first are begun first.
    pub(crate) fn add_rows(&mut self, relation: RelationId, parts: Vec<Part>) {
        self.tables.push(Left {
            relation,
            parts: parts.into(),
            ..Left::default()
        });
    }

    /// Has a table made before its rows are copied.
    pub(crate) fn make_first(&mut self, relation: RelationId) {
        if let Some(left) = self.table(relation) {
            left.making = Making::ToDo;
        }
    }

    /// Adds the statements that complete a table whose rows are there.
    pub(crate) fn add_steps(&mut self, relation: RelationId, steps: Vec<OpenStep>) {
        let (indexes, steps) = steps.into_iter().partition(|step| step.stage == "index");
        let left = self.with_rows(relation);
        (left.indexes, left.steps) = (indexes, steps);
    }

    /// Adds what completes a small table whose rows are there: a single piece of work.
    pub(crate) fn add_finish(&mut self, relation: RelationId) {
        self.with_rows(relation).finish = true;
    }

    /// Takes the next piece of work.
    pub(crate) fn next(&mut self) -> Option<(RelationId, Job)> {
        let step = self.tables.iter_mut().find_map(Left::next_step);
        step.or_else(|| self.tables.iter_mut().find_map(Left::next_of_rows))
    }

    /// Takes the next table that is to be made.
    pub(crate) fn next_table(&mut self) -> Option<(RelationId, Job)> {
        self.tables.iter_mut().find_map(Left::next_table)
    }

    /// Gives a piece of work back, to be done again.
    pub(crate) fn again(&mut self, relation: RelationId, job: Job) {
        if let Some(left) = self.table(relation) {
            left.ended(&job);
            match job {
                Job::Make => left.making = Making::ToDo,
                Job::Part(part) => left.parts.push_front(part),
                Job::Step(step) if step.stage == "index" => left.indexes.push_front(step),
                Job::Step(step) => left.steps.push_front(step),
                Job::Finish => left.finish = true,
            }
        }
    }

    /// Notes the end of a job.
    pub(crate) fn done(&mut self, relation: RelationId, job: &Job) -> Progress {
        let Some(left) = self.table(relation) else {
            return Progress::More;
        };
        left.ended(job);
        match (left.is_idle(), left.rows_are_there) {
            (true, true) => Progress::Complete,
            (true, false) => Progress::RowsAreThere,
            (false, _) => Progress::More,
        }
    }

    /// Leaves a table out: it failed or is to be copied again. What runs of it will end by itself.
    pub(crate) fn leave_out(&mut self, relation: RelationId) {
        self.tables.retain(|left| left.relation != relation);
    }

    /// Leaves out, and returns, the tables of which nothing has been begun.
    pub(crate) fn leave_out_untouched(&mut self) -> Vec<RelationId> {
        let (begun, untouched): (Vec<Left>, Vec<Left>) = std::mem::take(&mut self.tables)
            .into_iter()
            .partition(|left| left.begun || left.rows_are_there);
        self.tables = begun;
        untouched.into_iter().map(|left| left.relation).collect()
    }

    /// Returns whether rows of a table are still to come.
    pub(crate) fn awaits_rows(&self) -> bool {
        self.tables.iter().any(|left| !left.rows_are_there)
    }

    /// Returns whether nothing is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    /// Returns whether the table is still being worked on.
    pub(crate) fn has(&self, relation: RelationId) -> bool {
        self.tables.iter().any(|left| left.relation == relation)
    }

    fn with_rows(&mut self, relation: RelationId) -> &mut Left {
        let at = self
            .tables
            .iter()
            .position(|left| left.relation == relation);
        let at = at.unwrap_or_else(|| {
            self.add_rows(relation, Vec::new());
            self.tables.len() - 1
        });
        let left = &mut self.tables[at];
        left.rows_are_there = true;
        left
    }

    fn table(&mut self, relation: RelationId) -> Option<&mut Left> {
        self.tables
            .iter_mut()
            .find(|left| left.relation == relation)
    }
}

impl Left {
    fn next_of_rows(&mut self) -> Option<(RelationId, Job)> {
        match self.making {
            Making::Made => self.next_part(),
            Making::ToDo | Making::Running => self.next_table(),
        }
    }

    fn next_table(&mut self) -> Option<(RelationId, Job)> {
        (self.making == Making::ToDo).then(|| {
            self.making = Making::Running;
            (self.relation, Job::Make)
        })
    }

    fn next_part(&mut self) -> Option<(RelationId, Job)> {
        let part = self.parts.pop_front()?;
        self.begun = true;
        self.running_parts += 1;
        Some((self.relation, Job::Part(part)))
    }

    fn next_step(&mut self) -> Option<(RelationId, Job)> {
        let job = if std::mem::take(&mut self.finish) {
            Job::Finish
        } else if let Some(index) = self.indexes.pop_front() {
            Job::Step(index)
        } else if self.running_steps == 0 {
            Job::Step(self.steps.pop_front()?)
        } else {
            return None;
        };
        self.running_steps += 1;
        Some((self.relation, job))
    }

    fn ended(&mut self, job: &Job) {
        let running = match job {
            Job::Make => {
                self.making = Making::Made;
                return;
            }
            Job::Part(_) => &mut self.running_parts,
            Job::Step(_) | Job::Finish => &mut self.running_steps,
        };
        *running = running.saturating_sub(1);
    }

    fn is_idle(&self) -> bool {
        self.making == Making::Made
            && self.parts.is_empty()
            && self.indexes.is_empty()
            && self.steps.is_empty()
            && !self.finish
            && self.running_parts + self.running_steps == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(ordinal: i64, stage: &str) -> OpenStep {
        OpenStep {
            ordinal,
            stage: stage.to_owned(),
            relation: None,
            referenced: None,
            object: String::new(),
            sql: String::new(),
        }
    }

    fn alone(step: &OpenStep) -> Job {
        Job::Step(step.clone())
    }

    const BIG: RelationId = RelationId(1);
    const SMALL: RelationId = RelationId(2);

    #[test]
    fn indexes_come_before_more_rows_and_keys_behind_all_indexes() {
        let mut queue = Queue::default();
        queue.add_rows(BIG, vec![Part::Whole]);
        queue.add_rows(SMALL, vec![Part::Whole]);

        let (table, rows) = queue.next().unwrap();
        assert_eq!(
            (table, queue.done(table, &rows)),
            (BIG, Progress::RowsAreThere)
        );
        let (first, second, key) = (step(1, "index"), step(2, "index"), step(3, "after"));
        queue.add_steps(BIG, vec![first.clone(), second.clone(), key.clone()]);
        assert_eq!(queue.next(), Some((BIG, alone(&first))));
        assert_eq!(queue.next(), Some((BIG, alone(&second))));
        assert_eq!(queue.next(), Some((SMALL, Job::Part(Part::Whole))));
        assert_eq!(queue.next(), None);
        assert_eq!(queue.done(BIG, &alone(&first)), Progress::More);
        queue.again(BIG, alone(&second));
        assert_eq!(queue.next(), Some((BIG, alone(&second))));
        assert_eq!(queue.done(BIG, &alone(&second)), Progress::More);
        assert_eq!(queue.next(), Some((BIG, alone(&key))));
        assert_eq!(queue.done(BIG, &alone(&key)), Progress::Complete);
    }

    #[test]
    fn a_table_is_made_before_its_rows_come_and_others_need_not_wait_for_it() {
        let mut queue = Queue::default();
        queue.add_rows(BIG, vec![Part::Whole]);
        queue.add_rows(SMALL, vec![Part::Whole]);
        queue.make_first(BIG);

        assert_eq!(queue.next(), Some((BIG, Job::Make)));
        assert_eq!(queue.next(), Some((SMALL, Job::Part(Part::Whole))));
        assert_eq!(queue.next(), None);
        queue.again(BIG, Job::Make);
        assert_eq!(queue.next(), Some((BIG, Job::Make)));
        assert_eq!(queue.done(BIG, &Job::Make), Progress::More);
        assert_eq!(queue.next(), Some((BIG, Job::Part(Part::Whole))));
    }

    #[test]
    fn what_completes_a_small_table_is_one_piece_of_work() {
        let mut queue = Queue::default();
        queue.add_rows(SMALL, vec![Part::Whole]);
        let (table, rows) = queue.next().unwrap();
        assert_eq!(queue.done(table, &rows), Progress::RowsAreThere);

        queue.add_finish(SMALL);

        assert_eq!(queue.next(), Some((SMALL, Job::Finish)));
        assert_eq!(queue.next(), None);
        queue.again(SMALL, Job::Finish);
        assert_eq!(queue.next(), Some((SMALL, Job::Finish)));
        assert_eq!(queue.done(SMALL, &Job::Finish), Progress::Complete);
    }

    #[test]
    fn what_is_left_out_gives_no_more_work() {
        let mut queue = Queue::default();
        queue.add_rows(BIG, vec![Part::Whole, Part::Whole]);
        let (table, job) = queue.next().unwrap();

        queue.leave_out(BIG);

        assert!(!queue.has(BIG));
        assert_eq!(queue.next(), None);
        assert_eq!(queue.done(table, &job), Progress::More);
    }
}
