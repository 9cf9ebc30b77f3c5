//! The wizards without a server: keys in, questions to the servers out.

use super::update::{Outcome, on_answer, on_key};
use super::*;
use crate::console::chord::Chord;
use crate::engine::check::Side;

const ADDRESS: &str = "postgres://me:secret@db1/shop";

fn key(text: &str) -> Chord {
    text.parse().unwrap()
}

fn type_text(wizard: &mut Wizard, text: &str) {
    for character in text.chars() {
        on_key(wizard, Chord::typing(character));
    }
}

fn finding(blocking: bool, mend: &str) -> Finding {
    Finding {
        side: Side::Source,
        object: "wal_level".into(),
        problem: "is replica".into(),
        mend: mend.into(),
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
    let mut wizard = Wizard::new(Kind::Init, &Draft::default());
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
    let mut wizard = Wizard::new(Kind::Init, &Draft::default());
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
fn what_blocks_stops_the_wizard_unless_init_mends_it() {
    let draft = Draft {
        source: ADDRESS.into(),
        target: ADDRESS.into(),
        ..Draft::default()
    };
    let mut wizard = Wizard::new(Kind::Init, &draft);
    on_key(&mut wizard, key("enter"));
    on_key(&mut wizard, key("enter"));
    assert_eq!(wizard.step(), Step::Preflight);
    on_key(&mut wizard, key("enter"));
    assert_eq!(wizard.step(), Step::Preflight, "nothing is known yet");

    let mend = "ALTER SYSTEM SET wal_level = logical;";
    on_answer(&mut wizard, Answer::Checked(Ok(vec![finding(true, mend)])));
    on_key(&mut wizard, key("enter"));
    assert_eq!(wizard.step(), Step::Preflight);
    assert_eq!(
        on_key(&mut wizard, key("y")),
        Outcome::Copy("fix".into(), mend.into())
    );

    let answers = vec![
        finding(false, "see"),
        finding(true, "pgstream init --pgurl x"),
    ];
    on_answer(&mut wizard, Answer::Checked(Ok(answers)));
    on_key(&mut wizard, key("enter"));
    assert_eq!(wizard.step(), Step::Plan);
    on_answer(&mut wizard, Answer::Planned(Ok(planned())));
    let expected = Outcome::Ask(vec![Job::Run(Kind::Init, wizard.draft())]);
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
    let draft = Draft {
        source: ADDRESS.into(),
        ..Draft::default()
    };
    let mut wizard = Wizard::new(Kind::TearDown, &draft);
    on_key(&mut wizard, key("enter"));
    on_answer(&mut wizard, Answer::Planned(Ok(planned())));
    on_key(&mut wizard, key("enter"));
    assert_eq!(wizard.step(), Step::Confirm);
    type_text(&mut wizard, "shop_slo");
    assert_eq!(on_key(&mut wizard, key("enter")), Outcome::Ask(vec![]));
    type_text(&mut wizard, "t");
    let expected = Outcome::Ask(vec![Job::Run(Kind::TearDown, wizard.draft())]);
    assert_eq!(on_key(&mut wizard, key("enter")), expected);

    let jobs = on_answer(&mut wizard, Answer::Ran(Ok(vec!["drop".into()])));
    assert_eq!(jobs, [Job::Verify(wizard.draft())]);
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
        let draft = Draft {
            source: format!("postgres://me:{encoded}@db1/shop"),
            target: "postgres://db2/shop".into(),
            plugin: "pgoutput".into(),
            slot: "shop_slot".into(),
            schema: true,
        };
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("shop.env");
        save::write(&path, &save::text(&draft)).unwrap();

        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let inputs = crate::config::Inputs {
            environment: Vec::new(),
            ..crate::config::Inputs::of_process(Vec::new(), Some(path))
        };
        let loaded = crate::config::Configuration::load(inputs).unwrap();
        let pipeline = loaded.pipeline().unwrap();
        let expected = crate::config::ConnectionSettings::parse(&draft.source).unwrap();
        assert_eq!(pipeline.source.endpoint(), expected.endpoint());
        assert!(pipeline.schema_log.is_some());
    }
}
