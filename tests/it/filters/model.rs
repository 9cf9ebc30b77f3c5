//! Random names, schemas, owners and attachments under random filters: what the filter selects is equal at the
//! end, and nothing has stopped the stream.
//!
//! A command that the source refuses changes nothing and does not count. Names are never given twice: what was
//! left on the target keeps its own. A failure prints the seed, the filter and the commands that the source
//! accepted. `FILTER_MODEL_SEED` begins with another game, `PROPTEST_CASES` says how many are played.

use std::collections::HashSet;

use pgstream::config::{Plugin, TableFilter};
use pgstream::model::QualifiedName;
use pgstream::status::{CopyState, Status};
use tokio_postgres::Client;

use super::filtered;
use crate::support::flow::{Flow, stop};
use crate::support::oracle::{differences, picture};
use crate::support::{execute, query_text, wait_until};

/// One for each filter.
const GAMES: u64 = 6;
const COMMANDS_A_GAME: usize = 30;

/// What a filter includes, and excludes; `t1` is a partitioned table. A partition whose table is left out is left
/// out, too: by itself it would lack the keys that it has from there.
const FILTERS: [(&str, &str); 6] = [
    ("", "x*"),
    ("", "arc.*"),
    ("t1", ""),
    ("public.t* arc.*", "x*"),
    ("", "t1"),
    ("public.* arc.t*", "x* arc.x*"),
];

const START: &str = "\
CREATE SCHEMA arc; CREATE TABLE t1 (id int PRIMARY KEY, v int) PARTITION BY LIST (id); \
CREATE TABLE x1 (id int PRIMARY KEY, v int)";

/// Tables, each with what it is, the partitioned tables above it, itself among them, and its number.
const TABLES: &str = "\
SELECT format('%s.%s', n.nspname, c.relname), c.relkind::text || c.relispartition, \
       (SELECT string_agg(an.nspname || '.' || ac.relname, ' ') FROM pg_partition_ancestors(c.oid) x \
        JOIN pg_class ac ON ac.oid = x.relid JOIN pg_namespace an ON an.oid = ac.relnamespace), \
       c.oid \
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
WHERE c.relkind IN ('r', 'p') AND n.nspname IN ('public', 'arc') ORDER BY 1";

const KEYS: &str = "\
SELECT conrelid::regclass, conname FROM pg_constraint WHERE contype = 'f' AND conparentid = 0 ORDER BY 1, 2";

const SEQUENCES: &str = "\
SELECT oid::regclass FROM pg_class WHERE relkind = 'S' AND relname ~ '^[tx]\\d+$' ORDER BY 1";

/// What the next command is made of.
struct Game {
    state: u64,
    names: u32,
    tables: Vec<String>,
    keys: Vec<String>,
    sequences: Vec<String>,
    /// Partitioned tables of which a part is left out, by their numbers: the target has no key to them.
    cut: HashSet<String>,
}

impl Game {
    /// The same seed plays the same game: a linear congruential generator.
    fn roll(&mut self, sides: usize) -> usize {
        self.state = (self.state)
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.state >> 33).unwrap() % sides.max(1)
    }

    async fn look(&mut self, client: &Client, filter: &TableFilter) {
        self.tables = query_text(client, TABLES).await;
        let selected = selected(&self.tables, filter);
        let left_out = self
            .tables
            .iter()
            .filter(|line| !selected.contains(&part(line, 0)));
        let above: HashSet<String> = left_out
            .flat_map(|line| {
                part(line, 2)
                    .split(' ')
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
            })
            .collect();
        let cut = self
            .tables
            .iter()
            .filter(|line| above.contains(&part(line, 0)));
        self.cut = cut.map(|line| part(line, 3)).collect();
        self.keys = query_text(client, KEYS).await;
        self.sequences = query_text(client, SEQUENCES).await;
    }

    fn one_of(&mut self, of: &[String]) -> String {
        let place = self.roll(of.len());
        of.get(place)
            .cloned()
            .unwrap_or_else(|| "nothing".to_owned())
    }

    /// A table of a kind: `r` or `p`, and whether it is a partition; empty for any.
    fn table(&mut self, kind: &str) -> String {
        let fits = |line: &&String| {
            line.split('|')
                .nth(1)
                .is_some_and(|found| found.contains(kind))
        };
        let tables: Vec<String> = self.tables.iter().filter(fits).cloned().collect();
        let line = self.one_of(&tables);
        line.split('|').next().unwrap_or_default().to_owned()
    }

    fn name(&mut self) -> String {
        self.names += 1;
        format!("{}{}", ["t", "x"][self.roll(2)], self.names)
    }

    fn key(&mut self) -> (String, String) {
        let keys = self.keys.clone();
        let line = self.one_of(&keys);
        let (table, key) = line.split_once('|').unwrap_or(("nothing", "nothing"));
        (table.to_owned(), key.to_owned())
    }

    fn sequence(&mut self) -> String {
        let sequences = self.sequences.clone();
        self.one_of(&sequences)
    }

    fn command(&mut self) -> String {
        let (new, digit) = (self.name(), self.roll(6));
        let (table, other) = (self.table(""), self.table(""));
        match self.roll(26) {
            0 => format!("CREATE TABLE {new} (id serial PRIMARY KEY, v int)"),
            1 => format!("CREATE TABLE {new} (id int PRIMARY KEY, v int) PARTITION BY LIST (id)"),
            2 => format!(
                "CREATE TABLE {new} PARTITION OF {} FOR VALUES IN ({digit})",
                self.table("p")
            ),
            3 | 4 => {
                let (whole, part) = (self.table("p"), self.table("rfalse"));
                format!("ALTER TABLE {whole} ATTACH PARTITION {part} FOR VALUES IN ({digit})")
            }
            5 => {
                let part = self.table("true");
                let line = self
                    .tables
                    .iter()
                    .find(|line| line.starts_with(&format!("{part}|")));
                let above = line
                    .and_then(|line| line.split('|').nth(2))
                    .unwrap_or_default();
                let above = above
                    .split(' ')
                    .find(|above| *above != part)
                    .unwrap_or("nothing");
                format!("ALTER TABLE {above} DETACH PARTITION {part}")
            }
            6..=8 => format!("ALTER TABLE {table} RENAME TO {new}"),
            9 | 10 => format!(
                "ALTER TABLE {table} SET SCHEMA {}",
                ["public", "arc"][self.roll(2)]
            ),
            11 => format!("DROP TABLE {table}"),
            12 => format!("ALTER TABLE {table} ADD COLUMN {new} int DEFAULT {digit}"),
            13 => format!(
                "ALTER TABLE {table} ADD CONSTRAINT k{new} FOREIGN KEY (v) REFERENCES {other}"
            ),
            14..=16 => {
                let (table, key) = self.key();
                let what = [
                    format!("RENAME CONSTRAINT {key} TO k{new}"),
                    format!("ALTER CONSTRAINT {key} DEFERRABLE"),
                    format!("DROP CONSTRAINT {key}"),
                ];
                format!("ALTER TABLE {table} {}", self.one_of(&what))
            }
            17 => format!("CREATE SEQUENCE {new}"),
            18 => format!("ALTER SEQUENCE {} OWNED BY {table}.id", self.sequence()),
            19 => format!("ALTER SEQUENCE {} OWNED BY NONE", self.sequence()),
            20 => format!("ALTER SEQUENCE {} RENAME TO {new}", self.sequence()),
            21 | 22 => format!("INSERT INTO {table} (id) VALUES ({digit})"),
            23 => format!("INSERT INTO {table} (id, v) VALUES ({digit}, {digit})"),
            24 => format!("UPDATE {table} SET v = NULL WHERE id > {digit}"),
            _ => format!("DELETE FROM {table} WHERE id = {digit}"),
        }
    }
}

fn part(line: &str, place: usize) -> String {
    line.split('|').nth(place).unwrap_or_default().to_owned()
}

fn selected(tables: &[String], filter: &TableFilter) -> Vec<String> {
    let name = |text: &str| {
        let (schema, name) = text.split_once('.').unwrap_or(("", text));
        QualifiedName::new(schema, name)
    };
    let selects = |line: &&String| {
        let mut parts = line.split('|');
        let own = name(parts.next().unwrap_or_default());
        let above = parts.nth(1).unwrap_or_default().split(' ').map(name);
        let lineage: Vec<QualifiedName> = std::iter::once(own).chain(above).collect();
        filter.selects_lineage(&lineage.iter().collect::<Vec<_>>())
    };
    let tables = tables.iter().filter(selects);
    tables
        .filter_map(|line| Some(line.split('|').next()?.to_owned()))
        .collect()
}

/// A key to a table that is left out, or a part of it, stays on the source.
fn is_key_to(line: &str, whole: &[String]) -> bool {
    let Some((_, rest)) = line.split_once(" REFERENCES ") else {
        return true;
    };
    let name = rest.split('(').next().unwrap_or_default();
    let full = if name.contains('.') {
        name.to_owned()
    } else {
        format!("public.{name}")
    };
    whole.contains(&full)
}

/// The selected tables that keys may point to.
fn whole(game: &Game, selected: &[String]) -> Vec<String> {
    let cut = game
        .tables
        .iter()
        .filter(|line| game.cut.contains(&part(line, 3)));
    let cut: HashSet<String> = cut.map(|line| part(line, 0)).collect();
    let lines = game.tables.iter().filter(|line| {
        let above = part(line, 2);
        !cut.contains(&part(line, 0)) && !above.split(' ').any(|above| cut.contains(above))
    });
    let names = lines.map(|line| part(line, 0));
    names.filter(|name| selected.contains(name)).collect()
}

fn require_going(status: &Status, played: &str) {
    assert!(
        status.last_error.is_none(),
        "{:?}\n{played}",
        status.last_error
    );
    let copies = status
        .snapshot
        .iter()
        .flat_map(|copies| copies.tables.iter());
    let failed: Vec<_> = copies
        .filter(|table| table.state == CopyState::Failed)
        .collect();
    assert!(failed.is_empty(), "{failed:?}\n{played}");
}

/// Gives the target the tables that the filter selects at the beginning.
async fn prepare(flow: &Flow, filter: &TableFilter) {
    execute(&flow.target, "CREATE SCHEMA arc").await;
    for table in selected(&query_text(&flow.source, TABLES).await, filter) {
        let partitioned = if table == "public.t1" {
            "PARTITION BY LIST (id)"
        } else {
            ""
        };
        let sql = format!("CREATE TABLE {table} (id int PRIMARY KEY, v int) {partitioned}");
        execute(&flow.target, &sql).await;
    }
}

async fn play(seed: u64, plugin: Plugin) {
    eprintln!("FILTER_MODEL_SEED={seed} PROPTEST_CASES=1");
    let (include, exclude) = FILTERS[usize::try_from(seed).unwrap() % FILTERS.len()];
    let filter = TableFilter::parse(include, exclude).unwrap();
    let flow = filtered(plugin, (include, exclude), START).await;
    prepare(&flow, &filter).await;
    let engine = flow.start();
    let mut game = Game {
        state: seed,
        names: 1,
        tables: Vec::new(),
        keys: Vec::new(),
        sequences: Vec::new(),
        cut: HashSet::new(),
    };
    let mut accepted = Vec::new();
    while accepted.len() < COMMANDS_A_GAME {
        game.look(&flow.source, &filter).await;
        let command = game.command();
        if flow.source.batch_execute(&command).await.is_ok() {
            accepted.push(command);
        }
    }
    game.look(&flow.source, &filter).await;
    let played = format!(
        "seed {seed}, {include:?} without {exclude:?}:\n{}",
        accepted.join(";\n")
    );
    let names = selected(&game.tables, &filter);
    let whole = whole(&game, &names);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    wait_until(
        &format!("what is selected is equal; {played}"),
        async || {
            require_going(&engine.status().borrow(), &played);
            if names.is_empty() {
                return Ok(());
            }
            let (source, target) = (
                picture(&flow.source, &names).await?,
                picture(&flow.target, &names).await?,
            );
            let mut found = differences(&source, &target);
            found.retain(|line| is_key_to(line, &whole));
            match found.is_empty() {
                true => Ok(()),
                false => Err(found.join("\n")),
            }
        },
    )
    .await;
    stop(engine).await;
}

async fn games(first: u64, plugin: Plugin) {
    let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
    let first = number("FILTER_MODEL_SEED").unwrap_or(first);
    for seed in first..first + number("PROPTEST_CASES").unwrap_or(GAMES) {
        play(seed, plugin).await;
    }
}

#[tokio::test]
async fn whatever_crosses_the_filter_what_it_selects_is_equal() {
    games(1, Plugin::Pgoutput).await;
}

#[tokio::test]
async fn whatever_crosses_the_filter_what_it_selects_is_equal_with_wal2json() {
    games(1 + GAMES, Plugin::Wal2json).await;
}
