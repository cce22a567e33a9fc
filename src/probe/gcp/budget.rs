//! How many reads Google Cloud KMS is asked for: the quota counts every get and list of one
//! calling project, whoever makes them (Cloud KMS, "Quotas": 300 read requests a minute). One
//! budget belongs to one credential, and so to one calling project. It spreads the reads evenly.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

/// The published default quota.
pub(super) const READS_A_MINUTE: NonZeroU32 = match NonZeroU32::new(300) {
    Some(reads) => reads,
    None => NonZeroU32::MIN,
};
const MINUTE: Duration = Duration::from_secs(60);
/// A read that waits longer than this for its turn is worth a word, once.
const PATIENCE: Duration = Duration::from_secs(3);

/// The reads that may still be made.
#[derive(Debug)]
pub(super) struct Budget {
    /// `None` leaves it to the service to throttle.
    spread: Option<Spread>,
    told: AtomicBool,
}

#[derive(Debug)]
struct Spread {
    limiter: DefaultDirectRateLimiter,
    reads_a_minute: NonZeroU32,
    between: Duration,
}

impl Budget {
    pub(super) fn new(reads_a_minute: Option<NonZeroU32>) -> Self {
        let spread = reads_a_minute.and_then(|reads_a_minute| {
            // A second's worth at once, so that one key is told without waiting; the rest is
            // spaced so that no minute sees more than the budget.
            let burst = NonZeroU32::new(reads_a_minute.get() / 60).unwrap_or(NonZeroU32::MIN);
            let spaced = reads_a_minute.get().saturating_sub(burst.get()).max(1);
            let between = MINUTE / spaced;
            Some(Spread {
                limiter: RateLimiter::direct(Quota::with_period(between)?.allow_burst(burst)),
                reads_a_minute,
                between,
            })
        });
        Self {
            spread,
            told: AtomicBool::new(false),
        }
    }

    /// Waits until one more read may be made.
    pub(super) async fn turn(&self) {
        let Some(spread) = &self.spread else {
            return;
        };
        let asked = Instant::now();
        spread.limiter.until_ready().await;
        if asked.elapsed() >= PATIENCE && !self.told.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                reads_a_minute = spread.reads_a_minute,
                "waiting: reads of Google Cloud KMS are spread over the quota of the calling project"
            );
        }
    }

    /// How long so many reads take at least.
    pub(super) fn least(&self, reads: u32) -> Duration {
        self.spread.as_ref().map_or(Duration::ZERO, |spread| {
            spread.between.saturating_mul(reads)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_minute_sees_more_than_the_budget() {
        for reads in [1, 2, 59, 60, 100, 300, 6000] {
            let budget = Budget::new(NonZeroU32::new(reads));
            let spread = budget.spread.as_ref().unwrap();
            let burst = (reads / 60).max(1);
            let in_a_minute = u128::from(burst) + MINUTE.as_nanos() / spread.between.as_nanos();
            // A budget of one read a minute cannot be spread.
            assert!(
                in_a_minute <= u128::from(reads.max(2)),
                "{reads}: {in_a_minute}"
            );
        }
    }

    #[test]
    fn the_wait_is_told_beforehand() {
        let budget = Budget::new(Some(READS_A_MINUTE));
        let minute = budget.least(300);
        assert!(
            minute >= MINUTE && minute <= MINUTE + Duration::from_secs(2),
            "{minute:?}"
        );
        assert_eq!(Budget::new(None).least(300), Duration::ZERO);
    }
}
