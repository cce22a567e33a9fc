//! Everything that the rules may look at, and nothing else.

use std::collections::BTreeMap;
use std::fmt;

use super::key_id::KeyId;
use super::reading::{ProjectRef, Reading, RootId};
use super::time::Timestamp;

/// All evidence of a store dated at or before `as_of`, except the snapshots, which stream.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    pub roots: Vec<Root>,
    /// Every project that any list, snapshot or statement of a root ever named, with its
    /// readings in time order.
    pub projects: BTreeMap<ProjectRef, Vec<Reading>>,
    /// In any order.
    pub observations: Vec<Observation>,
    /// Downloads that a person said are gone.
    pub forgotten: Vec<Forgotten>,
    /// Holds that stood in `snapkey.toml` at some earlier run.
    pub holds_seen: Vec<HoldSeen>,
    /// The store holds evidence dated after `as_of`, which is not in here.
    pub later_exists: bool,
}

/// A root and its project lists in time order.
#[derive(Clone, Debug)]
pub struct Root {
    pub id: RootId,
    pub lists: Vec<Reading>,
}

/// `snapkey download forget`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forgotten {
    /// The id that `snapkey download list` printed.
    pub id: String,
    pub reason: String,
    pub at: Timestamp,
}

/// A hold that was in force when snapkey last wrote to the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldSeen {
    pub key: String,
    pub until: Option<Timestamp>,
    pub last_seen: Timestamp,
}

/// One snapshot with everything that any reading said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    pub project: ProjectRef,
    pub cluster: String,
    pub id: String,
    /// At least one; each a distinct content, with the first and last time it was shown.
    pub sightings: Vec<Sighting>,
}

/// What readings between two times agreed on about a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    pub first_at: Timestamp,
    pub last_at: Timestamp,
    pub shape: SnapshotShape,
    pub status: SnapshotStatus,
    pub created_at: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
    /// Never expires, whatever `expires_at` says (`doNotDelete`, `keep`).
    pub keep: bool,
    /// Lower case (`hourly`, `ondemand`).
    pub frequency: Option<String>,
    /// The snapshot says that it is copied to other regions.
    pub copied: bool,
    pub keys: KeyColumn,
}

/// Which list or form showed a snapshot: it decides what an absent key id means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SnapshotShape {
    /// Atlas, replica set.
    ReplicaSet,
    /// Atlas, sharded cluster.
    Sharded,
    /// Atlas Flex or serverless: never under a customer key.
    Shared,
    /// snapkey's own form.
    Own,
}

impl SnapshotShape {
    pub const ALL: [Self; 4] = [Self::ReplicaSet, Self::Sharded, Self::Shared, Self::Own];

    pub const fn word(self) -> &'static str {
        match self {
            Self::ReplicaSet => "replica-set",
            Self::Sharded => "sharded",
            Self::Shared => "shared",
            Self::Own => "own",
        }
    }
}

/// What a source says of a snapshot's making.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SnapshotStatus {
    Completed,
    Queued,
    InProgress,
    Failed,
    /// The row has no status.
    Unrecorded,
    /// A word that nobody knows yet, verbatim.
    Unrecognised(String),
}

/// The Encryption Key ID column of one reading of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyColumn {
    /// The field was not there.
    Absent,
    /// The source says outright that the snapshot is not under a customer key.
    NotEncrypted,
    /// As spelled; never empty.
    Named(Vec<String>),
}

/// One dated answer, or non-answer, of a provider about one key (design section 4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    pub key: KeyId,
    pub at: Timestamp,
    pub condition: Condition,
    /// The provider's own state or error word, verbatim.
    pub native: Option<String>,
    /// The endpoint asked, or `recorded`.
    pub endpoint: String,
    /// Account or principal that asked, where the provider told it.
    pub identity: Option<String>,
    /// Keys that the answer itself called related (AWS multi-Region siblings), this one left out.
    pub related: Vec<KeyId>,
    /// The earliest date in the answer that lay ahead when it was made (expiry, not-before,
    /// deactivation, deadline, purge): once it has passed the observation is stale.
    pub stale_at: Option<Timestamp>,
}

/// What a provider's answer means for a snapshot under the key (design section 5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    Enabled {
        expires: Option<Timestamp>,
    },
    UnwrapOnly {
        why: String,
    },
    Disabled,
    PendingDeletion {
        deadline: Option<Timestamp>,
    },
    SoftDeleted {
        purge: Option<Timestamp>,
    },
    MaterialMissing,
    Unavailable {
        what: Option<String>,
    },
    Transient,
    Destroyed {
        proof: String,
    },
    Unknown {
        reason: UnknownReason,
        detail: Option<String>,
    },
}

impl Condition {
    /// Every word, for CHECK lists, docs and the forms.
    pub const WORDS: [&'static str; 10] = [
        "enabled",
        "unwrap-only",
        "disabled",
        "pending-deletion",
        "soft-deleted",
        "material-missing",
        "unavailable",
        "transient",
        "destroyed",
        "unknown",
    ];

    /// The word of design section 5.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Enabled { .. } => "enabled",
            Self::UnwrapOnly { .. } => "unwrap-only",
            Self::Disabled => "disabled",
            Self::PendingDeletion { .. } => "pending-deletion",
            Self::SoftDeleted { .. } => "soft-deleted",
            Self::MaterialMissing => "material-missing",
            Self::Unavailable { .. } => "unavailable",
            Self::Transient => "transient",
            Self::Destroyed { .. } => "destroyed",
            Self::Unknown { .. } => "unknown",
        }
    }

    /// The date that belongs to the condition (JSON `deadline`).
    pub const fn date(&self) -> Option<Timestamp> {
        match self {
            Self::Enabled { expires } => *expires,
            Self::PendingDeletion { deadline } => *deadline,
            Self::SoftDeleted { purge } => *purge,
            Self::UnwrapOnly { .. }
            | Self::Disabled
            | Self::MaterialMissing
            | Self::Unavailable { .. }
            | Self::Transient
            | Self::Destroyed { .. }
            | Self::Unknown { .. } => None,
        }
    }

    /// JSON `reason`: the word behind `unknown`, the text behind the others.
    pub fn reason(&self) -> Option<String> {
        match self {
            Self::UnwrapOnly { why } => Some(why.clone()),
            Self::Unavailable { what } => what.clone(),
            Self::Destroyed { proof } => Some(proof.clone()),
            Self::Unknown { reason, detail: _ } => Some(reason.word().to_owned()),
            Self::Enabled { .. }
            | Self::Disabled
            | Self::PendingDeletion { .. }
            | Self::SoftDeleted { .. }
            | Self::MaterialMissing
            | Self::Transient => None,
        }
    }

    /// A definite answer: anything but `unknown` and `transient`.
    pub const fn is_definite(&self) -> bool {
        !matches!(self, Self::Unknown { .. } | Self::Transient)
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Why a provider's answer settles nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UnknownReason {
    NotFound,
    AccessDenied,
    Credentials,
    Throttled,
    Unreachable,
    WrongScope,
    Malformed,
    UnrecognisedState,
    BackingKeyUnverified,
    Unsupported,
}

impl UnknownReason {
    pub const ALL: [Self; 10] = [
        Self::NotFound,
        Self::AccessDenied,
        Self::Credentials,
        Self::Throttled,
        Self::Unreachable,
        Self::WrongScope,
        Self::Malformed,
        Self::UnrecognisedState,
        Self::BackingKeyUnverified,
        Self::Unsupported,
    ];

    pub const fn word(self) -> &'static str {
        match self {
            Self::NotFound => "not-found",
            Self::AccessDenied => "access-denied",
            Self::Credentials => "credentials",
            Self::Throttled => "throttled",
            Self::Unreachable => "unreachable",
            Self::WrongScope => "wrong-scope",
            Self::Malformed => "malformed",
            Self::UnrecognisedState => "unrecognised-state",
            Self::BackingKeyUnverified => "backing-key-unverified",
            Self::Unsupported => "unsupported",
        }
    }
}
