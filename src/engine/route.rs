//! Which way the changes of a relation go.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tracing::warn;

use crate::apply::{ApplyError, RunAs, TablePlan, TargetTable, WriteRules, Writer};
use crate::config::{LeftOut, TableFilter};
use crate::model::{OUR_SCHEMA, QualifiedName, Relation, RelationId, is_protected_schema};
use crate::schema::{Entry, Letter, ObjectChange, Plan};

use super::source_tables::{Crossing, SourceTables};

const SCHEMA_LOG: &str = "schema_log";

/// Returns whether this is the table of the schema log.
pub(super) fn is_schema_log(name: &QualifiedName) -> bool {
    is_ours(name) && &*name.name == SCHEMA_LOG
}

/// Returns whether this is a table of ours.
pub(super) fn is_ours(name: &QualifiedName) -> bool {
    &*name.schema == OUR_SCHEMA
}

/// What happens to the changes of a relation.
#[derive(Debug, Clone)]
pub(super) enum Route {
    /// They are written to this table.
    Table(Arc<TablePlan>),
    /// They are the schema log.
    SchemaLog,
    /// They are what the source tells beside that.
    Outbox,
    /// Nothing: ours, the system's, or left out by the filter.
    Ignored,
    /// The target has no such table (yet).
    Missing,
}

/// Whether the order of changes counts across tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    /// Each table by itself.
    ByTable,
    /// A trigger of a user fires somewhere and may look at any table: the order of all of them
    /// counts, and what was gathered without it must go first.
    Turned,
    /// The order of all tables counts.
    OfAll,
}

/// Remembers the route of each relation.
#[derive(Debug)]
pub(super) struct Router {
    filter: TableFilter,
    left_out: LeftOut,
    tables: SourceTables,
    rules: WriteRules,
    follows_schema: bool,
    routes: HashMap<RelationId, (Arc<Relation>, Route)>,
    /// Names that changed without a new description in the stream (`ALTER SCHEMA … RENAME`), by
    /// OID: as described, and as they are.
    renamed: HashMap<RelationId, (QualifiedName, QualifiedName)>,

    /// Tables of which a set has failed that succeeded row by row.
    row_by_row_tables: HashSet<QualifiedName>,
    order: Order,
    /// Tables of extensions that were told of.
    reported: HashSet<QualifiedName>,
    /// Whether a description's name may be older than the change that it comes with: `pgoutput`
    /// describes a relation once, `wal2json` names it in every message.
    names_lag: bool,
}

impl Router {
    pub(super) fn new(
        (filter, left_out, tables): (TableFilter, LeftOut, SourceTables),
        rules: WriteRules,
        follows_schema: bool,
        names_lag: bool,
    ) -> Self {
        Self {
            filter,
            left_out,
            tables,
            rules,
            follows_schema,
            routes: HashMap::new(),
            renamed: HashMap::new(),
            row_by_row_tables: HashSet::new(),
            order: Order::ByTable,
            reported: HashSet::new(),
            names_lag,
        }
    }

    /// Returns whether the table replicates. What is ours or the server's never does, whatever arrives.
    pub(super) fn selects(&self, name: &QualifiedName) -> bool {
        !is_protected_schema(&name.schema) && self.tables.selects(&self.filter, name)
    }

    /// Returns whether the table replicates with all that is below it: a foreign key that points to it needs
    /// every row.
    pub(super) fn selects_whole(&self, name: &QualifiedName) -> bool {
        self.selects(name) && self.tables.selects_whole(&self.filter, name)
    }

    /// Returns whether some tables are left out.
    pub(super) fn filters(&self) -> bool {
        !self.filter.selects_everything()
    }

    /// Returns which kinds of objects stay on the source.
    pub(super) const fn left_out(&self) -> &LeftOut {
        &self.left_out
    }

    /// Returns whether schema changes are followed.
    pub(super) const fn follows_schema(&self) -> bool {
        self.follows_schema
    }

    /// Returns whether the stream brings the rows of a table.
    fn streams(&self, name: &QualifiedName) -> bool {
        self.tables.has(name) && self.selects(name)
    }

    /// Returns whether the table has no rows of its own on the source.
    pub(super) fn is_partitioned(&self, name: &QualifiedName) -> bool {
        self.tables.is_partitioned(name)
    }

    /// Returns the partitioned tables that a TRUNCATE of these tables empties, too.
    pub(super) fn emptied_with(&self, tables: &HashSet<QualifiedName>) -> Vec<QualifiedName> {
        let emptied = self.tables.emptied_with(tables).into_iter();
        emptied.filter(|name| self.selects(name)).collect()
    }

    /// Takes over what a schema change makes of tables, before it is planned, and returns which of them cross
    /// the border of the filter by it.
    pub(super) fn meet(&mut self, entry: &mut Entry) -> Crossing {
        let crossing = self.tables.cross(entry, &self.filter);
        if self.filters() {
            let names = entry
                .change
                .objects
                .iter()
                .filter_map(ObjectChange::referenced_name);
            let cut = names.filter(|name| self.selects(name) && !self.selects_whole(name));
            (entry.change.filtered, entry.change.cut) = (true, cut.cloned().collect());
        }
        crossing
    }

    /// Returns the route if it is known for this description of the relation.
    pub(super) fn known(&self, relation: &Arc<Relation>) -> Option<&Route> {
        let (described, route) = self.routes.get(&relation.id)?;
        Arc::ptr_eq(described, relation).then_some(route)
    }

    /// Finds the route by asking the target.
    pub(super) async fn find(
        &mut self,
        writer: &Writer,
        relation: &Arc<Relation>,
    ) -> Result<Route, ApplyError> {
        let name = self.name_now(relation);
        let route = match self.without_target(&name) {
            Some(route) => route,
            None => self.on_target(writer, relation, &name).await?,
        };
        if matches!(route, Route::Ignored) {
            self.tell_of_extension(&name);
        }
        self.routes
            .insert(relation.id, (Arc::clone(relation), route.clone()));
        Ok(route)
    }

    /// Forms no more sets of this table.
    pub(super) fn write_row_by_row(&mut self, name: QualifiedName) {
        self.row_by_row_tables.insert(name);
    }

    /// Returns, once, whether the order of all tables counts from now on: what was gathered without
    /// it must then go first.
    pub(super) fn turned_watchful(&mut self) -> bool {
        let turned = self.order == Order::Turned;
        if turned {
            self.order = Order::OfAll;
        }
        turned
    }

    /// Forgets all routes: the target is no longer what it was.
    pub(super) fn forget(&mut self) {
        self.routes.clear();
    }

    /// Forgets all routes and takes over the names that a schema change gave.
    pub(super) fn follow(&mut self, plan: &Plan) {
        self.forget();
        let names_lag = self.names_lag;
        for touch in plan.relations.iter().filter(|_| names_lag) {
            if let (Some(before), Some(after)) = (&touch.before, &touch.after) {
                self.rename(RelationId(touch.oid), before, after);
            }
        }
    }

    fn rename(&mut self, id: RelationId, before: &QualifiedName, after: &QualifiedName) {
        let described = match self.renamed.remove(&id) {
            Some((described, now)) if now == *before => described,
            Some(_) | None => before.clone(),
        };
        if described != *after {
            self.renamed.insert(id, (described, after.clone()));
        }
    }

    /// Returns the relation's name at this point of the stream.
    pub(super) fn name_now(&self, relation: &Relation) -> QualifiedName {
        match self.renamed.get(&relation.id) {
            Some((described, now)) if *described == relation.name => now.clone(),
            Some(_) | None => relation.name.clone(),
        }
    }

    /// Says once that the rows of a table do not travel because it came with an extension.
    fn tell_of_extension(&mut self, table: &QualifiedName) {
        if self.tables.is_of_extension(table) && self.reported.insert(table.clone()) {
            warn!(target: "apply", %table,
                "the table came with an extension: its rows are the extension's and do not replicate");
        }
    }

    /// Returns whether the stream brings all that the table's foreign keys would do by themselves. Triggers of
    /// the target's own would be silent with them.
    fn brings_what_keys_do(&self, target: &TargetTable) -> bool {
        let mut keys = target.foreign_keys.iter();
        !target.is_watched()
            && keys.all(|key| self.streams(&key.table) && self.streams(&key.referenced))
    }

    fn without_target(&self, name: &QualifiedName) -> Option<Route> {
        match &*name.name {
            SCHEMA_LOG if is_ours(name) && self.follows_schema => Some(Route::SchemaLog),
            Letter::TABLE if is_ours(name) => Some(Route::Outbox),
            _ => {
                (!self.selects(name) || self.tables.is_of_extension(name)).then_some(Route::Ignored)
            }
        }
    }

    /// Returns whether rows are written as the owner of their table.
    pub(super) const fn runs_as_owner(&self) -> bool {
        matches!(self.rules.run_as, RunAs::Owner)
    }

    async fn on_target(
        &mut self,
        writer: &Writer,
        relation: &Arc<Relation>,
        name: &QualifiedName,
    ) -> Result<Route, ApplyError> {
        let Some(target) = writer.target_table(name).await? else {
            return Ok(Route::Missing);
        };
        // The script of an extension writes rows before anybody says that it made the table.
        if target.kind == 'm' || target.of_extension && !self.tables.has(name) {
            return Ok(Route::Ignored);
        }
        if target.is_watched() && self.order == Order::ByTable {
            self.order = Order::Turned;
            self.routes.clear();
        }
        let sets = self.rules.sets && !self.row_by_row_tables.contains(name);
        let root = match &target.moving_root {
            Some(root) => writer.target_table(root).await?,
            None => None,
        };
        let plan = |target: TargetTable| {
            let rules = WriteRules {
                sets,
                keep_order: self.order != Order::ByTable,
                silence: writer.silences() && self.brings_what_keys_do(&target),
                ..self.rules
            };
            TablePlan::new(Arc::clone(relation), Arc::new(target), rules)
        };
        let root = root.map(plan).transpose()?.map(Arc::new);
        let plan = plan(target)?;
        Ok(Route::Table(Arc::new(TablePlan { root, ..plan })))
    }
}
