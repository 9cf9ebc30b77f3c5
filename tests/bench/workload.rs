//! What is loaded: each backlog as the statements that make it.

/// The rows of a transaction, where nothing else is said.
const TRANSACTION_ROWS: u64 = 100;
/// The row changes of one transaction of the mix.
const MIX_ROWS: u64 = 25;

/// One kind of load.
pub(crate) struct Workload {
    /// Its name, for the table and `--only`.
    pub(crate) name: &'static str,
    /// The rows that are there before, on all sides alike.
    pub(crate) fill: fn(u64) -> String,
    /// One statement that makes the backlog.
    pub(crate) load: fn(u64) -> String,
    /// The row changes of that backlog.
    pub(crate) rows: fn(u64) -> u64,
}

/// Returns all of them.
pub(crate) const fn all() -> [Workload; 6] {
    [
        Workload {
            name: "inserts",
            fill: nothing,
            load: inserts,
            rows: all_rows,
        },
        Workload {
            name: "updates",
            fill: accounts,
            load: updates,
            rows: all_rows,
        },
        Workload {
            name: "deletes",
            fill: accounts,
            load: deletes,
            rows: all_rows,
        },
        Workload {
            name: "one-row",
            fill: nothing,
            load: one_row,
            rows: one_row_rows,
        },
        Workload {
            name: "huge",
            fill: nothing,
            load: accounts,
            rows: all_rows,
        },
        Workload {
            name: "mix",
            fill: mix_before,
            load: mix,
            rows: all_rows,
        },
    ]
}

/// The tables of all workloads. The row in `finished` is the last of a backlog.
pub(crate) const TABLES: [(&str, &str); 6] = [
    (
        "account",
        "id bigint PRIMARY KEY, owner text NOT NULL, email text, balance numeric(14,2) NOT NULL, \
         active boolean NOT NULL, score double precision, opened_at timestamptz NOT NULL, note text",
    ),
    (
        "customer",
        "id bigint PRIMARY KEY, name text NOT NULL, city text, points integer NOT NULL, \
         seen_at timestamptz",
    ),
    (
        "purchase",
        "id bigint PRIMARY KEY, customer_id bigint NOT NULL, amount numeric(12,2) NOT NULL, \
         state text NOT NULL, placed_at timestamptz NOT NULL",
    ),
    (
        "purchase_line",
        "purchase_id bigint, line integer, sku text NOT NULL, quantity integer NOT NULL, \
         price numeric(10,2) NOT NULL, PRIMARY KEY (purchase_id, line)",
    ),
    (
        "login",
        "token uuid PRIMARY KEY, customer_id bigint NOT NULL, agent jsonb",
    ),
    ("finished", "id bigint PRIMARY KEY"),
];

/// The rows of `account` for a set `i` of numbers.
const ACCOUNT: &str = "SELECT i, 'owner ' || i, md5(i::text) || '@example.com', i * 1.25, \
     i % 3 = 0, i / 7.0::float8, timestamptz '2026-01-01 00:00:00+00' + i * interval '1 second', \
     'opened at the counter' FROM";

const fn all_rows(row_count: u64) -> u64 {
    row_count
}

/// Such transactions cost much more than a row each.
const fn one_row_rows(row_count: u64) -> u64 {
    row_count / 4
}

fn nothing(_: u64) -> String {
    String::new()
}

/// All accounts, in one transaction.
fn accounts(row_count: u64) -> String {
    format!("INSERT INTO account {ACCOUNT} generate_series(1, {row_count}) AS i")
}

fn inserts(row_count: u64) -> String {
    transactions(
        row_count / TRANSACTION_ROWS,
        &format!("INSERT INTO account {ACCOUNT} generate_series(t * 100 + 1, t * 100 + 100) AS i;"),
    )
}

fn one_row(row_count: u64) -> String {
    let count = one_row_rows(row_count);
    transactions(
        count,
        &format!("INSERT INTO account {ACCOUNT} generate_series(t, t) AS i;"),
    )
}

/// A hundred accounts from all over the table.
fn scattered(transaction_count: u64) -> String {
    format!(
        "id = ANY (ARRAY(SELECT 1 + t + k * {transaction_count}::bigint \
         FROM generate_series(0, {TRANSACTION_ROWS} - 1) AS k))"
    )
}

fn updates(row_count: u64) -> String {
    let count = row_count / TRANSACTION_ROWS;
    let rows = scattered(count);
    transactions(
        count,
        &format!(
            "UPDATE account SET balance = balance + 1, score = t, note = 'changed by ' || t \
             WHERE {rows};"
        ),
    )
}

fn deletes(row_count: u64) -> String {
    let count = row_count / TRANSACTION_ROWS;
    transactions(
        count,
        &format!("DELETE FROM account WHERE {};", scattered(count)),
    )
}

fn mix_before(row_count: u64) -> String {
    let count = row_count / MIX_ROWS;
    format!(
        "INSERT INTO customer SELECT i, 'customer ' || i, 'city ' || i % 97, 0, NULL \
         FROM generate_series(1, {count}) AS i; \
         INSERT INTO purchase SELECT i, i, i * 1.5, 'placed', \
         timestamptz '2026-01-01 00:00:00+00' + i * interval '1 minute' \
         FROM generate_series(1, {count}) AS i; \
         INSERT INTO purchase_line SELECT i, line, 'sku-' || i % 1000, line, 9.99 \
         FROM generate_series(1, {count}) AS i, generate_series(1, 4) AS line; \
         INSERT INTO login SELECT md5(i::text)::uuid, i, '{{\"browser\": \"fox\"}}' \
         FROM generate_series(1, {count}) AS i"
    )
}

/// A purchase day: 14 inserts, 6 updates, 5 deletes in four tables, one key of two columns and one
/// that is a uuid.
fn mix(row_count: u64) -> String {
    let count = row_count / MIX_ROWS;
    transactions(
        count,
        &format!(
            "UPDATE customer SET points = points + 1, seen_at = '2026-02-01 00:00:00+00' \
             WHERE id IN (1 + t, 1 + (t + {count} / 2) % {count}); \
             INSERT INTO purchase SELECT {count} + t * 2 + k, 1 + t, 12.5 * k, 'placed', \
             '2026-02-01 00:00:00+00' FROM generate_series(1, 2) AS k; \
             INSERT INTO purchase_line SELECT {count} + t * 2 + k, line, 'sku-' || line, k, 4.5 \
             FROM generate_series(1, 2) AS k, generate_series(1, 5) AS line; \
             UPDATE purchase SET state = 'sent' WHERE id IN (SELECT 1 + (t + k * 31) % {count} \
             FROM generate_series(1, 4) AS k); \
             DELETE FROM purchase_line WHERE purchase_id = 1 + t; \
             INSERT INTO login SELECT md5('new ' || t || ' ' || k)::uuid, t, '{{\"browser\": \"owl\"}}' \
             FROM generate_series(1, 2) AS k; \
             DELETE FROM login WHERE token = md5((1 + t)::text)::uuid;"
        ),
    )
}

/// So many transactions, numbered by `t`.
fn transactions(count: u64, body: &str) -> String {
    format!("DO $load$ BEGIN FOR t IN 0..{count} - 1 LOOP {body} COMMIT; END LOOP; END $load$")
}
