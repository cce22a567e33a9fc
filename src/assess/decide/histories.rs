//! Keys that were a project's: the latest evidence of each, and the first of the key that came after
//! it (design 6.2).

use std::collections::{BTreeMap, BTreeSet};

use super::Decider;
use crate::assess::estate::{Certainty, Estate, FamilyNo, NameNo, Project};
use crate::assess::{identity, snapshot};
use crate::model::evidence::SnapshotStatus;
use crate::model::{Snapshot, Timestamp};

#[derive(Clone, Copy, Debug)]
pub(super) struct History {
    pub(super) last: Timestamp,
    /// `None`: no spelling names the family, some only may.
    pub(super) certainty: Option<Certainty>,
    pub(super) successor: Option<Timestamp>,
}

impl Decider<'_> {
    /// A completed snapshot under another key of the same provider is evidence that a family's
    /// successor was there.
    /// Tells whether it is such evidence of any key.
    pub(in crate::assess) fn note_successors(&mut self, project_no: usize, row: &Snapshot) -> bool {
        let Some(newest) = snapshot::newest(row) else {
            return false;
        };
        if newest.status != SnapshotStatus::Completed {
            return false;
        }
        let created = newest.created_at.unwrap_or(newest.first_at);
        let Some(histories) = self.histories.get_mut(project_no) else {
            return false;
        };
        if histories.values().all(|h| h.last >= created) {
            return true;
        }
        for text in snapshot::key_texts(row) {
            let Some(no) = self.out.estate.name_no(text, project_no) else {
                continue;
            };
            for (family, history) in histories.iter_mut() {
                if history.last < created && is_another_key(&self.out.estate, no, *family) {
                    history.successor = Some(
                        history
                            .successor
                            .map_or(created, |known| known.min(created)),
                    );
                }
            }
        }
        true
    }

    /// The latest evidence of each key that was a project's.
    pub(in crate::assess) fn last_evidence(&self, project_no: usize) -> BTreeSet<Timestamp> {
        let histories = self.histories.get(project_no).into_iter();
        histories.flat_map(|h| h.values()).map(|h| h.last).collect()
    }

    pub(super) fn history_of(&self, project: usize, family: FamilyNo) -> Option<History> {
        let mut history = *self.histories.get(project)?.get(&family)?;
        let provider = self.out.estate.families.get(family)?.provider()?;
        let uses = &self.out.estate.projects.get(project)?.uses;
        let by_settings = uses
            .settings()
            .iter()
            .filter(|(at, no)| *at > history.last && is_another_key(&self.out.estate, *no, family))
            .map(|(at, _)| *at)
            .min();
        let off = uses.first_off_after(provider, history.last);
        history.successor = [history.successor, by_settings, off]
            .into_iter()
            .flatten()
            .min();
        Some(history)
    }
}

/// Whether a spelling is certainly a key of the family's provider and certainly not of the family.
fn is_another_key(estate: &Estate<'_>, no: NameNo, family: FamilyNo) -> bool {
    let (Some(name), Some(of)) = (estate.names.get(no), estate.families.get(family)) else {
        return false;
    };
    let same_provider =
        of.provider().is_some() && identity::provider_of(&name.resolved) == of.provider();
    same_provider && !name.names.iter().any(|(f, _)| *f == family) && !name.may_be.contains(&family)
}

/// The latest evidence of each family in a project. What may only possibly be a key of the
/// family extends its time too: a successor must be later than all of it.
pub(super) fn of(estate: &Estate<'_>, project: &Project<'_>) -> BTreeMap<FamilyNo, History> {
    let mut histories: BTreeMap<FamilyNo, History> = BTreeMap::new();
    for no in project.uses.names() {
        let (Some(name), Some(last)) = (estate.names.get(no), project.uses.last(no)) else {
            continue;
        };
        let sure = name
            .names
            .iter()
            .map(|(family, sure)| (*family, Some(*sure)));
        let unsure = name.may_be.iter().map(|family| (*family, None));
        for (family, certainty) in sure.chain(unsure) {
            let history = histories.entry(family).or_insert(History {
                last,
                certainty,
                successor: None,
            });
            history.last = history.last.max(last);
            history.certainty = match (history.certainty, certainty) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            };
        }
    }
    histories
}
