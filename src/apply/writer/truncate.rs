//! TRUNCATE, with what PostgreSQL wants to see in its list.

use std::collections::HashSet;
use std::sync::Arc;

use crate::apply::{ApplyError, TargetTable, shape};
use crate::model::QualifiedName;

use super::bind::as_role;
use super::{Writer, refused};

const REFERRING_ROOTS: &str = include_str!("../../../assets/sql/target/referring_roots.sql");

impl Writer {
    /// Empties tables, in the open transaction.
    ///
    /// # Errors
    /// The target's refusal.
    pub async fn truncate(
        &mut self,
        tables: &[Arc<TargetTable>],
        restart_identity: bool,
    ) -> Result<(), ApplyError> {
        let roles: HashSet<Option<u32>> = tables.iter().map(|table| table.run_as).collect();
        let roles: Vec<_> = roles.into_iter().collect();
        let watched = tables.iter().any(|table| table.is_watched());
        let list = self.with_referring_roots(tables).await?;
        match &*roles {
            [role] => self.truncate_as(*role, &list, restart_identity).await?,
            // Tables of several owners go at once where foreign keys may join them and no trigger sees it.
            _ if !watched => self.truncate_as(None, &list, restart_identity).await?,
            roles => {
                for role in roles {
                    let own = tables.iter().filter(|table| table.run_as == *role);
                    let own: Vec<_> = own.map(|table| shape::rows_of(table)).collect();
                    self.truncate_as(*role, &own, restart_identity).await?;
                }
            }
        }
        self.sequences.forget();
        Ok(())
    }

    async fn truncate_as(
        &mut self,
        role: Option<u32>,
        list: &[String],
        restart_identity: bool,
    ) -> Result<(), ApplyError> {
        let sql = as_role(role, &shape::truncate(list, restart_identity));
        self.run("TRUNCATE", &sql).await
    }

    /// Returns the list, and the partitioned tables that refer to one of it.
    async fn with_referring_roots(
        &self,
        tables: &[Arc<TargetTable>],
    ) -> Result<Vec<String>, ApplyError> {
        let mut names: Vec<_> = tables.iter().map(|table| table.name.clone()).collect();
        let mut list: Vec<_> = tables.iter().map(|table| shape::rows_of(table)).collect();
        loop {
            let referring = self.referring_roots(&names).await?;
            if referring.is_empty() {
                return Ok(list);
            }
            list.extend(referring.iter().map(QualifiedName::quoted));
            names.extend(referring);
        }
    }

    /// Returns the partitioned tables that refer to one of these and have no partition that is not among
    /// them: PostgreSQL wants to see them in the list, and the source sends only partitions.
    async fn referring_roots(
        &self,
        tables: &[QualifiedName],
    ) -> Result<Vec<QualifiedName>, ApplyError> {
        let schemas: Vec<&str> = tables.iter().map(|table| &*table.schema).collect();
        let names: Vec<&str> = tables.iter().map(|table| &*table.name).collect();
        let found = self
            .session
            .rows(REFERRING_ROOTS, &[&schemas, &names])
            .await;
        let rows = found.map_err(refused("a look at its catalog"))?;
        let name = |row: &tokio_postgres::Row| {
            QualifiedName::new(row.get::<_, &str>(0), row.get::<_, &str>(1))
        };
        Ok(rows.iter().map(name).collect())
    }
}
