//! What a client is made of, and what is refused before anything is sent.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use tokio::sync::watch;

use crate::model::{Login, Timestamp};

/// The wall clock, which is the caller's.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// All that one client works with.
#[derive(Clone)]
pub struct Settings {
    /// `https://cloud.mongodb.com`, the government's, an Ops Manager; a path before `/api` stays.
    pub base_url: String,
    pub login: Login,
    /// PEM certificates of a private authority, trusted beside those of the system.
    pub ca_pem: Option<Vec<u8>>,
    pub timeouts: Timeouts,
    /// Requests under way at the same time, over all projects.
    pub in_flight: NonZeroUsize,
    /// Bytes of one answer, decompressed.
    pub max_body: u64,
    pub retries: Retries,
    pub clock: Clock,
    /// Ends every request and every wait at once.
    pub stop: Stop,
}

impl Settings {
    /// The defaults for a root: 8 requests at a time, 256 MiB an answer.
    pub fn new(base_url: impl Into<String>, login: Login, clock: Clock) -> Self {
        Self {
            base_url: base_url.into(),
            login,
            ca_pem: None,
            timeouts: Timeouts::default(),
            in_flight: NonZeroUsize::new(8).unwrap_or(NonZeroUsize::MIN),
            max_body: 256 * 1024 * 1024,
            retries: Retries::default(),
            clock,
            stop: Stop::new(),
        }
    }
}

/// How long a server is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Until a connection stands, TLS included.
    pub connect: Duration,
    /// Without a byte.
    pub idle: Duration,
    /// For one attempt with its login, to the last byte of the answer.
    pub whole: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            idle: Duration::from_secs(60),
            whole: Duration::from_secs(300),
        }
    }
}

/// How often, and how far apart, a request that failed in passing is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retries {
    /// The first one included.
    pub attempts: usize,
    /// Before the second attempt; doubled for each further one, and up to as much again at random.
    pub first: Duration,
    /// The longest `Retry-After` that is waited for.
    pub patience: Duration,
    /// What a project is left alone for when it has no calls left.
    pub refill: Duration,
}

impl Default for Retries {
    fn default() -> Self {
        Self {
            attempts: 4,
            first: Duration::from_secs(1),
            patience: Duration::from_secs(120),
            refill: Duration::from_secs(1),
        }
    }
}

impl Retries {
    /// The waits between the attempts.
    pub(super) fn backoff(&self) -> ExponentialBackoff {
        ExponentialBuilder::new()
            .with_min_delay(self.first)
            .with_max_times(self.attempts.saturating_sub(1))
            .with_jitter()
            .build()
    }
}

/// Tells a client, from anywhere, that nothing more is wanted.
#[derive(Clone, Debug)]
pub struct Stop(Arc<watch::Sender<bool>>);

impl Stop {
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    pub fn stop(&self) {
        self.0.send_replace(true);
    }

    /// Returns once [`Stop::stop`] was called.
    pub(super) async fn stopped(&self) {
        // The sender is held by `self`, so that the wait cannot fail.
        let mut told = self.0.subscribe();
        let _stopped = told.wait_for(|stopped| *stopped).await;
    }
}

impl Default for Stop {
    fn default() -> Self {
        Self::new()
    }
}

/// Why no client can be had. Nothing was sent.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The text is not quoted: a careless hand may have put a password into it.
    #[error("the base URL is not usable: {0}")]
    BaseUrl(&'static str),
    #[error(
        "`http://{0}` would send credentials in the clear: only a loopback address may do without https"
    )]
    Plain(String),
    #[error("the private authority holds no usable certificate: {0}")]
    Authority(String),
    #[error("cannot set up the HTTP client: {0}")]
    Client(String),
}
