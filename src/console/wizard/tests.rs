//! The wizards without a server: keys in, questions to the servers out.

use crate::console::chord::Chord;
use crate::diagnose::Side;
use crate::model::QualifiedName;
use crate::schema::{StepProgress, StepState};

use super::update::on_tick;
use super::*;

const NOW_MS: i64 = 1_000_000;

fn on_key(wizard: &mut Wizard, chord: Chord) -> Outcome {
    update::on_key(wizard, chord, NOW_MS)
}

fn on_answer(wizard: &mut Wizard, answer: Answer) -> Vec<Job> {
    update::on_answer(wizard, answer, NOW_MS)
}

const ADDRESS: &str = "postgres://me:secret@db1/shop";

fn key(text: &str) -> Chord {
    text.parse().unwrap()
}

fn type_text(wizard: &mut Wizard, text: &str) {
    for character in text.chars() {
        on_key(wizard, Chord::typing(character));
    }
}

fn finding(blocking: bool, hint: &str) -> Finding {
    Finding {
        side: Side::Source,
        object: "wal_level".into(),
        problem: "is replica".into(),
        hint: hint.into(),
        blocking,
    }
}

fn planned() -> Planned {
    Planned {
        slot: "shop_slot".into(),
        ..Planned::default()
    }
}

#[test]
fn a_field_is_checked_as_it_is_left_and_its_server_tried() {
    let mut wizard = Wizard::new(Kind::Init, &WizardValues::default());
    assert_eq!(on_key(&mut wizard, key("enter")), Outcome::Ask(vec![]));
    assert_eq!(
        wizard.get(Name::Source).unwrap().problem.as_deref(),
        Some("an address is needed")
    );

    type_text(&mut wizard, ADDRESS);
    let probe = Job::Probe(Name::Source, ADDRESS.into());
    assert_eq!(on_key(&mut wizard, key("tab")), Outcome::Ask(vec![probe]));
    type_text(&mut wizard, "No Slot");
    on_key(&mut wizard, key("enter"));
    assert_eq!(
        (wizard.step(), wizard.focused()),
        (Step::Source, Some(Name::Slot))
    );
    on_key(&mut wizard, key("ctrl-u"));
    on_key(&mut wizard, key("enter"));
    assert_eq!(wizard.step(), Step::Target);
}

#[test]
fn an_answer_about_an_older_address_is_dropped() {
    let mut wizard = Wizard::new(Kind::Init, &WizardValues::default());
    type_text(&mut wizard, ADDRESS);
    on_key(&mut wizard, key("tab"));
    let old = Answer::Probed(
        Name::Source,
        "postgres://old".into(),
        Ok("PostgreSQL 9".into()),
    );
    on_answer(&mut wizard, old);
    assert_eq!(wizard.source, Loaded::Waiting);
    let new = Answer::Probed(Name::Source, ADDRESS.into(), Err(vec!["refused".into()]));
    on_answer(&mut wizard, new);
    assert_eq!(wizard.source, Loaded::Failed(vec!["refused".into()]));
}

#[test]
fn an_address_that_does_not_work_is_not_passed() {
    let mut wizard = Wizard::new(Kind::Init, &WizardValues::default());
    type_text(&mut wizard, ADDRESS);
    on_key(&mut wizard, key("enter"));
    assert_eq!(wizard.step(), Step::Target, "the answer may come later");

    let refused = || Answer::Probed(Name::Source, ADDRESS.into(), Err(vec!["refused".into()]));
    on_answer(&mut wizard, refused());

    let here = (Step::Source, Some(Name::Source));
    assert_eq!((wizard.step(), wizard.focused()), here);
    let again = Job::Probe(Name::Source, ADDRESS.into());
    assert_eq!(on_key(&mut wizard, key("enter")), Outcome::Ask(vec![again]));
    assert_eq!(wizard.step(), Step::Source);
    let works = Answer::Probed(Name::Source, ADDRESS.into(), Ok("PostgreSQL 15".into()));
    on_answer(&mut wizard, works);
    on_key(&mut wizard, key("enter"));
    assert_eq!(wizard.step(), Step::Target);
}

#[test]
fn what_blocks_stops_the_wizard_unless_init_fixes_it() {
    let wizard_values = WizardValues {
        source: ADDRESS.into(),
        target: ADDRESS.into(),
        ..WizardValues::default()
    };
    let mut wizard = Wizard::new(Kind::Init, &wizard_values);
    on_key(&mut wizard, key("enter"));
    on_key(&mut wizard, key("enter"));
    assert_eq!(wizard.step(), Step::Preflight);
    on_key(&mut wizard, key("enter"));
    assert_eq!(wizard.step(), Step::Preflight, "nothing is known yet");

    let hint = "ALTER SYSTEM SET wal_level = logical;";
    on_answer(
        &mut wizard,
        Answer::Checked(Ok(vec![finding(false, "see"), finding(true, hint)])),
    );
    on_key(&mut wizard, key("enter"));
    assert_eq!(wizard.step(), Step::Preflight);
    assert_eq!(
        on_key(&mut wizard, key("y")),
        Outcome::Yank("fix".into(), hint.into())
    );

    let answers = vec![
        finding(false, "see"),
        finding(true, "pgstream init --pgurl x"),
    ];
    on_answer(&mut wizard, Answer::Checked(Ok(answers)));
    on_key(&mut wizard, key("enter"));
    assert_eq!(wizard.step(), Step::Tables);
    on_key(&mut wizard, key("enter"));
    assert_eq!(wizard.step(), Step::FirstCopy);
    on_key(&mut wizard, key("enter"));
    assert_eq!(wizard.step(), Step::Plan);
    on_answer(&mut wizard, Answer::Planned(Ok(planned())));
    let expected = Outcome::Ask(vec![Job::Run(Kind::Init, wizard.wizard_values())]);
    assert_eq!(on_key(&mut wizard, key("enter")), expected);
    on_key(&mut wizard, key("backspace"));
    assert_eq!(
        wizard.step(),
        Step::Run,
        "what runs cannot be left backwards"
    );
}

#[test]
fn nothing_is_torn_down_until_the_name_is_typed() {
    let wizard_values = WizardValues {
        source: ADDRESS.into(),
        ..WizardValues::default()
    };
    let mut wizard = Wizard::new(Kind::TearDown, &wizard_values);
    on_key(&mut wizard, key("enter"));
    on_answer(&mut wizard, Answer::Planned(Ok(planned())));
    on_key(&mut wizard, key("enter"));
    assert_eq!(wizard.step(), Step::Confirm);
    type_text(&mut wizard, "shop_slo");
    assert_eq!(on_key(&mut wizard, key("enter")), Outcome::Ask(vec![]));
    type_text(&mut wizard, "t");
    let expected = Outcome::Ask(vec![Job::Run(Kind::TearDown, wizard.wizard_values())]);
    assert_eq!(on_key(&mut wizard, key("enter")), expected);

    let jobs = on_answer(&mut wizard, Answer::Ran(Ok(vec!["drop".into()])));
    assert_eq!(jobs, [Job::Verify(wizard.wizard_values())]);
    assert_eq!(wizard.step(), Step::Verify);
}

#[test]
fn the_saved_file_is_read_back_as_it_was_typed() {
    for password in ["simple", "p@ss$word#1\\x", "with'quote"] {
        let encoded: String = password
            .bytes()
            .map(|byte| match byte {
                b'\'' => "'".to_owned(),
                byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
                byte => format!("%{byte:02X}"),
            })
            .collect();
        let wizard_values = WizardValues {
            source: format!("postgres://me:{encoded}@db1/shop"),
            target: "postgres://db2/shop".into(),
            plugin: "pgoutput".into(),
            slot: "shop_slot".into(),
            schema: true,
            include: "public.* \"My Shop\".\"Order items\"".into(),
            exclude: "public.audit_*".into(),
            copy: true,
            copy_tables: "public.*".into(),
            copy_workers: "3".into(),
        };
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("shop.env");
        save::write(&path, &save::text(&wizard_values)).unwrap();

        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let inputs = crate::config::Inputs {
            environment: Vec::new(),
            ..crate::config::Inputs::of_process(Vec::new(), Some(path))
        };
        let loaded = crate::config::Configuration::load(inputs).unwrap();
        let pipeline = loaded.pipeline().unwrap();
        let expected = crate::config::ConnectionSettings::parse(&wizard_values.source).unwrap();
        assert_eq!(pipeline.source.endpoint(), expected.endpoint());
        assert!(pipeline.schema_log.is_some());
        let selects = |schema, name| pipeline.filter.selects(&QualifiedName::new(schema, name));
        assert!(selects("My Shop", "Order items") && !selects("public", "audit_log"));
        assert!(pipeline.snapshot.enabled);
        assert_eq!(pipeline.snapshot.worker_count, 3);
    }
}

#[test]
fn an_address_is_tried_while_one_types_and_only_when_one_pauses() {
    let mut wizard = Wizard::new(Kind::Init, &WizardValues::default());
    type_text(&mut wizard, ADDRESS);
    assert_eq!(on_tick(&mut wizard, NOW_MS + 499), []);
    let tried = Job::Probe(Name::Source, ADDRESS.into());
    assert_eq!(on_tick(&mut wizard, NOW_MS + 500), [tried]);
    assert_eq!(on_tick(&mut wizard, NOW_MS + 900), [], "once is enough");

    type_text(&mut wizard, "x");
    assert_eq!(wizard.source, Loaded::Not, "the answer would be another's");
    on_key(&mut wizard, key("ctrl-u"));
    type_text(&mut wizard, "http://nothing of ours");
    assert_eq!(on_tick(&mut wizard, NOW_MS + 500), [], "no address at all");
}

#[test]
fn what_is_still_being_typed_is_not_judged() {
    let mut wizard = Wizard::new(Kind::Init, &WizardValues::default());
    type_text(&mut wizard, ADDRESS);
    assert!(!wizard.get(Name::Source).unwrap().left);
    on_key(&mut wizard, key("tab"));
    assert!(wizard.get(Name::Source).unwrap().left);
}

fn table(name: &str, keyless: bool) -> SourceTable {
    SourceTable {
        name: QualifiedName::new("public", name),
        partitioned: false,
        partition_of: None,
        keyless,
        row_count: Some(3),
        bytes: 8192,
    }
}

#[test]
fn tables_are_let_in_and_out_and_never_all_out() {
    let wizard_values = WizardValues {
        source: ADDRESS.into(),
        target: ADDRESS.into(),
        ..WizardValues::default()
    };
    let mut wizard = Wizard::new(Kind::Init, &wizard_values);
    wizard.at = 2;
    wizard.findings = Loaded::Done(Vec::new());
    let asked = Outcome::Ask(vec![Job::Tables(wizard.wizard_values())]);
    assert_eq!(on_key(&mut wizard, key("enter")), asked);
    let tables = vec![table("orders", false), table("notes", true)];
    on_answer(&mut wizard, Answer::Listed(Ok(tables)));

    on_key(&mut wizard, key("down"));
    on_key(&mut wizard, key("space"));
    assert_eq!(wizard.wizard_values().exclude, "public.notes");
    on_key(&mut wizard, key("up"));
    on_key(&mut wizard, key("space"));
    on_key(&mut wizard, key("enter"));
    assert_eq!(wizard.step(), Step::Tables, "no table would replicate");
    assert_eq!(wizard.focused(), Some(Name::Exclude));

    on_key(&mut wizard, key("ctrl-u"));
    type_text(&mut wizard, "*.n*");
    on_key(&mut wizard, key("tab"));
    on_key(&mut wizard, key("down"));
    let refused = on_key(&mut wizard, key("space"));
    assert!(matches!(refused, Outcome::Refuse(reason) if reason.starts_with("*.n* excludes")));
    on_key(&mut wizard, key("enter"));
    assert_eq!(wizard.step(), Step::FirstCopy);
}

#[test]
fn rows_are_copied_where_there_are_some_unless_somebody_says_no() {
    let listed = |row_counts: &[Option<u64>]| {
        let tables = row_counts.iter().map(|row_count| SourceTable {
            row_count: *row_count,
            ..table("t", false)
        });
        Answer::Listed(Ok(tables.collect()))
    };
    let mut wizard = Wizard::new(Kind::Init, &WizardValues::default());
    for (row_counts, copied) in [
        (vec![], false),
        (vec![Some(0)], false),
        (vec![Some(0), Some(3)], true),
        (vec![None], true),
    ] {
        wizard = Wizard::new(Kind::Init, &WizardValues::default());
        on_answer(&mut wizard, listed(&row_counts));
        assert_eq!(wizard.wizard_values().copy, copied, "{row_counts:?}");
    }
    wizard.fill(Name::Copy, "no".to_owned());
    on_answer(&mut wizard, listed(&[Some(3)]));
    assert!(!wizard.wizard_values().copy, "it is asked once");
}

#[test]
fn workers_have_bounds() {
    for (text, good) in [
        ("", true),
        ("4", true),
        ("0", false),
        ("65", false),
        ("x", false),
    ] {
        let found = problem(Kind::Init, Name::CopyWorkers, text);
        assert_eq!(found.is_none(), good, "{text}: {found:?}");
    }
}

#[test]
fn the_time_of_a_step_counts_from_its_own_beginning() {
    let progress = |states: [StepState; 2]| {
        let step = |state| StepProgress {
            side: crate::schema::Side::Source,
            what: "create".into(),
            state,
        };
        Answer::Progress(Progress {
            steps: states.map(step).to_vec(),
        })
    };
    let done = StepState::Done(std::time::Duration::from_millis(5));
    let mut wizard = Wizard::new(Kind::Init, &WizardValues::default());
    let mut at = |now_ms, states| {
        update::on_answer(&mut wizard, progress(states), now_ms);
        wizard.step_since_ms
    };
    assert_eq!(at(10, [StepState::Running, StepState::Waiting]), 10);
    assert_eq!(at(20, [StepState::Running, StepState::Waiting]), 10);
    assert_eq!(at(30, [done, StepState::Running]), 30);
}

#[test]
fn the_sql_of_a_step_is_shown_and_left_again() {
    let mut wizard = Wizard::new(Kind::TearDown, &WizardValues::default());
    wizard.at = 1;
    wizard.plan = Loaded::Done(planned());
    on_key(&mut wizard, key("v"));
    on_key(&mut wizard, key("down"));
    assert_eq!(wizard.sql_scroll, Some(1));
    on_key(&mut wizard, key("esc"));
    assert_eq!((wizard.sql_scroll, wizard.step()), (None, Step::Plan));
    let written = on_key(&mut wizard, key("w"));
    let expected = Outcome::Write(
        "pgstream-tear-down-plan.sql".into(),
        "-- nothing to do\n".into(),
    );
    assert_eq!(written, expected);
}
