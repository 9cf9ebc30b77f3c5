//! The databases that are copied.

/// One kind of database.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    /// Its name, for the table and the databases.
    pub(crate) name: &'static str,
    /// What makes it, of a size that grows with the rows asked for.
    pub(crate) fill: fn(u64) -> String,
    /// Its only table, where there is one: what a pipe can copy.
    pub(crate) only_table: Option<&'static str>,
}

/// Returns all of them.
pub(crate) const LOADS: [Load; 3] = [
    Load {
        name: "big",
        fill: big,
        only_table: Some("reading"),
    },
    Load {
        name: "many",
        fill: many,
        only_table: None,
    },
    Load {
        name: "wide",
        fill: wide,
        only_table: Some("document"),
    },
];

/// Tables of the load with many.
const TABLES: u64 = 300;

/// Narrow rows with a primary key and a second index.
fn big(row_count: u64) -> String {
    let row_count = row_count * 5;
    format!(
        "CREATE TABLE reading (id bigint PRIMARY KEY, sensor integer NOT NULL, \
         taken_at timestamptz NOT NULL, value double precision NOT NULL, state text NOT NULL); \
         INSERT INTO reading SELECT i, i % 5000, \
         timestamptz '2026-01-01 00:00:00+00' + i * interval '1 second', i / 7.0::float8, \
         CASE WHEN i % 50 = 0 THEN 'suspect' ELSE 'good' END \
         FROM generate_series(1, {row_count}) AS i; \
         CREATE INDEX reading_sensor ON reading (sensor, taken_at)"
    )
}

/// Hundreds of small tables, each with a key, a second index and a foreign key to the one before.
fn many(row_count: u64) -> String {
    let row_count = row_count / TABLES;
    format!(
        "DO $fill$ BEGIN FOR t IN 1..{TABLES} LOOP \
         EXECUTE format('CREATE TABLE item_%s (id integer PRIMARY KEY, name text NOT NULL, \
         before integer %s, amount numeric(12,2))', t, \
         CASE WHEN t > 1 THEN format('REFERENCES item_%s', t - 1) END); \
         EXECUTE format('INSERT INTO item_%s SELECT i, ''item '' || i, i, i * 1.25 \
         FROM generate_series(1, {row_count}) AS i', t); \
         EXECUTE format('CREATE INDEX ON item_%s (name)', t); \
         END LOOP; END $fill$"
    )
}

/// Rows with two values that are stored out of line: one that compresses well, one that does not.
fn wide(row_count: u64) -> String {
    let row_count = row_count / 100;
    format!(
        "CREATE TABLE document (id integer PRIMARY KEY, title text NOT NULL, plain text, \
         picture bytea); \
         INSERT INTO document SELECT i, 'document ' || i, \
         (SELECT string_agg(format('line %s of document %s. ', line, i), '') \
         FROM generate_series(1, 1000) AS line), \
         (SELECT decode(string_agg(md5((i * 1000 + k)::text), ''), 'hex') \
         FROM generate_series(1, 2000) AS k) \
         FROM generate_series(1, {row_count}) AS i"
    )
}
