//! What a collection lacks and what that means: every list that was not read whole, with how it
//! was answered and which verdicts it weakens, and every assumption that takes the place of a
//! list for which the credential has no rights.

use std::fmt;

use super::list::Verdict;
use super::request::{Kind, List};

/// A list that was not read whole.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    pub project: Option<String>,
    pub cluster: Option<String>,
    pub list: Kind,
    /// Path and query, without a page.
    pub path: String,
    /// How it was answered, as the end of a sentence that begins with the list.
    pub answer: String,
    /// What follows from it.
    pub meaning: &'static str,
}

impl Finding {
    pub(super) fn of(list: &List, verdict: &Verdict, meaning: &'static str) -> Self {
        Self {
            project: list.project.clone(),
            cluster: list.cluster.clone(),
            list: list.kind,
            path: list.path.clone(),
            answer: verdict.words(),
            meaning,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.list.name())?;
        if let Some(cluster) = &self.cluster {
            write!(f, " of cluster `{}`", cluster.escape_debug())?;
        }
        if let Some(project) = &self.project {
            write!(f, " in project `{}`", project.escape_debug())?;
        }
        write!(f, ": {} (GET {}): {}", self.answer, self.path, self.meaning)
    }
}

/// What it means that a list is not whole. The words are those of the verdicts' doubts (design
/// sections 4 and 6.2).
pub(super) const fn gap(kind: Kind) -> &'static str {
    match kind {
        Kind::Projects => "projects may be missing, so no key can be `safe` (`estate-incomplete`)",
        Kind::Project => {
            "no list names this project any more and it is not known to be gone, so no key can be `safe` (`project-missing`)"
        }
        Kind::Settings => {
            "the project's current keys are not known, so no key can be `safe` (`project-incomplete`)"
        }
        Kind::ClustersWithDeleted => {
            "clusters with snapshots may be missing, so no key can be `safe` (`project-incomplete`)"
        }
        Kind::Clusters => {
            "which clusters are deleted is not known, so keys of their point-in-time windows stay in doubt"
        }
        Kind::Snapshots | Kind::ShardedSnapshots | Kind::FlexSnapshots => {
            "snapshots may be missing, so no key can be `safe` (`project-incomplete`), and those that were not shown lately become `unknown`"
        }
        Kind::FlexClusters => {
            "whether the cluster is a flex cluster is not known, so no key can be `safe` (`project-incomplete`)"
        }
        Kind::Schedule => {
            "how long copies and the point-in-time window keep a key is not known, so no key can be `safe` (`project-incomplete`)"
        }
        Kind::RestoreJobs => {
            "restores under way and downloads may be missing, so a key may be `safe` only on the assumptions `no-restore-running` and `no-downloads`"
        }
        Kind::CompliancePolicy => {
            "a longer point-in-time window may be missing, so a key may be `safe` only on the assumption `schedule-window-is-longest`"
        }
        Kind::Events => {
            "former keys of the point-in-time window are not known (`history-too-short`), and snapshots without a key id stay `unknown`"
        }
    }
}

/// What takes the place of a list that needs more rights than Project Read Only (design section
/// 4, "Coverage"): the assumptions, and the role that would do without them.
pub(super) const fn assumption(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::RestoreJobs => Some(
            "assumed instead: `no-restore-running`, `no-downloads` (the role Project Backup Manager reads them)",
        ),
        Kind::CompliancePolicy => {
            Some("assumed instead: `schedule-window-is-longest` (the role Project Owner reads it)")
        }
        Kind::Projects
        | Kind::Project
        | Kind::Settings
        | Kind::ClustersWithDeleted
        | Kind::Clusters
        | Kind::Snapshots
        | Kind::ShardedSnapshots
        | Kind::Schedule
        | Kind::Events
        | Kind::FlexClusters
        | Kind::FlexSnapshots => None,
    }
}
