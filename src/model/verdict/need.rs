//! Who needs a key, what is not known about that, and what is taken on trust (design 6.2).

use std::borrow::Cow;

use crate::model::Timestamp;

/// What may still need a key (design 6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DependantKind {
    Snapshot,
    SnapshotCopy,
    CurrentKey,
    PitWindow,
    KmipNode,
    Download,
    RestoreJob,
    Hold,
}

impl DependantKind {
    /// In the order of the JSON counts.
    pub const ALL: [Self; 8] = [
        Self::Snapshot,
        Self::SnapshotCopy,
        Self::CurrentKey,
        Self::PitWindow,
        Self::KmipNode,
        Self::Download,
        Self::RestoreJob,
        Self::Hold,
    ];

    pub const fn plural(self) -> &'static str {
        match self {
            Self::Snapshot => "snapshots",
            Self::SnapshotCopy => "snapshot-copies",
            Self::CurrentKey => "current-keys",
            Self::PitWindow => "pit-windows",
            Self::KmipNode => "kmip-nodes",
            Self::Download => "downloads",
            Self::RestoreJob => "restore-jobs",
            Self::Hold => "holds",
        }
    }

    pub const fn word(self) -> &'static str {
        match self {
            Self::Snapshot => "snapshot",
            Self::SnapshotCopy => "snapshot-copy",
            Self::CurrentKey => "current-key",
            Self::PitWindow => "pit-window",
            Self::KmipNode => "kmip-node",
            Self::Download => "download",
            Self::RestoreJob => "restore-job",
            Self::Hold => "hold",
        }
    }
}

/// Until when a dependant needs the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Until {
    At(Timestamp),
    /// Sorts after every date.
    Indefinite,
}

impl Until {
    /// The date, if there is one.
    pub const fn date(self) -> Option<Timestamp> {
        match self {
            Self::At(at) => Some(at),
            Self::Indefinite => None,
        }
    }
}

/// Something that needs a key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dependant {
    pub kind: DependantKind,
    pub project: Option<String>,
    pub cluster: Option<String>,
    pub id: Option<String>,
    pub until: Until,
    /// The spelling is the key's own, or only agrees in everything that both state.
    pub certain: bool,
}

/// A reason why "nothing needs it" is not yet known (design 6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DoubtKind {
    CopyRetentionUnknown,
    EstateEmpty,
    EstateIncomplete,
    HistoryTooShort,
    KeyNeverSeen,
    KmipNeverNamed,
    LapsedSnapshot,
    MaybeMatch,
    PitSuccessorUnseen,
    ProjectIncomplete,
    ProjectMissing,
    ProjectStale,
    RotationUnderWay,
    UnrecordedKey,
    UnresolvedKey,
}

impl DoubtKind {
    /// In the order of their words.
    pub const ALL: [Self; 15] = [
        Self::CopyRetentionUnknown,
        Self::EstateEmpty,
        Self::EstateIncomplete,
        Self::HistoryTooShort,
        Self::KeyNeverSeen,
        Self::KmipNeverNamed,
        Self::LapsedSnapshot,
        Self::MaybeMatch,
        Self::PitSuccessorUnseen,
        Self::ProjectIncomplete,
        Self::ProjectMissing,
        Self::ProjectStale,
        Self::RotationUnderWay,
        Self::UnrecordedKey,
        Self::UnresolvedKey,
    ];

    pub const fn word(self) -> &'static str {
        match self {
            Self::CopyRetentionUnknown => "copy-retention-unknown",
            Self::EstateEmpty => "estate-empty",
            Self::EstateIncomplete => "estate-incomplete",
            Self::HistoryTooShort => "history-too-short",
            Self::KeyNeverSeen => "key-never-seen",
            Self::KmipNeverNamed => "kmip-never-named",
            Self::LapsedSnapshot => "lapsed-snapshot",
            Self::MaybeMatch => "maybe-match",
            Self::PitSuccessorUnseen => "pit-successor-unseen",
            Self::ProjectIncomplete => "project-incomplete",
            Self::ProjectMissing => "project-missing",
            Self::ProjectStale => "project-stale",
            Self::RotationUnderWay => "rotation-under-way",
            Self::UnrecordedKey => "unrecorded-key",
            Self::UnresolvedKey => "unresolved-key",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Doubt {
    pub kind: DoubtKind,
    pub project: Option<String>,
    /// A sentence for people.
    pub detail: String,
}

/// Something taken on trust, always printed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Assumption {
    /// Kebab-case word.
    pub kind: &'static str,
    /// Project id, key or spelling that it is about.
    pub subject: String,
    /// For statements: when it was stated.
    pub stated: Option<Timestamp>,
    /// Mostly one of a few sentences, for each of thousands of projects.
    pub reason: Cow<'static, str>,
}
