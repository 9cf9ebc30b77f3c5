//! The batch against a model: rows in a plain list, changed one after the other.

use proptest::prelude::*;

use crate::apply::table::tests::{RULES, cascading, column, relation, target, tuple};
use crate::apply::{TargetTable, UniqueKey, WriteRules};
use crate::config::OnConflict;
use crate::model::{QualifiedName, ReplicaIdentity, Tuple, Value};

use super::*;

/// Kinds of tables that take different ways through the batch.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Keyed,
    FullWithKey,
    Keyless,
    Ordered,
    OrderedKeyless,
    Rows,
}

const KINDS: [Kind; 6] = [
    Kind::Keyed,
    Kind::FullWithKey,
    Kind::Keyless,
    Kind::Ordered,
    Kind::OrderedKeyless,
    Kind::Rows,
];

impl Kind {
    fn plan(self, id: u32) -> Arc<TablePlan> {
        let full = matches!(
            self,
            Self::FullWithKey | Self::Keyless | Self::OrderedKeyless
        );
        let identity = if full {
            ReplicaIdentity::Full
        } else {
            ReplicaIdentity::Default
        };
        let relation = relation(id, identity, &["id*", "a", "big"]);
        let keyed = !matches!(self, Self::Keyless | Self::OrderedKeyless);
        let keys: &[&[&str]] = if keyed { &[&["id"]] } else { &[] };
        let columns = ["id", "a", "big"].map(column).into();
        let triggers = matches!(self, Self::Ordered | Self::OrderedKeyless);
        let target = TargetTable {
            triggers,
            ..target(columns, keys)
        };
        let rules = WriteRules {
            sets: !matches!(self, Self::Rows),
            ..RULES
        };
        Arc::new(TablePlan::new(relation, Arc::new(target), rules).unwrap())
    }

    fn is_full(self) -> bool {
        matches!(
            self,
            Self::FullWithKey | Self::Keyless | Self::OrderedKeyless
        )
    }
}

/// A table as a server would hold it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Table(Vec<Tuple>);

impl Table {
    /// The only row with this key, or the first that looks so.
    fn find(&self, plan: &TablePlan, old: &Tuple) -> Option<usize> {
        let columns = if plan.key.is_empty() {
            &plan.written
        } else {
            &plan.key
        };
        let same = |row: &Tuple| columns.iter().all(|&at| row.values[at] == old.values[at]);
        self.0.iter().position(same)
    }

    fn insert(&mut self, plan: &TablePlan, row: &Tuple) -> Result<(), String> {
        let whole = row.values.iter().all(|value| *value != Value::Unchanged);
        let twin = !plan.key.is_empty() && self.find(plan, row).is_some();
        if !whole || twin {
            return Err(format!("cannot insert {row:?}"));
        }
        self.0.push(row.clone());
        Ok(())
    }

    fn delete(&mut self, plan: &TablePlan, old: &Tuple) -> Result<(), String> {
        let at = self
            .find(plan, old)
            .ok_or_else(|| format!("cannot delete {old:?}"))?;
        self.0.remove(at);
        Ok(())
    }

    fn update(
        &mut self,
        plan: &TablePlan,
        old: &Tuple,
        columns: &[usize],
        new: &Tuple,
    ) -> Result<(), String> {
        let at = self
            .find(plan, old)
            .ok_or_else(|| format!("cannot update {old:?}"))?;
        for &column in columns {
            assert_ne!(
                new.values[column],
                Value::Unchanged,
                "an unknown value is written"
            );
            self.0[at].values[column] = new.values[column].clone();
        }
        let twins = self.0.iter().filter(|row| {
            plan.key
                .iter()
                .all(|&key| row.values[key] == self.0[at].values[key])
        });
        if !plan.key.is_empty() && twins.count() > 1 {
            return Err(format!("a second row with the key of {new:?}"));
        }
        Ok(())
    }

    fn execute(&mut self, plan: &TablePlan, kind: &OpKind) -> Result<(), String> {
        match kind {
            OpKind::Insert(rows) => rows.iter().try_for_each(|row| self.insert(plan, row)),
            OpKind::Delete(rows) => rows.iter().try_for_each(|row| self.delete(plan, row)),
            OpKind::Update { columns, rows } => {
                assert_distinct(plan, rows);
                rows.iter()
                    .try_for_each(|row| self.update(plan, row, columns, row))
            }
            OpKind::Move { old, columns, new } => self.update(plan, old, columns, new),
            OpKind::Passed(_) => Ok(()),
        }
    }

    fn sorted(&self) -> Vec<String> {
        let mut rows: Vec<_> = self.0.iter().map(|row| format!("{row:?}")).collect();
        rows.sort();
        rows
    }
}

/// A set that names a row twice would change it once.
fn assert_distinct(plan: &TablePlan, rows: &[Tuple]) {
    let mut keys: Vec<_> = rows
        .iter()
        .map(|row| {
            plan.key
                .iter()
                .map(|&at| format!("{:?}", row.values[at]))
                .collect::<String>()
        })
        .collect();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), rows.len(), "a key twice in one set");
}

/// Numbers from which one change is made that fits to the table as it is.
type Dice = (u8, u8, u8, u8);

/// The change that a source would send, if these numbers make one; it is done to `table`.
fn roll(kind: Kind, plan: &TablePlan, table: &mut Table, dice: Dice) -> Option<RowChange> {
    let (action, place, key, value) = dice;
    let (key, value) = ((key % 6).to_string(), (value % 4).to_string());
    let big = if value == "3" {
        None
    } else {
        Some(value.as_str())
    };
    let fresh = tuple(&[Some(&key), Some(&value), big]);
    match action % 8 {
        0..=2 => table
            .insert(plan, &fresh)
            .ok()
            .map(|()| RowChange::Insert(fresh)),
        _ if table.0.is_empty() => None,
        action => {
            let before = table.0[usize::from(place) % table.0.len()].clone();
            if action == 3 {
                table.delete(plan, &before).unwrap();
                return Some(RowChange::Delete(old_image(kind, &before)));
            }
            let mut new = before.clone();
            new.values[1] = fresh.values[1].clone();
            if action == 4 {
                new.values[0] = fresh.values[0].clone();
            }
            let keeps_big = matches!(action, 4 | 5);
            if !keeps_big {
                new.values[2] = fresh.values[2].clone();
            }
            let mut changed = table.clone();
            changed.update(plan, &before, &[0, 1, 2], &new).ok()?;
            *table = changed;
            Some(sent_update(kind, &before, new, keeps_big))
        }
    }
}

/// An UPDATE as the plugins send it: a value out of line that did not change is left out.
fn sent_update(kind: Kind, before: &Tuple, mut new: Tuple, keeps_big: bool) -> RowChange {
    let moved = before.values[0] != new.values[0];
    if keeps_big && new.values[2] != Value::Null {
        new.values[2] = Value::Unchanged;
    }
    let old = (kind.is_full() || moved).then(|| old_image(kind, before));
    RowChange::Update { old, new }
}

fn old_image(kind: Kind, row: &Tuple) -> OldTuple {
    if kind.is_full() {
        return OldTuple::Full(row.clone());
    }
    OldTuple::Key(Tuple {
        values: [row.values[0].clone(), Value::Null, Value::Null].into(),
    })
}

fn dice() -> impl Strategy<Value = Vec<(usize, Dice)>> {
    prop::collection::vec((0..KINDS.len(), any::<Dice>()), 0..120)
}

crate::property::properties! {
    #[test]
    fn steps_in_order_leave_what_the_changes_in_order_leave(
        dice in dice(),
        takes in prop::collection::vec(1usize..40, 1..8),
    ) {
        let plans: Vec<_> = KINDS.iter().zip(1..).map(|(kind, id)| kind.plan(id)).collect();
        let mut source: Vec<_> = KINDS.iter().map(|_| Table::default()).collect();
        let mut applied = source.clone();
        let mut batch = Batch::default();
        let mut takes = takes.iter().cycle();
        let mut left = *takes.next().unwrap();

        for (at, dice) in dice {
            let Some(change) = roll(KINDS[at], &plans[at], &mut source[at], dice) else { continue };
            batch.push(&plans[at], change);
            left -= 1;
            if left == 0 {
                left = *takes.next().unwrap();
                execute(&mut applied, &plans, &mut batch);
            }
        }
        execute(&mut applied, &plans, &mut batch);

        for (source, applied) in source.iter().zip(&applied) {
            prop_assert_eq!(source.sorted(), applied.sorted());
        }
    }

    #[test]
    fn where_order_is_seen_the_steps_hold_every_change_in_order(
        dice in prop::collection::vec((0..2usize, any::<Dice>()), 0..80),
    ) {
        let kinds = [Kind::Ordered, Kind::OrderedKeyless];
        let plans = [kinds[0].plan(1), kinds[1].plan(2)];
        let mut tables = [Table::default(), Table::default()];
        let mut batch = Batch::default();
        let mut expected = Vec::new();

        for (at, dice) in dice {
            let Some(change) = roll(kinds[at], &plans[at], &mut tables[at], dice) else { continue };
            expected.push((plans[at].relation.id, name_of(&change)));
            batch.push(&plans[at], change);
        }
        let found: Vec<_> = batch.take().iter().flat_map(names_of).collect();

        prop_assert_eq!(found, expected);
    }
}

fn execute(tables: &mut [Table], plans: &[Arc<TablePlan>], batch: &mut Batch) {
    for op in batch.take() {
        let at = plans
            .iter()
            .position(|plan| Arc::ptr_eq(plan, &op.table))
            .unwrap();
        tables[at].execute(&op.table, &op.kind).unwrap();
    }
    assert_eq!((batch.row_count(), batch.byte_count()), (0, 0));
}

fn name_of(change: &RowChange) -> &'static str {
    match change {
        RowChange::Insert(_) => "insert",
        RowChange::Update { .. } => "update",
        RowChange::Delete(_) => "delete",
    }
}

fn names_of(op: &Op) -> Vec<(RelationId, &'static str)> {
    let name = match op.kind {
        OpKind::Insert(_) => "insert",
        OpKind::Update { .. } | OpKind::Move { .. } => "update",
        OpKind::Delete(_) | OpKind::Passed(_) => "delete",
    };
    vec![(op.table.relation.id, name); op.kind.row_count()]
}

/// Pushes changes of one table and returns the steps.
fn steps(plan: &Arc<TablePlan>, changes: Vec<RowChange>) -> Vec<OpKind> {
    let mut batch = Batch::default();
    for change in changes {
        batch.push(plan, change);
    }
    batch.take().into_iter().map(|op| op.kind).collect()
}

#[test]
fn a_row_that_comes_and_goes_costs_nothing() {
    let plan = Kind::Keyed.plan(1);
    let row = tuple(&[Some("1"), Some("a"), None]);
    let gone = RowChange::Delete(old_image(Kind::Keyed, &row));

    assert_eq!(steps(&plan, vec![RowChange::Insert(row), gone]), []);
}

#[test]
fn updates_of_one_row_become_one_and_keep_what_was_sent_first() {
    let plan = Kind::Keyed.plan(1);
    let first = tuple(&[Some("1"), Some("a"), Some("big")]);
    let mut second = tuple(&[Some("1"), Some("b"), None]);
    second.values[2] = Value::Unchanged;
    let update = |new| RowChange::Update { old: None, new };

    let found = steps(&plan, vec![update(first), update(second)]);

    let row = tuple(&[Some("1"), Some("b"), Some("big")]);
    assert_eq!(
        found,
        [OpKind::Update {
            columns: vec![0, 1, 2],
            rows: vec![row]
        }]
    );
}

#[test]
fn an_insert_of_a_row_that_is_there_is_left_for_the_target_to_judge() {
    let plan = Kind::Keyed.plan(1);
    let row = tuple(&[Some("1"), Some("a"), None]);
    let insert = || RowChange::Insert(row.clone());

    let found = steps(&plan, vec![insert(), insert()]);

    assert_eq!(
        found,
        [
            OpKind::Insert(vec![row.clone()]),
            OpKind::Insert(vec![row.clone()])
        ]
    );
}

#[test]
fn a_relation_described_anew_comes_behind_its_old_self() {
    let (old, new) = (Kind::Keyed.plan(1), Kind::Keyed.plan(1));
    let row = |id| RowChange::Insert(tuple(&[Some(id), None, None]));
    let mut batch = Batch::default();
    batch.push(&old, row("1"));
    batch.push(&new, row("2"));
    batch.push(&new, row("3"));

    let found: Vec<_> = batch
        .take()
        .iter()
        .map(|op| (Arc::ptr_eq(&op.table, &old), op.kind.row_count()))
        .collect();

    assert_eq!(found, [(true, 1), (false, 2)]);
}

#[test]
fn what_the_target_keeps_by_itself_is_never_joined_with_a_later_change() {
    let relation = relation(1, ReplicaIdentity::Default, &["id*", "a"]);
    let target = target(["id", "a"].map(column).into(), &[&["id"]]);
    let rules = WriteRules {
        on_conflict: OnConflict::Nothing,
        ..RULES
    };
    let plan = Arc::new(TablePlan::new(relation, Arc::new(target), rules).unwrap());
    let row = |a| tuple(&[Some("1"), Some(a)]);

    let found = steps(
        &plan,
        vec![
            RowChange::Insert(row("a")),
            RowChange::Update {
                old: None,
                new: row("b"),
            },
        ],
    );

    let update = OpKind::Update {
        columns: vec![0, 1],
        rows: vec![row("b")],
    };
    assert_eq!(found, [OpKind::Insert(vec![row("a")]), update]);
}

#[test]
fn a_deferrable_key_finds_rows_by_their_whole_image() {
    let relation = relation(1, ReplicaIdentity::Full, &["id", "a"]);
    let mut target = target(["id", "a"].map(column).into(), &[]);
    target.unique_keys = vec![UniqueKey {
        columns: vec!["id".into()],
        equals: Vec::new(),
        not_null: true,
        immediate: false,
    }];
    let plan = TablePlan::new(relation, Arc::new(target), RULES).unwrap();

    assert_eq!(plan.order, ApplyOrder::Multiset);
}

/// A partition of a table that foreign keys point to, with its columns in an order of its own.
fn partition(id: u32, name: &str, columns: &[&str], triggers: bool) -> Arc<TablePlan> {
    let root = QualifiedName::new("public", "root");
    let names = ["id", "region", "v"].map(column);
    let of = |name: QualifiedName, moving_root| {
        let target = TargetTable {
            name,
            foreign_keys: vec![cascading()],
            triggers,
            moving_root,
            ..target(names.to_vec(), &[&["id", "region"]])
        };
        let relation = relation(id, ReplicaIdentity::Default, columns);
        TablePlan::new(relation, Arc::new(target), RULES).unwrap()
    };
    let plan = of(QualifiedName::new("public", name), Some(root.clone()));
    Arc::new(TablePlan {
        root: Some(Arc::new(of(root, None))),
        ..plan
    })
}

#[test]
fn a_row_that_moves_to_another_partition_moves_through_the_root() {
    let a = partition(1, "a", &["id*", "region*", "v"], false);
    let b = partition(2, "b", &["v", "region*", "id*"], false);
    let old = tuple(&[Some("7"), Some("a"), None]);
    let new = tuple(&[Some("x"), Some("b"), Some("7")]);
    let mut batch = Batch::default();

    batch.push(
        &a,
        RowChange::Delete(OldTuple::Key(tuple(&[Some("6"), Some("a"), None]))),
    );
    batch.push(&a, RowChange::Delete(OldTuple::Key(old.clone())));
    let settled = batch.take_settled();
    assert!(matches!(&settled[..], [Op { kind: OpKind::Delete(rows), .. }] if rows.len() == 1));
    assert_eq!(batch.row_count(), 1);
    batch.push(&b, RowChange::Insert(new.clone()));
    let [moved] = &batch.take()[..] else {
        panic!("one step")
    };
    assert_eq!(&*moved.table.target.name.name, "root");
    let old = tuple(&[None, Some("a"), Some("7")]);
    let columns = vec![0, 1, 2];
    assert_eq!(
        moved.kind,
        OpKind::Move {
            old,
            columns,
            new: new.clone()
        }
    );

    let watched = partition(3, "c", &["id*", "region*", "v"], true);
    batch.push(
        &watched,
        RowChange::Delete(OldTuple::Key(tuple(&[Some("7"), Some("c"), None]))),
    );
    batch.push(&b, RowChange::Insert(new));
    assert_eq!(batch.take().len(), 2);
}
