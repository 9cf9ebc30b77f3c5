//! A source and a target without the engine: commands run on one database, each row of its schema
//! log is planned and run on the other, and the two dumps must be equal.
//!
//! Both databases are in one cluster. Rows do not travel here; what is tested is everything between
//! the event triggers and the statements.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use bytes::Bytes;
use pgstream::cluster::{ClusterOptions, Server};
use pgstream::config::{ConnectionSettings, Plugin, SlotName};
use pgstream::model::{Column, QualifiedName, Relation, RelationId, ReplicaIdentity, Tuple, Value};
use pgstream::postgres::{Session, connect};
use pgstream::schema::{Access, Entry, Plan, Roles, install, plan};

use crate::support::clusters::TestCluster;
use crate::support::oracle::{differences, picture};
use crate::support::{cluster, cluster_with, query_text};

const LOG_COLUMNS: [&str; 6] = [
    "id",
    "version",
    "schema_name",
    "schema",
    "created_at",
    "acked",
];

/// What `init` did to tables that are on both sides already.
const IDENTITIES: &str = "SELECT format('ALTER TABLE %s REPLICA IDENTITY FULL', oid::regclass) \
                          FROM pg_class WHERE relreplident = 'f' AND relnamespace = 'public'::regnamespace";

/// NOT NULL constraints, where the server keeps them as such.
pub const NOT_NULLS: &str = "SELECT conrelid::regclass, conname, conislocal, coninhcount, connoinherit, \
                             convalidated, obj_description(oid, 'pg_constraint') FROM pg_constraint \
                             WHERE contype = 'n' AND conrelid >= 16384 AND connamespace::regnamespace::text <> 'pgstream' \
                             ORDER BY conrelid::regclass::text, conname";

/// Two servers have other roles.
const NO_ACCESS: [&str; 2] = ["--no-owner", "--no-privileges"];

/// Owners and privileges, where there is no `pg_dump`.
const ACCESS: &str = "\
WITH acl (object, owner, acl) AS (
  SELECT c.oid::regclass::text, c.relowner, coalesce(c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's'::\"char\" ELSE 'r' END, c.relowner))
    FROM pg_class c WHERE c.relnamespace::regnamespace::text !~ '^(pgstream|pg_.*|information_schema)$' AND c.relkind <> 't'
  UNION ALL SELECT a.attrelid::regclass || '.' || a.attname, c.relowner, a.attacl
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE c.oid >= 16384 AND a.attacl IS NOT NULL
  UNION ALL SELECT p.oid::regprocedure::text, p.proowner, coalesce(p.proacl, acldefault('f', p.proowner))
    FROM pg_proc p WHERE p.oid >= 16384 AND p.pronamespace::regnamespace::text <> 'pgstream'
  UNION ALL SELECT t.oid::regtype::text, t.typowner, coalesce(t.typacl, acldefault('T', t.typowner))
    FROM pg_type t WHERE t.oid >= 16384 AND t.typnamespace::regnamespace::text !~ '^(pgstream|pg_toast.*)$'
  UNION ALL SELECT n.nspname, n.nspowner, coalesce(n.nspacl, acldefault('n', n.nspowner))
    FROM pg_namespace n WHERE n.oid >= 16384 AND n.nspname <> 'pgstream'
  UNION ALL SELECT concat('default ', d.defaclnamespace::regnamespace, d.defaclobjtype), d.defaclrole, d.defaclacl
    FROM pg_default_acl d)
SELECT object, owner::regrole, (SELECT array_agg(item ORDER BY item) FROM unnest(acl::text[]) AS item)
  FROM acl ORDER BY 1, 2";

/// The two databases.
pub struct Mirror {
    pub cluster: TestCluster,
    pub source: Session,
    pub target: Session,
    version: i64,
    excluded: BTreeSet<String>,
}

impl Mirror {
    /// Starts both, the source initialised.
    pub async fn start() -> Self {
        Self::prepared("").await
    }

    /// Starts both with a schema that is there before `init`.
    pub async fn prepared(sql: &str) -> Self {
        Self::inside(cluster("mirror"), sql).await
    }

    /// Starts both on another server.
    pub async fn on(server: &Server) -> Self {
        let options = ClusterOptions::new("mirror").on(server);
        Self::inside(cluster_with(options), "").await
    }

    async fn inside(cluster: TestCluster, sql: &str) -> Self {
        let admin = session(&cluster, "postgres").await;
        for database in ["source", "target"] {
            let create = format!("CREATE DATABASE {database}");
            admin.run(&create).await.expect("a database");
        }
        let source = session(&cluster, "source").await;
        let target = session(&cluster, "target").await;
        for side in [&source, &target] {
            side.run("SET search_path = public").await.expect("a path");
            side.run(sql).await.expect("the schema before");
        }
        let slot: SlotName = "mirror_slot".parse().expect("a name");
        let report = install::init(&source, &slot, Plugin::Pgoutput).await;
        report.unwrap_or_else(|error| panic!("{}", crate::support::clusters::chain(&error)));
        for statement in query_text(&source, IDENTITIES).await {
            target.run(&statement).await.expect("an identity");
        }
        Self {
            cluster,
            source,
            target,
            version: 0,
            excluded: BTreeSet::new(),
        }
    }

    /// Leaves a table out, as the filter does.
    pub fn exclude(&mut self, name: &str) {
        self.excluded.insert(name.to_owned());
    }

    /// Another session on the source.
    pub async fn another(&self) -> Session {
        let session = session(&self.cluster, "source").await;
        session
            .run("SET search_path = public")
            .await
            .expect("a path");
        session
    }

    /// Runs a command on the source and what it means on the target.
    pub async fn run(&mut self, sql: &str) -> Vec<Plan> {
        let outcome = self.source.run(sql).await;
        outcome
            .unwrap_or_else(|error| panic!("{sql}\n{}", crate::support::clusters::chain(&error)));
        self.follow(sql).await
    }

    /// Runs on the target what the source's log has beyond what was run already.
    pub async fn follow(&mut self, sql: &str) -> Vec<Plan> {
        let mut plans = Vec::new();
        for entry in self.entries().await {
            let selects = |name: &QualifiedName| !self.excluded.contains(&name.to_string());
            let planned = plan(&entry, &selects);
            let mut planned = planned.unwrap_or_else(|error| panic!("{sql}\n{error}"));
            let change = &entry.change;
            let roles = Roles::read(&self.target, &change.objects, &change.privileges).await;
            let roles = roles.expect("the roles");
            let access = Access::new(&roles, false, &selects);
            access.add_to(&mut planned, change);
            self.apply(sql, &entry, &planned).await;
            plans.push(planned);
        }
        plans
    }

    /// The rows of the log that were not read yet.
    pub async fn entries(&mut self) -> Vec<Entry> {
        let sql = format!(
            "SELECT id, version, schema_name, schema, created_at, acked FROM pgstream.schema_log \
             WHERE version > {} ORDER BY version",
            self.version
        );
        let rows = self.source.text_rows(&sql).await.expect("the log");
        let entries: Vec<Entry> = rows.iter().map(|row| entry(row)).collect();
        if let Some(last) = entries.last() {
            self.version = last.version;
        }
        entries
    }

    async fn apply(&self, sql: &str, entry: &Entry, plan: &Plan) {
        if !plan.outside {
            self.target.run("BEGIN").await.expect("a transaction");
        }
        // No rows come here that anything would have to wait for.
        for step in plan.steps.iter().chain(&plan.behind_rows) {
            if let Err(error) = self.target.run(&step.sql).await {
                let steps: Vec<_> = plan.steps.iter().map(|step| step.sql.as_str()).collect();
                panic!(
                    "source: {sql}\ntarget: {}\n{}\nall steps:\n  {}\n{}",
                    step.sql,
                    crate::support::clusters::chain(&error),
                    steps.join("\n  "),
                    entry.before_after()
                );
            }
        }
        if !plan.outside {
            self.target.run("COMMIT").await.expect("a commit");
        }
    }

    /// Compares both sides; `sql` tells what came before.
    pub async fn assert_equal(&self, sql: &str) {
        let [source, target] = [&self.source, &self.target].map(|side| query_text(side, NOT_NULLS));
        let (source, target) = (source.await, target.await);
        assert_eq!(source, target, "NOT NULL after {sql}");
        let program = self.cluster.server().program("pg_dump");
        let (only_source, only_target) = if program.is_file() {
            let [source, target] = ["source", "target"].map(|name| self.cluster.url(name));
            let (source, target) = dump_both(&program, (&source, &target), &[]);
            let shown = |side: BTreeSet<String>| side.into_iter().map(without_firing).collect();
            let [source, target]: [BTreeSet<String>; 2] = [source, target].map(shown);
            let only = |one: &BTreeSet<String>, other| one.difference(other).cloned().collect();
            (only(&source, &target), only(&target, &source))
        } else {
            let mut found = Vec::new();
            let mut pictures = Vec::new();
            for side in [&self.source, &self.target] {
                let mut seen = picture(side, &[]).await.expect("a picture");
                seen.facts.retain(|name, _| !name.starts_with("rows of "));
                seen.sequences.clear();
                let mut access = query_text(side, ACCESS).await;
                access.sort();
                pictures.push((seen, access));
            }
            if pictures[0].1 != pictures[1].1 {
                found.push(format!(
                    "owners and privileges: {:?}\n{:?}",
                    pictures[0].1, pictures[1].1
                ));
            }
            found.extend(differences(&pictures[0].0, &pictures[1].0));
            (found, Vec::<String>::new())
        };
        assert!(
            only_source.is_empty() && only_target.is_empty(),
            "after {sql}\n--- only on the source:\n{}\n--- only on the target:\n{}",
            only_source.join("\n"),
            only_target.join("\n")
        );
    }
}

/// Compares the schemas of two clusters' databases as `pg_dump` shows them.
pub fn assert_same_dump(source: &TestCluster, target: &TestCluster) {
    assert_same(source, target, (|object| object, &NO_ACCESS));
}

/// The same, where triggers and rules that came from the source are disabled on the target.
pub fn assert_same_dump_but_for_silenced(source: &TestCluster, target: &TestCluster) {
    assert_same(source, target, (without_firing, &NO_ACCESS));
}

/// A description of an object without whether it fires.
pub fn without_firing(object: String) -> String {
    let lines = object.lines();
    let lines = lines.filter(|line| {
        let fires = [" TRIGGER ", " RULE "]
            .iter()
            .any(|kind| line.contains(kind));
        !(fires
            && line.starts_with("ALTER TABLE ")
            && (line.contains(" DISABLE ") || line.contains(" ENABLE ")))
    });
    let lines: Vec<&str> = lines.collect();
    lines.join("\n").trim().to_owned()
}

/// The same with owners and privileges, where both servers have the same roles.
pub fn assert_same_dump_with_access(source: &TestCluster, target: &TestCluster) {
    assert_same(source, target, (without_firing, &[]));
}

fn assert_same(
    source: &TestCluster,
    target: &TestCluster,
    (shown, without): (fn(String) -> String, &[&str]),
) {
    let program = source.server().program("pg_dump");
    let [source, target] = [source, target].map(|side| side.url("postgres"));
    let (source, target) = dump_both(&program, (&source, &target), without);
    let [source, target] = [source, target].map(|side| side.into_iter().map(shown).collect());
    let only = |one: &BTreeSet<String>, other: &BTreeSet<String>| {
        let only: Vec<String> = one.difference(other).cloned().collect();
        only.join("\n")
    };
    assert!(
        source == target,
        "--- only on the source:\n{}\n--- only on the target:\n{}",
        only(&source, &target),
        only(&target, &source)
    );
}

fn dump_both(
    program: &Path,
    (source, target): (&str, &str),
    without: &[&str],
) -> (BTreeSet<String>, BTreeSet<String>) {
    std::thread::scope(|scope| {
        let source = scope.spawn(move || dump_of_users(program, source, without));
        let target = dump_of_users(program, target, without);
        (source.join().expect("a dump"), target)
    })
}

/// The dump without what is ours.
fn dump_of_users(program: &Path, url: &str, without: &[&str]) -> BTreeSet<String> {
    let ours = ["--exclude-schema=pgstream", "--no-publications"];
    let mut objects = dump(program, url, &[&ours, without].concat());
    objects.retain(|object| !object.contains("; Type: EVENT TRIGGER;"));
    objects
}

/// What `pg_dump` says of a database's schema, one string an object.
pub fn dump(program: &Path, url: &str, options: &[&str]) -> BTreeSet<String> {
    let mut call = Command::new(program);
    call.arg("--schema-only").args(options).arg(url);
    let output = call.output().expect("pg_dump runs");
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "pg_dump {url}: {message}");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let objects = text.split("\n--\n-- Name: ").skip(1);
    // Newer minors print a random key around the dump.
    let own = objects.map(|object| object.split("\n\\unrestrict").next().unwrap_or(object));
    own.map(|object| object.split("\n--\n-- PostgreSQL").next().unwrap_or(object))
        .map(|object| object.trim().to_owned())
        .collect()
}

/// Opens a session as the superuser.
pub async fn session(cluster: &TestCluster, database: &str) -> Session {
    let settings = ConnectionSettings::parse(&cluster.url(database)).expect("settings");
    let session = connect(&settings, "test").await;
    session.unwrap_or_else(|error| panic!("{}", crate::support::clusters::chain(&error)))
}

fn entry(row: &[Option<String>]) -> Entry {
    let column = |name: &str| Column {
        name: name.into(),
        key: name == "id",
    };
    let relation = Relation {
        id: RelationId(1),
        name: QualifiedName::new("pgstream", "schema_log"),
        identity: ReplicaIdentity::Default,
        columns: LOG_COLUMNS.into_iter().map(column).collect(),
    };
    let value = |text: &Option<String>| match text {
        Some(text) => Value::Text(Bytes::copy_from_slice(text.as_bytes())),
        None => Value::Null,
    };
    let tuple = Tuple {
        values: row.iter().map(value).collect(),
    };
    Entry::from_tuple(&relation, &tuple).expect("an entry")
}
