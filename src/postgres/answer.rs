//! Gives a server up that falls silent although its connection stands: a frozen host, a proxy that
//! holds connections open and passes nothing on.
//!
//! A statement may take long for good reasons, so a clock alone cannot tell. When an answer is overdue,
//! another session asks the server whether ours is at work there.

use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::timeout;
use tracing::debug;

use crate::config::ConnectionSettings;

use super::connect::{Session, connect};
use super::error::PgError;

/// How long an answer may take until somebody asks, where `tcp_user_timeout` of the address says nothing.
const ANSWER_MAX: Duration = Duration::from_secs(60);

/// An answer may be on its way while we ask.
const ON_ITS_WAY_MAX: Duration = Duration::from_secs(1);

const AT_WORK: &str = "\
SELECT a.state <> 'idle' AND a.wait_event IS DISTINCT FROM 'ClientRead'
FROM pg_catalog.pg_stat_activity AS a
WHERE a.pid = $1";

/// Opens a session whose statements fail when the server falls silent, for commands that nobody
/// watches. As [`connect`] otherwise.
///
/// # Errors
/// As [`connect`].
pub async fn connect_watched(
    settings: &ConnectionSettings,
    application_name: &str,
) -> Result<Session, PgError> {
    let mut session = connect(settings, application_name).await?;
    session.answer_max = Some(settings.tcp_user_timeout.unwrap_or(ANSWER_MAX));
    Ok(session)
}

impl Session {
    /// Waits for an answer, as long as the server is at work on it. A session that was given up stays so.
    pub(super) async fn answered<T>(
        &self,
        mut answer: Pin<Box<impl Future<Output = T>>>,
    ) -> Result<T, PgError> {
        let Some(after) = self.answer_max else {
            return Ok(answer.await);
        };
        let silent = || PgError::Silent {
            object: self.object().to_owned(),
            after,
        };
        if self.silent.load(Ordering::Relaxed) {
            return Err(silent());
        }
        loop {
            if let Ok(answer) = timeout(after, &mut answer).await {
                return Ok(answer);
            }
            if self.is_at_work(after).await {
                continue;
            }
            if let Ok(answer) = timeout(ON_ITS_WAY_MAX, &mut answer).await {
                return Ok(answer);
            }
            self.silent.store(true, Ordering::Relaxed);
            return Err(silent());
        }
    }

    /// Boxed, because it opens a session as those do that it is asked for.
    fn is_at_work(&self, within: Duration) -> Pin<Box<dyn Future<Output = bool> + Send + '_>> {
        Box::pin(async move {
            let asked = async {
                let other = connect(self.settings(), "pgstream watch").await?;
                other.row(AT_WORK, &[&self.process_id()]).await
            };
            match timeout(within, asked).await {
                Ok(Ok(row)) => row.is_some_and(|row| row.get::<_, Option<bool>>(0) == Some(true)),
                // A refusal is an answer, too: the server lives.
                Ok(Err(error)) => {
                    debug!(target: "sql", %error, "cannot ask for our session");
                    error.server().is_some()
                }
                Err(_elapsed) => false,
            }
        })
    }
}
