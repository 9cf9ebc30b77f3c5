//! Waiting for a state instead of for a time.

use std::time::Duration;

/// How long a test waits for something that must come; generous, because two cores may be busy.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Between two looks.
const INTERVAL: Duration = Duration::from_millis(10);

/// Looks until `look` returns `Ok`, at most [`DEADLINE`]; then fails with `what` and the last
/// look's description of what was there instead.
pub async fn wait_until<T, F>(what: &str, mut look: impl FnMut() -> F) -> T
where
    F: Future<Output = Result<T, String>>,
{
    let mut last = String::from("nothing was seen");
    let looking = async {
        loop {
            match look().await {
                Ok(value) => return value,
                Err(seen) => last = seen,
            }
            tokio::time::sleep(INTERVAL).await;
        }
    };
    match tokio::time::timeout(DEADLINE, looking).await {
        Ok(value) => value,
        Err(_) => panic!("not within {DEADLINE:?}: {what}; last seen: {last}"),
    }
}
