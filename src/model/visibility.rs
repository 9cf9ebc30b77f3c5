//! Which transactions a snapshot shows, as `pg_current_snapshot()` prints it: `xmin:xmax:xip,…`
//! (manual, section 9.27.8 «Transaction ID and Snapshot Information Functions»).

use std::str::FromStr;

/// The transactions that a snapshot shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visibility {
    /// All below are visible, unless they were rolled back.
    oldest_in_progress: u64,
    /// None from here on is visible.
    next: u64,
    /// Between the two: those that were in progress.
    in_progress: Vec<u64>,
}

/// The text is not a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a snapshot such as 10:20:10,14")]
pub struct ParseVisibilityError(String);

impl FromStr for Visibility {
    type Err = ParseVisibilityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let mut fields = text.splitn(3, ':');
            let oldest_in_progress = fields.next()?.parse().ok()?;
            let next = fields.next()?.parse().ok()?;
            let list = fields.next()?.split(',').filter(|id| !id.is_empty());
            let in_progress: Result<_, _> = list.map(str::parse).collect();
            Some(Self {
                oldest_in_progress,
                next,
                in_progress: in_progress.ok()?,
            })
        };
        parse().ok_or_else(|| ParseVisibilityError(text.to_owned()))
    }
}

impl Visibility {
    /// Returns whether the snapshot shows what a committed transaction did. Of its id the stream has
    /// the lower 32 bits; ids in use are never further apart than half of that range.
    #[must_use]
    pub fn shows(&self, xid: u32) -> bool {
        let id = self.widen(xid);
        id < self.oldest_in_progress || id < self.next && !self.in_progress.contains(&id)
    }

    fn widen(&self, xid: u32) -> u64 {
        const EPOCH: u64 = 1 << 32;
        let id = self.next / EPOCH * EPOCH + u64::from(xid);
        if id > self.next + EPOCH / 2 {
            id.saturating_sub(EPOCH)
        } else if id + EPOCH / 2 < self.next {
            id + EPOCH
        } else {
            id
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_what_had_ended_and_nothing_else() {
        let check = |snapshot: &str, xid: u32, expected: bool| {
            let visibility: Visibility = snapshot.parse().expect("a snapshot");
            assert_eq!(visibility.shows(xid), expected, "{snapshot} {xid}");
        };
        check("10:20:10,14", 9, true);
        check("10:20:10,14", 10, false);
        check("10:20:10,14", 13, true);
        check("10:20:10,14", 14, false);
        check("10:20:10,14", 19, true);
        check("10:20:10,14", 20, false);
        check("10:10:", 9, true);
        check("10:10:", 10, false);
    }

    #[test]
    fn ids_are_compared_across_the_wrap_of_their_lower_half() {
        let epoch = 1_u64 << 32;
        let snapshot = format!("{}:{}:{}", epoch - 3, epoch + 5, epoch - 3);
        let visibility: Visibility = snapshot.parse().expect("a snapshot");
        assert!(visibility.shows(u32::MAX));
        assert!(!visibility.shows(u32::MAX - 2));
        assert!(visibility.shows(4));
        assert!(!visibility.shows(5));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "1", "1:2", "a:2:", "1:2:x"] {
            assert!(text.parse::<Visibility>().is_err(), "{text}");
        }
    }
}
