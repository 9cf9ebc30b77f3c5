use std::io;

use crate::config::{Configuration, FlagValue, Inputs, key};
use crate::model::Lsn;
use crate::status::Slot;

use super::look::{Applied, CheckpointRow, Logged, Progress};
use super::*;

fn pipeline() -> Pipeline {
    let flag = |key, value: &str| FlagValue {
        key,
        flag: "--test",
        value: value.to_owned(),
    };
    let inputs = Inputs {
        environment: Vec::new(),
        ..Inputs::of_process(
            vec![
                flag(key::SOURCE_URL, "postgres://a:secret@source/x"),
                flag(key::TARGET_URL, "postgres://a:secret@target/x"),
            ],
            None,
        )
    };
    Configuration::load(inputs).unwrap().pipeline().unwrap()
}

fn source(active: bool) -> SourceLook {
    SourceLook {
        slot_name: "a_slot".parse().unwrap(),
        version: "15.20".to_owned(),
        wal_end: Lsn(1_000),
        slot: Some(Slot {
            slot_name: "a_slot".to_owned(),
            confirmed_flush_lsn: Some(Lsn(900)),
            active,
            ..Slot::default()
        }),
        publication: None,
        flush_lag_s: Some(0.25),
        init_grant: None,
        schema_grant: None,
        database: "x".to_owned(),
        init: Some(Init {
            installed: true,
            version: Some(1),
            current: true,
            triggers: true,
            of_this_database: true,
        }),
        schema_changes: ["3", "2", "1"]
            .map(|id| Logged {
                id: id.to_owned(),
                version: 1,
                created_at: "2026-01-01".to_owned(),
                schema_name: "public".to_owned(),
                tag: "CREATE TABLE".to_owned(),
                objects: vec!["table public.test".to_owned()],
                quoted_objects: vec!["table public.test".to_owned()],
                others: vec!["view public.v".to_owned()],
                acked: id == "1",
            })
            .into(),
    }
}

fn applied(id: &str) -> Applied {
    Applied {
        id: id.to_owned(),
        statement_count: 1,
        not_applied: vec!["CREATE VIEW public.v: not yet".to_owned()],
    }
}

fn target(end_lsn: u64) -> TargetLook {
    TargetLook {
        verified: Verified::default(),
        barred: None,
        version: "15.20".to_owned(),
        progress: Progress {
            checkpoint: Some(CheckpointRow {
                end_lsn: Lsn(end_lsn),
                commit_time: None,
                updated_at: "2026-01-01".to_owned(),
                age_s: Some(60.0),
            }),
            skipped_transaction_count: 0,
            applied: ["2", "1"].map(applied).into(),
        },
        copies: Vec::new(),
        last_stop: None,
        sequences: None,
    }
}

#[test]
fn lag_counts_from_what_is_durable() {
    let check = |source: Option<SourceLook>, target: Option<TargetLook>, bytes, seconds| {
        let expected = Lag { bytes, seconds };
        assert_eq!(lag(source.as_ref(), target.as_ref()), expected);
    };
    check(Some(source(true)), Some(target(950)), Some(50), Some(0.25));
    check(Some(source(true)), None, Some(100), Some(0.25));
    check(Some(source(false)), Some(target(950)), Some(50), Some(60.0));
    check(Some(source(false)), Some(target(1_000)), Some(0), Some(0.0));
    check(Some(source(false)), None, Some(100), None);
    check(None, Some(target(950)), None, None);
}

#[test]
fn schema_changes_are_pending_applied_or_acked() {
    let states = |target: Option<TargetLook>| {
        let changes = schema_changes(Some(&source(true)), target.as_ref());
        changes
            .into_iter()
            .map(|change| change.state)
            .collect::<Vec<_>>()
    };
    use SchemaChangeState::{Acked, Applied, Pending};
    assert_eq!(states(Some(target(950))), [Pending, Applied, Acked]);
    assert_eq!(states(None), [Pending, Pending, Acked]);
    let all = schema_changes(Some(&source(true)), Some(&target(950)));
    assert_eq!(all[1].objects, ["table public.test", "view public.v"]);
    assert_eq!((all[0].ran, all[1].ran), (None, Some(true)));
    assert_eq!(all[1].not_applied.len(), 1);
}

#[test]
fn a_side_that_is_away_says_why_and_hides_nothing_of_the_other() {
    let away = PgError::Unreachable {
        object: "target:5432".to_owned(),
        hint: String::new(),
        source: io::ErrorKind::ConnectionRefused.into(),
    };
    let at = "2026-01-01T00:00:00Z".to_owned();
    let seen = assemble(
        &pipeline(),
        at,
        "a_slot".parse().unwrap(),
        Ok(&source(true)),
        Err(&away),
    );
    assert!(seen.source.reachable && !seen.target.reachable);
    assert_eq!(
        seen.target.error.as_deref(),
        Some("cannot connect to target:5432: connection refused")
    );
    assert!(seen.slot.is_some() && seen.checkpoint.is_none());
    assert!(!serde_json::to_string(&seen).unwrap().contains("secret"));
}

#[test]
fn the_json_shape_is_stable() {
    let at = "2026-01-01T00:00:00Z".to_owned();
    let (source, target) = (source(true), target(950));
    let seen = assemble(
        &pipeline(),
        at,
        "a_slot".parse().unwrap(),
        Ok(&source),
        Ok(&target),
    );
    let json = serde_json::to_value(&seen).unwrap();
    let keys: Vec<&String> = json.as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        [
            "at",
            "checkpoint",
            "copies",
            "init",
            "lag",
            "last_stop",
            "publication",
            "schema_changes",
            "sequences",
            "skipped_transaction_count",
            "slot",
            "slot_name",
            "source",
            "target",
            "unconfirmed",
            "verified",
        ]
    );
    assert_eq!(
        json["lag"],
        serde_json::json!({"bytes": 50, "seconds": 0.25})
    );
    assert_eq!(json["schema_changes"][2]["state"], "acked");
    assert_eq!(json["checkpoint"]["end_lsn"], "0/3B6");
}

#[test]
fn a_slot_that_was_made_anew_does_not_go_on_from_an_old_checkpoint() {
    let mut source = source(true);
    let reported = |source: &SourceLook| target(950).checkpoint(Some(source)).unwrap().misfit;
    assert_eq!(reported(&source), None);

    if let Some(slot) = &mut source.slot {
        slot.confirmed_flush_lsn = Some(Lsn(960));
    }
    assert!(reported(&source).unwrap().contains("created anew"));
    source.slot = None;
    assert!(reported(&source).unwrap().contains("its slot is gone"));
    assert_eq!(target(950).checkpoint(None).unwrap().misfit, None);
}
