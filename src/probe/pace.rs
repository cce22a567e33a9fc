//! How fast key services are asked and how long they are waited for. Providers know nothing of
//! it: they wrap each call in [`Pace::within`].

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

/// Bounds of one run of probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Keys asked about at the same time.
    pub in_flight: NonZeroUsize,
    /// `DescribeKey` calls a second in each region, all of the caller's account: KMS charges
    /// cross-account calls to the caller. `None` leaves it to the service to throttle.
    pub per_second: Option<NonZeroU32>,
    /// For one call with all its retries.
    pub call: Duration,
    /// For the whole run; what was not asked by then is not asked.
    pub deadline: Option<Duration>,
}

impl Default for Limits {
    /// Half of the published default quota of 2,000 `DescribeKey` calls a second: others ask too.
    fn default() -> Self {
        Self {
            in_flight: NonZeroUsize::new(32).unwrap_or(NonZeroUsize::MIN),
            per_second: NonZeroU32::new(1000),
            call: Duration::from_secs(10),
            deadline: None,
        }
    }
}

/// Calls with quotas of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    DescribeKey,
    /// Published default quota: 100 a second.
    ListKeyRotations,
}

/// The limits at work.
pub(super) struct Pace {
    describe: Option<DefaultKeyedRateLimiter<String>>,
    rotations: Option<DefaultKeyedRateLimiter<String>>,
    call: Duration,
}

/// Calls sent at once before the spacing starts; more would only be throttled by the service.
const BURST: NonZeroU32 = match NonZeroU32::new(32) {
    Some(burst) => burst,
    None => NonZeroU32::MIN,
};

impl Pace {
    pub(super) fn new(limits: &Limits) -> Self {
        let limiter = |per_second: NonZeroU32| {
            RateLimiter::keyed(Quota::per_second(per_second).allow_burst(BURST.min(per_second)))
        };
        let rotations = limits
            .per_second
            .map(|describe| describe.min(NonZeroU32::new(50).unwrap_or(NonZeroU32::MIN)));
        Self {
            describe: limits.per_second.map(limiter),
            rotations: rotations.map(limiter),
            call: limits.call,
        }
    }

    /// Waits for a turn in `region`, then for the call's own time. `None`: no answer in time.
    pub(super) async fn within<T>(
        &self,
        which: Call,
        region: &str,
        call: impl Future<Output = T>,
    ) -> Option<T> {
        let limiter = match which {
            Call::DescribeKey => &self.describe,
            Call::ListKeyRotations => &self.rotations,
        };
        if let Some(limiter) = limiter {
            limiter.until_key_ready(&region.to_owned()).await;
        }
        tokio::time::timeout(self.call, call).await.ok()
    }
}
