//! Statements that run as the owner of their table.

use crate::apply::{ApplyError, RunAs, TablePlan, shape};
use crate::postgres::{PgError, call_as_owner, owner_of_evaluated};

use super::Writer;
use super::bind::as_role;
use super::bind::{Bound, TextParameter};
use super::judge::refused_change;

impl Writer {
    /// Returns what runs a statement as the owner of its table, where it evaluates what others wrote.
    pub(super) async fn as_its_owner(&self, sql: &str) -> Result<Option<String>, PgError> {
        let Some(question) = owner_of_evaluated(sql).filter(|_| self.rules.run_as == RunAs::Owner)
        else {
            return Ok(None);
        };
        let owner = self.session.owner(&question).await?;
        Ok(owner.map(|owner| as_role(Some(owner.oid), sql)))
    }

    /// Runs a statement as the owner of its table.
    pub(super) async fn send_as(&self, owner: u32, bound: &Bound) -> Result<u64, PgError> {
        let call = self.owners.get(&owner).expect("prepared before it is sent");
        let sql = shape::sql(&bound.table, &bound.shape);
        let parameters = [
            TextParameter::text(&sql),
            TextParameter::array(&bound.parameters),
        ];
        let answer = self
            .session
            .query_one(call, &[&parameters[0], &parameters[1]])
            .await;
        let row = answer.map_err(|error| self.session.error(&sql, error).about_values())?;
        Ok(row.get::<_, i64>(0).unsigned_abs())
    }

    pub(super) async fn prepare_owner(
        &mut self,
        owner: u32,
        table: &TablePlan,
    ) -> Result<(), ApplyError> {
        if self.owners.contains_key(&owner) {
            return Ok(());
        }
        self.end_copy().await?;
        let sql = call_as_owner(owner);
        let statement = self.session.prepare(&sql).await;
        let statement = statement.map_err(|error| self.session.error(&sql, error));
        let statement = statement.map_err(refused_change(table, sql))?;
        self.owners.insert(owner, statement);
        Ok(())
    }
}
