//! `tear-down`: removes everything of ours. Afterwards a dump of the source's schema equals the one
//! taken before `init`; while other pipelines use the same source, what they share stays for them.

use tokio::sync::watch;

use crate::config::{SlotName, publication_name};
use crate::model::{do_block, quote_literal};
use crate::postgres::{
    PgError, Session, drop_publication_sql, drop_slot_sql, naming_whom_we_wait_for,
};

use super::facts::{self, Facts};
use super::progress::{Progress, Reporter};
use super::script::{self, quietly};
use super::servers::SourceServers;
use super::{InstallError, PlannedStep, Side};

/// What `tear-down` did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TearDownReport {
    /// The steps, for people; empty when nothing of ours was there.
    pub done: Vec<String>,
}

/// The tables of the source whose replica identity is ours, with what their owners had left.
const KEYLESS_TABLES: &str = "\
SELECT COALESCE(pg_catalog.json_agg(pg_catalog.json_build_object(
         'schema', n.nspname, 'name', c.relname, 'former', k.former)), '[]')::pg_catalog.text
FROM pgstream.keyless_table AS k
JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) k.relation
JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
WHERE c.relreplident OPERATOR(pg_catalog.=) 'f'";

/// The statements that take it back from their namesakes on the target, which got it with their
/// definition; not where our role may not, or where somebody else publishes the table and needs it.
const RESTORE_ON_TARGET: &str = "\
SELECT pg_catalog.format('ALTER TABLE ONLY %I.%I REPLICA IDENTITY %s', n.nspname, c.relname,
                         CASE k.former WHEN 'n' THEN 'NOTHING' ELSE 'DEFAULT' END)
FROM pg_catalog.json_to_recordset($1::pg_catalog.text::pg_catalog.json)
     AS k (schema pg_catalog.text, name pg_catalog.text, former pg_catalog.text)
JOIN pg_catalog.pg_namespace AS n ON n.nspname OPERATOR(pg_catalog.=) k.schema
JOIN pg_catalog.pg_class AS c ON c.relnamespace OPERATOR(pg_catalog.=) n.oid
  AND c.relname OPERATOR(pg_catalog.=) k.name
WHERE c.relkind OPERATOR(pg_catalog.=) 'r' AND c.relreplident OPERATOR(pg_catalog.=) 'f'
  AND pg_catalog.pg_has_role(c.relowner, 'USAGE')
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_publication_tables AS p
                  WHERE p.schemaname OPERATOR(pg_catalog.=) n.nspname
                    AND p.tablename OPERATOR(pg_catalog.=) c.relname)
ORDER BY 1";

/// What [`tear_down`] would do.
#[derive(Debug)]
pub struct TearDownPlan {
    /// The steps, in order; empty when nothing of ours is there.
    pub steps: Vec<PlannedStep>,
    /// What [`tear_down`] would answer instead: [`InstallError::SlotActive`] while somebody streams from
    /// the slot.
    pub refusal: Option<InstallError>,
}

/// Returns what [`tear_down`] would run, without running it.
///
/// # Errors
/// [`InstallError::Blocked`] when the slot is not ours, [`InstallError::Ask`] when a side does not answer.
pub async fn plan_tear_down(
    source: Option<impl Into<SourceServers<'_>>>,
    target: Option<&Session>,
    slot: &SlotName,
) -> Result<TearDownPlan, InstallError> {
    let source = source.map(Into::into);
    let mut steps = Vec::new();
    let mut refusal = None;
    let mut keyless = None;
    if let Some(source) = source {
        let facts = facts::read(source, slot).await?;
        let side = source.slot_side();
        let source = source.primary;
        if let Some(reason) = facts.foreign_slot(slot) {
            return Err(InstallError::Blocked {
                problem: format!("slot {slot} was not made by pgstream init here: {reason}"),
                hint: format!(
                    "name the slot and the database that init was given; to drop it in any case: {}",
                    facts::drop_slot_statement(slot)
                ),
            });
        }
        refusal = in_use(&facts, slot);
        let restore = match facts.installation {
            Some(_) if facts.pipelines.others.is_empty() => restore_statements(source).await,
            Some(_) | None => Ok(Vec::new()),
        };
        let what = "read the recorded replica identities";
        let restore = restore.map_err(|source| InstallError::Ask { what, source })?;
        if !restore.is_empty() {
            let recorded = source.row(KEYLESS_TABLES, &[]).await;
            let recorded = recorded.map_err(|source| InstallError::Ask { what, source })?;
            keyless = recorded.map(|row| row.get::<_, String>(0));
        }
        let ours = has_schema(source).await;
        let ours = ours.map_err(|source| InstallError::Ask {
            what: "look for schema pgstream on the source",
            source,
        })?;
        steps.extend(on_source(&facts, (slot, side), ours, &restore));
    }
    if let Some(target) = target {
        let ours = has_schema(target).await;
        let ours = ours.map_err(|source| InstallError::Ask {
            what: "look for schema pgstream on the target",
            source,
        })?;
        if let Some(keyless) = keyless.filter(|_| ours) {
            let restore = target.rows(RESTORE_ON_TARGET, &[&keyless]).await;
            let restore = restore.map_err(|source| InstallError::Ask {
                what: "look for replica identities on the target",
                source,
            })?;
            let statements = restore.iter().map(|row| row.get(0));
            steps.extend(statements.map(|statement| give_back(Side::Target, statement)));
        }
        steps.extend(ours.then(|| on_target(slot, source.is_some())));
    }
    Ok(TearDownPlan { steps, refusal })
}

fn in_use(facts: &Facts, slot: &SlotName) -> Option<InstallError> {
    let found = facts.slot.as_ref()?;
    let application = found.active_application.as_deref();
    Some(InstallError::SlotActive {
        slot: slot.to_string(),
        pid: found.active_pid?,
        application: application.unwrap_or("unknown").to_owned(),
        client: found.active_client.clone(),
    })
}

/// Removes what [`init`](super::init()) and `run` made. Doing it again changes nothing. A side that
/// is not given is left alone.
///
/// # Errors
/// As [`plan_tear_down`]; [`InstallError::SlotActive`] while somebody streams from the slot;
/// [`InstallError::Step`] when a step failed: what comes behind it remains.
pub async fn tear_down(
    source: Option<impl Into<SourceServers<'_>>>,
    target: Option<&Session>,
    slot: &SlotName,
) -> Result<TearDownReport, InstallError> {
    let nobody = watch::Sender::new(Progress::default());
    tear_down_watched(source, target, slot, &nobody).await
}

/// As [`tear_down`], told to a watcher step by step.
///
/// # Errors
/// As [`tear_down`].
pub async fn tear_down_watched(
    source: Option<impl Into<SourceServers<'_>>>,
    target: Option<&Session>,
    slot: &SlotName,
    watcher: &watch::Sender<Progress>,
) -> Result<TearDownReport, InstallError> {
    let source = source.map(Into::into);
    let TearDownPlan { steps, refusal } = plan_tear_down(source, target, slot).await?;
    if let Some(refusal) = refusal {
        return Err(refusal);
    }
    let reporter = Reporter::new(watcher, &steps);
    let mut report = TearDownReport::default();
    for (place, step) in steps.iter().enumerate() {
        let session = match step.side {
            Side::Source | Side::Standby => source.map(|source| source.of(step.side)),
            Side::Target => target,
        };
        let Some(session) = session else { continue };
        let ask = || session.another("pgstream tear-down");
        let work = script::run_patiently(session, &step.sql);
        let work = naming_whom_we_wait_for(&step.what, ask, work);
        if let Err(error) = reporter.reported(place, work).await {
            let later = steps.iter().skip(place + 1);
            return Err(InstallError::Step {
                what: step.what.clone(),
                left: later.map(|step| step.what.clone()).collect(),
                hint: None,
                source: error,
            });
        }
        report.done.push(step.what.clone());
    }
    Ok(report)
}

/// Pure: what is there, in the order of removal. The slot first: it holds WAL back and is the one
/// thing that somebody may be using.
fn on_source(
    facts: &Facts,
    (slot, slot_side): (&SlotName, Side),
    has_schema: bool,
    restore: &[String],
) -> Vec<PlannedStep> {
    let mut steps = Vec::new();
    let mut add_on = |side: Side, what: String, sql: String| {
        steps.push(PlannedStep {
            side,
            what,
            sql,
            undo: None,
        });
    };
    if facts.slot.is_some() {
        let what = format!("drop replication slot {slot}");
        add_on(slot_side, what, drop_slot_sql(slot));
    }
    let mut add = |what: String, sql: String| add_on(Side::Source, what, sql);
    if facts.publication.is_some() {
        let name = publication_name(slot.as_str());
        add(
            format!("drop publication {name}"),
            quietly(&drop_publication_sql(&name)),
        );
    }
    if !facts.pipelines.others.is_empty() {
        if facts.pipelines.recorded {
            let what = format!("forget the pipeline of slot {slot}");
            add(what, script::forget_pipeline(slot));
        }
        // Nothing of this slot was there: then there is nothing to say either.
        if !steps.is_empty() {
            steps.push(kept(&facts.pipelines.others));
        }
        return steps;
    }
    let restored = restore.iter();
    steps.extend(restored.map(|statement| give_back(Side::Source, statement)));
    if has_schema {
        steps.push(PlannedStep {
            side: Side::Source,
            what: "remove event triggers, functions and tables of schema pgstream".to_owned(),
            sql: script::removal(),
            undo: None,
        });
    }
    steps
}

fn give_back(side: Side, statement: &str) -> PlannedStep {
    let table = statement.trim_start_matches("ALTER TABLE ONLY ");
    let (table, _) = table.split_once(" REPLICA IDENTITY").unwrap_or((table, ""));
    PlannedStep {
        side,
        what: format!("give {table} its former replica identity back"),
        sql: match side {
            Side::Source | Side::Standby => quietly(statement),
            Side::Target => statement.to_owned(),
        },
        undo: None,
    }
}

/// What stays because other pipelines use it, as a step that does nothing.
fn kept(others: &[String]) -> PlannedStep {
    let slots = others.join(", ");
    PlannedStep {
        side: Side::Source,
        what: format!(
            "keep schema pgstream, its event triggers and the replica identities: used by slot {slots}"
        ),
        sql: format!("-- kept for {slots}; goes with the last tear-down"),
        undo: None,
    }
}

async fn restore_statements(source: &Session) -> Result<Vec<String>, PgError> {
    let sql = "SELECT statement FROM pgstream.restore_identity_statements() AS statement";
    let rows = source.rows(sql, &[]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

async fn has_schema(session: &Session) -> Result<bool, PgError> {
    let sql = "SELECT pg_catalog.to_regnamespace('pgstream') IS NOT NULL";
    let row = session.row(sql, &[]).await?;
    Ok(row.is_some_and(|row| row.get(0)))
}

/// Another pipeline may write to the same target: its checkpoint stays, and then the tables, too.
/// While the slot may live, so does its checkpoint: without it the slot's transactions would be
/// applied once more.
fn on_target(slot: &SlotName, slot_is_gone: bool) -> PlannedStep {
    let what = match slot_is_gone {
        true => "remove the checkpoint and the record of schema changes",
        false => {
            "remove the record of schema changes (the checkpoint stays until the source can be \
                  reached and its slot is gone)"
        }
    };
    PlannedStep {
        side: Side::Target,
        what: what.to_owned(),
        sql: forget_on_target(slot.as_str(), slot_is_gone),
        undo: None,
    }
}

/// When nothing streams here any more, triggers and rules that came from the source are as they are there, and
/// event triggers last.
const WAKE: &str = "\
  IF pg_catalog.to_regclass('pgstream.checkpoint') IS NOT NULL THEN
    RETURN;
  END IF;
  IF pg_catalog.to_regclass('pgstream.silenced') IS NOT NULL THEN
    FOR wake IN
      SELECT pg_catalog.format('ALTER TABLE %I.%I ENABLE %s %s %I', n.nspname, c.relname,
               CASE s.enabled WHEN 'A' THEN 'ALWAYS' WHEN 'R' THEN 'REPLICA' END,
               pg_catalog.upper(s.kind), COALESCE(t.tgname, r.rulename))
      FROM pgstream.silenced AS s
      JOIN pg_catalog.pg_class AS c ON c.oid = s.relation
      JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
      LEFT JOIN pg_catalog.pg_trigger AS t
        ON s.kind = 'trigger' AND t.oid = s.oid AND t.tgrelid = s.relation AND t.tgenabled = 'D'
      LEFT JOIN pg_catalog.pg_rewrite AS r
        ON s.kind = 'rule' AND r.oid = s.oid AND r.ev_class = s.relation AND r.ev_enabled = 'D'
      WHERE s.enabled <> 'D' AND COALESCE(t.tgname, r.rulename) IS NOT NULL LOOP
      EXECUTE wake;
    END LOOP;
    events := ARRAY(
      SELECT pg_catalog.format('ALTER EVENT TRIGGER %I ENABLE %s', e.evtname,
               CASE s.enabled WHEN 'A' THEN 'ALWAYS' WHEN 'R' THEN 'REPLICA' END)
      FROM pgstream.silenced AS s
      JOIN pg_catalog.pg_event_trigger AS e ON e.oid = s.oid AND e.evtenabled = 'D'
      WHERE s.kind = 'event trigger' AND s.enabled <> 'D');
    DROP TABLE pgstream.silenced;
    EXECUTE $drop_schema$;
    -- From here on they would fire for what is done here.
    FOREACH wake IN ARRAY events LOOP
      EXECUTE wake;
    END LOOP;
  END IF;";

/// The name that stands for a slot in the records of a copy with nobody streaming.
pub const SNAPSHOT_NAME: &str = "pgstream snapshot";

/// Returns the script that removes our records of a slot from the target, with or without its
/// checkpoint, and the tables and the schema where nothing else is in them. Records of a
/// `pgstream snapshot` that ended before it was through are nothing else: no slot would ever take
/// them along.
#[must_use]
pub fn forget_on_target(slot_name: &str, with_checkpoint: bool) -> String {
    let slot = quote_literal(slot_name);
    let snapshot = quote_literal(SNAPSHOT_NAME);
    let checkpoint = if with_checkpoint {
        ", 'checkpoint'"
    } else {
        ""
    };
    let wake = WAKE.replace(
        "$drop_schema$",
        &quote_literal(script::DROP_SCHEMA_IF_EMPTY),
    );
    let block = format!(
        "
DECLARE
  name pg_catalog.text;
  wake pg_catalog.text;
  events pg_catalog.text[];
  used pg_catalog.bool;
  copying pg_catalog.bool := EXISTS (SELECT FROM pg_catalog.pg_stat_activity AS a
                             WHERE a.datname = pg_catalog.current_database()
                               AND a.application_name = 'pgstream copy ' ||{snapshot});
BEGIN
  -- Triggers that a copy keeps silent fire again.
  IF pg_catalog.to_regclass('pgstream.snapshot_step') IS NOT NULL THEN
    FOR wake IN SELECT s.statement FROM pgstream.snapshot_step AS s
                 WHERE s.slot_name = {slot} AND s.stage = 'trigger' ORDER BY s.ordinal LOOP
      EXECUTE wake;
    END LOOP;
  END IF;
  FOREACH name IN ARRAY ARRAY['paired_snapshot', 'sequence_look', 'verified_table', 'proved_table', 'verification', 'repair',
                            'left_alone', 'left_table', 'snapshot_step', 'snapshot_part',
                            'snapshot_table', 'schema_change', 'skipped_transaction', 'last_stop'{checkpoint}] LOOP
    IF pg_catalog.to_regclass('pgstream.' || name) IS NOT NULL THEN
      EXECUTE pg_catalog.format('DELETE FROM pgstream.%I WHERE slot_name = $1', name) USING {slot};
      EXECUTE pg_catalog.format('SELECT EXISTS (SELECT FROM pgstream.%I WHERE $1 OR slot_name <> $2)', name)
        INTO used USING copying,{snapshot};
      IF NOT used THEN
        EXECUTE pg_catalog.format('DROP TABLE pgstream.%I', name);
      END IF;
    END IF;
  END LOOP;
{wake}
END
"
    );
    format!(
        "BEGIN;\n{};\n{}COMMIT;",
        do_block(&block),
        script::DROP_SCHEMA_IF_EMPTY
    )
}
