//! What the source is like before we do anything, and what of it is in the way.

use crate::config::{Plugin, SlotName, publication_name};
use crate::model::hint::tear_down_command;
use crate::model::quote_ident;
use crate::postgres::{
    PgError, Publication, Session, Slot, UnfitPublication, find_publication, find_slot, sqlstate,
};

use super::error::{InstallError, allow_plugin_sql};
use super::script;
use super::servers::{DECODES_ON_STANDBY, SourceServers};

/// The facts that decide what `init` has to do.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    /// What names the source on a command line.
    pub(super) argument: String,
    /// Of the server.
    pub(super) major_version: i32,
    pub(super) role: String,
    pub(super) superuser: bool,
    pub(super) in_recovery: bool,
    /// The slot is to be on a standby.
    pub(super) on_standby: bool,
    pub(super) wal_level: String,
    pub(super) database: String,
    pub(super) free_slots: i64,
    pub(super) slots_max: i64,
    pub(super) wal_senders_max: i64,
    /// `output_plugin_libraries`, absent on servers that do not know the setting and for roles that may
    /// not see it, which are blocked in any case.
    pub(super) plugin_libraries: Option<String>,
    pub(super) installation: Option<Installation>,
    pub(super) slot: Option<Slot>,
    pub(super) publication: Option<Publication>,
    pub(super) pipelines: Pipelines,
    /// Tables that need another replica identity: OID, statement, the statement that takes it back.
    pub(super) keyless: Vec<Keyless>,
    /// Tables that cannot be published for UPDATE and DELETE, whatever their identity.
    pub(super) unpublishable: Vec<String>,
}

/// A row of `pgstream.installation`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Installation {
    pub(super) version: i32,
    /// What is installed is what this program installs.
    pub(super) current: bool,
    /// It was made in this database, not restored from a dump of another one.
    pub(super) of_this_database: bool,
    /// The event triggers are there and enabled.
    pub(super) triggers: bool,
}

/// The records of who shares the installation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Pipelines {
    /// Ours is there.
    pub(super) recorded: bool,
    /// The slots of others that exist.
    pub(super) others: Vec<String>,
}

/// A table without a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Keyless {
    pub(super) name: String,
    pub(super) oid: u32,
    pub(super) former: String,
}

const SERVER: &str = "\
SELECT current_user::pg_catalog.text,
       (SELECT r.rolsuper FROM pg_catalog.pg_roles AS r WHERE r.rolname = current_user),
       pg_catalog.pg_is_in_recovery(),
       pg_catalog.current_setting('wal_level'),
       pg_catalog.current_database()::pg_catalog.text,
       pg_catalog.current_setting('max_replication_slots')::pg_catalog.int8,
       (SELECT pg_catalog.count(*) FROM pg_catalog.pg_replication_slots),
       pg_catalog.current_setting('max_wal_senders')::pg_catalog.int8,
       (SELECT p.setting FROM pg_catalog.pg_settings AS p WHERE p.name = 'output_plugin_libraries'),
       pg_catalog.to_regclass('pgstream.installation') IS NOT NULL,
       pg_catalog.to_regclass('pgstream.pipeline') IS NOT NULL,
       pg_catalog.current_setting('server_version_num')::pg_catalog.int4 / 10000";

const INSTALLATION: &str = "\
SELECT i.version, i.digest,
       i.database_oid = (SELECT d.oid FROM pg_catalog.pg_database AS d
                         WHERE d.datname = pg_catalog.current_database())
       AND i.system_identifier = (SELECT s.system_identifier::pg_catalog.text
                                  FROM pg_catalog.pg_control_system() AS s),
       pg_catalog.cardinality($1::pg_catalog.text[]) = (SELECT pg_catalog.count(*) FROM pg_catalog.pg_event_trigger AS t
            WHERE t.evtenabled = 'A' AND t.evtname::pg_catalog.text = ANY ($1::pg_catalog.text[]))
FROM pgstream.installation AS i";

/// A record counts no more when somebody dropped its slot and its publication by hand. A publication alone
/// still needs the replica identities: without them UPDATE fails on the tables that have no key.
const PIPELINES: &str = "\
SELECT p.slot_name
FROM pgstream.pipeline AS p
WHERE p.slot_name = $1
   OR p.on_standby
   OR p.slot_name IN (SELECT s.slot_name FROM pg_catalog.pg_replication_slots AS s
                      WHERE s.database = pg_catalog.current_database())
   OR pg_catalog.substr(p.slot_name || '_publication', 1, 63) IN
        (SELECT b.pubname FROM pg_catalog.pg_publication AS b)
ORDER BY p.slot_name";

/// As `pgstream.identity_statement`, which is not there yet.
const KEYLESS: &str = "\
SELECT c.oid, pg_catalog.format('%I.%I', n.nspname, c.relname), c.relreplident::pg_catalog.text
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND c.oid >= 16384
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'pgstream')
  AND CASE c.relreplident
        WHEN 'f' THEN false
        WHEN 'n' THEN true
        WHEN 'i' THEN NOT EXISTS (SELECT FROM pg_catalog.pg_index AS i
                                  WHERE i.indrelid = c.oid AND i.indisreplident)
        ELSE NOT EXISTS (SELECT FROM pg_catalog.pg_index AS i
                         WHERE i.indrelid = c.oid AND i.indisprimary AND i.indimmediate AND i.indisvalid)
      END
ORDER BY 2";

/// Without a key the whole row is the identity, which must not have a virtual generated column.
const UNPUBLISHABLE: &str = "\
SELECT pg_catalog.format('%I.%I', n.nspname, c.relname)
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND (c.relreplident = 'f' OR c.oid = ANY ($1))
  AND EXISTS (SELECT FROM pg_catalog.pg_attribute AS a
              WHERE a.attrelid = c.oid AND a.attgenerated = 'v' AND NOT a.attisdropped)
ORDER BY 1";

/// Reads the facts.
pub(super) async fn read(
    servers: SourceServers<'_>,
    slot: &SlotName,
) -> Result<Facts, InstallError> {
    servers.require_one_system().await?;
    let ask = |source| InstallError::Ask {
        what: "look at the source",
        source,
    };
    read_all(servers, slot).await.map_err(ask)
}

async fn read_all(servers: SourceServers<'_>, slot: &SlotName) -> Result<Facts, PgError> {
    let source = servers.primary;
    let rows = source.rows(SERVER, &[]).await?;
    let row = &rows[0];
    let there = servers.slot().rows(SERVER, &[]).await?;
    let there = &there[0];
    let keyless = keyless(source).await?;
    let slots_max: i64 = there.get(5);
    Ok(Facts {
        argument: source.settings().as_argument(),
        major_version: row.get(11),
        role: row.get(0),
        superuser: row.get::<_, Option<bool>>(1).unwrap_or_default(),
        in_recovery: row.get(2),
        on_standby: servers.standby.is_some(),
        wal_level: row.get(3),
        database: row.get(4),
        free_slots: slots_max - there.get::<_, i64>(6),
        slots_max,
        wal_senders_max: there.get(7),
        plugin_libraries: there.get(8),
        installation: match row.get(9) {
            true => installation(source).await?,
            false => None,
        },
        slot: find_slot(servers.slot(), slot).await?,
        publication: find_publication(source, &publication_name(slot.as_str())).await?,
        pipelines: match row.get(10) {
            true => pipelines(source, slot).await?,
            false => Pipelines::default(),
        },
        unpublishable: unpublishable(source, &keyless).await?,
        keyless,
    })
}

async fn unpublishable(source: &Session, keyless: &[Keyless]) -> Result<Vec<String>, PgError> {
    let oids: Vec<u32> = keyless.iter().map(|table| table.oid).collect();
    let rows = source.rows(UNPUBLISHABLE, &[&oids]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

async fn pipelines(source: &Session, slot: &SlotName) -> Result<Pipelines, PgError> {
    let rows = source.rows(PIPELINES, &[&slot.as_str()]).await?;
    let (ours, others): (Vec<String>, Vec<String>) = rows
        .iter()
        .map(|row| row.get::<_, String>(0))
        .partition(|name| name == slot.as_str());
    Ok(Pipelines {
        recorded: !ours.is_empty(),
        others,
    })
}

/// Reads the installation's own record.
pub(super) async fn installation(source: &Session) -> Result<Option<Installation>, PgError> {
    let row = source.row(INSTALLATION, &[&&EVENT_TRIGGERS[..]]).await?;
    Ok(row.map(|row| Installation {
        version: row.get(0),
        current: row.get::<_, String>(1) == script::digest(),
        of_this_database: row.get(2),
        triggers: row.get(3),
    }))
}

/// Reads the tables that have no replica identity.
pub(super) async fn keyless(source: &Session) -> Result<Vec<Keyless>, PgError> {
    let rows = source.rows(KEYLESS, &[]).await?;
    let keyless = rows.iter().map(|row| Keyless {
        oid: row.get(0),
        name: row.get(1),
        former: row.get(2),
    });
    Ok(keyless.collect())
}

impl Facts {
    /// Returns what an operator must change before `init` can do anything.
    pub(super) fn blocker(&self, slot: &SlotName, plugin: Plugin) -> Option<InstallError> {
        let blocked = |problem: String, hint: String| Some(InstallError::Blocked { problem, hint });
        if self.in_recovery {
            let problem = "the source is a standby, where nothing can be installed".to_owned();
            let hint = "point the source URL to the primary; or, from PostgreSQL 16 on, let \
                        PGSTREAM_POSTGRES_WRITER_SCHEMALOG_STORE_URL name the primary: then all but the slot is \
                        made there";
            return blocked(problem, hint.to_owned());
        }
        if self.on_standby && self.major_version < DECODES_ON_STANDBY {
            let problem =
                "the source is a standby, where PostgreSQL decodes nothing before version 16";
            let hint = "point the source URL to the primary";
            return blocked(problem.to_owned(), hint.to_owned());
        }
        if self.wal_level != "logical" {
            return blocked(
                format!("wal_level of the source is {}, not logical", self.wal_level),
                "ALTER SYSTEM SET wal_level = 'logical'; then restart the source".to_owned(),
            );
        }
        if !self.superuser {
            return blocked(
                format!(
                    "role {} may not create event triggers and publications of all tables",
                    self.role
                ),
                format!(
                    "ALTER ROLE {} SUPERUSER; or run init as a superuser",
                    quote_ident(&self.role)
                ),
            );
        }
        if self.wal_senders_max == 0 {
            let hint = "ALTER SYSTEM SET max_wal_senders = 10; then restart the source";
            return blocked(
                "max_wal_senders of the source is 0".to_owned(),
                hint.to_owned(),
            );
        }
        match &self.slot {
            Some(found) => self.slot_blocker(slot, plugin, found),
            None if self.free_slots <= 0 => blocked(
                format!(
                    "all {} replication slots of the source are taken",
                    self.slots_max
                ),
                format!(
                    "ALTER SYSTEM SET max_replication_slots = {}; then restart the source",
                    self.slots_max + 5
                ),
            ),
            None => self.plugin_blocker(plugin),
        }
        .or_else(|| self.publication_blocker(slot, plugin))
    }

    fn slot_blocker(&self, slot: &SlotName, plugin: Plugin, found: &Slot) -> Option<InstallError> {
        let wanted = plugin.to_string();
        let problem = if found.database.as_deref() != Some(&self.database) {
            let database = found.database.as_deref().unwrap_or("none, it is physical");
            format!("slot {slot} exists for another database: {database}")
        } else if found.plugin.as_deref() != Some(&wanted) {
            let has = found.plugin.as_deref().unwrap_or_default();
            format!("slot {slot} exists with plugin {has}, not {wanted}")
        } else if found.wal_status.as_deref() == Some("lost") {
            format!("slot {slot} is lost: the source removed WAL that it needed")
        } else {
            return None;
        };
        let removal = match self.foreign_slot(slot) {
            None => tear_down_command(&self.argument, slot.as_str()),
            Some(_) => drop_slot_statement(slot),
        };
        let other = found.plugin.as_deref().filter(|has| *has != wanted);
        let other = other.filter(|has| has.parse::<Plugin>().is_ok());
        let keep = other.map(|has| format!("go on with its plugin: --plugin {has}; or "));
        let hint = format!(
            "{}choose another name, or remove it if nobody needs it: {removal}",
            keep.unwrap_or_default()
        );
        Some(InstallError::Blocked { problem, hint })
    }

    /// Returns why the slot cannot be one that `init` made in this database, if it cannot.
    pub(super) fn foreign_slot(&self, slot: &SlotName) -> Option<String> {
        let found = self.slot.as_ref()?;
        let plugin = found.plugin.as_deref().unwrap_or_default();
        let name = slot.as_str();
        match found.database.as_deref() {
            None => Some("it is a physical slot".to_owned()),
            Some(database) if database != self.database => Some(format!(
                "it is of database {database}, and this is {}",
                self.database
            )),
            Some(_) if plugin.parse::<Plugin>().is_err() => {
                Some(format!("it has the output plugin {plugin}"))
            }
            Some(_) if self.pipelines.recorded || self.publication.is_some() => None,
            Some(_) if name.starts_with("pgstream_") => None,
            Some(_) => Some("no init of pgstream has recorded it in this database".to_owned()),
        }
    }

    /// Newer minor releases load only the output plugins that a setting lists.
    fn plugin_blocker(&self, plugin: Plugin) -> Option<InstallError> {
        let libraries = self.plugin_libraries.as_deref()?;
        let wanted = plugin.to_string();
        let mut listed = libraries.split(',').map(|l| l.trim().trim_matches('"'));
        if listed.any(|library| library == wanted) {
            return None;
        }
        Some(InstallError::Blocked {
            problem: format!(
                "the source does not allow output plugin {wanted} (output_plugin_libraries is {libraries})"
            ),
            hint: allow_plugin_sql(&wanted, libraries),
        })
    }

    fn publication_blocker(&self, slot: &SlotName, plugin: Plugin) -> Option<InstallError> {
        if plugin != Plugin::Pgoutput {
            return None;
        }
        let Some(found) = self.publication else {
            return self.unpublishable_blocker();
        };
        let name = publication_name(slot.as_str());
        // Generated columns are for init itself to add.
        let found = Publication {
            generated: true,
            ..found
        };
        let UnfitPublication { problem, fix } = found.unfit(&name)?;
        let anew = || {
            format!(
                "DROP PUBLICATION {}, then run init again",
                quote_ident(&name)
            )
        };
        Some(InstallError::Blocked {
            problem: format!("publication {name} exists, but {problem}"),
            hint: fix.unwrap_or_else(anew),
        })
    }
}

impl Facts {
    /// A publication would make users' own statements fail.
    fn unpublishable_blocker(&self) -> Option<InstallError> {
        let first = self.unpublishable.first()?;
        Some(InstallError::Blocked {
            problem: format!(
                "a publication would make UPDATE and DELETE fail on {}: virtual generated columns, and no key",
                self.unpublishable.join(", ")
            ),
            hint: format!(
                "give each a primary key (ALTER TABLE {first} ADD PRIMARY KEY …), or use --plugin \
                 wal2json, which needs no publication"
            ),
        })
    }
}

/// Returns the statement that drops a slot, for an operator.
pub(super) fn drop_slot_statement(slot: &SlotName) -> String {
    format!("SELECT pg_drop_replication_slot('{slot}');")
}

/// Returns what fixes a slot that cannot be made because of its plugin, where that is why.
pub(super) fn plugin_hint(error: &PgError, plugin: &str, facts: &Facts) -> Option<String> {
    let libraries = facts.plugin_libraries.as_deref();
    match error.code() {
        Some(sqlstate::INSUFFICIENT_PRIVILEGE) => {
            Some(allow_plugin_sql(plugin, libraries.unwrap_or("pgoutput")))
        }
        Some(sqlstate::UNDEFINED_FILE) => Some(format!(
            "install {plugin} on the source's host (Debian: apt install postgresql-{}-{plugin}), \
             or use --plugin pgoutput, which every server has",
            facts.major_version
        )),
        _ => None,
    }
}

/// The event triggers of an installation.
pub const EVENT_TRIGGERS: [&str; 4] = [
    "pgstream_ddl_command_end",
    "pgstream_publication_command",
    "pgstream_sql_drop",
    "pgstream_table_rewrite",
];
