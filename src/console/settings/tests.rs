use crate::config::key;

use super::*;

fn settings() -> Settings {
    let inputs = Inputs {
        environment: Vec::new(),
        ..Inputs::of_process(Vec::new(), None)
    };
    let rows = Configuration::load(inputs).unwrap().resolved();
    Settings::new(rows, Some("shop.env".into()))
}

fn keys(settings: &mut Settings, text: &str) -> Outcome {
    let outcomes = text
        .split(' ')
        .map(|key| match settings.on_key(key.parse().unwrap()) {
            Outcome::Edit => {
                settings.edit_value();
                Outcome::Stay
            }
            outcome => outcome,
        });
    outcomes.last().unwrap()
}

fn select(settings: &mut Settings, key: &str) {
    let mut rows = settings.rows.iter();
    settings.selected = rows.position(|row| row.variable.key == key).unwrap();
}

#[test]
fn a_value_is_checked_by_the_rules_of_the_file() {
    let mut settings = settings();
    select(&mut settings, key::BATCH_TIMEOUT);
    keys(&mut settings, "enter 5 enter");
    assert!(settings.problem.is_some(), "a duration has a unit");
    keys(&mut settings, "m s enter");
    assert!(settings.editing.is_none() && settings.problem.is_none());
    assert_eq!(settings.changes[key::BATCH_TIMEOUT], "5ms");

    let expected = [
        format!("- {}=5s", key::BATCH_TIMEOUT),
        format!("+ {}=5ms", key::BATCH_TIMEOUT),
    ];
    assert_eq!(
        keys(&mut settings, "w"),
        Outcome::AskToSave(expected.to_vec())
    );
    keys(&mut settings, "backspace");
    assert_eq!(
        keys(&mut settings, "w"),
        Outcome::Refuse("nothing has been changed")
    );
}

#[test]
fn what_is_there_already_is_no_change_and_one_of_a_few_words_is_chosen() {
    let mut settings = settings();
    select(&mut settings, key::PLUGIN);
    keys(&mut settings, "enter enter");
    assert!(settings.changes.is_empty() && settings.editing.is_none());

    keys(&mut settings, "enter right right enter");
    assert_eq!(settings.changes[key::PLUGIN], "wal2json");
    keys(&mut settings, "enter right enter");
    assert!(settings.changes.is_empty(), "the empty one is the default");
    keys(&mut settings, "enter left x enter");
    assert_eq!(
        settings.changes[key::PLUGIN],
        "wal2json",
        "nothing is typed"
    );
}

#[test]
fn only_the_lines_of_what_changed_are_touched() {
    let text =
        "# mine\nPGSTREAM_LOG_LEVEL=info # why\n\nexport PGSTREAM_LOG_FORMAT=text\nOTHER=1\n";
    let changes = BTreeMap::from([
        (key::LOG_LEVEL, "debug".to_owned()),
        (key::LOG_FORMAT, String::new()),
        (key::BATCH_SIZE, "25".to_owned()),
    ]);
    let expected =
        "# mine\nPGSTREAM_LOG_LEVEL='debug'\n\nOTHER=1\nPGSTREAM_POSTGRES_WRITER_BATCH_SIZE='25'\n";
    assert_eq!(file::changed(text, &changes), expected);
}

#[test]
fn sections_are_gone_through_with_left_and_right() {
    let mut settings = settings();
    let mut seen = vec![settings.section().unwrap()];
    for _ in 1..Section::ALL.len() {
        keys(&mut settings, "right");
        seen.push(settings.section().unwrap());
    }
    assert_eq!(seen, Section::ALL, "every section has variables");

    keys(&mut settings, "down right left");
    assert_eq!(settings.section(), Some(Section::Log));
    keys(&mut settings, "home left up");
    assert_eq!(settings.selected, 0);
}

#[test]
fn what_was_saved_is_from_its_line_of_the_file() {
    let mut settings = settings();
    settings.changes = BTreeMap::from([
        (key::LOG_LEVEL, "debug".to_owned()),
        (key::LOG_FORMAT, "json".to_owned()),
    ]);
    let flag = settings.rows.iter_mut();
    for row in flag.filter(|row| row.variable.key == key::LOG_FORMAT) {
        row.origin = Origin::Flag("--log-format");
    }

    settings.saved("# mine\nPGSTREAM_LOG_LEVEL='debug'\nPGSTREAM_LOG_FORMAT='json'\n");

    let from = |key: &str| {
        let mut rows = settings.rows.iter();
        let row = rows.find(|row| row.variable.key == key).unwrap();
        (row.value.clone(), row.origin.to_string())
    };
    let level = (Some("debug".to_owned()), "shop.env:2".to_owned());
    assert_eq!(from(key::LOG_LEVEL), level);
    let format = (None, "--log-format".to_owned());
    assert_eq!(from(key::LOG_FORMAT), format, "the flag is stronger");
    assert_eq!(from(key::BATCH_SIZE), (None, "default".to_owned()));
}
