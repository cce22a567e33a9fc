//! What is concluded of a key (design 6.2).

use std::fmt;

use super::need::{Dependant, DependantKind, Doubt};
use crate::model::evidence::Condition;
use crate::model::key_id::Provider;
use crate::model::{KeyId, Timestamp};

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
