//! The rules: evidence, policy and an instant in, verdicts out. Pure and total: nothing here reads
//! a clock, the environment, a file or the network, and nothing here writes.
//!
//! Snapshots stream, so memory grows with keys, clusters and projects only. Each row is taken
//! once to gather, once to decide, and once more where its own verdict is printed:
//!
//! ```text
//! Facts -> Gathering (every row) -> Estate -> Decider (every row) -> Decided -> verdicts
//! ```

mod check;
mod coverage;
mod decide;
mod encryption;
mod estate;
mod estate_doubts;
mod findings;
pub mod gate;
mod history;
mod identity;
mod needs;
mod observed;
mod queries;
mod restore;
mod retention;
mod select;
mod snapshot;
mod tally;
mod target;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod verdicts;
mod waivers;
mod windows;

use std::collections::BTreeSet;

pub use check::{Found, RotationInput};
pub use decide::Decided;
pub use queries::{Download, Present, downloads};
pub use select::Answers;
pub use target::{FoundTarget, Target};

use decide::Decider;
use estate::Gathering;
use observed::Observed;
use select::Selection;

use crate::model::outline::Shelves;
use crate::model::verdict::{Intent, ProjectVerdict};
use crate::model::{Evidence, Policy, Snapshot, Timestamp};

/// The evidence of one instant, with what the key services said already folded.
pub struct Facts<'e> {
    evidence: &'e Evidence,
    policy: &'e Policy,
    as_of: Timestamp,
    observed: Observed,
}

/// What the verdicts are wanted for.
#[derive(Clone, Debug)]
pub enum Purpose {
    /// All keys and snapshots.
    Audit,
    /// The same, of which these keys, as somebody spelled them, are to be picked out.
    List { keys: Vec<String> },
    /// These keys, as somebody spelled them: their dependants are listed up to the limit.
    Check {
        keys: Vec<String>,
        intent: Intent,
        limit: usize,
    },
}

impl<'e> Facts<'e> {
    pub fn new(evidence: &'e Evidence, policy: &'e Policy, as_of: Timestamp) -> Self {
        let observed = Observed::new(&evidence.observations, policy, as_of);
        Self {
            evidence,
            policy,
            as_of,
            observed,
        }
    }

    /// The same, and lets go of the single answers once they are folded: with many keys they need
    /// as much room as all the rest.
    pub fn folded(evidence: &'e mut Evidence, policy: &'e Policy, as_of: Timestamp) -> Self {
        let observations = std::mem::take(&mut evidence.observations);
        let observed = Observed::new(&observations, policy, as_of);
        Self {
            evidence,
            policy,
            as_of,
            observed,
        }
    }

    /// Runs both passes over the rows that `rows` streams.
    ///
    /// # Errors
    /// Whatever `rows` fails with.
    pub fn decide<E>(
        &self,
        purpose: &Purpose,
        rows: impl Fn(&mut dyn FnMut(&Snapshot)) -> Result<(), E>,
    ) -> Result<Decided<'_>, E> {
        self.decide_from(purpose, rows, None)
    }

    /// The same where the store can look snapshots up: reads those that the answer needs. What is
    /// decided for a check then says nothing of other keys.
    ///
    /// # Errors
    /// Whatever `rows` or `shelves` fail with.
    pub fn decide_from<E>(
        &self,
        purpose: &Purpose,
        rows: impl Fn(&mut dyn FnMut(&Snapshot)) -> Result<(), E>,
        shelves: Option<Box<dyn Shelves<Error = E> + '_>>,
    ) -> Result<Decided<'_>, E> {
        let max_age = self.policy.max_inventory_age;
        let (keys, age, limit) = match purpose {
            Purpose::Audit => (&[][..], max_age, None),
            Purpose::List { keys } => (keys.as_slice(), max_age, Some(0)),
            Purpose::Check {
                keys,
                intent,
                limit,
            } => (
                keys.as_slice(),
                match intent {
                    Intent::Delete | Intent::Disable => self.policy.max_check_age,
                    Intent::Rotate => max_age,
                },
                Some(*limit),
            ),
        };
        let mut gathering = self.gathering(keys);
        let events_since = self.as_of.saturating_add(age.saturating_neg());
        let narrow = match purpose {
            Purpose::Audit | Purpose::List { .. } => false,
            Purpose::Check { .. } => true,
        };
        let decider = |estate| {
            let focus = check::focus(&estate).zip(limit);
            Decider::new(estate, age, focus)
        };
        if let Some(shelves) = shelves {
            let mut selection = Selection::new(&*shelves, &mut gathering, events_since);
            if narrow {
                let wanted = selection.gather(&mut gathering)?;
                let mut decider = decider(gathering.finish(Some(wanted)));
                selection.decide(&mut decider)?;
                return Ok(decider.finish());
            }
            // What follows takes all snapshots, and needs the room of the shelves.
            selection.gather_all(&mut gathering)?;
        } else {
            rows(&mut |row| {
                gathering.take(row);
            })?;
        }
        let mut decider = decider(gathering.finish(None));
        rows(&mut |row| decider.take(row))?;
        Ok(decider.finish())
    }

    fn gathering(&self, arguments: &[String]) -> Gathering<'_> {
        let (evidence, policy) = (self.evidence, self.policy);
        Gathering::new(evidence, policy, &self.observed, self.as_of, arguments)
    }

    /// The coverage of every project, without judging anything else.
    ///
    /// # Errors
    /// Whatever `rows` fails with.
    pub fn projects<E>(
        &self,
        rows: impl Fn(&mut dyn FnMut(&Snapshot)) -> Result<(), E>,
    ) -> Result<Vec<ProjectVerdict>, E> {
        let mut gathering = self.gathering(&[]);
        rows(&mut |row| {
            gathering.take(row);
        })?;
        Ok(gathering.settle().project_verdicts())
    }

    /// Keys to ask the providers about: every key that is named or current, complete; and bare
    /// AWS ids in a region that settings name, as `(id, region)`. `only_older_than`: leave out
    /// keys whose newest answer is fresh and younger, in seconds.
    pub fn to_probe(
        &self,
        decided: &Decided<'_>,
        only_older_than: Option<i64>,
    ) -> (Vec<crate::model::KeyId>, Vec<(String, String)>) {
        let keys: BTreeSet<_> = decided
            .named_keys()
            .into_iter()
            .filter(|key| {
                let state = decided.estate.state(key);
                let young = only_older_than.is_some_and(|age| {
                    state.fresh
                        && state
                            .observed_at
                            .is_some_and(|at| self.as_of.since(at) < age)
                });
                !young
            })
            .collect();
        (keys.into_iter().collect(), decided.askable_ids())
    }
}
