//! What a pipeline asks the gate, and what it is told.

use super::verdict::{DependantCounts, DoubtKind, SafeAfter};

/// What is to be done with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Deleted, or scheduled for it.
    Delete,
    /// Deleted, and another one made in its place.
    Replace,
    /// No longer looked after by the configuration that made it.
    Forget,
    Disable,
    /// Taken from an Atlas project, which gets no other.
    Detach,
    /// Exchanged for another key.
    Rotate,
}

impl Action {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Delete => "delete",
            Self::Replace => "replace",
            Self::Forget => "forget",
            Self::Disable => "disable",
            Self::Detach => "detach",
            Self::Rotate => "rotate",
        }
    }

    /// `deleted`: what a key is then.
    pub const fn done(self) -> &'static str {
        match self {
            Self::Delete => "deleted",
            Self::Replace => "replaced",
            Self::Forget => "forgotten",
            Self::Disable => "disabled",
            Self::Detach => "detached",
            Self::Rotate => "rotated",
        }
    }
}

/// The answer to one question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The resource of a plan that is about the key; `None`: asked on the command line.
    pub address: Option<String>,
    pub action: Action,
    /// Canonical, or as spelled where it stays unresolved; `None`: the plan does not say.
    pub key: Option<String>,
    /// The key to rotate to.
    pub to: Option<String>,
    /// A word of design 6.2: `held`, `safe`, `unknown`, `gone`, or `pass` and `fail` of a rotation.
    pub verdict: &'static str,
    pub safe_after: SafeAfter,
    pub counts: DependantCounts,
    /// Sorted.
    pub doubts: Vec<DoubtKind>,
    /// Why, where the rest does not say it: sentences.
    pub details: Vec<String>,
    /// As `check` would exit, waivers and levels aside.
    pub exit_code: u8,
}
