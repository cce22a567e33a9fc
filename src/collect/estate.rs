//! The projects of a scope, several at a time: those that the project list names, and those that
//! the store knows and no list names any more.

use std::collections::BTreeMap;

use futures::stream::{self, StreamExt, TryStreamExt};

use super::finding::Finding;
use super::journal::Entry;
use super::list::Verdict;
use super::project::{self, Found, ProjectRead};
use super::request::{Kind, List, is_segment};
use super::session::Session;
use super::{CollectError, KnownCluster};
use crate::http::Ask;
use crate::model::Scope;

/// What was read of all projects.
#[derive(Debug, Default)]
pub(super) struct EstateRead {
    /// Those of the project list, then those of each project: never copied into one, as there are
    /// a dozen for every cluster and nothing else here is many.
    pub(super) entries: Vec<Vec<Entry>>,
    pub(super) found: Found,
    pub(super) projects: usize,
    pub(super) clusters: usize,
}

/// How a project came to be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Named {
    /// By the project list, or by the caller.
    Listed,
    /// By the store alone: whether it is there, and in the scope, is asked first.
    Remembered,
}

/// Reads every project of the scope.
pub(super) async fn read<A: Ask>(session: &Session<'_, A>) -> Result<EstateRead, CollectError> {
    let mut estate = EstateRead::default();
    let mut wanted: BTreeMap<String, Named> = BTreeMap::new();
    let org = match &session.plan.scope {
        Scope::Projects(ids) => {
            wanted.extend(ids.iter().map(|id| (id.clone(), Named::Listed)));
            None
        }
        Scope::AllVisible => Some(None),
        Scope::Org(org) => Some(Some(org.as_str())),
    };
    if let Some(org) = org {
        let list = List::projects(org);
        let read = session.read(&list).await?;
        estate.entries.push(read.entries);
        if read.verdict != Verdict::Whole {
            estate.found.gap(&list, &read.verdict);
        }
        // Without a list nobody can say that a project is not on it.
        let unlisted = if org.is_none() && read.verdict != Verdict::Whole {
            Named::Listed
        } else {
            Named::Remembered
        };
        for known in &session.plan.known {
            if is_segment(&known.id) {
                wanted.insert(known.id.clone(), unlisted);
            } else {
                let list = List::of_project(Kind::Project, &known.id);
                estate.found.unaskable(&list);
            }
        }
        let listed = read.facts.projects.into_iter();
        wanted.extend(listed.map(|id| (id, Named::Listed)));
    }
    session.to_read(wanted.len());
    // As they come, so that none waits for a larger one before it; then in order.
    let reads: BTreeMap<&str, ProjectRead> = stream::iter(&wanted)
        .map(|(id, named)| async move {
            let mut read = read_project(session, id, *named).await?;
            read.entries.shrink_to_fit();
            Ok::<_, CollectError>((id.as_str(), read))
        })
        .buffer_unordered(session.plan.in_flight.get())
        .try_collect()
        .await?;
    for read in reads.into_values() {
        estate.projects += usize::from(!read.entries.is_empty());
        estate.clusters += read.clusters;
        estate.entries.push(read.entries);
        estate.found.add(read.found);
    }
    for findings in [
        &mut estate.found.gaps,
        &mut estate.found.assumptions,
        &mut estate.found.notes,
    ] {
        findings.sort();
    }
    Ok(estate)
}

async fn read_project<A: Ask>(
    session: &Session<'_, A>,
    id: &str,
    named: Named,
) -> Result<ProjectRead, CollectError> {
    let known = session.plan.known.iter().filter(|known| known.id == id);
    let clusters: Vec<KnownCluster> = known.flat_map(|k| k.clusters.iter().cloned()).collect();
    let read = match named {
        Named::Listed => project::read(session, id, &clusters).await?,
        Named::Remembered => remembered(session, id, &clusters).await?,
    };
    session.project_done();
    Ok(read)
}

/// A project that no list names. A 404 is evidence that it is gone; one of another organization
/// is another root's.
async fn remembered<A: Ask>(
    session: &Session<'_, A>,
    id: &str,
    clusters: &[KnownCluster],
) -> Result<ProjectRead, CollectError> {
    let list = List::of_project(Kind::Project, id);
    let mut itself = session.read(&list).await?;
    let mut read = ProjectRead::default();
    let org = match &session.plan.scope {
        Scope::Org(org) => Some(org),
        Scope::AllVisible | Scope::Projects(_) => None,
    };
    let belongs_to = itself.facts.org.take();
    match &itself.verdict {
        Verdict::Whole if org.is_some() && belongs_to.is_some() && belongs_to.as_ref() != org => {
            return Ok(read);
        }
        Verdict::Whole => read = project::read(session, id, clusters).await?,
        gone @ Verdict::Refused { .. } if gone.is_refused_with(404, "GROUP_NOT_FOUND") => {
            read.found.notes.push(Finding::of(
                &list,
                gone,
                "it is out of the estate if this credential could read it before",
            ));
        }
        // Another organization's, as far as anybody may know.
        Verdict::Refused {
            status: 401 | 403, ..
        } if org.is_some() => return Ok(read),
        other @ (Verdict::Refused { .. } | Verdict::Cut(_)) => read.found.gap(&list, other),
    }
    read.entries.splice(0..0, itself.entries);
    Ok(read)
}
