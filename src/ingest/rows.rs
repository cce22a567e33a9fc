//! What the rows of a list add up to while they stream by: the content of its reading, and the
//! account of ids that tells whether two passes showed the same.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::kind::{Kind, SnapshotList};
use super::lower;
use super::node::Node;
use super::snapshot::SnapshotRow;
use crate::model::evidence::SnapshotShape;
use crate::model::intake::{Intake, Shown};
use crate::model::reading::{CompliancePolicy, Content, Schedule};
use crate::model::{ProjectRef, Timestamp};

/// The empty content of what a request asks for; an error answer keeps it.
pub(super) fn empty_content(kind: Kind, since: Option<Timestamp>) -> Content {
    match kind {
        Kind::Groups | Kind::OrgGroups => Content::Projects(Vec::new()),
        Kind::Group => Content::Project,
        Kind::Clusters | Kind::Cluster => Content::Clusters {
            deleted_included: false,
            clusters: Vec::new(),
        },
        Kind::ClustersWithDeleted => Content::Clusters {
            deleted_included: true,
            clusters: Vec::new(),
        },
        Kind::FlexClusters | Kind::FlexCluster | Kind::Serverless | Kind::ServerlessInstance => {
            Content::SharedClusters(Vec::new())
        }
        Kind::Snapshots | Kind::Snapshot => Content::Snapshots,
        Kind::ShardedSnapshots | Kind::ShardedSnapshot => Content::ShardedSnapshots,
        Kind::FlexSnapshots
        | Kind::FlexSnapshot
        | Kind::ServerlessSnapshots
        | Kind::ServerlessSnapshot => Content::SharedSnapshots,
        Kind::Schedule => Content::Schedule(Schedule {
            restore_window_days: None,
            extra_retention: Vec::new(),
            copies: Vec::new(),
        }),
        Kind::RestoreJobs | Kind::RestoreJob => Content::RestoreJobs(Vec::new()),
        Kind::CompliancePolicy => Content::CompliancePolicy(CompliancePolicy::default()),
        Kind::Settings => Content::Settings(Vec::new()),
        Kind::Events => Content::Events {
            since,
            events: Vec::new(),
        },
    }
}

/// What became of a record.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) flaws: Vec<String>,
    /// The project, or the cluster's name, that the record itself states.
    pub(super) project: Option<String>,
    pub(super) cluster: Option<String>,
    pub(super) org: Option<String>,
}

/// Lowers a record that is no snapshot into the content of its kind.
pub(super) fn take(content: &mut Content, node: &Node) -> Result<Taken, String> {
    let mut taken = Taken::default();
    match content {
        Content::Projects(projects) => {
            let ((project, org), flaws) = lower::project(node)?;
            taken = Taken {
                flaws,
                org,
                ..taken
            };
            projects.push(project);
        }
        Content::Project => {
            let ((project, org), flaws) = lower::project(node)?;
            taken = Taken {
                flaws,
                org,
                project: Some(project.id),
                ..taken
            };
        }
        Content::Clusters { clusters, .. } | Content::SharedClusters(clusters) => {
            let (cluster, flaws) = lower::cluster(node)?;
            taken = Taken {
                flaws,
                project: text(node, "groupId"),
                cluster: Some(cluster.name.clone()),
                ..taken
            };
            clusters.push(cluster);
        }
        Content::Schedule(schedule) => {
            let ((read, cluster), flaws) = lower::schedule(node)?;
            taken = Taken {
                flaws,
                cluster,
                ..taken
            };
            *schedule = read;
        }
        Content::Settings(settings) => {
            let (read, flaws) = lower::settings(node)?;
            taken.flaws = flaws;
            *settings = read;
        }
        Content::Events { events, .. } => {
            let ((event, bears_on_keys), flaws) = lower::event(node)?;
            taken = Taken {
                flaws,
                project: text(node, "groupId"),
                ..taken
            };
            if bears_on_keys {
                events.push(event);
            }
        }
        Content::RestoreJobs(jobs) => {
            let (job, flaws) = lower::restore_job(node)?;
            taken.flaws = flaws;
            jobs.push(job);
        }
        Content::CompliancePolicy(policy) => {
            let ((read, project), flaws) = lower::compliance_policy(node)?;
            taken = Taken {
                flaws,
                project,
                ..taken
            };
            *policy = read;
        }
        Content::Snapshots
        | Content::ShardedSnapshots
        | Content::SharedSnapshots
        | Content::Inventory(_) => return Err("is no record of this list".to_owned()),
    }
    Ok(taken)
}

fn text(node: &Node, name: &str) -> Option<String> {
    node.get(name).and_then(Node::as_text).map(str::to_owned)
}

/// Hands a row over as its list shows it.
pub(super) fn show<I: Intake>(
    intake: &mut I,
    row: SnapshotRow<'_>,
    list: SnapshotList,
    project: &ProjectRef,
    cluster: &str,
    at: Timestamp,
) -> Result<(), I::Error> {
    let shape = match (list, row.sharded) {
        (SnapshotList::Shared, _) => SnapshotShape::Shared,
        (SnapshotList::Sharded, _) | (SnapshotList::Plain, Some(true)) => SnapshotShape::Sharded,
        (SnapshotList::Plain, Some(false) | None) => SnapshotShape::ReplicaSet,
    };
    intake.snapshot(&Shown {
        project,
        cluster,
        id: &row.id,
        at,
        shape,
        status: row.status,
        created_at: row.created_at,
        expires_at: row.expires_at,
        keep: row.keep,
        frequency: row.frequency.as_deref(),
        copied: row.copied,
        version: row.version.as_deref(),
        keys: row.keys,
    })
}

/// Puts the rows of all pages in order and drops those that two pages show alike.
pub(super) fn settle(content: &mut Content) {
    match content {
        Content::Projects(rows) => sort(rows),
        Content::Clusters { clusters: rows, .. } | Content::SharedClusters(rows) => sort(rows),
        Content::Events { events, .. } => sort(events),
        Content::RestoreJobs(rows) => sort(rows),
        Content::Settings(rows) => sort(rows),
        Content::Project
        | Content::Snapshots
        | Content::ShardedSnapshots
        | Content::SharedSnapshots
        | Content::Schedule(_)
        | Content::CompliancePolicy(_)
        | Content::Inventory(_) => {}
    }
}

fn sort<T: Ord>(rows: &mut Vec<T>) {
    rows.sort_unstable();
    rows.dedup();
}

/// The ids of one answer, as hashes.
#[derive(Debug, Default)]
pub(super) struct Ids(Vec<(u64, u64)>);

impl Ids {
    /// Counts in a row: its id, and what must be the same if the id comes again.
    pub(super) fn add(&mut self, id: &str, facts: impl Hash) {
        self.0.push((hash(id), hash(facts)));
    }

    /// Ends the answer: whether an id came twice with different facts, and the sorted ids.
    pub(super) fn finish(mut self) -> (bool, Vec<u64>) {
        self.0.sort_unstable();
        self.0.dedup();
        let torn = self.0.windows(2).any(|pair| pair[0].0 == pair[1].0);
        (torn, self.0.into_iter().map(|(id, _)| id).collect())
    }
}

fn hash(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_may_come_again_only_with_the_same_facts() {
        let ids = |rows: &[(&str, u8)]| {
            let mut ids = Ids::default();
            rows.iter().for_each(|(id, fact)| ids.add(id, fact));
            ids.finish()
        };
        assert!(!ids(&[("a", 1), ("b", 2), ("a", 1)]).0);
        assert!(ids(&[("a", 1), ("b", 2), ("a", 3)]).0);
        assert_eq!(
            ids(&[("a", 1), ("b", 2)]).1,
            ids(&[("b", 9), ("a", 1), ("a", 1)]).1
        );
    }
}
