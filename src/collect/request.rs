//! What is asked of the Atlas Administration API: each list with the one path, query and API
//! version that it is asked with. Nothing is asked here, and nothing is ever read off a link.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::model::Timestamp;

/// Results of a full page: the most that the API gives (Atlas Administration API, "Pagination").
pub(super) const PAGE_SIZE: u32 = 500;

/// Everything but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The events that tell when a project's key may have changed (design section 6.2,
/// `history-too-short`).
const KEY_EVENTS: [&str; 4] = [
    "AWS_ENCRYPTION_KEY_ROTATED",
    "AZURE_ENCRYPTION_KEY_ROTATED",
    "GCP_ENCRYPTION_KEY_ROTATED",
    "ENCRYPTION_AT_REST_CONFIGURATION_UPDATED",
];

/// A list or an object of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The projects of the scope.
    Projects,
    /// One project, asked for because the project list does not name it.
    Project,
    Settings,
    ClustersWithDeleted,
    Clusters,
    Snapshots,
    ShardedSnapshots,
    Schedule,
    RestoreJobs,
    CompliancePolicy,
    Events,
    FlexClusters,
    FlexSnapshots,
}

/// How an answer is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// A list in pages.
    Paged,
    /// A list that comes in one answer.
    Unpaged,
    Object,
}

impl Kind {
    /// The version of the API that names everything that is needed: the newest of each resource.
    /// Older versions of the cluster list leave clusters out.
    pub(super) const fn accept(self) -> &'static str {
        match self {
            Self::ClustersWithDeleted | Self::Clusters | Self::Schedule => {
                "application/vnd.atlas.2024-08-05+json"
            }
            Self::CompliancePolicy => "application/vnd.atlas.2023-10-01+json",
            Self::FlexClusters | Self::FlexSnapshots => "application/vnd.atlas.2024-11-13+json",
            Self::Projects
            | Self::Project
            | Self::Settings
            | Self::Snapshots
            | Self::ShardedSnapshots
            | Self::RestoreJobs
            | Self::Events => "application/vnd.atlas.2023-01-01+json",
        }
    }

    pub(super) const fn extent(self) -> Extent {
        match self {
            Self::Projects
            | Self::ClustersWithDeleted
            | Self::Clusters
            | Self::Snapshots
            | Self::RestoreJobs
            | Self::Events
            | Self::FlexClusters
            | Self::FlexSnapshots => Extent::Paged,
            Self::ShardedSnapshots => Extent::Unpaged,
            Self::Project | Self::Settings | Self::Schedule | Self::CompliancePolicy => {
                Extent::Object
            }
        }
    }

    /// Whether a role of its own is needed (Project Backup Manager, Project Owner).
    pub(super) const fn needs_more_rights(self) -> bool {
        matches!(self, Self::RestoreJobs | Self::CompliancePolicy)
    }

    /// For messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Projects => "project list",
            Self::Project => "project",
            Self::Settings => "encryption-at-rest settings",
            Self::ClustersWithDeleted => "cluster list with deleted clusters",
            Self::Clusters => "cluster list without deleted clusters",
            Self::Snapshots => "snapshot list",
            Self::ShardedSnapshots => "sharded snapshot list",
            Self::Schedule => "backup schedule",
            Self::RestoreJobs => "restore jobs",
            Self::CompliancePolicy => "backup compliance policy",
            Self::Events => "encryption events",
            Self::FlexClusters => "flex cluster list",
            Self::FlexSnapshots => "flex snapshot list",
        }
    }
}

/// One list as it is asked for, without its page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct List {
    pub(super) kind: Kind,
    pub(super) project: Option<String>,
    pub(super) cluster: Option<String>,
    /// Path and query.
    pub(super) path: String,
}

impl List {
    pub(super) fn projects(org: Option<&str>) -> Self {
        let path = match org {
            None => "/api/atlas/v2/groups".to_owned(),
            Some(org) => format!("/api/atlas/v2/orgs/{}/groups", encode(org)),
        };
        Self {
            kind: Kind::Projects,
            project: None,
            cluster: None,
            path,
        }
    }

    /// What belongs to a project and to no cluster.
    pub(super) fn of_project(kind: Kind, project: &str) -> Self {
        let rest = match kind {
            Kind::Settings => "/encryptionAtRest",
            Kind::ClustersWithDeleted => "/clusters?includeDeletedWithRetainedBackups=true",
            Kind::Clusters => "/clusters",
            Kind::CompliancePolicy => "/backupCompliancePolicy",
            Kind::Events => "/events",
            Kind::FlexClusters => "/flexClusters",
            Kind::Projects
            | Kind::Project
            | Kind::Snapshots
            | Kind::ShardedSnapshots
            | Kind::Schedule
            | Kind::RestoreJobs
            | Kind::FlexSnapshots => "",
        };
        Self {
            kind,
            project: Some(project.to_owned()),
            cluster: None,
            path: format!("/api/atlas/v2/groups/{}{rest}", encode(project)),
        }
    }

    pub(super) fn of_cluster(kind: Kind, project: &str, cluster: &str) -> Self {
        let (clusters, rest) = match kind {
            Kind::Snapshots => ("clusters", "snapshots"),
            Kind::ShardedSnapshots => ("clusters", "snapshots/shardedClusters"),
            Kind::Schedule => ("clusters", "schedule"),
            Kind::RestoreJobs => ("clusters", "restoreJobs"),
            Kind::FlexSnapshots => ("flexClusters", "snapshots"),
            Kind::Projects
            | Kind::Project
            | Kind::Settings
            | Kind::ClustersWithDeleted
            | Kind::Clusters
            | Kind::CompliancePolicy
            | Kind::Events
            | Kind::FlexClusters => return Self::of_project(kind, project),
        };
        Self {
            kind,
            project: Some(project.to_owned()),
            cluster: Some(cluster.to_owned()),
            path: format!(
                "/api/atlas/v2/groups/{}/{clusters}/{}/backup/{rest}",
                encode(project),
                encode(cluster)
            ),
        }
    }

    /// Events that bear on keys, back to `since`.
    pub(super) fn events(project: &str, since: Timestamp) -> Self {
        let types: Vec<String> = KEY_EVENTS
            .iter()
            .map(|kind| format!("eventType={kind}"))
            .collect();
        let mut list = Self::of_project(Kind::Events, project);
        list.path = format!("{}?{}&minDate={since}", list.path, types.join("&"));
        list
    }

    /// The path of one page; of all there is, where there are no pages.
    pub(super) fn page(&self, page: Option<u32>) -> String {
        page_of(&self.path, page)
    }
}

/// The path of a page of the list at `path`.
pub(super) fn page_of(path: &str, page: Option<u32>) -> String {
    let Some(page) = page else {
        return path.to_owned();
    };
    let joint = if path.contains('?') { '&' } else { '?' };
    format!("{path}{joint}pageNum={page}&itemsPerPage={PAGE_SIZE}")
}

/// What all paths below a project begin with.
pub(super) fn below_project(project: &str) -> String {
    format!("/api/atlas/v2/groups/{}/", encode(project))
}

fn encode(segment: &str) -> String {
    utf8_percent_encode(segment, RESERVED).to_string()
}

/// Longer names are rejected wherever they are read.
const MAX_NAME: usize = 4096;

/// Whether a project id or a cluster name can be a segment of a path. Dots would be taken for a
/// way up, however they are encoded.
pub(super) fn is_segment(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= MAX_NAME
        && text != "."
        && text != ".."
        && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_spelled_as_the_reader_of_bundles_reads_them() {
        let since = Timestamp::floor("2026-07-01T00:00:00Z").unwrap();
        let table = [
            (
                List::projects(None),
                "/api/atlas/v2/groups?pageNum=3&itemsPerPage=500",
            ),
            (
                List::projects(Some("o/1")),
                "/api/atlas/v2/orgs/o%2F1/groups?pageNum=3&itemsPerPage=500",
            ),
            (
                List::of_project(Kind::ClustersWithDeleted, "g"),
                "/api/atlas/v2/groups/g/clusters?includeDeletedWithRetainedBackups=true&pageNum=3&itemsPerPage=500",
            ),
            (
                List::of_cluster(Kind::Snapshots, "g", "a b"),
                "/api/atlas/v2/groups/g/clusters/a%20b/backup/snapshots?pageNum=3&itemsPerPage=500",
            ),
            (
                List::events("g", since),
                "/api/atlas/v2/groups/g/events?eventType=AWS_ENCRYPTION_KEY_ROTATED\
                 &eventType=AZURE_ENCRYPTION_KEY_ROTATED&eventType=GCP_ENCRYPTION_KEY_ROTATED\
                 &eventType=ENCRYPTION_AT_REST_CONFIGURATION_UPDATED&minDate=2026-07-01T00:00:00Z\
                 &pageNum=3&itemsPerPage=500",
            ),
        ];
        for (list, expected) in table {
            assert_eq!(list.page(Some(3)), expected);
        }
        assert_eq!(
            List::of_cluster(Kind::ShardedSnapshots, "g", "c").page(None),
            "/api/atlas/v2/groups/g/clusters/c/backup/snapshots/shardedClusters"
        );
        assert_eq!(
            List::of_project(Kind::Project, "g").page(None),
            "/api/atlas/v2/groups/g"
        );
    }

    #[test]
    fn what_would_lead_elsewhere_is_no_segment() {
        for text in ["", ".", "..", "a\nb"] {
            assert!(!is_segment(text), "{text:?}");
        }
        for text in ["a", "...", "a/b", "über", "65f0b1c2d3e4a5968778a001"] {
            assert!(is_segment(text), "{text:?}");
        }
    }
}
