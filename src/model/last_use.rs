//! When a provider last saw a key used. Shown to whoever asks about a few keys; it is neither kept
//! nor judged: a restore is a rare use, and a key that nobody uses can hold every backup there is.

use super::{KeyId, Timestamp};

/// What AWS answers to `GetKeyLastUsage`. AWS itself says not to schedule a deletion by it alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastUse {
    pub key: KeyId,
    /// The service's own word (`Decrypt`).
    pub operation: Option<String>,
    /// `None`: not since `tracked_since`.
    pub at: Option<Timestamp>,
    /// Nothing is known of the time before.
    pub tracked_since: Option<Timestamp>,
}
