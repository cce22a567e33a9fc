//! What the rules conclude: verdicts, the reasons for them, findings. Every word that leaves the
//! program has its one spelling here.

mod check;
mod finding;
mod key;
mod need;
mod snapshot;

pub use check::{CheckedKey, Intent, KeyCheck, RotationCheck, RotationVerdict};
pub use finding::{Class, Code, Finding, Level, Waived};
pub use key::{
    Deletability, DependantCounts, KeyRow, KeyState, ResolvedKey, SafeAfter, UnitVerdict,
};
pub use need::{Assumption, Dependant, DependantKind, Doubt, DoubtKind, Until};
pub use snapshot::{Obstacle, ObstacleKind, Restorability, SnapshotVerdict};

use super::reading::ProjectRef;
use super::time::Timestamp;

/// A project's coverage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectVerdict {
    pub project: ProjectRef,
    pub name: Option<String>,
    pub complete: bool,
    /// T of design section 4.
    pub covered_at: Option<Timestamp>,
    /// Sentences, sorted.
    pub gaps: Vec<String>,
}

/// A root as reports show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootVerdict {
    pub source: &'static str,
    pub base_url: String,
    pub scope: String,
    /// When its project list was last read whole.
    pub covered_at: Option<Timestamp>,
}

/// Totals of an audit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    snapshots: [u64; 7],
    keys: [u64; 4],
}

impl Summary {
    pub fn count_snapshot(&mut self, verdict: Restorability) {
        if let Some(slot) = self.snapshots.get_mut(verdict as usize) {
            *slot += 1;
        }
    }

    pub fn count_key(&mut self, verdict: Deletability) {
        if let Some(slot) = self.keys.get_mut(verdict as usize) {
            *slot += 1;
        }
    }

    pub fn snapshots(&self, verdict: Restorability) -> u64 {
        self.snapshots.get(verdict as usize).copied().unwrap_or(0)
    }

    pub fn keys(&self, verdict: Deletability) -> u64 {
        self.keys.get(verdict as usize).copied().unwrap_or(0)
    }
}

/// Everything that an audit concludes except the snapshot rows, which stream after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assessment {
    pub as_of: Timestamp,
    /// The store holds evidence dated after `as_of`.
    pub historical: bool,
    pub roots: Vec<RootVerdict>,
    /// Sorted, deduplicated.
    pub assumptions: Vec<Assumption>,
    pub summary: Summary,
    /// Sorted by level, code, subject.
    pub findings: Vec<Finding>,
    /// By id.
    pub projects: Vec<ProjectVerdict>,
    /// By provider, id; an unresolved id sorts by its spelling.
    pub keys: Vec<KeyRow>,
    /// The oldest T of the estate, if it is complete.
    pub covered_at: Option<Timestamp>,
}
