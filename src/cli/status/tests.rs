use crate::diagnose::{Checkpoint, Init, Lag};
use crate::model::{Lsn, QualifiedName};

use super::*;

fn side(endpoint: &str, reachable: bool) -> Side {
    Side {
        endpoint: endpoint.to_owned(),
        reachable,
        version: reachable.then(|| "15.20".to_owned()),
        error: (!reachable).then(|| "connection refused".to_owned()),
    }
}

fn copy(name: &str, state: CopyState) -> TableCopy {
    TableCopy {
        name: format!("public.{name}"),
        table: QualifiedName::new("public", name),
        state,
        attempt: 1,
        row_count: 1200,
        byte_count: 1 << 20,
        bytes_expected: 3 << 20,
        error: None,
        causes: Vec::new(),
        sqlstate: None,
        hint: None,
        unlogged: false,
        lsn: Some(Lsn(0x10)),
        updated_at: "2026-01-01T00:00:00+00:00".to_owned(),
    }
}

fn change(tag: &str, object: &str, state: SchemaChangeState) -> SchemaChange {
    SchemaChange {
        id: "x".to_owned(),
        version: 7,
        created_at: "2026-01-01".to_owned(),
        schema_name: "public".to_owned(),
        tag: tag.to_owned(),
        objects: vec![object.replace('"', "")],
        quoted_objects: vec![object.to_owned()],
        state,
        ran: Some(true),
        not_applied: Vec::new(),
    }
}

fn seen() -> Inspection {
    Inspection {
        at: "2026-01-01T00:00:00Z".to_owned(),
        init_command: "pgstream init …".to_owned(),
        init_grant: None,
        schema_grant: None,
        target_grant: None,
        source_database: None,
        source: side("localhost:5432/postgres", true),
        target: side("localhost:7654/postgres", true),
        slot_name: "a_slot".to_owned(),
        slot: Some(Slot {
            slot_name: "a_slot".to_owned(),
            plugin: "pgoutput".to_owned(),
            active_pid: Some(42),
            restart_lsn: Some(Lsn(0x10)),
            confirmed_flush_lsn: Some(Lsn(0x20)),
            retained_bytes: Some(1 << 24),
            wal_status: Some("reserved".to_owned()),
            ..Slot::default()
        }),
        publication: None,
        lag: Lag {
            bytes: Some(1536),
            seconds: Some(0.25),
        },
        checkpoint: Some(Checkpoint {
            end_lsn: Lsn(0x20),
            commit_time: Some("2026-01-01T00:00:00+00:00".to_owned()),
            updated_at: "2026-01-01T00:00:01+00:00".to_owned(),
            misfit: None,
        }),
        last_stop: None,
        sequences: None,
        verified: None,
        skipped_transaction_count: Some(0),
        unconfirmed: None,
        copies: vec![
            copy("Order items", CopyState::Copying),
            copy("items", CopyState::Ready),
            TableCopy {
                error: Some("snapshot failed".to_owned()),
                causes: vec!["cannot copy the rows of public.refunds".to_owned()],
                hint: Some("fix it".to_owned()),
                ..copy("refunds", CopyState::Failed)
            },
        ],
        init: Some(Init {
            installed: true,
            version: Some(1),
            current: true,
            triggers: true,
            of_this_database: true,
        }),
        schema_changes: vec![
            change(
                "ALTER TABLE",
                "table public.\"Test\"",
                SchemaChangeState::Acked,
            ),
            SchemaChange {
                ran: Some(false),
                not_applied: vec!["CREATE VIEW public.v: it does not replicate yet".to_owned()],
                ..change("CREATE VIEW", "view public.v", SchemaChangeState::Acked)
            },
        ],
    }
}

#[test]
fn a_streaming_pipeline_shows_its_slot_lag_and_changes() {
    insta::assert_snapshot!(render(&seen()), @"
    source      localhost:5432/postgres  PostgreSQL 15.20
    target      localhost:7654/postgres  PostgreSQL 15.20
    init        done, schema version 1
    slot        a_slot  pgoutput  active, process 42
                confirmed 0/20  restart 0/10
                retains 16.0 MiB, reserved; no limit
    lag         1.5 KiB, 0.2 s
    checkpoint  0/20  committed on the source 2026-01-01T00:00:00+00:00, here 2026-01-01T00:00:01+00:00
    snapshot    1 of 3 tables ready, 2400 rows copied
                … copying      public.\"Order items\"  1200 rows, 1.0 MiB of 3.0 MiB expected
                ✗ failed       public.refunds  3.0 MiB expected
                  snapshot failed
                  caused by: cannot copy the rows of public.refunds
                  hint: fix it
    schema      ✓ acked       7  ALTER TABLE  table public.\"Test\"
                ! not applied 7  CREATE VIEW  view public.v
                  not on the target: CREATE VIEW public.v: it does not replicate yet
    ");
}

#[test]
fn what_cannot_be_known_is_reported() {
    let nothing = Inspection {
        source: side("localhost:5432/postgres", false),
        target: side("localhost:7654/postgres", false),
        slot: None,
        publication: None,
        lag: Lag::default(),
        checkpoint: None,
        skipped_transaction_count: None,
        copies: Vec::new(),
        init: None,
        schema_changes: Vec::new(),
        ..seen()
    };
    insta::assert_snapshot!(render(&nothing), @"
    source      localhost:5432/postgres  not reachable: connection refused
    target      localhost:7654/postgres  not reachable: connection refused
    init        not known
    slot        a_slot  not known
    lag         not known
    checkpoint  not known
    ");
}

#[test]
fn what_may_not_be_seen_is_reported_with_its_grant() {
    let mut barred = seen();
    barred.init = None;
    barred.init_grant = Some("GRANT SELECT ON pgstream.installation TO \"reader\";".to_owned());
    let expected = "\
init        not known: permission denied on pgstream.installation
            hint: GRANT SELECT ON pgstream.installation TO \"reader\";
";
    assert!(render(&barred).contains(expected), "{}", render(&barred));

    barred.schema_grant = Some("GRANT one;".to_owned());
    barred.target_grant = Some("GRANT two;".to_owned());
    barred.target.error = Some("permission denied for schema pgstream".to_owned());
    barred.checkpoint = None;
    let message = render(&barred);
    for expected in [
        "not all can be read: permission denied for schema pgstream\n            hint: GRANT two;\n",
        "schema      not known: permission denied on pgstream.schema_log\n            hint: GRANT one;\n",
        "checkpoint  not known\n",
    ] {
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn a_name_moves_no_cursor() {
    assert_eq!(printable("a\u{1b}[2J\nb ü"), "a\\u{1b}[2J\\nb ü");
}

#[test]
fn a_slot_of_another_database_is_reported() {
    let mut strange = seen();
    strange.source_database = Some("elsewhere".to_owned());
    let expected = ", and the source is elsewhere: run refuses it";
    assert!(render(&strange).contains(expected), "{}", render(&strange));
}

#[test]
fn a_checkpoint_that_the_slot_does_not_continue_is_reported() {
    let mut unfit = seen();
    let reason = "its slot is gone, and with it what came since";
    if let Some(checkpoint) = &mut unfit.checkpoint {
        checkpoint.misfit = Some(reason.to_owned());
    }
    let expected = format!("run would refuse to go on from here: {reason}; pgstream check has");
    assert!(render(&unfit).contains(&expected));
}
