//! What came back for one GET, as evidence: an error status is an answer, and so is silence.

use crate::model::Timestamp;

/// What was learned by asking one path. Retries are over when this exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status of the last attempt that got one; `None`: nothing came back at all.
    pub status: Option<u16>,
    /// The service's clock: its `Date` header.
    pub date: Option<Timestamp>,
    /// The caller's clock, when the last attempt ended.
    pub local_at: Timestamp,
    /// Seconds that the service asked to wait, where it refused for being asked too often.
    pub retry_after: Option<u64>,
    /// The whole body, decompressed; empty where there is a `failure`.
    pub body: Vec<u8>,
    /// Why there is no usable body. An error status with a whole body is no failure.
    pub failure: Option<Failure>,
}

/// Why an attempt gave no usable body. The text is for a person and holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    #[error("no answer within {0} s")]
    TimedOut(u64),
    #[error("cannot connect: {0}")]
    Unreachable(String),
    #[error("the answer broke off: {0}")]
    Cut(String),
    #[error("the answer is larger than {0} bytes")]
    TooLarge(u64),
    #[error("status 200 with a body that is no JSON")]
    NotJson,
    #[error("status 200 with nothing behind it")]
    Empty,
    /// No login could be had: nothing was asked.
    #[error("no login: {0}")]
    Login(String),
    /// The run was told to stop.
    #[error("the run was stopped")]
    Stopped,
}

/// Asks an inventory source with GET; the seam at which collecting is tested without a network.
pub trait Ask: Sync {
    /// `path_and_query` begins with `/`; `accept` is the exact media type. Never fails: see [`Answer`].
    fn get(&self, path_and_query: &str, accept: &str) -> impl Future<Output = Answer> + Send;
}
