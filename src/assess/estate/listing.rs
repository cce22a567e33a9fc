//! What the project lists of all roots say: which projects are in the estate, and which have left it.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::assess::coverage;
use crate::model::reading::{Content, Outcome};
use crate::model::{Evidence, ProjectRef, Reading, Source, Timestamp};

/// What the project lists of all roots say.
#[derive(Default)]
pub(super) struct Listing<'e>(HashMap<(&'e str, &'e str), Listed<'e>>);

/// What they say of one project.
#[derive(Clone, Copy, Default)]
pub(super) struct Listed<'e> {
    pub(super) name: Option<&'e str>,
    /// When a list last had it.
    pub(super) last: Option<Timestamp>,
    /// A root's newest whole list has it, or a cut list since.
    pub(super) now: bool,
    /// The same of a root that is a service, not files.
    pub(super) by_service: bool,
}

impl<'e> Listing<'e> {
    pub(super) fn of(evidence: &'e Evidence) -> Self {
        let mut listing = Self::default();
        for root in &evidence.roots {
            let base_url = root.id.base_url.as_str();
            let newest_whole = root.lists.iter().rfind(|list| coverage::is_whole(list));
            let since = newest_whole.map(|list| list.at);
            for list in &root.lists {
                let Content::Projects(projects) = &*list.content else {
                    continue;
                };
                let now = Some(list.at) >= since;
                for project in projects {
                    let listed = listing.0.entry((base_url, project.id.as_str()));
                    let listed = listed.or_default();
                    listed.last = listed.last.max(Some(list.at));
                    listed.name = project.name.as_deref().or(listed.name);
                    listed.now |= now;
                    listed.by_service |= now && root.id.source != Source::Files;
                }
            }
        }
        listing
    }

    pub(super) fn get(&self, id: &ProjectRef) -> Listed<'e> {
        let listed = self.0.get(&(id.base_url.as_str(), id.id.as_str()));
        listed.copied().unwrap_or_default()
    }
}

/// Projects that a root's list names and that are not among the projects.
pub(super) fn listed_only(evidence: &Evidence) -> BTreeSet<String> {
    let known: HashSet<(&str, &str)> = evidence
        .projects
        .keys()
        .map(|id| (id.base_url.as_str(), id.id.as_str()))
        .collect();
    let mut strays = BTreeSet::new();
    for root in &evidence.roots {
        for list in &root.lists {
            let Content::Projects(projects) = &*list.content else {
                continue;
            };
            for project in projects {
                if !known.contains(&(root.id.base_url.as_str(), project.id.as_str())) {
                    strays.insert(project.id.clone());
                }
            }
        }
    }
    strays
}

/// 404 GROUP_NOT_FOUND to a credential that could read the project before, after every list that
/// named it.
pub(super) fn has_left(readings: &[Reading], last_listed: Option<Timestamp>) -> bool {
    readings.iter().any(|gone| {
        coverage::refused_with(&gone.outcome, 404, &["GROUP_NOT_FOUND"])
            && last_listed.is_none_or(|listed| gone.at > listed)
            && gone.identity.is_some()
            && readings
                .iter()
                .all(|r| matches!(r.outcome, Outcome::Refused { .. }) || r.at < gone.at)
            && readings
                .iter()
                .any(|r| coverage::is_whole(r) && r.identity == gone.identity)
    })
}

/// Whether a root's list counts towards the estate: loose files beside a live root of the same
/// service only add sightings.
pub(in crate::assess) fn counts_as_root(evidence: &Evidence, no: usize) -> bool {
    evidence.roots.get(no).is_some_and(|root| {
        root.id.source != Source::Files
            || !root.lists.is_empty()
            || !evidence.roots.iter().any(|other| {
                other.id.source != Source::Files && other.id.base_url == root.id.base_url
            })
    })
}
