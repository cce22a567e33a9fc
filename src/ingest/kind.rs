//! The lists and objects of the Atlas Administration API that snapkey reads, and how the answers
//! to a request for each make up the whole.

/// The list or object that a path asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Groups,
    OrgGroups,
    Group,
    Clusters,
    ClustersWithDeleted,
    Cluster,
    Snapshots,
    Snapshot,
    ShardedSnapshots,
    ShardedSnapshot,
    Schedule,
    RestoreJobs,
    RestoreJob,
    CompliancePolicy,
    Settings,
    Events,
    FlexClusters,
    FlexCluster,
    FlexSnapshots,
    FlexSnapshot,
    Serverless,
    ServerlessInstance,
    ServerlessSnapshots,
    ServerlessSnapshot,
}

/// How the answers to a kind of request make up the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// A list in pages.
    Paged,
    /// A list that comes in one answer.
    Unpaged,
    /// An object that is all there is of its kind (settings, a schedule).
    Object,
    /// One object out of a list.
    Single,
}

/// The three lists that show snapshots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SnapshotList {
    Plain,
    Sharded,
    /// Flex and serverless.
    Shared,
}

impl Kind {
    pub(super) const fn extent(self) -> Extent {
        match self {
            Self::Groups
            | Self::OrgGroups
            | Self::Clusters
            | Self::ClustersWithDeleted
            | Self::Snapshots
            | Self::RestoreJobs
            | Self::Events
            | Self::FlexClusters
            | Self::FlexSnapshots
            | Self::Serverless
            | Self::ServerlessSnapshots => Extent::Paged,
            Self::ShardedSnapshots => Extent::Unpaged,
            Self::Group | Self::Schedule | Self::CompliancePolicy | Self::Settings => {
                Extent::Object
            }
            Self::Cluster
            | Self::Snapshot
            | Self::ShardedSnapshot
            | Self::RestoreJob
            | Self::FlexCluster
            | Self::FlexSnapshot
            | Self::ServerlessInstance
            | Self::ServerlessSnapshot => Extent::Single,
        }
    }

    /// The kind of list whose rows are snapshots; `None` if they are something else.
    pub(super) const fn snapshots(self) -> Option<SnapshotList> {
        match self {
            Self::Snapshots | Self::Snapshot => Some(SnapshotList::Plain),
            Self::ShardedSnapshots | Self::ShardedSnapshot => Some(SnapshotList::Sharded),
            Self::FlexSnapshots
            | Self::FlexSnapshot
            | Self::ServerlessSnapshots
            | Self::ServerlessSnapshot => Some(SnapshotList::Shared),
            Self::Groups
            | Self::OrgGroups
            | Self::Group
            | Self::Clusters
            | Self::ClustersWithDeleted
            | Self::Cluster
            | Self::Schedule
            | Self::RestoreJobs
            | Self::RestoreJob
            | Self::CompliancePolicy
            | Self::Settings
            | Self::Events
            | Self::FlexClusters
            | Self::FlexCluster
            | Self::Serverless
            | Self::ServerlessInstance => None,
        }
    }

    /// The list that loose records of this kind are gathered in.
    pub(super) const fn of_loose(self) -> Self {
        match self {
            Self::Groups | Self::OrgGroups => Self::Groups,
            Self::Clusters | Self::Cluster => Self::Clusters,
            Self::Snapshots | Self::Snapshot => Self::Snapshots,
            Self::ShardedSnapshots | Self::ShardedSnapshot => Self::ShardedSnapshots,
            Self::RestoreJobs | Self::RestoreJob => Self::RestoreJobs,
            Self::FlexClusters
            | Self::FlexCluster
            | Self::Serverless
            | Self::ServerlessInstance => Self::FlexClusters,
            Self::FlexSnapshots
            | Self::FlexSnapshot
            | Self::ServerlessSnapshots
            | Self::ServerlessSnapshot => Self::FlexSnapshots,
            Self::Group
            | Self::ClustersWithDeleted
            | Self::Schedule
            | Self::CompliancePolicy
            | Self::Settings
            | Self::Events => self,
        }
    }

    /// For messages.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Groups | Self::OrgGroups => "project list",
            Self::Group => "project",
            Self::Clusters => "cluster list",
            Self::ClustersWithDeleted => "cluster list with deleted clusters",
            Self::Cluster => "cluster",
            Self::Snapshots => "snapshot list",
            Self::Snapshot | Self::ShardedSnapshot => "snapshot",
            Self::ShardedSnapshots => "sharded snapshot list",
            Self::Schedule => "backup schedule",
            Self::RestoreJobs => "restore jobs",
            Self::RestoreJob => "restore job",
            Self::CompliancePolicy => "compliance policy",
            Self::Settings => "encryption-at-rest settings",
            Self::Events => "events",
            Self::FlexClusters => "flex cluster list",
            Self::FlexCluster => "flex cluster",
            Self::FlexSnapshots => "flex snapshot list",
            Self::FlexSnapshot => "flex snapshot",
            Self::Serverless => "serverless instance list",
            Self::ServerlessInstance => "serverless instance",
            Self::ServerlessSnapshots => "serverless snapshot list",
            Self::ServerlessSnapshot => "serverless snapshot",
        }
    }
}
