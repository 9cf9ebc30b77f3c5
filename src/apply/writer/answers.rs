//! Looks at the target's answers, and remembers what they tell beside success.

use crate::apply::{ApplyError, TablePlan};
use crate::postgres::PgError;

use super::bind::Bound;
use super::judge::judge;
use super::{Suppressed, Writer};

impl Writer {
    /// Looks at the answers in order; the first refusal is the outcome.
    pub(super) fn judge_all(
        &mut self,
        group: &[Bound],
        answers: Vec<Result<u64, PgError>>,
    ) -> Result<(), ApplyError> {
        let mut judged = group.iter().zip(answers);
        judged.try_for_each(|(bound, answer)| {
            let judged = judge(bound, answer);
            if judged.is_err() {
                self.refused.clone_from(&bound.step);
            }
            self.note_suppressed(&bound.table, judged?);
            Ok(())
        })
    }

    pub(super) fn note_suppressed(&mut self, table: &TablePlan, count: u64) {
        if count > 0 {
            let known = self.suppressed.entry(table.target.name.clone());
            let known = known.or_insert_with(|| Suppressed {
                count: 0,
                by: table.target.keepers.join(", "),
            });
            known.count += count;
        }
    }
}
