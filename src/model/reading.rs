//! What an inventory source answered: dated readings of lists, settings, schedules and events.
//! A reading says how much of its list it is; whether that is enough is for `assess` to say.

mod again;

use std::sync::Arc;

pub use again::Earlier;

use super::key_id::Provider;
use super::time::Timestamp;

/// Where an inventory came from (design section 1, "root").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// The Atlas Administration API.
    Atlas,
    /// The Ops Manager or Cloud Manager API.
    OpsManager,
    /// Loose files or standard input.
    Files,
}

impl Source {
    /// Every source, for tables and CHECK lists.
    pub const ALL: [Self; 3] = [Self::Atlas, Self::OpsManager, Self::Files];

    /// The word of the contract.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Atlas => "atlas",
            Self::OpsManager => "ops-manager",
            Self::Files => "files",
        }
    }
}

/// What was asked at a root.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Everything the credential sees.
    AllVisible,
    /// One organisation.
    Org(String),
    /// Stated projects, sorted.
    Projects(Vec<String>),
}

/// A root: a source, its base URL and what was asked there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RootId {
    pub source: Source,
    /// Scheme and host, without a trailing slash.
    pub base_url: String,
    pub scope: Scope,
}

/// A project, which is only unique together with the service that it lives on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProjectRef {
    pub id: String,
    pub base_url: String,
}

/// One dated answer about one list or object of an inventory source. What thousands of them have in
/// common, they share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    pub root: Arc<RootId>,
    /// `None` for a root's project list.
    pub project: Option<Arc<str>>,
    /// The cluster's name, for what is read per cluster.
    pub cluster: Option<Arc<str>>,
    /// When it was answered; for a list of several pages, the oldest page.
    pub at: Timestamp,
    /// Readings of one run (one bundle, one file) share this digest: lists with and without
    /// deleted clusters are only compared within a run.
    pub run: Arc<str>,
    /// The credential's public id, where the bundle gives it.
    pub identity: Option<Arc<str>>,
    pub outcome: Outcome,
    pub content: Arc<Content>,
    /// When the same was answered before, where [`Earlier::Times`] count: sorted.
    pub before: Vec<Timestamp>,
}

/// How much of what was asked for a reading is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All of it, proven as design section 4 ("Coverage") asks.
    Whole,
    /// Some of it: what it showed counts, what it lacks proves nothing.
    Partial(Gap),
    /// An error answer. `confirmed`: a second try said the same.
    Refused {
        status: u16,
        code: Option<String>,
        confirmed: bool,
    },
}

/// Whether an error answer to a snapshot list says that the cluster has none: an open list, kept
/// in this one place (Atlas Administration API, error codes). When it is believed is for `assess`
/// to say.
pub fn says_no_snapshots(status: u16, code: Option<&str>) -> bool {
    matches!(status, 400 | 404) && matches!(code, Some("CLUSTER_NOT_FOUND" | "BACKUP_NOT_ENABLED"))
}

/// Why a reading is not whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Gap {
    /// A page between the first and the last is missing.
    PageMissing,
    /// A page came back with an error, or not at all.
    PageFailed,
    /// The last page is full, so there may be another.
    LastPageFull,
    /// Several pages and no second pass that showed the same ids.
    SecondPassMissing,
    /// The second pass showed other ids.
    SecondPassDiffers,
    /// A row could not be read.
    RowRejected,
    /// The body was cut off or is no JSON of the expected shape.
    BodyUnreadable,
    /// The request was filtered (or asked for something less than all).
    Filtered,
    /// Asked with an API version that hides rows.
    OldVersion,
    /// The page is that of another project or cluster than its request.
    WrongOwner,
    /// The named file is missing, a link, or outside the bundle.
    FileMissing,
    /// A loose file without `--complete`: it shows, it proves nothing.
    LooseFile,
    /// A single object out of a list.
    SingleObject,
    /// The collector's clock and the service's differ by more than five minutes.
    ClockSkew,
}

impl Gap {
    /// Every gap, for tables and CHECK lists.
    pub const ALL: [Self; 14] = [
        Self::PageMissing,
        Self::PageFailed,
        Self::LastPageFull,
        Self::SecondPassMissing,
        Self::SecondPassDiffers,
        Self::RowRejected,
        Self::BodyUnreadable,
        Self::Filtered,
        Self::OldVersion,
        Self::WrongOwner,
        Self::FileMissing,
        Self::LooseFile,
        Self::SingleObject,
        Self::ClockSkew,
    ];

    /// Stable kebab-case word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::PageMissing => "page-missing",
            Self::PageFailed => "page-failed",
            Self::LastPageFull => "last-page-full",
            Self::SecondPassMissing => "second-pass-missing",
            Self::SecondPassDiffers => "second-pass-differs",
            Self::RowRejected => "row-rejected",
            Self::BodyUnreadable => "body-unreadable",
            Self::Filtered => "filtered",
            Self::OldVersion => "old-version",
            Self::WrongOwner => "wrong-owner",
            Self::FileMissing => "file-missing",
            Self::LooseFile => "loose-file",
            Self::SingleObject => "single-object",
            Self::ClockSkew => "clock-skew",
        }
    }
}

/// What was read. An error answer carries the empty content of its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A root's project list.
    Projects(Vec<ListedProject>),
    /// One project asked for by its id (kept for 404 GROUP_NOT_FOUND).
    Project,
    /// A cluster list of a project; `deleted_included` as it was asked for.
    Clusters {
        deleted_included: bool,
        clusters: Vec<ClusterState>,
    },
    /// Flex clusters or serverless instances: they never carry customer keys.
    SharedClusters(Vec<ClusterState>),
    /// The (paged) snapshot list of a cluster; its rows travel as sightings.
    Snapshots,
    /// The sharded snapshot list of a cluster; its rows travel as sightings.
    ShardedSnapshots,
    /// Snapshot list of a flex cluster or serverless instance; its rows travel as sightings.
    SharedSnapshots,
    Schedule(Schedule),
    /// Encryption at rest: one block per provider that the answer had.
    Settings(Vec<KeySettings>),
    /// Project events back to `since` (`None`: all there are).
    Events {
        since: Option<Timestamp>,
        events: Vec<Event>,
    },
    RestoreJobs(Vec<RestoreJob>),
    CompliancePolicy(CompliancePolicy),
    /// snapkey's own inventory form for one project: all lists in one; snapshots travel as
    /// sightings.
    Inventory(Vec<Declared>),
}

impl Content {
    /// Stable word of the kind, the same whatever was answered.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Projects(_) => "projects",
            Self::Project => "project",
            Self::Clusters {
                deleted_included: true,
                ..
            } => "clusters-with-deleted",
            Self::Clusters {
                deleted_included: false,
                ..
            } => "clusters",
            Self::SharedClusters(_) => "shared-clusters",
            Self::Snapshots => "snapshots",
            Self::ShardedSnapshots => "sharded-snapshots",
            Self::SharedSnapshots => "shared-snapshots",
            Self::Schedule(_) => "schedule",
            Self::Settings(_) => "settings",
            Self::Events { .. } => "events",
            Self::RestoreJobs(_) => "restore-jobs",
            Self::CompliancePolicy(_) => "compliance-policy",
            Self::Inventory(_) => "inventory",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListedProject {
    pub id: String,
    pub name: Option<String>,
}

/// A cluster as one list showed it. `None` is "the answer did not say".
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClusterState {
    pub id: Option<String>,
    pub name: String,
    /// SHARDED or GEOSHARDED.
    pub sharded: Option<bool>,
    /// `stateName`, verbatim.
    pub state: Option<String>,
    /// `encryptionAtRestProvider`, now: not what its snapshots were taken under.
    pub encryption: Option<ClusterEncryption>,
    pub backup_enabled: Option<bool>,
    pub pit_enabled: Option<bool>,
    pub paused: Option<bool>,
    /// Some region's provider is none of TENANT, FLEX, SERVERLESS.
    pub dedicated: bool,
    /// `mongoDBVersion`, verbatim.
    pub version: Option<String>,
    /// `instanceSize` of the first region that names one (`M10`), verbatim.
    pub instance_size: Option<String>,
}

/// `encryptionAtRestProvider` of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ClusterEncryption {
    None,
    Provider(Provider),
    /// A word that nobody knows yet, verbatim.
    Unrecognised(String),
}

/// One provider's block of a project's encryption-at-rest settings.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeySettings {
    pub provider: Provider,
    /// An absent `enabled` beside a key counts as enabled (ingest decides that).
    pub enabled: bool,
    /// The key as the settings spell it.
    pub key: Option<String>,
    /// AWS only, in AWS spelling (`us-east-1`).
    pub region: Option<String>,
    /// Whether Atlas could use the key when asked.
    pub valid: Option<bool>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Schedule {
    /// Point-in-time window in days.
    pub restore_window_days: Option<u32>,
    /// Extra retention per frequency, in days.
    pub extra_retention: Vec<ExtraRetention>,
    pub copies: Vec<CopySetting>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ExtraRetention {
    /// Lower case, verbatim otherwise.
    pub frequency: String,
    pub days: u32,
}

/// One region that snapshots are copied to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CopySetting {
    /// Retention of the copies per frequency; empty: no retention of their own.
    pub items: Vec<CopyItem>,
    /// Copies are kept by number (`lastNumberOfSnapshots`).
    pub by_number: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CopyItem {
    /// Lower case (`hourly`, `ondemand`).
    pub frequency: String,
    /// `None`: not given, so not known.
    pub retention: Option<Retention>,
}

/// A length of time as schedules write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Retention {
    pub unit: RetentionUnit,
    pub value: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RetentionUnit {
    Days,
    Weeks,
    Months,
    Years,
}

impl RetentionUnit {
    pub const ALL: [Self; 4] = [Self::Days, Self::Weeks, Self::Months, Self::Years];

    /// The vendor's word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Days => "days",
            Self::Weeks => "weeks",
            Self::Months => "months",
            Self::Years => "years",
        }
    }
}

/// A project event that bears on keys; the type is kept verbatim.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Event {
    pub at: Timestamp,
    pub kind: String,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RestoreJob {
    pub id: String,
    pub snapshot: Option<String>,
    pub delivery: Delivery,
    pub finished_at: Option<Timestamp>,
    pub failed: bool,
    pub cancelled: bool,
    pub expired: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Delivery {
    Automated,
    Download,
    PointInTime,
    /// Verbatim.
    Unrecognised(String),
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct CompliancePolicy {
    /// `None`: no policy, or it names no window.
    pub restore_window_days: Option<u32>,
}

/// A line of snapkey's own inventory form other than a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Declared {
    pub kind: DeclaredKind,
    pub cluster: Option<String>,
    pub id: Option<String>,
    /// Keys as spelled; empty = not recorded.
    pub keys: Vec<String>,
    /// `None` = indefinite.
    pub until: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DeclaredKind {
    CurrentKey,
    PitWindow,
    Download,
    RestoreJob,
}

impl DeclaredKind {
    pub const ALL: [Self; 4] = [
        Self::CurrentKey,
        Self::PitWindow,
        Self::Download,
        Self::RestoreJob,
    ];

    /// The word of the form.
    pub const fn word(self) -> &'static str {
        match self {
            Self::CurrentKey => "current-key",
            Self::PitWindow => "pit-window",
            Self::Download => "download",
            Self::RestoreJob => "restore-job",
        }
    }
}
