//! Many rows through COPY. The target must say that it reads them before they can be sent, which costs a
//! round trip; what came before goes out with that question, and what follows with the rows.
//!
//! When something before it fails, the question fails, too, and the client is one answer out of step: nothing
//! more must be asked in such a session. All who get the error give the session up.

use crate::apply::ApplyError;
use crate::apply::shape::{self, Shape};

use super::Writer;
use super::bind::{Bound, CopyRows};
use super::judge::{less, refused_change};
use super::reading::{Copied, Reading, send_rows};
use super::statement_key;

impl Writer {
    /// Sends what is at hand, and begins a COPY behind it.
    pub(super) async fn start_copy(
        &mut self,
        group: &mut Vec<Bound>,
        copy: CopyRows,
    ) -> Result<(), ApplyError> {
        let group = std::mem::take(group);
        self.prepare_all(&group).await?;
        self.prepare(&copy.table, &Shape::Copy).await?;
        let key = statement_key(&copy.table, &Shape::Copy);
        let prepared = self.statements.get(&key).expect("prepared just now");
        let reading = self.reading.take();
        let (begun, copied, answers, started) = tokio::join!(
            self.begun(),
            send_rows(reading),
            self.send_all(&group),
            self.session.copy_in(&prepared.statement),
        );
        begun?;
        self.open = true;
        self.judge_copy(copied)?;
        self.judge_all(&group, answers)?;
        let sink = Box::pin(self.refused_copy(&copy, started)?);
        self.reading = Some(Reading { copy, sink });
        Ok(())
    }

    /// Sends the rows of a COPY that has begun: before them the target reads no question.
    pub(super) async fn end_copy(&mut self) -> Result<(), ApplyError> {
        let copied = send_rows(self.reading.take()).await;
        self.judge_copy(copied)
    }

    /// Looks at the target's answer to the rows of a COPY.
    pub(super) fn judge_copy(&mut self, copied: Option<Copied>) -> Result<(), ApplyError> {
        if let Some((copy, answer)) = copied {
            let found = self.refused_copy(&copy, answer)?;
            let kept = less(&copy.table, copy.row_count, found);
            self.note_suppressed(&copy.table, kept);
        }
        Ok(())
    }

    fn refused_copy<T>(
        &self,
        copy: &CopyRows,
        answer: Result<T, tokio_postgres::Error>,
    ) -> Result<T, ApplyError> {
        let sql = shape::sql(&copy.table, &Shape::Copy);
        let answer = answer.map_err(|error| self.session.error(&sql, error).about_values());
        answer.map_err(refused_change(&copy.table, sql))
    }
}
