//! What is concluded of a snapshot (design 6.1).

use crate::model::{ProjectRef, Timestamp};

/// May this snapshot be restored (design 6.1)? Ordered from worst to best, as reports list them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Restorability {
    Lost,
    Blocked,
    Unknown,
    Conditional,
    Unusable,
    Expired,
    Restorable,
}

impl Restorability {
    pub const ALL: [Self; 7] = [
        Self::Lost,
        Self::Blocked,
        Self::Unknown,
        Self::Conditional,
        Self::Unusable,
        Self::Expired,
        Self::Restorable,
    ];

    pub const fn word(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Blocked => "blocked",
            Self::Unknown => "unknown",
            Self::Conditional => "conditional",
            Self::Unusable => "unusable",
            Self::Expired => "expired",
            Self::Restorable => "restorable",
        }
    }
}

/// The verdict on one present snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotVerdict {
    pub project: ProjectRef,
    pub cluster: String,
    pub id: String,
    pub verdict: Restorability,
    /// Canonical where resolved, verbatim where not; sorted.
    pub keys: Vec<String>,
    /// Kebab-case words, sorted.
    pub reasons: Vec<String>,
    /// In the order in which they must be taken; empty unless blocked.
    pub actions: Vec<&'static str>,
    /// Before which the actions must be taken.
    pub deadline: Option<Timestamp>,
    pub created_at: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
    /// What besides the key stands in the way of a restore to one cluster, sorted by kind; `None`:
    /// nobody asked. The verdict does not depend on it.
    pub obstacles: Option<Vec<Obstacle>>,
}

/// A restore constraint beyond the key that a target cluster breaks, or may break.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Obstacle {
    pub kind: ObstacleKind,
    /// False: whether it stands in the way cannot be told.
    pub known: bool,
    /// A sentence for people.
    pub detail: String,
}

/// What a restore needs of its target, closed on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObstacleKind {
    /// One of snapshot and target is under a customer key, the other is not.
    CustomerKey,
    /// The AWS keys of the two projects are in different regions.
    KeyRegion,
    /// The target is under a key of another provider.
    Provider,
    /// The target is no cluster of the service that made the snapshot.
    Service,
    /// There is no such cluster any more.
    TargetDeleted,
    /// The target is smaller than M10.
    Tier,
    /// The target runs an earlier MongoDB.
    Version,
}

impl ObstacleKind {
    /// In the order of their words.
    pub const ALL: [Self; 7] = [
        Self::CustomerKey,
        Self::KeyRegion,
        Self::Provider,
        Self::Service,
        Self::TargetDeleted,
        Self::Tier,
        Self::Version,
    ];

    pub const fn word(self) -> &'static str {
        match self {
            Self::CustomerKey => "customer-key",
            Self::KeyRegion => "key-region",
            Self::Provider => "provider",
            Self::Service => "service",
            Self::TargetDeleted => "target-deleted",
            Self::Tier => "tier",
            Self::Version => "version",
        }
    }
}
