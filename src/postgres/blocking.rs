//! Waiting for the transactions of others, and saying for which.
//!
//! A logical slot begins only when every transaction that was running is over: one that somebody has
//! forgotten keeps it, and us, for hours. Whoever waits asks on a session of its own whom the server
//! waits for, and names them; never their statements, which may hold values of rows.
//!
//! A backend that waits for a transaction does not notice that its client is gone: it would wait on,
//! with a half-made slot that keeps WAL. Hence [`NOTICE_OUR_END`].

use std::fmt;
use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, interval_at};
use tracing::{debug, warn};

use super::connect::Session;
use super::error::PgError;

/// Ordinary transactions are over by then.
const FIRST_WORD_AFTER: Duration = Duration::from_secs(3);

/// Who watches the log knows by this that we are still there.
const WORD_EVERY: Duration = Duration::from_secs(30);

/// Transactions that began before the wait and have written something, or hold a lock that we want. What another role runs may be
/// hidden from ours; of such a one there is the process at least.
const OLDER: &str = "\
SELECT pg_catalog.concat('process ', a.pid),
       pg_catalog.concat_ws(' ', 'of role', a.usename, 'in database', a.datname),
       pg_catalog.to_char(a.xact_start, 'YYYY-MM-DD HH24:MI:SS TZ'),
       CASE WHEN a.query ~ '^\\s*[A-Za-z]+' AND a.state IS NOT NULL
            THEN pg_catalog.concat(a.state, ', ', pg_catalog.upper(pg_catalog.substring(a.query, '^\\s*([A-Za-z]+)'))) END,
       pg_catalog.format('SELECT pg_terminate_backend(%s);', a.pid)
FROM pg_catalog.pg_stat_activity AS a
WHERE (a.backend_xid IS NOT NULL OR a.pid IN (
        SELECT b.pid
        FROM pg_catalog.pg_stat_activity AS w
        CROSS JOIN LATERAL pg_catalog.unnest(pg_catalog.pg_blocking_pids(w.pid)) AS b (pid)
        WHERE w.wait_event_type = 'Lock'
          AND w.application_name = pg_catalog.current_setting('application_name')))
  AND a.pid <> pg_catalog.pg_backend_pid()
  AND (a.xact_start IS NULL OR a.xact_start < pg_catalog.now() - $1::pg_catalog.text::pg_catalog.interval)
UNION ALL
SELECT pg_catalog.format('prepared transaction %L', p.gid),
       pg_catalog.concat('of role ', p.owner, ' in database ', p.database),
       pg_catalog.to_char(p.prepared, 'YYYY-MM-DD HH24:MI:SS TZ'),
       'prepared',
       pg_catalog.format('ROLLBACK PREPARED %L;', p.gid)
FROM pg_catalog.pg_prepared_xacts AS p
WHERE p.prepared < pg_catalog.now() - $1::pg_catalog.text::pg_catalog.interval
ORDER BY 3
LIMIT 5";

/// A transaction that keeps us waiting.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Older {
    who: String,
    whose: String,
    since: Option<String>,
    state: Option<String>,
    end: String,
}

impl fmt::Display for Older {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.who, self.whose)?;
        if let Some(since) = &self.since {
            write!(f, " since {since}")?;
        }
        match &self.state {
            Some(state) => write!(f, " ({state})"),
            None => Ok(()),
        }
    }
}

/// Does `work`, which waits for transactions of others, and says for which when it takes long. `ask`
/// opens the session that asks for them. Cancel safe where `work` is.
pub async fn naming_whom_we_wait_for<T, A>(
    what: &str,
    ask: impl Fn() -> A,
    work: impl Future<Output = T>,
) -> T
where
    A: Future<Output = Result<Session, PgError>>,
{
    let began = Instant::now();
    let mut words = interval_at(began + FIRST_WORD_AFTER, WORD_EVERY);
    let mut session = None;
    let mut work = pin!(work);
    loop {
        tokio::select! {
            biased;
            done = &mut work => return done,
            _ = words.tick() => {}
        }
        tokio::select! {
            biased;
            done = &mut work => return done,
            found = older(&mut session, &ask, began.elapsed()) => match found {
                Ok(found) => report(what, &found),
                Err(error) => {
                    debug!(target: "slot", "cannot ask whom we wait for: {error}");
                    session = None;
                }
            }
        }
    }
}

async fn older<A>(
    session: &mut Option<Session>,
    ask: &impl Fn() -> A,
    waited: Duration,
) -> Result<Vec<Older>, PgError>
where
    A: Future<Output = Result<Session, PgError>>,
{
    let session = match session {
        Some(session) => session,
        None => session.insert(Box::pin(ask()).await?),
    };
    let waited = format!("{} ms", waited.as_millis());
    let rows = session.rows(OLDER, &[&waited]).await?;
    let older = rows.iter().map(|row| Older {
        who: row.get(0),
        whose: row.get(1),
        since: row.get(2),
        state: row.get(3),
        end: row.get(4),
    });
    Ok(older.collect())
}

fn report(what: &str, found: &[Older]) {
    let Some(oldest) = found.first() else { return };
    let named: Vec<String> = found.iter().map(ToString::to_string).collect();
    let hint = format!("let it end, or end it there: {}", oldest.end);
    warn!(
        target: "slot",
        hint,
        "{what}: this waits for transactions that began earlier: {}",
        named.join("; ")
    );
}
