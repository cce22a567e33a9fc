//! How fast key services are asked, how long they are waited for, and what is waited for right
//! now. Providers know nothing of it: they wrap each call in [`Pace::within`], or in
//! [`Pace::turn`] and [`Pace::within_call`] where one question takes several attempts.

use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::model::Provider;

/// Bounds of one run of probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Errands under way at the same time, of each provider: a slow one does not take the places
    /// of the others. Within a provider the places are shared evenly among its regions or vaults.
    pub in_flight: NonZeroUsize,
    /// `DescribeKey` calls a second in each region, all of the caller's account: KMS charges
    /// cross-account calls to the caller. Calls with a smaller quota stay below theirs. `None`
    /// leaves it to the services to throttle.
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
    /// Published default quota: 5 a second.
    DescribeCustomKeyStores,
    /// Published default quota: 5 a second.
    GetKeyLastUsage,
    /// A GET to one vault. Its quota depends on the type of the key, from 2,000 (RSA 2048 in an
    /// HSM) down to 250 (RSA 4096 in an HSM) in 10 seconds (Key Vault, "Service limits"): between
    /// the two, and a vault that throttles is asked again later.
    KeyVault,
}

/// What an errand can be waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// A turn within the quota.
    Quota,
    /// The service's answer.
    Answer,
    /// A while to pass before a question is put again.
    Pause,
}

impl Wait {
    const ALL: [Self; 3] = [Self::Quota, Self::Answer, Self::Pause];

    const fn index(self) -> usize {
        match self {
            Self::Quota => 0,
            Self::Answer => 1,
            Self::Pause => 2,
        }
    }
}

/// How many questions wait for what, for whoever shows progress.
#[derive(Debug, Default)]
pub struct Waits([[AtomicUsize; 3]; 4]);

impl Waits {
    /// What is waited for now, by provider; nothing that is not.
    pub fn now(&self) -> Vec<(Provider, Wait, usize)> {
        let mut now = Vec::new();
        for provider in Provider::ALL {
            for wait in Wait::ALL {
                let waiting = self.of(provider, wait).load(Ordering::Relaxed);
                if waiting > 0 {
                    now.push((provider, wait, waiting));
                }
            }
        }
        now
    }

    /// Counts one more until the returned value is dropped.
    pub(super) fn count(&self, provider: Provider, wait: Wait) -> Waiting<'_> {
        let counter = self.of(provider, wait);
        counter.fetch_add(1, Ordering::Relaxed);
        Waiting(counter)
    }

    fn of(&self, provider: Provider, wait: Wait) -> &AtomicUsize {
        let provider = match provider {
            Provider::Aws => 0,
            Provider::Azure => 1,
            Provider::Gcp => 2,
            Provider::Kmip => 3,
        };
        &self.0[provider][wait.index()]
    }
}

/// One question that waits.
pub(super) struct Waiting<'w>(&'w AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The limits at work.
pub(super) struct Pace {
    describe: Option<DefaultKeyedRateLimiter<String>>,
    rotations: Option<DefaultKeyedRateLimiter<String>>,
    key_stores: Option<DefaultKeyedRateLimiter<String>>,
    last_usage: Option<DefaultKeyedRateLimiter<String>>,
    key_vault: Option<DefaultKeyedRateLimiter<String>>,
    call: Duration,
    waits: Arc<Waits>,
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
        let at_most = |most: u32| {
            let most = NonZeroU32::new(most).unwrap_or(NonZeroU32::MIN);
            limits.per_second.map(|per_second| per_second.min(most))
        };
        Self {
            describe: limits.per_second.map(limiter),
            rotations: at_most(50).map(limiter),
            key_stores: at_most(2).map(limiter),
            last_usage: at_most(2).map(limiter),
            key_vault: at_most(50).map(limiter),
            call: limits.call,
            waits: Arc::default(),
        }
    }

    /// Counts what is waited for where somebody else can see it.
    pub(super) fn watched(self, waits: Arc<Waits>) -> Self {
        Self { waits, ..self }
    }

    pub(super) fn waits(&self) -> &Waits {
        &self.waits
    }

    /// How long one call may take with all its retries.
    pub(super) fn call(&self) -> Duration {
        self.call
    }

    /// Waits for a turn in `place` (a region, a vault), then for the call's own time. `None`: no
    /// answer in time.
    pub(super) async fn within<T>(
        &self,
        which: Call,
        place: &str,
        call: impl Future<Output = T>,
    ) -> Option<T> {
        self.turn(which, place).await;
        self.within_call(which.provider(), call).await
    }

    /// Waits for a turn in `place`.
    pub(super) async fn turn(&self, which: Call, place: &str) {
        let limiter = match which {
            Call::DescribeKey => &self.describe,
            Call::ListKeyRotations => &self.rotations,
            Call::DescribeCustomKeyStores => &self.key_stores,
            Call::GetKeyLastUsage => &self.last_usage,
            Call::KeyVault => &self.key_vault,
        };
        if let Some(limiter) = limiter {
            let _waiting = self.waits.count(which.provider(), Wait::Quota);
            limiter.until_key_ready(&place.to_owned()).await;
        }
    }

    /// Gives one call, with all its retries, its time. `None`: no answer in time.
    pub(super) async fn within_call<T>(
        &self,
        provider: Provider,
        call: impl Future<Output = T>,
    ) -> Option<T> {
        let _waiting = self.waits.count(provider, Wait::Answer);
        tokio::time::timeout(self.call(), call).await.ok()
    }
}

impl Call {
    const fn provider(self) -> Provider {
        match self {
            Self::DescribeKey
            | Self::ListKeyRotations
            | Self::DescribeCustomKeyStores
            | Self::GetKeyLastUsage => Provider::Aws,
            Self::KeyVault => Provider::Azure,
        }
    }
}
