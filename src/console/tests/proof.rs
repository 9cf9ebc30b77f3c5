//! The Verify screen, as text, at four sizes; and what its keys ask for.

use crate::console::model::proof::{Comparison, News};
use crate::diagnose::Verified;
use crate::diagnose::inspect::Verification;
use crate::model::{Lsn, QualifiedName};
use crate::status::{Command, Verdict};
use crate::verify::{
    ColumnValues, ObjectReport, Progress, Report, RowDifference, RowKind, TableReport,
};

use super::screens::look;
use super::*;

fn table(name: &str, verdict: Verdict) -> TableReport {
    let differs = u64::from(verdict == Verdict::Different);
    TableReport {
        table: QualifiedName::new("public", name),
        verdict,
        reason: (verdict == Verdict::NotCompared)
            .then(|| "its first copy is not complete".to_owned()),
        source_rows: 1_204_998,
        target_rows: 1_204_997,
        missing: differs,
        extra: 0,
        differing: 2 * differs,
        counted: true,
        rows: match verdict {
            Verdict::Different => vec![
                RowDifference {
                    kind: RowKind::Missing,
                    key: Some(vec!["881".to_owned()]),
                    columns: Vec::new(),
                    values: Vec::new(),
                },
                RowDifference {
                    kind: RowKind::Different,
                    key: Some(vec!["902".to_owned()]),
                    columns: vec!["email".to_owned()],
                    values: vec![ColumnValues {
                        column: "email".to_owned(),
                        source: Some(Some("a@example.org".to_owned())),
                        target: Some(None),
                    }],
                },
            ],
            Verdict::Equal | Verdict::NotCompared => Vec::new(),
        },
        repaired: None,
        lsn: Lsn(0x01A2_B3C8),
        seconds: 4.2,
    }
}

fn news(model: &mut Model, news: News) {
    update(model, Message::Compared(news));
}

fn compared(model: &mut Model) {
    press(model, "V r");
    for (name, verdict) in [
        ("orders", Verdict::Equal),
        ("users", Verdict::Different),
        ("audit", Verdict::NotCompared),
        ("products", Verdict::Equal),
    ] {
        news(model, News::Table(Box::new(table(name, verdict))));
    }
    news(
        model,
        News::Object(ObjectReport {
            object: "index public.users_email".to_owned(),
            verdict: Verdict::Different,
            reason: "it is not on the target".to_owned(),
        }),
    );
    news(
        model,
        News::Progress(Progress {
            tables_done: 4,
            table_count: 41,
            rows: 4_812_330,
            rows_expected: 20_000_000,
            bytes: 812 << 20,
        }),
    );
}

fn on_record(model: &mut Model) {
    let last = Verification {
        verdict: Verdict::Equal,
        lsn: Lsn(0x01A2_B3C8),
        at: "2026-11-30T09:12:44Z".to_owned(),
        age_s: 8_040.0,
        table_count: 41,
        object_count: 210,
        sequence_count: 12,
        row_count: 66_000_000,
        open_count: 0,
    };
    let verified = Verified {
        last: Some(last),
        different_tables: Vec::new(),
    };
    model.proof.record = Some((verified, model.now_ms));
}

#[test]
fn the_proof_of_both_sides() {
    look("verify_none", SampleState::Streaming, |model| {
        press(model, "V");
    });
    look("verify_on_record", SampleState::Streaming, |model| {
        on_record(model);
        press(model, "V");
    });
    look("verify_comparing", SampleState::Streaming, compared);
    look("verify_different", SampleState::Streaming, |model| {
        compared(model);
        news(model, News::Stopped);
        on_record(model);
        press(model, "j j");
    });
    look("verify_detail", SampleState::Streaming, |model| {
        compared(model);
        press(model, "j j enter");
    });
    look("verify_repair", SampleState::Streaming, |model| {
        compared(model);
        news(model, News::Stopped);
        press(model, "b");
        type_text(model, "repair");
    });
    look("slot_verified", SampleState::Streaming, |model| {
        on_record(model);
        press(model, "1 enter");
    });
}

#[test]
fn keys_compare_stop_show_values_and_repair_with_a_typed_word() {
    let mut model = console(SampleState::Streaming);
    assert_eq!(
        press(&mut model, "V r"),
        [Effect::Compare(Comparison::default())]
    );
    assert_eq!(press(&mut model, "r"), []);
    assert_eq!(press(&mut model, "s"), [Effect::StopComparing]);
    let mut model = console(SampleState::Streaming);
    compared(&mut model);
    news(&mut model, News::Stopped);

    let values = Comparison {
        table: Some("public.users".to_owned()),
        repair: false,
        show_values: true,
    };
    press(&mut model, "g j j");
    assert_eq!(press(&mut model, "v"), [Effect::Compare(values)]);
    news(&mut model, News::Stopped);

    assert_eq!(press(&mut model, "b enter"), []);
    type_text(&mut model, "repair");
    let repair = Comparison {
        repair: true,
        ..Comparison::default()
    };
    assert_eq!(press(&mut model, "enter"), [Effect::Compare(repair)]);
    press(&mut model, "esc");
    assert_eq!(model.focus, super::super::action::Pane::Slots);
}

#[test]
fn behind_a_target_that_was_taken_over_the_stream_goes_on() {
    let report = |adopted| Report {
        slot_name: "slot".to_owned(),
        whole: true,
        tables: Vec::new(),
        object_count: None,
        objects: Vec::new(),
        sequence_count: 0,
        sequences: Vec::new(),
        notes: Vec::new(),
        sample: None,
        adopted,
        lsn: Lsn(7),
        pauses_ms: Vec::new(),
        seconds: 1.0,
    };
    for (state, adopted, expected) in [
        (
            SampleState::Held,
            true,
            &[Effect::Command(Command::Retry)][..],
        ),
        (SampleState::Stopped, true, &[Effect::StartEngine]),
        (SampleState::Streaming, true, &[]),
        (SampleState::Stopped, false, &[]),
    ] {
        let mut model = console(state);
        press(&mut model, "V");
        let news = News::Ended(Ok(Box::new(report(adopted))));
        assert_eq!(update(&mut model, Message::Compared(news)), expected);
    }
}

#[test]
fn a_read_only_console_compares_nothing() {
    let mut model = console(SampleState::Streaming);
    model.display.read_only = true;
    assert_eq!(press(&mut model, "V r b"), []);
}
