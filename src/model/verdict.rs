//! What the rules conclude: verdicts, the reasons for them, findings. Every word that leaves the
//! program has its one spelling here.

use std::borrow::Cow;
use std::fmt;

use super::evidence::Condition;
use super::key_id::{KeyId, Provider};
use super::reading::ProjectRef;
use super::time::Timestamp;

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

/// May this key be deleted (design 6.2)?
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Deletability {
    Held,
    Unknown,
    Gone,
    Safe,
}

impl Deletability {
    pub const ALL: [Self; 4] = [Self::Held, Self::Unknown, Self::Gone, Self::Safe];

    pub const fn word(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Unknown => "unknown",
            Self::Gone => "gone",
            Self::Safe => "safe",
        }
    }
}

/// `safe_after_kind` and, where there is one, `safe_after`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SafeAfter {
    None,
    Date(Timestamp),
    /// Held, and doubts besides: not before this date, `None` = no date known either.
    NotBefore(Option<Timestamp>),
    Indefinite,
}

impl SafeAfter {
    pub const fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Date(_) => "date",
            Self::NotBefore(_) => "not-before",
            Self::Indefinite => "indefinite",
        }
    }

    pub const fn date(self) -> Option<Timestamp> {
        match self {
            Self::Date(at) => Some(at),
            Self::NotBefore(at) => at,
            Self::None | Self::Indefinite => None,
        }
    }
}

/// How many dependants of each kind, in the order of `DependantKind::ALL`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DependantCounts([u64; 8]);

impl DependantCounts {
    pub fn add(&mut self, kind: DependantKind) {
        if let Some(slot) = self.0.get_mut(kind as usize) {
            *slot += 1;
        }
    }

    pub fn of(&self, kind: DependantKind) -> u64 {
        self.0.get(kind as usize).copied().unwrap_or(0)
    }

    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

/// `12 snapshots, 1 pit-window`
impl fmt::Display for DependantCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = "";
        for kind in DependantKind::ALL {
            let count = self.of(kind);
            let word = if count == 1 {
                kind.word()
            } else {
                kind.plural()
            };
            if count > 0 {
                write!(f, "{rest}{count} {word}")?;
                rest = ", ";
            }
        }
        Ok(())
    }
}

/// The verdict on a key, which is that of its deletion unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitVerdict {
    pub verdict: Deletability,
    pub safe_after: SafeAfter,
    /// The first `limit` in contract order (kind, project, cluster, id).
    pub dependants: Vec<Dependant>,
    pub counts: DependantCounts,
    /// Sorted.
    pub doubts: Vec<Doubt>,
    /// For `gone`: snapshots that were lost with it.
    pub lost_snapshots: u64,
    /// For `gone`: something that needs the key is lost: a snapshot, a download, a window.
    pub lost: bool,
}

/// A row of `keys`: one canonical key, or an id that stays unresolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyRow {
    Resolved(Box<ResolvedKey>),
    Unresolved {
        provider: Option<Provider>,
        spelling: String,
        doubts: Vec<Doubt>,
    },
}

/// A canonical key with the verdict of its deletion unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedKey {
    pub key: KeyId,
    pub state: KeyState,
    pub verdict: UnitVerdict,
}

/// The newest counted answer about a key.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct KeyState {
    /// `None`: never asked.
    pub condition: Option<Condition>,
    /// The provider's own state or error word in that answer, verbatim.
    pub native: Option<String>,
    pub observed_at: Option<Timestamp>,
    /// Younger than `max_probe_age` and none of its dates has passed since.
    pub fresh: bool,
}

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

/// A finding: something that the gate weighs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    pub code: Code,
    pub level: Level,
    /// Key, snapshot or project.
    pub subject: String,
    pub message: String,
    /// The waiver that makes its level `allow`.
    pub waived: Option<Waived>,
}

/// Why a finding is put up with, and until when.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Waived {
    pub until: Timestamp,
    pub reason: String,
}

/// Whether a finding is a no or a could-not-tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    Definite,
    Undecided,
}

impl Class {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Definite => "definite",
            Self::Undecided => "undecided",
        }
    }
}

/// What the gate makes of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    Deny,
    Warn,
    Allow,
}

impl Level {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Deny => "deny",
            Self::Warn => "warn",
            Self::Allow => "allow",
        }
    }
}

macro_rules! codes {
    ($($variant:ident $word:literal $class:ident $level:ident $about:literal,)*) => {
        /// Every finding that snapkey can make (design 6.3), closed on purpose.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $(#[doc = $about] $variant,)* }

        impl Code {
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Stable kebab-case word.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            pub const fn class(self) -> Class {
                match self { $(Self::$variant => Class::$class,)* }
            }

            pub const fn default_level(self) -> Level {
                match self { $(Self::$variant => Level::$level,)* }
            }

            /// What the gate says of a key that it was asked about; an audit never does.
            pub const fn is_answer(self) -> bool {
                matches!(
                    self,
                    Self::KeyStillNeeded | Self::RotationRefused | Self::KeyUndecided
                )
            }

            /// A project may have a level of its own for it.
            pub const fn is_of_projects(self) -> bool {
                match self {
                    Self::SnapshotLost
                    | Self::SnapshotBlocked
                    | Self::SnapshotConditional
                    | Self::KeyPendingDeletionInUse
                    | Self::KeyDisabledInUse
                    | Self::KeyExpiresBeforeSnapshots
                    | Self::KeyRotationOverdue
                    | Self::KeyIdConflict
                    | Self::KeyCameBack
                    | Self::ActiveKeyInvalid
                    | Self::SnapshotUnknown
                    | Self::KeyUnresolved
                    | Self::ProjectIncomplete
                    | Self::ProjectStale
                    | Self::ProjectMissing
                    | Self::ProbeStale
                    | Self::ClockSkew => true,
                    Self::HoldRemoved
                    | Self::HoldUnused
                    | Self::WaiverUnused
                    | Self::WaiverExpired
                    | Self::KeyStillNeeded
                    | Self::RotationRefused
                    | Self::KeyUndecided
                    | Self::EstateIncomplete
                    | Self::EstateEmpty => false,
                }
            }

            /// A finding about the waivers themselves.
            pub const fn is_about_waivers(self) -> bool {
                matches!(self, Self::WaiverUnused | Self::WaiverExpired)
            }

            /// One sentence.
            pub const fn about(self) -> &'static str {
                match self { $(Self::$variant => $about,)* }
            }
        }
    };
}

codes! {
    SnapshotLost "snapshot-lost" Definite Deny "The key of a snapshot is destroyed: it can never be restored.",
    SnapshotBlocked "snapshot-blocked" Definite Deny "A snapshot cannot be restored until somebody acts on its key.",
    SnapshotConditional "snapshot-conditional" Definite Warn "The provider still unwraps with a snapshot's key, but MongoDB may refuse it.",
    KeyPendingDeletionInUse "key-pending-deletion-in-use" Definite Deny "A key that something still needs is on its way to destruction.",
    KeyDisabledInUse "key-disabled-in-use" Definite Warn "A key that something still needs is disabled.",
    KeyExpiresBeforeSnapshots "key-expires-before-snapshots" Definite Warn "A key expires before the snapshots under it do.",
    KeyRotationOverdue "key-rotation-overdue" Definite Warn "A project's current key is older than the rotation limit.",
    KeyIdConflict "key-id-conflict" Definite Deny "Readings of one snapshot name different keys.",
    KeyCameBack "key-came-back" Definite Deny "A key that was destroyed gives a definite answer again.",
    ActiveKeyInvalid "active-key-invalid" Definite Deny "Atlas cannot use a project's current key.",
    HoldRemoved "hold-removed" Definite Deny "A hold on a key vanished from the configuration.",
    HoldUnused "hold-unused" Definite Warn "A hold names a key that nothing else knows.",
    WaiverUnused "waiver-unused" Definite Warn "A waiver matches no finding.",
    WaiverExpired "waiver-expired" Definite Deny "A waiver's date has passed.",
    KeyStillNeeded "key-still-needed" Definite Deny "A key that is to be deleted is still needed.",
    RotationRefused "rotation-refused" Definite Deny "A rotation would move from or to a key that is not fit for it.",
    KeyUndecided "key-undecided" Undecided Deny "Whether a key may be deleted or rotated cannot be told.",
    SnapshotUnknown "snapshot-unknown" Undecided Deny "Whether a snapshot can be restored cannot be told.",
    KeyUnresolved "key-unresolved" Undecided Deny "A key id is not complete enough to say which key it is.",
    EstateIncomplete "estate-incomplete" Undecided Deny "The list of projects is missing, cut or stale.",
    EstateEmpty "estate-empty" Undecided Deny "There is no project at all.",
    ProjectIncomplete "project-incomplete" Undecided Deny "A project's inventory has a gap.",
    ProjectStale "project-stale" Undecided Deny "A project's inventory is too old.",
    ProjectMissing "project-missing" Undecided Deny "No project list names a known project any more.",
    ProbeStale "probe-stale" Undecided Deny "A key that is in use was never asked about, or too long ago.",
    ClockSkew "clock-skew" Undecided Warn "The collector's clock and the service's differ.",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
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
