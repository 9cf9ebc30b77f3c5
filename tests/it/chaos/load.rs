//! A mixed load on the source: several sessions, several tables, transactions of one row and of
//! tens of thousands, and as many schema changes as are asked for.
//!
//! Every transaction leaves one row in a table without any key, so that a lost and a doubled
//! transaction both show. The load lives through restarts of the source: a transaction that
//! failed is simply not there, on either side.

use std::time::Duration;

use pgstream::runtime::{Task, spawn};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use super::dice::Dice;

/// Both sides start with these.
pub const SCHEMA: &str = "\
CREATE TABLE ledger (worker int NOT NULL, number bigint NOT NULL);
ALTER TABLE ledger REPLICA IDENTITY FULL;
CREATE TABLE account (id int PRIMARY KEY, balance bigint NOT NULL DEFAULT 0, note text);
INSERT INTO account SELECT i FROM generate_series(0, 199) AS i;
CREATE TABLE item (id bigint PRIMARY KEY, account int NOT NULL, body text);
CREATE TABLE event (kind int, body text);
ALTER TABLE event REPLICA IDENTITY FULL;
CREATE TABLE wide (id bigint PRIMARY KEY, big text, n int NOT NULL DEFAULT 0);
ALTER TABLE wide ALTER COLUMN big SET STORAGE EXTERNAL;";

/// A session's transactions are at least this far apart: enough to be always in the middle of one,
/// little enough for a busy machine to follow. Schema changes are dearer.
const PACE: Duration = Duration::from_millis(25);
const SCHEMA_PACE: Duration = Duration::from_millis(250);

/// Sessions that change rows.
const WORKER_COUNT: u64 = 2;

/// Transactions have their number at this place of the ids that they give, so that no two meet.
const ROOM: u64 = 100_000;

/// Marks of arrival are those of workers from this number on.
const MARKS: u64 = 100;

/// A running load.
pub struct Load {
    stop: watch::Sender<bool>,
    workers: Vec<Task<u64>>,
}

impl Load {
    /// Starts the sessions that change rows.
    pub fn rows(url: &str, seed: u64) -> Self {
        let (stop, stopped) = watch::channel(false);
        let worker = |number| {
            let worker = Worker::new(url, number, seed, stopped.clone());
            spawn("load", worker.run(Work::Rows))
        };
        Self {
            stop,
            workers: (0..WORKER_COUNT).map(worker).collect(),
        }
    }

    /// Starts these and one that changes the schema.
    pub fn rows_and_schema(url: &str, seed: u64) -> Self {
        let mut load = Self::rows(url, seed);
        let worker = Worker::new(url, WORKER_COUNT, seed, load.stop.subscribe());
        load.workers
            .push(spawn("load", worker.run(Work::Schema(" CONCURRENTLY"))));
        load
    }

    /// Starts the same, as fast as the stream takes it and no faster. `concurrently` is what is said of indexes:
    /// nothing where statements that wait for everybody's transactions would be waited for in vain.
    pub fn in_step((url, target): (&str, &str), seed: u64, concurrently: &'static str) -> Self {
        let (stop, stopped) = watch::channel(false);
        let worker = |number| {
            let mut worker = Worker::new(url, number, seed, stopped.clone());
            worker.target = Some(target.to_owned());
            spawn(
                "load",
                worker.run(match number {
                    WORKER_COUNT => Work::Schema(concurrently),
                    _ => Work::Rows,
                }),
            )
        };
        Self {
            stop,
            workers: (0..=WORKER_COUNT).map(worker).collect(),
        }
    }

    /// Lets every session end its transaction; returns how many were committed.
    pub async fn stop(mut self) -> u64 {
        self.stop.send_replace(true);
        let mut count = 0;
        for worker in &mut self.workers {
            count += worker.join().await.expect("the load does not panic");
        }
        count
    }
}

#[derive(Clone, Copy)]
enum Work {
    Rows,
    Schema(&'static str),
}

struct Worker {
    url: String,
    /// What is waited for to have each transaction.
    target: Option<String>,
    number: u64,
    dice: Dice,
    stopped: watch::Receiver<bool>,
    transaction: u64,
    /// The last one left its mark.
    marked: bool,
}

impl Worker {
    fn new(url: &str, number: u64, seed: u64, stopped: watch::Receiver<bool>) -> Self {
        let dice = Dice::new(seed.wrapping_add(number));
        Self {
            url: url.to_owned(),
            target: None,
            number,
            dice,
            stopped,
            transaction: 0,
            marked: false,
        }
    }

    async fn run(mut self, work: Work) -> u64 {
        let (mut client, mut target) = (None, None);
        let mut count = 0;
        let mut pace = interval(match work {
            Work::Rows => PACE,
            Work::Schema(_) => SCHEMA_PACE,
        });
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !*self.stopped.borrow() {
            pace.tick().await;
            let Some(session) = session(&self.url, &mut client).await else {
                continue;
            };
            if !self.has_arrived(&mut target).await {
                continue;
            }
            self.transaction += 1;
            let statements = match work {
                Work::Rows => vec![self.rows()],
                Work::Schema(concurrently) => self.schema(concurrently),
            };
            for statement in statements {
                match session.batch_execute(&statement).await {
                    Ok(()) => count += 1,
                    Err(error) => self.failed(session, &statement, &error).await,
                }
            }
            if self.target.is_some() {
                self.marked = session.batch_execute(&self.mark()).await.is_ok();
            }
        }
        count
    }

    /// What shows that all before it has arrived.
    fn mark(&self) -> String {
        let (number, transaction) = (self.number + MARKS, self.transaction);
        format!("INSERT INTO ledger VALUES ({number}, {transaction})")
    }

    /// Returns whether the target has the last transaction, where that is waited for.
    async fn has_arrived(&self, target: &mut Option<Client>) -> bool {
        let Some(url) = self.target.as_ref().filter(|_| self.marked) else {
            return true;
        };
        let Some(client) = session(url, target).await else {
            return false;
        };
        let (number, transaction) = (self.number + MARKS, self.transaction);
        let sql = format!("SELECT FROM ledger WHERE (worker, number) = ({number}, {transaction})");
        let found = client.simple_query(&sql).await;
        found.is_ok_and(|rows| {
            rows.iter()
                .any(|row| matches!(row, SimpleQueryMessage::Row(_)))
        })
    }

    /// Only a server that goes away may fail a statement of ours.
    async fn failed(&self, session: &Client, statement: &str, error: &tokio_postgres::Error) {
        let code = error.code().map(tokio_postgres::error::SqlState::code);
        let expected = code.is_none_or(|code| code.starts_with("57P") || code == "40P01");
        assert!(
            expected,
            "the load's own statement fails on the source: {statement}\n{error:?}"
        );
        // The session may be gone.
        drop(session.batch_execute("ROLLBACK").await);
    }

    /// One transaction of row changes.
    fn rows(&mut self) -> String {
        let (number, transaction) = (self.number, self.transaction);
        let id = (transaction * WORKER_COUNT + number) * ROOM;
        let change = match self.dice.below(24) {
            0..6 => self.inserts(id, 20),
            6..10 => self.updates(),
            10..13 => self.deletes(),
            13..16 => self.keyless(),
            16..19 => self.wide(id),
            19..21 => self.key_changes(),
            21 => self.inserts(id, 1_000),
            22 if self.dice.below(8) == 0 => self.inserts(id, 25_000),
            22 => self.inserts(id, 300),
            _ => format!(
                "SAVEPOINT s; {}; ROLLBACK TO s; {}",
                self.inserts(id, 50),
                self.updates()
            ),
        };
        format!("BEGIN; INSERT INTO ledger VALUES ({number}, {transaction}); {change}; COMMIT")
    }

    fn inserts(&mut self, id: u64, count_max: u64) -> String {
        let count = 1 + self.dice.below(count_max);
        format!(
            "INSERT INTO item (id, account, body) SELECT {id} + i, i % 200, md5(i::text) \
             FROM generate_series(1, {count}) AS i"
        )
    }

    /// Each worker has its own accounts, so that the sessions of the load do not meet in locks.
    fn updates(&mut self) -> String {
        let (from, amount) = (self.dice.below(200), self.dice.below(1_000));
        format!(
            "UPDATE account SET balance = balance + {amount}, note = md5(balance::text) \
             WHERE id >= {from} AND id % {WORKER_COUNT} = {}",
            self.number
        )
    }

    fn deletes(&mut self) -> String {
        let count = 1 + self.dice.below(100);
        format!("DELETE FROM item WHERE id IN ({})", self.own("item", count))
    }

    fn key_changes(&mut self) -> String {
        let count = 1 + self.dice.below(20);
        format!(
            "UPDATE item SET id = -id WHERE id IN ({})",
            self.own("item", count)
        )
    }

    fn keyless(&mut self) -> String {
        let (kind, count) = (self.dice.below(3), 1 + self.dice.below(30));
        let worker = self.number;
        format!(
            "INSERT INTO event SELECT {kind}, '{worker}' FROM generate_series(1, {count}); \
             DELETE FROM event WHERE ctid IN (SELECT ctid FROM event \
             WHERE kind = {kind} AND body = '{worker}' LIMIT {})",
            count / 2
        )
    }

    fn wide(&mut self, id: u64) -> String {
        format!(
            "INSERT INTO wide SELECT {id}, string_agg(md5(i::text), '') \
             FROM generate_series(1, 300) AS i; \
             UPDATE wide SET n = n + 1 WHERE id IN ({})",
            self.own("wide", 5)
        )
    }

    fn own(&self, table: &str, count: u64) -> String {
        format!(
            "SELECT id FROM {table} WHERE (abs(id) / {ROOM}) % {WORKER_COUNT} = {} LIMIT {count}",
            self.number
        )
    }

    /// A few statements, each a transaction of its own, that belong together.
    fn schema(&mut self, concurrently: &str) -> Vec<String> {
        let n = self.transaction;
        let texts: Vec<String> = match self.dice.below(7) {
            0 => vec![
                format!("CREATE TABLE made_{n} (id int PRIMARY KEY, a text UNIQUE)"),
                format!("INSERT INTO made_{n} SELECT i, i::text FROM generate_series(1, 20) AS i"),
                format!("ALTER TABLE made_{n} ADD COLUMN b int DEFAULT 7, ADD CHECK (b > 0)"),
                format!("ALTER TABLE made_{n} RENAME a TO c"),
                format!("UPDATE made_{n} SET c = c || '!', b = id"),
            ],
            1 => vec![
                format!("ALTER TABLE item ADD COLUMN x_{n} text DEFAULT '{n}'"),
                format!("ALTER TABLE item DROP COLUMN x_{n}"),
            ],
            2 => vec![
                format!("CREATE INDEX{concurrently} item_{n} ON item (account, id)"),
                format!("DROP INDEX{concurrently} item_{n}"),
            ],
            3 => vec![
                format!("CREATE TYPE mood_{n} AS ENUM ('a', 'b')"),
                format!("CREATE TABLE feeling_{n} (id int PRIMARY KEY, m mood_{n})"),
                format!("ALTER TYPE mood_{n} ADD VALUE 'c'"),
                format!("INSERT INTO feeling_{n} VALUES (1, 'a'), (2, 'c')"),
            ],
            4 => vec![
                format!("CREATE TABLE copy_{n} AS SELECT id, balance FROM account WHERE id < 50"),
                format!("DELETE FROM copy_{n} WHERE id % 3 = 0"),
                format!("DROP TABLE copy_{n}"),
            ],
            5 => vec![
                format!(
                    "BEGIN; CREATE TABLE both_{n} (id int PRIMARY KEY); \
                     INSERT INTO both_{n} VALUES (1); ALTER TABLE both_{n} ADD COLUMN v int; \
                     INSERT INTO both_{n} VALUES (2, 2); COMMIT"
                ),
                format!("ALTER TABLE both_{n} ALTER COLUMN v TYPE bigint USING v * 2"),
                format!("INSERT INTO both_{n} VALUES (3, 3)"),
            ],
            _ => vec![
                format!("CREATE TABLE gone_{n} (id int)"),
                format!("BEGIN; INSERT INTO gone_{n} VALUES (1); DROP TABLE gone_{n}; COMMIT"),
            ],
        };
        texts
    }
}

/// A server that is away comes back; until then each try takes a moment anyway.
async fn session<'a>(url: &str, client: &'a mut Option<Client>) -> Option<&'a Client> {
    if client.as_ref().is_none_or(Client::is_closed) {
        let (session, connection) = tokio_postgres::connect(url, NoTls).await.ok()?;
        #[expect(clippy::disallowed_methods, reason = "ends with its session")]
        drop(tokio::spawn(connection));
        *client = Some(session);
    }
    client.as_ref()
}
