use std::sync::Arc;

use proptest::prelude::*;

use crate::apply::TargetColumn;
use crate::apply::table::tests::{RULES, column, relation, target, tuple};
use crate::model::ReplicaIdentity;

use super::*;

/// A table with the columns `id`, the key, and `n`; each owns a sequence that counts by `increment`.
fn table(increment: i64) -> Arc<TablePlan> {
    let owned = |name: &str| {
        let sequence = OwnedSequence {
            name: QualifiedName::new("public", name),
            increment,
            min: -1_000,
            max: 1_000,
            cycle: false,
        };
        TargetColumn {
            sequence: Some(sequence),
            ..column(name)
        }
    };
    let target = target(vec![owned("id"), owned("n")], &[]);
    let relation = relation(1, ReplicaIdentity::Default, &["id*", "n"]);
    Arc::new(TablePlan::new(relation, Arc::new(target), RULES).unwrap())
}

fn row(id: i64, n: i64) -> Tuple {
    tuple(&[Some(&id.to_string()), Some(&n.to_string())])
}

fn observe(tracker: &mut SequenceTracker, plan: &Arc<TablePlan>, kind: OpKind) {
    tracker.observe(&Op {
        table: Arc::clone(plan),
        kind,
    });
}

/// The values that the statements set, by sequence, in the order of names.
fn set(tracker: &SequenceTracker) -> Vec<(String, i64)> {
    let statements = tracker.statements();
    let mut found: Vec<_> = statements
        .split(';')
        .filter(|statement| !statement.is_empty())
        .map(|statement| {
            let inside = statement.split(['(', ')']).nth(1).unwrap();
            let (name, value) = inside.split_once(", ").unwrap();
            (name.replace(['"', '\''], ""), value.parse().unwrap())
        })
        .collect();
    found.sort();
    found
}

#[test]
fn every_step_that_brings_a_value_moves_its_sequence() {
    let check = |kind, expected: &[(&str, i64)]| {
        let mut tracker = SequenceTracker::default();
        observe(&mut tracker, &table(1), kind);
        let expected: Vec<_> = expected
            .iter()
            .map(|(name, n)| ((*name).to_owned(), *n))
            .collect();
        assert_eq!(set(&tracker), expected);
    };

    let both = [("public.id", 7), ("public.n", 9)];
    check(OpKind::Insert(vec![row(7, 3), row(2, 9)]), &both);
    check(OpKind::Passed(vec![row(7, 9)]), &both);
    check(
        OpKind::Move {
            old: row(1, 1),
            columns: vec![0, 1],
            new: row(7, 9),
        },
        &both,
    );
    check(
        OpKind::Update {
            columns: vec![0, 1],
            rows: vec![row(7, 9)],
        },
        &both[1..],
    );
    check(OpKind::Delete(vec![row(7, 9)]), &[]);
    check(
        OpKind::Insert(vec![row(5_000, -5_000), tuple(&[None, Some("x")])]),
        &[],
    );
}

#[test]
fn what_is_known_to_be_set_is_not_set_again_until_forgotten() {
    let mut tracker = SequenceTracker::default();
    let plan = table(1);
    let insert = || OpKind::Insert(vec![row(5, 5)]);
    observe(&mut tracker, &plan, insert());
    tracker.committed();

    observe(&mut tracker, &plan, insert());
    assert_eq!(tracker.statements(), "");

    tracker.forget();
    observe(&mut tracker, &plan, insert());
    assert_eq!(set(&tracker).len(), 2);
}

#[test]
fn a_sequence_that_goes_round_is_followed_the_nearer_way() {
    let check = |increment, known, value, expected| {
        let sequence = OwnedSequence {
            name: QualifiedName::new("public", "s"),
            increment,
            min: 1,
            max: 10,
            cycle: true,
        };
        assert_eq!(
            is_beyond(&sequence, known, value),
            expected,
            "{known} {value}"
        );
    };

    check(1, 3, 4, true);
    check(1, 4, 3, false);
    check(1, 9, 2, true);
    check(1, 2, 9, false);
    check(1, 5, 5, false);
    check(-1, 2, 9, true);
    check(-1, 9, 2, false);
}

crate::property::properties! {
    #[test]
    fn a_sequence_ends_at_the_furthest_value_and_never_moves_backwards(
        batches in prop::collection::vec(prop::collection::vec(-900i64..900, 0..6), 1..8),
        descending in any::<bool>(),
    ) {
        let plan = table(if descending { -1 } else { 1 });
        let further = |a: i64, b: i64| if descending { a.min(b) } else { a.max(b) };
        let mut tracker = SequenceTracker::default();
        let mut last: Option<i64> = None;

        for values in &batches {
            let rows = values.iter().map(|value| row(*value, 0)).collect();
            observe(&mut tracker, &plan, OpKind::Insert(rows));
            for (name, value) in set(&tracker) {
                if name == "public.id" {
                    prop_assert_eq!(last.map_or(value, |last| further(last, value)), value);
                    last = Some(value);
                }
            }
            tracker.committed();
        }

        prop_assert_eq!(last, batches.into_iter().flatten().reduce(further));
    }
}
