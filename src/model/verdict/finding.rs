//! Findings: what the gate weighs (design 6.3).

use std::fmt;

use crate::model::Timestamp;

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
