//! The answers to `check KEY`.

use super::RootVerdict;
use super::key::{KeyState, SafeAfter, UnitVerdict};
use super::need::Assumption;
use crate::model::Timestamp;
use crate::model::key_id::Provider;

/// Why somebody checks a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    Delete,
    Disable,
    Rotate,
}

impl Intent {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Delete => "delete",
            Self::Disable => "disable",
            Self::Rotate => "rotate",
        }
    }
}

/// The answer to `check KEY --for delete|disable`.
#[derive(Clone, Debug)]
pub struct KeyCheck {
    pub as_of: Timestamp,
    pub historical: bool,
    pub covered_at: Option<Timestamp>,
    pub intent: Intent,
    pub key: CheckedKey,
    pub verdict: UnitVerdict,
    pub assumptions: Vec<Assumption>,
    pub roots: Vec<RootVerdict>,
}

/// The key object of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedKey {
    pub provider: Option<Provider>,
    /// Canonical, or as given where it stays unresolved.
    pub id: String,
    pub unit: String,
    pub state: KeyState,
}

/// May a rotation from one key to another go ahead?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RotationVerdict {
    Pass,
    Fail,
    Unknown,
}

impl RotationVerdict {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Unknown => "unknown",
        }
    }
}

/// The answer to `check OLD --for rotate [--to NEW]`.
#[derive(Clone, Debug)]
pub struct RotationCheck {
    pub as_of: Timestamp,
    pub historical: bool,
    pub covered_at: Option<Timestamp>,
    pub verdict: RotationVerdict,
    /// Why not `pass`, sentences.
    pub reasons: Vec<String>,
    pub key: CheckedKey,
    pub to: Option<CheckedKey>,
    /// How long OLD must be kept after the rotation.
    pub keep_until: SafeAfter,
    /// OLD's dependants and doubts.
    pub old: UnitVerdict,
    pub assumptions: Vec<Assumption>,
    pub roots: Vec<RootVerdict>,
}
