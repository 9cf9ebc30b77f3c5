//! A light load on the source: enough that something always happens, little enough for a busy machine
//! to follow. Every transaction leaves one row in a table without any key.

use std::time::Duration;

use pgstream::runtime::{Task, spawn};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tokio_postgres::{Client, NoTls};

use crate::chaos::dice::Dice;
use crate::support::{connect, wait_until};

/// Families, and a table that is large enough to be copied in several parts.
pub const FAMILIES: &str = "\
CREATE TABLE ledger (worker int NOT NULL, number bigint NOT NULL);
ALTER TABLE ledger REPLICA IDENTITY FULL;
CREATE TABLE keyless (kind int, body text);
ALTER TABLE keyless REPLICA IDENTITY FULL;
INSERT INTO keyless SELECT i % 3, 'old' FROM generate_series(1, 600) AS i;
CREATE TABLE parent (id int PRIMARY KEY, name text);
CREATE TABLE child (id bigserial PRIMARY KEY,
  parent int NOT NULL REFERENCES parent ON DELETE CASCADE ON UPDATE CASCADE, note text);
CREATE INDEX child_parent ON child (parent);
CREATE TABLE big (id int PRIMARY KEY, filler text, n int NOT NULL DEFAULT 0);
ALTER TABLE big ALTER COLUMN filler SET STORAGE PLAIN;
CREATE INDEX big_n ON big (n);
INSERT INTO parent SELECT i, 'p' || i FROM generate_series(1, 1000) AS i;
INSERT INTO child (parent, note) SELECT 1 + i % 1000, 'old' FROM generate_series(1, 5000) AS i;
INSERT INTO big SELECT i, repeat(md5(i::text), 18) FROM generate_series(1, 30000) AS i;";

/// Enough that something always happens, little enough for a busy machine to follow.
const PACE: Duration = Duration::from_millis(60);

/// Parents come, go and get other numbers, and their children with them; rows of the large table
/// move between its blocks.
pub struct Families {
    stop: watch::Sender<bool>,
    task: Task<()>,
}

impl Families {
    /// Starts one session.
    pub fn start(url: &str, mut dice: Dice, schema: bool) -> Self {
        let (stop, stopped) = watch::channel(false);
        let url = url.to_owned();
        let work = async move {
            let mut client = connect(&url).await;
            let mut pace = interval(PACE);
            pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut number = 0u64;
            while !*stopped.borrow() {
                pace.tick().await;
                number += 1;
                let change = match schema && number.is_multiple_of(16) {
                    true => ddl(number),
                    false => transaction(&mut dice),
                };
                let sql = format!("INSERT INTO ledger VALUES (0, {number}); {change}");
                let done = client.batch_execute(&sql).await;
                match done {
                    Err(error) if client.is_closed() => client = again(&url, &error).await,
                    done => done.unwrap_or_else(|error| panic!("{sql}\n{error:?}")),
                }
            }
        };
        let task = spawn("families", work);
        Self { stop, task }
    }

    /// Lets it end its transaction.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        self.task.join().await.expect("the load does not panic");
    }
}

/// A source that was stopped comes back; what was lost with it is simply not there, on either side.
async fn again(url: &str, lost: &tokio_postgres::Error) -> Client {
    wait_until(&format!("the source comes back after {lost}"), async || {
        let connected = tokio_postgres::connect(url, NoTls).await;
        drop(connected.map_err(|error| error.to_string())?);
        Ok(())
    })
    .await;
    connect(url).await
}

fn transaction(dice: &mut Dice) -> String {
    let one = 1 + dice.below(1_000);
    match dice.below(8) {
        0 => format!("DELETE FROM parent WHERE id = {one}"),
        1 => format!(
            "INSERT INTO parent VALUES ({one}, 'new') ON CONFLICT DO NOTHING; \
             INSERT INTO child (parent, note) SELECT {one}, 'new' FROM generate_series(1, 3)"
        ),
        2 => format!(
            "UPDATE parent SET id = -id WHERE id = {one} AND NOT EXISTS (SELECT FROM parent WHERE id = -{one})"
        ),
        3 => format!(
            "UPDATE child SET parent = p.id FROM (SELECT id FROM parent LIMIT 1) AS p \
             WHERE child.id % 1000 = {one}"
        ),
        4 => format!(
            "UPDATE big SET n = n + 1, id = CASE WHEN id % 7 = 0 AND id > 0 THEN -id ELSE id END \
             WHERE abs(id) % 1000 = {one}"
        ),
        5 => format!("INSERT INTO keyless SELECT {one} % 3, 'same' FROM generate_series(1, 5)"),
        6 => "DELETE FROM keyless WHERE ctid IN (SELECT ctid FROM keyless WHERE kind = 1 LIMIT 4)"
            .to_owned(),
        _ => format!(
            "DELETE FROM big WHERE abs(id) % 1000 = {one}; INSERT INTO big \
             SELECT i * 1000 + {one}, repeat(md5(i::text), 18) FROM generate_series(0, 29) AS i \
             ON CONFLICT DO NOTHING"
        ),
    }
}

/// One transaction of schema changes, with rows among them.
fn ddl(number: u64) -> String {
    match number / 16 % 4 {
        0 => format!("ALTER TABLE child ADD COLUMN x_{number} text DEFAULT 'x'"),
        1 => format!(
            "CREATE TABLE made_{number} AS SELECT id, name FROM parent WHERE id < 20; \
             DELETE FROM made_{number} WHERE id % 2 = 0"
        ),
        2 => format!(
            "CREATE TYPE mood_{number} AS ENUM ('a', 'b'); \
             CREATE TABLE feeling_{number} (id int PRIMARY KEY, m mood_{number}); \
             INSERT INTO feeling_{number} VALUES (1, 'a')"
        ),
        _ => format!("CREATE INDEX big_{number} ON big (n, id)"),
    }
}
